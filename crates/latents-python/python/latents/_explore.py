"""Tools that stand alone, with scikit-learn's parameters and attributes. They compute with numbers of 32 bits and sums of 64."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

from . import _latents
from ._base import Estimator, check_fitted, like, rows_of, seed_of
from ._data import labels_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["PCA", "TSNE", "GaussianMixture", "KMeans", "LogisticProbe", "Neighbors"]


def _whole(name: str, value: Any, least: int) -> int:
    """A parameter that is a whole number."""
    import numpy as np

    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}")
    return int(value)


def _number(name: str, value: Any, least: float, *, open: bool = False) -> float:
    """A parameter that is a number."""
    import numpy as np

    is_number = not isinstance(value, bool) and isinstance(value, (int, float, np.integer, np.floating))
    if not is_number or not np.isfinite(value) or value < least or (open and value == least):
        raise ValueError(f"{name} must be a number {'above' if open else 'of at least'} {least:g}, not {value!r}")
    return float(value)


def _candidates(clusters: int) -> int:
    """Rows that are drawn for each initial centre, as many as scikit-learn draws."""
    return 2 + int(math.log(clusters))


class TSNE(Estimator):
    """Maps rows to the plane so that neighbours stay together (van der Maaten and Hinton, 2008).

    Exact neighbours, repulsion by Fourier transforms: ten times faster than scikit-learn's, and new rows can be placed on a map.

    Parameters
    ----------
    n_components : int
        2, or 1 for a line.
    perplexity : float
        Effective number of neighbours; lowered, with a warning, if there are fewer than three times as many other rows.
    early_exaggeration : float
        Factor of the attraction during the first 250 iterations, in which clusters form.
    learning_rate : float or "auto"
        With "auto": the number of rows divided by the exaggeration, but at least 200.
    max_iter : int
        Iterations, with those of the exaggeration.
    init : "pca", "random" or array [n, n_components]
        Where the points start; scaled to a standard deviation of 1e-4.
    metric : "euclidean"
        How distances are measured.
    random_state : int, generator or None
        Seed; None is 0.
    n_iter_without_progress, min_grad_norm, verbose, method, angle, n_jobs
        Accepted for the sake of programs that set them; nothing depends on them.

    Attributes
    ----------
    embedding_ : array [n, n_components] of float32
        The map.
    kl_divergence_ : float
        The divergence of the similarities on the map from those of the rows, in nats.
    perplexity_ : float
        The perplexity that was used.
    learning_rate_ : float
        The learning rate after the exaggeration.
    n_iter_ : int
        The number of iterations.

    Examples
    --------
    >>> import latents, numpy as np
    >>> X = np.random.default_rng(0).normal(size=(100, 5))
    >>> latents.TSNE(perplexity=10).fit_transform(X).shape
    (100, 2)
    """

    _estimator_type_tag = "transformer"
    embedding_: NDArray[np.float32]
    kl_divergence_: float
    perplexity_: float
    learning_rate_: float
    n_iter_: int
    n_features_in_: int

    def __init__(
        self,
        n_components: int = 2,
        *,
        perplexity: float = 30.0,
        early_exaggeration: float = 12.0,
        learning_rate: float | str = "auto",
        max_iter: int = 1000,
        n_iter_without_progress: int = 300,
        min_grad_norm: float = 1e-7,
        metric: str = "euclidean",
        init: Any = "pca",
        verbose: int = 0,
        random_state: Any = None,
        method: str = "barnes_hut",
        angle: float = 0.5,
        n_jobs: int | None = None,
    ) -> None:
        self.n_components = n_components
        self.perplexity = perplexity
        self.early_exaggeration = early_exaggeration
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.n_iter_without_progress = n_iter_without_progress
        self.min_grad_norm = min_grad_norm
        self.metric = metric
        self.init = init
        self.verbose = verbose
        self.random_state = random_state
        self.method = method
        self.angle = angle
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None) -> TSNE:
        """Makes a map of rows.

        Parameters
        ----------
        X : array [n, d]
            At least 5 rows.
        y
            Not used.

        Returns
        -------
        TSNE
            Itself.
        """
        import numpy as np

        rows = rows_of(self, X, fit=True, least=5)
        components = _whole("n_components", self.n_components, 1)
        if components > 2:
            raise ValueError(f"n_components must be 1 or 2, not {components}: maps are planes or lines; for other dimensions use PCA")
        if self.metric != "euclidean":
            raise ValueError(f"metric must be 'euclidean', not {self.metric!r}; for cosine distances, scale the rows to length 1 first")
        steps = _whole("max_iter", self.max_iter, 1)
        perplexity = _number("perplexity", self.perplexity, 1.0, open=True)
        rate = None if self.learning_rate == "auto" else _number("learning_rate", self.learning_rate, 0.0, open=True)
        start = None
        if not isinstance(self.init, str):
            start = np.ascontiguousarray(self.init, dtype=np.float32)
            if start.shape != (len(rows), components):
                raise ValueError(f"init has shape {start.shape}, but ({len(rows)}, {components}) is expected")
        elif self.init not in ("pca", "random"):
            raise ValueError(f"init must be 'pca', 'random' or an array, not {self.init!r}")
        settings = {
            "components": components,
            "perplexity": perplexity,
            "early_exaggeration": _number("early_exaggeration", self.early_exaggeration, 1.0),
            "early_iterations": min(steps, 250),
            "iterations": max(steps - 250, 0),
            "learning_rate": rate,
            "seed": seed_of(self.random_state),
            "random": isinstance(self.init, str) and self.init == "random",
        }
        self.embedding_, self.kl_divergence_, self.perplexity_ = _latents.tsne(rows, start, settings)
        if self.perplexity_ < perplexity:
            warnings.warn(f"perplexity {perplexity:g} is too large for {len(rows)} rows; {self.perplexity_:g} was used", stacklevel=2)
        self.n_iter_ = steps
        self.learning_rate_ = max(float(len(rows)), 200.0) if rate is None else rate
        self._rows = rows
        return self

    def fit_transform(self, X: Any, y: Any = None) -> NDArray[np.float32]:
        """Makes a map of rows ``[n, d]`` and returns it, ``[n, n_components]``."""
        return self.fit(X).embedding_

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Places other rows on the map, which stays as it is; a row that was mapped has the place that it has.

        Parameters
        ----------
        X : array [m, d]
            Rows.

        Returns
        -------
        array [m, n_components] of float32
            Their places.
        """
        check_fitted(self, "embedding_")
        rows = rows_of(self, X)
        placed = _latents.tsne_transform(self._rows, self.embedding_, rows)
        known = {row.tobytes(): i for i, row in enumerate(self._rows)}
        for i, row in enumerate(rows):
            if (place := known.get(row.tobytes())) is not None:
                placed[i] = self.embedding_[place]
        return placed


class PCA(Estimator):
    """Principal components, as scikit-learn's ``PCA``, including the signs.

    Parameters
    ----------
    n_components : int, float or None
        How many; a number between 0 and 1 is the part of the variance that they shall explain; None is all.
    whiten : bool
        Whether coordinates are divided by their standard deviations.
    copy, svd_solver, tol, iterated_power, n_oversamples, power_iteration_normalizer, random_state
        Accepted for the sake of programs that set them; nothing depends on them.

    Attributes
    ----------
    components_ : array [k, d]
        The directions, each of length 1.
    explained_variance_, explained_variance_ratio_, singular_values_ : array [k]
        The variance along each; divided by the total variance; and the square root of its sum of squares.
    mean_ : array [d]
        The mean of the rows.
    n_components_ : int
        ``k``.
    noise_variance_ : float
        The mean variance along the remaining directions (Tipping and Bishop, 1999).

    Examples
    --------
    >>> import latents, numpy as np
    >>> X = np.random.default_rng(0).normal(size=(100, 5))
    >>> latents.PCA(2).fit_transform(X).shape
    (100, 2)
    """

    _estimator_type_tag = "transformer"
    components_: NDArray[np.float64]
    explained_variance_: NDArray[np.float64]
    explained_variance_ratio_: NDArray[np.float64]
    singular_values_: NDArray[np.float64]
    mean_: NDArray[np.float64]
    n_components_: int
    n_features_in_: int
    n_samples_: int
    noise_variance_: float

    def __init__(
        self,
        n_components: float | None = None,
        *,
        copy: bool = True,
        whiten: bool = False,
        svd_solver: str = "auto",
        tol: float = 0.0,
        iterated_power: int | str = "auto",
        n_oversamples: int = 10,
        power_iteration_normalizer: str = "auto",
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.copy = copy
        self.whiten = whiten
        self.svd_solver = svd_solver
        self.tol = tol
        self.iterated_power = iterated_power
        self.n_oversamples = n_oversamples
        self.power_iteration_normalizer = power_iteration_normalizer
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> PCA:
        """Finds the components of rows ``[n, d]``, at least 2; ``y`` is not used."""
        import numpy as np

        rows = rows_of(self, X, fit=True, least=2)
        n, d = rows.shape
        part, most = None, min(n, d)
        if self.n_components is None:
            count = most
        elif isinstance(self.n_components, (float, np.floating)) and 0 < self.n_components < 1:
            part, count = float(self.n_components), most
        else:
            count = _whole("n_components", self.n_components, 1)
            if count > most:
                raise ValueError(f"n_components={count} must be between 1 and min(n_samples, n_features)={most}")
        found = _latents.pca(rows, count, part)
        self.mean_, self.components_, self.explained_variance_, self.explained_variance_ratio_, _, self.noise_variance_ = found
        self.singular_values_ = np.sqrt(self.explained_variance_ * (n - 1))
        self.n_components_, self.n_samples_ = len(self.components_), n
        return self

    def _of(self) -> dict[str, Any]:
        import numpy as np

        of = {"mean": self.mean_, "components": self.components_, "variance": self.explained_variance_}
        return {**{k: np.ascontiguousarray(v, dtype=np.float64) for k, v in of.items()}, "whiten": bool(self.whiten)}

    def transform(self, X: Any) -> NDArray[Any]:
        """The coordinates ``[n, k]`` of rows ``[n, d]``."""
        check_fitted(self, "components_")
        return like(_latents.pca_transform(self._of(), rows_of(self, X)), X)

    def fit_transform(self, X: Any, y: Any = None) -> NDArray[Any]:
        """Finds the components of rows ``[n, d]`` and returns the coordinates ``[n, k]``."""
        return self.fit(X).transform(X)

    def inverse_transform(self, X: Any) -> NDArray[Any]:
        """The rows ``[n, d]`` of coordinates ``[n, k]``."""
        import numpy as np

        check_fitted(self, "components_")
        rows = np.ascontiguousarray(X, dtype=np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.n_components_:
            raise ValueError(f"X has shape {rows.shape}, but coordinates [n, {self.n_components_}] are expected")
        return like(_latents.pca_inverse(self._of(), rows), X)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """The names of the coordinates: ``pca0``, ``pca1``, ..."""
        import numpy as np

        check_fitted(self, "components_")
        return np.array([f"pca{i}" for i in range(self.n_components_)], dtype=object)


class KMeans(Estimator):
    """Clusters by k-means (Lloyd's algorithm from k-means++).

    Parameters
    ----------
    n_clusters : int
        The number of clusters.
    n_init : int or "auto"
        The number of runs, of which the best is kept; "auto" is 1.
    max_iter : int
        The most iterations of a run, which ends when no row changes its cluster.
    random_state : int, generator or None
        Seed; None is 0.
    init, tol, verbose, copy_x, algorithm
        Accepted for the sake of programs that set them; nothing depends on them.

    Attributes
    ----------
    cluster_centers_ : array [k, d]
        The centres.
    labels_ : array [n] of int
        The cluster of each row.
    inertia_ : float
        The sum of the squared distances of the rows to their centres.
    n_iter_ : int
        The number of iterations.

    Examples
    --------
    >>> import latents, numpy as np
    >>> X = np.array([[0.0], [0.1], [9.0], [9.1]])
    >>> labels = latents.KMeans(2).fit_predict(X)
    >>> bool(labels[0] == labels[1] != labels[2])
    True
    """

    _estimator_type_tag = "clusterer"
    cluster_centers_: NDArray[Any]
    labels_: NDArray[np.int64]
    inertia_: float
    n_iter_: int
    n_features_in_: int

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: str = "k-means++",
        n_init: int | str = "auto",
        max_iter: int = 300,
        tol: float = 1e-4,
        verbose: int = 0,
        random_state: Any = None,
        copy_x: bool = True,
        algorithm: str = "lloyd",
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose
        self.random_state = random_state
        self.copy_x = copy_x
        self.algorithm = algorithm

    def fit(self, X: Any, y: Any = None) -> KMeans:
        """Groups rows ``[n, d]``; ``y`` is not used."""
        if not isinstance(self.init, str) or self.init != "k-means++":
            raise ValueError(f"init must be 'k-means++', not {self.init!r}")
        clusters = _whole("n_clusters", self.n_clusters, 1)
        rows = rows_of(self, X, fit=True)
        if len(rows) < clusters:
            raise ValueError(f"n_samples={len(rows)} should be >= n_clusters={clusters}.")
        settings = {
            "clusters": clusters,
            "seed": seed_of(self.random_state),
            "starts": 1 if self.n_init == "auto" else _whole("n_init", self.n_init, 1),
            "iterations": _whole("max_iter", self.max_iter, 1),
            "candidates": _candidates(clusters),
        }
        centres, self.labels_, self.inertia_, self.n_iter_ = _latents.kmeans(rows, settings)
        self.cluster_centers_ = like(centres, X)
        return self

    def _distances(self, X: Any) -> NDArray[np.float32]:
        import numpy as np

        check_fitted(self, "cluster_centers_")
        return _latents.kmeans_distances(rows_of(self, X), np.ascontiguousarray(self.cluster_centers_, dtype=np.float32))

    def predict(self, X: Any) -> NDArray[np.int64]:
        """The nearest cluster ``[n]`` of rows ``[n, d]``."""
        nearest: NDArray[np.int64] = self._distances(X).argmin(axis=1)
        return nearest

    def fit_predict(self, X: Any, y: Any = None) -> NDArray[np.int64]:
        """Groups rows ``[n, d]`` and returns their clusters ``[n]``."""
        return self.fit(X).labels_

    def transform(self, X: Any) -> NDArray[Any]:
        """The distance ``[n, k]`` of rows ``[n, d]`` to each centre."""
        return like(self._distances(X), X)

    def fit_transform(self, X: Any, y: Any = None) -> NDArray[Any]:
        """Groups rows ``[n, d]`` and returns their distances ``[n, k]`` to each centre."""
        return self.fit(X).transform(X)

    def score(self, X: Any, y: Any = None) -> float:
        """The negative sum of the squared distances of rows to their nearest centres."""
        import numpy as np

        nearest = self._distances(X).min(axis=1).astype(np.float64)
        return -float((nearest**2).sum())

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """The names of the distances: ``kmeans0``, ``kmeans1``, ..."""
        import numpy as np

        check_fitted(self, "cluster_centers_")
        return np.array([f"kmeans{i}" for i in range(len(self.cluster_centers_))], dtype=object)


class GaussianMixture(Estimator):
    """A mixture of Gaussians with full covariances, fitted by expectation-maximisation.

    Parameters
    ----------
    n_components : int
        The number of Gaussians.
    covariance_type : "full"
        The form of the covariances.
    tol : float
        The change of the mean log-likelihood at which the fit has converged.
    reg_covar : float
        Added to each variance.
    max_iter : int
        The most iterations.
    n_init : int
        The number of fits, of which the best is kept.
    random_state : int, generator or None
        Seed; None is 0.
    init_params, verbose, verbose_interval
        Accepted for the sake of programs that set them; nothing depends on them.

    Attributes
    ----------
    weights_, means_, covariances_ : array [k], [k, d], [k, d, d]
        The Gaussians.
    converged_ : bool
        Whether the fit converged.
    n_iter_ : int
        The number of iterations.
    lower_bound_ : float
        The mean log-likelihood in the last iteration.

    Examples
    --------
    >>> import latents, numpy as np
    >>> X = np.random.default_rng(0).normal(size=(300, 2))
    >>> mixture = latents.GaussianMixture(2).fit(X)
    >>> mixture.sample(10)[0].shape
    (10, 2)
    """

    _estimator_type_tag = "density_estimator"
    weights_: NDArray[np.float64]
    means_: NDArray[np.float64]
    covariances_: NDArray[np.float64]
    converged_: bool
    n_iter_: int
    n_features_in_: int
    lower_bound_: float

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: str = "kmeans",
        random_state: Any = None,
        verbose: int = 0,
        verbose_interval: int = 10,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.random_state = random_state
        self.verbose = verbose
        self.verbose_interval = verbose_interval

    def fit(self, X: Any, y: Any = None) -> GaussianMixture:
        """Fits the mixture to rows ``[n, d]``, at least 2; ``y`` is not used."""
        if self.covariance_type != "full":
            raise ValueError(f"covariance_type must be 'full', not {self.covariance_type!r}")
        components = _whole("n_components", self.n_components, 1)
        settings = {
            "components": components,
            "tolerance": _number("tol", self.tol, 0.0),
            "regularisation": _number("reg_covar", self.reg_covar, 0.0),
            "iterations": _whole("max_iter", self.max_iter, 1),
            "starts": _whole("n_init", self.n_init, 1),
            "candidates": _candidates(components),
            "seed": seed_of(self.random_state),
        }
        rows = rows_of(self, X, fit=True, least=2)
        if len(rows) < components:
            raise ValueError(f"Expected n_samples >= n_components but got n_components = {components}, n_samples = {len(rows)}")
        found = _latents.gaussian_mixture(rows, settings)
        self.weights_, self.means_, self.covariances_, self.lower_bound_, self.n_iter_, self.converged_ = found
        if not self.converged_:
            warnings.warn(f"the mixture did not converge in {self.n_iter_} iterations; raise max_iter or tol", stacklevel=2)
        return self

    def _of(self) -> dict[str, NDArray[np.float64]]:
        import numpy as np

        check_fitted(self, "weights_")
        of = {"weights": self.weights_, "means": self.means_, "covariances": self.covariances_}
        return {name: np.ascontiguousarray(value, dtype=np.float64) for name, value in of.items()}

    def _posterior(self, X: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        of = self._of()
        return _latents.gaussian_mixture_posterior(of, rows_of(self, X))

    def fit_predict(self, X: Any, y: Any = None) -> NDArray[np.int64]:
        """Fits the mixture and returns the most likely Gaussian ``[n]`` of each row."""
        return self.fit(X).predict(X)

    def predict(self, X: Any) -> NDArray[np.int64]:
        """The most likely Gaussian ``[n]`` of rows ``[n, d]``."""
        likeliest: NDArray[np.int64] = self._posterior(X)[1].argmax(axis=1)
        return likeliest

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The probability ``[n, k]`` of each Gaussian for rows ``[n, d]``."""
        return self._posterior(X)[1]

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """The logarithm of the density ``[n]`` at rows ``[n, d]``."""
        return self._posterior(X)[0]

    def score(self, X: Any, y: Any = None) -> float:
        """The mean logarithm of the density at rows ``[n, d]``."""
        return float(self.score_samples(X).mean())

    def bic(self, X: Any) -> float:
        """The Bayesian information criterion on rows ``[n, d]``; lower is better."""
        of = self._of()
        return _latents.gaussian_mixture_criteria(of, rows_of(self, X))[0]

    def aic(self, X: Any) -> float:
        """Akaike's information criterion on rows ``[n, d]``; lower is better."""
        of = self._of()
        return _latents.gaussian_mixture_criteria(of, rows_of(self, X))[1]

    def sample(self, n_samples: int = 1) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Draws ``[n, d]``, and the Gaussian of each ``[n]``."""
        return _latents.gaussian_mixture_sample(self._of(), _whole("n_samples", n_samples, 1), seed_of(self.random_state))


class Neighbors(Estimator):
    """Exact nearest neighbours, as scikit-learn's ``NearestNeighbors`` finds them.

    Parameters
    ----------
    n_neighbors : int
        How many.
    metric : "euclidean" or "cosine"
        How distances are measured.

    Examples
    --------
    >>> import latents, numpy as np
    >>> index = latents.Neighbors(2).fit(np.array([[0.0], [1.0], [5.0]]))
    >>> distances, indices = index.kneighbors([[0.2]])
    >>> indices.tolist()
    [[0, 1]]
    """

    n_features_in_: int
    n_samples_fit_: int

    def __init__(self, n_neighbors: int = 5, *, metric: str = "euclidean") -> None:
        self.n_neighbors = n_neighbors
        self.metric = metric

    def fit(self, X: Any, y: Any = None) -> Neighbors:
        """Prepares rows ``[n, d]``; ``y`` is not used."""
        rows = rows_of(self, X, fit=True)
        self._index: Any = _latents.NeighborIndex(rows, self.metric)
        self._rows, self.n_samples_fit_ = rows, len(rows)
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_index"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if "_rows" in state:
            self._index = _latents.NeighborIndex(self._rows, self.metric)

    def kneighbors(self, X: Any = None, n_neighbors: int | None = None, return_distance: bool = True) -> Any:
        """The nearest rows to each query.

        Parameters
        ----------
        X : array [q, d] or None
            The queries; with None the rows themselves, each without itself.
        n_neighbors : int or None
            How many, if not as many as the estimator's.
        return_distance : bool
            Whether to return distances too.

        Returns
        -------
        array [q, k], array [q, k] of int
            Distances and the numbers of the rows, nearest first; or the numbers alone.
        """
        check_fitted(self, "n_samples_fit_")
        k = _whole("n_neighbors", self.n_neighbors if n_neighbors is None else n_neighbors, 1)
        most = self.n_samples_fit_ - (X is None)
        if k > most:
            raise ValueError(f"Expected n_neighbors <= n_samples_fit, but n_neighbors = {k}, n_samples_fit = {self.n_samples_fit_}")
        queries = None if X is None else rows_of(self, X)
        distances, indices = self._index.nearest(queries, k)
        return (distances, indices) if return_distance else indices


class LogisticProbe(Estimator):
    """A linear classifier of vectors: multinomial logistic regression, fitted to convergence.

    Parameters
    ----------
    C : float
        Inverse strength of the penalty on the weights.
    tol : float
        The largest component of the gradient of the mean loss at which the fit has converged.
    max_iter : int
        The most steps.
    standardize : bool
        Whether each column is first scaled to mean 0 and variance 1.

    Attributes
    ----------
    classes_ : array [k]
        The classes.
    coef_, intercept_ : array [k, d], [k]
        Weights and biases; of two classes, one row for the second, as scikit-learn has it.
    n_iter_ : array [1]
        The number of steps.

    Examples
    --------
    >>> import latents, numpy as np
    >>> X, y = np.array([[-2.0], [-1.0], [1.0], [2.0]]), ["no", "no", "yes", "yes"]
    >>> latents.LogisticProbe().fit(X, y).predict([[-3.0], [3.0]]).tolist()
    ['no', 'yes']
    """

    _estimator_type_tag = "classifier"
    classes_: NDArray[Any]
    coef_: NDArray[np.float64]
    intercept_: NDArray[np.float64]
    n_iter_: NDArray[np.int32]
    n_features_in_: int

    def __init__(self, C: float = 1.0, *, tol: float = 1e-5, max_iter: int = 2000, standardize: bool = False) -> None:
        self.C = C
        self.tol = tol
        self.max_iter = max_iter
        self.standardize = standardize

    def fit(self, X: Any, y: Any) -> LogisticProbe:
        """Fits the classifier to rows ``[n, d]`` and their classes ``[n]``."""
        import numpy as np

        rows = rows_of(self, X, fit=True)
        if y is None:
            raise ValueError("LogisticProbe requires y to be passed, but the target y is None")
        check_target(y)
        self.classes_, texts, _ = labels_of(y, len(rows))
        if None in texts:
            raise ValueError("Input y contains NaN.")
        k = len(self.classes_)
        if k < 2:
            raise ValueError("LogisticProbe needs samples of at least 2 classes in the data, but the data contains only one class")
        settings = {
            "c": _number("C", self.C, 0.0, open=True),
            "standardize": bool(self.standardize),
            "tolerance": _number("tol", self.tol, 0.0),
            "iterations": _whole("max_iter", self.max_iter, 1),
        }
        labels = [int(text) for text in texts if text is not None]
        weights, biases, steps, converged = _latents.logistic(rows, labels, k, settings)
        if not converged:
            warnings.warn(f"the fit did not converge in {steps} steps; raise max_iter or tol, or scale the columns", stacklevel=2)
        if k == 2:
            weights, biases = weights[1:] - weights[:1], biases[1:] - biases[:1]
        self.coef_, self.intercept_, self.n_iter_ = weights, biases, np.array([steps], dtype=np.int32)
        return self

    def _logits(self, X: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        import numpy as np

        check_fitted(self, "coef_")
        weights, biases = (np.asarray(a, dtype=np.float64) for a in (self.coef_, self.intercept_))
        if len(weights) == 1:
            weights, biases = np.vstack([np.zeros_like(weights), weights]), np.concatenate([np.zeros(1), biases])
        return _latents.logistic_logits(np.ascontiguousarray(weights), np.ascontiguousarray(biases), rows_of(self, X))

    def decision_function(self, X: Any) -> NDArray[np.float32]:
        """The logits ``[n, k]`` of rows ``[n, d]``; of two classes, those of the second ``[n]``."""
        logits, _ = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """The probability ``[n, k]`` of each class for rows ``[n, d]``."""
        return self._logits(X)[1]

    def predict(self, X: Any) -> NDArray[Any]:
        """The class ``[n]`` of rows ``[n, d]``."""
        logits, _ = self._logits(X)
        predicted: NDArray[Any] = self.classes_[logits.argmax(axis=1)]
        return predicted

    def score(self, X: Any, y: Any) -> float:
        """The part of rows ``[n, d]`` whose class ``[n]`` is predicted."""
        import numpy as np

        return float(np.mean(self.predict(X) == np.asarray(y)))


def check_target(y: Any) -> None:
    """Warns of a column in place of a list of classes, as scikit-learn does."""
    import sys

    import numpy as np

    shape = np.asarray(y).shape
    if len(shape) == 2 and shape[1] == 1:
        category: type[Warning] = UserWarning
        if "sklearn" in sys.modules:
            from sklearn.exceptions import DataConversionWarning

            category = DataConversionWarning
        warnings.warn("A column-vector y was passed when a 1d array was expected. Please change the shape of y to (n_samples,).", category, stacklevel=3)
