//! Progress on the terminal: the command's one implementation of the library's `Reporter`. A bar with the time left for each task if a person
//! watches; notes as lines on standard error; nothing of either with `--json`.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use latents::{Progress, Reporter};

use crate::output::Output;

const BAR: &str = "{msg}  {bar:28.cyan/dim} {percent:>3} %  {eta} left";
/// A task of unknown length.
const SPINNER: &str = "{spinner} {msg}";

/// Shows progress to a person.
pub(crate) struct Terminal {
    output: Output,
    bars: Option<Bars>,
}

struct Bars {
    multi: MultiProgress,
    tasks: Mutex<BTreeMap<String, ProgressBar>>,
}

impl Terminal {
    pub(crate) fn new(output: Output) -> Self {
        let watched = output.is_for_people() && std::io::stderr().is_terminal();
        let bars = || Bars { multi: MultiProgress::new(), tasks: Mutex::default() };
        Terminal { output, bars: watched.then(bars) }
    }
}

impl Reporter for Terminal {
    fn stage(&self, name: &str) {
        self.note(name);
    }

    fn progress(&self, progress: &Progress<'_>) {
        let Some(bars) = &self.bars else { return };
        let mut tasks = bars.tasks();
        if progress.done >= progress.total && progress.total > 0 {
            if let Some(bar) = tasks.remove(progress.task) {
                bar.finish_and_clear();
            }
            return;
        }
        let bar = tasks
            .entry(progress.task.to_owned())
            .or_insert_with(|| bars.multi.add(new_bar(progress)));
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        bar.set_message(match progress.message {
            "" => progress.task.to_owned(),
            message => format!("{}  {message}", progress.task),
        });
    }

    fn note(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.multi.suspend(|| self.output.note(text)),
            None => self.output.note(text),
        }
    }

    fn warning(&self, text: &str) {
        self.note(&format!("warning: {text}"));
    }
}

impl Bars {
    fn tasks(&self) -> MutexGuard<'_, BTreeMap<String, ProgressBar>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Bars {
    /// Leaves no bar behind.
    fn drop(&mut self) {
        for bar in self.tasks().values() {
            bar.finish_and_clear();
        }
    }
}

fn new_bar(progress: &Progress<'_>) -> ProgressBar {
    let (bar, template) = match progress.total {
        0 => (ProgressBar::no_length(), SPINNER),
        total => (ProgressBar::new(total), BAR),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸─"));
    }
    // What was done before it was shown says nothing about the time left.
    bar.set_position(progress.done);
    bar.reset_eta();
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}
