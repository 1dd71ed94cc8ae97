//! The sum of every weight gradient: products of two activations over pixels and samples, for each pair of channels and each position
//! of the kernel. Every accumulator is a vector of eight partial sums (samples 0 to 7 and 8 to 15 of each pixel in turn), added in one
//! fixed tree at the end, so the bits are the same for every vector width. A tile of accumulators stays in registers during the loop
//! over the pixels of one position of the kernel; then it is stored, and the trees of all positions are added at once.

#![allow(unsafe_code)]

use std::ops::Range;

use crate::geometry::{Dot, Rect};
use crate::number::Number;
use crate::simd::{Kernel, LANES, Simd, tree};

/// Partial sums of an accumulator.
const PARTS: usize = 8;

/// Positions of the kernel that a tile processes in turn.
const PLACES: usize = 16;

/// Bytes of both activations that a tile processes for each position of the kernel in turn; smaller than the first-level cache.
const BAND: usize = 24 << 10;

/// The maximum number of accumulators of a tile for all its positions, in groups of `PARTS`.
const GROUPS: usize = 4 * 4 * PLACES / PARTS;

/// Accumulators of a tile, ordered by row, column and position, and their sums.
struct Scratch<E> {
    kept: [[[E; PARTS]; PARTS]; GROUPS],
    sums: [[E; PARTS]; GROUPS],
}

/// One run of a [`Dot`] over a micro-batch; adds to `out`. Runs on vectors of at most `PARTS` numbers.
pub(crate) struct DotRun<'a, E> {
    pub(crate) plan: &'a Dot,
    /// The rows (channels of `a`) to compute; `out` begins with the first of them.
    pub(crate) rows: Range<usize>,
    /// `[row][pixel][lane]`.
    pub(crate) a: &'a [E],
    /// `[column][pixel][lane]`.
    pub(crate) b: &'a [E],
    /// `[row][column][place]`.
    pub(crate) out: &'a mut [E],
}

/// Whether 4 by 4 accumulators stay in registers instead of 4 by 3.
#[inline(always)]
fn roomy<S: Simd>() -> bool {
    S::WIDE && S::WIDTH == PARTS
}

/// Splits `n` into parts of at most `most`, whose lengths differ by at most one: `(start, length)`.
#[inline(always)]
fn parts(n: usize, most: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = n.div_ceil(most);
    (0..count).map(move |i| (i * n / count, (i + 1) * n / count - i * n / count))
}

impl<E: Number> Kernel<E> for DotRun<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(mut self, s: S) {
        let plan = self.plan;
        assert!(S::WIDTH <= PARTS && self.rows.end <= plan.rows);
        assert_eq!(self.out.len(), self.rows.len() * plan.columns * plan.rects.len());
        for rect in plan.rects.iter().filter(|rect| !rect.size.contains(&0)) {
            let last = |step: [usize; 3]| {
                step[0] + (rect.size[0] - 1) * step[1] + (rect.size[1] - 1) * step[2] + LANES
            };
            assert!((plan.rows - 1) * plan.a_plane + last(rect.a) <= self.a.len());
            assert!((plan.columns - 1) * plan.b_plane + last(rect.b) <= self.b.len());
        }
        let sums = [[E::default(); PARTS]; GROUPS];
        let mut scratch = Scratch { kept: [[[E::default(); PARTS]; PARTS]; GROUPS], sums };
        let (most_rows, most_columns) = match (plan.columns, roomy::<S>()) {
            (1, _) => (8, 1),
            (_, true) => (4, 4),
            (_, false) => (4, 3),
        };
        for (row, rows) in parts(self.rows.len(), most_rows) {
            for (column, columns) in parts(plan.columns, most_columns) {
                for place in (0..plan.rects.len()).step_by(PLACES) {
                    let at = [row, column, place];
                    // SAFETY: `run` has checked that the last row, column and pixel of each rectangle lie inside.
                    unsafe {
                        match (rows, columns) {
                            (8, _) => self.tile::<S, 8, 1>(s, at, &mut scratch),
                            (7, _) => self.tile::<S, 7, 1>(s, at, &mut scratch),
                            (6, _) => self.tile::<S, 6, 1>(s, at, &mut scratch),
                            (5, _) => self.tile::<S, 5, 1>(s, at, &mut scratch),
                            (4, 4) => self.tile::<S, 4, 4>(s, at, &mut scratch),
                            (4, 3) => self.tile::<S, 4, 3>(s, at, &mut scratch),
                            (4, 2) => self.tile::<S, 4, 2>(s, at, &mut scratch),
                            (4, _) => self.tile::<S, 4, 1>(s, at, &mut scratch),
                            (3, 4) => self.tile::<S, 3, 4>(s, at, &mut scratch),
                            (3, 3) => self.tile::<S, 3, 3>(s, at, &mut scratch),
                            (3, 2) => self.tile::<S, 3, 2>(s, at, &mut scratch),
                            (3, _) => self.tile::<S, 3, 1>(s, at, &mut scratch),
                            (2, 4) => self.tile::<S, 2, 4>(s, at, &mut scratch),
                            (2, 3) => self.tile::<S, 2, 3>(s, at, &mut scratch),
                            (2, 2) => self.tile::<S, 2, 2>(s, at, &mut scratch),
                            (2, _) => self.tile::<S, 2, 1>(s, at, &mut scratch),
                            (_, 4) => self.tile::<S, 1, 4>(s, at, &mut scratch),
                            (_, 3) => self.tile::<S, 1, 3>(s, at, &mut scratch),
                            (_, 2) => self.tile::<S, 1, 2>(s, at, &mut scratch),
                            _ => self.tile::<S, 1, 1>(s, at, &mut scratch),
                        }
                    }
                }
            }
        }
    }
}

impl<E: Number> DotRun<'_, E> {
    /// `R` rows from `row` (counted from the first of `rows`) by `C` columns from `column`, for up to `PLACES` positions from `place`.
    ///
    /// # Safety
    /// Each rectangle lies inside `a` for each of these rows and inside `b` for each of these columns.
    #[inline(always)]
    unsafe fn tile<S: Simd<E = E>, const R: usize, const C: usize>(
        &mut self,
        s: S,
        [row, column, place]: [usize; 3],
        scratch: &mut Scratch<E>,
    ) {
        // Without this line, tiles that never run would be compiled.
        if R * C > 12 && !roomy::<S>() {
            unreachable!("a tile of {R} by {C} was planned");
        }
        let plan = self.plan;
        let rects = &plan.rects[place..plan.rects.len().min(place + PLACES)];
        let n = rects.len();
        let planes = [plan.a_plane, plan.b_plane];
        let height = rects.iter().map(|rect| rect.size[0]).max().unwrap_or(0);
        let line = (R * rects[0].a[1] + C * rects[0].b[1]) * size_of::<E>();
        let band = (BAND / line.max(1)).max(1);
        // SAFETY: the caller's promise; there is room for R * C times PLACES accumulators.
        unsafe {
            let a = self.a.as_ptr().add((self.rows.start + row) * planes[0]);
            let b = self.b.as_ptr().add(column * planes[1]);
            let kept = scratch.kept.as_mut_ptr().cast::<E>();
            for start in (0..height.max(1)).step_by(band) {
                for (i, rect) in rects.iter().enumerate() {
                    let kept = kept.add(i * PARTS);
                    // Sums begin with zero in the first rows, and continue from the sums of the previous rows.
                    let mut sums = [[[s.splat(E::default()); 2]; C]; R];
                    if start > 0 {
                        each::<_, R, C>(s, kept, n, &mut sums, |at, sum| *sum = s.load(at));
                    }
                    products(
                        s,
                        rect,
                        start..rect.size[0].min(start + band),
                        [a, b],
                        planes,
                        &mut sums,
                    );
                    each::<_, R, C>(s, kept, n, &mut sums, |at, sum| s.store(at, *sum));
                }
            }
        }
        let groups = (R * C * n).div_ceil(PARTS);
        for (sums, kept) in scratch.sums.iter_mut().zip(&scratch.kept[..groups]) {
            *sums = s.row_sums(kept);
        }
        // Sums of neighbouring columns are adjacent if all positions were processed at once.
        let run = if n == plan.rects.len() { C } else { 1 };
        let sums = scratch.sums.as_flattened()[..R * C * n].chunks_exact(run * n);
        for (i, sums) in sums.enumerate() {
            let (r, c) = (i * run / C, i * run % C);
            let pair = (row + r) * plan.columns + column + c;
            let out = &mut self.out[pair * plan.rects.len() + place..];
            for (out, &sum) in out.iter_mut().zip(sums) {
                *out = out.plus(sum);
            }
        }
    }
}

/// Calls `f` with the address of every vector of the accumulators of a tile, `step` accumulators apart, and with the vector.
///
/// # Safety
/// The addresses are valid for the accesses of `f`.
#[inline(always)]
unsafe fn each<S: Simd, const R: usize, const C: usize>(
    _: S,
    kept: *mut S::E,
    step: usize,
    sums: &mut [[[S::V; 2]; C]; R],
    f: impl Fn(*mut S::E, &mut S::V),
) {
    for r in 0..R {
        for c in 0..C {
            for v in 0..PARTS / S::WIDTH {
                // SAFETY: the caller's promise.
                f(
                    unsafe { kept.add((r * C + c) * step * PARTS + v * S::WIDTH) },
                    &mut sums[r][c][v],
                );
            }
        }
    }
}

/// Adds the products of some rows of pixels of a rectangle. A sum has two vectors if vectors are half as long; otherwise the second is
/// not used.
///
/// # Safety
/// The rectangle lies inside each of the `R` planes from `a` and of the `C` planes from `b`.
#[inline(always)]
unsafe fn products<S: Simd, const R: usize, const C: usize>(
    s: S,
    rect: &Rect,
    pixels: Range<usize>,
    [a, b]: [*const S::E; 2],
    [a_plane, b_plane]: [usize; 2],
    sums: &mut [[[S::V; 2]; C]; R],
) {
    let zero = s.splat(S::E::default());
    // SAFETY: the caller's promise.
    unsafe {
        for y in pixels {
            let mut a = a.add(rect.a[0] + y * rect.a[1]);
            let mut b = b.add(rect.b[0] + y * rect.b[1]);
            for _ in 0..rect.size[1] {
                for half in 0..LANES / PARTS {
                    for v in 0..PARTS / S::WIDTH {
                        let lane = half * PARTS + v * S::WIDTH;
                        let mut bs = [zero; C];
                        for c in 0..C {
                            bs[c] = s.load(b.add(c * b_plane + lane));
                        }
                        for r in 0..R {
                            let x = s.load(a.add(r * a_plane + lane));
                            for c in 0..C {
                                sums[r][c][v] = s.fma(x, bs[c], sums[r][c][v]);
                            }
                        }
                    }
                }
                a = a.wrapping_add(rect.a[2]);
                b = b.wrapping_add(rect.b[2]);
            }
        }
    }
}

/// The sum of each channel over pixels and samples, added to `out`: the gradient of a bias.
pub(crate) struct ChannelSums<'a, E> {
    /// `[channel][pixel][lane]`.
    pub(crate) input: &'a [E],
    /// One for each channel.
    pub(crate) out: &'a mut [E],
}

impl<E: Number> Kernel<E> for ChannelSums<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, s: S) {
        // Independent chains of additions, so that they do not wait for each other.
        const CHAINS: usize = 4;
        let plane = self.input.len() / self.out.len();
        let vectors = PARTS / S::WIDTH;
        for (channel, out) in self.input.chunks_exact(plane).zip(self.out) {
            let mut sums = [[s.splat(E::default()); 2]; CHAINS];
            for group in channel.chunks(PARTS * CHAINS) {
                for chain in 0..CHAINS {
                    if chain * PARTS < group.len() {
                        for v in 0..vectors {
                            // SAFETY: channels are multiples of LANES, and those of PARTS.
                            let x =
                                unsafe { s.load(group.as_ptr().add(chain * PARTS + v * S::WIDTH)) };
                            sums[chain][v] = s.add(sums[chain][v], x);
                        }
                    }
                }
            }
            let mut total = [E::default(); PARTS];
            for v in 0..vectors {
                let left = s.add(sums[0][v], sums[1][v]);
                let right = s.add(sums[2][v], sums[3][v]);
                // SAFETY: PARTS is a multiple of WIDTH, and v counts those.
                unsafe { s.store(total.as_mut_ptr().add(v * S::WIDTH), s.add(left, right)) };
            }
            *out = out.plus(tree(total));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Geometry;
    use crate::isa::Isa;
    use crate::kernels::Element;

    fn numbers(n: usize) -> Vec<f32> {
        (0..n).map(|i| (i * 7919 % 1009) as f32 * 0.01 - 5.0).collect()
    }

    /// More positions than a tile processes at once, more rows of pixels than a band, positions that meet no pixel, odd tiles.
    #[test]
    fn every_instruction_set_sums_in_the_order_that_is_written_above() {
        for (small, big, kernel, stride, padding) in [
            ([7, 20, 19], [5, 40, 40], [5, 5], [2, 2], [2, 1]),
            ([13, 3, 3], [9, 7, 7], [3, 3], [2, 2], [0, 0]),
            ([9, 40, 14], [1, 80, 28], [4, 4], [2, 2], [1, 1]),
            ([2, 2, 1], [3, 2, 1], [5, 3], [1, 1], [2, 1]),
            ([11, 1, 1], [23, 1, 1], [1, 1], [1, 1], [0, 0]),
        ] {
            let places = kernel[0] * kernel[1];
            let geometry = Geometry { small, big, kernel, stride, padding, places };
            let a = numbers(small.iter().product::<usize>() * LANES);
            let b = numbers(big.iter().product::<usize>() * LANES);
            let mut expected = vec![];
            for r in 0..small[0] {
                for c in 0..big[0] {
                    for place in 0..places {
                        let (ky, kx) = (place / kernel[1], place % kernel[1]);
                        let mut parts = [0.0_f32; PARTS];
                        for (y, x) in (0..small[1]).flat_map(|y| (0..small[2]).map(move |x| (y, x)))
                        {
                            let by = (y * stride[0] + ky).wrapping_sub(padding[0]);
                            let bx = (x * stride[1] + kx).wrapping_sub(padding[1]);
                            if by < big[1] && bx < big[2] {
                                let a = &a[((r * small[1] + y) * small[2] + x) * LANES..][..LANES];
                                let b = &b[((c * big[1] + by) * big[2] + bx) * LANES..][..LANES];
                                for lane in 0..LANES {
                                    let part = &mut parts[lane % PARTS];
                                    *part = a[lane].mul_add(b[lane], *part);
                                }
                            }
                        }
                        expected.push(1.0 + tree(parts));
                    }
                }
            }
            let plan = geometry.dot();
            for isa in Isa::available() {
                let mut out = vec![1.0; expected.len()];
                f32::dot(
                    isa,
                    DotRun { plan: &plan, rows: 0..small[0], a: &a, b: &b, out: &mut out },
                );
                assert!(out == expected, "{isa}, {geometry:?}");
                let each = expected.len() / small[0];
                let mut out = vec![1.0; each];
                f32::dot(isa, DotRun { plan: &plan, rows: 1..2, a: &a, b: &b, out: &mut out });
                assert!(out == expected[each..2 * each], "row 1: {isa}, {geometry:?}");
            }
        }
    }
}
