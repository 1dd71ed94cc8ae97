//! Studies: tuning of models, and of any Python function.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use latents::tune::{
    AskResult, Direction, Distribution, Heartbeats, Strategy, TrialRecord, TrialState, Value,
    storage,
};
use latents::{Space, StudyConfig, Tuner};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde_json::json;

use crate::call::{call, session};
use crate::dataset::Dataset;
use crate::error::exception;
use crate::settings::{Start, recipe};

/// Searches for good settings of a kind of model. Returns the summary of the study and its trials, as JSON, and its address.
#[pyfunction]
#[allow(clippy::too_many_arguments)]
pub(crate) fn tune(
    py: Python<'_>,
    kind: &str,
    data: &Bound<'_, Dataset>,
    settings: &str,
    start: Option<Start>,
    space: Option<&str>,
    config: &str,
    minutes: Option<f64>,
    out: PathBuf,
) -> PyResult<(String, String, String)> {
    let wrong = |error: serde_json::Error| PyValueError::new_err(error.to_string());
    let config: StudyConfig = serde_json::from_str(config).map_err(wrong)?;
    let mut tuner = Tuner::new(recipe(kind, settings, start)?).study(config);
    if let Some(space) = space {
        tuner = tuner.space(serde_json::from_str::<Space>(space).map_err(wrong)?);
    }
    if let Some(minutes) = minutes {
        tuner = tuner.minutes(minutes);
    }
    let data = Arc::clone(&data.get().0);
    let found = call(py, |session| tuner.tune(&data, &out, session))?;
    let summary = json!(found.results.summary(&out));
    let trials = records(found.results.history().trials);
    Ok((summary.to_string(), trials, found.address))
}

/// Trials as JSON.
fn records(trials: &[Arc<TrialRecord>]) -> String {
    let record = |trial: &Arc<TrialRecord>| {
        let params: serde_json::Map<String, serde_json::Value> =
            trial.params.keys().map(|name| (name.clone(), json!(trial.param(name)))).collect();
        let state = match trial.state {
            TrialState::Complete => "complete",
            TrialState::Pruned => "pruned",
            TrialState::Failed => "failed",
            TrialState::Running => "running",
            TrialState::Waiting => "waiting",
        };
        json!({
            "number": trial.number, "state": state, "value": trial.value, "params": params, "seconds": trial.seconds(),
            "intermediate_values": trial.intermediate, "user_attrs": trial.user_attrs, "error": trial.failure(),
        })
    };
    serde_json::Value::from(trials.iter().map(record).collect::<Vec<_>>()).to_string()
}

/// A failure of a study as an exception.
fn failed(error: latents::tune::Error) -> PyErr {
    exception(&error.into())
}

/// A study of any function.
#[pyclass(frozen, module = "latents._latents", name = "Study")]
pub(crate) struct Study(latents::tune::Study);

#[pymethods]
impl Study {
    /// Opens a study, or creates it.
    #[new]
    fn new(
        py: Python<'_>,
        storage: &str,
        name: &str,
        maximize: bool,
        sampler: &str,
        pruner: &str,
        seed: Option<u64>,
    ) -> PyResult<Self> {
        let direction = if maximize { Direction::Maximize } else { Direction::Minimize };
        let (sampler, pruner) = (sampler.to_owned(), pruner.to_owned());
        let study = call(py, |_| {
            let sampler: latents::tune::SamplerKind = sampler.parse()?;
            let pruner: latents::tune::PrunerKind = pruner.parse()?;
            let strategy = Strategy {
                sampler: sampler.build(None)?,
                pruner: pruner.build(0, None)?,
                seed,
                lockstep: None,
            };
            Ok(latents::tune::Study::open(storage::open(storage)?, name, direction, strategy)?)
        })?;
        Ok(Study(study))
    }

    /// A trial to run.
    fn ask(&self, py: Python<'_>) -> PyResult<Trial> {
        session()?;
        match py.detach(|| self.0.ask(None)).map_err(failed)? {
            AskResult::Trial(trial) => Ok(Trial::of(*trial)),
            AskResult::Full { .. } => {
                Err(PyRuntimeError::new_err("the study has no further trial"))
            }
        }
    }

    /// Queues a trial with given values.
    fn enqueue(&self, py: Python<'_>, params: &str) -> PyResult<u64> {
        let params: std::collections::BTreeMap<String, Value> =
            serde_json::from_str(params).map_err(|e| PyValueError::new_err(e.to_string()))?;
        let params: Vec<(String, Value)> = params.into_iter().collect();
        py.detach(|| self.0.enqueue(&params)).map_err(failed)
    }

    /// All trials, as JSON.
    fn trials(&self, py: Python<'_>) -> PyResult<String> {
        py.detach(|| self.0.trials().map(|trials| records(&trials))).map_err(failed)
    }

    /// The best trial, as JSON, if one is complete.
    fn best(&self, py: Python<'_>) -> PyResult<Option<String>> {
        let best = py.detach(|| self.0.best()).map_err(failed)?;
        Ok(best.map(|best| records(&[best])))
    }

    /// The study's name.
    #[getter]
    fn name(&self) -> &str {
        self.0.name()
    }

    /// `minimize` or `maximize`.
    #[getter]
    fn direction(&self) -> &'static str {
        match self.0.direction() {
            Direction::Minimize => "minimize",
            Direction::Maximize => "maximize",
        }
    }

    /// The seed of all draws.
    #[getter]
    fn seed(&self) -> u64 {
        self.0.seed()
    }
}

/// A running trial.
#[pyclass(frozen, module = "latents._latents", name = "Trial")]
pub(crate) struct Trial {
    number: u64,
    /// The trial, and its heartbeats for workers on other machines; `None` once it has ended.
    running: Mutex<Option<(latents::tune::Trial, Heartbeats)>>,
}

impl Trial {
    fn of(trial: latents::tune::Trial) -> Self {
        let (number, heartbeats) = (trial.number(), trial.heartbeat().keep());
        Trial { number, running: Mutex::new(Some((trial, heartbeats))) }
    }

    /// Calls the trial without the interpreter.
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut latents::tune::Trial) -> Result<T, latents::tune::Error> + Send,
    ) -> PyResult<T> {
        let done = py.detach(|| {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.as_mut().map(|(trial, _)| work(trial))
        });
        match done {
            Some(done) => done.map_err(failed),
            None => Err(PyRuntimeError::new_err(format!("trial {} has ended", self.number))),
        }
    }

    fn end(
        &self,
        py: Python<'_>,
        work: impl FnOnce(latents::tune::Trial) -> Result<TrialState, latents::tune::Error> + Send,
    ) -> PyResult<()> {
        let done = py.detach(|| {
            let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
            running.map(|(trial, heartbeats)| {
                drop(heartbeats);
                work(trial)
            })
        });
        match done {
            Some(done) => done.map(drop).map_err(failed),
            None => Err(PyRuntimeError::new_err(format!("trial {} has ended", self.number))),
        }
    }
}

/// A parameter's value for Python.
fn object<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::None => py.None().into_bound(py),
        Value::Bool(x) => x.into_pyobject(py)?.to_owned().into_any(),
        Value::Int(x) => x.into_pyobject(py)?.into_any(),
        Value::Float(x) => x.into_pyobject(py)?.into_any(),
        Value::Text(x) => x.into_pyobject(py)?.into_any(),
    })
}

#[pymethods]
impl Trial {
    /// Its number within the study, from 0.
    #[getter]
    fn number(&self) -> u64 {
        self.number
    }

    fn suggest_float(
        &self,
        py: Python<'_>,
        name: &str,
        low: f64,
        high: f64,
        step: Option<f64>,
        log: bool,
    ) -> PyResult<f64> {
        let distribution = match (step, log) {
            (Some(_), true) => {
                return Err(PyValueError::new_err("step and log cannot both be given"));
            }
            (Some(step), false) => Distribution::stepped_float(low, high, step),
            (None, true) => Distribution::log_float(low, high),
            (None, false) => Distribution::float(low, high),
        };
        let distribution = distribution.map_err(failed)?;
        let value = self.with(py, |trial| trial.suggest(name, &distribution))?;
        Ok(value.as_f64().unwrap_or(f64::NAN))
    }

    fn suggest_int(
        &self,
        py: Python<'_>,
        name: &str,
        low: i64,
        high: i64,
        step: i64,
        log: bool,
    ) -> PyResult<i64> {
        let distribution = match log {
            true if step != 1 => {
                return Err(PyValueError::new_err("step and log cannot both be given"));
            }
            true => Distribution::log_int(low, high),
            false => Distribution::stepped_int(low, high, step),
        };
        let distribution = distribution.map_err(failed)?;
        let value = self.with(py, |trial| trial.suggest(name, &distribution))?;
        value
            .as_i64()
            .ok_or_else(|| PyRuntimeError::new_err(format!("`{name}` has no whole value")))
    }

    /// One of some choices, given as JSON.
    fn suggest_categorical<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        choices: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        let choices: Vec<Value> =
            serde_json::from_str(choices).map_err(|e| PyValueError::new_err(e.to_string()))?;
        let distribution = Distribution::categorical(choices).map_err(failed)?;
        object(py, &self.with(py, |trial| trial.suggest(name, &distribution))?)
    }

    fn report(&self, py: Python<'_>, value: f64, step: i64) -> PyResult<()> {
        self.with(py, |trial| trial.report(step, value))
    }

    fn should_prune(&self, py: Python<'_>) -> PyResult<bool> {
        self.with(py, |trial| trial.should_prune())
    }

    /// Sets an attribute, given as JSON.
    fn set_user_attr(&self, py: Python<'_>, key: &str, value: &str) -> PyResult<()> {
        let value =
            serde_json::from_str(value).map_err(|e| PyValueError::new_err(e.to_string()))?;
        self.with(py, |trial| trial.set_user_attr(key, value))
    }

    /// The values of its parameters so far.
    #[getter]
    fn params<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let values = self.with(py, |trial| {
            let record = trial.record();
            let names = record.params.keys();
            Ok(names
                .filter_map(|name| Some((name.clone(), record.param(name)?)))
                .collect::<Vec<_>>())
        })?;
        let params = PyDict::new(py);
        for (name, value) in &values {
            params.set_item(name, object(py, value)?)?;
        }
        Ok(params)
    }

    fn complete(&self, py: Python<'_>, value: f64) -> PyResult<()> {
        self.end(py, |trial| trial.complete(value))
    }

    fn prune(&self, py: Python<'_>) -> PyResult<()> {
        self.end(py, latents::tune::Trial::prune)
    }

    fn fail(&self, py: Python<'_>, reason: &str) -> PyResult<()> {
        self.end(py, |trial| trial.fail(reason))
    }

    /// Lets the trial go, so that any worker may run it again.
    fn release(&self, py: Python<'_>) {
        py.detach(|| drop(self.running.lock().unwrap_or_else(PoisonError::into_inner).take()));
    }
}
