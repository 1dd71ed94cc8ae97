//! Runs work on tiles: on those of AMX if the processor has them, or on vectors, which compute the same bits.

#![allow(unsafe_code)]

use super::machine::{Block, Machine, TileWork};
use crate::bfloat16::{PAIRS, Pair, SIDE, Step, TILE, Tile, TileShape, numbers};
use crate::isa::Isa;
use crate::simd::{Kernel, Simd, dispatch_f32};

/// Runs work on the tiles of this machine, or on its vectors.
pub(crate) fn dispatch(isa: Isa, shape: TileShape, work: impl TileWork) {
    assert!((1..=SIDE).contains(&shape.rows) && (1..=PAIRS).contains(&shape.pairs));
    #[cfg(target_arch = "x86_64")]
    if isa == Isa::Amx && crate::isa::amx::is_available() {
        // SAFETY: tiles are available.
        return unsafe { super::amx::run(shape, work) };
    }
    dispatch_f32(isa, Emulate(shape, work));
}

/// Runs work on vectors.
struct Emulate<W>(TileShape, W);

impl<W: TileWork> Kernel<f32> for Emulate<W> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd<E = f32>>(self, s: S) {
        let (left, right) = ([0.0; 2 * TILE], [0.0; 2 * TILE]);
        self.1.run(&mut Emulated { s, shape: self.0, left, right });
    }
}

/// The same products by vectors.
struct Emulated<S> {
    s: S,
    shape: TileShape,
    /// The left tile: `[row][pair][2]`.
    left: [f32; 2 * TILE],
    /// The right tile: `[pair][2][column]`.
    right: [f32; 2 * TILE],
}

/// Rows that are summed together.
const ROWS: usize = 4;

impl<S: Simd<E = f32>> Machine for Emulated<S> {
    #[inline(always)]
    unsafe fn sum(&mut self, block: &Block, steps: &[Step], sums: &mut [Tile; 4], keep: bool) {
        if !keep {
            sums.as_flattened_mut().fill(0.0);
        }
        let tiles = tiles_of(block);
        for step in steps {
            let mut before = [std::ptr::null(); 2];
            for (&[left, right], sums) in tiles.iter().zip(&mut *sums) {
                // SAFETY: the caller's promise.
                unsafe {
                    if left != before[0] {
                        let left = left.wrapping_byte_offset(step.left as isize);
                        self.widen_left(std::slice::from_raw_parts(left, TILE));
                    }
                    if right != before[1] {
                        let right = right.wrapping_byte_offset(step.right as isize);
                        let pairs = self.shape.pairs * SIDE;
                        self.widen_right(std::slice::from_raw_parts(right, pairs));
                    }
                }
                before = [left, right];
                self.multiply(sums);
            }
        }
    }
}

/// The two tiles of each sum.
fn tiles_of(block: &Block) -> [[*const Pair; 2]; 4] {
    match *block {
        Block::Square([a, b], [x, y]) => [[a, x], [a, y], [b, x], [b, y]],
        Block::Tall(left, right) => left.map(|left| [left, right]),
        Block::Wide(left, right) => right.map(|right| [left, right]),
    }
}

impl<S: Simd<E = f32>> Emulated<S> {
    #[inline(always)]
    fn widen_left(&mut self, tile: &[Pair]) {
        for (out, &pair) in self.left.as_chunks_mut().0.iter_mut().zip(tile) {
            *out = numbers(pair);
        }
    }

    #[inline(always)]
    fn widen_right(&mut self, tile: &[Pair]) {
        let rows = self.right.as_chunks_mut::<{ 2 * SIDE }>().0.iter_mut();
        for (out, row) in rows.zip(tile.as_chunks::<SIDE>().0) {
            for (column, &pair) in row.iter().enumerate() {
                let [first, second] = numbers(pair);
                out[column] = first;
                out[SIDE + column] = second;
            }
        }
    }

    /// Adds the product of the two tiles.
    #[inline(always)]
    fn multiply(&self, sums: &mut Tile) {
        let s = self.s;
        for row in (0..self.shape.rows).step_by(ROWS) {
            for column in (0..SIDE).step_by(S::WIDTH) {
                let mut first = [s.splat(0.0); ROWS];
                let mut second = [s.splat(0.0); ROWS];
                // SAFETY: a vector from `column` ends in the same row, because `WIDTH` divides `SIDE`.
                unsafe {
                    for pair in 0..self.shape.pairs {
                        let right = self.right.as_ptr().add(2 * pair * SIDE + column);
                        let (x, y) = (s.load(right), s.load(right.add(SIDE)));
                        for r in 0..ROWS {
                            let at = 2 * ((row + r) * PAIRS + pair);
                            first[r] = s.fma(s.splat(self.left[at]), x, first[r]);
                            second[r] = s.fma(s.splat(self.left[at + 1]), y, second[r]);
                        }
                    }
                    for r in 0..ROWS {
                        let sum = sums.as_mut_ptr().add((row + r) * SIDE + column);
                        s.store(sum, s.add(s.load(sum), s.add(first[r], second[r])));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bfloat16::{HALF, SMALLEST, pair};
    use crate::simd::LANES;

    struct Round<'a> {
        rows: &'a [[f32; LANES]; SIDE],
        transposed: &'a mut [[Pair; SIDE]; HALF],
        zipped: &'a mut [Pair; LANES],
        neighbours: &'a mut [Pair; LANES],
    }

    impl TileWork for Round<'_> {
        #[inline(always)]
        fn run<M: Machine>(self, machine: &mut M) {
            *self.transposed = machine.transpose(self.rows);
            *self.zipped = machine.zip(&self.rows[0], &self.rows[1]);
            *self.neighbours = machine.neighbours(&self.rows[0], &self.rows[1]);
        }
    }

    #[test]
    fn every_instruction_set_rounds_alike() {
        let mut bits = 0x9e37_79b9_u32;
        for _ in 0..2_000 {
            let rows = [(); SIDE].map(|()| {
                [(); LANES].map(|()| {
                    bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    // All exponents, and numbers near those below which all is zero; no NaN but quiet ones.
                    let x = f32::from_bits(if bits.is_multiple_of(5) {
                        0x2400_0000 + bits % 64 - 32
                    } else {
                        bits
                    });
                    if x.is_nan() { f32::NAN } else { x }
                })
            });
            for isa in Isa::available() {
                let mut transposed = [[0; SIDE]; HALF];
                let (mut zipped, mut neighbours) = ([0; LANES], [0; LANES]);
                let round = Round {
                    rows: &rows,
                    transposed: &mut transposed,
                    zipped: &mut zipped,
                    neighbours: &mut neighbours,
                };
                dispatch(isa, TileShape { rows: SIDE, pairs: PAIRS }, round);
                let of_row = |row: usize, i: usize| pair(rows[row][2 * i], rows[row][2 * i + 1]);
                for i in 0..LANES {
                    assert_eq!(zipped[i], pair(rows[0][i], rows[1][i]), "{isa}");
                    assert_eq!(neighbours[i], of_row(i / HALF, i % HALF), "{isa}");
                    for column in 0..HALF {
                        assert_eq!(transposed[column][i], of_row(i, column), "{isa}");
                    }
                }
            }
        }
    }

    struct Sum<'a> {
        left: &'a [Pair],
        right: &'a [Pair],
        steps: &'a [Step],
        sums: &'a mut [Tile; 4],
        shape: usize,
        keep: bool,
    }

    impl TileWork for Sum<'_> {
        #[inline(always)]
        fn run<M: Machine>(self, machine: &mut M) {
            let left = [0, 1, 2, 3].map(|i| self.left[i * TILE..].as_ptr());
            let right = [0, 1, 2, 3].map(|i| self.right[i * TILE..].as_ptr());
            let block = match self.shape {
                0 => Block::Square([left[0], left[1]], [right[0], right[1]]),
                1 => Block::Tall(left, right[0]),
                _ => Block::Wide(left[0], right),
            };
            // SAFETY: steps are at most as far as the buffers have spare tiles.
            unsafe { machine.sum(&block, self.steps, self.sums, self.keep) };
        }
    }

    /// Random pairs of very different sizes, with zeros, the smallest numbers and cancellation.
    fn pairs(seed: u32, n: usize) -> Vec<Pair> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        let mut number = || {
            let x = (next() % 2001) as f32 / 1000.0 - 1.0;
            match next() % 8 {
                0 => 0.0,
                1 => x * SMALLEST * 4.0,
                2 => x * 1e10,
                _ => x,
            }
        };
        (0..n).map(|_| pair(number(), number())).collect()
    }

    #[test]
    fn every_instruction_set_sums_in_the_order_of_a_machine() {
        let (left, right) = (pairs(1, 8 * TILE), pairs(2, 8 * TILE));
        let at = |tile: usize| (tile * size_of::<[Pair; TILE]>()) as i32;
        let steps = [(0, 3), (4, 0), (2, 1)].map(|(l, r)| Step { left: at(l), right: at(r) });
        for (shape, rows, pairs) in [(0, 16, 16), (1, 16, 3), (2, 5, 16), (0, 1, 1), (1, 9, 8)] {
            let shape_of_tiles = TileShape { rows, pairs };
            for keep in [false, true] {
                let start = [[1.5; TILE]; 4];
                let mut expected = if keep { start } else { [[0.0; TILE]; 4] };
                for (i, sums) in expected.iter_mut().enumerate() {
                    let (l, r) = [(i / 2, i % 2), (i, 0), (0, i)][shape];
                    for step in &steps {
                        let of = |offset: i32| offset as usize / 4;
                        let left = &left[l * TILE + of(step.left)..][..TILE];
                        let right = &right[r * TILE + of(step.right)..][..TILE];
                        for (at, sum) in sums.iter_mut().enumerate() {
                            let (row, column) = (at / SIDE, at % SIDE);
                            let mut parts = [0.0_f32; 2];
                            for p in 0..pairs {
                                let a = numbers(left[row * PAIRS + p]);
                                let b = numbers(right[p * SIDE + column]);
                                parts = [0, 1].map(|i| a[i].mul_add(b[i], parts[i]));
                            }
                            *sum += parts[0] + parts[1];
                        }
                    }
                }
                for isa in Isa::available() {
                    let mut sums = start;
                    let (left, right, steps) = (&left, &right, &steps);
                    dispatch(
                        isa,
                        shape_of_tiles,
                        Sum { left, right, steps, sums: &mut sums, shape, keep },
                    );
                    let bits = |sums: &[Tile; 4]| {
                        sums.map(|tile| tile[..rows * SIDE].to_vec())
                            .map(|rows| rows.iter().map(|x| x.to_bits()).collect::<Vec<_>>())
                    };
                    assert!(bits(&sums) == bits(&expected), "{isa}, shape {shape}, keep {keep}");
                }
            }
        }
    }
}
