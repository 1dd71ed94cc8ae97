"""Models with latents that they decode: all that is done with latents, from samples and traversals to searches and maps."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import _latents
from ._data import Dataset, Images, labels_of
from ._display import Explorer, Figure
from ._models import Model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["LatentModel", "Neighbor"]


@dataclass(frozen=True)
class Neighbor:
    """A result of a search."""

    name: str
    """The image's name, or its number."""
    distance: float
    """Its distance from the query."""
    index: int
    """Its number among the images searched."""
    label: str | None
    """The name of its class."""
    part: str | None
    """Its part of the data set."""


class LatentModel(Model):
    """A model with latents that it decodes."""

    _estimator_type_tag = "transformer"

    def _labels(self, y: Any, n: int) -> tuple[list[str | None] | None, list[str] | None]:
        # In a pipeline, y may be the target of a regression, which is of use to conditional models alone.
        try:
            return super()._labels(y, n)
        except ValueError:
            if len(y) != n or getattr(self, "conditional", None):
                raise
            return None, None

    def encode(self, X: Any) -> NDArray[np.float32]:
        """The latents of images; of a variational model, their means; of a VQ-VAE, their codes.

        Parameters
        ----------
        X : Images, array or source
            Images ``[n, h, w]``, ``[n, c, h, w]``, ``[n, h, w, c]`` or ``[n, numbers]``, a part of a data set, or what `latents.open` would open. Bytes of the model's
            own shape in C order are not copied.

        Returns
        -------
        array [n, d] of float32
        """
        if isinstance(X, (Images, Dataset, str, os.PathLike)):
            return self.model_.encode(self._images(X))
        model = self.model_
        return model.encode_array((self._array(X), None, None))

    def transform(self, X: Any) -> NDArray[np.float32]:
        """The same as `encode`, by scikit-learn's name."""
        return self.encode(X)

    def fit_transform(self, X: Any, y: Any = None) -> NDArray[np.float32]:
        """Trains the model and returns the latents of all images that it was given, ``[n, d]``."""
        self.fit(X, y)
        data = self._all()
        return self.encode(data.all if isinstance(X, (Dataset, str, os.PathLike)) else X)

    def decode(self, Z: Any, classes: Any = None) -> NDArray[np.float32]:
        """The images of latents.

        Parameters
        ----------
        Z : array [n, d]
            Latents.
        classes : class, array [n] of classes, or None
            The class of each image, or one for all. A conditional model needs it, and other models take none.

        Returns
        -------
        array [n, c, h, w] of float32, from 0 to 1
        """
        latents = _latents_of(Z)
        names = _names_of(classes)
        if names is not None and _is_one(classes):
            names = names * len(latents)
        return self.model_.decode(latents, names)

    def inverse_transform(self, Z: Any) -> NDArray[np.float32]:
        """The same as `decode`, by scikit-learn's name."""
        return self.decode(Z)

    def _labelled(self, X: Any, y: Any) -> Images:
        """Images in the model's shape and range; those of an array with the classes ``y`` if the model is conditional."""
        if y is None or not self.model_.conditional:
            return self._images(X)
        if isinstance(X, (Images, Dataset, str, os.PathLike)):
            raise TypeError("y is only for arrays: these images have their own labels")
        images = self._array(X)
        labels_of(y, len(images))
        return self.model_.images_of_array((images, [None if label is None else str(label) for label in _listed(y)], None))

    def reconstruct(self, X: Any, y: Any = None) -> NDArray[np.float32]:
        """The images that come back from the latents of images: ``[n, c, h, w]``, from 0 to 1.

        Parameters
        ----------
        X : Images, array or source
            The images.
        y : array [n] or None
            The class of each image of an array, which a conditional model needs; other models do without.
        """
        return self.model_.reconstruct(self._labelled(X, y))

    def reconstruction_errors(self, X: Any, y: Any = None) -> NDArray[np.float32]:
        """The mean squared error of the reconstruction of each image, ``[n]``, over pixels from 0 to 1; ``y`` is as of `reconstruct`."""
        return self.model_.reconstruction_errors(self._labelled(X, y))

    def score(self, X: Any, y: Any = None) -> float:
        """The negative mean squared error of reconstructions; higher is better, as scikit-learn has it. Only conditional models use ``y``."""
        import numpy as np

        return -float(self.reconstruction_errors(X, y).mean(dtype=np.float64))

    def sample(
        self,
        n: int = 1,
        *,
        sampler: str | None = None,
        components: int = 10,
        temperature: float = 1.0,
        seed: int = 0,
        classes: Any = None,
        return_latents: bool = False,
        return_classes: bool = False,
    ) -> Any:
        """New images.

        Parameters
        ----------
        n : int
            How many.
        sampler : "mixture", "flow", "prior", "normal", "uniform" or None
            Where latents are drawn from: a mixture of Gaussians or a normalising flow fitted to those of the training images, the prior that the model has learned
            (N(0, I) if it has learned none), N(0, I), or the box of the training latents. Of a conditional model, a mixture or a flow is fitted to the latents of each
            class. With None, the prior for a VQVAE, whose codes are drawn from it alone, and a mixture for the other models.
        components : int
            Gaussians of the mixture.
        temperature : float
            Below 1, images are likelier and vary less. It multiplies the standard deviations of normal distributions, those of each component of a mixture and of
            what a flow maps, and divides the logits of codes; the box has none.
        seed : int
            Seed.
        classes : class, list of classes, or None
            Of a conditional model, the classes to make images of: as many of each as possible, in this order. With None every class. Other models take none.
        return_latents : bool
            Whether to return the latents too.
        return_classes : bool
            Whether to return the names of the images' classes too, of a conditional model.

        Returns
        -------
        array [n, c, h, w] of float32, from 0 to 1
            And the latents ``[n, d]`` and the classes ``[n]``, if asked for.

        Raises
        ------
        ValueError
            If an argument is wrong, or another sampler than the prior is asked of a VQVAE.
        """
        import numpy as np

        if sampler is None:
            sampler = "mixture" if self.model_.code_bits is None else "prior"
        images, latents, names = self.model_.sample(n, sampler, components, temperature, seed, _names_of(classes))
        if return_classes and names is None:
            raise ValueError("return_classes needs a conditional model: VAE(conditional=True) or VQVAE(conditional=True)")
        made = [images]
        if return_latents:
            made.append(latents)
        if return_classes:
            made.append(np.array(names, dtype=object))
        return tuple(made) if len(made) > 1 else images

    def traverse(
        self, start: Any, end: Any = None, *, axis: int | None = None, steps: int = 10, spherical: bool = False, classes: Any = None
    ) -> NDArray[np.float32]:
        """Images at equal steps between two latents; or through one latent along an axis, from two standard deviations of the training latents below to two above.

        Parameters
        ----------
        start, end : array [d], or image [c, h, w] or [h, w]
            Latents, or images that are encoded first. Without an end, `axis` says which way.
        axis : int or None
            A latent axis; with None the 16 of largest variance.
        steps : int
            The number of images on the way.
        spherical : bool
            Whether to go on an arc around the origin.
        classes : class, list of classes, or None
            Of a conditional model, the class that the images have; on the way to an end also several, with None every one. Other models take none.

        Returns
        -------
        array [steps, c, h, w], [classes, steps, c, h, w] or [axes, steps, c, h, w]
        """
        first, names = self._point(start), _names_of(classes)
        if end is not None:
            images = self.model_.traverse(first, self._point(end), steps, spherical, names)[0]
            several = self.model_.conditional and not _is_one(classes)
            return images.reshape(-1, steps, *images.shape[1:]) if several else images
        if names is not None and len(names) != 1:
            raise ValueError(f"classes must be one class along an axis, not {len(names)}")
        return self.model_.traverse_axes(first, axis, steps, None if names is None else names[0])[0]

    def _point(self, of: Any) -> NDArray[np.float32]:
        import numpy as np

        array = np.asarray(of)
        return _latents_of(array[None]) if array.ndim == 1 else self.encode(array[None])

    def search(self, queries: Any, k: int = 10, *, X: Any = None, metric: str = "euclidean") -> Any:
        """The images whose latents are nearest to those of queries.

        Parameters
        ----------
        queries : str, path, int, or a list of them
            Names or numbers of images that are searched, or paths of pictures.
        k : int
            How many.
        X : Images, array, source or None
            The images to search; with None all that the model was fitted on.
        metric : "euclidean" or "cosine"
            How distances are measured.

        Returns
        -------
        list of Neighbor
            Nearest first; a list for each query if there are several.
        """
        if metric not in ("euclidean", "cosine"):
            raise ValueError(f"metric must be 'euclidean' or 'cosine', not {metric!r}")
        several = isinstance(queries, (list, tuple))
        texts = [os.fspath(q) if isinstance(q, os.PathLike) else str(q) for q in (queries if several else [queries])]
        found = json.loads(self.model_.search(self._searched(X, metric), texts, k))
        rows = [[_neighbor(near) for near in query["neighbours"]] for query in found["queries"]]
        return rows if several else rows[0]

    def _searched(self, X: Any, metric: str) -> _latents.SearchedImages:
        """Images that are encoded for searches; those of the last search are kept, if they cannot have changed."""
        kept: tuple[Any, Any, str, _latents.SearchedImages] | None = getattr(self, "_last_searched", None)
        if kept is not None and kept[0] is self.model_ and kept[1] is X and kept[2] == metric:
            return kept[3]
        images = self._all().all if X is None else self._images(X)
        searched = self.model_.searched(images, metric == "cosine")
        if X is None or isinstance(X, Images):
            self._last_searched = (self.model_, X, metric, searched)
        return searched

    def outliers(self, X: Any = None, *, top: int = 10, same: float = 0.03) -> Any:
        """The images unlike the others: hard to reconstruct, far in the latent space, or nearly the same as another.

        Parameters
        ----------
        X : Images, array, source or None
            The images; with None all that the model was fitted on.
        top : int
            How many of each kind.
        same : float
            Two images are nearly the same up to this root mean squared difference of their pixels, from 0 to 1.

        Returns
        -------
        dict of lists, or pandas.DataFrame if pandas is there
            ``kind``, ``rank``, ``image``, ``name``, ``part``, ``class``, ``squared_error``, ``distance``, ``other``, ``difference``.
        """
        images = self._all().all if X is None else self._images(X)
        return _table(self.model_.outliers(images, top, same)[0])

    def explore(self, X: Any = None, *, seed: int = 0) -> Explorer:
        """A page on which a person explores the latents of images: a map, and the decoder. A notebook shows it in a frame.

        Parameters
        ----------
        X : Images, array, source or None
            At least 5 images; with None the test part of what the model was fitted on, or all of it if that has none.
        seed : int
            Seed of the map.

        Returns
        -------
        Explorer
            With ``save("explorer.html")``.
        """
        if X is None:
            data = self._all()
            X = data.test if len(data.test) >= 5 else data.all
        return Explorer(self.model_.explore(self._images(X), seed))

    def map_figure(self, X: Any, *, perplexity: float = 30.0, seed: int = 0) -> Figure:
        """A t-SNE of the latents of images, coloured by class."""
        return Figure(self.model_.map(self._images(X), perplexity, seed)[1])

    def reconstructions_figure(self) -> Figure:
        """Some test images and their reconstructions."""
        return Figure(self.model_.reconstructions_figure(self._all()))

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """The names of the latents: ``z0``, ``z1``, ..."""
        import numpy as np

        return np.array([f"z{i}" for i in range(self.model_.latent_dim or 0)], dtype=object)


def _is_one(classes: Any) -> bool:
    """Whether this is one class and not a list of them."""
    import numpy as np

    return classes is not None and np.ndim(classes) == 0


def _listed(values: Any) -> list[Any]:
    import numpy as np

    listed: list[Any] = np.asarray(values).reshape(-1).tolist()
    return listed


def _names_of(classes: Any) -> list[str] | None:
    """The names of a class or of several."""
    return None if classes is None else [str(name) for name in _listed(classes)]


def _latents_of(Z: Any) -> NDArray[np.float32]:
    import numpy as np

    array = np.ascontiguousarray(Z, dtype=np.float32)
    if array.ndim != 2:
        raise ValueError(f"latents are an array [n, d], not one of shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError("latents must be finite")
    return array


def _neighbor(near: dict[str, Any]) -> Neighbor:
    item = near.get("item", near)
    name = item.get("name")
    return Neighbor(str(item["index"]) if name is None else name, near["distance"], item["index"], item.get("label"), item.get("part"))


def _table(columns: dict[str, list[Any]]) -> Any:
    try:
        import pandas as pd
    except ImportError:
        return columns
    return pd.DataFrame(columns)
