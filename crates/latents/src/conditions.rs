//! The conditions that a network is given beside its inputs: the class of each sample.

use std::ops::Range;

use latents_models::one_hot;

/// The classes of samples as a network takes them; nothing for a network without a condition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions {
    classes: Vec<u16>,
    features: usize,
    /// The number that stands for a class.
    value: f64,
}

impl Conditions {
    /// Classes of a network that takes `features` numbers, of which `value` stands for a class.
    pub(crate) fn new(classes: Vec<u16>, features: usize, value: f64) -> Self {
        Conditions { classes, features, value }
    }

    /// The conditions `[n, features]` of some samples.
    pub(crate) fn of(&self, samples: Range<usize>) -> Vec<f32> {
        if self.features == 0 {
            return vec![];
        }
        one_hot(&self.classes[samples], self.features, self.value)
    }

    /// The class of each sample; empty if the network takes none.
    pub(crate) fn classes(&self) -> &[u16] {
        &self.classes
    }
}
