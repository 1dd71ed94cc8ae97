//! Quasi-random points, which cover a space more evenly than random ones: Sobol' sequences (I. M. Sobol', 1967) with the direction numbers of S. Joe
//! and F. Y. Kuo, "Constructing Sobol sequences with better two-dimensional projections", 2008.

use std::sync::Arc;

use crate::distribution::Distribution;
use crate::sampler::random::Random;
use crate::sampler::unit::from_unit;
use crate::sampler::{Draws, Internal, TrialSampler};
use crate::trial::{History, TrialParameter, TrialState};

/// Primitive polynomials, with one bit per coefficient, and initial direction numbers: Joe and Kuo's set new-joe-kuo-6.21201.
const DIRECTIONS: [(u32, &[u32]); 21] = [
    (1, &[]),
    (3, &[1]),
    (7, &[1, 3]),
    (11, &[1, 3, 1]),
    (13, &[1, 1, 1]),
    (19, &[1, 1, 3, 3]),
    (25, &[1, 3, 5, 13]),
    (37, &[1, 1, 5, 5, 17]),
    (41, &[1, 1, 5, 5, 5]),
    (47, &[1, 1, 7, 11, 19]),
    (55, &[1, 1, 5, 1, 1]),
    (59, &[1, 1, 1, 3, 11]),
    (61, &[1, 3, 5, 5, 31]),
    (67, &[1, 3, 3, 9, 7, 49]),
    (91, &[1, 1, 1, 15, 21, 21]),
    (97, &[1, 3, 1, 13, 27, 49]),
    (103, &[1, 1, 1, 15, 7, 5]),
    (109, &[1, 3, 1, 15, 13, 25]),
    (115, &[1, 1, 5, 5, 19, 61]),
    (131, &[1, 3, 7, 11, 23, 15, 103]),
    (137, &[1, 3, 7, 13, 13, 15, 69]),
];

/// The points of a Sobol' sequence, in the order of the trials' numbers, with a digital shift by the seed (the same bits are flipped in all
/// points). The space is that of the first trial that is complete or pruned, as in Optuna's `QMCSampler`. Earlier trials are drawn at
/// random, and so are parameters that are not in that space or, in the order of names, after the 21st.
#[derive(Clone, Copy, Debug, Default)]
pub struct QuasiMonteCarlo;

impl TrialSampler for QuasiMonteCarlo {
    fn sample_relative(&self, history: History<'_>, draws: Draws) -> Internal {
        let first = history.in_states(&[TrialState::Complete, TrialState::Pruned]).next();
        let params = first.into_iter().flat_map(|trial| &trial.params);
        let params = params.filter(|(_, param)| !param.distribution.is_single());
        let value = |(dimension, (name, param)): (usize, (&String, &TrialParameter))| {
            let shift = draws.of_study().stream(name).next_u64();
            let bits = u64::from(coordinate(dimension, draws.number as u32)) << 32;
            let unit = ((bits ^ shift) >> 11) as f64 / (1u64 << 53) as f64;
            (name.clone(), from_unit(&param.distribution, unit))
        };
        params.take(DIRECTIONS.len()).enumerate().map(value).collect()
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

/// A coordinate of the point at `index`, times 2^32. Points are in the order of I. A. Antonov and V. M. Saleev (1979), as in `scipy`.
fn coordinate(dimension: usize, index: u32) -> u32 {
    let gray = index ^ (index >> 1);
    let directions = directions(dimension);
    (0..32).filter(|bit| gray >> bit & 1 == 1).fold(0, |x, bit| x ^ directions[bit])
}

/// The direction numbers of a dimension, times 2^32: what each bit of an index contributes to a coordinate.
fn directions(dimension: usize) -> [u32; 32] {
    let (polynomial, initial) = DIRECTIONS[dimension];
    let degree = initial.len();
    let mut directions = [0; 32];
    for j in 0..32 {
        directions[j] = if degree == 0 {
            1 << (31 - j)
        } else if j < degree {
            initial[j] << (31 - j)
        } else {
            let last = directions[j - degree];
            let terms = (1..degree).filter(|k| polynomial >> (degree - k) & 1 == 1);
            terms.fold(last ^ (last >> degree), |x, k| x ^ directions[j - k])
        };
    }
    directions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampler::testing::{kinds, study, trial};

    #[test]
    fn points_are_scipys() {
        // scipy.stats.qmc.Sobol(21, scramble=False), times 8 and 1024.
        let eighths: Vec<Vec<u32>> =
            (0..8).map(|i| (0..6).map(|d| coordinate(d, i) >> 29).collect()).collect();
        let expected = [
            [0, 0, 0, 0, 0, 0],
            [4, 4, 4, 4, 4, 4],
            [6, 2, 2, 2, 6, 6],
            [2, 6, 6, 6, 2, 2],
            [3, 3, 5, 7, 3, 1],
            [7, 7, 1, 3, 7, 5],
            [5, 1, 7, 5, 5, 7],
            [1, 5, 3, 1, 1, 3],
        ];
        assert_eq!(eighths, expected);
        let thousandth: Vec<u32> = (0..21).map(|d| coordinate(d, 1_000) >> 22).collect();
        let expected = [
            225, 99, 531, 693, 287, 929, 47, 921, 513, 71, 87, 261, 165, 393, 147, 379, 737, 353,
            1015, 743, 535,
        ];
        assert_eq!(thousandth, expected);
    }

    #[test]
    fn shifted_points_still_fill_every_interval() {
        let unit = Arc::new(Distribution::float(0.0, 1.0).unwrap());
        let names: Vec<String> = (0..30).map(|i| format!("x{i:02}")).collect();
        let params: Vec<_> = names.iter().map(|name| (name.as_str(), 0.5, &unit)).collect();
        let history = study(vec![trial(0, TrialState::Pruned, None, &params)]);
        let points: Vec<Internal> = (64..128)
            .map(|number| {
                QuasiMonteCarlo.sample_relative(history.view(), Draws { seed: 3, number })
            })
            .collect();
        assert_eq!(points[0].keys().collect::<Vec<_>>(), names[..21].iter().collect::<Vec<_>>());
        for name in points[0].keys() {
            let mut cells: Vec<u32> = points.iter().map(|p| (p[name] * 64.0) as u32).collect();
            cells.sort_unstable();
            assert!(cells.into_iter().eq(0..64), "{name}");
        }
        let other = QuasiMonteCarlo.sample_relative(history.view(), Draws { seed: 4, number: 64 });
        assert_ne!(other, points[0]);
    }

    #[test]
    fn every_kind_is_within_its_bounds() {
        let kinds = kinds();
        let names: Vec<String> = (0..kinds.len()).map(|i| format!("x{i:02}")).collect();
        let params: Vec<_> = names.iter().zip(&kinds).map(|(n, d)| (n.as_str(), 0.0, d)).collect();
        let history = study(vec![trial(0, TrialState::Complete, Some(1.0), &params)]);
        for number in 0..256 {
            let drawn = QuasiMonteCarlo.sample_relative(history.view(), Draws { seed: 1, number });
            assert_eq!(drawn.len(), kinds.iter().filter(|d| !d.is_single()).count());
            for (name, distribution) in names.iter().zip(&kinds) {
                assert!(drawn.get(name).is_none_or(|&x| distribution.contains(x)), "{drawn:?}");
            }
        }
    }
}
