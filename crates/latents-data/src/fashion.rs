//! Fashion-MNIST: its files, their SHA-256 sums, and the order in which the cache, the system's folders and the network are
//! searched for them. Downloading is in `fetch`, parsing in `idx`, the addresses of mirrors in `locations`.

use std::path::{Path, PathBuf};

use latents_progress::Monitor;

use crate::dataset::Dataset;
use crate::error::Error;
use crate::fetch::{self, RemoteFile, hex};
use crate::idx_folder::{self, find_file};
use crate::locations::Locations;

/// The name of the data set, and of its sub-folder in the cache and in the system's folders.
pub(crate) const NAME: &str = "fashion-mnist";

/// The classes of Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017), in the order of their labels.
pub const CLASSES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// The four files as published. The MD5 sums in the authors' README are of the same bytes.
pub(crate) const FILES: [RemoteFile; 4] = [
    RemoteFile {
        name: "train-images-idx3-ubyte.gz",
        bytes: 26_421_880,
        sha256: hex("3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
    },
    RemoteFile {
        name: "train-labels-idx1-ubyte.gz",
        bytes: 29_515,
        sha256: hex("a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
    },
    RemoteFile {
        name: "t10k-images-idx3-ubyte.gz",
        bytes: 4_422_102,
        sha256: hex("346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
    },
    RemoteFile {
        name: "t10k-labels-idx1-ubyte.gz",
        bytes: 5_148,
        sha256: hex("67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    },
];

/// Where Fashion-MNIST is on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Cache(PathBuf),
    System(PathBuf),
}

/// The first folder that has all four files, gzipped or not: the cache, then the system's folders.
pub(crate) fn locate(locations: &Locations) -> Option<Found> {
    let cache = cache_folder(locations).map(Found::Cache);
    let system = locations.system.iter().map(|folder| Found::System(folder.join(NAME)));
    cache.into_iter().chain(system).find(|found| {
        let (Found::Cache(folder) | Found::System(folder)) = found;
        FILES.iter().all(|file| find_file(folder, file.name.trim_end_matches(".gz")).is_some())
    })
}

/// Reads Fashion-MNIST, and downloads it first if necessary. `files` are [`FILES`], except in tests.
pub(crate) fn load(
    files: &[RemoteFile],
    locations: &Locations,
    monitor: &Monitor,
) -> Result<Dataset, Error> {
    let read = |origin: String, folder: &Path| {
        idx_folder::read(NAME.to_owned(), origin, folder, Some(&CLASSES), false)
    };
    match locate(locations) {
        Some(Found::Cache(folder)) => {
            read(format!("Fashion-MNIST from the cache, {}", folder.display()), &folder)
        }
        Some(Found::System(folder)) => {
            read(format!("Fashion-MNIST from the system's folder, {}", folder.display()), &folder)
        }
        None => {
            let folder = download(files, locations, monitor)?;
            read(format!("Fashion-MNIST, downloaded to {}", folder.display()), &folder)
        }
    }
}

/// Makes sure that the cache has the published files, and returns their folder.
pub(crate) fn download(
    files: &[RemoteFile],
    locations: &Locations,
    monitor: &Monitor,
) -> Result<PathBuf, Error> {
    let folder = cache_folder(locations);
    if locations.offline {
        let system = locations.system.iter().map(|folder| folder.join(NAME));
        let looked = folder.into_iter().chain(system).collect();
        return Err(Error::Offline { name: NAME, looked });
    }
    let folder = folder.ok_or(Error::NoCache)?;
    fetch::download(files, &folder, locations, monitor)?;
    Ok(folder)
}

fn cache_folder(locations: &Locations) -> Option<PathBuf> {
    locations.cache.as_ref().map(|cache| cache.join(NAME))
}

#[cfg(test)]
mod tests;
