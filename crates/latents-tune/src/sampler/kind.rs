//! The list of samplers that can be chosen by name. To add a sampler, add it here.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::kinds::kinds;
use crate::sampler::{CmaEs, Grid, QuasiMonteCarlo, Random, Tpe, TrialSampler};
use crate::space::Space;

kinds! {
    /// A sampler, by its name.
    ///
    /// ```
    /// use latents_tune::{SamplerKind, Space};
    ///
    /// let space: Space = serde_json::from_str(r#"{"x": {"int": [1, 4]}}"#)?;
    /// let sampler = "grid".parse::<SamplerKind>()?.build(Some(&space))?;
    /// assert_eq!(SamplerKind::default().to_string(), "tpe");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub enum SamplerKind: "sampler" {
        #[default]
        Tpe = "tpe": "Tree-structured Parzen estimator, all parameters together (Optuna's default)",
        TpeGroup = "tpe-group": "TPE that samples parameters with the same conditions together",
        TpeUnivariate = "tpe-univariate": "TPE that samples each parameter on its own",
        CmaEs = "cma-es": "CMA-ES, for many trials of a few numbers that depend on each other",
        Random = "random": "Uniformly at random",
        Qmc = "qmc": "Sobol sequence, which fills the space evenly",
        Grid = "grid": "Every combination once, in random order; only for parameters with few values",
    }
}

impl SamplerKind {
    /// Makes the sampler, with its default settings, for trials over `space`, or, without one, for trials that name their parameters one by one.
    ///
    /// # Errors
    /// If the sampler does not support the space: a grid needs one, of parameters with few values and without conditions.
    pub fn build(self, space: Option<&Space>) -> Result<Box<dyn TrialSampler>, Error> {
        Ok(match self {
            SamplerKind::Tpe => Box::new(Tpe::default()),
            SamplerKind::TpeGroup => Box::new(Tpe { group: true, ..Tpe::default() }),
            SamplerKind::TpeUnivariate => Box::new(Tpe { multivariate: false, ..Tpe::default() }),
            SamplerKind::CmaEs => Box::new(CmaEs::default()),
            SamplerKind::Random => Box::new(Random),
            SamplerKind::Qmc => Box::new(QuasiMonteCarlo),
            SamplerKind::Grid => {
                let Some(space) = space else {
                    let fault =
                        "the sampler grid needs to know all parameters before the first trial";
                    return Err(Error::Space(fault.into()));
                };
                let dimensions = space.dimensions();
                if dimensions.iter().any(|dimension| !dimension.when.is_empty()) {
                    let fault = "the sampler grid does not support conditions";
                    return Err(Error::Space(fault.into()));
                }
                let values =
                    dimensions.iter().map(|d| (d.name.clone(), d.distribution.clone().into()));
                Box::new(Grid::new(&values.collect(), &BTreeMap::new())?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_files() {
        for &kind in SamplerKind::ALL {
            assert_eq!(serde_json::json!(kind), kind.name());
            assert_eq!(kind.to_string().parse::<SamplerKind>().unwrap(), kind);
            assert!(!kind.about().is_empty() && !kind.about().ends_with('.'));
        }
        let said = "sobol".parse::<SamplerKind>().unwrap_err().to_string();
        assert_eq!(
            said,
            "unknown sampler `sobol`; use one of tpe, tpe-group, tpe-univariate, cma-es, random, qmc, grid"
        );
    }

    #[test]
    fn a_grid_does_not_support_every_space() {
        let build = |json: &str| {
            let space: Space = serde_json::from_str(json).unwrap();
            for &kind in SamplerKind::ALL {
                assert_eq!(kind.build(None).is_ok(), kind != SamplerKind::Grid);
                assert!(kind == SamplerKind::Grid || kind.build(Some(&space)).is_ok(), "{kind}");
            }
            SamplerKind::Grid.build(Some(&space)).map(drop).map_err(|e| e.to_string())
        };
        assert_eq!(build(r#"{"n": {"int": [1, 9]}, "kind": {"choices": ["a", "b"]}}"#), Ok(()));
        let float = build(r#"{"x": {"float": [0, 1]}}"#).unwrap_err();
        assert!(float.contains("grid: parameter `x`"), "{float}");
        let conditional =
            build(r#"{"n": {"int": [1, 9], "when": {"kind": "a"}}, "kind": {"choices": ["a"]}}"#);
        assert_eq!(
            conditional.unwrap_err(),
            "search space: the sampler grid does not support conditions"
        );
    }
}
