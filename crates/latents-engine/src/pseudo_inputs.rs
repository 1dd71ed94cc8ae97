//! The prior of [`Layer::VampPrior`]: the posteriors of pseudo-inputs as parameters that are derived from the others, and the gradient that goes
//! from them through the encoder. A pass over a batch sees a mixture like any other and knows nothing of this module.

use std::ops::Range;

use crate::batch::{Inputs, Pass, expect_size};
use crate::criterion::OutputGradients;
use crate::engine::Engine;
use crate::error::Error;
use crate::executor::{Gradients, Head};
use crate::kernels::Element;
use crate::layer::Layer;
use crate::network::{Layout, Node};

/// The places of the `k` pseudo-inputs and of their posteriors among the parameters of a network with a [`Layer::VampPrior`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PseudoInputs {
    /// The layers that map images to posteriors, counted through all sections.
    pub encoder: Range<usize>,
    /// The pseudo-inputs `[k, c, h, w]`.
    pub images: Range<usize>,
    /// The means of their posteriors `[k, d]`.
    pub means: Range<usize>,
    /// The log-variances of their posteriors `[k, d]`.
    pub log_variances: Range<usize>,
}

impl PseudoInputs {
    /// How many there are, `k`.
    #[must_use]
    pub fn count(&self, layout: &Layout) -> usize {
        self.images.len() / layout.shape(0).iter().product::<usize>()
    }
}

impl Layout {
    /// The pseudo-inputs of the network, if its prior is made of them.
    #[must_use]
    pub fn pseudo_inputs(&self) -> Option<PseudoInputs> {
        let at = self.nodes().iter().position(is_vamp)?;
        let all = &self.parameters()[self.nodes()[at].parameters.clone()];
        let [images, means, log_variances] = all else { return None };
        Some(PseudoInputs {
            encoder: 0..at,
            images: images.range(),
            means: means.range(),
            log_variances: log_variances.range(),
        })
    }

    /// Refuses a [`Layer::VampPrior`] whose pseudo-inputs cannot be encoded.
    pub(crate) fn check_pseudo_inputs(&self) -> Result<(), Error> {
        let count = count(self.nodes());
        let can_encode = |prior: PseudoInputs| {
            let encoder = || prior.encoder.clone();
            self.section(0).contains(&prior.encoder.end)
                && !self.parameters_of(encoder()).is_empty()
                && !self.needs_conditions(encoder(), false)
        };
        if count == 0 || (count == 1 && self.pseudo_inputs().is_some_and(can_encode)) {
            return Ok(());
        }
        Err(Error::Network(
            "a layer `vamp_prior` must be the only one of the network and belong to the first section, after layers that learn and take no condition".into(),
        ))
    }
}

fn is_vamp(node: &Node) -> bool {
    matches!(node.layer, Layer::VampPrior { .. })
}

/// How many such layers there are, those inside others included.
fn count(nodes: &[Node]) -> usize {
    let each = nodes.iter();
    each.map(|node| usize::from(is_vamp(node)) + count(&node.branch) + count(&node.shortcut)).sum()
}

impl<E: Element> Engine<E> {
    /// Makes the prior of a network with a [`Layer::VampPrior`] agree with its other parameters: limits the pixels of the pseudo-inputs to
    /// [0, 1], and sets the means and log-variances of the prior to those of the posteriors of the pseudo-inputs. Call it whenever parameters have
    /// changed, as after each step of an optimiser; all other calls of the engine take the prior as they find it. [`Engine::gradients`],
    /// [`Engine::importance_gradients`] and [`Engine::backward`] differentiate through it. Networks with other priors are left as they are.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use latents_engine::{Engine, Init, Inputs, Layer, Network, Runtime, Section, initialize};
    ///
    /// # fn main() -> Result<(), latents_engine::Error> {
    /// let layers = vec![Layer::Linear { out_features: 4 }, Layer::VampPrior { components: 3 }];
    /// let network = Network { input: [1, 2, 2], sections: vec![Section { name: "encoder".into(), layers }] };
    /// let mut engine = Engine::<f32>::new(&network, Arc::new(Runtime::new(Some(1), None)?))?;
    /// let mut parameters = initialize(engine.layout(), Init::default(), 1);
    /// engine.update_prior(&mut parameters)?;
    ///
    /// let prior = engine.layout().pseudo_inputs().expect("the network has some");
    /// let images = Inputs::Values(&parameters[prior.images]); // [3, 1, 2, 2]
    /// let posteriors = engine.forward_layers(&parameters, images, prior.encoder)?; // [3, 4]
    /// assert_eq!(posteriors[..2], parameters[prior.means][..2]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the parameters have the wrong size.
    pub fn update_prior(&mut self, parameters: &mut [E]) -> Result<(), Error> {
        expect_size("parameters", parameters.len(), self.layout().parameter_count())?;
        let Some(prior) = self.layout().pseudo_inputs() else { return Ok(()) };
        let (zero, one) = (E::default(), E::from_f64(1.0));
        for pixel in &mut parameters[prior.images.clone()] {
            // One that is not a number stays, so that it is noticed.
            *pixel = match *pixel {
                pixel if pixel < zero => zero,
                pixel if pixel > one => one,
                pixel => pixel,
            };
        }
        let images = Inputs::Values(&parameters[prior.images.clone()]);
        let posteriors = self.forward_layers(parameters, images, prior.encoder.clone())?;
        let d = self.latents_of(&prior);
        for (k, posterior) in posteriors.chunks_exact(2 * d).enumerate() {
            let (means, log_variances) = posterior.split_at(d);
            parameters[prior.means.clone()][k * d..(k + 1) * d].copy_from_slice(means);
            parameters[prior.log_variances.clone()][k * d..(k + 1) * d]
                .copy_from_slice(log_variances);
        }
        Ok(())
    }

    /// The dimensions of a latent vector.
    fn latents_of(&self, prior: &PseudoInputs) -> usize {
        self.numbers(prior.encoder.end) / 2
    }

    /// Takes the gradient by the posteriors of pseudo-inputs, where passes over a batch left it, back to the pseudo-inputs, and adds it to the
    /// gradient of the encoder. The posteriors themselves are left with none. Does nothing if the network has no pseudo-inputs.
    pub(crate) fn backward_pseudo_inputs(
        &mut self,
        parameters: &[E],
        gradients: &mut [E],
    ) -> Result<(), Error> {
        let Some(prior) = self.layout().pseudo_inputs() else { return Ok(()) };
        let d = self.latents_of(&prior);
        let of_means = gradients[prior.means.clone()].chunks_exact(d);
        let each = of_means.zip(gradients[prior.log_variances.clone()].chunks_exact(d));
        let of_posteriors: Vec<E> =
            each.flat_map(|(means, logs)| means.iter().chain(logs)).copied().collect();
        let images = &parameters[prior.images.clone()];
        let (batch, pass) = (Inputs::Values(images).into(), Pass::Evaluate);
        let job = self.job(parameters, batch, prior.encoder.clone(), pass, false)?;
        let mut of_encoder = vec![E::default(); gradients.len()];
        let mut of_images = vec![E::default(); images.len()];
        let range = self.layout().parameters_of(prior.encoder.clone());
        let end = range.end;
        let out = Gradients { parameters: &mut of_encoder, range, inputs: Some(&mut of_images) };
        let given = OutputGradients { values: &of_posteriors, weight: 0.0, free_bits: 0.0 };
        self.executor.gradients(&job, Head::Gradients(given), out);

        // Not running statistics: those of the batch stay in their places.
        for Range { start, end: stop } in self.layout().trained() {
            let both = start..stop.min(end).max(start);
            let terms = &of_encoder[both.clone()];
            for (sum, &term) in gradients[both].iter_mut().zip(terms) {
                *sum = sum.plus(term);
            }
        }
        gradients[prior.images].copy_from_slice(&of_images);
        gradients[prior.means].fill(E::default());
        gradients[prior.log_variances].fill(E::default());
        Ok(())
    }
}
