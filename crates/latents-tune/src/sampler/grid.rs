//! Grid search: all combinations of some values.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::distribution::Distribution;
use crate::error::Error;
use crate::sampler::random::Random;
use crate::sampler::{Draws, Internal, TrialSampler};
use crate::trial::History;
use crate::value::Value;

/// Maximum number of points. The order of the points is a list in memory.
const MAX_POINTS: usize = 1_000_000;

/// All combinations of some values, in an order shuffled by the seed. The number of a trial alone determines its point: after as many
/// trials as the grid has points, the order starts again. A point whose trial failed is not tried again before that. Parameters that
/// are not in the grid are drawn at random.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    axes: BTreeMap<String, Vec<f64>>,
}

impl Grid {
    /// The grid over `space`, with the given values of each parameter, or all of its values if none are given.
    ///
    /// # Errors
    /// If a parameter without given values has too many or no countable values, a given value is not one of the parameter's or belongs
    /// to a parameter that is not in the space, or the grid has more than a million points.
    pub fn new(
        space: &BTreeMap<String, Arc<Distribution>>,
        values: &BTreeMap<String, Vec<Value>>,
    ) -> Result<Self, Error> {
        if let Some(name) = values.keys().find(|name| !space.contains_key(*name)) {
            return Err(Error::Space(format!("grid: there is no parameter `{name}`")));
        }
        let mut axes = BTreeMap::new();
        for (name, distribution) in space {
            let axis = match values.get(name) {
                Some(values) => given(distribution, values),
                None => own(distribution),
            };
            let axis = axis.map_err(|e| Error::Space(format!("grid: parameter `{name}`: {e}")))?;
            axes.insert(name.clone(), axis);
        }
        let size = axes.values().try_fold(1usize, |size, axis| size.checked_mul(axis.len()));
        if size.is_none_or(|size| size > MAX_POINTS) {
            let fault = format!("grid: there are more than {MAX_POINTS} points; give fewer values");
            return Err(Error::Space(fault));
        }
        Ok(Grid { axes })
    }

    /// Number of points.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.axes.values().map(|axis| axis.len() as u64).product()
    }
}

impl TrialSampler for Grid {
    fn sample_relative(&self, _history: History<'_>, draws: Draws) -> Internal {
        let mut order: Vec<u32> = (0..self.size() as u32).collect();
        draws.of_study().stream("grid").shuffle(&mut order);
        let mut point = order[(draws.number % self.size()) as usize] as usize;
        let pick = |(name, axis): (&String, &Vec<f64>)| {
            let value = axis[point % axis.len()];
            point /= axis.len();
            (name.clone(), value)
        };
        self.axes.iter().map(pick).collect()
    }

    fn sample_independent(
        &self,
        history: History<'_>,
        draws: Draws,
        name: &str,
        distribution: &Arc<Distribution>,
    ) -> f64 {
        Random.sample_independent(history, draws, name, distribution)
    }
}

/// The internal numbers of given values.
fn given(distribution: &Distribution, values: &[Value]) -> Result<Vec<f64>, Error> {
    if values.is_empty() {
        return Err(Error::Distribution("no values are given".into()));
    }
    let number = |value| {
        let x = distribution.internal(value)?;
        let fault =
            || Error::Distribution(format!("{distribution}: {value} is not one of its values"));
        distribution.contains(x).then_some(x).ok_or_else(fault)
    };
    values.iter().map(number).collect()
}

/// The internal numbers of all values, if they are countable.
fn own(distribution: &Distribution) -> Result<Vec<f64>, Error> {
    let (low, high, step) = match *distribution {
        Distribution::Float { low, high, step: Some(step), .. } => (low, high, step),
        Distribution::Float { low, high, .. } if low == high => (low, high, 1.0),
        Distribution::Float { .. } => {
            let fault = format!(
                "{distribution} has no countable values: give it a step or choices, or use another sampler"
            );
            return Err(Error::Distribution(fault));
        }
        Distribution::Int { low, high, step, .. } => (low as f64, high as f64, step as f64),
        Distribution::Categorical { ref choices } => (0.0, (choices.len() - 1) as f64, 1.0),
    };
    let steps = ((high - low) / step).round_ties_even();
    if steps >= MAX_POINTS as f64 {
        let fault =
            format!("{distribution} has more than {MAX_POINTS} values; give the values to try");
        return Err(Error::Distribution(fault));
    }
    Ok((0..=steps as u32).map(|i| (low + f64::from(i) * step).min(high)).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::sampler::testing::study;

    fn space(
        parts: [(&str, Result<Distribution, Error>); 3],
    ) -> BTreeMap<String, Arc<Distribution>> {
        parts.into_iter().map(|(name, d)| (name.to_owned(), Arc::new(d.unwrap()))).collect()
    }

    fn points(grid: &Grid, seed: u64, numbers: std::ops::Range<u64>) -> Vec<Vec<i64>> {
        let history = study(Vec::new());
        let point = |number| grid.sample_relative(history.view(), Draws { seed, number });
        let milli = |point: Internal| point.values().map(|x| (x * 1e3).round() as i64).collect();
        numbers.map(|number| milli(point(number))).collect()
    }

    #[test]
    fn every_combination_comes_once_then_again() {
        let space = space([
            ("depth", Distribution::stepped_int(2, 6, 2)),
            ("kind", Distribution::categorical(["a", "b"])),
            ("rate", Distribution::log_float(1e-3, 1.0)),
        ]);
        let rates = BTreeMap::from([("rate".to_owned(), vec![0.01.into(), 0.1.into()])]);
        let grid = Grid::new(&space, &rates).unwrap();
        assert_eq!(grid.size(), 12);
        let once = points(&grid, 1, 0..12);
        let mut expected = BTreeSet::new();
        for depth in [2, 4, 6] {
            for kind in [0, 1] {
                expected.extend([10, 100].map(|rate| vec![depth * 1000, kind * 1000, rate]));
            }
        }
        assert_eq!(once.iter().cloned().collect::<BTreeSet<_>>(), expected);
        assert_eq!(points(&grid, 1, 12..24), once);
        assert_ne!(points(&grid, 2, 0..12), once);
    }

    #[test]
    fn steps_of_decimal_numbers_are_all_there() {
        let distribution = Distribution::stepped_float(0.0, 0.3, 0.1).unwrap();
        let own = own(&distribution).unwrap();
        assert_eq!(own.len(), 4);
        assert_eq!(own[3], 0.3);
        assert!(own.iter().all(|&x| distribution.contains(x)));
    }

    #[test]
    fn grids_that_cannot_be_are_named() {
        let space = space([
            ("count", Distribution::int(0, 1_999)),
            ("many", Distribution::int(0, 999)),
            ("rate", Distribution::float(0.0, 1.0)),
        ]);
        let grid = |values: &[(&str, Vec<Value>)]| {
            let values = values.iter().map(|(name, v)| ((*name).to_owned(), v.clone())).collect();
            Grid::new(&space, &values).unwrap_err().to_string()
        };
        assert!(grid(&[]).contains("`rate`: float in 0.0..1.0 has no countable values"));
        assert!(grid(&[("rate", vec![2.0.into()])]).contains("2.0 is not one of its values"));
        assert!(grid(&[("rate", vec![])]).contains("no values are given"));
        assert!(grid(&[("speed", vec![])]).contains("no parameter `speed`"));
        assert!(grid(&[("rate", vec![0.5.into()])]).contains("more than 1000000 points"));
    }
}
