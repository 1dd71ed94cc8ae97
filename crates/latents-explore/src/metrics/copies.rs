//! Which samples are near copies of training images.

use latents_progress::Monitor;
use rayon::prelude::*;

use crate::error::Error;
use crate::pca::Pca;
use crate::rows::Rows;

/// Directions in which images are compared first, and images that these are found from.
const DIRECTIONS: usize = 8;
const SOME: usize = 2_000;
/// Samples between checks for cancellation.
const CHUNK: usize = 64;

/// Whether each sample `[n, d]` is a near copy of one of some images `[m, d]`: whether the root mean squared difference of their numbers is at
/// most `most`. Every image is considered: projections on a few orthonormal directions are never farther apart than the images themselves, so
/// images whose projections are too far apart need no further comparison.
///
/// ```
/// use latents_explore::Rows;
/// use latents_explore::metrics::copies::near_copies;
/// use latents_progress::Monitor;
///
/// let (samples, images) = ([0.9, 0.1, 0.5, 0.5], [0.0, 0.0, 0.9, 0.11]); // [2, 2] each
/// let copies = near_copies(Rows::new(&samples, 2)?, Rows::new(&images, 2)?, 0.02, &Monitor::default())?;
/// assert_eq!(copies, [true, false]);
/// # Ok::<(), latents_explore::Error>(())
/// ```
///
/// # Errors
/// If the rows differ in length, `most` is negative or NaN, or `monitor` is cancelled.
pub fn near_copies(
    samples: Rows<'_>,
    images: Rows<'_>,
    most: f64,
    monitor: &Monitor,
) -> Result<Vec<bool>, Error> {
    let (expected, got) = (images.dim(), samples.dim());
    if got != expected {
        return Err(Error::Size { what: "each sample", expected, got });
    }
    if most.is_nan() || most < 0.0 {
        let what = "largest difference of near copies";
        return Err(Error::Range { what, range: "at least 0", got: most });
    }
    if images.is_empty() {
        return Ok(vec![false; samples.len()]);
    }
    let some = images.subsample(SOME);
    let some = Rows::new(&some, images.dim())?;
    let directions = DIRECTIONS.min(images.dim()).min(some.len());
    let pca = Pca::fit(some, directions, monitor)?;
    let (ours, theirs) = (pca.transform(samples)?, pca.transform(images)?);
    let mut order: Vec<usize> = (0..images.len()).collect();
    order.sort_by(|&a, &b| theirs[a * directions].total_cmp(&theirs[b * directions]));
    let firsts: Vec<f32> = order.iter().map(|&i| theirs[i * directions]).collect();

    let limit = most * most * images.dim() as f64;
    // Projections are rounded, so a little more than the limit is looked at.
    let reach = limit.sqrt() * 1.001 + 1e-3;
    let is_copy = |i: usize| {
        let at = &ours[i * directions..(i + 1) * directions];
        let from = firsts.partition_point(|&first| f64::from(first) < f64::from(at[0]) - reach);
        let near = |&&j: &&usize| {
            let of = &theirs[j * directions..(j + 1) * directions];
            squared(at, of) <= reach * reach
        };
        let to = |&&j: &&usize| f64::from(theirs[j * directions]) <= f64::from(at[0]) + reach;
        let candidates = order[from..].iter().take_while(to).filter(near);
        candidates.into_iter().any(|&j| squared(samples.row(i), images.row(j)) <= limit)
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

/// The squared distance of two rows.
fn squared(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a - b) * f64::from(a - b)).sum()
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
        for most in [0.0, 0.1, 0.3] {
            let limit = most * most * d as f64;
            let near = |a: &[f32]| images.iter().any(|b| squared(a, b) <= limit);
            let expected: Vec<bool> = samples.iter().map(near).collect();
            assert_eq!(near_copies(samples, images, most, &monitor).unwrap(), expected, "{most}");
            assert!(expected[0] && !expected[n - 1]);
        }
        assert!(near_copies(samples, rows(&[]), 0.1, &monitor).unwrap().iter().all(|copy| !copy));
        let narrow = Rows::new(images.values(), d / 2).unwrap();
        assert!(near_copies(samples, narrow, 0.1, &monitor).is_err());
        assert!(near_copies(samples, images, -0.1, &monitor).is_err());
    }
}
