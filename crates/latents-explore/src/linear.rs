//! Linear algebra of symmetric matrices of up to a thousand columns: covariances, eigenvectors and Cholesky factors, in double precision
//! and row-major order. It is implemented here because a linear algebra library would take longer to build than the rest of the program.
//! Sums have a fixed order.

use latents_progress::{Interrupted, Monitor};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::lanes::dispatch;
use crate::rows::Rows;

/// Rows of the scatter matrix that are summed together.
const BAND: usize = 8;

/// Columns whose mean one task computes.
const COLUMNS: usize = 128;

/// Mean of each column `[d]`, weighted by `weights` `[n]` if given.
pub(crate) fn mean(rows: Rows<'_>, weights: Option<&[f64]>) -> Vec<f64> {
    let total = weights.map_or(rows.len() as f64, |weights| weights.iter().sum());
    let mut sums = vec![0.0; rows.dim()];
    sums.par_chunks_mut(COLUMNS).enumerate().for_each(|(i, sums)| {
        for (at, row) in rows.iter().enumerate() {
            let w = weights.map_or(1.0, |w| w[at]);
            for (sum, &v) in sums.iter_mut().zip(&row[i * COLUMNS..]) {
                *sum += w * f64::from(v);
            }
        }
    });
    sums.iter().map(|s| s / total).collect()
}

/// Scatter matrix `sum_i w_i (x_i - mean) (x_i - mean)^T` `[d, d]`; weights are 1 if not given. Checks for cancellation between bands.
pub(crate) fn scatter(
    rows: Rows<'_>,
    mean: &[f64],
    weights: Option<&[f64]>,
    monitor: &Monitor,
) -> Result<Vec<f64>, Interrupted> {
    let d = rows.dim();
    let mut sums = vec![0.0; d * d];
    sums.par_chunks_mut(BAND * d).enumerate().try_for_each(|(band, sums)| {
        monitor.check()?;
        dispatch(Scatter { rows, mean, weights, first: band * BAND, sums });
        Ok(())
    })?;
    for i in 0..d {
        for j in 0..i {
            sums[i * d + j] = sums[j * d + i];
        }
    }
    Ok(sums)
}

/// Sums some rows of the scatter matrix, from the diagonal block to the right.
struct Scatter<'a> {
    rows: Rows<'a>,
    mean: &'a [f64],
    weights: Option<&'a [f64]>,
    first: usize,
    sums: &'a mut [f64],
}

impl WithSimd for Scatter<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Scatter { rows, mean, weights, first, sums } = self;
        let d = rows.dim();
        let mut centred = vec![0.0; d - first];
        for (i, row) in rows.iter().enumerate() {
            let weight = weights.map_or(1.0, |w| w[i]);
            if weight == 0.0 {
                continue;
            }
            for ((c, &v), m) in centred.iter_mut().zip(&row[first..]).zip(&mean[first..]) {
                *c = f64::from(v) - m;
            }
            for (a, sums) in sums.chunks_exact_mut(d).enumerate() {
                axpy(weight * centred[a], &centred, &mut sums[first..]);
            }
        }
    }
}

/// `y += a x`, without fused multiply-add, so that it is fast on every instruction set.
#[inline(always)]
pub(crate) fn axpy(a: f64, x: &[f64], y: &mut [f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// Dot product.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Eigenvalues of a symmetric matrix and its eigenvectors.
pub(crate) struct Eigen {
    /// `[d]`, descending.
    pub(crate) values: Vec<f64>,
    /// `[d, d]`, one per row. The coordinate of each with the largest absolute value is positive.
    pub(crate) vectors: Vec<f64>,
}

/// Eigendecomposition by Householder reduction to tridiagonal form and the implicit QL method (Golub and Van Loan, "Matrix
/// Computations", chapter 8). Checks for cancellation between rows.
pub(crate) fn eigen(matrix: &[f64], d: usize, monitor: &Monitor) -> Result<Eigen, Interrupted> {
    let (values, vectors) = dispatch(Decompose { matrix, d, monitor })?;
    let mut order: Vec<usize> = (0..d).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    let mut sorted = Vec::with_capacity(d * d);
    for &i in &order {
        let vector = &vectors[i * d..(i + 1) * d];
        let sign = if largest_coordinate(vector) < 0.0 { -1.0 } else { 1.0 };
        sorted.extend(vector.iter().map(|v| v * sign));
    }
    Ok(Eigen { values: order.iter().map(|&i| values[i]).collect(), vectors: sorted })
}

/// The coordinate with the largest absolute value, the first of several; 0 of no coordinates.
pub(crate) fn largest_coordinate(vector: &[f64]) -> f64 {
    vector.iter().copied().fold(0.0f64, |m, v| if v.abs() > m.abs() { v } else { m })
}

struct Decompose<'a> {
    matrix: &'a [f64],
    d: usize,
    monitor: &'a Monitor,
}

impl WithSimd for Decompose<'_> {
    type Output = Result<(Vec<f64>, Vec<f64>), Interrupted>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Self::Output {
        let Decompose { matrix, d, monitor } = self;
        let Tridiagonal { mut diagonal, mut off, mut vectors } =
            tridiagonal(matrix.to_vec(), d, monitor)?;
        ql(&mut diagonal, &mut off, &mut vectors, monitor)?;
        Ok((diagonal, vectors))
    }
}

/// A symmetric matrix in tridiagonal form.
struct Tridiagonal {
    /// `[d]`
    diagonal: Vec<f64>,
    /// `[d]`, of which the last is not used.
    off: Vec<f64>,
    /// The transposed transformation `[d, d]`.
    vectors: Vec<f64>,
}

#[inline(always)]
fn tridiagonal(mut a: Vec<f64>, d: usize, monitor: &Monitor) -> Result<Tridiagonal, Interrupted> {
    let mut off = vec![0.0; d];
    let mut reflections: Vec<(Vec<f64>, f64)> = vec![];
    for k in 0..d.saturating_sub(1) {
        monitor.check()?;
        // Reflect the column below the diagonal onto its first axis.
        let mut v: Vec<f64> = (k + 1..d).map(|i| a[i * d + k]).collect();
        let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        let target = if v[0] > 0.0 { -norm } else { norm };
        off[k] = target;
        v[0] -= target;
        let square: f64 = v.iter().map(|x| x * x).sum();
        if square == 0.0 || k + 2 == d && v.len() == 1 {
            // The column has the required form already.
            off[k] = a[(k + 1) * d + k];
            reflections.push((vec![], 0.0));
            continue;
        }
        let beta = 2.0 / square;
        let mut p = vec![0.0; v.len()];
        for (i, &x) in v.iter().enumerate() {
            axpy(beta * x, &a[(k + 1 + i) * d + k + 1..(k + 2 + i) * d], &mut p);
        }
        let half = 0.5 * beta * v.iter().zip(&p).map(|(a, b)| a * b).sum::<f64>();
        axpy(-half, &v, &mut p);
        for i in 0..v.len() {
            let row = &mut a[(k + 1 + i) * d + k + 1..(k + 2 + i) * d];
            axpy(-v[i], &p, row);
            axpy(-p[i], &v, row);
        }
        reflections.push((v, beta));
    }
    let diagonal = (0..d).map(|i| a[i * d + i]).collect();
    let mut q = vec![0.0; d * d];
    for i in 0..d {
        q[i * d + i] = 1.0;
    }
    for (k, (v, beta)) in reflections.iter().enumerate().rev() {
        monitor.check()?;
        let mut p = vec![0.0; v.len()];
        for (i, &x) in v.iter().enumerate() {
            axpy(beta * x, &q[(k + 1 + i) * d + k + 1..(k + 2 + i) * d], &mut p);
        }
        for (i, &x) in v.iter().enumerate() {
            axpy(-x, &p, &mut q[(k + 1 + i) * d + k + 1..(k + 2 + i) * d]);
        }
    }
    let vectors = (0..d * d).map(|i| q[(i % d) * d + i / d]).collect();
    Ok(Tridiagonal { diagonal, off, vectors })
}

/// Reduces a tridiagonal matrix to its eigenvalues, in `diagonal`. Applies every rotation to the rows of `vectors`.
#[inline(always)]
fn ql(
    diagonal: &mut [f64],
    off: &mut [f64],
    vectors: &mut [f64],
    monitor: &Monitor,
) -> Result<(), Interrupted> {
    let d = diagonal.len();
    for l in 0..d {
        monitor.check()?;
        // Convergence is cubic; the bound only stops the loop if a value is NaN.
        for _ in 0..100 {
            let small = |m: usize| {
                let size = diagonal[m].abs() + diagonal[m + 1].abs();
                off[m].abs() <= f64::EPSILON * size
            };
            let m = (l..d - 1).find(|&m| small(m)).unwrap_or(d - 1);
            if m == l {
                break;
            }
            let g = (diagonal[l + 1] - diagonal[l]) / (2.0 * off[l]);
            let r = libm::hypot(g, 1.0);
            let mut g = diagonal[m] - diagonal[l] + off[l] / (g + r.copysign(g));
            let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
            let mut underflow = false;
            for i in (l..m).rev() {
                let (f, b) = (s * off[i], c * off[i]);
                let r = libm::hypot(f, g);
                off[i + 1] = r;
                if r == 0.0 {
                    diagonal[i + 1] -= p;
                    off[m] = 0.0;
                    underflow = true;
                    break;
                }
                (s, c) = (f / r, g / r);
                g = diagonal[i + 1] - p;
                let r = (diagonal[i] - g) * s + 2.0 * c * b;
                p = s * r;
                diagonal[i + 1] = g + p;
                g = c * r - b;
                let (low, high) = vectors[i * d..(i + 2) * d].split_at_mut(d);
                for (x, y) in low.iter_mut().zip(high) {
                    let (f, h) = (*y, *x);
                    *y = s * h + c * f;
                    *x = c * h - s * f;
                }
            }
            if !underflow {
                diagonal[l] -= p;
                off[l] = g;
                off[m] = 0.0;
            }
        }
    }
    Ok(())
}

/// Lower triangular `L` with `L L^T = matrix`; none if the matrix is not positive definite.
pub(crate) fn cholesky(matrix: &[f64], d: usize) -> Option<Vec<f64>> {
    let mut l = matrix.to_vec();
    let positive = |rest: f64, _| (rest > 0.0 && rest.is_finite()).then(|| rest.sqrt()).ok_or(());
    factorize(&mut l, d, positive).ok()?;
    Some(l)
}

/// Replaces a symmetric matrix `[d, d]` by the lower triangular `L` with `L L^T` the matrix, row by row. `pivot` gives the diagonal entry of a
/// row from its square and from the matrix's entry; if it is 0, so is its column.
///
/// # Errors
/// Those of `pivot`.
pub(crate) fn factorize<E>(
    matrix: &mut [f64],
    d: usize,
    pivot: impl Fn(f64, f64) -> Result<f64, E>,
) -> Result<(), E> {
    for i in 0..d {
        let entry = matrix[i * d + i];
        for j in 0..=i {
            let known = dot(&matrix[i * d..i * d + j], &matrix[j * d..j * d + j]);
            let rest = matrix[i * d + j] - known;
            matrix[i * d + j] = match matrix[j * d + j] {
                _ if i == j => pivot(rest, entry)?,
                0.0 => 0.0,
                length => rest / length,
            };
        }
        matrix[i * d + i + 1..(i + 1) * d].fill(0.0);
    }
    Ok(())
}

/// The upper triangular `L^-T` of a Cholesky factor `L`: `(x - mean) L^-T` has unit covariance.
pub(crate) fn whitening(l: &[f64], d: usize) -> Vec<f64> {
    // Column j of the inverse solves L y = e_j; it is row j of the transpose.
    let mut inverse = vec![0.0; d * d];
    for j in 0..d {
        for i in j..d {
            let dot: f64 = (j..i).map(|k| l[i * d + k] * inverse[j * d + k]).sum();
            let unit = if i == j { 1.0 } else { 0.0 };
            inverse[j * d + i] = (unit - dot) / l[i * d + i];
        }
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;
    use latents_random::{Purpose, stream};

    fn symmetric(d: usize, rank: usize) -> Vec<f64> {
        let mut s = stream(4, Purpose::Synthetic, d as u64, rank as u64);
        let x: Vec<f64> = (0..rank * d).map(|_| s.normal()).collect();
        let entry = |i: usize| (0..rank).map(|r| x[r * d + i / d] * x[r * d + i % d]).sum();
        (0..d * d).map(entry).collect()
    }

    #[test]
    fn eigenvectors_make_the_matrix_again() {
        for (d, rank) in [(1, 1), (2, 2), (3, 1), (7, 9), (40, 12), (65, 80), (5, 0)] {
            let a = symmetric(d, rank);
            let e = eigen(&a, d, &Monitor::default()).unwrap();
            assert!(e.values.is_sorted_by(|a, b| a >= b));
            for i in 0..d {
                for j in 0..d {
                    let entry: f64 = (0..d)
                        .map(|k| e.values[k] * e.vectors[k * d + i] * e.vectors[k * d + j])
                        .sum();
                    assert!((entry - a[i * d + j]).abs() < 1e-10 * d as f64, "{d} {rank}");
                    let dot: f64 =
                        (0..d).map(|k| e.vectors[i * d + k] * e.vectors[j * d + k]).sum();
                    assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-12 * d as f64);
                }
            }
        }
    }

    #[test]
    fn eigenvalues_of_a_known_matrix() {
        // Second differences: 2 - 2 cos(k pi / (n + 1)).
        let d = 30;
        let entry = |i: usize| match (i / d).abs_diff(i % d) {
            0 => 2.0,
            1 => -1.0,
            _ => 0.0,
        };
        let matrix: Vec<f64> = (0..d * d).map(entry).collect();
        let e = eigen(&matrix, d, &Monitor::default()).unwrap();
        for (k, v) in e.values.iter().rev().enumerate() {
            let angle = (k + 1) as f64 * std::f64::consts::PI / 31.0;
            assert!((v - (2.0 - 2.0 * angle.cos())).abs() < 1e-13);
        }
    }

    #[test]
    fn cholesky_and_its_inverse() {
        let d = 9;
        let a = symmetric(d, 20);
        let l = cholesky(&a, d).unwrap();
        let w = whitening(&l, d);
        for i in 0..d {
            for j in 0..d {
                let product: f64 = (0..d).map(|k| l[i * d + k] * l[j * d + k]).sum();
                assert!((product - a[i * d + j]).abs() < 1e-11);
                let unit: f64 = (0..d).map(|k| l[i * d + k] * w[j * d + k]).sum();
                assert!((unit - f64::from(u8::from(i == j))).abs() < 1e-11);
            }
        }
        assert!(cholesky(&symmetric(4, 2), 4).is_none());
    }
}
