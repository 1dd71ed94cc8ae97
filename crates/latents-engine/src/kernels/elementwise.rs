//! Elementwise operations: activations forward and backward, multiplication by masks, and sums.

use crate::layer::Layer;
use crate::number::Number;
use crate::simd::{Kernel, LANES, Simd};

/// An activation that is computed by its own operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Activation {
    /// A copy, if a layer that works in place must not change its input.
    Identity,
    Rectify(f64),
    Silu,
    Gelu,
    Sigmoid,
    Tanh,
    /// Limits to `[0, 1]`; the derivative is 1 everywhere.
    Clip,
    ContinuousBernoulliMean,
}

impl Activation {
    /// The activation that a layer is, if it is one.
    pub(crate) fn of(layer: &Layer) -> Option<Self> {
        Some(match *layer {
            Layer::Relu => Activation::Rectify(0.0),
            Layer::LeakyRelu { slope } => Activation::Rectify(slope),
            Layer::Silu => Activation::Silu,
            Layer::Gelu => Activation::Gelu,
            Layer::Sigmoid => Activation::Sigmoid,
            Layer::Tanh => Activation::Tanh,
            Layer::Clip => Activation::Clip,
            Layer::ContinuousBernoulliMean => Activation::ContinuousBernoulliMean,
            _ => return None,
        })
    }

    #[inline(always)]
    fn value<E: Number>(self, x: E) -> E {
        let one = E::from_f64(1.0);
        match self {
            Activation::Identity => x,
            Activation::Clip if x > one => one,
            Activation::Clip | Activation::Rectify(_) if x > E::default() => x,
            Activation::Clip => E::default(),
            Activation::Rectify(slope) => x.times(E::from_f64(slope)),
            Activation::Silu => x.times(sigmoid(x)),
            Activation::Gelu => x.times(normal_cdf(x)),
            Activation::Sigmoid => sigmoid(x),
            Activation::ContinuousBernoulliMean => continuous_bernoulli_mean(x),
            // 1 - 2 / (e^2x + 1): an absolute error of one unit in the last place of 1.
            Activation::Tanh => {
                let e = x.plus(x).exp();
                one.minus(E::from_f64(2.0).over(e.plus(one)))
            }
        }
    }

    /// Whether the derivative is computed from the value, which is cheaper than to compute the value again.
    #[inline(always)]
    pub(crate) fn slope_is_of_value(self) -> bool {
        matches!(self, Activation::Sigmoid | Activation::Tanh)
    }

    /// The derivative at input `x`, or at value `x` if [`Activation::slope_is_of_value`].
    #[inline(always)]
    fn slope<E: Number>(self, x: E) -> E {
        let one = E::from_f64(1.0);
        match self {
            Activation::Identity | Activation::Clip => one,
            Activation::Rectify(_) if x > E::default() => one,
            Activation::Rectify(slope) => E::from_f64(slope),
            Activation::Silu => {
                let s = sigmoid(x);
                s.times(x.times(one.minus(s)).plus(one))
            }
            Activation::Gelu => {
                let density = x.times(x).times(E::from_f64(-0.5)).exp();
                let density = density.times(E::from_f64(0.398_942_280_401_432_7));
                normal_cdf(x).plus(x.times(density))
            }
            Activation::Sigmoid => x.times(one.minus(x)),
            Activation::Tanh => one.minus(x.times(x)),
            Activation::ContinuousBernoulliMean => continuous_bernoulli_variance(x),
        }
    }
}

#[inline(always)]
pub(crate) fn sigmoid<E: Number>(x: E) -> E {
    let one = E::from_f64(1.0);
    one.over(one.plus(E::default().minus(x).exp()))
}

/// 1 / (1 - e^-z) - 1 / z, and its series near zero.
#[inline(always)]
pub(crate) fn continuous_bernoulli_mean<E: Number>(z: E) -> E {
    let (zero, one, half) = (E::default(), E::from_f64(1.0), E::from_f64(0.5));
    let size = if z > zero { z } else { zero.minus(z) };
    let far = one.over(one.minus(zero.minus(size).exp())).minus(one.over(size));
    let q = size.times(size);
    let mut p = E::from_f64(1.0 / 47_900_160.0);
    for c in [-1.0 / 1_209_600.0, 1.0 / 30_240.0, -1.0 / 720.0, 1.0 / 12.0] {
        p = p.fused(q, E::from_f64(c));
    }
    let near = p.fused(size, half);
    let mean = if size < half { near } else { far };
    if z > zero { mean } else { one.minus(mean) }
}

/// The derivative of the mean: 1 / z^2 - e^-z / (1 - e^-z)^2, and its series near zero.
#[inline(always)]
fn continuous_bernoulli_variance<E: Number>(z: E) -> E {
    let (zero, one, half) = (E::default(), E::from_f64(1.0), E::from_f64(0.5));
    let size = if z > zero { z } else { zero.minus(z) };
    let q = size.times(size);
    let e = zero.minus(size).exp();
    let rest = one.minus(e);
    let far = one.over(q).minus(e.over(rest.times(rest)));
    let mut p = E::from_f64(9.0 / 47_900_160.0);
    for c in [-7.0 / 1_209_600.0, 5.0 / 30_240.0, -3.0 / 720.0, 1.0 / 12.0] {
        p = p.fused(q, E::from_f64(c));
    }
    if size < half { p } else { far }
}

#[inline(always)]
fn normal_cdf<E: Number>(x: E) -> E {
    let half = E::from_f64(0.5);
    let scaled = x.times(E::from_f64(std::f64::consts::FRAC_1_SQRT_2));
    scaled.erf().fused(half, half)
}

/// Compiles a loop once for each kind of activation, so that each loop becomes vector code.
macro_rules! each_kind {
    ($activation:expr, $kind:ident => $body:block) => {
        each_kind!(@match $activation, $kind, $body,
            Activation::Identity, Activation::Silu, Activation::Gelu, Activation::Sigmoid, Activation::Tanh, Activation::Clip,
            Activation::ContinuousBernoulliMean)
    };
    (@match $activation:expr, $kind:ident, $body:block, $($plain:path),*) => {
        match $activation {
            $($plain => {
                let $kind = $plain;
                $body
            })*
            Activation::Rectify(slope) => {
                let $kind = Activation::Rectify(slope);
                $body
            }
        }
    };
}

/// `output = f(input)`; stores in `input` what the derivative needs.
pub(crate) struct Forward<'a, E> {
    pub(crate) activation: Activation,
    pub(crate) input: &'a mut [E],
    pub(crate) output: &'a mut [E],
    /// Whether `input` may be overwritten.
    pub(crate) differentiate: bool,
}

impl<E: Number> Kernel<E> for Forward<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, _: S) {
        each_kind!(self.activation, kind => {
            for (y, &x) in self.output.iter_mut().zip(&*self.input) {
                *y = kind.value(x);
            }
        });
        if self.differentiate && self.activation.slope_is_of_value() {
            self.input.copy_from_slice(self.output);
        }
    }
}

/// `input = gradient * f'`; reads from `input` what [`Forward`] stored.
pub(crate) struct Backward<'a, E> {
    pub(crate) activation: Activation,
    pub(crate) input: &'a mut [E],
    pub(crate) gradient: &'a [E],
}

impl<E: Number> Kernel<E> for Backward<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, _: S) {
        each_kind!(self.activation, kind => {
            for (x, &g) in self.input.iter_mut().zip(self.gradient) {
                *x = g.times(kind.slope(*x));
            }
        });
    }
}

/// `values *= factors`, number by number.
pub(crate) struct Multiply<'a, E> {
    pub(crate) values: &'a mut [E],
    pub(crate) factors: &'a [E],
}

impl<E: Number> Kernel<E> for Multiply<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, _: S) {
        for (x, &f) in self.values.iter_mut().zip(self.factors) {
            *x = x.times(f);
        }
    }
}

/// `output = branch * factors + shortcut`, with a factor for each lane.
pub(crate) struct Join<'a, E> {
    pub(crate) branch: &'a [E],
    pub(crate) factors: &'a [E; LANES],
    pub(crate) shortcut: &'a [E],
    pub(crate) output: &'a mut [E],
}

impl<E: Number> Kernel<E> for Join<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, _: S) {
        let pixels = self.output.as_chunks_mut::<LANES>().0.iter_mut();
        let both =
            self.branch.as_chunks::<LANES>().0.iter().zip(self.shortcut.as_chunks::<LANES>().0);
        for (out, (b, s)) in pixels.zip(both) {
            for lane in 0..LANES {
                out[lane] = b[lane].fused(self.factors[lane], s[lane]);
            }
        }
    }
}

/// `output = input * factors`, with a factor for each lane.
pub(crate) struct Scale<'a, E> {
    pub(crate) input: &'a [E],
    pub(crate) factors: &'a [E; LANES],
    pub(crate) output: &'a mut [E],
}

impl<E: Number> Kernel<E> for Scale<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, _: S) {
        let pixels = self.output.as_chunks_mut::<LANES>().0.iter_mut();
        for (out, x) in pixels.zip(self.input.as_chunks::<LANES>().0) {
            for lane in 0..LANES {
                out[lane] = x[lane].times(self.factors[lane]);
            }
        }
    }
}

/// `values += terms`, number by number.
pub(crate) struct Add<'a, E> {
    pub(crate) values: &'a mut [E],
    pub(crate) terms: &'a [E],
}

impl<E: Number> Kernel<E> for Add<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<E = E>>(self, _: S) {
        for (x, &t) in self.values.iter_mut().zip(self.terms) {
            *x = x.plus(t);
        }
    }
}
