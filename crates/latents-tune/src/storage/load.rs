//! Reads trials from the tables. A trial that has ended never changes, so it is read once and cached. A call reads only new and unfinished
//! trials, with a few queries in all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::client::{Arg, Client, Failure, Row, damaged};
use super::json;
use crate::distribution::Distribution;
use crate::trial::{TrialParameter, TrialRecord, TrialState};

/// Maximum number of trials that a query selects by key.
const MAX_KEYS: usize = 256;

/// What has been read so far.
#[derive(Debug, Default)]
pub(super) struct Cache {
    studies: BTreeMap<i64, StudyCache>,
    /// Distributions by their JSON.
    distributions: BTreeMap<String, Arc<Distribution>>,
    /// Distributions of parameters in the earliest trial of a study that has them, by study and name.
    firsts: BTreeMap<(i64, String), Arc<Distribution>>,
}

/// The trials of a study that have been read.
#[derive(Debug, Default)]
struct StudyCache {
    /// Trials by number.
    trials: BTreeMap<u64, Arc<TrialRecord>>,
    /// Keys of the trials that may still change.
    unfinished: BTreeSet<i64>,
    /// The largest key. Keys are in the order of commits, because a transaction that adds a trial has locked the study.
    last: i64,
}

impl Cache {
    /// All trials of a study, in the order of their numbers. Must be called within a transaction.
    pub(super) fn trials(
        &mut self,
        client: &mut dyn Client,
        study: i64,
    ) -> Result<Vec<Arc<TrialRecord>>, Failure> {
        let cached = self.studies.entry(study).or_default();
        let mut ids: Vec<i64> = cached.unfinished.iter().copied().collect();
        let sql = "SELECT trial_id FROM trials WHERE study_id = $1 AND trial_id > $2";
        for row in client.query(sql, &[Arg::Int(study), Arg::Int(cached.last)])? {
            ids.push(row.int(0)?);
        }
        let records = self.load(client, &ids)?;
        let cached = self.studies.entry(study).or_default();
        for record in records {
            cached.last = cached.last.max(record.id);
            if record.state.is_finished() {
                cached.unfinished.remove(&record.id);
            } else {
                cached.unfinished.insert(record.id);
            }
            cached.trials.insert(record.number, Arc::new(record));
        }
        Ok(cached.trials.values().cloned().collect())
    }

    /// The distribution of a parameter in the earliest trial of the study that has it.
    pub(super) fn first(
        &mut self,
        client: &mut dyn Client,
        study: i64,
        name: &str,
    ) -> Result<Option<Arc<Distribution>>, Failure> {
        let key = (study, name.to_string());
        if let Some(first) = self.firsts.get(&key) {
            return Ok(Some(Arc::clone(first)));
        }
        let rows = client.query(
            "SELECT p.distribution_json FROM trials t \
             JOIN trial_params p ON p.trial_id = t.trial_id AND p.param_name = $2 \
             WHERE t.study_id = $1 ORDER BY t.trial_id LIMIT 1",
            &[Arg::Int(study), Arg::Text(name)],
        )?;
        let Some(row) = rows.first() else { return Ok(None) };
        let first = self.distribution(row.text(0)?)?;
        self.firsts.insert(key, Arc::clone(&first));
        Ok(Some(first))
    }

    /// Reads trials by their keys. Must be called within a transaction.
    pub(super) fn load(
        &mut self,
        client: &mut dyn Client,
        ids: &[i64],
    ) -> Result<Vec<TrialRecord>, Failure> {
        let mut records = BTreeMap::new();
        for ids in ids.chunks(MAX_KEYS) {
            self.load_some(client, ids, &mut records)?;
        }
        Ok(records.into_values().collect())
    }

    fn load_some(
        &mut self,
        client: &mut dyn Client,
        ids: &[i64],
        records: &mut BTreeMap<i64, TrialRecord>,
    ) -> Result<(), Failure> {
        // Lengths are rounded up to limit the number of prepared statements.
        let padded = (0..ids.len().next_power_of_two()).map(|i| ids[i.min(ids.len() - 1)]);
        let args: Vec<Arg<'_>> = padded.map(Arg::Int).collect();
        let keys: Vec<String> = (1..=args.len()).map(|i| format!("${i}")).collect();
        let keys = keys.join(", ");
        let span = client.dialect().span;
        let mut select = |columns: &str, table: &str| {
            let sql = format!("SELECT {columns} FROM {table} t WHERE trial_id IN ({keys})");
            client.query(&sql, &args)
        };

        for row in select(&format!("trial_id, number, CAST(state AS TEXT), {span}"), "trials")? {
            records.insert(row.int(0)?, head(&row)?);
        }
        let columns = "trial_id, param_name, param_value, distribution_json";
        for row in select(columns, "trial_params")? {
            let internal = row.real(2)?.unwrap_or(f64::NAN);
            let parameter =
                TrialParameter { internal, distribution: self.distribution(row.text(3)?)? };
            let choices = matches!(*parameter.distribution, Distribution::Categorical { .. });
            if choices && !parameter.distribution.contains(internal) {
                return Err(damaged(&format!("a parameter has no choice {internal}")));
            }
            of(records, &row)?.params.insert(row.text(1)?.into(), parameter);
        }
        let columns = "trial_id, value, CAST(value_type AS TEXT)";
        for row in select(columns, "trial_values")? {
            of(records, &row)?.value = Some(value(&row, 1)?);
        }
        let columns = "trial_id, step, intermediate_value, CAST(intermediate_value_type AS TEXT)";
        for row in select(columns, "trial_intermediate_values")? {
            of(records, &row)?.intermediate.insert(row.int(1)?, value(&row, 2)?);
        }
        let columns = r#"trial_id, "key", value_json"#;
        for row in select(columns, "trial_user_attributes")? {
            of(records, &row)?.user_attrs.insert(row.text(1)?.into(), attr(&row, 2)?);
        }
        for row in select(columns, "trial_system_attributes")? {
            of(records, &row)?.system_attrs.insert(row.text(1)?.into(), attr(&row, 2)?);
        }
        Ok(())
    }

    /// Parses a distribution. All trials share equal ones.
    fn distribution(&mut self, text: &str) -> Result<Arc<Distribution>, Failure> {
        if let Some(cached) = self.distributions.get(text) {
            return Ok(Arc::clone(cached));
        }
        let read = json::distribution(text).map_err(|e| damaged(&e.to_string()))?;
        let read = Arc::new(read);
        self.distributions.insert(text.into(), Arc::clone(&read));
        Ok(read)
    }
}

/// The trial that a row of another table belongs to.
fn of<'a>(
    records: &'a mut BTreeMap<i64, TrialRecord>,
    row: &Row,
) -> Result<&'a mut TrialRecord, Failure> {
    let id = row.int(0)?;
    records.get_mut(&id).ok_or_else(|| damaged(&format!("there is no trial {id}")))
}

/// The part of a record that is in the table of trials itself.
fn head(row: &Row) -> Result<TrialRecord, Failure> {
    let number = row.int(1)?;
    let unnumbered = |_| damaged(&format!("{number} is not a number of a trial"));
    Ok(TrialRecord {
        id: row.int(0)?,
        number: number.try_into().map_err(unnumbered)?,
        state: state(row.text(2)?)?,
        value: None,
        params: BTreeMap::new(),
        intermediate: BTreeMap::new(),
        user_attrs: BTreeMap::new(),
        system_attrs: BTreeMap::new(),
        started: row.real(3)?.and_then(time),
        finished: row.real(4)?.and_then(time),
    })
}

fn time(seconds: f64) -> Option<SystemTime> {
    // Microseconds are the precision of a double for dates of this century.
    let micros = Duration::from_micros((seconds * 1e6).round() as u64);
    UNIX_EPOCH.checked_add(micros)
}

/// The name of a state in the tables.
pub(super) fn state_name(state: TrialState) -> &'static str {
    match state {
        TrialState::Running => "RUNNING",
        TrialState::Complete => "COMPLETE",
        TrialState::Pruned => "PRUNED",
        TrialState::Failed => "FAIL",
        TrialState::Waiting => "WAITING",
    }
}

fn state(name: &str) -> Result<TrialState, Failure> {
    use TrialState::{Complete, Failed, Pruned, Running, Waiting};
    let all = [Running, Complete, Pruned, Failed, Waiting];
    let state = all.into_iter().find(|state| state_name(*state) == name);
    state.ok_or_else(|| damaged(&format!("{name} is not a state of a trial")))
}

/// A number, stored as its kind and, if it is finite, its value.
fn value(row: &Row, column: usize) -> Result<f64, Failure> {
    match (row.text(column + 1)?, row.real(column)?) {
        ("FINITE", Some(x)) => Ok(x),
        ("INF_POS", _) => Ok(f64::INFINITY),
        ("INF_NEG", _) => Ok(f64::NEG_INFINITY),
        ("NAN", _) => Ok(f64::NAN),
        (kind, x) => Err(damaged(&format!("{x:?} is not a {kind} number"))),
    }
}

fn attr(row: &Row, column: usize) -> Result<serde_json::Value, Failure> {
    json::attr(row.text(column)?).map_err(|e| damaged(&e))
}
