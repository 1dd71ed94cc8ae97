"""Makes the golden files that the engine's tests of optimisers and schedules compare with PyTorch.

    python xtask/python/golden_optimizers.py

writes into crates/latents-engine/tests/golden/:

* `optimizer_<case>.safetensors`: `param.{k}` before the first step, `grad.{k}` [20, ...] the
  gradient given at each step, `param.{k}.step{1,2,20}` the parameter after so many steps. The
  metadata's `case` is `{"optimizer": settings, "torch": version}`.
* `schedules.json`: a list of `{"schedule": settings, "lr": [rate used by step 0, 1, ...]}`.
"""

import json
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


def one_cycle(max_lr, total_steps, **options):
    settings = {"pct_start": 0.3, "div_factor": 25.0, "final_div_factor": 1e4} | options
    named = {"kind": "one_cycle", "max_lr": max_lr, "total_steps": total_steps} | settings

    def make(optimizer):
        scheduler = torch.optim.lr_scheduler.OneCycleLR
        return scheduler(optimizer, max_lr, total_steps, cycle_momentum=False, **settings)

    return named, max_lr, total_steps, make


def cosine(lr, steps, eta_min):
    named = {"kind": "cosine", "lr": lr, "steps": steps, "min_lr": eta_min}

    def make(optimizer):
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min)

    return named, lr, steps + 1, make


def warm_up(lr, start_factor, steps):
    named = {"kind": "warm_up", "lr": lr, "start_factor": start_factor, "steps": steps}

    def make(optimizer):
        return torch.optim.lr_scheduler.LinearLR(optimizer, start_factor, total_iters=steps)

    return named, lr, steps + 4, make


def warm_up_cosine(lr, start_factor, warm_up_steps, cosine_steps, eta_min):
    named = {
        "kind": "warm_up_cosine",
        "lr": lr,
        "start_factor": start_factor,
        "warm_up_steps": warm_up_steps,
        "cosine_steps": cosine_steps,
        "min_lr": eta_min,
    }

    def make(optimizer):
        parts = [
            torch.optim.lr_scheduler.LinearLR(optimizer, start_factor, total_iters=warm_up_steps),
            torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, cosine_steps, eta_min),
        ]
        return torch.optim.lr_scheduler.SequentialLR(optimizer, parts, [warm_up_steps])

    return named, lr, warm_up_steps + cosine_steps + 1, make


SCHEDULES = [
    one_cycle(1e-2, 20),
    one_cycle(5e-3, 101),
    one_cycle(2e-3, 37, pct_start=0.25, div_factor=10.0, final_div_factor=1e3),
    cosine(5e-4, 30, 0.0),
    cosine(5.8e-3, 25, 1e-5),
    warm_up(1e-3, 0.1, 5),
    warm_up(5e-4, 1 / 3, 10),
    warm_up_cosine(1e-3, 0.01, 5, 20, 1e-6),
]


def schedules():
    cases = []
    for settings, lr, count, make in SCHEDULES:
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr)
        scheduler = make(optimizer)
        rates = []
        for step in range(count):
            if step > 0:
                optimizer.step()
                scheduler.step()
            rates.append(optimizer.param_groups[0]["lr"])
        cases.append({"schedule": settings, "lr": rates})
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
