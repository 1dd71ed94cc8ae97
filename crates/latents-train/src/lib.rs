//! Training: the loop, and the folder that a run leaves. A run is data: [`RunConfig`] says all that it depends on, and the same
//! settings give the same bytes, also when it was stopped and went on. Nothing here draws a picture or prints a line.

mod checkpoint;
mod config;
mod encoder;
mod error;
mod run;
mod trainer;

pub use config::{DataConfig, OptimizerKind, RunConfig, TrainingConfig};
pub use encoder::EncoderTraining;
pub use error::Error;
pub use run::{EpochMetrics, Run, Snapshot};
pub use trainer::{Event, Outcome, train};
