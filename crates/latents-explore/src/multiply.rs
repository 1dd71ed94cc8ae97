//! Products of rows with a matrix in double precision, for 16 rows at a time: coordinates along components, rows from coordinates, whitened
//! differences. Each number is a sum in the order of the matrix's rows, without fused multiply-adds, so that it is as fast where there are none.
//! Unlike a product of [`products`](crate::products), it needs no copy of all rows in double precision.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::lanes::{LANES, dispatch};
use crate::products::Factor;
use crate::rows::Rows;

/// Numbers of as many rows.
pub(crate) type Group = [f64; LANES];

/// Columns of the matrix whose sums are kept together, for so many vectors of rows.
const TILE: usize = 4;
const VECTORS: usize = 2;

/// Multiplies a group of rows, number by number `[matrix's rows]`, with a matrix: `visit` is called with each column, in order, and its
/// product with every row. `start` is what the sum of a column starts from; `scratch` is for numbers on the way.
#[inline(always)]
pub(crate) fn multiply_group<S: Simd>(
    simd: S,
    group: &[Group],
    matrix: Factor<'_, f64>,
    scratch: &mut Vec<f64>,
    start: impl Fn(usize) -> f64,
    mut visit: impl FnMut(usize, &Group),
) {
    let vectors = S::as_simd_f64s(&[0.0; LANES]).0.len();
    for first in (0..matrix.columns()).step_by(TILE) {
        let columns = first..matrix.columns().min(first + TILE);
        let rows = matrix.rows_of(&columns);
        scratch.resize(rows.len() * TILE, 0.0);
        matrix.pack(&rows, &columns, TILE, scratch);
        let mut sums = [[0.0; LANES]; TILE];
        for part in (0..vectors).step_by(VECTORS) {
            let mut some: [_; TILE] = std::array::from_fn(|t| {
                [simd.splat_f64s(if t < columns.len() { start(first + t) } else { 0.0 }); VECTORS]
            });
            for (group, factors) in group.iter().zip(scratch.as_chunks::<TILE>().0) {
                let group = &S::as_simd_f64s(group).0[part..part + VECTORS];
                for (sums, &factor) in some.iter_mut().zip(factors) {
                    let factor = simd.splat_f64s(factor);
                    for (sum, &number) in sums.iter_mut().zip(group) {
                        *sum = simd.add_f64s(*sum, simd.mul_f64s(factor, number));
                    }
                }
            }
            for (sums, some) in sums.iter_mut().zip(some) {
                S::as_mut_simd_f64s(sums).0[part..part + VECTORS].copy_from_slice(&some);
            }
        }
        for (column, sums) in columns.zip(&sums) {
            visit(column, sums);
        }
    }
}

/// Packs up to 16 rows number by number: `number` gives the `i`-th from the row's value. Those of missing rows are 0.
#[inline(always)]
pub(crate) fn pack<'a>(
    rows: impl Iterator<Item = &'a [f32]>,
    out: &mut [Group],
    number: impl Fn(usize, f32) -> f64,
) {
    out.fill([0.0; LANES]);
    for (lane, row) in rows.enumerate().take(LANES) {
        for (i, (out, &v)) in out.iter_mut().zip(row).enumerate() {
            out[lane] = number(i, v);
        }
    }
}

/// The product of rows with a matrix `[rows, matrix's columns]`, in parallel. `number` gives the `i`-th number of a row from its value,
/// `start` what the sum of a column starts from, and `finish` the value of a column from its sum.
pub(crate) fn multiply(
    rows: Rows<'_>,
    matrix: Factor<'_, f64>,
    number: impl Fn(usize, f32) -> f64 + Sync,
    start: impl Fn(usize) -> f64 + Sync,
    finish: impl Fn(usize, f64) -> f32 + Sync,
) -> Vec<f32> {
    let mut out = vec![0.0; rows.len() * matrix.columns()];
    let values = rows.values().par_chunks(LANES * rows.dim());
    out.par_chunks_mut(LANES * matrix.columns()).zip(values).for_each(|(out, values)| {
        let (number, start, finish) = (&number, &start, &finish);
        dispatch(Multiply { values, matrix, number, start, finish, out });
    });
    out
}

/// The product of up to 16 rows.
struct Multiply<'a, N, S, F> {
    /// `[n, matrix's rows]`
    values: &'a [f32],
    matrix: Factor<'a, f64>,
    number: &'a N,
    start: &'a S,
    finish: &'a F,
    /// `[n, matrix's columns]`
    out: &'a mut [f32],
}

impl<N, S, F> WithSimd for Multiply<'_, N, S, F>
where
    N: Fn(usize, f32) -> f64,
    S: Fn(usize) -> f64,
    F: Fn(usize, f64) -> f32,
{
    type Output = ();

    #[inline(always)]
    fn with_simd<V: Simd>(self, simd: V) {
        let Multiply { values, matrix, number, start, finish, out } = self;
        let mut group = vec![[0.0; LANES]; matrix.rows()];
        pack(values.chunks_exact(matrix.rows()), &mut group, number);
        multiply_group(simd, &group, matrix, &mut vec![], start, |column, sums| {
            for (out, &sum) in out.chunks_exact_mut(matrix.columns()).zip(sums) {
                out[column] = finish(column, sum);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samplers;

    #[test]
    fn every_product_is_a_sum_in_order() {
        for [n, d, k] in [[1, 1, 1], [5, 3, 4], [16, 17, 9], [33, 40, 2], [50, 7, 31]] {
            let values = samplers::normal(n, d, 1);
            let rows = Rows::new(&values, d).unwrap();
            let numbers: Vec<f64> = samplers::normal(d, k, 2).iter().map(|&v| v.into()).collect();
            let turned: Vec<f64> = (0..k * d).map(|at| numbers[at % d * k + at / d]).collect();
            let expected: Vec<u32> = rows
                .iter()
                .flat_map(|row| (0..k).map(move |column| (row, column)))
                .map(|(row, column)| {
                    let mut sum = column as f64;
                    for (i, &v) in row.iter().enumerate() {
                        sum += numbers[i * k + column] * (f64::from(v) - 0.5);
                    }
                    (2.0 * sum) as f32
                })
                .map(f32::to_bits)
                .collect();
            for matrix in [Factor::new(&numbers, k), Factor::new(&turned, d).transposed()] {
                let got = multiply(
                    rows,
                    matrix,
                    |_, v| f64::from(v) - 0.5,
                    |column| column as f64,
                    |_, sum| (2.0 * sum) as f32,
                );
                let got: Vec<u32> = got.iter().map(|v| v.to_bits()).collect();
                assert_eq!(got, expected, "{n} {d} {k}");
            }
        }
    }

    #[test]
    fn what_is_below_the_diagonal_is_not_added() {
        let (n, d) = (20, 11);
        let values = samplers::normal(n, d, 3);
        let rows = Rows::new(&values, d).unwrap();
        let full: Vec<f64> = samplers::normal(d, d, 4).iter().map(|&v| v.into()).collect();
        let upper = |at: usize| if at / d > at % d { 0.0 } else { full[at] };
        let upper: Vec<f64> = (0..d * d).map(upper).collect();
        let by = |matrix| multiply(rows, matrix, |_, v| v.into(), |_| 0.0, |_, sum| sum as f32);
        let matrix = Factor::new(&upper, d);
        assert_eq!(by(matrix.upper()), by(matrix));
        assert_ne!(by(Factor::new(&full, d)), by(matrix));
    }
}
