"""Makes the golden files that the engine's tests of optimisers and schedules compare with PyTorch.

    python xtask/python/golden_optimizers.py

writes into crates/latents-engine/tests/golden/:

* `optimizer_<case>.safetensors`: `param.{k}` before the first step, `grad.{k}` [20, ...] the
  gradient given at each step, `param.{k}.step{1,2,20}` the parameter after so many steps. The
  metadata's `case` is `{"optimizer": settings, "torch": version}`.
* `schedules.json`: a list of `{"schedule": in this project's form, "base_rate": its peak, "steps":
  of the run, "rates": [rate used by step 0, 1, ...]}`.
"""

import json
import math
import warnings

import torch

from golden import GOLDEN, normal, save

STEPS = 20

# --- Optimisers ----------------------------------------------------------------------------------

# name: settings in the project's words, which are PyTorch's but for `kind`.
OPTIMIZERS = {
    "sgd": {"kind": "sgd", "lr": 0.1},
    "sgd_weight_decay": {"kind": "sgd", "lr": 0.05, "weight_decay": 0.1},
    "sgd_momentum": {"kind": "sgd", "lr": 0.05, "momentum": 0.9, "weight_decay": 0.01},
    "sgd_nesterov": {
        "kind": "sgd",
        "lr": 0.05,
        "momentum": 0.8,
        "nesterov": True,
        "weight_decay": 0.01,
    },
    "adam": {"kind": "adam", "lr": 1e-3},
    "adam_weight_decay": {"kind": "adam", "lr": 5e-3, "weight_decay": 0.1},
    "adam_betas_eps": {"kind": "adam", "lr": 1e-2, "betas": [0.5, 0.95], "eps": 1e-3},
    "adamw": {"kind": "adamw", "lr": 1e-3, "weight_decay": 0.01},
    "adamw_weight_decay": {"kind": "adamw", "lr": 1e-2, "weight_decay": 0.5, "betas": [0.8, 0.99]},
}


def optimizer_case(case):
    settings = OPTIMIZERS[case]
    generator = torch.Generator().manual_seed(1000 + list(OPTIMIZERS).index(case))
    tensors, parameters, gradients = {}, [], []
    for k, shape in enumerate([(3, 2, 2, 2), (5, 7), (19,)]):
        parameter = normal(generator, shape)
        gradient = normal(generator, (STEPS, *shape), std=10.0 ** (-k))
        gradient[5] = 0.0  # a step on which only momentum and decay move the parameter
        tensors[f"param.{k}"] = parameter.clone()
        tensors[f"grad.{k}"] = gradient
        parameters.append(parameter.requires_grad_())
        gradients.append(gradient)

    kinds = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    options = {key: value for key, value in settings.items() if key != "kind"}
    optimizer = kinds[settings["kind"]](parameters, **options)
    for step in range(1, STEPS + 1):
        for parameter, gradient in zip(parameters, gradients):
            parameter.grad = gradient[step - 1].clone()
        optimizer.step()
        if step in (1, 2, STEPS):
            for k, parameter in enumerate(parameters):
                tensors[f"param.{k}.step{step}"] = parameter.detach().clone()

    # Every setting is written out, the defaults too.
    used = optimizer.param_groups[0]
    keys = {"sgd": ["momentum", "nesterov"], "adam": ["betas", "eps"], "adamw": ["betas", "eps"]}
    complete = {"kind": settings["kind"], "lr": used["lr"], "weight_decay": used["weight_decay"]}
    complete |= {key: used[key] for key in keys[settings["kind"]]}
    save(f"optimizer_{case}", tensors, {"optimizer": complete})


# --- Schedules -----------------------------------------------------------------------------------


# Each gives the schedule in this project's form, the base rate, the run's steps, how many of them
# to record (one more where the rate reaches zero after the last), and what makes the scheduler.


def one_cycle(lr, steps, peak):
    def make(optimizer):
        scheduler = torch.optim.lr_scheduler.OneCycleLR
        return scheduler(optimizer, lr, steps, pct_start=peak, cycle_momentum=False)

    return {"kind": "one-cycle", "peak": peak}, lr, steps, steps, make


def cosine(lr, steps):
    def make(optimizer):
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    return {"kind": "cosine"}, lr, steps, steps + 1, make


def warm_up_cosine(lr, steps, warmup):
    """The straight line begins one step above zero, so that no step is lost."""
    up = math.floor(warmup * steps + 0.5)

    def make(optimizer):
        parts = [
            torch.optim.lr_scheduler.LinearLR(optimizer, 1 / (up + 1), total_iters=up),
            torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps - up),
        ]
        return torch.optim.lr_scheduler.SequentialLR(optimizer, parts, [up])

    return {"kind": "warmup-cosine", "warmup": warmup}, lr, steps, steps + 1, make


SCHEDULES = [
    one_cycle(1e-2, 20, 0.3),
    one_cycle(5e-3, 101, 0.3),
    one_cycle(2e-3, 37, 0.25),
    one_cycle(1e-3, 2, 0.3),
    cosine(5e-4, 30),
    cosine(5.8e-3, 25),
    warm_up_cosine(1e-3, 25, 0.2),
    warm_up_cosine(5e-4, 40, 0.02),
    warm_up_cosine(3e-3, 103, 0.3),
]


def schedules():
    cases = []
    for schedule, lr, steps, count, make in SCHEDULES:
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr)
        scheduler = make(optimizer)
        rates = []
        for step in range(count):
            if step > 0:
                optimizer.step()
                scheduler.step()
            rates.append(optimizer.param_groups[0]["lr"])
        cases.append({"schedule": schedule, "base_rate": lr, "steps": steps, "rates": rates})
    text = ",\n".join(json.dumps(case) for case in cases)
    (GOLDEN / "schedules.json").write_text(f"[\n{text}\n]\n")


def main():
    # SequentialLR steps its parts in a way that its own newer versions warn of.
    warnings.filterwarnings("ignore", module="torch.optim.lr_scheduler")
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for case in OPTIMIZERS:
        optimizer_case(case)
    schedules()
    print(f"{len(OPTIMIZERS)} optimisers, {len(SCHEDULES)} schedules")


if __name__ == "__main__":
    main()
