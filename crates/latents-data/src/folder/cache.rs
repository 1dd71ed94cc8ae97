//! Decoded pictures in one file of the cache, so that a second start is fast and a collection may be larger than memory. A file is
//! for one folder and one choice of settings, and valid as long as no picture changes. It has the pixels, `[n, c, h, w]`, part by
//! part; then JSON ([`About`]); then the length of the JSON, and [`MAGIC`].

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::listing::Listing;
use crate::columns::{ColumnLabels, LabelColumn};
use crate::error::Error;
use crate::images::{Depth, Images, hexadecimal};
use crate::locations::Locations;
use crate::mapped::Mapped;
use crate::note::{Note, list_files};
use crate::part::Part;
use crate::pictures::Pictures;

/// Identifies the file, and the version of its format and of all steps from a picture to its pixels.
const MAGIC: &[u8; 8] = b"latpix05";
/// A picture that was written more recently than this may change again without a new time of modification.
const SETTLED: Duration = Duration::from_secs(3);
/// The most bytes of JSON.
const MAX_ABOUT: u64 = 1 << 30;
/// The cache's sub-folder.
const FOLDER: &str = "pictures";

/// The description of the pixels in a file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct About {
    /// Identifies the pictures and the settings.
    pub(super) key: String,
    /// `[c, h, w]`.
    pub(super) shape: [usize; 3],
    pub(super) depth: Depth,
    /// The number of images of each part, in the order of [`Part::ALL`](crate::Part::ALL).
    pub(super) count: [usize; 4],
    pub(super) names: Vec<String>,
    /// Of each image's file: changes if the file changes.
    pub(super) stamps: Vec<String>,
    pub(super) labels: Option<Vec<Option<u16>>>,
    pub(super) classes: Vec<String>,
    pub(super) columns: Vec<LabelColumn>,
    /// The labels of all images in several columns.
    pub(super) column_labels: Vec<ColumnLabels>,
    /// The values that became black and white, of all channels or of each.
    pub(super) range: Vec<[f64; 2]>,
    pub(super) notes: Vec<Note>,
    /// Names of unreadable pictures, with reasons.
    pub(super) broken: Vec<(String, String)>,
    /// CRC-32 of the pixels.
    pub(super) crc: u32,
}

impl About {
    /// The number of bytes of all pixels, if everything fits together.
    fn bytes(&self) -> Option<usize> {
        let count = self.count.iter().try_fold(0usize, |n, &part| n.checked_add(part))?;
        let is_class =
            |label: &Option<u16>| label.is_none_or(|l| usize::from(l) < self.classes.len());
        let fits = self.names.len() == count
            && self.column_labels.iter().all(|column| column.labels.len() == count)
            && self.stamps.len() == count
            && !self.range.is_empty()
            && self.labels.as_ref().is_none_or(|l| l.len() == count && l.iter().all(is_class));
        let bytes = count.checked_mul(self.depth.bytes())?;
        self.shape.iter().try_fold(bytes, |n, &side| n.checked_mul(side)).filter(|_| fits)
    }
}

/// The pixels of all parts.
pub(super) enum Bytes {
    Memory(Vec<u8>),
    Mapped(Mapped, usize),
}

impl Bytes {
    /// The images of each part, of which `counts` are the numbers.
    pub(super) fn cut(
        self,
        counts: &[usize],
        shape: [usize; 3],
        depth: Depth,
    ) -> Result<Vec<Images>, Error> {
        let [c, h, w] = shape;
        let size = c * h * w * depth.bytes();
        match self {
            Self::Memory(mut bytes) => {
                // From the end, so that nothing is copied but the smaller parts.
                let mut parts = vec![];
                for &count in counts.iter().rev() {
                    let part = bytes.split_off(bytes.len() - count * size);
                    parts.push(match depth {
                        Depth::Eight => Images::new(c, h, w, part)?,
                        Depth::Sixteen => {
                            let words = part.as_chunks().0.iter().map(|&b| u16::from_ne_bytes(b));
                            Images::from_words(c, h, w, words.collect())?
                        }
                    });
                }
                parts.reverse();
                Ok(parts)
            }
            Self::Mapped(file, _) => {
                let mut start = 0;
                let cut = |&count: &usize| {
                    let range = start..start + count * size;
                    start = range.end;
                    Images::mapped(&file, range, shape, depth)
                };
                counts.iter().map(cut).collect()
            }
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Memory(bytes) => bytes,
            Self::Mapped(file, length) => &file.bytes()[..*length],
        }
    }
}

/// Decoded pictures.
pub(super) struct Kept {
    pub(super) about: About,
    pub(super) pixels: Bytes,
}

/// Decoded pictures, of which some can be used again.
pub(super) struct Reusable {
    kept: Kept,
    places: HashMap<String, usize>,
}

impl Reusable {
    /// The pixels of a picture whose file has not changed.
    pub(super) fn image(&self, name: &str, stamp: &str) -> Option<&[u8]> {
        let &i = self.places.get(name)?;
        let size = self.kept.about.shape.iter().product::<usize>();
        let image = self.kept.pixels.bytes().get(i * size..(i + 1) * size)?;
        (self.kept.about.stamps[i] == stamp).then_some(image)
    }
}

/// The error for a file of the cache that changed while it was read.
pub(super) fn damaged(folder: &Path) -> Error {
    let source = io::Error::other("the file of decoded pictures is damaged");
    Error::Io { action: "read the decoded pictures of", path: folder.into(), source }
}

/// The place of the decoded pictures of a folder.
pub(super) struct Cache {
    /// `None` if there is no cache, or the pictures were written too recently.
    file: Option<PathBuf>,
    key: String,
    /// Pixels of more bytes than this stay in a mapped file.
    memory: u64,
}

impl Cache {
    pub(super) fn of(
        folder: &Path,
        settings: &Pictures,
        listing: &Listing,
        locations: &Locations,
    ) -> Self {
        let settings = format!("{:?}", Pictures { strict: false, ..settings.clone() });
        let path = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.into());
        let place = digest([path.to_string_lossy().as_ref(), &settings]);
        let others = list_files(&listing.others);
        let columns = format!("{:?}", listing.column_labels);
        let files = listing.files.iter().flat_map(|file| [file.name.as_str(), &file.stamp]);
        let known = listing.files.iter().filter_map(|file| file.known.as_ref());
        let labels = known.flat_map(|known| {
            let part = known.part.map_or("", |part| match part {
                Part::Train => "train",
                Part::Validation => "validation",
                Part::Test => "test",
                Part::Unlabelled => "unlabelled",
            });
            [part, known.label.as_deref().unwrap_or_default()]
        });
        let names = listing.classes.iter().flatten().map(String::as_str);
        let broken = listing.broken.iter().flat_map(|(name, reason)| [name.as_str(), reason]);
        let key = digest(
            [settings.as_str(), &others, &columns]
                .into_iter()
                .chain(files)
                .chain(broken)
                .chain(labels)
                .chain(names),
        );
        let now = SystemTime::now();
        let settled = |written| now.duration_since(written).is_ok_and(|age| age > SETTLED);
        let settled = listing.files.iter().all(|file| settled(file.written));
        let cache = locations.cache.as_ref().filter(|_| settled);
        Self {
            file: cache.map(|cache| cache.join(FOLDER).join(format!("{}.pix", &place[..32]))),
            key,
            memory: locations.memory,
        }
    }

    /// The size that was chosen for these pictures, if that is known. So their heads need not be read again.
    pub(super) fn size(&self) -> Option<[usize; 2]> {
        let text = std::fs::read(self.size_file()?).ok()?;
        let (key, size): (String, [usize; 2]) = serde_json::from_slice(&text).ok()?;
        (key == self.key).then_some(size)
    }

    /// Keeps the size that was chosen. A cache that cannot be written is not an error.
    pub(super) fn keep_size(&self, size: [usize; 2]) {
        if let Some(file) = self.size_file()
            && let Ok(text) = serde_json::to_vec(&(&self.key, size))
        {
            let _ = latents_files::write(&file, &text);
        }
    }

    fn size_file(&self) -> Option<PathBuf> {
        self.file.as_ref().map(|file| file.with_extension("size"))
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// The cached pictures, if they are intact and of the same pictures and settings.
    pub(super) fn load(&self) -> Option<Kept> {
        let kept = read(self.file.as_ref()?, self.memory)?;
        (kept.about.key == self.key).then_some(kept)
    }

    /// Images that were decoded before with the same settings, when some of the files were others.
    pub(super) fn reusable(&self, [h, w]: [usize; 2]) -> Option<Reusable> {
        let kept = read(self.file.as_ref()?, self.memory)?;
        let [_, height, width] = kept.about.shape;
        let fits = kept.about.depth == Depth::Eight && [height, width] == [h, w];
        let place = |(i, name): (usize, &String)| (name.clone(), i);
        let places = kept.about.names.iter().enumerate().map(place).collect();
        fits.then_some(Reusable { kept, places })
    }

    /// A buffer for this many bytes.
    pub(super) fn scratch(&self, bytes: u64) -> Result<Scratch, Error> {
        if bytes <= self.memory {
            return Ok(Scratch::Memory(vec![]));
        }
        let folder = self.file.as_ref().and_then(|file| file.parent());
        let folder = folder.map_or_else(std::env::temp_dir, Path::to_owned);
        let file = std::fs::create_dir_all(&folder).and_then(|()| tempfile::tempfile_in(&folder));
        Ok(Scratch::File(file.map_err(Error::io("write into", folder))?))
    }

    pub(super) fn unwritable(&self, source: io::Error) -> Error {
        let folder = self.file.as_ref().and_then(|file| file.parent());
        let path = folder.map_or_else(std::env::temp_dir, Path::to_owned);
        Error::Io { action: "keep decoded pictures in", path, source }
    }

    /// Keeps pixels in the order `order` of the images. Each image has `planes` channels but needs only the first `about.shape[0]`.
    /// A cache that cannot be written is not an error.
    pub(super) fn keep(
        &self,
        mut about: About,
        scratch: Scratch,
        planes: usize,
        order: &[usize],
    ) -> Result<Kept, Error> {
        let [c, h, w] = about.shape;
        let plane = h * w * about.depth.bytes();
        let all = scratch.finish().map_err(|e| self.unwritable(e))?;
        let image = |&i: &usize| &all.bytes()[i * planes * plane..][..c * plane];
        let needed = || order.iter().map(image);
        if let Some(file) = &self.file {
            let written = latents_files::write_with(file, |out| {
                let mut crc = crc32fast::Hasher::new();
                needed().try_for_each(|image| {
                    crc.update(image);
                    out.write_all(image)
                })?;
                about.crc = crc.finalize();
                let json = serde_json::to_vec(&about)?;
                out.write_all(&json)?;
                out.write_all(&(json.len() as u64).to_le_bytes())?;
                out.write_all(MAGIC)
            });
            if written.is_ok()
                && let Some(kept) = read(file, self.memory)
            {
                return Ok(kept);
            }
        }
        let pixels = match all {
            all if c == planes
                && order.is_sorted()
                && order.len() * c * plane == all.bytes().len() =>
            {
                all
            }
            Bytes::Memory(_) => Bytes::Memory(needed().flatten().copied().collect()),
            Bytes::Mapped(..) => {
                let mut smaller = self.scratch(u64::MAX)?;
                let copied = needed().try_for_each(|image| smaller.write_all(image));
                copied.and_then(|()| smaller.finish()).map_err(|e| self.unwritable(e))?
            }
        };
        Ok(Kept { about, pixels })
    }
}

/// A buffer of pixels, in memory or in a temporary file.
pub(super) enum Scratch {
    Memory(Vec<u8>),
    File(File),
}

impl Write for Scratch {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Memory(memory) => memory.write(bytes),
            Self::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Scratch {
    pub(super) fn finish(self) -> io::Result<Bytes> {
        Ok(match self {
            Self::Memory(bytes) => Bytes::Memory(bytes),
            Self::File(file) => {
                let file = Mapped::new(&file)?;
                let length = file.bytes().len();
                Bytes::Mapped(file, length)
            }
        })
    }
}

/// Reads a file; `None` if it is missing or damaged.
fn read(path: &Path, memory: u64) -> Option<Kept> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let mut end = [0; 16];
    file.seek(SeekFrom::End(-16)).ok()?;
    file.read_exact(&mut end).ok()?;
    let (size, magic) = end.split_at(8);
    let size = u64::from_le_bytes(size.try_into().ok()?);
    if magic != MAGIC || size > MAX_ABOUT {
        return None;
    }
    let pixels = length.checked_sub(16)?.checked_sub(size)?;
    file.seek(SeekFrom::Start(pixels)).ok()?;
    let mut json = vec![];
    Read::by_ref(&mut file).take(size).read_to_end(&mut json).ok()?;
    let about: About = serde_json::from_slice(&json).ok()?;
    if about.bytes()? as u64 != pixels {
        return None;
    }
    file.rewind().ok()?;
    let (bytes, crc) = if pixels <= memory {
        let mut bytes = vec![];
        file.take(pixels).read_to_end(&mut bytes).ok()?;
        let crc = crc32fast::hash(&bytes);
        (Bytes::Memory(bytes), crc)
    } else {
        // Read, and not through the map, so that the pages of the whole file do not count as memory of this process.
        let crc = crc_of(Read::by_ref(&mut file).take(pixels)).ok()?;
        (Bytes::Mapped(Mapped::new(&file).ok()?, pixels as usize), crc)
    };
    (crc == about.crc).then_some(Kept { about, pixels: bytes })
}

/// CRC-32 of all that is read.
fn crc_of(mut from: impl Read) -> io::Result<u32> {
    let (mut crc, mut block) = (crc32fast::Hasher::new(), vec![0; 1 << 20]);
    loop {
        match from.read(&mut block)? {
            0 => return Ok(crc.finalize()),
            n => crc.update(&block[..n]),
        }
    }
}

/// SHA-256 of texts with their lengths, in hexadecimal digits.
pub(super) fn digest<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut sum = Sha256::new();
    for text in texts {
        sum.update((text.len() as u64).to_le_bytes());
        sum.update(text);
    }
    hexadecimal(&sum.finalize())
}
