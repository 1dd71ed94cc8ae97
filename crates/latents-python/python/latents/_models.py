"""What the kinds of models share: estimators whose fit trains a run, which is a folder as the command ``latents`` leaves it. The kinds themselves are in `_kinds`."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from . import _latents
from ._base import Estimator, check_fitted, rows_of
from ._data import Dataset, Images, as_images, labels_of, open as open_source
from ._display import Card, Figure

if TYPE_CHECKING:
    from numpy.typing import NDArray

M = TypeVar("M", bound="Model")

__all__ = ["Model", "plain"]

_STORED = "latents._files"


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
        return {path: plain(value) for path, value in given.items() if value is not None}

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


def plain(value: Any) -> Any:
    """A setting as JSON knows it."""
    import numpy as np

    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return value


class _Folder:
    """A temporary folder, which is removed with its owner; not by a forked process."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="latents-"))
        self._remove = weakref.finalize(self, _remove, str(self.path), os.getpid())


def _remove(path: str, process: int) -> None:
    if os.getpid() == process:
        shutil.rmtree(path, ignore_errors=True)
