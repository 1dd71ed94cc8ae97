//! Similarities of the rows, as the probabilities `P` of t-SNE: a Gaussian around each row, with a width that gives the perplexity, over
//! its nearest neighbours only (van der Maaten, "Accelerating t-SNE using tree-based algorithms", 2014).

use rayon::prelude::*;

use super::point::{Group, fill};
use crate::lanes::LANES;
use crate::neighbours::Neighbours;

/// Maximum number of Newton steps or bisections; many are needed only if distances span many orders of magnitude.
const MAX_STEPS: usize = 200;
/// Smaller joint probabilities move no point, and the subnormal numbers that come of them take very long.
const NEGLIGIBLE: f32 = 1e-25;
/// Tolerance of the entropy, the logarithm of the perplexity.
const TOLERANCE: f64 = 1e-7;

/// Conditional probabilities of the neighbours of each query `[n, k]`. Each row sums to 1 and has the perplexity, if its distances allow.
pub(crate) fn conditional(found: &Neighbours, perplexity: f64) -> Vec<f32> {
    let mut p = vec![0.0f32; found.squared.len()];
    p.par_chunks_mut(found.k).zip(found.squared.par_chunks(found.k)).for_each(|(p, squared)| {
        row(squared, libm::log(perplexity), p);
    });
    p
}

/// Finds the precision `b` at which `exp(-b d)`, normalised, has the given entropy, by Newton's method on `log b` within a bracket, with
/// bisection if a Newton step would leave the bracket. Writes the probabilities.
fn row(squared: &[f32], entropy: f64, p: &mut [f32]) {
    let least = squared.iter().copied().fold(f32::INFINITY, f32::min);
    let d: Vec<f64> = squared.iter().map(|&s| f64::from(s) - f64::from(least)).collect();
    let mean = d.iter().sum::<f64>() / d.len() as f64;
    let mut w = vec![1.0; d.len()];
    // If all distances are equal, every precision gives equal probabilities.
    if mean > 0.0 {
        let mut log_b = -libm::log(mean);
        let (mut low, mut high) = (log_b - 60.0, log_b + 60.0);
        for _ in 0..MAX_STEPS {
            let b = libm::exp(log_b);
            let (mut z, mut first, mut second) = (0.0, 0.0, 0.0);
            for (w, &d) in w.iter_mut().zip(&d) {
                *w = libm::exp(-b * d);
                z += *w;
                first += *w * d;
                second += *w * d * d;
            }
            let (first, second) = (first / z, second / z);
            let excess = libm::log(z) + b * first - entropy;
            if excess.abs() < TOLERANCE {
                break;
            }
            if excess > 0.0 {
                low = log_b;
            } else {
                high = log_b;
            }
            // d entropy / d log b = -b^2 variance.
            let newton = log_b + excess / (b * b * (second - first * first));
            log_b = if newton > low && newton < high { newton } else { f64::midpoint(low, high) };
        }
    }
    let z: f64 = w.iter().sum();
    for (p, w) in p.iter_mut().zip(w) {
        *p = (w / z) as f32;
    }
}

/// A symmetric sparse matrix, stored row by row.
#[derive(Debug)]
pub(crate) struct Affinities {
    /// Index of the first group of each row `[n + 1]`.
    starts: Vec<usize>,
    /// Columns and probabilities, in ascending order of columns within a row.
    groups: Vec<Group>,
}

impl Affinities {
    /// Joint probabilities `(p(j|i) + p(i|j)) / 2n`, without negligible ones; their sum is 1.
    pub(crate) fn symmetric(found: &Neighbours, p: &[f32]) -> Self {
        let k = found.k;
        let n = p.len() / k;
        let scale = 1.0 / (2 * n) as f32;
        let mut out: Vec<(u32, f32)> =
            found.index.iter().zip(p).map(|(&j, &p)| (j, p * scale)).collect();
        out.par_chunks_mut(k).for_each(|row| row.sort_unstable_by_key(|e| e.0));
        // The transposed matrix: for each row, the rows of which it is a neighbour, in ascending order.
        let mut ends = vec![0usize; n + 1];
        for &(j, _) in &out {
            ends[j as usize + 1] += 1;
        }
        for i in 0..n {
            ends[i + 1] += ends[i];
        }
        let starts_in = ends.clone();
        let mut back = vec![(0u32, 0.0f32); out.len()];
        for (i, row) in out.chunks_exact(k).enumerate() {
            for &(j, p) in row {
                back[ends[j as usize]] = (i as u32, p);
                ends[j as usize] += 1;
            }
        }
        let merged = |i: usize| {
            let (a, b) = (&out[i * k..(i + 1) * k], &back[starts_in[i]..starts_in[i + 1]]);
            Merge { a, b }.filter(|&(_, p)| p >= NEGLIGIBLE)
        };
        let lengths: Vec<usize> = (0..n).into_par_iter().map(|i| merged(i).count()).collect();
        let mut starts = vec![0usize; n + 1];
        for i in 0..n {
            starts[i + 1] = starts[i] + lengths[i].div_ceil(LANES);
        }
        let mut groups = vec![Group::default(); starts[n]];
        for i in 0..n {
            fill(&mut groups[starts[i]..starts[i + 1]], merged(i));
        }
        Affinities { starts, groups }
    }

    /// Columns and probabilities of row `i`.
    #[inline]
    pub(crate) fn row(&self, i: usize) -> &[Group] {
        &self.groups[self.starts[i]..self.starts[i + 1]]
    }

    /// The same, one by one.
    pub(crate) fn entries(&self, i: usize) -> impl Iterator<Item = (u32, f32)> {
        let entries = |group: &Group| group.numbers.into_iter().zip(group.weights);
        self.row(i).iter().flat_map(entries).filter(|&(_, p)| p > 0.0)
    }
}

/// Merges two sorted rows; entries of the same column are added.
struct Merge<'a> {
    a: &'a [(u32, f32)],
    b: &'a [(u32, f32)],
}

impl Iterator for Merge<'_> {
    type Item = (u32, f32);

    fn next(&mut self) -> Option<(u32, f32)> {
        let (a, b) = (self.a.first().copied(), self.b.first().copied());
        let (take_a, take_b) = match (a, b) {
            (Some(a), Some(b)) => (a.0 <= b.0, b.0 <= a.0),
            (a, b) => (a.is_some(), b.is_some()),
        };
        let mut sum = None;
        if take_a {
            self.a = &self.a[1..];
            sum = a;
        }
        if take_b {
            self.b = &self.b[1..];
            sum = b.map(|b| (b.0, sum.map_or(0.0, |s: (u32, f32)| s.1) + b.1));
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neighbours::nearest_others;
    use crate::rows::Rows;
    use latents_random::{Purpose, stream};

    #[test]
    fn rows_have_the_perplexity() {
        let mut s = stream(5, Purpose::Synthetic, 0, 0);
        // Scales from 1e-3 to 1e3, with duplicates.
        let x: Vec<f32> = (0..300)
            .flat_map(|i| {
                let scale = libm::pow(10.0, f64::from(i % 7) - 3.0);
                [0, 1, 2].map(|_| (s.normal() * scale) as f32)
            })
            .collect();
        let x = [&x[..], &x[..30]].concat();
        let found = nearest_others(Rows::new(&x, 3).unwrap(), 30).unwrap();
        for (i, row) in conditional(&found, 10.0).chunks_exact(30).enumerate() {
            let entropy: f64 =
                row.iter().map(|&p| f64::from(p)).filter(|&p| p > 0.0).map(|p| -p * p.ln()).sum();
            assert!((entropy.exp() - 10.0).abs() < 1e-3, "row {i}: {}", entropy.exp());
        }
    }

    #[test]
    fn equally_near_neighbours_are_equally_likely() {
        let mut p = [0.0; 4];
        row(&[2.0; 4], 1.0, &mut p);
        assert_eq!(p.map(f32::to_bits), [0.25f32.to_bits(); 4]);
    }

    #[test]
    fn similarities_that_move_nothing_are_left_out() {
        // Two clusters so far apart that rows of the other are as good as no neighbours.
        let x: Vec<f32> =
            (0..20u8).map(|i| f32::from(i) + if i < 10 { 0.0 } else { 1e3 }).collect();
        let found = nearest_others(Rows::new(&x, 1).unwrap(), 19).unwrap();
        let matrix = Affinities::symmetric(&found, &conditional(&found, 5.0));
        let entries: Vec<(usize, u32, f32)> =
            (0..20).flat_map(|i| matrix.entries(i).map(move |(j, p)| (i, j, p))).collect();
        assert!(entries.iter().all(|&(i, j, p)| (i < 10) == (j < 10) && p >= NEGLIGIBLE));
        let sum: f64 = entries.iter().map(|&(_, _, p)| f64::from(p)).sum();
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
    }

    #[test]
    fn the_matrix_is_symmetric_and_sums_to_one() {
        let x: Vec<f32> = (0..50u8).map(|i| f32::from(i).powi(2)).collect();
        let found = nearest_others(Rows::new(&x, 1).unwrap(), 9).unwrap();
        let matrix = Affinities::symmetric(&found, &conditional(&found, 3.0));
        let mut sum = 0.0;
        for i in 0..50 {
            assert!(matrix.entries(i).is_sorted_by_key(|e| e.0));
            for (j, p) in matrix.entries(i) {
                let back = matrix.entries(j as usize).find(|e| e.0 == i as u32);
                assert_eq!(back.unwrap().1.to_bits(), p.to_bits());
                sum += f64::from(p);
            }
        }
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
    }
}
