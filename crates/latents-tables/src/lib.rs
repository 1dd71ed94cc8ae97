//! Tables as columns, from CSV, JSON lines and Parquet files. A [`TableFile`] is read whole or batch by batch; a [`ColumnTable`] is written as
//! CSV or Parquet. Nothing here knows what the columns mean.
//!
//! - **CSV** (RFC 4180) is UTF-8, with or without a byte-order mark. The separator (`,`, `;` or a tab) and the line of names are
//!   recognised. A column is whole numbers, numbers, truth values or text, whichever fits all of its cells.
//! - **JSON lines** have an object on each line. Nested objects become columns with dotted names.
//! - **Parquet** needs the feature `parquet`. Nested groups become columns with dotted names; lists of numbers are read, deeper lists are
//!   named in [`TableFile::unreadable`]. Compression is none, Snappy or gzip.
#![doc = include_str!("../README.md")]

mod csv;
mod error;
mod expansion;
mod file;
mod jsonl;
#[cfg(feature = "parquet")]
mod parquet;
mod table;

use std::path::Path;

pub use self::csv::{Options, csv_text};
pub use self::error::Error;
pub use self::file::{Batches, TableFile};
pub use self::table::{Column, ColumnTable, Field, Kind, Values};

/// What a function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The endings of files that can be read, in lower case.
pub const READ_ENDINGS: [&str; 7] = ["csv", "tsv", "txt", "jsonl", "ndjson", "parquet", "pq"];

/// The endings of files that can be written, in lower case.
pub const WRITE_ENDINGS: [&str; 4] = ["csv", "tsv", "parquet", "pq"];

/// A format of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    JsonLines,
    Parquet,
}

impl Format {
    fn of(path: &Path, known: &'static [&'static str]) -> Result<Self> {
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        let ending = ending.filter(|ending| known.contains(&ending.as_str()));
        match ending.as_deref() {
            Some("csv" | "tsv" | "txt") => Ok(Self::Csv),
            Some("jsonl" | "ndjson") => Ok(Self::JsonLines),
            Some("parquet" | "pq") => Ok(Self::Parquet),
            _ => Err(Error::Ending { path: path.to_owned(), known }),
        }
    }
}

/// Writes a table in the format that the file's ending says, completely or not at all. The same table gives the same bytes.
///
/// # Errors
/// [`Error::Ending`] if the ending is not one of [`WRITE_ENDINGS`], [`Error::Unwritable`] if the format has no place for a column,
/// [`Error::NoParquet`] without the feature, [`Error::File`] if the file cannot be written.
pub fn write(path: &Path, table: &ColumnTable) -> Result<()> {
    match Format::of(path, &WRITE_ENDINGS)? {
        Format::Parquet => write_parquet(path, table, &[]),
        _ if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("tsv")) => {
            csv::write(path, table, b'\t')
        }
        _ => csv::write(path, table, b','),
    }
}

/// Writes CSV with a line of names. Missing values are empty.
///
/// # Errors
/// [`Error::Unwritable`] if a column has bytes or lists, [`Error::File`] if the file cannot be written.
pub fn write_csv(path: &Path, table: &ColumnTable) -> Result<()> {
    csv::write(path, table, b',')
}

/// Writes Parquet, compressed by Snappy, with keys and values besides the columns.
///
/// # Errors
/// [`Error::NoParquet`] without the feature, [`Error::File`] if the file cannot be written.
pub fn write_parquet(path: &Path, table: &ColumnTable, metadata: &[(&str, &str)]) -> Result<()> {
    #[cfg(feature = "parquet")]
    return parquet::write(path, table, metadata);
    #[cfg(not(feature = "parquet"))]
    {
        let _ = (table, metadata);
        Err(Error::NoParquet { path: path.to_owned() })
    }
}
