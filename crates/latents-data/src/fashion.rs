//! Fashion-MNIST: its files, their sums and mirrors, and the order of the places in which it is looked for. Downloading
//! itself is in `fetch`, parsing in `idx`.

use std::path::{Path, PathBuf};

use crate::fetch::{self, RemoteFile, hex};
use crate::source::{find_file, read_folder};
use crate::{Dataset, Error, Locations, Progress};

/// What the data set is called, and its sub-folder in the cache and in the system's folders.
pub(crate) const NAME: &str = "fashion-mnist";

/// The classes of Fashion-MNIST, in the order of their labels.
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

/// The public addresses: the authors' own, TensorFlow's copy and, where TLS is built in, the authors' repository, which answers
/// nothing else. What arrives is checked against its SHA-256, so the way it came need not be trusted.
pub(crate) const MIRRORS: &[&str] = &[
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    "http://storage.googleapis.com/tensorflow/tf-keras-datasets",
    #[cfg(feature = "tls")]
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
];

/// The four files as published. Their MD5 sums, given in the authors' README, are those of the same bytes.
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

/// The first folder that holds all four files, gzipped or not: the cache, then the system's folders.
pub(crate) fn locate(locations: &Locations) -> Option<Found> {
    let cache = cache_folder(locations).map(Found::Cache);
    let system = locations.system.iter().map(|folder| Found::System(folder.join(NAME)));
    cache.into_iter().chain(system).find(|found| {
        let (Found::Cache(folder) | Found::System(folder)) = found;
        FILES.iter().all(|file| find_file(folder, file.name.trim_end_matches(".gz")).is_some())
    })
}

/// `files` are [`FILES`], but in tests.
pub(crate) fn load(
    files: &[RemoteFile],
    locations: &Locations,
    progress: &mut dyn FnMut(Progress),
) -> Result<Dataset, Error> {
    let read = |origin: String, folder: &Path| {
        read_folder(NAME.to_owned(), origin, folder, Some(&CLASSES))
    };
    match locate(locations) {
        Some(Found::Cache(folder)) => {
            read(format!("Fashion-MNIST from the cache, {}", folder.display()), &folder)
        }
        Some(Found::System(folder)) => {
            read(format!("Fashion-MNIST from the system's folder, {}", folder.display()), &folder)
        }
        None => {
            let folder = download(files, locations, progress)?;
            read(format!("Fashion-MNIST, downloaded to {}", folder.display()), &folder)
        }
    }
}

/// Makes sure that the cache holds the published files, and gives their folder.
pub(crate) fn download(
    files: &[RemoteFile],
    locations: &Locations,
    progress: &mut dyn FnMut(Progress),
) -> Result<PathBuf, Error> {
    let folder = cache_folder(locations);
    if locations.offline {
        let system = locations.system.iter().map(|folder| folder.join(NAME));
        let looked = folder.into_iter().chain(system).collect();
        return Err(Error::Offline { name: NAME, looked });
    }
    let folder = folder.ok_or(Error::NoCache)?;
    fetch::download(files, &folder, locations, progress)?;
    Ok(folder)
}

fn cache_folder(locations: &Locations) -> Option<PathBuf> {
    locations.cache.as_ref().map(|cache| cache.join(NAME))
}

#[cfg(test)]
mod tests;
