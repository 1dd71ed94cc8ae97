//! Which samples are near copies of training images.

use latents_progress::Monitor;
use rayon::prelude::*;

use crate::error::Error;
use crate::panels::squared_distance;
use crate::pca::Pca;
use crate::rows::Rows;

/// Directions in which images are compared first, and images that these are found from.
const DIRECTIONS: usize = 8;
const SOME: usize = 2_000;
/// Samples between checks for cancellation.
const CHUNK: usize = 64;

/// Images `[m, d]`, arranged so that near copies of them are found. Every image is considered: projections on a few orthonormal directions are never
/// farther apart than the images themselves, so images whose projections are too far apart need no further comparison.
///
/// ```
/// use latents_explore::Rows;
/// use latents_explore::metrics::copies::Originals;
/// use latents_progress::Monitor;
///
/// let (samples, images) = ([0.9, 0.1, 0.5, 0.5], [0.0, 0.0, 0.9, 0.11]); // [2, 2] each
/// let monitor = Monitor::default();
/// let originals = Originals::new(Rows::new(&images, 2)?, &monitor)?;
/// let copies = originals.near_copies(Rows::new(&samples, 2)?, 0.02, &monitor)?;
/// assert_eq!(copies, [true, false]);
/// # Ok::<(), latents_explore::Error>(())
/// ```
#[derive(Debug)]
pub struct Originals<'a> {
    images: Rows<'a>,
    /// None if there are no images.
    directions: Option<Pca>,
    /// The images in the order of their first projections.
    order: Vec<usize>,
    /// Projections `[m, k]`, in that order.
    projections: Vec<f32>,
    /// The first of each `[m]`.
    firsts: Vec<f32>,
}

impl<'a> Originals<'a> {
    /// Arranges images `[m, d]`.
    ///
    /// # Errors
    /// If `monitor` is cancelled.
    pub fn new(images: Rows<'a>, monitor: &Monitor) -> Result<Self, Error> {
        if images.is_empty() {
            let (directions, order, projections, firsts) = (None, vec![], vec![], vec![]);
            return Ok(Originals { images, directions, order, projections, firsts });
        }
        let some = images.subsample(SOME);
        let some = Rows::new(&some, images.dim())?;
        let k = DIRECTIONS.min(images.dim()).min(some.len());
        let directions = Pca::fit(some, k, monitor)?;
        let all = directions.transform(images)?;
        let mut order: Vec<usize> = (0..images.len()).collect();
        order.sort_by(|&a, &b| all[a * k].total_cmp(&all[b * k]));
        let projections = order.iter().flat_map(|&i| &all[i * k..(i + 1) * k]).copied().collect();
        let firsts = order.iter().map(|&i| all[i * k]).collect();
        Ok(Originals { images, directions: Some(directions), order, projections, firsts })
    }

    /// Whether each sample `[n, d]` is a near copy of an image: whether the root mean squared difference of their numbers is at most `most`.
    ///
    /// # Errors
    /// If the samples have another length, `most` is negative or NaN, or `monitor` is cancelled.
    pub fn near_copies(
        &self,
        samples: Rows<'_>,
        most: f64,
        monitor: &Monitor,
    ) -> Result<Vec<bool>, Error> {
        let (expected, got) = (self.images.dim(), samples.dim());
        if got != expected {
            return Err(Error::Size { what: "each sample", expected, got });
        }
        if most.is_nan() || most < 0.0 {
            let what = "largest difference of near copies";
            return Err(Error::Range { what, range: "at least 0", got: most });
        }
        let Some(directions) = &self.directions else { return Ok(vec![false; samples.len()]) };
        let projected = directions.transform(samples)?;
        let k = self.projections.len() / self.images.len();
        let limit = most * most * self.images.dim() as f64;
        // Projections are rounded, so a little more than the limit is looked at.
        let reach = limit.sqrt() * 1.001 + 1e-3;
        let is_copy = |i: usize| {
            let (sample, at) = (samples.row(i), &projected[i * k..(i + 1) * k]);
            let first = f64::from(at[0]);
            let from = self.firsts.partition_point(|&of| f64::from(of) < first - reach);
            let to = self.firsts.partition_point(|&of| f64::from(of) <= first + reach);
            let places =
                self.projections[from * k..to * k].chunks_exact(k).zip(&self.order[from..to]);
            places
                .filter(|(of, _)| f64::from(squared_distance(at, of)) <= reach * reach)
                .any(|(_, &j)| f64::from(squared_distance(sample, self.images.row(j))) <= limit)
        };
        let chunks: Result<Vec<Vec<bool>>, Error> = (0..samples.len().div_ceil(CHUNK))
            .into_par_iter()
            .map(|chunk| {
                monitor.check()?;
                let end = samples.len().min((chunk + 1) * CHUNK);
                Ok((chunk * CHUNK..end).map(is_copy).collect())
            })
            .collect();
        Ok(chunks?.concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samplers::normal;

    /// Against the distances of all pairs, with copies of all degrees among the samples.
    #[test]
    fn copies_are_those_of_the_distances_of_all_pairs() {
        let (n, d) = (300, 40);
        let images = normal(n, d, 1);
        let noise = normal(n, d, 2);
        let scale = |i: usize| 0.002 * (i / d) as f32;
        let samples: Vec<f32> = (0..n * d).map(|i| images[i] + scale(i) * noise[i]).collect();
        let rows = |values| Rows::new(values, d).unwrap();
        let (samples, images) = (rows(&samples), rows(&images));
        let monitor = Monitor::default();
        let near_copies = |samples, images, most| {
            Originals::new(images, &monitor)?.near_copies(samples, most, &monitor)
        };
        for most in [0.0, 0.1, 0.3] {
            let limit = most * most * d as f64;
            let squared = |a: &[f32], b: &[f32]| -> f64 {
                a.iter().zip(b).map(|(a, b)| f64::from(a - b) * f64::from(a - b)).sum()
            };
            let near = |a: &[f32]| images.iter().any(|b| squared(a, b) <= limit);
            let expected: Vec<bool> = samples.iter().map(near).collect();
            assert_eq!(near_copies(samples, images, most).unwrap(), expected, "{most}");
            assert!(expected[0] && !expected[n - 1]);
        }
        assert!(near_copies(samples, rows(&[]), 0.1).unwrap().iter().all(|copy| !copy));
        let narrow = Rows::new(images.values(), d / 2).unwrap();
        assert!(near_copies(samples, narrow, 0.1).is_err());
        assert!(near_copies(samples, images, -0.1).is_err());
    }
}
