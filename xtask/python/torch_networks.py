"""The networks that `bench_torch.py` and `bench_study.py` measure with PyTorch, and their losses. Each
has the layers of ours, and as many parameters.
"""

import torch
from torch import nn

from load_model import Autoencoder

LATENTS = 64


def channels_last(tensor_or_module):
    return tensor_or_module.to(memory_format=torch.channels_last)


def reconstruction(model, images):
    return nn.functional.mse_loss(model(images), images)


def classification(model, images, labels):
    return nn.functional.cross_entropy(model(images), labels)


def variational(latent_dim):
    """The study's variational autoencoder: means and log-variances out of the encoder, logits out of the decoder."""
    model = Autoencoder(latent_dim)
    model.encoder[-2] = nn.Linear(64, 2 * latent_dim)
    model.decoder[-1] = nn.Identity()
    return channels_last(model)


def negative_bound(model, batch):
    """The evidence bound with a Bernoulli likelihood and one draw; the mean over the batch, negative."""
    mean, log_variance = model.encoder(batch).chunk(2, dim=1)
    z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
    fit = nn.functional.binary_cross_entropy_with_logits(model.decoder(z), batch, reduction="sum")
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()
    return (fit + divergence) / len(batch)


def normalised(into, out, stride=1):
    """A convolution, normalised."""
    return [
        nn.Conv2d(into, out, 3, stride, padding=1),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    ]


def plain_cnn():
    """Two convolutions of 32 channels and two of 64, each normalised; 256 units; ten classes."""

    def stage(into, out):
        return [*normalised(into, out), *normalised(out, out), nn.MaxPool2d(2)]

    head = [nn.Flatten(), nn.Linear(64 * 49, 256), nn.ReLU(), nn.Linear(256, 10)]
    return nn.Sequential(*stage(1, 32), *stage(32, 64), *head)


class Sum(nn.Module):
    """The sum of a branch and a shortcut."""

    def __init__(self, branch, shortcut=()):
        super().__init__()
        self.branch = nn.Sequential(*branch)
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x):
        return self.branch(x) + self.shortcut(x)


def default_cnn():
    """The classifier of `latents train cnn`: a convolution of 24 channels, and three stages of a convolution of stride 2 and a
    residual block; ten classes."""
    layers, channels = normalised(1, 24), [24, 48, 96, 160]
    for into, out in zip(channels, channels[1:]):
        layers += normalised(into, out, stride=2)
        layers.append(Sum(normalised(out, out) + normalised(out, out)))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels[-1], 10))


def halves(channels, nonlinearity, last):
    """Layers of an encoder of colour images of 64 x 64, with four convolutions of stride 2 and 512 hidden units, and those of the
    decoder that mirrors it; `last` are the encoder's after its last convolution."""
    convolutions, mirror = [], []
    for into, out in zip([3, *channels], channels):
        convolutions += [nn.Conv2d(into, out, 4, 2, 1), nonlinearity()]
        mirror = [nonlinearity(), nn.ConvTranspose2d(out, into, 4, 2, 1), *mirror]
    deepest = (channels[-1], 4, 4)
    numbers = 16 * channels[-1]
    narrow = [nn.Flatten(), nn.Linear(numbers, 512), nonlinearity(), nn.Linear(512, LATENTS)]
    widen = [nn.Linear(LATENTS, 512), nonlinearity(), nn.Linear(512, numbers)]
    encoder = [*convolutions[:-1], *last, *narrow]
    return encoder, [*widen, nn.Unflatten(1, deepest), *mirror]


def pictures():
    """The study's autoencoder for colour images of 64 x 64."""
    encoder, decoder = halves([16, 32, 64, 128], nn.ReLU, [])
    return nn.Sequential(*encoder, *decoder, nn.Sigmoid())


class Clip(nn.Module):
    """Limits to [0, 1]; the gradient passes unchanged."""

    def forward(self, x):
        return x + (x.clamp(0, 1) - x).detach()


def residual_pictures():
    """The residual autoencoder for a large collection of colour images of 64 x 64: linear maps, to which an encoder, a decoder and a
    refiner of patches of 4 x 4 add."""
    image = (3, 64, 64)
    numbers = 3 * 64 * 64
    encoder, decoder = halves([64, 128, 128, 128], nn.SiLU, [nn.SiLU()])
    refiner = [
        nn.Conv2d(3, 32, 12, 4, 4),
        nn.SiLU(),
        Sum([nn.Conv2d(32, 32, 3, padding=1), nn.SiLU()]),
        nn.ConvTranspose2d(32, 3, 12, 4, 4),
    ]
    return nn.Sequential(
        Sum(encoder, [nn.Flatten(), nn.Linear(numbers, LATENTS)]),
        Sum(decoder, [nn.Linear(LATENTS, numbers), nn.Unflatten(1, image)]),
        Sum(refiner),
        Clip(),
    )
