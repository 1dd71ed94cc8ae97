//! What a latent space is worth: measures, probes and maps. Vectors `[n, d]` and labels `[n]` go in, numbers come out. Nothing here
//! trains a network, reads a file or draws.
//!
//! [`Rows`] are vectors, checked once. [`Pca`] and [`tsne`] make maps of them, [`place`] puts new ones into a map.

pub mod classification;
mod error;
mod lanes;
mod linear;
pub mod neighbours;
mod pca;
pub mod probes;
mod rows;
mod tsne;

pub use error::Error;
pub use pca::Pca;
pub use rows::Rows;
pub use tsne::{Map, PlaceConfig, Progress, TsneConfig, place, tsne};
