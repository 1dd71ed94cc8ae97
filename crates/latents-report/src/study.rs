//! What the figures of a hyper-parameter study are drawn from: its parameters and trials as plain numbers. How a study
//! is run or stored is no matter of this crate.

use crate::scale::{Scale, drawable, extent};

/// Which values of the objective are better.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Direction {
    /// Small ones.
    #[default]
    Minimize,
    /// Large ones.
    Maximize,
}

/// What has become of a trial. Trials that still run or wait are not drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrialState {
    /// It has its value.
    Complete,
    /// It was stopped early.
    Pruned,
    /// It ended without a value.
    Failed,
}

/// What values a parameter takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterKind {
    /// Numbers.
    Number {
        /// Whether they are shown by their logarithm; those not above zero are then left out.
        log: bool,
    },
    /// Named choices, in the order of their indices; any text.
    Choices(Vec<String>),
}

/// A parameter of a [`Study`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// What it is called; any text.
    pub name: String,
    /// What values it takes.
    pub kind: ParameterKind,
}

/// A trial of a [`Study`].
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// From 0, in the order in which the trials began.
    pub number: u64,
    /// What has become of it.
    pub state: TrialState,
    /// The objective; of a pruned trial the last that it reported.
    pub value: Option<f64>,
    /// For each of the study's parameters the number or the index of the choice; none where the trial lacks it.
    pub params: Vec<Option<f64>>,
}

/// A study as its figures need it. Values that are not finite (or beyond 1e300) are never placed on an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Study {
    /// What the objective is, such as "validation loss"; any text.
    pub objective: String,
    /// Which of its values are better.
    pub direction: Direction,
    /// In the order in which they are shown.
    pub parameters: Vec<Parameter>,
    /// In any order.
    pub trials: Vec<Trial>,
}

impl Trial {
    /// Its value, where that can be placed on an axis.
    pub(crate) fn shown(&self) -> Option<f64> {
        self.value.filter(|&v| drawable(v))
    }

    /// The parameter at `index`, where it can be placed on `scale`.
    pub(crate) fn param(&self, index: usize, scale: &Scale) -> Option<f64> {
        self.params.get(index).copied().flatten().filter(|&v| scale.takes(v))
    }
}

impl Study {
    /// A number that is less for what is better.
    pub(crate) fn loss(&self, value: f64) -> f64 {
        match self.direction {
            Direction::Minimize => value,
            Direction::Maximize => -value,
        }
    }

    /// The complete trials whose values can be drawn, with these, from the worst to the best; of equals the earlier
    /// counts as better.
    pub(crate) fn ranked(&self) -> Vec<(&Trial, f64)> {
        let complete = self.trials.iter().filter(|t| t.state == TrialState::Complete);
        let mut ranked: Vec<_> = complete.filter_map(|t| Some((t, t.shown()?))).collect();
        ranked.sort_by(|a, b| {
            self.loss(b.1).total_cmp(&self.loss(a.1)).then(b.0.number.cmp(&a.0.number))
        });
        ranked
    }

    /// The axis of the parameter at `index`, for the values that the trials have.
    pub(crate) fn scale(&self, index: usize, trials: &[(&Trial, f64)]) -> Scale {
        let log = match &self.parameters[index].kind {
            ParameterKind::Choices(names) => return Scale::choices(names),
            ParameterKind::Number { log } => *log,
        };
        let values = || trials.iter().filter_map(|(t, _)| t.params.get(index).copied().flatten());
        if log {
            let positive = values().filter(|&v| Scale::takes_log(v));
            return extent(positive).map_or(Scale::log(0.1, 1.0), |(lo, hi)| Scale::log(lo, hi));
        }
        let whole = values().filter(|&v| drawable(v)).all(|v| v.fract() == 0.0);
        let (lo, hi) = extent(values()).unwrap_or((0.0, 1.0));
        let room = (hi - lo) * 0.05;
        Scale::linear(lo - room, hi + room, whole)
    }

    /// Says which trials have no place among [`Study::ranked`]; empty where all have.
    pub(crate) fn left_out(&self) -> String {
        let of = |state| self.trials.iter().filter(move |t| t.state == state);
        let counts = [
            (of(TrialState::Pruned).count(), "pruned"),
            (of(TrialState::Failed).count(), "failed"),
            (
                of(TrialState::Complete).filter(|t| t.shown().is_none()).count(),
                "without a finite value",
            ),
        ];
        let counts = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
        let counts: Vec<String> = counts.collect();
        if counts.is_empty() { String::new() } else { format!("not shown: {}", counts.join(", ")) }
    }
}
