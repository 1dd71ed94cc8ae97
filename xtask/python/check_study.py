"""Checks with Python's Optuna and optuna-dashboard that studies mean the same to them and to us.

    python check_study.py LATENTS

LATENTS is the binary. Studies are kept in the empty PostgreSQL database that LATENTS_TEST_POSTGRES
names, or else in an SQLite file in a temporary folder. Optuna reads and continues what we wrote, we
read and continue what Optuna wrote, the dashboard shows a study while we write it, a worker goes
on when another is killed, and the tables are those that Optuna would have made.
"""

import contextlib
import datetime
import json
import math
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request

import optuna
import sqlalchemy
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

optuna.logging.set_verbosity(optuna.logging.ERROR)

# A program whose value and reports follow from its parameters, and that ends in every way there is.
PROGRAM = """
import os, sys, time
time.sleep(float(os.environ.get("NAP", "0")))
x, n, k = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
value = (x - 0.3) ** 2 + 0.01 * n + (0.1 if k == "b" else 0.0)
trial = int(os.environ["LATENTS_TRIAL"])
print(1, value + 1)
if trial == 2: sys.exit(3)
if trial == 3: print("no number"); sys.exit()
if trial == 4: print(2, "nan"); print(3, "inf"); print(7, "-inf")
if trial == 5: value = float("inf")
if trial == 6: value = float("nan")
print(value)
"""
RANGES = ["{x:float:0..1}", "{n:logint:1..64}", "{k:choice:a,b}", "{s:float:0..1:0.25}", "{l:log:1e-4..1}", "{m:int:3..9:3}"]
DISTRIBUTIONS = {
    "x": FloatDistribution(0, 1),
    "n": IntDistribution(1, 64, log=True),
    "k": CategoricalDistribution(["a", "b"]),
    "s": FloatDistribution(0, 1, step=0.25),
    "l": FloatDistribution(1e-4, 1, log=True),
    "m": IntDistribution(3, 9, step=3),
}


def check(holds, what):
    print(f"  {'ok' if holds else 'FAILED'}: {what}")
    if not holds:
        sys.exit(1)


def same(a, b):
    """Equal, where NaN equals itself."""
    return a == b or (a is not None and b is not None and math.isnan(a) and math.isnan(b))


class Ours:
    """The binary, on one database."""

    def __init__(self, latents, url, folder):
        self.latents, self.url, self.folder = latents, url, folder
        with open(os.path.join(folder, "program.py"), "w") as file:
            file.write(PROGRAM)

    def command(self, name, trials, *flags):
        call = [self.latents, "tune", "command", "--study", self.url, "--name", name]
        call += ["--trials", str(trials), "--out", f"{self.folder}/{name}", *flags, "--"]
        return [*call, sys.executable, f"{self.folder}/program.py", *RANGES]

    def tune(self, name, trials, *flags):
        done = subprocess.run(self.command(name, trials, *flags), check=True, capture_output=True, text=True)
        return done.stderr

    def table(self, name):
        """All trials of a study, as we see them."""
        out = f"{self.folder}/shown-{name}"
        show = [self.latents, "tune", "show", f"{self.url}#{name}", "--out", out]
        subprocess.run(show, check=True, capture_output=True)
        with open(f"{out}/tables/trials.json") as file:
            return json.load(file)


def sees_what_we_wrote(ours):
    begin = datetime.datetime.now() - datetime.timedelta(seconds=2)
    ours.tune("ours", 40, "--direction", "minimize", "--pruner", "median")
    study = optuna.load_study(study_name="ours", storage=ours.url)
    check(study.direction.name == "MINIMIZE", "Optuna sees the direction")
    trials, rows = study.trials, ours.table("ours")
    check([t.number for t in trials] == list(range(40)), "and all trials, in their order")
    names = {"complete": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}
    check([t.state.name for t in trials] == [names[r["state"]] for r in rows], "and their states")
    check({t.state for t in trials} == {TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL}, "of every kind")
    finite = [(t.value, r["value"]) for t, r in zip(trials, rows) if t.number not in (4, 5, 6)]
    check(all(a == b for a, b in finite), "and their values")
    check(trials[5].value in (math.inf, None) and trials[6].state == TrialState.FAIL, "also those that are no numbers")
    check(all(t.params[n] == r[n] for t, r in zip(trials, rows) for n in DISTRIBUTIONS), "and their parameters")
    check(all(t.distributions == DISTRIBUTIONS for t in trials), "and what these were drawn from")
    reports = trials[4].intermediate_values
    expected = {1: reports[1], 2: math.nan, 3: math.inf, 7: -math.inf}
    check(reports.keys() == expected.keys() and all(same(reports[s], expected[s]) for s in expected), "and reports of every kind")
    first = trials[0]
    value = (first.params["x"] - 0.3) ** 2 + 0.01 * first.params["n"] + 0.1 * (first.params["k"] == "b")
    check(abs(first.intermediate_values[1] - value - 1) < 1e-12, "which are what the program said")
    end = datetime.datetime.now() + datetime.timedelta(seconds=2)
    times = [t for trial in trials for t in (trial.datetime_start, trial.datetime_complete)]
    check(all(begin <= t <= end for t in times), "and when they began and ended")
    check("the program ended with" in trials[2].user_attrs["error"], "and why one failed")


def continue_each_others(ours):
    study = optuna.load_study(study_name="ours", storage=ours.url, sampler=optuna.samplers.TPESampler(seed=1))

    def objective(trial):
        values = {}
        for name, kind in DISTRIBUTIONS.items():
            if isinstance(kind, FloatDistribution):
                values[name] = trial.suggest_float(name, kind.low, kind.high, log=kind.log, step=kind.step)
            elif isinstance(kind, IntDistribution):
                values[name] = trial.suggest_int(name, kind.low, kind.high, log=kind.log, step=kind.step)
            else:
                values[name] = trial.suggest_categorical(name, kind.choices)
        trial.report(values["x"], 1)
        trial.set_user_attr("by", "Optuna")
        if trial.number % 5 == 0:
            raise optuna.TrialPruned
        return (values["x"] - 0.3) ** 2

    study.enqueue_trial({"x": 0.25, "k": "b"})
    study.optimize(objective, n_trials=15)
    check(len(study.trials) == 55 and study.trials[40].params["x"] == 0.25, "Optuna continues our study")
    rows = ours.table("ours")
    for trial, row in zip(study.trials[40:], rows[40:]):
        same_params = all(trial.params[name] == row[name] for name in DISTRIBUTIONS)
        if not (same_params and trial.value == row["value"]):
            check(False, f"we see {trial} as {row}")
    check(len(rows) == 55, "we see what Optuna wrote")
    study.enqueue_trial({"x": 0.5, "m": 6})
    ours.tune("ours", 60, "--direction", "minimize", "--pruner", "median")
    trials = optuna.load_study(study_name="ours", storage=ours.url).trials
    check(len(trials) == 60 and all(t.state.is_finished() for t in trials), "we continue it after that")
    check(trials[55].params["x"] == 0.5 and trials[55].params["m"] == 6, "and first take up what Optuna queued")

    theirs = optuna.create_study(study_name="theirs", storage=ours.url, direction="maximize")
    theirs.optimize(objective, n_trials=12)
    theirs.ask()  # as a process leaves it that is killed
    said = ours.tune("theirs", 20, "--direction", "maximize")
    trials = optuna.load_study(study_name="theirs", storage=ours.url).trials
    check(len(trials) == 20 and trials[19].state.is_finished(), "we continue a study of Optuna's")
    check("1 trial that is marked as running by another program" in said, "and say that it left a trial running")


def tables(url):
    """Tables, columns, keys and constraints of a database, and what says which version it is."""
    engine = sqlalchemy.create_engine(url)
    inspector = sqlalchemy.inspect(engine)
    found = {}
    for table in sorted(inspector.get_table_names()):
        columns = [(c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(table)]
        keys = sorted(str(key["constrained_columns"] + [key["referred_table"]]) for key in inspector.get_foreign_keys(table))
        unique = sorted(str(u["column_names"]) for u in inspector.get_unique_constraints(table))
        indexes = sorted((i["name"], str(i["column_names"]), bool(i["unique"])) for i in inspector.get_indexes(table))
        primary = inspector.get_pk_constraint(table)["constrained_columns"]
        found[table] = (columns, keys, unique, indexes, primary)
    with engine.connect() as connection:
        versions = [
            connection.execute(sqlalchemy.text("SELECT version_num FROM alembic_version")).all(),
            connection.execute(sqlalchemy.text("SELECT schema_version FROM version_info")).all(),
        ]
    engine.dispose()
    return found, versions


def has_optunas_tables(url, other):
    optuna.storages.RDBStorage(other)
    ours, theirs = tables(url), tables(other)
    for table, made in theirs[0].items():
        check(ours[0].get(table) == made, f"table {table} is Optuna's")
    check(ours == theirs, "nothing more is there, and it says the same version")


@contextlib.contextmanager
def dashboard(url):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = os.path.join(os.path.dirname(sys.executable), "optuna-dashboard")
    process = subprocess.Popen([program, "--host", "127.0.0.1", "--port", str(port), url], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def get(path):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return json.load(answer)

    try:
        for _ in range(120):
            with contextlib.suppress(OSError):
                get("/api/studies")
                break
            time.sleep(0.5)
        yield get
    finally:
        process.terminate()
        process.wait()


def is_shown_while_we_write(ours):
    with dashboard(ours.url) as get:
        names = {s["study_name"]: s["study_id"] for s in get("/api/studies")["study_summaries"]}
        check({"ours", "theirs"} <= names.keys(), "the dashboard lists our studies")
        # The dashboard looks again every few seconds.
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        slow = os.environ | {"NAP": "0.2"}
        writer = subprocess.Popen(ours.command("live", 60, "--pruner", "none"), env=slow, **quiet)
        counts = []
        while writer.poll() is None:
            summaries = get("/api/studies")["study_summaries"]
            live = [s["study_id"] for s in summaries if s["study_name"] == "live"]
            time.sleep(0.2)
            if live:
                counts.append(len(get(f"/api/studies/{live[0]}?after=0")["trials"]))
        check(writer.returncode == 0, "we are not disturbed by it")
        check(len(set(counts)) > 2 and counts == sorted(counts), f"it shows a study grow: {counts[:12]} ...")
        for _ in range(100):
            shown = get(f"/api/studies/{live[0]}?after=0")["trials"]
            if len(shown) == 60 and all(t["state"] != "Running" for t in shown):
                break
            time.sleep(0.2)
        check(sum(t["state"] == "Complete" for t in shown) >= 55, "and all of it in the end")


def a_worker_is_killed(ours):
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    slow = os.environ | {"NAP": "0.2"}
    command = ours.command("killed", 40, "--pruner", "none")
    first, second = (subprocess.Popen(command, env=slow, start_new_session=True, **quiet) for _ in range(2))
    while len(trials := killed_trials(ours)) < 12 or trials[-1].state.is_finished():
        time.sleep(0.05)
    first.kill()
    first.wait()
    check(second.wait() == 0, "a worker goes on when another is killed")
    trials = killed_trials(ours)
    check([t.number for t in trials] == list(range(40)), "no trial is lost and none is done twice")
    check(all(t.state.is_finished() for t in trials), "and that of the killed one is finished")


def killed_trials(ours):
    try:
        return optuna.load_study(study_name="killed", storage=ours.url).trials
    except (KeyError, sqlalchemy.exc.SQLAlchemyError):
        return []  # not created yet


def main(latents):
    url = os.environ.get("LATENTS_TEST_POSTGRES")
    with tempfile.TemporaryDirectory() as folder:
        other = f"sqlite:///{folder}/other.db"
        if url is not None:
            other = url + "?options=-csearch_path%3Doptuna"
            engine = sqlalchemy.create_engine(url)
            with engine.begin() as connection:
                connection.execute(sqlalchemy.text("CREATE SCHEMA optuna"))
            engine.dispose()
        ours = Ours(os.path.abspath(latents), url or f"sqlite:///{folder}/study.db", folder)
        print(f"studies in {ours.url.split(':')[0]}")
        sees_what_we_wrote(ours)
        continue_each_others(ours)
        has_optunas_tables(ours.url, other)
        is_shown_while_we_write(ours)
        a_worker_is_killed(ours)
        if url is None:
            mode = sqlite3.connect(f"{folder}/study.db").execute("PRAGMA journal_mode").fetchone()
            check(mode == ("wal",), "readers and writers do not wait for each other")


if __name__ == "__main__":
    main(sys.argv[1])
