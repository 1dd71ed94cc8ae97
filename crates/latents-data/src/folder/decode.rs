//! Decoding all pictures of a folder: to bytes, or, if they have more precision or a range of their own, to numbers that become 16
//! bits; then parts and classes, and the cache.

use std::borrow::Cow;
use std::io::Write;
use std::path::Path;

use latents_progress::{Interrupted, Monitor, count};
use rayon::prelude::*;

use super::cache::{About, Cache, Kept, Scratch};
use super::listing::{Known, Listing};
use super::tree::{Place, Tree};
use super::{Looked, Picture, no_pictures, note_on_sizes};
use crate::arrange::{Arranged, Described, classes};
use crate::dataset::MAX_CLASSES;
use crate::error::Error;
use crate::images::{Depth, Pixels};
use crate::note::Note;
use crate::picture::{self, Precision};
use crate::pictures::Pictures;
use crate::range::{Histogram, Range, of_floats, of_words, word};
use crate::warnings::{self, Seen};

/// The most pictures, and the most pixels in their files, that are decoded before their pixels are stored.
const BLOCK: (usize, u64) = (256, 1 << 26);

/// The decoded pixels of all pictures, in the order of their files.
struct Decoded {
    scratch: Scratch,
    /// The channels that were decoded of each.
    planes: usize,
    /// The channels that are needed.
    channels: usize,
    depth: Depth,
    range: Vec<[f64; 2]>,
    /// Of each readable picture: its place among all, and what was seen of its pixels.
    pictures: Vec<(usize, Seen)>,
}

/// Decodes all pictures and keeps their pixels in the cache.
pub(super) fn decode(
    folder: &Path,
    looked: Looked,
    [h, w]: [usize; 2],
    settings: &Pictures,
    listing: &Listing,
    cache: &Cache,
    monitor: &Monitor,
) -> Result<Kept, Error> {
    let Looked { pictures, mut broken } = looked;
    let names: Vec<&str> = pictures.iter().map(|p| p.name.as_str()).collect();
    let known: Vec<Option<&Known>> =
        pictures.iter().map(|p| listing.files[p.file].known.as_ref()).collect();
    let (places, of_folders) = places(&names, &known, listing.is_packed());
    let (pictures, places): (Vec<_>, Vec<_>) =
        pictures.into_iter().zip(places).filter_map(|(p, place)| Some((p, place?))).unzip();
    let mut notes = vec![note_on_sizes(&pictures, [h, w], settings)];
    notes.extend(of_folders);
    notes.extend(listing.notes.clone());

    let work = Work { pictures: &pictures, listing, size: [h, w], settings, cache, monitor };
    let decoded = if is_deep(&pictures, settings) {
        work.numbers(&mut broken, &mut notes)?
    } else {
        work.bytes(&mut broken)?
    };
    broken.sort();
    if decoded.pictures.is_empty() {
        return Err(no_pictures(folder, listing, broken));
    }
    let (found, seen): (Vec<usize>, Vec<Seen>) = decoded.pictures.into_iter().unzip();
    let texts: Vec<Option<String>> = found.iter().map(|&i| places[i].class.clone()).collect();
    let (classes, labels) = match classes(&texts, listing.classes.clone()) {
        Ok(found) => found,
        Err(too_many) => {
            notes.retain(|note| !note.counts_classes());
            notes.push(Note::TooManyFolders { folders: too_many.0, limit: MAX_CLASSES });
            (vec![], vec![None; texts.len()])
        }
    };
    for note in &mut notes {
        note.set_classes(classes.len());
    }
    let copies = warnings::copies(&seen);
    let parts = found.iter().map(|&i| places[i].part).collect();
    let described = Described { parts, labels: &labels, copies };
    let Arranged(parts) = described.arrange(settings, &mut notes);
    if parts[0].is_empty() {
        return Err(no_pictures(folder, listing, broken));
    }
    if !broken.is_empty() {
        notes.push(Note::Unreadable { pictures: broken.clone() });
    }
    if !listing.others.is_empty() {
        notes.push(Note::OtherFiles { extensions: listing.others.clone() });
    }
    if listing.special > 0 {
        notes.push(Note::SpecialFiles { files: listing.special });
    }
    notes.extend(warnings::of(&parts, &labels, &classes, &described.copies, &seen, settings));
    let order: Vec<usize> = parts.iter().flatten().copied().collect();
    let files: Vec<usize> = order.iter().map(|&i| pictures[found[i]].file).collect();
    let about = About {
        key: cache.key().to_owned(),
        shape: [decoded.channels, h, w],
        depth: decoded.depth,
        count: parts.map(|part| part.len()),
        names: order.iter().map(|&i| pictures[found[i]].name.clone()).collect(),
        stamps: order.iter().map(|&i| pictures[found[i]].stamp.clone()).collect(),
        labels: (!classes.is_empty()).then(|| order.iter().map(|&i| labels[i]).collect()),
        classes,
        columns: listing.columns.clone(),
        column_labels: listing.column_labels.iter().map(|column| column.at(&files)).collect(),
        range: decoded.range,
        notes,
        broken,
        crc: 0,
    };
    cache.keep(about, decoded.scratch, decoded.planes, &order)
}

/// The part and the class of each picture, from what is known of it or else from its folders; `None` for one that is left out. Notes say how
/// these were found.
pub(super) fn places(
    names: &[&str],
    known: &[Option<&Known>],
    packed: bool,
) -> (Vec<Option<Place>>, Vec<Note>) {
    if packed || known.iter().all(|known| known.is_some_and(|known| known.part.is_some())) {
        let place = |known: Option<&Known>| {
            let Known { part, label } = known.cloned().unwrap_or_default();
            Some(Place { part, class: label })
        };
        return (known.iter().copied().map(place).collect(), vec![]);
    }
    let Tree { mut places, mut notes } = Tree::of(names);
    if known.iter().any(Option::is_some) {
        // Labels do not come from folders then, and no picture is a stray.
        for (place, known) in places.iter_mut().zip(known) {
            let Known { part, label } = known.cloned().unwrap_or_default();
            let place = place.get_or_insert_default();
            place.part = part.or(place.part);
            place.class = label;
        }
        notes.retain(|note| !note.is_about_classes());
    }
    (places, notes)
}

/// Whether bytes of grey or colour do not hold the pictures.
fn is_deep(pictures: &[Picture], settings: &Pictures) -> bool {
    let plain =
        |p: &Picture| p.header.precision == Precision::Bytes && matches!(p.header.channels, 1 | 3);
    !settings.keeps_bytes() || !pictures.iter().all(plain)
}

/// Gives the bytes of a picture's file.
type Bytes<'a> = dyn Fn() -> Result<Cow<'a, [u8]>, String> + 'a;

/// What is to be decoded, and how.
struct Work<'a> {
    pictures: &'a [Picture],
    listing: &'a Listing,
    size: [usize; 2],
    settings: &'a Pictures,
    cache: &'a Cache,
    monitor: &'a Monitor,
}

impl Work<'_> {
    /// Decodes pictures in blocks, in parallel; gives those that can be read to `keep`, in their order.
    fn blocks<T: Send>(
        &self,
        read: impl Fn(&Picture, &Bytes<'_>) -> Result<T, String> + Sync,
        broken: &mut Vec<(String, String)>,
        mut keep: impl FnMut(usize, T) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let total = self.pictures.len() as u64;
        let task = self.monitor.task(format!("reading {} pictures", count(total)));
        let mut done = 0;
        let mut rows = self.listing.tables.rows();
        let row = |one: &Picture| self.listing.files[one.file].content.row();
        for block in blocks(self.pictures) {
            let taken = rows.take(block.iter().filter_map(row))?;
            let read_one = |one: &Picture| {
                self.monitor.check()?;
                let content = &self.listing.files[one.file].content;
                Ok(read(one, &|| content.bytes(row(one).and_then(|row| taken.get(&row)))))
            };
            let decoded: Vec<_> =
                block.par_iter().map(read_one).collect::<Result<_, Interrupted>>()?;
            for (one, (place, result)) in block.iter().zip((done..).zip(decoded)) {
                match result {
                    Ok(value) => keep(place, value)?,
                    Err(reason) => broken.push((one.name.clone(), reason)),
                }
            }
            done += block.len();
            task.progress(done as u64, total, "");
        }
        Ok(())
    }

    /// Decodes pictures of bytes.
    fn bytes(&self, broken: &mut Vec<(String, String)>) -> Result<Decoded, Error> {
        let [h, w] = self.size;
        // Without `grey`, pictures are decoded with three channels, even if none has a colour.
        let planes = if self.settings.grey { 1 } else { 3 };
        let mut scratch = self.cache.scratch((self.pictures.len() * planes * h * w) as u64)?;
        let (mut coloured, mut pictures) = (false, vec![]);
        let reused = self.cache.reusable(self.size);
        let read = |one: &Picture, bytes: &Bytes<'_>| {
            if let Some(pixels) = reused.as_ref().and_then(|old| old.image(&one.name, &one.stamp)) {
                return Ok(pixels.repeat(planes * h * w / pixels.len()));
            }
            let name = Path::new(&self.listing.files[one.file].name);
            let pixels = picture::read(&bytes()?, name, one.page, self.size, self.settings)?;
            Ok(if planes == 1 { picture::grey(&pixels) } else { pixels })
        };
        self.blocks(read, broken, |place, pixels: Vec<u8>| {
            coloured |= planes == 3 && picture::is_coloured(&pixels);
            scratch.write_all(&pixels).map_err(|e| self.cache.unwritable(e))?;
            pictures.push((place, Seen::of(Pixels::Bytes(&pixels))));
            Ok(())
        })?;
        let channels = if coloured { 3 } else { 1 };
        let range = vec![crate::dataset::BYTES];
        Ok(Decoded { scratch, planes, channels, depth: Depth::Eight, range, pictures })
    }

    /// Decodes pictures of any numbers, and maps a range of them to 16 bits.
    fn numbers(
        &self,
        broken: &mut Vec<(String, String)>,
        notes: &mut Vec<Note>,
    ) -> Result<Decoded, Error> {
        let [h, w] = self.size;
        let heads = || self.pictures.iter().map(|p| p.header);
        let precision = heads().map(|head| head.precision).max().unwrap_or(Precision::Bytes);
        let most = heads().map(|head| head.channels).max().unwrap_or(1);
        let planes = if self.settings.grey && most <= 3 { 1 } else { most };
        let byte = match &self.settings.range {
            Range::Values(ends) => picture::byte_of(ends),
            _ if precision == Precision::Words => 257.0,
            _ => 1.0,
        };
        let read = |one: &Picture, bytes: &Bytes<'_>| {
            let name = Path::new(&self.listing.files[one.file].name);
            picture::read_deep(&bytes()?, name, one.page, self.size, self.settings, byte)?
                .with_channels(planes)
        };
        let bytes = self.pictures.len() * planes * h * w * size_of::<f32>();
        let mut raw = self.cache.scratch(bytes as u64)?;
        let mut places = vec![];
        let mut extent =
            Extent { ends: vec![[f64::INFINITY, f64::NEG_INFINITY]; planes], whole: true };
        self.blocks(read, broken, |place, deep: picture::Deep| {
            extent.add(&deep);
            raw.write_all(bytemuck::cast_slice(&deep.values))
                .map_err(|e| self.cache.unwritable(e))?;
            places.push(place);
            Ok(())
        })?;
        if places.is_empty() {
            // No picture can be read, and no bytes can be taken as numbers.
            let scratch = self.cache.scratch(0)?;
            let (depth, range, pictures) = (Depth::Sixteen, vec![], vec![]);
            return Ok(Decoded { scratch, planes, channels: planes, depth, range, pictures });
        }
        let raw = raw.finish().map_err(|e| self.cache.unwritable(e))?;
        let raw: &[f32] = bytemuck::cast_slice(raw.bytes());
        let image = planes * h * w;
        let range = self.range(&extent, precision, raw, h * w)?;
        let mut scratch = self.cache.scratch((places.len() * image * 2) as u64)?;
        let (mut pictures, mut coloured, mut clipped) = (vec![], false, 0u64);
        for (place, values) in places.into_iter().zip(raw.chunks_exact(image)) {
            self.monitor.check()?;
            let mut words = Vec::with_capacity(image);
            for (c, plane) in values.chunks_exact(h * w).enumerate() {
                let ends = picture::range_of(&range, c);
                for &x in plane {
                    let (word, outside) = word(x.into(), ends, self.settings.scale);
                    clipped += u64::from(outside);
                    words.push(word);
                }
            }
            let plane = |c: usize| &words[c * h * w..][..h * w];
            coloured |= planes == 3 && (plane(0) != plane(1) || plane(0) != plane(2));
            let bytes: &[u8] = bytemuck::cast_slice(&words);
            scratch.write_all(bytes).map_err(|e| self.cache.unwritable(e))?;
            pictures.push((place, Seen::of(Pixels::Words(&words))));
        }
        let channels = if planes == 3 && !coloured { 1 } else { planes };
        let found = extent.all();
        notes.push(Note::RangeOfValues { least: found[0], most: found[1], range: range.clone() });
        if clipped > 0 {
            notes.push(Note::Clipped { values: clipped, of: (pictures.len() * image) as u64 });
        }
        Ok(Decoded { scratch, planes, channels, depth: Depth::Sixteen, range, pictures })
    }

    /// The range of the values that were found.
    fn range(
        &self,
        extent: &Extent,
        precision: Precision,
        raw: &[f32],
        plane: usize,
    ) -> Result<Vec<[f64; 2]>, Error> {
        let settings = self.settings;
        let planes = extent.ends.len();
        let groups: Vec<Vec<usize>> = if settings.range_per_channel {
            (0..planes).map(|c| vec![c]).collect()
        } else {
            vec![(0..planes).collect()]
        };
        if self.listing.is_shard
            && precision != Precision::Bytes
            && !matches!(settings.range, Range::Values(_))
        {
            let problem = "black and white of pictures of more than 8 bits depend on all of them, so that a shard needs a `range` in the settings".to_owned();
            return Err(Error::Setting { problem });
        }
        if let Range::Values(ends) = &settings.range {
            if ends.len() != 1 && ends.len() != planes {
                let problem = format!(
                    "range has {} pairs of values, but the pictures have {planes} channels",
                    ends.len()
                );
                return Err(Error::Setting { problem });
            }
            return Ok(ends.clone());
        }
        let mut range = vec![];
        for channels in groups {
            let least = channels.iter().map(|&c| extent.ends[c][0]).fold(f64::INFINITY, f64::min);
            let most =
                channels.iter().map(|&c| extent.ends[c][1]).fold(f64::NEG_INFINITY, f64::max);
            let mut ends = match (&settings.range, precision) {
                (Range::Percentiles(percent), _) => {
                    let mut histogram = Histogram::new([least, most]);
                    for (place, plane) in raw.chunks_exact(plane).enumerate() {
                        if channels.contains(&(place % planes)) {
                            histogram.add(plane.iter().map(|&x| f64::from(x)));
                        }
                    }
                    percent.map(|percent| histogram.percentile(percent))
                }
                (_, Precision::Bytes) => crate::dataset::BYTES,
                (_, Precision::Words) => of_words(most),
                (_, Precision::Floats) => {
                    of_floats(least, most, extent.whole).unwrap_or([least, most])
                }
            };
            if ends[0] >= ends[1] {
                // One value only: it is black.
                ends[1] = ends[0] + 1.0;
            }
            range.push(ends);
        }
        Ok(range)
    }
}

/// The smallest and the largest value of each channel, and whether all are whole numbers.
struct Extent {
    ends: Vec<[f64; 2]>,
    whole: bool,
}

impl Extent {
    fn add(&mut self, deep: &picture::Deep) {
        for (all, one) in self.ends.iter_mut().zip(&deep.ends) {
            all[0] = all[0].min(one[0].into());
            all[1] = all[1].max(one[1].into());
        }
        self.whole &= deep.whole;
    }

    fn all(&self) -> [f64; 2] {
        let least = self.ends.iter().map(|ends| ends[0]).fold(f64::INFINITY, f64::min);
        [least, self.ends.iter().map(|ends| ends[1]).fold(f64::NEG_INFINITY, f64::max)]
    }
}

/// Pictures in blocks whose decoded files fit into memory.
fn blocks(pictures: &[Picture]) -> Vec<&[Picture]> {
    let mut blocks = vec![];
    let (mut start, mut pixels) = (0, 0);
    for (i, picture) in pictures.iter().enumerate() {
        let area = picture.header.size.map(u64::from).iter().product::<u64>();
        if i - start == BLOCK.0 || (pixels + area > BLOCK.1 && i > start) {
            blocks.push(&pictures[start..i]);
            (start, pixels) = (i, 0);
        }
        pixels += area;
    }
    blocks.push(&pictures[start..]);
    blocks
}
