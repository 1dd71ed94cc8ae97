//! The truncated standard normal distribution: the logarithm of the mass between two points, and quantiles. Far in either tail, where masses
//! underflow, it works with logarithms. The caller applies means and standard deviations.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2};

/// The logarithm of the square root of 2 pi.
pub(super) const LN_SQRT_TAU: f64 = 0.918_938_533_204_672_8;

/// Below this, the mass is computed from its asymptotic series, because `erfc` approaches underflow.
const TAIL: f64 = -30.0;

/// Logarithm of the mass below `x`.
pub(super) fn log_cdf(x: f64) -> f64 {
    if x > 0.0 {
        libm::log1p(-0.5 * libm::erfc(x * FRAC_1_SQRT_2))
    } else if x > TAIL {
        libm::log(0.5 * libm::erfc(-x * FRAC_1_SQRT_2))
    } else {
        // 1 - 1/x^2 (1 - 3/x^2 (1 - 5/x^2 (...))): Abramowitz and Stegun, 26.2.12.
        let step = 1.0 / (x * x);
        let series = (1..=10).rev().fold(1.0, |sum, k| 1.0 - f64::from(2 * k - 1) * step * sum);
        libm::log(series) - 0.5 * x * x - libm::log(-x) - LN_SQRT_TAU
    }
}

/// Logarithm of the mass between `a` and `b`, where `a <= b`.
pub(super) fn log_mass(a: f64, b: f64) -> f64 {
    // In the right tail, both masses are near 1 and their difference is lost. By symmetry the left tail can be used.
    let (a, b) = if a > 0.0 { (-b, -a) } else { (a, b) };
    if b > 0.0 {
        libm::log(0.5 * (libm::erf(b * FRAC_1_SQRT_2) + libm::erf(-a * FRAC_1_SQRT_2)))
    } else if b > TAIL {
        libm::log(0.5 * (libm::erfc(-b * FRAC_1_SQRT_2) - libm::erfc(-a * FRAC_1_SQRT_2)))
    } else {
        let upper = log_cdf(b);
        upper + libm::log1p(-libm::exp(log_cdf(a) - upper))
    }
}

/// The point between `a` and `b` below which the share `q` of the mass between them lies.
pub(super) fn quantile(q: f64, a: f64, b: f64) -> f64 {
    if a > 0.0 {
        return -quantile(1.0 - q, -b, -a);
    }
    let (x, y) = (log_cdf(a), libm::log(q) + log_mass(a, b));
    let log_sum = x.max(y) + libm::log1p(libm::exp(x.min(y) - x.max(y)));
    inverse_log_cdf(log_sum).max(a).min(b)
}

/// The `x` with `log_cdf(x) = y`.
fn inverse_log_cdf(y: f64) -> f64 {
    let y = y.min(-f64::MIN_POSITIVE);
    // The right half mirrors the left half.
    let (y, sign) = if y > -LN_2 { (libm::log(-libm::expm1(y)), -1.0) } else { (y, 1.0) };
    // For x <= 0 the mass below x is at most exp(-x^2 / 2) / 2, so this is below the root. As `log_cdf` is concave, Newton's steps rise
    // to the root from there and never pass it.
    let mut x = -(-2.0 * (y + LN_2)).max(0.0).sqrt();
    for _ in 0..50 {
        let reached = log_cdf(x);
        let step = (y - reached) * libm::exp(reached + 0.5 * x * x + LN_SQRT_TAU);
        x += step;
        if step.abs() <= 1e-13 * (1.0 + x.abs()) {
            break;
        }
    }
    sign * x
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(got: f64, expected: f64, tolerance: f64) {
        assert!((got - expected).abs() <= tolerance * expected.abs(), "{got:?} for {expected:?}");
    }

    #[test]
    fn log_cdf_is_scipys() {
        // scipy.special.log_ndtr
        let cases = [
            (-100.0, -5_005.524_208_694_205),
            (-37.5, -707.668_989_317_507_2),
            (-20.0, -203.917_155_371_097_3),
            (-5.0, -15.064_998_393_988_727),
            (-0.5, -1.175_911_761_593_618_8),
            (0.0, -LN_2),
            (1.0, -0.172_753_779_023_449_9),
            (7.0, -1.279_812_543_886_653_9e-12),
        ];
        for (x, expected) in cases {
            assert_near(log_cdf(x), expected, 1e-14);
        }
    }

    #[test]
    fn inverse_is_scipys() {
        // scipy.special.ndtri_exp
        let cases = [
            (-1_000.0, -44.615_747_731_969_41),
            (-50.0, -9.674_825_283_612_355),
            (-3.0, -1.646_921_720_527_714_5),
            (-0.69, 0.003_950_629_560_280_063_4),
            (-0.1, 1.309_617_799_458_493),
            (-1e-10, 6.361_340_902_411_735),
        ];
        for (y, expected) in cases {
            assert_near(inverse_log_cdf(y), expected, 1e-12);
        }
    }

    #[test]
    fn masses_of_parts_add_up_to_the_whole() {
        // Each border is in another branch.
        let borders = [-60.0, -45.0, -31.0, -29.0, -3.0, 0.0, 0.5, 4.0, 29.0, 33.0, 60.0];
        for part in borders.windows(3) {
            let halves = libm::exp(log_mass(part[0], part[1]) - log_mass(part[0], part[2]))
                + libm::exp(log_mass(part[1], part[2]) - log_mass(part[0], part[2]));
            assert_near(halves, 1.0, 1e-12);
        }
        assert_near(log_mass(-1e-9, 1e-9), libm::log(2e-9) - LN_SQRT_TAU, 1e-14);
        assert_eq!(log_mass(-2.0, 1.0), log_mass(-1.0, 2.0));
    }

    #[test]
    fn quantile_inverts_the_mass() {
        let intervals = [(-1.0, 1.0), (-0.1, 40.0), (2.0, 3.0), (35.0, 36.0), (-80.0, -70.0)];
        for (a, b) in intervals {
            for q in [1e-6, 0.1, 0.5, 0.75, 0.999] {
                let x = quantile(q, a, b);
                assert!(a < x && x < b, "{a} < {x} < {b}");
                let share = libm::exp(log_mass(a, x) - log_mass(a, b));
                assert!((share - q).abs() < 1e-11, "{share} for {q}");
            }
            assert_near(quantile(0.0, a, b), a, 1e-12);
        }
    }
}
