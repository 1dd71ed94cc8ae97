"""Optuna's side of `cargo xtask versus tune`: a study of the autoencoder, trained with PyTorch.

    python bench_optuna.py --data DIR --space crates/latents-models/src/autoencoder/space.toml \\
        --file study.db --trials 20 --epochs 10 --seed 1

TPE and the median pruner with their defaults, the study in an SQLite file, training as
`bench_torch.py` does it. As in ours, a trial's value is its last validation loss, a trial whose loss
is no longer finite fails there and then, and all trials of a study share split and seed. Prints one
line of JSON: the best value, the epochs that all trials trained to their end, and the seconds of
the study.
"""

import argparse
import json
import math
import time
import tomllib
from pathlib import Path
from types import SimpleNamespace

import optuna
import torch
from optuna.trial import TrialState

from bench_torch import autoencoder, hold_out, load, mean_loss, optimiser, train_epoch


def suggest(trial, name, entry):
    """A parameter as the space's TOML file has it."""
    if "choices" in entry:
        return trial.suggest_categorical(name, entry["choices"])
    options = {key: entry[key] for key in ("log", "step") if key in entry}
    if "int" in entry:
        return trial.suggest_int(name, *entry["int"], **options)
    return trial.suggest_float(name, *entry["float"], **options)


def objective(trial, space, training, validation, args):
    params = {name: suggest(trial, name, entry) for name, entry in space.items()}
    settings = SimpleNamespace(
        optimizer=params["optimizer"],
        lr=params["learning_rate"],
        weight_decay=params["weight_decay"],
    )
    torch.manual_seed(args.seed)
    model = autoencoder(params["latent_dim"], params["dropout"])
    optimizer = optimiser(settings, model.parameters())
    for epoch in range(1, args.epochs + 1):
        if math.isnan(train_epoch(model, optimizer, training)):
            return math.nan
        loss = mean_loss(model, validation)
        if not math.isfinite(loss):
            return math.nan
        trial.report(loss, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    return loss


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the IDX files")
    parser.add_argument("--space", type=Path, required=True)
    parser.add_argument("--file", required=True, help="where the study is kept")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--train-limit", type=int)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    space = tomllib.loads(args.space.read_text())
    training, validation = hold_out(load(args.data, "train", args.train_limit))

    start = time.perf_counter()
    study = optuna.create_study(
        storage=f"sqlite:///{args.file}",
        sampler=optuna.samplers.TPESampler(seed=args.seed),
        pruner=optuna.pruners.MedianPruner(),
    )
    study.optimize(lambda trial: objective(trial, space, training, validation, args), args.trials)
    seconds = time.perf_counter() - start
    trials = study.get_trials()
    line = {
        "best": min((t.value for t in trials if t.state == TrialState.COMPLETE), default=None),
        "epochs": sum(len(t.intermediate_values) for t in trials),
        "complete": sum(t.state == TrialState.COMPLETE for t in trials),
        "pruned": sum(t.state == TrialState.PRUNED for t in trials),
        "failed": sum(t.state == TrialState.FAIL for t in trials),
        "study_seconds": round(seconds, 2),
        "optuna": optuna.__version__,
        "torch": torch.__version__,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
