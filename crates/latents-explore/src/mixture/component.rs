//! A component of a mixture, and the densities of all components at some rows.

use pulp::{Simd, WithSimd};

use crate::error::Error;
use crate::lanes::LANES;
use crate::linear::{cholesky, whitening};
use crate::multiply::{Group, multiply_group, pack};
use crate::products::Factor;
use crate::rows::Rows;

#[derive(Clone, Debug)]
pub(crate) struct Component {
    /// `[d]`
    pub(crate) mean: Vec<f64>,
    /// `[d, d]`
    pub(super) covariance: Vec<f64>,
    /// Lower Cholesky factor of the covariance `[d, d]`.
    pub(crate) factor: Vec<f64>,
    /// Transposed inverse of the factor `[d, d]`, upper triangular.
    pub(crate) whitening: Vec<f64>,
    /// Half the logarithm of the covariance's determinant.
    pub(crate) half_log_det: f64,
}

impl Component {
    pub(crate) fn new(mean: Vec<f64>, covariance: Vec<f64>) -> Result<Self, Error> {
        let d = mean.len();
        let factor = cholesky(&covariance, d).ok_or_else(|| {
            let why = "a covariance of the Gaussian mixture is not positive definite";
            Error::Invalid(format!("{why}: use fewer components or more rows"))
        })?;
        let whitening = whitening(&factor, d);
        let half_log_det = (0..d).map(|i| libm::log(factor[i * d + i])).sum();
        Ok(Component { mean, covariance, factor, whitening, half_log_det })
    }

    /// Multiplies the standard deviations.
    pub(super) fn scale(&mut self, by: f64) {
        self.covariance.iter_mut().for_each(|v| *v *= by * by);
        self.factor.iter_mut().for_each(|v| *v *= by);
        self.whitening.iter_mut().for_each(|v| *v /= by);
        self.half_log_det += self.mean.len() as f64 * libm::log(by);
    }

    /// Logarithms of the density at up to 16 rows; `centred` `[d]` and `scratch` are for the numbers on the way.
    #[inline(always)]
    fn log_densities<'a, S: Simd>(
        &self,
        simd: S,
        rows: impl Iterator<Item = &'a [f32]>,
        centred: &mut [Group],
        scratch: &mut Vec<f64>,
    ) -> Group {
        let d = self.mean.len();
        pack(rows, centred, |i, v| f64::from(v) - self.mean[i]);
        let whitening = Factor::new(&self.whitening, d).upper();
        let mut squares = [0.0; LANES];
        multiply_group(
            simd,
            centred,
            whitening,
            scratch,
            |_| 0.0,
            |_, white| {
                for (square, w) in squares.iter_mut().zip(white) {
                    *square += w * w;
                }
            },
        );
        squares.map(|square| {
            -0.5 * (d as f64 * libm::log(std::f64::consts::TAU) + square) - self.half_log_det
        })
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
        let (mut centred, mut scratch) = (vec![[0.0; LANES]; d], vec![]);
        // The rows are in the inner loop, so that a component's matrix stays in the cache.
        for (c, (component, w)) in components.iter().zip(weights).enumerate() {
            let weight = libm::log(*w);
            for first in (0..n).step_by(LANES) {
                let group = (first..n.min(first + LANES)).map(|i| rows.row(i));
                let logs = component.log_densities(simd, group, &mut centred, &mut scratch);
                for (out, log) in out[first * k..].chunks_exact_mut(k).zip(logs) {
                    out[c] = log + weight;
                }
            }
        }
    }
}
