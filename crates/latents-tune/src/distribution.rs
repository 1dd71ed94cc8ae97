//! Distributions: the values that a parameter may take. They follow Optuna 5.0, including its JSON format. A distribution maps values to
//! internal numbers, which samplers and storages use: a number represents itself, and a choice is represented by its index.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::value::Value;

/// The values that a parameter may take. Its constructors and [`Distribution::from_json`] check it.
///
/// ```
/// use latents_tune::Distribution;
///
/// let even = Distribution::stepped_int(2, 9, 2)?;
/// assert_eq!(even.to_string(), "integer in 2..8 in steps of 2");
/// let kind = Distribution::categorical(["adam", "sgd"])?;
/// assert_eq!(kind.internal(&"sgd".into())?, 1.0);
/// assert!(Distribution::log_float(0.0, 1.0).is_err());
/// # Ok::<(), latents_tune::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", content = "attributes")]
#[non_exhaustive]
pub enum Distribution {
    /// Floating-point numbers in `[low, high]`.
    #[serde(rename = "FloatDistribution")]
    Float {
        /// Distance between neighbouring values, counted from `low`. `None`: any number.
        step: Option<f64>,
        /// The smallest value.
        low: f64,
        /// The largest value.
        high: f64,
        /// Whether values are drawn on a logarithmic scale.
        log: bool,
    },
    /// Integers in `[low, high]`.
    #[serde(rename = "IntDistribution")]
    Int {
        /// Whether values are drawn on a logarithmic scale.
        log: bool,
        /// Distance between neighbouring values, counted from `low`.
        step: i64,
        /// The smallest value.
        low: i64,
        /// The largest value.
        high: i64,
    },
    /// Categories: values without an order.
    #[serde(rename = "CategoricalDistribution")]
    Categorical {
        /// All values.
        choices: Vec<Value>,
    },
}

impl Distribution {
    /// Any number in `[low, high]`, on a linear scale.
    pub fn float(low: f64, high: f64) -> Result<Self, Error> {
        Distribution::Float { step: None, low, high, log: false }.checked()
    }

    /// Any number in `[low, high]`, on a logarithmic scale; `low` must be above 0.
    pub fn log_float(low: f64, high: f64) -> Result<Self, Error> {
        Distribution::Float { step: None, low, high, log: true }.checked()
    }

    /// `low`, `low + step`, ... up to `high`, which is lowered to the last of them.
    pub fn stepped_float(low: f64, high: f64, step: f64) -> Result<Self, Error> {
        Distribution::Float { step: Some(step), low, high, log: false }.checked()
    }

    /// Integers in `[low, high]`, on a linear scale.
    pub fn int(low: i64, high: i64) -> Result<Self, Error> {
        Distribution::Int { log: false, step: 1, low, high }.checked()
    }

    /// Integers in `[low, high]`, on a logarithmic scale; `low` must be at least 1.
    pub fn log_int(low: i64, high: i64) -> Result<Self, Error> {
        Distribution::Int { log: true, step: 1, low, high }.checked()
    }

    /// `low`, `low + step`, ... up to `high`, which is lowered to the last of them.
    pub fn stepped_int(low: i64, high: i64, step: i64) -> Result<Self, Error> {
        Distribution::Int { log: false, step, low, high }.checked()
    }

    /// One of some choices.
    pub fn categorical<V: Into<Value>>(
        choices: impl IntoIterator<Item = V>,
    ) -> Result<Self, Error> {
        let choices = choices.into_iter().map(Into::into).collect();
        Distribution::Categorical { choices }.checked()
    }

    /// Parses Optuna's JSON.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let parsed: Self = serde_json::from_str(text)
            .map_err(|e| Error::Distribution(format!("{text} is not a distribution: {e}")))?;
        parsed.checked()
    }

    /// Optuna's JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// Checks the distribution, and lowers `high` to the last value that the steps reach.
    pub(crate) fn checked(self) -> Result<Self, Error> {
        let fault = |why: &str| Err(Error::Distribution(format!("{self}: {why}")));
        match &self {
            Distribution::Float { step, low, high, log } => {
                if !(low.is_finite() && high.is_finite()) {
                    return fault("the bounds must be finite");
                }
                if low > high {
                    return fault("the lower bound is above the upper one");
                }
                if *log && *low <= 0.0 {
                    return fault("a logarithmic range must begin above 0");
                }
                match *step {
                    Some(_) if *log => fault("a logarithmic range has no steps"),
                    Some(step) if !(step > 0.0 && step.is_finite()) => {
                        fault("the step must be more than 0")
                    }
                    Some(step) => {
                        let high = last_step(*low, *high, step);
                        Ok(Distribution::Float { step: Some(step), low: *low, high, log: false })
                    }
                    None => Ok(self),
                }
            }
            &Distribution::Int { log, step, low, high } => {
                if low > high {
                    return fault("the lower bound is above the upper one");
                }
                if low.unsigned_abs().max(high.unsigned_abs()) > 1 << 53 {
                    return fault("the bounds are beyond 2^53, where integers are no longer exact");
                }
                if step <= 0 {
                    return fault("the step must be more than 0");
                }
                if log && low < 1 {
                    return fault("a logarithmic range must begin at 1 or above");
                }
                if log && step != 1 {
                    return fault("a logarithmic range has no steps");
                }
                Ok(Distribution::Int { log, step, low, high: low + (high - low) / step * step })
            }
            Distribution::Categorical { choices } => {
                if choices.is_empty() {
                    return Err(Error::Distribution("there must be at least one choice".into()));
                }
                Ok(self)
            }
        }
    }

    /// Whether only one value is possible.
    #[must_use]
    pub fn is_single(&self) -> bool {
        match self {
            Distribution::Float { low, high, .. } => low == high,
            Distribution::Int { low, high, .. } => low == high,
            Distribution::Categorical { choices } => choices.len() == 1,
        }
    }

    /// The internal number of the only possible value, if there is only one.
    pub(crate) fn only(&self) -> Option<f64> {
        self.is_single().then_some(match self {
            Distribution::Float { low, .. } => *low,
            Distribution::Int { low, .. } => *low as f64,
            Distribution::Categorical { .. } => 0.0,
        })
    }

    /// The smallest and the largest value, or all choices.
    #[must_use]
    pub fn extremes(&self) -> Vec<Value> {
        match self {
            Distribution::Float { low, high, .. } => vec![(*low).into(), (*high).into()],
            Distribution::Int { low, high, .. } => vec![(*low).into(), (*high).into()],
            Distribution::Categorical { choices } => choices.clone(),
        }
    }

    /// Whether the number `internal` represents one of the values.
    #[must_use]
    pub fn contains(&self, internal: f64) -> bool {
        match self {
            Distribution::Float { step, low, high, .. } => {
                let on_step = step.is_none_or(|step| {
                    let k = (internal - low) / step;
                    (k - k.round_ties_even()).abs() < 1e-8
                });
                (*low..=*high).contains(&internal) && on_step
            }
            &Distribution::Int { step, low, high, .. } => {
                (low as f64..=high as f64).contains(&internal)
                    && (internal - low as f64) % step as f64 == 0.0
            }
            Distribution::Categorical { choices } => {
                internal >= 0.0 && internal.fract() == 0.0 && internal < choices.len() as f64
            }
        }
    }

    /// The value that the number `internal` represents.
    ///
    /// # Errors
    /// If there is no such choice.
    pub fn value(&self, internal: f64) -> Result<Value, Error> {
        match self {
            Distribution::Float { .. } => Ok(Value::Float(internal)),
            Distribution::Int { .. } => Ok(Value::Int(internal as i64)),
            Distribution::Categorical { choices } => {
                let choice = (internal >= 0.0).then(|| choices.get(internal as usize)).flatten();
                let missing = || Error::Distribution(format!("{self}: no choice {internal}"));
                choice.cloned().ok_or_else(missing)
            }
        }
    }

    /// The number that represents `value`. The value may be outside the bounds.
    ///
    /// # Errors
    /// If `value` is not a number of the right type, or not one of the choices.
    pub fn internal(&self, value: &Value) -> Result<f64, Error> {
        let fault = || Error::Distribution(format!("{self}: {value} is not one of its values"));
        match self {
            Distribution::Categorical { choices } => {
                let index = choices.iter().position(|choice| choice.is_equal(value));
                index.map(|i| i as f64).ok_or_else(fault)
            }
            Distribution::Float { log, .. } | Distribution::Int { log, .. } => {
                let whole = matches!(self, Distribution::Float { .. }) || value.as_i64().is_some();
                let number = value.as_f64().filter(|x| whole && !x.is_nan() && (!log || *x > 0.0));
                number.ok_or_else(fault)
            }
        }
    }

    /// Whether a parameter may have both distributions in trials of one study. Bounds and steps may differ; type, scale and choices
    /// may not.
    #[must_use]
    pub fn is_compatible(&self, other: &Distribution) -> bool {
        match (self, other) {
            (Distribution::Float { log: a, .. }, Distribution::Float { log: b, .. })
            | (Distribution::Int { log: a, .. }, Distribution::Int { log: b, .. }) => a == b,
            (
                Distribution::Categorical { choices: a },
                Distribution::Categorical { choices: b },
            ) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is_equal(b)),
            _ => false,
        }
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Distribution::Float { step, low, high, log } => {
                write!(f, "float in {low:?}..{high:?}")?;
                if let Some(step) = step {
                    write!(f, " in steps of {step:?}")?;
                }
                f.write_str(if *log { ", logarithmic" } else { "" })
            }
            Distribution::Int { log, step, low, high } => {
                write!(f, "integer in {low}..{high}")?;
                if *step != 1 {
                    write!(f, " in steps of {step}")?;
                }
                f.write_str(if *log { ", logarithmic" } else { "" })
            }
            Distribution::Categorical { choices } => {
                f.write_str("one of ")?;
                for (i, choice) in choices.iter().enumerate() {
                    write!(f, "{}{choice}", if i == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
        }
    }
}

/// The last of `low`, `low + step`, ... that is at most `high`, in decimal arithmetic: 0.3 is a multiple of 0.1.
fn last_step(low: f64, high: f64, step: f64) -> f64 {
    let places = [low, high, step].map(decimal_places).into_iter().max().unwrap_or(0);
    let whole = |x: f64| -> Option<i128> {
        let digits = format!("{x:.places$}").replace('.', "");
        digits.parse().ok()
    };
    let reached = || {
        let (low, high, step) = (whole(low)?, whole(high)?, whole(step)?);
        let steps = high.checked_sub(low)?.checked_div(step)?;
        let last = steps.checked_mul(step)?.checked_add(low)?;
        let sign = if last < 0 { "-" } else { "" };
        format!("{sign}{}e-{places}", last.unsigned_abs()).parse().ok()
    };
    // If the numbers are too long for that, a rounded quotient is as good.
    reached().unwrap_or_else(|| low + ((high - low) / step * (1.0 + 1e-12)).floor() * step)
}

/// Number of digits after the decimal point in the shortest decimal representation of `x`.
fn decimal_places(x: f64) -> usize {
    format!("{x}").split_once('.').map_or(0, |(_, fraction)| fraction.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_decimal() {
        let high = |low, high, step| match Distribution::stepped_float(low, high, step) {
            Ok(Distribution::Float { high, .. }) => high,
            other => panic!("{other:?}"),
        };
        assert_eq!(high(0.0, 0.3, 0.1), 0.3);
        assert_eq!(high(0.1, 1.0, 0.25), 0.85);
        assert_eq!(high(-1.0, -0.05, 0.1), -0.1);
        assert_eq!(high(0.0, 1e-7, 3e-8), 9e-8);
        assert_eq!(high(1e300, 1.5e300, 1e299), 1.5e300);
    }

    #[test]
    fn json_is_optunas() {
        let texts = [
            r#"{"name":"FloatDistribution","attributes":{"step":null,"low":1e-5,"high":0.1,"log":true}}"#,
            r#"{"name":"IntDistribution","attributes":{"log":false,"step":2,"low":2,"high":8}}"#,
            r#"{"name":"CategoricalDistribution","attributes":{"choices":[null,true,3,0.5,"adam"]}}"#,
        ];
        for text in texts {
            let read = Distribution::from_json(text).unwrap();
            let again: serde_json::Value = serde_json::from_str(&read.to_json()).unwrap();
            assert_eq!(again, serde_json::from_str::<serde_json::Value>(text).unwrap());
        }
    }

    #[test]
    fn contradictions_are_named() {
        let cases = [
            (Distribution::float(1.0, 0.0), "the lower bound is above the upper one"),
            (Distribution::float(0.0, f64::NAN), "the bounds must be finite"),
            (Distribution::log_float(0.0, 1.0), "must begin above 0"),
            (Distribution::stepped_float(0.0, 1.0, 0.0), "the step must be more than 0"),
            (Distribution::log_int(0, 5), "must begin at 1 or above"),
            (Distribution::stepped_int(0, 5, -1), "the step must be more than 0"),
            (Distribution::int(0, i64::MAX), "beyond 2^53"),
            (Distribution::categorical::<f64>([]), "there must be at least one choice"),
        ];
        for (made, expected) in cases {
            let said = made.unwrap_err().to_string();
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn values_and_their_numbers() {
        let kind = Distribution::categorical(["adam", "sgd"]).unwrap();
        assert_eq!(kind.internal(&"sgd".into()).unwrap(), 1.0);
        assert_eq!(kind.value(1.0).unwrap(), "sgd".into());
        assert!(kind.value(2.0).is_err());
        assert!(kind.internal(&"lbfgs".into()).is_err());
        let even = Distribution::stepped_int(2, 9, 2).unwrap();
        assert!(even.contains(8.0) && !even.contains(9.0) && !even.contains(3.0));
        assert_eq!(even.internal(&Value::Float(4.0)).unwrap(), 4.0);
        assert!(even.internal(&Value::Float(4.5)).is_err());
        assert!(!even.is_compatible(&Distribution::log_int(2, 9).unwrap()));
        assert!(even.is_compatible(&Distribution::int(0, 100).unwrap()));
    }
}
