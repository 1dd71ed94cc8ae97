//! What can go wrong with a run. No message names a command or a flag; a front that has them adds its own hint by the variant.

use std::path::PathBuf;

use latents_engine::Shape;
use latents_progress::Interrupted;

/// An error of a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller asked for a stop. Training has saved what it needs to continue.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// The images cannot be read.
    #[error(transparent)]
    Data(latents_data::Error),
    /// The model does not fit the images, or its weights do not fit it.
    #[error(transparent)]
    Model(#[from] latents_models::Error),
    /// The engine refuses.
    #[error(transparent)]
    Engine(#[from] latents_engine::Error),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] latents_files::FileError),
    /// No run can have these settings.
    #[error("settings: {0}")]
    Config(String),
    /// The settings of a file, or another named place, are wrong.
    #[error("{origin}: settings: {problem}")]
    Settings {
        /// The file, or where the settings come from.
        origin: String,
        /// What is wrong.
        problem: String,
    },
    /// Picture settings are given, but no source of pictures.
    #[error(
        "there are settings for pictures, but no folder or .npz file is named as the source of the images"
    )]
    PicturesWithoutSource,
    /// A run's own data cannot be opened.
    #[error("the data of this run")]
    RunData(#[source] Box<Error>),
    /// The images of a run's source have another shape now.
    #[error(
        "the images of {origin} have shape {shape:?} ([channels, height, width]), but the run was trained on {run:?}"
    )]
    OtherShape {
        /// The source.
        origin: String,
        /// The shape of its images now.
        shape: Shape,
        /// The shape that the run was trained on.
        run: Shape,
    },
    /// Images from elsewhere do not have the run's shape.
    #[error(
        "the images of {origin} have shape {shape:?}, but the run needs {run:?} ([channels, height, width]); only folders and .npz files are resized"
    )]
    ForeignShape {
        /// The source.
        origin: String,
        /// The shape of its images.
        shape: Shape,
        /// The shape that the run needs.
        run: Shape,
    },
    /// A run's file is damaged.
    #[error("{}: {reason}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The weights of a finished run are damaged.
    #[error("{}: {reason}; {}", path.display(), if *again { "delete it and resume the run to write it again" } else { "restore a copy of it" })]
    DamagedWeights {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// Whether the run has a checkpoint that the weights can be written from again.
        again: bool,
        /// The run's kind.
        kind: &'static str,
        /// The run's folder.
        run: PathBuf,
    },
    /// The folder holds a run already.
    #[error("{} already holds a run; resume it, or choose another folder", path.display())]
    Exists {
        /// Which folder.
        path: PathBuf,
    },
    /// The folder holds a run with other settings.
    #[error("{} holds a run with other settings; choose another folder, or delete it", path.display())]
    OtherRun {
        /// Which folder.
        path: PathBuf,
    },
    /// Another process is training in the folder.
    #[error("another process is training in {}; wait for it, or choose another folder", path.display())]
    Busy {
        /// Which folder.
        path: PathBuf,
    },
    /// There is no run in the folder.
    #[error("{} holds no run (it has no config.toml); name another folder, or train a run there", path.display())]
    NoRun {
        /// Which folder.
        path: PathBuf,
    },
    /// The run has not been trained to the end.
    #[error("{} has no model.safetensors yet; resume the run to finish it", path.display())]
    Unfinished {
        /// Which folder.
        path: PathBuf,
        /// The run's kind.
        kind: &'static str,
    },
    /// Training cannot continue: neither the last checkpoint nor the one before it can be read.
    #[error("{} has no usable checkpoint; restore one from a backup, or start a new run", path.display())]
    NoCheckpoint {
        /// Which folder.
        path: PathBuf,
        /// What is wrong with the last one.
        source: Box<Error>,
    },
    /// The loss is not finite.
    #[error(
        "the loss is not a finite number in epoch {epoch}; try a learning rate below {rate}, or limit the gradient's norm to 1"
    )]
    Diverged {
        /// In which epoch, from 1.
        epoch: u64,
        /// The learning rate.
        rate: f64,
    },
    /// A model that learns classes is given images without labels.
    #[error("this model needs class labels, and the images have none")]
    Unlabelled,
}

impl From<latents_data::Error> for Error {
    fn from(error: latents_data::Error) -> Self {
        match error {
            latents_data::Error::Interrupted(interrupted) => Error::Interrupted(interrupted),
            error => Error::Data(error),
        }
    }
}
