//! What a logistic regression is fitted to: vectors with scaled columns, or, if there are fewer vectors than columns, their coordinates in
//! the space that they span. The best weights lie in that space, and their norm is that of their coordinates, so the two fits are the same.

use std::ops::Range;

use latents_progress::{Interrupted, Monitor};

use crate::linear::factorize;
use crate::products::{Factor, product, square};

/// Up to this dimension the whole curvature matrix is estimated; beyond, only its diagonal.
pub(super) const WHOLE: usize = 2_048;

/// Shift and factor of each column, `[d]` each.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scaling {
    pub(super) shift: Vec<f64>,
    pub(super) factor: Vec<f64>,
}

impl Scaling {
    /// Mean and inverse standard deviation of each column of `values` `[n, dim]`; 0 and 1 if not `standardize`. A constant column keeps its
    /// scale.
    pub(super) fn of(values: &[f32], dim: usize, standardize: bool) -> Self {
        let (mut shift, mut factor) = (vec![0.0; dim], vec![1.0; dim]);
        if !standardize {
            return Scaling { shift, factor };
        }
        let n = (values.len() / dim) as f64;
        for row in values.chunks_exact(dim) {
            shift.iter_mut().zip(row).for_each(|(m, &x)| *m += f64::from(x));
        }
        for m in &mut shift {
            *m /= n;
        }
        let mut squares = vec![0.0; dim];
        for row in values.chunks_exact(dim) {
            for ((s, &x), m) in squares.iter_mut().zip(row).zip(&shift) {
                *s += (f64::from(x) - m) * (f64::from(x) - m);
            }
        }
        for (f, s) in factor.iter_mut().zip(squares) {
            let deviation = (s / n).sqrt();
            *f = if deviation > 1e-12 { 1.0 / deviation } else { 1.0 };
        }
        Scaling { shift, factor }
    }

    /// Replaces `out` by the scaled vectors `[n, dim]`.
    pub(super) fn apply(&self, values: &[f32], out: &mut Vec<f64>) {
        out.clear();
        for row in values.chunks_exact(self.shift.len()) {
            let columns = row.iter().zip(&self.shift).zip(&self.factor);
            out.extend(columns.map(|((&x, shift), factor)| (f64::from(x) - shift) * factor));
        }
    }
}

/// The samples of a regression.
pub(super) enum Samples<'a> {
    /// Vectors `[n, d]`, scaled when they are needed.
    Columns { values: &'a [f32], scaling: &'a Scaling },
    /// Vectors in the space that they span: scaled `[n, d]`, and their coordinates `[n, n]` along orthonormal directions, a lower triangular
    /// matrix `L` with `L L^T` the products of the vectors (Gram-Schmidt). A vector that the ones before it span adds no direction: its
    /// column is 0.
    Spanned { scaled: Vec<f64>, coordinates: Vec<f64> },
}

/// A direction of a smaller share of its vector's squared norm consists of rounding errors.
const ROUNDING: f64 = 1e-11;

impl<'a> Samples<'a> {
    pub(super) fn of(
        values: &'a [f32],
        dim: usize,
        scaling: &'a Scaling,
        monitor: &Monitor,
    ) -> Result<Self, Interrupted> {
        let n = values.len() / dim;
        if n >= dim || n > WHOLE {
            return Ok(Samples::Columns { values, scaling });
        }
        let mut scaled = vec![];
        scaling.apply(values, &mut scaled);
        let mut l = square(Factor::new(&scaled, dim).transposed(), monitor)?;
        factorize(&mut l, n, |rest, norm| {
            monitor.check()?;
            Ok(if rest > ROUNDING * norm { rest.sqrt() } else { 0.0 })
        })?;
        Ok(Samples::Spanned { scaled, coordinates: l })
    }

    /// The number of samples.
    pub(super) fn len(&self) -> usize {
        match self {
            Samples::Columns { values, scaling } => values.len() / scaling.shift.len(),
            Samples::Spanned { coordinates, .. } => coordinates.len().isqrt(),
        }
    }

    /// The number of columns.
    pub(super) fn dim(&self) -> usize {
        match self {
            Samples::Columns { scaling, .. } => scaling.shift.len(),
            Samples::Spanned { .. } => self.len(),
        }
    }

    /// Some of the samples; `buffer` is for those that are scaled now.
    pub(super) fn rows<'b>(&'b self, range: Range<usize>, buffer: &'b mut Vec<f64>) -> &'b [f64] {
        let dim = self.dim();
        let range = range.start * dim..range.end * dim;
        match self {
            Samples::Columns { values, scaling } => {
                scaling.apply(&values[range], buffer);
                buffer
            }
            Samples::Spanned { coordinates, .. } => &coordinates[range],
        }
    }

    /// The weights `[classes, d]` of the scaled columns that are the weights `[classes, dim]` of the samples.
    pub(super) fn weights(
        &self,
        mut weights: Vec<f64>,
        monitor: &Monitor,
    ) -> Result<Vec<f64>, Interrupted> {
        let Samples::Spanned { scaled, coordinates } = self else { return Ok(weights) };
        // The directions are L^-1 times the vectors, so the weights are combinations W L^-1 of the vectors.
        let n = self.len();
        for x in weights.chunks_exact_mut(n) {
            for i in (0..n).rev() {
                let (before, length) = (&coordinates[i * n..i * n + i], coordinates[i * n + i]);
                x[i] = if length > 0.0 { x[i] / length } else { 0.0 };
                let at = x[i];
                x[..i].iter_mut().zip(before).for_each(|(x, l)| *x -= l * at);
            }
        }
        let dim = scaled.len() / n;
        product(Factor::new(&weights, n).transposed(), Factor::new(scaled, dim), monitor)
    }
}
