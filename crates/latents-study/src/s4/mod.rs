//! S4: the latent space of the tuned autoencoder: its map and the card of its measures (F3, F9, F4, F5a). What the page says about them is in
//! `page`.

mod page;

use latents::data::npz::{self, Array, Numbers};
use latents::explore::{TsneConfig, tsne};

use crate::error::Result;
use crate::results::Mapped;
use crate::stages::{BEST_AE, Stage};
use crate::worker::Worker;

pub(crate) use page::{how_measured, measures_table, section};

/// The stages of this part.
pub(crate) fn stages<'a>() -> Vec<Stage<Worker<'a>>> {
    vec![
        Stage {
            name: "map-ae",
            title: "map of the autoencoder's latents",
            part: "S4",
            cost: 25.0,
            after: &[BEST_AE],
            run: |worker| map(worker, "map-ae", BEST_AE),
        },
        Stage {
            name: "card-ae",
            title: "measures of the autoencoder",
            part: "S4",
            cost: 60.0,
            after: &["map-ae"],
            run: |worker| measure(worker, "card-ae", BEST_AE, "map-ae"),
        },
    ]
}

/// Maps the latents of as many test images as the budget allows, or of all of few images.
pub(crate) fn map(worker: &Worker<'_>, stage: &str, run: &str) -> Result<()> {
    let study = worker.study;
    let images = study.shown().at(&study.mapped(study.budget.map_images));
    let latents = worker.open(run)?.encode(&images)?;
    let rows = latents.rows()?;
    let config = TsneConfig { seed: study.seed, ..TsneConfig::default() };
    let made = worker.session.runtime()?.run(|| tsne(rows, &config, &worker.session))?;
    let n = images.len();
    let xy = Array { name: "xy".into(), shape: vec![n, 2], numbers: Numbers::F32(made.xy) };
    npz::write(&study.map_path(stage), &[xy])?;
    study.results.put(stage, &Mapped { images: n, kl: made.kl })
}

/// Measures a run as an evaluation does.
pub(crate) fn measure(worker: &Worker<'_>, stage: &str, run: &str, map: &str) -> Result<()> {
    let study = worker.study;
    let xy = study.map(map)?;
    let is_whole = study.few.is_none() && xy.len() == 2 * study.dataset.test.len();
    let xy = is_whole.then_some(xy);
    let card = worker.open(run)?.card(&study.dataset, xy, &worker.session)?;
    let markdown = card.markdown(&format!("Evaluation of {run}"));
    let file = study.out.join(format!("tables/{stage}.md"));
    latents_files::write(&file, markdown.as_bytes())?;
    study.results.put(stage, &card)
}
