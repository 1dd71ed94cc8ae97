//! Storages of studies. A storage records trials and which worker runs each of them. Each call is one short transaction. A storage knows
//! neither samplers nor pruners.

mod address;
mod client;
mod find;
mod json;
mod ledger;
mod load;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
mod rdb;
mod schema;
mod snapshot;
mod sqlite;

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::direction::Direction;
use crate::distribution::Distribution;
use crate::error::Error;
use crate::trial::{TrialRecord, TrialState};
use crate::value::Value;

pub use crate::error::UnsupportedStudy;
pub use crate::trial::OWNER;
pub use address::{open, open_read_only};
pub use find::find;

/// System attribute of a queued trial: its fixed values. The name is Optuna's.
pub const FIXED: &str = "fixed_params";

/// A study in a storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StudyRecord {
    /// Key in the storage.
    pub id: i64,
    /// Its name, unique in the storage.
    pub name: String,
    /// Which values are better.
    pub direction: Direction,
}

/// A running trial, and the worker that claims to run it.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// Key of the trial.
    pub trial: i64,
    /// Number of the trial, for errors.
    pub number: u64,
    /// The worker, as in the trial's attribute [`OWNER`].
    pub owner: &'a str,
}

/// The result of [`Storage::start_trial`].
#[derive(Clone, Debug, PartialEq)]
pub enum Start {
    /// A new trial, a queued one, or one that another worker abandoned.
    Trial(TrialRecord),
    /// No trial: the study has as many as it may.
    Full {
        /// Number of its trials that workers of this library, which are alive, still run.
        running: usize,
    },
}

/// A storage of studies.
///
/// Every method that takes a [`Claim`] fails with [`Error::Lost`], and writes nothing, if the trial is no longer running or belongs to
/// another worker. All methods fail with [`Error::Storage`] if the database reports an error.
///
/// ```
/// use latents_tune::{Direction, storage};
///
/// let storage = storage::open("memory:")?; // or "sqlite:///study.db"
/// let study = storage.create_study("mine", Direction::Maximize)?;
/// assert_eq!(storage.studies()?, [study]);
/// # Ok::<(), latents_tune::Error>(())
/// ```
pub trait Storage: Send + Sync {
    /// URL of the storage, without a password.
    fn url(&self) -> String;

    /// The study of a name, if it exists.
    fn study(&self, name: &str) -> Result<Option<StudyRecord>, Error>;

    /// All studies with a single objective and a direction, in the order of their keys.
    fn studies(&self) -> Result<Vec<StudyRecord>, Error>;

    /// All other studies, in the order of their keys.
    fn unsupported_studies(&self) -> Result<Vec<UnsupportedStudy>, Error> {
        Ok(vec![])
    }

    /// The study of a name. It is created, with `direction`, if it does not exist.
    fn create_study(&self, name: &str, direction: Direction) -> Result<StudyRecord, Error>;

    /// A system attribute of a study.
    fn study_attr(&self, study: i64, key: &str) -> Result<Option<Json>, Error>;

    /// Sets a system attribute of a study, unless it is set already. Returns the attribute's value.
    fn init_study_attr(&self, study: i64, key: &str, value: &Json) -> Result<Json, Error>;

    /// All trials of a study, in the order of their numbers.
    fn trials(&self, study: i64) -> Result<Vec<Arc<TrialRecord>>, Error>;

    /// Gives `owner` a trial, in one transaction: the first running trial that its owner has abandoned, else the first queued one,
    /// else a new one, unless the study has `limit` trials already. `is_abandoned` receives the trial's owner and the seconds since
    /// its last heartbeat. Running trials without an [`OWNER`] belong to another program and are ignored.
    fn start_trial(
        &self,
        study: i64,
        owner: &str,
        limit: Option<u64>,
        is_abandoned: &dyn Fn(&str, f64) -> bool,
    ) -> Result<Start, Error>;

    /// Queues a trial in which the parameters of the given names have the given values. Returns its number.
    fn enqueue(&self, study: i64, fixed: &[(String, Value)]) -> Result<u64, Error>;

    /// Sets parameters of a trial, all or none: name, internal number and distribution. Fails with [`Error::Incompatible`] if one has an
    /// incompatible distribution in the study's earlier trials.
    fn set_params(
        &self,
        claim: Claim<'_>,
        params: &[(&str, f64, &Distribution)],
    ) -> Result<(), Error>;

    /// Records an intermediate value at a step, and replaces an earlier one at the same step.
    fn report(&self, claim: Claim<'_>, step: i64, value: f64) -> Result<(), Error>;

    /// Sets a user attribute of a trial, which belongs to the objective.
    fn set_user_attr(&self, claim: Claim<'_>, key: &str, value: &Json) -> Result<(), Error>;

    /// Sets a system attribute of a trial, which belongs to a sampler, a pruner or a worker.
    fn set_system_attr(&self, claim: Claim<'_>, key: &str, value: &Json) -> Result<(), Error>;

    /// Records a heartbeat: the trial's worker is alive.
    fn record_heartbeat(&self, claim: Claim<'_>) -> Result<(), Error>;

    /// Ends a trial in a final state. A complete trial needs a value, which must not be NaN.
    fn finish(&self, claim: Claim<'_>, state: TrialState, value: Option<f64>) -> Result<(), Error>;

    /// Gives a running trial up, so that any worker may resume it at once.
    fn release(&self, claim: Claim<'_>) -> Result<(), Error>;
}

/// The value of the attribute [`FIXED`].
fn fixed_attr(fixed: &[(String, Value)]) -> Json {
    fixed.iter().map(|(name, value)| (name.clone(), json!(value))).collect()
}

fn check_params(params: &[(&str, f64, &Distribution)]) -> Result<(), Error> {
    match params.iter().find(|(_, internal, _)| !internal.is_finite()) {
        Some((name, internal, _)) => {
            Err(Error::Distribution(format!("parameter `{name}`: {internal} is not a value")))
        }
        None => Ok(()),
    }
}

fn check_compatible(name: &str, before: &Distribution, now: &Distribution) -> Result<(), Error> {
    if before.is_compatible(now) {
        return Ok(());
    }
    Err(Error::Incompatible { name: name.into(), now: now.to_string(), before: before.to_string() })
}

/// Checks the final state and value of a trial.
fn check_end(number: u64, state: TrialState, value: Option<f64>) -> Result<(), Error> {
    let reason = match value {
        _ if !state.is_finished() => format!("it cannot end as {state:?}"),
        None if state == TrialState::Complete => "it cannot be complete without a value".into(),
        Some(value) if value.is_nan() => "its value is not a number".into(),
        _ => return Ok(()),
    };
    Err(Error::Objective { number, reason })
}
