//! Models as network specs, and their weights on disk. Nothing here knows of data sets or of training.

mod autoencoder;
mod error;

pub use autoencoder::{AutoencoderConfig, DECODER, ENCODER, Nonlinearity, Stage};
pub use error::Error;
