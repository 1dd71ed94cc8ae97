//! The engine: outputs, losses and gradients of batches, on all worker threads. It keeps buffers but no visible state: the same call
//! gives the same bits on any number of threads. This module checks the arguments; an [`Executor`] computes.

use std::ops::Range;
use std::sync::Arc;

use crate::batch::{Batch, Pass, Targets, expect_size};
use crate::criterion::{Backward, CoupledCriterion, Criterion, Losses, OutputGradients};
use crate::error::Error;
use crate::exact::ExactExecutor;
use crate::executor::{Added, Executor, Gradients, Head, Job};
use crate::importance_weights::draws_at_once;
use crate::kernels::Element;
use crate::kernels::loss::Loss;
use crate::network::{Layout, Network};
use crate::options::EngineOptions;
use crate::parameter::Parameter;
use crate::planner;
use crate::runtime::Runtime;
use crate::simd::LANES;

/// Computes outputs, losses and gradients of a network in numbers of type `E`: `f32`, or `f64` to check gradients. The crate's
/// documentation has an example of a training loop.
#[derive(Debug)]
pub struct Engine<E = f32> {
    layout: Layout,
    runtime: Arc<Runtime>,
    pub(crate) executor: Box<dyn Executor<E>>,
    options: EngineOptions,
}

impl<E: Element> Engine<E> {
    /// Checks the network and allocates its buffers, with the default options.
    ///
    /// # Errors
    /// Those of [`Network::layout`].
    pub fn new(network: &Network, runtime: Arc<Runtime>) -> Result<Self, Error> {
        Engine::with_options(network, runtime, EngineOptions::default())
    }

    /// Checks the network and allocates its buffers.
    ///
    /// # Errors
    /// Those of [`Network::layout`].
    pub fn with_options(
        network: &Network,
        runtime: Arc<Runtime>,
        options: EngineOptions,
    ) -> Result<Self, Error> {
        let layout = network.layout()?;
        let plan = planner::plan(&layout, options);
        let executor = Box::new(ExactExecutor::new(plan, Arc::clone(&runtime)));
        Ok(Engine { layout, runtime, executor, options })
    }

    /// The shapes and parameters of the network.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Multiply-adds of the forward pass of one sample through the convolutions and linear layers by their definition. Padding is not
    /// counted; multiplications that Winograd's transforms avoid are.
    #[must_use]
    pub fn multiply_adds(&self) -> u64 {
        crate::affine::multiply_adds(self.layout.nodes())
    }

    /// About how many bytes training steps of so many samples, with so many draws of the latents of each, take beside parameters and gradients: the buffers of a number of worker threads,
    /// packed parameters, the parts of the gradients, and room for transforms. Nothing is allocated.
    ///
    /// # Errors
    /// Those of [`Network::layout`].
    pub fn step_memory(
        network: &Network,
        options: EngineOptions,
        (samples, draws): (usize, usize),
        threads: usize,
    ) -> Result<u64, Error> {
        let layout = network.layout()?;
        let plan = planner::plan(&layout, options);
        let pseudo_inputs = layout.pseudo_inputs().map_or(0, |prior| prior.count(&layout));
        let of_samples = samples.saturating_mul(draws).div_ceil(draws_at_once(draws.max(1)));
        let micro_batches = of_samples.max(pseudo_inputs.div_ceil(LANES));
        Ok(crate::memory::of_steps::<E>(&plan, micro_batches, threads))
    }

    /// The worker threads and the instruction set.
    #[must_use]
    pub fn runtime(&self) -> &Arc<Runtime> {
        &self.runtime
    }

    /// The loss and penalty of each sample of a batch `[n]`. Writes the gradient of the mean criterion for every parameter to
    /// `gradients`, in the order of `parameters`. A [`CoupledCriterion`] adds the gradient of a term of the objective that couples the samples
    /// of the batch.
    ///
    /// # Errors
    /// If parameters, inputs, conditions, targets or the added gradient have the wrong size or are out of range, or the gradient is not that of
    /// the input of a layer of latents before the loss; nothing is computed then.
    pub fn gradients<'a>(
        &mut self,
        parameters: &[E],
        batch: impl Into<Batch<'a, E>>,
        targets: Targets<'_, E>,
        criterion: impl Into<CoupledCriterion<'a, E>>,
        pass: Pass,
        gradients: &mut [E],
    ) -> Result<Losses, Error> {
        let coupled = criterion.into();
        let criterion = coupled.criterion;
        let mut job = self.job_of_loss(parameters, batch.into(), targets, &criterion, pass)?;
        job.added = self.added(&coupled, &job)?;
        let range = 0..self.layout.parameter_count();
        expect_size("gradients", gradients.len(), range.len())?;
        let all = Gradients { parameters: &mut *gradients, range, inputs: None };
        let losses = self.executor.gradients(&job, Head::Loss(criterion, targets), all);
        self.backward_pseudo_inputs(parameters, gradients)?;
        Ok(losses)
    }

    /// The loss and penalty of each sample of a batch `[n]`, without gradients.
    ///
    /// # Errors
    /// Those of [`Engine::gradients`].
    pub fn losses<'a>(
        &mut self,
        parameters: &[E],
        batch: impl Into<Batch<'a, E>>,
        targets: Targets<'_, E>,
        criterion: impl Into<Criterion>,
        pass: Pass,
    ) -> Result<Losses, Error> {
        let criterion = criterion.into();
        let job = self.job_of_loss(parameters, batch.into(), targets, &criterion, pass)?;
        Ok(self.executor.losses(&job, &criterion, targets))
    }

    /// The output `[n, c, h, w]` of some sections in evaluation mode ([`Pass::Evaluate`]), for inputs of the input shape of the first.
    ///
    /// # Errors
    /// If parameters, inputs or conditions have the wrong size, or a section does not exist.
    pub fn forward<'a>(
        &mut self,
        parameters: &[E],
        batch: impl Into<Batch<'a, E>>,
        sections: Range<usize>,
    ) -> Result<Vec<E>, Error> {
        self.outputs(parameters, batch, sections, Pass::Evaluate)
    }

    /// As [`Engine::forward`], for a range of layers, counted through all sections. The range must not separate a ReLU from the
    /// convolution, linear layer or normalisation before it, because both are computed together.
    ///
    /// # Errors
    /// If parameters, inputs or conditions have the wrong size, or a layer does not exist.
    pub fn forward_layers<'a>(
        &mut self,
        parameters: &[E],
        batch: impl Into<Batch<'a, E>>,
        layers: Range<usize>,
    ) -> Result<Vec<E>, Error> {
        self.outputs_of_layers(parameters, batch, layers, Pass::Evaluate)
    }

    /// The output `[n, c, h, w]` of some sections with the draws of the pass (dropout, noise, latents), for inputs of the input shape of
    /// the first. [`Engine::backward`] with the same arguments draws the same numbers.
    ///
    /// Draws are keyed by the seed and epoch of the pass, by the layer and by the sample: its index in the collection for
    /// [`Inputs::Images`](crate::Inputs::Images), its position in the batch for [`Inputs::Values`](crate::Inputs::Values). To draw different
    /// numbers for each batch of values, give each its own `epoch`.
    ///
    /// # Errors
    /// If parameters, inputs or conditions have the wrong size, or a section does not exist.
    pub fn outputs<'a>(
        &mut self,
        parameters: &[E],
        batch: impl Into<Batch<'a, E>>,
        sections: Range<usize>,
        pass: Pass,
    ) -> Result<Vec<E>, Error> {
        let layers = self.layers_of(sections)?;
        self.outputs_of_layers(parameters, batch, layers, pass)
    }

    /// As [`Engine::outputs`], for a range of layers as in [`Engine::forward_layers`].
    ///
    /// # Errors
    /// Those of [`Engine::forward_layers`].
    pub fn outputs_of_layers<'a>(
        &mut self,
        parameters: &[E],
        batch: impl Into<Batch<'a, E>>,
        layers: Range<usize>,
        pass: Pass,
    ) -> Result<Vec<E>, Error> {
        let limit = self.layout.layers().len();
        if layers.end > limit || layers.start > layers.end {
            return Err(Error::Range { what: "layer", got: layers.end, limit });
        }
        let job = self.job(parameters, batch.into(), layers, pass, false)?;
        Ok(self.executor.outputs(&job))
    }

    /// Backpropagates a given gradient of the output, so that the objective can be any function of the whole batch (contrastive,
    /// adversarial, codebooks). It runs the forward pass of the sections again, with the same draws as [`Engine::outputs`], and then
    /// backpropagates `output_gradients` `[n, c, h, w]`. Penalties of layers such as [`crate::Layer::Gaussian`] are added to the
    /// objective with the weight in [`OutputGradients`]. Sums have the same order as in [`Engine::gradients`]: if the given gradient has
    /// the bits of the gradient of a [`Loss`], the results are the same bits.
    ///
    /// Overwrites `gradients`, which has one number for every parameter of the network. The gradients of other sections are zero,
    /// including the positions of their running statistics, so update only the parameters of these sections
    /// ([`Layout::parameters_of`]). The gradient of a [`crate::Layer::LogScale`] is zero, because this layer belongs to the loss.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use latents_engine::{Engine, EngineOptions, Inputs, Layer, Network, Pass, Runtime, Section};
    ///
    /// # fn main() -> Result<(), latents_engine::Error> {
    /// let layers = vec![Layer::Linear { out_features: 1 }];
    /// let network = Network { input: [2, 1, 1], sections: vec![Section { name: "critic".into(), layers }] };
    /// let options = EngineOptions { input_gradients: true, ..EngineOptions::default() };
    /// let mut engine = Engine::<f64>::with_options(&network, Arc::new(Runtime::new(None, None)?), options)?;
    /// let (parameters, x, pass) = ([2.0, -1.0, 0.0], [1.0, 0.0, 0.0, 3.0], Pass::Evaluate);
    /// let y = engine.outputs(&parameters, Inputs::Values(&x), 0..1, pass)?;
    /// assert_eq!(y, [2.0, -3.0]);
    ///
    /// // The objective y[0] * y[1] couples both samples.
    /// let dy = [y[1], y[0]];
    /// let mut gradients = [0.0; 3];
    /// let back = engine.backward(&parameters, Inputs::Values(&x), &dy[..], 0..1, pass, &mut gradients)?;
    /// assert_eq!(gradients, [-3.0, 6.0, -1.0]);
    /// assert_eq!(back.input_gradients, Some(vec![-6.0, 3.0, 4.0, -2.0]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If parameters, inputs, conditions or gradients have the wrong size, or the sections do not exist or have no layers; nothing is
    /// computed then.
    pub fn backward<'a>(
        &mut self,
        parameters: &[E],
        batch: impl Into<Batch<'a, E>>,
        output_gradients: impl Into<OutputGradients<'a, E>>,
        sections: Range<usize>,
        pass: Pass,
        gradients: &mut [E],
    ) -> Result<Backward<E>, Error> {
        let layers = self.layers_of(sections)?;
        if layers.is_empty() {
            return Err(Error::Network(
                "these sections have no layers to backpropagate through".into(),
            ));
        }
        let job = self.job(parameters, batch.into(), layers.clone(), pass, true)?;
        let output_gradients = output_gradients.into();
        let numbers = |layer: usize| job.samples * self.numbers(layer);
        expect_size("gradients of the output", output_gradients.values.len(), numbers(layers.end))?;
        expect_size("gradients", gradients.len(), self.layout.parameter_count())?;
        let mut inputs =
            self.options.input_gradients.then(|| vec![E::default(); numbers(layers.start)]);
        let range = self.layout.parameters_of(layers.clone());
        let all = Gradients { parameters: &mut *gradients, range, inputs: inputs.as_deref_mut() };
        let losses = self.executor.gradients(&job, Head::Gradients(output_gradients), all);
        if layers.start == 0 {
            self.backward_pseudo_inputs(parameters, gradients)?;
        }
        Ok(Backward { penalty: losses.penalty, input_gradients: inputs })
    }

    /// Size of the input of layer `i` for one sample; if `i` is the number of layers, of the output.
    pub(crate) fn numbers(&self, i: usize) -> usize {
        self.layout.shape(i).iter().product()
    }

    fn layers_of(&self, sections: Range<usize>) -> Result<Range<usize>, Error> {
        let limit = self.layout.section_count();
        if sections.end > limit || sections.is_empty() {
            return Err(Error::Range { what: "section", got: sections.end, limit });
        }
        Ok(self.layout.section(sections.start).start..self.layout.section(sections.end - 1).end)
    }

    /// The job of a pass over existing layers, if parameters, inputs and conditions have the right size. `penalty` tells whether the
    /// penalty of the layers is needed too.
    pub(crate) fn job<'a>(
        &self,
        parameters: &'a [E],
        batch: Batch<'a, E>,
        layers: Range<usize>,
        pass: Pass,
        penalty: bool,
    ) -> Result<Job<'a, E>, Error> {
        expect_size("parameters", parameters.len(), self.layout.parameter_count())?;
        let samples = batch.inputs.check(self.numbers(layers.start))?;
        let got = batch.conditions.len();
        match self.layout.condition() {
            None => expect_size("conditions", got, 0)?,
            // Layers that read no conditions need none.
            Some(_) if got == 0 && !self.layout.needs_conditions(layers.clone(), penalty) => {}
            Some(condition) if got != samples * condition.features => {
                let (layer, features) = (condition.layer.clone(), condition.features);
                return Err(Error::Conditions { layer, samples, features, got });
            }
            Some(_) => {}
        }
        Ok(Job { parameters, batch, samples, layers, pass, added: None, draws: None })
    }

    /// The gradient that the backward pass of a job adds, if there is one and it fits.
    fn added<'a>(
        &self,
        coupled: &CoupledCriterion<'a, E>,
        job: &Job<'_, E>,
    ) -> Result<Option<Added<'a, E>>, Error> {
        let (layer, gradients) = (coupled.layer, coupled.gradients);
        if gradients.is_empty() {
            return Ok(None);
        }
        let node = self.layout.nodes()[job.layers.clone()].get(layer);
        let Some(node) = node.filter(|node| node.layer.is_latent()) else {
            return Err(Error::Network(format!(
                "layer {layer} is not a layer of latents before the loss, so no gradient can be added to that of its input"
            )));
        };
        let expected = job.samples * self.numbers(layer);
        expect_size("added gradients", gradients.len(), expected)?;
        Ok(Some(Added { layer: node.number, gradients }))
    }

    /// The job of a pass over the layers before the loss, if all arguments have the right size.
    pub(crate) fn job_of_loss<'a>(
        &self,
        parameters: &'a [E],
        batch: Batch<'a, E>,
        targets: Targets<'_, E>,
        criterion: &Criterion,
        pass: Pass,
    ) -> Result<Job<'a, E>, Error> {
        let loss = criterion.loss;
        let layers = self.layout.layers().len();
        let Some(end) = layers.checked_sub(criterion.skip).filter(|&end| end > 0) else {
            return Err(Error::Range { what: "layer", got: criterion.skip, limit: layers });
        };
        let after = self.layout.parameters_of(end..layers);
        if let Some(parameter) = self.layout.parameters().iter().find(|p| after.contains(&p.offset))
        {
            return Err(Error::Network(format!(
                "`{}` comes after the loss, so it could not learn",
                parameter.name
            )));
        }
        let job = self.job(parameters, batch, 0..end, pass, true)?;
        let (n, input, output) = (job.samples, self.numbers(0), self.numbers(end));
        let in_range = |class: Option<u16>| match class {
            Some(c) if usize::from(c) >= output => {
                Err(Error::Range { what: "class", got: c.into(), limit: output })
            }
            _ => Ok(()),
        };
        match (targets, loss) {
            (Targets::Classes(classes), Loss::CrossEntropy { label_smoothing }) => {
                fraction("label smoothing", label_smoothing)?;
                expect_size("classes", classes.len(), n)?;
                in_range(classes.iter().copied().max())?;
            }
            (Targets::Mixup(mixtures), Loss::CrossEntropy { label_smoothing }) => {
                fraction("label smoothing", label_smoothing)?;
                expect_size("mixup targets", mixtures.len(), n)?;
                in_range(mixtures.iter().flat_map(|m| m.classes).max())?;
                mixtures.iter().try_for_each(|m| fraction("weight of a class", m.weight.into()))?;
            }
            (Targets::Classes(_) | Targets::Mixup(_), _) | (_, Loss::CrossEntropy { .. }) => {
                return Err(Error::Network(format!(
                    "{loss:?} does not fit these targets: cross-entropy needs classes, and every other loss needs numbers"
                )));
            }
            (Targets::Inputs, _) => {
                expect_size("outputs, to be compared with the inputs", output, input)?;
            }
            (Targets::Values(values), _) => expect_size("targets", values.len(), n * output)?,
        }
        if loss == (Loss::Gaussian { deviation: None })
            && !self.layout.parameters().iter().any(Parameter::is_log_scale)
        {
            return Err(Error::Network(
                "a Gaussian likelihood with a learned deviation needs a layer `log_scale`".into(),
            ));
        }
        Ok(job)
    }
}

fn fraction(name: &'static str, value: f64) -> Result<(), Error> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::Setting { name, value, expected: "from 0 to 1" })
}
