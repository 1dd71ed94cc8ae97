//! Penalties of the posterior of a whole batch: which there are, and how they are computed with an engine.

use latents_engine::{
    Batch, BatchPenalty, CoupledCriterion, Criterion, Element, Engine, Pass, Posterior,
};

use crate::error::Error;
use crate::posterior::posterior;

/// A penalty that is a function of the posterior of a whole batch, not a sum over its samples, and its weight in the objective: the mean
/// criterion over the batch plus the weight times the penalty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PosteriorPenalty {
    /// Which penalty it is.
    pub measure: PosteriorMeasure,
    /// Its weight, which may be negative.
    pub weight: f64,
}

/// A function of the posterior of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PosteriorMeasure {
    /// The maximum mean discrepancy between the latents and N(0, I); see [`Posterior::mmd`].
    Mmd,
    /// The total correlation of the latents; see [`Posterior::total_correlation`].
    TotalCorrelation,
}

/// The penalty of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredPosterior<E> {
    /// The layer whose input is the posterior, counted through all sections.
    pub layer: usize,
    /// The penalty and its gradient, without the weight.
    pub penalty: BatchPenalty<E>,
}

impl PosteriorMeasure {
    /// Computes the penalty of a batch as a pass sees it: from the posterior that its dropout, noise and statistics give, and from the draws of
    /// latents that its decoder gets. It is the same bits on any number of threads.
    ///
    /// # Errors
    /// [`Error::NotVariational`] if the network has no posterior, and those of [`Engine::outputs_of_layers`].
    pub fn of<'a, E: Element>(
        self,
        engine: &mut Engine<E>,
        parameters: &[E],
        batch: impl Into<Batch<'a, E>>,
        pass: Pass,
    ) -> Result<MeasuredPosterior<E>, Error> {
        let batch = batch.into();
        let encoder = posterior(engine.layout()).ok_or(Error::NotVariational)?;
        let layer = encoder.end;
        let given = engine.outputs_of_layers(parameters, batch, encoder, pass)?;
        let draws = engine.posterior_draws(batch.inputs, layer, pass)?;
        let dim = engine.layout().shape(layer + 1).iter().product();
        let posterior = Posterior { dim, parameters: &given, draws: &draws };
        let penalty = match self {
            PosteriorMeasure::TotalCorrelation => posterior.total_correlation(engine.runtime())?,
            PosteriorMeasure::Mmd => {
                let prior = engine.prior_draws(batch.inputs, layer, pass)?;
                posterior.mmd(&prior, engine.runtime())?
            }
        };
        Ok(MeasuredPosterior { layer, penalty })
    }
}

impl<E: Element> MeasuredPosterior<E> {
    /// Multiplies the gradient by the weight of the penalty, which makes it that of the objective.
    #[must_use]
    pub fn weighted(mut self, weight: f64) -> Self {
        let weight = E::from_f64(weight);
        for gradient in &mut self.penalty.gradients {
            *gradient = gradient.times(weight);
        }
        self
    }

    /// The criterion and the gradient of this penalty.
    #[must_use]
    pub fn with(&self, criterion: Criterion) -> CoupledCriterion<'_, E> {
        criterion.coupled(self.layer, &self.penalty.gradients)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)] // Values that are not rounded must be equal.

    use std::sync::Arc;

    use latents_engine::{Init, Inputs, Runtime, Targets, initialize};
    use latents_random::{Purpose, stream};

    use super::*;
    use crate::model::Model;
    use crate::vae::{Regularizer, VaeConfig};

    const IMAGE: [usize; 3] = [1, 6, 6];

    fn config(regularizer: Regularizer) -> VaeConfig {
        let mut config = VaeConfig { regularizer, beta: 3.0, ..VaeConfig::for_images(IMAGE) };
        let autoencoder = &mut config.autoencoder;
        (autoencoder.latent_dim, autoencoder.hidden, autoencoder.dropout) = (3, vec![8], 0.2);
        config.mmd_weight = (regularizer == Regularizer::Info).then_some(7.0);
        config
    }

    fn scene(config: &VaeConfig) -> (Engine<f64>, Vec<f64>, Vec<f64>) {
        let runtime = Arc::new(Runtime::new(Some(2), None).unwrap());
        let engine = Engine::new(&config.network(IMAGE, 0).unwrap(), runtime).unwrap();
        let parameters = initialize(engine.layout(), Init::Pytorch, 3);
        let parameters = parameters.into_iter().map(|x| 2.0 * f64::from(x)).collect();
        let mut random = stream(2, Purpose::Synthetic, 0, 0);
        (engine, parameters, (0..21 * 36).map(|_| random.uniform()).collect())
    }

    /// Through the whole network, in training mode: dropout and draws are those of the pass.
    #[test]
    fn gradients_of_the_whole_objective_are_differences() {
        for (regularizer, weights) in
            [(Regularizer::Info, [3.0, 7.0]), (Regularizer::Tc, [1.0, 2.0])]
        {
            let config = config(regularizer);
            let (mut engine, parameters, images) = scene(&config);
            let (inputs, pass) = (Inputs::Values(&images), Pass::Train { seed: 4, epoch: 2 });
            let penalty = config.posterior_penalty().unwrap();
            assert_eq!([config.criterion().weight, penalty.weight], weights);
            let measured = penalty.measure.of(&mut engine, &parameters, inputs, pass).unwrap();
            let measured = measured.weighted(penalty.weight);
            let mut gradients = vec![0.0; parameters.len()];
            let coupled = measured.with(config.criterion());
            let targets = Targets::Inputs;
            engine.gradients(&parameters, inputs, targets, coupled, pass, &mut gradients).unwrap();
            let mut moved = parameters.clone();
            let mut matters = 0;
            for i in (0..parameters.len()).step_by(53) {
                let mut at = |x: f64| {
                    moved[i] = x;
                    let losses =
                        engine.losses(&moved, inputs, targets, config.criterion(), pass).unwrap();
                    let of = penalty.measure.of(&mut engine, &moved, inputs, pass).unwrap();
                    let of_posterior = weights[1] * of.penalty.value;
                    let loss = losses.mean_loss() + weights[0] * losses.mean_penalty();
                    [loss + of_posterior, of_posterior]
                };
                let (above, below) = (at(parameters[i] + 1e-5), at(parameters[i] - 1e-5));
                moved[i] = parameters[i];
                let slope = |which: usize| (above[which] - below[which]) / 2e-5;
                let error = (slope(0) - gradients[i]).abs();
                assert!(
                    error < 1e-6 * (1.0 + slope(0).abs()),
                    "{i}: {} {}",
                    slope(0),
                    gradients[i]
                );
                matters += usize::from(slope(1).abs() > 1e-3);
            }
            assert!(matters > 5, "{regularizer:?}: {matters}");
        }
    }

    /// With independent draws, the mean of log q(z|x) - log p(z) is the KL divergence, and its three parts are those of the paper.
    #[test]
    fn the_parts_of_the_divergence_add_up() {
        let config = config(Regularizer::Tc);
        let (mut engine, parameters, images) = scene(&config);
        let (inputs, pass) = (Inputs::Values(&images), Pass::Importance { seed: 4, draw: 0 });
        let criterion = config.criterion();
        let losses = engine.losses(&parameters, inputs, Targets::Inputs, criterion, pass).unwrap();
        let measure = PosteriorMeasure::TotalCorrelation;
        let correlation = measure.of(&mut engine, &parameters, inputs, pass).unwrap();
        let encoder = posterior(engine.layout()).unwrap();
        let (layer, n) = (encoder.end, 21);
        let given = engine.forward_layers(&parameters, inputs, encoder).unwrap();
        let z = engine.outputs_of_layers(&parameters, inputs, 0..layer + 1, pass).unwrap();
        let log = |i: usize, j: usize, k: usize| {
            let (mean, log_variance) = (given[6 * j + k], given[6 * j + 3 + k]);
            let apart = z[3 * i + k] - mean;
            -0.5 * (log_variance + apart * apart / libm::exp(log_variance))
        };
        let mean = |of: &dyn Fn(usize, usize) -> f64, i: usize| {
            libm::log((0..n).map(|j| libm::exp(of(i, j))).sum::<f64>() / n as f64)
        };
        let joint = |i, j| (0..3).map(|k| log(i, j, k)).sum::<f64>();
        let (mut information, mut by_axis) = (0.0, 0.0);
        for i in 0..n {
            information += (joint(i, i) - mean(&joint, i)) / n as f64;
            for k in 0..3 {
                let prior = -0.5 * z[3 * i + k] * z[3 * i + k];
                by_axis += (mean(&|i, j| log(i, j, k), i) - prior) / n as f64;
            }
        }
        let sum = information + correlation.penalty.value + by_axis;
        assert!((sum - losses.mean_penalty()).abs() < 1e-9, "{sum} {}", losses.mean_penalty());
        assert!(information > 0.01 && correlation.penalty.value.abs() > 1e-3);
    }

    #[test]
    fn a_model_without_a_posterior_has_no_penalty_of_it() {
        let (mut engine, parameters, images) = scene(&config(Regularizer::L2));
        let inputs = Inputs::Values(&images);
        let measured = PosteriorMeasure::Mmd.of(&mut engine, &parameters, inputs, Pass::Evaluate);
        assert!(matches!(measured, Err(Error::NotVariational)));
    }
}
