//! Numbers in bfloat16 (the upper half of an `f32`): how they are rounded, in pairs, and how pairs make up tiles.

use crate::simd::LANES;

/// The part of each tile that is used; the other numbers have any value and any sum.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TileShape {
    /// Rows of left tiles and of sums, at most [`SIDE`].
    pub(crate) rows: usize,
    /// Pairs in a row of left tiles, and rows of right ones, at most [`PAIRS`].
    pub(crate) pairs: usize,
}

/// Rows and columns of sums in a tile. A micro-batch is as wide.
pub(crate) const SIDE: usize = 16;

/// Pairs of numbers in a row of a left tile and in a column of a right one.
pub(crate) const PAIRS: usize = 16;

/// Pairs of samples in a micro-batch.
pub(crate) const HALF: usize = LANES / 2;

/// Two numbers in bfloat16: the first in the lower half, the second in the upper one.
pub(crate) type Pair = u32;

/// Pairs in a tile: `[row][pair]` on the left side, `[pair][column]` on the right side.
pub(crate) const TILE: usize = SIDE * PAIRS;

/// 16 x 16 sums, `[row][column]`.
pub(crate) type Tile = [f32; TILE];

/// The offsets in bytes of the two tiles that a step multiplies.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) left: i32,
    pub(crate) right: i32,
}

/// The two numbers of a pair.
#[inline(always)]
pub(crate) fn numbers(pair: Pair) -> [f32; 2] {
    [f32::from_bits(pair << 16), f32::from_bits(pair & 0xffff_0000)]
}

/// Numbers below are zero in bfloat16, so that no sum of products is subnormal: products are multiples of 2^-124.
pub(crate) const SMALLEST: f32 = 1.0 / (1_u64 << 55) as f32;

/// The nearest bfloat16 of each of two numbers; of two as near, the even one.
#[inline(always)]
pub(crate) fn pair(first: f32, second: f32) -> Pair {
    round(first) >> 16 | round(second) & 0xffff_0000
}

/// The bits of a number, of which the upper half is the nearest bfloat16.
#[inline(always)]
fn round(x: f32) -> u32 {
    let bits = x.to_bits();
    let nearest = bits.wrapping_add(0x7fff).wrapping_add(bits >> 16 & 1);
    // A NaN stays one.
    let kept = if x.is_nan() { bits | 0x0040_0000 } else { nearest };
    if x.abs() < SMALLEST { 0 } else { kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number in bfloat16, as `f32`.
    fn rounded(x: f32) -> f32 {
        numbers(pair(x, 0.0))[0]
    }

    #[test]
    fn numbers_are_rounded_to_the_nearest_and_ties_to_even() {
        for (x, expected) in [
            (1.0, 1.0),
            (-0.0, 0.0),
            (1.0 + 1.0 / 256.0, 1.0),
            (1.0 + 3.0 / 256.0, 1.0 + 4.0 / 256.0),
            (1.0 + 1.001 / 256.0, 1.0 + 2.0 / 256.0),
            (-2.7, -2.703_125),
            (f32::MAX, f32::INFINITY),
            (f32::NEG_INFINITY, f32::NEG_INFINITY),
            (SMALLEST, SMALLEST),
            (-SMALLEST * 0.999, 0.0),
            (1e-40, 0.0),
        ] {
            assert_eq!(rounded(x).to_bits(), f32::to_bits(expected), "{x}");
        }
        assert!(rounded(f32::NAN).is_nan());
        // A NaN whose bits are all in the lower half.
        assert!(rounded(f32::from_bits(0x7f80_0001)).is_nan());
    }
}
