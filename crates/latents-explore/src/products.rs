//! Products of large matrices, `C = A^T B`, in blocks that stay in the caches. Each entry of `C` is a sum over rows in a fixed order of
//! fused multiply-adds, so results are the same on any instruction set and number of threads.

use std::marker::PhantomData;
use std::ops::Range;

use latents_progress::{Interrupted, Monitor};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::lanes::dispatch;

/// Rows of a tile of `C`.
const TILE: usize = 6;
/// Vectors in a row of a tile of `C`.
const VECTORS: usize = 2;
/// Numbers in the widest vector of any instruction set.
const WIDEST: usize = 16;
/// Rows of `C` that one task computes, at most.
const BAND: usize = 32 * TILE;
/// Rows of `A` and `B` whose products are summed in the precision of `A` and `B`; further sums are in double precision.
const DEPTH: usize = 256;
/// Rows of `A` and `B` that are packed at a time.
pub(crate) const PACKED: usize = 4 * DEPTH;

/// A number that matrices are made of.
pub(crate) trait Real: Copy + Default + Into<f64> + Send + Sync {
    /// Numbers in a vector.
    fn lanes<S: Simd>() -> usize;
    /// The number less another.
    fn less(self, other: Self) -> Self;
    /// A tile of `C` from packed rows of `A` `[depth, TILE]` and `B` `[depth, VECTORS, lanes]`.
    fn tile<S: Simd>(simd: S, a: &[Self], b: &[Self], out: &mut [Self; TILE * VECTORS * WIDEST]);
}

macro_rules! real {
    ($type:ty, $vector:ident, $slices:ident, $slices_mut:ident, $splat:ident, $fused:ident) => {
        impl Real for $type {
            #[inline(always)]
            fn lanes<S: Simd>() -> usize {
                size_of::<S::$vector>() / size_of::<$type>()
            }

            #[inline(always)]
            fn less(self, other: Self) -> Self {
                self - other
            }

            #[inline(always)]
            fn tile<S: Simd>(
                simd: S,
                a: &[Self],
                b: &[Self],
                out: &mut [Self; TILE * VECTORS * WIDEST],
            ) {
                let mut sums = [[simd.$splat(0.0); VECTORS]; TILE];
                let (b, _) = S::$slices(b).0.as_chunks::<VECTORS>();
                for (a, b) in a.as_chunks::<TILE>().0.iter().zip(b) {
                    for (sums, &a) in sums.iter_mut().zip(a) {
                        let a = simd.$splat(a);
                        for (sum, &b) in sums.iter_mut().zip(b) {
                            *sum = simd.$fused(a, b, *sum);
                        }
                    }
                }
                let (out, _) = S::$slices_mut(&mut out[..]);
                for (out, sum) in out.iter_mut().zip(sums.as_flattened()) {
                    *out = *sum;
                }
            }
        }
    };
}
real!(f32, f32s, as_simd_f32s, as_mut_simd_f32s, splat_f32s, mul_add_f32s);
real!(f64, f64s, as_simd_f64s, as_mut_simd_f64s, splat_f64s, mul_add_f64s);

/// A matrix as a factor of a product, which sums over its rows.
#[derive(Clone, Copy)]
pub(crate) struct Factor<'a, T> {
    /// The numbers, `[rows, columns]`; if transposed, `[columns, rows]`.
    values: &'a [T],
    rows: usize,
    columns: usize,
    transposed: bool,
    /// Whether numbers below the diagonal are 0.
    upper: bool,
    /// What is subtracted from each row of `values`.
    shift: Option<&'a [T]>,
}

impl<'a, T: Real> Factor<'a, T> {
    /// The matrix `[rows, columns]`.
    pub(crate) fn new(values: &'a [T], columns: usize) -> Self {
        let rows = values.len() / columns;
        Self { values, rows, columns, transposed: false, upper: false, shift: None }
    }

    /// The same matrix, whose numbers below the diagonal are 0, so that [`multiply`](crate::multiply) need not add them.
    pub(crate) fn upper(self) -> Self {
        Self { upper: true, ..self }
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The rows in which some columns have numbers other than 0.
    pub(crate) fn rows_of(&self, columns: &Range<usize>) -> Range<usize> {
        0..if self.upper { self.rows.min(columns.end) } else { self.rows }
    }

    /// The transposed matrix.
    pub(crate) fn transposed(self) -> Self {
        let Self { rows, columns, transposed, .. } = self;
        Self { rows: columns, columns: rows, transposed: !transposed, ..self }
    }

    /// The matrix less a vector, which is subtracted from each of the stored rows.
    pub(crate) fn less(self, shift: &'a [T]) -> Self {
        Self { shift: Some(shift), ..self }
    }

    /// Packs some rows of some columns as a tile `[rows, width]`, with zeros beyond the last column.
    #[inline(always)]
    pub(crate) fn pack(
        &self,
        rows: &Range<usize>,
        columns: &Range<usize>,
        width: usize,
        out: &mut [T],
    ) {
        match width {
            _ if columns.len() < width => self.pack_some(rows, columns, width, out),
            TILE => self.pack_all::<TILE>(rows, columns.start, out),
            32 => self.pack_all::<32>(rows, columns.start, out),
            16 => self.pack_all::<16>(rows, columns.start, out),
            8 => self.pack_all::<8>(rows, columns.start, out),
            4 => self.pack_all::<4>(rows, columns.start, out),
            _ => self.pack_some(rows, columns, width, out),
        }
    }

    /// As [`Factor::pack`], for a width that the compiler knows.
    #[inline(always)]
    fn pack_all<const W: usize>(&self, rows: &Range<usize>, column: usize, out: &mut [T]) {
        let out = out.as_chunks_mut::<W>().0;
        if self.transposed {
            let columns: [&[T]; W] = std::array::from_fn(|j| {
                let at = (column + j) * self.rows;
                &self.values[at + rows.start..at + rows.end]
            });
            for (row, out) in out.iter_mut().enumerate() {
                *out = columns.map(|column| column[row]);
            }
            if let Some(shift) = self.shift {
                for (out, &s) in out.iter_mut().zip(&shift[rows.clone()]) {
                    *out = out.map(|x| x.less(s));
                }
            }
            return;
        }
        let rows = self.values[rows.start * self.columns..].chunks_exact(self.columns);
        for (row, out) in rows.zip(&mut *out) {
            out.copy_from_slice(&row[column..column + W]);
        }
        if let Some(shift) = self.shift {
            let shift: [T; W] = std::array::from_fn(|j| shift[column + j]);
            for out in out {
                *out = std::array::from_fn(|j| out[j].less(shift[j]));
            }
        }
    }

    /// As [`Factor::pack`], for any width.
    #[inline(always)]
    fn pack_some(&self, rows: &Range<usize>, columns: &Range<usize>, width: usize, out: &mut [T]) {
        out.fill(T::default());
        for (row, out) in rows.clone().zip(out.chunks_exact_mut(width)) {
            for (column, out) in columns.clone().zip(out) {
                let (at, of_shift) = if self.transposed {
                    (column * self.rows + row, row)
                } else {
                    (row * self.columns + column, column)
                };
                let shift = self.shift.map_or(T::default(), |shift| shift[of_shift]);
                *out = self.values[at].less(shift);
            }
        }
    }
}

/// The product `A^T B` `[A's columns, B's columns]` of two matrices with the same number of rows. Checks for cancellation between blocks.
pub(crate) fn product<T: Real>(
    a: Factor<'_, T>,
    b: Factor<'_, T>,
    monitor: &Monitor,
) -> Result<Vec<f64>, Interrupted> {
    Product { a, b, symmetric: false }.compute(monitor)
}

/// The product `A^T A` `[columns, columns]` of a matrix, of which only one half is computed.
pub(crate) fn square<T: Real>(
    a: Factor<'_, T>,
    monitor: &Monitor,
) -> Result<Vec<f64>, Interrupted> {
    let mut c = Product { a, b: a, symmetric: true }.compute(monitor)?;
    for i in 0..a.columns {
        for j in 0..i {
            c[i * a.columns + j] = c[j * a.columns + i];
        }
    }
    Ok(c)
}

struct Product<'a, T> {
    a: Factor<'a, T>,
    b: Factor<'a, T>,
    symmetric: bool,
}

impl<T: Real> Product<'_, T> {
    fn compute(&self, monitor: &Monitor) -> Result<Vec<f64>, Interrupted> {
        let (rows, columns) = (self.a.columns, self.b.columns);
        let mut c = vec![0.0; rows * columns];
        let width = dispatch(Width(PhantomData::<T>));
        // Every thread gets some bands. Sums do not depend on them.
        let band = rows.div_ceil(8 * rayon::current_num_threads()).next_multiple_of(TILE).min(BAND);
        let (mut packed, mut tiles): (Vec<T>, Vec<T>) = (vec![], vec![]);
        for from in (0..self.a.rows).step_by(PACKED) {
            monitor.check()?;
            let depth = from..(from + PACKED).min(self.a.rows);
            let packed = aligned(&mut packed, columns.div_ceil(width) * width * depth.len());
            packed.par_chunks_mut(8 * width * depth.len()).enumerate().for_each(|(i, packed)| {
                dispatch(Pack { b: &self.b, depth: &depth, first: 8 * i * width, width, packed });
            });
            let tiles = aligned(&mut tiles, rows.next_multiple_of(TILE) * depth.len());
            let bands = c.par_chunks_mut(band * columns);
            let bands = bands.zip(tiles.par_chunks_mut(band * depth.len()));
            bands.enumerate().for_each(|(i, (c, tiles))| {
                let (a, packed, symmetric) = (&self.a, &*packed, self.symmetric);
                let (first, depth) = (i * band, &depth);
                dispatch(Band { a, tiles, packed, symmetric, columns, first, depth, c });
            });
        }
        Ok(c)
    }
}

/// `len` numbers that begin where a cache line does, so that no vector crosses two.
fn aligned<T: Real>(buffer: &mut Vec<T>, len: usize) -> &mut [T] {
    const LINE: usize = 64;
    buffer.resize(len + LINE / size_of::<T>(), T::default());
    let skipped = buffer.as_ptr().align_offset(LINE);
    &mut buffer[skipped..skipped + len]
}

/// Numbers in a row of a tile of `C`.
struct Width<T>(PhantomData<T>);

impl<T: Real> WithSimd for Width<T> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        VECTORS * T::lanes::<S>()
    }
}

/// Packs some tiles of `B`.
struct Pack<'a, T> {
    b: &'a Factor<'a, T>,
    depth: &'a Range<usize>,
    first: usize,
    width: usize,
    packed: &'a mut [T],
}

impl<T: Real> WithSimd for Pack<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Pack { b, depth, first, width, packed } = self;
        for (i, tile) in packed.chunks_exact_mut(width * depth.len()).enumerate() {
            let column = first + i * width;
            b.pack(depth, &(column..(column + width).min(b.columns)), width, tile);
        }
    }
}

/// Adds the products of some rows of `A` and `B` to some rows of `C`.
struct Band<'a, T> {
    a: &'a Factor<'a, T>,
    /// Buffer for the packed tiles of `A`.
    tiles: &'a mut [T],
    /// The tiles of `B`.
    packed: &'a [T],
    symmetric: bool,
    columns: usize,
    /// The first row of the band.
    first: usize,
    depth: &'a Range<usize>,
    /// The band of `C`.
    c: &'a mut [f64],
}

impl<T: Real> WithSimd for Band<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Band { a, tiles, packed, symmetric, columns, first, depth, c } = self;
        let (width, tall) = (VECTORS * T::lanes::<S>(), depth.len());
        let rows = c.len() / columns;
        for (i, tile) in tiles.chunks_exact_mut(TILE * tall).enumerate() {
            let row = first + i * TILE;
            a.pack(depth, &(row..(row + TILE).min(first + rows)), TILE, tile);
        }
        let mut out = [T::default(); TILE * VECTORS * WIDEST];
        let mut sums = vec![0.0; rows.next_multiple_of(TILE) * width];
        let begin = if symmetric { first / width } else { 0 };
        for (i, b) in packed.chunks_exact(width * tall).enumerate().skip(begin) {
            sums.fill(0.0);
            for (step, b) in b.chunks(DEPTH * width).enumerate() {
                let (from, deep) = (step * DEPTH, b.len() / width);
                let tiles = tiles.chunks_exact(TILE * tall);
                for (a, sums) in tiles.zip(sums.chunks_exact_mut(TILE * width)) {
                    T::tile(simd, &a[from * TILE..(from + deep) * TILE], b, &mut out);
                    for (sum, &out) in sums.iter_mut().zip(&out) {
                        *sum += out.into();
                    }
                }
            }
            let some = i * width..((i + 1) * width).min(columns);
            for (c, sums) in c.chunks_exact_mut(columns).zip(sums.chunks_exact(width)) {
                for (c, sum) in c[some.clone()].iter_mut().zip(sums) {
                    *c += sum;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, seed: u64) -> Vec<f64> {
        let mut s = latents_random::stream(seed, latents_random::Purpose::Synthetic, 0, 0);
        (0..n).map(|_| s.normal()).collect()
    }

    #[test]
    fn equals_the_plain_sum() {
        let monitor = Monitor::default();
        for [depth, rows, columns] in [[1, 1, 1], [3, 7, 5], [300, 100, 33], [517, 13, 250]] {
            let (a, b) = (numbers(depth * rows, 1), numbers(depth * columns, 2));
            let shift = numbers(rows, 3);
            let whole = |round: &dyn Fn(f64) -> f64| -> Vec<f64> {
                let entry = |at: usize| {
                    let (i, j) = (at / columns, at % columns);
                    let term = |r: usize| {
                        (round(a[r * rows + i]) - round(shift[i])) * round(b[r * columns + j])
                    };
                    (0..depth).map(term).sum()
                };
                (0..rows * columns).map(entry).collect()
            };
            let turned = |x: &[f64], columns: usize| -> Vec<f64> {
                (0..x.len()).map(|at| x[at % depth * columns + at / depth]).collect()
            };
            let double = whole(&|x| x);
            let plain = Factor::new(&a, rows).less(&shift);
            let by_columns = turned(&b, columns);
            let by_columns = Factor::new(&by_columns, depth).transposed();
            for b in [Factor::new(&b, columns), by_columns] {
                for (got, expected) in product(plain, b, &monitor).unwrap().iter().zip(&double) {
                    assert!((got - expected).abs() < 1e-11, "{got} {expected}");
                }
            }
            let single = |x: &[f64]| -> Vec<f32> { x.iter().map(|&x| x as f32).collect() };
            let (a, b, shift) = (single(&a), single(&b), single(&shift));
            let factors = (Factor::new(&a, rows).less(&shift), Factor::new(&b, columns));
            let got = product(factors.0, factors.1, &monitor).unwrap();
            for (got, expected) in got.iter().zip(whole(&|x| f64::from(x as f32))) {
                assert!((got - expected).abs() < 2e-4, "{got} {expected}");
            }
        }
    }

    #[test]
    fn half_of_a_square_is_the_whole() {
        let (depth, rows) = (70, 203);
        let a: Vec<f32> = numbers(depth * rows, 3).iter().map(|&x| x as f32).collect();
        let mean = vec![0.5; rows];
        let monitor = Monitor::default();
        let a = Factor::new(&a, rows).less(&mean);
        assert_eq!(square(a, &monitor).unwrap(), product(a, a, &monitor).unwrap());
        let rows = Factor { shift: Some(&mean[..rows]), ..a }.transposed();
        assert_eq!(square(rows, &monitor).unwrap(), product(rows, rows, &monitor).unwrap());
    }
}
