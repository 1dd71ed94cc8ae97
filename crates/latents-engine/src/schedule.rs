//! Learning-rate schedules: a factor of the base rate for each step of a run.

use std::f64::consts::PI;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// The learning rate over a run of a known number of steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// The base rate throughout.
    #[default]
    #[serde(deserialize_with = "no_settings")]
    Constant,
    /// Half a cosine from the base rate to zero (Loshchilov and Hutter, 2017; `CosineAnnealingLR`).
    #[serde(deserialize_with = "no_settings")]
    Cosine,
    /// Linear warm-up to the base rate over the first part of the run, then half a cosine to zero.
    WarmupCosine {
        /// Length of the warm-up, as a fraction of the run in `[0, 1]`; 0.1 if it is not given.
        #[serde(default = "default_warmup")]
        warmup: f64,
    },
    /// Half a cosine from 1/25 of the base rate up to the base rate, then half a cosine down to 1/10,000 of the initial rate (Smith and
    /// Topin, 2018; `OneCycleLR` with `max_lr` the base rate).
    OneCycle {
        /// Length of the rise, as a fraction of the run in `(0, 1)`; PyTorch's default, 0.3, if it is not given.
        #[serde(default = "default_peak")]
        peak: f64,
    },
}

/// Refuses the settings of another schedule, which serde would ignore for a variant that has none.
fn no_settings<'de, D: Deserializer<'de>>(settings: D) -> Result<(), D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    Nothing::deserialize(settings).map(|Nothing {}| ())
}

fn default_warmup() -> f64 {
    0.1
}

fn default_peak() -> f64 {
    0.3
}

impl Schedule {
    /// The factor for step `step` (from 0) of `steps`, in `[0, 1]`. Steps after the last have the factor at the end of the curve.
    ///
    /// ```
    /// use latents_engine::Schedule;
    ///
    /// let schedule = Schedule::WarmupCosine { warmup: 0.2 };
    /// assert_eq!(schedule.factor(2, 10), 1.0);
    /// assert_eq!(schedule.factor(10, 10), 0.0);
    /// ```
    #[must_use]
    pub fn factor(self, step: u64, steps: u64) -> f64 {
        let (t, n) = (step as f64, steps as f64);
        match self {
            Schedule::Constant => 1.0,
            Schedule::Cosine => half_cosine(1.0, 0.0, t, n),
            Schedule::WarmupCosine { warmup } => {
                let up = (warmup * n).round();
                if t < up { (t + 1.0) / (up + 1.0) } else { half_cosine(1.0, 0.0, t - up, n - up) }
            }
            Schedule::OneCycle { peak } => {
                let (start, up, last) = (1.0 / 25.0, peak * n - 1.0, n - 1.0);
                if t <= up {
                    half_cosine(start, 1.0, t, up)
                } else {
                    half_cosine(1.0, start / 1e4, t - up, last - up)
                }
            }
        }
    }
}

/// Half a cosine from `a` at 0 to `b` at `length`, with the cosine of `libm` so that it is the same on every system. If `length` is
/// not positive, the value is `b`.
fn half_cosine(a: f64, b: f64, t: f64, length: f64) -> f64 {
    let t = if length > 0.0 { (t / length).clamp(0.0, 1.0) } else { 1.0 };
    b + (a - b) * 0.5 * (1.0 + libm::cos(PI * t))
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // Ends and peaks are exact.
mod tests {
    use super::*;

    const FRACTIONS: [f64; 8] = [0.0, 0.01, 0.1, 0.25, 0.3, 0.5, 0.9, 1.0];

    fn all() -> impl Iterator<Item = Schedule> {
        let fractions = FRACTIONS.into_iter().flat_map(|fraction| {
            [Schedule::WarmupCosine { warmup: fraction }, Schedule::OneCycle { peak: fraction }]
        });
        [Schedule::Constant, Schedule::Cosine].into_iter().chain(fractions)
    }

    #[test]
    fn factors_are_fractions_in_runs_of_any_length_and_after_them() {
        for schedule in all() {
            for steps in (0..70).chain([1_000, 7_919]) {
                for step in 0..steps + 3 {
                    let factor = schedule.factor(step, steps);
                    let fine = (0.0..=1.0).contains(&factor);
                    assert!(fine, "{schedule:?}, step {step} of {steps}: {factor}");
                }
            }
        }
    }

    #[test]
    fn rates_rise_to_one_peak_and_fall_from_it() {
        for schedule in all() {
            for steps in [2, 3, 10, 64, 1_000] {
                let factors: Vec<f64> = (0..steps).map(|t| schedule.factor(t, steps)).collect();
                let top = factors.iter().copied().fold(0.0, f64::max);
                let peak = factors.iter().position(|&f| f == top).unwrap();
                assert!(factors[..=peak].is_sorted(), "{schedule:?}: {factors:?}");
                assert!(factors[peak..].is_sorted_by(|a, b| a >= b), "{schedule:?}: {factors:?}");
            }
        }
    }

    #[test]
    fn runs_end_where_they_should() {
        for steps in [2, 10, 1_000] {
            let last = |schedule: Schedule| schedule.factor(steps - 1, steps);
            let after = |schedule: Schedule| schedule.factor(steps, steps);
            let n = steps as f64;
            assert_eq!((last(Schedule::Constant), after(Schedule::Constant)), (1.0, 1.0));
            // One step before zero: `1 - cos(x)` is `2 sin^2(x / 2)`.
            let sine = libm::sin(PI / n / 2.0);
            assert!((last(Schedule::Cosine) - sine * sine).abs() < 1e-15);
            assert_eq!(after(Schedule::Cosine), 0.0);
            for fraction in FRACTIONS {
                let warmup = Schedule::WarmupCosine { warmup: fraction };
                assert_eq!(after(warmup), 0.0, "{warmup:?} of {steps}");
            }
            // All of the run is warm-up, or none.
            let up = last(Schedule::WarmupCosine { warmup: 1.0 });
            assert!((up - n / (n + 1.0)).abs() < 1e-15);
            let none = Schedule::WarmupCosine { warmup: 0.0 };
            assert_eq!(last(none), last(Schedule::Cosine));
            for peak in [0.1, 0.3, 0.9] {
                assert!((last(Schedule::OneCycle { peak }) - 4e-6).abs() < 1e-15, "{peak}");
            }
        }
    }

    #[test]
    fn a_schedule_has_no_settings_of_another() {
        let read = |text: &str| serde_json::from_str::<Schedule>(text).map_err(|e| e.to_string());
        assert_eq!(read(r#"{"kind": "constant"}"#), Ok(Schedule::Constant));
        assert_eq!(read(r#"{"kind": "cosine"}"#), Ok(Schedule::Cosine));
        assert_eq!(serde_json::to_string(&Schedule::Cosine).unwrap(), r#"{"kind":"cosine"}"#);
        for other in ["constant", "cosine", "one-cycle"] {
            let error = read(&format!(r#"{{"kind": "{other}", "warmup": 0.1}}"#)).unwrap_err();
            assert!(error.contains("unknown field `warmup`"), "{other}: {error}");
        }
    }

    #[test]
    fn peaks_are_where_they_are_set() {
        let one_cycle = Schedule::OneCycle { peak: 0.3 };
        assert_eq!(one_cycle.factor(29, 100), 1.0);
        assert!((one_cycle.factor(0, 100) - 0.04).abs() < 1e-15);
        // A way up of one step leaves only its peak.
        assert_eq!(Schedule::OneCycle { peak: 0.1 }.factor(0, 10), 1.0);
        let warmup = Schedule::WarmupCosine { warmup: 0.2 };
        assert_eq!([0, 1, 2].map(|t| warmup.factor(t, 10)), [1.0 / 3.0, 2.0 / 3.0, 1.0]);
    }
}
