//! Flows of a model's latents: fitted to the latents of the training images, and as the prior of a variational model.

use latents_data::Labelled;
use latents_engine::Criterion;
use latents_explore::{Flow, FlowConfig, FlowFit, Rows};
use latents_models::importance_bounds_under;

use crate::error::Result;
use crate::latents::Latents;
use crate::model::TrainedModel;
use crate::session::Session;

/// Fits a flow to latents, one of so many that share the steps of one: of a variational model to a draw of each posterior, which is what its decoder has learnt to read.
///
/// # Errors
/// If there are too few latents, or the call was interrupted.
pub(crate) fn fit_flow(
    latents: &Latents,
    flows: u64,
    seed: u64,
    session: &Session,
) -> Result<(Flow, FlowFit)> {
    let (z, runtime) = (latents.draw(seed)?, session.runtime()?);
    let whole = FlowConfig::default();
    let config = FlowConfig { steps: whole.steps.div_ceil(flows), seed, ..whole };
    Ok(Flow::fit(Rows::new(&z, latents.dim)?, &config, &runtime, session)?)
}

/// A flow of latents for a card, if they are enough for one.
pub(crate) fn flow_of(latents: &Latents, seed: u64, session: &Session) -> Result<Option<Flow>> {
    if latents.dim < 2 || latents.len() < Flow::least_rows(latents.dim) {
        return Ok(None);
    }
    session.stage("fitting a flow to the latents");
    Ok(Some(fit_flow(latents, 1, seed, session)?.0))
}

impl TrainedModel {
    /// The importance-weighted bounds of each image `[n]` with so many draws, in blocks: with the model's own prior, and with a flow.
    pub(crate) fn importance_bounds_under(
        &mut self,
        images: &Labelled,
        criterion: Criterion,
        seed: u64,
        draws: u64,
        flow: &mut Flow,
        session: &Session,
    ) -> Result<[Vec<f64>; 2]> {
        let (given, pixels) = (self.conditions(images)?, images.images.pixels());
        let (dim, mut all) = (self.latent_space()?.dim, [vec![], vec![]]);
        let mut log_prior = |z: &[f32]| -> Result<Vec<f64>> {
            Ok(flow.log_densities(Rows::new(z, dim)?, session)?)
        };
        self.each_batch(pixels, &given, &mut |engine, parameters, batch, _| {
            let prior = &mut log_prior;
            let some = importance_bounds_under(
                engine, parameters, batch, criterion, seed, draws, prior, session,
            )?;
            for (all, some) in all.iter_mut().zip(some) {
                all.extend(some);
            }
            Ok(())
        })?;
        Ok(all)
    }
}
