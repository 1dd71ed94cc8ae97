//! Principal component analysis: the eigenvectors of the covariance matrix (Pearson, 1901; as scikit-learn's `PCA`, including its
//! sign convention: the loading with the largest absolute value is positive).

use latents_progress::{Interrupted, Monitor};
use rayon::prelude::*;

use crate::error::Error;
use crate::linear::{Eigen, axpy, dot, eigen, largest_coordinate, mean, scatter};
use crate::products::{Factor, product, square};
use crate::rows::Rows;
use crate::subspace::{block, largest};

/// Principal components.
///
/// ```
/// use latents_explore::{Pca, Rows};
/// use latents_progress::Monitor;
///
/// let values = [0.0, 0.0, 1.0, 2.0, 2.0, 4.0]; // [3, 2], on a line
/// let rows = Rows::new(&values, 2)?;
/// let pca = Pca::fit(rows, 1, &Monitor::default())?;
/// assert!((pca.explained_variance_ratio()[0] - 1.0).abs() < 1e-12);
/// let coordinates = pca.transform(rows)?; // [3, 1]
/// let back = pca.inverse_transform(Rows::new(&coordinates, 1)?)?; // [3, 2]
/// assert!(values.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-6));
/// # Ok::<(), latents_explore::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Pca {
    /// `[d]`
    mean: Vec<f64>,
    /// `[k, d]`, each of norm 1, or 0 if the rows span fewer directions.
    components: Vec<f64>,
    /// Variance along each component `[k]`.
    variance: Vec<f64>,
    /// Total variance of the rows.
    total: f64,
}

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

impl Pca {
    /// Computes the first `components` principal components of at least 2 rows `[n, d]`: seconds for 100,000 rows of 3,072 columns. All
    /// rows take part.
    ///
    /// The components are the eigenvectors of the covariance matrix `[d, d]`, or of the rows' products `[n, n]` if there are fewer rows
    /// than columns. If that matrix is small, all its eigenvectors are computed in double precision. Of a large matrix, only those that
    /// are needed are computed, from products in single precision whose sums are in double precision, until the residual of each is less
    /// than a hundred-thousandth of its variance (a thousandth if both sides exceed 4,096).
    ///
    /// # Errors
    /// If there are fewer than 2 rows, `components` is not in `1..=d`, or `monitor` is cancelled.
    pub fn fit(rows: Rows<'_>, components: usize, monitor: &Monitor) -> Result<Self, Error> {
        rows.at_least(2, "principal component analysis")?;
        let (n, d) = (rows.len(), rows.dim());
        if !(1..=d).contains(&components) {
            let (what, range) = ("number of components", "from 1 to the number of columns");
            return Err(Error::Range { what, range, got: components as f64 });
        }
        let fit = Fit { rows, mean: mean(rows, None), monitor };
        // Rows span one direction less than there are rows.
        let count = components.min(n - 1);
        let size = n.min(d);
        let mut pca = if size > STORED && 4 * block(count, size) < size {
            fit.by_rows(count)?
        } else if n <= d {
            fit.by_products(count)?
        } else {
            fit.by_covariance(count)?
        };
        pca.variance.resize(components, 0.0);
        pca.components.resize(components * d, 0.0);
        Ok(pca)
    }

    /// The first `components` components of this analysis; all if it has fewer.
    #[must_use]
    pub fn truncated(&self, components: usize) -> Self {
        let kept = components.clamp(1, self.variance.len());
        Pca {
            mean: self.mean.clone(),
            components: self.components[..kept * self.mean.len()].to_vec(),
            variance: self.variance[..kept].to_vec(),
            total: self.total,
        }
    }

    /// The mean of the rows `[d]`.
    #[must_use]
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The components `[k, d]`, each of norm 1. If there are no more rows than columns and some rows are equal, components after the last
    /// direction in which the rows differ are 0.
    #[must_use]
    pub fn components(&self) -> &[f64] {
        &self.components
    }

    /// Variance along each component `[k]`, descending.
    #[must_use]
    pub fn explained_variance(&self) -> &[f64] {
        &self.variance
    }

    /// Variance along each component `[k]` divided by the total variance; 0 if the total is 0.
    #[must_use]
    pub fn explained_variance_ratio(&self) -> Vec<f64> {
        let part = |v: &f64| if self.total > 0.0 { v / self.total } else { 0.0 };
        self.variance.iter().map(part).collect()
    }

    /// The variance that the components leave, divided by the number of remaining directions, `d - k`: the maximum-likelihood noise of
    /// probabilistic principal component analysis (Tipping and Bishop, 1999); 0 if there are as many components as columns.
    #[must_use]
    pub fn noise_variance(&self) -> f64 {
        let rest = self.mean.len() - self.variance.len();
        if rest == 0 {
            return 0.0;
        }
        (self.total - self.variance.iter().sum::<f64>()).max(0.0) / rest as f64
    }

    /// Coordinates `[n, k]` of rows `[n, d]`.
    ///
    /// # Errors
    /// If the rows have another number of columns.
    pub fn transform(&self, rows: Rows<'_>) -> Result<Vec<f32>, Error> {
        let (d, k) = (self.mean.len(), self.variance.len());
        expect(rows, d)?;
        let mut out = vec![0.0f32; rows.len() * k];
        out.par_chunks_mut(k).zip(rows.values().par_chunks(d)).for_each(|(out, row)| {
            for (out, component) in out.iter_mut().zip(self.components.chunks_exact(d)) {
                let terms = component.iter().zip(row).zip(&self.mean);
                *out = terms.map(|((c, &v), m)| c * (f64::from(v) - m)).sum::<f64>() as f32;
            }
        });
        Ok(out)
    }

    /// Whitened coordinates `[n, k]` of rows `[n, d]`: each is divided by its standard deviation, as scikit-learn's `PCA(whiten=True)` does,
    /// and is 0 along components without variance. Then each row is scaled to length 1, so that the nearest of them by Euclidean distance
    /// are the nearest by cosine.
    ///
    /// # Errors
    /// If the rows have another number of columns.
    pub fn whitened_directions(&self, rows: Rows<'_>) -> Result<Vec<f32>, Error> {
        let mut coordinates = self.transform(rows)?;
        let scale = |v: &f64| if *v > 0.0 { v.sqrt().recip() } else { 0.0 };
        let scales: Vec<f64> = self.variance.iter().map(scale).collect();
        for row in coordinates.chunks_exact_mut(scales.len()) {
            let whitened = row.iter().zip(&scales).map(|(&x, s)| f64::from(x) * s);
            let length = whitened.clone().map(|x| x * x).sum::<f64>().sqrt();
            let whitened: Vec<f64> = whitened.collect();
            for (x, w) in row.iter_mut().zip(whitened) {
                *x = if length > 0.0 { (w / length) as f32 } else { 0.0 };
            }
        }
        Ok(coordinates)
    }

    /// The number of components, `k`.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // There is at least one.
    pub fn len(&self) -> usize {
        self.variance.len()
    }

    /// Rows `[n, d]` from coordinates `[n, k]`.
    ///
    /// # Errors
    /// If the number of coordinates is not the number of components.
    pub fn inverse_transform(&self, coordinates: Rows<'_>) -> Result<Vec<f32>, Error> {
        let (d, k) = (self.mean.len(), self.variance.len());
        expect(coordinates, k)?;
        let mut out = vec![0.0f32; coordinates.len() * d];
        out.par_chunks_mut(d).zip(coordinates.values().par_chunks(k)).for_each(|(out, row)| {
            let mut sums = self.mean.clone();
            for (component, &c) in self.components.chunks_exact(d).zip(row) {
                axpy(f64::from(c), component, &mut sums);
            }
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = sum as f32;
            }
        });
        Ok(out)
    }

    /// Mean squared error per value of the reconstruction of rows `[n, d]` from their coordinates.
    ///
    /// # Errors
    /// If the rows have another number of columns.
    pub fn reconstruction_error(&self, rows: Rows<'_>) -> Result<f64, Error> {
        self.error_of(rows, |value| value)
    }

    /// As [`Pca::reconstruction_error`], with reconstructions limited to `[0, 1]`, the range of pixels, as those of models are.
    ///
    /// # Errors
    /// If the rows have another number of columns.
    pub fn clipped_reconstruction_error(&self, rows: Rows<'_>) -> Result<f64, Error> {
        self.error_of(rows, |value| value.clamp(0.0, 1.0))
    }

    fn error_of(&self, rows: Rows<'_>, limit: fn(f32) -> f32) -> Result<f64, Error> {
        let coordinates = self.transform(rows)?;
        let back = self.inverse_transform(Rows::new(&coordinates, self.variance.len())?)?;
        let square = |(&x, &y): (&f32, &f32)| f64::from(x - limit(y)).powi(2);
        let squares = rows.values().iter().zip(&back).map(square);
        Ok(squares.sum::<f64>() / rows.values().len() as f64)
    }
}

/// Rows and their mean.
struct Fit<'a> {
    rows: Rows<'a>,
    mean: Vec<f64>,
    monitor: &'a Monitor,
}

impl Fit<'_> {
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
    fn by_rows(self, count: usize) -> Result<Pca, Error> {
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
    fn factor<'a>(&'a self, mean: &'a [f32]) -> Factor<'a, f32> {
        Factor::new(self.rows.values(), self.rows.dim()).less(mean)
    }

    fn centred_rows(&self) -> Vec<f64> {
        let centre = |row: &[f32]| -> Vec<f64> {
            row.iter().zip(&self.mean).map(|(&v, m)| f64::from(v) - m).collect()
        };
        self.rows.iter().flat_map(centre).collect()
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
        Pca { mean: self.mean, components: directions, variance, total }
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

fn expect(rows: Rows<'_>, expected: usize) -> Result<(), Error> {
    let what = "each row";
    if rows.dim() == expected {
        Ok(())
    } else {
        Err(Error::Size { what, expected, got: rows.dim() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(rows: Rows<'_>, components: usize) -> Result<Pca, Error> {
        Pca::fit(rows, components, &Monitor::default())
    }

    #[test]
    fn a_line_has_one_component() {
        let x: Vec<f32> = (0..9u8).flat_map(|i| [f32::from(i), 1.0 - 2.0 * f32::from(i)]).collect();
        let rows = Rows::new(&x, 2).unwrap();
        let pca = fit(rows, 2).unwrap();
        assert!((pca.explained_variance_ratio()[0] - 1.0).abs() < 1e-12);
        let [a, b] = [pca.components()[0], pca.components()[1]];
        assert!((b - 0.8f64.sqrt()).abs() < 1e-12 && (a + 0.2f64.sqrt()).abs() < 1e-12);
        let one = fit(rows, 1).unwrap();
        assert!(one.reconstruction_error(rows).unwrap() < 1e-12);
        assert!(fit(rows, 3).is_err() && fit(rows.slice(0..1), 1).is_err());
    }

    #[test]
    fn whitened_directions_do_not_depend_on_scales() {
        let values = falling(50, 6);
        let rows = Rows::new(&values, 6).unwrap();
        let pca = fit(rows, 4).unwrap();
        let found = pca.whitened_directions(rows).unwrap();
        let plain = pca.transform(rows).unwrap();
        for (found, plain) in found.chunks(4).zip(plain.chunks(4)) {
            let of = |k: usize| f64::from(plain[k]) / pca.explained_variance()[k].sqrt();
            let length = (0..4).map(|k| of(k).powi(2)).sum::<f64>().sqrt();
            for (k, &x) in found.iter().enumerate() {
                assert!((f64::from(x) - of(k) / length).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn few_wide_rows_have_the_components_of_their_covariance() {
        let mut s = latents_random::stream(3, latents_random::Purpose::Synthetic, 0, 0);
        let values: Vec<f32> = (0..12 * 20).map(|_| s.normal() as f32).collect();
        let rows = Rows::new(&values, 20).unwrap();
        let few = fit(rows, 11).unwrap();
        let scale = 1.0 / 11.0;
        let monitor = Monitor::default();
        let covariance = scatter(rows, &few.mean, None, &monitor).unwrap();
        let covariance: Vec<f64> = covariance.iter().map(|s| s * scale).collect();
        let whole = eigen(&covariance, 20, &monitor).unwrap();
        for k in 0..11 {
            assert!((few.variance[k] - whole.values[k]).abs() < 1e-9);
            let same: f64 = dot(&few.components[k * 20..][..20], &whole.vectors[k * 20..][..20]);
            assert!((same - 1.0).abs() < 1e-9, "component {k}: {same}");
        }
        let all: f64 = (0..20).map(|i| covariance[i * 20 + i]).sum();
        assert!((few.total - all).abs() < 1e-9);
        assert!(
            few.reconstruction_error(rows).unwrap() < 1e-9,
            "twelve rows span eleven directions"
        );
    }

    /// Rows whose variance falls as that of images does.
    fn falling(n: usize, d: usize) -> Vec<f32> {
        let mut s = latents_random::stream(5, latents_random::Purpose::Synthetic, 0, 0);
        let directions: Vec<f64> = (0..d * d).map(|_| s.normal()).collect();
        let row = |_| {
            let mut row = vec![0.5; d];
            for (k, direction) in directions.chunks(d).enumerate() {
                axpy(s.normal() / (k + 1) as f64, direction, &mut row);
            }
            row.into_iter().map(|v| v as f32)
        };
        (0..n).flat_map(row).collect()
    }

    #[test]
    fn large_matrices_have_the_components_of_their_covariance() {
        let (d, k) = (200, 12);
        for n in [500, 150] {
            let values = falling(n, d);
            let rows = Rows::new(&values, d).unwrap();
            let ours = fit(rows, k).unwrap();
            let monitor = Monitor::default();
            let covariance = scatter(rows, &ours.mean, None, &monitor).unwrap();
            let covariance: Vec<f64> = covariance.iter().map(|s| s / (n - 1) as f64).collect();
            let whole = eigen(&covariance, d, &monitor).unwrap();
            let of_rows = Fit { rows, mean: ours.mean.clone(), monitor: &monitor };
            let of_rows = of_rows.by_rows(k).unwrap();
            let total: f64 = (0..d).map(|i| covariance[i * d + i]).sum();
            for (pca, accuracy) in [(&ours, 1e-6), (&of_rows, 1e-4)] {
                assert!((pca.total / total - 1.0).abs() < 1e-6);
                for i in 0..k {
                    let ratio = pca.variance[i] / whole.values[i];
                    assert!((ratio - 1.0).abs() < accuracy, "{n} {i}: {ratio}");
                    let same = dot(&pca.components[i * d..][..d], &whole.vectors[i * d..][..d]);
                    assert!((same - 1.0).abs() < 100.0 * accuracy, "{n} {i}: {same}");
                }
            }
        }
    }

    #[test]
    fn limits_bring_images_nearer() {
        let images: Vec<f32> = falling(60, 30).iter().map(|v| v.clamp(0.0, 1.0)).collect();
        let rows = Rows::new(&images, 30).unwrap();
        let pca = fit(rows, 3).unwrap();
        let [free, clipped] = [
            pca.reconstruction_error(rows).unwrap(),
            pca.clipped_reconstruction_error(rows).unwrap(),
        ];
        assert!(clipped < free && clipped > 0.0, "{clipped} {free}");
    }

    #[test]
    fn more_components_than_directions_are_zero() {
        let values = falling(140, 300);
        let rows = Rows::new(&values, 300).unwrap();
        let pca = fit(rows, 160).unwrap();
        assert!(pca.reconstruction_error(rows).unwrap() < 1e-5 * pca.total / 300.0);
        assert!(pca.components[139 * 300..].iter().all(|&c| c == 0.0));
        assert_eq!((pca.variance.len(), pca.components.len()), (160, 160 * 300));
    }

    #[test]
    fn bits_do_not_depend_on_threads() {
        let values = falling(400, 190);
        let rows = Rows::new(&values, 190).unwrap();
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fit(rows, 20).unwrap())
        };
        assert_eq!(on(1), on(3));
    }

    #[test]
    fn equal_rows_span_no_directions() {
        let mut s = latents_random::stream(3, latents_random::Purpose::Synthetic, 0, 0);
        let three: Vec<f32> = (0..3 * 40).map(|_| s.normal() as f32).collect();
        let values = three.repeat(5);
        let rows = Rows::new(&values, 40).unwrap();
        let pca = fit(rows, 12).unwrap();
        let others: Vec<f32> = (0..6 * 40).map(|_| s.normal() as f32).collect();
        let others = Rows::new(&others, 40).unwrap();
        let error = |pca: &Pca| pca.reconstruction_error(others).unwrap();
        assert!((error(&pca) - error(&pca.truncated(2))).abs() < 1e-9);
        let length =
            |k: usize| dot(&pca.components[k * 40..][..40], &pca.components[k * 40..][..40]);
        assert!((0..2).all(|k| (length(k) - 1.0).abs() < 1e-12));
        assert!((2..12).all(|k| length(k) == 0.0));
    }
}
