//! The steps of transactions: find a row and lock it, add a trial, set an attribute. Each must be called within a transaction.

use serde_json::Value as Json;

use super::client::{Arg, Client, Failure, Row, damaged};
use super::load::Cache;
use super::{OWNER, Start, StudyRecord, UnsupportedStudy, json};
use crate::direction::Direction;

/// A database, and a cache of its content.
pub(super) struct Ledger {
    pub(super) client: Box<dyn Client>,
    pub(super) cache: Cache,
}

/// The worker that runs a trial.
pub(super) struct Holder {
    /// Key of the trial's study.
    pub(super) study: i64,
    /// Name of the worker; empty if the trial was released.
    pub(super) owner: String,
    /// Seconds since the worker's last heartbeat.
    pub(super) age: f64,
}

impl Ledger {
    /// The study of a name.
    pub(super) fn study(&mut self, name: &str) -> Result<Option<StudyRecord>, Failure> {
        let sql = select_studies("WHERE s.study_name = $1");
        let rows = self.client.query(&sql, &[Arg::Text(name)])?;
        let Some(row) = rows.first() else { return Ok(None) };
        study_record(row)?.map(Some).map_err(|unsupported| unsupported.into_error().into())
    }

    /// All studies, and of those that are not supported why not.
    pub(super) fn studies(
        &mut self,
    ) -> Result<Vec<Result<StudyRecord, UnsupportedStudy>>, Failure> {
        let rows = self.client.query(&select_studies(""), &[])?;
        rows.iter().map(study_record).collect()
    }

    /// Fails if the study does not exist any more. Locks it if `lock` is the phrase for that.
    pub(super) fn require(&mut self, study: i64, lock: &str) -> Result<(), Failure> {
        let sql = format!("SELECT study_id FROM studies WHERE study_id = $1{lock}");
        if self.client.query(&sql, &[Arg::Int(study)])?.is_empty() {
            return Err(Failure::Database("the study was deleted".into()));
        }
        Ok(())
    }

    /// A system attribute of a study.
    pub(super) fn study_attr(&mut self, study: i64, key: &str) -> Result<Option<Json>, Failure> {
        let rows = self.client.query(
            "SELECT value_json FROM study_system_attributes WHERE study_id = $1 AND \"key\" = $2",
            &[Arg::Int(study), Arg::Text(key)],
        )?;
        let Some(row) = rows.first() else { return Ok(None) };
        json::attr(row.text(0)?).map(Some).map_err(Failure::Database)
    }

    /// Locks a trial and returns its worker. `None` if it is not running, or another program runs it.
    pub(super) fn holder(&mut self, trial: i64) -> Result<Option<Holder>, Failure> {
        let dialect = self.client.dialect();
        // These are two queries because PostgreSQL would return the owner as it was before the lock was granted.
        let sql = format!(
            "SELECT CAST(state AS TEXT), study_id FROM trials WHERE trial_id = $1{}",
            dialect.lock
        );
        let rows = self.client.query(&sql, &[Arg::Int(trial)])?;
        let Some(row) = rows.first().filter(|row| row.text(0).is_ok_and(|s| s == "RUNNING")) else {
            return Ok(None);
        };
        let study = row.int(1)?;
        let sql = format!(
            "SELECT a.value_json, {} FROM trial_system_attributes a \
             LEFT JOIN trial_heartbeats h ON h.trial_id = a.trial_id \
             WHERE a.trial_id = $1 AND a.\"key\" = $2",
            dialect.age
        );
        let rows = self.client.query(&sql, &[Arg::Int(trial), Arg::Text(OWNER)])?;
        let Some(row) = rows.first() else { return Ok(None) };
        let Ok(Json::String(owner)) = json::attr(row.text(0)?) else { return Ok(None) };
        let age = row.real(1)?.unwrap_or(f64::INFINITY);
        Ok(Some(Holder { study, owner, age }))
    }

    /// Gives a running trial to a worker.
    pub(super) fn give(&mut self, trial: i64, owner: &str) -> Result<Start, Failure> {
        self.set_attr("trial_system_attributes", trial, OWNER, &owner.into())?;
        self.record_heartbeat(trial)?;
        let record = self.cache.load(&mut *self.client, &[trial])?.pop();
        let deleted = || Failure::Database("the trial was deleted".into());
        record.map(Start::Trial).ok_or_else(deleted)
    }

    /// Number of trials of a study. As they are numbered from 0, it is also the number of the next trial.
    pub(super) fn count(&mut self, study: i64) -> Result<u64, Failure> {
        let sql = "SELECT COUNT(*) FROM trials WHERE study_id = $1";
        let rows = self.client.query(sql, &[Arg::Int(study)])?;
        Ok(one(&rows)?.int(0)? as u64)
    }

    /// Adds a trial to a study that is locked. `started` is an SQL expression. Returns the key and the number of the trial.
    pub(super) fn add(
        &mut self,
        study: i64,
        state: &str,
        started: &str,
    ) -> Result<(i64, u64), Failure> {
        let number = self.count(study)?;
        let sql = format!(
            "INSERT INTO trials (number, study_id, state, datetime_start) \
             VALUES ($1, $2, '{state}', {started}) RETURNING trial_id"
        );
        let rows = self.client.query(&sql, &[Arg::Int(number as i64), Arg::Int(study)])?;
        Ok((one(&rows)?.int(0)?, number))
    }

    /// Sets an attribute of a trial.
    pub(super) fn set_attr(
        &mut self,
        table: &str,
        trial: i64,
        key: &str,
        value: &Json,
    ) -> Result<(), Failure> {
        let sql = format!(
            "INSERT INTO {table} (trial_id, \"key\", value_json) VALUES ($1, $2, $3) \
             ON CONFLICT (trial_id, \"key\") DO UPDATE SET value_json = excluded.value_json"
        );
        let value = value.to_string();
        self.client.query(&sql, &[Arg::Int(trial), Arg::Text(key), Arg::Text(&value)])?;
        Ok(())
    }

    /// Records a heartbeat of a trial.
    pub(super) fn record_heartbeat(&mut self, trial: i64) -> Result<(), Failure> {
        let sql = format!(
            "INSERT INTO trial_heartbeats (trial_id, heartbeat) VALUES ($1, {}) \
             ON CONFLICT (trial_id) DO UPDATE SET heartbeat = excluded.heartbeat",
            self.client.dialect().beat
        );
        self.client.query(&sql, &[Arg::Int(trial)])?;
        Ok(())
    }
}

/// The row of a statement that always has one, unless the database has views or triggers in place of the tables.
fn one(rows: &[Row]) -> Result<&Row, Failure> {
    rows.first().ok_or_else(|| damaged("a statement has no result"))
}

/// Selects key, name, direction and number of objectives.
fn select_studies(condition: &str) -> String {
    format!(
        "SELECT s.study_id, s.study_name, COALESCE(MIN(CAST(d.direction AS TEXT)), 'NOT_SET'), \
         COUNT(d.direction) FROM studies s \
         LEFT JOIN study_directions d ON d.study_id = s.study_id {condition} \
         GROUP BY s.study_id, s.study_name ORDER BY s.study_id"
    )
}

fn study_record(row: &Row) -> Result<Result<StudyRecord, UnsupportedStudy>, Failure> {
    let name = row.text(1)?.to_string();
    let direction = match (row.int(3)?, row.text(2)?) {
        (1, "MINIMIZE") => Direction::Minimize,
        (1, "MAXIMIZE") => Direction::Maximize,
        (0 | 1, "NOT_SET") => return Ok(Err(UnsupportedStudy { name, objectives: 0 })),
        (1, other) => return Err(damaged(&format!("{other} is not a direction of a study"))),
        (several, _) => return Ok(Err(UnsupportedStudy { name, objectives: several as u64 })),
    };
    Ok(Ok(StudyRecord { id: row.int(0)?, name, direction }))
}
