//! The form in which functions here take vectors: a borrowed array `[n, d]` of `f32`, checked once.

use crate::error::Error;

/// Rows `[n, d]` of finite numbers, in row-major order.
///
/// ```
/// use latents_explore::{Error, Rows};
///
/// let values = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
/// let rows = Rows::new(&values, 3)?;
/// assert_eq!((rows.len(), rows.dim()), (2, 3));
/// assert_eq!(rows.row(1), [3.0, 4.0, 5.0]);
/// assert!(matches!(Rows::new(&[f32::NAN], 1), Err(Error::NotFinite { row: 0, column: 0 })));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rows<'a> {
    values: &'a [f32],
    dim: usize,
}

impl<'a> Rows<'a> {
    /// Takes `values` as rows of `dim` numbers.
    ///
    /// # Errors
    /// If `dim` is 0 or does not divide the number of values, or a value is not finite.
    pub fn new(values: &'a [f32], dim: usize) -> Result<Self, Error> {
        if dim == 0 || !values.len().is_multiple_of(dim) {
            let n = values.len();
            return Err(Error::Invalid(format!("{n} values cannot be split into rows of {dim}")));
        }
        if let Some(i) = values.iter().position(|v| !v.is_finite()) {
            return Err(Error::NotFinite { row: i / dim, column: i % dim });
        }
        Ok(Rows { values, dim })
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len() / self.dim
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The number of columns.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// All values `[n, d]`.
    #[must_use]
    pub fn values(&self) -> &'a [f32] {
        self.values
    }

    /// Row `i` `[d]`.
    ///
    /// # Panics
    /// If `i` is out of range.
    #[must_use]
    pub fn row(&self, i: usize) -> &'a [f32] {
        &self.values[i * self.dim..(i + 1) * self.dim]
    }

    /// The rows in order.
    #[allow(clippy::iter_without_into_iter)] // One way to iterate over rows is enough.
    pub fn iter(&self) -> std::slice::ChunksExact<'a, f32> {
        self.values.chunks_exact(self.dim)
    }

    /// The rows in `range`.
    ///
    /// # Panics
    /// If `range` is out of range.
    #[must_use]
    pub fn slice(&self, range: std::ops::Range<usize>) -> Rows<'a> {
        Rows { values: &self.values[range.start * self.dim..range.end * self.dim], dim: self.dim }
    }

    /// At most `n` of the rows `[min(n, len), d]`, evenly spaced, since rows may be sorted by class.
    #[must_use]
    pub fn subsample(&self, n: usize) -> Vec<f32> {
        self.evenly_spaced(n).flat_map(|i| self.row(i)).copied().collect()
    }

    /// Indices of the rows that [`Self::subsample`] takes, ascending.
    pub(crate) fn evenly_spaced(&self, n: usize) -> impl Iterator<Item = usize> + use<> {
        let (all, n) = (self.len(), n.min(self.len()));
        (0..n).map(move |i| i * all / n)
    }

    /// Returns an error if there are fewer than `needed` rows.
    pub(crate) fn at_least(&self, needed: usize, what: &'static str) -> Result<(), Error> {
        let got = self.len();
        if got < needed { Err(Error::TooFew { what, needed, got }) } else { Ok(()) }
    }

    /// Returns an error if `other` has another number of columns.
    pub(crate) fn like(&self, other: Rows<'_>) -> Result<(), Error> {
        let what = "each row of the second array";
        if self.dim == other.dim {
            Ok(())
        } else {
            Err(Error::Size { what, expected: self.dim, got: other.dim })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_what_is_wrong() {
        assert!(Rows::new(&[1.0; 6], 3).is_ok_and(|r| r.len() == 2 && r.row(1).len() == 3));
        assert!(matches!(Rows::new(&[1.0; 6], 4), Err(Error::Invalid(_))));
        assert!(matches!(Rows::new(&[1.0; 6], 0), Err(Error::Invalid(_))));
        let error = Rows::new(&[0.0, 1.0, f32::NAN, 2.0], 2).unwrap_err();
        assert!(matches!(error, Error::NotFinite { row: 1, column: 0 }));
    }
}
