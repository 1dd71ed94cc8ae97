//! The table of sources: how each is written, parsed and described, and which module reads it into a [`Dataset`]. Those modules
//! know nothing of this table.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use latents_progress::Monitor;

use crate::dataset::Dataset;
use crate::error::Error;
use crate::folder::PictureShard;
use crate::locations::Locations;
use crate::pictures::Pictures;
use crate::shard::Shard;
use crate::{arrays, fashion, folder, idx_folder, sample, shapes, tables};

/// The place that a data set comes from. Written and parsed as `fashion-mnist`, `fashion-mnist-sample`, `shapes`, `folder:DIR`, `npz:FILE`
/// or `idx:DIR`. A path alone is parsed too: a name that ends in `.npz`, or an existing folder of IDX files or pictures.
///
/// ```
/// use latents_data::{Locations, Source};
/// use latents_progress::Monitor;
///
/// assert_eq!("digits.npz".parse::<Source>()?, Source::Npz("digits.npz".into()));
/// let source: Source = "fashion-mnist-sample".parse()?;
/// let data = source.load(&Locations::nowhere(), &Monitor::default())?;
/// assert_eq!(data.name, source.to_string());
/// # Ok::<(), latents_data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017): 60,000 + 10,000 grey images of clothes, 28 × 28, 10 classes. Read from
    /// the cache or the system's folder; otherwise downloaded.
    FashionMnist,
    /// A class-balanced sample of it, 2,500 + 500 images, compiled in.
    FashionMnistSample,
    /// Drawn shapes of five known factors of variation, 5,760 + 1,440 grey images, 32 × 32, 3 classes: every combination of three shapes, four
    /// sizes, six angles and ten places along each axis. The five factors are [columns](crate::Labelled::columns) of labels.
    Shapes,
    /// A folder of files in IDX format, gzipped or not, under MNIST's names: `train-images-idx3-ubyte`,
    /// `t10k-images-idx3-ubyte`, and optionally labels, `train-labels-idx1-ubyte` and `t10k-labels-idx1-ubyte`; or under names of
    /// the same words, as those of EMNIST and QMNIST.
    Idx(PathBuf),
    /// A folder of pictures (of GIF files, their first frame), including its sub-folders. If all pictures are in
    /// sub-folders, the topmost of these are their labels. If there are sub-folders `train` and `test`, they are the two parts,
    /// and may have sub-folders for labels.
    Folder(PathBuf),
    /// A file of NumPy arrays, `.npz` or `.npy`, or a folder of such files: images `[n, h, w]`, `[n, c, h, w]`, `[n, h, w, c]` or rows
    /// of pixels and, optionally, labels `[n]`.
    Npz(PathBuf),
    /// A table, or a folder of tables: Parquet with the bytes of pictures in a column, as Hugging Face's `datasets` writes it; or CSV,
    /// JSON lines or Parquet with the pixels of an image in each row.
    Table(PathBuf),
    /// A tar archive of pictures, or a folder of such archives, as `WebDataset` has them.
    Tar(PathBuf),
}

/// How a source is written, read and described.
pub(crate) struct Format {
    /// How it is written: its name, or its prefix and what follows.
    pub(crate) written: &'static str,
    /// What it is, in one line.
    pub(crate) description: &'static str,
    /// The licence of the images.
    pub(crate) licence: &'static str,
    pub(crate) kind: Kind,
}

/// How the text of a source is parsed.
pub(crate) enum Kind {
    /// The text is the name of this source.
    Named(Source),
    /// The text is this prefix and a path.
    Path(&'static str, fn(PathBuf) -> Source),
}

const FASHION_LICENCE: &str = "MIT (Expat), © 2017 Zalando SE";
const YOUR_OWN: &str = "your own";

/// Every source.
pub(crate) const FORMATS: [Format; 8] = [
    Format {
        written: fashion::NAME,
        description: "60,000 + 10,000 grey images of clothes, 28 × 28, 10 classes",
        licence: FASHION_LICENCE,
        kind: Kind::Named(Source::FashionMnist),
    },
    Format {
        written: sample::NAME,
        description: "a class-balanced sample of fashion-mnist, 2,500 + 500 images",
        licence: FASHION_LICENCE,
        kind: Kind::Named(Source::FashionMnistSample),
    },
    Format {
        written: shapes::NAME,
        description: "5,760 + 1,440 drawn shapes, 32 × 32, in every combination of shape, scale, orientation and place",
        licence: "that of this software",
        kind: Kind::Named(Source::Shapes),
    },
    Format {
        written: "folder:DIR",
        description: "your own pictures: a folder of PNG, JPEG, TIFF, WebP, GIF, BMP, PNM, TGA, QOI, FITS or DICOM files of any size, or its path alone, such as ./photos; sub-folders are labels",
        licence: YOUR_OWN,
        kind: Kind::Path("folder:", Source::Folder),
    },
    Format {
        written: "npz:FILE",
        description: "your own images: NumPy arrays, image [n, h, w], [n, c, h, w] or [n, h, w, c] and label [n], or the path of the .npz or .npy file alone",
        licence: YOUR_OWN,
        kind: Kind::Path("npz:", Source::Npz),
    },
    Format {
        written: "table:FILE",
        description: "your own images: Parquet with the bytes of pictures, or CSV, JSON lines or Parquet with their pixels, one file or a folder of them",
        licence: YOUR_OWN,
        kind: Kind::Path("table:", Source::Table),
    },
    Format {
        written: "tar:FILE",
        description: "your own pictures in a tar archive, or a folder of archives (WebDataset)",
        licence: YOUR_OWN,
        kind: Kind::Path("tar:", Source::Tar),
    },
    Format {
        written: "idx:DIR",
        description: "your own images: a folder of IDX files under MNIST's names, gzipped or not",
        licence: YOUR_OWN,
        kind: Kind::Path("idx:", Source::Idx),
    },
];

/// How each source is written.
fn known() -> Vec<&'static str> {
    FORMATS.iter().map(|format| format.written).collect()
}

impl Source {
    /// Whether the source itself determines its images, so that it cannot be read with other [`Pictures`] than the default ones.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        !matches!(self, Self::Folder(_) | Self::Npz(_) | Self::Table(_) | Self::Tar(_))
    }

    /// Reads the data set with the default [`Pictures`], and downloads it first if necessary.
    ///
    /// # Errors
    /// Any [`Error`] but [`Error::UnknownSource`].
    pub fn load(&self, locations: &Locations, monitor: &Monitor) -> Result<Dataset, Error> {
        self.load_with(&Pictures::default(), locations, monitor)
    }

    /// Reads the data set, and downloads it first if necessary. `pictures` says how a folder of pictures or an `.npz` file becomes
    /// images of one shape; other sources take no settings. Reports the tasks `downloading FILE`, in bytes of all files, and
    /// `reading N pictures`.
    ///
    /// # Errors
    /// Any [`Error`] but [`Error::UnknownSource`]; [`Error::Fixed`] if `pictures` are not the default ones and the source takes no
    /// settings; [`Error::Interrupted`] if `monitor` is cancelled, which is checked between pictures and between parts of a download.
    pub fn load_with(
        &self,
        pictures: &Pictures,
        locations: &Locations,
        monitor: &Monitor,
    ) -> Result<Dataset, Error> {
        let name = self.to_string();
        match self {
            Self::Folder(path) => {
                let listing = folder::list(path, pictures)?;
                folder::load(name, path, &listing, pictures, locations, monitor)
            }
            Self::Npz(file) => arrays::load(name, file, pictures, monitor),
            Self::Table(path) => tables::load(name, path, pictures, locations, monitor),
            Self::Tar(path) => {
                let listing = folder::list_archives(path, pictures)?;
                folder::load(name, path, &listing, pictures, locations, monitor)
            }
            Self::Idx(folder) if folder.is_dir() && pictures.only_transposes() => {
                let origin = format!("IDX files in {}", folder.display());
                let read = idx_folder::read(name, origin, folder, None, pictures.transpose)?;
                Ok(Dataset { pictures: pictures.clone(), ..read })
            }
            _ if !pictures.is_default() => Err(Error::Fixed { name }),
            Self::FashionMnist => fashion::load(&fashion::FILES, locations, monitor),
            Self::FashionMnistSample => sample::load(),
            Self::Shapes => shapes::draw(),
            Self::Idx(folder) => Err(Error::NoSuchPath { path: folder.clone(), known: known() }),
        }
    }
}

impl Source {
    /// Reads one of several pieces of the pictures of a source, and no others; `None` for a source that does not have each picture in a
    /// file, a row or an entry of its own. None is held out for testing.
    ///
    /// # Errors
    /// As of [`Source::load_with`], and [`Error::Setting`] if `pictures` lack the size, or the range of values of more than 8 bits, which
    /// would have to be found in all pictures.
    pub fn load_shard(
        &self,
        pictures: &Pictures,
        shard: Shard,
        monitor: &Monitor,
    ) -> Result<Option<PictureShard>, Error> {
        let (listing, path) = match self {
            Self::Folder(path) => (Some(folder::list(path, pictures)?), path),
            Self::Tar(path) => (Some(folder::list_archives(path, pictures)?), path),
            Self::Table(path) => (tables::pictures(path, pictures)?, path),
            _ => return Ok(None),
        };
        let Some(listing) = listing else { return Ok(None) };
        let read = folder::load_shard(self.to_string(), path, listing, pictures, shard, monitor);
        read.map(Some)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FashionMnist => f.write_str(fashion::NAME),
            Self::FashionMnistSample => f.write_str(sample::NAME),
            Self::Shapes => f.write_str(shapes::NAME),
            Self::Idx(folder) => write!(f, "idx:{}", folder.display()),
            Self::Folder(folder) => write!(f, "folder:{}", folder.display()),
            Self::Npz(file) => write!(f, "npz:{}", file.display()),
            Self::Table(path) => write!(f, "table:{}", path.display()),
            Self::Tar(path) => write!(f, "tar:{}", path.display()),
        }
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.to_string()
    }
}

impl TryFrom<String> for Source {
    type Error = Error;

    fn try_from(name: String) -> Result<Self, Error> {
        name.parse()
    }
}

impl FromStr for Source {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let meant = FORMATS.into_iter().find_map(|format| match format.kind {
            Kind::Named(source) => (name == format.written).then_some(source),
            Kind::Path(prefix, source) => {
                let path = name.strip_prefix(prefix).filter(|path| !path.is_empty())?;
                Some(source(path.into()))
            }
        });
        meant.map_or_else(|| from_path(name), Ok)
    }
}

/// The source of a path without a prefix.
fn from_path(name: &str) -> Result<Source, Error> {
    let path = PathBuf::from(name);
    if arrays::is_array_file(&path) && !path.is_dir() {
        return Ok(Source::Npz(path));
    }
    if path.is_file() && has_ending(&path, &tables::ENDINGS) {
        return Ok(Source::Table(path));
    }
    if path.is_file() && has_ending(&path, &["tar"]) {
        return Ok(Source::Tar(path));
    }
    if let Some(source) = packed_folder(&path) {
        return Ok(source);
    }
    if path.is_dir() {
        return Ok(if idx_folder::is_idx(&path) {
            Source::Idx(path)
        } else {
            Source::Folder(path)
        });
    }
    if path.is_file() {
        return Err(Error::OneFile { path });
    }
    if name.contains(['/', '\\']) || name.starts_with(['.', '~']) {
        return Err(Error::NoSuchPath { path, known: known() });
    }
    let lower = name.to_lowercase();
    // A name that contains the text, such as `mnist`, is preferred.
    let distance = |known: &&str| {
        (lower.is_empty() || !known.contains(&lower), strsim::levenshtein(&lower, known))
    };
    let nearest = known().into_iter().min_by_key(distance).unwrap_or_default().to_owned();
    Err(Error::UnknownSource { name: name.to_owned(), nearest, known: known() })
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    path.extension().is_some_and(|e| endings.iter().any(|known| e.eq_ignore_ascii_case(known)))
}

/// The source of a folder that has no picture, neither itself nor in its sub-folders, but files that have many.
fn packed_folder(folder: &Path) -> Option<Source> {
    let has = |endings: &[&str]| !folder::files_of(folder, endings).is_empty();
    let found: fn(PathBuf) -> Source = if !folder.is_dir() {
        return None;
    } else if has(&arrays::ENDINGS) {
        Source::Npz
    } else if has(&["parquet", "pq"]) {
        Source::Table
    } else if has(&["tar"]) {
        Source::Tar
    } else {
        return None;
    };
    let pictures = folder::Listing::of(folder).is_ok_and(|listing| !listing.files.is_empty());
    (!pictures).then(|| found(folder.into()))
}

#[cfg(test)]
mod tests;
