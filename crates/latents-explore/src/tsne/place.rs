//! New rows in a map that is there already: the map stays as it is, and each new point goes where its nearest rows are (after Poličar
//! et al., "Embedding to reference t-SNE space addresses batch effects in single-cell classification", 2019). A point feels only the
//! map, not the other new ones, so it comes out the same whatever is placed with it.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::affinities::conditional;
use super::field::{Place, Potential, Solver};
use super::pull;
use crate::error::Error;
use crate::neighbours::nearest;
use crate::rows::Rows;

/// Settings of placing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlaceConfig {
    /// As of a map; smaller, as a new point is to lie near its very nearest rows.
    pub perplexity: f64,
    /// By how much attraction is multiplied.
    pub exaggeration: f64,
    /// Steps of each point.
    pub iterations: u32,
    /// Step size.
    pub learning_rate: f64,
}

impl Default for PlaceConfig {
    fn default() -> Self {
        PlaceConfig { perplexity: 5.0, exaggeration: 1.5, iterations: 250, learning_rate: 0.1 }
    }
}

const MOMENTUM: f32 = 0.8;
const LONGEST: f32 = 0.25;

/// Places the rows `new` into the map `xy` `[n, 2]` of `rows` `[n, d]`; returns their places `[m, 2]`.
///
/// # Errors
/// Where the arrays do not fit each other, there are fewer than 4 rows, or the perplexity is not more than 1.
pub fn place(
    rows: Rows<'_>,
    xy: &[f32],
    new: Rows<'_>,
    config: &PlaceConfig,
) -> Result<Vec<f32>, Error> {
    rows.at_least(4, "a map to place rows into")?;
    if xy.len() != 2 * rows.len() {
        let what = "the map of the rows";
        return Err(Error::Size { what, expected: 2 * rows.len(), got: xy.len() });
    }
    if !(config.perplexity > 1.0 && config.perplexity.is_finite()) {
        return Err(Error::Range {
            what: "perplexity",
            range: "more than 1",
            got: config.perplexity,
        });
    }
    let perplexity = config.perplexity.min(rows.len() as f64 / 3.0);
    let k = ((3.0 * perplexity) as usize).clamp(1, rows.len());
    let found = nearest(new, rows, k)?;
    let p = conditional(&found, perplexity);
    let map: Vec<Place> = xy.chunks_exact(2).map(|y| [y[0], y[1]]).collect();
    let potential = Solver::default().potential(&map);
    let places = found.index.par_chunks(k).zip(p.par_chunks(k)).map(|(index, p)| {
        let row: Vec<(u32, f32)> = index.iter().copied().zip(p.iter().copied()).collect();
        settle(&row, &map, &potential, config)
    });
    Ok(places.collect::<Vec<Place>>().into_flattened())
}

fn settle(row: &[(u32, f32)], map: &[Place], potential: &Potential, config: &PlaceConfig) -> Place {
    let mut y = [0, 1].map(|a| median(row, |j| map[j][a]));
    let (rate, exaggeration) = (config.learning_rate as f32, config.exaggeration as f32);
    let mut velocity = [0.0f32; 2];
    for _ in 0..config.iterations {
        let pull = pull(y, row, map);
        let (value, push) = potential.at(y);
        let gradient = [0, 1].map(|a| exaggeration * pull[a] + 0.5 * push[a] / value.max(1e-6));
        let step = [0, 1].map(|a| MOMENTUM * velocity[a] - rate * gradient[a]);
        let length = (step[0] * step[0] + step[1] * step[1]).sqrt();
        velocity = step.map(|s| if length > LONGEST { s * LONGEST / length } else { s });
        y = [0, 1].map(|a| y[a] + velocity[a]);
    }
    y
}

/// The place of the neighbour in the middle of their weight.
fn median(row: &[(u32, f32)], place: impl Fn(usize) -> f32) -> f32 {
    let mut sorted: Vec<(f32, f32)> = row.iter().map(|&(j, p)| (place(j as usize), p)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut weight = 0.0;
    for &(at, p) in &sorted {
        weight += p;
        if weight >= 0.5 {
            return at;
        }
    }
    sorted.last().map_or(0.0, |s| s.0)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{clusters, map_of};
    use super::*;

    #[test]
    fn new_rows_come_to_lie_in_their_clusters_whatever_comes_with_them() {
        let x = clusters();
        let map = map_of(&x, 6, 1);
        let rows = Rows::new(&x, 6).unwrap();
        let new: Vec<f32> = x.iter().map(|v| v + 0.05).collect();
        let config = PlaceConfig::default();
        let placed = place(rows, &map.xy, Rows::new(&new, 6).unwrap(), &config).unwrap();
        let nearest = nearest(Rows::new(&placed, 2).unwrap(), Rows::new(&map.xy, 2).unwrap(), 5);
        let nearest = nearest.unwrap();
        for i in 0..120 {
            assert!(nearest.of(i).iter().all(|&j| j as usize / 40 == i / 40), "row {i}");
        }
        let alone = place(rows, &map.xy, Rows::new(&new[60..66], 6).unwrap(), &config).unwrap();
        assert_eq!(alone, placed[20..22]);
        let wrong = place(rows, &map.xy[2..], rows, &config);
        assert!(matches!(wrong, Err(Error::Size { expected: 240, got: 238, .. })));
    }
}
