//! The sum behind every weight gradient: products of two activations over pixels and samples, for each pair of channels and each
//! place of the kernel. Every accumulator is a vector of eight partial sums (samples 0 to 7 and 8 to 15 of each pixel in turn),
//! added up in one fixed tree at the end: the same bits for every vector width.

use std::ops::Range;

use crate::geometry::{Dot, Rect};
use crate::number::Number;
use crate::simd::{Kernel, LANES, Simd};

/// Partial sums of an accumulator.
const PARTS: usize = 8;

/// One run of a [`Dot`] over a micro-batch, adding to `out`. To be run on vectors of at most `PARTS` numbers.
pub(crate) struct DotRun<'a, E> {
    pub(crate) plan: &'a Dot,
    /// Which rows (channels of `a`) to work on; `out` begins with the first of them.
    pub(crate) rows: Range<usize>,
    /// `[row][pixel][lane]`.
    pub(crate) a: &'a [E],
    /// `[column][pixel][lane]`.
    pub(crate) b: &'a [E],
    /// `[row][column][place]`.
    pub(crate) out: &'a mut [E],
}

/// Splits `n` into parts of at most `most` that differ by one at most: `(start, length)`.
#[inline(always)]
fn parts(n: usize, most: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = n.div_ceil(most);
    (0..count).map(move |i| (i * n / count, (i + 1) * n / count - i * n / count))
}

/// The sum of eight in a fixed tree.
#[inline(always)]
fn tree<E: Number>(x: [E; PARTS]) -> E {
    let x: [E; 4] = std::array::from_fn(|i| x[i].plus(x[i + 4]));
    let x: [E; 2] = std::array::from_fn(|i| x[i].plus(x[i + 2]));
    x[0].plus(x[1])
}

impl<E: Number> Kernel<E> for DotRun<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(mut self, s: S) {
        let plan = self.plan;
        assert!(S::WIDTH <= PARTS && self.rows.end <= plan.rows);
        assert_eq!(self.out.len(), self.rows.len() * plan.columns * plan.places);
        for rect in &plan.rects {
            let last = |step: [usize; 3]| {
                step[0] + (rect.size[0] - 1) * step[1] + (rect.size[1] - 1) * step[2] + LANES
            };
            assert!((plan.rows - 1) * plan.a_plane + last(rect.a) <= self.a.len());
            assert!((plan.columns - 1) * plan.b_plane + last(rect.b) <= self.b.len());
        }
        let wide = if plan.columns == 1 { 8 } else { 4 };
        for (row, rows) in parts(self.rows.len(), wide) {
            for (column, columns) in parts(plan.columns, 3) {
                for rect in &plan.rects {
                    // SAFETY: `run` has checked that the last row, column and pixel of each rectangle lie inside.
                    unsafe {
                        match (rows, columns) {
                            (8, _) => self.block::<S, 8, 1>(s, rect, row, column),
                            (7, _) => self.block::<S, 7, 1>(s, rect, row, column),
                            (6, _) => self.block::<S, 6, 1>(s, rect, row, column),
                            (5, _) => self.block::<S, 5, 1>(s, rect, row, column),
                            (4, 3) => self.block::<S, 4, 3>(s, rect, row, column),
                            (4, 2) => self.block::<S, 4, 2>(s, rect, row, column),
                            (4, _) => self.block::<S, 4, 1>(s, rect, row, column),
                            (3, 3) => self.block::<S, 3, 3>(s, rect, row, column),
                            (3, 2) => self.block::<S, 3, 2>(s, rect, row, column),
                            (3, _) => self.block::<S, 3, 1>(s, rect, row, column),
                            (2, 3) => self.block::<S, 2, 3>(s, rect, row, column),
                            (2, 2) => self.block::<S, 2, 2>(s, rect, row, column),
                            (2, _) => self.block::<S, 2, 1>(s, rect, row, column),
                            (_, 3) => self.block::<S, 1, 3>(s, rect, row, column),
                            (_, 2) => self.block::<S, 1, 2>(s, rect, row, column),
                            _ => self.block::<S, 1, 1>(s, rect, row, column),
                        }
                    }
                }
            }
        }
    }
}

impl<E: Number> DotRun<'_, E> {
    /// `R` rows from `row` (counted from the first of `rows`) by `C` columns from `column`.
    ///
    /// # Safety
    /// The rectangle lies inside `a` for each of these rows and inside `b` for each of these columns.
    #[inline(always)]
    unsafe fn block<S: Simd<E = E>, const R: usize, const C: usize>(
        &mut self,
        s: S,
        rect: &Rect,
        row: usize,
        column: usize,
    ) {
        let (a_plane, b_plane) = (self.plan.a_plane, self.plan.b_plane);
        let zero = s.splat(E::default());
        let vectors = PARTS / S::WIDTH;
        // Two vectors to a partial sum where vectors are half as long; the second is not used otherwise.
        let mut sums = [[[zero; 2]; C]; R];
        // SAFETY: the caller's promise.
        unsafe {
            let a = self.a.as_ptr().add((self.rows.start + row) * a_plane + rect.a[0]);
            let b = self.b.as_ptr().add(column * b_plane + rect.b[0]);
            for y in 0..rect.size[0] {
                let mut a = a.add(y * rect.a[1]);
                let mut b = b.add(y * rect.b[1]);
                for _ in 0..rect.size[1] {
                    for half in 0..LANES / PARTS {
                        for v in 0..vectors {
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
            let mut stored = [[[E::default(); PARTS]; C]; R];
            for r in 0..R {
                for c in 0..C {
                    for v in 0..vectors {
                        s.store(stored[r][c].as_mut_ptr().add(v * S::WIDTH), sums[r][c][v]);
                    }
                }
            }
            for r in 0..R {
                for c in 0..C {
                    let pair = (row + r) * self.plan.columns + column + c;
                    let out = self.out.get_unchecked_mut(pair * self.plan.places + rect.out);
                    *out = out.plus(tree(stored[r][c]));
                }
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
        // Independent chains of additions, so that one need not wait for the other.
        const CHAINS: usize = 4;
        let plane = self.input.len() / self.out.len();
        let vectors = PARTS / S::WIDTH;
        for (channel, out) in self.input.chunks_exact(plane).zip(self.out) {
            let mut sums = [[s.splat(E::default()); 2]; CHAINS];
            let mut add = |group: &[E]| {
                for (chain, part) in group.chunks_exact(PARTS).enumerate() {
                    for v in 0..vectors {
                        // SAFETY: a part has PARTS numbers.
                        let x = unsafe { s.load(part.as_ptr().add(v * S::WIDTH)) };
                        sums[chain][v] = s.add(sums[chain][v], x);
                    }
                }
            };
            let groups = channel.chunks_exact(PARTS * CHAINS);
            let rest = groups.remainder();
            groups.for_each(&mut add);
            add(rest);
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
