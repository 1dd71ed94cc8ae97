//! The posterior of a variational autoencoder, and the importance-weighted bound on log p(x).

use std::ops::Range;

use latents_engine::{Batch, Criterion, Element, Engine, Layer, Layout, Loss, Pass, Targets};

use latents_progress::Monitor;

use crate::error::Error;

/// The layers that map images `[n, c, h, w]` to the means and the log-variances `[n, 2 d]` of the latents' posterior. `None` if the network is
/// not that of a variational autoencoder. Pass the range to [`Engine::forward_layers`].
#[must_use]
pub fn posterior(layout: &Layout) -> Option<Range<usize>> {
    let at = layout.layers().position(|layer| *layer == Layer::Gaussian)?;
    Some(0..at)
}

/// The importance-weighted bound on log p(x) of each image, `[n]`, in nats: the logarithm of the mean of p(x|z) p(z) / q(z|x) over `draws`
/// draws of z from q(z|x) (Burda et al., 2016). On average the bound does not fall as the number of draws grows. With one draw it is the
/// evidence lower bound (ELBO), which training maximises. Of a conditional model, whose batch has the images' classes y as conditions, it is
/// a bound on log p(x|y).
///
/// The seed and the image's index in the collection address its draws, so the bound of an image does not depend on other images.
///
/// ```
/// use std::sync::Arc;
///
/// use latents_engine::{Engine, Init, Inputs, Runtime, initialize};
/// use latents_models::{Model, VaeConfig, importance_bound};
/// use latents_progress::Monitor;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let vae = VaeConfig::for_images([1, 8, 8]);
/// let runtime = Arc::new(Runtime::new(Some(1), None)?);
/// let mut engine = Engine::<f32>::new(&vae.network([1, 8, 8], 0)?, runtime)?;
/// let parameters = initialize(engine.layout(), Init::default(), 1);
/// let images = vec![0.5; 2 * 64]; // [n, c, h, w] in [0, 1]
/// let inputs = Inputs::Values(&images);
/// let (criterion, monitor) = (vae.criterion(), Monitor::default());
/// let bounds = importance_bound(&mut engine, &parameters, inputs, criterion, 1, 10, &monitor)?;
/// assert_eq!(bounds.len(), 2);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::NotVariational`] if the network has no posterior or the criterion's loss is not a likelihood, [`Error::NoDraws`] if `draws` is 0,
/// [`Error::Interrupted`] if `monitor` is cancelled, which is checked before each draw, and the errors of [`Engine::losses`].
pub fn importance_bound<'a, E: Element>(
    engine: &mut Engine<E>,
    parameters: &[E],
    batch: impl Into<Batch<'a, E>>,
    criterion: Criterion,
    seed: u64,
    draws: u64,
    monitor: &Monitor,
) -> Result<Vec<f64>, Error> {
    let likelihood = matches!(
        criterion.loss,
        Loss::Bernoulli | Loss::ContinuousBernoulli | Loss::Gaussian { .. }
    );
    if !likelihood || posterior(engine.layout()).is_none() {
        return Err(Error::NotVariational);
    }
    if draws == 0 {
        return Err(Error::NoDraws);
    }
    let batch = batch.into();
    // For each image: the largest log-weight so far, and the sum of all weights as a multiple of the largest.
    let mut sums: Vec<(f64, f64)> = vec![];
    for draw in 0..draws {
        monitor.check()?;
        let pass = Pass::Importance { seed, draw };
        let losses = engine.losses(parameters, batch, Targets::Inputs, criterion, pass)?;
        sums.resize(losses.loss.len(), (f64::NEG_INFINITY, 0.0));
        let weights =
            losses.loss.iter().zip(&losses.penalty).map(|(loss, penalty)| -loss - penalty);
        for ((largest, sum), weight) in sums.iter_mut().zip(weights) {
            let above = largest.max(weight);
            *sum = *sum * libm::exp(*largest - above) + libm::exp(weight - above);
            *largest = above;
        }
    }
    let draws = libm::log(draws as f64);
    Ok(sums.into_iter().map(|(largest, sum)| largest + libm::log(sum) - draws).collect())
}
