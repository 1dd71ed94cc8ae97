//! Copies among pictures: files of the same bytes, pictures of the same pixels, and pictures that are nearly the same, as groups.

mod groups;
mod near;

use std::collections::BTreeMap;
use std::path::Path;

use latents_data::{Fingerprint, Fingerprints, Part, Pictures, THUMBNAIL, Unreadable};
use latents_report::{Figure, ImageView, Tile, grid};
use latents_tables::{Column, ColumnTable, Values};
use serde::Serialize;

use self::groups::{Comparison, Space};
use crate::error::Result;
use crate::latents::Latents;
use crate::model::TrainedModel;
use crate::selection::Selection;
use crate::session::Session;

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
    /// Their latents are nearly the same.
    NearLatents,
}

impl CopyKind {
    /// How it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::SamePixels => "same-pixels",
            Self::Near => "near",
            Self::NearLatents => "near-latents",
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

impl From<&str> for Keep {
    /// A rule by its name, `largest` or `first`, or a folder.
    fn from(text: &str) -> Self {
        match text {
            "largest" => Keep::Largest,
            "first" => Keep::First,
            folder => Keep::Folder(folder.to_owned()),
        }
    }
}

/// The settings of a search for copies.
#[derive(Clone, Debug, PartialEq)]
pub struct DuplicateConfig {
    /// Two pictures are near if they differ by no more than this part of their contrast, on a grid of 32 x 32 and on coarser ones;
    /// by no more than a sixth of it if their files have the same size and lose nothing. 0 finds none.
    pub near: f64,
    /// With latents, two pictures are near in these up to this part of the median distance of two pictures.
    pub near_latents: f64,
    /// Which picture of a group to keep.
    pub keep: Keep,
}

impl Default for DuplicateConfig {
    fn default() -> Self {
        DuplicateConfig { near: 0.12, near_latents: 0.02, keep: Keep::Largest }
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
    /// Height in pixels; `None` if it cannot be read.
    pub height: Option<u32>,
    /// Width in pixels; `None` if it cannot be read.
    pub width: Option<u32>,
    /// Bytes of its file.
    pub bytes: Option<u64>,
    /// Whether the rule keeps it.
    pub keep: bool,
}

/// Pictures that are copies of each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CopyGroup {
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
    /// Groups of copies, in the order of their first pictures; then copies of files that cannot be read as pictures.
    pub groups: Vec<CopyGroup>,
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
        Self::search(source, pictures, None, config, session)
    }

    /// Finds the copies as [`find`](Self::find) does, and pictures whose latents are nearly the same. The latents are those of the
    /// pictures of their names; a picture without any is compared by its pixels alone.
    ///
    /// # Errors
    /// As of [`find`](Self::find), or if the latents have no names, or none of them is that of a picture of the source.
    pub fn find_with_latents(
        source: &str,
        pictures: &Pictures,
        latents: &Latents,
        config: &DuplicateConfig,
        session: &Session,
    ) -> Result<Self> {
        Self::search(source, pictures, Some(latents), config, session)
    }

    fn search(
        source: &str,
        pictures: &Pictures,
        latents: Option<&Latents>,
        config: &DuplicateConfig,
        session: &Session,
    ) -> Result<Self> {
        let runtime = session.runtime()?;
        let Fingerprints { pictures: found, unreadable } =
            runtime.run(|| Fingerprints::of(source, pictures, session))?;
        session.check()?;
        let groups = runtime.run(|| {
            let space = latents.map(|z| Space::new(z, &found, config.near_latents)).transpose()?;
            Comparison { found: &found, near: config.near, space }.groups()
        })?;
        let thumbnail = |&i: &usize| found[i].thumbnail.clone();
        let thumbnails = groups
            .iter()
            .take(SHOWN[0])
            .map(|(_, group)| group.iter().take(SHOWN[1]).map(thumbnail).collect())
            .collect();
        let member = |&i: &usize| Member::of(&found[i]);
        let readable =
            groups.iter().map(|(kind, group)| (*kind, group.iter().map(member).collect()));
        let mut damaged: BTreeMap<&str, Vec<Member>> = BTreeMap::new();
        for file in &unreadable {
            if let Some(digest) = &file.file_digest {
                damaged.entry(digest).or_default().push(Member::of_unreadable(file));
            }
        }
        let mut damaged: Vec<Vec<Member>> =
            damaged.into_values().filter(|members| members.len() > 1).collect();
        damaged.sort_by(|a, b| a[0].name.cmp(&b[0].name));
        let damaged = damaged.into_iter().map(|members| (CopyKind::Exact, members));
        let made = |(kind, mut members): (CopyKind, Vec<Member>)| {
            config.keep.mark(&mut members);
            CopyGroup { kind, members }
        };
        Ok(Duplicates {
            pictures: found.len(),
            groups: readable.chain(damaged).map(made).collect(),
            unreadable: unreadable.into_iter().map(|file| (file.name, file.reason)).collect(),
            thumbnails,
        })
    }

    /// Pictures that are in a group.
    #[must_use]
    pub fn copies(&self) -> usize {
        self.groups.iter().map(|group| group.members.len()).sum()
    }

    /// Pictures beyond those that are kept.
    #[must_use]
    pub fn surplus(&self) -> usize {
        self.groups.iter().flat_map(|group| &group.members).filter(|member| !member.keep).count()
    }

    /// A row for each picture of a group: `group, kind, name, part, label, width, height, bytes, keep`.
    ///
    /// # Errors
    /// None that these columns can have.
    pub fn table(&self) -> Result<ColumnTable> {
        let rows = || {
            let numbered = self.groups.iter().enumerate();
            numbered.flat_map(|(i, group)| group.members.iter().map(move |m| (i, group, m)))
        };
        let text = |of: &dyn Fn(&CopyGroup, &Member) -> Option<String>| {
            Values::Text(rows().map(|(_, group, member)| of(group, member)).collect())
        };
        let whole = |of: &dyn Fn(usize, &Member) -> Option<u64>| {
            let number = |number: u64| i64::try_from(number).ok();
            Values::I64(rows().map(|(i, _, member)| of(i, member).and_then(number)).collect())
        };
        Ok(ColumnTable::new(vec![
            Column::new("group", whole(&|i, _| Some(i as u64))),
            Column::new("kind", text(&|group, _| Some(group.kind.name().to_owned()))),
            Column::new("name", text(&|_, m| Some(m.name.clone()))),
            Column::new("part", text(&|_, m| m.part.map(|part| part.to_string()))),
            Column::new("label", text(&|_, m| m.label.clone())),
            Column::new("width", whole(&|_, m| m.width.map(u64::from))),
            Column::new("height", whole(&|_, m| m.height.map(u64::from))),
            Column::new("bytes", whole(&|_, m| m.bytes)),
            Column::new("keep", Values::Bool(rows().map(|(.., m)| Some(m.keep)).collect())),
        ])?)
    }

    /// Writes the groups, by the ending of the file: `.json`, or a table (`.csv`, `.tsv`, `.parquet`).
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json")) {
            let text = serde_json::to_string_pretty(self)? + "\n";
            return Ok(latents_files::write(path, text.as_bytes())?);
        }
        Ok(latents_tables::write(path, &self.table()?)?)
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
            self.groups.iter().take(rows.len()).map(|group| group.kind.name().into()).collect();
        grid("Copies, a row for each group; * is kept", &rows, &captions)
    }
}

impl TrainedModel {
    /// Finds the copies among the pictures of a source, or of the run's own data, by their pixels and by the latents of this model.
    ///
    /// # Errors
    /// As of [`Duplicates::find_with_latents`], or if the model has no latents.
    pub fn duplicates(
        &mut self,
        source: Option<&str>,
        config: &DuplicateConfig,
    ) -> Result<Duplicates> {
        let selection =
            source.map_or(Selection::All, |source| Selection::Source(source.to_owned()));
        let selected = self.select(&selection)?;
        let mut latents = self.encode_selected(&selected)?;
        latents.names = Some((0..latents.len()).map(|i| selected.images.name_of(i)).collect());
        let data = self.config().data.clone();
        let source = source.unwrap_or(&data.source);
        let session = self.session().clone();
        Duplicates::find_with_latents(source, &data.pictures, &latents, config, &session)
    }
}

impl Member {
    fn of(picture: &Fingerprint) -> Self {
        let [height, width] = picture.size.map(Some);
        let (name, label) = (picture.name.clone(), picture.class.clone());
        Member { name, part: picture.part, label, height, width, bytes: picture.bytes, keep: false }
    }

    fn of_unreadable(file: &Unreadable) -> Self {
        let (name, label, bytes) = (file.name.clone(), file.class.clone(), Some(file.bytes));
        Member { name, part: file.part, label, height: None, width: None, bytes, keep: false }
    }
}

impl Keep {
    /// Marks the members of a group that the rule keeps.
    fn mark(&self, members: &mut [Member]) {
        if let Self::Folder(folder) = self {
            let prefix = format!("{}/", folder.trim_start_matches("./").trim_end_matches('/'));
            for member in &mut *members {
                member.keep = member.name.starts_with(&prefix);
            }
            if members.iter().any(|member| member.keep) {
                return;
            }
        }
        let by_name = |a: &Member, b: &Member| a.name.cmp(&b.name);
        let size = |m: &Member| {
            (u64::from(m.height.unwrap_or(0)) * u64::from(m.width.unwrap_or(0)), m.bytes)
        };
        let kept = match self {
            Self::First => members.iter_mut().min_by(|a, b| by_name(a, b)),
            Self::Largest | Self::Folder(_) => {
                members.iter_mut().max_by(|a, b| size(a).cmp(&size(b)).then(by_name(b, a)))
            }
        };
        if let Some(kept) = kept {
            kept.keep = true;
        }
    }
}

#[cfg(test)]
mod tests;
