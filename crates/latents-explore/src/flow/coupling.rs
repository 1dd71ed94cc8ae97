//! Affine couplings. Each keeps some of a row's numbers; a network computes from them by what the others are multiplied and what is added to
//! them. So it is invertible, and the logarithm of its Jacobian's determinant is the sum of the logarithms of the factors.
//!
//! A factor is `r + sqrt(r^2 + 1)`, the exponential of `asinh(r)`, with `r = 1.5 t / sqrt(1 + t^2)` for the network's output `t`: from .3 to
//! 3.3, so that no step overflows, and made of correctly rounded operations alone, so that its bits are the same everywhere. A factor that is
//! inverted is that of `-t`.

use std::sync::Arc;

use latents_engine::{
    Element, Engine, EngineOptions, Init, Inputs, Layer, Network, Pass, Runtime, Section,
    initialize,
};
use latents_random::{Purpose, stream};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::FlowConfig;
use crate::error::Error;
use crate::lanes::dispatch;

/// Rows that a task changes.
const ROWS: usize = 64;
/// Factors whose product is in range.
const HUNDREDS: usize = 400;
/// The largest absolute value of `r`.
const REACH: f64 = 1.5;

/// Which of a row's numbers a coupling keeps, and which it changes.
#[derive(Debug)]
struct Places {
    kept: Vec<usize>,
    changed: Vec<usize>,
}

/// A chain of couplings, first to last from latents to N(0, I).
#[derive(Debug)]
pub(super) struct Couplings<E> {
    /// All networks have one form, so one engine computes them all.
    engine: Engine<E>,
    places: Vec<Places>,
    /// Of all networks, one after the other.
    pub(super) parameters: Vec<E>,
}

/// What a coupling leaves for the gradient.
struct Passed<E> {
    /// `[n, kept]`
    kept: Vec<E>,
    /// The numbers before the change, `[n, changed]`.
    before: Vec<E>,
    /// The network's output, `[n, 2 changed]`: each `t`, then each number that is added.
    output: Vec<E>,
}

/// Applies a function to the numbers of some rows.
struct Change<'a, E, F> {
    wide: usize,
    /// `[n, wide]`
    numbers: &'a mut [E],
    /// `[n, 2 wide]`
    output: &'a [E],
    /// `[n, wide]`
    given: Option<&'a [E]>,
    /// `[n, wide]`
    more: &'a mut [f64],
    with: &'a F,
}

impl<E: Element, F: Fn(f64, f64, f64) -> (f64, f64)> WithSimd for Change<'_, E, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Change { wide, numbers, output, given, more, with } = self;
        let rows = numbers.chunks_exact_mut(wide).zip(more.chunks_exact_mut(wide));
        for (i, ((numbers, more), output)) in rows.zip(output.chunks_exact(2 * wide)).enumerate() {
            let (t, shift) = output.split_at(wide);
            let third = given.map_or(shift, |given| &given[i * wide..(i + 1) * wide]);
            for (((number, more), t), third) in numbers.iter_mut().zip(more).zip(t).zip(third) {
                let (new, other) = with(number.to_f64(), t.to_f64(), third.to_f64());
                (*number, *more) = (E::from_f64(new), other);
            }
        }
    }
}

/// A factor, and `dr/dt` divided by `sqrt(r^2 + 1)`: the derivative of the factor's logarithm.
#[inline(always)]
fn factor(t: f64) -> (f64, f64) {
    let size = (1.0 + t * t).sqrt();
    let r = REACH * t / size;
    let root = (r * r + 1.0).sqrt();
    (r + root, REACH / (size * size * size) / root)
}

impl<E: Element> Couplings<E> {
    /// Couplings that change nothing yet: the last layers of their networks are 0.
    pub(super) fn new(
        dim: usize,
        config: &FlowConfig,
        runtime: &Arc<Runtime>,
    ) -> Result<Self, Error> {
        let changed = dim / 2;
        let linear = |out_features| Layer::Linear { out_features };
        let (hidden, last) = (linear(config.hidden), linear(2 * changed));
        let layers = vec![hidden.clone(), Layer::Silu, hidden, Layer::Silu, last];
        let sections = vec![Section { name: "coupling".into(), layers }];
        let network = Network { input: [dim - changed, 1, 1], sections };
        let options = EngineOptions { input_gradients: true, ..EngineOptions::default() };
        let engine = Engine::with_options(&network, Arc::clone(runtime), options)?;
        let last = engine.layout().parameters_of(4..5);
        let (mut places, mut parameters) = (vec![], vec![]);
        let mut order: Vec<usize> = (0..dim).collect();
        for i in 0..config.couplings {
            // Of two couplings in a row, the second changes what the first keeps.
            if i % 2 == 0 {
                stream(config.seed, Purpose::Init, i as u64, 2).shuffle(&mut order);
            } else {
                order.rotate_left(changed);
            }
            let (changed, kept) = order.split_at(changed);
            places.push(Places { kept: kept.to_vec(), changed: changed.to_vec() });
            let seed = stream(config.seed, Purpose::Init, i as u64, 3).next_u64();
            let mut of_network = initialize(engine.layout(), Init::KaimingNormal, seed);
            of_network[last.clone()].fill(0.0);
            parameters.extend(of_network.into_iter().map(E::from_f32));
        }
        Ok(Couplings { engine, places, parameters })
    }

    pub(super) fn runtime(&self) -> &Arc<Runtime> {
        self.engine.runtime()
    }

    fn dim(&self) -> usize {
        self.places[0].kept.len() + self.places[0].changed.len()
    }

    /// The numbers at some places of rows `[n, d]`.
    fn gather(&self, x: &[E], places: &[usize]) -> Vec<E> {
        let rows = x.chunks_exact(self.dim());
        rows.flat_map(|row| places.iter().map(|&place| row[place])).collect()
    }

    /// The network's output for coupling `i` at rows `[n, d]`, and what it was computed from.
    fn pass(&mut self, i: usize, x: &[E]) -> Result<Passed<E>, Error> {
        let count = self.engine.layout().parameter_count();
        let Places { kept, changed } = &self.places[i];
        let (kept, before) = (self.gather(x, kept), self.gather(x, changed));
        let parameters = &self.parameters[i * count..(i + 1) * count];
        let output =
            self.engine.outputs(parameters, Inputs::Values(&kept), 0..1, Pass::Evaluate)?;
        Ok(Passed { kept, before, output })
    }

    /// Writes the numbers `[n, changed]` of coupling `i` into the rows `[n, d]`.
    fn scatter(&self, i: usize, numbers: &[E], x: &mut [E]) {
        let changed = &self.places[i].changed;
        for (row, numbers) in
            x.chunks_exact_mut(self.dim()).zip(numbers.chunks_exact(changed.len()))
        {
            for (&place, &number) in changed.iter().zip(numbers) {
                row[place] = number;
            }
        }
    }

    /// Applies coupling `i` to rows `[n, d]`, and adds the logarithm of its determinant to that of each `[n]`.
    fn step(&mut self, i: usize, x: &mut [E], logs: &mut [f64]) -> Result<Passed<E>, Error> {
        let passed = self.pass(i, x)?;
        let wide = self.places[i].changed.len();
        let (mut numbers, mut factors) = (passed.before.clone(), vec![0.0; passed.before.len()]);
        self.change(&mut numbers, &passed.output, None, &mut factors, |number, t, shift| {
            let (factor, _) = factor(t);
            (number * factor + shift, factor)
        });
        self.scatter(i, &numbers, x);
        // One logarithm for each row: the product of hundreds of factors is in range.
        for (log, factors) in logs.iter_mut().zip(factors.chunks_exact(wide)) {
            *log +=
                factors.chunks(HUNDREDS).map(|some| libm::log(some.iter().product())).sum::<f64>();
        }
        Ok(passed)
    }

    /// Applies `change` to numbers `[n, changed]`: it is given the number, the network's `t` and its shift, or the number of `given` in place of
    /// the shift. It returns the new number, and one for `more` `[n, changed]`.
    fn change(
        &self,
        numbers: &mut [E],
        output: &[E],
        given: Option<&[E]>,
        more: &mut [f64],
        change: impl Fn(f64, f64, f64) -> (f64, f64) + Sync,
    ) {
        let wide = self.places[0].changed.len();
        let size = ROWS * wide;
        self.runtime().run(|| {
            let parts = numbers.par_chunks_mut(size).zip(more.par_chunks_mut(size));
            parts.zip(output.par_chunks(2 * size)).enumerate().for_each(
                |(part, ((numbers, more), output))| {
                    let given = given.map(|given| &given[part * size..]);
                    dispatch(Change { wide, numbers, output, given, more, with: &change });
                },
            );
        });
    }

    /// Maps rows `[n, d]` towards N(0, I), and returns the logarithm of the determinant of each `[n]`.
    pub(super) fn forward(&mut self, x: &mut [E]) -> Result<Vec<f64>, Error> {
        let mut logs = vec![0.0; x.len() / self.dim()];
        for i in 0..self.places.len() {
            self.step(i, x, &mut logs)?;
        }
        Ok(logs)
    }

    /// Maps draws from N(0, I), `[n, d]`, to rows.
    pub(super) fn inverse(&mut self, x: &mut [E]) -> Result<(), Error> {
        for i in (0..self.places.len()).rev() {
            let Passed { output, mut before, .. } = self.pass(i, x)?;
            let mut more = vec![0.0; before.len()];
            self.change(&mut before, &output, None, &mut more, |number, t, shift| {
                ((number - shift) * factor(-t).0, 0.0)
            });
            self.scatter(i, &before, x);
        }
        Ok(())
    }

    /// The mean negative log-likelihood of rows `[n, d]` under N(0, I) without its constant, and its gradient for every parameter. The rows
    /// become their images.
    pub(super) fn gradients(&mut self, x: &mut [E], gradients: &mut [E]) -> Result<f64, Error> {
        let (n, count) = (x.len() / self.dim(), self.engine.layout().parameter_count());
        let (mut logs, mut passes) = (vec![0.0; n], vec![]);
        for i in 0..self.places.len() {
            passes.push(self.step(i, x, &mut logs)?);
        }
        let square = |v: &E| v.to_f64() * v.to_f64();
        let loss = 0.5 * x.iter().map(square).sum::<f64>() - logs.iter().sum::<f64>();
        let share = 1.0 / n as f64;
        let mut back: Vec<E> = x.iter().map(|v| E::from_f64(v.to_f64() * share)).collect();
        for (i, passed) in passes.iter().enumerate().rev() {
            let wide = self.places[i].changed.len();
            let of_shift = self.gather(&back, &self.places[i].changed);
            let (mut of_before, mut of_t) = (of_shift.clone(), vec![0.0; of_shift.len()]);
            let (output, before) = (&passed.output, Some(&passed.before[..]));
            self.change(&mut of_before, output, before, &mut of_t, |gradient, t, before| {
                let (factor, slope) = factor(t);
                (gradient * factor, (gradient * before * factor - share) * slope)
            });
            self.scatter(i, &of_before, &mut back);
            let rows = of_t.chunks_exact(wide).zip(of_shift.chunks_exact(wide));
            let of_output: Vec<E> = rows
                .flat_map(|(t, shift)| {
                    t.iter().map(|&t| E::from_f64(t)).chain(shift.iter().copied())
                })
                .collect();
            let range = i * count..(i + 1) * count;
            let inputs = Inputs::Values(&passed.kept);
            let (parameters, gradients) = (&self.parameters[range.clone()], &mut gradients[range]);
            let pass = Pass::Evaluate;
            let done =
                self.engine.backward(parameters, inputs, &of_output, 0..1, pass, gradients)?;
            let of_kept = done.input_gradients.unwrap_or_default();
            let Places { kept, .. } = &self.places[i];
            let rows = back.chunks_exact_mut(self.dim()).zip(of_kept.chunks_exact(kept.len()));
            for (back, of_kept) in rows {
                for (&place, &more) in kept.iter().zip(of_kept) {
                    back[place] = back[place].plus(more);
                }
            }
        }
        Ok(loss * share)
    }
}
