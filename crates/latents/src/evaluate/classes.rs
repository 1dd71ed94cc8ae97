//! The card of a classifier: scores, intervals, calibration; as tables, figures and JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use latents_data::{FASHION_MNIST_CLASSES, Labelled};
use latents_explore::classification::{
    Calibration, Confusion, Intervals, Mistake, argmax, bootstrap,
};
use latents_progress::count;
use latents_report::{
    Cell, Figure, ImageView, Reliability, Show, Table, Tile, confusion, grid, reliability,
};
use latents_tables::{Column, ColumnTable, Values};
use serde::Serialize;

use super::EvalOptions;
use super::reference::REFERENCE;
use crate::error::{Error, Result};
use crate::model::TrainedModel;
use crate::predict::Tta;
use crate::session::Session;

/// The part of bootstrap replicates whose scores lie in the intervals.
const LEVEL: f64 = 0.95;
/// Pairs of classes that are listed, and shown with images.
const PAIRS: usize = 10;
const SHOWN_PAIRS: usize = 6;
/// Images of each pair.
const SHOWN_IMAGES: usize = 8;

/// The measures of a classifier on test images.
#[derive(Clone, Debug, Serialize)]
pub struct ClassCard {
    /// The folder of the run.
    pub run: String,
    /// The kind of model.
    pub kind: &'static str,
    /// The run's seed.
    pub seed: u64,
    /// Test images.
    pub images: usize,
    /// Which other view of each was classified too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tta: Option<Tta>,
    /// Parameters of the model.
    pub parameters: usize,
    /// Epochs of training.
    pub epochs: usize,
    /// Seconds of training.
    pub seconds: f64,
    /// The fraction of images that is classified correctly.
    pub accuracy: f64,
    /// Mean F1 over classes.
    pub macro_f1: f64,
    /// F1 by class.
    pub f1: BTreeMap<String, f64>,
    /// Precision by class.
    pub precision: BTreeMap<String, f64>,
    /// Recall by class.
    pub recall: BTreeMap<String, f64>,
    /// The names of the classes, in the order of their labels.
    pub classes: Vec<String>,
    /// `[true class][predicted class]`.
    pub confusion: Confusion,
    /// Expected calibration error.
    pub ece: f64,
    /// Confidence and accuracy by bins of confidence.
    pub calibration: Calibration,
    /// 95 % bootstrap intervals.
    pub intervals: Intervals,
    /// The pairs that are most often confused, most frequent first.
    pub most_confused: Vec<ConfusedPair>,
}

/// A pair of classes, one taken for the other.
#[derive(Clone, Debug, Serialize)]
pub struct ConfusedPair {
    /// The true class.
    pub class: String,
    /// The predicted class.
    pub taken_for: String,
    /// How many images.
    pub count: u64,
}

/// Test images and their predicted classes.
#[derive(Clone, Debug)]
pub struct LabelledPredictions<'a> {
    images: Cow<'a, Labelled>,
    truth: Vec<u16>,
    predicted: Vec<u16>,
    /// `[n, classes]`
    probabilities: Vec<f32>,
}

impl TrainedModel {
    /// Measures a classifier on images with labels.
    ///
    /// # Errors
    /// If there are no images, they have no labels or have another shape, or the call was interrupted.
    pub fn class_card<'a>(
        &mut self,
        images: &'a Labelled,
        options: EvalOptions,
        session: &Session,
    ) -> Result<(ClassCard, LabelledPredictions<'a>)> {
        let metrics = self.run.metrics()?;
        if images.is_empty() {
            let part = latents_data::Part::Test;
            return Err(Error::NoImages { run: self.dir().to_owned(), part });
        }
        let (images, truth) = images.with_labels().ok_or_else(|| Error::Unlabelled {
            what: "the evaluation of a classifier",
            origin: self.config.data.source.clone(),
        })?;
        self.check_shape(&images)?;
        let names = self.classes().to_vec();
        let k = names.len();
        let index: Vec<u32> = (0..images.len() as u32).collect();
        let inputs = latents_train::inputs(&images.images, &index);
        let probabilities = self.probabilities(inputs, options.tta)?;
        let predicted = argmax(&probabilities, k);
        let confusion = Confusion::new(&truth, &predicted, k)?;
        let calibration = Calibration::new(&truth, &probabilities, k, Calibration::BINS)?;
        let seed = self.config.training.seed;
        let replicates = options.replicates;
        let intervals = bootstrap(&truth, &predicted, k, LEVEL, replicates, seed, session)?;
        let scores = confusion.scores();
        let by_class = |score: &dyn Fn(usize) -> f64| {
            names.iter().enumerate().map(|(i, name)| (name.clone(), score(i))).collect()
        };
        let pair = |m: &Mistake| ConfusedPair {
            class: names[m.truth].clone(),
            taken_for: names[m.predicted].clone(),
            count: m.count,
        };
        let card = ClassCard {
            run: self.dir().display().to_string(),
            kind: self.kind(),
            seed,
            images: truth.len(),
            tta: options.tta,
            parameters: self.parameter_count(),
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
        Ok((card, LabelledPredictions { images, truth, predicted, probabilities }))
    }
}

impl ClassCard {
    /// A row for each class and for the whole, next to the reference study's if the classes are those of Fashion-MNIST.
    #[must_use]
    pub fn table(&self) -> Table {
        let with_study = self.classes == FASHION_MNIST_CLASSES;
        let percent = |value: f64| Cell::Number(value, Show::Decimals(2));
        let range = |[low, high]: [f64; 2]| {
            Cell::Text(format!("{:.2} to {:.2}", 100.0 * low, 100.0 * high))
        };
        let mut columns: Vec<String> =
            ["", "F1, %", "95 % interval", "precision", "recall"].map(str::to_owned).to_vec();
        if with_study {
            columns.extend(REFERENCE.iter().map(|c| c.name.to_owned()));
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
                row.extend(REFERENCE.iter().map(|c| percent(c.f1[i])));
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
        let [cnn, cl] = &REFERENCE;
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

    /// How often each class was predicted as each.
    #[must_use]
    pub fn confusion_figure(&self) -> Figure {
        let views = match self.tta {
            None => "",
            Some(Tta::Flip) => ", with mirror images",
        };
        let title = format!("Confusion matrix: accuracy {:.2} %{views}", 100.0 * self.accuracy);
        confusion(&title, &self.classes, self.confusion.counts())
    }

    /// Accuracy by confidence.
    #[must_use]
    pub fn reliability_figure(&self) -> Figure {
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

    /// Writes `evaluation.json` and the table into a run's folder.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<()> {
        let json = serde_json::to_string_pretty(self)? + "\n";
        latents_files::write(&dir.join("evaluation.json"), json.as_bytes())?;
        self.table().save(&dir.join("tables"), "classes")?;
        Ok(())
    }

    /// Accuracy, calibration and the most confused pairs, for people.
    #[must_use]
    pub fn text(&self) -> String {
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

impl LabelledPredictions<'_> {
    /// A row for each mistake, the surest first: `name` (the image's, or its number among the test images), `label`, `predicted` and
    /// `confidence`.
    ///
    /// # Errors
    /// None that these columns can have.
    pub fn mistakes(&self, card: &ClassCard) -> Result<ColumnTable> {
        let k = card.classes.len();
        let wrong = (0..self.truth.len()).filter(|&i| self.truth[i] != self.predicted[i]);
        let confidence = |i: usize| self.probabilities[i * k + usize::from(self.predicted[i])];
        let mut wrong: Vec<usize> = wrong.collect();
        wrong.sort_by(|&a, &b| confidence(b).total_cmp(&confidence(a)).then(a.cmp(&b)));
        let text = |of: &dyn Fn(usize) -> String| {
            Values::Text(wrong.iter().map(|&i| Some(of(i))).collect())
        };
        let class = |labels: &[u16], i: usize| card.classes[usize::from(labels[i])].clone();
        let sure = wrong.iter().map(|&i| Some(confidence(i))).collect();
        Ok(ColumnTable::new(vec![
            Column::new("name", text(&|i| self.images.name_of(i))),
            Column::new("label", text(&|i| class(&self.truth, i))),
            Column::new("predicted", text(&|i| class(&self.predicted, i))),
            Column::new("confidence", Values::F32(sure)),
        ])?)
    }

    /// Writes the confusion matrix, the reliability diagram and the mistakes as SVG and PNG.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save_figures(&self, card: &ClassCard, folder: &Path) -> Result<Vec<PathBuf>> {
        let mut files = card.confusion_figure().save_both(folder, "confusion")?;
        files.extend(card.reliability_figure().save_both(folder, "reliability")?);
        if let Some(figure) = self.mistakes_figure(card) {
            files.extend(figure.save_both(folder, "mistakes")?);
        }
        Ok(files)
    }

    /// Images of the pairs that are most often confused; none if there is no mistake.
    #[must_use]
    pub fn mistakes_figure(&self, card: &ClassCard) -> Option<Figure> {
        let mistakes = card.confusion.mistakes();
        let shown = &mistakes[..SHOWN_PAIRS.min(mistakes.len())];
        if shown.is_empty() {
            return None;
        }
        let images: Vec<Vec<(String, Vec<f32>)>> =
            shown.iter().map(|mistake| self.examples(mistake, card.classes.len())).collect();
        let shape = self.images.images.shape();
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

    /// Images of a mistake, the most confident first, with their confidence.
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
                let mut caption = format!("{:.0} %", 100.0 * confidence);
                if self.images.names.is_some() {
                    // The end of a path says most.
                    let name = self.images.name_of(i);
                    caption = format!("{caption} {}", name.rsplit('/').next().unwrap_or_default());
                }
                (caption, self.images.images.image_unit(i))
            })
            .collect()
    }
}
