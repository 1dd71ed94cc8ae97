//! Penalties that are functions of the posterior of a whole batch, with their gradients, which [`crate::Engine::gradients`] adds where the
//! backward pass arrives at the posterior. Networks and settings are not known here.

use rayon::prelude::*;

use crate::batch::{Inputs, Pass, expect_size};
use crate::draws::draw_latents;
use crate::engine::Engine;
use crate::error::Error;
use crate::kernels::Element;
use crate::kernels::batch_penalty::{
    Arrange, CorrelationColumns, CorrelationRows, MmdRows, PLANES, Planes,
};
use crate::kernels::latent::Prior;
use crate::lanes::from_lanes;
use crate::runtime::Runtime;
use crate::simd::LANES;

/// The posterior q(z|x) of each of the `n` samples of a batch, a normal distribution with independent axes, and one draw z of it:
/// mean + exp(log-variance / 2) * draw. The penalties of it are the same bits on every instruction set and on any number of threads.
///
/// ```
/// use latents_engine::{Posterior, Runtime};
///
/// # fn main() -> Result<(), latents_engine::Error> {
/// let runtime = Runtime::new(Some(1), None)?;
/// // Two samples of two latents that are all but certain, and the same on both axes: log 2 nats.
/// let parameters = [1.0, 1.0, -9.0, -9.0, -1.0, -1.0, -9.0, -9.0];
/// let posterior = Posterior { dim: 2, parameters: &parameters, draws: &[0.0; 4] };
/// let penalty = posterior.total_correlation(&runtime)?;
/// assert!((penalty.value - 2.0_f64.ln()).abs() < 1e-6);
/// assert_eq!(penalty.gradients.len(), parameters.len());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Posterior<'a, E> {
    /// The number of latents, `d`.
    pub dim: usize,
    /// Means, then log-variances, of each sample: `[n, 2 d]`.
    pub parameters: &'a [E],
    /// Standard normal draws `[n, d]`, such as those of [`Engine::posterior_draws`].
    pub draws: &'a [E],
}

/// A penalty of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchPenalty<E> {
    /// The penalty, one number for the batch.
    pub value: f64,
    /// d penalty / d posterior `[n, 2 d]`, in which z moves with the mean and the log-variance and the draws stay.
    pub gradients: Vec<E>,
}

impl<E: Element> Posterior<'_, E> {
    /// The total correlation of the latents in nats: the divergence of q(z), the mean of the posteriors, from the product of its marginals
    /// (Chen et al., 2018). It is estimated from the batch alone by minibatch-weighted sampling: the mean over i of
    /// `log q(z_i) - sum_k log q(z_ik)`, with q(z) as the mean of the posteriors of the batch. The paper's estimate differs by
    /// (d - 1) log N for N training images, which has no gradient. The time is that of `n * n * d` exponentials.
    ///
    /// # Errors
    /// If the posterior or its draws have the wrong size.
    pub fn total_correlation(self, runtime: &Runtime) -> Result<BatchPenalty<E>, Error> {
        let samples = self.check()?;
        let (dim, isa) = (self.dim, runtime.isa());
        if samples == 0 || dim == 0 {
            return Ok(BatchPenalty { value: 0.0, gradients: vec![] });
        }
        runtime.run(|| {
            let numbers = self.planes(&[], samples, runtime);
            let planes = Planes { samples, dim, numbers: &numbers };
            let blocks = samples.div_ceil(LANES);
            let each = (1 + 2 * dim) * LANES;
            let mut rows = vec![E::default(); blocks * each];
            let sums: Vec<f64> = rows
                .par_chunks_mut(each)
                .enumerate()
                .map(|(block, out)| {
                    E::correlation_rows(isa, CorrelationRows { planes, block, out })
                })
                .collect();
            let gradients = gradients(samples, dim, |block, out| {
                let run = CorrelationColumns { planes, block, rows: &rows, out };
                E::correlation_columns(isa, run);
            });
            let n = samples as f64;
            let value = sums.iter().sum::<f64>() / n + (dim as f64 - 1.0) * libm::log(n);
            Ok(BatchPenalty { value, gradients })
        })
    }

    /// The unbiased estimate of the squared maximum mean discrepancy (MMD) between the latents z of the batch and `prior`, as many draws of the
    /// prior `[n, d]`, such as those of [`Engine::prior_draws`]. The kernel is that of [`crate::Layer::MmdPenalty`], which compares the
    /// samples of a micro-batch. Zero for fewer than two samples.
    ///
    /// # Errors
    /// If the posterior, its draws or those of the prior have the wrong size.
    pub fn mmd(self, prior: &[E], runtime: &Runtime) -> Result<BatchPenalty<E>, Error> {
        let samples = self.check()?;
        let (dim, isa) = (self.dim, runtime.isa());
        expect_size("draws of the prior", prior.len(), samples * dim)?;
        if samples < 2 || dim == 0 {
            return Ok(BatchPenalty {
                value: 0.0,
                gradients: vec![E::default(); self.parameters.len()],
            });
        }
        runtime.run(|| {
            let numbers = self.planes(prior, samples, runtime);
            let planes = Planes { samples, dim, numbers: &numbers };
            let mut out = vec![E::default(); samples.div_ceil(LANES) * 2 * dim * LANES];
            let parts: Vec<f64> = out
                .par_chunks_mut(2 * dim * LANES)
                .enumerate()
                .map(|(block, out)| E::mmd_rows(isa, MmdRows { planes, block, out }))
                .collect();
            let gradients = gradients(samples, dim, |block, lanes| {
                lanes.copy_from_slice(&out[block * lanes.len()..][..lanes.len()]);
            });
            Ok(BatchPenalty { value: parts.iter().sum(), gradients })
        })
    }

    /// The number of samples, if all sizes fit.
    fn check(&self) -> Result<usize, Error> {
        let samples = self.draws.len() / self.dim.max(1);
        expect_size("draws of the posterior", self.draws.len(), samples * self.dim)?;
        expect_size("posterior", self.parameters.len(), 2 * samples * self.dim)?;
        Ok(samples)
    }

    /// The numbers of [`Planes`].
    fn planes(&self, prior: &[E], samples: usize, runtime: &Runtime) -> Vec<E> {
        let each = PLANES * samples.next_multiple_of(LANES);
        let mut numbers = vec![E::default(); self.dim * each];
        numbers.par_chunks_mut(each).enumerate().for_each(|(axis, out)| {
            let (dim, posterior, draws) = (self.dim, self.parameters, self.draws);
            E::arrange(runtime.isa(), Arrange { axis, dim, posterior, draws, prior, out });
        });
        numbers
    }
}

/// Gradients `[n, 2 d]` from those of each block of samples, `[2 d][lane]`.
fn gradients<E: Element>(
    samples: usize,
    dim: usize,
    of_block: impl Fn(usize, &mut [E]) + Sync,
) -> Vec<E> {
    let mut all = vec![E::default(); samples * 2 * dim];
    all.par_chunks_mut(LANES * 2 * dim).enumerate().for_each(|(block, out)| {
        let mut lanes = vec![E::default(); 2 * dim * LANES];
        of_block(block, &mut lanes);
        from_lanes(&lanes, &mut out.chunks_exact_mut(2 * dim).collect::<Vec<_>>());
    });
    all
}

impl<E: Element> Engine<E> {
    /// The standard normal draws `[n, d]` by which the [`crate::Layer::Gaussian`] with the number `layer`, counted through all sections, draws
    /// the latents of these inputs in this pass; zeros in [`Pass::Evaluate`].
    ///
    /// # Errors
    /// If the inputs have the wrong size, or the layer does not exist.
    pub fn posterior_draws(
        &self,
        inputs: Inputs<'_, E>,
        layer: usize,
        pass: Pass,
    ) -> Result<Vec<E>, Error> {
        self.draws(Prior::Gaussian, inputs, layer, pass)
    }

    /// Draws of N(0, I), `[n, d]`, to compare the latents of a layer with. They depend on the same things as [`Engine::posterior_draws`], and
    /// are others; outside of training they are the same in every pass.
    ///
    /// # Errors
    /// If the inputs have the wrong size, or the layer does not exist.
    pub fn prior_draws(
        &self,
        inputs: Inputs<'_, E>,
        layer: usize,
        pass: Pass,
    ) -> Result<Vec<E>, Error> {
        self.draws(Prior::Mmd, inputs, layer, pass)
    }

    fn draws(
        &self,
        prior: Prior,
        inputs: Inputs<'_, E>,
        layer: usize,
        pass: Pass,
    ) -> Result<Vec<E>, Error> {
        let samples = inputs.check(self.layout().shape(0).iter().product())?;
        let nodes = self.layout().nodes();
        let limit = nodes.len();
        let node = nodes.get(layer).ok_or(Error::Range { what: "layer", got: layer, limit })?;
        let dim: usize = node.output.iter().product();
        let mut all = vec![E::default(); samples * dim];
        self.runtime().run(|| {
            all.par_chunks_mut(LANES * dim).enumerate().for_each(|(block, out)| {
                let mut rows: Vec<&mut [E]> = out.chunks_exact_mut(dim).collect();
                let first = block * LANES;
                let identities = first..first + rows.len();
                let identities: Vec<u64> = identities.map(|i| inputs.identity(i)).collect();
                let mut lanes = vec![E::default(); dim * LANES];
                let isa = self.runtime().isa();
                draw_latents(isa, &mut lanes, prior, pass, node.number, &identities);
                from_lanes(&lanes, &mut rows);
            });
        });
        Ok(all)
    }
}
