//! What is in a folder: which of its files are to be read as pictures, in one order on every machine, and how many others there are.
//! Files are looked at from outside only.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use walkdir::WalkDir;

use crate::Error;
use crate::picture::EXTENSIONS;

/// A file that is to be read as a picture.
pub(super) struct Listed {
    pub(super) path: PathBuf,
    /// Its path within the folder, with `/` between its parts.
    pub(super) name: String,
    /// What tells that it is another than before.
    pub(super) stamp: String,
    /// When it was last written.
    pub(super) written: SystemTime,
}

/// What is in a folder.
pub(super) struct Listing {
    /// By name.
    pub(super) files: Vec<Listed>,
    /// What cannot be looked at, with the reason.
    pub(super) broken: Vec<(String, String)>,
    /// How many other files there are, by the ending of their name.
    others: BTreeMap<String, usize>,
}

impl Listing {
    /// Looks through a folder and those below it. Symbolic links are followed, but not in circles; whatever has a name that
    /// begins with a dot is passed over, and so is what macOS puts into zip files.
    pub(super) fn of(folder: &Path) -> Result<Self, Error> {
        std::fs::read_dir(folder).map_err(Error::io("read the folder", folder))?;
        let mut listing = Self { files: vec![], broken: vec![], others: BTreeMap::new() };
        let hidden = |name: &str| name.starts_with('.') || name == "__MACOSX";
        let walk = WalkDir::new(folder).min_depth(1).follow_links(true).into_iter();
        for entry in walk.filter_entry(|e| !hidden(&e.file_name().to_string_lossy())) {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    let path = error.path().unwrap_or(folder);
                    let reason = match (error.loop_ancestor(), error.io_error()) {
                        (Some(_), _) => "it is a link to a folder that it is in".to_owned(),
                        (_, Some(error)) => format!("it cannot be read: {error}"),
                        _ => "it cannot be read".to_owned(),
                    };
                    listing.broken.push((name_of(path, folder), reason));
                    continue;
                }
            };
            if !entry.file_type().is_file() {
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
                    path: entry.path().to_owned(),
                    name,
                    stamp: stamp(&about),
                    written: about.modified().unwrap_or(UNIX_EPOCH),
                }),
                Err(error) => listing.broken.push((name, format!("it cannot be read: {error}"))),
            }
        }
        listing.files.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.path.cmp(&b.path)));
        listing.broken.sort();
        Ok(listing)
    }

    /// The other files: `.txt (3), .heic (1)`; empty where there are none.
    pub(super) fn others(&self) -> String {
        let one = |(ending, n): (&String, &usize)| match ending.as_str() {
            "" => format!("without an ending ({n})"),
            _ => format!(".{ending} ({n})"),
        };
        self.others.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

fn name_of(path: &Path, folder: &Path) -> String {
    let inner = path.strip_prefix(folder).unwrap_or(path);
    let parts = inner.components().map(|part| part.as_os_str().to_string_lossy());
    parts.collect::<Vec<_>>().join("/")
}

/// Length and time of the last change and, where the system has them, what not even a tool that sets that time back can hide.
fn stamp(about: &Metadata) -> String {
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
