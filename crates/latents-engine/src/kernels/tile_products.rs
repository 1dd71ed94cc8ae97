//! Weight gradients in bfloat16: rounds two activations to tiles and multiplies them, pixel pair by pixel pair.

#![allow(unsafe_code)]

use std::ops::Range;

use super::Element;
use super::tiles::{Block, Machine, PAIRS, Pair, SIDE, Step, TILE, Tile, TileWork, dispatch, pair};
use crate::affine::room;
use crate::buffer::Buffer;
use crate::isa::Isa;
use crate::simd::{LANES, vectorize};
use crate::tiles::{PIXEL, TileProducts};

/// Steps of the sums of one position of the kernel before the next one's, so that tiles of both sides stay in the first-level cache.
const STEPS: usize = 10;

/// Pairs of samples in a micro-batch.
const HALF: usize = LANES / 2;

/// One run of [`TileProducts`]; adds to `out`.
pub(crate) struct TileProductsRun<'a, E> {
    pub(crate) plan: &'a TileProducts,
    /// Numbers of the small image.
    pub(crate) small: &'a [E],
    /// Numbers of the big image.
    pub(crate) big: &'a [E],
    /// `[small channel][big channel][place]`.
    pub(crate) out: &'a mut [E],
    pub(crate) scratch: &'a mut ProductsScratch,
}

/// Tiles and sums; they grow to the size of the largest.
#[derive(Debug, Default)]
pub(crate) struct ProductsScratch {
    left: Buffer<Pair>,
    right: Buffer<Pair>,
    sums: Vec<[Tile; 4]>,
}

/// Blocks of 16 channels.
fn blocks(channels: usize) -> usize {
    channels.div_ceil(SIDE)
}

impl<E: Element> TileProductsRun<'_, E> {
    pub(crate) fn run(self, isa: Isa) {
        let TileProductsRun { plan, small, big, out, scratch } = self;
        let (rows, columns, places) = (plan.small.channels, plan.big.channels, plan.places());
        assert_eq!(out.len(), rows * columns * places);
        let left = blocks(rows) * plan.strip * plan.across() * TILE;
        let left = room(&mut scratch.left, left);
        let right = blocks(columns) * plan.lines(plan.strip) * plan.line();
        let right = room(&mut scratch.right, right);
        let sums = blocks(rows).div_ceil(2) * blocks(columns).div_ceil(2) * places;
        if scratch.sums.len() < sums {
            scratch.sums.resize(sums, [[0.0; TILE]; 4]);
        }
        let sums = &mut scratch.sums[..sums];
        sums.as_flattened_mut().as_flattened_mut().fill(0.0);
        let height = plan.small.size[0];
        for first in (0..height).step_by(plan.strip) {
            let strip = first..(first + plan.strip).min(height);
            let steps = &plan.steps[..strip.len() * plan.across()];
            vectorize(isa, || {
                round_small(plan, small, strip.clone(), left);
                round_big(plan, big, strip, right);
            });
            dispatch(isa, Products { plan, steps, left, right, sums });
        }
        vectorize(isa, || add(plan, sums, out));
    }
}

/// Tiles of some rows, `[block of channels][row][pair of pixels][channel][pair of samples]`; what is beyond the image is zero.
#[inline(always)]
fn round_small<E: Element>(plan: &TileProducts, image: &[E], rows: Range<usize>, out: &mut [Pair]) {
    let view = &plan.small;
    let across = plan.across();
    let block = plan.strip * across * TILE;
    for channel in 0..blocks(view.channels) * SIDE {
        let row = channel % SIDE * PAIRS;
        let out = &mut out[channel / SIDE * block..][..block];
        if channel >= view.channels {
            out.chunks_exact_mut(TILE).for_each(|tile| tile[row..][..PAIRS].fill(0));
            continue;
        }
        for (y, out) in rows.clone().zip(out.chunks_exact_mut(across * TILE)) {
            let line = view.first + channel * view.plane + y * view.steps[0];
            for (x, tile) in out.chunks_exact_mut(TILE).enumerate() {
                let halves = tile[row..][..PAIRS].as_chunks_mut::<HALF>().0;
                for (x, out) in (2 * x..).zip(halves) {
                    if x < view.size[1] {
                        round_samples(&image[line + x * view.steps[1]..], out);
                    } else {
                        out.fill(0);
                    }
                }
            }
        }
    }
}

/// Pixels that some rows are multiplied with, `[block of channels][row][place in a step][pixel][pair of samples][channel]`, with the padding, which is zero.
#[inline(always)]
fn round_big<E: Element>(plan: &TileProducts, image: &[E], rows: Range<usize>, out: &mut [Pair]) {
    let view = &plan.big;
    let (line, lines) = (plan.line(), plan.lines(plan.strip));
    let width = plan.phase() * plan.stride[1];
    for (block, out) in out.chunks_exact_mut(lines * line).enumerate() {
        let channels = block * SIDE..((block + 1) * SIDE).min(view.channels);
        for (y, out) in out.chunks_exact_mut(line).take(plan.lines(rows.len())).enumerate() {
            let y = (rows.start * plan.stride[0] + y).checked_sub(plan.padding[0]);
            let y = y.filter(|&y| y < view.size[0]);
            for x in 0..width {
                let out = &mut out[plan.column(x)..][..PIXEL];
                let x = x.checked_sub(plan.padding[1]).filter(|&x| x < view.size[1]);
                let (Some(y), Some(x)) = (y, x) else {
                    out.fill(0);
                    continue;
                };
                let pixel = view.first + y * view.steps[0] + x * view.steps[1];
                let mut pairs = [[0; HALF]; SIDE];
                for (channel, pairs) in channels.clone().zip(&mut pairs) {
                    round_samples(&image[pixel + channel * view.plane..], pairs);
                }
                for (half, out) in out.as_chunks_mut::<SIDE>().0.iter_mut().enumerate() {
                    *out = pairs.map(|pairs| pairs[half]);
                }
            }
        }
    }
}

/// Adds the sums to the gradient.
#[inline(always)]
fn add<E: Element>(plan: &TileProducts, sums: &[[Tile; 4]], out: &mut [E]) {
    let (rows, columns, places) = (plan.small.channels, plan.big.channels, plan.places());
    let across = blocks(columns).div_ceil(2);
    for row in 0..rows {
        for column in 0..columns {
            let block = row / (2 * SIDE) * across + column / (2 * SIDE);
            let tile = row / SIDE % 2 * 2 + column / SIDE % 2;
            let at = row % SIDE * SIDE + column % SIDE;
            let out = &mut out[(row * columns + column) * places..][..places];
            for (out, sums) in out.iter_mut().zip(&sums[block * places..]) {
                *out = out.plus(E::from_f32(sums[tile][at]));
            }
        }
    }
}

/// The samples of a pixel in pairs.
#[inline(always)]
fn round_samples<E: Element>(samples: &[E], out: &mut [Pair; HALF]) {
    for (out, &[first, second]) in out.iter_mut().zip(samples[..LANES].as_chunks().0) {
        *out = pair(first, second);
    }
}

/// The products of a strip of rows.
struct Products<'a> {
    plan: &'a TileProducts,
    steps: &'a [Step],
    left: &'a [Pair],
    right: &'a [Pair],
    sums: &'a mut [[Tile; 4]],
}

impl TileWork for Products<'_> {
    #[inline(always)]
    fn run<M: Machine>(self, mut machine: M) {
        let Products { plan, steps, left, right, sums } = self;
        let (rows, columns) = (blocks(plan.small.channels), blocks(plan.big.channels));
        let (row, column) = (left.len() / rows, right.len() / columns);
        let mut sums = sums.chunks_exact_mut(plan.places());
        for first_row in (0..rows).step_by(2) {
            for first_column in (0..columns).step_by(2) {
                let Some(sums) = sums.next() else { return };
                // Those beyond the end are computed again, and not added.
                let lefts = [0, 1].map(|i| left[(first_row + i).min(rows - 1) * row..].as_ptr());
                let rights = [0, 1].map(|i| &right[(first_column + i).min(columns - 1) * column..]);
                for steps in steps.chunks(STEPS) {
                    for (place, sums) in sums.iter_mut().enumerate() {
                        let rights = rights.map(|right| right[plan.place(place)..].as_ptr());
                        let block = Block::Square(lefts, rights);
                        // SAFETY: `TileProducts` builds steps so that each is a tile of both sides for every position of the kernel; `run` made room
                        // for them.
                        unsafe { machine.sum(&block, steps, sums) };
                    }
                }
            }
        }
    }
}
