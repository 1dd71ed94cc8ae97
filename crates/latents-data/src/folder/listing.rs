//! The files of a folder: those to read as pictures, in the same order on every machine, and the number of others. Files are not
//! opened here.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use walkdir::WalkDir;

use super::content::{Content, Tables};
use crate::arrange::natural;
use crate::columns::{ColumnLabels, LabelColumn};
use crate::error::Error;
use crate::note::Note;
use crate::part::Part;
use crate::picture::EXTENSIONS;

/// A file to read as a picture.
pub(crate) struct Listed {
    pub(crate) content: Content,
    /// Its path within the folder, with `/` between its components.
    pub(crate) name: String,
    /// Changes if the file changes.
    pub(super) stamp: String,
    /// The time of its last modification.
    pub(super) written: SystemTime,
    /// What is known of it other than by its folders.
    pub(super) known: Option<Known>,
}

/// What a table, an archive or a pattern says of a picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(super) part: Option<Part>,
    pub(super) label: Option<String>,
}

/// The files of a folder.
pub(crate) struct Listing {
    /// In the order of their names.
    pub(crate) files: Vec<Listed>,
    /// Names of files and folders that cannot be accessed, with reasons.
    pub(super) broken: Vec<(String, String)>,
    /// The number of other files of each extension, in lower case.
    pub(super) others: BTreeMap<String, usize>,
    /// The number of pipes, sockets and devices. They are never opened.
    pub(super) special: usize,
    pub(super) notes: Vec<Note>,
    /// The labels that there are for each picture.
    pub(super) columns: Vec<LabelColumn>,
    /// The labels of all pictures in several columns.
    pub(super) column_labels: Vec<ColumnLabels>,
    /// The names of the classes, if the labels are their numbers.
    pub(super) classes: Option<Vec<String>>,
    /// Such names, of each column that has them.
    pub(super) class_names: BTreeMap<String, Vec<String>>,
    /// The tables that have the pictures, if they are rows.
    pub(super) tables: Tables,
    /// Whether there are other pictures, so that nothing can be concluded from the contents of these.
    pub(super) is_shard: bool,
}

impl Listing {
    pub(super) fn empty() -> Self {
        Self {
            files: vec![],
            broken: vec![],
            others: BTreeMap::new(),
            special: 0,
            notes: vec![],
            columns: vec![],
            column_labels: vec![],
            classes: None,
            class_names: BTreeMap::new(),
            tables: Tables::default(),
            is_shard: false,
        }
    }

    /// Whether the pictures are rows of tables.
    pub(super) fn is_packed(&self) -> bool {
        !self.tables.files.is_empty()
    }

    /// Lists a folder and its sub-folders. Symbolic links are followed, except to a parent folder. Names that start with a dot are
    /// ignored, and so is the folder that macOS adds to zip files.
    pub(crate) fn of(folder: &Path) -> Result<Self, Error> {
        std::fs::read_dir(folder).map_err(Error::io("read the folder", folder))?;
        let mut listing = Self::empty();
        let hidden = |name: &str| name.starts_with('.') || name == "__MACOSX";
        let walk = WalkDir::new(folder).min_depth(1).follow_links(true).into_iter();
        for entry in walk.filter_entry(|e| !hidden(&e.file_name().to_string_lossy())) {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    let path = error.path().unwrap_or(folder);
                    let reason = match (error.loop_ancestor(), error.io_error()) {
                        (Some(_), _) => "it is a link to one of its parent folders".to_owned(),
                        (_, Some(error)) => format!("it cannot be read: {error}"),
                        _ => "it cannot be read".to_owned(),
                    };
                    listing.broken.push((name_of(path, folder), reason));
                    continue;
                }
            };
            if !entry.file_type().is_file() {
                listing.special += usize::from(!entry.file_type().is_dir());
                continue;
            }
            let ending = entry.path().extension().map(|e| e.to_string_lossy().to_lowercase());
            let ending = ending.unwrap_or_default();
            if !EXTENSIONS.contains(&ending.as_str()) {
                *listing.others.entry(ending).or_default() += 1;
                continue;
            }
            let name = name_of(entry.path(), folder);
            match entry.metadata() {
                Ok(about) => listing.files.push(Listed {
                    content: Content::File(entry.path().to_owned()),
                    name,
                    stamp: stamp(&about),
                    written: about.modified().unwrap_or(UNIX_EPOCH),
                    known: None,
                }),
                Err(error) => listing.broken.push((name, format!("it cannot be read: {error}"))),
            }
        }
        listing.files.sort_by(|a, b| {
            a.name.cmp(&b.name).then_with(|| a.content.path().cmp(&b.content.path()))
        });
        listing.broken.sort();
        Ok(listing)
    }
}

/// The files with these endings: the one, or those of a folder in natural order.
pub(crate) fn files_of(path: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let fits = |path: &Path| {
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        ending.is_some_and(|ending| endings.contains(&ending.as_str()))
    };
    if !path.is_dir() {
        return if fits(path) { vec![path.to_owned()] } else { vec![] };
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|file| file.is_file() && fits(file)).collect();
    files.sort_by(|a, b| natural(&a.to_string_lossy(), &b.to_string_lossy()));
    files
}

fn name_of(path: &Path, folder: &Path) -> String {
    let inner = path.strip_prefix(folder).unwrap_or(path);
    let parts = inner.components().map(|part| text(part.as_os_str()));
    parts.collect::<Vec<_>>().join("/")
}

/// A file name as text. Bytes that are not UTF-8 become `\xFF`, so that names that differ stay different.
fn text(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\x{byte:02X}");
        }
    }
    text
}

/// Length and time of the last modification and, on Unix, device, inode and time of the last status change, which no tool can set
/// back.
pub(super) fn stamp(about: &Metadata) -> String {
    let written = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let stamp = format!("{} {}", about.len(), written.unwrap_or_default().as_nanos());
    #[cfg(unix)]
    let stamp = {
        use std::os::unix::fs::MetadataExt;
        let (dev, ino) = (about.dev(), about.ino());
        format!("{stamp} {dev} {ino} {} {}", about.ctime(), about.ctime_nsec())
    };
    stamp
}
