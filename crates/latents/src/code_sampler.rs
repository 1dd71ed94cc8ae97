//! New codes from the prior of a VQ-VAE: the code of each place is drawn given those before it, row by row.

use std::sync::Arc;

use latents_engine::{Engine, Inputs, Network, Runtime, Shape};
use latents_explore::samplers::Temperature;
use latents_models::CodePrior;
use latents_progress::Monitor;
use latents_random::{Purpose, Stream, stream};

use crate::conditions::Conditions;
use crate::error::Result;

/// Images of codes that are drawn at once.
const BLOCK: usize = 256;

/// Draws images of codes `[c, h, w]`.
pub(crate) struct CodeSampler {
    shape: Shape,
    parameters: Vec<f32>,
    /// All codes `[codes, c]`.
    codes: Vec<f32>,
    /// Of each row of places, the prior of the rows up to it: those below have no effect on it.
    rows: Vec<Engine>,
}

impl CodeSampler {
    pub(crate) fn new(prior: CodePrior<f32>, runtime: &Arc<Runtime>) -> Result<Self> {
        let shape = prior.network.input;
        let [c, h, w] = shape;
        let row = |i: usize| {
            let network = Network { input: [c, i + 1, w], ..prior.network.clone() };
            Engine::new(&network, Arc::clone(runtime))
        };
        let rows = (0..h).map(row).collect::<std::result::Result<Vec<_>, _>>()?;
        let CodePrior { parameters, codes, .. } = prior;
        Ok(CodeSampler { shape, parameters, codes, rows })
    }

    /// `n` images of codes `[n, c, h, w]`; of a conditional prior with the conditions of as many images. Each depends only on the prior, the
    /// temperature, the seed, its condition and its own index.
    pub(crate) fn sample(
        &mut self,
        n: usize,
        given: &Conditions,
        temperature: Temperature,
        seed: u64,
        monitor: &Monitor,
    ) -> Result<Vec<f32>> {
        let size: usize = self.shape.iter().product();
        let mut z = vec![0.0; n * size];
        let task = monitor.task("drawing codes");
        for (block, z) in z.chunks_mut(BLOCK * size).enumerate() {
            let first = block * BLOCK;
            let images = first..first + z.len() / size;
            let mut draws: Vec<Stream> =
                images.clone().map(|i| stream(seed, Purpose::Sample, i as u64, 0)).collect();
            let conditions = given.of(images.clone());
            for row in 0..self.rows.len() {
                monitor.check()?;
                self.draw_row(row, z, &conditions, temperature, &mut draws)?;
            }
            task.progress(images.end as u64, n as u64, "");
        }
        Ok(z)
    }

    /// Draws the codes of a row of each image, place by place.
    fn draw_row(
        &mut self,
        row: usize,
        z: &mut [f32],
        conditions: &[f32],
        temperature: Temperature,
        draws: &mut [Stream],
    ) -> Result<()> {
        let [c, h, w] = self.shape;
        let (places, known) = (h * w, (row + 1) * w);
        let codes = self.codes.len() / c;
        for place in row * w..known {
            let rows = z.chunks_exact(places).flat_map(|channel| &channel[..known]);
            let rows: Vec<f32> = rows.copied().collect();
            let batch = Inputs::Values(&rows).with_conditions(conditions);
            let logits = self.rows[row].forward(&self.parameters, batch, 0..1)?;
            let each = z.chunks_exact_mut(c * places).zip(logits.chunks_exact(codes * known));
            for ((z, logits), draws) in each.zip(draws.iter_mut()) {
                let of_place = || logits.iter().skip(place).step_by(known).copied();
                let code = draw(of_place, temperature, draws.uniform());
                for (channel, z) in z.chunks_exact_mut(places).enumerate() {
                    z[place] = self.codes[code * c + channel];
                }
            }
        }
        Ok(())
    }
}

/// The number that a uniform number in [0, 1) draws from a categorical distribution that is given by its logits, at a temperature.
fn draw<I: Iterator<Item = f32>>(
    logits: impl Fn() -> I,
    temperature: Temperature,
    uniform: f64,
) -> usize {
    let largest = logits().fold(f32::NEG_INFINITY, f32::max);
    let weight = |x: f32| libm::exp(f64::from(x - largest) / temperature.value());
    let weights: Vec<f64> = logits().map(weight).collect();
    let mut left = uniform * weights.iter().sum::<f64>();
    for (number, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return number;
        }
    }
    weights.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_drawn_by_their_probabilities() {
        let logits = [0.0, 3.0_f32.ln(), f32::NEG_INFINITY, 4.0_f32.ln()];
        let at =
            |t, uniform| draw(|| logits.iter().copied(), Temperature::new(t).unwrap(), uniform);
        let of = |uniform| at(1.0, uniform);
        assert_eq!([0.0, 0.124, 0.126, 0.49, 0.51, 0.999_999].map(of), [0, 0, 1, 1, 3, 3]);
        // The probabilities 1, 9, 0 and 16 of 26.
        assert_eq!([0.03, 0.04, 0.38, 0.39].map(|uniform| at(0.5, uniform)), [0, 1, 1, 3]);
        assert_eq!([0.001, 0.999].map(|uniform| at(1e-3, uniform)), [3, 3]);
        let mut counts = [0_i32; 4];
        let mut draws = stream(1, Purpose::Synthetic, 0, 0);
        for _ in 0..8_000 {
            counts[of(draws.uniform())] += 1;
        }
        for (count, expected) in counts.iter().zip([1_000, 3_000, 0, 4_000]) {
            assert!((count - expected).abs() < 150, "{counts:?}");
        }
    }
}
