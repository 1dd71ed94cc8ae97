"""Models that classify images."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ._checks import check_target
from ._data import Dataset, y_of
from ._models import M, Model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ClassModel"]


class ClassModel(Model):
    """A model that classifies images."""

    _estimator_type_tag = "classifier"
    classes_: NDArray[Any]

    def _labels(self, y: Any, n: int) -> tuple[list[str | None] | None, list[str] | None]:
        check_target(y)
        texts, names = super()._labels(y, n)
        if len(self.classes_) < 2:
            raise ValueError(f"{type(self).__name__} needs samples of at least 2 classes in the data, but the data contains only one class")
        return texts, names

    def fit(self: M, X: Any, y: Any = None, out: str | os.PathLike[str] | None = None) -> M:
        if y is None and not isinstance(X, (Dataset, str, os.PathLike)):
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        return super().fit(X, y, out)

    fit.__doc__ = Model.fit.__doc__

    def predict_proba(self, X: Any, *, flip: bool = False) -> NDArray[np.float32]:
        """The probability of each class.

        Parameters
        ----------
        X : Images, array or source
            The images.
        flip : bool
            Whether to average with the probabilities of the mirror images.

        Returns
        -------
        array [n, k] of float32
        """
        return self.model_.predict_proba(self._images(X), flip)

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of each image, ``[n]``."""
        probabilities = self.predict_proba(X)
        predicted: NDArray[Any] = self.classes_[probabilities.argmax(axis=1)]
        return predicted

    def score(self, X: Any, y: Any = None) -> float:
        """The part of images whose class is predicted.

        Parameters
        ----------
        X : Images, array or source
            The images.
        y : array [n] or None
            Their classes; with None those that the images have.
        """
        import numpy as np

        images = self._images(X)
        labels = y_of(images) if y is None else np.asarray(y)
        if labels is None:
            raise ValueError("score needs y: these images have no labels")
        return float(np.mean(self.predict(images) == labels))
