//! A whole study of an image collection: autoencoders, tuning, classifiers, maps and samples, and one page with every figure and table.
//!
//! A [`CollectionStudy`] runs in stages, each of which leaves its result in a file ([`results`]). A study that was stopped or killed continues when it is run
//! again: finished stages are not repeated, and the others resume from the checkpoints of their runs. The results depend on settings, seed and images
//! alone, not on the number of threads or of stages that run at the same time.
//!
//! It is a program over the library `latents`: what is measured, trained and drawn is there; here is only which of it a study has, and what the page
//! says about it.

mod budget;
mod collection;
mod error;
mod few;
mod machine;
mod progress;
mod reconstruction;
pub mod results;
mod s1;
mod s2;
mod s3;
mod s4;
mod s5;
mod stages;
mod study;
mod time;
mod vectors;
mod words;
mod worker;

pub use error::{Error, Result};
pub use progress::StageTime;
pub use study::{CollectionStudy, PARTS, StudySummary};
pub use vectors::VectorStudy;

/// The example in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
