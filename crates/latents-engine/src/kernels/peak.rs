//! The peak rate of the machine, to compare the kernels with.

#![allow(unsafe_code)]

use std::hint::black_box;
use std::time::Instant;

use crate::runtime::Runtime;
use crate::simd::{Kernel, Simd, dispatch_f32};

/// Accumulators: enough to hide the latency of a multiply-add, few enough to stay in registers.
const CHAINS: usize = 12;

/// Chains of multiply-adds in registers.
struct Chains {
    rounds: usize,
}

impl Kernel<f32> for Chains {
    /// A number that depends on every chain, and the number of additions and multiplications.
    type Output = (f32, usize);

    #[inline(always)]
    fn run<S: Simd<E = f32>>(self, s: S) -> (f32, usize) {
        let (factor, term) = (s.splat(black_box(0.999)), s.splat(black_box(0.001)));
        let mut sums = [s.splat(1.0); CHAINS];
        for _ in 0..self.rounds {
            for sum in &mut sums {
                *sum = s.fma(*sum, factor, term);
            }
        }
        let mut lanes = [f32::default(); crate::simd::LANES];
        let total = sums.into_iter().reduce(|a, b| s.add(a, b)).unwrap_or(s.splat(0.0));
        // SAFETY: WIDTH is at most LANES.
        unsafe { s.store(lanes.as_mut_ptr(), total) };
        (lanes[0], 2 * self.rounds * CHAINS * S::WIDTH)
    }
}

/// The peak rate of fused multiply-adds on all workers at once, in GFLOP/s: the rate of the kernels if they neither loaded nor stored.
/// The best of several short runs.
#[must_use]
pub fn peak_gflops(runtime: &Runtime) -> f64 {
    let run = || {
        let start = Instant::now();
        let all = runtime.broadcast(|| {
            let (value, operations) = dispatch_f32(runtime.isa(), Chains { rounds: 2_000_000 });
            // The test keeps the compiler from removing the chains; the value is never negative.
            if value < 0.0 { 0 } else { operations }
        });
        all.iter().sum::<usize>() as f64 / start.elapsed().as_secs_f64() / 1e9
    };
    (0..5).map(|_| run()).fold(0.0, f64::max)
}
