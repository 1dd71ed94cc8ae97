//! What the page says about the classifiers.

use latents::class_counts;
use latents::data::FASHION_MNIST_CLASSES;
use latents::evaluate::reference::REFERENCE;
use latents::explore::metrics::MeanStd;
use latents::report::{Block, Cell, Finding, PageSection, Show, Table, Tone};

use super::card;
use crate::error::Result;
use crate::results::{ClassifierScores, Search};
use crate::words;
use crate::worker::{Context, Worker};

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

/// A classifier's column of T6: its heading, and its scores for each seed.
type Column = (&'static str, Vec<ClassifierScores>);

/// The columns by heading and stage, after the classifier's own.
const OTHERS: [(&str, &str); 3] =
    [(SCRATCH, "classifier-scratch"), (FROZEN, "classifier-frozen"), (CNN, "cnn")];
const SCRATCH: &str = "encoder from scratch";
const FROZEN: &str = "encoder frozen";
const CNN: &str = "CNN";

/// The part of the page, once its stages are finished.
pub(crate) fn section(worker: &Worker<'_>) -> Result<Option<(PageSection, Vec<Finding>)>> {
    let study = worker.study;
    let results = &study.results;
    let (Some(search), Some(ours)) = (
        results.get::<Search>("tune-classifier")?,
        results.get::<Vec<ClassifierScores>>("classifier")?,
    ) else {
        return Ok(unlabelled(study));
    };
    let mut columns: Vec<Column> = vec![("classifier", checked(study, "classifier", ours)?)];
    for (heading, stage) in OTHERS {
        if let Some(scores) = results.get::<Vec<ClassifierScores>>(stage)? {
            columns.push((heading, checked(study, stage, scores)?));
        }
    }
    let findings = findings(study, &columns);
    let cnn = columns.iter().find(|(heading, _)| *heading == CNN);
    let accuracy = |(_, scores): &Column| mean_std(scores, |s| s.accuracy).mean;
    let is_better = |cnn: &Column| accuracy(cnn) >= accuracy(&columns[0]);
    let (run, shown) = if cnn.is_some_and(|cnn| study.is_of_the_reference() || is_better(cnn)) {
        ("cnn", "convolutional network")
    } else {
        ("classifier", "classifier")
    };
    let (card, predictions) = card(worker, run)?;
    let pair = card.most_confused.first().map_or_else(String::new, |p| {
        format!(
            " The most frequent mistake is {} classified as {}: {} images.",
            p.class, p.taken_for, p.count
        )
    });
    let mut blocks = vec![
        Block::Paragraph(format!(
            "A multilayer perceptron on the latents of the autoencoder. The whole network is trained on all {} training images, the encoder with an optimiser of its own. Settings are chosen on held-out training images; test images are never used to choose a model or a setting.",
            words::count(study.dataset.train.len())
        )),
        Block::Table {
            id: "T5".into(),
            table: words::settings(
                study,
                &study.trials("tune-classifier")?,
                reference,
                [
                    Cell::Text("validation accuracy, %".into()),
                    Cell::Number(90.33, Show::Decimals(2)),
                    Cell::Number(100.0 * search.best, Show::Decimals(2)),
                ],
            ),
            caption: format!(
                "The best of {} trials; the pruner stopped {} of them.",
                search.trials, search.pruned
            ),
        },
        Block::Table {
            id: "T6".into(),
            table: scores_table(&card.classes, &columns),
            caption: findings.iter().map(|f| f.text.as_str()).collect::<Vec<_>>().join(" "),
        },
        Block::Figure {
            id: "S3-confusion".into(),
            picture: (&card.confusion_figure()).into(),
            caption: format!("Predictions of the {shown} for the images of each class.{pair}"),
            alt: String::new(),
        },
        Block::Figure {
            id: "S3-reliability".into(),
            picture: (&card.reliability_figure()).into(),
            caption: format!(
                "Accuracy of the {shown} by confidence; the expected calibration error is {}.",
                words::error(card.ece)
            ),
            alt: String::new(),
        },
    ];
    blocks.extend(predictions.mistakes_figure(&card).map(|figure| Block::Figure {
        id: "S3-mistakes".into(),
        picture: (&figure).into(),
        caption: format!("The most confident mistakes of the {shown}.{pair}"),
        alt: String::new(),
    }));
    let findings = findings.into_iter().map(|f| f.of("S3")).collect();
    Ok(Some((PageSection { id: "S3".into(), title: "Classifier".into(), blocks }, findings)))
}

/// The section of images without labels; none if they have labels and the stages are not finished.
fn unlabelled(study: &Context) -> Option<(PageSection, Vec<Finding>)> {
    study.classes().is_none().then(|| {
        let text = "The images have no labels, so there is no classifier. To get one, put the images into sub-folders, one for each class.";
        let section = PageSection {
            id: "S3".into(),
            title: "Classifier".into(),
            blocks: vec![Block::Paragraph(text.into())],
        };
        (section, vec![])
    })
}

/// The scores of a stage, after checking that they are of the study's classes.
fn checked(
    study: &Context,
    stage: &str,
    scores: Vec<ClassifierScores>,
) -> Result<Vec<ClassifierScores>> {
    let classes = study.dataset.classes.len();
    match scores.iter().find(|s| s.f1.len() != classes) {
        None => Ok(scores),
        Some(other) => {
            let found = other.f1.len();
            let problem = format!("it has the scores of {found} classes, not of {classes}");
            Err(study.results.damaged(stage, problem))
        }
    }
}

fn mean_std(scores: &[ClassifierScores], of: impl Fn(&ClassifierScores) -> f64) -> MeanStd {
    MeanStd::of(&scores.iter().map(of).collect::<Vec<_>>())
}

/// How the classifiers compare with each other and with the reference's.
fn findings(study: &Context, columns: &[Column]) -> Vec<Finding> {
    let scores = |heading: &str| {
        columns.iter().find(|(name, _)| *name == heading).map(|(_, scores)| &scores[..])
    };
    let ours = &columns[0].1;
    let MeanStd { mean: accuracy, deviation } = mean_std(ours, |s| s.accuracy);
    let seeds = match ours.len() {
        1 => String::new(),
        n => format!(" (mean of {n} seeds, standard deviation {:.2} points)", 100.0 * deviation),
    };
    let mut text = format!(
        "The classifier on the autoencoder's encoder has an accuracy of {} on the test images{seeds} after {} epochs and {} s.",
        words::accuracy(accuracy),
        ours[0].epochs,
        words::times(mean_std(ours, |s| s.seconds).mean)
    );
    if !study.is_of_the_reference()
        && let Some(majority) = majority(study)
    {
        let majority = words::accuracy(majority);
        text = format!(
            "{text} To call every image by the most frequent class would be right for {majority}."
        );
    }
    let reference = "The reference's: 90.08 % after 10 epochs and 61 s on a GPU.";
    let mut findings = vec![study.compared(&text, accuracy > 0.9008, reference)];
    if let Some(scratch) = scores(SCRATCH) {
        let gain = accuracy - mean_std(scratch, |s| s.accuracy).mean;
        let noise = 2.0 * deviation.max(0.0015);
        let (verdict, tone) = if gain.abs() <= noise {
            ("which is within the noise of seeds", Tone::Contrary)
        } else if gain > 0.0 {
            ("which is more than the noise of seeds", Tone::Same)
        } else {
            ("so the trained encoder is a worse start", Tone::Contrary)
        };
        let text = format!(
            "Starting from the trained encoder instead of a random one changes the accuracy by {:+.2} points, {verdict}.",
            100.0 * gain
        );
        findings.push(study.toned(tone, text));
    }
    if let Some(cnn) = scores(CNN) {
        let text = format!(
            "The convolutional network, trained from scratch on augmented images, has an accuracy of {} after {} epochs and {} s.",
            words::accuracy(cnn[0].accuracy),
            cnn[0].epochs,
            words::count(cnn[0].seconds.round() as usize)
        );
        let reference = "The reference's: 93.51 % after 26 epochs and 1,677 s on a GPU.";
        findings.push(study.compared(&text, cnn[0].accuracy > 0.9351, reference));
    }
    findings
}

/// The share of the test images that have the most frequent label.
fn majority(study: &Context) -> Option<f64> {
    let counts: Vec<usize> = class_counts(&study.dataset).iter().map(|class| class.test).collect();
    let (most, all) = (counts.iter().max()?, counts.iter().sum::<usize>());
    (all > 0).then(|| *most as f64 / all as f64)
}

/// T6: F1 by class, accuracy, epochs and seconds, next to the reference's if the classes are those of Fashion-MNIST.
fn scores_table(classes: &[String], all: &[Column]) -> Table {
    let with_reference = classes == FASHION_MNIST_CLASSES;
    let mut columns = vec![String::new()];
    columns.extend(all.iter().map(|(heading, _)| (*heading).to_owned()));
    if with_reference {
        columns.extend(REFERENCE.iter().map(|c| c.name.to_owned()));
    }
    let mut rows = vec![];
    let mut row = |name: &str,
                   digits: usize,
                   of: &dyn Fn(&ClassifierScores) -> f64,
                   theirs: Option<[f64; 2]>| {
        let number = |x: f64| Cell::Number(x, Show::Decimals(digits));
        let mut row = vec![Cell::Text(name.into())];
        row.extend(all.iter().map(|(_, scores)| number(mean_std(scores, of).mean)));
        if with_reference {
            let theirs = theirs.map(|t| t.map(number));
            row.extend(theirs.unwrap_or([Cell::Empty, Cell::Empty]));
        }
        rows.push(row);
    };
    let [cnn, cl] = &REFERENCE;
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
