//! Conversion between samples (`[sample][number]`, as images lie in memory) and lanes (`[number][sample]`).

use crate::number::Number;
use crate::simd::LANES;

/// Fills lanes from one slice per sample; lanes without a sample become zero.
pub(crate) fn values_to_lanes<E: Number>(samples: &[&[E]], lanes: &mut [E]) {
    if let Ok(samples) = <&[&[E]; LANES]>::try_from(samples) {
        // Blocks that stay in the first-level cache, each read along the sample and written across the lanes.
        for (block, out) in lanes.as_chunks_mut::<LANES>().0.chunks_mut(LANES).enumerate() {
            for (lane, sample) in samples.iter().enumerate() {
                for (out, &x) in out.iter_mut().zip(&sample[block * LANES..]) {
                    out[lane] = x;
                }
            }
        }
    } else {
        lanes.fill(E::default());
        for (lane, sample) in samples.iter().enumerate() {
            for (out, &x) in lanes[lane..].iter_mut().step_by(LANES).zip(*sample) {
                *out = x;
            }
        }
    }
}

/// The same for bytes; 0 to 255 become 0 to 1.
pub(crate) fn bytes_to_lanes<E: Number>(samples: &[&[u8]], lanes: &mut [E]) {
    let white = E::from_f64(255.0);
    for (block, out) in lanes.as_chunks_mut::<LANES>().0.chunks_mut(LANES).enumerate() {
        let mut square = [[0; LANES]; LANES];
        for (row, sample) in square.iter_mut().zip(samples) {
            let rest = &sample[block * LANES..];
            match rest.first_chunk() {
                Some(whole) => *row = *whole,
                None => row[..rest.len()].copy_from_slice(rest),
            }
        }
        let square = transpose(square);
        for (out, &byte) in out.as_flattened_mut().iter_mut().zip(square.as_flattened()) {
            *out = E::from_f64(byte.into()).over(white);
        }
    }
}

/// The same for 16-bit integers; 0 to 65,535 become 0 to 1.
pub(crate) fn words_to_lanes<E: Number>(samples: &[&[u16]], lanes: &mut [E]) {
    let white = E::from_f64(65_535.0);
    lanes.fill(E::default());
    for (lane, sample) in samples.iter().enumerate() {
        for (out, &word) in lanes[lane..].iter_mut().step_by(LANES).zip(*sample) {
            *out = E::from_f64(word.into()).over(white);
        }
    }
}

/// Transposes a square. Interleaving both halves of an array rotates the bits of each index by one; after as many rounds as there are
/// bits in the index of a row, rows and columns are exchanged. Compilers turn each round into vector code.
#[inline(always)]
fn transpose(mut square: [[u8; LANES]; LANES]) -> [[u8; LANES]; LANES] {
    for _ in 0..LANES.ilog2() {
        let from = square;
        let (low, high) = from.as_flattened().split_at(LANES * LANES / 2);
        let pairs = square.as_flattened_mut().as_chunks_mut().0.iter_mut();
        for ((pair, &a), &b) in pairs.zip(low).zip(high) {
            *pair = [a, b];
        }
    }
    square
}

/// Writes the first lanes to one slice per sample.
pub(crate) fn from_lanes<E: Number>(lanes: &[E], samples: &mut [&mut [E]]) {
    for (i, numbers) in lanes.chunks_exact(LANES).enumerate() {
        for (sample, &x) in samples.iter_mut().zip(numbers) {
            sample[i] = x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_convert_as_values_do() {
        for (samples, numbers) in [(LANES, 784), (LANES, 5), (3, 33)] {
            let bytes: Vec<u8> = (0..samples * numbers).map(|i| (i * 37 % 256) as u8).collect();
            let values: Vec<f32> = bytes.iter().map(|&b| (f64::from(b) / 255.0) as f32).collect();
            let (mut got, mut expected) = (vec![9.0; numbers * LANES], vec![9.0; numbers * LANES]);
            bytes_to_lanes(&bytes.chunks(numbers).collect::<Vec<_>>(), &mut got);
            values_to_lanes(&values.chunks(numbers).collect::<Vec<_>>(), &mut expected);
            assert_eq!(got, expected);
            assert_eq!(expected[LANES + 2].to_bits(), values[2 * numbers + 1].to_bits());
        }
    }
}
