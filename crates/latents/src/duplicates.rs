//! Copies among pictures: files of the same bytes, pictures of the same pixels, and pictures that are nearly the same, as groups.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::path::Path;

use latents_data::{Fingerprint, Fingerprints, Part, Pictures, THUMBNAIL};
use latents_explore::Rows;
use latents_explore::neighbours::nearest_others;
use latents_report::{Figure, ImageView, Tile, grid};
use serde::Serialize;

use crate::error::Result;
use crate::session::Session;

/// Neighbours of each picture among which copies are looked for; a copy of a copy is found through the other.
const NEIGHBOURS: usize = 16;
/// Side of the version in which neighbours are looked for.
const SMALL: usize = 8;
/// Side of the blocks in which two pictures are compared.
const CELL: usize = 4;
/// The largest difference of the ratios of their sides, as a factor.
const RATIO: f64 = 1.06;
/// Groups, and pictures of each, on a contact sheet.
const SHOWN: [usize; 2] = [60, 8];

/// How pictures of a group are copies of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CopyKind {
    /// Their files have the same bytes.
    Exact,
    /// Their files differ, but their pixels are the same.
    SamePixels,
    /// Their pixels are nearly the same: scaled, compressed again or changed slightly.
    Near,
}

impl CopyKind {
    /// How it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::SamePixels => "same-pixels",
            Self::Near => "near",
        }
    }
}

/// Which picture of a group to keep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// The one with the most pixels, then the largest file, then the first name.
    #[default]
    Largest,
    /// The first by name.
    First,
    /// Those in this folder; the largest if none is.
    Folder(String),
}

/// The settings of a search for copies.
#[derive(Clone, Debug, PartialEq)]
pub struct DuplicateConfig {
    /// Two pictures are near if no block of their small versions differs by more than this, from 0 to 1.
    pub near: f64,
    /// Which picture of a group to keep.
    pub keep: Keep,
}

impl Default for DuplicateConfig {
    fn default() -> Self {
        DuplicateConfig { near: 0.06, keep: Keep::Largest }
    }
}

/// A picture of a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its part, if the source has parts.
    pub part: Option<Part>,
    /// Its class, if it has one.
    pub label: Option<String>,
    /// Height in pixels.
    pub height: u32,
    /// Width in pixels.
    pub width: u32,
    /// Bytes of its file.
    pub bytes: Option<u64>,
    /// Whether the rule keeps it.
    pub keep: bool,
}

/// Pictures that are copies of each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// How: the loosest way among its members.
    pub kind: CopyKind,
    /// Its pictures, by name.
    pub members: Vec<Member>,
}

/// The copies of a collection.
#[derive(Clone, Debug, Serialize)]
pub struct Duplicates {
    /// Pictures that were read.
    pub pictures: usize,
    /// Groups of copies, in the order of their first pictures.
    pub groups: Vec<Group>,
    /// Names of unreadable pictures, with reasons.
    pub unreadable: Vec<(String, String)>,
    /// The small version of the members of each group `[3, h, w]`, as they are shown.
    #[serde(skip)]
    thumbnails: Vec<Vec<Vec<u8>>>,
}

impl Duplicates {
    /// Finds the copies among the pictures of a source. No file is touched.
    ///
    /// ```
    /// use latents::{DuplicateConfig, Duplicates, Pictures, Session};
    ///
    /// let (session, config) = (Session::default(), DuplicateConfig::default());
    /// let found = Duplicates::find("fashion-mnist-sample", &Pictures::default(), &config, &session)?;
    /// println!("{} groups", found.groups.len());
    /// # Ok::<(), latents::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the source cannot be read, or the call was interrupted.
    pub fn find(
        source: &str,
        pictures: &Pictures,
        config: &DuplicateConfig,
        session: &Session,
    ) -> Result<Self> {
        let all = session.runtime()?.run(|| Fingerprints::of(source, pictures, session))?;
        session.check()?;
        let found = &all.pictures;
        let groups = session.runtime()?.run(|| groups(found, config.near))?;
        let kind = |group: &[usize]| {
            let same = |of: &dyn Fn(&Fingerprint) -> Option<String>| {
                let first = of(&found[group[0]]);
                first.is_some() && group.iter().all(|&i| of(&found[i]) == first)
            };
            if same(&|f| f.file_digest.clone()) {
                CopyKind::Exact
            } else if same(&|f| Some(f.pixel_digest.clone())) {
                CopyKind::SamePixels
            } else {
                CopyKind::Near
            }
        };
        let made = |group: &Vec<usize>| {
            let kept = kept(group, found, &config.keep);
            let member = |&i: &usize| {
                let f = &found[i];
                Member {
                    name: f.name.clone(),
                    part: f.part,
                    label: f.class.clone(),
                    height: f.size[0],
                    width: f.size[1],
                    bytes: f.bytes,
                    keep: kept.contains(&i),
                }
            };
            Group { kind: kind(group), members: group.iter().map(member).collect() }
        };
        let shown = groups.iter().take(SHOWN[0]);
        let thumbnails = shown
            .map(|group| group.iter().take(SHOWN[1]).map(|&i| found[i].thumbnail.clone()).collect())
            .collect();
        Ok(Duplicates {
            pictures: found.len(),
            groups: groups.iter().map(made).collect(),
            unreadable: all.broken,
            thumbnails,
        })
    }

    /// Pictures beyond those that are kept.
    #[must_use]
    pub fn surplus(&self) -> usize {
        self.groups.iter().flat_map(|group| &group.members).filter(|member| !member.keep).count()
    }

    /// A row for each picture of a group, as CSV: `group, kind, name, part, label, width, height, bytes, keep`.
    #[must_use]
    pub fn csv(&self) -> String {
        let quoted = |text: &str| {
            if text.contains([',', '"', '\n', '\r']) {
                format!("\"{}\"", text.replace('"', "\"\""))
            } else {
                text.to_owned()
            }
        };
        let mut text = String::from("group,kind,name,part,label,width,height,bytes,keep\n");
        for (i, group) in self.groups.iter().enumerate() {
            let kind = group.kind.name();
            for m in &group.members {
                let part = m.part.map_or_else(String::new, |part| part.to_string());
                let bytes = m.bytes.map_or_else(String::new, |bytes| bytes.to_string());
                let label = quoted(m.label.as_deref().unwrap_or_default());
                let (name, width, height, keep) = (quoted(&m.name), m.width, m.height, m.keep);
                // Writing to a string cannot fail.
                let _ = writeln!(
                    text,
                    "{i},{kind},{name},{part},{label},{width},{height},{bytes},{keep}"
                );
            }
        }
        text
    }

    /// Writes the groups, by the ending of the file: `.json`, or comma-separated values.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let json = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
        let text = if json { serde_json::to_string_pretty(self)? + "\n" } else { self.csv() };
        Ok(latents_files::write(path, text.as_bytes())?)
    }

    /// The first groups, a row for each, with the names of their pictures; a star marks those that are kept.
    #[must_use]
    pub fn figure(&self) -> Figure {
        let unit = |bytes: &Vec<u8>| bytes.iter().map(|&b| f32::from(b) / 255.0).collect();
        let pixels: Vec<Vec<Vec<f32>>> =
            self.thumbnails.iter().map(|group| group.iter().map(unit).collect()).collect();
        let mut rows: Vec<Vec<Tile<'_>>> = vec![];
        for (images, group) in pixels.iter().zip(&self.groups) {
            let mut row = vec![];
            for (pixels, member) in images.iter().zip(&group.members) {
                let name = member.name.rsplit('/').next().unwrap_or_default();
                let caption = format!("{}{name}", if member.keep { "* " } else { "" });
                let image = ImageView { shape: [3, THUMBNAIL, THUMBNAIL], pixels };
                row.push(Tile { caption, image });
            }
            rows.push(row);
        }
        let captions: Vec<String> =
            self.groups.iter().take(SHOWN[0]).map(|group| group.kind.name().into()).collect();
        grid("Copies, a row for each group; * is kept", &rows, &captions)
    }
}

/// Groups of pictures by number, each with at least two, in ascending order.
fn groups(found: &[Fingerprint], near: f64) -> Result<Vec<Vec<usize>>> {
    let n = found.len();
    // The first picture with the same pixels stands for all of them.
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    let same: Vec<usize> =
        (0..n).map(|i| *first.entry(&found[i].pixel_digest).or_insert(i)).collect();
    let candidates: Vec<usize> = (0..n).filter(|&i| same[i] == i && !found[i].is_plain).collect();
    let mut links: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    if candidates.len() > 1 {
        let small: Vec<f32> = candidates.iter().flat_map(|&i| small(&found[i].thumbnail)).collect();
        let rows = Rows::new(&small, 3 * SMALL * SMALL)?;
        let k = NEIGHBOURS.min(candidates.len() - 1);
        let neighbours = nearest_others(rows, k)?;
        for (place, &i) in candidates.iter().enumerate() {
            for &other in neighbours.of(place) {
                let j = candidates[other as usize];
                links.entry(i).or_default().push(j);
                links.entry(j).or_default().push(i);
            }
        }
    }
    let mut group_of: Vec<Option<usize>> = vec![None; n];
    let mut groups: Vec<Vec<usize>> = vec![];
    for &i in &candidates {
        if group_of[i].is_some() {
            continue;
        }
        let mut members = vec![i];
        group_of[i] = Some(groups.len());
        // Every member is near the first, so that a chain of small changes does not join different pictures.
        let mut open = VecDeque::from([i]);
        while let Some(at) = open.pop_front() {
            for &j in links.get(&at).into_iter().flatten() {
                if group_of[j].is_none() && are_near(&found[i], &found[j], near) {
                    group_of[j] = Some(groups.len());
                    members.push(j);
                    open.push_back(j);
                }
            }
        }
        groups.push(members);
    }
    // Plain pictures are copies only of pictures with the same pixels.
    for i in (0..n).filter(|&i| same[i] == i && found[i].is_plain) {
        group_of[i] = Some(groups.len());
        groups.push(vec![i]);
    }
    for i in (0..n).filter(|&i| same[i] != i) {
        if let Some(group) = group_of[same[i]] {
            groups[group].push(i);
        }
    }
    for group in &mut groups {
        group.sort_unstable();
    }
    groups.retain(|group| group.len() > 1);
    groups.sort();
    Ok(groups)
}

/// Means of blocks of a thumbnail, `[3, 8, 8]`.
fn small(thumbnail: &[u8]) -> Vec<f32> {
    cells(thumbnail, THUMBNAIL / SMALL)
}

/// Means of square blocks of this side of a thumbnail, from 0 to 1.
fn cells(thumbnail: &[u8], side: usize) -> Vec<f32> {
    let count = THUMBNAIL / side;
    let plane = |plane: &[u8]| -> Vec<f32> {
        let mean = |cell: usize| {
            let (y, x) = (cell / count * side, cell % count * side);
            let rows = (y..y + side).flat_map(|y| &plane[y * THUMBNAIL + x..][..side]);
            rows.map(|&b| f32::from(b)).sum::<f32>() / (side * side) as f32 / 255.0
        };
        (0..count * count).map(mean).collect()
    };
    thumbnail.chunks_exact(THUMBNAIL * THUMBNAIL).flat_map(plane).collect()
}

/// Whether two pictures have nearly the same ratio of sides and nearly the same colours in every block.
fn are_near(a: &Fingerprint, b: &Fingerprint, most: f64) -> bool {
    let ratio = |f: &Fingerprint| f64::from(f.size[0]) / f64::from(f.size[1]);
    let (x, y) = (ratio(a), ratio(b));
    // Rounding of small sides changes the ratio too.
    let rounding = 1.0 + 1.0 / f64::from(a.size[0].min(a.size[1]).min(b.size[0]).min(b.size[1]));
    if x.max(y) / x.min(y) > RATIO * rounding {
        return false;
    }
    let square = |(&x, &y): (&u8, &u8)| (f64::from(x) - f64::from(y)).powi(2);
    let cell = |(row, cell): (usize, usize)| {
        let mut sum = 0.0;
        for plane in 0..3 {
            for y in row * CELL..(row + 1) * CELL {
                let at = (plane * THUMBNAIL + y) * THUMBNAIL + cell * CELL;
                let pairs = a.thumbnail[at..at + CELL].iter().zip(&b.thumbnail[at..at + CELL]);
                sum += pairs.map(square).sum::<f64>();
            }
        }
        (sum / (3 * CELL * CELL) as f64).sqrt() / 255.0
    };
    let count = THUMBNAIL / CELL;
    (0..count).flat_map(|y| (0..count).map(move |x| (y, x))).all(|place| cell(place) <= most)
}

/// The pictures of a group that the rule keeps.
fn kept(group: &[usize], found: &[Fingerprint], rule: &Keep) -> Vec<usize> {
    let largest = || {
        let rank = |&i: &usize| {
            let f = &found[i];
            let area = u64::from(f.size[0]) * u64::from(f.size[1]);
            (area, f.bytes, std::cmp::Reverse(f.name.clone()))
        };
        group.iter().copied().max_by_key(rank).into_iter().collect::<Vec<_>>()
    };
    match rule {
        Keep::Largest => largest(),
        Keep::First => {
            let first = group.iter().copied().min_by_key(|&i| found[i].name.clone());
            first.into_iter().collect()
        }
        Keep::Folder(folder) => {
            let prefix = format!("{}/", folder.trim_start_matches("./").trim_end_matches('/'));
            let inside: Vec<usize> =
                group.iter().copied().filter(|&i| found[i].name.starts_with(&prefix)).collect();
            if inside.is_empty() { largest() } else { inside }
        }
    }
}

#[cfg(test)]
mod tests;
