//! Loops over groups of 16 numbers, which the compiler turns into the vector instructions of the machine. They use correctly rounded
//! operations in a fixed order, so results do not depend on the instruction set.

/// Numbers in a group.
pub(crate) const LANES: usize = 16;

/// A group of numbers.
pub(crate) type Lane = [f32; LANES];

/// Runs `work` compiled for the best instruction set of the machine. `with_simd` and everything it calls, down to the loops, must be
/// `#[inline(always)]`; otherwise they are compiled for the baseline instruction set.
pub(crate) fn dispatch<W: pulp::WithSimd>(work: W) -> W::Output {
    pulp::Arch::new().dispatch(work)
}

/// Sum over `items`, computed by chunk in parallel and added up in order: the same on any number of threads. A thread takes `least` chunks or
/// more, so that short sums wake no other. `sum` takes the index of the first item of a chunk, and the chunk.
pub(crate) fn ordered_sum<T: Sync>(
    items: &[T],
    (chunk, least): (usize, usize),
    sum: impl Fn(usize, &[T]) -> f64 + Sync,
) -> f64 {
    use rayon::prelude::*;
    let chunks = items.par_chunks(chunk).with_min_len(least).enumerate();
    let parts: Vec<f64> = chunks.map(|(i, part)| sum(i * chunk, part)).collect();
    parts.iter().sum()
}
