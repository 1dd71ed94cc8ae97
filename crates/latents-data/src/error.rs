//! What can go wrong with data, said in full: which file, what is wrong with it, and what to do. The causes are values, so
//! that a caller can tell them apart; how they are shown to a user is the binary's work.

use std::io;
use std::path::PathBuf;

/// A data set could not be read, found or fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No source has this name.
    #[error("unknown data set \"{name}\"; did you mean \"{nearest}\"? Known: {}", known.join(", "))]
    UnknownSource {
        /// The name asked for.
        name: String,
        /// The known name closest to it.
        nearest: String,
        /// How each known source is written.
        known: Vec<&'static str>,
    },
    /// There is no such file or folder.
    #[error(
        "there is no folder or file {}, which is looked for from the current folder; data sets that have a name: {}",
        path.display(),
        known.join(", ")
    )]
    NoSuchPath {
        /// What was asked for.
        path: PathBuf,
        /// How each known source is written.
        known: Vec<&'static str>,
    },
    /// The file is of a kind that is not read.
    #[error("{} is a single file: name a folder of pictures, or an .npz file", path.display())]
    OneFile {
        /// The file.
        path: PathBuf,
    },
    /// A setting of how pictures are read cannot be.
    #[error("settings of pictures: {problem}")]
    Setting {
        /// What is wrong with it.
        problem: String,
    },
    /// A data set that is as it is was to be made another.
    #[error(
        "{name} is as it is: size, fit, grey, background, test fraction and split seed are for folders of pictures and .npz files"
    )]
    Fixed {
        /// The data set.
        name: String,
    },
    /// There is no picture in a folder.
    #[error("{} holds no picture that can be read (PNG, JPEG, WebP or GIF){}", folder.display(), instead(others, broken))]
    NoPictures {
        /// The folder.
        folder: PathBuf,
        /// Which other files there are, for people.
        others: String,
        /// Names of pictures that cannot be read, with reasons.
        broken: Vec<(String, String)>,
    },
    /// A picture cannot be read, and that was not to be passed over.
    #[error(
        "{} {} in {} cannot be read: {}; mend or remove what is broken, or do without --strict",
        broken.len(),
        if broken.len() == 1 { "picture" } else { "pictures" },
        folder.display(),
        list_some(broken)
    )]
    Broken {
        /// The folder.
        folder: PathBuf,
        /// Their names, with reasons.
        broken: Vec<(String, String)>,
    },
    /// A picture cannot be read.
    #[error("{}: {reason}", file.display())]
    Picture {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// No data set can be made of an `.npz` file.
    #[error("{}: {reason}", file.display())]
    Arrays {
        /// The file.
        file: PathBuf,
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// An `.npz` file cannot be read.
    #[error(transparent)]
    Npz(#[from] crate::npz::NpzError),
    /// The pixels do not make images of the shape.
    #[error(
        "{bytes} bytes are not a whole number of images of shape [c, h, w] = {shape:?}; \
         each dimension must be at least 1 and images at most 4,294,967,295"
    )]
    Pixels {
        /// `[c, h, w]` of one image.
        shape: [usize; 3],
        /// How many bytes there were.
        bytes: usize,
    },
    /// The system refused a file operation.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as an infinitive.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The content of an IDX file is not what the format says.
    #[error("{}: {problem}; replace the file with a whole copy", file.display())]
    Idx {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: IdxProblem,
    },
    /// A folder lacks one of the standard files.
    #[error("{} holds neither {name} nor {name}.gz; training and test images are expected there, under MNIST's names", folder.display())]
    MissingFile {
        /// The folder looked into.
        folder: PathBuf,
        /// The file's standard name, without `.gz`.
        name: &'static str,
    },
    /// A part has more or fewer labels than images.
    #[error(
        "{} has {labels} labels, but {} has {images} images; the two files do not belong together",
        labels_file.display(),
        images_file.display()
    )]
    CountMismatch {
        /// The file of images.
        images_file: PathBuf,
        /// How many images it holds.
        images: usize,
        /// The file of labels.
        labels_file: PathBuf,
        /// How many labels it holds.
        labels: usize,
    },
    /// A label names no class.
    #[error(
        "{}: label {index} is {label}, but the data set has {classes} classes, numbered from 0",
        file.display()
    )]
    LabelOutOfRange {
        /// The file of labels.
        file: PathBuf,
        /// Which label, counted from 0.
        index: usize,
        /// Its value.
        label: u8,
        /// How many classes there are.
        classes: usize,
    },
    /// The two parts have images of different shapes.
    #[error(
        "{}: training images have shape [c, h, w] = {train:?}, but test images {test:?}; \
         a data set has images of one shape",
        folder.display()
    )]
    ShapeMismatch {
        /// The folder of the data set.
        folder: PathBuf,
        /// `[c, h, w]` of a training image.
        train: [usize; 3],
        /// `[c, h, w]` of a test image.
        test: [usize; 3],
    },
    /// The data set is to be downloaded, and downloads are switched off.
    #[error(
        "{name} cannot be fetched, as LATENTS_OFFLINE switches downloads off: unset it, or put its files into {}",
        list(looked)
    )]
    Offline {
        /// The data set.
        name: &'static str,
        /// The folders that it is looked for in.
        looked: Vec<PathBuf>,
    },
    /// There is no folder to download into.
    #[error("no cache folder to download into: set LATENTS_CACHE, XDG_CACHE_HOME or HOME")]
    NoCache,
    /// No mirror gave the file.
    #[error(
        "cannot download {file} ({}); check the network and run again (what has arrived is kept), \
         or put the file into {} yourself",
        failures.join("; "),
        folder.display()
    )]
    Download {
        /// The file's name.
        file: &'static str,
        /// The folder it should have gone to.
        folder: PathBuf,
        /// What each mirror's last failure was.
        failures: Vec<String>,
    },
}

/// What is wrong with the content of an IDX file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdxProblem {
    /// The file ends within its header; an empty file does so too.
    #[error("ends after {found} bytes, within the {header} bytes of an IDX header")]
    ShortHeader {
        /// How many bytes there were.
        found: usize,
        /// How many the header has.
        header: usize,
    },
    /// The magic number is another.
    #[error("starts with {found:#010x}, but an IDX file of {wanted} with {expected:#010x}")]
    Magic {
        /// What was expected: images or labels.
        wanted: &'static str,
        /// The first four bytes, big-endian.
        found: u32,
        /// What they should have been.
        expected: u32,
    },
    /// The header promises nothing.
    #[error("declares dimensions {dims:?}, that is, no data at all")]
    Nothing {
        /// The dimensions of the header, `[n, h, w]` or `[n]`.
        dims: Vec<u32>,
    },
    /// The header promises more than is accepted.
    #[error("declares dimensions {dims:?}, more than the {limit} bytes accepted")]
    TooLarge {
        /// The dimensions of the header, `[n, h, w]` or `[n]`.
        dims: Vec<u32>,
        /// The largest accepted product.
        limit: u64,
    },
    /// There is less data than the header promises.
    #[error("holds {found} of the {promised} bytes of data that its header declares")]
    Truncated {
        /// The product of the dimensions.
        promised: u64,
        /// How many bytes there were.
        found: u64,
    },
    /// There is more data than the header promises.
    #[error("goes on after the {promised} bytes of data that its header declares")]
    TrailingBytes {
        /// The product of the dimensions.
        promised: u64,
    },
    /// The gzip stream is damaged or cut off.
    #[error("is not a whole gzip file ({0})")]
    Gzip(io::Error),
}

impl Error {
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

/// The first few of names with reasons.
pub(crate) fn list_some(broken: &[(String, String)]) -> String {
    const SOME: usize = 5;
    let mut texts: Vec<String> =
        broken.iter().take(SOME).map(|(name, reason)| format!("{name} ({reason})")).collect();
    if broken.len() > SOME {
        texts.push(format!("and {} more", broken.len() - SOME));
    }
    texts.join(", ")
}

fn instead(others: &str, broken: &[(String, String)]) -> String {
    let mut text = String::new();
    if !broken.is_empty() {
        text = format!("; damaged: {}", list_some(broken));
    }
    if !others.is_empty() {
        text = format!("{text}; other files: {others}");
    }
    text
}

fn list(folders: &[PathBuf]) -> String {
    if folders.is_empty() {
        return "a folder of your own, and name it as idx:DIR".to_owned();
    }
    folders.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(" or ")
}
