//! Figures of runs, drawn from what the runs left: loss by epoch, an image through the epochs, originals and reconstructions.

use std::path::{Path, PathBuf};

use latents_data::Dataset;
use latents_engine::{Loss, Shape};
use latents_progress::chain;
use latents_report::{Curve, Figure, ImageView, Tile, curves, grid, strip};
use latents_train::{EpochMetrics, Run};

use crate::error::{Error, Result};
use crate::model::TrainedModel;
use crate::session::Session;

/// Kinds of objects that are shown, at most.
const KINDS: usize = 10;

/// Draws the figures of a run, or compares the losses of several runs, into the folder `out`; returns the files. `image` is which of the run's images is shown
/// through the epochs.
///
/// # Errors
/// If a folder holds no run or no finished epoch, or a file cannot be written.
pub fn draw_runs(
    runs: &[PathBuf],
    out: &Path,
    image: usize,
    session: &Session,
) -> Result<Vec<PathBuf>> {
    let runs: Vec<Run> = runs.iter().map(|dir| session.run(dir)).collect();
    for run in &runs {
        // Tells plainly if a folder holds no run.
        run.config()?;
        if !run.has_metrics() || run.metrics()?.is_empty() {
            let dir = run.dir().display();
            return Err(Error::Invalid(format!("{dir} has no finished epoch to draw yet")));
        }
    }
    let [run] = &runs[..] else {
        return Ok(comparison(&runs)?.save_both(out, "comparison")?);
    };
    let (loss, epochs) = (loss(run)?, epochs(run, image)?);
    let mut files = loss.save_both(out, "loss")?;
    if let Some(figure) = epochs {
        files.extend(figure.save_both(out, "epochs")?);
    }
    // The reconstructions of a run in training are not worth a look yet.
    if run.model_path().exists()
        && let Some(figure) = run_reconstructions(run.dir(), session)?
    {
        files.extend(figure.save_both(out, "reconstructions")?);
    }
    Ok(files)
}

/// A metric of an epoch, if it has it.
fn curve(
    name: String,
    metrics: &[EpochMetrics],
    group: usize,
    dashed: bool,
    metric: &str,
) -> Curve {
    let points = metrics.iter().filter_map(|m| Some((m.epoch as f64, m.get(metric)?))).collect();
    Curve { name, points, dashed, group }
}

/// The loss of each epoch, on the images that train and on those that validate.
#[must_use]
pub fn losses(name: &str, metrics: &[EpochMetrics], group: usize) -> [Curve; 2] {
    [
        curve(format!("{name}, training"), metrics, group, false, "train_loss"),
        curve(format!("{name}, validation"), metrics, group, true, "val_loss"),
    ]
}

/// What a run's loss is called, and its axis.
fn labels(run: &Run) -> Result<(&'static str, &'static str)> {
    Ok(match run.config()?.model.criterion().loss {
        Loss::MeanSquaredError => ("Reconstruction loss", "mean squared error"),
        Loss::Bernoulli | Loss::ContinuousBernoulli | Loss::Gaussian { .. } => {
            ("Loss", "nats for each image")
        }
        _ => ("Loss", "loss"),
    })
}

/// Groups of curves with a colour of their own, after that of the whole loss: one for each name of a term, so that a term has the same colour in
/// every figure.
const TERMS: [&str; 3] = ["reconstruction", "kl", "penalty"];

/// What a term of a loss is called in a figure, and its group. Terms without a colour of their own follow the others; `index` tells them apart.
fn term_style(name: &str, index: usize) -> (&str, usize) {
    let group = TERMS.iter().position(|term| *term == name);
    let title = match name {
        "kl" => "KL divergence",
        "mmd" => "maximum mean discrepancy",
        "total_correlation" => "total correlation",
        name => name,
    };
    (title, 1 + group.unwrap_or(TERMS.len() + index))
}

/// Loss by epoch of one run, and its terms if it has several.
///
/// # Errors
/// If the run's files cannot be read.
pub fn loss(run: &Run) -> Result<Figure> {
    let metrics = run.metrics()?;
    let (title, label) = labels(run)?;
    let mut all = vec![
        curve("training".into(), &metrics, 0, false, "train_loss"),
        curve("validation".into(), &metrics, 0, true, "val_loss"),
    ];
    for (i, term) in run.config()?.model.terms().iter().enumerate() {
        let (name, group) = term_style(term.name, i);
        let metric = |part: &str| format!("{part}_{}", term.name);
        all.push(curve(format!("{name}, training"), &metrics, group, false, &metric("train")));
        all.push(curve(format!("{name}, validation"), &metrics, group, true, &metric("val")));
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
    let Some(first) = runs.first() else { return Ok(curves("Loss", "epoch", "loss", &all)) };
    let (title, label) = labels(first)?;
    for run in &runs[1..] {
        if labels(run)? != (title, label) {
            return Ok(curves("Loss", "epoch", "loss, each of its own kind", &all));
        }
    }
    Ok(curves(title, "epoch", label, &all))
}

/// One of the images that a run shows, and its reconstructions through the epochs; none if the run has no snapshots.
///
/// # Errors
/// If a snapshot cannot be read, or there is no such image.
pub fn epochs(run: &Run, image: usize) -> Result<Option<Figure>> {
    let snapshots = run.snapshots()?;
    let Some(first) = snapshots.first() else { return Ok(None) };
    let numbers: usize = first.shape.iter().product();
    let images = first.originals.len() / numbers;
    if image >= images {
        return Err(Error::NoImage { index: image, last: images.max(1) - 1 });
    }
    let tile = |caption: String, pixels: &'_ [f32]| {
        (caption, pixels[image * numbers..(image + 1) * numbers].to_vec())
    };
    let mut tiles = vec![tile("original".into(), &first.originals)];
    for snapshot in &snapshots {
        let is_alike = snapshot.shape == first.shape
            && snapshot.reconstructions.len() == first.originals.len();
        if !is_alike {
            let dir = run.dir().display();
            return Err(Error::Invalid(format!(
                "{dir}: the snapshots of this run are of different images"
            )));
        }
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

/// The reconstructions of a run; none, with a note, if its data are no longer available.
fn run_reconstructions(dir: &Path, session: &Session) -> Result<Option<Figure>> {
    let mut model = TrainedModel::open(dir, session)?;
    if model.latent_space().is_err() {
        return Ok(None);
    }
    let data = match model.config().data.open(session) {
        Ok(data) if data.shape() == model.shape() => data,
        Ok(_) => {
            session.note("no reconstructions: the run's data has images of another shape now");
            return Ok(None);
        }
        Err(latents_train::Error::Interrupted(interrupted)) => return Err(interrupted.into()),
        Err(error) => {
            session.note(&format!("no reconstructions: {}", chain(&error)));
            return Ok(None);
        }
    };
    if data.test.is_empty() {
        session.note("no reconstructions: there are no test images");
        return Ok(None);
    }
    model.reconstructions_figure(&data).map(Some)
}

impl TrainedModel {
    /// The first test image of each class next to its reconstruction; the first few images if they have no classes.
    ///
    /// # Errors
    /// If the model has no latents, or the images have another shape.
    pub fn reconstructions_figure(&mut self, data: &Dataset) -> Result<Figure> {
        let chosen = data.one_of_each(KINDS);
        let places: Vec<usize> = chosen.iter().map(|(i, _)| *i).collect();
        let images = data.test.at(&places);
        let decoded = self.reconstruct(&self.in_own_classes(&images, &data.classes))?.values;
        let originals = images.images.to_unit();
        let rows = [row(&chosen, self.shape(), &originals), row(&chosen, self.shape(), &decoded)];
        let captions = ["original", "reconstruction"].map(str::to_owned);
        Ok(grid("Reconstructions of test images", &rows, &captions))
    }
}

fn row<'a>(chosen: &[(usize, String)], shape: Shape, images: &'a [f32]) -> Vec<Tile<'a>> {
    let images = images.chunks_exact(shape.iter().product());
    let tile = |((_, kind), pixels): (&(usize, String), &'a [f32])| Tile {
        caption: kind.clone(),
        image: ImageView { shape, pixels },
    };
    chosen.iter().zip(images).map(tile).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_has_one_colour_in_every_figure() {
        assert_eq!(term_style("reconstruction", 0), ("reconstruction", 1));
        assert_eq!(term_style("kl", 1), ("KL divergence", 2));
        // Next to the reconstruction as the divergence is, and not in its colour.
        assert_eq!(term_style("penalty", 1), ("penalty", 3));
        assert_eq!((term_style("a", 0).1, term_style("b", 1).1), (4, 5));
    }
}
