//! The explorer: the maps of both latent spaces side by side, whose decoders run in the page.

use latents::data::{Labelled, evenly_spaced};
use latents::engine::Network;
use latents::explore::kmeans;
use latents::report::{Block, Explorer, ExplorerInput, ExplorerModel, PageSection};
use latents::{Latents, TrainedModel};

use super::BEST;
use crate::error::Result;
use crate::results::Mapped;
use crate::s2;
use crate::worker::Worker;

/// Most bytes of images in the explorer.
const MOST_BYTES: usize = 8 << 20;

/// The section with the explorer of all models that have a map; none if there is no map, or the images are neither grey nor colour.
pub(crate) fn explorer(worker: &Worker<'_>) -> Result<Option<PageSection>> {
    let study = worker.study;
    let test = study.shown();
    let numbers: usize = study.data.shape.iter().product();
    let mut found = vec![];
    for (name, run, stage) in
        [("Autoencoder", s2::BEST, "map-ae"), ("Variational autoencoder", BEST, "map-vae")]
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
    let places: Vec<usize> = evenly_spaced((MOST_BYTES / numbers).max(1), mapped).collect();
    let all = study.mapped(mapped);
    let chosen: Vec<usize> = places.iter().map(|&place| all[place]).collect();
    let images = test.at(&chosen);
    let numbers: Vec<u32> = chosen.iter().map(|&i| i as u32).collect();
    let model = |&(name, run, stage, _): &_| model(worker, name, run, stage, &images, &places);
    let models = found.iter().map(model).collect::<Result<Vec<_>>>()?;
    let labels: Option<Vec<usize>> =
        images.all_labels().map(|labels| labels.into_iter().map(usize::from).collect());
    let input = ExplorerInput {
        shape: study.data.shape,
        pixels: &images.images.pixels().to_bytes(),
        numbers: (numbers.len() < test.len()).then_some(&numbers[..]),
        classes: &study.dataset.classes,
        labels: labels.as_deref(),
        files: images.names.as_deref(),
        models: models.iter().map(Explored::view).collect::<Result<_>>()?,
    };
    let blocks = vec![
        Block::Paragraph("Each point is a test image. Hover to see it; click two to four points to traverse between them; drag on the map or move an axis to decode other latents: the decoder runs in this page.".into()),
        Block::Explorer(Explorer::new(&input)?),
    ];
    Ok(Some(PageSection { id: "explore".into(), title: "Explore".into(), blocks }))
}

/// One model with its latents of the images that are shown.
struct Explored {
    name: &'static str,
    map_name: String,
    model: TrainedModel,
    network: Network,
    latents: Latents,
    map: Vec<[f32; 2]>,
    errors: Vec<f32>,
    clusters: Vec<usize>,
}

impl Explored {
    /// The model as the explorer takes it.
    fn view(&self) -> Result<ExplorerModel<'_>> {
        Ok(ExplorerModel {
            name: self.name,
            map_name: &self.map_name,
            network: &self.network,
            decode: self.model.latent_space()?.decode,
            parameters: self.model.parameters(),
            latents: &self.latents.z,
            map: &self.map,
            errors: Some(&self.errors),
            clusters: Some(&self.clusters),
        })
    }
}

/// A model with its latents of images, which are at some places of its map.
fn model(
    worker: &Worker<'_>,
    name: &'static str,
    run: &str,
    stage: &str,
    images: &Labelled,
    places: &[usize],
) -> Result<Explored> {
    let study = worker.study;
    let mut model = worker.open(run)?;
    let latents = model.encode(images)?;
    let k = study.dataset.classes.len().clamp(2, 12).min(images.len());
    let rows = latents.rows()?;
    let clusters =
        worker.session.runtime()?.run(|| kmeans(rows, k, study.seed, &worker.session))?;
    let xy = study.map(stage)?;
    Ok(Explored {
        name,
        map_name: format!("t-SNE of {} latents", latents.dim),
        network: model.config().network()?,
        errors: model.reconstruction_errors(images)?,
        map: places.iter().map(|&i| [xy[2 * i], xy[2 * i + 1]]).collect(),
        clusters: clusters.labels.iter().map(|&c| c as usize).collect(),
        model,
        latents,
    })
}
