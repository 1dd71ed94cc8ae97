"""Makes the golden file that the TPE sampler is compared with Optuna by.

    python xtask/python/golden_tpe.py

writes crates/latents-tune/tests/golden/tpe.json (optuna 5.0.0): `distributions` by the parameters'
names in Optuna's JSON, and `cases`, each with

* `direction`, `settings` of the sampler, `trials` (parameters as the numbers that stand for their
  values; distributions only where they are others), `space` to sample from;
* `spaces`: names of the parameters that are sampled together;
* `good`, `others`: the two parts of the trials by their numbers, the kernels' weights, along each
  parameter their means and deviations or the chances of the choices, and the logarithm of the
  density at each of `points`;
* `gains`: the acquisition at each of `points`.

Numbers are rounded to 14 digits. NumPy leaves the order of equal numbers to the processor; here
they are sorted as they came.
"""

import functools
import json
import math
import warnings
from datetime import datetime
from pathlib import Path

import numpy as np
import optuna
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)
from optuna.samplers import TPESampler
from optuna.samplers._tpe.sampler import _split_trials, default_gamma
from optuna.trial import TrialState, create_trial

GOLDEN = Path(__file__).resolve().parents[2] / "crates/latents-tune/tests/golden"

FLOATS = {
    "dropout": FloatDistribution(0.0, 0.9, step=0.05),
    "momentum": FloatDistribution(-1.0, 2.0),
    "rate": FloatDistribution(1e-5, 0.1, log=True),
}
FINITE = {
    "depth": IntDistribution(1, 6),
    "kind": CategoricalDistribution(["relu", None, True, 4, 0.5]),
    "stride": IntDistribution(2, 17, step=3),
    "width": IntDistribution(1, 512, log=True),
}
ALL = FLOATS | FINITE
STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}


def draw(rng, distribution):
    """A value with few digits, so that the file is short; now and then a bound."""
    d = distribution
    if isinstance(d, CategoricalDistribution):
        return d.choices[rng.integers(len(d.choices))]
    if rng.random() < 0.05:
        return [d.low, d.high][rng.integers(2)]
    if d.log:
        x = math.exp(rng.uniform(math.log(d.low), math.log(d.high)))
        return round(x) if isinstance(d, IntDistribution) else float(f"{x:.3g}")
    if d.step is None:
        return round(rng.uniform(d.low, d.high), 3)
    steps = round((d.high - d.low) / d.step)
    return d.low + int(rng.integers(steps + 1)) * d.step


def draw_trial(rng, state, params, relative):
    """A trial of a state. A running one has told some of its values only as sampled together."""
    chosen = {name: draw(rng, d) for name, d in params.items()}
    shown, attrs = chosen, {}
    if state == TrialState.RUNNING and relative:
        shown = dict(list(chosen.items())[: int(rng.integers(len(chosen)))])
        text = json.dumps(chosen)
        half = len(text) // 2
        attrs = {"tpe:relative_params:0": text[:half], "tpe:relative_params:1": text[half:]}
    reports = {}
    if state == TrialState.PRUNED and rng.random() < 0.85:
        steps = int(rng.integers(1, 5))
        reports = {step: round(rng.normal(), 2) for step in range(steps)}
        if rng.random() < 0.15:
            reports[steps] = math.nan
    trial = create_trial(
        state=state,
        value=round(rng.normal(), 1) if state == TrialState.COMPLETE else None,
        params=shown,
        distributions={name: params[name] for name in shown},
        intermediate_values=reports,
        system_attrs=attrs,
    )
    trial.datetime_start = datetime(2020, 1, 1)
    return trial


def short(values):
    return [float(f"{x:.14g}") for x in np.asarray(values, dtype=float).ravel()]


def to_json(space):
    return {k: json.loads(distribution_to_json(d)) for k, d in sorted(space.items())}


def describe(trial):
    row = {"state": STATES[trial.state]}
    if trial.params:
        internal = {k: trial.distributions[k].to_internal_repr(v) for k, v in trial.params.items()}
        row["params"] = {k: int(x) if x == int(x) else x for k, x in internal.items()}
    moved = {k: d for k, d in trial.distributions.items() if d != ALL[k]}
    if moved:
        row["distributions"] = to_json(moved)
    if trial.value is not None:
        row["value"] = trial.value
    if trial.intermediate_values:
        reports = trial.intermediate_values.values()
        row["reports"] = [None if math.isnan(x) else x for x in reports]
    if trial.system_attrs:
        row["notes"] = trial.system_attrs
    return row


def describe_density(estimator, trials, points):
    mixture = estimator._mixture_distribution
    marginals = []
    for d in mixture.distributions:
        if hasattr(d, "weights"):
            marginals.append({"chances": short(d.weights)})
        else:
            marginals.append({"means": short(d.mu), "deviations": short(d.sigma)})
    return {
        "trials": [trial.number for trial in trials],
        "weights": short(mixture.weights),
        "marginals": marginals,
        "log_densities": short(estimator.log_pdf(points)),
    }


def case(name, seed, states, params, space=None, direction="minimize", relative=True, **settings):
    """`params` gives a trial's parameters from its number; `space` is by default the common one."""
    rng = np.random.default_rng(seed)
    order = [state for state, n in states.items() for _ in range(n)]
    rng.shuffle(order)
    study = optuna.create_study(direction=direction)
    for number, state in enumerate(order):
        study.add_trial(draw_trial(rng, state, params(number), relative))
    sampler = TPESampler(warn_independent_sampling=False, **settings)
    relative_space = sampler.infer_relative_search_space(study, None)
    groups = [list(relative_space)] if relative_space else []
    if settings.get("group"):
        groups = [sorted(g) for g in sampler._search_space_group.search_spaces]
    space = dict(sorted((space or relative_space).items()))

    used = [TrialState.COMPLETE, TrialState.PRUNED]
    used += [TrialState.RUNNING] if settings.get("constant_liar", True) else []
    trials = study.get_trials(states=used)
    done = sum(t.state != TrialState.RUNNING for t in trials)
    good, others = _split_trials(study, trials, default_gamma(done))
    estimators = [
        sampler._build_parzen_estimator(study, space, half, handle_below=below)
        for half, below in [(good, True), (others, False)]
    ]
    drawn = [{k: draw(rng, d) for k, d in space.items()} for _ in range(12)]
    points = {k: np.array([d.to_internal_repr(p[k]) for p in drawn]) for k, d in space.items()}
    halves = zip(estimators, (good, others))
    good, others = [describe_density(estimator, half, points) for estimator, half in halves]
    return {
        "name": name,
        "direction": direction,
        "settings": settings,
        "trials": [describe(trial) for trial in study.get_trials()],
        "spaces": sorted(groups),
        "space": to_json(space),
        "points": short(np.array(list(points.values())).T),
        "good": good,
        "others": others,
        "gains": short(sampler._compute_acquisition_func(points, *estimators)),
    }


def main():
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    np.argsort = functools.partial(np.argsort, kind="stable")
    complete, pruned, failed, running = STATES
    many = {complete: 40, pruned: 25, failed: 6, running: 5}
    two = {k: ALL[k] for k in ("kind", "rate")}
    width = {"width": ALL["width"]}
    narrow = {"momentum": FloatDistribution(0.0, 1.0)}
    parted = [{k: d for i, (k, d) in enumerate(ALL.items()) if i % 3 != n} for n in range(3)]
    group = {k: ALL[k] for k in ("depth", "dropout", "width")}
    maximize = {"direction": "maximize"}
    cases = [
        case("first", 1, {complete: 10}, lambda _: ALL),
        case("mixed", 2, many, lambda _: ALL),
        case("maximize", 3, many, lambda _: ALL, **maximize),
        case("ramp", 4, {complete: 26, running: 1}, lambda _: FLOATS, **maximize),
        case("pruned", 5, {complete: 1, pruned: 60, failed: 2}, lambda _: FINITE),
        case("cap", 6, {complete: 260, pruned: 10}, lambda _: two),
        case("long", 7, {complete: 90, pruned: 30, running: 3}, lambda _: ALL, **maximize),
        case("honest", 8, many, lambda _: FLOATS, constant_liar=False),
        case("univariate", 9, many, lambda _: FINITE, width, multivariate=False),
        case("moved", 10, many, lambda n: narrow if n % 3 else FLOATS, narrow, relative=False),
        case("groups", 11, many, lambda n: parted[n % 3], group, group=True),
        # No good trial has the width.
        case("unseen", 12, {complete: 12}, lambda n: ALL if n % 4 == 0 else FLOATS, width),
    ]
    assert [len(c["good"]["weights"]) for c in cases][-1] == 1
    path = GOLDEN / "tpe.json"
    path.parent.mkdir(exist_ok=True)
    lines = ",\n".join(json.dumps(c, separators=(",", ":"), allow_nan=False) for c in cases)
    distributions = json.dumps(to_json(ALL), separators=(",", ":"))
    path.write_text(f'{{"distributions":{distributions},"cases":[\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
