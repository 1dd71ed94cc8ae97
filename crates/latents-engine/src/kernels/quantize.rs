//! Vectors that are replaced by the nearest of a table of codes, and the likelihood of these codes under a prior.

use super::latent::Weighing;
use super::mixture_prior::softmax;
use crate::code_table::{level, nearest_level};
use crate::number::Number;
use crate::simd::{Kernel, LANES, Simd};

/// The pixels of an image `[channel][pixel][lane]`.
#[derive(Clone, Copy)]
struct Pixels(usize);

impl Pixels {
    #[inline(always)]
    fn at(self, channel: usize, pixel: usize) -> usize {
        channel * self.0 + pixel
    }
}

/// The forward pass.
pub(crate) struct QuantizeForward<'a, E> {
    pub(crate) weighing: Weighing,
    /// `[code][channel]`
    pub(crate) codes: &'a [E],
    /// The vectors `[channel][pixel][lane]`.
    pub(crate) input: &'a [E],
    /// Afterwards the number of the code of each vector `[pixel][lane]`.
    pub(crate) places: &'a mut [E],
    /// Afterwards the derivative of the squared distance from the code by the vector, times the scale of the weighing `[channel][pixel][lane]`.
    pub(crate) kept: &'a mut [E],
    /// The codes `[channel][pixel][lane]`.
    pub(crate) output: &'a mut [E],
}

impl<E: Number> Kernel<E> for QuantizeForward<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, _: S) {
        let Self { weighing, codes, input, places, kept, output } = self;
        let (input, output) = (input.as_chunks::<LANES>().0, output.as_chunks_mut::<LANES>().0);
        let (places, kept) = (places.as_chunks_mut::<LANES>().0, kept.as_chunks_mut::<LANES>().0);
        let pixels = Pixels(places.len());
        let channels = input.len() / places.len();
        let half = E::from_f64(0.5);
        let norm = |code: &[E]| code.iter().fold(E::default(), |sum, &x| x.fused(x, sum));
        let norms: Vec<E> = codes.chunks_exact(channels).map(|c| norm(c).times(half)).collect();
        // Twice, as the derivative of a square.
        let scale: [E; LANES] = weighing.scales().map(|scale: E| scale.plus(scale));
        let mut vector = vec![[E::default(); LANES]; channels];
        for (pixel, place) in places.iter_mut().enumerate() {
            for (channel, x) in vector.iter_mut().enumerate() {
                *x = input[pixels.at(channel, pixel)].map(|x| E::default().minus(x));
            }
            // Half the squared distance, without half the squared norm of the vector.
            let mut nearest = [E::from_f64(f64::INFINITY); LANES];
            *place = [E::default(); LANES];
            for (k, (code, &norm)) in codes.chunks_exact(channels).zip(&norms).enumerate() {
                let mut distance = [norm; LANES];
                for (&code, x) in code.iter().zip(&vector) {
                    for lane in 0..LANES {
                        distance[lane] = code.fused(x[lane], distance[lane]);
                    }
                }
                let number = E::from_f64(k as f64);
                for lane in 0..LANES {
                    let is_nearer = distance[lane] < nearest[lane];
                    nearest[lane] = if is_nearer { distance[lane] } else { nearest[lane] };
                    place[lane] = if is_nearer { number } else { place[lane] };
                }
            }
            for channel in 0..channels {
                let at = pixels.at(channel, pixel);
                for lane in 0..LANES {
                    let code = codes[code_of(place[lane]) * channels + channel];
                    output[at][lane] = code;
                    kept[at][lane] = input[at][lane].minus(code).times(scale[lane]);
                }
            }
        }
    }
}

/// The forward pass with a grid of levels. Its backward pass is a copy.
pub(crate) struct LevelsForward<'a, E> {
    /// The number of levels of each channel.
    pub(crate) levels: &'a [usize],
    /// The vectors `[channel][pixel][lane]`.
    pub(crate) input: &'a [E],
    /// Afterwards the number of the code of each vector `[pixel][lane]`.
    pub(crate) places: &'a mut [E],
    /// The codes `[channel][pixel][lane]`.
    pub(crate) output: &'a mut [E],
}

impl<E: Number> Kernel<E> for LevelsForward<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, _: S) {
        let Self { levels, input, places, output } = self;
        let pixels = places.len();
        places.fill(E::default());
        let channels = input.chunks_exact(pixels).zip(output.chunks_exact_mut(pixels));
        for ((input, output), &of_channel) in channels.zip(levels) {
            let of_all = E::from_f64(of_channel as f64);
            for ((x, place), output) in input.iter().zip(places.iter_mut()).zip(output) {
                let number = nearest_level(x.to_f64(), of_channel);
                *output = level(number, of_channel);
                *place = place.fused(of_all, E::from_f64(number as f64));
            }
        }
    }
}

/// The number of a code, which is stored among numbers.
#[inline(always)]
fn code_of<E: Number>(place: E) -> usize {
    place.to_f64() as usize
}

/// The backward pass.
pub(crate) struct QuantizeBackward<'a, E> {
    pub(crate) commitment: f64,
    /// As [`QuantizeForward`] left them.
    pub(crate) places: &'a [E],
    pub(crate) kept: &'a [E],
    /// The gradient of the output `[channel][pixel][lane]`.
    pub(crate) gradient: &'a [E],
    /// Afterwards the gradient of the input: that of the output, and the commitment. `None` if nothing needs it.
    pub(crate) input: Option<&'a mut [E]>,
    /// The gradient of the codes `[code][channel]`, to which that of these vectors is added.
    pub(crate) codes: &'a mut [E],
}

impl<E: Number> Kernel<E> for QuantizeBackward<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, _: S) {
        let Self { commitment, places, kept, gradient, input, codes } = self;
        let commitment = E::from_f64(commitment);
        if let Some(input) = input {
            for ((x, &kept), &gradient) in input.iter_mut().zip(kept).zip(gradient) {
                *x = commitment.fused(kept, gradient);
            }
        }
        let (places, kept) = (places.as_chunks::<LANES>().0, kept.as_chunks::<LANES>().0);
        let pixels = Pixels(places.len());
        let channels = kept.len() / places.len();
        for (pixel, place) in places.iter().enumerate() {
            for lane in 0..LANES {
                let code = &mut codes[code_of(place[lane]) * channels..][..channels];
                for (channel, code) in code.iter_mut().enumerate() {
                    *code = code.minus(kept[pixels.at(channel, pixel)][lane]);
                }
            }
        }
    }
}

/// The negative log-likelihood of the codes of each sample, given the logits of a distribution of codes for each pixel.
pub(crate) struct CodeLoss<'a, E> {
    pub(crate) weighing: Weighing,
    /// The number of the code of each pixel `[pixel][lane]`.
    pub(crate) places: &'a [E],
    /// `[code][pixel][lane]`; afterwards their gradient.
    pub(crate) logits: &'a mut [E],
}

impl<E: Number> Kernel<E> for CodeLoss<'_, E> {
    type Output = [f64; LANES];

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, _: S) -> [f64; LANES] {
        let Self { weighing, places, logits } = self;
        let (places, logits) = (places.as_chunks::<LANES>().0, logits.as_chunks_mut::<LANES>().0);
        let pixels = Pixels(places.len());
        let codes = logits.len() / places.len();
        let scale: [E; LANES] = weighing.scales();
        let mut loss = [0.0; LANES];
        let mut of_pixel = vec![[E::default(); LANES]; codes];
        for (pixel, place) in places.iter().enumerate() {
            for (code, of_pixel) in of_pixel.iter_mut().enumerate() {
                *of_pixel = logits[pixels.at(code, pixel)];
            }
            for lane in 0..LANES {
                loss[lane] -= of_pixel[code_of(place[lane])][lane].to_f64();
            }
            for (loss, total) in loss.iter_mut().zip(softmax(&mut of_pixel)) {
                *loss += total;
            }
            for lane in 0..LANES {
                let own = &mut of_pixel[code_of(place[lane])][lane];
                *own = own.minus(E::from_f64(1.0));
            }
            for (code, of_pixel) in of_pixel.iter().enumerate() {
                for lane in 0..LANES {
                    logits[pixels.at(code, pixel)][lane] = of_pixel[lane].times(scale[lane]);
                }
            }
        }
        loss
    }
}
