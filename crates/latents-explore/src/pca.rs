//! Principal component analysis: the eigenvectors of the covariance matrix (Pearson, 1901; as scikit-learn's `PCA`, including its
//! sign convention: the loading with the largest absolute value is positive).

mod fit;

use latents_progress::Monitor;

use crate::error::Error;
use crate::linear::dot;
use crate::multiply::multiply;
use crate::products::Factor;
use crate::rows::Rows;
use fit::Fit;

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
    /// Whether coordinates are divided by their standard deviations.
    whiten: bool,
}

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
        let d = rows.dim();
        if !(1..=d).contains(&components) {
            let (what, range) = ("number of components", "from 1 to the number of columns");
            return Err(Error::Range { what, range, got: components as f64 });
        }
        // Rows span one direction less than there are rows.
        let mut pca = Fit::new(rows, monitor).compute(components.min(rows.len() - 1))?;
        pca.variance.resize(components, 0.0);
        pca.components.resize(components * d, 0.0);
        Ok(pca)
    }

    /// Bytes that rows `[n, d]` and an analysis of them take together, about.
    #[must_use]
    pub fn memory(n: usize, d: usize) -> u64 {
        fit::memory(n, d) as u64
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
            whiten: self.whiten,
        }
    }

    /// The analysis with this mean `[d]`, these components `[k, d]`, the variance along each `[k]`, and the total variance of the rows.
    ///
    /// # Errors
    /// If the sizes do not fit.
    pub fn from_parameters(
        mean: Vec<f64>,
        components: Vec<f64>,
        variance: Vec<f64>,
        total: f64,
    ) -> Result<Self, Error> {
        if variance.is_empty() || components.len() != mean.len() * variance.len() {
            let why = "a mean [d], components [k, d] and variances [k] do not fit together";
            return Err(Error::Invalid(why.into()));
        }
        Ok(Pca { mean, components, variance, total, whiten: false })
    }

    /// The same components, with or without whitening: coordinates that are divided by their standard deviations, as those of scikit-learn's
    /// `PCA(whiten=True)`; along components without variance they are 0.
    #[must_use]
    pub fn whiten(self, whiten: bool) -> Self {
        Pca { whiten, ..self }
    }

    /// The least number of components that explain this part of the total variance, at least 1.
    #[must_use]
    pub fn components_for(&self, part: f64) -> usize {
        let mut sum = 0.0;
        let ratios = self.explained_variance_ratio();
        let reached = ratios.iter().position(|ratio| {
            sum += ratio;
            sum >= part
        });
        reached.map_or(ratios.len(), |last| last + 1)
    }

    /// What a coordinate along each component is multiplied by `[k]`.
    fn scales(&self) -> Vec<f64> {
        let scale = |v: &f64| match self.whiten {
            false => 1.0,
            true if *v > 0.0 => v.sqrt().recip(),
            true => 0.0,
        };
        self.variance.iter().map(scale).collect()
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

    /// The variance of the rows along all directions together.
    #[must_use]
    pub fn total_variance(&self) -> f64 {
        self.total
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
        let d = self.mean.len();
        expect(rows, d)?;
        let scales = self.scales();
        let components = Factor::new(&self.components, d).transposed();
        let centred = |i: usize, v: f32| f64::from(v) - self.mean[i];
        // As a sum of no numbers, so that a sum of zeros has their sign.
        Ok(multiply(rows, components, centred, |_| -0.0, |c, sum| (sum * scales[c]) as f32))
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
            let whitened: Vec<f64> =
                row.iter().zip(&scales).map(|(&x, s)| f64::from(x) * s).collect();
            let length = dot(&whitened, &whitened).sqrt();
            for (x, w) in row.iter_mut().zip(whitened) {
                *x = if length > 0.0 { (w / length) as f32 } else { 0.0 };
            }
        }
        Ok(coordinates)
    }

    /// Rows `[n, d]` from coordinates `[n, k]`.
    ///
    /// # Errors
    /// If the number of coordinates is not the number of components.
    pub fn inverse_transform(&self, coordinates: Rows<'_>) -> Result<Vec<f32>, Error> {
        let (d, k) = (self.mean.len(), self.variance.len());
        expect(coordinates, k)?;
        let back = |scale: &f64| if *scale > 0.0 { scale.recip() } else { 0.0 };
        let scales: Vec<f64> = self.scales().iter().map(back).collect();
        let components = Factor::new(&self.components, d);
        let scaled = |c: usize, v: f32| f64::from(v) * scales[c];
        Ok(multiply(coordinates, components, scaled, |j| self.mean[j], |_, sum| sum as f32))
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

fn expect(rows: Rows<'_>, expected: usize) -> Result<(), Error> {
    let what = "each row";
    if rows.dim() == expected {
        Ok(())
    } else {
        Err(Error::Size { what, expected, got: rows.dim() })
    }
}

#[cfg(test)]
mod tests;
