//! The results of a study: its trials and its best one as tables, its figures, its summary. They come from the storage alone, so they can be
//! drawn again at any time, for any study.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use latents_progress::count;
use latents_report::{self as report, Cell, Figure, Show, StudyView, Table};
use latents_tune::{
    Direction, Distribution, History, Space, Study, StudySettings, TrialParameter, TrialRecord,
    TrialState, Value, importance, storage,
};
use serde::Serialize;

use crate::error::Result;

/// Folders of a study's results.
const TABLES: &str = "tables";
const FIGURES: &str = "figures";
/// Complete trials from which importances are computed, at least.
const LEAST_TRIALS: usize = 10;

/// The trials of a study.
///
/// ```no_run
/// use latents::TuneResults;
///
/// let results = TuneResults::open("sqlite:///runs/tune/study.db", None)?;
/// results.save("runs/tune".as_ref())?; // tables and figures
/// # Ok::<(), latents::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TuneResults {
    name: String,
    direction: Direction,
    objective: String,
    /// Parameters, in the order in which they are shown.
    parameters: Vec<String>,
    trials: Vec<Arc<TrialRecord>>,
}

/// A study in numbers.
#[derive(Clone, Debug, Serialize)]
pub struct TuneSummary {
    /// The study's name.
    pub study: String,
    /// All trials.
    pub trials: usize,
    /// Those that ran to the end.
    pub complete: usize,
    /// Those that the pruner stopped.
    pub pruned: usize,
    /// Those that failed.
    pub failed: usize,
    /// Those that run, or ran when their worker died.
    pub running: usize,
    /// Those that are queued.
    pub waiting: usize,
    /// The best one, if any is complete.
    pub best: Option<BestTrial>,
    /// The folder with its tables and figures.
    pub folder: PathBuf,
}

/// The best trial of a study.
#[derive(Clone, Debug, Serialize)]
pub struct BestTrial {
    /// Its number.
    pub trial: u64,
    /// Its value.
    pub value: f64,
    /// Its parameters.
    pub params: BTreeMap<String, Value>,
}

impl TuneResults {
    /// The results of a study that this process works on.
    ///
    /// # Errors
    /// If the storage cannot be read.
    pub fn of(study: &Study, space: &Space, objective: &str) -> Result<Self> {
        let order = space.dimensions().iter().map(|d| d.name.clone()).collect();
        Ok(Self::new(study.name(), study.direction(), objective, order, study.trials()?))
    }

    /// The results of a stored study, by its address `URL` or `URL#NAME`; of another program's too. `label` is what its values are called, if not what the
    /// study says.
    ///
    /// # Errors
    /// If there is no such study, or its storage cannot be read.
    pub fn open(address: &str, label: Option<&str>) -> Result<Self> {
        let (storage, record) = storage::find(address)?;
        let (own, order) = match StudySettings::of(&*storage, &record)? {
            Some(settings) => {
                let order = settings.space.dimensions().iter().map(|d| d.name.clone()).collect();
                (settings.label, order)
            }
            None => ("objective".to_owned(), vec![]),
        };
        let label = label.unwrap_or(&own);
        let trials = storage.trials(record.id)?;
        Ok(Self::new(&record.name, record.direction, label, order, trials))
    }

    /// The results of any trials. Parameters that `order` lacks come last, by name.
    fn new(
        name: &str,
        direction: Direction,
        objective: &str,
        order: Vec<String>,
        trials: Vec<Arc<TrialRecord>>,
    ) -> Self {
        let mut others: Vec<&String> = trials.iter().flat_map(|t| t.params.keys()).collect();
        others.sort();
        others.dedup();
        let others: Vec<String> =
            others.into_iter().filter(|n| !order.contains(n)).cloned().collect();
        let parameters = order.into_iter().chain(others).collect();
        TuneResults {
            name: name.into(),
            direction,
            objective: objective.into(),
            parameters,
            trials,
        }
    }

    /// The trials and which values are better.
    #[must_use]
    pub fn history(&self) -> History<'_> {
        History { direction: self.direction, trials: &self.trials }
    }

    /// Whether any trial is complete.
    #[must_use]
    pub fn has_best(&self) -> bool {
        self.history().best().is_some()
    }

    /// Removes what a killed search was writing of its tables and figures.
    pub(super) fn sweep(out: &Path) {
        for folder in [TABLES, FIGURES] {
            latents_files::sweep(&out.join(folder));
        }
    }

    /// Writes tables and figures into folders of `out`.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save(&self, out: &Path) -> Result<()> {
        let tables = out.join(TABLES);
        for (stem, table) in [("trials", self.trials_table()), ("best", self.best_table())] {
            table.save(&tables, stem)?;
        }
        let figures = out.join(FIGURES);
        let study = self.view();
        report::trials("Trials", &study).save_both(&figures, "trials")?;
        if self.has_best() && !self.parameters.is_empty() {
            report::parallel_coordinates("Trials by parameter", &study)
                .save_both(&figures, "parallel")?;
            report::slices("Objective by parameter", &study).save_both(&figures, "slices")?;
        }
        if let Some(figure) = self.importances() {
            figure.save_both(&figures, "importances")?;
        }
        Ok(())
    }

    /// How much each parameter matters, from at least 10 complete trials: the measure compares the best tenth of them with all.
    #[must_use]
    pub fn importances(&self) -> Option<Figure> {
        if self.in_state(TrialState::Complete) < LEAST_TRIALS {
            return None;
        }
        let importances = importance::ped_anova(self.history());
        let label = format!("share in the variance of the {}", self.objective);
        (!importances.is_empty())
            .then(|| report::importances("Importance of the parameters", &label, &importances))
    }

    /// The study in numbers; `folder` is where its tables and figures are.
    #[must_use]
    pub fn summary(&self, folder: &Path) -> TuneSummary {
        let best = self.history().best().and_then(|trial| {
            let params = self.best().into_iter().collect();
            Some(BestTrial { trial: trial.number, value: trial.value?, params })
        });
        TuneSummary {
            study: self.name.clone(),
            trials: self.trials.len(),
            complete: self.in_state(TrialState::Complete),
            pruned: self.in_state(TrialState::Pruned),
            failed: self.in_state(TrialState::Failed),
            running: self.in_state(TrialState::Running),
            waiting: self.in_state(TrialState::Waiting),
            best,
            folder: folder.to_owned(),
        }
    }

    /// The best trial and the numbers of trials, for people.
    #[must_use]
    pub fn text(&self, folder: &Path) -> String {
        let summary = self.summary(folder);
        let trials = if summary.trials == 1 { "trial" } else { "trials" };
        let states = [
            (summary.complete, "complete", true),
            (summary.pruned, "pruned", true),
            (summary.failed, "failed", true),
            (summary.running, "running", false),
            (summary.waiting, "waiting", false),
        ];
        let states = states.into_iter().filter(|&(number, _, always)| always || number > 0);
        let states: Vec<String> =
            states.map(|(number, state, _)| format!("{number} {state}")).collect();
        let all = count(summary.trials as u64);
        let counts = format!("{all} {trials}, {}  {}", states.join(", "), folder.display());
        let Some(best) = &summary.best else { return format!("no trial is complete\n{counts}") };
        let params: Vec<String> =
            self.best().iter().map(|(name, value)| format!("{name} {}", shown(value))).collect();
        format!(
            "best {} {} in trial {}: {}\n{counts}",
            self.objective,
            rounded(best.value),
            best.trial,
            params.join("  ")
        )
    }

    /// The parameters of the best trial, in their order.
    #[must_use]
    pub fn best(&self) -> Vec<(String, Value)> {
        let history = self.history();
        let Some(best) = history.best() else { return vec![] };
        self.parameters.iter().filter_map(|n| Some((n.clone(), best.param(n)?))).collect()
    }

    /// How many trials are in a state.
    #[must_use]
    pub fn in_state(&self, state: TrialState) -> usize {
        self.trials.iter().filter(|t| t.state == state).count()
    }

    /// A row for each trial.
    #[must_use]
    pub fn trials_table(&self) -> Table {
        let best = self.history().best().map(|trial| trial.number);
        let head = ["trial", "state", &self.objective, "best", "last step"];
        let head = head.into_iter().chain(self.parameters.iter().map(String::as_str));
        let columns = head.chain(["seconds"]).map(str::to_owned).collect();
        let row = |trial: &Arc<TrialRecord>| {
            let first = [
                Cell::Integer(trial.number.into()),
                Cell::Text(state_name(trial.state).into()),
                trial.value.map_or(Cell::Empty, Cell::from),
                Cell::Text(if best == Some(trial.number) { "*" } else { "" }.into()),
                trial.last_report().map_or(Cell::Empty, |(step, _)| Cell::Integer(step.into())),
            ];
            let params = self.parameters.iter().map(|name| trial.param(name));
            let params = params.map(|value| value.as_ref().map_or(Cell::Empty, parameter_cell));
            let seconds =
                trial.seconds().map_or(Cell::Empty, |s| Cell::Number(s, Show::Decimals(1)));
            first.into_iter().chain(params).chain([seconds]).collect()
        };
        Table { columns, rows: self.trials.iter().map(row).collect() }
    }

    /// The parameters of the best trial, a row for each (the reference study's T4).
    fn best_table(&self) -> Table {
        let mut rows = vec![];
        if let Some(best) = self.history().best() {
            rows.extend(
                self.best()
                    .into_iter()
                    .map(|(n, value)| vec![Cell::Text(n), parameter_cell(&value)]),
            );
            rows.push(vec![Cell::Text("trial".into()), Cell::Integer(best.number.into())]);
            let value = best.value.map_or(Cell::Empty, Cell::from);
            rows.push(vec![Cell::Text(self.objective.clone()), value]);
        }
        Table { columns: vec!["setting".into(), "best found".into()], rows }
    }

    /// The study as figures take it.
    #[must_use]
    pub fn view(&self) -> StudyView {
        let kind = |name: &String| {
            let mut seen = self.trials.iter().filter_map(|trial| trial.params.get(name));
            match seen.next_back().map(|parameter| &*parameter.distribution) {
                Some(Distribution::Categorical { choices }) => {
                    report::ParameterKind::Choices(choices.iter().map(Value::to_string).collect())
                }
                Some(Distribution::Float { log, .. } | Distribution::Int { log, .. }) => {
                    report::ParameterKind::Number { log: *log }
                }
                _ => report::ParameterKind::Number { log: false },
            }
        };
        let parameters = self
            .parameters
            .iter()
            .map(|name| report::ParameterView { name: name.clone(), kind: kind(name) })
            .collect();
        let trial = |trial: &Arc<TrialRecord>| {
            let outcome = match trial.state {
                TrialState::Complete => report::TrialOutcome::Complete,
                TrialState::Pruned => report::TrialOutcome::Pruned,
                TrialState::Failed => report::TrialOutcome::Failed,
                TrialState::Running | TrialState::Waiting => return None,
            };
            let params =
                self.parameters.iter().map(|name| Some(trial.params.get(name)?.internal)).collect();
            Some(report::TrialView { number: trial.number, outcome, value: trial.value, params })
        };
        StudyView {
            objective: self.objective.clone(),
            lower_is_better: self.direction == Direction::Minimize,
            parameters,
            trials: self.trials.iter().filter_map(trial).collect(),
        }
    }
}

/// A parameter's value in a table.
#[must_use]
pub fn parameter_cell(value: &Value) -> Cell {
    match value {
        Value::Int(x) => Cell::Integer((*x).into()),
        Value::Float(x) => Cell::Number(*x, Show::UpTo(4)),
        other => Cell::Text(other.to_string()),
    }
}

/// A value for people.
fn shown(value: &Value) -> String {
    parameter_cell(value).to_string()
}

/// A parameter's value for people.
pub(crate) fn parameter(parameter: &TrialParameter) -> String {
    let value = parameter.distribution.value(parameter.internal);
    value.map_or_else(|_| "?".into(), |value| shown(&value))
}

/// A measured number for people.
pub(crate) fn rounded(value: f64) -> String {
    Cell::from(value).to_string()
}

pub(crate) fn state_name(state: TrialState) -> &'static str {
    match state {
        TrialState::Running => "running",
        TrialState::Complete => "complete",
        TrialState::Pruned => "pruned",
        TrialState::Failed => "failed",
        TrialState::Waiting => "waiting",
    }
}
