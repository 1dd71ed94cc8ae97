//! Multinomial logistic regression, fitted to convergence. The objective is that of scikit-learn's `LogisticRegression`: `C` times the sum
//! of the cross-entropies plus half the squared norm of the weights; biases are not penalised. For two classes, scikit-learn has one weight
//! vector; here there are two, and the penalty is half the squared norm of their difference. The engine computes the objective in double
//! precision, so results depend neither on threads nor on the instruction set.

use std::sync::Arc;

use latents_engine::{Engine, Inputs, Layer, Loss, Network, Pass, Runtime, Section, Targets};
use latents_progress::Monitor;

use super::curvature::Curvature;
use super::lbfgs;
use super::samples::{Samples, Scaling};
use crate::classification::argmax;
use crate::error::Error;

/// Samples per call of the engine.
const CHUNK: usize = 4_096;

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
    scaling: Scaling,
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
        let scaling = Scaling::of(values, dim, config.standardize);
        let samples = runtime.run(|| Samples::of(values, dim, &scaling, monitor))?;
        let dim_of_samples = samples.dim();
        let mut engine = Engine::new(&linear(dim_of_samples, classes), Arc::clone(runtime))?;
        // The two weight vectors are opposite, so their squared norms sum to half that of their difference.
        let penalty = if classes == 2 { 2.0 } else { 1.0 } / (config.c * n as f64);
        let weights = classes * dim_of_samples;
        let precondition = runtime.run(|| Curvature::of(&samples, penalty, monitor))?;
        let (mut buffer, mut chunk_gradient) = (vec![], vec![0.0; weights + classes]);
        let evaluate = |parameters: &[f64], gradient: &mut [f64]| -> Result<f64, Error> {
            gradient.fill(0.0);
            let mut loss = 0.0;
            for (i, labels) in labels.chunks(CHUNK).enumerate() {
                monitor.check()?;
                let from = i * CHUNK;
                let rows = samples.rows(from..from + labels.len(), &mut buffer);
                let losses = engine.gradients(
                    parameters,
                    Inputs::Values(rows),
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
            runtime.run(|| precondition.solve(gradient, classes));
        })?;
        let biases = parameters.split_off(weights);
        let mut parameters = runtime.run(|| samples.weights(parameters, monitor))?;
        parameters.extend(biases);
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

    /// The regression with these weights `[classes, dim]` and biases `[classes]`, as [`Logistic::coefficients`] gives them.
    ///
    /// # Errors
    /// If the sizes do not fit.
    pub fn from_coefficients(weights: Vec<f64>, biases: Vec<f64>) -> Result<Self, Error> {
        let classes = biases.len();
        let dim = weights.len().checked_div(classes).unwrap_or(0);
        if dim == 0 || weights.len() != classes * dim {
            let why = "weights [classes, d] and biases [classes] do not fit together";
            return Err(Error::Invalid(why.into()));
        }
        let scaling = Scaling { shift: vec![0.0; dim], factor: vec![1.0; dim] };
        let parameters = [weights, biases].concat();
        let (objective, iterations, converged) = (f64::NAN, 0, true);
        Ok(Logistic { dim, classes, scaling, parameters, objective, iterations, converged })
    }

    /// Logits `[n, classes]` of vectors `[n, dim]`.
    ///
    /// # Errors
    /// If the vectors have another size.
    pub fn logits(&self, values: &[f32], runtime: &Arc<Runtime>) -> Result<Vec<f32>, Error> {
        count("the list of vectors", values, self.dim)?;
        let mut engine = Engine::new(&linear(self.dim, self.classes), Arc::clone(runtime))?;
        let (mut scaled, mut logits) = (vec![], vec![]);
        for values in values.chunks(CHUNK * self.dim) {
            self.scaling.apply(values, &mut scaled);
            let inputs = Inputs::Values(&scaled);
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
        let Scaling { shift, factor } = &self.scaling;
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
