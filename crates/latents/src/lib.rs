//! Learn, tune and explore latent spaces of image collections on an ordinary CPU.
//!
//! This library hands on the crates that the `latents` command is made of: [`data`] finds and reads images, [`engine`] computes
//! networks, [`models`] are networks worth having, [`train`] trains them and keeps runs, [`tune`] searches for good settings, [`explore`]
//! maps, samples and measures what was learnt, and [`report`] draws figures and writes the page. Below them lie `latents-files`, by which
//! files are whole or not there at all, and `latents-random`, by which random numbers are drawn by counter.
//!
//! ```
//! use std::sync::Arc;
//! use latents::{data, engine, models, train};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("latents-doc-{}", std::process::id()));
//! let source: data::Source = "fashion-mnist-sample".parse()?;
//! let data = source.load(&data::Locations::default(), &mut |_| {})?.train;
//! let images = &data.images;
//! let mut config = train::RunConfig::default();
//! config.data.shape = images.shape();
//! config.training.epochs = 1;
//! config.model = models::ModelConfig::Ae(models::AutoencoderConfig { latent_dim: 8, ..Default::default() });
//!
//! let run = train::Run::at(&folder);
//! let runtime = Arc::new(engine::Runtime::new(None, None)?);
//! let stop = std::sync::atomic::AtomicBool::new(false);
//! train::train(&run, &config, &data, &runtime, &stop, &mut |_| {})?;
//!
//! let mut engine = engine::Engine::new(&config.network()?, runtime)?;
//! let parameters = run.parameters(&engine)?;
//! let inputs = engine::Inputs::Bytes { pixels: images.pixels(), index: &[0, 1, 2] };
//! let latents = engine.forward(&parameters, inputs, models::ENCODER..models::ENCODER + 1)?;
//! assert_eq!(latents.len(), 3 * 8);
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok(())
//! # }
//! ```

pub use latents_data as data;
pub use latents_engine as engine;
pub use latents_explore as explore;
pub use latents_models as models;
pub use latents_report as report;
pub use latents_train as train;
pub use latents_tune as tune;
