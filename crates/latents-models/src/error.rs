//! What can be wrong with a model or with its file.

use std::path::PathBuf;

/// An error of a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The network does not fit together, or what it was given does not fit it.
    #[error(transparent)]
    Engine(#[from] latents_engine::Error),
    /// A setting that no network can be built from.
    #[error("model settings: {0}")]
    Config(String),
    /// A file that cannot be read or written.
    #[error(transparent)]
    File(#[from] latents_files::FileError),
    /// A file of weights that is damaged or of another model.
    #[error("{}: {reason}", path.display())]
    Weights {
        /// Which file.
        path: PathBuf,
        /// What is wrong and what was expected.
        reason: String,
    },
}
