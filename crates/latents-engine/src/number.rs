//! The number types of networks, and the functions of them that activations and losses need. Each function is a fixed sequence of
//! correctly rounded operations, so it gives the same bits everywhere, and compilers turn it into vector code.

use std::fmt;

/// The arithmetic of `f32`, and of `f64` to check gradients.
pub trait Number:
    Copy + Default + PartialEq + PartialOrd + fmt::Debug + Send + Sync + 'static
{
    /// The nearest number of this type.
    fn from_f64(x: f64) -> Self;
    /// The same number as `f64`.
    fn to_f64(self) -> f64;
    /// The nearest number of this type.
    fn from_f32(x: f32) -> Self;
    /// The nearest `f32`.
    fn to_f32(self) -> f32;
    /// `self + other`.
    #[must_use]
    fn plus(self, other: Self) -> Self;
    /// `self - other`.
    #[must_use]
    fn minus(self, other: Self) -> Self;
    /// `self * other`.
    #[must_use]
    fn times(self, other: Self) -> Self;
    /// `self / other`.
    #[must_use]
    fn over(self, other: Self) -> Self;
    /// `self * b + c`, rounded once.
    #[must_use]
    fn fused(self, b: Self, c: Self) -> Self;
    /// e to the power of `self`.
    #[must_use]
    fn exp(self) -> Self;
    /// ln(1 + `self`), for `self` in `[0, 1]`.
    #[must_use]
    fn ln_1p(self) -> Self;
    /// The natural logarithm, for `self` positive and normal.
    #[must_use]
    fn ln(self) -> Self;
    /// The error function.
    #[must_use]
    fn erf(self) -> Self;
    /// Two independent standard normal numbers from two random integers (Box and Muller, 1958): the first gives their distance from
    /// the origin, the second their direction.
    #[must_use]
    fn normals(bits: [u32; 2]) -> [Self; 2];
}

macro_rules! number {
    ($t:ty, $exp:path, $ln_1p:path, $ln:path, $erf:path, $normals:path) => {
        impl Number for $t {
            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self.into()
            }
            #[inline(always)]
            fn from_f32(x: f32) -> Self {
                x.into()
            }
            #[inline(always)]
            fn to_f32(self) -> f32 {
                self as f32
            }
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self + other
            }
            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                self - other
            }
            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self * other
            }
            #[inline(always)]
            fn over(self, other: Self) -> Self {
                self / other
            }
            #[inline(always)]
            fn fused(self, b: Self, c: Self) -> Self {
                self.mul_add(b, c)
            }
            #[inline(always)]
            fn exp(self) -> Self {
                $exp(self)
            }
            #[inline(always)]
            fn ln_1p(self) -> Self {
                $ln_1p(self)
            }
            #[inline(always)]
            fn ln(self) -> Self {
                $ln(self)
            }
            #[inline(always)]
            fn erf(self) -> Self {
                $erf(self)
            }
            #[inline(always)]
            fn normals(bits: [u32; 2]) -> [Self; 2] {
                $normals(bits)
            }
        }
    };
}
number!(f32, exp_f32, ln_1p_f32, ln_f32, erf_f32, normals_f32);
number!(f64, libm::exp, libm::log1p, libm::log, libm::erf, normals_f64);

/// e^x with a relative error under 2e-7 between -87 and 88, and clamped to that range.
///
/// The argument is reduced by multiples of ln 2 (in two parts, after Cody and Waite), and the rest is a polynomial of
/// degree 7. Only fused multiply-adds and integer additions: the same bits on every instruction set, and a compiler turns it
/// into vector code.
#[inline(always)]
fn exp_f32(x: f32) -> f32 {
    // Adding 1.5 * 2^23 leaves the nearest integer in the low bits of the mantissa.
    const MAGIC: f32 = 12_582_912.0;
    // In this order of comparison, NaN stays NaN.
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let shifted = x.mul_add(std::f32::consts::LOG2_E, MAGIC);
    let n = shifted - MAGIC;
    let r = n.mul_add(-0.693_359_4, x);
    let r = n.mul_add(2.121_944_4e-4, r);
    // 1/n! for n from 7 down to 0.
    let mut p = 1.984_127e-4_f32;
    p = p.mul_add(r, 1.388_888_9e-3);
    p = p.mul_add(r, 8.333_334e-3);
    p = p.mul_add(r, 4.166_666_8e-2);
    p = p.mul_add(r, 1.666_666_7e-1);
    p = p.mul_add(r, 0.5);
    p = p.mul_add(r, 1.0);
    p = p.mul_add(r, 1.0);
    let scale = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    p * scale
}

/// ln(1 + x) for `x` in `[0, 1]`, with an absolute error under 2e-7.
///
/// 2 artanh(x / (2 + x)) by its series, which converges fast as the argument is at most 1/3.
#[inline(always)]
fn ln_1p_f32(x: f32) -> f32 {
    let s = x / (2.0 + x);
    let q = s * s;
    let mut p = 1.0 / 15.0_f32;
    p = p.mul_add(q, 1.0 / 13.0);
    p = p.mul_add(q, 1.0 / 11.0);
    p = p.mul_add(q, 1.0 / 9.0);
    p = p.mul_add(q, 1.0 / 7.0);
    p = p.mul_add(q, 0.2);
    p = p.mul_add(q, 1.0 / 3.0);
    p = p.mul_add(q, 1.0);
    2.0 * s * p
}

/// ln(x) for positive normal `x`, with an error under 2e-7 of the greater of 1 and its size.
///
/// x = 2^n m with m from sqrt(1/2) to sqrt(2), and ln m = 2 artanh((m - 1) / (m + 1)) by its series.
#[inline(always)]
fn ln_f32(x: f32) -> f32 {
    // 0x3f3504f3 has the bits of sqrt(1/2); the difference in the exponent is n.
    let above = x.to_bits().wrapping_sub(0x3f35_04f3);
    let n = ((above as i32) >> 23) as f32;
    let m = f32::from_bits(x.to_bits().wrapping_sub(above & 0xff80_0000));
    let s = (m - 1.0) / (m + 1.0);
    let q = s * s;
    let mut p = 1.0 / 9.0_f32;
    p = p.mul_add(q, 1.0 / 7.0);
    p = p.mul_add(q, 0.2);
    p = p.mul_add(q, 1.0 / 3.0);
    p = p.mul_add(q, 1.0);
    let small = n.mul_add(-2.121_944_4e-4, 2.0 * s * p);
    n.mul_add(0.693_359_4, small)
}

/// The error function, with an absolute error under 2e-7 (Abramowitz and Stegun, 7.1.26).
#[inline(always)]
fn erf_f32(x: f32) -> f32 {
    let size = x.abs();
    let t = 1.0 / size.mul_add(0.327_591_1, 1.0);
    let mut p = 1.061_405_4_f32;
    p = p.mul_add(t, -1.453_152);
    p = p.mul_add(t, 1.421_413_7);
    p = p.mul_add(t, -0.284_496_74);
    p = p.mul_add(t, 0.254_829_6);
    let y = 1.0 - p * t * exp_f32(-size * size);
    y.copysign(x)
}

/// Two normal numbers, with an error under 1e-6 if the distance is over 0.1, and under 5e-4 otherwise, because the argument of the
/// logarithm is rounded close to 1. The distance is at most 6.7.
///
/// Integer arithmetic splits the direction into the nearest quarter of a turn and the rest, at most an eighth; sine and cosine of the
/// rest are computed by their series.
#[inline(always)]
fn normals_f32([distance, direction]: [u32; 2]) -> [f32; 2] {
    // From 2^-32 to 1; signed, as every instruction set has that conversion.
    let u = ((distance >> 1) as i32 as f32 + 0.5) * (0.5 / (1u32 << 30) as f32);
    let r = (-2.0 * ln_f32(u)).sqrt();
    let quarter = direction.wrapping_add(1 << 29) >> 30;
    let rest = direction.wrapping_sub(quarter << 30) as i32;
    let x = rest as f32 * (std::f32::consts::FRAC_PI_2 / (1u32 << 30) as f32);
    let q = x * x;
    // 1/n! with their signs, for n from 9 down to 1, and from 8 down to 0.
    let mut sin = 2.755_731_9e-6_f32;
    sin = sin.mul_add(q, -1.984_127e-4);
    sin = sin.mul_add(q, 8.333_334e-3);
    sin = sin.mul_add(q, -1.666_666_7e-1);
    sin = (sin * q).mul_add(x, x);
    let mut cos = 2.480_158_7e-5_f32;
    cos = cos.mul_add(q, -1.388_888_9e-3);
    cos = cos.mul_add(q, 4.166_666_8e-2);
    cos = cos.mul_add(q, -0.5);
    cos = cos.mul_add(q, 1.0);
    let (a, b) = if quarter & 1 == 0 { (cos, sin) } else { (-sin, cos) };
    let r = if quarter & 2 == 0 { r } else { -r };
    [r * a, r * b]
}

fn normals_f64([distance, direction]: [u32; 2]) -> [f64; 2] {
    let u = (f64::from(distance >> 1) + 0.5) * (0.5 / f64::from(1u32 << 30));
    let r = libm::sqrt(-2.0 * libm::log(u));
    let angle = f64::from(direction) * (std::f64::consts::FRAC_PI_2 / f64::from(1u32 << 30));
    [r * libm::cos(angle), r * libm::sin(angle)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use latents_random::{Purpose, stream};

    #[test]
    fn exp_is_accurate() {
        for i in -8700..8800 {
            let x = i as f32 * 0.01;
            let exact = libm::exp(f64::from(x));
            assert!((f64::from(exp_f32(x)) / exact - 1.0).abs() < 2e-7, "exp({x})");
        }
        assert_eq!(exp_f32(0.0).to_bits(), 1.0f32.to_bits());
        assert_eq!(exp_f32(-1000.0).to_bits(), exp_f32(-87.0).to_bits());
        assert!(exp_f32(f32::NAN).is_nan(), "a network that has diverged does not look sane");
    }

    #[test]
    fn ln_is_accurate() {
        for i in -4000..4000 {
            let x = exp_f32(i as f32 * 0.02);
            let exact = libm::log(f64::from(x));
            let error = (f64::from(ln_f32(x)) - exact).abs();
            assert!(error < 2e-7 * exact.abs().max(1.0), "ln({x}) is off by {error:e}");
        }
        assert_eq!(ln_f32(1.0).to_bits(), 0.0f32.to_bits());
    }

    #[test]
    fn normals_are_accurate() {
        let ends = [0, 1, 2, 3, 1 << 29, (1 << 30) - 1, 1 << 30, 3 << 29, 1 << 31, u32::MAX];
        let mut random = stream(2, Purpose::Synthetic, 0, 0);
        let more: Vec<u32> = (0..1000).map(|_| random.next_u32()).collect();
        for distance in ends.iter().chain(&more) {
            for direction in ends.iter().chain(&more[..90]) {
                let bits = [*distance, *direction];
                let exact = normals_f64(bits);
                let bound = if libm::hypot(exact[0], exact[1]) > 0.1 { 1e-6 } else { 5e-4 };
                for (x, exact) in normals_f32(bits).into_iter().zip(exact) {
                    assert!((f64::from(x) - exact).abs() < bound, "{bits:?}: {x} {exact}");
                }
            }
        }
        assert!(normals_f64([0, 0])[0] > 6.6);
    }

    #[test]
    fn erf_is_accurate() {
        for i in -500..=500 {
            let x = i as f32 * 0.01;
            assert!((f64::from(erf_f32(x)) - libm::erf(f64::from(x))).abs() < 3e-7, "erf({x})");
        }
    }

    #[test]
    fn ln_1p_is_accurate() {
        for i in 0..=1000 {
            let x = i as f32 * 0.001;
            let exact = libm::log1p(f64::from(x));
            assert!((f64::from(ln_1p_f32(x)) - exact).abs() < 2e-7, "ln_1p({x})");
        }
    }
}
