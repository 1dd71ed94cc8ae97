//! Multinomial logistic regression, fitted to convergence. The objective is that of scikit-learn's `LogisticRegression`: `C` times the sum
//! of the cross-entropies plus half the squared norm of the weights; biases are not penalised. For two classes, scikit-learn has one weight
//! vector; here there are two, and the penalty is half the squared norm of their difference. The engine computes the objective in double
//! precision, so results depend neither on threads nor on the instruction set.

use std::sync::Arc;

use latents_engine::{Engine, Inputs, Layer, Loss, Network, Pass, Runtime, Section, Targets};
use latents_progress::{Interrupted, Monitor};

use super::lbfgs;
use crate::classification::argmax;
use crate::error::Error;

/// Samples per call of the engine.
const CHUNK: usize = 4_096;
/// Maximum number of samples that the curvature is estimated from.
const SAMPLES: usize = 5_000;
/// Up to this dimension the whole curvature matrix is estimated; beyond, only its diagonal.
const WHOLE: usize = 2_048;

/// Settings of [`Logistic`]. The defaults are scikit-learn's, except `tolerance` and `iterations`, with which the fit converges.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogisticConfig {
    /// Inverse strength of the penalty on the weights (scikit-learn's `C`).
    pub c: f64,
    /// Whether each column is first standardised to mean 0 and variance 1 over the training samples.
    pub standardize: bool,
    /// Maximum absolute component of the gradient of the mean loss at which the fit has converged.
    pub tolerance: f64,
    /// Maximum number of steps of L-BFGS.
    pub iterations: usize,
}

impl Default for LogisticConfig {
    fn default() -> Self {
        LogisticConfig { c: 1.0, standardize: false, tolerance: 1e-5, iterations: 2_000 }
    }
}

/// A fitted logistic regression.
///
/// ```
/// use std::sync::Arc;
/// use latents_engine::Runtime;
/// use latents_explore::probes::{Logistic, LogisticConfig};
/// use latents_progress::Monitor;
///
/// let runtime = Arc::new(Runtime::new(Some(1), None)?);
/// let (values, labels) = ([-2.0, -1.0, 1.0, 2.0], [0, 0, 1, 1]); // [4, 1] and [4]
/// let (config, monitor) = (LogisticConfig::default(), Monitor::default());
/// let probe = Logistic::fit(&values, 1, &labels, 2, config, &runtime, &monitor)?;
/// assert!(probe.converged());
/// assert_eq!(probe.predict(&[-3.0, 3.0], &runtime)?, [0, 1]);
/// # Ok::<(), latents_explore::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Logistic {
    dim: usize,
    classes: usize,
    /// Shift and factor of each column, `[d]` each.
    scaling: (Vec<f64>, Vec<f64>),
    /// Weights `[classes, d]`, then biases `[classes]`, for scaled columns.
    parameters: Vec<f64>,
    objective: f64,
    iterations: usize,
    converged: bool,
}

impl Logistic {
    /// Fits a regression to vectors `[n, dim]` and their labels `[n]`.
    ///
    /// # Errors
    /// If the sizes do not fit, there is no vector, a label is not less than `classes`, `c` is not positive, or `monitor` is cancelled.
    pub fn fit(
        values: &[f32],
        dim: usize,
        labels: &[u16],
        classes: usize,
        config: LogisticConfig,
        runtime: &Arc<Runtime>,
        monitor: &Monitor,
    ) -> Result<Self, Error> {
        let n = count("the list of vectors", values, dim)?;
        if labels.len() != n {
            return Err(Error::Size { what: "the list of labels", expected: n, got: labels.len() });
        }
        if let Some(index) = labels.iter().position(|&label| usize::from(label) >= classes) {
            return Err(Error::Label { index, label: labels[index], classes });
        }
        if !(config.c > 0.0 && config.c.is_finite()) {
            return Err(Error::Invalid(format!("C = {} must be more than 0", config.c)));
        }
        let mut engine = Engine::new(&linear(dim, classes), Arc::clone(runtime))?;
        let scaling = scaling(values, dim, config.standardize);
        let mut scaled = vec![0.0; CHUNK.min(n) * dim];
        // The two weight vectors are opposite, so their squared norms sum to half that of their difference.
        let penalty = if classes == 2 { 2.0 } else { 1.0 } / (config.c * n as f64);
        let weights = classes * dim;
        let precondition = Curvature::of(values, dim, &scaling, penalty, monitor)?;
        let mut chunk_gradient = vec![0.0; weights + classes];
        let evaluate = |parameters: &[f64], gradient: &mut [f64]| -> Result<f64, Error> {
            gradient.fill(0.0);
            let mut loss = 0.0;
            for (values, labels) in values.chunks(CHUNK * dim).zip(labels.chunks(CHUNK)) {
                monitor.check()?;
                scale(values, dim, &scaling, &mut scaled);
                let losses = engine.gradients(
                    parameters,
                    Inputs::Values(&scaled[..values.len()]),
                    Targets::Classes(labels),
                    Loss::CrossEntropy { label_smoothing: 0.0 },
                    Pass::Evaluate,
                    &mut chunk_gradient,
                )?;
                loss += losses.loss.iter().sum::<f64>();
                let part = labels.len() as f64 / n as f64;
                for (g, c) in gradient.iter_mut().zip(&chunk_gradient) {
                    *g += part * c;
                }
            }
            let mut squares = 0.0;
            for (g, w) in gradient.iter_mut().zip(&parameters[..weights]) {
                *g += penalty * w;
                squares += w * w;
            }
            Ok(loss / n as f64 + 0.5 * penalty * squares)
        };
        let mut parameters = vec![0.0; weights + classes];
        let (tolerance, limit) = (config.tolerance, config.iterations);
        let found = lbfgs::minimize(&mut parameters, tolerance, limit, evaluate, |gradient| {
            precondition.solve(gradient, classes);
        })?;
        Ok(Logistic {
            dim,
            classes,
            scaling,
            parameters,
            objective: found.value,
            iterations: found.iterations,
            converged: found.converged,
        })
    }

    /// Logits `[n, classes]` of vectors `[n, dim]`.
    ///
    /// # Errors
    /// If the vectors have another size.
    pub fn logits(&self, values: &[f32], runtime: &Arc<Runtime>) -> Result<Vec<f32>, Error> {
        count("the list of vectors", values, self.dim)?;
        let mut engine = Engine::new(&linear(self.dim, self.classes), Arc::clone(runtime))?;
        let mut scaled = vec![0.0; CHUNK.min(values.len() / self.dim) * self.dim];
        let mut logits = vec![];
        for values in values.chunks(CHUNK * self.dim) {
            scale(values, self.dim, &self.scaling, &mut scaled);
            let inputs = Inputs::Values(&scaled[..values.len()]);
            let some = engine.forward(&self.parameters, inputs, 0..1)?;
            logits.extend(some.into_iter().map(|x: f64| x as f32));
        }
        Ok(logits)
    }

    /// Predicted classes `[n]` of vectors `[n, dim]`.
    ///
    /// # Errors
    /// If the vectors have another size.
    pub fn predict(&self, values: &[f32], runtime: &Arc<Runtime>) -> Result<Vec<u16>, Error> {
        Ok(argmax(&self.logits(values, runtime)?, self.classes))
    }

    /// Weights `[classes, dim]` and biases `[classes]` for columns that are not standardised.
    #[must_use]
    pub fn coefficients(&self) -> (Vec<f64>, Vec<f64>) {
        let (shift, factor) = &self.scaling;
        let (weights, biases) = self.parameters.split_at(self.classes * self.dim);
        let weights: Vec<f64> =
            weights.iter().enumerate().map(|(i, w)| w * factor[i % self.dim]).collect();
        let moved = |(row, bias): (&[f64], &f64)| {
            bias - row.iter().zip(shift).map(|(w, s)| w * s).sum::<f64>()
        };
        let biases = weights.chunks_exact(self.dim).zip(biases).map(moved).collect();
        (weights, biases)
    }

    /// The minimum of the objective divided by `C n`.
    #[must_use]
    pub fn objective(&self) -> f64 {
        self.objective
    }

    /// The number of steps of L-BFGS.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// Whether the gradient reached the tolerance.
    #[must_use]
    pub fn converged(&self) -> bool {
        self.converged
    }
}

/// The number of vectors in `values` `[n, dim]`.
fn count(what: &'static str, values: &[f32], dim: usize) -> Result<usize, Error> {
    let n = values.len().checked_div(dim).unwrap_or(0);
    if n == 0 || n * dim != values.len() {
        return Err(Error::Size { what, expected: n.max(1) * dim.max(1), got: values.len() });
    }
    Ok(n)
}

/// A network of one linear layer.
fn linear(dim: usize, classes: usize) -> Network {
    let layers = vec![Layer::Linear { out_features: classes }];
    Network { input: [dim, 1, 1], sections: vec![Section { name: "probe".into(), layers }] }
}

/// Mean and inverse standard deviation of each column `[dim]`; 0 and 1 if not `standardize`. A constant column keeps its scale.
fn scaling(values: &[f32], dim: usize, standardize: bool) -> (Vec<f64>, Vec<f64>) {
    let (mut mean, mut factor) = (vec![0.0; dim], vec![1.0; dim]);
    if !standardize {
        return (mean, factor);
    }
    let n = (values.len() / dim) as f64;
    for row in values.chunks_exact(dim) {
        mean.iter_mut().zip(row).for_each(|(m, &x)| *m += f64::from(x));
    }
    for m in &mut mean {
        *m /= n;
    }
    let mut squares = vec![0.0; dim];
    for row in values.chunks_exact(dim) {
        for ((s, &x), m) in squares.iter_mut().zip(row).zip(&mean) {
            *s += (f64::from(x) - m) * (f64::from(x) - m);
        }
    }
    for (f, s) in factor.iter_mut().zip(squares) {
        let deviation = (s / n).sqrt();
        *f = if deviation > 1e-12 { 1.0 / deviation } else { 1.0 };
    }
    (mean, factor)
}

/// Writes the scaled vectors `[n, dim]`.
fn scale(values: &[f32], dim: usize, (shift, factor): &(Vec<f64>, Vec<f64>), out: &mut [f64]) {
    for (row, out) in values.chunks_exact(dim).zip(out.chunks_exact_mut(dim)) {
        for (i, (o, &x)) in out.iter_mut().zip(row).enumerate() {
            *o = (f64::from(x) - shift[i]) * factor[i];
        }
    }
}

/// An upper bound of the Hessian of the objective (Böhning, 1992): for each class, half the second moments of the columns and of a 1 for
/// the bias, plus the penalty. As a preconditioner it makes L-BFGS converge in tens of steps instead of thousands.
enum Curvature {
    /// Lower Cholesky factor of the matrix `[d + 1, d + 1]`.
    Whole(Vec<f64>),
    /// Diagonal of the matrix `[d + 1]`.
    Diagonal(Vec<f64>),
}

impl Curvature {
    fn of(
        values: &[f32],
        dim: usize,
        scaling: &(Vec<f64>, Vec<f64>),
        penalty: f64,
        monitor: &Monitor,
    ) -> Result<Self, Interrupted> {
        let n = values.len() / dim;
        // Evenly spaced samples: the estimate affects only the number of steps.
        let stride = n.div_ceil(SAMPLES);
        let used = n.div_ceil(stride) as f64;
        let size = dim + 1;
        let mut row = vec![1.0; size];
        let whole = dim <= WHOLE;
        let mut moments = vec![0.0; if whole { size * size } else { size }];
        for values in values.chunks_exact(dim).step_by(stride) {
            monitor.check()?;
            scale(values, dim, scaling, &mut row[..dim]);
            for (i, &x) in row.iter().enumerate() {
                if !whole {
                    moments[i] += x * x;
                } else if x != 0.0 {
                    let to = &mut moments[(i * size)..=(i * size + i)];
                    to.iter_mut().zip(&row).for_each(|(m, y)| *m += x * y);
                }
            }
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
        for i in 0..size {
            monitor.check()?;
            for j in 0..=i {
                let (a, b) = (&moments[i * size..i * size + j], &moments[j * size..j * size + j]);
                let rest = moments[i * size + j] - a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
                moments[i * size + j] =
                    if i == j { rest.max(1e-12).sqrt() } else { rest / moments[j * size + j] };
            }
        }
        Ok(Curvature::Whole(moments))
    }

    /// Solves for a gradient (weights `[classes, d]`, then biases `[classes]`) in place, class by class.
    fn solve(&self, gradient: &mut [f64], classes: usize) {
        let dim = gradient.len() / classes - 1;
        let size = dim + 1;
        let mut x = vec![0.0; size];
        for class in 0..classes {
            x[..dim].copy_from_slice(&gradient[class * dim..(class + 1) * dim]);
            x[dim] = gradient[classes * dim + class];
            match self {
                Curvature::Diagonal(diagonal) => {
                    x.iter_mut().zip(diagonal).for_each(|(x, d)| *x /= d);
                }
                Curvature::Whole(factor) => {
                    for i in 0..size {
                        let row = &factor[i * size..=i * size + i];
                        let known: f64 = row[..i].iter().zip(&x).map(|(l, x)| l * x).sum();
                        x[i] = (x[i] - known) / row[i];
                    }
                    for i in (0..size).rev() {
                        x[i] /= factor[i * size + i];
                        let (below, at) = (&factor[i * size..i * size + i], x[i]);
                        x[..i].iter_mut().zip(below).for_each(|(x, l)| *x -= l * at);
                    }
                }
            }
            gradient[class * dim..(class + 1) * dim].copy_from_slice(&x[..dim]);
            gradient[classes * dim + class] = x[dim];
        }
    }
}
