"""Scores of disentanglement of latents whose factors of variation are known."""

from __future__ import annotations

import json
from typing import Any

from . import _latents
from ._base import dense, seed_of
from ._data import labels_of

__all__ = ["disentanglement"]


def disentanglement(latents: Any, factors: Any, *, random_state: Any = None) -> dict[str, Any]:
    """Scores whether each latent follows one known factor of variation.

    Parameters
    ----------
    latents : array [n, d]
        Latents of at least 100 images, at least two of each.
    factors : array [n, f], or a mapping or table of names to values [n]
        The value of each factor of each image, as a class: whole numbers or text. At least two factors, and ten images for each value on average.
    random_state : int, generator or None
        Chooses the images that predictions are tested on. None is 0.

    Returns
    -------
    dict
        ``mig``, the mutual information gap (Chen et al., 2018), and ``sap``, the separated attribute predictability (Kumar et al., 2018), as means over the factors;
        ``disentanglement``, ``completeness`` and ``informativeness`` (Eastwood and Williams, 2018); ``images``; and ``factors``, a list with the scores of each factor: ``name``,
        ``values``, ``mig``, ``sap``, ``completeness``, ``informativeness`` and ``importances`` of the latents.

    Raises
    ------
    ValueError
        If the numbers of rows differ, a factor has a single value, or there are too few images, latents or factors.

    Examples
    --------
    >>> import latents, numpy as np
    >>> factors = np.array([(a, b) for a in range(4) for b in range(5)] * 10)
    >>> latents.disentanglement(factors, factors)["disentanglement"]
    1.0
    >>> turned = factors @ [[0.8, 0.6], [-0.6, 0.8]]
    >>> latents.disentanglement(turned, factors)["mig"] < 0.5
    True
    """
    import numpy as np

    rows = dense(latents)
    if rows.ndim != 2 or rows.dtype.kind not in "fiub":
        raise ValueError(f"latents should be a 2d array of numbers, got an array of shape {rows.shape} instead")
    if hasattr(factors, "keys"):
        columns = {str(name): factors[name] for name in factors.keys()}
    else:
        table = dense(factors)
        if table.ndim != 2:
            raise ValueError(f"factors should be a 2d array, got an array of shape {table.shape} instead")
        columns = {str(i): column for i, column in enumerate(table.T)}
    named = []
    for name, values in columns.items():
        _, texts, _ = labels_of(values, len(rows))
        numbers = [int(text) for text in texts if text is not None]
        if len(numbers) < len(rows):
            raise ValueError(f"factor {name!r} has no value for some images: leave these images out")
        named.append((name, numbers))
    with np.errstate(over="ignore"):
        rows = np.ascontiguousarray(rows, dtype=np.float32)
    scores: dict[str, Any] = json.loads(_latents.disentanglement(rows, named, seed_of(random_state)))
    return scores
