"""pythae's side of `cargo xtask versus pythae`: trains a model, measures it on the test images and draws samples.

    python bench_pythae.py --data DIR --kind vae --architecture study --epochs 10 --out FOLDER

With `--minutes`, it trains for as many epochs as fit into them, with a fifth of the images for validation, and keeps the best epoch.
pythae has its fastest settings on a CPU: a loader that takes the images of a batch at once (its own takes them one by one), a fused
Adam, and the layout of convolutions that is faster in a short trial. Prints one line of JSON, and leaves samples in FOLDER as .npz files.
"""

import os

os.environ["TQDM_DISABLE"] = "1"

import argparse
import contextlib
import json
import logging
import math
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from pythae import samplers
from pythae.data.datasets import BaseDataset
from pythae.trainers import (
    BaseTrainer,
    BaseTrainerConfig,
    CoupledOptimizerTrainer,
    CoupledOptimizerTrainerConfig,
)
from pythae.trainers.training_callbacks import TrainingCallback
from torch import nn
from torch.utils.data import BatchSampler, DataLoader, RandomSampler

import idx
import pythae_models

VALIDATION = 0.2
TRIAL_STEPS = 6
MOST_EPOCHS = 100_000  # if the time is limited
EVALUATION_BATCH = 500
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def load(folder, split, limit):
    images = torch.tensor(idx.read(folder, split, "images")[:limit, None]).float() / 255
    return BaseDataset(images, torch.zeros(len(images)))


def batches(dataset, size):
    """A loader that takes the images of a batch at once."""
    return DataLoader(
        dataset,
        batch_size=None,
        sampler=BatchSampler(RandomSampler(dataset), size, drop_last=False),
    )


def step_seconds(args, loader, memory_format):
    """Seconds of a training step without its optimiser: the smallest of a few."""
    model = pythae_models.build(args.kind, args.architecture, args.latent_dim)
    model = model.to(memory_format=memory_format).train()
    batch = next(iter(loader))
    seconds = []
    for _ in range(TRIAL_STEPS):
        start = time.perf_counter()
        model(batch, epoch=1).loss.backward()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


class OutOfTime(Exception):
    pass


class Clock(TrainingCallback):
    """Measures epochs, and stops before one that would not end in time."""

    def __init__(self, limit):
        self.limit = limit
        self.seconds = []

    def on_epoch_begin(self, training_config, **kwargs):
        self.start = time.perf_counter()

    def on_epoch_end(self, training_config, **kwargs):
        self.seconds.append(time.perf_counter() - self.start)
        if sum(self.seconds) + statistics.median(self.seconds) > self.limit:
            raise OutOfTime


class WholeBatches:
    """Part of a trainer: the images of a batch are taken at once."""

    def get_train_dataloader(self, dataset):
        return batches(dataset, self.training_config.per_device_train_batch_size)

    def get_eval_dataloader(self, dataset):
        return batches(dataset, self.training_config.per_device_eval_batch_size)


class Trainer(WholeBatches, BaseTrainer):
    pass


class CoupledTrainer(WholeBatches, CoupledOptimizerTrainer):
    """With an optimiser for the encoder and another for the decoder."""


def trainer(args, model, **parts):
    config = {"output_dir": str(args.out), "seed": args.seed, "no_cuda": True}
    config["num_epochs"] = args.epochs if args.minutes is None else MOST_EPOCHS
    config["per_device_train_batch_size"] = args.batch_size
    config["per_device_eval_batch_size"] = EVALUATION_BATCH
    adam = {"fused": True}
    if args.kind != "rae":
        config = BaseTrainerConfig(learning_rate=args.lr, optimizer_params=adam, **config)
        return Trainer(model=model, training_config=config, **parts)
    config = CoupledOptimizerTrainerConfig(
        encoder_learning_rate=args.lr,
        encoder_optimizer_params=adam,
        decoder_learning_rate=args.lr,
        decoder_optimizer_params=adam | {"weight_decay": model.model_config.reg_weight},
        **config,
    )
    return CoupledTrainer(model=model, training_config=config, **parts)


def train(args, dataset):
    """A trained model, and what its training took."""
    validation, limit = None, math.inf
    if args.minutes is not None:
        limit = 60 * args.minutes
        kept = len(dataset) - round(VALIDATION * len(dataset))
        validation = BaseDataset(dataset.data[kept:], dataset.labels[kept:])
        dataset = BaseDataset(dataset.data[:kept], dataset.labels[:kept])
    loader = batches(dataset, args.batch_size)
    trial = {name: step_seconds(args, loader, layout) for name, layout in FORMATS.items()}
    layout = min(trial, key=trial.get)
    torch.manual_seed(args.seed)
    model = pythae_models.build(args.kind, args.architecture, args.latent_dim)
    model = model.to(memory_format=FORMATS[layout])
    clock = Clock(limit)
    parts = {"train_dataset": dataset, "eval_dataset": validation, "callbacks": [clock]}
    work = trainer(args, model, **parts)
    with contextlib.suppress(OutOfTime):
        work.train()
    if validation is not None:
        model = work._best_model
    line = {
        "layout": layout,
        "epochs": len(clock.seconds),
        "epoch_seconds": statistics.median(clock.seconds),
        "seconds": sum(clock.seconds),
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    return model.eval(), line


def mean_squared_error(kind, model, images):
    """Per pixel. Variational models reconstruct from the means of the latents, as ours do."""
    sums = 0.0
    for batch in images.split(EVALUATION_BATCH):
        # `predict` leaves the codes of a VQ-VAE out.
        out = model.reconstruct(batch) if kind == "vqvae" else model.predict(batch).recon_x
        sums += (out - batch).square().sum(dtype=torch.float64).item()
    return sums / images.numel()


def bound(kind, model, images, draws):
    """The importance-weighted bound on log p(x) in nats, as `get_nll` of pythae defines it, which takes one image at a time."""
    sums = 0.0
    for batch in images.split(EVALUATION_BATCH):
        posterior = model.encoder(batch)
        mean, log_variance = posterior.embedding, posterior.log_covariance
        weights = []
        for _ in range(draws):
            noise = torch.randn_like(mean)
            z = mean + (0.5 * log_variance).exp() * noise
            # The constants of the two normal distributions cancel.
            prior = model._log_p_z(z) if kind == "vamp" else -0.5 * z.square().sum(1)
            density = -0.5 * (log_variance + noise.square()).sum(1)
            fit = nn.functional.binary_cross_entropy(
                model.decoder(z).reconstruction, batch, reduction="none"
            )
            weights.append(prior - density - fit.flatten(1).sum(1))
        log_mean = torch.stack(weights).logsumexp(0) - math.log(draws)
        sums += log_mean.sum(dtype=torch.float64).item()
    return sums / len(images)


def fitted(args, model, images, line):
    """Samplers by name: the kind's own first; with `--minutes`, also those that are fitted to the latents. The seconds of an epoch of a prior
    that is trained after its model are put into the line."""
    config = {"output_dir": str(args.out), "num_epochs": args.sampler_epochs, "no_cuda": True}
    config |= {"per_device_train_batch_size": 256, "learning_rate": 1e-3, "seed": args.seed}
    config = BaseTrainerConfig(**config)
    if args.kind == "vqvae":
        sampler = samplers.PixelCNNSampler(model)
        start = time.perf_counter()
        sampler.fit(images, training_config=config)
        line["prior_epoch_seconds"] = (time.perf_counter() - start) / args.sampler_epochs
        # It looks codes up in an embedding, and those that are moving averages are a tensor.
        codes = model.quantizer.embeddings.clone()
        del model.quantizer.embeddings
        model.quantizer.embeddings = nn.Embedding.from_pretrained(codes)
        yield "pixelcnn", sampler
        return
    if args.kind == "vamp":
        yield "vamp", samplers.VAMPSampler(model)
    elif args.kind not in ("ae", "rae"):
        yield "normal", samplers.NormalSampler(model)
    if args.kind in ("ae", "rae") or args.minutes is not None:
        sampler = samplers.GaussianMixtureSampler(model)
        sampler.fit(images)
        yield "mixture", sampler
    if args.minutes is not None:
        sampler = samplers.MAFSampler(model)
        sampler.fit(images, training_config=config)
        yield "maf", sampler


def draw(args, model, images, line):
    """Puts files of samples by sampler, and the seconds that fitting and drawing took, into the line."""
    files, seconds, start = {}, {}, time.perf_counter()
    for name, sampler in fitted(args, model, images, line):
        # Batches of one size, as VAMPSampler takes the first components in each.
        size = math.gcd(args.samples, EVALUATION_BATCH)
        with torch.no_grad():
            drawn = sampler.sample(num_samples=args.samples, batch_size=size)
        files[name] = str(args.out / f"{args.kind}-{name}.npz")
        np.savez(files[name], image=drawn.numpy())
        seconds[name], start = time.perf_counter() - start, time.perf_counter()
    line.update(samples=files, sampling_seconds=seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the IDX files")
    parser.add_argument("--kind", choices=pythae_models.KINDS, required=True)
    parser.add_argument("--architecture", choices=("study", "pythae"), default="study")
    parser.add_argument("--latent-dim", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--sampler-epochs", type=int, default=10, help="of PixelCNN and MAF")
    parser.add_argument("--train-limit", type=int)
    parser.add_argument("--test-limit", type=int)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    dataset = load(args.data, "train", args.train_limit)
    test = load(args.data, "test", args.test_limit).data

    model, line = train(args, dataset)
    with torch.no_grad():
        line["test_error"] = mean_squared_error(args.kind, model, test)
        if args.kind in pythae_models.VARIATIONAL:
            line["bound"] = bound(args.kind, model, test, args.draws)
    draw(args, model, dataset.data, line)
    print(json.dumps(line | {"torch": torch.__version__}))


if __name__ == "__main__":
    main()
