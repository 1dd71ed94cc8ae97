//! Training: the loop, and the folder that a run leaves. A run is data: [`RunConfig`] says all that it depends on, and the same
//! settings give the same bytes, also when it was stopped and went on. Nothing here draws a picture or prints a line.
//!
//! A run that is stopped goes on when it is trained again, from its last checkpoint:
//!
//! ```
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicBool, Ordering};
//!
//! use latents_data::{Locations, Source};
//! use latents_engine::Runtime;
//! use latents_train::{Event, Outcome, Run, RunConfig, train};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("latents-train-doc-{}", std::process::id()));
//! let source: Source = "fashion-mnist-sample".parse()?;
//! let data = source.load(&Locations::nowhere(), &mut |_| {})?.train;
//! let mut config = RunConfig::default();
//! config.data.shape = data.images.shape();
//! config.training.epochs = 2;
//!
//! let run = Run::at(&folder);
//! let runtime = Arc::new(Runtime::new(None, None)?);
//! let stop = AtomicBool::new(false);
//! let mut first = |event: Event<'_>| {
//!     if matches!(event, Event::Epoch(_)) {
//!         stop.store(true, Ordering::Relaxed);
//!     }
//! };
//! let outcome = train(&run, &config, &data, &runtime, &stop, &mut first)?;
//! assert!(matches!(outcome, Outcome::Interrupted { epochs_done: 1, .. }));
//!
//! stop.store(false, Ordering::Relaxed);
//! let outcome = train(&run, &config, &data, &runtime, &stop, &mut |_| {})?;
//! assert!(matches!(outcome, Outcome::Finished { epoch: 2, .. }));
//! let metrics = run.metrics()?;
//! assert!(metrics[1].val_loss < metrics[0].val_loss);
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok(())
//! # }
//! ```

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
