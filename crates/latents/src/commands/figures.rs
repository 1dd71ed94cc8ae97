//! `latents figures`: the pictures of runs, drawn from what the runs left.

pub(crate) mod reconstructions;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Args;
use latents::engine::Loss;
use latents::report::{Curve, Figure, ImageView, Tile, curves, strip};
use latents::train::{EpochMetrics, Run};
use serde::Serialize;

use crate::Shared;
use crate::output::Output;

/// Draw the figures of a run, or compare several runs
///
/// For one run: its loss by epoch, an image as it was reconstructed after some epochs, and a test image of each class beside its reconstruction. For several: their losses in one plot.
/// Each as SVG and PNG.
#[derive(Debug, Args)]
pub(crate) struct Figures {
    /// Folders of runs
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Folder for the figures [default: `figures` in the first run's folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Which of the run's images to show through the epochs, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    image: usize,
}

#[derive(Serialize)]
struct Drawn {
    figures: Vec<PathBuf>,
}

impl Figures {
    pub(crate) fn run(&self, shared: &Shared, output: Output) -> Result<ExitCode> {
        let out = self.out.clone().unwrap_or_else(|| self.runs[0].join("figures"));
        let runs: Vec<Run> = self.runs.iter().map(|dir| Run::at(dir)).collect();
        for run in &runs {
            // Says so plainly where a folder is no run.
            run.config()?;
            let begun = run.has_metrics() && !run.metrics()?.is_empty();
            ensure!(begun, "{} has no whole epoch to draw yet", run.dir().display());
        }
        let mut drawn = vec![];
        if let [run] = &runs[..] {
            let (loss, epochs) = (loss(run)?, epochs(run, self.image)?);
            save(&loss, &out, "loss", &mut drawn)?;
            if let Some(figure) = epochs {
                save(&figure, &out, "epochs", &mut drawn)?;
            }
            // What a run that goes on would give back is not yet worth a look.
            if run.model_path().exists()
                && let Some(figure) = reconstructions::reconstructions(run.dir(), shared, output)?
            {
                save(&figure, &out, "reconstructions", &mut drawn)?;
            }
        } else {
            save(&comparison(&runs)?, &out, "comparison", &mut drawn)?;
        }
        let lines: Vec<String> = drawn.iter().map(|p| p.display().to_string()).collect();
        output.result(&lines.join("\n"), &Drawn { figures: drawn })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn save(figure: &Figure, out: &Path, stem: &str, drawn: &mut Vec<PathBuf>) -> Result<()> {
    figure.save(out, stem)?;
    drawn.extend(["svg", "png"].map(|kind| out.join(format!("{stem}.{kind}"))));
    Ok(())
}

/// A number that an epoch may have.
type Number = fn(&EpochMetrics) -> Option<f64>;

/// One number of each epoch.
fn term(
    name: String,
    metrics: &[EpochMetrics],
    group: usize,
    dashed: bool,
    number: Number,
) -> Curve {
    let points = metrics.iter().filter_map(|m| Some((m.epoch as f64, number(m)?))).collect();
    Curve { name, points, dashed, group }
}

/// The loss of each epoch, of the images that train and of those that validate.
pub(crate) fn losses(name: &str, metrics: &[EpochMetrics], group: usize) -> [Curve; 2] {
    [
        term(format!("{name}, training"), metrics, group, false, |m| Some(m.train_loss)),
        term(format!("{name}, validation"), metrics, group, true, |m| m.val_loss),
    ]
}

/// What a run's loss is called, and its axis.
fn labels(run: &Run) -> Result<(&'static str, &'static str)> {
    Ok(match run.config()?.model.objective().loss {
        Loss::MeanSquaredError => ("Reconstruction loss", "mean squared error"),
        Loss::Bernoulli | Loss::ContinuousBernoulli | Loss::Gaussian { .. } => {
            ("Loss", "nats for each image")
        }
        _ => ("Loss", "loss"),
    })
}

/// Loss by epoch of one run, and its parts where it has some.
pub(crate) fn loss(run: &Run) -> Result<Figure> {
    let metrics = run.metrics()?;
    let (title, label) = labels(run)?;
    let names = |part: &str| match part {
        "" => ["training".to_owned(), "validation".to_owned()],
        part => [format!("{part}, training"), format!("{part}, validation")],
    };
    let pairs: [(&str, [Number; 2]); 4] = [
        ("", [|m| Some(m.train_loss), |m| m.val_loss]),
        ("reconstruction", [|m| m.train_reconstruction, |m| m.val_reconstruction]),
        ("KL divergence", [|m| m.train_kl, |m| m.val_kl]),
        ("penalty", [|m| m.train_penalty, |m| m.val_penalty]),
    ];
    let mut all = vec![];
    for (group, (name, [training, validation])) in pairs.into_iter().enumerate() {
        let [first, second] = names(name);
        all.push(term(first, &metrics, group, false, training));
        all.push(term(second, &metrics, group, true, validation));
    }
    all.retain(|curve| !curve.points.is_empty());
    Ok(curves(title, "epoch", label, &all))
}

/// Losses by epoch of several runs.
fn comparison(runs: &[Run]) -> Result<Figure> {
    let mut all = vec![];
    for (group, run) in runs.iter().enumerate() {
        let name = run.dir().file_name().map_or_else(
            || run.dir().display().to_string(),
            |name| name.to_string_lossy().into_owned(),
        );
        let metrics = run.metrics()?;
        all.extend(losses(&name, &metrics, group));
    }
    let (title, label) = labels(&runs[0])?;
    for run in &runs[1..] {
        if labels(run)? != (title, label) {
            return Ok(curves("Loss", "epoch", "loss, each of its own kind", &all));
        }
    }
    Ok(curves(title, "epoch", label, &all))
}

/// An image and its reconstructions through the epochs.
pub(crate) fn epochs(run: &Run, image: usize) -> Result<Option<Figure>> {
    let snapshots = run.snapshots()?;
    let Some(first) = snapshots.first() else { return Ok(None) };
    let numbers: usize = first.shape.iter().product();
    let images = first.originals.len() / numbers;
    ensure!(
        image < images,
        "the run has {images} images to show: --image is from 0 to {}",
        images - 1
    );
    let tile = |caption: String, pixels: &'_ [f32]| {
        (caption, pixels[image * numbers..(image + 1) * numbers].to_vec())
    };
    let mut tiles = vec![tile("original".into(), &first.originals)];
    for snapshot in &snapshots {
        ensure!(
            snapshot.shape == first.shape
                && snapshot.reconstructions.len() == first.originals.len(),
            "{}: the snapshots of this run are of different images",
            run.dir().display()
        );
        tiles.push(tile(format!("epoch {}", snapshot.epoch), &snapshot.reconstructions));
    }
    let tiles: Vec<Tile<'_>> = tiles
        .iter()
        .map(|(caption, pixels)| Tile {
            caption: caption.clone(),
            image: ImageView { shape: first.shape, pixels },
        })
        .collect();
    Ok(Some(strip("Reconstruction of one validation image", &tiles)))
}
