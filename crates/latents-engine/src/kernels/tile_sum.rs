//! Outputs and input gradients in bfloat16: rounds the input to right tiles, multiplies them with the weights, and adds the bias.

#![allow(unsafe_code)]

use super::Element;
use super::gather::Finish;
use super::tiles::{Block, Machine, PAIRS, Pair, SIDE, TILE, Tile, TileWork, dispatch, pair};
use crate::isa::Isa;
use crate::number::Number;
use crate::simd::{Kernel, LANES, Simd, vectorize};
use crate::tiles::{GROUP, TileSum};

/// Blocks of sums whose steps are computed in turn.
pub(crate) const BLOCKS: usize = 16;

/// Steps of a block before the next one's, so that their left tiles stay in the first-level cache.
const STEPS: usize = 12;

/// One run of a [`TileSum`] over a micro-batch.
pub(crate) struct TileSumRun<'a, E> {
    pub(crate) plan: &'a TileSum,
    /// Weights, as [`TileSum::pack`] leaves them.
    pub(crate) left: &'a [Pair],
    /// Room for the right tiles.
    pub(crate) right: &'a mut [Pair],
    /// Room for `BLOCKS` blocks.
    pub(crate) sums: &'a mut [[Tile; 4]],
    /// One for each output channel; `None` means zero.
    pub(crate) bias: Option<&'a [E]>,
    /// `[channel][pixel][lane]`.
    pub(crate) input: &'a [E],
    /// `[channel][pixel][lane]`.
    pub(crate) output: &'a mut [E],
    pub(crate) finish: Finish<E>,
}

impl<E: Element> TileSumRun<'_, E> {
    pub(crate) fn run(mut self, isa: Isa) {
        let plan = self.plan;
        assert_eq!(self.left.len(), plan.left() * TILE);
        assert_eq!(self.right.len(), plan.right() * TILE);
        assert_eq!(self.sums.len(), BLOCKS);
        assert_eq!(self.input.len(), plan.in_channels * plan.in_plane);
        assert_eq!(self.output.len(), plan.out_channels * plan.out_plane);
        assert!(self.bias.is_none_or(|b| b.len() == plan.out_channels));
        vectorize(isa, || self.round_input());
        dispatch(isa, Products { run: self, isa });
    }

    /// `[group of channels][pixel][pair of channels][lane]`; channels that fill the last group up are zero.
    #[inline(always)]
    fn round_input(&mut self) {
        let plane = self.plan.in_plane;
        let groups = self.input.chunks(GROUP * plane);
        for (input, out) in groups.zip(self.right.chunks_exact_mut(plane / LANES * TILE)) {
            let pairs = input.len().div_ceil(2 * plane);
            for (p, input) in input.chunks(2 * plane).enumerate() {
                let (first, second) = input.split_at(plane);
                let pixels = out.chunks_exact_mut(TILE).map(|tile| &mut tile[p * LANES..][..LANES]);
                let first = first.as_chunks::<LANES>().0;
                let second = second.as_chunks::<LANES>().0;
                if second.is_empty() {
                    for (out, first) in pixels.zip(first) {
                        for (out, &x) in out.iter_mut().zip(first) {
                            *out = pair(x, E::default());
                        }
                    }
                } else {
                    for ((out, first), second) in pixels.zip(first).zip(second) {
                        for ((out, &x), &y) in out.iter_mut().zip(first).zip(second) {
                            *out = pair(x, y);
                        }
                    }
                }
            }
            if pairs < PAIRS {
                out.chunks_exact_mut(TILE).for_each(|tile| tile[pairs * LANES..].fill(0));
            }
        }
    }
}

/// The part of the work that needs a machine for tiles.
struct Products<'a, E> {
    run: TileSumRun<'a, E>,
    isa: Isa,
}

impl<E: Element> TileWork for Products<'_, E> {
    #[inline(always)]
    fn run<M: Machine>(self, mut machine: M) {
        let Products { run: TileSumRun { plan, left, right, sums, bias, output, finish, .. }, isa } =
            self;
        let (left, right) = (left.as_ptr(), right.as_ptr());
        let blocks = plan.out_channels.div_ceil(SIDE);
        for class in &plan.classes {
            let mut first = 0;
            while first < blocks {
                let [rows, columns] = match (blocks - first, class.pixels.len()) {
                    (1, _) => [1, 4],
                    (_, 1) => [4, 1],
                    _ => [2, 2],
                };
                // Those beyond the end are computed again, and not stored.
                let left =
                    |i: usize| left.wrapping_add((first + i).min(blocks - 1) * plan.row() * TILE);
                for strip in class.pixels.chunks(columns * BLOCKS) {
                    let each = strip.len().div_ceil(columns);
                    // With a single block, nothing is gained by turns.
                    let turn = if each == 1 { class.steps.len().max(1) } else { STEPS };
                    sums[..each].as_flattened_mut().as_flattened_mut().fill(0.0);
                    for steps in class.steps.chunks(turn) {
                        for (pixels, sums) in strip.chunks(columns).zip(&mut *sums) {
                            let right = |i: usize| {
                                let (base, _) = pixels[i.min(pixels.len() - 1)];
                                right.wrapping_byte_offset(base as isize)
                            };
                            let block = match rows {
                                1 => Block::Wide(left(0), [right(0), right(1), right(2), right(3)]),
                                4 => Block::Tall([left(0), left(1), left(2), left(3)], right(0)),
                                _ => Block::Square([left(0), left(1)], [right(0), right(1)]),
                            };
                            // SAFETY: `TileSum` builds steps and pixels so that each step is a tile of the weights of a block of output channels,
                            // and base plus step a tile of the input; `run` has checked the lengths of both.
                            unsafe { machine.sum(&block, steps, sums) };
                        }
                    }
                    let finish = FinishTiles {
                        sums: &sums[..each],
                        pixels: strip,
                        columns,
                        channels: first * SIDE..((first + rows) * SIDE).min(plan.out_channels),
                        plane: plan.out_plane,
                        bias,
                        output,
                        finish,
                    };
                    E::finish_tiles(isa, finish);
                }
                first += rows;
            }
        }
    }
}

/// Stores the sums of a strip of pixels.
pub(crate) struct FinishTiles<'a, E> {
    sums: &'a [[Tile; 4]],
    pixels: &'a [(i32, u32)],
    /// Pixels of a block.
    columns: usize,
    channels: std::ops::Range<usize>,
    plane: usize,
    bias: Option<&'a [E]>,
    output: &'a mut [E],
    finish: Finish<E>,
}

impl<E: Number> Kernel<E> for FinishTiles<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, s: S) {
        let first = self.channels.start;
        for (pixels, sums) in self.pixels.chunks(self.columns).zip(self.sums) {
            for (column, &(_, at)) in pixels.iter().enumerate() {
                for channel in self.channels.clone() {
                    let row = channel - first;
                    let tile = &sums[row / SIDE * self.columns + column];
                    let sums: [f32; SIDE] = tile.as_chunks().0[row % SIDE];
                    let sums = sums.map(E::from_f32);
                    let bias = s.splat(self.bias.map_or(E::default(), |bias| bias[channel]));
                    let out = &mut self.output[channel * self.plane + at as usize..][..LANES];
                    for v in (0..LANES).step_by(S::WIDTH) {
                        // SAFETY: both have `LANES` numbers, which `WIDTH` divides.
                        unsafe {
                            let sum = s.add(s.load(sums.as_ptr().add(v)), bias);
                            let out = out.as_mut_ptr().add(v);
                            s.store(out, self.finish.of(s, sum, || s.load(out)));
                        }
                    }
                }
            }
        }
    }
}
