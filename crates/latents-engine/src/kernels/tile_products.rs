//! Weight gradients in bfloat16: rounds two activations to tiles and multiplies them, pixel pair by pixel pair.

#![allow(unsafe_code)]

use std::ops::Range;

use super::Element;
use super::machine::{Block, Machine, TileWork};
use super::tiles::dispatch;
use crate::bfloat16::{PAIRS, Pair, SIDE, Step, TILE, Tile};
use crate::buffer::{Buffer, room};
use crate::isa::Isa;
use crate::simd::{LANES, vectorize};
use crate::tiles::{PIXEL, TileProducts};

/// Steps of the sums of one position of the kernel before the next one's, so that tiles of both sides stay in the first-level cache.
const STEPS: usize = 10;

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

impl ProductsScratch {
    /// Pairs on both sides, and groups of four tiles of sums.
    fn lens(plan: &TileProducts) -> [usize; 3] {
        [
            plan.rows() * plan.strip * plan.across() * TILE,
            plan.columns() * plan.lines(plan.strip) * plan.line(),
            plan.rows().div_ceil(2) * plan.columns().div_ceil(2) * plan.places(),
        ]
    }

    /// Bytes of each of its three parts.
    pub(crate) fn memory(plan: &TileProducts) -> [usize; 3] {
        let [left, right, sums] = Self::lens(plan);
        [left * size_of::<Pair>(), right * size_of::<Pair>(), sums * size_of::<[Tile; 4]>()]
    }
}

impl<E: Element> TileProductsRun<'_, E> {
    pub(crate) fn run(self, isa: Isa) {
        let TileProductsRun { plan, small, big, out, scratch } = self;
        assert_eq!(out.len(), plan.small.channels * plan.big.channels * plan.places());
        let [left, right, sums] = ProductsScratch::lens(plan);
        let left = room(&mut scratch.left, left);
        let right = room(&mut scratch.right, right);
        if scratch.sums.len() < sums {
            scratch.sums.resize(sums, [[0.0; TILE]; 4]);
        }
        let sums = &mut scratch.sums[..sums];
        let height = plan.small.size[0];
        for first in (0..height).step_by(plan.strip) {
            let strip = first..(first + plan.strip).min(height);
            let steps = &plan.steps[..strip.len() * plan.across()];
            dispatch(
                isa,
                plan.shape,
                Products { plan, small, big, strip, steps, left, right, sums },
            );
        }
        if height > 0 {
            vectorize(isa, || add(plan, sums, out));
        }
    }
}

/// Tiles of some rows, `[block of channels][row][pair of pixels][channel][pair of samples]`; pixels beyond the image are zero. Channels beyond the last have any value, because their sums are not used.
#[inline(always)]
fn round_small<M: Machine, E: Element>(
    machine: &M,
    plan: &TileProducts,
    image: &[E],
    rows: Range<usize>,
    out: &mut [Pair],
) {
    let view = &plan.small;
    let across = plan.across();
    let block = plan.strip * across * TILE;
    for channel in 0..view.channels {
        let row = channel % plan.shape.rows * PAIRS;
        let out = &mut out[channel / plan.shape.rows * block..][..block];
        for (y, out) in rows.clone().zip(out.chunks_exact_mut(across * TILE)) {
            let line = view.first + channel * view.plane + y * view.steps[0];
            for (x, tile) in out.chunks_exact_mut(TILE).enumerate() {
                let pixel = |x: usize| {
                    let inside = x < view.size[1];
                    if inside { samples(&image[line + x * view.steps[1]..]) } else { [0.0; LANES] }
                };
                let pairs = machine.neighbours(&pixel(2 * x), &pixel(2 * x + 1));
                tile[row..][..PAIRS].copy_from_slice(&pairs);
            }
        }
    }
}

/// Pixels that some rows are multiplied with, `[block of channels][row][place in a step][pixel][pair of samples][channel]`, with the padding, which is zero.
#[inline(always)]
fn round_big<M: Machine, E: Element>(
    machine: &M,
    plan: &TileProducts,
    image: &[E],
    rows: Range<usize>,
    out: &mut [Pair],
) {
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
                let mut rows = [[0.0; LANES]; SIDE];
                for (channel, row) in channels.clone().zip(&mut rows) {
                    *row = samples(&image[pixel + channel * view.plane..]);
                }
                out.copy_from_slice(machine.transpose(&rows).as_flattened());
            }
        }
    }
}

/// Adds the sums to the gradient.
#[inline(always)]
fn add<E: Element>(plan: &TileProducts, sums: &[[Tile; 4]], out: &mut [E]) {
    let (columns, places) = (plan.big.channels, plan.places());
    let across = plan.columns().div_ceil(2);
    for (row, out) in out.chunks_exact_mut(columns * places).enumerate() {
        let (left, row) = (row / plan.shape.rows, row % plan.shape.rows);
        for (block, out) in out.chunks_mut(SIDE * places).enumerate() {
            let sums = &sums[(left / 2 * across + block / 2) * places..];
            let tile = left % 2 * 2 + block % 2;
            for (place, sums) in sums[..places].iter().enumerate() {
                let sums = &sums[tile][row * SIDE..][..SIDE];
                for (out, &sum) in out.chunks_exact_mut(places).zip(sums) {
                    out[place] = out[place].plus(E::from_f32(sum));
                }
            }
        }
    }
}

/// The samples of a pixel.
#[inline(always)]
fn samples<E: Element>(numbers: &[E]) -> [f32; LANES] {
    numbers.as_chunks().0[0].map(E::to_f32)
}

/// The products of a strip of rows.
struct Products<'a, E> {
    plan: &'a TileProducts,
    small: &'a [E],
    big: &'a [E],
    strip: Range<usize>,
    steps: &'a [Step],
    left: &'a mut [Pair],
    right: &'a mut [Pair],
    sums: &'a mut [[Tile; 4]],
}

impl<E: Element> TileWork for Products<'_, E> {
    #[inline(always)]
    fn run<M: Machine>(self, machine: &mut M) {
        let Products { plan, small, big, strip, steps, left, right, sums } = self;
        let keep = strip.start > 0;
        round_small(machine, plan, small, strip.clone(), left);
        round_big(machine, plan, big, strip, right);
        let (rows, columns) = (plan.rows(), plan.columns());
        let (row, column) = (left.len() / rows, right.len() / columns);
        let mut sums = sums.chunks_exact_mut(plan.places());
        for first_row in (0..rows).step_by(2) {
            for first_column in (0..columns).step_by(2) {
                let Some(sums) = sums.next() else { return };
                // Those beyond the end are computed again, and not added.
                let lefts = [0, 1].map(|i| left[(first_row + i).min(rows - 1) * row..].as_ptr());
                let rights = [0, 1].map(|i| &right[(first_column + i).min(columns - 1) * column..]);
                for (turn, steps) in steps.chunks(STEPS).enumerate() {
                    for (place, sums) in sums.iter_mut().enumerate() {
                        let rights = rights.map(|right| right[plan.place(place)..].as_ptr());
                        let block = Block::Square(lefts, rights);
                        // SAFETY: `TileProducts` builds steps so that each is a tile of both sides for every position of the kernel; `run` made room
                        // for them.
                        unsafe { machine.sum(&block, steps, sums, keep || turn > 0) };
                    }
                }
            }
        }
    }
}
