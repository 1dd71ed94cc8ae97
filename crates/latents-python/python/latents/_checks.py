"""Checks of parameters and of targets, with scikit-learn's warnings."""

from __future__ import annotations

import warnings
from typing import Any

__all__ = ["check_target", "number", "whole"]


def whole(name: str, value: Any, least: int) -> int:
    """A parameter that is a whole number."""
    import numpy as np

    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}")
    return int(value)


def number(name: str, value: Any, least: float, *, open: bool = False) -> float:
    """A parameter that is a number."""
    import numpy as np

    is_number = not isinstance(value, bool) and isinstance(value, (int, float, np.integer, np.floating))
    if not is_number or not np.isfinite(value) or value < least or (open and value == least):
        raise ValueError(f"{name} must be a number {'above' if open else 'of at least'} {least:g}, not {value!r}")
    return float(value)


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
