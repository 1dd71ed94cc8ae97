//! Samplers, which choose the values to try next. A sampler learns from earlier trials and draws random numbers that are addressed by the
//! study's seed and the trial's number. So the same history gives the same values, however often a study was interrupted. A sampler has
//! no state.

use std::collections::BTreeMap;
use std::sync::Arc;

use latents_random::{Purpose, Stream, stream};

use crate::distribution::Distribution;
use crate::trial::History;

mod cmaes;
mod grid;
mod kind;
pub mod parzen;
mod qmc;
mod random;
#[cfg(test)]
mod testing;
mod tpe;
mod truncnorm;
mod unit;

pub use cmaes::CmaEs;
pub use grid::Grid;
pub use kind::SamplerKind;
pub use qmc::QuasiMonteCarlo;
pub use random::Random;
pub use tpe::{Tpe, relative_attrs};

/// Internal numbers of parameters, by name. [`Distribution::value`] gives the values that they represent.
pub type Internal = BTreeMap<String, f64>;

/// Chooses the values of a trial.
///
/// ```
/// use std::sync::Arc;
///
/// use latents_tune::sampler::{Draws, Random, TrialSampler};
/// use latents_tune::{Direction, Distribution, History};
///
/// let history = History { direction: Direction::Minimize, trials: &[] };
/// let distribution = Arc::new(Distribution::int(1, 6)?);
/// let draw = |number| {
///     Random.sample_independent(history, Draws { seed: 1, number }, "x", &distribution)
/// };
/// assert!((0..100).all(|number| distribution.contains(draw(number))));
/// assert_eq!(draw(7), draw(7));
/// # Ok::<(), latents_tune::Error>(())
/// ```
pub trait TrialSampler: Send + Sync {
    /// Samples the parameters that can be sampled jointly, before the trial requests any. Parameters that are not in the result are
    /// sampled independently when they are requested.
    fn sample_relative(&self, history: History<'_>, draws: Draws) -> Internal;

    /// Samples one parameter. Returns its internal number.
    fn sample_independent(
        &self,
        history: History<'_>,
        draws: Draws,
        name: &str,
        distribution: &Arc<Distribution>,
    ) -> f64;
}

/// The random numbers of a trial.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    /// Seed of the study.
    pub seed: u64,
    /// Number of the trial.
    pub number: u64,
}

impl Draws {
    /// The stream for a purpose within the trial: the name of a parameter or of a group of parameters.
    #[must_use]
    pub fn stream(self, what: &str) -> Stream {
        stream(self.seed, Purpose::Trial, self.number, fnv(what))
    }

    /// The random numbers that all trials of the study share. They are addressed by a number that no trial has.
    #[must_use]
    pub fn of_study(self) -> Self {
        Draws { number: u64::MAX, ..self }
    }
}

/// The 64-bit FNV-1a hash (Fowler, Noll, Vo).
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
