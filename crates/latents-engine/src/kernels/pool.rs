//! Pooling by tables of windows: forward over the pixels that come out, and backward over those that go in, so that each number is
//! written once whatever the windows.

use crate::geometry::Windows;
use crate::number::Number;
use crate::simd::{Kernel, LANES, Simd};

/// The largest number of each window, or the mean.
pub(crate) struct Pool<'a, E> {
    pub(crate) windows: &'a Windows,
    /// `[channel][pixel][lane]`.
    pub(crate) input: &'a [E],
    pub(crate) output: &'a mut [E],
    /// The place of each window's largest number, the first where there are several; none asks for the mean.
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

/// The gradient of what went in, which it replaces.
pub(crate) struct PoolBack<'a, E> {
    pub(crate) windows: &'a Windows,
    /// `[channel][pixel][lane]`.
    pub(crate) input: &'a mut [E],
    pub(crate) gradient: &'a [E],
    /// What [`Pool`] kept.
    pub(crate) places: Option<&'a [E]>,
    /// Slope below zero of the ReLU that gave the input.
    pub(crate) input_rectify: Option<f64>,
}

impl<E: Number> Kernel<E> for PoolBack<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, _: S) {
        let Windows { channels, places, inputs, outputs } = self.windows;
        let (plane, out_plane) = (outputs.len() * LANES, inputs.len() * LANES);
        let scale = E::from_f64(1.0 / *places as f64);
        let slope = E::from_f64(self.input_rectify.unwrap_or(1.0));
        for c in 0..*channels {
            let pixels = &mut self.input[c * plane..(c + 1) * plane];
            let gradient = self.gradient[c * out_plane..(c + 1) * out_plane].as_chunks::<LANES>().0;
            let kept = self.places.map(|k| &k[c * out_plane..(c + 1) * out_plane]);
            let kept = kept.map(|k| k.as_chunks::<LANES>().0);
            for (x, windows) in pixels.as_chunks_mut::<LANES>().0.iter_mut().zip(outputs) {
                let mut sum = [E::default(); LANES];
                for window in windows {
                    let g = &gradient[window.pixel as usize];
                    if let Some(kept) = kept {
                        let place = E::from_f64(f64::from(window.place));
                        let kept = &kept[window.pixel as usize];
                        for lane in 0..LANES {
                            let g = if kept[lane] == place { g[lane] } else { E::default() };
                            sum[lane] = sum[lane].plus(g);
                        }
                    } else {
                        for lane in 0..LANES {
                            sum[lane] = sum[lane].plus(g[lane].times(scale));
                        }
                    }
                }
                for lane in 0..LANES {
                    let below = sum[lane].times(slope);
                    x[lane] = if x[lane] > E::default() { sum[lane] } else { below };
                }
            }
        }
    }
}
