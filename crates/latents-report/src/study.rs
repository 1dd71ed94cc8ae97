//! What the figures of a hyperparameter study show: its parameters and trials as plain numbers. This crate neither runs nor
//! stores studies.

use crate::scale::{Scale, drawable, extent};

/// How a trial ended. Trials that are waiting or running are not drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrialOutcome {
    /// It finished and has a value.
    Complete,
    /// It was stopped early by a pruner.
    Pruned,
    /// It ended without a value.
    Failed,
}

/// The kind of values that a parameter takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterKind {
    /// Numbers.
    Number {
        /// Whether the axis is logarithmic. A logarithmic axis leaves out values that are not positive.
        log: bool,
    },
    /// Named choices, in the order of their indices. A name can be any text.
    Choices(Vec<String>),
}

/// A parameter of a [`StudyView`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterView {
    /// Its name; any text.
    pub name: String,
    /// The kind of its values.
    pub kind: ParameterKind,
}

/// A trial of a [`StudyView`].
#[derive(Debug, Clone, PartialEq)]
pub struct TrialView {
    /// Number of the trial, counted from 0 in the order in which the trials started.
    pub number: u64,
    /// How the trial ended.
    pub outcome: TrialOutcome,
    /// Value of the objective. For a pruned trial, its last intermediate value.
    pub value: Option<f64>,
    /// For each parameter of the study its number, or the index of its choice; `None` if the trial lacks the parameter.
    pub params: Vec<Option<f64>>,
}

/// A hyperparameter study as its figures need it. Values that are not finite, or beyond 1e300, are never placed on an axis.
///
/// ```
/// use latents_report::{ParameterKind, ParameterView, StudyView, TrialOutcome, TrialView, trials};
///
/// let rate = ParameterView { name: "learning_rate".into(), kind: ParameterKind::Number { log: true } };
/// let trial = |number, rate, value| TrialView {
///     number,
///     outcome: TrialOutcome::Complete,
///     value: Some(value),
///     params: vec![Some(rate)],
/// };
/// let study = StudyView {
///     objective: "validation loss".into(),
///     lower_is_better: true,
///     parameters: vec![rate],
///     trials: vec![trial(0, 1e-2, 0.034), trial(1, 1e-3, 0.021)],
/// };
/// assert!(trials("Trials", &study).svg().contains("trial 1: 0.02100"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct StudyView {
    /// Name of the objective, such as "validation loss"; any text.
    pub objective: String,
    /// Whether the study minimises the objective.
    pub lower_is_better: bool,
    /// The parameters, in the order in which the figures show them.
    pub parameters: Vec<ParameterView>,
    /// The trials, in any order.
    pub trials: Vec<TrialView>,
}

impl TrialView {
    /// The value, if it can be placed on an axis.
    pub(crate) fn shown(&self) -> Option<f64> {
        self.value.filter(|&v| drawable(v))
    }

    /// The parameter at `index`, if it can be placed on `scale`.
    pub(crate) fn param(&self, index: usize, scale: &Scale) -> Option<f64> {
        self.params.get(index).copied().flatten().filter(|&v| scale.takes(v))
    }
}

impl StudyView {
    /// The value as a loss: lower is better.
    pub(crate) fn loss(&self, value: f64) -> f64 {
        if self.lower_is_better { value } else { -value }
    }

    /// The complete trials whose values can be drawn, with their values, from the worst to the best. Of equal values the
    /// earlier trial ranks better.
    pub(crate) fn ranked(&self) -> Vec<(&TrialView, f64)> {
        let complete = self.trials.iter().filter(|t| t.outcome == TrialOutcome::Complete);
        let mut ranked: Vec<_> = complete.filter_map(|t| Some((t, t.shown()?))).collect();
        ranked.sort_by(|a, b| {
            self.loss(b.1).total_cmp(&self.loss(a.1)).then(b.0.number.cmp(&a.0.number))
        });
        ranked
    }

    /// The axis of the parameter at `index`, for the values that the trials have.
    pub(crate) fn scale(&self, index: usize, trials: &[(&TrialView, f64)]) -> Scale {
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

    /// A note that counts the trials missing from [`StudyView::ranked`]; empty if none is missing.
    pub(crate) fn left_out(&self) -> String {
        let of = |outcome| self.trials.iter().filter(move |t| t.outcome == outcome);
        let counts = [
            (of(TrialOutcome::Pruned).count(), "pruned"),
            (of(TrialOutcome::Failed).count(), "failed"),
            (
                of(TrialOutcome::Complete).filter(|t| t.shown().is_none()).count(),
                "without a finite value",
            ),
        ];
        let counts = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
        let counts: Vec<String> = counts.collect();
        if counts.is_empty() { String::new() } else { format!("not shown: {}", counts.join(", ")) }
    }
}
