//! Tunes any objective. A [`Study`] keeps its trials in a [`Storage`](storage::Storage). A [`TrialSampler`](sampler::TrialSampler) chooses the
//! parameters of each trial, and a [`Pruner`](pruner::Pruner) stops unpromising trials early. Semantics and storage follow Optuna 5.0
//! (T. Akiba et al., "Optuna: A Next-generation Hyperparameter Optimization Framework", KDD 2019). This crate does not know what is
//! tuned.
//!
//! There are two ways to run trials. [`optimize`] calls an [`Objective`] in worker threads. For full control, [`Study::ask`] gives one
//! trial at a time:
//!
//! ```
//! use latents_tune::{AskResult, Direction, Distribution, Strategy, Study, pruner, sampler, storage};
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
//! while let AskResult::Trial(mut trial) = study.ask(Some(100))? {
//!     let x = trial.suggest("x", &Distribution::float(-10.0, 10.0)?)?.as_f64().unwrap_or(0.0);
//!     trial.complete((x - 2.0).powi(2))?;
//! }
//! assert!(study.best()?.and_then(|trial| trial.value).is_some_and(|value| value < 0.1));
//! # Ok(())
//! # }
//! ```

// Bounds, steps and choices are compared as they were given, without arithmetic in between.
#![allow(clippy::float_cmp)]

mod config;
mod direction;
mod distribution;
mod driver;
mod error;
mod heartbeat;
mod kinds;
mod settings;
mod space;
mod study;
mod trial;
mod value;
mod worker;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod command;
pub mod importance;
pub mod pruner;
pub mod sampler;
pub mod storage;

pub use config::{StudyConfig, StudyTarget};
pub use direction::Direction;
pub use distribution::Distribution;
pub use driver::{MAX_FAILURES, Objective, OptimizeOptions, Outcome, StudyEvent, optimize};
pub use error::Error;
pub use heartbeat::Heartbeats;
pub use pruner::PrunerKind;
pub use sampler::SamplerKind;
pub use settings::{StudySettings, differences};
pub use space::{Condition, Dimension, Params, Space};
pub use study::{AskResult, Heartbeat, Strategy, Study, Trial};
pub use trial::{History, TrialParameter, TrialRecord, TrialState};
pub use value::Value;
pub use worker::{GRACE_PERIOD, HEARTBEAT_INTERVAL};
