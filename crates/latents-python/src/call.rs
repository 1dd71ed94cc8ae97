//! How a call of the library runs: in a thread of its own and without the interpreter, while the calling thread shows progress and looks for signals.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use latents::{Cancel, Progress, Reporter, Session};
use pyo3::exceptions::{PyRuntimeError, PyUserWarning, PyValueError};
use pyo3::prelude::*;

use crate::error::exception;

/// Time between two looks at signals and progress.
const POLL: Duration = Duration::from_millis(50);

/// The threads that all calls share, and the process that started them.
static THREADS: Mutex<Option<(u32, Session)>> = Mutex::new(None);

/// Sets the number of worker threads, or takes one for each core again. No result depends on it.
///
/// Parameters
/// ----------
/// threads : int or None
///     The number of threads, at least 1.
#[pyfunction]
#[pyo3(signature = (threads=None))]
pub(crate) fn set_threads(threads: Option<usize>) -> PyResult<()> {
    if threads == Some(0) {
        return Err(PyValueError::new_err("threads must be at least 1, not 0"));
    }
    let session = threads.map_or_else(Session::default, |n| Session::default().threads(n));
    let mut shared = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    *shared = Some((std::process::id(), session));
    Ok(())
}

/// The session of this process.
pub(crate) fn session() -> PyResult<Session> {
    let mut shared = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    let own = std::process::id();
    let (process, session) = shared.get_or_insert_with(|| (own, Session::default()));
    if *process == own {
        return Ok(session.clone());
    }
    Err(PyRuntimeError::new_err(
        "latents was used before this process was forked, and a fork has none of its threads; start processes with \"spawn\" \
         (multiprocessing.get_context(\"spawn\")), or use latents only after the fork",
    ))
}

/// What the work has reported since it was last shown.
#[derive(Default)]
struct Reports {
    /// What has been done of each task: `done`, `total` and a message.
    tasks: BTreeMap<String, (u64, u64, String)>,
    /// Tasks that are over.
    ended: Vec<String>,
    notes: Vec<String>,
    warnings: Vec<String>,
}

struct Collector(Mutex<Reports>);

impl Collector {
    fn with(&self, add: impl FnOnce(&mut Reports)) {
        add(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Reporter for Collector {
    fn stage(&self, name: &str) {
        self.note(name);
    }

    fn progress(&self, Progress { task, done, total, message }: &Progress<'_>) {
        self.with(|reports| {
            reports.tasks.insert((*task).to_owned(), (*done, *total, (*message).to_owned()));
        });
    }

    fn end(&self, task: &str) {
        self.with(|reports| {
            reports.tasks.remove(task);
            reports.ended.push(task.to_owned());
        });
    }

    fn note(&self, text: &str) {
        self.with(|reports| reports.notes.push(text.to_owned()));
    }

    fn warning(&self, text: &str) {
        self.with(|reports| reports.warnings.push(text.to_owned()));
    }
}

/// Runs `work` without the interpreter. Progress goes to `latents._progress`, warnings to Python's; a signal such as that of Ctrl-C cancels the work, which saves
/// what is needed to go on, and its exception is raised.
pub(crate) fn call<T: Send>(
    py: Python<'_>,
    work: impl FnOnce(&Session) -> latents::Result<T> + Send,
) -> PyResult<T> {
    let (cancel, reports) = (Cancel::default(), Arc::new(Collector(Mutex::default())));
    let session =
        session()?.cancel(cancel.clone()).reporter(Arc::clone(&reports) as Arc<dyn Reporter>);
    let (ended, end) = channel();
    let (result, raised) = py.detach(move || {
        thread::scope(|scope| {
            let worker = scope.spawn(move || {
                let _end = End(ended);
                work(&session)
            });
            let raised = watch(end, &cancel, &reports);
            (worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), raised)
        })
    });
    match (raised, result) {
        (Some(raised), _) => Err(raised),
        (None, result) => result.map_err(|error| exception(&error)),
    }
}

/// Tells that the work is over, however it went.
struct End(Sender<()>);

impl Drop for End {
    fn drop(&mut self) {
        // Nobody listens if the caller has panicked.
        let _ = self.0.send(());
    }
}

/// Shows reports until the work is over. Returns the exception of a signal, or of a warning that is an error.
fn watch(end: Receiver<()>, cancel: &Cancel, reports: &Collector) -> Option<PyErr> {
    let (mut raised, mut display) = (None, None);
    loop {
        let is_over = !matches!(end.recv_timeout(POLL), Err(RecvTimeoutError::Timeout));
        let mut new = Reports::default();
        reports.with(|reports| std::mem::swap(reports, &mut new));
        let shown = Python::attach(|py| {
            py.check_signals()?;
            show(py, &new, &mut display)?;
            if is_over && let Some(display) = display.take() {
                display.call_method0(py, "close")?;
            }
            Ok(())
        });
        if let Err(error) = shown {
            cancel.cancel();
            raised.get_or_insert(error);
        }
        if is_over {
            return raised;
        }
    }
}

/// Gives reports to Python.
fn show(py: Python<'_>, new: &Reports, display: &mut Option<Py<PyAny>>) -> PyResult<()> {
    for text in &new.warnings {
        let category = py.get_type::<PyUserWarning>();
        let text = std::ffi::CString::new(text.replace('\0', " "))?;
        PyErr::warn(py, &category, &text, 1)?;
    }
    if new.tasks.is_empty() && new.notes.is_empty() && new.ended.is_empty() {
        return Ok(());
    }
    let display = match display {
        Some(display) => display,
        None => display.insert(py.import("latents._progress")?.call_method0("display")?.unbind()),
    };
    for note in &new.notes {
        display.call_method1(py, "note", (note,))?;
    }
    for task in &new.ended {
        display.call_method1(py, "end", (task,))?;
    }
    for (task, (done, total, message)) in &new.tasks {
        display.call_method1(py, "progress", (task, done, total, message))?;
    }
    Ok(())
}
