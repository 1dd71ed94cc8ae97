//! S1: the convolutional autoencoder, with Adam and with plain stochastic gradient descent (T1, T2, F1, F7a, F7b).

use anyhow::Result;
use latents::engine::Init;
use latents::models::{DECODER, ENCODER};
use latents::report::{Block, Cell, Finding, Section, Show, Table, Tone, curves};
use latents::train::{OptimizerKind, RunConfig};

use super::lane::{Lane, mean};
use super::results::Autoencoder;
use super::stages::Stage;
use super::words;
use crate::commands::figures::{epochs, losses};
use crate::commands::settings::{AutoencoderFlags, ModelFlags};

/// The stages of this part.
pub(super) fn stages<'a>() -> Vec<Stage<Lane<'a>>> {
    vec![
        Stage {
            name: "ae-adam",
            title: "autoencoder, Adam",
            part: "S1",
            cost: 50.0,
            after: &[],
            run: |lane| train(lane, "ae-adam", OptimizerKind::Adam),
        },
        Stage {
            name: "ae-sgd",
            title: "autoencoder, SGD",
            part: "S1",
            cost: 50.0,
            after: &[],
            run: |lane| train(lane, "ae-sgd", OptimizerKind::Sgd),
        },
    ]
}

/// The reference study's settings; on images of another shape, its design scaled to them.
fn settings(lane: &Lane<'_>, optimizer: OptimizerKind) -> RunConfig {
    lane.config(AutoencoderFlags::base_run(lane.study.data.shape), |config| {
        config.training.epochs = lane.study.budget.epochs;
        config.training.optimizer = optimizer;
        config.training.init = Init::KaimingNormal;
    })
}

fn train(lane: &Lane<'_>, name: &str, optimizer: OptimizerKind) -> Result<()> {
    let config = settings(lane, optimizer);
    let result = autoencoder(lane, name, &config)?;
    lane.study.results.put(name, &result)
}

/// Trains an autoencoder and measures it on the test images.
pub(super) fn autoencoder(lane: &Lane<'_>, name: &str, config: &RunConfig) -> Result<Autoencoder> {
    let trained = lane.train(name, name, config)?;
    let mut model = lane.open(name)?;
    Ok(Autoencoder {
        train_loss: trained.train_loss,
        val_loss: trained.val_loss,
        test_error: mean(&model.errors(&lane.study.dataset.test)?),
        epochs: config.training.epochs,
        parameters: model.parameters.len(),
        seconds: trained.seconds,
    })
}

/// Validation losses that PyTorch 2.15 came to with the same settings and data, by epoch.
const PYTORCH: [(u64, f64); 6] =
    [(1, 0.0562), (2, 0.0342), (5, 0.0263), (10, 0.0233), (20, 0.0215), (42, 0.0207)];
/// Its test error.
const PYTORCH_TEST: f64 = 0.0206;

/// What it came to.
pub(super) fn section(lane: &Lane<'_>) -> Result<Option<(Section, Vec<Finding>)>> {
    let study = lane.study;
    let (Some(adam), Some(sgd)) =
        (study.results.get::<Autoencoder>("ae-adam")?, study.results.get::<Autoencoder>("ae-sgd")?)
    else {
        return Ok(None);
    };
    let runs = [study.run("ae-adam"), study.run("ae-sgd")];
    let metrics = [runs[0].metrics()?, runs[1].metrics()?];
    let lines: Vec<_> = ["Adam", "SGD"]
        .iter()
        .zip(&metrics)
        .enumerate()
        .flat_map(|(group, (name, metrics))| losses(name, metrics, group))
        .collect();
    let (first, last) = (metrics[0].first(), metrics[0].last());
    let drop = match (first.and_then(|m| m.val_loss), last.and_then(|m| m.val_loss)) {
        (Some(first), Some(last)) => format!(
            "With Adam the validation loss goes from {} after one epoch to {}; plain SGD ends at {}, {} times as much.",
            words::error(first),
            words::error(last),
            words::error(sgd.val_loss.unwrap_or(f64::NAN)),
            words::times(sgd.val_loss.unwrap_or(f64::NAN) / last),
        ),
        _ => "No image validates.".into(),
    };
    let network = runs[0].config()?.network()?;
    let layout = network.layout()?;
    let mut blocks = vec![
        Block::Paragraph(format!(
            "The encoder takes an image to a latent vector, the decoder takes it back. Both are trained for {} epochs on the mean squared error over pixels from 0 to 1; {} of the training images are kept for validation.",
            adam.epochs,
            words::percent(runs[0].config()?.training.validation_fraction),
        )),
        Block::Table {
            id: "T1".into(),
            table: words::layers(&layout, ENCODER),
            caption: format!(
                "The encoder: {} numbers become {}.",
                words::numbers(study.data.shape),
                runs[0].config()?.model.latents().map_or(0, |l| l.dim)
            ),
        },
        Block::Table {
            id: "T2".into(),
            table: words::layers(&layout, DECODER),
            caption: format!(
                "The decoder, its mirror image; the whole has {} parameters.",
                words::count(adam.parameters)
            ),
        },
        Block::Figure {
            id: "F1".into(),
            picture: (&curves("Reconstruction loss", "epoch", "mean squared error", &lines)).into(),
            caption: drop.clone(),
            alt: "Training and validation loss by epoch, Adam and SGD in one plot.".into(),
        },
    ];
    for (id, run, name) in [("F7a", &runs[0], "Adam"), ("F7b", &runs[1], "SGD")] {
        if let Some(figure) = epochs(run, 0)? {
            blocks.push(Block::Figure {
                id: id.into(),
                picture: (&figure).into(),
                caption: format!(
                    "One validation image and what {name} makes of it after some epochs."
                ),
                alt: String::new(),
            });
        }
    }
    if study.is_comparable() {
        blocks.push(Block::Table {
            id: "S1-epochs".into(),
            table: beside_pytorch(&metrics[0], adam.test_error),
            caption: "The same settings in PyTorch 2.15 and here: validation loss by epoch, and the error on the test images.".into(),
        });
    }
    let finding = match (sgd.val_loss, adam.val_loss) {
        _ if !study.is_comparable() => Finding::new(Tone::Neutral, drop),
        (Some(sgd), Some(adam)) if sgd > 2.0 * adam => Finding::new(Tone::Same, drop),
        (Some(_), Some(_)) => {
            Finding::new(Tone::Contrary, format!("{drop} The reference has SGD stay flat."))
        }
        _ => Finding::new(Tone::Neutral, drop),
    };
    let section = Section { id: "S1".into(), title: "Convolutional autoencoder".into(), blocks };
    Ok(Some((section, vec![finding.of("S1")])))
}

fn beside_pytorch(metrics: &[latents::train::EpochMetrics], test_error: f64) -> Table {
    let row = |what: String, theirs: f64, ours: Option<f64>| {
        let number = |x| Cell::Number(x, Show::Significant(3));
        vec![Cell::Text(what), number(theirs), ours.map_or(Cell::Empty, number)]
    };
    let after = |&(epoch, theirs): &(u64, f64)| {
        let ours = metrics.iter().find(|m| m.epoch == epoch).and_then(|m| m.val_loss);
        row(format!("after epoch {epoch}"), theirs, ours)
    };
    let mut rows: Vec<_> = PYTORCH.iter().map(after).collect();
    rows.push(row("test".into(), PYTORCH_TEST, Some(test_error)));
    Table { columns: ["", "PyTorch 2.15", "here"].map(str::to_owned).into(), rows }
}
