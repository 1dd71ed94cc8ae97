//! The objective of a training step and its value for a batch: a loss of the output, plus a weighted penalty of the latents, which
//! layers such as [`crate::Layer::Gaussian`] add. Also the gradients that go into and come out of [`crate::Engine::backward`].

use crate::kernels::loss::Loss;

/// The quantity that training minimises: `loss + weight * penalty`, averaged over the batch. A [`Loss`] converts to a criterion with
/// weight 1.
///
/// ```
/// use latents_engine::{Criterion, Loss};
///
/// // Binary cross-entropy of the numbers before the last layer, a sigmoid, and a penalty of latents with weight 4.
/// let criterion = Criterion { skip: 1, weight: 4.0, ..Loss::BinaryCrossEntropyWithLogits.into() };
/// assert_eq!(criterion.skip, 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Criterion {
    /// Compares the output with the targets.
    pub loss: Loss,
    /// Number of layers at the end that the loss skips. They have no parameters and only convert the output for display (logits to
    /// images, for example).
    pub skip: usize,
    /// Weight of the penalty: the beta of a beta-VAE (Higgins et al., 2017). Warm-up changes it from step to step.
    pub weight: f64,
    /// Free bits (Kingma et al., 2016), for each sample and axis: KL divergence below this many nats is not penalised.
    pub free_bits: f64,
}

impl Criterion {
    /// This loss of the output of the whole network, with penalty weight 1 and no free bits.
    #[must_use]
    pub fn new(loss: Loss) -> Self {
        Criterion { loss, skip: 0, weight: 1.0, free_bits: 0.0 }
    }
}

impl Criterion {
    /// This criterion, and a term of the objective that couples the samples of the batch, given by its gradient with respect to the input
    /// of a layer of latents; see [`CoupledCriterion`].
    #[must_use]
    pub fn coupled<E>(self, layer: usize, gradients: &[E]) -> CoupledCriterion<'_, E> {
        CoupledCriterion { criterion: self, layer, gradients }
    }
}

/// A criterion, and a term of the objective that couples the samples of the batch, for [`crate::Engine::gradients`]. The term is a function
/// of the input of a layer of latents, such as the posterior of a [`crate::Layer::Gaussian`]; it is given by its gradient, which is added
/// where the backward pass arrives at that input. A [`Criterion`] and a [`Loss`] convert to one without such a term.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CoupledCriterion<'a, E> {
    /// The sum over samples.
    pub criterion: Criterion,
    /// The layer of latents, counted through all sections.
    pub layer: usize,
    /// d term / d input of the layer, of the input's shape `[n, ...]`; `[n, 2 d]` for a Gaussian. It is added as it is: neither the weight of the
    /// criterion nor 1 / n multiplies it. Empty if there is no such term.
    pub gradients: &'a [E],
}

impl<E, C: Into<Criterion>> From<C> for CoupledCriterion<'_, E> {
    fn from(criterion: C) -> Self {
        criterion.into().coupled(0, &[])
    }
}

impl From<Loss> for Criterion {
    fn from(loss: Loss) -> Self {
        Criterion::new(loss)
    }
}

/// The loss and the penalty of each sample of a batch, neither weighted nor averaged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Losses {
    /// The loss `[n]`; for a likelihood, -log p(x|z).
    pub loss: Vec<f64>,
    /// The penalty `[n]`, without free bits; for a Gaussian, KL(q(z|x) || N(0, I)). Zero if the network has no such layer.
    pub penalty: Vec<f64>,
}

impl Losses {
    pub(crate) fn zeros(n: usize) -> Self {
        Losses { loss: vec![0.0; n], penalty: vec![0.0; n] }
    }

    /// Mean loss over the batch; NaN if the batch is empty.
    #[must_use]
    pub fn mean_loss(&self) -> f64 {
        self.loss.iter().sum::<f64>() / self.loss.len() as f64
    }

    /// Mean penalty over the batch; NaN if the batch is empty.
    #[must_use]
    pub fn mean_penalty(&self) -> f64 {
        self.penalty.iter().sum::<f64>() / self.penalty.len() as f64
    }
}

/// The gradient of an objective with respect to an output, for [`crate::Engine::backward`]. The objective may be any function of the
/// whole batch. A slice converts to output gradients with penalty weight 1 and no free bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutputGradients<'a, E> {
    /// d objective / d output, of the output's shape `[n, c, h, w]`. If the objective is a mean over the batch, the factor 1 / n is
    /// included.
    pub values: &'a [E],
    /// Weight of the mean penalty in the objective, as [`Criterion::weight`].
    pub weight: f64,
    /// Free bits, as [`Criterion::free_bits`].
    pub free_bits: f64,
}

impl<'a, E> From<&'a [E]> for OutputGradients<'a, E> {
    fn from(values: &'a [E]) -> Self {
        OutputGradients { values, weight: 1.0, free_bits: 0.0 }
    }
}

impl<'a, E> From<&'a Vec<E>> for OutputGradients<'a, E> {
    fn from(values: &'a Vec<E>) -> Self {
        values.as_slice().into()
    }
}

/// The results of [`crate::Engine::backward`] other than the gradients of the parameters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Backward<E> {
    /// The penalty of each sample `[n]`, neither weighted nor averaged, as in [`Losses::penalty`].
    pub penalty: Vec<f64>,
    /// d objective / d input, of the input's shape `[n, c, h, w]`; the penalty is included. `None` unless the engine was made by
    /// [`crate::EngineOptions::input_gradients`].
    pub input_gradients: Option<Vec<E>>,
}
