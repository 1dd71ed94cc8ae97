//! A storage in memory, for tests and for studies that need not be stored.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use serde_json::Value as Json;

use super::{
    Claim, FIXED, OWNER, Start, Storage, StudyRecord, check_compatible, check_end, check_params,
    fixed_attr,
};
use crate::direction::Direction;
use crate::distribution::Distribution;
use crate::error::Error;
use crate::trial::{TrialParameter, TrialRecord, TrialState};
use crate::value::Value;

/// Its URL.
pub(super) const URL: &str = "memory:";

/// A storage in memory.
#[derive(Debug, Default)]
pub(super) struct Memory {
    state: Mutex<State>,
}

/// The key of a study or of a trial is its index.
#[derive(Debug, Default)]
struct State {
    studies: Vec<StudyEntry>,
    trials: Vec<TrialEntry>,
}

#[derive(Debug)]
struct StudyEntry {
    record: StudyRecord,
    attrs: BTreeMap<String, Json>,
    /// Keys of its trials, by number.
    trials: Vec<usize>,
}

#[derive(Debug)]
struct TrialEntry {
    record: Arc<TrialRecord>,
    study: usize,
    heartbeat: Option<Instant>,
}

impl TrialEntry {
    fn owner(&self) -> Option<&str> {
        self.record.system_attrs.get(OWNER).and_then(Json::as_str)
    }

    fn give(&mut self, owner: &str) -> Start {
        self.heartbeat = Some(Instant::now());
        let record = Arc::make_mut(&mut self.record);
        record.system_attrs.insert(OWNER.into(), owner.into());
        Start::Trial(record.clone())
    }
}

impl State {
    fn study(&mut self, id: i64) -> Result<&mut StudyEntry, Error> {
        let missing = || Error::Storage {
            url: URL.into(),
            action: "find a study",
            reason: format!("there is no study with key {id}"),
        };
        self.studies.get_mut(id as usize).ok_or_else(missing)
    }

    /// The trial of a claim, if the claim is valid.
    fn claimed(&mut self, claim: Claim<'_>) -> Result<&mut TrialEntry, Error> {
        let is_valid = |entry: &&mut TrialEntry| {
            entry.record.state == TrialState::Running && entry.owner() == Some(claim.owner)
        };
        let entry = self.trials.get_mut(claim.trial as usize).filter(is_valid);
        entry.ok_or(Error::Lost { number: claim.number })
    }

    /// Adds a trial and returns its key.
    fn add(&mut self, study: i64, state: TrialState) -> Result<usize, Error> {
        let key = self.trials.len();
        let trials = &mut self.study(study)?.trials;
        let record = TrialRecord {
            id: key as i64,
            number: trials.len() as u64,
            state,
            value: None,
            params: BTreeMap::new(),
            intermediate: BTreeMap::new(),
            user_attrs: BTreeMap::new(),
            system_attrs: BTreeMap::new(),
            started: (state == TrialState::Running).then(SystemTime::now),
            finished: None,
        };
        trials.push(key);
        self.trials.push(TrialEntry {
            record: Arc::new(record),
            study: study as usize,
            heartbeat: None,
        });
        Ok(key)
    }
}

impl Memory {
    /// No call leaves the state inconsistent, so it is valid even after a panic elsewhere.
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, claim: Claim<'_>, change: impl FnOnce(&mut TrialRecord)) -> Result<(), Error> {
        let mut state = self.state();
        change(Arc::make_mut(&mut state.claimed(claim)?.record));
        Ok(())
    }
}

impl Storage for Memory {
    fn url(&self) -> String {
        URL.into()
    }

    fn study(&self, name: &str) -> Result<Option<StudyRecord>, Error> {
        let state = self.state();
        let entry = state.studies.iter().find(|entry| entry.record.name == name);
        Ok(entry.map(|entry| entry.record.clone()))
    }

    fn studies(&self) -> Result<Vec<StudyRecord>, Error> {
        Ok(self.state().studies.iter().map(|entry| entry.record.clone()).collect())
    }

    fn create_study(&self, name: &str, direction: Direction) -> Result<StudyRecord, Error> {
        let mut state = self.state();
        if let Some(entry) = state.studies.iter().find(|entry| entry.record.name == name) {
            return Ok(entry.record.clone());
        }
        let record = StudyRecord { id: state.studies.len() as i64, name: name.into(), direction };
        let entry =
            StudyEntry { record: record.clone(), attrs: BTreeMap::new(), trials: Vec::new() };
        state.studies.push(entry);
        Ok(record)
    }

    fn study_attr(&self, study: i64, key: &str) -> Result<Option<Json>, Error> {
        Ok(self.state().study(study)?.attrs.get(key).cloned())
    }

    fn init_study_attr(&self, study: i64, key: &str, value: &Json) -> Result<Json, Error> {
        let mut state = self.state();
        let attrs = &mut state.study(study)?.attrs;
        Ok(attrs.entry(key.into()).or_insert_with(|| value.clone()).clone())
    }

    fn trials(&self, study: i64) -> Result<Vec<Arc<TrialRecord>>, Error> {
        let mut state = self.state();
        let keys = state.study(study)?.trials.clone();
        Ok(keys.into_iter().map(|key| Arc::clone(&state.trials[key].record)).collect())
    }

    fn start_trial(
        &self,
        study: i64,
        owner: &str,
        limit: Option<u64>,
        is_abandoned: &dyn Fn(&str, f64) -> bool,
    ) -> Result<Start, Error> {
        let mut state = self.state();
        let keys = state.study(study)?.trials.clone();
        let mut running = 0;
        for &key in &keys {
            let entry = &mut state.trials[key];
            let Some(other) = entry.owner().filter(|_| entry.record.state == TrialState::Running)
            else {
                continue;
            };
            let age = entry.heartbeat.map_or(f64::INFINITY, |beat| beat.elapsed().as_secs_f64());
            if other.is_empty() || is_abandoned(other, age) {
                return Ok(entry.give(owner));
            }
            running += 1;
        }
        for &key in &keys {
            let entry = &mut state.trials[key];
            if entry.record.state == TrialState::Waiting {
                let record = Arc::make_mut(&mut entry.record);
                record.state = TrialState::Running;
                record.started = Some(SystemTime::now());
                return Ok(entry.give(owner));
            }
        }
        if limit.is_some_and(|limit| keys.len() as u64 >= limit) {
            return Ok(Start::Full { running });
        }
        let key = state.add(study, TrialState::Running)?;
        Ok(state.trials[key].give(owner))
    }

    fn enqueue(&self, study: i64, fixed: &[(String, Value)]) -> Result<u64, Error> {
        let mut state = self.state();
        let key = state.add(study, TrialState::Waiting)?;
        let record = Arc::make_mut(&mut state.trials[key].record);
        record.system_attrs.insert(FIXED.into(), fixed_attr(fixed));
        Ok(record.number)
    }

    fn set_params(
        &self,
        claim: Claim<'_>,
        params: &[(&str, f64, &Distribution)],
    ) -> Result<(), Error> {
        check_params(params)?;
        let mut state = self.state();
        let study = state.claimed(claim)?.study;
        for (name, _, distribution) in params {
            let mut earlier = state.studies[study].trials.iter().map(|&key| &state.trials[key]);
            if let Some(first) = earlier.find_map(|entry| entry.record.params.get(*name)) {
                check_compatible(name, &first.distribution, distribution)?;
            }
        }
        let record = Arc::make_mut(&mut state.claimed(claim)?.record);
        for (name, internal, distribution) in params {
            let distribution = Arc::new((*distribution).clone());
            let parameter = TrialParameter { internal: *internal, distribution };
            record.params.insert((*name).into(), parameter);
        }
        Ok(())
    }

    fn report(&self, claim: Claim<'_>, step: i64, value: f64) -> Result<(), Error> {
        self.change(claim, |record| {
            record.intermediate.insert(step, value);
        })
    }

    fn set_user_attr(&self, claim: Claim<'_>, key: &str, value: &Json) -> Result<(), Error> {
        self.change(claim, |record| {
            record.user_attrs.insert(key.into(), value.clone());
        })
    }

    fn set_system_attr(&self, claim: Claim<'_>, key: &str, value: &Json) -> Result<(), Error> {
        self.change(claim, |record| {
            record.system_attrs.insert(key.into(), value.clone());
        })
    }

    fn record_heartbeat(&self, claim: Claim<'_>) -> Result<(), Error> {
        self.state().claimed(claim)?.heartbeat = Some(Instant::now());
        Ok(())
    }

    fn finish(&self, claim: Claim<'_>, end: TrialState, value: Option<f64>) -> Result<(), Error> {
        check_end(claim.number, end, value)?;
        self.change(claim, |record| {
            record.state = end;
            record.value = value;
            record.finished = Some(SystemTime::now());
        })
    }

    fn release(&self, claim: Claim<'_>) -> Result<(), Error> {
        self.set_system_attr(claim, OWNER, &"".into())
    }
}
