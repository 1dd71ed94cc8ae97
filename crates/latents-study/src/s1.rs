//! S1: the convolutional autoencoder, trained with Adam and with plain stochastic gradient descent (T1, T2, F1, F7a, F7b).

use latents::engine::Init;
use latents::figures::{epochs, losses};
use latents::models::{DECODER, ENCODER};
use latents::report::{Block, Cell, Finding, PageSection, Show, Table, Tone, curves};
use latents::train::{EpochMetrics, OptimizerKind};

use crate::error::Result;
use crate::results::Autoencoder;
use crate::stages::Stage;
use crate::words;
use crate::worker::{Context, Worker};

/// The stages of this part.
pub(crate) fn stages<'a>() -> Vec<Stage<Worker<'a>>> {
    vec![
        Stage {
            name: "ae-adam",
            title: "autoencoder, Adam",
            part: "S1",
            cost: 50.0,
            after: &[],
            run: |worker| train(worker, "ae-adam", OptimizerKind::Adam),
        },
        Stage {
            name: "ae-sgd",
            title: "autoencoder, SGD",
            part: "S1",
            cost: 50.0,
            after: &[],
            run: |worker| train(worker, "ae-sgd", OptimizerKind::Sgd),
        },
    ]
}

/// Trains with the reference study's settings; for images of another shape, its design is scaled to them.
fn train(worker: &Worker<'_>, name: &str, optimizer: OptimizerKind) -> Result<()> {
    let config = worker.defaults("ae", |config| {
        config.training.epochs = worker.study.budget.epochs;
        config.training.optimizer = optimizer;
        config.training.init = Init::KaimingNormal;
    })?;
    worker.autoencoder(name, &config)
}

/// Validation losses of PyTorch 2.15 with the same settings and data, by epoch.
const PYTORCH: [(u64, f64); 6] =
    [(1, 0.0562), (2, 0.0342), (5, 0.0263), (10, 0.0233), (20, 0.0215), (42, 0.0207)];
/// Its test error.
const PYTORCH_TEST: f64 = 0.0206;

/// The part of the page, once its stages are finished.
pub(crate) fn section(study: &Context) -> Result<Option<(PageSection, Vec<Finding>)>> {
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
    let comparison = comparison(&metrics[0], sgd.val_loss);
    let config = runs[0].config()?;
    let layout = config.network()?.layout()?;
    let mut blocks = vec![
        Block::Paragraph(format!(
            "The encoder maps an image to a latent vector, and the decoder maps it back. Both are trained for {} epochs on the mean squared error over pixels from 0 to 1; {} of the training images are used for validation.",
            adam.epochs,
            words::percent(config.training.validation_fraction),
        )),
        Block::Table {
            id: "T1".into(),
            table: words::layers(&layout, ENCODER),
            caption: format!(
                "The encoder, which maps {} numbers to {}.",
                words::numbers(study.data.shape),
                config.model.latents(study.data.shape).map_or(0, |l| l.dim)
            ),
        },
        Block::Table {
            id: "T2".into(),
            table: words::layers(&layout, DECODER),
            caption: format!(
                "The decoder, which mirrors the encoder; together they have {} parameters.",
                words::count(adam.parameters)
            ),
        },
        Block::Figure {
            id: "F1".into(),
            picture: (&curves("Reconstruction loss", "epoch", "mean squared error", &lines)).into(),
            caption: comparison.clone(),
            alt: "Training and validation loss by epoch, Adam and SGD in one plot.".into(),
        },
    ];
    for (id, run, name) in [("F7a", &runs[0], "Adam"), ("F7b", &runs[1], "SGD")] {
        if let Some(figure) = epochs(run, 0)? {
            blocks.push(Block::Figure {
                id: id.into(),
                picture: (&figure).into(),
                caption: format!(
                    "One validation image and its reconstructions after some epochs with {name}."
                ),
                alt: String::new(),
            });
        }
    }
    if study.is_comparable() {
        blocks.push(Block::Table {
            id: "S1-epochs".into(),
            table: pytorch_table(&metrics[0], adam.test_error),
            caption: "The same settings in PyTorch 2.15 and here: validation loss by epoch, and error on the test images.".into(),
        });
    }
    let finding = match (sgd.val_loss, adam.val_loss) {
        _ if !study.is_comparable() => Finding::new(Tone::Neutral, comparison),
        (Some(sgd), Some(adam)) if sgd > 2.0 * adam => Finding::new(Tone::Same, comparison),
        (Some(_), Some(_)) => Finding::new(
            Tone::Contrary,
            format!("{comparison} In the reference, the loss with SGD stays flat."),
        ),
        _ => Finding::new(Tone::Neutral, comparison),
    };
    let title = "Convolutional autoencoder".into();
    let section = PageSection { id: "S1".into(), title, blocks };
    Ok(Some((section, vec![finding.of("S1")])))
}

/// The validation losses with Adam and with SGD as a sentence.
fn comparison(adam: &[EpochMetrics], sgd: Option<f64>) -> String {
    let (first, last) = (adam.first(), adam.last());
    match (first.and_then(|m| m.val_loss), last.and_then(|m| m.val_loss)) {
        (Some(first), Some(last)) => format!(
            "With Adam the validation loss falls from {} after one epoch to {}; with plain SGD it ends at {}, {} times as much.",
            words::error(first),
            words::error(last),
            words::error(sgd.unwrap_or(f64::NAN)),
            words::times(sgd.unwrap_or(f64::NAN) / last),
        ),
        _ => "There are no validation images.".into(),
    }
}

fn pytorch_table(metrics: &[EpochMetrics], test_error: f64) -> Table {
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
