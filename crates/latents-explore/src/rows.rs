//! The one shape in which data comes in: a borrowed array `[n, d]` of `f32`, checked once.

use crate::error::Error;

/// `n` rows of `d` finite numbers each, row after row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rows<'a> {
    values: &'a [f32],
    dim: usize,
}

impl<'a> Rows<'a> {
    /// Rows of `dim` numbers.
    ///
    /// # Errors
    /// Where `dim` is 0 or does not divide the length, or a number is not finite.
    pub fn new(values: &'a [f32], dim: usize) -> Result<Self, Error> {
        if dim == 0 || !values.len().is_multiple_of(dim) {
            let all = values.len();
            return Err(Error::Invalid(format!("{all} numbers are not a number of rows of {dim}")));
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

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Numbers in a row.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// All numbers.
    #[must_use]
    pub fn values(&self) -> &'a [f32] {
        self.values
    }

    /// Row `i`.
    ///
    /// # Panics
    /// Where there is no such row.
    #[must_use]
    pub fn row(&self, i: usize) -> &'a [f32] {
        &self.values[i * self.dim..(i + 1) * self.dim]
    }

    /// The rows in order.
    #[allow(clippy::iter_without_into_iter)] // One way to go over rows is enough.
    pub fn iter(&self) -> std::slice::ChunksExact<'a, f32> {
        self.values.chunks_exact(self.dim)
    }

    /// The rows `range`.
    ///
    /// # Panics
    /// Where there are no such rows.
    #[must_use]
    pub fn slice(&self, range: std::ops::Range<usize>) -> Rows<'a> {
        Rows { values: &self.values[range.start * self.dim..range.end * self.dim], dim: self.dim }
    }

    /// At most `n` of the rows `[n, d]`, evenly spread over all, which may be in the order of their classes.
    #[must_use]
    pub fn spread(&self, n: usize) -> Vec<f32> {
        self.places(n).flat_map(|i| self.row(i)).copied().collect()
    }

    /// Where those rows are.
    pub(crate) fn places(&self, n: usize) -> impl Iterator<Item = usize> + use<> {
        let (all, n) = (self.len(), n.min(self.len()));
        (0..n).map(move |i| i * all / n)
    }

    /// Says so where there are fewer than `needed` rows.
    pub(crate) fn at_least(&self, needed: usize, what: &'static str) -> Result<(), Error> {
        let got = self.len();
        if got < needed { Err(Error::TooFew { what, needed, got }) } else { Ok(()) }
    }

    /// Says so where the two have rows of different length.
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
    fn what_is_wrong_is_named() {
        assert!(Rows::new(&[1.0; 6], 3).is_ok_and(|r| r.len() == 2 && r.row(1).len() == 3));
        assert!(matches!(Rows::new(&[1.0; 6], 4), Err(Error::Invalid(_))));
        assert!(matches!(Rows::new(&[1.0; 6], 0), Err(Error::Invalid(_))));
        let error = Rows::new(&[0.0, 1.0, f32::NAN, 2.0], 2).unwrap_err();
        assert!(matches!(error, Error::NotFinite { row: 1, column: 0 }));
    }
}
