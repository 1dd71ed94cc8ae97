//! The list of known data sets for people and programs to choose from, and fetching one ahead of its use. Reading them is
//! in `source`.

use std::fmt;
use std::path::PathBuf;

use crate::fashion::{self, Found};
use crate::{Error, Locations, Progress, sample};

/// A known source of data.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Entry {
    /// How it is asked for.
    pub name: &'static str,
    /// One line on what it is.
    pub description: &'static str,
    /// The licence of the data.
    pub licence: &'static str,
    /// Where it would be taken from now.
    pub place: Place,
}

/// Where a data set would be taken from now. Prints as one line for people.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "where")]
#[non_exhaustive]
pub enum Place {
    /// In the program itself.
    CompiledIn,
    /// In the folder or file that its name gives.
    Given,
    /// In this folder of the cache.
    Cache(PathBuf),
    /// In this folder of the system.
    System(PathBuf),
    /// Downloaded, from this address first.
    Download(String),
    /// Nowhere: neither on this machine nor to be downloaded.
    Nowhere,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CompiledIn => f.write_str("compiled in"),
            Self::Given => f.write_str("what you name"),
            Self::Cache(folder) => write!(f, "cache, {}", folder.display()),
            Self::System(folder) => write!(f, "system, {}", folder.display()),
            Self::Download(address) => write!(f, "to be downloaded from {address}"),
            Self::Nowhere => f.write_str("not on this machine, and downloads are switched off"),
        }
    }
}

/// Every known source, and where it would be taken from now. Looks at folders, not at the network.
#[must_use]
pub fn catalogue(locations: &Locations) -> Vec<Entry> {
    const LICENCE: &str = "MIT (Expat), © 2017 Zalando SE";
    let place = match (fashion::locate(locations), locations.mirrors.first()) {
        (Some(Found::Cache(folder)), _) => Place::Cache(folder),
        (Some(Found::System(folder)), _) => Place::System(folder),
        (None, Some(mirror)) if !locations.offline && locations.cache.is_some() => {
            Place::Download(mirror.clone())
        }
        _ => Place::Nowhere,
    };
    vec![
        Entry {
            name: fashion::NAME,
            description: "60,000 + 10,000 grey images of clothes, 28 × 28, 10 classes",
            licence: LICENCE,
            place,
        },
        Entry {
            name: sample::NAME,
            description: "a class-balanced sample of fashion-mnist, 2,500 + 500 images",
            licence: LICENCE,
            place: Place::CompiledIn,
        },
        Entry {
            name: "folder:DIR",
            description: "your own pictures: a folder of PNG, JPEG, WebP or GIF files of any size, or just its path, such as ./photos; sub-folders are labels",
            licence: "your own",
            place: Place::Given,
        },
        Entry {
            name: "npz:FILE",
            description: "your own images: NumPy arrays, image [n, h, w], [n, c, h, w] or [n, h, w, c] and label [n], or just the path of the .npz file",
            licence: "your own",
            place: Place::Given,
        },
        Entry {
            name: "idx:DIR",
            description: "your own images: a folder of IDX files under MNIST's names, gzipped or not",
            licence: "your own",
            place: Place::Given,
        },
    ]
}

/// Downloads Fashion-MNIST into the cache, whether or not the system has it too, and gives the folder. Files that are there
/// already are checked, and kept where they are whole.
///
/// # Errors
/// [`Error::Offline`], [`Error::NoCache`], [`Error::Download`], or [`Error::Io`] where the cache cannot be written.
pub fn fetch(locations: &Locations, progress: &mut dyn FnMut(Progress)) -> Result<PathBuf, Error> {
    fashion::download(&fashion::FILES, locations, progress)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_fashion_mnist_follows_the_order() {
        let (cache, system) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut locations = Locations::nowhere();
        let place = |locations: &Locations| catalogue(locations)[0].place.clone();
        assert_eq!(place(&locations), Place::Nowhere);

        locations.mirrors = vec!["http://first".into(), "http://second".into()];
        locations.cache = Some(cache.path().into());
        assert_eq!(place(&locations), Place::Nowhere, "offline");
        locations.offline = false;
        assert_eq!(place(&locations), Place::Download("http://first".into()));

        let put = |root: &std::path::Path, suffix: &str| {
            let folder = root.join(fashion::NAME);
            std::fs::create_dir(&folder).unwrap();
            for file in fashion::FILES {
                let name = file.name.trim_end_matches(".gz");
                std::fs::write(folder.join(format!("{name}{suffix}")), "").unwrap();
            }
            folder
        };
        locations.system = vec![cache.path().join("absent"), system.path().into()];
        let in_system = put(system.path(), "");
        assert_eq!(place(&locations), Place::System(in_system));
        let in_cache = put(cache.path(), ".gz");
        assert_eq!(place(&locations), Place::Cache(in_cache.clone()));
        std::fs::remove_file(in_cache.join("t10k-labels-idx1-ubyte.gz")).unwrap();
        assert!(matches!(place(&locations), Place::System(_)), "three files are not a data set");
    }

    #[test]
    fn every_name_of_the_catalogue_can_be_asked_for() {
        for entry in catalogue(&Locations::nowhere()) {
            let source: crate::Source = entry.name.parse().unwrap();
            assert_eq!(source.to_string(), entry.name);
        }
    }
}
