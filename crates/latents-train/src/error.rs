//! What can go wrong with a run.

use std::path::PathBuf;

/// An error of a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The model does not fit the images, or its weights do not fit it.
    #[error(transparent)]
    Model(#[from] latents_models::Error),
    /// The engine refuses.
    #[error(transparent)]
    Engine(#[from] latents_engine::Error),
    /// A file that cannot be read or written.
    #[error(transparent)]
    File(#[from] latents_files::FileError),
    /// Settings that no run can have.
    #[error("settings: {0}")]
    Config(String),
    /// A run's file that is damaged.
    #[error("{}: {reason}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The folder holds a run already.
    #[error("{} already holds a run; add --resume to go on with it, or choose another --out", path.display())]
    Exists {
        /// Which folder.
        path: PathBuf,
    },
    /// Another process is at it.
    #[error("another process is training in {}; wait for it, or choose another --out", path.display())]
    Busy {
        /// Which folder.
        path: PathBuf,
    },
    /// There is no run in the folder, or none that has got far enough.
    #[error("{} {missing}", path.display())]
    NoRun {
        /// Which folder.
        path: PathBuf,
        /// What is missing, and what to do.
        missing: String,
    },
    /// Training cannot go on: neither the last checkpoint nor the one before it can be read.
    #[error(
        "{} has no checkpoint that can be gone on from; put a copy of it back, or begin another run",
        path.display()
    )]
    NoCheckpoint {
        /// Which folder.
        path: PathBuf,
        /// What is wrong with the last one.
        source: Box<Error>,
    },
    /// The loss is no longer a number.
    #[error(
        "the loss is no longer a number in epoch {epoch}: try a lower learning rate than {rate}, or --clip-norm 1"
    )]
    Diverged {
        /// In which epoch, from 1.
        epoch: u64,
        /// The learning rate.
        rate: f64,
    },
}
