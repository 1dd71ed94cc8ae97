"""What the kinds of models share: estimators whose fit trains a run, which is a folder as the command ``latents`` leaves it. The kinds themselves are in `_kinds`."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from . import _latents
from ._base import Estimator, check_fitted, rows_of
from ._checks import check_target
from ._data import Dataset, Images, as_images, labels_of, open as open_source, y_of
from ._display import Card, Explorer, Figure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

M = TypeVar("M", bound="Model")

__all__ = ["Model", "Neighbor"]

_STORED = "latents._files"


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


class Model(Estimator):
    """What all models share.

    Attributes
    ----------
    run_ : path
        The folder of the run.
    history_ : list of dict
        The metrics of each epoch: ``train_loss``, ``val_loss``, ...
    """

    _kind: str
    run_: Path

    def fit(self: M, X: Any, y: Any = None, out: str | os.PathLike[str] | None = None) -> M:
        """Trains the model, or goes on where it stopped.

        Parameters
        ----------
        X : Dataset, or array [n, h, w], [n, c, h, w], [n, h, w, c] or [n, d]
            The images: what `latents.open` gives, the name of a source, or an array of bytes or of numbers. Rows of pixels are square images; rows of any other
            numbers are taken as images of one row, from their least number to their largest. Part of the images (`validation_fraction`) is held out for validation.
        y : array [n] or None
            The class of each image of an array, or None for one without.
        out : path or None
            The folder of the run. A run with the same settings that was stopped there goes on, a finished one is opened. With None it is a temporary folder, which is
            removed with the model.

        Returns
        -------
        Model
            Itself.

        Raises
        ------
        ValueError
            If a setting is wrong.
        KeyboardInterrupt
            After Ctrl-C; the same call goes on if `out` was given.
        """
        data = self._opened(X, y)
        folder = _Folder() if out is None else None
        run = folder.path / "run" if folder is not None else Path(out or "")
        model = _latents.train(self._kind, data, json.dumps(self._settings()), self._start(), run)
        self._take(model, folder)
        self._data: Dataset | None = data
        return self

    def _opened(self, X: Any, y: Any) -> Dataset:
        """The images to train on; sets ``n_features_in_`` and ``classes_``."""
        import numpy as np

        if isinstance(X, (str, os.PathLike)):
            X = open_source(X)
        if isinstance(X, Images):
            raise TypeError("fit needs a whole data set: pass what latents.open gives, not a part of it")
        if isinstance(X, Dataset):
            if y is not None:
                raise TypeError("y is only for arrays: a data set has its own labels")
            if X.classes:
                self.classes_ = np.array(X.classes, dtype=object)
            return X
        images = self._array(X, fit=True)
        texts, names = self._labels(y, len(images))
        return Dataset.from_array((images, texts, None), names)

    def _labels(self, y: Any, n: int) -> tuple[list[str | None] | None, list[str] | None]:
        """The number of each label's class as text, and the names of the classes; sets ``classes_``."""
        if y is None:
            return None, None
        self.classes_, texts, names = labels_of(y, n)
        return texts, names

    def _array(self, X: Any, *, fit: bool = False) -> NDArray[Any]:
        """An array of images. Rows ``[n, d]`` are checked as scikit-learn checks them."""
        import numpy as np

        array = as_images(X)
        if array.ndim in (3, 4):
            return array
        if array.ndim == 2 and array.dtype.kind == "u" and 0 not in array.shape:
            if not fit and array.shape[1] != self.n_features_in_:
                raise ValueError(f"X has {array.shape[1]} features, but {type(self).__name__} is expecting {self.n_features_in_} features as input")
            return array
        return np.asarray(rows_of(self, X, fit=fit, least=2 if fit else 1))

    def _settings(self) -> dict[str, Any]:
        """The settings that are given, by their paths in config.toml."""
        paths = dict(_latents.setting_paths(self._kind))
        given = {paths[name]: getattr(self, name) for name in self._parameters() if name in paths}
        return {path: _plain(value) for path, value in given.items() if value is not None}

    def _adopt(self, config: dict[str, Any]) -> None:
        """Takes the settings of a run, as in config.toml, for its parameters."""
        for name, path in _latents.setting_paths(self._kind):
            section, setting = path.split(".")
            if setting in config[section]:
                setattr(self, name, config[section][setting])

    def _start(self) -> dict[str, Any]:
        return {"encoder": None, "from_scratch": False, "freeze_encoder": False, "minutes": getattr(self, "minutes", None)}

    def _take(self, model: _latents.Model, folder: _Folder | None) -> None:
        self._model, self._folder, self.run_ = model, folder, model.run
        c, h, w = model.shape
        self.n_features_in_ = c * h * w

    @property
    def model_(self) -> _latents.Model:
        """The trained model of the library."""
        check_fitted(self, "_model")
        return self._model

    @property
    def history_(self) -> list[dict[str, Any]]:
        """The metrics of each epoch."""
        epochs: list[dict[str, Any]] = json.loads(self.model_.metrics())
        return epochs

    @property
    def config_(self) -> dict[str, Any]:
        """All settings of the run, as in ``config.toml``."""
        settings: dict[str, Any] = json.loads(self.model_.config())
        return settings

    def _images(self, X: Any) -> Images:
        """Images in the model's shape and range."""
        if isinstance(X, Images):
            return X
        if isinstance(X, Dataset):
            raise TypeError("this takes images, not a whole data set: pass a part of it, such as data.test, or data.all")
        if isinstance(X, (str, os.PathLike)):
            return self.model_.images_of_source(os.fspath(X))
        check_fitted(self, "_model")
        return self.model_.images_of_array((self._array(X), None, None))

    def _all(self) -> Dataset:
        """The images that the model was fitted on."""
        if getattr(self, "_data", None) is None:
            self._data = self.model_.data()
        assert self._data is not None
        return self._data

    def evaluate(self, X: Any = None, y: Any = None) -> Card:
        """All measures of the model on images that it was not fitted on.

        Parameters
        ----------
        X : Dataset, Images, array, source or None
            The images to measure on: the test part of a data set, or all of these; with None the test part of what the model was fitted on.
        y : array [n] or None
            The class of each image of an array.

        Returns
        -------
        Card
            The measures by their names, which print as a table.
        """
        if isinstance(X, Dataset) or X is None:
            data = self._all() if X is None else X
        else:
            if y is not None:
                texts = self._class_numbers(y)
                X = self.model_.images_of_array((self._array(X), texts, None))
            data = self._all().with_test(self._images(X))
        measures, markdown = self.model_.evaluate(data)
        return Card(json.loads(measures), markdown)

    def _class_numbers(self, y: Any) -> list[str | None]:
        """The number of the class of each label, among those of the fit, as text."""
        import numpy as np

        known = {label: str(i) for i, label in enumerate(self.classes_.tolist())}
        labels = np.asarray(y).tolist()
        missing = next((label for label in labels if label is not None and label not in known), None)
        if missing is not None:
            raise ValueError(f"y has the class {missing!r}, which the model was not fitted on")
        return [None if label is None else known[label] for label in labels]

    def loss_figure(self) -> Figure:
        """The loss of each epoch."""
        return Figure(self.model_.loss_figure())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Copies the folder of the run, so that `latents.load` and the command open it.

        Parameters
        ----------
        path : path
            A folder that is not there yet.
        """
        target = Path(path)
        if target.exists():
            raise FileExistsError(f"{target} exists; choose another folder")
        check_fitted(self, "_model")
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            shutil.copytree(self.run_, temporary)
            os.rename(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def __getstate__(self) -> dict[str, Any]:
        hidden = ("_model", "_folder", "_data", "_last_searched", "run_")
        state = {name: value for name, value in self.__dict__.items() if name not in hidden}
        if "_model" in self.__dict__:
            run = self.run_
            state[_STORED] = {str(f.relative_to(run).as_posix()): f.read_bytes() for f in sorted(run.rglob("*")) if _is_kept(f, run)}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        files = state.pop(_STORED, None)
        self.__dict__.update(state)
        if files is None:
            return
        folder = _Folder()
        for name, content in files.items():
            file = folder.path / "run" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        self._take(_latents.Model.open(folder.path / "run", False), folder)

    def __sklearn_is_fitted__(self) -> bool:
        return "_model" in self.__dict__


def _is_kept(file: Path, run: Path) -> bool:
    """Whether a file of a run goes with a stored model: all that a finished run needs, without its checkpoints."""
    return file.is_file() and file.relative_to(run).parts[0] not in ("checkpoint", "snapshots", "figures", "tables")


def _plain(value: Any) -> Any:
    """A setting as JSON knows it."""
    import numpy as np

    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value


class _Folder:
    """A temporary folder, which is removed with its owner; not by a forked process."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="latents-"))
        self._remove = weakref.finalize(self, _remove, str(self.path), os.getpid())


def _remove(path: str, process: int) -> None:
    if os.getpid() == process:
        shutil.rmtree(path, ignore_errors=True)


class _LatentModel(Model):
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


class _ClassModel(Model):
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
