//! A storage in a relational database, in the tables of Optuna 5.0. The transactions are here and their steps in `ledger.rs`, in SQL that
//! every supported database understands. Connections, the creation of tables and the reading of trials have their own modules.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::Value as Json;

use super::client::{Access, Arg, Client, Dialect, Failure};
use super::ledger::{Holder, Ledger};
use super::load::{Cache, state_name};
use super::schema::{self, Found};
use super::{
    Claim, FIXED, OWNER, Start, Storage, StudyRecord, UnsupportedStudy, check_compatible,
    check_end, check_params, fixed_attr,
};
use crate::direction::Direction;
use crate::distribution::Distribution;
use crate::error::Error;
use crate::trial::{TrialRecord, TrialState};
use crate::value::Value;

/// Number and length of the waits for another program that seems to be creating the tables. A fuzzer's files have no other program.
const WAITS: (usize, Duration) =
    if cfg!(fuzzing) { (2, Duration::ZERO) } else { (50, Duration::from_millis(100)) };

/// A database with studies.
pub(super) struct Rdb {
    url: String,
    ledger: Mutex<Ledger>,
}

impl Rdb {
    /// Checks the tables. To write, creates them if there are none.
    pub(super) fn open(
        url: String,
        client: Box<dyn Client>,
        access: Access,
    ) -> Result<Self, Error> {
        let rdb = Self { url, ledger: Mutex::new(Ledger { client, cache: Cache::default() }) };
        let find = || rdb.read("open it", |ledger| schema::find(&mut *ledger.client));
        let mut found = find()?;
        for _ in 0..WAITS.0 {
            match found {
                Found::Tables => break,
                Found::Nothing if access == Access::Read => {
                    return Err(Error::NoTables { url: rdb.url });
                }
                Found::Nothing => {
                    rdb.write("create its tables", |ledger| schema::create(&mut *ledger.client))?;
                }
                Found::Parts => std::thread::sleep(WAITS.1),
            }
            found = find()?;
        }
        if found != Found::Tables {
            let reason =
                "its tables are incomplete; open it with Optuna 5.0, or use another storage";
            return Err(Failure::Database(reason.into()).into_error(&rdb.url, "open it"));
        }
        if access == Access::Read {
            return Ok(rdb);
        }
        let is_set_up = rdb.ledger().and_then(|mut ledger| ledger.client.set_up());
        is_set_up.map_err(|failure| failure.into_error(&rdb.url, "set it up"))?;
        Ok(rdb)
    }

    fn ledger(&self) -> Result<MutexGuard<'_, Ledger>, Failure> {
        self.ledger.lock().map_err(|_| Failure::Database("an earlier call has panicked".into()))
    }

    fn read<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&mut Ledger) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        let done = self.transaction(|dialect| dialect.begin_read, work);
        done.map_err(|failure| failure.into_error(&self.url, action))
    }

    fn write<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&mut Ledger) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        let done = self.transaction(|dialect| dialect.begin_write, work);
        done.map_err(|failure| failure.into_error(&self.url, action))
    }

    /// Writes to a running trial, if the claim is valid. `work` receives the key of the trial's study.
    fn write_claimed(
        &self,
        action: &'static str,
        claim: Claim<'_>,
        work: impl FnOnce(&mut Ledger, i64) -> Result<(), Failure>,
    ) -> Result<(), Error> {
        self.write(action, |ledger| match ledger.holder(claim.trial)? {
            Some(holder) if holder.owner == claim.owner => work(ledger, holder.study),
            _ => Err(Error::Lost { number: claim.number }.into()),
        })
    }

    fn transaction<T>(
        &self,
        begin: fn(&Dialect) -> &'static str,
        work: impl FnOnce(&mut Ledger) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut ledger = self.ledger()?;
        let begin = begin(ledger.client.dialect());
        let done = ledger.client.batch(begin).and_then(|()| work(&mut ledger)).and_then(|given| {
            ledger.client.batch("COMMIT")?;
            Ok(given)
        });
        if done.is_err() {
            // It fails only if there is nothing to roll back.
            let _ = ledger.client.batch("ROLLBACK");
        }
        done
    }
}

impl Storage for Rdb {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn study(&self, name: &str) -> Result<Option<StudyRecord>, Error> {
        self.read("find a study", |ledger| ledger.study(name))
    }

    fn studies(&self) -> Result<Vec<StudyRecord>, Error> {
        let all = self.read("list its studies", Ledger::studies)?;
        Ok(all.into_iter().filter_map(Result::ok).collect())
    }

    fn unsupported_studies(&self) -> Result<Vec<UnsupportedStudy>, Error> {
        let all = self.read("list its studies", Ledger::studies)?;
        Ok(all.into_iter().filter_map(Result::err).collect())
    }

    fn create_study(&self, name: &str, direction: Direction) -> Result<StudyRecord, Error> {
        self.write("create a study", |ledger| {
            let made = ledger.client.query(
                "INSERT INTO studies (study_name) VALUES ($1) \
                 ON CONFLICT (study_name) DO NOTHING RETURNING study_id",
                &[Arg::Text(name)],
            )?;
            if let Some(row) = made.first() {
                let direction = match direction {
                    Direction::Minimize => "MINIMIZE",
                    Direction::Maximize => "MAXIMIZE",
                };
                let sql = format!(
                    "INSERT INTO study_directions (direction, study_id, objective) \
                     VALUES ('{direction}', $1, 0)"
                );
                ledger.client.query(&sql, &[Arg::Int(row.int(0)?)])?;
            }
            let deleted = || Failure::Database("the study was deleted".into());
            ledger.study(name)?.ok_or_else(deleted)
        })
    }

    fn study_attr(&self, study: i64, key: &str) -> Result<Option<Json>, Error> {
        self.read("read an attribute of a study", |ledger| ledger.study_attr(study, key))
    }

    fn init_study_attr(&self, study: i64, key: &str, value: &Json) -> Result<Json, Error> {
        self.write("set an attribute of a study", |ledger| {
            ledger.require(study, "")?;
            ledger.client.query(
                "INSERT INTO study_system_attributes (study_id, \"key\", value_json) \
                 VALUES ($1, $2, $3) ON CONFLICT (study_id, \"key\") DO NOTHING",
                &[Arg::Int(study), Arg::Text(key), Arg::Text(&value.to_string())],
            )?;
            let deleted = || Failure::Database("the study was deleted".into());
            ledger.study_attr(study, key)?.ok_or_else(deleted)
        })
    }

    fn trials(&self, study: i64) -> Result<Vec<Arc<TrialRecord>>, Error> {
        self.read("read the trials of a study", |ledger| {
            ledger.require(study, "")?;
            ledger.cache.trials(&mut *ledger.client, study)
        })
    }

    fn start_trial(
        &self,
        study: i64,
        owner: &str,
        limit: Option<u64>,
        is_abandoned: &dyn Fn(&str, f64) -> bool,
    ) -> Result<Start, Error> {
        self.write("start a trial", |ledger| {
            let Dialect { lock, now, .. } = ledger.client.dialect();
            ledger.require(study, lock)?;

            let ours = "SELECT t.trial_id FROM trials t \
                        JOIN trial_system_attributes a ON a.trial_id = t.trial_id AND a.\"key\" = $2 \
                        WHERE t.study_id = $1 AND t.state = 'RUNNING' ORDER BY t.number";
            let mut running = 0;
            for row in ledger.client.query(ours, &[Arg::Int(study), Arg::Text(OWNER)])? {
                let trial = row.int(0)?;
                let Some(Holder { owner: other, age, .. }) = ledger.holder(trial)? else {
                    continue;
                };
                if other.is_empty() || is_abandoned(&other, age) {
                    return ledger.give(trial, owner);
                }
                running += 1;
            }

            let waiting = "SELECT trial_id FROM trials \
                           WHERE study_id = $1 AND state = 'WAITING' ORDER BY number";
            let take = format!(
                "UPDATE trials SET state = 'RUNNING', datetime_start = {now} \
                 WHERE trial_id = $1 AND state = 'WAITING' RETURNING trial_id"
            );
            for row in ledger.client.query(waiting, &[Arg::Int(study)])? {
                let trial = row.int(0)?;
                // Optuna does not lock the study to take a trial, so it may have taken this one meanwhile.
                if !ledger.client.query(&take, &[Arg::Int(trial)])?.is_empty() {
                    return ledger.give(trial, owner);
                }
            }

            if let Some(limit) = limit
                && ledger.count(study)? >= limit
            {
                return Ok(Start::Full { running });
            }
            let (trial, _) = ledger.add(study, "RUNNING", now)?;
            ledger.give(trial, owner)
        })
    }

    fn enqueue(&self, study: i64, fixed: &[(String, Value)]) -> Result<u64, Error> {
        self.write("queue a trial", |ledger| {
            ledger.require(study, ledger.client.dialect().lock)?;
            let (trial, number) = ledger.add(study, "WAITING", "NULL")?;
            ledger.set_attr("trial_system_attributes", trial, FIXED, &fixed_attr(fixed))?;
            Ok(number)
        })
    }

    fn set_params(
        &self,
        claim: Claim<'_>,
        params: &[(&str, f64, &Distribution)],
    ) -> Result<(), Error> {
        check_params(params)?;
        self.write_claimed("set parameters", claim, |ledger, study| {
            for (name, _, distribution) in params {
                if let Some(first) = ledger.cache.first(&mut *ledger.client, study, name)? {
                    check_compatible(name, &first, distribution)?;
                }
            }
            for (name, internal, distribution) in params {
                ledger.client.query(
                    "INSERT INTO trial_params \
                     (trial_id, param_name, param_value, distribution_json) \
                     VALUES ($1, $2, $3, $4) ON CONFLICT (trial_id, param_name) DO UPDATE SET \
                     param_value = excluded.param_value, \
                     distribution_json = excluded.distribution_json",
                    &[
                        Arg::Int(claim.trial),
                        Arg::Text(name),
                        Arg::Real(Some(*internal)),
                        Arg::Text(&distribution.to_json()),
                    ],
                )?;
            }
            Ok(())
        })
    }

    fn report(&self, claim: Claim<'_>, step: i64, value: f64) -> Result<(), Error> {
        self.write_claimed("record an intermediate value", claim, |ledger, _| {
            let (kept, kind) = kind(value);
            let sql = format!(
                "INSERT INTO trial_intermediate_values \
                 (trial_id, step, intermediate_value, intermediate_value_type) \
                 VALUES ($1, $2, $3, '{kind}') ON CONFLICT (trial_id, step) DO UPDATE SET \
                 intermediate_value = excluded.intermediate_value, \
                 intermediate_value_type = excluded.intermediate_value_type"
            );
            let args = [Arg::Int(claim.trial), Arg::Int(step), Arg::Real(kept)];
            ledger.client.query(&sql, &args)?;
            Ok(())
        })
    }

    fn set_user_attr(&self, claim: Claim<'_>, key: &str, value: &Json) -> Result<(), Error> {
        self.write_claimed("set an attribute of a trial", claim, |ledger, _| {
            ledger.set_attr("trial_user_attributes", claim.trial, key, value)
        })
    }

    fn set_system_attr(&self, claim: Claim<'_>, key: &str, value: &Json) -> Result<(), Error> {
        self.write_claimed("set an attribute of a trial", claim, |ledger, _| {
            ledger.set_attr("trial_system_attributes", claim.trial, key, value)
        })
    }

    fn record_heartbeat(&self, claim: Claim<'_>) -> Result<(), Error> {
        self.write_claimed("record a heartbeat", claim, |ledger, _| {
            ledger.record_heartbeat(claim.trial)
        })
    }

    fn finish(&self, claim: Claim<'_>, state: TrialState, value: Option<f64>) -> Result<(), Error> {
        check_end(claim.number, state, value)?;
        self.write_claimed("end a trial", claim, |ledger, _| {
            let trial = Arg::Int(claim.trial);
            if let Some(value) = value {
                let (kept, kind) = kind(value);
                let sql = format!(
                    "INSERT INTO trial_values (trial_id, objective, value, value_type) \
                     VALUES ($1, 0, $2, '{kind}') ON CONFLICT (trial_id, objective) DO UPDATE SET \
                     value = excluded.value, value_type = excluded.value_type"
                );
                ledger.client.query(&sql, &[trial, Arg::Real(kept)])?;
            }
            let (state, now) = (state_name(state), ledger.client.dialect().now);
            let sql = format!(
                "UPDATE trials SET state = '{state}', datetime_complete = {now} WHERE trial_id = $1"
            );
            ledger.client.query(&sql, &[trial])?;
            Ok(())
        })
    }

    fn release(&self, claim: Claim<'_>) -> Result<(), Error> {
        self.write_claimed("release a trial", claim, |ledger, _| {
            ledger.set_attr("trial_system_attributes", claim.trial, OWNER, &"".into())
        })
    }
}

/// A number as the tables store it: the number itself, if it is finite, and its kind.
fn kind(value: f64) -> (Option<f64>, &'static str) {
    if value.is_finite() {
        (Some(value), "FINITE")
    } else if value.is_nan() {
        (None, "NAN")
    } else if value > 0.0 {
        (None, "INF_POS")
    } else {
        (None, "INF_NEG")
    }
}
