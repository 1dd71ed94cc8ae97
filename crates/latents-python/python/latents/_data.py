"""Image collections."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from ._base import dense
from ._latents import Dataset, Images

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Dataset", "Images", "open"]


def open(source: str | os.PathLike[str], **settings: Any) -> Dataset:
    """Opens an image collection.

    Parameters
    ----------
    source : str or path
        A folder of pictures, a file (``.npz``, ``.npy``, ``.parquet``, ``.csv``, ``.tar``, ...), or the name of a data set such as ``fashion-mnist``.
    **settings
        How pictures become images, by the names of ``[data.pictures]`` in ``config.toml``: ``size=(64, 64)``, ``grey=True``, ``fit="contain"``, ``label="breed"``,
        ``range="p1..p99"``, ``test_fraction=0.2``, ...; and ``train_limit`` and ``test_limit``.

    Returns
    -------
    Dataset
        With the parts ``train``, ``validation``, ``test`` and ``unlabelled``, ``classes``, ``shape`` (c, h, w), ``notes`` and ``warnings``.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ValueError
        If a setting is wrong.
    latents.Error
        If the source cannot be read.

    Examples
    --------
    >>> import latents
    >>> data = latents.open("fashion-mnist-sample")
    >>> data.shape, len(data.train), len(data.test)
    ((1, 28, 28), 2500, 500)
    >>> data.classes[0]
    'T-shirt/top'
    """
    size = settings.get("size")
    if isinstance(size, int):
        settings["size"] = (size, size)
    return Dataset.open(os.fspath(source), json.dumps(settings))


def as_images(X: Any) -> NDArray[Any]:
    """An array of images of a type that needs no conversion in Rust, in C order; a copy only if there is no other way."""
    import numpy as np

    array = dense(X)
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    elif array.dtype.kind == "O" or array.dtype.name not in ("uint8", "uint16", "float32", "float64"):
        array = array.astype(np.float64)
    return np.ascontiguousarray(array) if array.ndim else array.reshape(1)


def labels_of(y: Any, n: int) -> tuple[NDArray[Any], list[str | None], list[str]]:
    """The classes of labels in order, the number of each label's class as text (None for no label), and the classes as text."""
    import numpy as np

    labels = np.asarray(y)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise ValueError(f"y should be a 1d array, got an array of shape {labels.shape} instead")
    if len(labels) != n:
        raise ValueError(f"Found input variables with inconsistent numbers of samples: [{n}, {len(labels)}]")
    known = np.array([label is not None and label == label for label in labels.tolist()], dtype=bool)
    if labels.dtype.kind == "f" and not np.all(labels[known] == np.floor(labels[known])):
        raise ValueError("Unknown label type: continuous. y must have a class for each image, but it has numbers that are not whole")
    found = labels[known]
    if found.dtype.kind == "O" and len({type(label) for label in found.tolist()}) == 1:
        found = np.array(found.tolist())
    classes, numbers = np.unique(found, return_inverse=True)
    texts: list[str | None] = [None] * n
    for place, number in zip(np.flatnonzero(known).tolist(), numbers.tolist(), strict=True):
        texts[place] = str(number)
    return classes, texts, [str(name) for name in classes.tolist()]


def y_of(images: Images) -> NDArray[np.object_] | None:
    """The names of the classes of images, or None if no image has one."""
    import numpy as np

    labels = images.labels
    if labels is None:
        return None
    classes = images.classes
    return np.array([classes[label] if label >= 0 else None for label in labels], dtype=object)
