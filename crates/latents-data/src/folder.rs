//! A folder of pictures as a data set: its files, their heads, and the size of the images. What the folders mean is in `folder/tree`,
//! decoding in `folder/decode`, one picture in `picture`; the cache of decoded pictures in `folder/cache`; the walk over the folder in
//! `folder/listing`.

mod cache;
mod content;
mod decode;
mod labels;
mod listing;
mod packed;
mod shard;
mod tree;

use std::path::{Path, PathBuf};

use latents_progress::{Interrupted, Monitor};
use latents_tables::TableFile;
use rayon::prelude::*;

use self::cache::{Cache, Kept};
pub(crate) use self::labels::{parts_of_column, texts};
pub(crate) use self::listing::{Listing, files_of};
pub(crate) use self::packed::picture_column;
pub use self::shard::PictureShard;
pub(crate) use self::shard::load_shard;
pub(crate) use self::tree::part_of_file;
use crate::dataset::{Dataset, Labelled, Limits};
use crate::error::Error;
use crate::images::Depth;
use crate::locations::Locations;
use crate::note::{Note, list_files};
use crate::part::Part;
use crate::picture::{self, Header};
use crate::pictures::Pictures;

/// Files whose heads are read at once.
const BLOCK: usize = 4096;
/// The longest side of images if the settings give no size.
const SIDE: usize = 64;

/// A picture of the folder: a file, or a page of one.
struct Picture {
    /// Its file among all.
    file: usize,
    page: u32,
    name: String,
    /// Changes if the file changes.
    stamp: String,
    header: Header,
}

/// The pictures of a folder, by their heads.
struct Looked {
    pictures: Vec<Picture>,
    /// Names of unreadable pictures, with reasons.
    broken: Vec<(String, String)>,
}

/// The pictures of a folder, with the labels that a table or the names of files give them.
pub(crate) fn list(folder: &Path, settings: &Pictures) -> Result<Listing, Error> {
    settings.check()?;
    let mut listing = Listing::of(folder)?;
    labels::label(&mut listing, folder, settings)?;
    Ok(listing)
}

/// The pictures that are rows of tables, as Hugging Face's `datasets` writes them.
pub(crate) fn list_tables(tables: Vec<TableFile>, settings: &Pictures) -> Result<Listing, Error> {
    settings.check()?;
    Listing::of_tables(tables, settings)
}

/// The pictures of tar archives: one, or those of a folder.
pub(crate) fn list_archives(path: &Path, settings: &Pictures) -> Result<Listing, Error> {
    settings.check()?;
    Listing::of_archives(&files_of(path, &["tar"]), settings)
}

/// Reads the pictures of a listing, or takes them from the cache if they were decoded before with the same settings.
pub(crate) fn load(
    name: String,
    folder: &Path,
    listing: &Listing,
    settings: &Pictures,
    locations: &Locations,
    monitor: &Monitor,
) -> Result<Dataset, Error> {
    monitor.check()?;
    let chosen = || Cache::of(folder, settings, listing, locations);
    let (mut looked, size) = if let Some(size) = settings.size.or_else(|| chosen().size()) {
        (None, size)
    } else {
        let looked = look(folder, listing, settings, monitor)?;
        let size = choose_size(&looked.pictures);
        chosen().keep_size(size);
        (Some(looked), size)
    };
    let settings = &Pictures { size: Some(size), ..settings.clone() };
    let cache = Cache::of(folder, settings, listing, locations);
    let kept = cache.load().or_else(|| {
        // Images without colours are the same whether or not `grey` is on.
        let coloured = settings.grey.then(|| Pictures { grey: false, ..settings.clone() })?;
        let kept = Cache::of(folder, &coloured, listing, locations).load()?;
        (kept.about.shape[0] == 1).then_some(kept)
    });
    let kept = if let Some(kept) = kept {
        kept
    } else {
        let looked = looked.take().map_or_else(|| look(folder, listing, settings, monitor), Ok)?;
        decode::decode(folder, looked, size, settings, listing, &cache, monitor)?
    };
    if settings.strict && !kept.about.broken.is_empty() {
        let broken = kept.about.broken.clone();
        return Err(Error::Broken { folder: folder.into(), broken });
    }
    kept.dataset(name, folder, settings)
}

/// Reads the heads of all files.
fn look(
    folder: &Path,
    listing: &Listing,
    settings: &Pictures,
    monitor: &Monitor,
) -> Result<Looked, Error> {
    let (mut pictures, mut broken) = (vec![], listing.broken.clone());
    let mut rows = listing.tables.rows();
    let mut heads = vec![];
    for files in listing.files.chunks(BLOCK) {
        let read = rows.take(files.iter().filter_map(|file| file.content.row()))?;
        let head = |file: &listing::Listed| {
            monitor.check()?;
            Ok(head(file, file.content.row().and_then(|row| read.get(&row)), settings))
        };
        let found: Vec<_> = files.par_iter().map(head).collect::<Result<_, Interrupted>>()?;
        heads.extend(found);
    }
    for ((place, file), head) in listing.files.iter().enumerate().zip(heads) {
        match head {
            Ok(header) => pictures.extend((0..header.pages).map(|page| {
                let name = if header.pages == 1 {
                    file.name.clone()
                } else {
                    format!("{}[{page}]", file.name)
                };
                Picture { file: place, page, name, stamp: file.stamp.clone(), header }
            })),
            Err(reason) => broken.push((file.name.clone(), reason)),
        }
    }
    if pictures.is_empty() {
        return Err(no_pictures(folder, listing, broken));
    }
    Ok(Looked { pictures, broken })
}

/// The head of a file: of its first bytes, or of all if these do not suffice.
fn head(
    file: &listing::Listed,
    row: Option<&content::RowBytes>,
    settings: &Pictures,
) -> Result<picture::Header, String> {
    let name = Path::new(&file.name);
    if !matches!(file.content, content::Content::Row(_)) {
        let (start, length) = file.content.head()?;
        let found = picture::read_header(&start, length, name, settings);
        if found.is_ok() || start.len() as u64 == length {
            return found;
        }
    }
    let bytes = file.content.bytes(row)?;
    picture::read_header(&bytes, bytes.len() as u64, name, settings)
}

/// A picture's file, and what its folder or a table says of it.
pub(crate) struct KnownFile {
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    pub(crate) part: Option<Part>,
    pub(crate) class: Option<String>,
}

/// All files of pictures of a folder, without opening them.
pub(crate) fn known_files(folder: &Path, settings: &Pictures) -> Result<Vec<KnownFile>, Error> {
    let listing = list(folder, settings)?;
    if listing.files.is_empty() {
        return Err(no_pictures(folder, &listing, listing.broken.clone()));
    }
    let names: Vec<&str> = listing.files.iter().map(|file| file.name.as_str()).collect();
    let places = tree::Tree::of(&names).places;
    let known = |(file, place): (&listing::Listed, Option<tree::Place>)| {
        let path = file.content.path()?.to_owned();
        let tree::Place { part, class } = place.unwrap_or_default();
        let known = file.known.clone().unwrap_or_default();
        let (part, class) = (known.part.or(part), known.label.or(class));
        Some(KnownFile { path, name: file.name.clone(), part, class })
    };
    Ok(listing.files.iter().zip(places).filter_map(known).collect())
}

fn no_pictures(folder: &Path, listing: &Listing, broken: Vec<(String, String)>) -> Error {
    Error::NoPictures { folder: folder.into(), others: list_files(&listing.others), broken }
}

/// The size of the pictures if all have the same, scaled down to [`SIDE`] if that is too large; otherwise a square whose side is
/// the median of their shorter sides, but at most [`SIDE`], and rounded down to a multiple of 8 if it is 16 or more.
fn choose_size(pictures: &[Picture]) -> [usize; 2] {
    let first = pictures[0].header.size.map(|side| side as usize);
    if pictures.iter().all(|p| p.header.size == pictures[0].header.size) {
        let longest = first[0].max(first[1]);
        let scaled = |side: usize| (side * SIDE / longest).max(1);
        return if longest <= SIDE { first } else { first.map(scaled) };
    }
    let shorter = |p: &Picture| p.header.size[0].min(p.header.size[1]);
    let mut shorter: Vec<u32> = pictures.iter().map(shorter).collect();
    shorter.sort_unstable();
    let side = (shorter[shorter.len() / 2] as usize).min(SIDE);
    [if side < 16 { side } else { side - side % 8 }; 2]
}

/// The note on the sizes of the pictures.
fn note_on_sizes(pictures: &[Picture], size: [usize; 2], settings: &Pictures) -> Note {
    if pictures.iter().all(|p| p.header.size.map(|side| side as usize) == size) {
        return Note::SameSize { size };
    }
    let area = |p: &&Picture| p.header.size.map(u64::from).iter().product::<u64>();
    let smallest = pictures.iter().min_by_key(area).map(|p| p.header.size).unwrap_or_default();
    let largest = pictures.iter().max_by_key(area).map(|p| p.header.size).unwrap_or_default();
    Note::Resized { smallest, largest, fit: settings.fit, size }
}

impl Kept {
    fn dataset(self, name: String, folder: &Path, settings: &Pictures) -> Result<Dataset, Error> {
        let about = self.about;
        let [c, h, w] = about.shape;
        let (mut names, mut labels) = (about.names, about.labels);
        let n = names.len();
        let parts = self.pixels.cut(&about.count, about.shape, about.depth)?;
        let mut start = 0;
        let mut parts = parts.into_iter().map(|images| {
            let places: Vec<usize> = (start..start + images.len()).collect();
            start += images.len();
            let columns = about.column_labels.iter().map(|column| column.at(&places)).collect();
            let rest = names.split_off(images.len());
            let names = std::mem::replace(&mut names, rest);
            let labels = labels.as_mut().map(|labels| {
                let rest = labels.split_off(images.len());
                std::mem::replace(labels, rest)
            });
            let labels = labels.filter(|labels| labels.iter().any(Option::is_some));
            Labelled { images, labels, names: Some(names), columns }
        });
        let mut next = || parts.next().ok_or_else(|| cache::damaged(folder));
        let [train, validation, test, unlabelled] = [next()?, next()?, next()?, next()?];
        let are = if n == 1 { "picture" } else { "pictures" };
        let origin = format!("{n} {are} in {}", folder.display());
        let mut pictures = settings.pinned([c, h, w]);
        if about.depth == Depth::Sixteen {
            pictures = pictures.pinned_range(&about.range);
        }
        Ok(Dataset {
            name,
            origin,
            notes: about.notes,
            classes: about.classes,
            columns: about.columns,
            train,
            validation,
            test,
            unlabelled,
            pictures,
            range: about.range.first().copied().unwrap_or(crate::dataset::BYTES),
            limits: Limits::default(),
            shuffled: false,
        })
    }
}

#[cfg(test)]
mod tests;
