"""Makes crates/latents-tune/tests/golden/cmaes.json: what some generations teach the package `cmaes`,
Optuna's implementation of CMA-ES.

    pip install cmaes==0.13.1 && python golden_cmaes.py

A list of cases; of each the first mean and deviation, the size of a generation, and for each
generation its points, their values, and the mean, deviation and covariance (row by row) after it. No
point is so far out that our implementation would move it.
"""

import json
from pathlib import Path

import numpy as np
from cmaes import CMA

GOLDEN = Path(__file__).resolve().parents[2] / "crates/latents-tune/tests/golden/cmaes.json"


def ellipsoid(x):
    n = len(x)
    turned = x + np.roll(x, 1) / 2
    return float(sum(10.0 ** (3 * i / max(n - 1, 1)) * turned[i] ** 2 for i in range(n)))


def points(cma, random):
    """A generation, without points in the far tail."""
    n = cma.dim
    eigenvalues, axes = np.linalg.eigh(cma._C)
    root = axes @ np.diag(np.sqrt(eigenvalues)) @ axes.T
    found = []
    while len(found) < cma.population_size:
        z = random.standard_normal(n)
        if np.linalg.norm(z) < 0.99 * (np.sqrt(n) + 2 * n / (n + 2)):
            found.append(cma.mean + cma._sigma * root @ z)
    return found


def case(n, sigma, generations, seed):
    random = np.random.default_rng(seed)
    mean = random.uniform(0.2, 0.8, n)
    cma = CMA(mean=mean.copy(), sigma=sigma)
    steps = []
    for _ in range(generations):
        drawn = points(cma, random)
        values = [ellipsoid(x) for x in drawn]
        cma.tell(list(zip(drawn, values)))
        steps.append(
            {
                "points": [x.tolist() for x in drawn],
                "values": values,
                "mean": cma.mean.tolist(),
                "sigma": float(cma._sigma),
                "covariance": cma._C.ravel().tolist(),
            }
        )
    return {"mean": mean.tolist(), "sigma": sigma, "population": cma.population_size, "generations": steps}


def main():
    cases = [case(2, 1 / 6, 12, 1), case(3, 0.5, 10, 2), case(5, 1 / 6, 15, 3), case(8, 2.0, 8, 4)]
    GOLDEN.write_text(json.dumps(cases) + "\n")


if __name__ == "__main__":
    main()
