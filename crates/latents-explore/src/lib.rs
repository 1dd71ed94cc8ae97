//! What a latent space is worth: measures, probes and maps. Vectors `[n, d]` and labels `[n]` go in, numbers come out. Nothing here
//! trains a network, reads a file or draws.
//!
//! [`Rows`] are vectors, checked once. [`Pca`] and [`tsne`] make maps of them, [`place`] puts new ones into a map; [`Mixture`] and
//! [`kmeans`] say what they are distributed like; [`traverse`] leads from one to another; [`metrics`] measure it all. There is no UMAP:
//! no crate has one that is repeatable on any number of threads without a library of linear algebra that takes longer to build than this one.
//!
//! ```
//! use latents_explore::metrics::maps::trustworthiness;
//! use latents_explore::{Mixture, Pca, Rows, samplers};
//!
//! // 200 latents [200, 3], nearly flat: the third number says little.
//! let mut latents = samplers::normal(200, 3, 1);
//! latents.chunks_exact_mut(3).for_each(|z| z[2] *= 0.01);
//! let rows = Rows::new(&latents, 3)?;
//!
//! let pca = Pca::fit(rows, 2)?;
//! assert!(pca.explained_variance_ratio().iter().sum::<f64>() > 0.999);
//! let xy = pca.transform(rows)?; // [200, 2]
//! assert!(trustworthiness(rows, Rows::new(&xy, 2)?, 10)? > 0.99);
//!
//! let mixture = Mixture::fit(rows, 2, 1)?;
//! let new = mixture.sample(5, 1); // [5, 3]
//! assert_eq!(new.len(), 5 * 3);
//! # Ok::<(), latents_explore::Error>(())
//! ```

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
