//! The extension module `latents._latents`: the library's calls for Python. What users see is in `python/latents`, which checks arguments, and keeps to
//! scikit-learn's names; here arrays become slices and errors become exceptions. No result is computed here.

// Python gives arguments by value.
#![allow(clippy::needless_pass_by_value)]

mod arrays;
mod call;
mod dataset;
mod error;
mod explore;
mod model;
mod settings;
mod tune;

use std::ffi::OsString;
use std::path::PathBuf;

use pyo3::prelude::*;

/// The calls of the library.
#[pymodule]
mod _latents {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::call::set_threads;
    #[pymodule_export]
    use super::command;
    #[pymodule_export]
    use super::dataset::{Dataset, Images};
    #[pymodule_export]
    use super::error::Error;
    #[pymodule_export]
    use super::explore::{
        NeighborIndex, disentanglement, gaussian_mixture, gaussian_mixture_criteria,
        gaussian_mixture_posterior, gaussian_mixture_sample, kmeans, kmeans_distances, logistic,
        logistic_logits, pca, pca_inverse, pca_transform, tsne, tsne_transform,
    };
    #[pymodule_export]
    use super::model::{Model, SearchedImages, train};
    #[pymodule_export]
    use super::settings::{kinds, setting_paths};
    #[pymodule_export]
    use super::tune::{Study, Trial, tune};
    #[pymodule_export]
    use super::write_text;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}

/// Runs the command `latents` with these arguments, of which the first is the program's own name; returns its exit code.
#[pyfunction]
fn command(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| latents_cli::main(arguments))
}

/// Writes a file, completely or not at all.
#[pyfunction]
fn write_text(py: Python<'_>, path: PathBuf, text: &str) -> PyResult<()> {
    let written = py.detach(|| latents_files::write(&path, text.as_bytes()));
    written.map_err(|error| error::exception(&error.into()))
}
