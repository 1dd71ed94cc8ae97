"""Makes the golden file that the tests of scores of disentanglement compare with NumPy and scikit-learn.

    pip install scikit-learn
    python xtask/python/golden_disentanglement.py

writes crates/latents-explore/tests/golden/disentanglement.json: `{"dim", "latents": [n * dim], "factors": [f][n],
"fitted", "tree_leaf", "mig": [f], "entropies": [f], "accuracies": [f][dim], "tree": [f][dim], "forest": [f][dim],
"forest_accuracies": [f], "importances": [f][dim], "disentanglement", "completeness": [f]}`. Predictions are fitted to the
first `fitted` images and tested on the others. `tree` has the importances of one tree
with at least `tree_leaf` images in each leaf, and `forest` those of a forest, whose random
draws are scikit-learn's; `importances` is made up, and `disentanglement` and `completeness` are of it.
"""

import json
from pathlib import Path

import numpy as np
from scipy.stats import entropy
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score, mutual_info_score
from sklearn.tree import DecisionTreeClassifier

GOLDEN = Path(__file__).resolve().parents[2] / "crates/latents-explore/tests/golden"
N, FITTED, BINS, TREE_LEAF = 600, 400, 20, 40

random = np.random.default_rng(1)
# Three factors of 2, 3 and 5 values, the second of which is rare in one value. Two latents know the first, one the second, and the
# fourth mixes the second and third.
factors = np.stack([random.integers(0, 2, N), random.choice(3, N, p=[0.6, 0.3, 0.1]), random.integers(0, 5, N)])
a, b, c = factors
latents = np.stack([2 * a, a + 0.3, b**2, 0.5 * b + c, 0 * a], axis=1) + random.normal(size=(N, 5)) * [0.9, 0.7, 0.6, 0.8, 1.0]
latents = latents.round(4).astype(np.float32)
dim = latents.shape[1]


def binned(column):
    column = column.astype(np.float64)
    edges = np.histogram(column, BINS)[1]
    return np.digitize(column, edges[:-1])


def gap(values):
    second, first = np.sort(values)[-2:]
    return first - second


def accuracy(columns):
    tree = DecisionTreeClassifier(random_state=0, **options).fit(columns[:FITTED], train)
    return balanced_accuracy_score(test, tree.predict(columns[FITTED:]))


mig, entropies, accuracies, trees, forests, forest_accuracies = [], [], [], [], [], []
for values in factors:
    train, test = values[:FITTED], values[FITTED:]
    shared = [mutual_info_score(values, binned(latents[:, i])) for i in range(dim)]
    entropies.append(mutual_info_score(values, values))
    mig.append(gap(shared) / entropies[-1])
    options = {"class_weight": "balanced", "min_samples_leaf": FITTED // (10 * len(set(values)))}
    accuracies.append([accuracy(latents[:, [i]]) for i in range(dim)])
    # Of thresholds that are as good, the first is taken, which must not matter.
    assert np.allclose(accuracies[-1], [accuracy(-latents[:, [i]]) for i in range(dim)])
    # scikit-learn looks at the columns in random order, which decides between splits that are as good, as there are in small nodes.
    large = {**options, "min_samples_leaf": TREE_LEAF}
    several = [DecisionTreeClassifier(random_state=s, **large).fit(latents[:FITTED], train) for s in range(8)]
    assert all(np.allclose(several[0].feature_importances_, tree.feature_importances_) for tree in several)
    trees.append(several[0].feature_importances_.tolist())
    forest = RandomForestClassifier(500, max_features=None, random_state=0, **options).fit(latents[:FITTED], train)
    forests.append(forest.feature_importances_.tolist())
    forest_accuracies.append(balanced_accuracy_score(test, forest.predict(latents[FITTED:])))

importances = random.dirichlet(np.full(dim, 0.5), len(factors))
of_latents = 1 - entropy(importances, base=len(factors), axis=0)
weights = importances.sum(axis=0) / importances.sum()
golden = {
    "dim": dim,
    "latents": [float(x) for x in latents.ravel()],
    "factors": factors.tolist(),
    "fitted": FITTED,
    "tree_leaf": TREE_LEAF,
    "mig": mig,
    "entropies": entropies,
    "accuracies": accuracies,
    "tree": trees,
    "forest": forests,
    "forest_accuracies": forest_accuracies,
    "importances": importances.tolist(),
    "disentanglement": float(weights @ of_latents),
    "completeness": (1 - entropy(importances, base=dim, axis=1)).tolist(),
}
GOLDEN.mkdir(parents=True, exist_ok=True)
(GOLDEN / "disentanglement.json").write_text(json.dumps(golden) + "\n")
