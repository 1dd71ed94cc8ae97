//! Between samples side by side (`[sample][number]`, as images lie in memory) and lanes (`[number][sample]`).

use crate::number::Number;
use crate::simd::LANES;

/// Fills lanes from one slice a sample; lanes without a sample become zero. `convert` maps what is stored to a number.
#[inline(always)]
pub(crate) fn to_lanes<T: Copy, E: Number>(
    samples: &[&[T]],
    lanes: &mut [E],
    convert: impl Fn(T) -> E,
) {
    if let Ok(samples) = <&[&[T]; LANES]>::try_from(samples) {
        // In blocks that stay in the nearest cache, each read along the sample and written across the lanes.
        for (block, out) in lanes.as_chunks_mut::<LANES>().0.chunks_mut(LANES).enumerate() {
            for (lane, sample) in samples.iter().enumerate() {
                for (out, &x) in out.iter_mut().zip(&sample[block * LANES..]) {
                    out[lane] = convert(x);
                }
            }
        }
    } else {
        lanes.fill(E::default());
        for (lane, sample) in samples.iter().enumerate() {
            for (out, &x) in lanes[lane..].iter_mut().step_by(LANES).zip(*sample) {
                *out = convert(x);
            }
        }
    }
}

/// Writes the first lanes to one slice a sample.
pub(crate) fn from_lanes<E: Number>(lanes: &[E], samples: &mut [&mut [E]]) {
    for (i, numbers) in lanes.chunks_exact(LANES).enumerate() {
        for (sample, &x) in samples.iter_mut().zip(numbers) {
            sample[i] = x;
        }
    }
}
