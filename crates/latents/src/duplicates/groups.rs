//! Groups of pictures that are copies of each other.

use std::collections::{BTreeMap, BTreeSet};

use latents_data::{Fingerprint, THUMBNAIL};
use latents_explore::Rows;
use latents_explore::neighbours::nearest_others;
use rayon::prelude::*;

use super::CopyKind;
use super::near::{cells, difference};
use crate::error::{Error, Result};
use crate::latents::Latents;

/// Neighbours of each picture among which copies are looked for; a copy of a copy is found through the other.
const NEIGHBOURS: usize = 16;
/// Side of the version in which neighbours are looked for.
const SMALL: usize = 8;
/// Pictures of which the median distance is taken.
const SPREAD: usize = 1000;

/// What pictures are compared by.
pub(super) struct Comparison<'a> {
    pub(super) found: &'a [Fingerprint],
    /// The largest difference of two near pictures, as a part of their contrast.
    pub(super) near: f64,
    pub(super) space: Option<Space<'a>>,
}

/// How near two pictures are: nearer ones come first.
type Nearness = (CopyKind, f64);

impl Comparison<'_> {
    fn nearness(&self, i: usize, j: usize) -> Option<Nearness> {
        let in_pixels = difference(&self.found[i], &self.found[j], self.near);
        in_pixels.map(|d| (CopyKind::Near, d)).or_else(|| {
            let distance = self.space.as_ref()?.distance(i, j)?;
            Some((CopyKind::NearLatents, distance))
        })
    }

    /// Groups of pictures by number, each with at least two, in ascending order, and how they are copies. Pairs are joined from the
    /// nearest on, and only if then all members of the group are near each other.
    pub(super) fn groups(&self) -> Result<Vec<(CopyKind, Vec<usize>)>> {
        let n = self.found.len();
        // The first picture with the same pixels stands for all of them.
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        let same: Vec<usize> =
            (0..n).map(|i| *first.entry(&self.found[i].pixel_digest).or_insert(i)).collect();
        let mut candidates = self.alike(&same)?;
        if let Some(space) = &self.space {
            candidates.extend(space.neighbours(&same)?);
        }
        let mut pairs: Vec<(Nearness, [usize; 2])> = candidates
            .into_par_iter()
            .filter_map(|[i, j]| Some((self.nearness(i, j)?, [i, j])))
            .collect();
        let order = |a: &Nearness, b: &Nearness| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1));
        pairs.sort_by(|a, b| order(&a.0, &b.0).then(a.1.cmp(&b.1)));
        let mut group_of: Vec<usize> = (0..n).collect();
        let mut groups: Vec<Vec<usize>> =
            (0..n).map(|i| if same[i] == i { vec![i] } else { vec![] }).collect();
        let mut kinds = vec![CopyKind::Exact; n];
        for ((kind, _), [i, j]) in pairs {
            let (a, b) = (group_of[i], group_of[j]);
            let near = |&i: &usize| groups[b].iter().all(|&j| self.nearness(i, j).is_some());
            if a == b || !groups[a].iter().all(near) {
                continue;
            }
            for member in std::mem::take(&mut groups[b]) {
                group_of[member] = a;
                groups[a].push(member);
            }
            kinds[a] = kinds[a].max(kinds[b]).max(kind);
        }
        for i in (0..n).filter(|&i| same[i] != i) {
            let group = group_of[same[i]];
            groups[group].push(i);
            let digest = |i: usize| self.found[i].file_digest.as_ref();
            if digest(i).is_none() || digest(i) != digest(same[i]) {
                kinds[group] = kinds[group].max(CopyKind::SamePixels);
            }
        }
        for group in &mut groups {
            group.sort_unstable();
        }
        let mut groups: Vec<_> = kinds.into_iter().zip(groups).collect();
        groups.retain(|(_, group)| group.len() > 1);
        groups.sort_by(|a, b| a.1.cmp(&b.1));
        Ok(groups)
    }

    /// Pairs whose pixels may be near: neighbours in a small version. A picture of one colour is a copy only of pictures with the same
    /// pixels, and so is in no pair.
    fn alike(&self, same: &[usize]) -> Result<BTreeSet<[usize; 2]>> {
        let mut pictures: Vec<usize> = vec![];
        let mut small: Vec<f32> = vec![];
        for (i, picture) in self.found.iter().enumerate().filter(|&(i, _)| same[i] == i) {
            let flat = (!picture.is_plain).then_some(&picture.thumbnail);
            for thumbnail in flat.into_iter().chain(&picture.opaque) {
                pictures.push(i);
                for plane in thumbnail.chunks_exact(THUMBNAIL * THUMBNAIL) {
                    let unit: Vec<f32> = plane.iter().map(|&x| f32::from(x) / 255.0).collect();
                    small.extend(cells(&unit, SMALL));
                }
            }
        }
        neighbours(&pictures, &small, 3 * SMALL * SMALL)
    }
}

/// The latents of the pictures.
pub(super) struct Space<'a> {
    latents: &'a Latents,
    /// The latent of each picture, if it has one.
    rows: Vec<Option<usize>>,
    /// The largest distance of two near pictures.
    most: f64,
}

impl<'a> Space<'a> {
    /// `share`: the largest distance of two near pictures, as a part of the median distance.
    pub(super) fn new(latents: &'a Latents, found: &[Fingerprint], share: f64) -> Result<Self> {
        latents.rows()?;
        let names = latents.names.as_deref().unwrap_or_default();
        let by_name: BTreeMap<&str, usize> =
            names.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
        let rows: Vec<Option<usize>> =
            found.iter().map(|picture| by_name.get(picture.name.as_str()).copied()).collect();
        if rows.iter().all(Option::is_none) {
            return Err(Error::Invalid(
                "none of the latents has the name of a picture; use the latents of these pictures, with their names"
                    .into(),
            ));
        }
        let known: Vec<usize> = rows.iter().flatten().copied().collect();
        let step = known.len().div_ceil(SPREAD);
        let spread: Vec<usize> = known.into_iter().step_by(step).collect();
        let mut space = Space { latents, rows, most: 0.0 };
        let mut distances: Vec<f64> = vec![];
        for (place, &i) in spread.iter().enumerate() {
            distances.extend(spread[..place].iter().map(|&j| space.between(i, j)));
        }
        if !distances.is_empty() {
            let middle = distances.len() / 2;
            space.most = *distances.select_nth_unstable_by(middle, f64::total_cmp).1 * share;
        }
        Ok(space)
    }

    fn between(&self, i: usize, j: usize) -> f64 {
        let row = |i: usize| &self.latents.z[i * self.latents.dim..][..self.latents.dim];
        let square = |(x, y): (&f32, &f32)| (f64::from(*x) - f64::from(*y)).powi(2);
        row(i).iter().zip(row(j)).map(square).sum::<f64>().sqrt()
    }

    /// The distance of the latents of two pictures, if they are near.
    fn distance(&self, i: usize, j: usize) -> Option<f64> {
        Some(self.between(self.rows[i]?, self.rows[j]?)).filter(|&d| d <= self.most)
    }

    fn neighbours(&self, same: &[usize]) -> Result<BTreeSet<[usize; 2]>> {
        let has_row = |&i: &usize| same[i] == i && self.rows[i].is_some();
        let pictures: Vec<usize> = (0..same.len()).filter(has_row).collect();
        let dim = self.latents.dim;
        let row = |row: usize| &self.latents.z[row * dim..][..dim];
        let z: Vec<f32> =
            pictures.iter().filter_map(|&i| self.rows[i]).flat_map(row).copied().collect();
        neighbours(&pictures, &z, dim)
    }
}

/// Pairs of pictures of which one's row is among the nearest to the other's. A picture may have several rows.
fn neighbours(pictures: &[usize], rows: &[f32], dim: usize) -> Result<BTreeSet<[usize; 2]>> {
    let mut pairs = BTreeSet::new();
    if pictures.len() > 1 {
        let k = NEIGHBOURS.min(pictures.len() - 1);
        let neighbours = nearest_others(Rows::new(rows, dim)?, k)?;
        for (place, &i) in pictures.iter().enumerate() {
            let others = neighbours.of(place).iter().map(|&other| pictures[other as usize]);
            pairs.extend(others.filter(|&j| j != i).map(|j| [i.min(j), i.max(j)]));
        }
    }
    Ok(pairs)
}
