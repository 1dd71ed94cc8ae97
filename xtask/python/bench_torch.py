"""PyTorch's side of `cargo xtask versus step`, `versus vae` and `versus cnn`: the study's autoencoder, its variational one and a
plain convolutional classifier, eager, channels_last.

    python bench_torch.py train-step --seconds 10
    python bench_torch.py vae-step --seconds 10
    python bench_torch.py cnn-step --seconds 10
    python bench_torch.py encode --images 10000 --seconds 10
    python bench_torch.py train --data DIR --epochs 42 --latent-dim 64 --lr 5e-4 \\
        --weight-decay 1e-4 --dropout 0.2 --seed 0

`train-step`, `vae-step`, `cnn-step` and `encode` measure speed on random images that already lie in memory as f32, in the
layout that PyTorch likes best, and print one line of JSON. `train` trains on real IDX files as a
careful practitioner would, and prints one line of JSON an epoch and one at the end.
"""

import argparse
import json
import math
import resource
import time

import torch
from torch import nn

import idx
from load_model import Autoencoder

BATCH = 256


def report(**values):
    """Prints one line of JSON with the process's peak memory (in MiB)."""
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    common = {"peak_rss_mib": round(kibibytes / 1024, 1), "torch": torch.__version__}
    print(json.dumps(values | common), flush=True)


def channels_last(tensor_or_module):
    return tensor_or_module.to(memory_format=torch.channels_last)


def optimiser(args, parameters):
    """Adam with L2 in the gradient (or plain SGD)."""
    if args.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=args.lr, weight_decay=args.weight_decay)
    return torch.optim.Adam(parameters, lr=args.lr, weight_decay=args.weight_decay)


def step(model, optimizer, batch):
    optimizer.zero_grad(set_to_none=True)
    loss = nn.functional.mse_loss(model(batch), batch)
    loss.backward()
    optimizer.step()
    return loss


def samples_per_second(work, samples, seconds):
    """Calls `work` for some seconds, after a second that is not counted."""
    start = time.perf_counter()
    while time.perf_counter() - start < min(1.0, seconds):
        work()
    calls, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        work()
        calls += 1
    return calls * samples / elapsed


def train_step(args):
    model = channels_last(Autoencoder(args.latent_dim)).train()
    optimizer = optimiser(args, model.parameters())
    batches = [channels_last(torch.rand(BATCH, 1, 28, 28)) for _ in range(16)]
    turn = iter(range(1 << 62))

    def work():
        step(model, optimizer, batches[next(turn) % len(batches)])

    rate = samples_per_second(work, BATCH, args.seconds)
    report(train_samples_per_second=round(rate, 1))


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


def vae_step(args):
    model = variational(args.latent_dim).train()
    optimizer = optimiser(args, model.parameters())
    batches = [channels_last(torch.rand(BATCH, 1, 28, 28)) for _ in range(16)]
    turn = iter(range(1 << 62))

    def work():
        optimizer.zero_grad(set_to_none=True)
        negative_bound(model, batches[next(turn) % len(batches)]).backward()
        optimizer.step()

    rate = samples_per_second(work, BATCH, args.seconds)
    report(train_samples_per_second=round(rate, 1))


def cnn_step(args):
    """Two convolutions of 32 channels and two of 64, each normalised; 256 units; ten classes."""

    def stage(into, out):
        both = [(into, out), (out, out)]
        conv = [
            [nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(inplace=True)]
            for a, b in both
        ]
        return [*conv[0], *conv[1], nn.MaxPool2d(2)]

    head = [nn.Flatten(), nn.Linear(64 * 49, 256), nn.ReLU(), nn.Linear(256, 10)]
    model = channels_last(nn.Sequential(*stage(1, 32), *stage(32, 64), *head)).train()
    optimizer = optimiser(args, model.parameters())
    batches = [
        (channels_last(torch.rand(BATCH, 1, 28, 28)), torch.randint(10, (BATCH,)))
        for _ in range(16)
    ]
    turn = iter(range(1 << 62))

    def work():
        images, labels = batches[next(turn) % len(batches)]
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    rate = samples_per_second(work, BATCH, args.seconds)
    report(train_samples_per_second=round(rate, 1))


def encode(args):
    encoder = channels_last(Autoencoder(args.latent_dim)).eval().encoder
    images = channels_last(torch.rand(args.images, 1, 28, 28))
    rates = {}
    with torch.no_grad():
        sizes = sorted({min(size, args.images) for size in (256, 1000, 10000)})
        for size in sizes:

            def work():
                for batch in images.split(size):
                    encoder(batch)

            rates[size] = samples_per_second(work, args.images, args.seconds / len(sizes))
    best = max(rates, key=rates.get)
    report(encode_samples_per_second=round(rates[best], 1), batch_size=best)


def mean_loss(model, images):
    model.eval()
    with torch.no_grad():
        total = sum(
            nn.functional.mse_loss(model(batch), batch).item() * len(batch)
            for batch in images.split(1000)
        )
    return total / len(images)


def load(folder, split, limit=None):
    """The first images of a split, [n, 1, h, w] in [0, 1]."""
    return torch.tensor(idx.read(folder, split, "images")[:limit]).unsqueeze(1).float() / 255


def hold_out(images):
    """A random fifth of the images to validate on, and the rest to train on."""
    order = torch.randperm(len(images))
    held_out = len(images) // 5
    validation = channels_last(images[order[:held_out]])
    return channels_last(images[order[held_out:]]), validation


def autoencoder(latent_dim, dropout):
    """With normal weights after Kaiming; biases are as PyTorch's layers leave them."""
    model = channels_last(Autoencoder(latent_dim, dropout))
    for module in layers(model):
        nn.init.kaiming_normal_(module.weight)
    return model


def layers(model):
    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    return [module for module in model.modules() if isinstance(module, kinds)]


def train_epoch(model, optimizer, images, scheduler=None):
    """Mean loss of the steps of an epoch; NaN at once where that of a step is not finite."""
    model.train()
    total = 0.0
    for rows in torch.randperm(len(images)).split(BATCH):
        loss = step(model, optimizer, images[rows]).item()
        if not math.isfinite(loss):
            return math.nan
        total += loss * len(rows)
        if scheduler is not None:
            scheduler.step()
    return total / len(images)


def train(args):
    torch.manual_seed(args.seed)
    test = load(args.data, "test")
    training, validation = hold_out(load(args.data, "train"))

    model = autoencoder(args.latent_dim, args.dropout)
    for module in layers(model):
        nn.init.zeros_(module.bias)
    optimizer = optimiser(args, model.parameters())
    steps = args.epochs * -(-len(training) // BATCH)
    scheduler = None
    if args.schedule == "cosine":
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    begin = time.perf_counter()
    for epoch in range(1, args.epochs + 1):
        start = time.perf_counter()
        train_loss = train_epoch(model, optimizer, training, scheduler)
        trained = time.perf_counter() - start
        val_loss = mean_loss(model, validation)
        epoch_line = {
            "epoch": epoch,
            "train_loss": train_loss,
            "val_loss": val_loss,
            "seconds": round(time.perf_counter() - start, 3),
            "samples_per_second": round(len(training) / trained, 1),
        }
        print(json.dumps(epoch_line), flush=True)
    seconds = round(time.perf_counter() - begin, 2)
    report(test_mse=mean_loss(model, test), val_loss=val_loss, seconds=seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    commands = parser.add_subparsers(required=True)
    for name, run in [
        ("train-step", train_step),
        ("vae-step", vae_step),
        ("cnn-step", cnn_step),
        ("encode", encode),
        ("train", train),
    ]:
        command = commands.add_parser(name)
        command.set_defaults(run=run, optimizer="adam")
        command.add_argument("--latent-dim", type=int, default=44 if run is vae_step else 64)
        if run is not train:
            command.add_argument("--seconds", type=float, default=10.0)
        if run is encode:
            command.add_argument("--images", type=int, default=10000)
            continue
        command.add_argument("--lr", type=float, default=5e-4)
        command.add_argument("--weight-decay", type=float, default=1e-4)
        if run is train:
            command.add_argument("--data", required=True, help="folder of the four IDX files")
            command.add_argument("--epochs", type=int, default=42)
            command.add_argument("--dropout", type=float, default=0.2)
            command.add_argument("--optimizer", choices=["adam", "sgd"], default="adam")
            command.add_argument("--schedule", choices=["constant", "cosine"], default="constant")
            command.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.run(args)


if __name__ == "__main__":
    main()
