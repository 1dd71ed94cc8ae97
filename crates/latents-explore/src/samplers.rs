//! Random latents: from N(0, I), from the posteriors of a variational model, and uniformly from the bounding box of given latents. Gaussian
//! mixtures are in `mixture.rs`, flows in `flow.rs`.

use latents_random::{Purpose, stream};

use crate::error::Error;
use crate::rows::Rows;

/// What standard deviations are multiplied by, and logits of categorical distributions divided by: 1 leaves a distribution as it is; below 1,
/// draws are likelier and vary less, as of flows (Glow: Kingma and Dhariwal, 2018).
///
/// ```
/// use latents_explore::samplers::Temperature;
///
/// assert!((Temperature::new(0.8)?.value() - 0.8).abs() < 1e-12);
/// assert!((Temperature::default().value() - 1.0).abs() < 1e-12);
/// assert!(Temperature::new(0.0).is_err());
/// # Ok::<(), latents_explore::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Temperature(f64);

impl Default for Temperature {
    fn default() -> Self {
        Temperature(1.0)
    }
}

impl Temperature {
    /// A temperature.
    ///
    /// # Errors
    /// If it is not a finite number above 0.
    pub fn new(value: f64) -> Result<Self, Error> {
        if value > 0.0 && value.is_finite() {
            return Ok(Temperature(value));
        }
        Err(Error::Range { what: "the temperature", range: "a number above 0", got: value })
    }

    /// The number.
    #[must_use]
    pub fn value(self) -> f64 {
        self.0
    }

    /// Whether it leaves a distribution as it is.
    #[must_use]
    pub fn is_neutral(self) -> bool {
        self == Temperature::default()
    }

    /// Draws from N(0, I) as draws at this temperature.
    #[must_use]
    pub fn scaled(self, mut draws: Vec<f32>) -> Vec<f32> {
        for v in &mut draws {
            *v *= self.0 as f32;
        }
        draws
    }
}

/// `n` draws `[n, dim]` from N(0, I). Each depends only on the seed and its own index.
///
/// ```
/// let z = latents_explore::samplers::normal(100, 3, 1); // [100, 3]
/// assert_eq!(z.len(), 300);
/// assert_eq!(z[..6], latents_explore::samplers::normal(2, 3, 1)[..]);
/// ```
#[must_use]
pub fn normal(n: usize, dim: usize, seed: u64) -> Vec<f32> {
    let draw = |i: usize| {
        let mut draws = stream(seed, Purpose::Sample, i as u64, 0);
        (0..dim).map(move |_| draws.normal() as f32)
    };
    (0..n).flat_map(draw).collect()
}

/// A draw `[n, d]` from each normal distribution of these means `[n, d]` and logarithms of variances `[n, d]`. Each depends only on its
/// distribution, the seed and its own index.
///
/// ```
/// use latents_explore::{Rows, samplers};
///
/// let (means, logs) = ([3.0, -1.0], [-2.0, 0.5]); // a distribution of 2 dimensions
/// let z = samplers::posterior(Rows::new(&means, 2)?, Rows::new(&logs, 2)?, 1)?;
/// assert_eq!(z.len(), 2);
/// # Ok::<(), latents_explore::Error>(())
/// ```
///
/// # Errors
/// If there are not as many variances as means.
pub fn posterior(means: Rows<'_>, log_variances: Rows<'_>, seed: u64) -> Result<Vec<f32>, Error> {
    let (expected, got) = (means.values().len(), log_variances.values().len());
    if got != expected || means.dim() != log_variances.dim() {
        return Err(Error::Size { what: "the variances", expected, got });
    }
    let each = means.iter().zip(log_variances.iter()).enumerate();
    Ok(each
        .flat_map(|(i, (means, logs))| {
            let mut draws = stream(seed, Purpose::Sample, i as u64, 1);
            means.iter().zip(logs).map(move |(&mean, &log)| {
                let deviation = libm::exp(0.5 * f64::from(log));
                (f64::from(mean) + deviation * draws.normal()) as f32
            })
        })
        .collect())
}

/// `n` draws `[n, d]`, uniform in the bounding box of `latents`: each coordinate lies between the minimum and the maximum of its axis.
/// Each draw depends only on `latents`, the seed and its own index.
#[must_use]
pub fn uniform(latents: Rows<'_>, n: usize, seed: u64) -> Vec<f32> {
    let mut ends = vec![(f32::INFINITY, f32::NEG_INFINITY); latents.dim()];
    for row in latents.iter() {
        for (end, &v) in ends.iter_mut().zip(row) {
            *end = (end.0.min(v), end.1.max(v));
        }
    }
    let ends = &ends;
    let draw = |i: usize| {
        let mut draws = stream(seed, Purpose::Sample, i as u64, 0);
        ends.iter().map(move |&(low, high)| {
            (f64::from(low) + draws.uniform() * (f64::from(high) - f64::from(low))) as f32
        })
    };
    (0..n).flat_map(draw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temperatures_are_above_0() {
        for no in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let error = Temperature::new(no).unwrap_err().to_string();
            assert!(error.contains("must be a number above 0"), "{error}");
        }
        assert!(Temperature::default().is_neutral());
        let half = Temperature::new(0.5).unwrap();
        assert!(!half.is_neutral());
        assert_eq!(half.scaled(vec![3.0, -1.0]), [1.5, -0.5]);
    }

    #[test]
    fn draws_have_the_right_moments_and_bounds() {
        let z = normal(5000, 2, 1);
        let square: f32 = z.iter().map(|v| v * v).sum::<f32>() / 10_000.0;
        assert!((square - 1.0).abs() < 0.06, "{square}");
        assert_eq!(z[..6], normal(3, 2, 1)[..], "each draw depends on its own index only");
        let (means, logs) = ([5.0, -1.0].repeat(3000), [-2.0, 1.0].repeat(3000));
        let rows = |values| Rows::new(values, 2).unwrap();
        let z = posterior(rows(&means), rows(&logs), 1).unwrap();
        for (axis, (mean, log)) in [(5.0, -2.0), (-1.0, 1.0)].into_iter().enumerate() {
            let of_axis = || z.iter().skip(axis).step_by(2).map(|v| v - mean);
            assert!(of_axis().sum::<f32>().abs() / 3000.0 < 0.06);
            let variance = of_axis().map(|v| v * v).sum::<f32>() / 3000.0;
            assert!((variance / libm::expf(log) - 1.0).abs() < 0.08, "{variance}");
        }
        assert!(posterior(rows(&means), rows(&logs[..4]), 1).is_err());
        let latents = [0.0, -2.0, 1.0, 4.0];
        let z = uniform(Rows::new(&latents, 2).unwrap(), 2000, 1);
        let second: Vec<f32> = z.iter().skip(1).step_by(2).copied().collect();
        assert!(second.iter().all(|v| (-2.0..=4.0).contains(v)));
        let mean = second.iter().sum::<f32>() / 2000.0;
        assert!((mean - 1.0).abs() < 0.15, "{mean}");
    }
}
