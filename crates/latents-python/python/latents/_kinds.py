"""The kinds of models, whose parameters are the settings of a run, and `load`. What they share is in `_models`, `_latent_models` and `_class_models`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from . import _latents
from ._base import check_fitted
from ._class_models import ClassModel
from ._latent_models import LatentModel
from ._models import Model, plain

__all__ = ["CNN", "VAE", "VQVAE", "Autoencoder", "Classifier", "load"]


class Autoencoder(LatentModel):
    """A convolutional autoencoder.

    The parameters are the settings of ``config.toml``; one that is None has the default that suits the images. The book and ``latents init ae`` list them.

    Parameters
    ----------
    latent_dim : int or None
        The number of dimensions of a latent vector.
    epochs : int or None
        Passes over the training images.
    minutes : float or None
        The time to train for, instead of a number of epochs.
    seed : int or None
        Seed of everything random.
    validation_fraction : float or None
        The part of the training images that is held out for validation.
    design : "study", "residual" or None
        How the network is built: as in the reference study, or around principal components.
    blocks : int or None
        The number of residual blocks after each of the encoder's convolutions, and before each of the decoder's.
    others
        See the book.

    Examples
    --------
    >>> import latents, numpy as np
    >>> X = np.random.default_rng(0).integers(0, 256, (200, 12, 12), dtype=np.uint8)
    >>> model = latents.Autoencoder(latent_dim=4, epochs=1).fit(X)
    >>> model.encode(X).shape, model.reconstruct(X[:2]).shape
    ((200, 4), (2, 1, 12, 12))
    """

    _kind = "ae"

    def __init__(
        self,
        *,
        latent_dim: int | None = None,
        epochs: int | None = None,
        minutes: float | None = None,
        seed: int | None = None,
        design: str | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        validation_fraction: float | None = None,
        optimizer: str | None = None,
        weight_decay: float | None = None,
        momentum: float | None = None,
        nesterov: bool | None = None,
        init: str | None = None,
        precision: str | None = None,
        clip_norm: float | None = None,
        patience: int | None = None,
        schedule: dict[str, Any] | None = None,
        label_smoothing: float | None = None,
        augmentation: dict[str, Any] | None = None,
        normalize: bool | None = None,
        blocks: int | None = None,
        hidden: list[int] | None = None,
        nonlinearity: str | None = None,
        dropout: float | None = None,
        noise: float | None = None,
        refiner: dict[str, Any] | None = None,
        stages: list[dict[str, Any]] | None = None,
    ) -> None:
        self.latent_dim = latent_dim
        self.epochs = epochs
        self.minutes = minutes
        self.seed = seed
        self.design = design
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.momentum = momentum
        self.nesterov = nesterov
        self.init = init
        self.precision = precision
        self.clip_norm = clip_norm
        self.patience = patience
        self.schedule = schedule
        self.label_smoothing = label_smoothing
        self.augmentation = augmentation
        self.normalize = normalize
        self.blocks = blocks
        self.hidden = hidden
        self.nonlinearity = nonlinearity
        self.dropout = dropout
        self.noise = noise
        self.refiner = refiner
        self.stages = stages


class VAE(LatentModel):
    """A variational autoencoder (Kingma and Welling, 2014), with the penalty of a beta-VAE, of MMD or of the latents' square.

    The parameters are the settings of ``config.toml``; one that is None has the default that suits the images. The book and ``latents init vae`` list them.

    Parameters
    ----------
    latent_dim : int or None
        The number of dimensions of a latent vector.
    beta : float or None
        The weight of the penalty; with the regularizer "info", of its KL divergence; with "tc", of the total correlation.
    likelihood : "bernoulli", "continuous-bernoulli", "gaussian" or None
        The distribution of pixels given latents.
    draws : int or None
        The number of draws of each image's latents that the importance-weighted bound (IWAE: Burda et al., 2016) is trained with; 1, the evidence bound, by default.
    prior : dict or None
        The prior of the latents: ``{"kind": "normal"}``, N(0, I); ``{"kind": "mixture", "components": 100}``, a mixture of Gaussians that is learned with the model; or
        ``{"kind": "vamp", "components": 100}``, the posteriors of images that are learned with the model (VampPrior: Tomczak and Welling, 2018).
    regularizer : "kl", "mmd", "l2", "info", "tc" or None
        The penalty of the latents: that of a variational autoencoder, a Wasserstein autoencoder, a regularised autoencoder, an InfoVAE (Zhao et al., 2019) or a
        beta-TC-VAE (Chen et al., 2018).
    mmd_weight : float or None
        The weight of the maximum mean discrepancy of the regularizer "info".
    conditional : bool or None
        Whether the decoder is given the class of each image (Kingma et al., 2014; Sohn et al., 2015), so that the model makes images of a class. Every image needs a
        label then. The encoder sees no class.
    epochs, minutes, seed, others
        As of `Autoencoder`; and see the book.

    Examples
    --------
    >>> import latents, numpy as np
    >>> X = np.random.default_rng(0).integers(0, 256, (200, 12, 12), dtype=np.uint8)
    >>> model = latents.VAE(latent_dim=4, epochs=1).fit(X)
    >>> model.sample(3, sampler="normal").shape
    (3, 1, 12, 12)
    >>> y = np.where(X.mean(axis=(1, 2)) > 127, "light", "dark")
    >>> model = latents.VAE(latent_dim=4, epochs=1, conditional=True).fit(X, y)
    >>> model.sample(3, sampler="normal", classes="dark").shape
    (3, 1, 12, 12)
    """

    _kind = "vae"

    def __init__(
        self,
        *,
        latent_dim: int | None = None,
        epochs: int | None = None,
        minutes: float | None = None,
        seed: int | None = None,
        design: str | None = None,
        beta: float | None = None,
        likelihood: str | None = None,
        regularizer: str | None = None,
        prior: dict[str, Any] | None = None,
        draws: int | None = None,
        mmd_weight: float | None = None,
        sigma: float | None = None,
        warmup_epochs: float | None = None,
        free_bits: float | None = None,
        conditional: bool | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        validation_fraction: float | None = None,
        optimizer: str | None = None,
        weight_decay: float | None = None,
        momentum: float | None = None,
        nesterov: bool | None = None,
        init: str | None = None,
        precision: str | None = None,
        clip_norm: float | None = None,
        patience: int | None = None,
        schedule: dict[str, Any] | None = None,
        label_smoothing: float | None = None,
        augmentation: dict[str, Any] | None = None,
        normalize: bool | None = None,
        blocks: int | None = None,
        hidden: list[int] | None = None,
        nonlinearity: str | None = None,
        dropout: float | None = None,
        noise: float | None = None,
        refiner: dict[str, Any] | None = None,
        stages: list[dict[str, Any]] | None = None,
    ) -> None:
        self.latent_dim = latent_dim
        self.epochs = epochs
        self.minutes = minutes
        self.seed = seed
        self.design = design
        self.beta = beta
        self.likelihood = likelihood
        self.regularizer = regularizer
        self.prior = prior
        self.draws = draws
        self.mmd_weight = mmd_weight
        self.sigma = sigma
        self.warmup_epochs = warmup_epochs
        self.free_bits = free_bits
        self.conditional = conditional
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.momentum = momentum
        self.nesterov = nesterov
        self.init = init
        self.precision = precision
        self.clip_norm = clip_norm
        self.patience = patience
        self.schedule = schedule
        self.label_smoothing = label_smoothing
        self.augmentation = augmentation
        self.normalize = normalize
        self.blocks = blocks
        self.hidden = hidden
        self.nonlinearity = nonlinearity
        self.dropout = dropout
        self.noise = noise
        self.refiner = refiner
        self.stages = stages


class VQVAE(LatentModel):
    """A VQ-VAE (van den Oord et al., 2017): its latents are a small image of codes, and new codes are drawn from a prior that is learned beside it.

    The parameters are the settings of ``config.toml``; one that is None has the default that suits the images. The book and ``latents init vqvae`` list them.

    `encode` gives the numbers of the codes, channel by channel: ``[n, d]`` with ``d = c * h * w`` for images of codes ``[c, h, w]``. `sample` draws codes from the
    model's own prior, which is the only sampler that it has.

    Parameters
    ----------
    levels : list of int or None
        The number of levels of each channel of a code (finite scalar quantisation: Mentzer et al., 2024). Their product is the number of codes. ``[8, 8, 8]`` if
        neither this nor `codes` is given.
    codes : int or None
        The number of codes of a table that is learned with the model, in place of levels.
    code_dim : int or None
        The number of channels of a code of the table; 16 by default.
    commitment : float or None
        The weight of the distance of the encoder's vectors from the codes of the table; 0.25 by default.
    stages : list of dict or None
        The encoder's convolutions: ``{"channels": 64, "kernel": 4, "stride": 2, "padding": 1}`` for each. The decoder mirrors them.
    blocks : int or None
        The number of residual blocks after the encoder's convolutions, and before the decoder's.
    prior_channels, prior_blocks : int or None
        The number of channels and of residual blocks of the prior.
    likelihood : "bernoulli", "continuous-bernoulli", "gaussian" or None
        The distribution of pixels given codes.
    sigma : float or None
        The standard deviation of the gaussian likelihood; learnt by default.
    conditional : bool or None
        Whether the prior and the decoder are given the class of each image, so that the model makes images of a class. Every image needs a label then. The encoder sees
        no class.
    epochs, minutes, seed, others
        As of `Autoencoder`; and see the book.

    Examples
    --------
    >>> import latents, numpy as np
    >>> X = np.random.default_rng(0).integers(0, 256, (100, 12, 12), dtype=np.uint8)
    >>> model = latents.VQVAE(levels=[4, 4], blocks=0, prior_channels=8, prior_blocks=1, epochs=1).fit(X)
    >>> model.encode(X).shape, model.code_bits_
    ((100, 72), 144.0)
    >>> model.sample(3).shape
    (3, 1, 12, 12)
    """

    _kind = "vqvae"
    _of_quantizer = {"levels": "levels", "codes": "codes", "code_dim": "dim", "commitment": "commitment"}
    """The parameters that are settings of the quantiser, and their names in ``model.quantizer``."""

    def __init__(
        self,
        *,
        levels: list[int] | None = None,
        codes: int | None = None,
        code_dim: int | None = None,
        commitment: float | None = None,
        stages: list[dict[str, Any]] | None = None,
        blocks: int | None = None,
        nonlinearity: str | None = None,
        prior_channels: int | None = None,
        prior_blocks: int | None = None,
        likelihood: str | None = None,
        sigma: float | None = None,
        conditional: bool | None = None,
        epochs: int | None = None,
        minutes: float | None = None,
        seed: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        validation_fraction: float | None = None,
        optimizer: str | None = None,
        weight_decay: float | None = None,
        momentum: float | None = None,
        nesterov: bool | None = None,
        init: str | None = None,
        precision: str | None = None,
        clip_norm: float | None = None,
        patience: int | None = None,
        schedule: dict[str, Any] | None = None,
        label_smoothing: float | None = None,
        augmentation: dict[str, Any] | None = None,
    ) -> None:
        self.levels = levels
        self.codes = codes
        self.code_dim = code_dim
        self.commitment = commitment
        self.stages = stages
        self.blocks = blocks
        self.nonlinearity = nonlinearity
        self.prior_channels = prior_channels
        self.prior_blocks = prior_blocks
        self.likelihood = likelihood
        self.sigma = sigma
        self.conditional = conditional
        self.epochs = epochs
        self.minutes = minutes
        self.seed = seed
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.momentum = momentum
        self.nesterov = nesterov
        self.init = init
        self.precision = precision
        self.clip_norm = clip_norm
        self.patience = patience
        self.schedule = schedule
        self.label_smoothing = label_smoothing
        self.augmentation = augmentation

    def _settings(self) -> dict[str, Any]:
        given = {name: getattr(self, name) for name in self._of_quantizer}
        given = {name: value for name, value in given.items() if value is not None}
        if "levels" in given and "codes" in given:
            raise ValueError("levels and codes exclude each other: a code is of a grid of levels, or of a learned table")
        of_table = [name for name in ("code_dim", "commitment") if name in given]
        if of_table and "codes" not in given:
            raise ValueError(f"{of_table[0]} is of a learned table, whose number of codes must be given: codes=512")
        settings = super()._settings()
        if given:
            kind = "table" if "codes" in given else "levels"
            settings["model.quantizer"] = {"kind": kind, **{self._of_quantizer[name]: plain(value) for name, value in given.items()}}
        return settings

    def _adopt(self, config: dict[str, Any]) -> None:
        others = {name: value for name, value in config["model"].items() if name != "quantizer"}
        super()._adopt({**config, "model": others})
        for name, setting in self._of_quantizer.items():
            setattr(self, name, config["model"]["quantizer"].get(setting))

    @property
    def code_bits_(self) -> float:
        """The bits of the codes of an image: for each place of the image of codes, the logarithm of the number of codes."""
        bits = self.model_.code_bits
        assert bits is not None
        return bits


class CNN(ClassModel):
    """A convolutional classifier, trained from scratch.

    The parameters are the settings of ``config.toml``; one that is None has the default that suits the images. The book and ``latents init cnn`` list them.

    Parameters
    ----------
    epochs, minutes, seed, others
        As of `Autoencoder`; and see the book.

    Attributes
    ----------
    classes_ : array [k]
        The classes.

    Examples
    --------
    >>> import latents, numpy as np
    >>> X = np.random.default_rng(0).integers(0, 256, (100, 12, 12), dtype=np.uint8)
    >>> y = np.where(X.mean(axis=(1, 2)) > 127, "light", "dark")
    >>> latents.CNN(epochs=1).fit(X, y).predict_proba(X).shape
    (100, 2)
    """

    _kind = "cnn"

    def __init__(
        self,
        *,
        epochs: int | None = None,
        minutes: float | None = None,
        seed: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        validation_fraction: float | None = None,
        optimizer: str | None = None,
        weight_decay: float | None = None,
        momentum: float | None = None,
        nesterov: bool | None = None,
        init: str | None = None,
        precision: str | None = None,
        clip_norm: float | None = None,
        patience: int | None = None,
        schedule: dict[str, Any] | None = None,
        label_smoothing: float | None = None,
        augmentation: dict[str, Any] | None = None,
        stem: int | None = None,
        stem_blocks: int | None = None,
        channels: list[int] | None = None,
        blocks: int | None = None,
        nonlinearity: str | None = None,
        stochastic_depth: float | None = None,
        dropout: float | None = None,
    ) -> None:
        self.epochs = epochs
        self.minutes = minutes
        self.seed = seed
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.momentum = momentum
        self.nesterov = nesterov
        self.init = init
        self.precision = precision
        self.clip_norm = clip_norm
        self.patience = patience
        self.schedule = schedule
        self.label_smoothing = label_smoothing
        self.augmentation = augmentation
        self.stem = stem
        self.stem_blocks = stem_blocks
        self.channels = channels
        self.blocks = blocks
        self.nonlinearity = nonlinearity
        self.stochastic_depth = stochastic_depth
        self.dropout = dropout


class Classifier(ClassModel):
    """A classifier on the encoder of another model.

    Parameters
    ----------
    encoder : Autoencoder, VAE, VQVAE or path
        The fitted model whose encoder it starts from, or the folder of its run.
    from_scratch : bool
        Whether the encoder starts from initial weights too.
    freeze_encoder : bool
        Whether the encoder stays as it is.
    epochs, minutes, seed, others
        As of `Autoencoder`; and see the book and ``latents init classifier``.

    Attributes
    ----------
    classes_ : array [k]
        The classes.

    Examples
    --------
    >>> import latents, numpy as np
    >>> X = np.random.default_rng(0).integers(0, 256, (100, 12, 12), dtype=np.uint8)
    >>> y = np.where(X.mean(axis=(1, 2)) > 127, "light", "dark")
    >>> encoder = latents.Autoencoder(latent_dim=4, epochs=1).fit(X)
    >>> latents.Classifier(encoder, epochs=1).fit(X, y).predict(X).shape
    (100,)
    """

    _kind = "classifier"

    def __init__(
        self,
        encoder: Any = None,
        *,
        from_scratch: bool = False,
        freeze_encoder: bool = False,
        epochs: int | None = None,
        minutes: float | None = None,
        seed: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        validation_fraction: float | None = None,
        optimizer: str | None = None,
        weight_decay: float | None = None,
        momentum: float | None = None,
        nesterov: bool | None = None,
        init: str | None = None,
        precision: str | None = None,
        clip_norm: float | None = None,
        patience: int | None = None,
        schedule: dict[str, Any] | None = None,
        label_smoothing: float | None = None,
        augmentation: dict[str, Any] | None = None,
        hidden_1: int | None = None,
        hidden_2: int | None = None,
        head_dropout: float | None = None,
    ) -> None:
        self.encoder = encoder
        self.from_scratch = from_scratch
        self.freeze_encoder = freeze_encoder
        self.epochs = epochs
        self.minutes = minutes
        self.seed = seed
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.momentum = momentum
        self.nesterov = nesterov
        self.init = init
        self.precision = precision
        self.clip_norm = clip_norm
        self.patience = patience
        self.schedule = schedule
        self.label_smoothing = label_smoothing
        self.augmentation = augmentation
        self.hidden_1 = hidden_1
        self.hidden_2 = hidden_2
        self.head_dropout = head_dropout

    def _start(self) -> dict[str, Any]:
        encoder = self.encoder
        if isinstance(encoder, Model):
            check_fitted(encoder, "_model")
            encoder = encoder.run_
        given = {"encoder": encoder, "from_scratch": self.from_scratch, "freeze_encoder": self.freeze_encoder}
        return {**super()._start(), **given}


_CLASSES: dict[str, type[Model]] = {cls._kind: cls for cls in (Autoencoder, VAE, VQVAE, CNN, Classifier)}


def load(run: str | os.PathLike[str], *, force: bool = False) -> Model:
    """Opens the model of a finished run.

    Parameters
    ----------
    run : path
        The folder of the run, of this package or of the command.
    force : bool
        Whether to take its files as they are, even if they have changed since it was trained.

    Returns
    -------
    Autoencoder, VAE, VQVAE, CNN or Classifier
        Fitted, with the settings of the run as its parameters.

    Examples
    --------
    >>> import latents
    >>> latents.load("no-such-folder")
    Traceback (most recent call last):
    ...
    FileNotFoundError: there is no run in no-such-folder
    """
    import numpy as np

    if not Path(run).is_dir():
        raise FileNotFoundError(f"there is no run in {os.fspath(run)}")
    found = _latents.Model.open(Path(run), force)
    model = _CLASSES[found.kind]()
    model._adopt(json.loads(found.config()))
    model._take(found, None)
    if found.classes and (isinstance(model, ClassModel) or found.conditional):
        model.classes_ = np.array(found.classes, dtype=object)
    return model
