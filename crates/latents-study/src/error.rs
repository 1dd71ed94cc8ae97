//! What can go wrong with a study. The library's errors are its sources; the variants here are those that a caller may act on. No message names
//! a command or a flag; a front that has them adds its own hint by the variant.

use std::any::Any;
use std::path::PathBuf;

use latents::Interrupted;

/// The result of a call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a study.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller asked for a stop. Everything that the study needs to continue has been saved.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// The library cannot do what a study needs, or a file cannot be read or written.
    #[error(transparent)]
    Latents(latents::Error),
    /// A stage failed. The stages that were finished keep their results.
    #[error("{title}")]
    Stage {
        /// The stage's name, such as `ae-adam`.
        stage: &'static str,
        /// The stage's title for people.
        title: &'static str,
        /// Why it failed.
        source: Box<Error>,
    },
    /// The program has a fault.
    #[error(
        "a fault of this program: {message}; please report it. Everything that was finished is saved, and the study can be continued"
    )]
    Panicked {
        /// What the panic said.
        message: String,
    },
    /// A study has no part of this name.
    #[error("a study has no part `{part}`; use one of {}", crate::PARTS.join(", "))]
    UnknownPart {
        /// The name.
        part: String,
    },
    /// A study cannot take so many minutes.
    #[error("minutes = {minutes} must be more than 0")]
    Minutes {
        /// The minutes.
        minutes: f64,
    },
    /// There are too few images to study.
    #[error("a study needs at least {needed} images, but there are {found}")]
    TooFewImages {
        /// How many are needed.
        needed: usize,
        /// How many there are.
        found: usize,
    },
    /// There are no test images.
    #[error("a study needs test images, and {origin} has none: hold out a part of its images")]
    NoTestImages {
        /// The images.
        origin: String,
    },
    /// The output folder holds another study.
    #[error(
        "{} is of a study of other images, with another seed or with other budgets; choose another folder",
        file.display()
    )]
    OtherStudy {
        /// The settings of the study in the folder.
        file: PathBuf,
    },
    /// The images are not those of the vectors.
    #[error("the images of {images} are not those of the vectors: {problem}")]
    OtherImages {
        /// The source of the images.
        images: String,
        /// Why.
        problem: String,
    },
    /// The file that identifies the study in the output folder cannot be understood.
    #[error(
        "{} does not identify the study in its folder; choose another folder: {problem}",
        file.display()
    )]
    DamagedIdentity {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A result of a stage cannot be used.
    #[error("{}: {problem}; delete this file to repeat the stage", file.display())]
    DamagedResult {
        /// The file of the result.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// No trial of a search ran to the end.
    #[error("no trial of the search in {} is complete", folder.display())]
    NoCompleteTrial {
        /// The folder of the search.
        folder: PathBuf,
    },
}

impl Error {
    /// Whether the study was interrupted by the caller's own token.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        matches!(self, Error::Interrupted(_))
    }

    /// The error for what a thread panicked with.
    pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Error::Panicked { message: text.unwrap_or("it has no message").to_owned() }
    }

    /// The error with the stage in which it happened.
    pub(crate) fn in_stage(self, stage: &'static str, title: &'static str) -> Self {
        match self {
            Error::Interrupted(_) => self,
            error => Error::Stage { stage, title, source: Box::new(error) },
        }
    }
}

impl From<latents::Error> for Error {
    fn from(error: latents::Error) -> Self {
        match error {
            latents::Error::Interrupted(interrupted) => Error::Interrupted(interrupted),
            error => Error::Latents(error),
        }
    }
}

/// The errors of the library's crates, as the library has them.
macro_rules! from {
    ($($error:ty),+ $(,)?) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                latents::Error::from(error).into()
            }
        })+
    };
}

from!(
    latents::data::Error,
    latents::data::npz::NpzError,
    latents::engine::Error,
    latents::explore::Error,
    latents::report::Error,
    latents::train::Error,
    latents_files::FileError,
    serde_json::Error,
    toml::ser::Error,
);
