//! The list of known sources, for people and programs to choose from, and downloading a data set ahead of its use. Reading
//! sources is in `source`.

use std::fmt;
use std::path::PathBuf;

use latents_progress::Monitor;

use crate::error::Error;
use crate::fashion::{self, Found};
use crate::locations::Locations;
use crate::source::{FORMATS, Format, Kind, Source};

/// A known source of data.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Entry {
    /// How it is written.
    pub name: &'static str,
    /// What it is, in one line.
    pub description: &'static str,
    /// The licence of the images.
    pub licence: &'static str,
    /// The place from which it would be loaded now.
    pub place: Place,
}

/// The place from which a data set would be loaded now. `Display` gives one line of text.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "where")]
#[non_exhaustive]
pub enum Place {
    /// Compiled in.
    CompiledIn,
    /// The folder or file that the source names.
    Given,
    /// This folder of the cache.
    Cache(PathBuf),
    /// This folder of the system's package manager.
    System(PathBuf),
    /// A download, from this address first.
    Download(String),
    /// Nowhere: it is not on this machine and cannot be downloaded.
    Nowhere,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CompiledIn => f.write_str("compiled in"),
            Self::Given => f.write_str("the path that you give"),
            Self::Cache(folder) => write!(f, "cache, {}", folder.display()),
            Self::System(folder) => write!(f, "system, {}", folder.display()),
            Self::Download(address) => write!(f, "download from {address}"),
            Self::Nowhere => f.write_str("not on this machine, and downloads are switched off"),
        }
    }
}

/// Every known source, and where it would be loaded from now. Looks at folders, but not at the network.
///
/// ```
/// use latents_data::{Locations, Place, catalogue};
///
/// let entries = catalogue(&Locations::nowhere());
/// assert_eq!((entries[1].name, &entries[1].place), ("fashion-mnist-sample", &Place::CompiledIn));
/// ```
#[must_use]
pub fn catalogue(locations: &Locations) -> Vec<Entry> {
    let fashion = match (fashion::locate(locations), locations.mirrors.first()) {
        (Some(Found::Cache(folder)), _) => Place::Cache(folder),
        (Some(Found::System(folder)), _) => Place::System(folder),
        (None, Some(mirror)) if !locations.offline && locations.cache.is_some() => {
            Place::Download(mirror.clone())
        }
        _ => Place::Nowhere,
    };
    let entry = |format: Format| Entry {
        name: format.written,
        description: format.description,
        licence: format.licence,
        place: match format.kind {
            Kind::Named(Source::FashionMnist) => fashion.clone(),
            Kind::Named(_) => Place::CompiledIn,
            Kind::Path(..) => Place::Given,
        },
    };
    FORMATS.into_iter().map(entry).collect()
}

/// Downloads Fashion-MNIST into the cache, even if the system has it too, and returns the folder. Files that are already there
/// are checked against their SHA-256 sums and downloaded again only if they are damaged. Reports the tasks `downloading FILE`,
/// in bytes of all four files.
///
/// # Errors
/// [`Error::Offline`], [`Error::NoCache`], [`Error::Download`], [`Error::Io`] if the cache cannot be written, or
/// [`Error::Interrupted`] if `monitor` is cancelled; what has arrived is kept, and the next call continues from there.
pub fn fetch(locations: &Locations, monitor: &Monitor) -> Result<PathBuf, Error> {
    fashion::download(&fashion::FILES, locations, monitor)
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
            let source: Source = entry.name.parse().unwrap();
            assert_eq!(source.to_string(), entry.name);
        }
    }
}
