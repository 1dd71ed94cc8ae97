//! Adds new rows to an existing map, which does not change: each new point moves near the nearest rows (after Poličar et al., "Embedding to
//! reference t-SNE space addresses batch effects in single-cell classification", 2019). New points do not interact, so the position of
//! each does not depend on the others.

use latents_progress::{Interrupted, Monitor};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::affinities::conditional;
use super::field::{Potential, Solver};
use super::point::{Group, Point, attraction, fill};
use crate::error::Error;
use crate::lanes::LANES;
use crate::neighbours::search;
use crate::rows::Rows;

/// Settings of [`tsne_transform`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TransformConfig {
    /// Perplexity: effective number of neighbours. Smaller than for a map, so that a new point lies near its nearest rows.
    pub perplexity: f64,
    /// Factor of the attraction.
    pub exaggeration: f64,
    /// Iterations per point.
    pub iterations: u32,
    /// Learning rate.
    pub learning_rate: f64,
}

impl Default for TransformConfig {
    fn default() -> Self {
        TransformConfig { perplexity: 5.0, exaggeration: 1.5, iterations: 250, learning_rate: 0.1 }
    }
}

/// Momentum of each step.
const MOMENTUM: f32 = 0.8;
/// Longest step of a point.
const MAX_STEP: f32 = 0.25;

/// Coordinates `[m, 2]` of `new` rows `[m, d]` on the map `xy` `[n, 2]` of `rows` `[n, d]`, as `transform` of scikit-learn's estimators or
/// of openTSNE's embeddings.
///
/// ```
/// use latents_explore::{Rows, TransformConfig, TsneConfig, samplers, tsne, tsne_transform};
/// use latents_progress::Monitor;
///
/// let values = samplers::normal(100, 4, 1);
/// let rows = Rows::new(&values, 4)?;
/// let config = TsneConfig { perplexity: 10.0, iterations: 100, ..TsneConfig::default() };
/// let monitor = Monitor::default();
/// let map = tsne(rows, &config, &monitor)?;
/// let new = samplers::normal(3, 4, 2); // [3, 4]
/// let (new, config) = (Rows::new(&new, 4)?, TransformConfig::default());
/// let xy = tsne_transform(rows, &map.xy, new, &config, &monitor)?;
/// assert_eq!(xy.len(), 3 * 2);
/// # Ok::<(), latents_explore::Error>(())
/// ```
///
/// # Errors
/// If the arrays do not fit each other, there are fewer than 4 rows, the perplexity is not more than 1, or `monitor` is cancelled.
pub fn tsne_transform(
    rows: Rows<'_>,
    xy: &[f32],
    new: Rows<'_>,
    config: &TransformConfig,
    monitor: &Monitor,
) -> Result<Vec<f32>, Error> {
    rows.at_least(4, "a map to which rows are added")?;
    new.like(rows)?;
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
    let found = search(new, rows, k, false, monitor)?;
    let p = conditional(&found, perplexity);
    let map: Vec<Point> = xy.chunks_exact(2).map(|y| [y[0], y[1]]).collect();
    // On a line, new points stay on it.
    let axes = if map.iter().all(|y| y[1] == 0.0) { 1 } else { 2 };
    let potential = Solver::default().potential(&map);
    let points = found.index.par_chunks(k).zip(p.par_chunks(k)).map(|(index, p)| {
        let row: Vec<(u32, f32)> = index.iter().copied().zip(p.iter().copied()).collect();
        monitor.check()?;
        Ok(settle(&row, &map, &potential, axes, config))
    });
    Ok(points.collect::<Result<Vec<Point>, Interrupted>>()?.into_flattened())
}

/// Final position of a new point whose neighbours on the map are the entries of `row`.
fn settle(
    row: &[(u32, f32)],
    map: &[Point],
    potential: &Potential,
    axes: usize,
    config: &TransformConfig,
) -> Point {
    let mut y = [0, 1].map(|a| median(row, |j| map[j][a]));
    let mut groups = vec![Group::default(); row.len().div_ceil(LANES)];
    fill(&mut groups, row.iter().copied());
    let (rate, exaggeration) = (config.learning_rate as f32, config.exaggeration as f32);
    let mut velocity = [0.0f32; 2];
    for _ in 0..config.iterations {
        let attraction = attraction(y, &groups, map);
        let (value, repulsion) = potential.at(y);
        let gradient =
            [0, 1].map(|a| exaggeration * attraction[a] + 0.5 * repulsion[a] / value.max(1e-6));
        let mut step = [0, 1].map(|a| MOMENTUM * velocity[a] - rate * gradient[a]);
        step[axes..].fill(0.0);
        let length = (step[0] * step[0] + step[1] * step[1]).sqrt();
        velocity = step.map(|s| if length > MAX_STEP { s * MAX_STEP / length } else { s });
        y = [0, 1].map(|a| y[a] + velocity[a]);
    }
    y
}

/// Weighted median of `coordinate` over the entries of `row`.
fn median(row: &[(u32, f32)], coordinate: impl Fn(usize) -> f32) -> f32 {
    let mut sorted: Vec<(f32, f32)> =
        row.iter().map(|&(j, p)| (coordinate(j as usize), p)).collect();
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
    use super::*;
    use crate::neighbours::nearest;
    use crate::tsne::tests::{clusters, map_of};

    #[test]
    fn new_rows_join_their_clusters_independently() {
        let x = clusters();
        let map = map_of(&x, 6, 1);
        let rows = Rows::new(&x, 6).unwrap();
        let new: Vec<f32> = x.iter().map(|v| v + 0.05).collect();
        let place = |xy: &[f32], new: &[f32]| {
            let (new, config) = (Rows::new(new, 6).unwrap(), TransformConfig::default());
            tsne_transform(rows, xy, new, &config, &Monitor::default())
        };
        let placed = place(&map.xy, &new).unwrap();
        let nearest = nearest(Rows::new(&placed, 2).unwrap(), Rows::new(&map.xy, 2).unwrap(), 5);
        let nearest = nearest.unwrap();
        for i in 0..120 {
            assert!(nearest.of(i).iter().all(|&j| j as usize / 40 == i / 40), "row {i}");
        }
        let line: Vec<f32> = map.xy.chunks_exact(2).flat_map(|y| [y[0], 0.0]).collect();
        let placed_on_line = place(&line, &new[..60]).unwrap();
        assert!(placed_on_line.chunks_exact(2).all(|y| y[1] == 0.0));
        let alone = place(&map.xy, &new[60..66]).unwrap();
        assert_eq!(alone, placed[20..22]);
        let wrong = place(&map.xy[2..], &x);
        assert!(matches!(wrong, Err(Error::Size { expected: 240, got: 238, .. })));
    }
}
