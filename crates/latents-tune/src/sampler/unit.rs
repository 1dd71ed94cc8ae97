//! Maps values to points in `[0, 1]`, linearly on the distribution's own scale, for samplers that work in the unit cube. Each stepped number,
//! integer and choice has an interval around it.

use crate::distribution::Distribution;

/// The interval of a distribution, on its scale; it extends half a step beyond the values.
fn range(distribution: &Distribution) -> (f64, f64) {
    match *distribution {
        Distribution::Float { step: None, low, high, log: false } => (low, high),
        Distribution::Float { step: None, low, high, log: true } => {
            (libm::log(low), libm::log(high))
        }
        Distribution::Float { step: Some(step), low, high, .. } => {
            (low - 0.5 * step, high + 0.5 * step)
        }
        Distribution::Int { log: false, step, low, high } => {
            let half = 0.5 * step as f64;
            (low as f64 - half, high as f64 + half)
        }
        Distribution::Int { log: true, low, high, .. } => {
            (libm::log(low as f64 - 0.5), libm::log(high as f64 + 0.5))
        }
        Distribution::Categorical { ref choices } => (0.0, choices.len() as f64),
    }
}

/// The internal number of the value at `u` in `[0, 1]`.
pub(super) fn from_unit(distribution: &Distribution, u: f64) -> f64 {
    let (begin, end) = range(distribution);
    let x = begin + u * (end - begin);
    match distribution {
        _ if distribution.is_single() => match distribution {
            Distribution::Float { low, .. } => *low,
            Distribution::Int { low, .. } => *low as f64,
            Distribution::Categorical { .. } => 0.0,
        },
        &Distribution::Float { step: None, low, high, log } => {
            let x = if log { libm::exp(x) } else { x };
            x.min(high.next_down()).max(low)
        }
        &Distribution::Float { step: Some(step), low, high, .. } => {
            (((x - low) / step).round_ties_even() * step + low).min(high).max(low)
        }
        &Distribution::Int { log, step, low, high } => {
            let (low, high, step) = (low as f64, high as f64, step as f64);
            let x = if log {
                libm::exp(x).round_ties_even()
            } else {
                ((x - low) / step + 0.5).floor() * step + low
            };
            x.min(high).max(low)
        }
        Distribution::Categorical { choices } => x.floor().min((choices.len() - 1) as f64),
    }
}

/// The point in `[0, 1]` of the value with an internal number: the middle of its interval, if it has one.
pub(super) fn to_unit(distribution: &Distribution, internal: f64) -> f64 {
    let (begin, end) = range(distribution);
    let x = match distribution {
        Distribution::Float { log: true, .. } | Distribution::Int { log: true, .. } => {
            libm::log(internal)
        }
        Distribution::Categorical { .. } => internal + 0.5,
        Distribution::Float { .. } | Distribution::Int { .. } => internal,
    };
    if distribution.is_single() { 0.5 } else { (x - begin) / (end - begin) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampler::testing::kinds;

    #[test]
    fn values_lie_where_they_come_from() {
        for distribution in kinds() {
            for i in 0..=1000 {
                let x = from_unit(&distribution, f64::from(i) / 1000.0);
                assert!(distribution.contains(x), "{distribution}: {x}");
                let back = to_unit(&distribution, x);
                assert!((0.0..=1.0).contains(&back), "{distribution}: {x} at {back}");
                let again = from_unit(&distribution, back);
                assert!((again - x).abs() <= 1e-12 * x.abs(), "{distribution}: {again} for {x}");
            }
        }
    }

    #[test]
    fn the_scale_is_the_distributions() {
        let log = Distribution::log_float(1e-4, 1.0).unwrap();
        assert!((to_unit(&log, 1e-2) - 0.5).abs() < 1e-12);
        let steps = Distribution::stepped_int(2, 10, 4).unwrap();
        assert_eq!([2.0, 6.0, 10.0].map(|x| to_unit(&steps, x)), [1.0 / 6.0, 0.5, 5.0 / 6.0]);
        let choices = Distribution::categorical(["a", "b"]).unwrap();
        assert_eq!([0.0, 1.0].map(|x| to_unit(&choices, x)), [0.25, 0.75]);
    }
}
