//! Learn, tune and explore latent spaces of image collections on an ordinary CPU.
//!
//! Everything that the `latents` command does is a call of this library. A [`Session`] holds the worker threads, a reporter and a cancel token; a [`Dataset`] is
//! a collection of images with names, labels and parts; a [`Recipe`] trains a model on it; a [`TrainedModel`] encodes, decodes, samples, traverses, classifies and
//! is evaluated. The same settings and seed give the same bytes on any number of threads and any instruction set.
//!
//! ```
//! use latents::{Dataset, Recipe, Sampler, Session, Tsne};
//!
//! # fn main() -> latents::Result<()> {
//! # let folder = std::env::temp_dir().join(format!("latents-doc-{}", std::process::id()));
//! # let out = |name: &str| folder.join(name);
//! let session = Session::default(); // threads, cancel token, reporter
//! let data = Dataset::open("fashion-mnist-sample", &session)?; // or "./photos"
//! let mut model = Recipe::vae(&data).latent_dim(16).epochs(2).seed(1).train(&data, out("vae"), &session)?;
//! let z = model.encode(&data.test)?; // [n, 16], with names and labels
//! Tsne::default().perplexity(30.0).fit(&z, &session)?.figure().save(out("map.svg"))?;
//! model.sample(100, Sampler::Mixture { components: 10 }, 1)?.save(out("new.npz"))?;
//! println!("{}", model.evaluate(&data, &session)?.markdown());
//! # std::fs::remove_dir_all(&folder).unwrap();
//! # Ok(())
//! # }
//! ```
//!
//! The crates below it are modules here: [`data`] finds and reads images, [`engine`] computes networks, [`models`] has the kinds of models, [`train`] trains
//! them and keeps runs, [`tune`] searches for good settings of anything, [`explore`] maps, samples and measures vectors, and [`report`]
//! draws figures and pages.

mod code_sampler;
mod conditional;
mod conditions;
mod data_summary;
mod duplicates;
mod error;
pub mod evaluate;
mod explorer;
pub mod figures;
mod flow;
mod latents;
mod linear_decoder;
mod map;
mod model;
mod outliers;
mod outputs;
mod predict;
mod prior;
mod probe;
mod recipe;
mod reconstruct;
mod sample;
mod search;
mod selection;
mod session;
mod settings_file;
mod shards;
mod training_latents;
mod traverse;
mod tuner;

pub use latents_data as data;
pub use latents_engine as engine;
pub use latents_explore as explore;
pub use latents_models as models;
pub use latents_progress as progress;
pub use latents_report as report;
pub use latents_tables as tables;
pub use latents_train as train;
pub use latents_tune as tune;

pub use latents_data::{Dataset, Labelled, Limits, Part, Pictures, Shard, Source};
pub use latents_engine::Isa;
pub use latents_explore::neighbours::Metric;
pub use latents_explore::traverse::Interpolation;
pub use latents_models::ModelConfig;
pub use latents_progress::{Cancel, Interrupted, Monitor, Progress, Reporter, count, duration};
pub use latents_train::{Run, RunConfig, SettingsLayer, TrainSummary};
pub use latents_tune::{Space, StudyConfig};

pub use conditional::SampledClasses;
pub use data_summary::{ClassCount, class_counts, contact_sheet};
pub use duplicates::{CopyGroup, CopyKind, DuplicateConfig, Duplicates, Keep, Member};
pub use error::{Error, Result};
pub use evaluate::{EvalOptions, Evaluation};
pub use explorer::{ExploredModel, explored_places, explorer_section};
pub use latents::{ImageArray, Latents, save_beside};
pub use linear_decoder::LinearDecoder;
pub use map::{LatentMap, MapMethod, Tsne};
pub use model::TrainedModel;
pub use outliers::{NearPair, Outlier, OutlierConfig, Outliers};
pub use outputs::{
    DUPLICATE_ENDINGS, OUTLIER_ENDINGS, PREDICTION_ENDINGS, SEARCH_ENDINGS, SHARD_ENDINGS,
    VECTOR_ENDINGS, check_output,
};
pub use predict::{ClassifierInput, Prediction, Predictions, Tta};
pub use probe::{FewLabels, ProbeConfig, ProbeResults, VectorProbe};
pub use recipe::{ASSUMED_SHAPE, FinishedRun, Recipe, open_for, train_run, train_seeds};
pub use reconstruct::{Evidence, Reconstruction};
pub use sample::{NearestImages, Sampler, Samples, Tempered};
pub use search::{Neighbour, QueryResult, SearchConfig, SearchIndex, SearchItem, SearchResults};
pub use selection::{SelectedImages, Selection};
pub use session::Session;
pub use settings_file::{setting_paths, settings_file};
pub use shards::{Merged, ShardFile, merge, shard_file};
pub use traverse::{Axes, LatentPoint, Traversal};
pub use tuner::{
    BestTrial, ProgramTarget, TuneResults, TuneSummary, TunedStudy, Tuner, best_settings,
    default_folder, default_space, parameter_cell, parse_space, refit_layer, search, tune_program,
};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The same of the repository's.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct RepositoryReadme;
