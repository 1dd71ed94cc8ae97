//! The errors of this crate. Each names the file, what is wrong with it and what to do. Causes are variants, so that callers can
//! tell them apart; a front end decides how to print them and adds hints of its own.

use std::io;
use std::path::PathBuf;

use latents_progress::Interrupted;

use crate::npz::NpzError;
use crate::part::{Part, UnknownPart};

/// The formats of pictures, for people.
const FORMATS: &str = "PNG, JPEG, TIFF, WebP, GIF, BMP, PNM, TGA, QOI, FITS or DICOM";

/// A data set cannot be found, downloaded or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The name is not that of a source.
    #[error("unknown data set \"{name}\"; did you mean \"{nearest}\"? Known: {}", known.join(", "))]
    UnknownSource {
        /// The name.
        name: String,
        /// The known name most similar to it.
        nearest: String,
        /// How each known source is written.
        known: Vec<&'static str>,
    },
    /// There is no such file or folder.
    #[error(
        "no such file or folder: {} (relative paths start at the current folder); known data sets: {}",
        path.display(),
        known.join(", ")
    )]
    NoSuchPath {
        /// The path.
        path: PathBuf,
        /// How each known source is written.
        known: Vec<&'static str>,
    },
    /// The path is a single file, but not an `.npz` file.
    #[error("{} is a single file; use a folder of pictures or an .npz file", path.display())]
    OneFile {
        /// The file.
        path: PathBuf,
    },
    /// A value of [`Pictures`](crate::Pictures) is invalid.
    #[error("picture settings: {problem}")]
    Setting {
        /// What is wrong with it.
        problem: String,
    },
    /// The source takes no [`Pictures`](crate::Pictures) settings, but some are not the default ones.
    #[error(
        "{name} takes no picture settings: size, fit, grey, background, test fraction, split seed and strict apply only to \
         folders of pictures and .npz files"
    )]
    Fixed {
        /// The data set.
        name: String,
    },
    /// The folder has no readable picture.
    #[error("{} has no readable picture ({FORMATS}){}", folder.display(), instead(others, broken))]
    NoPictures {
        /// The folder.
        folder: PathBuf,
        /// The other files, as text: the number of each extension.
        others: String,
        /// Names of unreadable pictures, with reasons.
        broken: Vec<(String, String)>,
    },
    /// Some pictures cannot be read, and [`Pictures::strict`](crate::Pictures::strict) is on.
    #[error(
        "{} {} in {} cannot be read: {}; repair or remove them, or turn `strict` off to leave them out",
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
    /// The arrays of an `.npz` file are not a data set.
    #[error("{}: {reason}", file.display())]
    Arrays {
        /// The file.
        file: PathBuf,
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// Arrays in memory are not a data set.
    #[error("{reason}")]
    Array {
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// An `.npz` file cannot be read.
    #[error(transparent)]
    Npz(#[from] NpzError),
    /// No image, or more than one, is called like that.
    #[error("{}", no_such_image(text, *images, several.as_ref()))]
    NoSuchImage {
        /// What was asked for.
        text: String,
        /// How many images there are.
        images: usize,
        /// Two names that end like that, if there are several.
        several: Option<[String; 2]>,
    },
    /// A table cannot be read.
    #[error(transparent)]
    Table(#[from] latents_tables::Error),
    /// The text is not the name of a part.
    #[error(transparent)]
    UnknownPart(#[from] UnknownPart),
    /// The parts of a data set in memory do not fit together.
    #[error("data set \"{name}\": {problem}")]
    Parts {
        /// The data set.
        name: String,
        /// What is wrong.
        problem: PartsProblem,
    },
    /// The work was cancelled.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// The number of bytes does not fit the shape of the images.
    #[error(
        "{bytes} bytes are not a whole number of images of shape [c, h, w] = {shape:?}; \
         each dimension must be at least 1 and images at most 4,294,967,295"
    )]
    Pixels {
        /// `[c, h, w]` of one image.
        shape: [usize; 3],
        /// The number of bytes.
        bytes: usize,
    },
    /// A file operation failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// The operation, as an infinitive.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The content of an IDX file violates the format.
    #[error("{}: {problem}{}", file.display(), problem.advice())]
    Idx {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: IdxProblem,
    },
    /// A folder of IDX files lacks one of the standard files.
    #[error(
        "{} has no file {part}-{kind}-idx{rank}-ubyte, gzipped or not; expected training and test images under MNIST's file names",
        folder.display(),
        rank = if *kind == "images" { 3 } else { 1 }
    )]
    MissingFile {
        /// The folder.
        folder: PathBuf,
        /// The part in MNIST's names: `train` or `t10k`.
        part: &'static str,
        /// `images` or `labels`.
        kind: &'static str,
    },
    /// A file of labels has more or fewer labels than the file of images has images.
    #[error(
        "{} has {labels} labels, but {} has {images} images; the two files do not belong together",
        labels_file.display(),
        images_file.display()
    )]
    CountMismatch {
        /// The file of images.
        images_file: PathBuf,
        /// How many images it has.
        images: usize,
        /// The file of labels.
        labels_file: PathBuf,
        /// How many labels it has.
        labels: usize,
    },
    /// A label is not below the number of classes.
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
        label: u16,
        /// How many classes there are.
        classes: usize,
    },
    /// The training and test files have images of different shapes.
    #[error(
        "{}: training images have shape [c, h, w] = {train:?}, but test images {test:?}; \
         all images must have the same shape",
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
    /// The data set has to be downloaded, but downloads are switched off.
    #[error(
        "{name} cannot be downloaded because LATENTS_OFFLINE is set: unset it, or put the files into {}",
        list(looked)
    )]
    Offline {
        /// The data set.
        name: &'static str,
        /// The folders that were searched for it.
        looked: Vec<PathBuf>,
    },
    /// There is no folder to download into.
    #[error("no cache folder to download into: set LATENTS_CACHE, XDG_CACHE_HOME or HOME")]
    NoCache,
    /// No mirror delivered the file.
    #[error(
        "cannot download {file} ({}); check the network and try again (the download continues where it stopped), \
         or put the file into {} yourself",
        failures.join("; "),
        folder.display()
    )]
    Download {
        /// The file's name.
        file: &'static str,
        /// The folder that it was downloaded to.
        folder: PathBuf,
        /// The last failure of each mirror.
        failures: Vec<String>,
    },
}

/// What is wrong with the parts of a data set in memory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PartsProblem {
    /// The parts have images of different shapes.
    #[error("training images have shape [c, h, w] = {train:?}, but test images {test:?}")]
    Shapes {
        /// `[c, h, w]` of a training image.
        train: [usize; 3],
        /// `[c, h, w]` of a test image.
        test: [usize; 3],
    },
    /// A part has more or fewer labels than images.
    #[error("the {part} part has {images} images, but its number of labels is {labels}")]
    Labels {
        /// Which part.
        part: Part,
        /// The number of labels.
        labels: usize,
        /// The number of images.
        images: usize,
    },
    /// A part has more or fewer names than images.
    #[error("the {part} part has {images} images, but its number of names is {names}")]
    Names {
        /// Which part.
        part: Part,
        /// The number of names.
        names: usize,
        /// The number of images.
        images: usize,
    },
    /// A label is not below the number of classes.
    #[error("label {index} of the {part} part is {label}, but there are {classes} classes")]
    Label {
        /// Which part.
        part: Part,
        /// Which label, counted from 0.
        index: usize,
        /// Its value.
        label: u16,
        /// The number of classes.
        classes: usize,
    },
    /// There are more classes than labels can tell apart.
    #[error("there are {classes} classes, but there can be at most {limit}")]
    TooManyClasses {
        /// The number of classes.
        classes: usize,
        /// The largest number.
        limit: usize,
    },
}

/// What is wrong with the content of an IDX file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdxProblem {
    /// The file ends within its header; it may be empty.
    #[error("ends after {found} bytes, within the {header} bytes of an IDX header")]
    ShortHeader {
        /// The number of bytes of the file.
        found: usize,
        /// The length of the header.
        header: usize,
    },
    /// The magic number is wrong.
    #[error("starts with {found:#010x}, but an IDX file of {wanted} starts with {expected:#010x}")]
    Magic {
        /// The expected content: images or labels.
        wanted: &'static str,
        /// The first four bytes, big-endian.
        found: u32,
        /// The expected value.
        expected: u32,
    },
    /// The header declares no data.
    #[error("declares dimensions {dims:?}, which is no data at all")]
    Nothing {
        /// The dimensions of the header, `[n, h, w]` or `[n]`.
        dims: Vec<u32>,
    },
    /// The header declares more data than is accepted.
    #[error("declares dimensions {dims:?}, which is more than the accepted {limit} bytes")]
    TooLarge {
        /// The dimensions of the header, `[n, h, w]` or `[n]`.
        dims: Vec<u32>,
        /// The largest accepted number of bytes.
        limit: u64,
    },
    /// The data are far more than the file, or more than there is memory for.
    #[error("{0}")]
    TooMuch(String),
    /// There is less data than the header declares.
    #[error("has only {found} of the {promised} bytes of data that its header declares")]
    Truncated {
        /// The product of the dimensions.
        promised: u64,
        /// The number of bytes of data.
        found: u64,
    },
    /// A label is not a small number.
    #[error("has the label {value}, but labels are numbers from 0 to 255")]
    Label {
        /// The label.
        value: i32,
    },
    /// There is more data than the header declares.
    #[error("has more than the {promised} bytes of data that its header declares")]
    TrailingBytes {
        /// The product of the dimensions.
        promised: u64,
    },
    /// The gzip stream is damaged or truncated.
    #[error("is not an intact gzip file ({0})")]
    Gzip(io::Error),
}

impl IdxProblem {
    /// What to do.
    fn advice(&self) -> &'static str {
        match self {
            IdxProblem::TooMuch(_) => "",
            _ => "; replace the file with an intact copy",
        }
    }
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

fn no_such_image(text: &str, images: usize, several: Option<&[String; 2]>) -> String {
    match several {
        Some([a, b]) => {
            format!("several images are called {text}, such as {a} and {b}; use the whole name")
        }
        None if images == 0 => format!("there is no image {text}: there are no images"),
        None => format!(
            "there is no image {text}: images are called by their names, or numbered from 0 to {}",
            images - 1
        ),
    }
}

/// The first few names with their reasons.
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
        return "a folder of your own and open it as idx:DIR".to_owned();
    }
    folders.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(" or ")
}
