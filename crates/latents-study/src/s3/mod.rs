//! S3: the classifier on the tuned autoencoder's encoder, its controls, and the convolutional network that it is compared with (T3, T5, T6). What
//! the page says about them is in `page`.

mod page;

use latents::evaluate::{ClassCard, LabelledPredictions};
use latents::train::EncoderTraining;
use latents::{EvalOptions, ModelConfig, RunConfig};

use crate::error::Result;
use crate::results::ClassifierScores;
use crate::stages::{BEST_AE, Stage};
use crate::worker::Worker;

pub(crate) use page::section;

/// Bootstrap replicates of an interval; images are classified without test-time augmentation.
const EVALUATION: EvalOptions = EvalOptions { replicates: 1000, tta: None };

impl ClassifierScores {
    fn of(card: &ClassCard) -> Self {
        ClassifierScores {
            accuracy: card.accuracy,
            interval: card.intervals.accuracy,
            f1: card.confusion.scores().iter().map(|s| s.f1).collect(),
            ece: card.ece,
            epochs: card.epochs,
            seconds: card.seconds,
            parameters: card.parameters,
        }
    }
}

/// The stages of this part, for images with labels; `cnn` adds the convolutional network.
pub(crate) fn stages<'a>(cnn: bool) -> Vec<Stage<Worker<'a>>> {
    let mut stages: Vec<Stage<Worker<'a>>> = vec![
        Stage {
            name: "tune-classifier",
            title: "tuning the classifier",
            part: "S3",
            cost: 120.0,
            after: &[BEST_AE],
            run: |worker| {
                let base = worker.config(classifier(worker)?, |config| {
                    config.training.epochs = worker.study.budget.classifier_trial_epochs;
                    config.training.validation_fraction = 0.2;
                });
                worker.tune("tune-classifier", &base)
            },
        },
        Stage {
            name: "classifier",
            title: "classifier, best settings",
            part: "S3",
            cost: 50.0,
            after: &["tune-classifier"],
            run: |worker| {
                let best = worker.study.best("tune-classifier", "classifier")?;
                let seeds = worker.study.budget.classifier_seeds;
                let one = |i| {
                    // The run of the first seed has no number.
                    let name =
                        if i == 0 { "classifier".into() } else { format!("classifier-{}", i + 1) };
                    train(&worker.part(i, seeds), &name, &best, worker.study.seed + i)
                };
                let scores = (0..seeds).map(one).collect::<Result<Vec<_>>>()?;
                worker.study.results.put("classifier", &scores)
            },
        },
        control("classifier-scratch", "classifier, encoder from scratch", |worker| {
            train_control(worker, "classifier-scratch", |encoder, _| {
                (encoder.weights, encoder.weights_digest) = (None, String::new());
            })
        }),
        control("classifier-frozen", "classifier, encoder frozen", |worker| {
            train_control(worker, "classifier-frozen", |encoder, epochs| {
                encoder.frozen_epochs = epochs;
            })
        }),
    ];
    if cnn {
        stages.push(Stage {
            name: "cnn",
            title: "convolutional network",
            part: "S3",
            cost: 1300.0,
            after: &[],
            run: |worker| {
                let config = worker.defaults("cnn", |config| {
                    let epochs = &mut config.training.epochs;
                    *epochs = worker.study.budget.cnn_epochs(*epochs);
                })?;
                worker.train("cnn", &config)?;
                let scores = vec![ClassifierScores::of(&card(worker, "cnn")?.0)];
                worker.study.results.put("cnn", &scores)
            },
        });
    }
    stages
}

fn control<'a>(
    name: &'static str,
    title: &'static str,
    run: fn(&Worker<'a>) -> Result<()>,
) -> Stage<Worker<'a>> {
    Stage { name, title, part: "S3", cost: 12.0, after: &["tune-classifier"], run }
}

/// The classifier on the best autoencoder.
pub(crate) fn classifier(worker: &Worker<'_>) -> Result<RunConfig> {
    let encoder = worker.study.run(BEST_AE);
    let mut config = settings(worker, encoder.config()?.model)?;
    config.training.encoder = Some(encoder.fine_tuning(&config.training)?);
    Ok(config)
}

/// The settings of a classifier on an encoder: the reference's, or those that suit the collection.
pub(crate) fn settings(worker: &Worker<'_>, encoder: ModelConfig) -> Result<RunConfig> {
    let study = worker.study;
    let shape = study.data.shape;
    let mut config = if study.is_of_the_reference() {
        RunConfig::of_kind("classifier", shape)?
    } else {
        RunConfig::for_collection("classifier", shape, study.dataset.train.len())?
    };
    if let Some(model) = config.model.encoder_mut() {
        *model = encoder.fine_tuned();
    }
    Ok(config)
}

/// Trains a control: the classifier with the best settings, except for how its encoder is trained, which `change` changes for a number of epochs.
fn train_control(
    worker: &Worker<'_>,
    name: &str,
    change: impl FnOnce(&mut EncoderTraining, u64),
) -> Result<()> {
    let mut config = worker.study.best("tune-classifier", "classifier")?;
    if let Some(encoder) = &mut config.training.encoder {
        change(encoder, worker.study.budget.classifier_epochs);
    }
    let scores = vec![train(worker, name, &config, worker.study.seed)?];
    worker.study.results.put(name, &scores)
}

/// Trains a classifier on all training images and measures it on the test images.
fn train(worker: &Worker<'_>, name: &str, base: &RunConfig, seed: u64) -> Result<ClassifierScores> {
    let config = worker.config(base.clone(), |config| {
        config.training.seed = seed;
        config.training.validation_fraction = 0.0;
        config.training.epochs = worker.study.budget.classifier_epochs;
    });
    worker.train(name, &config)?;
    Ok(ClassifierScores::of(&card(worker, name)?.0))
}

fn card<'a>(worker: &Worker<'a>, name: &str) -> Result<(ClassCard, LabelledPredictions<'a>)> {
    Ok(worker.open(name)?.class_card(&worker.study.dataset.test, EVALUATION, &worker.session)?)
}
