"""What all estimators share: parameters as scikit-learn keeps them, and checks of arrays with its messages. scikit-learn itself is not needed."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Self = TypeVar("Self", bound="Estimator")

__all__ = ["Estimator", "check_fitted", "rows_of", "seed_of"]


class Estimator:
    """Parameters are the arguments of the constructor, kept under their names; what is fitted ends in an underscore."""

    _estimator_type_tag: str | None = None
    """scikit-learn's name of the type: classifier, clusterer, density_estimator or transformer."""

    @classmethod
    def _parameters(cls) -> list[str]:
        code = cls.__init__.__code__
        return sorted(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount])

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by their names.

        Parameters
        ----------
        deep : bool
            Whether to give the parameters of parameters that are estimators too.
        """
        found: dict[str, Any] = {}
        for name in self._parameters():
            value = getattr(self, name)
            found[name] = value
            if deep and hasattr(value, "get_params") and not isinstance(value, type):
                found.update({f"{name}__{inner}": v for inner, v in value.get_params().items()})
        return found

    def set_params(self: Self, **params: Any) -> Self:
        """Sets parameters by their names.

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        known = self._parameters()
        for path, value in params.items():
            name, _, inner = path.partition("__")
            if name not in known:
                raise ValueError(f"Invalid parameter {name!r} for estimator {self}. Valid parameters are: {known!r}.")
            if inner:
                getattr(self, name).set_params(**{inner: value})
            else:
                setattr(self, name, value)
        return self

    def _defaults(self) -> dict[str, Any]:
        code = self.__class__.__init__
        defaults = code.__defaults__ or ()
        names = code.__code__.co_varnames[1 : code.__code__.co_argcount]
        return {**dict(zip(names[len(names) - len(defaults) :], defaults, strict=True)), **(code.__kwdefaults__ or {})}

    def __repr__(self) -> str:
        defaults = self._defaults()
        shown = [f"{n}={v!r}" for n, v in self.get_params(deep=False).items() if not (n in defaults and _same(v, defaults[n]))]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags, TransformerTags

        kind = self._estimator_type_tag
        return Tags(
            estimator_type=None if kind == "transformer" else kind,
            target_tags=TargetTags(required=kind == "classifier"),
            transformer_tags=TransformerTags(preserves_dtype=[]) if hasattr(self, "transform") else None,
            classifier_tags=ClassifierTags() if kind == "classifier" else None,
            regressor_tags=None,
            array_api_support=False,
            no_validation=False,
            non_deterministic=False,
            requires_fit=True,
            _skip_test=False,
            input_tags=InputTags(),
        )


def _same(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and bool(one == other))


def seed_of(random_state: Any) -> int:
    """The seed that ``random_state`` means: 0 for None, the number itself, or a draw from a generator."""
    import numpy as np

    if random_state is None:
        return 0
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**32))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    if isinstance(random_state, (int, np.integer)) and random_state >= 0:
        return int(random_state)
    raise ValueError(f"random_state must be None, a whole number of at least 0, or a generator, not {random_state!r}")


def check_fitted(estimator: Estimator, attribute: str) -> None:
    """Raises scikit-learn's error, or one like it, if the estimator is not fitted."""
    if hasattr(estimator, attribute):
        return
    name = type(estimator).__name__
    text = f"This {name} instance is not fitted yet. Call 'fit' with appropriate arguments before using this estimator."
    if "sklearn" in sys.modules:
        from sklearn.exceptions import NotFittedError

        raise NotFittedError(text)
    raise ValueError(text)


def _names_of(X: Any) -> NDArray[np.object_] | None:
    """The names of the columns of a table."""
    import numpy as np

    columns = getattr(X, "columns", None)
    if columns is None:
        return None
    names = list(columns)
    if all(isinstance(name, str) for name in names):
        return np.array(names, dtype=object)
    if any(isinstance(name, str) for name in names):
        raise TypeError(
            "Feature names are only supported if all input features have string names, but your input has names of several types. "
            "If you want feature names to be stored and validated, you must convert them all to strings, by using X.columns = X.columns.astype(str) for example."
        )
    return None


def _check_names(estimator: Any, names: NDArray[np.object_] | None, fit: bool) -> None:
    if fit:
        if names is not None:
            estimator.feature_names_in_ = names
        elif hasattr(estimator, "feature_names_in_"):
            del estimator.feature_names_in_
        return
    known = getattr(estimator, "feature_names_in_", None)
    of = type(estimator).__name__
    if known is None:
        if names is not None:
            warnings.warn(f"X has feature names, but {of} was fitted without feature names", UserWarning, stacklevel=4)
        return
    if names is None:
        warnings.warn(f"X does not have valid feature names, but {of} was fitted with feature names", UserWarning, stacklevel=4)
        return
    if list(names) == list(known):
        return
    text = "The feature names should match those that were passed during fit.\n"
    unseen, missing = sorted(set(names) - set(known)), sorted(set(known) - set(names))
    for what, some in (("Feature names unseen at fit time", unseen), ("Feature names seen at fit time, yet now missing", missing)):
        if some:
            shown = "".join(f"- {name}\n" for name in some[:5])
            text += f"{what}:\n{shown}" + ("- ...\n" if len(some) > 5 else "")
    if not unseen and not missing:
        text += "Feature names must be in the same order as they were in fit.\n"
    raise ValueError(text)


def dense(X: Any) -> NDArray[Any]:
    """The array, if it is dense and of real numbers."""
    import numpy as np

    if hasattr(X, "toarray"):
        raise TypeError("Sparse data was passed for X, but dense data is required. Use '.toarray()' to convert it.")
    array = np.asarray(X)
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported\n{array}\n")
    return array


def rows_of(estimator: Any, X: Any, *, fit: bool = False, least: int = 1) -> NDArray[np.float32]:
    """Rows ``[n, d]`` of float32 in C order, checked as scikit-learn checks them.

    Parameters
    ----------
    estimator
        Whose rows they are; its ``n_features_in_`` and ``feature_names_in_`` are set by a fit, and compared otherwise.
    X : array [n, d]
        The rows.
    fit : bool
        Whether this is a fit.
    least : int
        The least number of rows.
    """
    import numpy as np

    names, array = _names_of(X), dense(X)
    if array.dtype.kind not in "fiub":
        array = array.astype(np.float64)
    if array.ndim != 2:
        hint = (
            "Reshape your data either using array.reshape(-1, 1) if your data has a single feature or array.reshape(1, -1) if it contains a single sample."
            if array.ndim == 1
            else "Use array.reshape(len(array), -1) to make each image a row."
        )
        raise ValueError(f"Expected 2D array, got {array.ndim}D array instead:\narray={array}.\n{hint}")
    n, d = array.shape
    of = type(estimator).__name__
    if n < least:
        raise ValueError(f"Found array with {n} sample(s) (shape={array.shape}) while a minimum of {least} is required by {of}.")
    if d == 0:
        raise ValueError(f"Found array with 0 feature(s) (shape={array.shape}) while a minimum of 1 is required by {of}.")
    _check_names(estimator, names, fit)
    if fit:
        estimator.n_features_in_ = d
    elif d != estimator.n_features_in_:
        raise ValueError(f"X has {d} features, but {of} is expecting {estimator.n_features_in_} features as input")
    with np.errstate(over="ignore"):
        rows = np.ascontiguousarray(array, dtype=np.float32)
    if not np.isfinite(rows).all():
        if np.isnan(rows).any():
            raise ValueError(f"Input X contains NaN.\n{of} does not accept missing values encoded as NaN. Drop such rows, or fill them in.")
        raise ValueError("Input X contains infinity or a value too large for dtype('float32').")
    return rows


def like(values: NDArray[Any], X: Any) -> NDArray[Any]:
    """Values in the precision of the input: float64 if that is what it has."""
    import numpy as np

    return values if getattr(X, "dtype", None) == np.float32 else values.astype(np.float64)
