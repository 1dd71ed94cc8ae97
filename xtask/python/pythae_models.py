"""The models of `bench_pythae.py`: each kind that is compared, made with pythae, in the study's networks or in pythae's own for MNIST.

The weights of penalties and the numbers of codes and components are those of pythae's configurations for MNIST. Models with a likelihood
have a Bernoulli one, as ours do.
"""

from pythae import models
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.models.nn.benchmarks import mnist
from torch import nn

from load_model import Autoencoder

IMAGE = (1, 28, 28)
BERNOULLI = {"reconstruction_loss": "bce"}
CODES = {"num_embeddings": 256, "use_ema": True, "commitment_loss_factor": 0.25}

# A model, its configuration, and settings that are not pythae's defaults.
KINDS = {
    "ae": (models.AE, models.AEConfig, {}),
    "vae": (models.VAE, models.VAEConfig, BERNOULLI),
    "beta-vae": (models.BetaVAE, models.BetaVAEConfig, BERNOULLI | {"beta": 2.0}),
    "wae": (models.WAE_MMD, models.WAE_MMD_Config, {"reg_weight": 10.0}),
    "rae": (models.RAE_L2, models.RAE_L2_Config, {"embedding_weight": 1e-2, "reg_weight": 1e-4}),
    "vqvae": (models.VQVAE, models.VQVAEConfig, CODES),
    "iwae": (models.IWAE, models.IWAEConfig, BERNOULLI | {"number_samples": 5}),
    "vamp": (models.VAMP, models.VAMPConfig, BERNOULLI | {"number_components": 50}),
}
VARIATIONAL = ("vae", "beta-vae", "iwae", "vamp")


class Encoder(BaseEncoder):
    """Layers whose output is an embedding or, of a variational model, means and log-variances."""

    def __init__(self, layers, latent_dim, is_variational):
        super().__init__()
        self.layers = layers
        self.latent_dim = latent_dim
        self.is_variational = is_variational

    def forward(self, x):
        out = self.layers(x)
        if not self.is_variational:
            return ModelOutput(embedding=out)
        mean, log_variance = out.chunk(2, dim=1)
        return ModelOutput(embedding=mean, log_covariance=log_variance)


class Decoder(BaseDecoder):
    """Layers from latents to images."""

    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, z):
        return ModelOutput(reconstruction=self.layers(z))


def study(kind, latent_dim):
    """The networks of the reference study. Of the codes of a VQ-VAE, its first two convolutions: 7 x 7 codes for an image."""
    if kind == "vqvae":
        convs = [nn.Conv2d(1, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 4, 2, 1), nn.ReLU()]
        mirror = [nn.ConvTranspose2d(16, 8, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(8, 1, 4, 2, 1)]
        encoder = nn.Sequential(*convs, nn.Conv2d(16, latent_dim, 1))
        decoder = nn.Sequential(nn.Conv2d(latent_dim, 16, 1), nn.ReLU(), *mirror, nn.Sigmoid())
        return Encoder(encoder, latent_dim, False), Decoder(decoder)
    network, is_variational = Autoencoder(latent_dim), kind in VARIATIONAL
    if is_variational:
        network.encoder[-2] = nn.Linear(64, 2 * latent_dim)
    return Encoder(network.encoder, latent_dim, is_variational), Decoder(network.decoder)


def own(kind, config):
    """pythae's networks for MNIST."""
    if kind == "vqvae":
        return mnist.Encoder_ResNet_VQVAE_MNIST(config), mnist.Decoder_ResNet_VQVAE_MNIST(config)
    variational = kind in VARIATIONAL
    encoder = mnist.Encoder_Conv_VAE_MNIST if variational else mnist.Encoder_Conv_AE_MNIST
    return encoder(config), mnist.Decoder_Conv_AE_MNIST(config)


def build(kind, architecture, latent_dim):
    """A model of pythae that is not trained."""
    model, config, settings = KINDS[kind]
    config = config(input_dim=IMAGE, latent_dim=latent_dim, **settings)
    encoder, decoder = study(kind, latent_dim) if architecture == "study" else own(kind, config)
    return model(model_config=config, encoder=encoder, decoder=decoder)
