//! The sum behind every forward pass and every input gradient: each output pixel is a bias plus weights times the input pixels
//! that its taps name. A tile of accumulators (some output channels by some vectors of pixels) stays in registers while the taps
//! stream by; each sum runs over its taps in one fixed order, so tiles and vector widths do not change a bit of it.

use crate::geometry::{Class, Gather, Tap};
use crate::number::Number;
use crate::simd::{Kernel, LANES, Simd};

/// What happens to a sum before it is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Finish<E> {
    /// Nothing.
    Store,
    /// `x > 0 ? x : slope * x`: ReLU where the slope is zero.
    Rectify(E),
    /// The sum is the gradient of a rectified activation, which it replaces: `activation > 0 ? x : slope * x`.
    RectifyGradient(E),
}

/// One run of a [`Gather`] over a micro-batch.
pub(crate) struct GatherRun<'a, E> {
    pub(crate) plan: &'a Gather,
    /// Weights in the order of [`Gather::pack`].
    pub(crate) weights: &'a [E],
    /// One for each output channel; none means zero.
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
        // Twelve accumulators, the row's weights and one vector of pixels fill sixteen registers; thirty-two hold twice that.
        let most = match (plan.rows, S::WIDE) {
            (1, _) | (2, true) => 12,
            (2, false) => 6,
            (_, true) => 4,
            (_, false) => 2,
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
            // A base can lie before the input; only base plus tap is ever read.
            x[p] = x[p].wrapping_offset(base as isize + part as isize);
            out[p] = place as usize + part;
        }
        let plan = self.plan;
        let mut first = 0;
        while first < plan.out_channels {
            let rows = plan.rows.min(plan.out_channels - first);
            // SAFETY: `Geometry` builds taps and pixels so that base + tap is a vector of the input and place + channel * plane
            // one of the output, for every channel; `run` has checked the lengths of input, output, weights and bias.
            unsafe {
                match rows {
                    1 => self.block::<S, 1, P>(s, &class.taps, x, out, first),
                    2 => self.block::<S, 2, P>(s, &class.taps, x, out, first),
                    3 => self.block::<S, 3, P>(s, &class.taps, x, out, first),
                    4 => self.block::<S, 4, P>(s, &class.taps, x, out, first),
                    5 => self.block::<S, 5, P>(s, &class.taps, x, out, first),
                    _ => self.block::<S, 6, P>(s, &class.taps, x, out, first),
                }
            }
            first += rows;
        }
        P
    }

    /// `R` output channels from `first` of `P` vectors.
    ///
    /// # Safety
    /// For every tap, `x[p]` plus the tap is readable for a vector; `first + R` is at most the number of output channels; every
    /// `out[p]` is the place of a vector in an output plane.
    #[inline(always)]
    unsafe fn block<S: Simd<E = E>, const R: usize, const P: usize>(
        &mut self,
        s: S,
        taps: &[Tap],
        x: [*const E; P],
        out: [usize; P],
        first: usize,
    ) {
        // The plan never asks for more accumulators than there are registers; without this line, all the combinations that
        // never run would be compiled.
        if R * P > if S::WIDE { 24 } else { 12 } {
            unreachable!("a tile of {R} by {P} was planned");
        }
        let zero = s.splat(E::default());
        let mut sums = [[zero; P]; R];
        if let Some(bias) = self.bias {
            for (r, row) in sums.iter_mut().enumerate() {
                *row = [s.splat(bias[first + r]); P];
            }
        }
        // SAFETY: blocks before this one have `rows` channels each, so it begins at `first * terms`; `tap.w` is under `terms`.
        unsafe {
            let weights = self.weights.as_ptr().add(first * self.plan.terms);
            for tap in taps {
                let w = weights.add(tap.w as usize * R);
                // Whichever side is shorter is held in registers, and the other streams by.
                if R < P {
                    let mut held = [zero; R];
                    for r in 0..R {
                        held[r] = s.splat(*w.add(r));
                    }
                    for p in 0..P {
                        let v = s.load(x[p].wrapping_offset(tap.x as isize));
                        for r in 0..R {
                            sums[r][p] = s.fma(held[r], v, sums[r][p]);
                        }
                    }
                } else {
                    let mut held = [zero; P];
                    for p in 0..P {
                        held[p] = s.load(x[p].wrapping_offset(tap.x as isize));
                    }
                    for r in 0..R {
                        let w = s.splat(*w.add(r));
                        for p in 0..P {
                            sums[r][p] = s.fma(w, held[p], sums[r][p]);
                        }
                    }
                }
            }
            for r in 0..R {
                let plane = self.output.as_mut_ptr().add((first + r) * self.plan.out_plane);
                for p in 0..P {
                    let place = plane.add(out[p]);
                    let sum = sums[r][p];
                    let value = match self.finish {
                        Finish::Store => sum,
                        Finish::Rectify(slope) => {
                            s.select_gt(sum, zero, sum, s.mul(sum, s.splat(slope)))
                        }
                        Finish::RectifyGradient(slope) => {
                            s.select_gt(s.load(place), zero, sum, s.mul(sum, s.splat(slope)))
                        }
                    };
                    s.store(place, value);
                }
            }
        }
    }
}
