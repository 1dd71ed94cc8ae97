//! A component of a mixture, and the densities of all components at some rows.

use pulp::{Simd, WithSimd};

use crate::error::Error;
use crate::linear::{cholesky, whitening};
use crate::rows::Rows;

/// Rows whose densities are computed together.
const TILE: usize = 4;
/// Vectors of columns whose sums are kept together.
const VECTORS: usize = 2;
/// A multiple of the columns in so many vectors, on any instruction set.
const WIDEST: usize = 16;

#[derive(Clone, Debug)]
pub(super) struct Component {
    /// `[d]`
    pub(super) mean: Vec<f64>,
    /// `[d, d]`
    pub(super) covariance: Vec<f64>,
    /// Lower Cholesky factor of the covariance `[d, d]`.
    pub(super) factor: Vec<f64>,
    /// Transposed inverse of the factor `[d, stride]`: upper triangular, with zeros beyond the last column.
    whitening: Vec<f64>,
    stride: usize,
    /// Half the logarithm of the covariance's determinant.
    half_log_det: f64,
}

impl Component {
    pub(super) fn new(mean: Vec<f64>, covariance: Vec<f64>) -> Result<Self, Error> {
        let d = mean.len();
        let factor = cholesky(&covariance, d).ok_or_else(|| {
            let why = "a covariance of the Gaussian mixture is not positive definite";
            Error::Invalid(format!("{why}: use fewer components or more rows"))
        })?;
        let stride = d.next_multiple_of(WIDEST);
        let mut padded = vec![0.0; d * stride];
        for (row, padded) in whitening(&factor, d).chunks(d).zip(padded.chunks_mut(stride)) {
            padded[..d].copy_from_slice(row);
        }
        let half_log_det = (0..d).map(|i| libm::log(factor[i * d + i])).sum();
        Ok(Component { mean, covariance, factor, whitening: padded, stride, half_log_det })
    }

    /// Logarithm of the density at a row whose whitened difference from the mean has the squared length `square`.
    fn log_density(&self, square: f64) -> f64 {
        let d = self.mean.len() as f64;
        -0.5 * (d * libm::log(std::f64::consts::TAU) + square) - self.half_log_det
    }

    /// Squared lengths of the whitened differences of some rows from the mean; `centred` `[d]` and `white` `[TILE, stride]` are scratch space.
    ///
    /// Each number of a whitened difference is summed over the columns in order, and without fused multiply-adds, so that it is as fast where
    /// there are none.
    #[inline(always)]
    fn squares<S: Simd>(
        &self,
        simd: S,
        rows: [&[f32]; TILE],
        centred: &mut [[f64; TILE]],
        white: &mut [f64],
    ) -> [f64; TILE] {
        let (d, stride) = (self.mean.len(), self.stride);
        for (j, (centred, m)) in centred.iter_mut().zip(&self.mean).enumerate() {
            *centred = rows.map(|row| f64::from(row[j]) - m);
        }
        let width = VECTORS * size_of::<S::f64s>() / size_of::<f64>();
        for first in (0..stride).step_by(width) {
            let mut sums = [[simd.splat_f64s(0.0); VECTORS]; TILE];
            // Further rows of the matrix have zeros here.
            for (i, centred) in centred[..d.min(first + width)].iter().enumerate() {
                let of_matrix = &self.whitening[i * stride + first..][..width];
                let of_matrix = S::as_simd_f64s(of_matrix).0;
                for (sums, &c) in sums.iter_mut().zip(centred) {
                    let c = simd.splat_f64s(c);
                    for (sum, &w) in sums.iter_mut().zip(of_matrix) {
                        *sum = simd.add_f64s(*sum, simd.mul_f64s(c, w));
                    }
                }
            }
            for (white, sums) in white.chunks_exact_mut(stride).zip(&sums) {
                let white = S::as_mut_simd_f64s(&mut white[first..first + width]).0;
                for (white, &sum) in white.iter_mut().zip(sums) {
                    *white = sum;
                }
            }
        }
        let mut squares = [0.0; TILE];
        for j in 0..d {
            for (t, square) in squares.iter_mut().enumerate() {
                let w = white[t * stride + j];
                *square += w * w;
            }
        }
        squares
    }
}

/// Writes the logarithm of the weighted density of each component at each row `[n, k]`.
pub(super) struct Joint<'a> {
    /// `[k]`
    pub(super) components: &'a [Component],
    /// `[k]`
    pub(super) weights: &'a [f64],
    pub(super) rows: Rows<'a>,
    pub(super) out: &'a mut [f64],
}

impl WithSimd for Joint<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Joint { components, weights, rows, out } = self;
        let (k, n, d) = (weights.len(), rows.len(), rows.dim());
        let mut centred = vec![[0.0; TILE]; d];
        let mut white = vec![0.0; TILE * d.next_multiple_of(WIDEST)];
        // The rows are in the inner loop, so that a component's matrix stays in the cache.
        for (c, (component, w)) in components.iter().zip(weights).enumerate() {
            let weight = libm::log(*w);
            for first in (0..n).step_by(TILE) {
                // The last tile repeats its last row, so that all tiles have the same size.
                let tile = std::array::from_fn(|t| rows.row((first + t).min(n - 1)));
                let squares = component.squares(simd, tile, &mut centred, &mut white);
                let out = out[first * k..].chunks_exact_mut(k);
                for (out, square) in out.zip(squares) {
                    out[c] = component.log_density(square) + weight;
                }
            }
        }
    }
}
