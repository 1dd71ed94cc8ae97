//! The card of a classifier: scores, intervals, calibration; as tables, figures and JSON.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use latents::data::{FASHION_MNIST_CLASSES, Labelled};
use latents::explore::classification::{
    Calibration, Confusion, Intervals, Mistake, argmax, bootstrap,
};
use latents::report::{
    Cell, Figure, ImageView, Reliability, Show, Table, Tile, confusion, grid, reliability,
};
use latents::train::Run;
use serde::Serialize;

use super::study::COLUMNS;
use crate::Shared;
use crate::commands::classified::{Tta, probabilities};
use crate::commands::{Split, Trained, all};
use crate::output::{Output, count, duration};

/// Part of test sets that have their scores within the intervals.
const LEVEL: f64 = 0.95;
/// Pairs of classes that are told, and shown with images.
const PAIRS: usize = 10;
const SHOWN_PAIRS: usize = 6;
/// Images of each pair.
const SHOWN_IMAGES: usize = 8;

/// How a classifier is judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judging {
    /// Test sets that are drawn for the bootstrap intervals.
    pub(crate) replicates: usize,
    /// Whether other views of an image have a say.
    pub(crate) tta: Option<Tta>,
}

/// Everything that is told of a classifier.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Card {
    run: String,
    kind: &'static str,
    seed: u64,
    /// Test images.
    images: usize,
    /// Which other view of each had a say.
    #[serde(skip_serializing_if = "Option::is_none")]
    tta: Option<Tta>,
    pub(crate) parameters: usize,
    pub(crate) epochs: usize,
    /// Of training.
    pub(crate) seconds: f64,
    pub(crate) accuracy: f64,
    macro_f1: f64,
    /// By the class's name, as the next two.
    f1: BTreeMap<String, f64>,
    precision: BTreeMap<String, f64>,
    recall: BTreeMap<String, f64>,
    pub(crate) classes: Vec<String>,
    /// `[true class][predicted class]`.
    pub(crate) confusion: Confusion,
    /// Expected calibration error.
    pub(crate) ece: f64,
    calibration: Calibration,
    pub(crate) intervals: Intervals,
    pub(crate) most_confused: Vec<Pair>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Pair {
    pub(crate) class: String,
    pub(crate) taken_for: String,
    pub(crate) count: u64,
}

pub(super) fn evaluate(
    dir: &Path,
    how: Judging,
    shared: &Shared,
    output: Output,
) -> Result<ExitCode> {
    let (card, judged) = card(dir, how, shared, output)?;
    let table = card.table();
    save(dir, &card, &table)?;
    judged.draw(&card, &dir.join("figures"))?;
    let text = format!("{}\n{}", table.markdown(), card.text());
    output.result(&text, &card)?;
    Ok(ExitCode::SUCCESS)
}

/// Mean and sample standard deviation over runs.
#[derive(Serialize)]
pub(crate) struct Spread {
    pub(crate) mean: f64,
    pub(crate) deviation: f64,
}

impl Spread {
    /// Of one value the deviation is 0.
    pub(crate) fn of(values: &[f64]) -> Self {
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
        Spread { mean, deviation: (squares / (values.len().max(2) - 1) as f64).sqrt() }
    }
}

#[derive(Serialize)]
struct Seeds {
    run: String,
    accuracy: Spread,
    macro_f1: Spread,
    ece: Spread,
    seconds: Spread,
    f1: BTreeMap<String, Spread>,
    runs: Vec<Card>,
}

pub(super) fn evaluate_seeds(
    dir: &Path,
    seeds: &[PathBuf],
    how: Judging,
    shared: &Shared,
    output: Output,
) -> Result<ExitCode> {
    let mut runs = vec![];
    for seed in seeds {
        let (card, judged) = card(seed, how, shared, output)?;
        save(seed, &card, &card.table())?;
        judged.draw(&card, &seed.join("figures"))?;
        runs.push(card);
    }
    let spread = |of: &dyn Fn(&Card) -> f64| Spread::of(&runs.iter().map(of).collect::<Vec<_>>());
    let classes = &runs[0].classes;
    let f1 = classes.iter().map(|class| {
        (class.clone(), spread(&|card| card.f1.get(class).copied().unwrap_or_default()))
    });
    let all = Seeds {
        run: dir.display().to_string(),
        accuracy: spread(&|card| card.accuracy),
        macro_f1: spread(&|card| card.macro_f1),
        ece: spread(&|card| card.ece),
        seconds: spread(&|card| card.seconds),
        f1: f1.collect(),
        runs: runs.clone(),
    };
    let number = |value: f64| Cell::Number(100.0 * value, Show::Decimals(2));
    let columns = ["score, %", "mean", "deviation"].map(str::to_owned).to_vec();
    let row = |name: &str, s: &Spread| {
        vec![Cell::Text(name.to_owned()), number(s.mean), number(s.deviation)]
    };
    let mut rows: Vec<Vec<Cell>> = all.runs[0]
        .classes
        .iter()
        .map(|class| row(&format!("F1 {class}"), &all.f1[class]))
        .collect();
    rows.push(row("accuracy", &all.accuracy));
    rows.push(row("macro F1", &all.macro_f1));
    rows.push(row("ECE", &all.ece));
    let table = Table { columns, rows };
    let json = serde_json::to_string_pretty(&all)? + "\n";
    latents_files::write(&dir.join("evaluation.json"), json.as_bytes())?;
    table.save(&dir.join("tables"), "seeds")?;
    let text = format!(
        "{}\n{} runs; training took {} each  {}",
        table.markdown(),
        all.runs.len(),
        duration(all.seconds.mean),
        dir.display()
    );
    output.result(&text, &all)?;
    Ok(ExitCode::SUCCESS)
}

fn save(dir: &Path, card: &Card, table: &Table) -> Result<()> {
    let json = serde_json::to_string_pretty(card)? + "\n";
    latents_files::write(&dir.join("evaluation.json"), json.as_bytes())?;
    Ok(table.save(&dir.join("tables"), "classes")?)
}

/// The test images and what they were taken for.
pub(crate) struct Judged {
    part: Labelled,
    truth: Vec<u8>,
    predicted: Vec<u8>,
    /// `[n, classes]`
    probabilities: Vec<f32>,
}

fn card(dir: &Path, how: Judging, shared: &Shared, output: Output) -> Result<(Card, Judged)> {
    let mut trained = Trained::open(dir, shared)?;
    let part = trained.part(Split::Test, output)?;
    judge(&mut trained, part, how)
}

/// Judges a run by test images.
pub(crate) fn judge(trained: &mut Trained, part: Labelled, how: Judging) -> Result<(Card, Judged)> {
    let metrics = Run::at(&trained.dir).metrics()?;
    let truth = part.labels.clone().context("the test images have no labels to judge by")?;
    ensure!(!part.is_empty(), "there are no test images to judge by");
    let names = trained.config.data.classes.clone();
    let k = names.len();
    let mut index = vec![];
    let inputs = all(&part, &mut index);
    let probabilities = probabilities(trained, inputs, how.tta)?;
    let predicted = argmax(&probabilities, k);
    let confusion = Confusion::new(&truth, &predicted, k)?;
    let calibration = Calibration::new(&truth, &probabilities, k, Calibration::BINS)?;
    let seed = trained.config.training.seed;
    let intervals = bootstrap(&truth, &predicted, k, LEVEL, how.replicates, seed)?;
    let scores = confusion.scores();
    let by_class = |score: &dyn Fn(usize) -> f64| {
        names.iter().enumerate().map(|(i, name)| (name.clone(), score(i))).collect()
    };
    let pair = |m: &Mistake| Pair {
        class: names[m.truth].clone(),
        taken_for: names[m.predicted].clone(),
        count: m.count,
    };
    let card = Card {
        run: trained.dir.display().to_string(),
        kind: trained.config.model.kind(),
        seed,
        images: truth.len(),
        tta: how.tta,
        parameters: trained.engine.layout().parameter_count(),
        epochs: metrics.len(),
        seconds: metrics.iter().map(|m| m.seconds).sum(),
        accuracy: confusion.accuracy(),
        macro_f1: confusion.macro_f1(),
        f1: by_class(&|i| scores[i].f1),
        precision: by_class(&|i| scores[i].precision),
        recall: by_class(&|i| scores[i].recall),
        most_confused: confusion.mistakes().iter().take(PAIRS).map(pair).collect(),
        classes: names,
        confusion,
        ece: calibration.ece,
        calibration,
        intervals,
    };
    Ok((card, Judged { part, truth, predicted, probabilities }))
}

impl Card {
    /// A row for each class and for what concerns all, beside the reference study's where the classes are those of Fashion-MNIST.
    fn table(&self) -> Table {
        let with_study = self.classes == FASHION_MNIST_CLASSES;
        let percent = |value: f64| Cell::Number(value, Show::Decimals(2));
        let range = |[low, high]: [f64; 2]| {
            Cell::Text(format!("{:.2} to {:.2}", 100.0 * low, 100.0 * high))
        };
        let mut columns: Vec<String> =
            ["", "F1, %", "95 % interval", "precision", "recall"].map(str::to_owned).to_vec();
        if with_study {
            columns.extend(COLUMNS.iter().map(|c| c.name.to_owned()));
        }
        let scores = self.confusion.scores();
        let mut rows = vec![];
        for (i, class) in self.classes.iter().enumerate() {
            let mut row = vec![
                Cell::Text(class.clone()),
                percent(100.0 * scores[i].f1),
                range(self.intervals.f1[i]),
                percent(100.0 * scores[i].precision),
                percent(100.0 * scores[i].recall),
            ];
            if with_study {
                row.extend(COLUMNS.iter().map(|c| percent(c.f1[i])));
            }
            rows.push(row);
        }
        let mut last = |name: &str, ours: Cell, range: Cell, study: [Cell; 2]| {
            let mut row = vec![Cell::Text(name.into()), ours, range, Cell::Empty, Cell::Empty];
            if with_study {
                row.extend(study);
            }
            rows.push(row);
        };
        let [cnn, cl] = &COLUMNS;
        last(
            "accuracy",
            percent(100.0 * self.accuracy),
            range(self.intervals.accuracy),
            [percent(cnn.accuracy), percent(cl.accuracy)],
        );
        let epochs = [cnn.epochs, cl.epochs].map(Cell::Integer);
        last("epochs", Cell::Integer(self.epochs as i128), Cell::Empty, epochs);
        let seconds = [cnn.seconds, cl.seconds].map(percent);
        last("seconds (study: on a GPU)", percent(self.seconds), Cell::Empty, seconds);
        Table { columns, rows }
    }

    /// How often each class was taken for each.
    pub(crate) fn confusion_figure(&self) -> Figure {
        let views = match self.tta {
            None => "",
            Some(Tta::Flip) => ", with mirror images",
        };
        let title = format!("Confusion matrix: accuracy {:.2} %{views}", 100.0 * self.accuracy);
        confusion(&title, &self.classes, self.confusion.counts())
    }

    /// Accuracy by confidence.
    pub(crate) fn reliability_figure(&self) -> Figure {
        let bins: Vec<Reliability> = self
            .calibration
            .bins
            .iter()
            .map(|bin| Reliability {
                range: (bin.lower, bin.upper),
                count: bin.count,
                confidence: bin.confidence,
                accuracy: bin.accuracy,
            })
            .collect();
        reliability("Reliability", &format!("ECE {:.4}", self.ece), &bins)
    }

    fn text(&self) -> String {
        let pairs: Vec<String> = self
            .most_confused
            .iter()
            .take(3)
            .map(|p| format!("{} taken for {} ({})", p.class, p.taken_for, count(p.count)))
            .collect();
        let views = match self.tta {
            None => "",
            Some(Tta::Flip) => ", each averaged with its mirror image",
        };
        format!(
            "accuracy {:.2} % ({:.2} to {:.2})  ECE {:.4}  {} test images{views}\nmost confused: {}\n{}",
            100.0 * self.accuracy,
            100.0 * self.intervals.accuracy[0],
            100.0 * self.intervals.accuracy[1],
            self.ece,
            count(self.images as u64),
            if pairs.is_empty() { "none".into() } else { pairs.join(", ") },
            self.run
        )
    }
}

impl Judged {
    fn draw(&self, card: &Card, folder: &Path) -> Result<()> {
        card.confusion_figure().save(folder, "confusion")?;
        card.reliability_figure().save(folder, "reliability")?;
        if let Some(figure) = self.mistakes_figure(card) {
            figure.save(folder, "mistakes")?;
        }
        Ok(())
    }

    /// Images of the pairs that are most often confused; none where nothing is.
    pub(crate) fn mistakes_figure(&self, card: &Card) -> Option<Figure> {
        let mistakes = card.confusion.mistakes();
        let shown = &mistakes[..SHOWN_PAIRS.min(mistakes.len())];
        if shown.is_empty() {
            return None;
        }
        let images: Vec<Vec<(String, Vec<f32>)>> =
            shown.iter().map(|mistake| self.examples(mistake, card.classes.len())).collect();
        let shape = self.part.images.shape();
        let rows: Vec<Vec<Tile<'_>>> = images
            .iter()
            .map(|row| {
                row.iter()
                    .map(|(caption, pixels)| Tile {
                        caption: caption.clone(),
                        image: ImageView { shape, pixels },
                    })
                    .collect()
            })
            .collect();
        let captions: Vec<String> = shown
            .iter()
            .map(|m| {
                let [class, other] = [m.truth, m.predicted].map(|c| &card.classes[c]);
                format!("{class} taken for {other}: {}", count(m.count))
            })
            .collect();
        let title = "Most confused pairs, the surest mistakes first, with their confidence";
        Some(grid(title, &rows, &captions))
    }

    /// Images of a mistake, those first of which the classifier is surest, with their confidence.
    fn examples(&self, mistake: &Mistake, k: usize) -> Vec<(String, Vec<f32>)> {
        let mut all: Vec<(f32, usize)> = (0..self.truth.len())
            .filter(|&i| {
                usize::from(self.truth[i]) == mistake.truth
                    && usize::from(self.predicted[i]) == mistake.predicted
            })
            .map(|i| (self.probabilities[i * k + mistake.predicted], i))
            .collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        all.truncate(SHOWN_IMAGES);
        all.into_iter()
            .map(|(confidence, i)| {
                let pixels = self.part.images.image(i).iter().map(|&x| f32::from(x) / 255.0);
                (format!("{:.0} %", 100.0 * confidence), pixels.collect())
            })
            .collect()
    }
}
