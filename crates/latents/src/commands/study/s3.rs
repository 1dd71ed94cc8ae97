//! S3: the classifier on the tuned autoencoder's encoder, its controls, and the convolutional network that it is measured against (T3, T5,
//! T6).

use anyhow::{Result, ensure};
use latents::data::FASHION_MNIST_CLASSES;
use latents::models::{ClassifierConfig, ModelConfig};
use latents::report::{Block, Cell, Finding, Section, Show, Table, Tone};
use latents::train::{EncoderTraining, RunConfig};

use super::lane::{Lane, Study};
use super::results::{Scores, Search};
use super::s2::{self, summary};
use super::stages::Stage;
use super::words;
use crate::commands::evaluate::classes::{Card, Judged, Judging, Spread, judge};
use crate::commands::evaluate::study::COLUMNS;
use crate::commands::settings::{ClassifierFlags, CnnFlags, ModelFlags};
use crate::commands::tune::classifier::CLASSIFIER;

/// Test sets that are drawn for an interval; nothing but the image itself has a say.
const JUDGING: Judging = Judging { replicates: 1000, tta: None };

impl Scores {
    fn of(card: &Card) -> Self {
        Scores {
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

/// The stages of this part, for images with labels.
pub(super) fn stages<'a>(cnn: bool) -> Vec<Stage<Lane<'a>>> {
    let mut stages = vec![
        Stage {
            name: "tune-classifier",
            title: "tuning the classifier",
            part: "S3",
            cost: 120.0,
            after: &[s2::BEST],
            run: |lane| {
                let base = classifier(lane, Start::Trained)?;
                let base = lane.config(base, |config| {
                    config.training.epochs = lane.study.budget.trial_epochs;
                    config.training.validation_fraction = 0.2;
                });
                let trials = lane.tune("tune-classifier", &CLASSIFIER, &base)?;
                lane.study.results.put("tune-classifier", &summary(&trials))
            },
        },
        Stage {
            name: "classifier",
            title: "classifier, best settings",
            part: "S3",
            cost: 50.0,
            after: &["tune-classifier"],
            run: |lane| {
                let best = lane.best("tune-classifier", &CLASSIFIER)?;
                let mut scores = vec![];
                for i in 0..lane.study.budget.classifier_seeds {
                    let seed = lane.study.seed + i;
                    scores.push(train(lane, "classifier", &seeded("classifier", i), &best, seed)?);
                }
                lane.study.results.put("classifier", &scores)
            },
        },
        control("classifier-scratch", "classifier, encoder from scratch", |lane| {
            measure_control(lane, "classifier-scratch", Start::Scratch)
        }),
        control("classifier-frozen", "classifier, encoder frozen", |lane| {
            measure_control(lane, "classifier-frozen", Start::Frozen)
        }),
    ];
    if cnn {
        stages.push(Stage {
            name: "cnn",
            title: "convolutional network",
            part: "S3",
            cost: 1300.0,
            after: &[],
            run: |lane| {
                let config = lane.config(CnnFlags::base_run(lane.study.data.shape), |config| {
                    if let Some(epochs) = lane.study.budget.cnn_epochs {
                        config.training.epochs = epochs;
                    }
                    config.training.epochs *= lane.study.budget.passes;
                });
                let scores = vec![train(lane, "cnn", "cnn", &config, lane.study.seed)?];
                lane.study.results.put("cnn", &scores)
            },
        });
    }
    stages
}

fn control<'a>(
    name: &'static str,
    title: &'static str,
    run: fn(&Lane<'a>) -> Result<()>,
) -> Stage<Lane<'a>> {
    Stage { name, title, part: "S3", cost: 12.0, after: &["tune-classifier"], run }
}

/// The run of a seed; the first has no number.
fn seeded(name: &str, i: u64) -> String {
    if i == 0 { name.into() } else { format!("{name}-{}", i + 1) }
}

/// What a classifier's encoder begins as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    Trained,
    Scratch,
    Frozen,
}

/// The reference's classifier on the tuned autoencoder.
fn classifier(lane: &Lane<'_>, start: Start) -> Result<RunConfig> {
    let mut config = ClassifierFlags::base_run(lane.study.data.shape);
    let encoder = lane.study.run(s2::BEST);
    config.model = ModelConfig::Classifier(ClassifierConfig {
        encoder: Box::new(encoder.config()?.model),
        ..ClassifierConfig::default()
    });
    let mut training = EncoderTraining::of_run(&encoder)?;
    begin(&mut training, start, &config);
    config.training.encoder = Some(training);
    config.training.epochs = lane.study.budget.classifier_epochs;
    Ok(config)
}

fn begin(encoder: &mut EncoderTraining, start: Start, config: &RunConfig) {
    match start {
        Start::Trained => {}
        Start::Scratch => (encoder.weights, encoder.weights_digest) = (None, String::new()),
        Start::Frozen => encoder.frozen_epochs = config.training.epochs,
    }
}

fn measure_control(lane: &Lane<'_>, name: &str, start: Start) -> Result<()> {
    let mut config = lane.best("tune-classifier", &CLASSIFIER)?;
    config.training.epochs = lane.study.budget.classifier_epochs;
    let whole = config.clone();
    if let Some(encoder) = &mut config.training.encoder {
        begin(encoder, start, &whole);
    }
    let scores = vec![train(lane, name, name, &config, lane.study.seed)?];
    lane.study.results.put(name, &scores)
}

/// Trains on all training images and measures on the test images.
fn train(lane: &Lane<'_>, stage: &str, name: &str, base: &RunConfig, seed: u64) -> Result<Scores> {
    let config = lane.config(base.clone(), |config| {
        config.training.seed = seed;
        if stage != "cnn" {
            config.training.validation_fraction = 0.0;
            config.training.epochs = lane.study.budget.classifier_epochs;
        }
    });
    lane.train(stage, name, &config)?;
    Ok(Scores::of(&card(lane, name)?.0))
}

fn card(lane: &Lane<'_>, name: &str) -> Result<(Card, Judged)> {
    let mut trained = lane.open(name)?;
    let test = lane.study.dataset.test.clone();
    judge(&mut trained, test, JUDGING)
}

fn spread(scores: &[Scores], of: impl Fn(&Scores) -> f64) -> Spread {
    Spread::of(&scores.iter().map(of).collect::<Vec<_>>())
}

/// T5 of the reference study.
fn reference(name: &str) -> Cell {
    match name {
        "hidden_1" => Cell::Integer(12),
        "hidden_2" => Cell::Integer(74),
        "optimizer" => Cell::Text("adam".into()),
        "learning_rate" => Cell::Number(0.0002, Show::UpTo(4)),
        "head_dropout" => Cell::Number(0.0676, Show::UpTo(4)),
        "weight_decay" => Cell::Number(0.1679, Show::UpTo(4)),
        _ => Cell::Empty,
    }
}

/// Names of the columns beside the classifier's own.
const SCRATCH: &str = "encoder from scratch";
const FROZEN: &str = "encoder frozen";
const CNN: &str = "CNN";

/// How the classifiers compare with each other and with the reference's.
fn findings(study: &Study, all: &[(&str, Vec<Scores>)]) -> Vec<Finding> {
    let column = |name: &str| all.iter().find(|(n, _)| *n == name).map(|(_, scores)| &scores[..]);
    let ours = &all[0].1;
    let Spread { mean: accuracy, deviation } = spread(ours, |s| s.accuracy);
    let seeds = match ours.len() {
        1 => String::new(),
        n => format!(" (mean of {n} seeds, deviation {:.2})", 100.0 * deviation),
    };
    let text = format!(
        "The classifier on the tuned encoder is right on {} of the test images{seeds} after {} epochs and {} s.",
        words::accuracy(accuracy),
        ours[0].epochs,
        words::times(spread(ours, |s| s.seconds).mean)
    );
    let theirs = "The reference's: 90.08 % after 10 epochs and 61 s on a GPU.";
    let mut findings = vec![study.against(&text, accuracy > 0.9008, theirs)];
    if let Some(scratch) = column(SCRATCH) {
        let gain = accuracy - spread(scratch, |s| s.accuracy).mean;
        let noise = 2.0 * deviation.max(0.0015);
        let (verdict, tone) = if gain.abs() <= noise {
            ("which is within the noise of seeds", Tone::Contrary)
        } else if gain > 0.0 {
            ("which is more than the noise of seeds", Tone::Same)
        } else {
            ("so it did harm", Tone::Contrary)
        };
        let tone = if study.is_comparable() { tone } else { Tone::Neutral };
        findings.push(Finding::new(
            tone,
            format!(
                "Beginning with the trained encoder instead of a random one brings {:+.2} points, {verdict}.",
                100.0 * gain
            ),
        ));
    }
    if let Some(cnn) = column(CNN) {
        let text = format!(
            "The convolutional network, trained from scratch on augmented images, is right on {} after {} epochs and {} s.",
            words::accuracy(cnn[0].accuracy),
            cnn[0].epochs,
            words::count(cnn[0].seconds.round() as usize)
        );
        let theirs = "The reference's: 93.51 % after 26 epochs and 1,677 s on a GPU.";
        findings.push(study.against(&text, cnn[0].accuracy > 0.9351, theirs));
    }
    findings
}

/// What it came to.
pub(super) fn section(lane: &Lane<'_>) -> Result<Option<(Section, Vec<Finding>)>> {
    let study = lane.study;
    let results = &study.results;
    let (Some(search), Some(ours)) =
        (results.get::<Search>("tune-classifier")?, results.get::<Vec<Scores>>("classifier")?)
    else {
        return Ok(without(study));
    };
    let mut all: Vec<(&str, Vec<Scores>)> = vec![("classifier", ours.clone())];
    for (name, stage) in
        [(SCRATCH, "classifier-scratch"), (FROZEN, "classifier-frozen"), (CNN, "cnn")]
    {
        if let Some(scores) = results.get::<Vec<Scores>>(stage)? {
            all.push((name, scores));
        }
    }
    let classes = study.dataset.classes.len();
    for (name, scores) in &all {
        ensure!(
            scores.iter().all(|s| s.f1.len() == classes),
            "the scores of `{name}` in {} are not of {classes} classes: delete their file, and the stage is done again",
            study.out.join("results").display()
        );
    }
    let findings = findings(study, &all);
    let (card, judged) =
        card(lane, if all.iter().any(|(n, _)| *n == CNN) { "cnn" } else { "classifier" })?;
    let shown =
        if card.parameters == ours[0].parameters { "classifier" } else { "convolutional network" };
    let pair = card.most_confused.first().map_or_else(String::new, |p| {
        format!(
            " The most frequent mistake is {} taken for {}: {} images.",
            p.class, p.taken_for, p.count
        )
    });
    let mut blocks = vec![
        Block::Paragraph(format!(
            "A multilayer perceptron on the tuned encoder's latents, all of it trained on all {} training images, the encoder with its own optimiser. Its settings were chosen by images of the training part that were kept back; no test image had a say.",
            words::count(study.dataset.train.len())
        )),
        Block::Table {
            id: "T5".into(),
            table: words::settings(
                study,
                &study.trials("tune-classifier", &CLASSIFIER)?,
                reference,
                [
                    Cell::Text("validation accuracy, %".into()),
                    Cell::Number(90.33, Show::Decimals(2)),
                    Cell::Number(100.0 * search.best, Show::Decimals(2)),
                ],
            ),
            caption: format!(
                "The best of {} trials, {} of which were stopped early.",
                search.trials, search.pruned
            ),
        },
        Block::Table {
            id: "T6".into(),
            table: scores_table(&card.classes, &all),
            caption: findings.iter().map(|f| f.text.as_str()).collect::<Vec<_>>().join(" "),
        },
        Block::Figure {
            id: "S3-confusion".into(),
            picture: (&card.confusion_figure()).into(),
            caption: format!("What the {shown} took each class for.{pair}"),
            alt: String::new(),
        },
        Block::Figure {
            id: "S3-reliability".into(),
            picture: (&card.reliability_figure()).into(),
            caption: format!(
                "Accuracy by confidence of the {shown}; the expected calibration error is {}.",
                words::error(card.ece)
            ),
            alt: String::new(),
        },
    ];
    if let Some(figure) = judged.mistakes_figure(&card) {
        blocks.push(Block::Figure {
            id: "S3-mistakes".into(),
            picture: (&figure).into(),
            caption: format!("Where the {shown} was surest and wrong.{pair}"),
            alt: String::new(),
        });
    }
    let findings = findings.into_iter().map(|f| f.of("S3")).collect();
    Ok(Some((Section { id: "S3".into(), title: "Classifier".into(), blocks }, findings)))
}

/// What is said where images have no labels.
fn without(study: &Study) -> Option<(Section, Vec<Finding>)> {
    study.classes().is_none().then(|| {
        let text = "The images have no labels, so this part is left out. Put them into sub-folders, one for each class, to have it.";
        let section = Section {
            id: "S3".into(),
            title: "Classifier".into(),
            blocks: vec![Block::Paragraph(text.into())],
        };
        (section, vec![])
    })
}

/// T6: F1 by class, accuracy, epochs and seconds, beside the reference's where the classes are its own.
fn scores_table(classes: &[String], all: &[(&str, Vec<Scores>)]) -> Table {
    let with_reference = classes == FASHION_MNIST_CLASSES;
    let mut columns = vec![String::new()];
    columns.extend(all.iter().map(|(name, _)| (*name).to_owned()));
    if with_reference {
        columns.extend(COLUMNS.iter().map(|c| c.name.to_owned()));
    }
    let mut rows = vec![];
    let mut row =
        |name: &str, digits: usize, of: &dyn Fn(&Scores) -> f64, theirs: Option<[f64; 2]>| {
            let number = |x: f64| Cell::Number(x, Show::Decimals(digits));
            let mut row = vec![Cell::Text(name.into())];
            row.extend(all.iter().map(|(_, scores)| number(spread(scores, of).mean)));
            if with_reference {
                let theirs = theirs.map(|t| t.map(number));
                row.extend(theirs.unwrap_or([Cell::Empty, Cell::Empty]));
            }
            rows.push(row);
        };
    let [cnn, cl] = &COLUMNS;
    for (i, class) in classes.iter().enumerate() {
        let theirs = with_reference.then(|| [cnn.f1[i], cl.f1[i]]);
        row(&format!("F1 {class}, %"), 2, &|s| 100.0 * s.f1[i], theirs);
    }
    row("accuracy, %", 2, &|s| 100.0 * s.accuracy, Some([cnn.accuracy, cl.accuracy]));
    row("epochs", 0, &|s| s.epochs as f64, Some([cnn.epochs as f64, cl.epochs as f64]));
    let seconds = if with_reference { "seconds (reference: on a GPU)" } else { "seconds" };
    row(seconds, 1, &|s| s.seconds, Some([cnn.seconds, cl.seconds]));
    row("parameters", 0, &|s| s.parameters as f64, None);
    Table { columns, rows }
}
