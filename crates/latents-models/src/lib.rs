//! Models as network specs, and their weights on disk. Nothing here knows of data sets or of training.
//!
//! ```
//! use latents_engine::{Init, initialize};
//! use latents_models::{AutoencoderConfig, ENCODER, ModelConfig, Tensors};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let image = [3, 48, 64]; // [c, h, w]
//! let config = AutoencoderConfig { latent_dim: 16, ..AutoencoderConfig::scaled(image) };
//! let model = ModelConfig::Ae(config);
//! let layout = model.network(image, 0)?.layout()?;
//! assert_eq!(layout.output(), image);
//! assert_eq!(layout.parameters()[0].name, "encoder.0.weight");
//! assert_eq!(model.latents().map(|l| (l.dim, l.encode)), Some((16, ENCODER..ENCODER + 1)));
//!
//! let mut tensors = Tensors::default();
//! tensors.push_parameters("", &layout, &initialize(&layout, Init::default(), 1));
//! assert_eq!(tensors.entries[0].1, [16, 3, 4, 4]); // PyTorch's layout
//! # Ok(())
//! # }
//! ```

mod autoencoder;
mod classifier;
mod cnn;
mod error;
mod model;
mod tensors;
mod vae;

pub use autoencoder::{AutoencoderConfig, DECODER, ENCODER, Nonlinearity, Stage};
pub use classifier::{ClassifierConfig, HEAD};
pub use cnn::CnnConfig;
pub use error::Error;
pub use model::{Latents, ModelConfig, Target};
pub use tensors::{Tensors, load_parameters, save_parameters};
pub use vae::{Likelihood, Regularizer, VaeConfig, importance_bound, posterior};
