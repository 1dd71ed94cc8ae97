//! Kinds of models: their settings, networks, losses and latent spaces, and their weights on disk. This crate knows nothing about data sets or
//! the training loop.
//!
//! [`Model`] is what every kind implements; [`ModelConfig`] is a model of any of the kinds that configuration files know.
//!
//! ```
//! use latents_engine::{Init, initialize};
//! use latents_models::{AutoencoderConfig, ENCODER, Model, ModelConfig, Tensors};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let image = [3, 48, 64]; // [c, h, w]
//! let config = AutoencoderConfig { latent_dim: 16, ..AutoencoderConfig::for_images(image) };
//! let model = ModelConfig::Ae(config);
//! let layout = model.network(image, 0)?.layout()?;
//! assert_eq!(layout.output(), image);
//! assert_eq!(layout.parameters()[0].name, "encoder.0.weight");
//! assert_eq!(model.latents(image).map(|l| (l.dim, l.encode)), Some((16, ENCODER..ENCODER + 1)));
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
mod config;
mod error;
mod likelihood;
mod model;
mod nonlinearity;
mod posterior;
mod posterior_penalty;
mod stage;
mod tensors;
mod vae;
mod vqvae;

pub use autoencoder::{AutoencoderConfig, DECODER, Design, ENCODER, Refiner};
pub use classifier::{ClassifierConfig, HEAD};
pub use cnn::CnnConfig;
pub use config::ModelConfig;
pub use error::Error;
pub use likelihood::Likelihood;
pub use model::{LatentSpace, LinearStart, Model, Target, Term, TermPart, Tuning};
pub use nonlinearity::Nonlinearity;
pub use posterior::posterior;
pub use posterior_penalty::{MeasuredPosterior, PosteriorMeasure, PosteriorPenalty};
pub use stage::Stage;
pub use tensors::{Tensors, load_parameters, save_parameters};
pub use vae::{
    LatentPrior, LearnedPrior, Regularizer, VaeConfig, condition_value, importance_bound,
    importance_bounds_under, one_hot,
};
pub use vqvae::{CodePrior, Quantizer, VqvaeConfig, code_bits};

/// The example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
