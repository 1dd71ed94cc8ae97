//! Fourier transforms of 16 signals at once, in single precision, by Stockham's mixed-radix algorithm (Van Loan, "Computational Frameworks
//! for the Fast Fourier Transform", 1992). It is implemented here because sums must have the same order on every instruction set, and
//! because 16 interleaved signals fill the vector units at any length.

use std::f64::consts::TAU;

use crate::lanes::{LANES, Lane};

/// The transform of one length, whose prime factors are 2 and 3.
#[derive(Clone, Debug)]
pub(crate) struct Fft {
    n: usize,
    radices: Vec<usize>,
    /// `exp(-2 pi i t / n)` for `t` in `0..n`.
    twiddles: Vec<(f32, f32)>,
}

/// 16 complex signals, interleaved.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signals {
    pub(crate) re: Vec<Lane>,
    pub(crate) im: Vec<Lane>,
}

impl Signals {
    pub(crate) fn new(n: usize) -> Self {
        Signals { re: vec![[0.0; LANES]; n], im: vec![[0.0; LANES]; n] }
    }
}

impl Fft {
    /// The transform of signals of length `n`; none if `n` has a prime factor of more than 3.
    pub(crate) fn new(n: usize) -> Option<Self> {
        let mut radices = vec![];
        let mut rest = n;
        for radix in [4, 2, 3] {
            while rest > 1 && rest.is_multiple_of(radix) {
                radices.push(radix);
                rest /= radix;
            }
        }
        let twiddle = |t: usize| {
            let angle = -TAU * t as f64 / n as f64;
            (libm::cos(angle) as f32, libm::sin(angle) as f32)
        };
        (rest == 1).then(|| Fft { n, radices, twiddles: (0..n).map(twiddle).collect() })
    }

    /// Transforms `x` in place; `scratch` has the same size. The transform is not scaled and has a negative exponent; exchanging `re` and
    /// `im` before and after gives the inverse.
    #[inline(always)]
    pub(crate) fn run(&self, x: &mut Signals, scratch: &mut Signals) {
        let (mut length, mut stride) = (self.n, 1);
        for &radix in &self.radices {
            let part = length / radix;
            for p in 0..part {
                let w = |k: usize| self.twiddles[(p * k * stride) % self.n];
                for q in 0..stride {
                    let at = |j: usize| q + stride * (p + part * j);
                    let to = |k: usize| q + stride * (radix * p + k);
                    match radix {
                        2 => {
                            let (a, b) = (x.at(at(0)), x.at(at(1)));
                            scratch.put(to(0), add(a, b));
                            scratch.put(to(1), times(sub(a, b), w(1)));
                        }
                        3 => {
                            let (a, b, c) = (x.at(at(0)), x.at(at(1)), x.at(at(2)));
                            let sum = add(b, c);
                            let middle = add(a, scale(sum, -0.5));
                            let turned = over_i(scale(sub(b, c), 0.866_025_4));
                            scratch.put(to(0), add(a, sum));
                            scratch.put(to(1), times(add(middle, turned), w(1)));
                            scratch.put(to(2), times(sub(middle, turned), w(2)));
                        }
                        _ => {
                            let (a, b) = (x.at(at(0)), x.at(at(1)));
                            let (c, d) = (x.at(at(2)), x.at(at(3)));
                            let (even, odd) = (add(a, c), add(b, d));
                            let (low, turned) = (sub(a, c), over_i(sub(b, d)));
                            scratch.put(to(0), add(even, odd));
                            scratch.put(to(1), times(add(low, turned), w(1)));
                            scratch.put(to(2), times(sub(even, odd), w(2)));
                            scratch.put(to(3), times(sub(low, turned), w(3)));
                        }
                    }
                }
            }
            std::mem::swap(x, scratch);
            length = part;
            stride *= radix;
        }
    }
}

type Complex = (Lane, Lane);

impl Signals {
    #[inline(always)]
    fn at(&self, i: usize) -> Complex {
        (self.re[i], self.im[i])
    }

    #[inline(always)]
    fn put(&mut self, i: usize, (re, im): Complex) {
        self.re[i] = re;
        self.im[i] = im;
    }
}

#[inline(always)]
fn map(a: &Lane, b: &Lane, f: impl Fn(f32, f32) -> f32) -> Lane {
    std::array::from_fn(|l| f(a[l], b[l]))
}

#[inline(always)]
fn add(a: Complex, b: Complex) -> Complex {
    (map(&a.0, &b.0, |a, b| a + b), map(&a.1, &b.1, |a, b| a + b))
}

#[inline(always)]
fn sub(a: Complex, b: Complex) -> Complex {
    (map(&a.0, &b.0, |a, b| a - b), map(&a.1, &b.1, |a, b| a - b))
}

#[inline(always)]
fn scale((re, im): Complex, s: f32) -> Complex {
    (re.map(|v| v * s), im.map(|v| v * s))
}

/// `z / i`.
#[inline(always)]
fn over_i((re, im): Complex) -> Complex {
    (im, re.map(|v| -v))
}

#[inline(always)]
fn times((re, im): Complex, (c, s): (f32, f32)) -> Complex {
    let real = map(&re, &im, |r, i| r.mul_add(c, -(i * s)));
    let imaginary = map(&re, &im, |r, i| r.mul_add(s, i * c));
    (real, imaginary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use latents_random::{Purpose, stream};

    #[test]
    fn the_transform_is_the_sum_that_defines_it() {
        for n in [1, 2, 3, 4, 6, 8, 9, 12, 64, 72, 96, 108, 128] {
            let mut s = stream(1, Purpose::Synthetic, n as u64, 0);
            let mut x = Signals::new(n);
            for group in x.re.iter_mut().chain(&mut x.im) {
                group.fill_with(|| s.normal() as f32);
            }
            let before = x.clone();
            Fft::new(n).unwrap().run(&mut x, &mut Signals::new(n));
            for k in 0..n {
                for lane in [0, 15] {
                    let (mut re, mut im) = (0.0, 0.0);
                    for t in 0..n {
                        let angle = -TAU * (t * k % n) as f64 / n as f64;
                        let (a, b) = (f64::from(before.re[t][lane]), f64::from(before.im[t][lane]));
                        re += a * angle.cos() - b * angle.sin();
                        im += a * angle.sin() + b * angle.cos();
                    }
                    let error =
                        (re - f64::from(x.re[k][lane])).hypot(im - f64::from(x.im[k][lane]));
                    assert!(error < 2e-6 * (n as f64).sqrt().max(1.0) * 4.0, "{n} {k}: {error}");
                }
            }
        }
        assert!(Fft::new(10).is_none());
    }
}
