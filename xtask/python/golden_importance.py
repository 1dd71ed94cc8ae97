"""Makes the golden file that the test of parameter importances compares with Optuna 5.0.

    python xtask/python/golden_importance.py

writes crates/latents-tune/tests/golden/importance.json: a list of `{"direction", "distributions":
[Optuna's JSON], "trials": [[state, value, {parameter: [index of its distribution, number that stands
for its value]}]], "importances": {parameter: importance}}`. An infinite value is "inf" or "-inf".
"""

import json
import math
import warnings
from pathlib import Path

import numpy as np
import optuna
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)
from optuna.importance import get_param_importances
from optuna.trial import TrialState, create_trial

GOLDEN = Path(__file__).resolve().parents[2] / "crates/latents-tune/tests/golden"
STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}

# Every kind of distribution, few and many cells, and values halfway between cells.
FULL = {
    "rate": FloatDistribution(1e-5, 1e-1, log=True),
    "dropout": FloatDistribution(0.0, 0.7),
    "decay": FloatDistribution(0.0, 1.0, step=0.25),
    "fine": FloatDistribution(-1.0, 1.0, step=0.01),
    "layers": IntDistribution(1, 6),
    "units": IntDistribution(0, 98),
    "stride": IntDistribution(3, 31, step=4),
    "batch": IntDistribution(1, 512, log=True),
    "two": IntDistribution(5, 6, log=True),
    "optimizer": CategoricalDistribution(["adam", "sgd", "lion"]),
    "flag": CategoricalDistribution([True, False]),
    "fixed": CategoricalDistribution(["only"]),
    "constant": FloatDistribution(0.5, 0.5),
}
CENTRES = {"rate": math.log(1e-3), "dropout": 0.2, "decay": 0.5, "units": 60, "batch": math.log(64)}
WIDTHS = {"rate": 1.5, "dropout": 0.3, "decay": 1.0, "units": 50, "batch": 3.0}


def draw(rng, distribution, skill):
    """The number that stands for a value; good values are the likelier the greater `skill` is."""
    if isinstance(distribution, CategoricalDistribution):
        n = len(distribution.choices)
        return int(n * rng.random() ** (1 + skill))
    low, high = distribution.low, distribution.high
    at = rng.beta(1 + skill, 1 + skill)
    if distribution.log:
        value = math.exp(math.log(low) + at * (math.log(high) - math.log(low)))
    else:
        value = low + at * (high - low)
    if isinstance(distribution, IntDistribution):
        return int(low + round((value - low) / distribution.step) * distribution.step)
    if distribution.step:
        return round(low + round((value - low) / distribution.step) * distribution.step, 8)
    return min(max(float(f"{value:.5g}"), low), high)


def static_space(rng, i):
    return FULL


def dynamic_space(rng, i):
    """A parameter that some trials lack, one whose range is narrowed, and one that two trials have."""
    space = {name: FULL[name] for name in ["rate", "optimizer", "layers"]}
    if rng.random() < 0.6:
        space["momentum"] = FloatDistribution(0.0, 0.99)
    if rng.random() < 0.1:
        space["rare"] = FloatDistribution(0.0, 1.0)
    space["dropout"] = FloatDistribution(0.0, 0.7 if i % 3 else 0.4)
    space["units"] = IntDistribution(8, 128, log=bool(i % 4 == 1))
    if i in (5, 9):
        space["seldom"] = IntDistribution(0, 3)
    if i == 7:
        space["once"] = IntDistribution(0, 3)
    return space


def loss(rng, space, numbers, noise):
    total = rng.normal(0, noise)
    for name, number in numbers.items():
        scaled = math.log(number) if getattr(space[name], "log", False) else number
        if name in CENTRES:
            total += ((scaled - CENTRES[name]) / WIDTHS[name]) ** 2
    total += {0: 0.0, 1: 0.6, 2: 0.3}[numbers["optimizer"]]
    return total + 0.2 * numbers.get("momentum", 1.0)


def case(rng, direction, n_trials, spaces, *, skill=0.5, noise=0.3, digits=5, odd=0.0):
    study = optuna.create_study(direction=direction)
    sign = 1 if direction == "minimize" else -1
    distributions, trials = [], []
    for i in range(n_trials):
        space = spaces(rng, i)
        numbers = {name: draw(rng, space[name], skill) for name in space}
        value = sign * round(loss(rng, space, numbers, noise), digits)
        state = "complete"
        if rng.random() < odd:
            state, value = [("pruned", value), ("failed", None), ("complete", math.inf)][i % 3]
        study.add_trial(
            create_trial(
                state=STATES[state],
                value=value,
                params={name: space[name].to_external_repr(numbers[name]) for name in space},
                distributions=space,
            )
        )
        for distribution in space.values():
            if distribution not in distributions:
                distributions.append(distribution)
        params = {name: [distributions.index(space[name]), numbers[name]] for name in space}
        trials.append([state, "inf" if value == math.inf else value, params])
    importances = get_param_importances(study)
    assert abs(sum(importances.values()) - 1) < 1e-9
    return {
        "direction": direction,
        "distributions": [json.loads(distribution_to_json(d)) for d in distributions],
        "trials": trials,
        "importances": {name: float(x) for name, x in sorted(importances.items())},
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    cases = []
    for direction in ["minimize", "maximize"]:
        cases += [
            case(rng, direction, 150, static_space),
            case(rng, direction, 90, static_space, skill=4.0, noise=0.01, odd=0.3),
            case(rng, direction, 100, dynamic_space, odd=0.1),
            case(rng, direction, 80, static_space, digits=0),
            case(rng, direction, 40, static_space, digits=-3),
            case(rng, direction, 11, dynamic_space),
            case(rng, direction, 2, static_space),
        ]
    lines = ",\n".join(json.dumps(c, separators=(",", ":"), allow_nan=False) for c in cases)
    (GOLDEN / "importance.json").write_text(f"[\n{lines}\n]\n")
