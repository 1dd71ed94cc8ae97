//! Outputs and input gradients in bfloat16: rounds the input to right tiles, multiplies them with the weights, and adds the bias.

#![allow(unsafe_code)]

use super::Element;
use super::gather::Finish;
use super::machine::{Block, Machine, TileWork};
use super::tiles::dispatch;
use crate::bfloat16::{Pair, SIDE, TILE, Tile};
use crate::isa::Isa;
use crate::number::Number;
use crate::simd::{Kernel, LANES, Simd};
use crate::tiles::TileSum;

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
    pub(crate) fn run(self, isa: Isa) {
        let plan = self.plan;
        assert_eq!(self.left.len(), plan.left() * TILE);
        assert_eq!(self.right.len(), plan.right_len());
        assert_eq!(self.sums.len(), BLOCKS);
        assert_eq!(self.input.len(), plan.in_channels * plan.in_plane);
        assert_eq!(self.output.len(), plan.out_channels * plan.out_plane);
        assert!(self.bias.is_none_or(|b| b.len() == plan.out_channels));
        dispatch(isa, plan.shape, Products { run: self, isa });
    }
}

/// Rounds the input to right tiles, `[group of channels][pixel][pair of channels][lane]`; channels that fill the last group up are zero.
#[inline(always)]
fn round_input<M: Machine, E: Element>(machine: &M, plan: &TileSum, input: &[E], out: &mut [Pair]) {
    let plane = plan.in_plane;
    let pixel = plan.shape.pairs * LANES;
    let groups = input.chunks(plan.group() * plane);
    for (input, out) in groups.zip(out.chunks_exact_mut(plane / LANES * pixel)) {
        for (p, input) in input.chunks(2 * plane).enumerate() {
            let lanes = input.as_chunks::<LANES>().0;
            let (first, second) = lanes.split_at(plane / LANES);
            for (at, first) in first.iter().enumerate() {
                let second = second.get(at).map_or([0.0; LANES], |x| x.map(E::to_f32));
                let pairs = machine.zip(&first.map(E::to_f32), &second);
                out[at * pixel + p * LANES..][..LANES].copy_from_slice(&pairs);
            }
        }
        let pairs = input.len().div_ceil(2 * plane);
        if pairs < plan.shape.pairs {
            out.chunks_exact_mut(pixel).for_each(|pixel| pixel[pairs * LANES..].fill(0));
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
    fn run<M: Machine>(self, machine: &mut M) {
        let TileSumRun { plan, left, right, sums, bias, input, output, finish } = self.run;
        let isa = self.isa;
        round_input(machine, plan, input, right);
        let (left, right) = (left.as_ptr(), right.as_ptr());
        let tile = plan.shape.rows;
        let blocks = plan.out_channels.div_ceil(tile);
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
                    // At least one turn, also for pixels that no tap meets.
                    for from in (0..class.steps.len().max(1)).step_by(turn) {
                        let steps = &class.steps[from..class.steps.len().min(from + turn)];
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
                            unsafe { machine.sum(&block, steps, sums, from > 0) };
                        }
                    }
                    let finish = FinishTiles {
                        sums: &sums[..each],
                        pixels: strip,
                        columns,
                        channels: first * tile..((first + rows) * tile).min(plan.out_channels),
                        tile,
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
    /// Channels of a tile.
    tile: usize,
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
                    let tile = &sums[row / self.tile * self.columns + column];
                    let sums: [f32; SIDE] = tile.as_chunks().0[row % self.tile];
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
