//! What the calls of a program share: worker threads, their instruction set, whom to report progress to, and when to stop.

use std::ops::Deref;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use latents_engine::{Isa, Runtime};
use latents_progress::{Cancel, Monitor, Reporter};
use latents_train::Run;

use crate::error::Result;

/// Worker threads, instruction set, reporter and cancel token. No result depends on any of them. The default uses every core and the best instruction
/// set, reports to nobody and is never cancelled. Clones share the threads.
///
/// A session dereferences to its [`Monitor`], so that functions which only report and stop take a `&Session` too.
///
/// ```
/// use latents::{Cancel, Session};
///
/// let cancel = Cancel::default();
/// let session = Session::default().threads(2).cancel(cancel.clone());
/// assert_eq!(session.runtime()?.threads(), 2);
/// cancel.cancel(); // from a signal handler, say
/// assert!(session.check().is_err());
/// # Ok::<(), latents::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Session {
    threads: Option<usize>,
    isa: Option<Isa>,
    monitor: Monitor,
    accepts_changes: bool,
    /// The threads, once something has been computed.
    runtime: Arc<OnceLock<Arc<Runtime>>>,
}

impl Session {
    /// Uses so many worker threads. Pictures are decoded by the threads of rayon's global pool, which a program sizes with rayon's
    /// `ThreadPoolBuilder::build_global`.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Session { threads: Some(threads), runtime: Arc::default(), ..self }
    }

    /// Uses an instruction set.
    #[must_use]
    pub fn isa(self, isa: Isa) -> Self {
        Session { isa: Some(isa), runtime: Arc::default(), ..self }
    }

    /// Whether to take the files of finished runs as they are, even if they have changed since the runs were trained.
    #[must_use]
    pub fn accept_changes(self, accepts_changes: bool) -> Self {
        Session { accepts_changes, ..self }
    }

    /// The run in a folder.
    #[must_use]
    pub fn run(&self, dir: impl AsRef<Path>) -> Run {
        Run::at(dir).accept_changes(self.accepts_changes)
    }

    /// Reports to `reporter`.
    #[must_use]
    pub fn reporter(self, reporter: Arc<dyn Reporter>) -> Self {
        Session { monitor: self.monitor.with_reporter(reporter), ..self }
    }

    /// Stops when `cancel` is cancelled: calls save what is needed to continue and end with [`crate::Error::Interrupted`].
    #[must_use]
    pub fn cancel(self, cancel: Cancel) -> Self {
        Session { monitor: Monitor::new(Arc::clone(self.monitor.reporter()), cancel), ..self }
    }

    /// The same threads with another monitor.
    #[must_use]
    pub fn with_monitor(&self, monitor: Monitor) -> Self {
        Session { monitor, ..self.clone() }
    }

    /// Whom to report to and when to stop.
    #[must_use]
    pub fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// The worker threads, which start when they are first needed.
    ///
    /// # Errors
    /// If the system refuses the threads.
    pub fn runtime(&self) -> Result<Arc<Runtime>> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(Arc::clone(runtime));
        }
        let runtime = Arc::new(Runtime::new(self.threads, self.isa)?);
        Ok(Arc::clone(self.runtime.get_or_init(|| runtime)))
    }

    /// The number of worker threads.
    #[must_use]
    pub fn thread_count(&self) -> usize {
        self.threads.unwrap_or_else(|| {
            std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
        })
    }

    /// As many sessions, which share out the threads evenly; each has at least one.
    #[must_use]
    pub fn split(&self, sessions: usize) -> Vec<Session> {
        let threads = self.thread_count();
        let share = |i| (threads / sessions + usize::from(i < threads % sessions)).max(1);
        (0..sessions).map(|i| self.clone().threads(share(i))).collect()
    }
}

impl Deref for Session {
    type Target = Monitor;

    fn deref(&self) -> &Monitor {
        &self.monitor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_shared_out_evenly() {
        let shares = |threads, sessions| -> Vec<usize> {
            let split = Session::default().threads(threads).split(sessions);
            split.iter().map(Session::thread_count).collect()
        };
        assert_eq!(shares(5, 3), [2, 2, 1]);
        assert_eq!(shares(2, 2), [1, 1]);
        assert_eq!(shares(1, 3), [1, 1, 1]);
    }

    #[test]
    fn clones_share_their_threads() {
        let session = Session::default().threads(1);
        assert!(Arc::ptr_eq(&session.runtime().unwrap(), &session.clone().runtime().unwrap()));
    }
}
