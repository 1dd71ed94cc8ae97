//! The arithmetic of one step: a rule with its coefficients, applied to parameters, gradients and moments.

use super::Rule;

/// A rule with its coefficients for one step, in the precision of the network.
#[derive(Clone, Copy)]
pub(super) enum Update {
    Sgd {
        rate: f32,
        momentum: f32,
        nesterov: bool,
        weight_decay: f32,
        is_first: bool,
    },
    Adam {
        /// Factor of the parameter before the step: the decay of AdamW.
        shrink: f32,
        /// Factor of the parameter in the gradient: the decay of Adam.
        weight_decay: f32,
        beta2: f32,
        /// `1 - beta` of the two moments, computed before rounding: in single precision, 1 - 0.999 has an error of 1.3e-5.
        blend: [f32; 2],
        /// Learning rate divided by the bias correction of the first moment.
        rate: f32,
        /// Root of the bias correction of the second moment.
        correction: f32,
        epsilon: f32,
    },
    Average {
        momentum: f32,
    },
}

/// `x` to the power of `n` by squaring, which is the same on every machine.
fn power(mut x: f64, mut n: u64) -> f64 {
    let mut result = 1.0;
    while n > 0 {
        if n & 1 == 1 {
            result *= x;
        }
        x *= x;
        n >>= 1;
    }
    result
}

impl Update {
    pub(super) fn new(rule: Rule, rate: f64, steps: u64) -> Self {
        let adam = |betas: [f64; 2], epsilon: f64, shrink: f64, weight_decay: f64| Update::Adam {
            shrink: shrink as f32,
            weight_decay: weight_decay as f32,
            beta2: betas[1] as f32,
            blend: betas.map(|beta| (1.0 - beta) as f32),
            rate: (rate / (1.0 - power(betas[0], steps))) as f32,
            correction: (1.0 - power(betas[1], steps)).sqrt() as f32,
            epsilon: epsilon as f32,
        };
        match rule {
            Rule::Sgd { momentum, nesterov, weight_decay } => Update::Sgd {
                rate: rate as f32,
                momentum: momentum as f32,
                nesterov,
                weight_decay: weight_decay as f32,
                is_first: steps == 1,
            },
            Rule::Adam { betas, epsilon, weight_decay } => adam(betas, epsilon, 1.0, weight_decay),
            Rule::AdamW { betas, epsilon, weight_decay } => {
                adam(betas, epsilon, 1.0 - rate * weight_decay, 0.0)
            }
            Rule::Average { momentum } => Update::Average { momentum: momentum as f32 },
        }
    }

    #[inline(always)]
    pub(super) fn apply(
        self,
        parameters: &mut [f32],
        gradients: &[f32],
        first: &mut [f32],
        second: &mut [f32],
    ) {
        let all = parameters.iter_mut().zip(gradients);
        match self {
            Update::Average { momentum } => {
                for (p, &g) in all {
                    *p += momentum * (g - *p);
                }
            }
            Update::Sgd { rate, momentum, nesterov, weight_decay, is_first } => {
                for ((p, &g), m) in all.zip(first) {
                    let g = g + weight_decay * *p;
                    *m = if is_first { g } else { momentum * *m + g };
                    let direction = if nesterov { g + momentum * *m } else { *m };
                    // Without momentum, the direction is the gradient itself.
                    *p -= rate * if momentum == 0.0 { g } else { direction };
                }
            }
            Update::Adam { shrink, weight_decay, beta2, blend, rate, correction, epsilon } => {
                for (((p, &g), m), v) in all.zip(first).zip(second) {
                    let decayed = *p * shrink;
                    let g = g + weight_decay * decayed;
                    *m += (g - *m) * blend[0];
                    *v = *v * beta2 + blend[1] * g * g;
                    *p = decayed - rate * (*m / (v.sqrt() / correction + epsilon));
                }
            }
        }
    }
}
