//! Convolution of charges on a grid with the kernel `1 / (1 + r^2)`, by Fourier transforms. Depositing points as charges and interpolating
//! the result are in `field.rs`.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::fft::{Fft, Signals};
use crate::lanes::{LANES, Lane, dispatch};

/// Nodes along each axis over which a cubic B-spline is not zero.
pub(crate) const SPAN: usize = 4;

/// The kernel on a grid of one size.
#[derive(Debug)]
pub(crate) struct Convolution {
    /// Nodes along a side of the periodic grid. Points lie in the first half of each axis, so that their periodic images are far away.
    pub(crate) side: usize,
    /// Distance of adjacent nodes.
    pub(crate) step: f32,
    fft: Fft,
    /// Transform of the kernel divided by that of the splines: `[side / 2 / 16 + 1][side][16]`, with x frequencies in the lanes.
    spectrum: Vec<Lane>,
    /// Response near a unit charge.
    pub(crate) near: Near,
}

/// Coefficients that a unit charge on a node causes at nearby nodes, by distance along each axis.
pub(crate) type Near = [[f32; SPAN]; SPAN];

impl Convolution {
    /// The kernel on a periodic grid of `side` x `side` nodes at distance `step`.
    pub(crate) fn new(side: usize, step: f32) -> Self {
        let fft =
            Fft::new(side).unwrap_or_else(|| unreachable!("the side has only the factors 2 and 3"));
        let half = side / 2;
        // The kernel is even along both axes, so half of each suffices, and its transform is real and even too.
        let kernel = |x: usize, y: usize| {
            let [x, y] = [x, y].map(|v| v.min(side - v) as f32 * step);
            1.0 / (1.0 + (x * x + y * y))
        };
        let columns: Vec<Vec<Lane>> = (0..=half / LANES)
            .into_par_iter()
            .map(|block| {
                let mut signals = Signals::new(side);
                for (x, group) in signals.re.iter_mut().enumerate() {
                    *group = std::array::from_fn(|l| kernel(x, (block * LANES + l).min(half)));
                }
                dispatch(Transform { fft: &fft, signals: &mut signals });
                signals.re.truncate(half + 1);
                signals.re
            })
            .collect();
        let spline = |k: usize| {
            let b = (2.0 + libm::cos(std::f64::consts::TAU * k as f64 / side as f64)) / 3.0;
            b * b
        };
        let splines: Vec<f64> = (0..side).map(spline).collect();
        let scale = 1.0 / (side * side) as f64;
        let mut spectrum = vec![[0.0; LANES]; (half / LANES + 1) * side];
        spectrum.par_chunks_mut(side).enumerate().for_each(|(block, out)| {
            let mut signals = Signals::new(side);
            for (y, group) in signals.re.iter_mut().enumerate() {
                let y = y.min(side - y);
                *group = std::array::from_fn(|l| {
                    columns[y / LANES][(block * LANES + l).min(half)][y % LANES]
                });
            }
            dispatch(Transform { fft: &fft, signals: &mut signals });
            for (ky, (out, group)) in out.iter_mut().zip(&signals.re).enumerate() {
                *out = std::array::from_fn(|l| {
                    let spline = splines[(block * LANES + l).min(half)] * splines[ky];
                    (f64::from(group[l]) / spline * scale) as f32
                });
            }
        });
        let mut made = Convolution { side, step, fft, spectrum, near: Near::default() };
        let mut charges = vec![0.0; half * half];
        charges[0] = 1.0;
        let one = made.apply(&charges);
        made.near = std::array::from_fn(|a| std::array::from_fn(|b| one[a * half + b]));
        made
    }

    /// Spline coefficients `[half][half]` of the potential of charges `[half][half]`.
    ///
    /// Two real signals are transformed as one complex signal, and only the half of the periodic grid with charges is touched.
    pub(crate) fn apply(&self, charges: &[f32]) -> Vec<f32> {
        let half = self.side / 2;
        let pairs = half.div_ceil(2 * LANES);
        // Along x, 32 columns at a time.
        let forward: Vec<[Signals; 2]> = (0..pairs)
            .into_par_iter()
            .map(|pair| dispatch(Forward { convolution: self, charges, first: pair * 2 * LANES }))
            .collect();
        // Along y and back, 16 frequencies of x at a time.
        let middle: Vec<Signals> = (0..=half / LANES)
            .into_par_iter()
            .map(|block| dispatch(Middle { convolution: self, forward: &forward, block }))
            .collect();
        // Along x back.
        let columns: Vec<Signals> = (0..pairs)
            .into_par_iter()
            .map(|pair| {
                dispatch(Backward { convolution: self, middle: &middle, first: pair * 2 * LANES })
            })
            .collect();
        let mut grid = vec![0.0f32; half * half];
        grid.par_chunks_mut(half).enumerate().for_each(|(x, row)| {
            for (part, column) in row.chunks_mut(2 * LANES).zip(&columns) {
                for (part, group) in part.chunks_mut(LANES).zip([&column.re[x], &column.im[x]]) {
                    part.copy_from_slice(&group[..part.len()]);
                }
            }
        });
        grid
    }
}

struct Transform<'a> {
    fft: &'a Fft,
    signals: &'a mut Signals,
}

impl WithSimd for Transform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.fft.run(self.signals, &mut Signals::new(self.signals.re.len()));
    }
}

/// Transforms 32 columns along x, starting at column `first`; keeps frequencies up to `side / 2`.
struct Forward<'a> {
    convolution: &'a Convolution,
    charges: &'a [f32],
    first: usize,
}

impl WithSimd for Forward<'_> {
    type Output = [Signals; 2];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [Signals; 2] {
        let side = self.convolution.side;
        let half = side / 2;
        let mut z = Signals::new(side);
        for x in 0..half {
            let row = &self.charges[x * half..(x + 1) * half];
            let row = &row[self.first..half.min(self.first + 2 * LANES)];
            let (even, odd) = row.split_at(row.len().min(LANES));
            z.re[x][..even.len()].copy_from_slice(even);
            z.im[x][..odd.len()].copy_from_slice(odd);
        }
        self.convolution.fft.run(&mut z, &mut Signals::new(side));
        let [mut a, mut b] = [Signals::new(half + 1), Signals::new(half + 1)];
        for k in 0..=half {
            let m = (side - k) % side;
            for l in 0..LANES {
                a.re[k][l] = 0.5 * (z.re[k][l] + z.re[m][l]);
                a.im[k][l] = 0.5 * (z.im[k][l] - z.im[m][l]);
                b.re[k][l] = 0.5 * (z.im[k][l] + z.im[m][l]);
                b.im[k][l] = 0.5 * (z.re[m][l] - z.re[k][l]);
            }
        }
        [a, b]
    }
}

/// Convolves 16 frequencies of x along y.
struct Middle<'a> {
    convolution: &'a Convolution,
    forward: &'a [[Signals; 2]],
    block: usize,
}

impl WithSimd for Middle<'_> {
    type Output = Signals;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Signals {
        let side = self.convolution.side;
        let half = side / 2;
        let used = LANES.min(half + 1 - self.block * LANES);
        let mut z = Signals::new(side);
        for y in 0..half {
            let from = &self.forward[y / (2 * LANES)][y / LANES % 2];
            for l in 0..used {
                z.re[y][l] = from.re[self.block * LANES + l][y % LANES];
                z.im[y][l] = from.im[self.block * LANES + l][y % LANES];
            }
        }
        let mut scratch = Signals::new(side);
        self.convolution.fft.run(&mut z, &mut scratch);
        for (k, s) in self.convolution.spectrum[self.block * side..][..side].iter().enumerate() {
            for l in 0..LANES {
                z.re[k][l] *= s[l];
                z.im[k][l] *= s[l];
            }
        }
        inverse(&self.convolution.fft, &mut z, &mut scratch);
        z.re.truncate(half);
        z.im.truncate(half);
        z
    }
}

/// Transforms 32 columns back along x: the first 16 as real parts, the others as imaginary parts.
struct Backward<'a> {
    convolution: &'a Convolution,
    middle: &'a [Signals],
    first: usize,
}

impl WithSimd for Backward<'_> {
    type Output = Signals;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Signals {
        let side = self.convolution.side;
        let half = side / 2;
        let mut z = Signals::new(side);
        for k in 0..=half {
            let from = &self.middle[k / LANES];
            let m = (side - k) % side;
            for l in 0..LANES {
                let at = |y: usize| {
                    let y = y.min(half - 1);
                    (from.re[y][k % LANES], from.im[y][k % LANES])
                };
                let ((a, b), (c, d)) = (at(self.first + l), at(self.first + LANES + l));
                // X + iY; at the negative frequency, the same with both conjugated.
                z.re[m][l] = a + d;
                z.im[m][l] = c - b;
                z.re[k][l] = a - d;
                z.im[k][l] = b + c;
            }
        }
        inverse(&self.convolution.fft, &mut z, &mut Signals::new(side));
        z.re.truncate(half);
        z.im.truncate(half);
        z
    }
}

#[inline(always)]
/// Inverse transform in place, not scaled.
fn inverse(fft: &Fft, z: &mut Signals, scratch: &mut Signals) {
    std::mem::swap(&mut z.re, &mut z.im);
    fft.run(z, scratch);
    std::mem::swap(&mut z.re, &mut z.im);
}
