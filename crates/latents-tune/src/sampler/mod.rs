//! Which values to try next. A sampler draws from the trials before, by random numbers addressed by the study's seed and the trial's
//! number, so the same history gives the same values however often a study was stopped. It writes nothing down.

use std::collections::BTreeMap;
use std::sync::Arc;

use latents_random::{Purpose, Stream, stream};

use crate::distribution::Distribution;
use crate::trial::History;

mod cmaes;
mod grid;
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
pub use qmc::QuasiMonteCarlo;
pub use random::Random;
pub use tpe::{Tpe, relative_attrs};

/// Numbers that stand for the values of parameters, by name.
pub type Internal = BTreeMap<String, f64>;

/// Chooses the values of a trial.
pub trait Sampler: Send + Sync {
    /// Values for the parameters that can be chosen together, before the trial asks for any. Parameters that it leaves out are
    /// chosen one by one when they are asked for.
    fn sample_relative(&self, history: History<'_>, draws: Draws) -> Internal;

    /// The value of one parameter, as the number that stands for it.
    fn sample_independent(
        &self,
        history: History<'_>,
        draws: Draws,
        name: &str,
        distribution: &Arc<Distribution>,
    ) -> f64;
}

/// Random numbers of a trial.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    /// Of the study.
    pub seed: u64,
    /// Of the trial.
    pub number: u64,
}

impl Draws {
    /// The stream for a purpose within the trial: the name of a parameter, or of a group of them.
    #[must_use]
    pub fn stream(self, what: &str) -> Stream {
        stream(self.seed, Purpose::Trial, self.number, fnv(what))
    }

    /// Those that all trials of the study share, addressed by a number that no trial has.
    #[must_use]
    pub fn of_study(self) -> Self {
        Draws { number: u64::MAX, ..self }
    }
}

/// 64-bit FNV-1a (Fowler, Noll, Vo).
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
