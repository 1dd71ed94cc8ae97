//! The PostgreSQL client, without TLS. Times are stored in UTC, but heartbeats in the session's time zone, as in Optuna.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::time::Duration;

use postgres::types::{FromSql, ToSql, Type};
use postgres::{Config, NoTls, Statement};

use super::client::{Arg, Cell, Client, Dialect, Failure, Row};

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

const DIALECT: Dialect = Dialect {
    begin_read: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    begin_write: "BEGIN ISOLATION LEVEL READ COMMITTED",
    lock: " FOR UPDATE",
    // Any number that no other program uses: "latents" in ASCII.
    lock_schema: "SELECT pg_advisory_xact_lock(30506450030589043)",
    now: "clock_timestamp() AT TIME ZONE 'utc'",
    beat: "clock_timestamp()",
    // Heartbeats are in the session's time zone, where a change of daylight saving time shifts them by an hour.
    age: "EXTRACT(EPOCH FROM clock_timestamp() - h.heartbeat::timestamptz)::float8",
    span: "EXTRACT(EPOCH FROM t.datetime_start)::float8, \
           EXTRACT(EPOCH FROM t.datetime_complete)::float8",
    tables: "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() \
             ORDER BY tablename",
    create_types: "
        CREATE TYPE studydirection AS ENUM ('NOT_SET', 'MINIMIZE', 'MAXIMIZE');
        CREATE TYPE trialstate AS ENUM ('RUNNING', 'COMPLETE', 'PRUNED', 'FAIL', 'WAITING');
        CREATE TYPE trialvaluetype AS ENUM ('FINITE', 'INF_POS', 'INF_NEG');
        CREATE TYPE trialintermediatevaluetype AS ENUM ('FINITE', 'INF_POS', 'INF_NEG', 'NAN');",
    types: &[
        ("{serial}", "SERIAL"),
        ("{time}", "TIMESTAMP WITHOUT TIME ZONE"),
        ("{float}", "FLOAT(53)"),
        ("{direction}", "studydirection"),
        ("{state}", "trialstate"),
        ("{value_type}", "trialvaluetype"),
        ("{intermediate_type}", "trialintermediatevaluetype"),
    ],
};

pub(super) struct Postgres {
    client: postgres::Client,
    prepared: BTreeMap<String, Statement>,
}

impl Postgres {
    pub(super) fn open(url: &str) -> Result<Self, Failure> {
        let mut config: Config = url.parse().map_err(failure)?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        let client = config.application_name("latents").connect(NoTls).map_err(failure)?;
        Ok(Self { client, prepared: BTreeMap::new() })
    }

    /// Connects so that the server refuses every write of this connection.
    pub(super) fn open_read_only(url: &str) -> Result<Self, Failure> {
        let mut opened = Self::open(url)?;
        opened.batch("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")?;
        Ok(opened)
    }

    fn statement(&mut self, sql: &str) -> Result<Statement, Failure> {
        if let Some(statement) = self.prepared.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).map_err(failure)?;
        self.prepared.insert(sql.into(), statement.clone());
        Ok(statement)
    }
}

impl Client for Postgres {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    fn query(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<Vec<Row>, Failure> {
        let statement = self.statement(sql)?;
        let typed: Vec<Box<dyn ToSql + Sync + '_>> = args
            .iter()
            .zip(statement.params())
            .map(|(arg, wanted)| typed(arg, wanted))
            .collect::<Result<_, _>>()?;
        let borrowed: Vec<&(dyn ToSql + Sync)> = typed.iter().map(|arg| &**arg as _).collect();
        let rows = self.client.query(&statement, &borrowed).map_err(failure)?;
        let cells = |row: &postgres::Row| {
            let cells = (0..row.len()).map(|i| row.try_get(i).map_err(failure));
            Ok(Row(cells.collect::<Result<_, _>>()?))
        };
        rows.iter().map(cells).collect()
    }

    fn batch(&mut self, sql: &str) -> Result<(), Failure> {
        self.client.batch_execute(sql).map_err(failure)
    }
}

/// The argument in the width that the statement needs.
fn typed<'a>(arg: &Arg<'a>, wanted: &Type) -> Result<Box<dyn ToSql + Sync + 'a>, Failure> {
    match *arg {
        Arg::Int(x) if *wanted == Type::INT4 => {
            let narrow = i32::try_from(x).map_err(|_| {
                Failure::Database(format!("{x} is beyond the 32 bits that it stores"))
            })?;
            Ok(Box::new(narrow))
        }
        Arg::Int(x) => Ok(Box::new(x)),
        Arg::Real(x) => Ok(Box::new(x)),
        Arg::Text(x) => Ok(Box::new(x)),
    }
}

impl<'a> FromSql<'a> for Cell {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        match *ty {
            Type::INT4 => Ok(Cell::Int(i32::from_sql(ty, raw)?.into())),
            Type::INT8 => Ok(Cell::Int(i64::from_sql(ty, raw)?)),
            Type::FLOAT8 => Ok(Cell::Real(f64::from_sql(ty, raw)?)),
            _ => Ok(Cell::Text(str::from_utf8(raw)?.into())),
        }
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Cell::Null)
    }

    /// Numbers, strings, and enumerations, which arrive as strings.
    fn accepts(_: &Type) -> bool {
        true
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn failure(error: postgres::Error) -> Failure {
    if let Some(said) = error.as_db_error() {
        let detail = said.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
        return Failure::Database(format!("{}{detail}", said.message()));
    }
    if error.is_closed() {
        return Failure::Database("the connection is lost; check the server, then continue".into());
    }
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    Failure::Database(format!("{error}{cause}"))
}
