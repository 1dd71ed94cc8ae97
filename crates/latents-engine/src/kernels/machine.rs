//! Sums of products in bfloat16 (the upper half of an `f32`), tile by tile. A left tile is 16 rows of 32 numbers and a right one 32 numbers of 16 columns, both in pairs; their product is added to 16 x 16 sums in `f32`.
//!
//! One product of two tiles has the bits of Intel's `TDPBF16PS`: for each sum, the products of the first numbers of the pairs are added to zero by fused multiply-adds in order, those of the second numbers likewise, and
//! then `sum + (first + second)`. Every other instruction set computes the same with fused multiply-adds of `f32`. (`VDPBF16PS`, of AVX-512, fuses the numbers of a pair into one sum, so its bits differ.)
//! The instruction takes subnormal numbers for zero. None occurs: numbers below [`crate::bfloat16::SMALLEST`] are zero in bfloat16, so every product and every sum is a multiple of 2^-124. Infinities and NaN pass through; which NaN
//! it is, is not defined.

#![allow(unsafe_code)]

use crate::bfloat16::{HALF, Pair, SIDE, Step, Tile, pair};
use crate::simd::LANES;

/// Four products for each step, by the places that the offsets of steps are added to. Sums are in the order of the rows, and then of the columns.
pub(crate) enum Block {
    /// Two left and two right tiles.
    Square([*const Pair; 2], [*const Pair; 2]),
    /// Four left tiles and one right one.
    Tall([*const Pair; 4], *const Pair),
    /// One left tile and four right ones.
    Wide(*const Pair, [*const Pair; 4]),
}

/// What multiplies tiles.
pub(crate) trait Machine {
    /// Adds the products of all steps to `sums` in order, or to zero if the sums are not to be kept.
    ///
    /// # Safety
    /// Each pointer of the block plus the offset of each step on its side is the address of a tile that can be read: all of a left one, and the rows of the right one that are used.
    unsafe fn sum(&mut self, block: &Block, steps: &[Step], sums: &mut [Tile; 4], keep: bool);

    /// Rounds two rows, in pairs of neighbours.
    #[inline(always)]
    fn neighbours(&self, first: &[f32; LANES], second: &[f32; LANES]) -> [Pair; LANES] {
        std::array::from_fn(|i| {
            let row = if i < HALF { first } else { second };
            pair(row[2 * (i % HALF)], row[2 * (i % HALF) + 1])
        })
    }

    /// Rounds numbers, in pairs of one from each side.
    #[inline(always)]
    fn zip(&self, first: &[f32; LANES], second: &[f32; LANES]) -> [Pair; LANES] {
        std::array::from_fn(|i| pair(first[i], second[i]))
    }

    /// Rounds 16 rows, in pairs of neighbours, and exchanges rows and columns of pairs.
    #[inline(always)]
    fn transpose(&self, rows: &[[f32; LANES]; SIDE]) -> [[Pair; SIDE]; HALF] {
        std::array::from_fn(|i| {
            std::array::from_fn(|row| pair(rows[row][2 * i], rows[row][2 * i + 1]))
        })
    }
}

/// Work for a [`Machine`].
pub(crate) trait TileWork {
    /// Implementations are `#[inline(always)]`, so that they are compiled for the instruction set of the caller.
    fn run<M: Machine>(self, machine: &mut M);
}
