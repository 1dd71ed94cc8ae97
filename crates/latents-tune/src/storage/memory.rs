//! Studies in memory, for tests and for tuning that leaves nothing behind. They are gone with the process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use serde_json::Value as Json;

use super::{
    Claim, FIXED, OWNER, Start, Storage, StudyRecord, check_compatible, check_end, check_params,
    fixed_note,
};
use crate::distribution::Distribution;
use crate::error::Error;
use crate::trial::{Direction, Parameter, TrialRecord, TrialState};
use crate::value::Value;

/// Its address.
pub(super) const URL: &str = "memory:";

/// Studies in memory.
#[derive(Debug, Default)]
pub(super) struct Memory {
    state: Mutex<State>,
}

/// Keys of studies and of trials are their places in the lists.
#[derive(Debug, Default)]
struct State {
    studies: Vec<Kept>,
    trials: Vec<Entry>,
}

#[derive(Debug)]
struct Kept {
    record: StudyRecord,
    attrs: BTreeMap<String, Json>,
    /// Places of its trials, by number.
    trials: Vec<usize>,
}

#[derive(Debug)]
struct Entry {
    record: Arc<TrialRecord>,
    study: usize,
    beat: Option<Instant>,
}

impl Entry {
    fn owner(&self) -> Option<&str> {
        self.record.system_attrs.get(OWNER).and_then(Json::as_str)
    }

    fn give(&mut self, owner: &str) -> Start {
        self.beat = Some(Instant::now());
        let record = Arc::make_mut(&mut self.record);
        record.system_attrs.insert(OWNER.into(), owner.into());
        Start::Trial(record.clone())
    }
}

impl State {
    fn study(&mut self, id: i64) -> Result<&mut Kept, Error> {
        let missing = || Error::Storage {
            url: URL.into(),
            action: "find a study",
            reason: format!("there is none with key {id}"),
        };
        self.studies.get_mut(id as usize).ok_or_else(missing)
    }

    /// The place of a trial that is claimed, if the claim is good.
    fn claimed(&mut self, claim: Claim<'_>) -> Result<&mut Entry, Error> {
        let good = |entry: &&mut Entry| {
            entry.record.state == TrialState::Running && entry.owner() == Some(claim.owner)
        };
        let entry = self.trials.get_mut(claim.trial as usize).filter(good);
        entry.ok_or(Error::Lost { number: claim.number })
    }

    /// Adds a trial and tells its place.
    fn add(&mut self, study: i64, state: TrialState) -> Result<usize, Error> {
        let place = self.trials.len();
        let trials = &mut self.study(study)?.trials;
        let record = TrialRecord {
            id: place as i64,
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
        trials.push(place);
        self.trials.push(Entry { record: Arc::new(record), study: study as usize, beat: None });
        Ok(place)
    }
}

impl Memory {
    /// No call leaves anything half done, so what a panic elsewhere left is as good as ever.
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
        let kept = state.studies.iter().find(|kept| kept.record.name == name);
        Ok(kept.map(|kept| kept.record.clone()))
    }

    fn studies(&self) -> Result<Vec<StudyRecord>, Error> {
        Ok(self.state().studies.iter().map(|kept| kept.record.clone()).collect())
    }

    fn create_study(&self, name: &str, direction: Direction) -> Result<StudyRecord, Error> {
        let mut state = self.state();
        if let Some(kept) = state.studies.iter().find(|kept| kept.record.name == name) {
            return Ok(kept.record.clone());
        }
        let record = StudyRecord { id: state.studies.len() as i64, name: name.into(), direction };
        let kept = Kept { record: record.clone(), attrs: BTreeMap::new(), trials: Vec::new() };
        state.studies.push(kept);
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
        let places = state.study(study)?.trials.clone();
        Ok(places.into_iter().map(|place| Arc::clone(&state.trials[place].record)).collect())
    }

    fn start_trial(
        &self,
        study: i64,
        owner: &str,
        limit: Option<u64>,
        is_abandoned: &dyn Fn(&str, f64) -> bool,
    ) -> Result<Start, Error> {
        let mut state = self.state();
        let places = state.study(study)?.trials.clone();
        let mut running = 0;
        for &place in &places {
            let entry = &mut state.trials[place];
            let Some(other) = entry.owner().filter(|_| entry.record.state == TrialState::Running)
            else {
                continue;
            };
            let age = entry.beat.map_or(f64::INFINITY, |beat| beat.elapsed().as_secs_f64());
            if other.is_empty() || is_abandoned(other, age) {
                return Ok(entry.give(owner));
            }
            running += 1;
        }
        for &place in &places {
            let entry = &mut state.trials[place];
            if entry.record.state == TrialState::Waiting {
                let record = Arc::make_mut(&mut entry.record);
                record.state = TrialState::Running;
                record.started = Some(SystemTime::now());
                return Ok(entry.give(owner));
            }
        }
        if limit.is_some_and(|limit| places.len() as u64 >= limit) {
            return Ok(Start::Full { running });
        }
        let place = state.add(study, TrialState::Running)?;
        Ok(state.trials[place].give(owner))
    }

    fn enqueue(&self, study: i64, fixed: &[(String, Value)]) -> Result<u64, Error> {
        let mut state = self.state();
        let place = state.add(study, TrialState::Waiting)?;
        let record = Arc::make_mut(&mut state.trials[place].record);
        record.system_attrs.insert(FIXED.into(), fixed_note(fixed));
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
            let mut earlier = state.studies[study].trials.iter().map(|&place| &state.trials[place]);
            if let Some(first) = earlier.find_map(|entry| entry.record.params.get(*name)) {
                check_compatible(name, &first.distribution, distribution)?;
            }
        }
        let record = Arc::make_mut(&mut state.claimed(claim)?.record);
        for (name, internal, distribution) in params {
            let distribution = Arc::new((*distribution).clone());
            let parameter = Parameter { internal: *internal, distribution };
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

    fn beat(&self, claim: Claim<'_>) -> Result<(), Error> {
        self.state().claimed(claim)?.beat = Some(Instant::now());
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
