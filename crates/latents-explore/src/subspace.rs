//! The largest eigenvalues of a large symmetric positive semidefinite matrix, by subspace iteration with Chebyshev polynomials (Rutishauser,
//! "Simultaneous iteration method for symmetric matrices", 1970; Halko, Martinsson and Tropp, 2011, for the random start). The matrix is
//! needed only as a function from a few vectors to their products, so it may be an array or the rows that it is made of.

use latents_progress::{Interrupted, Monitor};
use latents_random::{Purpose, stream};
use rayon::prelude::*;

use crate::lanes::dispatch;
use crate::linear::{Eigen, axpy, eigen, largest_coordinate};
use crate::products::{Factor, product};

/// Vectors beyond those that are asked for. The more, the fewer iterations.
const EXTRA: usize = 16;
/// Products between two Rayleigh-Ritz steps, at most.
const DEGREE: usize = 12;
/// The factor, at most, by which the polynomial may enlarge what is left of the first direction in the last one. Beyond it, rounding would
/// hide the last.
const ENLARGED: f64 = 1e8;
/// Rayleigh-Ritz steps, at most. This bound only stops the iteration if the accuracy cannot be reached.
const STEPS: usize = 60;

/// Residuals of this size, relative to the largest eigenvalue, are rounding errors.
const ROUNDING: f64 = 1e-12;

/// The products of a symmetric positive semidefinite matrix `[m, m]` with vectors `[b, m]`: again `[b, m]`.
pub(crate) type Operator<'a> = dyn Fn(&[f64]) -> Result<Vec<f64>, Interrupted> + 'a;

/// The number of vectors that are iterated to find `count` of `m`.
pub(crate) fn block(count: usize, m: usize) -> usize {
    (count + EXTRA.max(count / 4)).min(m)
}

/// The `count` largest eigenvalues of a matrix `[m, m]` and their vectors, in descending order. The residual `|A v - l v|` of each is at most
/// `accuracy` times the last of these eigenvalues. If the matrix has a lower rank, eigenvalues and vectors beyond it are 0 but for rounding.
pub(crate) fn largest(
    operator: &Operator<'_>,
    m: usize,
    count: usize,
    accuracy: f64,
    monitor: &Monitor,
) -> Result<Eigen, Interrupted> {
    let b = block(count, m);
    let mut start = stream(0, Purpose::Synthetic, m as u64, b as u64);
    let mut basis: Vec<f64> = (0..b * m).map(|_| start.normal()).collect();
    orthonormalize(&mut basis, m);
    let mut step = 0;
    loop {
        monitor.check()?;
        let mut products = operator(&basis)?;
        let values = rotate(&mut basis, &mut products, m, monitor)?;
        let residual = |j: usize| {
            let (v, av) = (&basis[j * m..][..m], &products[j * m..][..m]);
            v.iter().zip(av).map(|(v, av)| (av - values[j] * v).powi(2)).sum::<f64>().sqrt()
        };
        let enough = (accuracy * values[count - 1]).max(ROUNDING * values[0]);
        step += 1;
        if step == STEPS || b == m || (0..count).all(|j| residual(j) <= enough) {
            let mut vectors = basis;
            vectors.truncate(count * m);
            vectors.par_chunks_mut(m).for_each(point);
            return Ok(Eigen { values: values[..count].to_vec(), vectors });
        }
        // What is left of the first direction in the others, which the polynomial enlarges.
        let left = (residual(0) / values[0].max(f64::MIN_POSITIVE)).clamp(1e-6, 1.0);
        let range = [values[0], values[b - 1]];
        basis = filtered(operator, basis, products, range, ENLARGED / left)?;
        orthonormalize(&mut basis, m);
    }
}

/// Applies a Chebyshev polynomial that is small between 0 and the last value, and grows fast above it. `products` are those of the basis.
fn filtered(
    operator: &Operator<'_>,
    basis: Vec<f64>,
    products: Vec<f64>,
    [first, last]: [f64; 2],
    enlarged: f64,
) -> Result<Vec<f64>, Interrupted> {
    // Without eigenvalues to suppress, the matrix itself is the polynomial.
    if last <= ROUNDING * first {
        return Ok(products);
    }
    let growth = libm::acosh(2.0 * first / last - 1.0);
    let degree = ((libm::log(enlarged) / growth) as usize).clamp(1, DEGREE);
    let scale = 2.0 / last;
    let (mut before, mut now) = (basis, products);
    for (now, before) in now.iter_mut().zip(&before) {
        *now = scale * *now - before;
    }
    for _ in 1..degree {
        let mut next = operator(&now)?;
        for ((next, now), before) in next.iter_mut().zip(&now).zip(&before) {
            *next = 2.0 * (scale * *next - now) - before;
        }
        (before, now) = (now, next);
    }
    Ok(now)
}

/// The Rayleigh-Ritz step: turns the orthonormal basis `[b, m]` and its products into the best approximations of eigenvectors in their span;
/// returns the eigenvalues, descending.
fn rotate(
    basis: &mut Vec<f64>,
    products: &mut Vec<f64>,
    m: usize,
    monitor: &Monitor,
) -> Result<Vec<f64>, Interrupted> {
    let b = basis.len() / m;
    let [q, p] = [&basis[..], &products[..]].map(|rows| Factor::new(rows, m).transposed());
    let mut small = product(q, p, monitor)?;
    for i in 0..b {
        for j in 0..i {
            let mean = 0.5 * (small[i * b + j] + small[j * b + i]);
            (small[i * b + j], small[j * b + i]) = (mean, mean);
        }
    }
    let found = eigen(&small, b, monitor)?;
    for rows in [basis, products] {
        let vectors = Factor::new(&found.vectors, b).transposed();
        *rows = product(vectors, Factor::new(rows, m), monitor)?;
    }
    Ok(found.values)
}

/// Makes the vectors `[b, m]` orthonormal, in order (modified Gram-Schmidt, twice). A vector that depends on those before it becomes 0.
fn orthonormalize(vectors: &mut [f64], m: usize) {
    for k in 0..vectors.len() / m {
        let (done, rest) = vectors.split_at_mut(k * m);
        let v = &mut rest[..m];
        let before = length(v);
        for _ in 0..2 {
            for q in done.chunks_exact(m) {
                let along = dispatch(Dot(q, v));
                axpy(-along, q, v);
            }
        }
        let after = length(v);
        let scale = if after > 1e-13 * before { 1.0 / after } else { 0.0 };
        for x in v.iter_mut() {
            *x *= scale;
        }
    }
}

fn length(v: &[f64]) -> f64 {
    dispatch(Dot(v, v)).sqrt()
}

/// A dot product in eight partial sums, which are added up in order.
struct Dot<'a>(&'a [f64], &'a [f64]);

impl pulp::WithSimd for Dot<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> f64 {
        let (a, rest_a) = self.0.as_chunks::<8>();
        let (b, rest_b) = self.1.as_chunks::<8>();
        let mut sums = [0.0; 8];
        for (a, b) in a.iter().zip(b) {
            for i in 0..8 {
                sums[i] += a[i] * b[i];
            }
        }
        let rest: f64 = rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum();
        sums.iter().sum::<f64>() + rest
    }
}

/// Gives a vector the sign with which its largest coordinate is positive.
fn point(vector: &mut [f64]) {
    if largest_coordinate(vector) < 0.0 {
        for v in vector.iter_mut() {
            *v = -*v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A matrix with eigenvalues `values`, and how it multiplies.
    fn matrix(values: &[f64]) -> Vec<f64> {
        let m = values.len();
        let mut s = stream(9, Purpose::Synthetic, 0, 0);
        let mut q: Vec<f64> = (0..m * m).map(|_| s.normal()).collect();
        orthonormalize(&mut q, m);
        let entry = |at: usize| {
            (0..m).map(|k| values[k] * q[k * m + at / m] * q[k * m + at % m]).sum::<f64>()
        };
        (0..m * m).map(entry).collect()
    }

    fn found(a: &[f64], m: usize, count: usize) -> Eigen {
        let apply = |v: &[f64]| {
            let entry =
                |at: usize| (0..m).map(|i| a[at % m * m + i] * v[at / m * m + i]).sum::<f64>();
            Ok((0..v.len()).map(entry).collect())
        };
        largest(&apply, m, count, 1e-8, &Monitor::default()).unwrap()
    }

    #[test]
    fn finds_the_largest_of_many() {
        // As of images: a few large values and a long tail.
        let values: Vec<f64> = (1..=150).map(|k| 30.0 / f64::from(k).powf(1.5)).collect();
        let a = matrix(&values);
        let top = found(&a, 150, 20);
        let all = eigen(&a, 150, &Monitor::default()).unwrap();
        for k in 0..20 {
            assert!((top.values[k] - values[k]).abs() < 1e-9, "{k}: {}", top.values[k]);
            let dot: f64 =
                (0..150).map(|i| top.vectors[k * 150 + i] * all.vectors[k * 150 + i]).sum();
            assert!((dot - 1.0).abs() < 1e-6, "{k}: {dot}");
        }
    }

    #[test]
    fn stands_equal_and_missing_values() {
        let mut values = vec![2.0; 30];
        values.extend([0.0; 50]);
        let top = found(&matrix(&values), 80, 10);
        assert!(top.values.iter().all(|v| (v - 2.0).abs() < 1e-9));
        let few = found(&matrix(&[5.0, 1.0, 0.0, 0.0, 0.0, 0.0]), 6, 4);
        for (got, expected) in few.values.iter().zip([5.0, 1.0, 0.0, 0.0]) {
            assert!((got - expected).abs() < 1e-9);
        }
        assert!(found(&[0.0; 400], 20, 3).values.iter().all(|v| v.abs() < 1e-12));
    }
}
