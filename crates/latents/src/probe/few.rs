//! The few-label curve: accuracy on the test images against the number of labels, each drawn several times.

use latents_data::Labelled;
use latents_explore::classification::argmax;
use latents_explore::metrics::MeanStd;
use latents_explore::probes::few_labels;
use latents_models::{ClassifierConfig, ModelConfig};
use latents_progress::count;
use latents_report::{Cell, Curve, Figure, Show, Table, log_curves};
use latents_train::{Run, RunConfig, TrainingConfig};
use serde::Serialize;

use super::{Task, Vectors, accuracy, logistic};
use crate::error::Result;
use crate::model::TrainedModel;
use crate::recipe::train_run;
use crate::session::Session;

/// Accuracy with some number of labels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FewLabels {
    /// The method.
    pub method: String,
    /// The number of labels.
    pub labels: usize,
    /// How often they were drawn.
    pub draws: usize,
    /// Mean accuracy on the test images.
    pub mean: f64,
    /// Sample standard deviation over the draws.
    pub deviation: f64,
}

/// Steps that a classifier with few labels is trained for, at least; and images in one.
const STEPS: usize = 400;
const BATCH: usize = 64;

/// The curve of linear probes on vectors. `others` adds other methods, which learn from the same labels: their number, and each draw
/// of them.
pub(super) fn curve(
    task: &Task<'_>,
    vectors: &[Vectors],
    mut others: impl FnMut(usize, &[Vec<u32>]) -> Result<Vec<FewLabels>>,
) -> Result<Vec<FewLabels>> {
    let Task { config, labels, truth, classes, runtime, session } = *task;
    let mut all = vec![];
    for &n in config.labels.iter().filter(|&&n| n > 0 && n <= labels.len()) {
        session.check()?;
        session.note(&format!("{} labels", count(n as u64)));
        let draws: Vec<Vec<u32>> =
            (0..config.draws).map(|draw| few_labels(labels, n, config.seed, draw)).collect();
        for v in vectors {
            let mut found = vec![];
            for chosen in &draws {
                let rows = chosen.iter().flat_map(|&i| {
                    v.train[i as usize * v.dim..(i as usize + 1) * v.dim].iter().copied()
                });
                let rows: Vec<f32> = rows.collect();
                let some = of(labels, chosen);
                let probe = logistic(config, &rows, v.dim, &some, classes, runtime, session)?;
                found.push(accuracy(truth, &probe.predict(&v.test, runtime)?, classes)?);
            }
            all.push(few(&format!("linear probe of {}", v.name), n, &found));
        }
        all.extend(others(n, &draws)?);
    }
    Ok(all)
}

impl TrainedModel {
    /// Classifiers that learn from some labels, on the encoder and from scratch.
    pub(super) fn small_classifiers(
        &self,
        task: &Task<'_>,
        images: [&Labelled; 2],
        n: usize,
        draws: &[Vec<u32>],
    ) -> Result<Vec<FewLabels>> {
        let mut all = vec![];
        for (method, from_scratch) in [("fine-tuned", false), ("from scratch", true)] {
            let mut found = vec![];
            for (draw, chosen) in draws.iter().enumerate() {
                let stem = format!("{n}-{draw}-{}", method.replace(' ', "-"));
                let run = Run::at(self.dir().join("probe").join(stem));
                let predicted = self.small_classifier(
                    images,
                    task.labels,
                    chosen,
                    task.config.seed,
                    &run,
                    from_scratch,
                    task.session,
                )?;
                found.push(accuracy(task.truth, &predicted, task.classes)?);
            }
            all.push(few(method, n, &found));
        }
        Ok(all)
    }

    /// Trains a classifier on some images and gives the classes that it predicts for the test images.
    #[allow(clippy::too_many_arguments)] // All of them say what is trained.
    fn small_classifier(
        &self,
        [train, test]: [&Labelled; 2],
        labels: &[u16],
        chosen: &[u32],
        seed: u64,
        run: &Run,
        from_scratch: bool,
        session: &Session,
    ) -> Result<Vec<u16>> {
        let places: Vec<usize> = chosen.iter().map(|&i| i as usize).collect();
        let train = Labelled {
            labels: Some(of(labels, chosen).into_iter().map(Some).collect()),
            ..train.at(&places)
        };
        let mut encoder = self.run.encoder_training()?;
        if from_scratch {
            (encoder.weights, encoder.weights_digest) = (None, String::new());
        }
        let batch = BATCH.min(chosen.len());
        let epochs = STEPS.div_ceil(chosen.len().div_ceil(batch)).max(10);
        let model = ClassifierConfig {
            encoder: Box::new(self.config.model.clone()),
            hidden_1: 64,
            hidden_2: 64,
            ..ClassifierConfig::default()
        };
        let config = RunConfig {
            model: ModelConfig::Classifier(model),
            data: self.config.data.clone(),
            training: TrainingConfig {
                seed,
                epochs: epochs as u64,
                batch_size: batch,
                validation_fraction: 0.0,
                learning_rate: 1e-3,
                weight_decay: 1e-3,
                encoder: Some(encoder),
                ..TrainingConfig::default()
            },
        };
        if run.exists() && run.config()? != config {
            latents_files::remove_folder(run.dir())?;
        }
        let quiet = session
            .with_monitor(session.with_reporter(std::sync::Arc::new(latents_progress::Silent)));
        train_run(run, &config, &train, &quiet)?;
        let mut model = TrainedModel::open(run.dir(), session)?;
        let index: Vec<u32> = (0..test.len() as u32).collect();
        let inputs = latents_train::inputs(&test.images, &index);
        Ok(argmax(&model.logits(inputs)?, self.classes().len()))
    }
}

fn of(labels: &[u16], chosen: &[u32]) -> Vec<u16> {
    chosen.iter().map(|&i| labels[i as usize]).collect()
}

fn few(method: &str, labels: usize, found: &[f64]) -> FewLabels {
    let MeanStd { mean, deviation } = MeanStd::of(found);
    FewLabels { method: method.to_owned(), labels, draws: found.len(), mean, deviation }
}

/// The methods, in the order in which they come first.
fn methods(few: &[FewLabels]) -> Vec<&str> {
    let mut methods: Vec<&str> = vec![];
    for f in few {
        if !methods.contains(&f.method.as_str()) {
            methods.push(&f.method);
        }
    }
    methods
}

pub(super) fn table(few: &[FewLabels]) -> Table {
    let columns = ["method", "labels", "accuracy, %", "deviation"].map(str::to_owned).to_vec();
    let percent = |x: f64| Cell::Number(100.0 * x, Show::Decimals(2));
    let rows = methods(few).into_iter().flat_map(|method| {
        few.iter().filter(move |f| f.method == method).map(|f| {
            vec![
                Cell::Text(f.method.clone()),
                Cell::Integer(f.labels as i128),
                percent(f.mean),
                percent(f.deviation),
            ]
        })
    });
    Table { columns, rows: rows.collect() }
}

/// Accuracy against the number of labels.
pub(super) fn figure(few: &[FewLabels]) -> Figure {
    let curve = |(group, method): (usize, &str)| {
        let points = few.iter().filter(|f| f.method == method);
        let points = points.map(|f| (f.labels as f64, 100.0 * f.mean));
        Curve { name: method.to_owned(), points: points.collect(), dashed: false, group }
    };
    let all: Vec<Curve> = methods(few).into_iter().enumerate().map(curve).collect();
    log_curves("Accuracy with few labels", "labels", "accuracy on the test images, %", &all)
}
