"""Makes the golden file that the tests of probes compare with scikit-learn.

    pip install scikit-learn
    python xtask/python/golden_probes.py

writes crates/latents-explore/tests/golden/probes.json: a list of `{"dim", "classes", "values": [n * dim],
"labels": [n], "queries": [m * dim], "standardize", "c", "weights": [classes * dim], "biases": [classes],
"predicted": [m], "objective", "neighbours": [m * 10], "voted": [m]}`. Weights are for values as they
are, also where the regression was fitted to standardised ones.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

GOLDEN = Path(__file__).resolve().parents[2] / "crates/latents-explore/tests/golden"


def case(seed, n, m, dim, classes, standardize, c):
    random = np.random.default_rng(seed)
    centres = random.normal(size=(classes, dim))
    scales = np.exp(random.normal(size=dim))
    labels = random.integers(0, classes, n)

    def draw(labels):
        values = (centres[labels] + random.normal(size=(len(labels), dim))) * scales + scales
        return values.round(3).astype(np.float32)

    values, queries = draw(labels), draw(random.integers(0, classes, m))
    fitted, asked = values.astype(np.float64), queries.astype(np.float64)
    shift, scale = np.zeros(dim), np.ones(dim)
    if standardize:
        scaler = StandardScaler().fit(fitted)
        shift, scale = scaler.mean_, scaler.scale_
    fitted, asked = (fitted - shift) / scale, (asked - shift) / scale
    model = LogisticRegression(C=c, tol=1e-10, max_iter=20_000).fit(fitted, labels)
    logs = model.predict_log_proba(fitted)[np.arange(n), labels]
    objective = -logs.mean() + 0.5 * (model.coef_**2).sum() / (c * n)
    coefficients, intercepts = model.coef_, model.intercept_
    if classes == 2:  # One vector of weights, where there could be one for each class.
        coefficients = np.vstack([-coefficients, coefficients]) / 2
        intercepts = np.concatenate([-intercepts, intercepts]) / 2
    weights = coefficients / scale
    neighbours = KNeighborsClassifier(10, algorithm="brute").fit(values, labels)
    return {
        "dim": dim,
        "classes": classes,
        "values": [float(x) for x in values.ravel()],
        "labels": labels.tolist(),
        "queries": [float(x) for x in queries.ravel()],
        "standardize": standardize,
        "c": c,
        "weights": weights.ravel().tolist(),
        "biases": (intercepts - weights @ shift).tolist(),
        "predicted": model.predict(asked).tolist(),
        "objective": objective,
        "neighbours": neighbours.kneighbors(queries, return_distance=False).ravel().tolist(),
        "voted": neighbours.predict(queries).tolist(),
    }


cases = [
    case(1, 200, 50, 7, 4, False, 1.0),
    case(2, 150, 40, 12, 10, True, 0.1),
    case(3, 160, 40, 5, 2, True, 0.5),
]
GOLDEN.mkdir(parents=True, exist_ok=True)
(GOLDEN / "probes.json").write_text(json.dumps(cases) + "\n")
