//! A folder of pictures as a data set: which files are pictures, what they are called and how they are labelled, which are held out
//! for testing, and of what size all become. Decoding one is in `picture`; the file that the decoded ones are kept in is in
//! `folder/cache`; the walk over the folder in `folder/listing`.

mod cache;
mod listing;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use self::cache::{Cache, Kept};
use self::listing::{Listed, Listing};
use crate::error::list_some;
use crate::mapped::Mapped;
use crate::picture;
use crate::pictures::{Fit, Pictures};
use crate::split::hold_out;
use crate::{Dataset, Error, Images, Labelled, Locations, Progress};

/// The longest side of images whose size was not asked for.
const SIDE: usize = 64;
/// The most classes; labels are bytes.
const MAX_CLASSES: usize = 256;
/// The most pictures that are decoded before their pixels are put away, and the most pixels of them as they are in their files.
const BLOCK: (usize, u64) = (256, 1 << 26);

/// A picture that may become part of the data set.
struct Picture {
    path: PathBuf,
    name: String,
    class: Option<String>,
    /// Whether the folder itself says that it is for testing.
    test: bool,
    /// Height and width.
    size: [u32; 2],
}

/// Reads the pictures of a folder; those that were decoded before with the same settings come from the cache.
pub(crate) fn load(
    name: String,
    folder: &Path,
    settings: &Pictures,
    locations: &Locations,
    progress: &mut dyn FnMut(Progress),
) -> Result<Dataset, Error> {
    if let Some(problem) = settings.problem() {
        return Err(Error::Setting { problem });
    }
    let listing = Listing::of(folder)?;
    let (mut looked, size) = if let Some(size) = settings.size {
        (None, size)
    } else {
        let looked = look(folder, &listing)?;
        let size = choose_size(&looked.pictures);
        (Some(looked), size)
    };
    let settings = &Pictures { size: Some(size), ..settings.clone() };
    let cache = Cache::of(folder, settings, &listing, locations);
    let kept = cache.load().or_else(|| {
        // What has no colour is the same whether or not it is made grey.
        let coloured = settings.grey.then(|| Pictures { grey: false, ..settings.clone() })?;
        let kept = Cache::of(folder, &coloured, &listing, locations).load()?;
        (kept.about.shape[0] == 1).then_some(kept)
    });
    let kept = if let Some(kept) = kept {
        kept
    } else {
        let looked = looked.take().map_or_else(|| look(folder, &listing), Ok)?;
        decode(folder, looked, size, settings, &listing, &cache, progress)?
    };
    if settings.strict && !kept.about.broken.is_empty() {
        let broken = kept.about.broken.clone();
        return Err(Error::Broken { folder: folder.into(), broken });
    }
    kept.dataset(name, folder)
}

/// Finds out the size of each picture, and what the folders say of them.
fn look(folder: &Path, listing: &Listing) -> Result<Arranged, Error> {
    let (mut pictures, mut broken) = (vec![], listing.broken.clone());
    let sizes: Vec<_> =
        listing.files.par_iter().map(|file| picture::read_size(&file.path)).collect();
    for (file, size) in listing.files.iter().zip(sizes) {
        match size {
            Ok(size) => pictures.push((file, size)),
            Err(reason) => broken.push((file.name.clone(), reason)),
        }
    }
    let arranged = arrange(pictures, broken);
    if arranged.pictures.is_empty() {
        let (others, broken) = (listing.others(), arranged.broken);
        return Err(Error::NoPictures { folder: folder.into(), others, broken });
    }
    Ok(arranged)
}

/// Reads every picture and keeps what it became.
fn decode(
    folder: &Path,
    looked: Arranged,
    [h, w]: [usize; 2],
    settings: &Pictures,
    listing: &Listing,
    cache: &Cache,
    progress: &mut dyn FnMut(Progress),
) -> Result<Kept, Error> {
    let Arranged { pictures, classes, mut notes, mut broken } = looked;
    let total = pictures.len() as u64;
    notes.insert(0, describe_sizes(&pictures, [h, w], settings));

    let (train, test) = part(pictures, &classes, settings, &mut notes);
    let bytes = ((train.len() + test.len()) * 3 * h * w) as u64;
    let mut pixels = cache.scratch(bytes)?;
    let (mut coloured, mut done) = (false, 0);
    let mut parts = [vec![], vec![]];
    for (part, read) in [train, test].into_iter().zip(&mut parts) {
        for block in blocks(part) {
            let decoded: Vec<_> = block
                .par_iter()
                .map(|one| {
                    let planes = picture::read(&one.path, [h, w], settings)?;
                    Ok(if settings.grey { picture::grey(&planes) } else { planes })
                })
                .collect();
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
            progress(Progress::Pictures { done, total });
        }
    }
    broken.sort();
    let [train, test] = parts;
    if train.is_empty() {
        let others = listing.others();
        return Err(Error::NoPictures { folder: folder.into(), others, broken });
    }
    notes.extend(complaints(&broken, &listing.others()));
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
    // A folder in which nothing has a colour was decoded as if it had.
    let planes = if settings.grey { 1 } else { 3 };
    cache.keep(about, pixels, planes)
}

/// Pictures with the classes of the folder, and what is to be said of that.
struct Arranged {
    pictures: Vec<Picture>,
    /// Empty where there are no labels.
    classes: Vec<String>,
    notes: Vec<String>,
    /// Names of what cannot be read, with reasons.
    broken: Vec<(String, String)>,
}

/// Reads labels, and which pictures are for testing, off the folders that the pictures are in.
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
        let left = found - pictures.len();
        notes.push(format!("{left} outside the sub-folders train and test were left out"));
    }
    let classes: BTreeSet<&String> = pictures.iter().filter_map(|p| p.class.as_ref()).collect();
    let classes: Vec<String> = classes.into_iter().cloned().collect();
    let loose = pictures.iter().filter(|p| p.class.is_none()).count();
    let without = if classes.is_empty() {
        Some("no sub-folders, so no labels".to_owned())
    } else if loose > 0 {
        Some(format!("no labels, as {loose} of the pictures are in no sub-folder"))
    } else if classes.len() == 1 {
        Some("no labels, as all are in one sub-folder".to_owned())
    } else if classes.len() > MAX_CLASSES {
        let n = classes.len();
        Some(format!("no labels, as there are {n} sub-folders, and at most {MAX_CLASSES} classes"))
    } else {
        None
    };
    let Some(without) = without else {
        notes.push(format!("{} classes, from the sub-folders", classes.len()));
        return Arranged { pictures, classes, notes, broken };
    };
    notes.push(without);
    for picture in &mut pictures {
        picture.class = None;
    }
    Arranged { pictures, classes: vec![], notes, broken }
}

/// Which pictures train and which test.
fn part(
    pictures: Vec<Picture>,
    classes: &[String],
    settings: &Pictures,
    notes: &mut Vec<String>,
) -> (Vec<Picture>, Vec<Picture>) {
    if pictures.iter().any(|p| p.test) {
        notes.push("trained and tested on the sub-folders of these names".into());
        return pictures.into_iter().partition(|p| !p.test);
    }
    let label = |p: &Picture| {
        let class = classes.iter().position(|c| Some(c) == p.class.as_ref());
        class.unwrap_or_default() as u8
    };
    let labels: Vec<u8> = pictures.iter().map(label).collect();
    let held = hold_out(&labels, settings.test_fraction, settings.split_seed);
    let n = held.iter().filter(|&&held| held).count();
    notes.push(note_on_holding_out(n, pictures.len(), !classes.is_empty()));
    let (mut train, mut test) = (vec![], vec![]);
    for (picture, held) in pictures.into_iter().zip(held) {
        if held { test.push(picture) } else { train.push(picture) }
    }
    (train, test)
}

/// Says how the testing part was made.
pub(crate) fn note_on_holding_out(held: usize, of: usize, labelled: bool) -> String {
    let alike = if labelled { ", of each class alike" } else { "" };
    format!("{held} of {of} held out for testing{alike} (--test-fraction, --split-seed)")
}

/// The size of the pictures where they have one, scaled down where that is too large; else a square as large as the median of
/// their shorter sides, but no larger than [`SIDE`], and where it is 16 or more a multiple of 8.
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

fn describe_sizes(pictures: &[Picture], [h, w]: [usize; 2], settings: &Pictures) -> String {
    let area = |p: &&Picture| u64::from(p.size[0]) * u64::from(p.size[1]);
    let written = |p: &Picture| format!("{} x {}", p.size[0], p.size[1]);
    let least = pictures.iter().min_by_key(area).map(written).unwrap_or_default();
    let most = pictures.iter().max_by_key(area).map(written).unwrap_or_default();
    if pictures.iter().all(|p| p.size == [h as u32, w as u32]) {
        return format!("pictures of {h} x {w} pixels");
    }
    let sizes = if least == most { least } else { format!("{least} to {most}") };
    let how = match settings.fit {
        Fit::Crop => "cropped and scaled",
        Fit::Contain => "scaled and filled up",
        Fit::Stretch => "stretched",
    };
    format!("pictures of {sizes} pixels (height x width), {how} to {h} x {w} (--size, --fit)")
}

/// What is said of files that are not in the data set.
fn complaints(broken: &[(String, String)], others: &str) -> Vec<String> {
    let mut notes = vec![];
    if !broken.is_empty() {
        let n = broken.len();
        let what = if n == 1 {
            "picture that cannot be read was"
        } else {
            "pictures that cannot be read were"
        };
        notes.push(format!("{n} {what} left out: {}", list_some(broken)));
    }
    if !others.is_empty() {
        notes.push(format!("files that are no pictures were left alone: {others}"));
    }
    notes
}

/// Cut so that the files of a block, while they are read, do not fill the memory.
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
    fn dataset(self, name: String, folder: &Path) -> Result<Dataset, Error> {
        let about = self.about;
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
        let (notes, classes) = (about.notes, about.classes);
        Ok(Dataset { name, origin, notes, classes, train, test: second })
    }
}

/// Pixels that are still to be cut into parts.
pub(crate) enum Bytes {
    Memory(Vec<u8>),
    Mapped(Mapped, usize),
}

impl Bytes {
    fn cut(self, at: usize, shape: [usize; 3]) -> Result<[Images; 2], Error> {
        let [c, h, w] = shape;
        Ok(match self {
            Self::Memory(mut bytes) => {
                let rest = bytes.split_off(at);
                [Images::new(c, h, w, bytes)?, Images::new(c, h, w, rest)?]
            }
            Self::Mapped(file, end) => {
                [Images::mapped(&file, 0..at, shape)?, Images::mapped(&file, at..end, shape)?]
            }
        })
    }
}

#[cfg(test)]
mod tests;
