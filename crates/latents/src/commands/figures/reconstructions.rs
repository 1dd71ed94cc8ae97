//! Originals beside their reconstructions: a test image of each kind of object, as the finished model gives it back.

use std::path::Path;

use anyhow::Result;
use latents::data::Dataset;
use latents::engine::{Inputs, Shape};
use latents::report::{Figure, ImageView, Tile, grid};

use crate::Shared;
use crate::commands::{Trained, load_run_data};
use crate::output::Output;

/// Kinds of objects that are shown, at most.
const KINDS: usize = 10;

/// Draws them; none, with a note, where the data of the run is no longer to be had.
pub(crate) fn reconstructions(
    dir: &Path,
    shared: &Shared,
    output: Output,
) -> Result<Option<Figure>> {
    let mut trained = Trained::open(dir, shared)?;
    let Some(latents) = trained.config.model.latents() else { return Ok(None) };
    let shape = trained.config.data.shape;
    let dataset = match load_run_data(&trained.config.data, output) {
        Ok(dataset) if dataset.test.images.shape() == shape => dataset,
        Ok(_) => {
            output.note("no reconstructions: the run's data has images of another shape now");
            return Ok(None);
        }
        Err(error) => {
            output.note(&format!("no reconstructions: {error:#}"));
            return Ok(None);
        }
    };
    let chosen = one_of_each(&dataset);
    if chosen.is_empty() {
        output.note("no reconstructions: there are no test images");
        return Ok(None);
    }
    let images = &dataset.test.images;
    let index: Vec<u32> = chosen.iter().map(|(i, _)| *i as u32).collect();
    let inputs = Inputs::Bytes { pixels: images.pixels(), index: &index };
    let decoded = trained.engine.forward(&trained.parameters, inputs, latents.reconstruct())?;
    let originals: Vec<Vec<f32>> = chosen
        .iter()
        .map(|(i, _)| images.image(*i).iter().map(|&byte| f32::from(byte) / 255.0).collect())
        .collect();
    let numbers: usize = shape.iter().product();
    let rows = [
        row(&chosen, shape, originals.iter().map(Vec::as_slice)),
        row(&chosen, shape, decoded.chunks_exact(numbers)),
    ];
    Ok(Some(grid(
        "Reconstructions of test images",
        &rows,
        &["original", "reconstruction"].map(str::to_owned),
    )))
}

fn row<'a>(
    chosen: &[(usize, String)],
    shape: Shape,
    images: impl Iterator<Item = &'a [f32]>,
) -> Vec<Tile<'a>> {
    let kinds = chosen.iter().map(|(_, kind)| kind.clone());
    let tile = |(caption, pixels)| Tile { caption, image: ImageView { shape, pixels } };
    kinds.zip(images).map(tile).collect()
}

/// The first test image of each class and what it is called; the first few images where classes are not known.
pub(crate) fn one_of_each(dataset: &Dataset) -> Vec<(usize, String)> {
    let Some(labels) = &dataset.test.labels else {
        let name = |i: usize| match &dataset.test.names {
            Some(names) => names[i].rsplit('/').next().unwrap_or_default().to_owned(),
            None => format!("image {i}"),
        };
        return (0..dataset.test.len().min(KINDS)).map(|i| (i, name(i))).collect();
    };
    let first = |(class, name): (usize, &String)| {
        let index = labels.iter().position(|&label| usize::from(label) == class)?;
        Some((index, name.clone()))
    };
    dataset.classes.iter().enumerate().filter_map(first).take(KINDS).collect()
}
