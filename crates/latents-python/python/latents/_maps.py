"""Linear and curved maps of rows: principal components and t-SNE. They have scikit-learn's parameters and attributes, and compute with numbers of 32 bits and sums of 64."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from . import _latents
from ._base import Estimator, check_fitted, like, rows_of, seed_of
from ._checks import number, whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["PCA", "TSNE"]


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
        components = whole("n_components", self.n_components, 1)
        if components > 2:
            raise ValueError(f"n_components must be 1 or 2, not {components}: maps are planes or lines; for other dimensions use PCA")
        if self.metric != "euclidean":
            raise ValueError(f"metric must be 'euclidean', not {self.metric!r}; for cosine distances, scale the rows to length 1 first")
        steps = whole("max_iter", self.max_iter, 1)
        perplexity = number("perplexity", self.perplexity, 1.0, open=True)
        rate = None if self.learning_rate == "auto" else number("learning_rate", self.learning_rate, 0.0, open=True)
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
            "early_exaggeration": number("early_exaggeration", self.early_exaggeration, 1.0),
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
            count = whole("n_components", self.n_components, 1)
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
