"""Searches for good settings: of a model, or of any function, on the same samplers, pruners and storage as the command. Optuna reads the studies."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _latents
from ._data import Dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ._models import Model

__all__ = ["FrozenTrial", "Study", "Trial", "TrialPruned", "TunedStudy", "create_study", "tune"]


class TrialPruned(Exception):
    """Raised by an objective that `Trial.should_prune` has told to stop."""


@dataclass(frozen=True)
class FrozenTrial:
    """A trial of a study as it is stored."""

    number: int
    """Its number, from 0."""
    state: str
    """``complete``, ``pruned``, ``failed``, ``running`` or ``waiting``."""
    value: float | None
    """Its value."""
    params: dict[str, Any]
    """The values of its parameters."""
    seconds: float | None = None
    """How long it took."""
    intermediate_values: dict[int, float] = field(default_factory=dict)
    """What it has reported, by step."""
    user_attrs: dict[str, Any] = field(default_factory=dict)
    """Attributes that the objective has set."""
    error: str | None = None
    """Why it failed."""


def _trials(text: str) -> list[FrozenTrial]:
    rows = json.loads(text)
    for row in rows:
        row["intermediate_values"] = {int(step): value for step, value in row["intermediate_values"].items()}
    return [FrozenTrial(**row) for row in rows]


def _frame(trials: list[FrozenTrial]) -> Any:
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("a DataFrame needs pandas: pip install pandas") from error
    names = sorted({name for trial in trials for name in trial.params})
    rows = []
    for t in trials:
        row = {"number": t.number, "value": t.value, "state": t.state, "seconds": t.seconds}
        rows.append({**row, **{f"params_{name}": t.params.get(name) for name in names}})
    return pd.DataFrame(rows, columns=["number", "value", "state", "seconds", *(f"params_{name}" for name in names)])


class TunedStudy:
    """The result of `tune`."""

    def __init__(self, summary: dict[str, Any], trials: list[FrozenTrial], address: str) -> None:
        self.summary = summary
        """The number of trials of each state, the best one, and the folder of tables and figures."""
        self.trials = trials
        """All trials."""
        self.address = address
        """``URL#NAME``, as the command takes it after ``--from``."""

    @property
    def best_params(self) -> dict[str, Any]:
        """The parameters of the best trial."""
        if self.summary["best"] is None:
            raise ValueError("no trial is complete")
        return dict(self.summary["best"]["params"])

    @property
    def best_value(self) -> float:
        """The value of the best trial."""
        if self.summary["best"] is None:
            raise ValueError("no trial is complete")
        return float(self.summary["best"]["value"])

    def trials_dataframe(self) -> Any:
        """All trials as a pandas.DataFrame."""
        return _frame(self.trials)

    def __repr__(self) -> str:
        s = self.summary
        return f"<latents.TunedStudy {s['study']!r}: {s['trials']} trials, {s['complete']} complete, {s['pruned']} pruned, {s['failed']} failed>"


def tune(
    model: Model,
    data: Dataset,
    *,
    space: dict[str, Any] | None = None,
    trials: int = 20,
    out: str | os.PathLike[str] | None = None,
    storage: str | None = None,
    study_name: str | None = None,
    sampler: str = "tpe",
    pruner: str = "median",
    workers: int = 1,
    deterministic: bool = False,
    minutes: float | None = None,
) -> TunedStudy:
    """Searches for the settings of a model that give the best validation value.

    Parameters
    ----------
    model : Autoencoder, VAE, VQVAE, CNN or Classifier
        What is tuned. Parameters that are set are not searched.
    data : Dataset
        The images.
    space : dict or None
        The settings to search, as in a space file: ``{"latent_dim": {"int": [8, 64], "log": True}, "optimizer": {"choices": ["adam", "sgd"]}}``. With None, the model's
        own.
    trials : int
        The number of trials, with those that the study has already.
    out : path or None
        The folder of the study, its runs, tables and figures; ``runs/tune-KIND`` if it is not given. A study that was begun there goes on.
    storage : str or None
        ``sqlite:///FILE`` or ``postgresql://...``; with None a file in `out`. Several machines may work on one.
    study_name : str or None
        The study's name; the kind of model if it is not given.
    sampler, pruner : str
        As the command's ``--sampler`` and ``--pruner``.
    workers : int
        Trials at a time.
    deterministic : bool
        Whether several workers give the same trials each time.
    minutes : float or None
        The time of the whole search.

    Returns
    -------
    TunedStudy
        With ``best_params``, ``best_value``, ``trials`` and ``trials_dataframe()``.

    Examples
    --------
    >>> import latents, tempfile
    >>> data = latents.open("fashion-mnist-sample", train_limit=300)
    >>> space = {"latent_dim": {"int": [4, 8]}}
    >>> with tempfile.TemporaryDirectory() as out:
    ...     study = latents.tune(latents.Autoencoder(epochs=1), data, space=space, trials=2, out=out)
    >>> len(study.trials)
    2
    """
    if not isinstance(data, Dataset):
        raise TypeError("tune needs a data set: pass what latents.open gives")
    kind = model._kind
    config = {
        "url": storage,
        "name": study_name,
        "trials": trials,
        "workers": workers,
        "deterministic": deterministic,
        "sampler": sampler,
        "pruner": pruner,
    }
    folder = Path(out) if out is not None else Path("runs") / f"tune-{kind}"
    searched = None if space is None else json.dumps(space)
    summary, found, address = _latents.tune(
        kind, data, json.dumps(model._settings()), model._start(), searched, json.dumps(config), minutes, folder
    )
    return TunedStudy(json.loads(summary), _trials(found), address)


class Trial:
    """A running trial, which an objective asks for values."""

    def __init__(self, trial: _latents.Trial) -> None:
        self._trial = trial

    @property
    def number(self) -> int:
        """Its number, from 0."""
        return self._trial.number

    @property
    def params(self) -> dict[str, Any]:
        """The values so far."""
        return self._trial.params

    def suggest_float(self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False) -> float:
        """A number from `low` to `high`, both included; in steps, or on a logarithmic scale."""
        return self._trial.suggest_float(name, low, high, step, log)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """A whole number from `low` to `high`, both included; in steps, or on a logarithmic scale."""
        return self._trial.suggest_int(name, low, high, step, log)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of some choices: None, truth values, numbers or texts."""
        return self._trial.suggest_categorical(name, json.dumps(list(choices)))

    def report(self, value: float, step: int) -> None:
        """Reports an intermediate value, for the pruner."""
        self._trial.report(float(value), step)

    def should_prune(self) -> bool:
        """Whether the objective should raise `TrialPruned`, by what was reported."""
        return self._trial.should_prune()

    def set_user_attr(self, key: str, value: Any) -> None:
        """Keeps an attribute with the trial, anything that JSON can hold."""
        self._trial.set_user_attr(key, json.dumps(value))


class Study:
    """A study of a function; made by `create_study`."""

    def __init__(self, study: _latents.Study) -> None:
        self._study = study

    @property
    def study_name(self) -> str:
        """The study's name."""
        return self._study.name

    @property
    def direction(self) -> str:
        """``minimize`` or ``maximize``."""
        return self._study.direction

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials."""
        return _trials(self._study.trials())

    @property
    def best_trial(self) -> FrozenTrial:
        """The complete trial with the best value."""
        best = self._study.best()
        if best is None:
            raise ValueError("No trials are completed yet.")
        return _trials(best)[0]

    @property
    def best_value(self) -> float:
        """The best value."""
        value = self.best_trial.value
        assert value is not None
        return value

    @property
    def best_params(self) -> dict[str, Any]:
        """The parameters of the best trial."""
        return self.best_trial.params

    def trials_dataframe(self) -> Any:
        """All trials as a pandas.DataFrame."""
        return _frame(self.trials)

    def enqueue_trial(self, params: dict[str, Any]) -> None:
        """Queues a trial with these values."""
        self._study.enqueue(json.dumps(params))

    def ask(self) -> Trial:
        """A trial to run; end it with `tell`."""
        return Trial(self._study.ask())

    def tell(self, trial: Trial, value: float | None = None, *, state: str = "complete") -> None:
        """Ends a trial.

        Parameters
        ----------
        trial : Trial
            What `ask` gave.
        value : float or None
            Its value, if it is complete.
        state : "complete", "pruned" or "failed"
            How it ended.
        """
        if state == "complete":
            if value is None:
                raise ValueError("a complete trial has a value")
            trial._trial.complete(float(value))
        elif state == "pruned":
            trial._trial.prune()
        elif state == "failed":
            trial._trial.fail("told so")
        else:
            raise ValueError(f"state must be 'complete', 'pruned' or 'failed', not {state!r}")

    def optimize(
        self,
        func: Callable[[Trial], float],
        n_trials: int,
        *,
        n_jobs: int = 1,
        catch: type[Exception] | tuple[type[Exception], ...] = (),
        callbacks: Sequence[Callable[[Study, FrozenTrial], None]] = (),
    ) -> None:
        """Runs further trials of a function.

        Parameters
        ----------
        func : callable
            Takes a `Trial`, asks it for values and returns a number; raises `TrialPruned` to stop early.
        n_trials : int
            How many more trials.
        n_jobs : int
            Trials at a time, in threads.
        catch : exceptions
            Those that fail a trial without ending the search.
        callbacks : sequence of callables
            Called with the study and each trial that has ended.

        Examples
        --------
        >>> import latents
        >>> study = latents.create_study(seed=1)
        >>> study.optimize(lambda trial: (trial.suggest_float("x", -10, 10) - 2) ** 2, 40)
        >>> abs(study.best_params["x"] - 2) < 0.5
        True
        """
        if n_jobs == 1:
            for _ in range(n_trials):
                self._run(func, catch, callbacks)
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(n_jobs) as pool:
            runs = [pool.submit(self._run, func, catch, callbacks) for _ in range(n_trials)]
            try:
                for run in runs:
                    run.result()
            except BaseException:
                for run in runs:
                    run.cancel()
                raise

    def _run(self, func: Any, catch: Any, callbacks: Any) -> None:
        trial = self.ask()
        try:
            value = float(func(trial))
        except TrialPruned:
            self.tell(trial, state="pruned")
        except Exception as error:
            trial._trial.fail(f"{type(error).__name__}: {error}")
            if not isinstance(error, catch):
                raise
        except BaseException:
            # It may be run again.
            trial._trial.release()
            raise
        else:
            self.tell(trial, value)
        if callbacks:
            ended = self.trials[trial.number]
            for callback in callbacks:
                callback(self, ended)


def create_study(
    *,
    storage: str | None = None,
    study_name: str = "study",
    direction: str = "minimize",
    sampler: str = "tpe",
    pruner: str = "median",
    seed: int | None = None,
) -> Study:
    """Opens a study of any function, or creates it.

    Parameters
    ----------
    storage : str or None
        ``sqlite:///FILE`` or ``postgresql://...``, where several processes may work on it; with None it is kept in memory.
    study_name : str
        Its name in the storage.
    direction : "minimize" or "maximize"
        Which values are better.
    sampler, pruner : str
        As the command's ``--sampler`` and ``--pruner``.
    seed : int or None
        Seed of all draws; with None that of the study, or 0 for a new one.

    Returns
    -------
    Study
    """
    if direction not in ("minimize", "maximize"):
        raise ValueError(f"direction must be 'minimize' or 'maximize', not {direction!r}")
    return Study(_latents.Study(storage or "memory:", study_name, direction == "maximize", sampler, pruner, seed))
