//! What a latent space is worth: measures, probes and maps. Vectors `[n, d]` and labels `[n]` go in, numbers come out. Nothing here
//! trains a network, reads a file or draws.

pub mod classification;
mod error;
pub mod probes;

pub use error::Error;
