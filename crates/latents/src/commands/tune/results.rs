//! What a study came to: its trials and its best as tables, its figures, its summary. Drawn from the storage alone, so it can be
//! drawn again at any time, of anybody's study.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use latents::report::{self, Cell, Figure, Show, Table};
use latents::tune::{
    Direction, Distribution, History, Parameter, Space, Study, TrialRecord, TrialState, Value,
    importance,
};
use serde::Serialize;

use crate::output::{Output, count};

/// Trials and what they mean.
pub(crate) struct Results {
    name: String,
    direction: Direction,
    objective: String,
    /// Parameters, in the order in which they are shown.
    parameters: Vec<String>,
    trials: Vec<Arc<TrialRecord>>,
}

/// The best trial, for programs.
#[derive(Serialize)]
struct Summary<'a> {
    study: &'a str,
    trials: usize,
    complete: usize,
    pruned: usize,
    failed: usize,
    best: Option<Best>,
    folder: &'a Path,
}

#[derive(Serialize)]
struct Best {
    trial: u64,
    value: f64,
    params: std::collections::BTreeMap<String, Value>,
}

impl Results {
    /// Of a study that this process worked on.
    pub(crate) fn of(study: &Study, space: &Space, objective: &str) -> Result<Self> {
        let order = space.dimensions().iter().map(|d| d.name.clone()).collect();
        Ok(Self::new(study.name(), study.direction(), objective, order, study.trials()?))
    }

    /// Of any trials. Parameters that `order` lacks come last, by name.
    pub(crate) fn new(
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
        Results { name: name.into(), direction, objective: objective.into(), parameters, trials }
    }

    pub(crate) fn history(&self) -> History<'_> {
        History { direction: self.direction, trials: &self.trials }
    }

    pub(crate) fn has_best(&self) -> bool {
        self.history().best().is_some()
    }

    /// Writes tables and figures into folders of `out`; gives `out`.
    pub(crate) fn save(&self, out: &Path) -> Result<PathBuf> {
        let tables = out.join("tables");
        for (stem, table) in [("trials", self.trials_table()), ("best", self.best_table())] {
            table.save(&tables, stem)?;
        }
        let figures = out.join("figures");
        let study = self.plain();
        report::trials("Trials", &study).save(&figures, "trials")?;
        if self.has_best() && !self.parameters.is_empty() {
            report::parallel_coordinates("Trials by parameter", &study)
                .save(&figures, "parallel")?;
            report::slices("Objective by parameter", &study).save(&figures, "slices")?;
        }
        if let Some(figure) = self.importances() {
            figure.save(&figures, "importances")?;
        }
        Ok(out.to_owned())
    }

    /// How much each parameter matters; none where too few trials are complete to tell.
    pub(crate) fn importances(&self) -> Option<Figure> {
        let importances = importance::ped_anova(self.history());
        let label = format!("share in the spread of the {}", self.objective);
        (!importances.is_empty())
            .then(|| report::importances("Importance of the parameters", &label, &importances))
    }

    /// Prints the best trial and where the rest is.
    pub(crate) fn print(&self, output: Output, folder: &Path) -> Result<()> {
        let best = self.history().best().and_then(|trial| {
            let param = |name: &String| Some((name.clone(), trial.param(name)?));
            let params = trial.params.keys().filter_map(param).collect();
            Some(Best { trial: trial.number, value: trial.value?, params })
        });
        let summary = Summary {
            study: &self.name,
            trials: self.trials.len(),
            complete: self.in_state(TrialState::Complete),
            pruned: self.in_state(TrialState::Pruned),
            failed: self.in_state(TrialState::Failed),
            best,
            folder,
        };
        let text = match &summary.best {
            None => "no trial is complete".to_owned(),
            Some(best) => {
                let params: Vec<String> = self
                    .parameters
                    .iter()
                    .filter_map(|name| Some((name, best.params.get(name)?)))
                    .map(|(name, value)| format!("{name} {}", shown(value)))
                    .collect();
                format!(
                    "best {} {} in trial {}: {}\n{} trials, {} complete, {} pruned, {} failed  {}",
                    self.objective,
                    rounded(best.value),
                    best.trial,
                    params.join("  "),
                    count(summary.trials as u64),
                    summary.complete,
                    summary.pruned,
                    summary.failed,
                    folder.display()
                )
            }
        };
        output.result(&text, &summary)
    }

    /// The parameters of the best trial, by name.
    pub(crate) fn best(&self) -> Vec<(String, Value)> {
        let history = self.history();
        let Some(best) = history.best() else { return vec![] };
        self.parameters.iter().filter_map(|n| Some((n.clone(), best.param(n)?))).collect()
    }

    /// How many trials ended in a state.
    pub(crate) fn in_state(&self, state: TrialState) -> usize {
        self.trials.iter().filter(|t| t.state == state).count()
    }

    /// A row for each trial.
    pub(crate) fn trials_table(&self) -> Table {
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
            let params = params.map(|value| value.as_ref().map_or(Cell::Empty, cell));
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
                self.best().into_iter().map(|(n, value)| vec![Cell::Text(n), cell(&value)]),
            );
            rows.push(vec![Cell::Text("trial".into()), Cell::Integer(best.number.into())]);
            let value = best.value.map_or(Cell::Empty, Cell::from);
            rows.push(vec![Cell::Text(self.objective.clone()), value]);
        }
        Table { columns: vec!["setting".into(), "best found".into()], rows }
    }

    /// The study as figures take it.
    pub(crate) fn plain(&self) -> report::Study {
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
            .map(|name| report::Parameter { name: name.clone(), kind: kind(name) })
            .collect();
        let trial = |trial: &Arc<TrialRecord>| {
            let state = match trial.state {
                TrialState::Complete => report::TrialState::Complete,
                TrialState::Pruned => report::TrialState::Pruned,
                TrialState::Failed => report::TrialState::Failed,
                TrialState::Running | TrialState::Waiting => return None,
            };
            let params =
                self.parameters.iter().map(|name| Some(trial.params.get(name)?.internal)).collect();
            Some(report::Trial { number: trial.number, state, value: trial.value, params })
        };
        report::Study {
            objective: self.objective.clone(),
            direction: match self.direction {
                Direction::Minimize => report::Direction::Minimize,
                Direction::Maximize => report::Direction::Maximize,
            },
            parameters,
            trials: self.trials.iter().filter_map(trial).collect(),
        }
    }
}

/// A parameter's value in a table.
pub(crate) fn cell(value: &Value) -> Cell {
    match value {
        Value::Int(x) => Cell::Integer((*x).into()),
        Value::Float(x) => Cell::Number(*x, Show::UpTo(4)),
        other => Cell::Text(other.to_string()),
    }
}

/// A value for people.
fn shown(value: &Value) -> String {
    cell(value).to_string()
}

/// A parameter's value for people.
pub(crate) fn parameter(parameter: &Parameter) -> String {
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
