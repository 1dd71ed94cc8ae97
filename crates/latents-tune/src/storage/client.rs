//! The interface to a database: a statement and its arguments in, rows out; and the few SQL phrases in which SQLite and PostgreSQL differ.
//! The statements themselves are in the modules that run them.

use crate::error::Error;

/// What a storage is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// An argument of a statement, for `$1`, `$2`, ... in the order in which they first appear.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arg<'a> {
    Int(i64),
    Real(Option<f64>),
    Text(&'a str),
}

/// A value in a row of results.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
}

impl Cell {
    /// Bytes of its text.
    pub(super) fn text_bytes(&self) -> u64 {
        match self {
            Cell::Text(text) => text.len() as u64,
            Cell::Null | Cell::Int(_) | Cell::Real(_) => 0,
        }
    }
}

/// Why a transaction is rolled back.
#[derive(Debug)]
pub(super) enum Failure {
    /// The database reports an error.
    Database(String),
    /// This crate reports an error.
    Other(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Other(error)
    }
}

impl Failure {
    /// The error of a caller that wanted to do `action`.
    pub(super) fn into_error(self, url: &str, action: &'static str) -> Error {
        match self {
            Failure::Other(error) => error,
            Failure::Database(reason) => Error::Storage { url: url.into(), action, reason },
        }
    }
}

/// A row of results, column by column.
#[derive(Debug)]
pub(super) struct Row(pub(super) Vec<Cell>);

impl Row {
    pub(super) fn int(&self, column: usize) -> Result<i64, Failure> {
        match self.0.get(column) {
            Some(Cell::Int(x)) => Ok(*x),
            other => Err(unexpected("an integer", other)),
        }
    }

    pub(super) fn real(&self, column: usize) -> Result<Option<f64>, Failure> {
        match self.0.get(column) {
            Some(Cell::Null) => Ok(None),
            Some(Cell::Int(x)) => Ok(Some(*x as f64)),
            Some(Cell::Real(x)) => Ok(Some(*x)),
            other => Err(unexpected("a number", other)),
        }
    }

    pub(super) fn text(&self, column: usize) -> Result<&str, Failure> {
        match self.0.get(column) {
            Some(Cell::Text(x)) => Ok(x),
            other => Err(unexpected("a string", other)),
        }
    }
}

fn unexpected(expected: &str, cell: Option<&Cell>) -> Failure {
    damaged(&format!("{cell:?} instead of {expected}"))
}

/// The content of the tables violates the schema.
pub(super) fn damaged(what: &str) -> Failure {
    Failure::Database(format!(
        "its tables are damaged ({what}); restore a backup, or use another storage"
    ))
}

/// A connection to a database.
pub(super) trait Client: Send {
    /// The phrases that differ between databases.
    fn dialect(&self) -> &'static Dialect;

    /// Runs a statement and returns its rows.
    fn query(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<Vec<Row>, Failure>;

    /// Runs statements without arguments and results.
    fn batch(&mut self, sql: &str) -> Result<(), Failure>;

    /// Sets the connection up, once the database has the tables.
    fn set_up(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

/// SQL phrases that differ between databases.
#[derive(Debug)]
pub(super) struct Dialect {
    /// Begins a transaction that reads one state of the database throughout.
    pub(super) begin_read: &'static str,
    /// Begins a transaction that writes.
    pub(super) begin_write: &'static str,
    /// At the end of a query: locks the rows until the transaction ends.
    pub(super) lock: &'static str,
    /// Keeps others from creating tables until the transaction ends.
    pub(super) lock_schema: &'static str,
    /// The current time, as the start and end of a trial are stored.
    pub(super) now: &'static str,
    /// The current time, as a heartbeat is stored.
    pub(super) beat: &'static str,
    /// Seconds since the heartbeat in the row `h`.
    pub(super) age: &'static str,
    /// The start and the end of the trial in the row `t`, in seconds since 1970.
    pub(super) span: &'static str,
    /// Selects the names of all tables.
    pub(super) tables: &'static str,
    /// Creates the types that the tables need.
    pub(super) create_types: &'static str,
    /// Placeholders in the text that creates the tables, and the types that replace them.
    pub(super) types: &'static [(&'static str, &'static str)],
}
