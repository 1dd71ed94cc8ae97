"""Makes the golden files that the engine's test of penalties of a batch's posterior compares with PyTorch.

    python xtask/python/golden_batch_penalties.py

writes `batch_penalties_<n>x<d>.safetensors` into crates/latents-engine/tests/golden/: the posterior of
n samples of d latents, and what `torch.distributions`, `logsumexp` and autograd make of it.
Tensors, all f32: `posterior` [n, 2 d] (means, then log-variances), `draws` and `prior` [n, d] (standard
normal), `total_correlation` and `mmd` [1], and their gradients by the posterior,
`grad.total_correlation` and `grad.mmd` [n, 2 d]. The metadata's `case` is `{"dim": d, "torch": version}`.
"""

import math

import torch
from torch import distributions

from golden import GOLDEN, exact, normal, save

CASES = [(5, 1), (16, 4), (43, 12)]
WIDTHS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def total_correlation(mean, log_variance, z):
    n = len(z)
    # log q(z_ik | x_j) as [i, j, k].
    posterior = distributions.Normal(mean[None], (log_variance / 2).exp()[None])
    log = posterior.log_prob(z[:, None]) - math.log(n)
    joint = (log + math.log(n)).sum(2).logsumexp(1) - math.log(n)
    return (joint - log.logsumexp(1).sum(1)).mean()


def kernel(a, b):
    square = (a[:, None] - b[None]).square().sum(2)
    return sum(c / (c + square) for c in (2 * a.shape[1] * width for width in WIDTHS))


def mmd(z, prior):
    n = len(z)
    others = 1 - torch.eye(n, dtype=z.dtype)
    among = ((kernel(z, z) + kernel(prior, prior)) * others).sum() / (n * (n - 1))
    return among - 2 * kernel(z, prior).mean()


def case(n, dim):
    generator = torch.Generator().manual_seed(n)
    mean = normal(generator, (n, dim), 1.2)
    log_variance = exact(normal(generator, (n, dim), 0.7) - 1.5)
    posterior = torch.cat([mean, log_variance], 1).requires_grad_()
    draws, prior = normal(generator, (n, dim)), normal(generator, (n, dim))
    tensors = {"posterior": posterior, "draws": draws, "prior": prior}
    for name in ("total_correlation", "mmd"):
        mean, log_variance = posterior.chunk(2, dim=1)
        z = mean + (log_variance / 2).exp() * draws
        value = total_correlation(mean, log_variance, z) if name == "total_correlation" else mmd(z, prior)
        (gradient,) = torch.autograd.grad(value, posterior)
        tensors |= {name: value[None], f"grad.{name}": gradient}
    save(f"batch_penalties_{n}x{dim}", tensors, {"dim": dim})


def main():
    torch.set_num_threads(1)
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for n, dim in CASES:
        case(n, dim)
    print(f"{len(CASES)} batches")


if __name__ == "__main__":
    main()
