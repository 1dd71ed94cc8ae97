//! The evaluation card of a model with latents: all its metrics as data (`data.rs`), how they are measured (`measure.rs`, `samples.rs`, `possible.rs`), as
//! names and numbers (`measures.rs`), and as Markdown (`markdown.rs`).

mod data;
mod input;
mod markdown;
mod measure;
mod measures;
mod possible;
mod samples;

pub use data::{
    Card, LEAST_COMPARED, LEAST_MAPPED, LatentMeasures, LikelihoodBounds, MapScore,
    OutlierMeasures, ReconstructionMeasures, SampleMeasures, SamplerScore, TraversalMeasures,
};
pub use input::{CardBounds, CardInput};
pub use measure::{CardCallbacks, compared_components};
