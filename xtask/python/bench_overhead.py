"""Optuna's side of `cargo xtask versus storage`: what a trial costs besides its objective.

    python bench_overhead.py --trials 1000 --storage sqlite:///study.db

Five parameters by TPE with its defaults; the objective is next to no work. Prints one line of JSON.
"""

import argparse
import json
import math
import time

import optuna


def objective(trial):
    x = trial.suggest_float("x", -5.0, 5.0)
    rate = trial.suggest_float("rate", 1e-5, 1e-1, log=True)
    layers = trial.suggest_int("layers", 1, 10)
    width = trial.suggest_int("width", 8, 512, log=True)
    kind = trial.suggest_categorical("kind", ["adam", "sgd", "lion"])
    bowls = (x - 1.0) ** 2 + (math.log10(rate) + 3.0) ** 2 + (layers - 4) ** 2
    return bowls + math.log2(width / 64) ** 2 + (kind != "adam")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--storage", required=True)
    args = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    start = time.perf_counter()
    sampler = optuna.samplers.TPESampler(seed=1)
    study = optuna.create_study(storage=args.storage, sampler=sampler)
    study.optimize(objective, args.trials)
    seconds = time.perf_counter() - start
    line = {
        "ms_per_trial": round(1000 * seconds / args.trials, 4),
        "best": study.best_value,
        "optuna": optuna.__version__,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
