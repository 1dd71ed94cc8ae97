//! A study and its running trials. A trial is requested with `ask`, chooses its values, reports intermediate values, and ends with
//! `complete`, `prune` or `fail`. All state is in the storage, so the objects here can be dropped and recreated at any time.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::direction::Direction;
use crate::distribution::Distribution;
use crate::error::Error;
use crate::pruner::Pruner;
use crate::sampler::{Draws, Internal, TrialSampler, relative_attrs};
use crate::space::{Params, Space};
use crate::storage::{Claim, FIXED, Start, Storage, StudyRecord};
use crate::trial::{FAILURE, History, TrialParameter, TrialRecord, TrialState};
use crate::value::Value;
use crate::worker::Worker;

/// Attribute of a study that holds its seed.
const SEED: &str = "latents:seed";

/// How a study samples and prunes its trials.
pub struct Strategy {
    /// Chooses the values of parameters.
    pub sampler: Box<dyn TrialSampler>,
    /// Stops trials early.
    pub pruner: Box<dyn Pruner>,
    /// Seed of all random draws. `None`: the study's own seed, or 0 for a new study.
    pub seed: Option<u64>,
    /// Makes a study with this many workers, in one process, reproducible. Trial `k` then uses only the results of trials up to
    /// `k - lockstep`; of those in between it only knows that they are running. So the order of events does not matter, and the
    /// same seed gives the same trials. `None`: a trial uses all results that are known when it starts.
    pub lockstep: Option<u64>,
}

/// A study in a storage, opened by a worker. Clones are the same study and the same worker.
///
/// See the [crate's example](crate) for how to run its trials one by one, and [`optimize`](crate::optimize) for how to run an objective.
/// [`StudyConfig`](crate::StudyConfig) opens a study from plain settings.
#[derive(Clone)]
pub struct Study {
    opened: Arc<Opened>,
}

struct Opened {
    storage: Arc<dyn Storage>,
    record: StudyRecord,
    strategy: Strategy,
    seed: u64,
    worker: Worker,
}

impl Study {
    /// Opens the study of a name, or creates it.
    ///
    /// # Errors
    /// [`Error::OtherDirection`] or [`Error::OtherSeed`] if the study exists with another direction or seed; the storage's error.
    pub fn open(
        storage: Arc<dyn Storage>,
        name: &str,
        direction: Direction,
        strategy: Strategy,
    ) -> Result<Self, Error> {
        let record = storage.create_study(name, direction)?;
        let study = || name.to_owned();
        if record.direction != direction {
            return Err(Error::OtherDirection { study: study(), direction: record.direction });
        }
        let wanted = Json::from(strategy.seed.unwrap_or(0));
        let seed = storage.init_study_attr(record.id, SEED, &wanted)?;
        let seed = seed.as_u64().ok_or_else(|| Error::Study {
            study: study(),
            reason: format!("its seed, {seed}, is not a whole number"),
        })?;
        if strategy.seed.is_some_and(|wanted| wanted != seed) {
            return Err(Error::OtherSeed { study: study(), seed });
        }
        let worker = Worker::new()?;
        Ok(Study { opened: Arc::new(Opened { storage, record, strategy, seed, worker }) })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.opened.record.name
    }

    /// Which values are better.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.opened.record.direction
    }

    /// Seed of all random draws.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.opened.seed
    }

    pub(crate) fn lockstep(&self) -> Option<u64> {
        self.opened.strategy.lockstep
    }

    /// Its storage.
    #[must_use]
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.opened.storage
    }

    /// All trials, in the order of their numbers.
    pub fn trials(&self) -> Result<Vec<Arc<TrialRecord>>, Error> {
        self.opened.storage.trials(self.opened.record.id)
    }

    /// The complete trial with the best value, if any trial is complete.
    pub fn best(&self) -> Result<Option<Arc<TrialRecord>>, Error> {
        let trials = self.trials()?;
        Ok(History { direction: self.opened.record.direction, trials: &trials }.best().cloned())
    }

    /// Stores a system attribute that all workers of the study share, unless it is stored already. Returns the stored value: that of
    /// the first worker.
    pub fn agree(&self, key: &str, value: &Json) -> Result<Json, Error> {
        self.opened.storage.init_study_attr(self.opened.record.id, key, value)
    }

    /// Queues a trial in which the parameters of the given names have the given values. Returns its number.
    pub fn enqueue(&self, fixed: &[(String, Value)]) -> Result<u64, Error> {
        self.opened.storage.enqueue(self.opened.record.id, fixed)
    }

    /// Requests a trial: one that another worker abandoned, else a queued one, else a new one unless the study has `limit` trials
    /// already.
    pub fn ask(&self, limit: Option<u64>) -> Result<AskResult, Error> {
        let is_abandoned = |owner: &str, silence| self.opened.worker.is_abandoned(owner, silence);
        let start = self.opened.storage.start_trial(
            self.opened.record.id,
            self.opened.worker.name(),
            limit,
            &is_abandoned,
        )?;
        Ok(match start {
            Start::Full { running } => AskResult::Full { running },
            Start::Trial(record) => AskResult::Trial(Box::new(Trial {
                study: self.clone(),
                record,
                relative: None,
                is_over: false,
            })),
        })
    }

    /// The trials whose results trial `number` may use.
    fn history(&self, number: u64) -> Result<Vec<Arc<TrialRecord>>, Error> {
        let mut trials = self.trials()?;
        trials.retain(|trial| trial.number != number);
        if let Some(workers) = self.opened.strategy.lockstep {
            trials.retain(|trial| trial.number < number);
            for trial in &mut trials {
                // The time at which a trial ends depends on chance; for the latest trials, so does whether they have ended.
                let trial = Arc::make_mut(trial);
                trial.finished = None;
                if trial.number + workers > number {
                    trial.state = TrialState::Running;
                    trial.value = None;
                    trial.intermediate.clear();
                }
            }
        }
        Ok(trials)
    }

    /// Calls `choose` with the sampler and the trials from which trial `number` is sampled.
    fn sample<T>(
        &self,
        number: u64,
        choose: impl FnOnce(&dyn TrialSampler, History<'_>, Draws) -> T,
    ) -> Result<T, Error> {
        let trials = self.history(number)?;
        let history = History { direction: self.direction(), trials: &trials };
        let peers = self.opened.strategy.pruner.peers(self.name(), history, number);
        let history = History { direction: self.direction(), trials: &peers };
        Ok(choose(
            &*self.opened.strategy.sampler,
            history,
            Draws { seed: self.opened.seed, number },
        ))
    }
}

/// The result of [`Study::ask`].
pub enum AskResult {
    /// A trial to run.
    Trial(Box<Trial>),
    /// No trial: the study has as many as it may.
    Full {
        /// Number of its trials that are still running, by workers that are alive.
        running: usize,
    },
}

/// A running trial. If it is dropped before it ends, any worker may resume it.
pub struct Trial {
    study: Study,
    record: TrialRecord,
    relative: Option<Internal>,
    is_over: bool,
}

impl Trial {
    /// Number within the study, from 0, in the order in which trials were created.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.record.number
    }

    /// Its record.
    #[must_use]
    pub fn record(&self) -> &TrialRecord {
        &self.record
    }

    /// The value of a parameter. It is chosen at the first call and stays the same.
    ///
    /// # Errors
    /// [`Error::Incompatible`] if the parameter has an incompatible distribution in earlier trials; [`Error::Queued`] if the trial
    /// was queued with a value that the parameter cannot have; [`Error::Lost`] if another worker has the trial now; the storage's error.
    pub fn suggest(&mut self, name: &str, distribution: &Distribution) -> Result<Value, Error> {
        if self.relative.is_none() && !self.record.params.contains_key(name) {
            let (relative, values) =
                self.study.sample(self.number(), |sampler, history, draws| {
                    let relative = sampler.sample_relative(history, draws);
                    let space = history.common_space();
                    let value = |(name, internal): (&String, &f64)| {
                        Some((name.clone(), space.get(name)?.value(*internal).ok()?))
                    };
                    let values: Params = relative.iter().filter_map(value).collect();
                    (relative, values)
                })?;
            // Other workers that start meanwhile can then avoid these values.
            for (key, value) in relative_attrs(&values) {
                self.study.opened.storage.set_system_attr(self.claim(), &key, &value)?;
            }
            self.relative = Some(relative);
        }
        let distribution = Arc::new(distribution.clone());
        let internal = self.choose(name, &distribution)?;
        // The distribution of the first call is kept, as in Optuna.
        if !self.record.params.contains_key(name) {
            self.store(&[(name.to_owned(), internal, distribution)])?;
        }
        self.record.params[name].distribution.value(internal)
    }

    /// The values of all parameters of a space whose conditions hold. They are chosen and stored together.
    ///
    /// # Errors
    /// Like [`suggest`](Self::suggest).
    pub fn suggest_all(&mut self, space: &Space) -> Result<Params, Error> {
        let mut params = Params::new();
        let mut chosen = vec![];
        for dimension in space.dimensions() {
            if !dimension.is_active(&params) {
                continue;
            }
            let name = &dimension.name;
            let is_chosen = self.record.params.contains_key(name);
            if self.relative.is_none() && !is_chosen {
                let relative = self.study.sample(self.number(), |sampler, history, draws| {
                    sampler.sample_relative(history, draws)
                })?;
                self.relative = Some(relative);
            }
            let distribution = Arc::new(dimension.distribution.clone());
            let internal = self.choose(name, &distribution)?;
            params.insert(name.clone(), distribution.value(internal)?);
            if !is_chosen {
                chosen.push((name.clone(), internal, distribution));
            }
        }
        self.store(&chosen)?;
        Ok(params)
    }

    /// Reports an intermediate value at a step, for the pruner and for figures.
    pub fn report(&mut self, step: i64, value: f64) -> Result<(), Error> {
        self.study.opened.storage.report(self.claim(), step, value)?;
        self.record.intermediate.insert(step, value);
        Ok(())
    }

    /// Whether the pruner would stop the trial, after its last report.
    pub fn should_prune(&self) -> Result<bool, Error> {
        let trials = self.study.history(self.number())?;
        let history = History { direction: self.study.direction(), trials: &trials };
        Ok(self.study.opened.strategy.pruner.prune(self.study.name(), history, &self.record))
    }

    /// Sets an attribute of the trial.
    pub fn set_user_attr(&mut self, key: &str, value: Json) -> Result<(), Error> {
        self.study.opened.storage.set_user_attr(self.claim(), key, &value)?;
        self.record.user_attrs.insert(key.into(), value);
        Ok(())
    }

    /// A handle that records heartbeats of the trial, usable from another thread.
    #[must_use]
    pub fn heartbeat(&self) -> Heartbeat {
        let TrialRecord { id, number, .. } = self.record;
        Heartbeat { study: self.study.clone(), id, number }
    }

    /// Ends the trial with its value. NaN fails the trial, as in Optuna. Returns the final state.
    pub fn complete(self, value: f64) -> Result<TrialState, Error> {
        if value.is_nan() {
            return self.fail("its value is not a number");
        }
        self.finish(TrialState::Complete, Some(value))
    }

    /// Ends the trial as pruned; its last reported value becomes its value. Returns the final state.
    pub fn prune(self) -> Result<TrialState, Error> {
        let last = self.record.last_report().map(|(_, value)| value).filter(|v| !v.is_nan());
        self.finish(TrialState::Pruned, last)
    }

    /// Ends the trial without a value, and stores the reason as its attribute `error`. Returns the final state.
    pub fn fail(mut self, reason: &str) -> Result<TrialState, Error> {
        self.set_user_attr(FAILURE, reason.into())?;
        self.finish(TrialState::Failed, None)
    }

    fn finish(mut self, state: TrialState, value: Option<f64>) -> Result<TrialState, Error> {
        self.study.opened.storage.finish(self.claim(), state, value)?;
        self.is_over = true;
        Ok(state)
    }

    fn claim(&self) -> Claim<'_> {
        let TrialRecord { id, number, .. } = self.record;
        Claim { trial: id, number, owner: self.study.opened.worker.name() }
    }

    /// The number that represents a parameter's value. In this order, which is Optuna's: the value chosen before, the fixed value of a
    /// queued trial, the only possible value, the value sampled jointly with others, or one sampled independently.
    fn choose(&self, name: &str, distribution: &Arc<Distribution>) -> Result<f64, Error> {
        if let Some(earlier) = self.record.params.get(name) {
            if !earlier.distribution.is_compatible(distribution) {
                return Err(Error::Incompatible {
                    name: name.into(),
                    now: distribution.to_string(),
                    before: earlier.distribution.to_string(),
                });
            }
            return Ok(earlier.internal);
        }
        if let Some(value) = self.record.system_attrs.get(FIXED).and_then(|all| all.get(name)) {
            let refused =
                |reason| Error::Queued { number: self.number(), name: name.into(), reason };
            let fixed: Value = serde_json::from_value(value.clone())
                .map_err(|_| refused(format!("{value} is not a value of a parameter")))?;
            return distribution.internal(&fixed).map_err(|e| refused(e.to_string()));
        }
        if let Some(only) = distribution.only() {
            return Ok(only);
        }
        let joint = self.relative.as_ref().and_then(|relative| relative.get(name));
        if let Some(&internal) = joint.filter(|internal| distribution.contains(**internal)) {
            return Ok(internal);
        }
        self.study.sample(self.number(), |sampler, history, draws| {
            sampler.sample_independent(history, draws, name, distribution)
        })
    }

    fn store(&mut self, chosen: &[(String, f64, Arc<Distribution>)]) -> Result<(), Error> {
        let params: Vec<_> =
            chosen.iter().map(|(name, internal, d)| (name.as_str(), *internal, &**d)).collect();
        if params.is_empty() {
            return Ok(());
        }
        self.study.opened.storage.set_params(self.claim(), &params)?;
        for (name, internal, distribution) in chosen {
            let distribution = Arc::clone(distribution);
            let parameter = TrialParameter { internal: *internal, distribution };
            self.record.params.insert(name.clone(), parameter);
        }
        Ok(())
    }
}

/// Records heartbeats, which show that a trial's worker is alive.
#[derive(Clone)]
pub struct Heartbeat {
    study: Study,
    /// Of the trial in the storage, and within the study.
    id: i64,
    number: u64,
}

impl Heartbeat {
    /// Records a heartbeat. After [`GRACE_PERIOD`](crate::worker::GRACE_PERIOD) seconds without one, workers on other machines may
    /// take the trial over.
    pub fn record(&self) -> Result<(), Error> {
        let Opened { storage, worker, .. } = &*self.study.opened;
        let claim = Claim { trial: self.id, number: self.number, owner: worker.name() };
        storage.record_heartbeat(claim)
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if !self.is_over {
            // If this fails, other workers recognise the trial by missing heartbeats.
            let _ = self.study.opened.storage.release(self.claim());
        }
    }
}
