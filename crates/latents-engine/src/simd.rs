//! Vectors of samples. [`Simd`] is the small set of operations that every kernel is written in, once; its implementations are
//! pulp's AVX-512, AVX2+FMA and NEON vectors and a portable array. All of them give the same bits: multiply-adds are fused
//! everywhere, and only correctly rounded operations are used. Which of them runs is chosen at run time by [`Isa`].

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// Samples in a micro-batch: every pixel of an activation holds this many neighbouring numbers, one for each sample.
pub const LANES: usize = 16;

/// Vectors of one instruction set. `WIDTH` numbers of type `E` are worked on at once; `WIDTH` divides [`LANES`].
pub(crate) trait Simd: Copy + Send + Sync + 'static {
    type E: Element;
    type V: Copy;
    const WIDTH: usize;
    /// Whether there are 32 vector registers rather than 16, so that larger tiles of accumulators fit.
    const WIDE: bool;

    fn splat(self, x: Self::E) -> Self::V;
    /// Reads `WIDTH` numbers.
    ///
    /// # Safety
    /// `p` must be valid for reading `WIDTH` numbers; no alignment beyond the number's own is needed.
    unsafe fn load(self, p: *const Self::E) -> Self::V;
    /// Writes `WIDTH` numbers.
    ///
    /// # Safety
    /// `p` must be valid for writing `WIDTH` numbers; no alignment beyond the number's own is needed.
    unsafe fn store(self, p: *mut Self::E, v: Self::V);
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Lane by lane `if a > b { x } else { y }`.
    fn select_gt(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V;
    /// `f` of every lane, for what has no vector form.
    fn map(self, a: Self::V, f: impl Fn(Self::E) -> Self::E) -> Self::V;
}

/// A piece of work written once over [`Simd`].
pub(crate) trait Kernel<E> {
    type Output;
    /// Implementations are `#[inline(always)]`, so that the instruction set of the caller reaches every operation in them.
    fn run<S: Simd<E = E>>(self, s: S) -> Self::Output;
}

/// A number that networks are made of: `f32`, or `f64` where gradients are checked.
pub trait Element:
    Copy + Default + PartialEq + PartialOrd + fmt::Debug + Send + Sync + sealed::Number + 'static
{
    /// The nearest number of this type.
    fn from_f64(x: f64) -> Self;
    /// The same number as `f64`.
    fn to_f64(self) -> f64;
}

pub(crate) mod sealed {
    use super::{Isa, Kernel};

    /// Arithmetic that the kernels need of a number; not for use outside.
    pub trait Number: Sized {
        fn plus(self, other: Self) -> Self;
        fn minus(self, other: Self) -> Self;
        fn times(self, other: Self) -> Self;
        fn over(self, other: Self) -> Self;
        fn fused(self, b: Self, c: Self) -> Self;
        fn root(self) -> Self;
        fn exp(self) -> Self;
        fn ln_1p(self) -> Self;
        fn erf(self) -> Self;
        #[allow(private_interfaces, private_bounds)]
        fn dispatch<K: Kernel<Self>>(isa: Isa, kernel: K) -> K::Output;
    }
}

macro_rules! number {
    ($t:ty, $exp:path, $ln_1p:path, $erf:path, $dispatch:path) => {
        impl sealed::Number for $t {
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
            fn root(self) -> Self {
                // IEEE 754 requires a correctly rounded root, so it is the same everywhere.
                self.sqrt()
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
            fn erf(self) -> Self {
                $erf(self)
            }
            #[allow(private_interfaces, private_bounds)]
            fn dispatch<K: Kernel<Self>>(isa: Isa, kernel: K) -> K::Output {
                $dispatch(isa, kernel)
            }
        }
    };
}
number!(f32, exp_f32, ln_1p_f32, erf_f32, dispatch_f32);
number!(f64, libm::exp, libm::log1p, libm::erf, dispatch_f64);

impl Element for f32 {
    fn from_f64(x: f64) -> Self {
        x as f32
    }
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Element for f64 {
    fn from_f64(x: f64) -> Self {
        x
    }
    fn to_f64(self) -> f64 {
        self
    }
}

/// e^x with a relative error under 2e-7 between -87 and 88, and clamped to that range.
///
/// The argument is reduced by multiples of ln 2 (in two parts, after Cody and Waite), and the rest is a polynomial of
/// degree 7. Only fused multiply-adds and integer additions: the same bits on every instruction set, and a compiler turns it
/// into vector code.
#[inline(always)]
fn exp_f32(x: f32) -> f32 {
    // Adding 1.5 * 2^23 leaves the nearest integer in the low bits of the mantissa.
    const MAGIC: f32 = 12_582_912.0;
    let x = if x > -87.0 { x } else { -87.0 };
    let x = if x < 88.0 { x } else { 88.0 };
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

/// Vectors of pulp, where the CPU has them.
#[derive(Clone, Copy)]
struct Native<P>(P);

impl<P: pulp::Simd> Simd for Native<P> {
    type E = f32;
    type V = P::f32s;
    const WIDTH: usize = size_of::<P::f32s>() / size_of::<f32>();
    const WIDE: bool = size_of::<P::f32s>() != 32;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        self.0.splat_f32s(x)
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> Self::V {
        // SAFETY: the caller's promise; the vector is plain data of WIDTH numbers.
        unsafe { p.cast::<Self::V>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: Self::V) {
        // SAFETY: the caller's promise; the vector is plain data of WIDTH numbers.
        unsafe { p.cast::<Self::V>().write_unaligned(v) }
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.add_f32s(a, b)
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.sub_f32s(a, b)
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.mul_f32s(a, b)
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.div_f32s(a, b)
    }
    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        self.0.mul_add_f32s(a, b, c)
    }
    #[inline(always)]
    fn select_gt(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V {
        self.0.select_f32s(self.0.greater_than_f32s(a, b), x, y)
    }
    #[inline(always)]
    fn map(self, a: Self::V, f: impl Fn(f32) -> f32) -> Self::V {
        let mut lanes = [0.0f32; LANES];
        // SAFETY: WIDTH is at most LANES.
        unsafe { self.store(lanes.as_mut_ptr(), a) };
        for x in &mut lanes[..Self::WIDTH] {
            *x = f(*x);
        }
        // SAFETY: as above.
        unsafe { self.load(lanes.as_ptr()) }
    }
}

/// Arrays of four, which compilers turn into whatever vectors the target has.
#[derive(Clone, Copy)]
struct Portable<E>(std::marker::PhantomData<E>);

impl<E: Element> Portable<E> {
    #[inline(always)]
    fn zip(a: [E; 4], b: [E; 4], f: impl Fn(E, E) -> E) -> [E; 4] {
        std::array::from_fn(|i| f(a[i], b[i]))
    }
}

impl<E: Element> Simd for Portable<E> {
    type E = E;
    type V = [E; 4];
    const WIDTH: usize = 4;
    const WIDE: bool = false;

    #[inline(always)]
    fn splat(self, x: E) -> Self::V {
        [x; 4]
    }
    #[inline(always)]
    unsafe fn load(self, p: *const E) -> Self::V {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<[E; 4]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut E, v: Self::V) {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<[E; 4]>().write_unaligned(v) }
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        Self::zip(a, b, E::plus)
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        Self::zip(a, b, E::minus)
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        Self::zip(a, b, E::times)
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        Self::zip(a, b, E::over)
    }
    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i].fused(b[i], c[i]))
    }
    #[inline(always)]
    fn select_gt(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V {
        std::array::from_fn(|i| if a[i] > b[i] { x[i] } else { y[i] })
    }
    #[inline(always)]
    fn map(self, a: Self::V, f: impl Fn(E) -> E) -> Self::V {
        a.map(f)
    }
}

/// The instruction set that the kernels run on. The results do not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// 512-bit vectors (x86-64 with AVX-512 F, BW, CD, DQ and VL).
    Avx512,
    /// 256-bit vectors with fused multiply-add (x86-64 since Haswell and Zen).
    Avx2,
    /// 128-bit vectors (every 64-bit ARM).
    Neon,
    /// No vectors of its own choosing: works everywhere, slowly where a fused multiply-add is a library call.
    Portable,
}

impl Isa {
    const ALL: [Isa; 4] = [Isa::Avx512, Isa::Avx2, Isa::Neon, Isa::Portable];

    /// The best one of this machine.
    #[must_use]
    pub fn detect() -> Isa {
        Self::ALL.into_iter().find(|isa| isa.is_available()).unwrap_or(Isa::Portable)
    }

    /// Those that this machine can run, best first.
    #[must_use]
    pub fn available() -> Vec<Isa> {
        Self::ALL.into_iter().filter(|isa| isa.is_available()).collect()
    }

    fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => pulp::x86::V4::try_new().is_some(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => pulp::x86::V3::try_new().is_some(),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => pulp::aarch64::Neon::try_new().is_some(),
            Isa::Portable => true,
            #[allow(unreachable_patterns)]
            _ => false,
        }
    }

    /// Runs `f` compiled for this instruction set: plain loops in it become its vectors.
    pub(crate) fn vectorize<R>(self, f: impl FnOnce() -> R) -> R {
        struct Plain<F>(F);
        impl<R, F: FnOnce() -> R> Kernel<f32> for Plain<F> {
            type Output = R;
            #[inline(always)]
            fn run<S: Simd<E = f32>>(self, _: S) -> R {
                (self.0)()
            }
        }
        dispatch_f32(self, Plain(f))
    }

    /// The instruction set for kernels that work on half a micro-batch at a time.
    pub(crate) fn half(self) -> Isa {
        if self == Isa::Avx512 { Isa::Avx2 } else { self }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Isa::Avx512 => "avx512",
            Isa::Avx2 => "avx2",
            Isa::Neon => "neon",
            Isa::Portable => "portable",
        })
    }
}

impl FromStr for Isa {
    type Err = Error;

    /// Fails for an unknown name, and for an instruction set that this machine lacks.
    fn from_str(name: &str) -> Result<Self, Error> {
        let names = |all: &[Isa]| all.iter().map(Isa::to_string).collect::<Vec<_>>().join(", ");
        let available = Isa::available();
        available.iter().copied().find(|isa| isa.to_string() == name).ok_or_else(|| Error::Isa {
            name: name.to_owned(),
            available: names(&available),
        })
    }
}

/// Hands a kernel to one of pulp's instruction sets.
struct Carry<K>(K);

impl<K: Kernel<f32>> pulp::WithSimd for Carry<K> {
    type Output = K::Output;
    #[inline(always)]
    fn with_simd<P: pulp::Simd>(self, simd: P) -> K::Output {
        self.0.run(Native(simd))
    }
}

fn dispatch_f32<K: Kernel<f32>>(isa: Isa, kernel: K) -> K::Output {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => match pulp::x86::V4::try_new() {
            Some(simd) => pulp::Simd::vectorize(simd, Carry(kernel)),
            None => kernel.run(Portable(std::marker::PhantomData)),
        },
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => match pulp::x86::V3::try_new() {
            Some(simd) => pulp::Simd::vectorize(simd, Carry(kernel)),
            None => kernel.run(Portable(std::marker::PhantomData)),
        },
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => match pulp::aarch64::Neon::try_new() {
            Some(simd) => pulp::Simd::vectorize(simd, Carry(kernel)),
            None => kernel.run(Portable(std::marker::PhantomData)),
        },
        _ => kernel.run(Portable(std::marker::PhantomData)),
    }
}

fn dispatch_f64<K: Kernel<f64>>(_: Isa, kernel: K) -> K::Output {
    kernel.run(Portable(std::marker::PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_accurate() {
        for i in -8700..8800 {
            let x = i as f32 * 0.01;
            let exact = libm::exp(f64::from(x));
            assert!((f64::from(exp_f32(x)) / exact - 1.0).abs() < 2e-7, "exp({x})");
        }
        assert_eq!(exp_f32(0.0), 1.0);
        assert_eq!(exp_f32(-1000.0), exp_f32(-87.0));
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

    #[test]
    fn names_round_trip_and_unknown_ones_say_what_there_is() {
        for isa in Isa::available() {
            assert_eq!(isa.to_string().parse::<Isa>().unwrap(), isa);
        }
        let error = "sse9".parse::<Isa>().unwrap_err().to_string();
        assert!(error.contains("sse9") && error.contains("portable"), "{error}");
    }
}
