//! Runs an objective over a study: worker threads, heartbeats, interruption. What is tuned, and how progress is shown, is the
//! caller's.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use latents_progress::{Cancel, Interrupted, Monitor};

use crate::error::Error;
use crate::space::{Params, Space};
use crate::study::{AskResult, Study, Trial};
use crate::trial::{TrialRecord, TrialState};

/// Time between two checks for other workers' trials and for cancellation.
const POLL: Duration = Duration::from_millis(100);

/// How many trials [`optimize`] runs, and how many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptimizeOptions {
    /// Total number of trials, including those that the study already has. Default: no limit.
    pub trials: Option<u64>,
    /// Number of trials that run at the same time in this process. Default: 1.
    pub workers: usize,
    /// The search ends with [`Error::AllFailed`] when so many trials have failed in this call while no trial of the study has ended with a
    /// value or been pruned, and when all trials of the study have ended and all of them have failed. A later call runs further
    /// trials. `None`: never. Default: [`MAX_FAILURES`].
    pub max_failures: Option<u64>,
}

/// The default of [`OptimizeOptions::max_failures`].
pub const MAX_FAILURES: u64 = 5;

impl Default for OptimizeOptions {
    fn default() -> Self {
        OptimizeOptions { trials: None, workers: 1, max_failures: Some(MAX_FAILURES) }
    }
}

/// How a trial of an objective ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The trial has this value.
    Value(f64),
    /// The pruner stopped the trial.
    Pruned,
    /// The trial has no value, for a reason that lies in its parameters. The reason is stored with the trial.
    Failed(String),
    /// The trial was interrupted. Any worker may resume it. An objective may return [`Error::Interrupted`] instead.
    Interrupted,
}

/// An event of a study, as [`optimize`] reports it.
#[derive(Clone, Copy, Debug)]
pub enum StudyEvent<'a> {
    /// A trial starts or is resumed.
    Started {
        /// The trial.
        trial: &'a TrialRecord,
        /// The values of its parameters.
        params: &'a Params,
    },
    /// A trial has ended.
    Finished {
        /// Its number.
        number: u64,
        /// Its final state.
        state: TrialState,
    },
    /// All remaining trials are running in other processes, and this one waits for them.
    Waiting {
        /// Number of those trials.
        others: usize,
    },
}

/// What is tuned. Several workers call it at the same time.
pub trait Objective: Sync {
    /// Runs a trial to its end. `worker`, counted from 0, is the thread that runs it. The objective should check `monitor` often,
    /// and return [`Outcome::Interrupted`] or [`Error::Interrupted`] once it is cancelled.
    ///
    /// # Errors
    /// If the objective cannot continue, for a reason that other trials would meet too. The study then stops, and the trial stays
    /// open for whoever resumes it.
    fn run(
        &self,
        trial: &mut Trial,
        params: &Params,
        worker: usize,
        monitor: &Monitor,
    ) -> Result<Outcome, Error>;
}

/// Runs trials until the study has all of them and none is running.
///
/// Every result is stored as soon as it is known, so a study that was interrupted or killed continues when `optimize` is called
/// again. The objective's monitor is a child of `monitor`: an error of one worker interrupts the others, but does not cancel
/// `monitor` itself. `report` receives the events of the study.
///
/// # Errors
/// [`Error::Interrupted`] if `monitor` was cancelled before the study was complete. Otherwise the first error of a worker, in the
/// order of workers.
///
/// ```
/// use std::path::Path;
///
/// use latents_progress::Monitor;
/// use latents_tune::{
///     Error, Objective, OptimizeOptions, Outcome, Params, Space, StudyConfig, StudyTarget, Trial, Value, optimize,
/// };
///
/// struct Bowl;
///
/// impl Objective for Bowl {
///     fn run(&self, _: &mut Trial, params: &Params, _: usize, monitor: &Monitor) -> Result<Outcome, Error> {
///         monitor.check()?;
///         let x = params.get("x").and_then(Value::as_f64).unwrap_or(f64::NAN);
///         Ok(Outcome::Value((x - 2.0).powi(2)))
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let space: Space = serde_json::from_str(r#"{"x": {"float": [-10, 10]}}"#)?;
/// let config = StudyConfig { url: Some("memory:".into()), trials: 50, ..StudyConfig::default() };
/// let study = config.open(Path::new("runs"), &StudyTarget::new("bowl"), &space)?;
/// optimize(&study, &space, config.options(), &Bowl, &Monitor::default(), &mut |_| {})?;
/// assert!(study.best()?.and_then(|trial| trial.value).is_some_and(|value| value < 0.5));
/// # Ok(())
/// # }
/// ```
pub fn optimize(
    study: &Study,
    space: &Space,
    options: OptimizeOptions,
    objective: &dyn Objective,
    monitor: &Monitor,
    report: &mut (dyn FnMut(StudyEvent<'_>) + Send),
) -> Result<(), Error> {
    let monitor = monitor.child();
    let shared = Shared {
        study,
        space,
        options,
        objective,
        monitor: &monitor,
        report: Mutex::new(report),
        asking: Mutex::new(()),
        running: Mutex::new(BTreeSet::new()),
        finished: Condvar::new(),
        failures: Mutex::new(vec![]),
    };
    let results: Vec<Result<(), Error>> = std::thread::scope(|scope| {
        let worker = |number: usize| {
            let shared = &shared;
            scope.spawn(move || {
                let _guard = CancelOnPanic(shared.monitor.cancel(), &shared.finished);
                let result = shared.work(number);
                if result.is_err() {
                    shared.monitor.cancel().cancel();
                }
                shared.finished.notify_all();
                result
            })
        };
        let workers: Vec<_> = (0..options.workers.max(1)).map(worker).collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, _>| {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        workers.into_iter().map(join).collect()
    });
    // A worker ends without an error only when the study is complete, even if others were interrupted while they waited.
    let is_complete = results.iter().any(Result::is_ok);
    let is_interrupted = |error: &Error| matches!(error, Error::Interrupted(_));
    match results.into_iter().filter_map(Result::err).find(|error| !is_interrupted(error)) {
        Some(error) => Err(error),
        None if is_complete && options.max_failures.is_some() => shared.check_values(),
        None if is_complete => Ok(()),
        None => Err(Interrupted.into()),
    }
}

struct Shared<'a> {
    study: &'a Study,
    space: &'a Space,
    options: OptimizeOptions,
    objective: &'a dyn Objective,
    monitor: &'a Monitor,
    report: Mutex<&'a mut (dyn FnMut(StudyEvent<'_>) + Send)>,
    /// Held while a trial gets its parameters, so that each trial knows those of the trials before it.
    asking: Mutex<()>,
    /// Numbers of this process's running trials.
    running: Mutex<BTreeSet<u64>>,
    /// Notified when a trial ends.
    finished: Condvar,
    /// Numbers of the trials that have failed in this call.
    failures: Mutex<Vec<u64>>,
}

impl Shared<'_> {
    /// Runs trials until the study is complete.
    fn work(&self, worker: usize) -> Result<(), Error> {
        loop {
            self.monitor.check()?;
            let asking = lock(&self.asking);
            match self.study.ask(self.options.trials)? {
                AskResult::Full { running: 0 } => return Ok(()),
                AskResult::Full { running } => {
                    drop(asking);
                    let others = running.saturating_sub(lock(&self.running).len());
                    if others > 0 {
                        self.tell(StudyEvent::Waiting { others });
                    }
                    let guard = lock(&self.running);
                    drop(self.finished.wait_timeout(guard, POLL));
                }
                AskResult::Trial(mut trial) => {
                    let number = trial.number();
                    lock(&self.running).insert(number);
                    let started = self.start(&mut trial);
                    drop(asking);
                    let ended = match started {
                        Ok(params) => self.run(*trial, &params, worker),
                        // It would fail again the next time, so it ends here.
                        Err(error @ Error::Queued { .. }) => trial
                            .fail(&error.to_string())
                            .and_then(|state| self.finish(number, state)),
                        Err(error) => Err(error),
                    };
                    lock(&self.running).remove(&number);
                    self.finished.notify_all();
                    match ended {
                        // Another worker will finish a lost trial, and any worker an interrupted one.
                        Err(Error::Lost { .. } | Error::Interrupted(_)) | Ok(()) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
    }

    /// Gives a trial its parameters, once all trials that it learns from have ended.
    fn start(&self, trial: &mut Trial) -> Result<Params, Error> {
        if let Some(workers) = self.study.lockstep() {
            let mut running = lock(&self.running);
            while running.first().is_some_and(|first| first + workers <= trial.number()) {
                self.monitor.check()?;
                let waited = self.finished.wait_timeout(running, POLL);
                running = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        let params = trial.suggest_all(self.space)?;
        self.tell(StudyEvent::Started { trial: trial.record(), params: &params });
        Ok(params)
    }

    fn run(&self, mut trial: Trial, params: &Params, worker: usize) -> Result<(), Error> {
        let number = trial.number();
        let outcome = {
            let _heartbeats = trial.heartbeat().keep();
            self.objective.run(&mut trial, params, worker, self.monitor)
        };
        let state = match outcome? {
            Outcome::Value(value) => trial.complete(value)?,
            Outcome::Pruned => trial.prune()?,
            Outcome::Failed(reason) => trial.fail(&reason)?,
            Outcome::Interrupted => return Err(Interrupted.into()),
        };
        self.finish(number, state)
    }

    /// Reports that a trial has ended, and ends the search if all have failed so far.
    fn finish(&self, number: u64, state: TrialState) -> Result<(), Error> {
        self.tell(StudyEvent::Finished { number, state });
        if state != TrialState::Failed {
            return Ok(());
        }
        let failed = {
            let mut failures = lock(&self.failures);
            failures.push(number);
            failures.len() as u64
        };
        match self.options.max_failures {
            Some(most) if failed >= most => self.check_values(),
            _ => Ok(()),
        }
    }

    /// Fails if trials of the study have failed and none has ended otherwise.
    fn check_values(&self) -> Result<(), Error> {
        let trials = self.study.trials()?;
        let is_failed = |trial: &&Arc<TrialRecord>| trial.state == TrialState::Failed;
        if trials.iter().any(|trial| trial.state.is_finished() && !is_failed(&trial)) {
            return Ok(());
        }
        let own = lock(&self.failures).iter().min().copied();
        let mut failed = trials.iter().filter(is_failed);
        let count = failed.clone().count() as u64;
        let Some(first) = failed.find(|trial| own.is_none_or(|own| trial.number == own)) else {
            return Ok(());
        };
        Err(Error::AllFailed {
            study: self.study.name().into(),
            failed: count,
            number: first.number,
            reason: first.failure().unwrap_or("it has left no reason").into(),
        })
    }

    fn tell(&self, event: StudyEvent<'_>) {
        (*lock(&self.report))(event);
    }
}

/// If the objective panics, stops the other workers, some of which may be waiting for its trial.
struct CancelOnPanic<'a>(&'a Cancel, &'a Condvar);

impl Drop for CancelOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.cancel();
            self.1.notify_all();
        }
    }
}

/// Locks a mutex whose content stays valid even if a thread panics.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
