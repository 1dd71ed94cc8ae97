//! Where studies are kept. A storage is a plain ledger: it says which trials there are and whose they are, one short transaction for
//! each call, and knows neither samplers nor pruners.

mod address;
mod client;
mod json;
mod ledger;
mod load;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
mod rdb;
mod schema;
mod sqlite;

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::distribution::Distribution;
use crate::error::Error;
use crate::trial::{Direction, TrialRecord, TrialState};
use crate::value::Value;

pub use address::open;

/// Note of a trial that names the worker who has it.
pub const OWNER: &str = "latents:owner";
/// Note of a queued trial that holds the values that it is to have (Optuna's own).
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

/// A running trial, and who says that it is theirs.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// Key of the trial.
    pub trial: i64,
    /// Its number, for errors.
    pub number: u64,
    /// The worker, as the trial's [`OWNER`] note has it.
    pub owner: &'a str,
}

/// A trial that a worker has been given.
#[derive(Clone, Debug, PartialEq)]
pub enum Start {
    /// A new one, a queued one, or one that another worker left behind.
    Trial(TrialRecord),
    /// None: the study has as many trials as it may. Of those, so many are still other workers'.
    Full {
        /// Trials that live workers of ours have.
        running: usize,
    },
}

/// Where studies are kept.
///
/// Every method that takes a [`Claim`] fails with [`Error::Lost`], and writes nothing, where the trial is not running any more or is
/// another worker's.
pub trait Storage: Send + Sync {
    /// Its address, without a password.
    fn url(&self) -> String;

    /// The study of a name, if there is one.
    fn study(&self, name: &str) -> Result<Option<StudyRecord>, Error>;

    /// All studies with one objective, by id.
    fn studies(&self) -> Result<Vec<StudyRecord>, Error>;

    /// The study of a name; it is made where there is none.
    fn create_study(&self, name: &str, direction: Direction) -> Result<StudyRecord, Error>;

    /// A note of a study, in JSON.
    fn study_attr(&self, study: i64, key: &str) -> Result<Option<Json>, Error>;

    /// Keeps a note of a study's unless it has one under that key already; gives the one that it has then.
    fn init_study_attr(&self, study: i64, key: &str, value: &Json) -> Result<Json, Error>;

    /// All trials of a study, by number.
    fn trials(&self, study: i64) -> Result<Vec<Arc<TrialRecord>>, Error>;

    /// Gives `owner` a trial, in one transaction: the first that is running but that `is_abandoned` says its owner has left behind,
    /// else the first that is waiting, else, unless the study has `limit` trials already, a new one. `is_abandoned` is given the
    /// trial's owner and the seconds since its last heartbeat. Trials without an [`OWNER`] are another program's and are left alone.
    fn start_trial(
        &self,
        study: i64,
        owner: &str,
        limit: Option<u64>,
        is_abandoned: &dyn Fn(&str, f64) -> bool,
    ) -> Result<Start, Error>;

    /// Queues a trial with some values fixed, by name.
    fn enqueue(&self, study: i64, fixed: &[(String, Value)]) -> Result<u64, Error>;

    /// Sets parameters of a trial, all or none. Fails with [`Error::Incompatible`] where one means another thing in the study's earlier trials.
    fn set_params(
        &self,
        claim: Claim<'_>,
        params: &[(&str, f64, &Distribution)],
    ) -> Result<(), Error>;

    /// Keeps what a trial reports at a step; a later report of the same step takes its place.
    fn report(&self, claim: Claim<'_>, step: i64, value: f64) -> Result<(), Error>;

    /// Keeps a note of the objective's.
    fn set_user_attr(&self, claim: Claim<'_>, key: &str, value: &Json) -> Result<(), Error>;

    /// Keeps a note of a sampler's, a pruner's or a worker's.
    fn set_system_attr(&self, claim: Claim<'_>, key: &str, value: &Json) -> Result<(), Error>;

    /// Says that the trial's worker is alive.
    fn beat(&self, claim: Claim<'_>) -> Result<(), Error>;

    /// Ends a trial. `state` is one of the finished ones.
    fn finish(&self, claim: Claim<'_>, state: TrialState, value: Option<f64>) -> Result<(), Error>;

    /// Leaves a running trial for any worker to take up at once.
    fn release(&self, claim: Claim<'_>) -> Result<(), Error>;
}

/// What the note [`FIXED`] holds.
fn fixed_note(fixed: &[(String, Value)]) -> Json {
    fixed.iter().map(|(name, value)| (name.clone(), json!(value))).collect()
}

fn check_params(params: &[(&str, f64, &Distribution)]) -> Result<(), Error> {
    match params.iter().find(|(_, internal, _)| !internal.is_finite()) {
        Some((name, internal, _)) => {
            Err(Error::Distribution(format!("parameter `{name}`: {internal} is no value")))
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

/// A trial ends in a state in which nothing more happens to it, and a complete one has a value that others can be compared with.
fn check_end(number: u64, state: TrialState, value: Option<f64>) -> Result<(), Error> {
    let reason = match value {
        _ if !state.is_finished() => format!("it cannot end as {state:?}"),
        None if state == TrialState::Complete => "it cannot be complete without a value".into(),
        Some(value) if value.is_nan() => "its value is not a number".into(),
        _ => return Ok(()),
    };
    Err(Error::Objective { number, reason })
}
