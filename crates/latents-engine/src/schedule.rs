//! Learning-rate schedules: a factor of the base rate for every step of a run.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// How the learning rate goes over a run of a known number of steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// The base rate throughout.
    #[default]
    Constant,
    /// Half a cosine from the base rate to zero (Loshchilov and Hutter, 2017; `CosineAnnealingLR`).
    Cosine,
    /// A straight line up to the base rate over the first part of the run, then half a cosine to zero.
    WarmupCosine {
        /// The first part, as a fraction of the run in `[0, 1]`.
        warmup: f64,
    },
    /// Half a cosine up to the base rate from 1/25 of it, then half a cosine down to 1/10,000 of where it began (Smith and Topin,
    /// 2018; `OneCycleLR` with `max_lr` the base rate).
    OneCycle {
        /// The way up, as a fraction of the run in `(0, 1)`; PyTorch's default is 0.3.
        peak: f64,
    },
}

impl Schedule {
    /// The factor for step `step` (from 0) of `steps`.
    #[must_use]
    pub fn factor(self, step: u64, steps: u64) -> f64 {
        let (t, n) = (step as f64, steps as f64);
        match self {
            Schedule::Constant => 1.0,
            Schedule::Cosine => half_cosine(1.0, 0.0, t / n),
            Schedule::WarmupCosine { warmup } => {
                let up = (warmup * n).round();
                if t < up {
                    (t + 1.0) / (up + 1.0)
                } else {
                    half_cosine(1.0, 0.0, (t - up) / (n - up))
                }
            }
            Schedule::OneCycle { peak } => {
                let (start, up, last) = (1.0 / 25.0, peak * n - 1.0, n - 1.0);
                if t <= up {
                    half_cosine(start, 1.0, if up > 0.0 { t / up } else { 1.0 })
                } else {
                    half_cosine(1.0, start / 1e4, (t - up) / (last - up))
                }
            }
        }
    }
}

/// From `a` at 0 to `b` at 1 along half a cosine, with `libm`'s cosine so that it is the same on every system.
fn half_cosine(a: f64, b: f64, t: f64) -> f64 {
    b + (a - b) * 0.5 * (1.0 + libm::cos(PI * t.clamp(0.0, 1.0)))
}
