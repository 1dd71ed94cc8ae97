//! Runs an objective over a study: workers in threads, heartbeats, an end. What the objective is, and whom it tells of its progress,
//! is the caller's.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::space::{Params, Space};
use crate::study::{Asked, Study, Trial};
use crate::trial::{TrialRecord, TrialState};
use crate::worker::HEARTBEAT;

/// Between two looks at whether other workers are done.
const POLL: Duration = Duration::from_millis(100);

/// How a study is worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Trials in all, those that are there already included; no limit without it.
    pub trials: Option<u64>,
    /// Trials that run at once in this process.
    pub workers: usize,
}

/// How an objective ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// With its value.
    Value(f64),
    /// The pruner stopped it.
    Pruned,
    /// Without a value, for a reason that lies in this trial's parameters.
    Failed(String),
    /// It was asked to stop; any worker may take it up.
    Interrupted,
}

/// What happens to a study.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A trial begins, or is taken up.
    Started {
        /// What is known of it.
        trial: &'a TrialRecord,
        /// The values of its parameters.
        params: &'a Params,
    },
    /// A trial is over, and how.
    Finished {
        /// Its number.
        number: u64,
        /// How it ended.
        state: TrialState,
    },
    /// There is nothing left but trials that other processes are at.
    Waiting {
        /// How many.
        others: usize,
    },
}

/// What is tuned. It is called by several workers at once, whose numbers count from 0; it looks at `stop` now and then.
pub trait Objective: Sync {
    /// Runs a trial to its end.
    ///
    /// # Errors
    /// For a reason that another trial would meet too; the study is left then, and the trial to whoever goes on with it.
    fn run(
        &self,
        trial: &mut Trial<'_>,
        params: &Params,
        worker: usize,
        stop: &AtomicBool,
    ) -> Result<Outcome, Error>;
}

/// Works on a study until it has all its trials and none of them is running, or until `stop` is true. An error makes `stop` true.
///
/// # Errors
/// The first that a worker met.
pub fn optimize(
    study: &Study,
    space: &Space,
    schedule: Schedule,
    objective: &dyn Objective,
    stop: &AtomicBool,
    report: &mut (dyn FnMut(Event<'_>) + Send),
) -> Result<(), Error> {
    let shared = Shared {
        study,
        space,
        schedule,
        objective,
        stop,
        report: Mutex::new(report),
        asking: Mutex::new(()),
        running: Mutex::new(BTreeSet::new()),
        finished: Condvar::new(),
    };
    std::thread::scope(|scope| {
        let worker = |number: usize| {
            let shared = &shared;
            scope.spawn(move || {
                let _end = EndOfAll(stop, &shared.finished);
                let result = shared.work(number);
                if result.is_err() {
                    stop.store(true, Ordering::Relaxed);
                }
                shared.finished.notify_all();
                result
            })
        };
        let workers: Vec<_> = (0..schedule.workers.max(1)).map(worker).collect();
        let mut results = vec![];
        for worker in workers {
            results.push(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        results.into_iter().collect()
    })
}

struct Shared<'a> {
    study: &'a Study,
    space: &'a Space,
    schedule: Schedule,
    objective: &'a dyn Objective,
    stop: &'a AtomicBool,
    report: Mutex<&'a mut (dyn FnMut(Event<'_>) + Send)>,
    /// Held while a trial is given its parameters, so that each knows those of the trials before it.
    asking: Mutex<()>,
    /// Numbers of this process's trials.
    running: Mutex<BTreeSet<u64>>,
    /// Told when one is over.
    finished: Condvar,
}

impl Shared<'_> {
    fn work(&self, worker: usize) -> Result<(), Error> {
        while !self.stop.load(Ordering::Relaxed) {
            let asking = lock(&self.asking);
            match self.study.ask(self.schedule.trials)? {
                Asked::Full { running: 0 } => return Ok(()),
                Asked::Full { running } => {
                    drop(asking);
                    let others = running.saturating_sub(lock(&self.running).len());
                    if others > 0 {
                        self.tell(Event::Waiting { others });
                    }
                    let guard = lock(&self.running);
                    drop(self.finished.wait_timeout(guard, POLL));
                }
                Asked::Trial(mut trial) => {
                    let number = trial.number();
                    lock(&self.running).insert(number);
                    let begun = self.begin(&mut trial);
                    drop(asking);
                    let ended = match begun {
                        Ok(Some(params)) => self.run(*trial, &params, worker),
                        Ok(None) => Ok(()),
                        // It would be the same the next time, so it is over.
                        Err(error @ Error::Queued { .. }) => trial
                            .fail(&error.to_string())
                            .map(|state| self.tell(Event::Finished { number, state })),
                        Err(error) => Err(error),
                    };
                    lock(&self.running).remove(&number);
                    self.finished.notify_all();
                    match ended {
                        // Whoever has the trial now will finish it.
                        Err(Error::Lost { .. }) | Ok(()) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        Ok(())
    }

    /// Gives a trial its parameters, once all trials that it is to learn from are over; none where it was asked to stop meanwhile.
    fn begin(&self, trial: &mut Trial<'_>) -> Result<Option<Params>, Error> {
        if let Some(workers) = self.study.lockstep() {
            let mut running = lock(&self.running);
            while running.first().is_some_and(|first| first + workers <= trial.number()) {
                if self.stop.load(Ordering::Relaxed) {
                    return Ok(None);
                }
                let waited = self.finished.wait_timeout(running, POLL);
                running = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        let params = trial.suggest_all(self.space)?;
        self.tell(Event::Started { trial: trial.record(), params: &params });
        Ok(Some(params))
    }

    fn run(&self, mut trial: Trial<'_>, params: &Params, worker: usize) -> Result<(), Error> {
        let number = trial.number();
        let pulse = trial.pulse();
        let over = (Mutex::new(false), Condvar::new());
        let outcome = std::thread::scope(|scope| {
            // Whoever waits for this trial must hear of it also while the objective says nothing for long.
            scope.spawn(|| {
                let mut beaten = Instant::now();
                let mut is_over = lock(&over.0);
                while !*is_over {
                    let waited = over.1.wait_timeout(is_over, Duration::from_secs(1));
                    is_over = waited.unwrap_or_else(PoisonError::into_inner).0;
                    if !*is_over && beaten.elapsed().as_secs_f64() >= HEARTBEAT {
                        beaten = Instant::now();
                        // A storage that does not answer now may do so later; a lost trial is noticed at its next report.
                        let _ = pulse.beat();
                    }
                }
            });
            let _end = EndOfPulse(&over);
            self.objective.run(&mut trial, params, worker, self.stop)
        });
        let state = match outcome? {
            Outcome::Value(value) => trial.complete(value)?,
            Outcome::Pruned => trial.prune()?,
            Outcome::Failed(reason) => trial.fail(&reason)?,
            Outcome::Interrupted => return Ok(()),
        };
        self.tell(Event::Finished { number, state });
        Ok(())
    }

    fn tell(&self, event: Event<'_>) {
        (*lock(&self.report))(event);
    }
}

/// Where an objective panics, stops the other workers, some of which may wait for its trial.
struct EndOfAll<'a>(&'a AtomicBool, &'a Condvar);

impl Drop for EndOfAll<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
            self.1.notify_all();
        }
    }
}

/// Stops the heartbeats, also where the objective panics.
struct EndOfPulse<'a>(&'a (Mutex<bool>, Condvar));

impl Drop for EndOfPulse<'_> {
    fn drop(&mut self) {
        *lock(&self.0.0) = true;
        self.0.1.notify_all();
    }
}

/// What is behind these locks is whole also after a panic.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
