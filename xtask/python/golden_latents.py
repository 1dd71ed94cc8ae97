"""Makes the golden files that the engine's tests of latents and likelihoods compare with PyTorch.

    python xtask/python/golden_latents.py

writes `latents_<case>.safetensors` into crates/latents-engine/tests/golden/: a small variational
autoencoder or a relative, its parameters, a batch, and what `torch.distributions` makes of them where
nothing is drawn (the latents are their means; how draws enter is tested by finite differences).
Tensors, all f32: `input` [n, c, h, w], parameters and `grad.{parameter}` under their names,
`fit` [n], `penalty` [n], `output`. What a VampPrior derives from its pseudo-inputs has gradients of zero. The metadata's `case` is `{"network": in this project's form,
"loss": its name, "deviation": of a normal likelihood that is given one, "weight": of the penalty,
"skip": layers after the loss, "torch": version}`. The gradient is of mean(fit + weight * penalty).
"""

import torch
from torch import distributions
from torch.nn import functional

from golden import GOLDEN, exact, normal, save
from golden_gradients import SIGMOID, SILU, build, conv, deconv, linear, masked, reshape

GAUSSIAN = {"kind": "gaussian"}
MIXTURE = {"kind": "mixture_prior", "components": 4}
VAMP = {"kind": "vamp_prior", "components": 4}
NORM = {"kind": "squared_norm"}
LOG_SCALE = {"kind": "log_scale"}
MEAN = {"kind": "continuous_bernoulli_mean"}

# name: (loss, layer of latents, layers at the end, how many of them come after the loss)
CASES = {
    "bernoulli": ("bernoulli", GAUSSIAN, [SIGMOID], 1),
    "continuous_bernoulli": ("continuous_bernoulli", GAUSSIAN, [MEAN], 1),
    "gaussian": ("gaussian", GAUSSIAN, [SIGMOID], 0),
    "gaussian_learned": ("gaussian_learned", GAUSSIAN, [SIGMOID, LOG_SCALE], 0),
    "squared_norm": ("gaussian", NORM, [SIGMOID], 0),
    "mixture_prior": ("bernoulli", MIXTURE, [SIGMOID], 1),
    "vamp_prior": ("bernoulli", VAMP, [SIGMOID], 1),
}
DEVIATION, WEIGHT, LOG_DEVIATION = 0.3, 0.7, -0.8
SHAPE, SAMPLES, LATENTS = (1, 6, 6), 19, 3
COMMITMENT, LEVELS = 0.25, [2, 3, 2]


def pseudo_inputs(generator):
    """Learned images, whose pixels a hardtanh limits as in the paper."""
    images = exact(torch.rand((4, *SHAPE), generator=generator, dtype=torch.float64))
    return images.requires_grad_()


def vamp_prior(encoder, images):
    """The mean of the posteriors of pseudo-inputs, their means and their log-variances."""
    means, log_variances = encoder(functional.hardtanh(images, 0, 1)).chunk(2, dim=1)
    logits = torch.zeros(len(images), dtype=torch.float64)
    return mixture_of(means, log_variances, logits), means, log_variances


def mixture_of(means, log_variances, logits):
    each = distributions.Independent(distributions.Normal(means, (log_variances / 2).exp()), 1)
    return distributions.MixtureSameFamily(distributions.Categorical(logits=logits), each)


def case(name):
    loss, latent, end, skip = CASES[name]
    generator = torch.Generator().manual_seed(list(CASES).index(name))
    given = LATENTS if latent is NORM else 2 * LATENTS
    first = [linear(12), SILU, linear(given)]
    second = [linear(12), SILU, linear(36), reshape(*SHAPE)]
    encoder, decoder = build(SHAPE, first), build((LATENTS,), second)
    # Numbers of the modules in the whole network.
    named = {f"{i}.{p}": x for i, m in enumerate(encoder) for p, x in m.named_parameters()}
    offset = len(first) + 1
    named |= {f"{offset + i}.{p}": x for i, m in enumerate(decoder) for p, x in m.named_parameters()}
    with torch.no_grad():
        for parameter in named.values():
            parameter.copy_(normal(generator, parameter.shape, 0.4))
    log_deviation = torch.tensor([LOG_DEVIATION], dtype=torch.float32).double().requires_grad_()
    if LOG_SCALE in end:
        named[f"{offset + len(second) + end.index(LOG_SCALE)}.log_scale"] = log_deviation
    x = exact(torch.rand((SAMPLES, *SHAPE), generator=generator, dtype=torch.float64))
    mixture = [normal(generator, shape, 0.7) for shape in [(4, LATENTS), (4, LATENTS), (4,)]]
    mixture = [parameter.requires_grad_() for parameter in mixture]
    if latent is MIXTURE:
        names = [f"{len(first)}.{name}" for name in ["means", "log_variances", "logits"]]
        named |= dict(zip(names, mixture, strict=True))
    derived = {}
    if latent is VAMP:
        named[f"{len(first)}.pseudo_inputs"] = images = pseudo_inputs(generator)

    h = encoder(x)
    if latent is GAUSSIAN:
        z, log_variance = h.chunk(2, dim=1)
        prior = distributions.Normal(torch.zeros_like(z), torch.ones_like(z))
        posterior = distributions.Normal(z, (log_variance / 2).exp())
        penalty = distributions.kl_divergence(posterior, prior).sum(1)
    elif latent is MIXTURE:
        z, log_variance = h.chunk(2, dim=1)
        prior = mixture_of(*mixture)
        entropy = distributions.Normal(z, (log_variance / 2).exp()).entropy().sum(1)
        penalty = -entropy - prior.log_prob(z)
    elif latent is VAMP:
        z, log_variance = h.chunk(2, dim=1)
        prior, means, log_variances = vamp_prior(encoder, images)
        derived = {f"{len(first)}.means": means, f"{len(first)}.log_variances": log_variances}
        entropy = distributions.Normal(z, (log_variance / 2).exp()).entropy().sum(1)
        penalty = -entropy - prior.log_prob(z)
    else:
        z, penalty = h, h.square().sum(1) / 2
    logits = decoder(z)
    if loss == "continuous_bernoulli":
        pixels = distributions.ContinuousBernoulli(logits=logits)
        output = pixels.mean
    elif loss == "bernoulli":
        pixels = distributions.Bernoulli(logits=logits, validate_args=False)
        output = pixels.mean
    else:
        output = logits.sigmoid()
        deviation = log_deviation.exp() if loss == "gaussian_learned" else torch.tensor(DEVIATION)
        pixels = distributions.Normal(output, deviation)
    fit = -pixels.log_prob(x).flatten(1).sum(1)
    (fit + WEIGHT * penalty).mean().backward()

    tensors = {"input": x, "fit": fit, "penalty": penalty, "output": output}
    for key, parameter in named.items():
        tensors |= {key: parameter, f"grad.{key}": parameter.grad}
    for key, value in derived.items():
        tensors |= {key: value, f"grad.{key}": torch.zeros_like(value)}
    network = {"input": list(SHAPE), "layers": [*first, latent, *second, *end]}
    what = {"network": network, "loss": loss, "weight": WEIGHT, "skip": skip}
    save(f"latents_{name}", tensors, what | {"deviation": DEVIATION})


def quantizer_case(name, table, count):
    """A VQ-VAE with a prior of its codes. With a table, its gradient is also of the distances that its layer minimises."""
    generator = torch.Generator().manual_seed(100)
    first = [conv(5, (3, 3), (2, 2), (1, 1)), SILU, conv(LATENTS, (1, 1))]
    second = [deconv(4, (3, 3), (2, 2), (1, 1), (1, 1)), SILU, conv(1, (3, 3), padding=(1, 1))]
    given = [masked(6, (3, 5), False), SILU, masked(count, (3, 3), True)]
    encoder, prior = build(SHAPE, first), build((LATENTS, 3, 3), given)
    decoder = build((LATENTS, 3, 3), second)
    place = len(first)
    codes = torch.nn.Parameter(torch.zeros(count, LATENTS, dtype=torch.float64))
    is_learned = table["kind"] == "learned"
    named = {key: x for key, x in encoder.named_parameters()}
    named |= {f"{place}.codes": codes} if is_learned else {}
    named |= {f"{place}.prior.{key}": x for key, x in prior.named_parameters()}
    for i, module in enumerate(decoder):
        named |= {f"{place + 1 + i}.{key}": x for key, x in module.named_parameters()}
    with torch.no_grad():
        for parameter in named.values():
            parameter.copy_(normal(generator, parameter.shape, 0.4))
    x = exact(torch.rand((SAMPLES, *SHAPE), generator=generator, dtype=torch.float64))

    z = encoder(x)
    if is_learned:
        distances = (z.movedim(1, -1).unsqueeze(-2) - codes).square().sum(-1)
        numbers = distances.argmin(-1)
        e = codes[numbers].movedim(-1, 1)
        moved = (e - z.detach()).square() + COMMITMENT * (z - e.detach()).square()
    else:
        levels = torch.tensor(LEVELS).reshape(1, -1, 1, 1)
        each = ((z.detach() + 1) / 2 * levels).floor().clamp(min=0).minimum(levels - 1)
        e = (2 * each + 1) / levels - 1
        strides = torch.tensor([6, 2, 1]).reshape(1, -1, 1, 1)
        numbers, moved = (each.long() * strides).sum(1), torch.zeros_like(z)
    assert len(numbers.unique()) > 3
    logits = decoder(z + (e - z).detach())
    fit = functional.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)
    of_codes = functional.cross_entropy(prior(e.detach()), numbers, reduction="none")
    penalty = of_codes.flatten(1).sum(1)
    (fit + WEIGHT * (penalty + moved.flatten(1).sum(1))).mean().backward()

    tensors = {"input": x, "fit": fit, "penalty": penalty, "output": logits.sigmoid()}
    for key, parameter in named.items():
        tensors |= {key: parameter, f"grad.{key}": parameter.grad}
    layer = {"kind": "vector_quantizer", "table": table, "prior": given}
    network = {"input": list(SHAPE), "layers": [*first, layer, *second, SIGMOID]}
    what = {"network": network, "loss": "bernoulli", "weight": WEIGHT, "skip": 1}
    save(f"latents_{name}", tensors, what)


def main():
    torch.set_num_threads(1)
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name in CASES:
        case(name)
    learned = {"kind": "learned", "codes": 7, "commitment": COMMITMENT}
    quantizer_case("vector_quantizer", learned, 7)
    quantizer_case("scalar_quantizer", {"kind": "levels", "levels": LEVELS}, 12)
    print(f"{len(CASES) + 2} networks")


if __name__ == "__main__":
    main()
