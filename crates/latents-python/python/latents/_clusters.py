"""Clusters of rows: k-means and mixtures of Gaussians. They have scikit-learn's parameters and attributes, and compute with numbers of 32 bits and sums of 64."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

from . import _latents
from ._base import Estimator, check_fitted, like, rows_of, seed_of
from ._checks import number, whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["GaussianMixture", "KMeans"]


def _candidates(clusters: int) -> int:
    """Rows that are drawn for each initial centre, as many as scikit-learn draws."""
    return 2 + int(math.log(clusters))


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
        clusters = whole("n_clusters", self.n_clusters, 1)
        rows = rows_of(self, X, fit=True)
        if len(rows) < clusters:
            raise ValueError(f"n_samples={len(rows)} should be >= n_clusters={clusters}.")
        settings = {
            "clusters": clusters,
            "seed": seed_of(self.random_state),
            "starts": 1 if self.n_init == "auto" else whole("n_init", self.n_init, 1),
            "iterations": whole("max_iter", self.max_iter, 1),
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
        components = whole("n_components", self.n_components, 1)
        settings = {
            "components": components,
            "tolerance": number("tol", self.tol, 0.0),
            "regularisation": number("reg_covar", self.reg_covar, 0.0),
            "iterations": whole("max_iter", self.max_iter, 1),
            "starts": whole("n_init", self.n_init, 1),
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
        return _latents.gaussian_mixture_sample(self._of(), whole("n_samples", n_samples, 1), seed_of(self.random_state))
