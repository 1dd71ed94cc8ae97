//! Which values of an objective are best.

use serde::{Deserialize, Serialize};

/// Whether a study minimises or maximises its objective.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// The smallest value is best.
    #[default]
    Minimize,
    /// The largest value is best.
    Maximize,
}

impl Direction {
    /// The quantity to minimise: `value` itself, or its negative if the study maximises.
    #[must_use]
    pub fn loss(self, value: f64) -> f64 {
        match self {
            Direction::Minimize => value,
            Direction::Maximize => -value,
        }
    }
}
