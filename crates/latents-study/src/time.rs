//! How the budgets of a study are fitted to a number of minutes.

use latents::RunConfig;
use latents::evaluate::FOLDS;
use latents::train::seconds_per_epoch;

use crate::error::Result;
use crate::s3;
use crate::worker::Worker;

/// The part of the epochs of a search that its trials make, as the pruner stops many of them.
const UNPRUNED: f64 = 0.6;
/// Controls of the classifier.
const CONTROLS: u64 = 2;

/// What part of the budgets some minutes are enough for, by the measured time of an epoch of each kind of model. `cnn` is whether the
/// study trains a convolutional network if it trains classifiers.
pub(crate) fn share(minutes: f64, worker: &Worker<'_>, cnn: bool) -> Result<f64> {
    let budget = &worker.study.budget;
    // Few images have a model for each fold, and one of all; they have no search, and no convolutional network.
    let is_few = worker.study.few.is_some();
    let folds = FOLDS as f64;
    let mut seconds = 0.0;
    let mut add = |config: &RunConfig, epochs: f64| -> Result<()> {
        if epochs > 0.0 {
            let (data, session) = (&worker.study.dataset, &worker.session);
            let runtime = session.runtime()?;
            let each = seconds_per_epoch(config, data, &runtime, session.monitor());
            seconds += epochs * each.map_err(latents::Error::from)?;
        }
        Ok(())
    };
    let search = |epochs: u64| UNPRUNED * (budget.trials * epochs) as f64;
    let residual = worker.for_collection("ae", budget.residual_share)?;
    let models = if is_few { folds + 1.0 } else { 1.0 };
    add(&residual, models * residual.training.epochs as f64)?;
    let mut encoder = residual;
    if worker.study.is_of_the_reference() {
        let unchanged = |_: &mut RunConfig| {};
        encoder = worker.defaults("ae", unchanged)?;
        let models = 2 * budget.epochs + budget.refit_epochs;
        add(&encoder, models as f64 + search(budget.trial_epochs))?;
        let vae = worker.defaults("vae", unchanged)?;
        add(&vae, budget.vae_epochs as f64 + search(budget.trial_epochs))?;
    } else {
        let vae = worker.for_collection("vae", budget.residual_vae_share)?;
        add(&vae, vae.training.epochs as f64)?;
    }
    if worker.study.has_classes() {
        let config = worker.config(s3::settings(worker, encoder.model)?, |_| ());
        if is_few {
            add(&config, folds * config.training.epochs as f64)?;
        } else {
            let models = (budget.classifier_seeds + CONTROLS) * budget.classifier_epochs;
            add(&config, models as f64 + search(budget.classifier_trial_epochs))?;
        }
        if cnn && !is_few {
            let config = worker.defaults("cnn", |_| ())?;
            add(&config, budget.cnn_epochs(config.training.epochs) as f64)?;
        }
    }
    Ok(60.0 * minutes / seconds)
}
