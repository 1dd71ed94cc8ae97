//! A folder of pictures as a data set: names, labels, the parts and the size of the images. Decoding one picture is in `picture`;
//! the cache of decoded pictures in `folder/cache`; the walk over the folder in `folder/listing`.

mod cache;
mod listing;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use latents_progress::{Interrupted, Monitor, count};
use rayon::prelude::*;

use self::cache::{Cache, Kept};
use self::listing::{Listed, Listing};
use crate::dataset::{BYTES, Dataset, Labelled, Limits, MAX_CLASSES};
use crate::error::Error;
use crate::locations::Locations;
use crate::note::{Note, list_files};
use crate::picture;
use crate::pictures::Pictures;
use crate::split::hold_out;

/// The longest side of images if the settings give no size.
const SIDE: usize = 64;
/// The most pictures, and the most pixels in their files, that are decoded before their pixels are stored.
const BLOCK: (usize, u64) = (256, 1 << 26);

/// A picture of the folder.
struct Picture {
    path: PathBuf,
    name: String,
    class: Option<String>,
    /// Whether it is in the sub-folder `test` of a folder with both parts.
    test: bool,
    /// Height and width.
    size: [u32; 2],
}

/// Reads the pictures of a folder, or takes them from the cache if they were decoded before with the same settings.
pub(crate) fn load(
    name: String,
    folder: &Path,
    settings: &Pictures,
    locations: &Locations,
    monitor: &Monitor,
) -> Result<Dataset, Error> {
    if let Some(problem) = settings.problem() {
        return Err(Error::Setting { problem });
    }
    let listing = Listing::of(folder)?;
    let (mut looked, size) = if let Some(size) = settings.size {
        (None, size)
    } else {
        let looked = look(folder, &listing, monitor)?;
        let size = choose_size(&looked.pictures);
        (Some(looked), size)
    };
    let settings = &Pictures { size: Some(size), ..settings.clone() };
    let cache = Cache::of(folder, settings, &listing, locations);
    let kept = cache.load().or_else(|| {
        // Images without colours are the same whether or not `grey` is on.
        let coloured = settings.grey.then(|| Pictures { grey: false, ..settings.clone() })?;
        let kept = Cache::of(folder, &coloured, &listing, locations).load()?;
        (kept.about.shape[0] == 1).then_some(kept)
    });
    let kept = if let Some(kept) = kept {
        kept
    } else {
        let looked = looked.take().map_or_else(|| look(folder, &listing, monitor), Ok)?;
        decode(folder, looked, size, settings, &listing, &cache, monitor)?
    };
    if settings.strict && !kept.about.broken.is_empty() {
        let broken = kept.about.broken.clone();
        return Err(Error::Broken { folder: folder.into(), broken });
    }
    kept.dataset(name, folder, settings)
}

/// Reads the size of each picture, and its class and part from its folders.
fn look(folder: &Path, listing: &Listing, monitor: &Monitor) -> Result<Arranged, Error> {
    let (mut pictures, mut broken) = (vec![], listing.broken.clone());
    let size_of = |file: &Listed| {
        monitor.check()?;
        Ok(picture::read_size(&file.path))
    };
    let sizes: Vec<_> =
        listing.files.par_iter().map(size_of).collect::<Result<_, Interrupted>>()?;
    for (file, size) in listing.files.iter().zip(sizes) {
        match size {
            Ok(size) => pictures.push((file, size)),
            Err(reason) => broken.push((file.name.clone(), reason)),
        }
    }
    let arranged = arrange(pictures, broken);
    if arranged.pictures.is_empty() {
        let (others, broken) = (list_files(&listing.others), arranged.broken);
        return Err(Error::NoPictures { folder: folder.into(), others, broken });
    }
    Ok(arranged)
}

/// Decodes all pictures and keeps their pixels in the cache.
fn decode(
    folder: &Path,
    looked: Arranged,
    [h, w]: [usize; 2],
    settings: &Pictures,
    listing: &Listing,
    cache: &Cache,
    monitor: &Monitor,
) -> Result<Kept, Error> {
    let Arranged { pictures, classes, mut notes, mut broken } = looked;
    let total = pictures.len() as u64;
    let task = format!("reading {} pictures", count(total));
    notes.insert(0, note_on_sizes(&pictures, [h, w], settings));

    let (train, test) = part(pictures, &classes, settings, &mut notes);
    let bytes = ((train.len() + test.len()) * 3 * h * w) as u64;
    let mut pixels = cache.scratch(bytes)?;
    let (mut coloured, mut done) = (false, 0);
    let mut parts = [vec![], vec![]];
    for (part, read) in [train, test].into_iter().zip(&mut parts) {
        for block in blocks(part) {
            let read_one = |one: &Picture| {
                monitor.check()?;
                let planes = picture::read(&one.path, [h, w], settings);
                Ok(planes.map(|p| if settings.grey { picture::grey(&p) } else { p }))
            };
            let decoded: Vec<_> =
                block.par_iter().map(read_one).collect::<Result<_, Interrupted>>()?;
            done += block.len() as u64;
            for (one, planes) in block.into_iter().zip(decoded) {
                match planes {
                    Ok(planes) => {
                        coloured |= !settings.grey && picture::is_coloured(&planes);
                        pixels.write_all(&planes).map_err(|e| cache.unwritable(e))?;
                        read.push(one);
                    }
                    Err(reason) => broken.push((one.name, reason)),
                }
            }
            monitor.progress(&task, done, total, "");
        }
    }
    broken.sort();
    let [train, test] = parts;
    if train.is_empty() {
        let others = list_files(&listing.others);
        return Err(Error::NoPictures { folder: folder.into(), others, broken });
    }
    if !broken.is_empty() {
        notes.push(Note::Unreadable { pictures: broken.clone() });
    }
    if !listing.others.is_empty() {
        notes.push(Note::OtherFiles { extensions: listing.others.clone() });
    }
    let count = [train.len(), test.len()];
    let (labels, names) = if classes.is_empty() {
        (None, train.into_iter().chain(test).map(|p| p.name).collect())
    } else {
        let of = |p: &Picture| classes.iter().position(|c| Some(c) == p.class.as_ref());
        let all = || train.iter().chain(&test);
        let labels = all().map(|p| of(p).unwrap_or_default() as u8).collect();
        (Some(labels), all().map(|p| p.name.clone()).collect())
    };
    let about = cache::About {
        key: cache.key().to_owned(),
        shape: [if coloured { 3 } else { 1 }, h, w],
        count,
        names,
        labels,
        classes,
        notes,
        broken,
        crc: 0,
    };
    // Without `grey`, pictures are decoded with three channels, even if none has a colour.
    let planes = if settings.grey { 1 } else { 3 };
    cache.keep(about, pixels, planes)
}

/// Pictures with the classes of the folder, and notes on these.
struct Arranged {
    pictures: Vec<Picture>,
    /// Empty if there are no labels.
    classes: Vec<String>,
    notes: Vec<Note>,
    /// Names of unreadable pictures, with reasons.
    broken: Vec<(String, String)>,
}

/// Infers labels and parts from the folders of the pictures.
fn arrange(files: Vec<(&Listed, [u32; 2])>, broken: Vec<(String, String)>) -> Arranged {
    let mut notes = vec![];
    let top = |name: &str, wanted: &str| {
        name.split_once('/').is_some_and(|(top, _)| top.eq_ignore_ascii_case(wanted))
    };
    let has = |wanted: &str| files.iter().any(|(file, _)| top(&file.name, wanted));
    let parted = has("train") && has("test");
    let found = files.len();
    let mut pictures: Vec<Picture> = files
        .into_iter()
        .filter(|(file, _)| !parted || top(&file.name, "train") || top(&file.name, "test"))
        .map(|(file, size)| {
            let inner = if parted { file.name.split_once('/').map(|(_, rest)| rest) } else { None };
            let class = inner.unwrap_or(&file.name).split_once('/');
            Picture {
                path: file.path.clone(),
                name: file.name.clone(),
                class: class.map(|(class, _)| class.to_owned()),
                test: parted && top(&file.name, "test"),
                size,
            }
        })
        .collect();
    if pictures.len() < found {
        notes.push(Note::OutsideTrainAndTest { pictures: found - pictures.len() });
    }
    let classes: BTreeSet<&String> = pictures.iter().filter_map(|p| p.class.as_ref()).collect();
    let classes: Vec<String> = classes.into_iter().cloned().collect();
    let loose = pictures.iter().filter(|p| p.class.is_none()).count();
    let unlabelled = if classes.is_empty() {
        Some(Note::NoFolders)
    } else if loose > 0 {
        Some(Note::PicturesOutsideFolders { pictures: loose })
    } else if classes.len() == 1 {
        Some(Note::OneFolder)
    } else if classes.len() > MAX_CLASSES {
        Some(Note::TooManyFolders { folders: classes.len(), limit: MAX_CLASSES })
    } else {
        None
    };
    let Some(unlabelled) = unlabelled else {
        notes.push(Note::ClassesFromFolders { classes: classes.len() });
        return Arranged { pictures, classes, notes, broken };
    };
    notes.push(unlabelled);
    for picture in &mut pictures {
        picture.class = None;
    }
    Arranged { pictures, classes: vec![], notes, broken }
}

/// Splits pictures into training and test pictures.
fn part(
    pictures: Vec<Picture>,
    classes: &[String],
    settings: &Pictures,
    notes: &mut Vec<Note>,
) -> (Vec<Picture>, Vec<Picture>) {
    if pictures.iter().any(|p| p.test) {
        notes.push(Note::PartsFromFolders);
        return pictures.into_iter().partition(|p| !p.test);
    }
    let label = |p: &Picture| {
        let class = classes.iter().position(|c| Some(c) == p.class.as_ref());
        class.unwrap_or_default() as u8
    };
    let labels: Vec<u8> = pictures.iter().map(label).collect();
    let held = hold_out(&labels, settings.test_fraction, settings.split_seed);
    notes.push(Note::HeldOut {
        held_out: held.iter().filter(|&&held| held).count(),
        of: pictures.len(),
        stratified: !classes.is_empty(),
    });
    let (mut train, mut test) = (vec![], vec![]);
    for (picture, held) in pictures.into_iter().zip(held) {
        if held { test.push(picture) } else { train.push(picture) }
    }
    (train, test)
}

/// The size of the pictures if all have the same, scaled down to [`SIDE`] if that is too large; otherwise a square whose side is
/// the median of their shorter sides, but at most [`SIDE`], and rounded down to a multiple of 8 if it is 16 or more.
fn choose_size(pictures: &[Picture]) -> [usize; 2] {
    let first = pictures[0].size.map(|side| side as usize);
    if pictures.iter().all(|p| p.size == pictures[0].size) {
        let longest = first[0].max(first[1]);
        let scaled = |side: usize| (side * SIDE / longest).max(1);
        return if longest <= SIDE { first } else { first.map(scaled) };
    }
    let mut shorter: Vec<u32> = pictures.iter().map(|p| p.size[0].min(p.size[1])).collect();
    shorter.sort_unstable();
    let side = (shorter[shorter.len() / 2] as usize).min(SIDE);
    [if side < 16 { side } else { side - side % 8 }; 2]
}

/// The note on the sizes of the pictures.
fn note_on_sizes(pictures: &[Picture], size: [usize; 2], settings: &Pictures) -> Note {
    if pictures.iter().all(|p| p.size.map(|side| side as usize) == size) {
        return Note::SameSize { size };
    }
    let area = |p: &&Picture| u64::from(p.size[0]) * u64::from(p.size[1]);
    let smallest = pictures.iter().min_by_key(area).map(|p| p.size).unwrap_or_default();
    let largest = pictures.iter().max_by_key(area).map(|p| p.size).unwrap_or_default();
    Note::Resized { smallest, largest, fit: settings.fit, size }
}

/// Pictures in blocks whose decoded files fit into memory.
fn blocks(pictures: Vec<Picture>) -> Vec<Vec<Picture>> {
    let mut blocks = vec![];
    let (mut block, mut pixels) = (vec![], 0);
    for picture in pictures {
        let area = u64::from(picture.size[0]) * u64::from(picture.size[1]);
        if block.len() == BLOCK.0 || (pixels + area > BLOCK.1 && !block.is_empty()) {
            blocks.push(std::mem::take(&mut block));
            pixels = 0;
        }
        pixels += area;
        block.push(picture);
    }
    blocks.push(block);
    blocks
}

impl Kept {
    fn dataset(self, name: String, folder: &Path, settings: &Pictures) -> Result<Dataset, Error> {
        let about = self.about;
        let [c, h, w] = about.shape;
        let [train, test] = about.count;
        let (mut names, mut labels) = (about.names, about.labels);
        let cut = train * about.shape.iter().product::<usize>();
        let [first, second] = self.pixels.cut(cut, about.shape)?;
        let second = Labelled {
            images: second,
            labels: labels.as_mut().map(|labels| labels.split_off(train)),
            names: Some(names.split_off(train)),
        };
        let n = train + test;
        let are = if n == 1 { "picture" } else { "pictures" };
        let origin = format!("{n} {are} in {}", folder.display());
        let train = Labelled { images: first, labels, names: Some(names) };
        Ok(Dataset {
            name,
            origin,
            notes: about.notes,
            classes: about.classes,
            train,
            test: second,
            pictures: settings.pinned([c, h, w]),
            range: BYTES,
            limits: Limits::default(),
            shuffled: false,
        })
    }
}

#[cfg(test)]
mod tests;
