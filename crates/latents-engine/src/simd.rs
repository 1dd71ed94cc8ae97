//! Vectors of samples. [`Simd`] is the small set of operations in which every kernel is written; its implementations are pulp's AVX-512,
//! AVX2+FMA and NEON vectors and a portable array. All of them give the same bits: multiply-adds are fused everywhere, and all operations
//! are correctly rounded. [`Isa`] selects one at run time.

#![allow(unsafe_code)]

use std::marker::PhantomData;

use crate::isa::Isa;
use crate::number::Number;

/// Number of samples in a micro-batch: every pixel of an activation has this many adjacent numbers, one for each sample.
pub const LANES: usize = 16;

/// The vectors of one instruction set: `WIDTH` numbers of type `E`; `WIDTH` divides [`LANES`].
pub(crate) trait Simd: Copy + Send + Sync + 'static {
    type E: Number;
    type V: Copy;
    const WIDTH: usize;
    /// Whether there are 32 vector registers instead of 16, so that larger tiles of accumulators fit.
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
    /// `a * b + c`, rounded once.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Lane by lane `if a > b { x } else { y }`.
    fn select_gt(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V;

    /// The sum of each row, in a fixed tree: first numbers four apart, then two, then one.
    #[inline(always)]
    fn row_sums(self, rows: &[[Self::E; 8]; 8]) -> [Self::E; 8] {
        rows.map(tree)
    }
}

/// The sum of eight numbers in the tree of [`Simd::row_sums`].
#[inline(always)]
pub(crate) fn tree<E: Number>(x: [E; 8]) -> E {
    let x: [E; 4] = std::array::from_fn(|i| x[i].plus(x[i + 4]));
    let x: [E; 2] = std::array::from_fn(|i| x[i].plus(x[i + 2]));
    x[0].plus(x[1])
}

/// A kernel, written once over [`Simd`].
pub(crate) trait Kernel<E> {
    type Output;
    /// Implementations are `#[inline(always)]`, so that every operation in them is compiled for the instruction set of the caller.
    fn run<S: Simd<E = E>>(self, s: S) -> Self::Output;
}

/// Vectors of pulp, for CPUs that have them.
#[derive(Clone, Copy)]
struct Native<P, const WIDE: bool>(P);

impl<P: pulp::Simd, const WIDE: bool> Simd for Native<P, WIDE> {
    type E = f32;
    type V = P::f32s;
    const WIDTH: usize = size_of::<P::f32s>() / size_of::<f32>();
    const WIDE: bool = WIDE;

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
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        self.0.mul_add_f32s(a, b, c)
    }
    #[inline(always)]
    fn select_gt(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V {
        self.0.select_f32s(self.0.greater_than_f32s(a, b), x, y)
    }
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn row_sums(self, rows: &[[f32; 8]; 8]) -> [f32; 8] {
        if Self::WIDTH == 8 {
            // SAFETY: on x86-64, only V3 has vectors of eight, and a V3 exists only on a CPU with AVX2.
            unsafe { row_sums_avx(rows) }
        } else {
            rows.map(tree)
        }
    }
}

/// [`Simd::row_sums`], all eight rows at once.
///
/// # Safety
/// The CPU has AVX, and the caller is compiled for it.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn row_sums_avx(rows: &[[f32; 8]; 8]) -> [f32; 8] {
    use std::arch::x86_64::{__m128, __m256, _mm256_add_ps, _mm256_set_m128, _mm256_shuffle_ps};
    // SAFETY: the caller's promise; both sides of each transmute are plain data of the same size.
    unsafe {
        let halves: [[__m128; 2]; 8] = std::mem::transmute(*rows);
        // Four partial sums of row i, followed by four of row i + 4.
        let mut fours = [std::mem::zeroed::<__m256>(); 4];
        for i in 0..4 {
            let low = _mm256_set_m128(halves[i + 4][0], halves[i][0]);
            fours[i] = _mm256_add_ps(low, _mm256_set_m128(halves[i + 4][1], halves[i][1]));
        }
        // Two partial sums of each row.
        let mut twos = [std::mem::zeroed::<__m256>(); 2];
        for i in 0..2 {
            let (a, b) = (fours[2 * i], fours[2 * i + 1]);
            let low = _mm256_shuffle_ps::<0b01_00_01_00>(a, b);
            twos[i] = _mm256_add_ps(low, _mm256_shuffle_ps::<0b11_10_11_10>(a, b));
        }
        let even = _mm256_shuffle_ps::<0b10_00_10_00>(twos[0], twos[1]);
        let odd = _mm256_shuffle_ps::<0b11_01_11_01>(twos[0], twos[1]);
        std::mem::transmute(_mm256_add_ps(even, odd))
    }
}

/// Arrays of four, which compilers turn into the vectors of the target.
#[derive(Clone, Copy)]
struct Portable<E>(PhantomData<E>);

impl<E: Number> Portable<E> {
    #[inline(always)]
    fn zip(a: [E; 4], b: [E; 4], f: impl Fn(E, E) -> E) -> [E; 4] {
        std::array::from_fn(|i| f(a[i], b[i]))
    }
}

impl<E: Number> Simd for Portable<E> {
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
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i].fused(b[i], c[i]))
    }
    #[inline(always)]
    fn select_gt(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V {
        std::array::from_fn(|i| if a[i] > b[i] { x[i] } else { y[i] })
    }
}

/// Runs a kernel with one of pulp's instruction sets.
struct Carry<K, const WIDE: bool>(K);

impl<K: Kernel<f32>, const WIDE: bool> pulp::WithSimd for Carry<K, WIDE> {
    type Output = K::Output;
    #[inline(always)]
    fn with_simd<P: pulp::Simd>(self, simd: P) -> K::Output {
        self.0.run(Native::<P, WIDE>(simd))
    }
}

/// Runs a kernel with AVX2 vectors on a CPU that has the 32 registers of AVX-512.
#[cfg(target_arch = "x86_64")]
struct CarryHalf<K>(K, pulp::x86::V3);

#[cfg(target_arch = "x86_64")]
impl<K: Kernel<f32>> pulp::NullaryFnOnce for CarryHalf<K> {
    type Output = K::Output;
    #[inline(always)]
    fn call(self) -> K::Output {
        self.0.run(Native::<_, true>(self.1))
    }
}

/// Runs a kernel on the widest vectors of an instruction set.
pub(crate) fn dispatch_f32<K: Kernel<f32>>(isa: Isa, kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    if isa.has_avx512()
        && let Some(simd) = pulp::x86::V4::try_new()
    {
        return pulp::Simd::vectorize(simd, Carry::<K, true>(kernel));
    }
    dispatch_f32_half(isa, kernel)
}

/// Runs a kernel on vectors of at most half a micro-batch.
pub(crate) fn dispatch_f32_half<K: Kernel<f32>>(isa: Isa, kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    if isa.has_avx512()
        && let Some(simd) = pulp::x86::V4::try_new()
    {
        return simd.vectorize(CarryHalf(kernel, *simd));
    }
    #[cfg(target_arch = "x86_64")]
    if isa == Isa::Avx2
        && let Some(simd) = pulp::x86::V3::try_new()
    {
        return pulp::Simd::vectorize(simd, Carry::<K, false>(kernel));
    }
    #[cfg(target_arch = "aarch64")]
    if isa == Isa::Neon
        && let Some(simd) = pulp::aarch64::Neon::try_new()
    {
        return pulp::Simd::vectorize(simd, Carry::<K, true>(kernel));
    }
    kernel.run(Portable(PhantomData))
}

/// Runs a kernel in double precision: the portable one, compiled for an instruction set, so that a fused multiply-add is one instruction.
pub(crate) fn dispatch_f64<K: Kernel<f64>>(isa: Isa, kernel: K) -> K::Output {
    struct Double<K>(K);
    impl<K: Kernel<f64>> Kernel<f32> for Double<K> {
        type Output = K::Output;
        #[inline(always)]
        fn run<S: Simd<E = f32>>(self, _: S) -> K::Output {
            self.0.run(Portable(PhantomData))
        }
    }
    dispatch_f32(isa, Double(kernel))
}

/// Runs `f` compiled for an instruction set, so that its plain loops use the vectors of that set.
pub(crate) fn vectorize<R>(isa: Isa, f: impl FnOnce() -> R) -> R {
    struct Plain<F>(F);
    impl<R, F: FnOnce() -> R> Kernel<f32> for Plain<F> {
        type Output = R;
        #[inline(always)]
        fn run<S: Simd<E = f32>>(self, _: S) -> R {
            (self.0)()
        }
    }
    dispatch_f32(isa, Plain(f))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sums<'a>(&'a [[f32; 8]; 8]);

    impl Kernel<f32> for Sums<'_> {
        type Output = [f32; 8];
        #[inline(always)]
        fn run<S: Simd<E = f32>>(self, s: S) -> [f32; 8] {
            s.row_sums(self.0)
        }
    }

    #[test]
    fn row_sums_are_trees() {
        // Magnitudes differ so much that another order of additions would give other bits.
        let rows: [[f32; 8]; 8] = std::array::from_fn(|r| {
            std::array::from_fn(|i| 1.37_f32.powi((r * 8 + i) as i32 * 29 % 61 - 30))
        });
        let expected = rows.map(|x| {
            let sum = ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]));
            sum.to_bits()
        });
        for isa in Isa::available() {
            assert_eq!(dispatch_f32_half(isa, Sums(&rows)).map(f32::to_bits), expected, "{isa}");
            assert_eq!(dispatch_f32(isa, Sums(&rows)).map(f32::to_bits), expected, "{isa}");
        }
    }
}
