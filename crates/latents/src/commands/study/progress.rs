//! One view of a whole study: a bar with the time left for all of it where there is a person to see it, a line for each stage elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::stages::Stage;
use crate::output::{Output, duration};

const BAR: &str = "{bar:28.cyan/dim} {percent:>3} %  {prefix}  {wide_msg}";
/// Parts of the bar.
const PARTS: f64 = 1000.0;

/// The progress of a study; stages in several threads may tell theirs at once.
pub(crate) struct Progress {
    output: Output,
    bar: Option<ProgressBar>,
    state: Mutex<State>,
}

struct State {
    began: Instant,
    /// Cost of all stages that are to be done, and of those that were done before.
    total: f64,
    before: f64,
    /// Cost of those that were done since.
    done: f64,
    stages: usize,
    finished: usize,
    /// What was done since, in its order.
    took: Vec<Took>,
    /// What is going on: cost, fraction that is done, what it says, and when it began.
    current: BTreeMap<String, Current>,
}

/// How long a stage took.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Took {
    stage: String,
    seconds: f64,
}

struct Current {
    title: String,
    cost: f64,
    fraction: f64,
    said: String,
    began: Instant,
}

impl Progress {
    pub(crate) fn new(output: Output) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(PARTS as u64);
            if let Ok(style) = ProgressStyle::with_template(BAR) {
                bar.set_style(style.progress_chars("━╸─"));
            }
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        let state = State {
            began: Instant::now(),
            total: 0.0,
            before: 0.0,
            done: 0.0,
            stages: 0,
            finished: 0,
            took: vec![],
            current: BTreeMap::new(),
        };
        Progress { output, bar, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what there is to do; `done` tells which stages are done already.
    pub(crate) fn plan<C>(&self, stages: &[Stage<C>], done: impl Fn(&Stage<C>) -> bool) {
        let mut state = self.lock();
        state.stages = stages.len();
        state.total = stages.iter().map(|s| s.cost).sum();
        state.before = stages.iter().filter(|s| done(s)).map(|s| s.cost).sum();
        state.finished = stages.iter().filter(|s| done(s)).count();
        if state.finished > 0 {
            let said = format!("{} of {} stages are done already", state.finished, state.stages);
            drop(state);
            self.note(&said);
        }
    }

    pub(crate) fn begin<C>(&self, stage: &Stage<C>) {
        let current = Current {
            title: stage.title.into(),
            cost: stage.cost,
            fraction: 0.0,
            said: String::new(),
            began: Instant::now(),
        };
        self.lock().current.insert(stage.name.into(), current);
        self.draw();
    }

    /// How far a stage is, from 0 to 1, and what it says of itself.
    pub(crate) fn update(&self, stage: &str, fraction: f64, said: &str) {
        if let Some(current) = self.lock().current.get_mut(stage) {
            current.fraction = fraction.clamp(0.0, 1.0);
            said.clone_into(&mut current.said);
        }
        self.draw();
    }

    pub(crate) fn finish<C>(&self, stage: &Stage<C>) {
        let mut state = self.lock();
        let Some(current) = state.current.remove(stage.name) else { return };
        state.done += current.cost;
        state.finished += 1;
        let count = format!("[{}/{}]", state.finished, state.stages);
        let seconds = current.began.elapsed().as_secs_f64();
        state.took.push(Took { stage: stage.name.into(), seconds });
        drop(state);
        let seconds = duration(seconds);
        self.note(&format!("{count:>8} {}  {}  {seconds}", stage.part, current.title));
        self.draw();
    }

    /// How long each stage took that this start has done.
    pub(crate) fn took(&self) -> Vec<Took> {
        self.lock().took.clone()
    }

    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    pub(crate) fn note(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.output.note(line)),
            None => self.output.note(line),
        }
    }

    fn draw(&self) {
        let Some(bar) = &self.bar else { return };
        let state = self.lock();
        let going: f64 = state.current.values().map(|c| c.cost * c.fraction).sum();
        let since = state.done + going;
        bar.set_position((PARTS * (state.before + since) / state.total.max(1e-9)) as u64);
        let left = state.total - state.before - since;
        // Too early to tell before some of it is done.
        if since > 0.01 * state.total {
            let seconds = state.began.elapsed().as_secs_f64() / since * left;
            bar.set_prefix(format!("{} left", duration(seconds)));
        }
        let said: Vec<String> = state
            .current
            .values()
            .map(|c| {
                if c.said.is_empty() { c.title.clone() } else { format!("{}: {}", c.title, c.said) }
            })
            .collect();
        bar.set_message(said.join("  |  "));
    }
}
