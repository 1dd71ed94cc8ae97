//! What the ledger asks of a database: one statement at a time, values in, rows out, and the few phrases in which SQLite and PostgreSQL
//! differ. The statements themselves are written where they are needed.

use crate::error::Error;

/// A value that goes into a statement, for `$1`, `$2`, ... in the order in which they first appear.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arg<'a> {
    Int(i64),
    Real(Option<f64>),
    Text(&'a str),
}

/// A value that comes out.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
}

/// Why a transaction is given up.
#[derive(Debug)]
pub(super) enum Failure {
    /// The database refuses, for this reason.
    Database(String),
    /// The ledger refuses.
    Ledger(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Ledger(error)
    }
}

impl Failure {
    /// What a caller is told, who wanted to do `action`.
    pub(super) fn into_error(self, url: &str, action: &'static str) -> Error {
        match self {
            Failure::Ledger(error) => error,
            Failure::Database(reason) => Error::Storage { url: url.into(), action, reason },
        }
    }
}

/// A row that comes out, column by column.
#[derive(Debug)]
pub(super) struct Row(pub(super) Vec<Cell>);

impl Row {
    pub(super) fn int(&self, column: usize) -> Result<i64, Failure> {
        match self.0.get(column) {
            Some(Cell::Int(x)) => Ok(*x),
            other => Err(unlike("a whole number", other)),
        }
    }

    pub(super) fn real(&self, column: usize) -> Result<Option<f64>, Failure> {
        match self.0.get(column) {
            Some(Cell::Null) => Ok(None),
            Some(Cell::Int(x)) => Ok(Some(*x as f64)),
            Some(Cell::Real(x)) => Ok(Some(*x)),
            other => Err(unlike("a number", other)),
        }
    }

    pub(super) fn text(&self, column: usize) -> Result<&str, Failure> {
        match self.0.get(column) {
            Some(Cell::Text(x)) => Ok(x),
            other => Err(unlike("a text", other)),
        }
    }
}

fn unlike(expected: &str, cell: Option<&Cell>) -> Failure {
    damaged(&format!("{cell:?} where {expected} should be"))
}

/// The tables hold what nobody who keeps to the schema would write.
pub(super) fn damaged(what: &str) -> Failure {
    Failure::Database(format!("its tables are damaged ({what}); put a copy back, or take another"))
}

/// A connection to a database.
pub(super) trait Client: Send {
    /// How it puts what is not the same everywhere.
    fn dialect(&self) -> &'static Dialect;

    /// Runs a statement to its end.
    fn query(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<Vec<Row>, Failure>;

    /// Runs statements that take and give no values.
    fn batch(&mut self, sql: &str) -> Result<(), Failure>;

    /// Is told that the database holds studies, and may be set up for them.
    fn settle(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

/// Phrases of a database's own.
#[derive(Debug)]
pub(super) struct Dialect {
    /// Opens a transaction that sees one state of the database throughout.
    pub(super) begin_read: &'static str,
    /// Opens a transaction that writes.
    pub(super) begin_write: &'static str,
    /// At the end of a query: nobody else may change the rows before the transaction is over.
    pub(super) lock: &'static str,
    /// Keeps others from making tables before the transaction is over.
    pub(super) lock_schema: &'static str,
    /// The time, as a trial's beginning and end are kept.
    pub(super) now: &'static str,
    /// The time, as a heartbeat is kept.
    pub(super) beat: &'static str,
    /// Seconds since the heartbeat in the row `h`.
    pub(super) age: &'static str,
    /// The beginning and the end of the row `t`, in seconds since 1970.
    pub(super) span: &'static str,
    /// Names of the tables that are there.
    pub(super) tables: &'static str,
    /// Makes the types that the tables need.
    pub(super) create_types: &'static str,
    /// What stands for the types in the text that makes the tables.
    pub(super) types: &'static [(&'static str, &'static str)],
}
