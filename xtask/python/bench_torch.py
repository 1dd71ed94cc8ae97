"""PyTorch's side of `cargo xtask versus step`, `vae`, `cnn`, `default-cnn`, `pictures` and `encode`: training steps and an encoder,
channels_last, with fused optimisers.

    python bench_torch.py train-step --mode compile --precision bf16 --seconds 10
    python bench_torch.py default-cnn-step --batch 128 --seconds 10
    python bench_torch.py encode --images 10000 --seconds 10
    python bench_torch.py train --data DIR --epochs 42 --latent-dim 64 --lr 5e-4 \\
        --weight-decay 1e-4 --dropout 0.2 --seed 0

`train-step`, `vae-step`, `cnn-step`, `default-cnn-step`, `pictures-step` and `residual-pictures-step` measure a training step of
Adam, `encode` the study's encoder, on random images that already lie in memory as f32, in the layout that PyTorch likes best. Each
prints one line of JSON; if the mode or the precision cannot run here, the line has the `error` instead of a speed. `train` trains
on real IDX files as a careful practitioner would, and prints one line of JSON an epoch and one at the end.
"""

import argparse
import contextlib
import json
import math
import resource
import time

import torch
from torch import nn

import idx
from load_model import Autoencoder
from torch_networks import (
    channels_last,
    classification,
    default_cnn,
    negative_bound,
    pictures,
    plain_cnn,
    reconstruction,
    residual_pictures,
    variational,
)

BATCH = 256
GREY = (1, 28, 28)
COLOUR = (3, 64, 64)


def report(**values):
    """Prints one line of JSON with the process's peak memory (in MiB)."""
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    common = {"peak_rss_mib": round(kibibytes / 1024, 1), "torch": torch.__version__}
    print(json.dumps(values | common), flush=True)


def optimiser(args, parameters):
    """Adam with L2 in the gradient (or plain SGD), fused where this PyTorch can."""
    kind = torch.optim.SGD if args.optimizer == "sgd" else torch.optim.Adam
    parameters, settings = list(parameters), {"lr": args.lr, "weight_decay": args.weight_decay}
    try:
        return kind(parameters, fused=True, **settings)
    except (RuntimeError, TypeError):
        return kind(parameters, **settings)


def step(model, optimizer, batch):
    optimizer.zero_grad(set_to_none=True)
    loss = reconstruction(model, batch)
    loss.backward()
    optimizer.step()
    return loss


def samples_per_second(work, samples, seconds):
    """Calls `work` for some seconds, after a few calls, in which it is compiled, and a second more that are not counted."""
    for _ in range(3):
        work()
    start = time.perf_counter()
    while time.perf_counter() - start < min(1.0, seconds):
        work()
    calls, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        work()
        calls += 1
    return calls * samples / elapsed


def in_mode(args, work, **options):
    """Compiled if that is the mode: as a whole, for each shape anew."""
    if args.mode == "eager":
        return work
    return torch.compile(work, fullgraph=True, dynamic=False, options=options)


def in_precision(args):
    if args.precision == "f32":
        return contextlib.nullcontext()
    return torch.autocast("cpu", dtype=torch.bfloat16)


def parameter_count(model):
    """With the running statistics of normalisation, as we count."""
    return sum(t.numel() for t in model.state_dict().values() if t.is_floating_point())


def images(args, shape=GREY):
    """Batches of random images; few of large ones."""
    count = 16 if shape == GREY else 4
    return [(channels_last(torch.rand(args.batch, *shape)),) for _ in range(count)]


def labelled(args):
    return [(*batch, torch.randint(10, (args.batch,))) for batch in images(args)]


def measure_steps(args, model, loss, batches):
    model = channels_last(model).train()
    optimizer = optimiser(args, model.parameters())
    loss = in_mode(args, loss)
    turn = iter(range(1 << 62))

    def work():
        optimizer.zero_grad(set_to_none=True)
        with in_precision(args):
            value = loss(model, *batches[next(turn) % len(batches)])
        value.backward()
        optimizer.step()

    rate = samples_per_second(work, args.batch, args.seconds)
    report(
        mode=args.mode,
        precision=args.precision,
        fused_optimizer=bool(optimizer.defaults.get("fused")),
        parameters=parameter_count(model),
        train_samples_per_second=round(rate, 1),
    )


def train_step(args):
    measure_steps(args, Autoencoder(args.latent_dim), reconstruction, images(args))


def vae_step(args):
    measure_steps(args, variational(args.latent_dim), negative_bound, images(args))


def cnn_step(args):
    measure_steps(args, plain_cnn(), classification, labelled(args))


def default_cnn_step(args):
    measure_steps(args, default_cnn(), classification, labelled(args))


def pictures_step(args):
    measure_steps(args, pictures(), reconstruction, images(args, COLOUR))


def residual_pictures_step(args):
    measure_steps(args, residual_pictures(), reconstruction, images(args, COLOUR))


def encode(args):
    model = channels_last(Autoencoder(args.latent_dim)).eval()
    images = channels_last(torch.rand(args.images, *GREY))
    rates = {}
    with torch.no_grad():
        # The weights do not change.
        encoder = in_mode(args, model.encoder, freezing=True)
        sizes = sorted({min(size, args.images) for size in (256, 1000, 10000)})
        for size in sizes:

            def work():
                with in_precision(args):
                    for batch in images.split(size):
                        encoder(batch)

            rates[size] = samples_per_second(work, args.images, args.seconds / len(sizes))
    best = max(rates, key=rates.get)
    report(
        mode=args.mode,
        precision=args.precision,
        parameters=parameter_count(model),
        encode_samples_per_second=round(rates[best], 1),
        batch_size=best,
    )


def measure(args):
    """Runs a measurement, or prints why it cannot run."""
    try:
        args.measurement(args)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        print(json.dumps({"mode": args.mode, "precision": args.precision, "error": reason}))


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
    steps = [
        ("train-step", train_step),
        ("vae-step", vae_step),
        ("cnn-step", cnn_step),
        ("default-cnn-step", default_cnn_step),
        ("pictures-step", pictures_step),
        ("residual-pictures-step", residual_pictures_step),
    ]
    for name, measurement in [*steps, ("encode", encode)]:
        command = commands.add_parser(name)
        command.set_defaults(run=measure, measurement=measurement, optimizer="adam")
        command.add_argument("--mode", choices=["eager", "compile"], default="eager")
        command.add_argument("--precision", choices=["f32", "bf16"], default="f32")
        command.add_argument("--seconds", type=float, default=10.0)
        command.add_argument("--latent-dim", type=int, default=44 if name == "vae-step" else 64)
        if measurement is encode:
            command.add_argument("--images", type=int, default=10000)
        else:
            command.add_argument("--batch", type=int, default=BATCH)
            command.add_argument("--lr", type=float, default=5e-4)
            command.add_argument("--weight-decay", type=float, default=1e-4)
    command = commands.add_parser("train")
    command.set_defaults(run=train)
    command.add_argument("--data", required=True, help="folder of the four IDX files")
    command.add_argument("--epochs", type=int, default=42)
    command.add_argument("--latent-dim", type=int, default=64)
    command.add_argument("--lr", type=float, default=5e-4)
    command.add_argument("--weight-decay", type=float, default=1e-4)
    command.add_argument("--dropout", type=float, default=0.2)
    command.add_argument("--optimizer", choices=["adam", "sgd"], default="adam")
    command.add_argument("--schedule", choices=["constant", "cosine"], default="constant")
    command.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.run(args)


if __name__ == "__main__":
    main()
