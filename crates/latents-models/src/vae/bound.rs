//! The importance-weighted bound on log p(x) of a variational autoencoder.

use std::f64::consts::TAU;
use std::ops::Range;

use latents_engine::{Batch, Criterion, Element, Engine, Layout, Loss, Losses, Pass, Targets};

use latents_progress::Monitor;

use crate::error::Error;
use crate::posterior::posterior;

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
    check(engine.layout(), criterion, draws)?;
    let (batch, mut mean) = (batch.into(), LogMean::default());
    for draw in 0..draws {
        monitor.check()?;
        let losses = importance_losses(engine, parameters, batch, criterion, seed, draw)?;
        mean.add(log_weights(&losses));
    }
    Ok(mean.finish(draws))
}

/// Two importance-weighted bounds of each image `[n]` by the same draws: the first as [`importance_bound`], the second with another prior in
/// place of the model's own. `log_prior` gives the logarithm of its density at each of some latents `[n, d]`, in nats. A density that was
/// fitted to draws of the posteriors of the training images makes the second bound the higher one, by as much as it is nearer to them.
///
/// # Errors
/// Those of [`importance_bound`] and of `log_prior`.
#[allow(clippy::too_many_arguments)] // Those of `importance_bound`, and one more.
pub fn importance_bounds_under<'a, E: Element, X: From<Error>>(
    engine: &mut Engine<E>,
    parameters: &[E],
    batch: impl Into<Batch<'a, E>>,
    criterion: Criterion,
    seed: u64,
    draws: u64,
    mut log_prior: impl FnMut(&[E]) -> Result<Vec<f64>, X>,
    monitor: &Monitor,
) -> Result<[Vec<f64>; 2], X> {
    let encoder = check(engine.layout(), criterion, draws)?;
    let (batch, mut means) = (batch.into(), [LogMean::default(), LogMean::default()]);
    let layers = posterior(engine.layout()).ok_or(Error::NotVariational)?;
    let given = engine.forward_layers(parameters, batch, layers).map_err(Error::from)?;
    for draw in 0..draws {
        monitor.check().map_err(Error::from)?;
        let losses = importance_losses(engine, parameters, batch, criterion, seed, draw)?;
        let pass = Pass::Sample { seed, draw };
        let z = engine.outputs(parameters, batch, encoder.clone(), pass).map_err(Error::from)?;
        let priors = log_prior(&z)?;
        let d = z.len() / priors.len().max(1);
        let each = z.chunks_exact(d.max(1)).zip(given.chunks_exact((2 * d).max(1)));
        let densities = each.map(|(z, given)| log_posterior(z, given));
        let other = losses.loss.iter().zip(priors).zip(densities);
        let other = other.map(|((loss, prior), density)| prior - density - loss).collect();
        for (mean, weights) in means.iter_mut().zip([log_weights(&losses), other]) {
            mean.add(weights);
        }
    }
    Ok(means.map(|mean| mean.finish(draws)))
}

/// The sections that end with the posterior, if there are importance weights.
fn check(layout: &Layout, criterion: Criterion, draws: u64) -> Result<Range<usize>, Error> {
    let likelihood = matches!(
        criterion.loss,
        Loss::Bernoulli | Loss::ContinuousBernoulli | Loss::Gaussian { .. }
    );
    let layers = posterior(layout).filter(|_| likelihood).ok_or(Error::NotVariational)?;
    if draws == 0 {
        return Err(Error::NoDraws);
    }
    let last = (0..layout.section_count()).find(|&i| layout.section(i).end == layers.end + 1);
    Ok(0..last.ok_or(Error::NotVariational)? + 1)
}

/// For one draw of z of each image `[n]`: -log p(x|z), and log q(z|x) - log p(z) as the penalty.
fn importance_losses<E: Element>(
    engine: &mut Engine<E>,
    parameters: &[E],
    batch: Batch<'_, E>,
    criterion: Criterion,
    seed: u64,
    draw: u64,
) -> Result<Losses, Error> {
    let pass = Pass::Importance { seed, draw };
    Ok(engine.losses(parameters, batch, Targets::Inputs, criterion, pass)?)
}

/// The logarithm of p(x|z) p(z) / q(z|x) of each image `[n]`.
fn log_weights(losses: &Losses) -> Vec<f64> {
    losses.loss.iter().zip(&losses.penalty).map(|(loss, penalty)| -loss - penalty).collect()
}

/// The logarithm of q(z|x) for a draw z `[d]` and the means and log-variances `[2 d]` of the posterior.
fn log_posterior<E: Element>(z: &[E], given: &[E]) -> f64 {
    let (means, logs) = given.split_at(z.len());
    let each = z.iter().zip(means.iter().zip(logs)).map(|(z, (mean, log))| {
        let (apart, log) = (z.to_f64() - mean.to_f64(), log.to_f64());
        apart * apart * libm::exp(-log) + log + libm::log(TAU)
    });
    -0.5 * each.sum::<f64>()
}

/// The logarithm of a mean of numbers that are given by their logarithms, for each image.
#[derive(Default)]
struct LogMean {
    /// The largest number so far, and the sum of all as a multiple of it.
    sums: Vec<(f64, f64)>,
}

impl LogMean {
    fn add(&mut self, logs: Vec<f64>) {
        self.sums.resize(logs.len(), (f64::NEG_INFINITY, 0.0));
        for ((largest, sum), log) in self.sums.iter_mut().zip(logs) {
            let above = largest.max(log);
            *sum = *sum * libm::exp(*largest - above) + libm::exp(log - above);
            *largest = above;
        }
    }

    fn finish(self, numbers: u64) -> Vec<f64> {
        let numbers = libm::log(numbers as f64);
        let each = self.sums.into_iter();
        each.map(|(largest, sum)| largest + libm::log(sum) - numbers).collect()
    }
}
