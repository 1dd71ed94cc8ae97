//! The error type of this crate.

use std::path::PathBuf;

/// An error of a model or of a file of weights.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The layers of the network do not fit together, or the data do not fit the network.
    #[error(transparent)]
    Engine(#[from] latents_engine::Error),
    /// A setting from which no network can be built.
    #[error("model settings: {reason}")]
    Setting {
        /// Name of the setting, as `config.toml` has it. If settings contradict each other, the one to change.
        setting: &'static str,
        /// What is wrong; it names the setting.
        reason: String,
    },
    /// There is no kind of this name.
    #[error("there is no model of kind `{kind}`; the kinds are {}", known.join(", "))]
    UnknownKind {
        /// The name.
        kind: String,
        /// The names of the kinds that there are.
        known: &'static [&'static str],
    },
    /// A classifier was to start from a model that has no encoder.
    #[error("model settings: a model of kind `{kind}` has no encoder")]
    NoEncoder {
        /// The kind of that model.
        kind: &'static str,
    },
    /// There are not enough classes to tell apart.
    #[error("a classifier needs images of at least 2 classes, not {classes}")]
    TooFewClasses {
        /// Number of classes.
        classes: usize,
    },
    /// The bound on log p(x) or a penalty of the posterior was requested of a model that is not a variational autoencoder.
    #[error(
        "an importance-weighted bound and a penalty of the posterior need a variational autoencoder"
    )]
    NotVariational,
    /// The bound on log p(x) was requested with no draws.
    #[error("an importance-weighted bound needs at least one draw")]
    NoDraws,
    /// The work was cancelled through its [`Monitor`](latents_progress::Monitor).
    #[error(transparent)]
    Interrupted(#[from] latents_progress::Interrupted),
    /// A file that cannot be read or written.
    #[error(transparent)]
    File(#[from] latents_files::FileError),
    /// A file of weights that is damaged or belongs to another model.
    #[error("{}: {reason}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what was expected.
        reason: String,
    },
}

impl Error {
    /// An [`Error::Setting`].
    pub fn setting(setting: &'static str, reason: impl Into<String>) -> Self {
        Error::Setting { setting, reason: reason.into() }
    }

    /// The error for a conditional model of images that have no classes.
    pub(crate) fn unconditional(classes: usize) -> Self {
        let reason = format!(
            "conditional = true needs images with labels of at least 2 classes, and these have {classes}"
        );
        Self::setting("conditional", reason)
    }
}
