//! How principal components are computed: from the covariance matrix, from the products of the rows, or from the rows alone.

use latents_progress::{Interrupted, Monitor};
use rayon::prelude::*;

use super::Pca;
use crate::error::Error;
use crate::linear::{Eigen, axpy, dot, eigen, largest_coordinate, mean, scatter};
use crate::products::{Factor, PACKED, product, square};
use crate::rows::Rows;
use crate::subspace::{block, largest};

/// Up to this size of the symmetric matrix, all its eigenvectors are computed in double precision.
const SMALL: usize = 128;
/// Up to this size, all eigenvectors are computed if at least a quarter of them is needed.
const MEDIUM: usize = 1_024;
/// Up to this size, the matrix is stored. A larger one is applied as products with the rows.
const STORED: usize = 4_096;
/// The residual of each component of a matrix that is stored, relative to its variance; and of one that is not, in whose products single
/// precision leaves errors.
const ACCURACY: [f64; 2] = [1e-5, 1e-3];
/// Components with a smaller share of the first one's variance consist of rounding errors.
const ROUNDING: f64 = 1e-12;

/// Bytes of the rows `[n, d]` and of what is computed from them at the same time, about.
pub(super) fn memory(n: usize, d: usize) -> usize {
    let size = n.min(d);
    // Few rows are centred in double precision; of more, some are packed at a time.
    let of_rows =
        if n <= SMALL && n <= d { size_of::<f64>() * n } else { size_of::<f32>() * n.min(PACKED) };
    let of_matrix = if size <= STORED { 2 * size_of::<f64>() * size * size } else { 0 };
    (size_of::<f32>() * n + of_rows) * d + of_matrix
}

/// Rows and their mean.
pub(super) struct Fit<'a> {
    rows: Rows<'a>,
    mean: Vec<f64>,
    monitor: &'a Monitor,
}

impl<'a> Fit<'a> {
    pub(super) fn new(rows: Rows<'a>, monitor: &'a Monitor) -> Self {
        Fit { rows, mean: mean(rows, None), monitor }
    }

    /// The first `count` components, in whichever way is cheapest.
    pub(super) fn compute(self, count: usize) -> Result<Pca, Error> {
        let (n, d) = (self.rows.len(), self.rows.dim());
        let size = n.min(d);
        if size > STORED && 4 * block(count, size) < size {
            self.by_rows(count)
        } else if n <= d {
            self.by_products(count)
        } else {
            self.by_covariance(count)
        }
    }

    /// Components from the covariance matrix `[d, d]`.
    fn by_covariance(self, count: usize) -> Result<Pca, Error> {
        let (n, d) = (self.rows.len(), self.rows.dim());
        let mut covariance = if d <= SMALL {
            scatter(self.rows, &self.mean, None, self.monitor)?
        } else {
            let mean = self.single_mean();
            square(self.factor(&mean), self.monitor)?
        };
        let scale = 1.0 / (n - 1) as f64;
        for s in &mut covariance {
            *s *= scale;
        }
        let total = (0..d).map(|i| covariance[i * d + i]).sum();
        let found = top(&covariance, d, count, self.monitor)?;
        Ok(self.finished(found.vectors, &found.values, total))
    }

    /// Components of no more rows than columns, from the products of the rows with each other `[n, n]`.
    fn by_products(self, count: usize) -> Result<Pca, Error> {
        let (n, d) = (self.rows.len(), self.rows.dim());
        let scale = 1.0 / (n - 1) as f64;
        let centred = (n <= SMALL).then(|| self.centred_rows());
        let products = if let Some(centred) = &centred {
            let products_with = |a: &[f64]| -> Result<Vec<f64>, Interrupted> {
                self.monitor.check()?;
                Ok(centred.chunks(d).map(|b| scale * dot(a, b)).collect())
            };
            let products: Result<Vec<Vec<f64>>, Interrupted> =
                centred.par_chunks(d).map(products_with).collect();
            products?.concat()
        } else {
            let mean = self.single_mean();
            let mut products = square(self.factor(&mean).transposed(), self.monitor)?;
            for p in &mut products {
                *p *= scale;
            }
            products
        };
        let total = (0..n).map(|i| products[i * n + i]).sum();
        let found = top(&products, n, count, self.monitor)?;
        let directions = self.combined(&found.vectors, centred.as_deref())?;
        Ok(self.finished(directions, &found.values, total))
    }

    /// Components without the covariance matrix: each iteration multiplies it with some vectors by two passes over the rows.
    pub(super) fn by_rows(self, count: usize) -> Result<Pca, Error> {
        let (n, d) = (self.rows.len(), self.rows.dim());
        let scale = 1.0 / (n - 1) as f64;
        let mean = self.single_mean();
        let centred = self.factor(&mean);
        let single = |values: &[f64]| -> Vec<f32> { values.iter().map(|&v| v as f32).collect() };
        let operator = |vectors: &[f64]| {
            let (vectors, b) = (single(vectors), vectors.len() / d);
            let vectors = Factor::new(&vectors, d).transposed();
            let products = single(&product(centred.transposed(), vectors, self.monitor)?);
            let mut sums = product(Factor::new(&products, b), centred, self.monitor)?;
            for s in &mut sums {
                *s *= scale;
            }
            Ok(sums)
        };
        let found = largest(&operator, d, count, ACCURACY[1], self.monitor)?;
        let squares = |row: &[f32]| {
            let terms = row.iter().zip(&self.mean).map(|(&v, m)| (f64::from(v) - m).powi(2));
            scale * terms.sum::<f64>()
        };
        let squares: Vec<f64> = self.rows.values().par_chunks(d).map(squares).collect();
        Ok(self.finished(found.vectors, &found.values, squares.iter().sum()))
    }

    fn single_mean(&self) -> Vec<f32> {
        self.mean.iter().map(|&m| m as f32).collect()
    }

    /// The rows less their mean.
    fn factor<'b>(&'b self, mean: &'b [f32]) -> Factor<'b, f32> {
        Factor::new(self.rows.values(), self.rows.dim()).less(mean)
    }

    fn centred_rows(&self) -> Vec<f64> {
        let mut centred = Vec::with_capacity(self.rows.values().len());
        for row in self.rows.iter() {
            centred.extend(row.iter().zip(&self.mean).map(|(&v, m)| f64::from(v) - m));
        }
        centred
    }

    /// The sums of the rows with each of the weights `[k, n]`: directions `[k, d]`. In double precision if `centred` has the rows so.
    fn combined(&self, weights: &[f64], centred: Option<&[f64]>) -> Result<Vec<f64>, Interrupted> {
        let (n, d) = (self.rows.len(), self.rows.dim());
        if let Some(centred) = centred {
            let direction = |weights: &[f64]| -> Result<Vec<f64>, Interrupted> {
                self.monitor.check()?;
                let mut axis = vec![0.0; d];
                for (&weight, row) in weights.iter().zip(centred.chunks(d)) {
                    axpy(weight, row, &mut axis);
                }
                Ok(axis)
            };
            let directions: Result<Vec<Vec<f64>>, Interrupted> =
                weights.par_chunks(n).map(direction).collect();
            return Ok(directions?.concat());
        }
        let weights: Vec<f32> = weights.iter().map(|&w| w as f32).collect();
        let mean = self.single_mean();
        product(Factor::new(&weights, n).transposed(), self.factor(&mean), self.monitor)
    }

    /// The analysis with directions `[k, d]` of any length, of which those without variance become 0.
    fn finished(self, mut directions: Vec<f64>, values: &[f64], total: f64) -> Pca {
        let d = self.rows.dim();
        // Negative values are rounding errors.
        let variance: Vec<f64> = values.iter().map(|v| v.max(0.0)).collect();
        let few = self.rows.len() <= d;
        for (direction, &v) in directions.chunks_mut(d).zip(&variance) {
            let length = dot(direction, direction).sqrt().copysign(largest_coordinate(direction));
            if few && v <= ROUNDING * variance[0] || length == 0.0 {
                direction.fill(0.0);
            } else if few {
                for v in direction.iter_mut() {
                    *v /= length;
                }
            }
        }
        Pca { mean: self.mean, components: directions, variance, total, whiten: false }
    }
}

/// The largest eigenvalues of a symmetric matrix `[size, size]` and their vectors.
fn top(matrix: &[f64], size: usize, count: usize, monitor: &Monitor) -> Result<Eigen, Interrupted> {
    if size <= SMALL || size <= MEDIUM && 4 * count > size {
        let mut all = eigen(matrix, size, monitor)?;
        all.values.truncate(count);
        all.vectors.truncate(count * size);
        return Ok(all);
    }
    let operator = |vectors: &[f64]| {
        let vectors = Factor::new(vectors, size).transposed();
        product(vectors, Factor::new(matrix, size), monitor)
    };
    largest(&operator, size, count, ACCURACY[0], monitor)
}
