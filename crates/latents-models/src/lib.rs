//! Models as network specs, and their weights on disk. Nothing here knows of data sets or of training.

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
