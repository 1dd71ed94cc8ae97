//! Loops over groups of 16 numbers that the compiler turns into vectors of whatever this machine has. They are written with
//! correctly rounded operations in one fixed order, so the instruction set does not show in a result.

/// Numbers that are worked on together.
pub(crate) const LANES: usize = 16;

/// One group.
pub(crate) type Lane = [f32; LANES];

/// Runs `work` compiled for the best instruction set of this machine. Its `with_simd` must be `#[inline(always)]`, down to
/// the loops, or they are compiled for any machine.
pub(crate) fn dispatch<W: pulp::WithSimd>(work: W) -> W::Output {
    pulp::Arch::new().dispatch(work)
}

/// Sums of chunks, added up in order: the same on any number of threads.
pub(crate) fn ordered_sum<T: Sync>(
    items: &[T],
    chunk: usize,
    sum: impl Fn(usize, &[T]) -> f64 + Sync,
) -> f64 {
    use rayon::prelude::*;
    let parts: Vec<f64> =
        items.par_chunks(chunk).enumerate().map(|(i, part)| sum(i * chunk, part)).collect();
    parts.iter().sum()
}

/// Squared Euclidean distance, in 16 sums side by side.
#[inline]
pub(crate) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (whole_a, whole_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = whole_a.remainder().iter().zip(whole_b.remainder());
    for (a, b) in whole_a.zip(whole_b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += (a - b) * (a - b);
        }
    }
    for (sum, (a, b)) in sums.iter_mut().zip(rest) {
        *sum += (a - b) * (a - b);
    }
    sums.iter().sum()
}
