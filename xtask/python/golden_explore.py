"""Makes the golden file that measures, components, clusters, mixtures and places in maps are compared with scikit-learn,
scikit-image, SciPy and openTSNE by.

    python xtask/python/golden_explore.py    (numpy, scipy, scikit-learn, scikit-image, openTSNE)

writes crates/latents-explore/tests/golden/explore.json. Inputs are rounded to single precision and
are in the file; each expected value is beside them. Where no library has a measure, its definition
is spelled out here.
"""

import json
from pathlib import Path

import numpy as np
import scipy.linalg
from openTSNE import TSNEEmbedding
from openTSNE.affinity import PerplexityBasedNN
from scipy.spatial.distance import cdist
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from sklearn.cluster import KMeans
from sklearn.covariance import EmpiricalCovariance
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier

GOLDEN = Path(__file__).resolve().parents[2] / "crates/latents-explore/tests/golden"


def single(x):
    """Numbers as the tests read them."""
    return np.asarray(x, dtype=np.float32).astype(np.float64)


def flat(x):
    return np.asarray(x, dtype=np.float64).ravel().tolist()


def clouds(rng, n, d):
    """Rows around three centres, stretched along the first axes."""
    centres = 3 * rng.normal(size=(3, d))
    scales = np.linspace(2.0, 0.3, d)
    labels = rng.integers(0, 3, n)
    return single(centres[labels] + scales * rng.normal(size=(n, d))), labels


def pca(x):
    model = PCA(4, svd_solver="full").fit(x)
    back = model.inverse_transform(model.transform(x))
    return {
        "components": flat(model.components_),
        "explained_variance": flat(model.explained_variance_),
        "explained_variance_ratio": flat(model.explained_variance_ratio_),
        "transformed": flat(model.transform(x)),
        "error": float(np.mean((back - x) ** 2)),
    }


def mixture(x, labels):
    k = 3
    start = np.eye(k)[labels]
    weights = start.mean(0)
    means = start.T @ x / start.sum(0)[:, None]
    covariances = []
    for c in range(k):
        off = x - means[c]
        covariance = (start[:, c, None] * off).T @ off / start[:, c].sum()
        covariances.append(covariance + 1e-6 * np.eye(x.shape[1]))
    precisions = [np.linalg.inv(c) for c in covariances]
    model = GaussianMixture(
        k, weights_init=weights, means_init=means, precisions_init=precisions, tol=1e-10, max_iter=2000
    ).fit(x)
    order = np.argsort(model.weights_)
    return {
        "weights": flat(model.weights_[order]),
        "means": flat(model.means_[order]),
        "covariances": flat(model.covariances_[order]),
        "score": float(model.score(x)),
        "bic": float(model.bic(x)),
    }


def frechet(a, b):
    ma, mb = a.mean(0), b.mean(0)
    ca, cb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(ca @ cb).real
    return float(((ma - mb) ** 2).sum() + np.trace(ca + cb - 2 * root))


def jackknife(a, b, parts=10):
    """Standard error of the Fréchet distance: every tenth row of both is left out in turn."""
    part = np.arange(len(a)) % parts
    left = np.array([frechet(a[part != p], b[part != p]) for p in range(parts)])
    return float(np.sqrt((parts - 1) / parts * ((left - left.mean()) ** 2).sum()))


def clusters(x):
    model = KMeans(3, n_init=20, tol=0, random_state=0).fit(x)
    order = np.argsort(model.cluster_centers_[:, 0])
    return {"centres": flat(model.cluster_centers_[order]), "inertia": float(model.inertia_)}


def median(values, weights):
    order = np.argsort(values)
    return values[order][np.searchsorted(np.cumsum(weights[order]), 0.5)]


def placed(x, new):
    """A map of x by principal components, and where openTSNE puts new rows in it. It sums exactly (theta = 0) until nothing moves. Each
    begins at the weighted median of its neighbours, as here: from openTSNE's unweighted one, one of 20 ends in another minimum."""
    xy = single(3 * PCA(2, svd_solver="full").fit_transform(x))
    affinities = PerplexityBasedNN(x, perplexity=30, method="exact", n_jobs=1)
    map_ = TSNEEmbedding(xy, affinities, negative_gradient_method="bh", theta=0, n_jobs=1)
    weights = np.asarray(affinities.to_new(new, perplexity=5, k_neighbors=15).todense())
    start = np.array([[median(axis, w) for axis in xy.T] for w in weights])
    part = map_.prepare_partial(new, initialization=start, perplexity=5, k=15)
    part = part.optimize(5000, learning_rate=0.1, exaggeration=1.5, momentum=0.8, max_grad_norm=0.25)
    return {"map": flat(xy), "new": flat(new), "places": flat(part)}


def kernel(a, b):
    n, d = a.shape
    k = lambda x, y: (x @ y.T / d + 1) ** 3
    aa, bb, ab = k(a, a), k(b, b), k(a, b)
    off = n * (n - 1)
    return float((aa.sum() - np.trace(aa)) / off + (bb.sum() - np.trace(bb)) / off - 2 * ab.mean())


def kernels(a, b, parts=10):
    """Mean over subsets of a tenth of the rows each, and its standard error."""
    each = [kernel(a, b) for a, b in zip(np.split(a, parts), np.split(b, parts))]
    return float(np.mean(each)), float(np.std(each, ddof=1) / parts**0.5)


def precision(cloud, points, k=3):
    reach = np.sort(cdist(cloud, cloud), axis=1)[:, k]
    return float((cdist(points, cloud) <= reach).any(1).mean())


def leave_one_out(x, labels, k):
    model = KNeighborsClassifier(k).fit(x, labels)
    near = model.kneighbors(return_distance=False)
    votes = [np.bincount(labels[row]).argmax() for row in near]
    return float((np.array(votes) == labels).mean())


def main():
    rng = np.random.default_rng(1)
    x, labels = clouds(rng, 120, 6)
    y = single(x[:, :2] + 0.8 * rng.normal(size=(120, 2)))
    z = single(x + rng.normal(size=x.shape) * 0.7 + 0.4)

    smooth = rng.random((2, 3, 17, 13)).cumsum(2).cumsum(3)
    images = single(smooth / smooth.max())
    noisy = single(np.clip(images + 0.08 * rng.normal(size=images.shape), 0, 1))
    ssim = lambda a, b: structural_similarity(
        a, b, data_range=1, channel_axis=0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    log_variances = single(rng.normal(size=x.shape) - 1)
    golden = {
        "dim": 6,
        "x": flat(x),
        "labels": labels.tolist(),
        "y": flat(y),
        "z": flat(z),
        "shape": [3, 17, 13],
        "images": flat(images),
        "noisy": flat(noisy),
        "log_variances": flat(log_variances),
        "pca": pca(x),
        "kmeans": clusters(x),
        "place": placed(x, z[:20]),
        "mixture": mixture(x, labels),
        "mse": [float(np.mean((a - b) ** 2)) for a, b in zip(images, noisy)],
        "psnr": [peak_signal_noise_ratio(a, b, data_range=1) for a, b in zip(images, noisy)],
        "ssim": [float(ssim(a, b)) for a, b in zip(images, noisy)],
        "trustworthiness": float(trustworthiness(x, y, n_neighbors=7)),
        "continuity": float(trustworthiness(y, x, n_neighbors=7)),
        "neighbour_accuracy": leave_one_out(y, labels, 5),
        "frechet": frechet(x, z),
        "frechet_error": jackknife(x, z),
        "kernel": kernels(x, z)[0],
        "kernel_error": kernels(x, z)[1],
        "precision": precision(x, z),
        "recall": precision(z, x),
        "mahalanobis": flat(np.sqrt(EmpiricalCovariance().fit(x).mahalanobis(z) * 119 / 120)),
        "kl_per_axis": flat(0.5 * (x**2 + np.exp(log_variances) - 1 - log_variances).mean(0)),
    }
    GOLDEN.mkdir(parents=True, exist_ok=True)
    (GOLDEN / "explore.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
