//! Pooling by tables of windows: the forward pass loops over output pixels and the backward pass over input pixels, so each number is
//! written once for any windows.

#![allow(unsafe_code)]

use crate::geometry::Windows;
use crate::number::Number;
use crate::simd::{Kernel, LANES, Simd};

/// The maximum of each window, or the mean.
pub(crate) struct Pool<'a, E> {
    pub(crate) windows: &'a Windows,
    /// `[channel][pixel][lane]`.
    pub(crate) input: &'a [E],
    pub(crate) output: &'a mut [E],
    /// The position of the maximum of each window, the first if there are several; `None` computes the mean.
    pub(crate) places: Option<&'a mut [E]>,
}

impl<E: Number> Kernel<E> for Pool<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, s: S) {
        let Windows { channels, places, inputs, outputs } = self.windows;
        let (plane, out_plane) = (outputs.len() * LANES, inputs.len() * LANES);
        assert_eq!(self.input.len(), channels * plane);
        assert_eq!(self.output.len(), channels * out_plane);
        let scale = s.splat(E::from_f64(1.0 / *places as f64));
        let names: Vec<E> = (0..*places).map(|place| E::from_f64(place as f64)).collect();
        let mut kept = self.places;
        for c in 0..*channels {
            let input = &self.input[c * plane..(c + 1) * plane];
            let output = &mut self.output[c * out_plane..(c + 1) * out_plane];
            let mut kept = kept.as_deref_mut().map(|k| &mut k[c * out_plane..(c + 1) * out_plane]);
            for (i, members) in inputs.iter().enumerate() {
                for v in 0..LANES / S::WIDTH {
                    let lane = v * S::WIDTH;
                    let read = |pixel: u32| {
                        let pixel = &input[pixel as usize * LANES + lane..];
                        // SAFETY: lanes of a pixel are whole vectors.
                        unsafe { s.load(pixel.as_ptr()) }
                    };
                    let mut value = read(members[0].pixel);
                    if let Some(kept) = &mut kept {
                        let mut place = s.splat(names[members[0].place as usize]);
                        for member in &members[1..] {
                            let x = read(member.pixel);
                            place =
                                s.select_gt(x, value, s.splat(names[member.place as usize]), place);
                            value = s.select_gt(x, value, x, value);
                        }
                        let kept = &mut kept[i * LANES + lane..];
                        // SAFETY: lanes of a pixel are whole vectors.
                        unsafe { s.store(kept.as_mut_ptr(), place) };
                    } else {
                        for member in &members[1..] {
                            value = s.add(value, read(member.pixel));
                        }
                        value = s.mul(value, scale);
                    }
                    let output = &mut output[i * LANES + lane..];
                    // SAFETY: lanes of a pixel are whole vectors.
                    unsafe { s.store(output.as_mut_ptr(), value) };
                }
            }
        }
    }
}

/// The backward pass: the gradient replaces the input.
pub(crate) struct PoolBack<'a, E> {
    pub(crate) windows: &'a Windows,
    /// `[channel][pixel][lane]`.
    pub(crate) input: &'a mut [E],
    pub(crate) gradient: &'a [E],
    /// The positions that [`Pool`] stored.
    pub(crate) places: Option<&'a [E]>,
    /// Slope below zero of the ReLU that is fused into the input.
    pub(crate) input_rectify: Option<f64>,
}

impl<E: Number> Kernel<E> for PoolBack<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, s: S) {
        let Windows { channels, places, inputs, outputs } = self.windows;
        let (plane, out_plane) = (outputs.len() * LANES, inputs.len() * LANES);
        assert_eq!(self.input.len(), channels * plane);
        assert_eq!(self.gradient.len(), channels * out_plane);
        assert!(self.places.is_none_or(|kept| kept.len() == channels * out_plane));
        let zero = s.splat(E::default());
        let scale = s.splat(E::from_f64(1.0 / *places as f64));
        let slope = s.splat(E::from_f64(self.input_rectify.unwrap_or(1.0)));
        let names: Vec<E> = (0..*places).map(|place| E::from_f64(place as f64)).collect();
        for c in 0..*channels {
            let pixels = &mut self.input[c * plane..(c + 1) * plane];
            let gradient = &self.gradient[c * out_plane..(c + 1) * out_plane];
            let kept = self.places.map(|kept| &kept[c * out_plane..(c + 1) * out_plane]);
            for (i, windows) in outputs.iter().enumerate() {
                for lane in (0..LANES).step_by(S::WIDTH) {
                    let mut sum = zero;
                    for window in windows {
                        let at = window.pixel as usize * LANES + lane;
                        // SAFETY: lanes of a pixel are whole vectors.
                        let mut g = unsafe { s.load(gradient[at..].as_ptr()) };
                        if let Some(kept) = kept {
                            // Only the maximum has a gradient: the number whose position is neither before nor after the stored one.
                            let place = s.splat(names[window.place as usize]);
                            // SAFETY: as above.
                            let kept = unsafe { s.load(kept[at..].as_ptr()) };
                            g = s.select_gt(kept, place, zero, g);
                            g = s.select_gt(place, kept, zero, g);
                        } else {
                            g = s.mul(g, scale);
                        }
                        sum = s.add(sum, g);
                    }
                    let x = &mut pixels[i * LANES + lane..];
                    // SAFETY: as above.
                    unsafe {
                        let value = s.load(x.as_ptr());
                        let below = s.mul(sum, slope);
                        s.store(x.as_mut_ptr(), s.select_gt(value, zero, sum, below));
                    }
                }
            }
        }
    }
}
