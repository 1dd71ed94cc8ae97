//! Values of parameters, as people and objectives see them. [`Distribution`](crate::Distribution) maps them to the numbers that samplers
//! use.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The value of a parameter: a number, or a choice of a categorical parameter. In JSON and TOML it is written as the bare value.
///
/// ```
/// use latents_tune::Value;
///
/// let values: Vec<Value> = serde_json::from_str(r#"[null, true, 3, 0.5, "adam"]"#)?;
/// assert_eq!(values[2].as_f64(), Some(3.0));
/// assert_eq!(values[4], "adam".into());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// No value (`null`, Python's `None`).
    None,
    /// A Boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A string.
    Text(String),
}

impl Value {
    /// The value as a number, if it is an integer or a floating-point number.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int(x) => Some(*x as f64),
            Value::Float(x) => Some(*x),
            _ => None,
        }
    }

    /// The value as an integer, if it is a number without a fractional part.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int(x) => Some(*x),
            Value::Float(x) if x.fract() == 0.0 && x.abs() < 9e15 => Some(*x as i64),
            _ => None,
        }
    }

    /// The value as a string slice, if it is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether Python would call the values equal: Booleans and numbers of different types may be equal.
    pub(crate) fn is_equal(&self, other: &Value) -> bool {
        match (self.number(), other.number()) {
            (Some(a), Some(b)) => a == b || (a.is_nan() && b.is_nan()),
            _ => self == other,
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Value::Bool(x) => Some(f64::from(u8::from(*x))),
            other => other.as_f64(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::None => f.write_str("none"),
            Value::Bool(x) => write!(f, "{x}"),
            Value::Int(x) => write!(f, "{x}"),
            Value::Float(x) => write!(f, "{x:?}"),
            Value::Text(x) => f.write_str(x),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.into())
    }
}

impl From<f64> for Value {
    fn from(x: f64) -> Self {
        Value::Float(x)
    }
}

impl From<i64> for Value {
    fn from(x: i64) -> Self {
        Value::Int(x)
    }
}

impl From<bool> for Value {
    fn from(x: bool) -> Self {
        Value::Bool(x)
    }
}
