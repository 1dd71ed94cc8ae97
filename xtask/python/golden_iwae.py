"""Makes the golden files that the engine's test of the importance-weighted objective compares with PyTorch.

    python xtask/python/golden_iwae.py

writes `iwae_<case>.safetensors` into crates/latents-engine/tests/golden/: a small variational
autoencoder, its parameters, a batch, and the bound of Burda et al. (2016) with the doubly
reparameterised gradient of Tucker et al. (2019), as `torch.distributions` and autograd make it with
weights and posteriors that are detached as in the paper. The draws are those of the project: ChaCha
with 8 rounds and the Box-Muller transform, written here once more.
Tensors, all f32: `input` [n, c, h, w], parameters and `grad.{parameter}` under their names, and
`bound` [n]. The metadata's `case` is `{"network": in this project's form, "loss": its name, "skip":
layers after the loss, "draws": K, "seed", "epoch": of the pass, "torch": version}`.
"""

import math
import struct

import torch
from torch import distributions

from golden import GOLDEN, exact, normal, save
from golden_gradients import SIGMOID, SILU, build, linear, reshape
from golden_latents import GAUSSIAN, LOG_SCALE, MEAN, MIXTURE, VAMP, mixture_of, pseudo_inputs, vamp_prior

# name: (loss, layer of latents, layers at the end, how many of them come after the loss, draws)
CASES = {
    "bernoulli": ("bernoulli", GAUSSIAN, [SIGMOID], 1, 5),
    "mixture_prior": ("gaussian_learned", MIXTURE, [SIGMOID, LOG_SCALE], 0, 3),
    "one_draw": ("continuous_bernoulli", GAUSSIAN, [MEAN], 1, 1),
    "vamp_prior": ("gaussian_learned", VAMP, [SIGMOID, LOG_SCALE], 0, 3),
}
SHAPE, SAMPLES, LATENTS, LOG_DEVIATION = (1, 6, 6), 19, 3, -0.3
SEED, EPOCH, POSTERIOR = 5, 2, 21


def chacha(key, nonce):
    """The first block of ChaCha with 8 rounds: 16 words."""
    start = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *struct.unpack("<8I", key), 0, 0]
    start += struct.unpack("<2I", struct.pack("<Q", nonce))
    words = list(start)

    def quarter(a, b, c, d):
        for to, by, other, turn in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)]:
            words[to] = (words[to] + words[by]) & 0xFFFFFFFF
            mixed = words[other] ^ words[to]
            words[other] = (mixed << turn | mixed >> (32 - turn)) & 0xFFFFFFFF

    for _ in range(4):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return [(a + b) & 0xFFFFFFFF for a, b in zip(start, words, strict=True)]


def draws_of(layer, identity):
    """The standard normal draws of a sample, one for each latent."""
    key = struct.pack("<QIIQQ", SEED, POSTERIOR, 0, layer << 48 | EPOCH, 0)
    words, numbers = chacha(key, identity), []
    for distance, direction in zip(words[::2], words[1::2], strict=True):
        radius = math.sqrt(-2 * math.log(((distance >> 1) + 0.5) * 2**-31))
        angle = direction * (math.pi * 2**-31)
        numbers += [radius * math.cos(angle), radius * math.sin(angle)]
    return numbers[:LATENTS]


def case(name):
    loss, latent, end, skip, count = CASES[name]
    generator = torch.Generator().manual_seed(200 + list(CASES).index(name))
    first = [linear(12), SILU, linear(2 * LATENTS)]
    second = [linear(12), SILU, linear(36), reshape(*SHAPE)]
    encoder, decoder = build(SHAPE, first), build((LATENTS,), second)
    # Numbers of the modules in the whole network.
    of_encoder = {f"{i}.{p}": x for i, m in enumerate(encoder) for p, x in m.named_parameters()}
    offset = len(first) + 1
    others = {f"{offset + i}.{p}": x for i, m in enumerate(decoder) for p, x in m.named_parameters()}
    with torch.no_grad():
        for parameter in [*of_encoder.values(), *others.values()]:
            parameter.copy_(normal(generator, parameter.shape, 0.4))
    log_deviation = exact(torch.tensor([LOG_DEVIATION])).requires_grad_()
    if LOG_SCALE in end:
        others[f"{offset + len(second) + end.index(LOG_SCALE)}.log_scale"] = log_deviation
    mixture = [normal(generator, shape, 0.7) for shape in [(4, LATENTS), (4, LATENTS), (4,)]]
    mixture = [parameter.requires_grad_() for parameter in mixture]
    prior = distributions.Independent(distributions.Normal(torch.zeros(LATENTS), torch.ones(LATENTS)), 1)
    if latent is MIXTURE:
        names = [f"{len(first)}.{name}" for name in ["means", "log_variances", "logits"]]
        others |= dict(zip(names, mixture, strict=True))
        prior = mixture_of(*mixture)
    derived = {}
    if latent is VAMP:
        others[f"{len(first)}.pseudo_inputs"] = images = pseudo_inputs(generator)
        prior, means, log_variances = vamp_prior(encoder, images)
        derived = {f"{len(first)}.means": means, f"{len(first)}.log_variances": log_variances}
    x = exact(torch.rand((SAMPLES, *SHAPE), generator=generator, dtype=torch.float64))
    eta = [[draws_of(len(first), k << 32 | i) for i in range(SAMPLES)] for k in range(count)]
    eta = torch.tensor(eta, dtype=torch.float64)

    mean, log_variance = encoder(x).chunk(2, dim=1)
    deviation = (log_variance / 2).exp()
    z = mean + deviation * eta  # [k, n, d]
    log_q = distributions.Normal(mean.detach(), deviation.detach()).log_prob(z).sum(2)
    logits = decoder(z.flatten(0, 1)).unflatten(0, (count, SAMPLES))
    if loss == "continuous_bernoulli":
        pixels = distributions.ContinuousBernoulli(logits=logits)
    elif loss == "bernoulli":
        pixels = distributions.Bernoulli(logits=logits, validate_args=False)
    else:
        pixels = distributions.Normal(logits.sigmoid(), log_deviation.exp())
    log_joint = pixels.log_prob(x).flatten(2).sum(2) - log_q
    log_w = log_joint + prior.log_prob(z)  # [k, n]
    weights = log_w.softmax(0).detach()
    assert count == 1 or 0.3 < weights.max(0).values.mean() < 0.9
    bound = math.log(count) - log_w.logsumexp(0)

    def gradients(parameters, weights, log_w=log_w):
        value = -(weights * log_w).sum(0).mean()
        given = torch.autograd.grad(value, parameters.values(), retain_graph=True)
        return {f"grad.{key}": x for key, x in zip(parameters, given, strict=True)}

    tensors = {"input": x, "bound": bound, **of_encoder, **others}
    if latent is VAMP:
        # Through z, in a prior that stays; and through the prior, of which z is no part.
        logits = torch.zeros(len(images), dtype=torch.float64)
        fixed = mixture_of(means.detach(), log_variances.detach(), logits)
        own = gradients(of_encoder, weights.square(), log_joint + fixed.log_prob(z))
        through = gradients(of_encoder, weights, prior.log_prob(z.detach()))
        own = {key: own[key] + through[key] for key in own}
    else:
        own = gradients(of_encoder, weights.square())
    tensors |= own | gradients(others, weights)
    for key, value in derived.items():
        tensors |= {key: value, f"grad.{key}": torch.zeros_like(value)}
    network = {"input": list(SHAPE), "layers": [*first, latent, *second, *end]}
    what = {"network": network, "loss": loss, "skip": skip, "draws": count}
    save(f"iwae_{name}", tensors, what | {"seed": SEED, "epoch": EPOCH})


def main():
    torch.set_num_threads(1)
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name in CASES:
        case(name)
    print(f"{len(CASES)} networks")


if __name__ == "__main__":
    main()
