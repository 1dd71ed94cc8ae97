//! The sum of every forward pass and every input gradient: each output pixel is a bias plus weights times the input pixels of its
//! taps. A tile of accumulators (some output channels by some vectors of pixels) stays in registers during the loop over the taps. Each
//! sum adds its taps in one fixed order, so tiles and vector widths do not change its bits.

#![allow(unsafe_code)]

use crate::geometry::{Class, Gather, Tap};
use crate::number::Number;
use crate::simd::{Kernel, LANES, Simd};

/// The last step of a sum before it is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Finish<E> {
    /// Store it unchanged.
    Store,
    /// Leaky ReLU: `x > 0 ? x : slope * x`; ReLU if the slope is zero.
    Rectify(E),
    /// The backward pass of leaky ReLU; the sum replaces the activation: `activation > 0 ? x : slope * x`.
    RectifyGradient(E),
}

impl<E: Number> Finish<E> {
    /// The number to store for a sum; `before` reads the previous number.
    #[inline(always)]
    pub(crate) fn of<S: Simd<E = E>>(self, s: S, sum: S::V, before: impl Fn() -> S::V) -> S::V {
        let rectified =
            |of, slope| s.select_gt(of, s.splat(E::default()), sum, s.mul(sum, s.splat(slope)));
        match self {
            Finish::Store => sum,
            Finish::Rectify(slope) => rectified(sum, slope),
            Finish::RectifyGradient(slope) => rectified(before(), slope),
        }
    }
}

/// One run of a [`Gather`] over a micro-batch.
pub(crate) struct GatherRun<'a, E> {
    pub(crate) plan: &'a Gather,
    /// Weights in the order of [`Gather::pack`].
    pub(crate) weights: &'a [E],
    /// One for each output channel; `None` means zero.
    pub(crate) bias: Option<&'a [E]>,
    /// `[channel][pixel][lane]`.
    pub(crate) input: &'a [E],
    /// `[channel][pixel][lane]`.
    pub(crate) output: &'a mut [E],
    pub(crate) finish: Finish<E>,
}

impl<E: Number> Kernel<E> for GatherRun<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(mut self, s: S) {
        let plan = self.plan;
        assert_eq!(self.weights.len(), plan.pack.len());
        assert_eq!(self.input.len(), plan.input_len);
        assert_eq!(self.output.len(), plan.out_channels * plan.out_plane);
        assert!(self.bias.is_none_or(|b| b.len() == plan.out_channels));
        // Twelve accumulators, the weights of the row and one vector of pixels fill sixteen registers. Thirty-two registers hold two
        // such blocks of rows; more pixels instead would need too many address registers.
        let most = match plan.rows {
            1 => 12,
            2 => 6,
            _ => 2,
        };
        for class in &plan.classes {
            let columns = class.pixels.len() * (LANES / S::WIDTH);
            let mut at = 0;
            while at < columns {
                at += match most.min(columns - at) {
                    12 => self.tile::<S, 12>(s, class, at),
                    6..12 => self.tile::<S, 6>(s, class, at),
                    4 | 5 => self.tile::<S, 4>(s, class, at),
                    2 | 3 => self.tile::<S, 2>(s, class, at),
                    _ => self.tile::<S, 1>(s, class, at),
                };
            }
        }
    }
}

impl<E: Number> GatherRun<'_, E> {
    /// All output channels of the `P` vectors from column `at`; returns `P`.
    #[inline(always)]
    fn tile<S: Simd<E = E>, const P: usize>(&mut self, s: S, class: &Class, at: usize) -> usize {
        let parts = LANES / S::WIDTH;
        let mut x = [self.input.as_ptr(); P];
        let mut out = [0usize; P];
        for p in 0..P {
            let column = at + p;
            let (base, place) = class.pixels[column / parts];
            let part = (column % parts) * S::WIDTH;
            // A base can lie before the input; only base plus tap is read.
            x[p] = x[p].wrapping_offset(base as isize + part as isize);
            out[p] = place as usize + part;
        }
        let plan = self.plan;
        let mut first = 0;
        while first < plan.out_channels {
            let rows = plan.rows.min(plan.out_channels - first);
            let blocks = if S::WIDE && plan.out_channels - first >= 2 * rows { 2 } else { 1 };
            // SAFETY: `Geometry` builds taps and pixels so that base + tap is a vector of the input and place + channel * plane
            // one of the output, for every channel; `run` has checked the lengths of input, output, weights and bias.
            unsafe {
                match (blocks, rows) {
                    (1, 1) => self.block::<S, 1, 1, P>(s, &class.taps, x, out, first),
                    (1, 2) => self.block::<S, 1, 2, P>(s, &class.taps, x, out, first),
                    (1, 3) => self.block::<S, 1, 3, P>(s, &class.taps, x, out, first),
                    (1, 4) => self.block::<S, 1, 4, P>(s, &class.taps, x, out, first),
                    (1, 5) => self.block::<S, 1, 5, P>(s, &class.taps, x, out, first),
                    (1, _) => self.block::<S, 1, 6, P>(s, &class.taps, x, out, first),
                    (_, 2) => self.block::<S, 2, 2, P>(s, &class.taps, x, out, first),
                    (_, _) => self.block::<S, 2, 6, P>(s, &class.taps, x, out, first),
                }
            }
            first += blocks * rows;
        }
        P
    }

    /// `B` blocks of `R` output channels from `first`, of `P` vectors.
    ///
    /// # Safety
    /// For every tap, `x[p]` plus the tap is readable for a vector; `first + B * R` is at most the number of output channels; every
    /// `out[p]` is the place of a vector in an output plane.
    #[inline(always)]
    unsafe fn block<S: Simd<E = E>, const B: usize, const R: usize, const P: usize>(
        &mut self,
        s: S,
        taps: &[Tap],
        x: [*const E; P],
        out: [usize; P],
        first: usize,
    ) {
        // The plan never uses more accumulators than there are registers. Without this line, all combinations that never run would be
        // compiled.
        if R * P > 12 || (B > 1 && !S::WIDE) {
            unreachable!("a tile of {B} times {R} by {P} was planned");
        }
        let zero = s.splat(E::default());
        let mut sums = [[[zero; P]; R]; B];
        if let Some(bias) = self.bias {
            for b in 0..B {
                for r in 0..R {
                    sums[b][r] = [s.splat(bias[first + b * R + r]); P];
                }
            }
        }
        // SAFETY: blocks before this one have `rows` channels each, so it begins at `first * terms`; `tap.w` is under `terms`.
        unsafe {
            let plan = self.plan;
            let weights = self.weights.as_ptr().add(first * plan.terms);
            let block = R * plan.terms;
            for tap in taps {
                let w = weights.add(tap.w as usize * R);
                // The shorter side stays in registers; the loop runs over the other.
                if R < P {
                    let mut held = [[zero; R]; B];
                    for b in 0..B {
                        for r in 0..R {
                            held[b][r] = s.splat(*w.add(b * block + r));
                        }
                    }
                    for p in 0..P {
                        let v = s.load(x[p].wrapping_offset(tap.x as isize));
                        for b in 0..B {
                            for r in 0..R {
                                sums[b][r][p] = s.fma(held[b][r], v, sums[b][r][p]);
                            }
                        }
                    }
                } else {
                    let mut held = [zero; P];
                    for p in 0..P {
                        held[p] = s.load(x[p].wrapping_offset(tap.x as isize));
                    }
                    for b in 0..B {
                        for r in 0..R {
                            let w = s.splat(*w.add(b * block + r));
                            for p in 0..P {
                                sums[b][r][p] = s.fma(w, held[p], sums[b][r][p]);
                            }
                        }
                    }
                }
            }
            let planes = self.output.as_mut_ptr().add(first * plan.out_plane);
            let plane = plan.out_plane;
            // One loop for each last step: a loop with the choice inside would be too long to unroll, so the sums would have to be in
            // memory.
            match self.finish {
                Finish::Store => each(sums, planes, plane, out, |sum, at| s.store(at, sum)),
                Finish::Rectify(slope) => each(sums, planes, plane, out, |sum, at| {
                    s.store(at, Finish::Rectify(slope).of(s, sum, || sum));
                }),
                Finish::RectifyGradient(slope) => each(sums, planes, plane, out, |sum, at| {
                    s.store(at, Finish::RectifyGradient(slope).of(s, sum, || s.load(at)));
                }),
            }
        }
    }
}

/// Calls `store` with each sum and its place in the output.
///
/// # Safety
/// There are `B * R` planes from `planes`, and each `out[p]` is inside a plane.
#[inline(always)]
unsafe fn each<E, V: Copy, const B: usize, const R: usize, const P: usize>(
    sums: [[[V; P]; R]; B],
    planes: *mut E,
    plane: usize,
    out: [usize; P],
    store: impl Fn(V, *mut E),
) {
    for b in 0..B {
        for r in 0..R {
            for p in 0..P {
                // SAFETY: the caller's promise.
                store(sums[b][r][p], unsafe { planes.add((b * R + r) * plane + out[p]) });
            }
        }
    }
}
