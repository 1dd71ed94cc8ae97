//! Progress reports and cancellation: the one way in which long work tells how far it is and learns that it should stop.
//! A [`Monitor`] is handed down to everything that takes a while. It holds a [`Reporter`], silent by default, and a [`Cancel`]
//! token. Nothing here prints; a terminal, a notebook or a log is a `Reporter` of the program that wants one.
//!
//! ```
//! use std::sync::{Arc, Mutex};
//! use latents_progress::{Cancel, Interrupted, Monitor, Progress, Reporter};
//!
//! #[derive(Default)]
//! struct Log(Mutex<Vec<String>>);
//!
//! impl Reporter for Log {
//!     fn progress(&self, progress: &Progress<'_>) {
//!         let Progress { task, done, total, .. } = progress;
//!         self.0.lock().unwrap().push(format!("{task}: {done} of {total}"));
//!     }
//! }
//!
//! fn work(monitor: &Monitor) -> Result<(), Interrupted> {
//!     for step in 1..=3 {
//!         monitor.check()?;
//!         monitor.progress("work", step, 3, "");
//!     }
//!     Ok(())
//! }
//!
//! let (log, cancel) = (Arc::new(Log::default()), Cancel::default());
//! let monitor = Monitor::new(log.clone(), cancel.clone());
//! assert_eq!(work(&monitor), Ok(()));
//! assert_eq!(log.0.lock().unwrap().last().unwrap(), "work: 3 of 3");
//! cancel.cancel();
//! assert_eq!(work(&monitor), Err(Interrupted));
//! ```

mod text;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use text::{alternatives, chain, count, duration};

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Which task; several may run at once, each under its own name.
    pub task: &'a str,
    /// Units of work that are done.
    pub done: u64,
    /// Units of work in all; the task is over when as many are done.
    pub total: u64,
    /// What there is to say about it right now, for people; may be empty.
    pub message: &'a str,
}

/// Receives what long work reports. Every method does nothing by default; threads may call them at the same time.
pub trait Reporter: Send + Sync {
    /// A new stage of the work begins.
    fn stage(&self, name: &str) {
        let _ = name;
    }

    /// A task has advanced.
    fn progress(&self, progress: &Progress<'_>) {
        let _ = progress;
    }

    /// A task is over: all of it is done, or it has failed or been interrupted. It may have been reported as done before, or never at all.
    fn end(&self, task: &str) {
        let _ = task;
    }

    /// Something a person may want to know.
    fn note(&self, text: &str) {
        let _ = text;
    }

    /// Something a person should know: results may not be what they expect.
    fn warning(&self, text: &str) {
        let _ = text;
    }
}

/// Reports to nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Reporter for Silent {}

/// A token by which work is asked to stop. Clones are the same token.
///
/// ```
/// use latents_progress::Cancel;
///
/// let cancel = Cancel::default();
/// let of_thread = cancel.clone();
/// std::thread::spawn(move || of_thread.cancel()).join().expect("it does not panic");
/// assert!(cancel.is_cancelled());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    cancelled: Arc<AtomicBool>,
    parent: Option<Arc<Cancel>>,
}

impl Cancel {
    /// Asks for a stop. It cannot be taken back.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether a stop was asked for, of this token or of one that it is a child of.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
            || self.parent.as_ref().is_some_and(|parent| parent.is_cancelled())
    }

    /// A token that is cancelled with this one, and can be cancelled alone.
    #[must_use]
    pub fn child(&self) -> Self {
        Cancel { cancelled: Arc::default(), parent: Some(Arc::new(self.clone())) }
    }
}

/// Work was asked to stop, and has. What it needs to continue has been saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// What long work is given: whom to report to, and when to stop. The default reports to nobody and never stops.
#[derive(Clone)]
pub struct Monitor {
    reporter: Arc<dyn Reporter>,
    cancel: Cancel,
}

impl Default for Monitor {
    fn default() -> Self {
        Monitor::new(Arc::new(Silent), Cancel::default())
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("cancel", &self.cancel).finish_non_exhaustive()
    }
}

impl Monitor {
    /// Reports to `reporter` and stops when `cancel` says so.
    #[must_use]
    pub fn new(reporter: Arc<dyn Reporter>, cancel: Cancel) -> Self {
        Monitor { reporter, cancel }
    }

    /// The same, reporting to someone else.
    #[must_use]
    pub fn with_reporter(&self, reporter: Arc<dyn Reporter>) -> Self {
        Monitor { reporter, cancel: self.cancel.clone() }
    }

    /// The same, with a token of its own that is cancelled with this one's.
    #[must_use]
    pub fn child(&self) -> Self {
        Monitor { reporter: Arc::clone(&self.reporter), cancel: self.cancel.child() }
    }

    /// The token.
    #[must_use]
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Who is reported to.
    #[must_use]
    pub fn reporter(&self) -> &Arc<dyn Reporter> {
        &self.reporter
    }

    /// Whether a stop was asked for.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Returns to the caller if a stop was asked for.
    ///
    /// # Errors
    /// [`Interrupted`] if so.
    pub fn check(&self) -> Result<(), Interrupted> {
        if self.is_cancelled() { Err(Interrupted) } else { Ok(()) }
    }

    /// Reports that a new stage begins.
    pub fn stage(&self, name: &str) {
        self.reporter.stage(name);
    }

    /// Reports that a task has advanced: `done` of `total` units, and what there is to say about it.
    pub fn progress(&self, task: &str, done: u64, total: u64, message: &str) {
        self.reporter.progress(&Progress { task, done, total, message });
    }

    /// A task that ends, for the reporter, when the returned value is dropped, so also if the work fails.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use latents_progress::{Cancel, Monitor, Reporter};
    ///
    /// #[derive(Default)]
    /// struct Ended(Mutex<Vec<String>>);
    ///
    /// impl Reporter for Ended {
    ///     fn end(&self, task: &str) {
    ///         self.0.lock().unwrap().push(task.to_owned());
    ///     }
    /// }
    ///
    /// fn work(monitor: &Monitor) -> Result<(), &'static str> {
    ///     let task = monitor.task("work");
    ///     task.progress(1, 3, "");
    ///     Err("no further")
    /// }
    ///
    /// let ended = Arc::new(Ended::default());
    /// assert!(work(&Monitor::new(ended.clone(), Cancel::default())).is_err());
    /// assert_eq!(*ended.0.lock().unwrap(), ["work"]);
    /// ```
    #[must_use]
    pub fn task(&self, name: impl Into<String>) -> Task<'_> {
        Task { monitor: self, name: name.into() }
    }

    /// Reports something a person may want to know.
    pub fn note(&self, text: &str) {
        self.reporter.note(text);
    }

    /// Reports something a person should know.
    pub fn warning(&self, text: &str) {
        self.reporter.warning(text);
    }
}

/// A task of a [`Monitor`], as [`Monitor::task`] makes it. The reporter learns that it is over when this is dropped.
#[derive(Debug)]
pub struct Task<'a> {
    monitor: &'a Monitor,
    name: String,
}

impl Task<'_> {
    /// Reports that the task has advanced: `done` of `total` units, and what there is to say about it.
    pub fn progress(&self, done: u64, total: u64, message: &str) {
        self.monitor.progress(&self.name, done, total, message);
    }
}

impl Drop for Task<'_> {
    fn drop(&mut self) {
        self.monitor.reporter.end(&self.name);
    }
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_stops_with_its_parent_and_alone() {
        let parent = Monitor::default();
        let (one, other) = (parent.child(), parent.child().child());
        one.cancel().cancel();
        assert_eq!(one.check(), Err(Interrupted));
        assert_eq!((parent.check(), other.check()), (Ok(()), Ok(())));
        parent.cancel().clone().cancel();
        assert_eq!(other.check(), Err(Interrupted));
    }
}
