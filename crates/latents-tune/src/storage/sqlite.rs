//! SQLite behind the ledger. Times are texts in UTC, six digits to the second like SQLAlchemy's.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, ToSql, params_from_iter};

use super::client::{Arg, Cell, Client, Dialect, Failure, Row};

/// How long to wait for others who write.
const PATIENCE: Duration = Duration::from_secs(60);

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
}

impl Sqlite {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(failure)?;
        // SQLite opens a file that may not be written all the same, and would complain at the first trial only.
        if connection.is_readonly(MAIN_DB).map_err(failure)? {
            return Err(Failure::Database("the file is read-only".into()));
        }
        connection.busy_timeout(PATIENCE).map_err(failure)?;
        connection.set_prepared_statement_cache_capacity(128);
        Ok(Self { connection })
    }
}

impl Client for Sqlite {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    fn query(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<Vec<Row>, Failure> {
        // To SQLite `$2` is a name, which counts from where it first stands; `?2` is the second argument, as `$2` is elsewhere.
        let sql = sql.replace('$', "?");
        let mut statement = self.connection.prepare_cached(&sql).map_err(failure)?;
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(args)).map_err(failure)?;
        let mut all = Vec::new();
        while let Some(row) = rows.next().map_err(failure)? {
            let cells = (0..columns).map(|i| row.get_ref(i).map_err(failure).and_then(cell));
            all.push(Row(cells.collect::<Result<_, _>>()?));
        }
        Ok(all)
    }

    fn batch(&mut self, sql: &str) -> Result<(), Failure> {
        self.connection.execute_batch(sql).map_err(failure)
    }

    /// With a write-ahead log, readers and a writer do not wait for each other, and a commit need not wait for the disk: a power cut
    /// may take the last of them back, and harms nothing else.
    fn settle(&mut self) -> Result<(), Failure> {
        let wal = self.connection.pragma_update(None, "journal_mode", "wal");
        match wal.as_ref().map_err(rusqlite::Error::sqlite_error_code) {
            // Somebody is at it, who will turn the log on, or who does without; whoever comes next tries again.
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
            text.map(Cell::Text).map_err(|_| Failure::Database("a text in it is damaged".into()))
        }
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn failure(error: rusqlite::Error) -> Failure {
    let reason = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => "the file is no SQLite database; take another name",
        Some(ErrorCode::DatabaseCorrupt) => "the file is damaged; put a copy back, or take another",
        Some(ErrorCode::DiskFull) => "the disk is full; make room, then go on",
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            "the file or its folder is read-only"
        }
        Some(ErrorCode::CannotOpen) => {
            "the file cannot be opened; there must be such a folder, and it must be writable"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program has kept the file locked for a minute"
        }
        _ => return Failure::Database(error.to_string()),
    };
    Failure::Database(reason.into())
}

#[cfg(test)]
mod tests {
    use super::*;

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
