//! Vectors of samples. [`Simd`] is the small set of operations that every kernel is written in, once; its implementations are
//! pulp's AVX-512, AVX2+FMA and NEON vectors and a portable array. All of them give the same bits: multiply-adds are fused
//! everywhere, and only correctly rounded operations are used. Which of them runs is chosen at run time by [`Isa`].

use std::marker::PhantomData;

use crate::isa::Isa;
use crate::number::Number;

/// Samples in a micro-batch: every pixel of an activation holds this many neighbouring numbers, one for each sample.
pub const LANES: usize = 16;

/// Vectors of one instruction set. `WIDTH` numbers of type `E` are worked on at once; `WIDTH` divides [`LANES`].
pub(crate) trait Simd: Copy + Send + Sync + 'static {
    type E: Number;
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
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Lane by lane `if a > b { x } else { y }`.
    fn select_gt(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V;
}

/// A piece of work written once over [`Simd`].
pub(crate) trait Kernel<E> {
    type Output;
    /// Implementations are `#[inline(always)]`, so that the instruction set of the caller reaches every operation in them.
    fn run<S: Simd<E = E>>(self, s: S) -> Self::Output;
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
}

/// Arrays of four, which compilers turn into whatever vectors the target has.
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

/// Hands a kernel to one of pulp's instruction sets.
struct Carry<K>(K);

impl<K: Kernel<f32>> pulp::WithSimd for Carry<K> {
    type Output = K::Output;
    #[inline(always)]
    fn with_simd<P: pulp::Simd>(self, simd: P) -> K::Output {
        self.0.run(Native(simd))
    }
}

/// Runs a kernel on the widest vectors of an instruction set.
pub(crate) fn dispatch_f32<K: Kernel<f32>>(isa: Isa, kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    if isa == Isa::Avx512
        && let Some(simd) = pulp::x86::V4::try_new()
    {
        return pulp::Simd::vectorize(simd, Carry(kernel));
    }
    dispatch_f32_half(isa, kernel)
}

/// Runs a kernel on vectors of at most half a micro-batch.
pub(crate) fn dispatch_f32_half<K: Kernel<f32>>(isa: Isa, kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    if matches!(isa, Isa::Avx512 | Isa::Avx2)
        && let Some(simd) = pulp::x86::V3::try_new()
    {
        return pulp::Simd::vectorize(simd, Carry(kernel));
    }
    #[cfg(target_arch = "aarch64")]
    if isa == Isa::Neon
        && let Some(simd) = pulp::aarch64::Neon::try_new()
    {
        return pulp::Simd::vectorize(simd, Carry(kernel));
    }
    kernel.run(Portable(PhantomData))
}

/// Runs a kernel in double precision.
pub(crate) fn dispatch_f64<K: Kernel<f64>>(_: Isa, kernel: K) -> K::Output {
    kernel.run(Portable(PhantomData))
}

/// Runs `f` compiled for an instruction set: plain loops in it become its vectors.
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
