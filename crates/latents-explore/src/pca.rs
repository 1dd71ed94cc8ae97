//! Exact principal component analysis: the eigenvectors of the covariance matrix (Pearson, 1901; as scikit-learn's `PCA`, including its
//! sign convention: the loading with the largest absolute value is positive).

use latents_progress::{Interrupted, Monitor};
use rayon::prelude::*;

use crate::error::Error;
use crate::linear::{axpy, dot, eigen, mean, scatter};
use crate::rows::Rows;

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

impl Pca {
    /// Computes the first `components` principal components of at least 2 rows `[n, d]`. The time grows with the cube of `d` (of `n` if
    /// `n <= d`): seconds for a thousand.
    ///
    /// # Errors
    /// If there are fewer than 2 rows, `components` is not in `1..=d`, or `monitor` is cancelled.
    pub fn fit(rows: Rows<'_>, components: usize, monitor: &Monitor) -> Result<Self, Error> {
        rows.at_least(2, "principal component analysis")?;
        let d = rows.dim();
        if !(1..=d).contains(&components) {
            let (what, range) = ("number of components", "from 1 to the number of columns");
            return Err(Error::Range { what, range, got: components as f64 });
        }
        let mean = mean(rows, None);
        if rows.len() <= d && components < rows.len() {
            return Ok(Self::of_few(rows, mean, components, monitor)?);
        }
        let scale = 1.0 / (rows.len() - 1) as f64;
        let mut covariance = scatter(rows, &mean, None, monitor)?;
        for s in &mut covariance {
            *s *= scale;
        }
        let total = (0..d).map(|i| covariance[i * d + i]).sum();
        let mut found = eigen(&covariance, d, monitor)?;
        found.values.truncate(components);
        found.vectors.truncate(components * d);
        // Negative values are rounding errors.
        let variance = found.values.iter().map(|v| v.max(0.0)).collect();
        Ok(Pca { mean, components: found.vectors, variance, total })
    }

    /// The number of rows to fit components to, given `n` rows of `d` columns: all `n` if `d` is at most 1,024, otherwise at most 1,000,
    /// since more would take minutes.
    #[must_use]
    pub fn sample_size(n: usize, d: usize) -> usize {
        if d <= 1_024 { n } else { n.min(1_000) }
    }

    /// Components of no more rows than columns, from the Gram matrix `[n, n]` of the rows instead of the covariance matrix `[d, d]`.
    fn of_few(
        rows: Rows<'_>,
        mean: Vec<f64>,
        components: usize,
        monitor: &Monitor,
    ) -> Result<Self, Interrupted> {
        let (n, d) = (rows.len(), rows.dim());
        let centred: Vec<f64> = rows
            .iter()
            .flat_map(|row| row.iter().zip(&mean).map(|(&v, m)| f64::from(v) - m))
            .collect();
        let scale = 1.0 / (n - 1) as f64;
        let products_with = |a: &[f64]| -> Result<Vec<f64>, Interrupted> {
            monitor.check()?;
            Ok(centred.chunks(d).map(|b| scale * dot(a, b)).collect())
        };
        let products: Result<Vec<Vec<f64>>, Interrupted> =
            centred.par_chunks(d).map(products_with).collect();
        let products = products?.concat();
        let total = (0..n).map(|i| products[i * n + i]).sum();
        let found = eigen(&products, n, monitor)?;
        let variance: Vec<f64> = found.values[..components].iter().map(|v| v.max(0.0)).collect();
        let direction = |k: usize| -> Result<Vec<f64>, Interrupted> {
            monitor.check()?;
            let mut axis = vec![0.0; d];
            for (i, row) in centred.chunks(d).enumerate() {
                axpy(found.vectors[k * n + i], row, &mut axis);
            }
            let largest =
                axis.iter().copied().fold(0.0f64, |m, v| if v.abs() > m.abs() { v } else { m });
            let length = dot(&axis, &axis).sqrt().copysign(largest);
            // If rows are equal, some directions consist of rounding errors.
            let is_rounding = variance[k] <= 1e-12 * variance[0];
            Ok(axis.iter().map(|v| if is_rounding { 0.0 } else { v / length }).collect())
        };
        let components: Result<Vec<Vec<f64>>, Interrupted> =
            (0..components).into_par_iter().map(direction).collect();
        Ok(Pca { mean, components: components?.concat(), variance, total })
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
        let coordinates = self.transform(rows)?;
        let back = self.inverse_transform(Rows::new(&coordinates, self.variance.len())?)?;
        let squares = rows.values().iter().zip(&back).map(|(a, b)| f64::from(a - b).powi(2));
        Ok(squares.sum::<f64>() / rows.values().len() as f64)
    }
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
