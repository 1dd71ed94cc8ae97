//! The few-label curve: accuracy on the test images against the number of labels, each drawn several times.

use std::sync::atomic::AtomicBool;

use anyhow::Result;
use latents::data::{Dataset, Images, Labelled};
use latents::engine::{Engine, Inputs};
use latents::explore::classification::argmax;
use latents::explore::probes::few_labels;
use latents::models::{ClassifierConfig, ModelConfig};
use latents::report::{Cell, Curve, Figure, Show, Table, log_curves};
use latents::train::{EncoderTraining, Run, RunConfig, TrainingConfig, train};
use serde::Serialize;

use super::{Probe, Vectors, accuracy};
use crate::commands::Trained;
use crate::commands::evaluate::classes::Spread;
use crate::output::{Output, count};

/// Accuracy with some number of labels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Few {
    method: String,
    labels: usize,
    draws: usize,
    /// Mean accuracy on the test images.
    mean: f64,
    /// Sample standard deviation over the draws.
    deviation: f64,
}

/// Steps that a classifier with few labels is trained for, at least; and images in one.
const STEPS: usize = 400;
const BATCH: usize = 64;

impl Probe {
    #[allow(clippy::too_many_arguments)] // All of it is what was loaded for the command.
    pub(super) fn few(
        &self,
        vectors: &[Vectors],
        labels: &[u8],
        truth: &[u8],
        classes: usize,
        trained: &Trained,
        dataset: &Dataset,
        output: Output,
    ) -> Result<Vec<Few>> {
        let runtime = trained.engine.runtime();
        let mut all = vec![];
        let numbers: Vec<usize> =
            self.labels.iter().copied().filter(|&n| n > 0 && n <= labels.len()).collect();
        for &n in &numbers {
            output.note(&format!("{} labels", count(n as u64)));
            let draws: Vec<Vec<u32>> =
                (0..self.draws).map(|draw| few_labels(labels, n, self.seed, draw)).collect();
            for v in vectors {
                let mut found = vec![];
                for chosen in &draws {
                    let rows = chosen.iter().flat_map(|&i| {
                        v.train[i as usize * v.dim..(i as usize + 1) * v.dim].iter().copied()
                    });
                    let rows: Vec<f32> = rows.collect();
                    let some = of(labels, chosen);
                    let probe = self.logistic(&rows, v.dim, &some, classes, runtime)?;
                    found.push(accuracy(truth, &probe.predict(&v.test, runtime)?, classes)?);
                }
                all.push(few(&format!("linear probe of {}", v.name), n, &found));
            }
            if !self.fine_tune {
                continue;
            }
            for (method, from_scratch) in [("fine-tuned", false), ("from scratch", true)] {
                let mut found = vec![];
                for (draw, chosen) in draws.iter().enumerate() {
                    let stem = format!("{n}-{draw}-{}", method.replace(' ', "-"));
                    let predicted =
                        self.classifier(trained, dataset, chosen, &stem, from_scratch)?;
                    found.push(accuracy(truth, &predicted, classes)?);
                }
                all.push(few(method, n, &found));
            }
        }
        Ok(all)
    }

    /// What a classifier that is trained on some images takes the test images for.
    fn classifier(
        &self,
        trained: &Trained,
        dataset: &Dataset,
        chosen: &[u32],
        stem: &str,
        from_scratch: bool,
    ) -> Result<Vec<u8>> {
        let images = &dataset.train.images;
        let [c, h, w] = images.shape();
        let pixels = chosen.iter().flat_map(|&i| images.image(i as usize).iter().copied());
        let data = Labelled {
            images: Images::new(c, h, w, pixels.collect())?,
            labels: dataset.train.labels.as_ref().map(|labels| of(labels, chosen)),
            names: None,
        };
        let mut encoder = EncoderTraining::of_run(&Run::at(&self.run))?;
        if from_scratch {
            (encoder.weights, encoder.weights_digest) = (None, String::new());
        }
        let batch = BATCH.min(chosen.len());
        let epochs = STEPS.div_ceil(chosen.len().div_ceil(batch)).max(10);
        let model = ClassifierConfig {
            encoder: Box::new(trained.config.model.clone()),
            hidden_1: 64,
            hidden_2: 64,
            ..ClassifierConfig::default()
        };
        let config = RunConfig {
            model: ModelConfig::Classifier(model),
            data: trained.config.data.clone(),
            training: TrainingConfig {
                seed: self.seed,
                epochs: epochs as u64,
                batch_size: batch,
                validation_fraction: 0.0,
                learning_rate: 1e-3,
                weight_decay: 1e-3,
                encoder: Some(encoder),
                ..TrainingConfig::default()
            },
        };
        let run = Run::at(&self.run.join("probe").join(stem));
        let runtime = trained.engine.runtime();
        if run.exists() && run.config()? != config {
            std::fs::remove_dir_all(run.dir())?;
        }
        train(&run, &config, &data, runtime, &AtomicBool::new(false), &mut |_| {})?;
        let mut engine = Engine::new(&config.network()?, std::sync::Arc::clone(runtime))?;
        let parameters = run.parameters(&engine)?;
        let index: Vec<u32> = (0..dataset.test.len() as u32).collect();
        let inputs = Inputs::Bytes { pixels: dataset.test.images.pixels(), index: &index };
        let sections = 0..engine.layout().section_count();
        let logits = engine.forward(&parameters, inputs, sections)?;
        Ok(argmax(&logits, dataset.classes.len()))
    }
}

fn of(labels: &[u8], chosen: &[u32]) -> Vec<u8> {
    chosen.iter().map(|&i| labels[i as usize]).collect()
}

fn few(method: &str, labels: usize, found: &[f64]) -> Few {
    let Spread { mean, deviation } = Spread::of(found);
    Few { method: method.to_owned(), labels, draws: found.len(), mean, deviation }
}

/// The methods, in the order in which they come first.
fn methods(few: &[Few]) -> Vec<&str> {
    let mut methods: Vec<&str> = vec![];
    for f in few {
        if !methods.contains(&f.method.as_str()) {
            methods.push(&f.method);
        }
    }
    methods
}

pub(super) fn table(few: &[Few]) -> Table {
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
pub(super) fn figure(few: &[Few]) -> Figure {
    let curve = |(group, method): (usize, &str)| {
        let points = few.iter().filter(|f| f.method == method);
        let points = points.map(|f| (f.labels as f64, 100.0 * f.mean));
        Curve { name: method.to_owned(), points: points.collect(), dashed: false, group }
    };
    let all: Vec<Curve> = methods(few).into_iter().enumerate().map(curve).collect();
    log_curves("Accuracy with few labels", "labels", "accuracy on the test images, %", &all)
}
