"""Makes the golden file that the tests of classification scores compare with scikit-learn.

    pip install scikit-learn
    python xtask/python/golden_classification.py

writes crates/latents-explore/tests/golden/classification.json: a list of `{"truth": [n],
"probabilities": [n * classes], "classes", "confusion", "accuracy", "precision", "recall", "f1",
"macro_f1", "ece", "nll", "brier", "bins": [[count, confidence, accuracy] of 15]}`. The expected
calibration error is computed here after Guo et al. (2017), since scikit-learn has none.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
)

GOLDEN = Path(__file__).resolve().parents[2] / "crates/latents-explore/tests/golden"


def case(seed, n, classes, sharpness, absent=None):
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, n)
    logits = random.normal(size=(n, classes))
    logits[np.arange(n), truth] += 1.2
    if absent is not None:  # A class that is never predicted, and one that is not there.
        logits[:, absent] = -9
        truth[truth == (absent + 1) % classes] = absent
    powers = np.exp(logits * sharpness)
    probabilities = (powers / powers.sum(1, keepdims=True)).astype(np.float32)
    predicted = probabilities.argmax(1)
    labels = np.arange(classes)
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, predicted, labels=labels, zero_division=0
    )
    confidence = probabilities.max(1).astype(np.float64)
    edges = np.linspace(0, 1, 16)
    bins, ece = [], 0.0
    for lower, upper in zip(edges[:-1], edges[1:]):
        inside = (confidence > lower) & (confidence <= upper)
        count = int(inside.sum())
        mean = confidence[inside].mean() if count else 0.0
        right = (predicted == truth)[inside].mean() if count else 0.0
        bins.append([count, mean, right])
        ece += count / n * abs(mean - right)
    wide = probabilities.astype(np.float64)
    return {
        "truth": truth.tolist(),
        "probabilities": [float(p) for p in probabilities.ravel()],
        "classes": classes,
        "confusion": confusion_matrix(truth, predicted, labels=labels).tolist(),
        "accuracy": accuracy_score(truth, predicted),
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "f1": f1.tolist(),
        "macro_f1": f1_score(truth, predicted, labels=labels, average="macro", zero_division=0),
        "ece": ece,
        "nll": float(-np.log(wide[np.arange(n), truth]).mean()),
        "brier": float(((wide - np.eye(classes)[truth]) ** 2).sum(1).mean()),
        "bins": bins,
    }


cases = [case(1, 300, 10, 1.0), case(2, 120, 3, 2.5), case(3, 150, 5, 1.0, absent=2)]
GOLDEN.mkdir(parents=True, exist_ok=True)
(GOLDEN / "classification.json").write_text(json.dumps(cases) + "\n")
