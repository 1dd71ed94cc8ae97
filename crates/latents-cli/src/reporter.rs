//! Progress on the terminal: the command's one implementation of the library's `Reporter`. A bar with the time left for each task if a person
//! watches; notes as lines on standard error; nothing of either with `--json`.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use latents::{Progress, Reporter};

use crate::output::{Output, printable};

const BAR: &str = "{msg}  {bar:28.cyan/dim} {percent:>3} %  {eta} left";
/// Time between two drawings of a bar that nobody reports to.
const TICK: Duration = Duration::from_millis(250);
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
        Terminal { output, bars: watched.then(|| Bars::on(ProgressDrawTarget::stderr())) }
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
            bars.clear(&mut tasks, progress.task);
            return;
        }
        let Some(bar) = tasks.get(progress.task) else {
            let bar = bars.multi.add(new_bar(progress));
            bar.enable_steady_tick(TICK);
            tasks.insert(progress.task.to_owned(), bar);
            return;
        };
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        bar.set_message(text(progress));
    }

    fn end(&self, task: &str) {
        if let Some(bars) = &self.bars {
            bars.clear(&mut bars.tasks(), task);
        }
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
    fn on(target: ProgressDrawTarget) -> Self {
        Bars { multi: MultiProgress::with_draw_target(target), tasks: Mutex::default() }
    }

    /// Takes the bar of a task away, if it has one.
    fn clear(&self, tasks: &mut BTreeMap<String, ProgressBar>, task: &str) {
        if let Some(bar) = tasks.remove(task) {
            bar.finish_and_clear();
            self.multi.remove(&bar);
        }
    }

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

/// The text of a task's bar.
fn text(progress: &Progress<'_>) -> String {
    printable(&match progress.message {
        "" => progress.task.to_owned(),
        message => format!("{}  {message}", progress.task),
    })
}

/// A bar with all that it shows. It is drawn only once it is among the others.
fn new_bar(progress: &Progress<'_>) -> ProgressBar {
    let (length, template) = match progress.total {
        0 => (None, SPINNER),
        total => (Some(total), BAR),
    };
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::hidden());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸─"));
    }
    bar.set_message(text(progress));
    // What was done before it was shown says nothing about the time left.
    bar.set_position(progress.done);
    bar.reset_eta();
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report<'a>(task: &'a str, done: u64, message: &'a str) -> Progress<'a> {
        Progress { task, done, total: 9, message }
    }

    #[test]
    fn a_bar_says_what_it_is_for_when_it_is_first_drawn() {
        let bar = new_bar(&report("training", 4, "epoch 1/3"));
        assert!(bar.is_hidden(), "it is drawn by itself");
        assert_eq!((bar.message().as_str(), bar.position()), ("training  epoch 1/3", 4));
        assert_eq!(new_bar(&report("training", 0, "")).message(), "training");
    }

    #[test]
    fn a_task_that_ends_leaves_no_bar() {
        let bars = Some(Bars::on(ProgressDrawTarget::hidden()));
        let terminal = Terminal { output: Output::new(false), bars };
        let shown =
            || -> Vec<String> { terminal.bars.as_ref().unwrap().tasks().keys().cloned().collect() };
        let clone = |task: &str| terminal.bars.as_ref().unwrap().tasks()[task].clone();
        for task in ["a", "b", "c"] {
            terminal.progress(&report(task, 3, ""));
        }
        terminal.progress(&report("a", 5, "more"));
        let (done, failed) = (clone("a"), clone("b"));
        assert_eq!((done.position(), done.message().as_str()), (5, "a  more"));
        terminal.progress(&report("a", 9, ""));
        terminal.end("b");
        terminal.end("unknown");
        assert_eq!(shown(), ["c"]);
        assert!(done.is_finished() && failed.is_finished());
    }
}
