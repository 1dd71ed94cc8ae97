//! A bound of the Hessian of the objective of logistic regression, which preconditions L-BFGS.

use latents_progress::{Interrupted, Monitor};
use rayon::prelude::*;

use super::samples::{Samples, WHOLE};
use crate::linear::factorize;
use crate::products::{Factor, square};

/// Maximum number of samples that the curvature is estimated from.
const SAMPLES: usize = 5_000;

/// An upper bound of the Hessian of the objective (Böhning, 1992): for each class, half the second moments of the columns and of a 1 for
/// the bias, plus the penalty. As a preconditioner it makes L-BFGS converge in tens of steps instead of thousands.
pub(super) enum Curvature {
    /// Lower Cholesky factor of the matrix `[d + 1, d + 1]`.
    Whole(Vec<f64>),
    /// Diagonal of the matrix `[d + 1]`.
    Diagonal(Vec<f64>),
}

impl Curvature {
    /// Estimates it from some of the samples. `penalty` is the factor of half the squared weights in the objective.
    pub(super) fn of(
        samples: &Samples<'_>,
        penalty: f64,
        monitor: &Monitor,
    ) -> Result<Self, Interrupted> {
        let n = samples.len();
        // Evenly spaced samples: the estimate affects only the number of steps.
        let stride = n.div_ceil(SAMPLES);
        let used = n.div_ceil(stride) as f64;
        let size = samples.dim() + 1;
        let whole = samples.dim() <= WHOLE;
        let mut moments = vec![0.0; size];
        let (mut buffer, mut kept): (Vec<f64>, Vec<f64>) = (vec![], vec![]);
        for i in (0..n).step_by(stride) {
            let row = samples.rows(i..i + 1, &mut buffer).iter().chain(&[1.0]);
            if whole {
                kept.extend(row);
            } else {
                monitor.check()?;
                moments.iter_mut().zip(row).for_each(|(m, x)| *m += x * x);
            }
        }
        if whole {
            moments = square(Factor::new(&kept, size), monitor)?;
        }
        let diagonal = |i: usize| if whole { i * size + i } else { i };
        for m in &mut moments {
            *m *= 0.5 / used;
        }
        for i in 0..size {
            // Keeps the matrix positive definite if columns are constant; the bias has no penalty.
            moments[diagonal(i)] += penalty.max(1e-9);
        }
        if !whole {
            return Ok(Curvature::Diagonal(moments));
        }
        factorize(&mut moments, size, |rest, _| {
            monitor.check()?;
            Ok::<_, Interrupted>(rest.max(1e-12).sqrt())
        })?;
        Ok(Curvature::Whole(moments))
    }

    /// Solves for a gradient (weights `[classes, d]`, then biases `[classes]`) in place, for all classes.
    pub(super) fn solve(&self, gradient: &mut [f64], classes: usize) {
        let dim = gradient.len() / classes - 1;
        let factor = match self {
            Curvature::Diagonal(diagonal) => {
                let (weights, biases) = gradient.split_at_mut(classes * dim);
                for weights in weights.chunks_exact_mut(dim) {
                    weights.iter_mut().zip(diagonal).for_each(|(x, d)| *x /= d);
                }
                return biases.iter_mut().for_each(|x| *x /= diagonal[dim]);
            }
            Curvature::Whole(factor) => factor,
        };
        // Some classes at a time, so that one pass over the factor serves them all.
        let place = |class, i| if i < dim { class * dim + i } else { classes * dim + class };
        let size = dim + 1;
        let solved = (0..classes.div_ceil(LANES)).into_par_iter().map(|block| {
            let of_block = block * LANES..((block + 1) * LANES).min(classes);
            let mut x = vec![[0.0; LANES]; size];
            for (i, x) in x.iter_mut().enumerate() {
                for (x, class) in x.iter_mut().zip(of_block.clone()) {
                    *x = gradient[place(class, i)];
                }
            }
            solve(factor, &mut x);
            x
        });
        let solved: Vec<Vec<[f64; LANES]>> = solved.collect();
        for class in 0..classes {
            for (i, x) in solved[class / LANES].iter().enumerate() {
                gradient[place(class, i)] = x[class % LANES];
            }
        }
    }
}

/// Classes that are solved for at a time.
const LANES: usize = 8;

/// Solves `L L^T x = x` in place, for a lower triangular matrix `[size, size]`.
fn solve(factor: &[f64], x: &mut [[f64; LANES]]) {
    let size = x.len();
    let row = |i: usize| &factor[i * size..=i * size + i];
    for i in 0..size {
        let (known, rest) = x.split_at_mut(i);
        let at = &mut rest[0];
        for (x, l) in known.iter().zip(row(i)) {
            at.iter_mut().zip(x).for_each(|(at, x)| *at -= l * x);
        }
        for x in at.iter_mut() {
            *x /= row(i)[i];
        }
    }
    for i in (0..size).rev() {
        let (before, rest) = x.split_at_mut(i);
        let at = &mut rest[0];
        for x in at.iter_mut() {
            *x /= row(i)[i];
        }
        for (x, l) in before.iter_mut().zip(row(i)) {
            x.iter_mut().zip(&*at).for_each(|(x, at)| *x -= l * at);
        }
    }
}
