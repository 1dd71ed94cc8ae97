//! Summaries of repeated values: mean and standard error, mean and standard deviation. Which values they summarise is up to the caller.

use serde::{Deserialize, Serialize};

/// A mean and its standard error.
///
/// ```
/// use latents_explore::metrics::Estimate;
///
/// let estimate = Estimate::of(&[1.0, 2.0, 3.0]);
/// assert_eq!(format!("{estimate:.2}"), "2.00 ± 0.58");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean.
    pub value: f64,
    /// Standard error of the mean.
    pub error: f64,
}

impl Estimate {
    /// Mean of independent values and its standard error, with the unbiased variance. The error of one value is 0; without values both
    /// are 0.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let n = values.len().max(1) as f64;
        let value = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|v| (v - value) * (v - value)).sum();
        let variance = if values.len() > 1 { squares / (n - 1.0) } else { 0.0 };
        Estimate { value, error: (variance / n).sqrt() }
    }
}

impl std::fmt::Display for Estimate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = f.precision().unwrap_or(3);
        write!(f, "{:.digits$} ± {:.digits$}", self.value, self.error)
    }
}

/// A mean and the sample standard deviation, such as of a score over runs with different seeds.
///
/// ```
/// use latents_explore::metrics::MeanStd;
///
/// let accuracy = MeanStd::of(&[0.90, 0.92, 0.94]);
/// assert!((accuracy.mean - 0.92).abs() < 1e-12);
/// assert!((accuracy.deviation - 0.02).abs() < 1e-12);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanStd {
    /// The mean.
    pub mean: f64,
    /// The standard deviation, from the unbiased variance (divided by `n - 1`).
    pub deviation: f64,
}

impl MeanStd {
    /// Mean and standard deviation of values. The deviation of one value is 0; without values both are 0.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
        MeanStd { mean, deviation: (squares / (values.len().max(2) - 1) as f64).sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_deviation_are_those_of_a_sample() {
        // numpy: np.std([2, 4, 4, 4, 5, 5, 7, 9], ddof=1)
        let found = MeanStd::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert!((found.mean - 5.0).abs() < 1e-15);
        assert!((found.deviation - 2.138_089_935_299_395).abs() < 1e-15, "{}", found.deviation);
        assert_eq!(MeanStd::of(&[3.5]), MeanStd { mean: 3.5, deviation: 0.0 });
        assert_eq!(MeanStd::of(&[]), MeanStd { mean: 0.0, deviation: 0.0 });
    }

    #[test]
    fn fields_keep_their_names_in_json() {
        let json = serde_json::to_string(&MeanStd::of(&[1.0, 3.0])).unwrap();
        assert_eq!(json, r#"{"mean":2.0,"deviation":1.4142135623730951}"#);
        assert_eq!(serde_json::from_str::<MeanStd>(&json).unwrap(), MeanStd::of(&[1.0, 3.0]));
    }
}
