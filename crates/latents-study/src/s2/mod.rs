//! S2: tuning the autoencoder, the model with the best settings, and what it is compared with: principal components, and the residual autoencoder
//! that starts from them (T4, F8, F2, F10a, F10b). What the page says about them is in `page`.

mod page;

use latents::data::split;
use latents::engine::Schedule;
use latents::explore::{Pca, Rows};
use latents::train::SettingsLayer;

use crate::error::Result;
use crate::reconstruction;
use crate::results::Components;
use crate::stages::{BEST_AE, Stage};
use crate::worker::{Context, Worker};

pub(crate) use page::section;

/// The run of the residual design with as many latent dimensions.
const RESIDUAL: &str = "ae-residual";

/// The stages of this part.
pub(crate) fn stages<'a>() -> Vec<Stage<Worker<'a>>> {
    vec![
        Stage {
            name: "tune-ae",
            title: "tuning the autoencoder",
            part: "S2",
            cost: 150.0,
            after: &[],
            run: |worker| {
                let base = worker.defaults("ae", |config| {
                    config.training.epochs = worker.study.budget.trial_epochs;
                })?;
                worker.tune("tune-ae", &base)
            },
        },
        Stage {
            name: BEST_AE,
            title: "autoencoder, best settings",
            part: "S2",
            cost: 55.0,
            after: &["tune-ae"],
            run: |worker| {
                let best = worker.study.best("tune-ae", "ae")?;
                let config = worker.config(best, |config| {
                    config.training.epochs = worker.study.budget.refit_epochs;
                    config.training.schedule = Schedule::Cosine;
                });
                worker.autoencoder(BEST_AE, &config)
            },
        },
        Stage {
            name: "pca",
            title: "principal components",
            part: "S2",
            cost: 10.0,
            after: &[BEST_AE],
            run: components,
        },
        Stage {
            name: RESIDUAL,
            title: "residual autoencoder",
            part: "S2",
            cost: 300.0,
            after: &[BEST_AE],
            run: |worker| {
                let mut same = SettingsLayer::default();
                same.set("model.latent_dim", &dimensions(worker.study)?)?;
                let config = reconstruction::config(worker)?.with_layers([&same])?;
                worker.autoencoder(RESIDUAL, &config)
            },
        },
    ]
}

/// The number of latent dimensions of the model with the best settings.
fn dimensions(study: &Context) -> Result<usize> {
    Ok(study
        .run(BEST_AE)
        .config()?
        .model
        .latents(study.data.shape)
        .map_or(0, |latents| latents.dim))
}

/// Projects the test images on the principal components of the images that the autoencoder is trained on.
fn components(worker: &Worker<'_>) -> Result<()> {
    let study = worker.study;
    let (best, dim) = (study.run(BEST_AE).config()?, dimensions(study)?);
    let (train, test) = (&study.dataset.train.images, &study.dataset.test.images);
    let numbers: usize = train.shape().iter().product();
    let (ours, _) = split(train.len(), best.training.validation_fraction, best.training.seed);
    let ours: Vec<f32> = ours.iter().flat_map(|&i| train.image_unit(i as usize)).collect();
    let test = test.to_unit();
    // As many components as an image has numbers would reproduce the image.
    let most = (numbers - 1).min((ours.len() / numbers).saturating_sub(1));
    let mut wanted: Vec<usize> = [16, 32, 44, 64, 128, 185, dim].into();
    wanted.retain(|d| (1..=most).contains(d));
    wanted.sort_unstable();
    wanted.dedup();
    let largest = wanted.last().copied().unwrap_or(1);
    let errors = worker.session.runtime()?.run(|| -> Result<_> {
        let test = Rows::new(&test, numbers)?;
        let all = Pca::fit(Rows::new(&ours, numbers)?, largest, &worker.session)?;
        let error = |&d: &usize| Ok((d, all.truncated(d).clipped_reconstruction_error(test)?));
        wanted.iter().map(error).collect()
    })?;
    study.results.put("pca", &Components { errors })
}
