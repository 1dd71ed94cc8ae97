//! What a latent space is worth: measures, probes and maps. Vectors `[n, d]` and labels `[n]` go in, numbers come out. Nothing here
//! trains a network, reads a file or draws.
//!
//! [`Rows`] are vectors, checked once. [`Pca`] and [`tsne`] make maps of them, [`place`] puts new ones into a map; [`Mixture`] and
//! [`kmeans`] say what they are distributed like; [`traverse`] leads from one to another; [`metrics`] measure it all.

pub mod card;
pub mod classification;
mod error;
pub mod extractor;
mod kmeans;
mod lanes;
mod linear;
pub mod metrics;
mod mixture;
pub mod neighbours;
mod pca;
pub mod probes;
mod rows;
pub mod samplers;
pub mod traverse;
mod tsne;

pub use error::Error;
pub use kmeans::{Clusters, kmeans};
pub use mixture::Mixture;
pub use pca::Pca;
pub use rows::Rows;
pub use tsne::{Map, PlaceConfig, Progress, TsneConfig, place, tsne};
