//! The errors of a run. No message names a command or a flag; an interface that has them can add a hint based on the variant.

use std::path::PathBuf;

use latents_engine::Shape;
use latents_progress::Interrupted;

/// Errors of training, and of reading and writing a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller cancelled the work. Training has saved a checkpoint.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// The images cannot be read.
    #[error(transparent)]
    Data(latents_data::Error),
    /// The model does not fit the images, or the weights do not fit the model.
    #[error(transparent)]
    Model(#[from] latents_models::Error),
    /// The engine reports an error.
    #[error(transparent)]
    Engine(#[from] latents_engine::Error),
    /// The principal components of the images cannot be computed.
    #[error(transparent)]
    Components(latents_explore::Error),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] latents_files::FileError),
    /// Training would need more memory than is free.
    #[error(transparent)]
    Memory(#[from] latents_files::TooLarge),
    /// The settings are invalid.
    #[error("settings: {0}")]
    Config(String),
    /// The settings of a file or another named source are invalid.
    #[error("{origin}: settings: {problem}")]
    Settings {
        /// The file or other source of the settings.
        origin: String,
        /// What is wrong.
        problem: String,
    },
    /// Picture settings are given without a source of pictures.
    #[error(
        "there are settings for pictures, but no folder or .npz file is named as the source of the images"
    )]
    PicturesWithoutSource,
    /// A run's images were arrays of a program, which no file has.
    #[error(
        "the images of this run were arrays in memory; name a file or a folder that has such images"
    )]
    InMemory,
    /// A run's own data cannot be opened.
    #[error("the data of this run")]
    RunData(#[source] Box<Error>),
    /// The images of the run's source now have another shape.
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
    /// Images of another source do not have the run's shape.
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
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of a finished run is not the one that training wrote.
    #[error("{} has changed since the run was trained: it was damaged, edited or replaced; restore it, or train the run again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The weights of a finished run are damaged.
    #[error("{}: {reason}; {}", path.display(), if *again { "delete it and resume the run to write it again" } else { "restore a copy of it" })]
    DamagedWeights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// Whether the run has a checkpoint, so that resuming writes the weights again.
        again: bool,
        /// The kind of the run's model.
        kind: &'static str,
        /// The run's folder.
        run: PathBuf,
    },
    /// The folder already holds a run.
    #[error("{} already holds a run; resume it, or choose another folder", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// The folder holds a run with other settings.
    #[error("{} holds a run with other settings; choose another folder, or delete it", path.display())]
    OtherRun {
        /// The folder.
        path: PathBuf,
    },
    /// The run's folder, or its settings, were removed while it was trained.
    #[error("{} was removed while the run was being trained; what was trained since the last checkpoint is lost", path.display())]
    Gone {
        /// The settings that are missing.
        path: PathBuf,
    },
    /// Another process is training in the folder.
    #[error("another process is training in {}; wait for it, or choose another folder", path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// The folder holds no run.
    #[error("{} holds no run (it has no config.toml); name another folder, or train a run there", path.display())]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// Training of the run is not finished.
    #[error("{} has no model.safetensors yet; resume the run to finish it", path.display())]
    Unfinished {
        /// The folder.
        path: PathBuf,
        /// The kind of the run's model.
        kind: &'static str,
    },
    /// Training cannot continue: neither the last checkpoint nor the one before it can be read.
    #[error("{} has no usable checkpoint; restore one from a backup, or start a new run", path.display())]
    NoCheckpoint {
        /// The folder.
        path: PathBuf,
        /// What is wrong with the last checkpoint.
        source: Box<Error>,
    },
    /// The loss is not finite.
    #[error(
        "the loss is not a finite number in epoch {epoch}; try a learning rate below {rate}, or limit the gradient's norm to 1"
    )]
    Diverged {
        /// The epoch, from 1.
        epoch: u64,
        /// The learning rate.
        rate: f64,
    },
    /// Most values of other images lie outside the run's range.
    #[error(
        "{origin}: most values lie outside {range}, the range of values that the run was trained with; scale the images to that range"
    )]
    ForeignRange {
        /// The source of the images.
        origin: String,
        /// The range, as settings write it.
        range: String,
    },
    /// A classifier needs labels, and the images have none.
    #[error("this model needs class labels, and the images have none")]
    Unlabelled,
    /// A conditional model is trained on images of which some have no label.
    #[error(
        "a conditional model needs the class of every training and validation image, and {missing} of {of} images have none; label them, leave them out, or train with conditional = false"
    )]
    MissingLabels {
        /// How many images have no label.
        missing: usize,
        /// How many images there are.
        of: usize,
    },
    /// There is no class of this name.
    #[error("there is no class \"{name}\"; did you mean \"{nearest}\"? The classes of the run are {}", known.join(", "))]
    UnknownClass {
        /// The name.
        name: String,
        /// The known name most similar to it.
        nearest: String,
        /// The names of the run's classes.
        known: Vec<String>,
    },
}

impl Error {
    /// Whether a file of the run is not what was written.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Damaged { .. }
                | Self::Changed { .. }
                | Self::DamagedWeights { .. }
                | Self::NoCheckpoint { .. }
                | Self::Model(latents_models::Error::Weights { .. })
        )
    }
}

impl From<latents_explore::Error> for Error {
    fn from(error: latents_explore::Error) -> Self {
        match error {
            latents_explore::Error::Interrupted(interrupted) => Error::Interrupted(interrupted),
            error => Error::Components(error),
        }
    }
}

impl From<latents_data::Error> for Error {
    fn from(error: latents_data::Error) -> Self {
        match error {
            latents_data::Error::Interrupted(interrupted) => Error::Interrupted(interrupted),
            error => Error::Data(error),
        }
    }
}
