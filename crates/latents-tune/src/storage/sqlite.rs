//! The SQLite client. Times are strings in UTC with six fractional digits, like SQLAlchemy's.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, ToSql, ffi, params_from_iter};

use super::client::{Arg, Cell, Client, Dialect, Failure, Row, damaged};
use super::snapshot;

/// How long to wait for other writers.
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest text or row, in bytes.
const LONGEST: i32 = 64 << 20;
/// The most bytes that a transaction reads, unless the file has an eighth of them. Rows of a hostile file can share their pages, or take their text from a default.
const MOST_READ: u64 = 64 << 20;
/// Bytes of a row beside its text; rows take about half of them in a file.
const OF_ROW: u64 = 64;

const DIALECT: Dialect = Dialect {
    begin_read: "BEGIN",
    begin_write: "BEGIN IMMEDIATE",
    lock: "",
    lock_schema: "",
    now: "strftime('%Y-%m-%d %H:%M:%f000', 'now')",
    beat: "strftime('%Y-%m-%d %H:%M:%f000', 'now')",
    age: "unixepoch('now', 'subsec') - unixepoch(h.heartbeat, 'subsec')",
    span: "unixepoch(t.datetime_start, 'subsec'), unixepoch(t.datetime_complete, 'subsec')",
    tables: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' \
             ESCAPE '\\' ORDER BY name",
    create_types: "",
    types: &[
        ("{serial}", "INTEGER"),
        ("{time}", "DATETIME"),
        ("{float}", "FLOAT"),
        ("{direction}", "VARCHAR(8)"),
        ("{state}", "VARCHAR(8)"),
        ("{value_type}", "VARCHAR(7)"),
        ("{intermediate_type}", "VARCHAR(7)"),
    ],
};

pub(super) struct Sqlite {
    connection: Connection,
    /// Bytes that the transaction has read.
    read: u64,
}

impl Sqlite {
    /// Opens a file to write to it. It and the folders that it is in are made if they are missing.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        if let Some(folder) = path.parent() {
            let made = latents_files::create_folder(folder);
            made.map_err(|e| Failure::Database(format!("{e}: {}", e.source)))?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(failure)?;
        // SQLite opens a read-only file without an error, and would fail only at the first trial.
        if connection.is_readonly(MAIN_DB).map_err(failure)? {
            return Err(Failure::Database("the file is read-only".into()));
        }
        Self::new(connection)
    }

    /// Opens a file without ever writing to it or beside it. Of a file with a write-ahead log, this reads what is committed now.
    pub(super) fn open_read_only(path: &Path) -> Result<Self, Failure> {
        let connection = if let Some(content) = snapshot::read(path)? {
            let mut memory = Connection::open_in_memory().map_err(failure)?;
            let length = content.len();
            if length > 0 {
                let content = &content[..];
                memory.deserialize_read_exact(MAIN_DB, content, length, true).map_err(failure)?;
            }
            memory
        } else {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            Connection::open_with_flags(path, flags).map_err(failure)?
        };
        connection.pragma_update(None, "temp_store", "memory").map_err(failure)?;
        Self::new(connection)
    }

    fn new(connection: Connection) -> Result<Self, Failure> {
        // Others may have made the file: its triggers and views do not run, and its schema calls no function that has effects.
        for code in [
            DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER,
            DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW,
            DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA,
        ] {
            connection.set_db_config(code, false).map_err(failure)?;
        }
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map_err(failure)?;
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST).map_err(failure)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failure)?;
        connection.set_prepared_statement_cache_capacity(128);
        Ok(Self { connection, read: 0 })
    }

    /// Bytes of the database.
    fn size(&self) -> rusqlite::Result<u64> {
        let number =
            |pragma| self.connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        let bytes = number("page_count")?.saturating_mul(number("page_size")?);
        Ok(bytes.unsigned_abs())
    }
}

impl Client for Sqlite {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    fn query(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<Vec<Row>, Failure> {
        // In SQLite `$2` is a named parameter, numbered by its first occurrence; `?2` is the second argument, as `$2` is elsewhere.
        let sql = sql.replace('$', "?");
        let mut statement = self.connection.prepare_cached(&sql).map_err(failure)?;
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(args)).map_err(failure)?;
        let mut all = Vec::new();
        let (mut read, mut most) = (self.read, MOST_READ);
        while let Some(row) = rows.next().map_err(failure)? {
            let cells = (0..columns).map(|i| row.get_ref(i).map_err(failure).and_then(cell));
            let row = Row(cells.collect::<Result<_, _>>()?);
            read += OF_ROW + row.0.iter().map(Cell::text_bytes).sum::<u64>();
            if read > most {
                most = most.max(8 * self.size().map_err(failure)?);
                if read > most {
                    return Err(damaged("its rows are far more than the file"));
                }
            }
            all.push(row);
        }
        self.read = read;
        Ok(all)
    }

    fn batch(&mut self, sql: &str) -> Result<(), Failure> {
        if sql.starts_with("BEGIN") {
            self.read = 0;
        }
        self.connection.execute_batch(sql).map_err(failure)
    }

    /// With a write-ahead log, readers and a writer do not wait for each other, and a commit need not wait for the disk: a power cut
    /// may undo the last commits, but does not damage the file.
    fn set_up(&mut self) -> Result<(), Failure> {
        let wal = self.connection.pragma_update(None, "journal_mode", "wal");
        match wal.as_ref().map_err(rusqlite::Error::sqlite_error_code) {
            // Another process uses the file. It turns the log on itself, or does without; the next process tries again.
            Ok(()) | Err(Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) => {}
            Err(_) => wal.map_err(failure)?,
        }
        self.connection.pragma_update(None, "synchronous", "normal").map_err(failure)
    }
}

impl ToSql for Arg<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Arg::Int(x) => x.to_sql(),
            Arg::Real(x) => x.to_sql(),
            Arg::Text(x) => x.to_sql(),
        }
    }
}

fn cell(value: ValueRef<'_>) -> Result<Cell, Failure> {
    match value {
        ValueRef::Null => Ok(Cell::Null),
        ValueRef::Integer(x) => Ok(Cell::Int(x)),
        ValueRef::Real(x) => Ok(Cell::Real(x)),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            let text = String::from_utf8(bytes.to_vec());
            text.map(Cell::Text).map_err(|_| Failure::Database("a string in it is damaged".into()))
        }
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn failure(error: rusqlite::Error) -> Failure {
    // A read-only connection cannot undo the half of a transaction that is in the file.
    if error.sqlite_error().is_some_and(|e| e.extended_code == ffi::SQLITE_READONLY_ROLLBACK) {
        return Failure::Database(
            "a program was cut off while it wrote; open the file once with that program, which repairs it"
                .into(),
        );
    }
    let reason = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => "the file is not an SQLite database; use another file",
        Some(ErrorCode::DatabaseCorrupt) => {
            "the file is damaged; restore a backup, or use another file"
        }
        Some(ErrorCode::DiskFull) => "the disk is full; free some space, then continue",
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            "the file or its folder is read-only"
        }
        Some(ErrorCode::CannotOpen) => {
            "the file cannot be opened; its folder must exist and be writable"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program has locked the file for a minute"
        }
        _ => return Failure::Database(error.to_string()),
    };
    Failure::Database(reason.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows that do not have their text take it from the default of the column.
    #[test]
    fn rows_that_are_far_more_than_the_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut client = Sqlite::open(&folder.path().join("large.db")).unwrap();
        let rows = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000) \
                    INSERT INTO t SELECT i FROM n";
        let text = "x".repeat(50_000);
        client.batch(&format!("CREATE TABLE t (i INTEGER); {rows}")).unwrap();
        client.batch(&format!("ALTER TABLE t ADD COLUMN x TEXT DEFAULT '{text}'")).unwrap();
        let some = |client: &mut Sqlite, n: i64| {
            client.batch("BEGIN").unwrap();
            let read = client.query("SELECT x FROM t WHERE i <= $1", &[Arg::Int(n)]);
            client.batch("COMMIT").unwrap();
            read.map(|rows| rows.len()).map_err(|e| format!("{e:?}"))
        };
        assert_eq!(some(&mut client, 1000), Ok(1000));
        assert_eq!(some(&mut client, 1000), Ok(1000), "each transaction counts by itself");
        let said = some(&mut client, 2000).unwrap_err();
        assert!(said.contains("its rows are far more than the file"), "{said}");
        let too_long = client.query("SELECT zeroblob(100000000)", &[]).unwrap_err();
        assert!(format!("{too_long:?}").contains("too big"), "{too_long:?}");
    }

    #[test]
    fn a_full_disk_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut client = Sqlite::open(&folder.path().join("small.db")).unwrap();
        client.batch("PRAGMA max_page_count = 4; CREATE TABLE t (x TEXT)").unwrap();
        let text = "x".repeat(100_000);
        let refused = client.query("INSERT INTO t VALUES ($1)", &[Arg::Text(&text)]).unwrap_err();
        assert!(format!("{refused:?}").contains("the disk is full"), "{refused:?}");
        assert_eq!(client.query("SELECT x FROM t", &[]).unwrap().len(), 0);
    }
}
