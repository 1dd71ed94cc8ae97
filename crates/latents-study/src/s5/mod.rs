//! S5: the variational autoencoder, tuned and trained, with its map and the card of its measures (T7, F11, F5b, F6). What the page says about them
//! is in `page`; the explorer, which shows both latent spaces side by side, is in `explorer`.

mod explorer;
mod page;

use latents::RunConfig;
use latents::engine::Schedule;
use latents::models::ModelConfig;

use crate::s4::{map, measure};
use crate::stages::{BEST_AE, Stage};
use crate::worker::Worker;

pub(crate) use explorer::explorer;
pub(crate) use page::section;

/// The run of the best settings, or of the residual model.
const BEST: &str = "vae";
/// The search for them.
const TUNING: &str = "tune-vae";

/// The stages of this part: the reference's model is tuned, and a residual one of other images has its default settings.
pub(crate) fn stages<'a>(of_the_reference: bool) -> Vec<Stage<Worker<'a>>> {
    let mut stages = if of_the_reference { tuned() } else { vec![residual()] };
    stages.extend(measured());
    stages
}

/// The residual model of the collection, with the augmentation of its autoencoder.
fn residual<'a>() -> Stage<Worker<'a>> {
    Stage {
        name: BEST,
        title: "residual variational autoencoder",
        part: "S5",
        cost: 60.0,
        after: &[BEST_AE],
        run: |worker| {
            let of_ae = worker.study.run(BEST_AE).config()?.training.augmentation;
            let mut config =
                worker.for_collection("vae", worker.study.budget.residual_vae_share)?;
            config.training.augmentation = of_ae;
            worker.autoencoder(BEST, &config)
        },
    }
}

fn tuned<'a>() -> Vec<Stage<Worker<'a>>> {
    vec![
        Stage {
            name: TUNING,
            title: "tuning the variational autoencoder",
            part: "S5",
            cost: 150.0,
            after: &[],
            run: |worker| {
                let base = worker.defaults("vae", |config| {
                    let budget = &worker.study.budget;
                    set_epochs(config, budget.trial_epochs, budget.vae_warmup);
                })?;
                worker.tune(TUNING, &base)
            },
        },
        Stage {
            name: BEST,
            title: "variational autoencoder, best settings",
            part: "S5",
            cost: 70.0,
            after: &[TUNING],
            run: |worker| {
                let best = worker.study.best(TUNING, "vae")?;
                let config = worker.config(best, |config| {
                    let budget = &worker.study.budget;
                    set_epochs(config, budget.vae_epochs, budget.vae_warmup);
                    config.training.schedule = Schedule::Cosine;
                });
                worker.autoencoder(BEST, &config)
            },
        },
    ]
}

fn measured<'a>() -> Vec<Stage<Worker<'a>>> {
    vec![
        Stage {
            name: "map-vae",
            title: "map of the variational latents",
            part: "S5",
            cost: 25.0,
            after: &[BEST],
            run: |worker| map(worker, "map-vae", BEST),
        },
        Stage {
            name: "card-vae",
            title: "measures of the variational autoencoder",
            part: "S5",
            cost: 60.0,
            after: &["map-vae"],
            run: |worker| measure(worker, "card-vae", BEST, "map-vae"),
        },
    ]
}

/// Sets the number of epochs, and the fraction of them over which the weight of the KL divergence rises.
fn set_epochs(config: &mut RunConfig, epochs: u64, warmup: f64) {
    config.training.epochs = epochs;
    if let ModelConfig::Vae(vae) = &mut config.model {
        vae.warmup_epochs = warmup * epochs as f64;
    }
}
