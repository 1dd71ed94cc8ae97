//! Work on one of several pieces of a collection by a process of its own: each writes a file, and [`merge`] makes one of them all, after it
//! has found that none is missing and all were made by the same work. No process knows of another, so any scheduler can start them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use latents_data::Shard;
use latents_files::FileError;
use latents_tables::{Column, ColumnTable, TableFile, Values, write_parquet};
use serde::{Deserialize, Serialize};

use crate::TrainedModel;
use crate::error::{Error, Result};
use crate::outputs::{SHARD_ENDINGS, check_output};
use crate::predict::{ClassifierInput, Tta};
use crate::selection::{SelectedImages, Selection};
use crate::session::Session;

/// The key of [`Origin`] in the file of a piece.
const KEY: &str = "latents.shard";
/// The most missing pieces that an error names.
const MOST_TOLD: usize = 20;

/// A file that has the results of one piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShardFile {
    /// The file.
    pub out: PathBuf,
    /// The piece.
    pub shard: Shard,
    /// The number of its images.
    pub images: usize,
}

/// A file that has the results of all pieces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Merged {
    /// The file.
    pub out: PathBuf,
    /// The number of pieces.
    pub shards: usize,
    /// The number of rows.
    pub rows: usize,
}

/// What the rows of a file are, and which of them it has.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Origin {
    shard: Shard,
    rows: usize,
    /// [`digest`] of the rows.
    digest: String,
    #[serde(flatten)]
    whole: Whole,
}

/// What the files of all pieces have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Whole {
    /// What was done to the images.
    work: String,
    /// SHA-256 of the model's parameters.
    model: String,
    /// The source of the images.
    images: String,
    /// SHA-256 of what tells these images from others.
    collection: String,
}

impl Whole {
    /// The first thing that differs, and both of its values.
    fn difference<'a>(&'a self, other: &'a Self) -> Option<(&'static str, &'a str, &'a str)> {
        [
            ("work", &self.work, &other.work),
            ("model", &self.model, &other.model),
            ("source of images", &self.images, &other.images),
            ("list of images", &self.collection, &other.collection),
        ]
        .into_iter()
        .find(|(_, a, b)| a != b)
        .map(|(what, a, b)| (what, a.as_str(), b.as_str()))
    }
}

/// The file of a piece: `z-00002-of-00008.parquet` for `z.parquet`.
///
/// # Errors
/// If the name has an unknown ending, or is not text.
pub fn shard_file(out: &Path, shard: Shard) -> Result<PathBuf> {
    let (stem, ending) = stem_and_ending(out)?;
    Ok(out.with_file_name(format!("{stem}-{:05}-of-{:05}.{ending}", shard.index(), shard.count())))
}

/// The name of a file without its ending, and that.
fn stem_and_ending(out: &Path) -> Result<(String, String)> {
    check_output(out, &SHARD_ENDINGS)?;
    let text = |part: Option<&'_ OsStr>| part.and_then(OsStr::to_str).map(str::to_owned);
    let named = text(out.file_stem()).zip(text(out.extension()));
    named.ok_or_else(|| {
        Error::Invalid(format!("{}: the name of the file is no text", out.display()))
    })
}

impl TrainedModel {
    /// Encodes one of several pieces of images, and writes a file of it beside `out`, under the name that [`shard_file`] gives. The files of
    /// all pieces together have the rows that [`TrainedModel::encode_selected`] gives for all images, in the same order.
    ///
    /// ```no_run
    /// use latents::{Selection, Session, TrainedModel, merge};
    ///
    /// let session = Session::default();
    /// let mut model = TrainedModel::open("runs/ae", &session)?;
    /// let photos = Selection::Source("./photos".into());
    /// for shard in ["0/2", "1/2"] {
    ///     // On a machine of its own each.
    ///     model.encode_shard(&photos, shard.parse().expect("a shard"), "z.parquet")?;
    /// }
    /// merge("z.parquet", &session)?;
    /// # Ok::<(), latents::Error>(())
    /// ```
    ///
    /// # Errors
    /// As of [`TrainedModel::select`] and [`TrainedModel::encode`], or if the file is no Parquet file or cannot be written.
    pub fn encode_shard(
        &mut self,
        selection: &Selection,
        shard: Shard,
        out: impl AsRef<Path>,
    ) -> Result<ShardFile> {
        let file = shard_file(out.as_ref(), shard)?;
        let piece = self.piece(selection, shard, "encode")?;
        let z = self.encode_selected(&piece.selected)?;
        piece.write(file, shard, &z.table()?)
    }

    /// Classifies one of several pieces of a source's images, as [`TrainedModel::encode_shard`] encodes it.
    ///
    /// # Errors
    /// As of [`TrainedModel::read_source`] and [`TrainedModel::predict`], or if the file is no Parquet file or cannot be written.
    pub fn predict_shard(
        &mut self,
        source: &str,
        tta: Option<Tta>,
        shard: Shard,
        out: impl AsRef<Path>,
    ) -> Result<ShardFile> {
        let file = shard_file(out.as_ref(), shard)?;
        self.check_classifier()?;
        let work = match tta {
            None => "predict",
            Some(Tta::Flip) => "predict, with mirror images",
        };
        let piece = self.piece(&Selection::Source(source.to_owned()), shard, work)?;
        let input = ClassifierInput::from(piece.first, &piece.selected.images, source);
        let predicted = self.classify(input, tta)?;
        piece.write(file, shard, &predicted.columns()?)
    }

    fn piece(&self, selection: &Selection, shard: Shard, work: &str) -> Result<Piece> {
        let parameters: Vec<u8> = self.parameters.iter().flat_map(|p| p.to_le_bytes()).collect();
        let model = latents_files::sha256(&parameters);
        let whole =
            |images: String, collection| Whole { work: work.to_owned(), model, images, collection };
        let Selection::Source(source) = selection else {
            let all = self.select(selection)?;
            let whole = whole(self.config.data.source.clone(), all.images.images.digest());
            let range = shard.range(all.images.len());
            let (first, places) = (range.start, range.collect::<Vec<_>>());
            let parts = all.parts.map(|parts| places.iter().map(|&i| parts[i]).collect());
            let images = all.images.at(&places);
            let selected = SelectedImages { images, parts, classes: all.classes };
            return Ok(Piece { selected, first, whole });
        };
        let read = self.config.data.open_foreign_shard(source, shard, &self.session)?;
        let (images, classes) = (read.foreign.images, read.foreign.classes);
        let selected = SelectedImages { images, parts: None, classes };
        let whole = whole(source.clone(), read.collection);
        Ok(Piece { selected, first: read.first, whole })
    }
}

/// The images of a piece.
struct Piece {
    selected: SelectedImages,
    /// The number of the first of them among all.
    first: usize,
    whole: Whole,
}

impl Piece {
    /// Writes the rows of its images.
    fn write(self, out: PathBuf, shard: Shard, table: &ColumnTable) -> Result<ShardFile> {
        let images = self.selected.images.len();
        let origin = Origin { shard, rows: images, digest: digest(table), whole: self.whole };
        write_parquet(&out, table, &[(KEY, &serde_json::to_string(&origin)?)])?;
        Ok(ShardFile { out, shard, images })
    }
}

/// Makes one file of those of all pieces, which lie beside it; they stay. It is the file that one process would have written.
///
/// # Errors
/// [`Error::Shards`] if files of pieces are missing, or were made by different work, from different images or by different models; or if a file
/// cannot be read or written.
pub fn merge(out: impl AsRef<Path>, session: &Session) -> Result<Merged> {
    let out = out.as_ref();
    let wrong = |problem: String| Error::Shards { out: out.to_owned(), problem };
    let count = shard_count(out)?.map_err(wrong)?;
    let (mut all, mut first): (Option<ColumnTable>, Option<(PathBuf, Whole)>) = (None, None);
    for index in 0..count {
        session.check()?;
        let shard = Shard::new(index, count).map_err(Error::Invalid)?;
        let path = shard_file(out, shard)?;
        let file = TableFile::open(&path)?;
        let text = file.metadata().iter().find(|(key, _)| key == KEY).map(|(_, text)| text);
        let origin: Option<Origin> = text.and_then(|text| serde_json::from_str(text).ok());
        let origin =
            origin.ok_or_else(|| wrong(format!("{} is not a file of a shard", path.display())))?;
        if origin.shard != shard || origin.rows != file.rows() {
            let (has, rows) = (origin.shard, origin.rows);
            return Err(wrong(format!(
                "{} says that it has the {rows} rows of shard {has}, but it has {}",
                path.display(),
                file.rows()
            )));
        }
        if let Some((known, whole)) = &first {
            if let Some((what, a, b)) = whole.difference(&origin.whole) {
                return Err(wrong(format!(
                    "{} and {} do not belong together: the {what} is `{a}` and `{b}`; run the shards of one of them again",
                    known.display(),
                    path.display()
                )));
            }
        } else {
            first = Some((path.clone(), origin.whole));
        }
        let names: Vec<&str> = file.fields().iter().map(|field| field.name.as_str()).collect();
        let rows = file.read_columns(&names)?;
        if digest(&rows) != origin.digest {
            return Err(wrong(format!(
                "{} is damaged: its rows are not those that were written; run shard {shard} again",
                path.display()
            )));
        }
        match &mut all {
            None => all = Some(rows),
            Some(all) => all.append(rows).map_err(|e| wrong(format!("{}: {e}", path.display())))?,
        }
    }
    let all = all.ok_or_else(|| wrong("there are no shards".into()))?;
    write_parquet(out, &all, &[])?;
    Ok(Merged { out: out.to_owned(), shards: count, rows: all.rows() })
}

/// SHA-256 of the columns of a table, by their names and values.
fn digest(table: &ColumnTable) -> String {
    fn bytes<T>(values: &[Option<T>], add: impl Fn(&T, &mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(values.len() * (1 + size_of::<T>()));
        for value in values {
            bytes.push(value.is_some().into());
            if let Some(value) = value {
                add(value, &mut bytes);
            }
        }
        bytes
    }
    let text = |text: &String, bytes: &mut Vec<u8>| {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    };
    let mut all = vec![];
    for Column { name, values } in &table.columns {
        let values = match values {
            Values::F32(x) => bytes(x, |x, bytes| bytes.extend(x.to_le_bytes())),
            Values::I64(x) => bytes(x, |x, bytes| bytes.extend(x.to_le_bytes())),
            other => bytes(&other.texts().unwrap_or_default(), text),
        };
        text(name, &mut all);
        text(&latents_files::sha256(&values), &mut all);
    }
    latents_files::sha256(&all)
}

/// The number of pieces whose files lie beside `out`, or what is wrong with them.
fn shard_count(out: &Path) -> Result<Result<usize, String>> {
    let (stem, ending) = stem_and_ending(out)?;
    let folder = match out.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let entries = std::fs::read_dir(folder).map_err(FileError::on("read the folder", folder))?;
    let mut found: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for entry in entries {
        let name = entry.map_err(FileError::on("read the folder", folder))?.file_name();
        let shard = name.to_str().and_then(|name| {
            let name = name.strip_prefix(&stem)?.strip_prefix('-')?;
            let (index, count) =
                name.strip_suffix(&ending)?.strip_suffix('.')?.split_once("-of-")?;
            Shard::new(index.parse().ok()?, count.parse().ok()?).ok()
        });
        if let Some(shard) = shard {
            found.entry(shard.count()).or_default().insert(shard.index());
        }
    }
    let example = format!("{stem}-00000-of-00008.{ending}");
    let Some((&count, indices)) = found.first_key_value() else {
        return Ok(Err(format!("there are no files of shards beside it, such as {example}")));
    };
    if found.len() > 1 {
        let counts: Vec<String> = found.keys().map(usize::to_string).collect();
        return Ok(Err(format!(
            "there are files of divisions into {} shards; move those of all but one away",
            counts.join(" and ")
        )));
    }
    let missing: Vec<String> =
        (0..count).filter(|i| !indices.contains(i)).map(|i| format!("{i}/{count}")).collect();
    if missing.is_empty() {
        return Ok(Ok(count));
    }
    let shown = missing.iter().take(MOST_TOLD).cloned().collect::<Vec<_>>().join(" ");
    let more = if missing.len() > MOST_TOLD { " ..." } else { "" };
    Ok(Err(format!("{} of {count} shards are missing: {shown}{more}", missing.len())))
}
