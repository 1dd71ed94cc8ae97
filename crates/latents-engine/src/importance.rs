//! The importance-weighted objective of a variational autoencoder: several draws of the latents of each sample, weighted by how much they
//! explain it. The encoder runs once for a sample, and the layers after it once for each draw.

use std::ops::Range;

use crate::batch::{Batch, Inputs, Pass, Targets, expect_size};
use crate::criterion::Criterion;
use crate::engine::Engine;
use crate::error::Error;
use crate::executor::{Draws, Gradients, Head, Job, Weights};
use crate::importance_weights::{weigh, whole_samples};
use crate::kernels::Element;
use crate::kernels::loss::Loss;
use crate::layer::Layer;

impl<E: Element> Engine<E> {
    /// The importance-weighted bound on -log p(x) of each sample of a batch `[n]`, in nats: `-log (1/K) sum_k w_k` over `draws` draws `z_k` of
    /// q(z|x), with `w_k = p(x|z_k) p(z_k) / q(z_k|x)` (IWAE; Burda et al., 2016). Writes the gradient of its mean over the batch to `gradients`,
    /// in the order of `parameters`; the inputs are the targets.
    ///
    /// The gradients of the prior, the decoder and the likelihood are those of the bound for these draws: with the normalised weights
    /// `v_k = w_k / sum_j w_j`, the sum of `v_k d log w_k`. Those of the encoder are doubly reparameterised (`DReG`; Tucker et al., 2019): the sum of
    /// `v_k^2 (d log w_k / d z_k) (d z_k / d encoder)`, in which the parameters of q stay. On average it is the gradient of the bound, and unlike
    /// that it does not become noise when there are many draws. With one draw it is the path derivative (Roeder et al., 2017).
    ///
    /// A draw is keyed by the pass, the sample and the number of the draw; the first is that of [`Engine::gradients`]. The encoder's gradients are
    /// sums over samples and then over draws, all in one fixed order.
    ///
    /// # Errors
    /// Those of [`Engine::gradients`], and if the network does not have a [`Layer::Gaussian`], or one with a learned prior, after layers that learn,
    /// as its only penalty, the loss is not a likelihood, the penalty's weight is not 1, there are free bits, or `draws` is 0.
    pub fn importance_gradients<'a>(
        &mut self,
        parameters: &[E],
        batch: impl Into<Batch<'a, E>>,
        criterion: impl Into<Criterion>,
        draws: usize,
        pass: Pass,
        gradients: &mut [E],
    ) -> Result<Vec<f64>, Error> {
        let (batch, criterion, targets) = (batch.into(), criterion.into(), Targets::Inputs);
        let all = self.job_of_loss(parameters, batch, targets, &criterion, pass)?;
        expect_size("gradients", gradients.len(), self.layout().parameter_count())?;
        let (latents, end) = (self.layer_of_draws(&all.layers, criterion, draws)?, all.layers.end);
        let encoder = Job { layers: 0..latents, ..all.clone() };
        let posterior = self.executor.outputs(&encoder);
        let mut job = Job {
            batch: Inputs::Values(&posterior).with_conditions(batch.conditions),
            samples: all.samples * draws,
            layers: latents..end,
            draws: Some(Draws { count: draws, inputs: batch.inputs, weights: Weights::Same }),
            ..all
        };
        let mut of_draws = vec![E::default(); posterior.len() * draws];
        let range = self.layout().parameters_of(job.layers.clone());
        let out = Gradients { parameters: gradients, range, inputs: Some(&mut of_draws) };
        let weighed;
        let of_pass = if whole_samples(draws).is_some() {
            Weights::OfPass
        } else {
            let losses = self.executor.losses(&job, &criterion, targets);
            weighed = weigh(&losses.loss, &losses.penalty, draws).1;
            Weights::Given(&weighed)
        };
        job.draws = Some(Draws { count: draws, inputs: batch.inputs, weights: of_pass });
        let losses = self.executor.gradients(&job, Head::Loss(criterion, targets), out);

        let (bounds, weights) = weigh(&losses.loss, &losses.penalty, draws);
        let of_posterior = add_draws(&of_draws, &weights, draws, self.numbers(latents));
        let mut of_encoder = vec![E::default(); gradients.len()];
        let range = self.layout().parameters_of(0..latents);
        let out = Gradients { parameters: &mut of_encoder, range: range.clone(), inputs: None };
        self.executor.gradients(&encoder, Head::Gradients(of_posterior[..].into()), out);
        gradients[range.clone()].copy_from_slice(&of_encoder[range]);
        self.backward_pseudo_inputs(parameters, gradients)?;
        Ok(bounds)
    }

    /// The layer that draws latents, if the objective can be weighted.
    fn layer_of_draws(
        &self,
        layers: &Range<usize>,
        criterion: Criterion,
        draws: usize,
    ) -> Result<usize, Error> {
        let problem = |problem: &str| Err(Error::Network(problem.into()));
        if draws == 0 {
            let (name, expected) = ("number of draws", "at least 1");
            return Err(Error::Setting { name, value: 0.0, expected });
        }
        if !matches!(
            criterion.loss,
            Loss::Bernoulli | Loss::ContinuousBernoulli | Loss::Gaussian { .. }
        ) {
            return problem("importance weights need a loss that is a likelihood");
        }
        if criterion != (Criterion { weight: 1.0, free_bits: 0.0, ..criterion }) {
            return problem("importance weights need a penalty of weight 1 without free bits");
        }
        let nodes = &self.layout().nodes()[layers.clone()];
        let has_penalty =
            |layer: &Layer| layer.is_latent() || matches!(layer, Layer::VectorQuantizer { .. });
        let mut penalties = nodes.iter().enumerate().filter(|(_, node)| has_penalty(&node.layer));
        match (penalties.next(), penalties.next()) {
            (Some((at, node)), None)
                if node.layer.is_posterior() && !self.layout().parameters_of(0..at).is_empty() =>
            {
                Ok(at)
            }
            _ => problem(
                "importance weights need layers that learn, and after them one layer `gaussian`, `mixture_prior` or `vamp_prior` as the only penalty",
            ),
        }
    }
}

/// The gradients of `numbers` numbers of each draw, which have its weight, multiplied by the normalised weight once more and added.
fn add_draws<E: Element>(all: &[E], weights: &[f64], draws: usize, numbers: usize) -> Vec<E> {
    let mut sums = vec![E::default(); all.len() / draws];
    let each = all.chunks_exact(draws * numbers).zip(weights.chunks_exact(draws));
    for (sums, (all, weights)) in sums.chunks_exact_mut(numbers).zip(each) {
        for (gradients, weight) in all.chunks_exact(numbers).zip(weights) {
            let weight = E::from_f64(weight / draws as f64);
            for (sum, gradient) in sums.iter_mut().zip(gradients) {
                *sum = sum.plus(gradient.times(weight));
            }
        }
    }
    sums
}
