"""Searches."""

import math
import sqlite3

import numpy as np
import pytest

import latents


def bowl(trial):
    x = trial.suggest_float("x", -10, 10)
    kind = trial.suggest_categorical("kind", ["round", None, 3])
    n = trial.suggest_int("n", 1, 64, log=True)
    return (x - 2) ** 2 + (kind != "round") + math.log(n)


def test_a_function_is_tuned_and_the_same_seed_gives_the_same_trials():
    found = []
    for _ in range(2):
        study = latents.create_study(seed=4)
        study.optimize(bowl, 60)
        found.append([(t.params, t.value) for t in study.trials])
    assert found[0] == found[1] and study.best_value < 3
    assert study.best_params == study.best_trial.params and study.best_params["kind"] == "round"
    assert all(t.state == "complete" for t in study.trials)


def test_pruned_failed_and_queued_trials(tmp_path):
    study = latents.create_study(storage=f"sqlite:///{tmp_path}/s.db", study_name="mine", direction="maximize", sampler="random", pruner="median", seed=1)
    study.enqueue_trial({"x": 0.5})

    def objective(trial):
        x = trial.suggest_float("x", 0, 1, step=0.25)
        trial.set_user_attr("note", [1, {"a": None}])
        if trial.number == 3:
            raise ZeroDivisionError("a reason")
        for step in range(5):
            trial.report(x, step)
            if trial.should_prune():
                raise latents.TrialPruned
        return x

    study.optimize(objective, 12, catch=ZeroDivisionError)
    trials = study.trials
    assert trials[0].params == {"x": 0.5} and trials[0].user_attrs["note"] == [1, {"a": None}]
    assert trials[3].state == "failed" and "a reason" in trials[3].error
    assert "pruned" in {t.state for t in trials} and trials[0].intermediate_values == {i: 0.5 for i in range(5)}
    with pytest.raises(KeyError):
        study.optimize(lambda trial: {}["no"], 1)
    assert study.trials[-1].state == "failed"
    again = latents.create_study(storage=f"sqlite:///{tmp_path}/s.db", study_name="mine", direction="maximize", sampler="random")
    assert len(again.trials) == 13 and again.best_value == study.best_value
    with sqlite3.connect(tmp_path / "s.db") as database:
        assert database.execute("select count(*) from trials").fetchone() == (13,)
    with pytest.raises(latents.Error, match="direction|maxim"):
        latents.create_study(storage=f"sqlite:///{tmp_path}/s.db", study_name="mine")


def test_trials_run_in_threads_and_are_told():
    study = latents.create_study(seed=1, sampler="random")
    study.optimize(bowl, 20, n_jobs=4)
    assert sorted(t.number for t in study.trials) == list(range(20))
    trial = study.ask()
    trial.suggest_int("n", 1, 64, log=True)
    study.tell(trial, 1.5)
    assert study.trials[-1].value == 1.5
    with pytest.raises(RuntimeError, match="ended"):
        study.tell(trial, 1.5)
    seen = []
    study.optimize(bowl, 2, callbacks=[lambda study, trial: seen.append(trial.number)])
    assert seen == [21, 22]


def test_an_interrupted_trial_is_run_again():
    study = latents.create_study(seed=1, sampler="random")

    def stop(trial):
        trial.suggest_float("x", -10, 10)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study.optimize(stop, 5)
    study.optimize(bowl, 1)
    assert [t.state for t in study.trials] == ["complete"]


def test_a_model_is_tuned(tmp_path, data):
    pd = pytest.importorskip("pandas")
    space = {"latent_dim": {"int": [3, 8]}, "learning_rate": {"float": [1e-4, 1e-2], "log": True}}
    model = latents.Autoencoder(epochs=1, seed=2)
    study = latents.tune(model, data, space=space, trials=3, out=tmp_path / "tune")
    assert set(study.best_params) == set(space) and len(study.trials) == 3
    table = study.trials_dataframe()
    assert isinstance(table, pd.DataFrame) and list(table.columns[:2]) == ["number", "value"] and len(table) == 3
    assert study.best_value == pytest.approx(np.nanmin(table["value"]))
    again = latents.tune(model, data, space=space, trials=3, out=tmp_path / "tune")
    assert [t.value for t in again.trials] == [t.value for t in study.trials]
    model.set_params(**study.best_params)
    assert model.fit(data).encode(data.test).shape[1] == study.best_params["latent_dim"]
    with pytest.raises(ValueError, match="latent_dim"):
        latents.tune(latents.Autoencoder(latent_dim=3, epochs=1), data, space=space, trials=1, out=tmp_path / "other")
    with pytest.raises(TypeError, match="data set"):
        latents.tune(model, np.asarray(data.test))
