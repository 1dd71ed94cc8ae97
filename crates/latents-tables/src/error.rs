//! Why a table cannot be read or written.

use std::path::{Path, PathBuf};

use latents_files::FileError;

use crate::table::Kind;

/// A table cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be opened or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The content of the file is not as expected.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong and where, and what to do.
        reason: String,
    },
    /// The file's ending names no format.
    #[error("{}: unknown ending; known are {}", path.display(), endings(known))]
    Ending {
        /// The file.
        path: PathBuf,
        /// The known endings.
        known: &'static [&'static str],
    },
    /// This build lacks the feature `parquet`.
    #[error("{}: this build does not support Parquet; use CSV, or build with the feature `parquet`", path.display())]
    NoParquet {
        /// The file.
        path: PathBuf,
    },
    /// There is no such column.
    #[error("{}: it has no column `{name}`; it has: {}", path.display(), names(known))]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        name: String,
        /// The columns that can be read.
        known: Vec<String>,
    },
    /// The columns do not make a table.
    #[error("{0}")]
    Columns(String),
    /// The format has no place for the values of a column.
    #[error("{}: column `{name}` has {kind}, which CSV cannot hold; write Parquet instead", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The column.
        name: String,
        /// Its kind.
        kind: Kind,
    },
}

impl Error {
    pub(crate) fn content(path: &Path, reason: impl Into<String>) -> Self {
        Self::Content { path: path.to_owned(), reason: reason.into() }
    }
}

fn endings(known: &[&str]) -> String {
    known.iter().map(|ending| format!(".{ending}")).collect::<Vec<_>>().join(", ")
}

fn names(known: &[String]) -> String {
    if known.is_empty() { "none".into() } else { known.join(", ") }
}
