//! Explores latent spaces: maps, densities, probes and metrics of vectors `[n, d]` with labels `[n]`. This crate trains no model (except the
//! small [`extractor`] and flows of latents), reads no file and draws nothing.
//!
//! [`Rows`] is a checked array of vectors. [`Pca`] and [`tsne`] map it to the plane, and [`tsne_transform`] adds new rows to a map.
//! [`GaussianMixture`], [`Flow`] and [`kmeans`] model its distribution, [`samplers`] and [`traverse`] make new latents, [`probes`] and [`neighbours`]
//! predict labels, [`metrics`] and [`classification`] evaluate, and [`disentanglement`] compares latents with
//! known factors of variation. A [`card::Card`] holds all metrics of a model. Long computations take a
//! [`Monitor`](latents_progress::Monitor), which receives progress and can cancel them. The same input gives the same bits on any number of
//! threads and any instruction set.
//!
//! There is no UMAP: no crate has one that is reproducible on any number of threads without a linear algebra library that takes longer to
//! build than this crate.
//!
//! ```
//! use latents_explore::metrics::maps::trustworthiness;
//! use latents_explore::{GaussianMixture, Pca, Rows, samplers};
//! use latents_progress::Monitor;
//!
//! // 200 latents [200, 3] that lie nearly in a plane.
//! let mut latents = samplers::normal(200, 3, 1);
//! latents.chunks_exact_mut(3).for_each(|z| z[2] *= 0.01);
//! let rows = Rows::new(&latents, 3)?;
//!
//! let monitor = Monitor::default();
//! let pca = Pca::fit(rows, 2, &monitor)?;
//! assert!(pca.explained_variance_ratio().iter().sum::<f64>() > 0.999);
//! let xy = pca.transform(rows)?; // [200, 2]
//! assert!(trustworthiness(rows, Rows::new(&xy, 2)?, 10, &monitor)? > 0.99);
//!
//! let mixture = GaussianMixture::fit(rows, 2, 1, &monitor)?;
//! let new = mixture.sample(5, 1); // [5, 3]
//! assert_eq!(new.len(), 5 * 3);
//! # Ok::<(), latents_explore::Error>(())
//! ```

pub mod card;
pub mod classification;
pub mod disentanglement;
mod error;
pub mod extractor;
mod flow;
mod kmeans;
mod lanes;
mod linear;
pub mod metrics;
mod mixture;
mod multiply;
pub mod neighbours;
mod panels;
mod pca;
pub mod probes;
mod products;
mod rows;
pub mod samplers;
mod subspace;
pub mod traverse;
mod tsne;

pub use error::Error;
pub use flow::{Flow, FlowConfig, FlowFit};
pub use kmeans::{Clusters, KmeansConfig, distances, kmeans, kmeans_with};
pub use mixture::{GaussianMixture, MixtureConfig, MixtureFit, MixturePosterior};
pub use pca::Pca;
pub use rows::Rows;
pub use tsne::{Map, TransformConfig, TsneConfig, tsne, tsne_from, tsne_transform};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
