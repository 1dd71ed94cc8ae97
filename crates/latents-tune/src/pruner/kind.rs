//! The list of pruners that can be chosen by name. To add a pruner, add it here.

use crate::error::Error;
use crate::kinds::kinds;
use crate::pruner::{Hyperband, Never, Patient, Percentile, Pruner, SuccessiveHalving};

kinds! {
    /// A pruner, by its name.
    ///
    /// ```
    /// use latents_tune::PrunerKind;
    ///
    /// let pruner = "hyperband".parse::<PrunerKind>()?.build(0, None)?;
    /// assert_eq!(PrunerKind::default().to_string(), "median");
    /// # Ok::<(), latents_tune::Error>(())
    /// ```
    pub enum PrunerKind: "pruner" {
        #[default]
        Median = "median": "Stops trials that are worse than the median of the complete ones at the same step",
        Percentile = "percentile": "Stops all but the best quarter at each step",
        Halving = "halving": "Asynchronous successive halving",
        Hyperband = "hyperband": "Hyperband: several successive halvings that begin at different rungs",
        None = "none": "Stops no trial",
    }
}

impl PrunerKind {
    /// Makes the pruner.
    ///
    /// The median and percentile pruners stop no trial before step `warmup`; the others ignore it. With a `patience`, a trial is
    /// stopped only if it has not improved within its last `patience` reports.
    ///
    /// # Errors
    /// If the settings contradict themselves.
    pub fn build(self, warmup: u64, patience: Option<usize>) -> Result<Box<dyn Pruner>, Error> {
        let n_warmup_steps = warmup;
        let base: Box<dyn Pruner> = match self {
            PrunerKind::Median => Box::new(Percentile { n_warmup_steps, ..Percentile::median() }),
            PrunerKind::Percentile => {
                Box::new(Percentile { percentile: 25.0, n_warmup_steps, ..Percentile::median() })
            }
            PrunerKind::Halving => Box::new(SuccessiveHalving::default()),
            PrunerKind::Hyperband => Box::new(Hyperband::default()),
            PrunerKind::None => Box::new(Never),
        };
        let pruner: Box<dyn Pruner> = match patience {
            Some(patience) => Box::new(Patient { wrapped: Some(base), patience, min_delta: 0.0 }),
            None => base,
        };
        pruner.check()?;
        Ok(pruner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::trial;
    use super::*;
    use crate::direction::Direction;
    use crate::trial::{History, TrialState};

    #[test]
    fn names_are_those_of_files() {
        for &kind in PrunerKind::ALL {
            assert_eq!(serde_json::json!(kind), kind.name());
            assert_eq!(kind.to_string().parse::<PrunerKind>().unwrap(), kind);
            assert!(!kind.about().is_empty() && !kind.about().ends_with('.'));
        }
        let said = "asha".parse::<PrunerKind>().unwrap_err().to_string();
        assert_eq!(
            said,
            "unknown pruner `asha`; use one of median, percentile, halving, hyperband, none"
        );
    }

    #[test]
    fn warmup_and_patience_spare_a_trial() {
        let others: Vec<_> = (0..5)
            .map(|number| trial(number, TrialState::Complete, &[0.0, 0.0, 0.0]).into())
            .collect();
        let history = History { direction: Direction::Minimize, trials: &others };
        let running = trial(5, TrialState::Running, &[3.0, 2.0, 1.0]);
        let stops = |kind: PrunerKind, warmup, patience| {
            kind.build(warmup, patience).unwrap().prune("", history, &running)
        };
        for kind in [PrunerKind::Median, PrunerKind::Percentile] {
            assert!(stops(kind, 2, None) && !stops(kind, 3, None) && !stops(kind, 2, Some(1)));
        }
        assert!(!stops(PrunerKind::None, 0, None));
    }
}
