//! Tunes any objective. A [`Study`] holds trials in a [`Storage`](storage::Storage), asks a [`Sampler`](sampler::Sampler) for values and
//! a [`Pruner`](pruner::Pruner) whether to go on. Semantics and storage are Optuna's (T. Akiba et al., "Optuna: A Next-generation
//! Hyperparameter Optimization Framework", KDD 2019), version 5.0. Nothing here knows what is tuned.
//!
//! ```
//! use latents_tune::{Asked, Direction, Distribution, Strategy, Study, pruner, sampler, storage};
//!
//! # fn main() -> Result<(), latents_tune::Error> {
//! let strategy = Strategy {
//!     sampler: Box::new(sampler::Tpe::default()),
//!     pruner: Box::new(pruner::Percentile::median()),
//!     seed: Some(1),
//!     lockstep: None,
//! };
//! let storage = storage::open("memory:")?; // or "sqlite:///study.db"
//! let study = Study::open(storage, "mine", Direction::Minimize, strategy)?;
//! while let Asked::Trial(mut trial) = study.ask(Some(100))? {
//!     let x = trial.suggest("x", &Distribution::float(-10.0, 10.0)?)?.as_f64().unwrap_or(0.0);
//!     trial.complete((x - 2.0).powi(2))?;
//! }
//! assert!(study.best()?.and_then(|trial| trial.value).is_some_and(|value| value < 0.1));
//! # Ok(())
//! # }
//! ```

// Bounds, steps and choices are compared as they were given; no arithmetic lies between.
#![allow(clippy::float_cmp)]

mod distribution;
mod driver;
mod error;
mod space;
mod study;
mod trial;
mod value;
mod worker;

pub mod command;
pub mod importance;
pub mod pruner;
pub mod sampler;
pub mod storage;

pub use distribution::Distribution;
pub use driver::{Event, Objective, Outcome, Schedule, optimize};
pub use error::Error;
pub use space::{Condition, Dimension, Params, Space};
pub use study::{Asked, Pulse, Strategy, Study, Trial};
pub use trial::{Direction, History, Parameter, TrialRecord, TrialState};
pub use value::Value;
pub use worker::{GRACE, HEARTBEAT};
