"""Optuna's side of `cargo xtask versus functions`: best values that TPE finds of some functions.

    python bench_functions.py --trials 100 --seeds 20

The functions are those of crates/latents-tune/benches/functions.rs, which says what they are. Runs
a study on each core and prints one line of JSON: `{function: {"direction", "best": [of each seed]}}`.
"""

import argparse
import json
import math
import multiprocessing

import optuna

HARTMANN_WEIGHTS = [1.0, 1.2, 3.0, 3.2]
HARTMANN_SCALES = [
    [10, 3, 17, 3.5, 1.7, 8],
    [0.05, 10, 17, 0.1, 8, 14],
    [3, 3.5, 1.7, 10, 17, 8],
    [17, 8, 0.05, 10, 0.1, 14],
]
HARTMANN_CENTRES = [
    [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
    [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
    [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
    [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
]


def cube(trial, n, low, high):
    return [trial.suggest_float(f"x{i}", low, high) for i in range(n)]


def sphere(trial):
    return sum(x * x for x in cube(trial, 5, -5.12, 5.12))


def rosenbrock(trial):
    x = cube(trial, 4, -2.048, 2.048)
    return sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in zip(x, x[1:]))


def branin(trial):
    x, y = trial.suggest_float("x0", -5, 10), trial.suggest_float("x1", 0, 15)
    valley = y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6
    return valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def hartmann6(trial):
    x = cube(trial, 6, 0, 1)

    def peak(weight, scales, centres):
        return weight * math.exp(-sum(s * (a - c) ** 2 for a, s, c in zip(x, scales, centres)))

    return -sum(map(peak, HARTMANN_WEIGHTS, HARTMANN_SCALES, HARTMANN_CENTRES))


def ackley(trial):
    x = cube(trial, 5, -32.768, 32.768)
    square = sum(a * a for a in x) / 5
    wave = sum(math.cos(2 * math.pi * a) for a in x) / 5
    return 20 + math.e - 20 * math.exp(-0.2 * math.sqrt(square)) - math.exp(wave)


def conditional(trial):
    if trial.suggest_categorical("kind", ["ridge", "bowl"]) == "ridge":
        a, b = trial.suggest_float("a", -5, 5), trial.suggest_float("b", 1e-3, 1e3, log=True)
        return 0.5 + a * a + math.log10(b) ** 2
    n, c = trial.suggest_int("n", 1, 50), trial.suggest_float("c", 0, 1)
    return ((n - 17) / 10) ** 2 + 4 * (c - 0.3) ** 2


def mixed(trial):
    kind = trial.suggest_categorical("kind", ["a", "b", "c", "d"])
    size = trial.suggest_categorical("size", [8, 16, 32, 64])
    depth = trial.suggest_int("depth", 1, 16)
    width = trial.suggest_int("width", 1, 256, log=True)
    rate = trial.suggest_float("rate", 0, 2, step=0.25)
    cost, best_depth = {"a": (0.5, 3), "b": (0.25, 12), "c": (0.0, 7), "d": (0.75, 10)}[kind]
    misfit = {8: 0.5, 16: 0.25, 32: 0.0, 64: 0.25}[size]
    far = abs(depth - best_depth) / 8 + abs(width - 48) / 64 + abs(rate - 0.75)
    return cost + misfit + far


def styblinski_tang(trial):
    return -sum(x**4 - 16 * x * x + 5 * x for x in cube(trial, 3, -5, 5)) / 2


FUNCTIONS = {
    "sphere": ("minimize", sphere),
    "Rosenbrock": ("minimize", rosenbrock),
    "Branin": ("minimize", branin),
    "Hartmann6": ("minimize", hartmann6),
    "Ackley": ("minimize", ackley),
    "conditional": ("minimize", conditional),
    "mixed": ("minimize", mixed),
    "Styblinski-Tang": ("maximize", styblinski_tang),
}


def best(name, seed, trials):
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    direction, function = FUNCTIONS[name]
    sampler = optuna.samplers.TPESampler(seed=seed)
    study = optuna.create_study(sampler=sampler, direction=direction)
    study.optimize(function, trials)
    return study.best_value


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=20)
    args = parser.parse_args()
    tasks = [(name, seed, args.trials) for name in FUNCTIONS for seed in range(args.seeds)]
    with multiprocessing.Pool() as pool:
        values = iter(pool.starmap(best, tasks, chunksize=1))
    line = {
        name: {"direction": direction, "best": [next(values) for _ in range(args.seeds)]}
        for name, (direction, _) in FUNCTIONS.items()
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
