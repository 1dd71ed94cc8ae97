"""Makes the golden files that the tests of the pruners compare with Optuna 5.0.

    python xtask/python/golden_pruners.py

writes into crates/latents-tune/tests/golden/ (a NaN is null, infinities are "inf" and "-inf"):

* `pruners.json`: pruners that remember nothing. A list of `{"direction", "trials": [[state, reports]],
  "judged": [reports], "pruners": [{"pruner": settings, "stopped": [one digit for each report of
  each judged trial, 1 where the pruner stops it there]}]}`; `reports` is `[[step, value], ...]`.
* `pruners_rungs.json`: successive halving and Hyperband, which note down what they have seen, over
  whole studies. A list of `{"study": name, "direction", "pruner": settings, "events",
  "brackets": of each trial at the end}`; an event is `[trial, step, value, whether it is stopped]` or
  `[trial, state]` at its end.
* `pruners_brackets.json`: a list of `[settings of Hyperband, brackets of trials 0, 1, ...]`.
"""

import json
import math
import warnings
from pathlib import Path

import numpy as np
import optuna
from optuna.pruners import (
    HyperbandPruner,
    MedianPruner,
    PatientPruner,
    PercentilePruner,
    SuccessiveHalvingPruner,
    ThresholdPruner,
)
from optuna.trial import TrialState, create_trial

GOLDEN = Path(__file__).resolve().parents[2] / "crates/latents-tune/tests/golden"
STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
    "running": TrialState.RUNNING,
}
KINDS = {
    "percentile": PercentilePruner,
    "median": MedianPruner,
    "threshold": ThresholdPruner,
    "halving": SuccessiveHalvingPruner,
    "hyperband": HyperbandPruner,
}


def make(settings):
    """Optuna's pruner for settings in this project's form."""
    settings = {key: value for key, value in settings.items() if value is not None}
    kind = settings.pop("kind")
    if kind == "patient":
        wrapped = settings.pop("wrapped", None)
        return PatientPruner(make(wrapped) if wrapped else None, **settings)
    return KINDS[kind](**settings)


def number(x):
    return None if math.isnan(x) else x if math.isfinite(x) else "inf" if x > 0 else "-inf"


def save(name, cases):
    lines = ",\n".join(json.dumps(case, separators=(",", ":"), allow_nan=False) for case in cases)
    (GOLDEN / name).write_text(f"[\n{lines}\n]\n")


# --- Pruners that remember nothing ---------------------------------------------------------------

FORGETFUL = [
    {"kind": "median"},
    {"kind": "median", "n_startup_trials": 0, "n_min_trials": 4},
    {"kind": "median", "n_startup_trials": 8, "n_warmup_steps": 3, "interval_steps": 4},
    {"kind": "percentile", "percentile": 25.0, "n_warmup_steps": 2},
    {"kind": "percentile", "percentile": 80.0, "interval_steps": 3, "n_min_trials": 2},
    {"kind": "percentile", "percentile": 0.0, "n_startup_trials": 1},
    {"kind": "percentile", "percentile": 100.0},
    {"kind": "percentile", "percentile": 33.3},
    {"kind": "threshold", "upper": 0.9},
    {"kind": "threshold", "lower": 0.1, "upper": 1.2, "n_warmup_steps": 4, "interval_steps": 3},
    {"kind": "patient", "patience": 0},
    {"kind": "patient", "patience": 3, "min_delta": 0.1},
    {"kind": "patient", "patience": 2, "wrapped": {"kind": "median"}},
]


def draw_reports(rng, length, rounded):
    """A curve that falls from about 1 to about 0.5, with holes and oddities."""
    level, noise = rng.normal(0.5, 0.2), rng.choice([0.02, 0.2])
    reports = []
    for step in range(length):
        value = level + 0.5 * math.exp(-step / 4) + rng.normal(0, noise)
        odd = rng.random()
        if odd < 0.05:
            value = math.nan
        elif odd < 0.07:
            value = rng.choice([math.inf, -math.inf])
        if rng.random() > 0.2:
            reports.append((step, float(round(value, 1) if rounded else round(value, 4))))
    return reports


def forgetful_case(rng, direction, n_trials, rounded):
    study = optuna.create_study(direction=direction)
    trials = []
    for _ in range(n_trials):
        state = str(rng.choice(list(STATES), p=[0.6, 0.2, 0.1, 0.1]))
        reports = draw_reports(rng, rng.integers(0, 16), rounded)
        trials.append([state, reports])
        value = 0.0 if state == "complete" else None
        study.add_trial(
            create_trial(state=STATES[state], value=value, intermediate_values=dict(reports))
        )
    judged = [draw_reports(rng, 16, rounded) for _ in range(8)]
    judged.append([(step, math.nan) for step in range(4)])
    cases = []
    for settings in FORGETFUL:
        pruner = make(settings)
        stopped = ""
        for reports in judged:
            for end in range(1, len(reports) + 1):
                trial = create_trial(
                    state=TrialState.RUNNING, intermediate_values=dict(reports[:end])
                )
                stopped += str(int(pruner.prune(study, trial)))
        cases.append({"pruner": settings, "stopped": stopped})
    plain = lambda reports: [[step, number(value)] for step, value in reports]
    return {
        "direction": direction,
        "trials": [[state, plain(reports)] for state, reports in trials],
        "judged": [plain(reports) for reports in judged],
        "pruners": cases,
    }


# --- Successive halving and Hyperband ------------------------------------------------------------

# Settings, trials that run at once, and greatest distance of two reports. Trials one after another may
# report as they like, and the resources may be estimated.
RACES = [
    ({"kind": "halving", "min_resource": 1}, 1, 1),
    ({"kind": "halving", "min_resource": 1}, 4, 1),
    ({"kind": "halving", "min_resource": 1, "reduction_factor": 2}, 6, 1),
    ({"kind": "halving", "min_resource": 1, "reduction_factor": 2}, 1, 7),
    ({"kind": "halving", "min_resource": 2, "reduction_factor": 3}, 1, 12),
    (
        {
            "kind": "halving",
            "min_resource": 2,
            "reduction_factor": 2,
            "min_early_stopping_rate": 1,
            "bootstrap_count": 3,
        },
        3,
        1,
    ),
    ({"kind": "halving", "min_resource": 1, "reduction_factor": 3, "bootstrap_count": 2}, 1, 9),
    ({"kind": "halving", "reduction_factor": 2}, 1, 1),
    ({"kind": "halving"}, 1, 5),
    ({"kind": "hyperband", "max_resource": 27}, 1, 1),
    ({"kind": "hyperband", "max_resource": 27}, 5, 1),
    ({"kind": "hyperband", "min_resource": 2, "max_resource": 40, "reduction_factor": 2}, 1, 6),
    ({"kind": "hyperband", "max_resource": 20, "bootstrap_count": 1}, 2, 1),
    ({"kind": "hyperband"}, 1, 1),
    ({"kind": "hyperband", "min_resource": 3, "reduction_factor": 2}, 1, 5),
]


def race(rng, index, settings, direction, n_workers, stride, n_trials=50, length=28):
    name = f"study-{index}"
    pruner = make(settings)
    study = optuna.create_study(study_name=name, direction=direction, pruner=pruner)
    sign = 1 if direction == "minimize" else -1
    events, busy, begun = [], [], 0

    def end(worker, state):
        trial = worker["trial"]
        study.tell(trial, 0.0 if state == "complete" else None, state=STATES[state])
        events.append([trial.number, state])
        busy.remove(worker)

    while busy or begun < n_trials:
        while len(busy) < n_workers and begun < n_trials:
            begun += 1
            start, level = int(rng.integers(0, 2)), rng.normal(0.5, 0.2)
            # The first trial is whole: the resources are estimated from it.
            whole = begun == 1 or rng.random() < 0.8
            last = length if whole else int(rng.integers(1, length))
            busy.append({"trial": study.ask(), "step": start, "level": level, "last": last})
        worker = busy[rng.integers(len(busy))]
        trial, step = worker["trial"], worker["step"]
        if step > worker["last"]:
            end(worker, "complete")
        elif trial.number > 0 and rng.random() < 0.01:
            end(worker, "failed")
        else:
            value = worker["level"] + 0.5 * math.exp(-step / 5) + rng.normal(0, 0.1)
            value = math.nan if rng.random() < 0.02 else sign * round(float(value), 2)
            trial.report(value, step)
            stopped = trial.should_prune()
            events.append([trial.number, step, number(value), int(stopped)])
            worker["step"] += int(rng.integers(1, stride + 1))
            if stopped:
                end(worker, "pruned")
    case = {"study": name, "direction": direction, "pruner": settings, "events": events}
    if settings["kind"] == "hyperband":
        case["brackets"] = [pruner._get_bracket_id(study, trial) for trial in study.trials]
    return case


# --- The brackets of Hyperband -------------------------------------------------------------------


def deal(min_resource, max_resource, reduction_factor, n_trials=64):
    settings = {
        "min_resource": min_resource,
        "max_resource": max_resource,
        "reduction_factor": reduction_factor,
    }
    pruner = HyperbandPruner(**settings)
    study = optuna.create_study(study_name="Größe", pruner=pruner)
    pruner._try_initialization(study)
    trials = [create_trial(value=0.0) for _ in range(n_trials)]
    for i, trial in enumerate(trials):
        trial.number = i
    return [settings, [pruner._get_bracket_id(study, trial) for trial in trials]]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    rng = np.random.default_rng(0)
    save(
        "pruners.json",
        [
            forgetful_case(rng, direction, n_trials, rounded)
            for direction in ["minimize", "maximize"]
            for n_trials, rounded in [(4, False), (12, False), (40, False), (40, True)]
        ],
    )
    runs = [(*run, direction) for run in RACES for direction in ["minimize", "maximize"]]
    save(
        "pruners_rungs.json",
        [
            race(rng, i, settings, direction, n_workers, stride)
            for i, (settings, n_workers, stride, direction) in enumerate(runs)
        ],
    )
    # Powers of the factor, and their neighbours, are where rounding counts.
    powers = [(factor**k, factor) for factor in range(2, 11) for k in range(1, 9) if factor**k < 20000]
    deals = [deal(1, power + d, factor) for power, factor in powers for d in [0, 1]]
    save("pruners_brackets.json", deals + [deal(7, 1000, 3), deal(5, 4, 2), deal(3, 729, 3)])
