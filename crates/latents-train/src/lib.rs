//! Trains models: the training loop, the settings of a run, and the folder with its results. [`RunConfig`] holds everything that a run depends on, and
//! the same settings give the same bytes, even if the run was interrupted and resumed. This crate draws no figures and prints nothing.
//!
//! [`train`] resumes an interrupted run from its last checkpoint:
//!
//! ```
//! use std::sync::Arc;
//!
//! use latents_data::Dataset;
//! use latents_engine::Runtime;
//! use latents_progress::Monitor;
//! use latents_train::{DataConfig, Error, Run, RunConfig, train};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("latents-train-doc-{}", std::process::id()));
//! let monitor = Monitor::default();
//! let data = Dataset::open("fashion-mnist-sample", &monitor)?;
//! let mut config = RunConfig::of_kind("ae", data.shape())?;
//! config.data = DataConfig::of(&data);
//! config.training.epochs = 2;
//!
//! let run = Run::at(&folder);
//! let runtime = Arc::new(Runtime::new(None, None)?);
//! let once = monitor.child();
//! let stopped = train(&run, &config, &data.train, &runtime, &once, &mut |_| once.cancel().cancel());
//! assert!(matches!(stopped, Err(Error::Interrupted(_))));
//!
//! let summary = train(&run, &config, &data.train, &runtime, &monitor, &mut |_| {})?;
//! assert_eq!(summary.epochs, 2);
//! let metrics = run.metrics()?;
//! assert!(metrics[1].val_loss < metrics[0].val_loss);
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok(())
//! # }
//! ```

mod checkpoint;
mod components;
mod config;
mod encoder;
mod error;
mod hints;
mod initial;
mod inputs;
mod layer;
mod metrics;
mod nearest;
mod optimizer;
mod pseudo_inputs;
mod run;
mod trainer;
mod training;

pub use config::{DataConfig, Foreign, ForeignShard, RunConfig};
pub use encoder::EncoderTraining;
pub use error::Error;
pub use inputs::{inputs, pixels};
pub use layer::SettingsLayer;
pub use metrics::{EpochMetrics, Terms};
pub use optimizer::OptimizerKind;
pub use run::{Run, Snapshot};
pub use trainer::{TrainSummary, TrainingImages, choose_augmentation, seconds_per_epoch, train};
pub use training::TrainingConfig;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
