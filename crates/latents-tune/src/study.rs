//! A study: trials are asked for, choose their values, report, and are told off. Everything that a study knows is in its storage; what
//! is here can be dropped at any instant and made again.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::distribution::Distribution;
use crate::error::Error;
use crate::pruner::Pruner;
use crate::sampler::{Draws, Internal, Sampler, relative_attrs};
use crate::space::{Params, Space};
use crate::storage::{Claim, FIXED, Start, Storage, StudyRecord};
use crate::trial::{Direction, History, TrialRecord, TrialState};
use crate::value::Value;
use crate::worker::Worker;

/// Note of a study that holds its seed.
const SEED: &str = "latents:seed";

/// How trials of a study are chosen and stopped.
pub struct Strategy {
    /// Chooses values.
    pub sampler: Box<dyn Sampler>,
    /// Stops trials early.
    pub pruner: Box<dyn Pruner>,
    /// Seed of all that is drawn; without one, the study's own, or 0 for a new study.
    pub seed: Option<u64>,
    /// With how many workers the order of events is to make no difference. A trial then learns from just the trials that began so
    /// many before it or earlier, in one process, so that the same seed gives the same trials. Without it a trial learns from all
    /// that is known when it begins.
    pub lockstep: Option<u64>,
}

/// A study in a storage, and a worker on it.
pub struct Study {
    storage: Arc<dyn Storage>,
    record: StudyRecord,
    strategy: Strategy,
    seed: u64,
    worker: Worker,
}

impl Study {
    /// The study of a name; a new one where the storage has none.
    ///
    /// # Errors
    /// Where it looks the other way, has another seed, or the storage refuses.
    pub fn open(
        storage: Arc<dyn Storage>,
        name: &str,
        direction: Direction,
        strategy: Strategy,
    ) -> Result<Self, Error> {
        let record = storage.create_study(name, direction)?;
        let fault = |reason: String| Error::Study { study: name.into(), reason };
        if record.direction != direction {
            let (is, asked) = match direction {
                Direction::Minimize => ("maximises", "minimise"),
                Direction::Maximize => ("minimises", "maximise"),
            };
            return Err(fault(format!(
                "it {is}, but is asked to {asked}; take another name or another file"
            )));
        }
        let wish = Json::from(strategy.seed.unwrap_or(0));
        let seed = storage.init_study_attr(record.id, SEED, &wish)?;
        let seed = seed.as_u64().ok_or_else(|| fault(format!("its seed is {seed}")))?;
        if strategy.seed.is_some_and(|wish| wish != seed) {
            return Err(fault(format!(
                "its seed is {seed}; leave --seed out to go on with it, or take another name"
            )));
        }
        let worker = Worker::new().map_err(|e| Error::Address {
            url: storage.url(),
            reason: format!("no lock for this worker: {e}: {}", e.source),
        })?;
        Ok(Study { storage, record, strategy, seed, worker })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.record.name
    }

    /// Which values are better.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.record.direction
    }

    /// Seed of all that is drawn.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn lockstep(&self) -> Option<u64> {
        self.strategy.lockstep
    }

    /// Where it is kept.
    #[must_use]
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// All trials, by number.
    pub fn trials(&self) -> Result<Vec<Arc<TrialRecord>>, Error> {
        self.storage.trials(self.record.id)
    }

    /// The complete trial with the best value, if there is one.
    pub fn best(&self) -> Result<Option<Arc<TrialRecord>>, Error> {
        let trials = self.trials()?;
        Ok(History { direction: self.record.direction, trials: &trials }.best().cloned())
    }

    /// What all workers of the study must agree on, under a key: the first to come lays it down, and each is given that.
    pub fn agree(&self, key: &str, value: &Json) -> Result<Json, Error> {
        self.storage.init_study_attr(self.record.id, key, value)
    }

    /// Queues a trial with some values fixed.
    pub fn enqueue(&self, fixed: &[(String, Value)]) -> Result<u64, Error> {
        self.storage.enqueue(self.record.id, fixed)
    }

    /// A trial to work on: one that was left behind, a queued one, or a new one unless there are `limit` already.
    pub fn ask(&self, limit: Option<u64>) -> Result<Asked<'_>, Error> {
        let is_abandoned = |owner: &str, silence| self.worker.is_abandoned(owner, silence);
        let start =
            self.storage.start_trial(self.record.id, self.worker.name(), limit, &is_abandoned)?;
        Ok(match start {
            Start::Full { running } => Asked::Full { running },
            Start::Trial(record) => Asked::Trial(Box::new(Trial {
                study: self,
                record,
                relative: None,
                is_over: false,
            })),
        })
    }

    /// The trials that trial `number` may learn from.
    fn history(&self, number: u64) -> Result<Vec<Arc<TrialRecord>>, Error> {
        let mut trials = self.trials()?;
        trials.retain(|trial| trial.number != number);
        if let Some(workers) = self.strategy.lockstep {
            trials.retain(|trial| trial.number < number);
            for trial in &mut trials {
                // When it was over is chance, and of the last few even whether it is; that they were begun is not.
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

    /// Calls `choose` with the sampler and the trials that the trial of a number is to be sampled from.
    fn sample<T>(
        &self,
        number: u64,
        choose: impl FnOnce(&dyn Sampler, History<'_>, Draws) -> T,
    ) -> Result<T, Error> {
        let trials = self.history(number)?;
        let history = History { direction: self.direction(), trials: &trials };
        let peers = self.strategy.pruner.peers(self.name(), history, number);
        let history = History { direction: self.direction(), trials: &peers };
        Ok(choose(&*self.strategy.sampler, history, Draws { seed: self.seed, number }))
    }
}

/// What was asked for.
pub enum Asked<'s> {
    /// A trial.
    Trial(Box<Trial<'s>>),
    /// None: the study is full. So many of its trials are still running.
    Full {
        /// Of workers that live.
        running: usize,
    },
}

/// A trial that is running. Where it is dropped before its end, any worker may take it up.
pub struct Trial<'s> {
    study: &'s Study,
    record: TrialRecord,
    relative: Option<Internal>,
    is_over: bool,
}

impl<'s> Trial<'s> {
    /// From 0, in the order in which the study's trials began.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.record.number
    }

    /// What the study knows of it.
    #[must_use]
    pub fn record(&self) -> &TrialRecord {
        &self.record
    }

    /// The value of a parameter; chosen when it is asked for the first time.
    ///
    /// # Errors
    /// Where the parameter means another thing in earlier trials, the trial was lost, or the storage refuses.
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
            // So that workers who begin meanwhile know what this trial will be like.
            for (key, value) in relative_attrs(&values) {
                self.study.storage.set_system_attr(self.claim(), &key, &value)?;
            }
            self.relative = Some(relative);
        }
        let distribution = Arc::new(distribution.clone());
        let internal = self.choose(name, &distribution)?;
        // What it was chosen from stays what it was, as in Optuna.
        if !self.record.params.contains_key(name) {
            self.keep(&[(name.to_owned(), internal, distribution)])?;
        }
        self.record.params[name].distribution.value(internal)
    }

    /// The values of all parameters of a space that are there under its conditions; chosen together, and kept together.
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
            let is_known = self.record.params.contains_key(name);
            if self.relative.is_none() && !is_known {
                let relative = self.study.sample(self.number(), |sampler, history, draws| {
                    sampler.sample_relative(history, draws)
                })?;
                self.relative = Some(relative);
            }
            let distribution = Arc::new(dimension.distribution.clone());
            let internal = self.choose(name, &distribution)?;
            params.insert(name.clone(), distribution.value(internal)?);
            if !is_known {
                chosen.push((name.clone(), internal, distribution));
            }
        }
        self.keep(&chosen)?;
        Ok(params)
    }

    /// Reports a value at a step, for the pruner and for whoever watches.
    pub fn report(&mut self, step: i64, value: f64) -> Result<(), Error> {
        self.study.storage.report(self.claim(), step, value)?;
        self.record.intermediate.insert(step, value);
        Ok(())
    }

    /// Whether the pruner would stop the trial after its last report.
    pub fn should_prune(&self) -> Result<bool, Error> {
        let trials = self.study.history(self.number())?;
        let history = History { direction: self.study.direction(), trials: &trials };
        Ok(self.study.strategy.pruner.prune(self.study.name(), history, &self.record))
    }

    /// Keeps a note on the trial.
    pub fn set_user_attr(&mut self, key: &str, value: Json) -> Result<(), Error> {
        self.study.storage.set_user_attr(self.claim(), key, &value)?;
        self.record.user_attrs.insert(key.into(), value);
        Ok(())
    }

    /// What says that the worker is alive, from another thread if need be.
    #[must_use]
    pub fn pulse(&self) -> Pulse<'s> {
        Pulse { storage: &*self.study.storage, claim: self.claim() }
    }

    /// Ends the trial with its value; a value that is not a number fails it, as in Optuna.
    pub fn complete(self, value: f64) -> Result<TrialState, Error> {
        if value.is_nan() {
            return self.fail("its value is not a number");
        }
        self.finish(TrialState::Complete, Some(value))
    }

    /// Ends the trial as unpromising; the last value that it reported is its value.
    pub fn prune(self) -> Result<TrialState, Error> {
        let last = self.record.last_report().map(|(_, value)| value).filter(|v| !v.is_nan());
        self.finish(TrialState::Pruned, last)
    }

    /// Ends the trial without a value, and notes why.
    pub fn fail(mut self, reason: &str) -> Result<TrialState, Error> {
        self.set_user_attr("error", reason.into())?;
        self.finish(TrialState::Failed, None)
    }

    fn finish(mut self, state: TrialState, value: Option<f64>) -> Result<TrialState, Error> {
        self.study.storage.finish(self.claim(), state, value)?;
        self.is_over = true;
        Ok(state)
    }

    fn claim(&self) -> Claim<'s> {
        let TrialRecord { id, number, .. } = self.record;
        Claim { trial: id, number, owner: self.study.worker.name() }
    }

    /// The number that stands for a parameter's value: as it was chosen before, as it is fixed, the only one, one that was chosen
    /// with others, or one of its own; in this order, which is Optuna's.
    fn choose(&self, name: &str, distribution: &Arc<Distribution>) -> Result<f64, Error> {
        if let Some(known) = self.record.params.get(name) {
            if !known.distribution.is_compatible(distribution) {
                return Err(Error::Incompatible {
                    name: name.into(),
                    now: distribution.to_string(),
                    before: known.distribution.to_string(),
                });
            }
            return Ok(known.internal);
        }
        if let Some(value) = self.record.system_attrs.get(FIXED).and_then(|all| all.get(name)) {
            let refused =
                |reason| Error::Queued { number: self.number(), name: name.into(), reason };
            let known: Value = serde_json::from_value(value.clone())
                .map_err(|_| refused(format!("{value} is no value of a parameter")))?;
            return distribution.internal(&known).map_err(|e| refused(e.to_string()));
        }
        if let Some(only) = distribution.only() {
            return Ok(only);
        }
        let together = self.relative.as_ref().and_then(|relative| relative.get(name));
        if let Some(&internal) = together.filter(|internal| distribution.contains(**internal)) {
            return Ok(internal);
        }
        self.study.sample(self.number(), |sampler, history, draws| {
            sampler.sample_independent(history, draws, name, distribution)
        })
    }

    fn keep(&mut self, chosen: &[(String, f64, Arc<Distribution>)]) -> Result<(), Error> {
        let params: Vec<_> =
            chosen.iter().map(|(name, internal, d)| (name.as_str(), *internal, &**d)).collect();
        if params.is_empty() {
            return Ok(());
        }
        self.study.storage.set_params(self.claim(), &params)?;
        for (name, internal, distribution) in chosen {
            let distribution = Arc::clone(distribution);
            let parameter = crate::Parameter { internal: *internal, distribution };
            self.record.params.insert(name.clone(), parameter);
        }
        Ok(())
    }
}

/// Says that a trial's worker is alive.
#[derive(Clone, Copy)]
pub struct Pulse<'s> {
    storage: &'s dyn Storage,
    claim: Claim<'s>,
}

impl Pulse<'_> {
    /// Says so. Silence for [`GRACE`](crate::worker::GRACE) seconds gives the trial away to workers of other machines.
    pub fn beat(self) -> Result<(), Error> {
        self.storage.beat(self.claim)
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            // Where this fails, the trial is found by its silence.
            let _ = self.study.storage.release(self.claim());
        }
    }
}
