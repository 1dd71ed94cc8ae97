//! S5: the variational autoencoder, tuned and trained, with its map and the card of its measures (T7, F11, F5b, F6). What the page says about them
//! is in `page`; the explorer, which shows both latent spaces side by side, is in `explorer`.

mod explorer;
mod page;

use latents::RunConfig;
use latents::engine::Schedule;
use latents::models::ModelConfig;

use crate::s4::{map, measure};
use crate::stages::Stage;
use crate::worker::Worker;

pub(crate) use explorer::explorer;
pub(crate) use page::section;

/// The run with the best settings.
const BEST: &str = "vae";

/// The stages of this part.
pub(crate) fn stages<'a>() -> Vec<Stage<Worker<'a>>> {
    vec![
        Stage {
            name: "tune-vae",
            title: "tuning the variational autoencoder",
            part: "S5",
            cost: 150.0,
            after: &[],
            run: |worker| {
                let base = worker.defaults("vae", |config| {
                    let budget = &worker.study.budget;
                    set_epochs(config, budget.trial_epochs, budget.vae_warmup);
                })?;
                worker.tune("tune-vae", &base)
            },
        },
        Stage {
            name: BEST,
            title: "variational autoencoder, best settings",
            part: "S5",
            cost: 70.0,
            after: &["tune-vae"],
            run: |worker| {
                let best = worker.study.best("tune-vae", "vae")?;
                let config = worker.config(best, |config| {
                    let budget = &worker.study.budget;
                    set_epochs(config, budget.vae_epochs, budget.vae_warmup);
                    config.training.schedule = Schedule::Cosine;
                });
                worker.autoencoder(BEST, &config)
            },
        },
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
