//! Errors of this crate.

use std::fmt;
use std::path::PathBuf;

use latents_files::FileError;
use latents_progress::Interrupted;

use crate::direction::Direction;

/// An error of a study, of its storage, or of a search space.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A distribution contradicts itself, or does not contain a value.
    #[error("{0}")]
    Distribution(String),
    /// A search space contradicts itself, or a sampler does not support it.
    #[error("search space: {0}")]
    Space(String),
    /// A search space has no parameter.
    #[error("search space: there is no parameter in it")]
    EmptySpace,
    /// A parameter has an incompatible distribution in an earlier trial of the study.
    #[error(
        "parameter `{name}` is {now} here, but {before} in the study's earlier trials; use another study name"
    )]
    Incompatible {
        /// Name of the parameter.
        name: String,
        /// Its distribution in this trial.
        now: String,
        /// Its distribution in an earlier trial.
        before: String,
    },
    /// A name is not in the list of [`SamplerKind`](crate::SamplerKind)s or [`PrunerKind`](crate::PrunerKind)s.
    #[error("unknown {what} `{name}`; use one of {}", known.join(", "))]
    UnknownName {
        /// What it should name: `sampler` or `pruner`.
        what: &'static str,
        /// The unknown name.
        name: String,
        /// All names that are known.
        known: Vec<&'static str>,
    },
    /// The settings of a pruner contradict themselves.
    #[error(transparent)]
    Pruner(#[from] InvalidPruner),
    /// The URL of a storage cannot be parsed, or names an unknown kind of storage.
    #[error("study storage {url}: {reason}")]
    Address {
        /// The URL, without a password.
        url: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The URL names a PostgreSQL database, but this crate was built without its feature `postgres`.
    #[error("study storage {url}: this build has no PostgreSQL support (feature `postgres`)")]
    NoPostgres {
        /// The URL, without a password.
        url: String,
    },
    /// The storage reports an error.
    #[error("study storage {url}: cannot {action}: {reason}")]
    Storage {
        /// URL of the storage, without a password.
        url: String,
        /// The action that failed.
        action: &'static str,
        /// The error, in the storage's words.
        reason: String,
    },
    /// A storage file does not exist, and looking for a study must not create it.
    #[error("there is no file {}: no study is stored there", file.display())]
    NoFile {
        /// The file.
        file: PathBuf,
    },
    /// A storage file is empty.
    #[error("the file {} is empty: no study is stored there", file.display())]
    EmptyFile {
        /// The file.
        file: PathBuf,
    },
    /// A database has no tables of studies, and looking for a study must not create them.
    #[error("{url} is an empty database: no study is stored there")]
    NoTables {
        /// URL of the storage, without a password.
        url: String,
    },
    /// A storage has no study of a name.
    #[error("there is no study `{name}` in {url}; there are: {}", listed(studies, unsupported))]
    NoStudy {
        /// URL of the storage, without a password.
        url: String,
        /// The name that was looked for.
        name: String,
        /// Names of the supported studies in the storage.
        studies: Vec<String>,
        /// Its other studies.
        unsupported: Vec<UnsupportedStudy>,
    },
    /// A storage does not have exactly one study, so the address must name one.
    #[error("which study? Name one as {url}#NAME; there are: {}", listed(studies, unsupported))]
    WhichStudy {
        /// URL of the storage, without a password.
        url: String,
        /// Names of the supported studies in the storage.
        studies: Vec<String>,
        /// Its other studies.
        unsupported: Vec<UnsupportedStudy>,
    },
    /// A study cannot be used.
    #[error("study `{study}`: {reason}")]
    Study {
        /// Name of the study.
        study: String,
        /// Why not.
        reason: String,
    },
    /// A study has the opposite direction.
    #[error(
        "study `{study}`: it {}; use another study name or another storage",
        match direction {
            Direction::Minimize => "minimises, but is asked to maximise",
            Direction::Maximize => "maximises, but is asked to minimise",
        }
    )]
    OtherDirection {
        /// Name of the study.
        study: String,
        /// The study's own direction.
        direction: Direction,
    },
    /// A study has another seed.
    #[error(
        "study `{study}`: its seed is {seed}; give this seed or none to continue it, or use another study name"
    )]
    OtherSeed {
        /// Name of the study.
        study: String,
        /// The study's own seed.
        seed: u64,
    },
    /// A study was begun with other settings.
    #[error(
        "study `{study}` was begun with other settings; use the same settings, or another study name:\n  {}",
        differences.join("\n  ")
    )]
    OtherSettings {
        /// Name of the study.
        study: String,
        /// The settings that differ, a line each, as [`differences`](crate::differences) gives them.
        differences: Vec<String>,
    },
    /// The stored settings of a study cannot be read.
    #[error(
        "{url}: the settings of study `{study}` are damaged, or were written by another version of this program; use another study"
    )]
    DamagedSettings {
        /// URL of the storage, without a password.
        url: String,
        /// Name of the study.
        study: String,
        /// Why they cannot be read.
        source: serde_json::Error,
    },
    /// Another worker has taken the trial over, or the trial has ended. This worker must not change it.
    #[error("trial {number} belongs to another worker now")]
    Lost {
        /// Number of the trial.
        number: u64,
    },
    /// A trial was queued with a value that its parameter cannot have.
    #[error("trial {number} was queued with a value that `{name}` cannot have: {reason}")]
    Queued {
        /// Number of the trial.
        number: u64,
        /// Name of the parameter.
        name: String,
        /// What is wrong with the value.
        reason: String,
    },
    /// Every trial of a study that has ended has failed.
    #[error(
        "study `{study}`: {}; trial {number}: {reason}",
        if *failed == 1 { "its only trial failed".into() } else { format!("all {failed} trials failed") }
    )]
    AllFailed {
        /// Name of the study.
        study: String,
        /// Number of its trials that have failed.
        failed: u64,
        /// The first trial that failed, of this process if it ran any.
        number: u64,
        /// Why that trial failed.
        reason: String,
    },
    /// The objective cannot continue, for a reason that other trials would meet too.
    #[error("trial {number}: {reason}")]
    Objective {
        /// Number of the trial.
        number: u64,
        /// The reason.
        reason: String,
    },
    /// A file or folder cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The work was cancelled. Everything that it needs to continue has been saved.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

fn listed(studies: &[String], unsupported: &[UnsupportedStudy]) -> String {
    let studies = if studies.is_empty() { "none".into() } else { studies.join(", ") };
    let unsupported: Vec<String> = unsupported.iter().map(ToString::to_string).collect();
    match unsupported.join(", ") {
        none if none.is_empty() => studies,
        some => format!("{studies}; not supported: {some}"),
    }
}

/// An invalid setting of a pruner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pruner: {0}")]
pub struct InvalidPruner(String);

impl InvalidPruner {
    /// An error with `message`, unless `holds`.
    pub(crate) fn unless(holds: bool, message: impl FnOnce() -> String) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(InvalidPruner(message())) }
    }
}

/// A study in a storage that this crate can neither search nor show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsupportedStudy {
    /// Its name.
    pub name: String,
    /// The number of its objectives; 0 if its only objective has no direction yet.
    pub objectives: u64,
}

impl UnsupportedStudy {
    /// The error if it is to be used.
    pub(crate) fn into_error(self) -> Error {
        let reason = match self.objectives {
            0 => "it has no direction yet, minimize or maximize".into(),
            several => format!(
                "it has {several} objectives, but only single-objective studies are supported; optuna-dashboard shows it, and a few lines of \
                 Python copy one of its objectives into a study of its own (see \"With Optuna\" in the book's page on tuning)"
            ),
        };
        Error::Study { study: self.name, reason }
    }
}

impl fmt::Display for UnsupportedStudy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.objectives {
            0 => write!(f, "{} (no direction yet)", self.name),
            several => write!(f, "{} ({several} objectives)", self.name),
        }
    }
}
