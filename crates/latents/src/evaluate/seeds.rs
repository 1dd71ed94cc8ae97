//! Runs that differ by their seeds alone: the means and deviations of their measures.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use latents_explore::card::Card;
use latents_explore::metrics::MeanStd;
use latents_progress::duration;
use latents_report::{Cell, Show, Table};
use latents_train::Run;
use serde::Serialize;

use super::{ClassCard, EvalOptions, Evaluation};
use crate::error::{Error, Result};
use crate::model::TrainedModel;
use crate::recipe::SEED_PREFIX;
use crate::session::Session;

/// The runs in a folder that is none itself, in the order of their seeds.
#[must_use]
pub fn seed_runs(dir: &Path) -> Vec<PathBuf> {
    if Run::at(dir).exists() {
        return vec![];
    }
    let Ok(entries) = std::fs::read_dir(dir) else { return vec![] };
    let mut seeds: Vec<(u64, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let seed = path.file_name()?.to_str()?.strip_prefix(SEED_PREFIX)?.parse().ok()?;
            Run::at(&path).exists().then_some((seed, path))
        })
        .collect();
    seeds.sort();
    seeds.into_iter().map(|(_, path)| path).collect()
}

/// The measures of runs that differ by their seeds alone.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum SeedEvaluation {
    /// Of models with latents.
    Latents(Box<SeedCards>),
    /// Of classifiers.
    Classes(Box<SeedScores>),
}

impl SeedEvaluation {
    /// The means and deviations, for people.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            SeedEvaluation::Latents(cards) => cards.text(),
            SeedEvaluation::Classes(scores) => scores.text(),
        }
    }
}

/// Evaluates the runs in a folder of several seeds, leaves the results of each in its folder and the means and deviations in `dir`:
/// `evaluation.json`, and `seeds` in `tables/`.
///
/// # Errors
/// If the folder holds no such runs, or one cannot be evaluated.
pub fn evaluate_seeds(
    dir: &Path,
    options: EvalOptions,
    session: &Session,
) -> Result<SeedEvaluation> {
    let (mut classes, mut latents) = (vec![], vec![]);
    for seed in &seed_runs(dir) {
        match TrainedModel::open(seed, session)?.evaluate_run(options, session)? {
            Evaluation::Classes(card) => classes.push(*card),
            Evaluation::Latents(card) => latents.push(*card),
        }
    }
    let all = if !latents.is_empty() && classes.is_empty() {
        SeedEvaluation::Latents(Box::new(SeedCards::of(dir, latents)))
    } else if !classes.is_empty() && latents.is_empty() {
        SeedEvaluation::Classes(Box::new(SeedScores::of(dir, classes)))
    } else if classes.is_empty() {
        Run::at(dir).config()?;
        let dir = dir.display();
        return Err(Error::Invalid(format!("{dir} is one run, not a folder of several")));
    } else {
        let dir = dir.display();
        return Err(Error::Invalid(format!(
            "{dir} holds runs of different kinds: name one of them"
        )));
    };
    let table = match &all {
        SeedEvaluation::Latents(cards) => cards.table(),
        SeedEvaluation::Classes(scores) => scores.table(),
    };
    let json = serde_json::to_string_pretty(&all)? + "\n";
    latents_files::write(&dir.join("evaluation.json"), json.as_bytes())?;
    table.save(&dir.join("tables"), "seeds")?;
    Ok(all)
}

/// The measures of models with latents that differ by their seeds: means and deviations.
#[derive(Clone, Debug, Serialize)]
pub struct SeedCards {
    /// The folder of the runs.
    pub run: String,
    /// Mean and deviation of each measure that all runs have, by its name ([`Card::measures`]).
    pub measures: BTreeMap<String, MeanStd>,
    /// The card of each run.
    pub runs: Vec<Card>,
}

impl SeedCards {
    /// The means and deviations of at least one card.
    fn of(dir: &Path, runs: Vec<Card>) -> Self {
        let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (name, value) in runs.iter().flat_map(Card::measures) {
            values.entry(name).or_default().push(value);
        }
        values.retain(|_, values| values.len() == runs.len());
        let measures = values.into_iter().map(|(name, values)| (name, MeanStd::of(&values)));
        SeedCards { run: dir.display().to_string(), measures: measures.collect(), runs }
    }

    /// A row for each measure, in the order of the card.
    #[must_use]
    pub fn table(&self) -> Table {
        let columns = ["measure", "mean", "deviation"].map(str::to_owned).to_vec();
        let number = |value: f64| Cell::Number(value, Show::Significant(4));
        let names = self.runs.first().map(Card::measures).unwrap_or_default();
        let rows = names.into_iter().filter_map(|(name, _)| {
            let MeanStd { mean, deviation } = *self.measures.get(&name)?;
            Some(vec![Cell::Text(name), number(mean), number(deviation)])
        });
        Table { columns, rows: rows.collect() }
    }

    /// The table, for people.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{} runs  {}", self.table().markdown(), self.runs.len(), self.run)
    }
}

/// The scores of classifiers that differ by their seeds: means and deviations.
#[derive(Clone, Debug, Serialize)]
pub struct SeedScores {
    /// The folder of the runs.
    pub run: String,
    /// Accuracy.
    pub accuracy: MeanStd,
    /// Mean F1 over classes.
    pub macro_f1: MeanStd,
    /// Expected calibration error.
    pub ece: MeanStd,
    /// Seconds of training.
    pub seconds: MeanStd,
    /// F1 by class.
    pub f1: BTreeMap<String, MeanStd>,
    /// The card of each run.
    pub runs: Vec<ClassCard>,
}

impl SeedScores {
    /// The means and deviations of at least one card.
    fn of(dir: &Path, runs: Vec<ClassCard>) -> Self {
        let over =
            |of: &dyn Fn(&ClassCard) -> f64| MeanStd::of(&runs.iter().map(of).collect::<Vec<_>>());
        let classes = runs.first().map_or(&[][..], |card| &card.classes);
        let f1 = classes.iter().map(|class| {
            (class.clone(), over(&|card| card.f1.get(class).copied().unwrap_or_default()))
        });
        SeedScores {
            run: dir.display().to_string(),
            accuracy: over(&|card| card.accuracy),
            macro_f1: over(&|card| card.macro_f1),
            ece: over(&|card| card.ece),
            seconds: over(&|card| card.seconds),
            f1: f1.collect(),
            runs,
        }
    }

    /// A row for each score, in percent.
    #[must_use]
    pub fn table(&self) -> Table {
        let number = |value: f64| Cell::Number(100.0 * value, Show::Decimals(2));
        let columns = ["score, %", "mean", "deviation"].map(str::to_owned).to_vec();
        let row = |name: &str, s: &MeanStd| {
            vec![Cell::Text(name.to_owned()), number(s.mean), number(s.deviation)]
        };
        let classes = self.runs.first().map_or(&[][..], |card| &card.classes);
        let mut rows: Vec<Vec<Cell>> =
            classes.iter().map(|class| row(&format!("F1 {class}"), &self.f1[class])).collect();
        rows.push(row("accuracy", &self.accuracy));
        rows.push(row("macro F1", &self.macro_f1));
        rows.push(row("ECE", &self.ece));
        Table { columns, rows }
    }

    /// The table and the time of training, for people.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "{}\n{} runs; training took {} each  {}",
            self.table().markdown(),
            self.runs.len(),
            duration(self.seconds.mean),
            self.run
        )
    }
}
