//! The explorer: the maps of both latent spaces side by side, whose decoders run in the page.

use latents::data::Labelled;
use latents::report::PageSection;
use latents::{ExploredModel, explored_places, explorer_section};

use super::BEST;
use crate::error::Result;
use crate::results::Mapped;
use crate::stages::BEST_AE;
use crate::worker::Worker;

/// The section with the explorer of all models that have a map; none if there is no map, or the images are neither grey nor colour.
pub(crate) fn explorer(worker: &Worker<'_>) -> Result<Option<PageSection>> {
    let study = worker.study;
    let test = study.shown();
    let numbers: usize = study.data.shape.iter().product();
    let mut found = vec![];
    for (name, run, stage) in
        [("Autoencoder", BEST_AE, "map-ae"), ("Variational autoencoder", BEST, "map-vae")]
    {
        if let Some(Mapped { images, .. }) = study.results.get(stage)? {
            found.push((name, run, stage, images));
        }
    }
    let mapped = found.iter().map(|(.., images)| *images).min();
    let Some(mapped) = mapped.map(|images| images.min(test.len())) else { return Ok(None) };
    if !matches!(study.data.shape[0], 1 | 3) {
        return Ok(None);
    }
    // Of the images on the maps, as many as the page can hold.
    let places = explored_places(numbers, mapped);
    let all = study.mapped(mapped);
    let chosen: Vec<usize> = places.iter().map(|&place| all[place]).collect();
    let images = test.at(&chosen);
    let numbers: Vec<u32> = chosen.iter().map(|&i| i as u32).collect();
    let model = |&(name, run, stage, _): &_| model(worker, name, run, stage, &images, &places);
    let models = found.iter().map(model).collect::<Result<Vec<_>>>()?;
    let numbers = (numbers.len() < test.len()).then_some(&numbers[..]);
    let classes = &study.dataset.classes;
    Ok(Some(explorer_section(&models, &images, numbers, classes, "a test image")?))
}

/// A model with its latents of images, which are at some places of its map.
fn model(
    worker: &Worker<'_>,
    name: &'static str,
    run: &str,
    stage: &str,
    images: &Labelled,
    places: &[usize],
) -> Result<ExploredModel> {
    let mut model = worker.open(run)?;
    let latents = model.encode(images)?;
    let xy = worker.study.map(stage)?;
    let map = places.iter().map(|&i| [xy[2 * i], xy[2 * i + 1]]).collect();
    Ok(model.explored(name, images, latents, map, worker.study.seed)?)
}
