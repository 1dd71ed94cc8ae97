//! The data sets that can be asked for by name, and the way from a name to a [`Dataset`] in memory. How files are parsed
//! (`idx`), where Fashion-MNIST is found (`fashion`) and how it is downloaded (`fetch`) is told elsewhere.

use std::error::Error as _;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::{
    Dataset, Error, Labelled, Locations, Pictures, Progress, arrays, fashion, folder, idx, sample,
};

/// How each known source is written.
const KNOWN: [&str; 5] = [fashion::NAME, sample::NAME, "folder:DIR", "npz:FILE", "idx:DIR"];

/// A data set, named. Written and parsed as `fashion-mnist`, `fashion-mnist-sample`, `folder:DIR`, `npz:FILE` or `idx:DIR`; a path
/// alone is understood too: a name that ends in `.npz`, or a folder that is there, of IDX files or of pictures.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017): 60,000 + 10,000 grey images of clothes, 28 × 28, 10 classes. Found in
    /// the cache or the system's folder, else downloaded.
    FashionMnist,
    /// A class-balanced sample of it, 2,500 + 500 images, compiled in.
    FashionMnistSample,
    /// A folder with files in IDX format, gzipped or not, under MNIST's names: `train-images-idx3-ubyte`,
    /// `t10k-images-idx3-ubyte`, and labels, which may be missing, `train-labels-idx1-ubyte`, `t10k-labels-idx1-ubyte`.
    Idx(PathBuf),
    /// A folder with PNG, JPEG, WebP or GIF files (their first frame), also in sub-folders. Where all pictures are in sub-folders, the
    /// topmost of these are their labels; sub-folders `train` and `test`, where both are there, part them, and may have sub-folders
    /// for labels themselves.
    Folder(PathBuf),
    /// A file of NumPy arrays: images `[n, h, w]`, `[n, c, h, w]` or `[n, h, w, c]` and, where known, labels `[n]`.
    Npz(PathBuf),
}

impl Source {
    /// Whether it says itself what its images are like, so that no [`Pictures`] but the default ones go with it.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        !matches!(self, Self::Folder(_) | Self::Npz(_))
    }

    /// Reads the data set, after downloading it where need be; pictures become images as they do by default.
    ///
    /// # Errors
    /// Any [`Error`] but [`Error::UnknownSource`].
    pub fn load(
        &self,
        locations: &Locations,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Dataset, Error> {
        self.load_with(&Pictures::default(), locations, progress)
    }

    /// Reads the data set, after downloading it where need be. `pictures` says how a folder of pictures or an `.npz` file becomes
    /// images of one shape; other sources are as they are.
    ///
    /// # Errors
    /// Any [`Error`] but [`Error::UnknownSource`]; [`Error::Fixed`] where `pictures` are not the default for a source that is as
    /// it is.
    pub fn load_with(
        &self,
        pictures: &Pictures,
        locations: &Locations,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Dataset, Error> {
        match self {
            Self::Folder(folder) => {
                folder::load(self.to_string(), folder, pictures, locations, progress)
            }
            Self::Npz(file) => arrays::load(self.to_string(), file, pictures),
            _ if !pictures.is_default() => Err(Error::Fixed { name: self.to_string() }),
            Self::FashionMnist => fashion::load(&fashion::FILES, locations, progress),
            Self::FashionMnistSample => sample::load(),
            Self::Idx(folder) => {
                let origin = format!("IDX files in {}", folder.display());
                read_folder(self.to_string(), origin, folder, None)
            }
        }
    }
}

/// The data set for a user who named none: Fashion-MNIST where it is found or can be downloaded; else the compiled-in sample,
/// and why.
///
/// # Errors
/// None in practice: the compiled-in sample is always there.
pub fn load_default(
    locations: &Locations,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Dataset, Option<String>), Error> {
    match Source::FashionMnist.load(locations, progress) {
        Ok(dataset) => Ok((dataset, None)),
        Err(error) => {
            let mut reason = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                reason = format!("{reason}: {error}");
                cause = error.source();
            }
            Ok((Source::FashionMnistSample.load(locations, progress)?, Some(reason)))
        }
    }
}

/// Reads the four files of `folder`. Without names for the classes, a class is called by its number.
pub(crate) fn read_folder(
    name: String,
    origin: String,
    folder: &Path,
    classes: Option<&[&str]>,
) -> Result<Dataset, Error> {
    if !folder.is_dir() {
        return Err(Error::NoSuchPath { path: folder.into(), known: KNOWN.to_vec() });
    }
    let limit = classes.map(<[_]>::len);
    let train = read_part(folder, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", limit)?;
    let test = read_part(folder, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", limit)?;
    let (train_shape, test_shape) = (train.images.shape(), test.images.shape());
    if train_shape != test_shape {
        return Err(Error::ShapeMismatch {
            folder: folder.into(),
            train: train_shape,
            test: test_shape,
        });
    }
    let classes = if let Some(names) = classes {
        names.iter().map(|&name| name.to_owned()).collect()
    } else {
        let labels = [&train, &test].into_iter().filter_map(|part| part.labels.as_ref()).flatten();
        labels.max().map_or_else(Vec::new, |&last| (0..=last).map(|i| i.to_string()).collect())
    };
    Ok(Dataset { name, origin, notes: vec![], classes, train, test })
}

fn read_part(
    folder: &Path,
    images: &'static str,
    labels: &'static str,
    classes: Option<usize>,
) -> Result<Labelled, Error> {
    let images_file = find_file(folder, images)
        .ok_or_else(|| Error::MissingFile { folder: folder.into(), name: images })?;
    let labels_file = find_file(folder, labels);
    if labels_file.is_none() && classes.is_some() {
        return Err(Error::MissingFile { folder: folder.into(), name: labels });
    }
    let images = idx::read_images(&images_file)?;
    let labels = match labels_file {
        None => None,
        Some(labels_file) => {
            let labels = idx::read_labels(&labels_file)?;
            check_labels(&images_file, images.len(), &labels_file, &labels, classes)?;
            Some(labels)
        }
    };
    Ok(Labelled { images, labels, names: None })
}

fn check_labels(
    images_file: &Path,
    images: usize,
    labels_file: &Path,
    labels: &[u8],
    classes: Option<usize>,
) -> Result<(), Error> {
    if labels.len() != images {
        return Err(Error::CountMismatch {
            images_file: images_file.into(),
            images,
            labels_file: labels_file.into(),
            labels: labels.len(),
        });
    }
    let Some(classes) = classes else { return Ok(()) };
    match labels.iter().position(|&label| usize::from(label) >= classes) {
        None => Ok(()),
        Some(index) => Err(Error::LabelOutOfRange {
            file: labels_file.into(),
            index,
            label: labels[index],
            classes,
        }),
    }
}

/// The file `name` in `folder`, or `name.gz`.
pub(crate) fn find_file(folder: &Path, name: &str) -> Option<PathBuf> {
    [folder.join(name), folder.join(format!("{name}.gz"))].into_iter().find(|path| path.is_file())
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FashionMnist => f.write_str(fashion::NAME),
            Self::FashionMnistSample => f.write_str(sample::NAME),
            Self::Idx(folder) => write!(f, "idx:{}", folder.display()),
            Self::Folder(folder) => write!(f, "folder:{}", folder.display()),
            Self::Npz(file) => write!(f, "npz:{}", file.display()),
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
        type Kind = fn(PathBuf) -> Source;
        let after = |prefix| name.strip_prefix(prefix).filter(|path: &&str| !path.is_empty());
        let kinds: [(&str, Kind); 3] =
            [("idx:", Self::Idx), ("folder:", Self::Folder), ("npz:", Self::Npz)];
        for (prefix, kind) in kinds {
            if let Some(path) = after(prefix) {
                return Ok(kind(path.into()));
            }
        }
        match name {
            fashion::NAME => Ok(Self::FashionMnist),
            sample::NAME => Ok(Self::FashionMnistSample),
            _ => from_path(name),
        }
    }
}

/// The source that a path alone means.
fn from_path(name: &str) -> Result<Source, Error> {
    let path = PathBuf::from(name);
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npz")) {
        return Ok(Source::Npz(path));
    }
    if path.is_dir() {
        let is_idx = find_file(&path, "train-images-idx3-ubyte").is_some();
        return Ok(if is_idx { Source::Idx(path) } else { Source::Folder(path) });
    }
    if path.is_file() {
        return Err(Error::OneFile { path });
    }
    if name.contains(['/', '\\']) || name.starts_with(['.', '~']) {
        return Err(Error::NoSuchPath { path, known: KNOWN.to_vec() });
    }
    let lower = name.to_lowercase();
    // A part of a name, such as `mnist`, means that name.
    let distance = |known: &&str| {
        (lower.is_empty() || !known.contains(&lower), strsim::levenshtein(&lower, known))
    };
    let nearest = KNOWN.into_iter().min_by_key(distance).unwrap_or_default().to_owned();
    Err(Error::UnknownSource { name: name.to_owned(), nearest, known: KNOWN.to_vec() })
}

#[cfg(test)]
mod tests;
