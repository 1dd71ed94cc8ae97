//! Random latents: from N(0, I), and uniformly from the bounding box of given latents. Gaussian mixtures are in `mixture.rs`.

use latents_random::{Purpose, stream};

use crate::rows::Rows;

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
    fn draws_have_the_right_moments_and_bounds() {
        let z = normal(5000, 2, 1);
        let square: f32 = z.iter().map(|v| v * v).sum::<f32>() / 10_000.0;
        assert!((square - 1.0).abs() < 0.06, "{square}");
        assert_eq!(z[..6], normal(3, 2, 1)[..], "each draw depends on its own index only");
        let latents = [0.0, -2.0, 1.0, 4.0];
        let z = uniform(Rows::new(&latents, 2).unwrap(), 2000, 1);
        let second: Vec<f32> = z.iter().skip(1).step_by(2).copied().collect();
        assert!(second.iter().all(|v| (-2.0..=4.0).contains(v)));
        let mean = second.iter().sum::<f32>() / 2000.0;
        assert!((mean - 1.0).abs() < 0.15, "{mean}");
    }
}
