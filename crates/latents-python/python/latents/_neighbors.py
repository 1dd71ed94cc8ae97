"""Nearest neighbours and the linear probe of rows. They have scikit-learn's parameters and attributes, and compute with numbers of 32 bits and sums of 64."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from . import _latents
from ._base import Estimator, check_fitted, rows_of
from ._checks import check_target, number, whole
from ._data import labels_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["LogisticProbe", "Neighbors"]


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
        k = whole("n_neighbors", self.n_neighbors if n_neighbors is None else n_neighbors, 1)
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
            "c": number("C", self.C, 0.0, open=True),
            "standardize": bool(self.standardize),
            "tolerance": number("tol", self.tol, 0.0),
            "iterations": whole("max_iter", self.max_iter, 1),
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
