//! Finding, downloading and reading Fashion-MNIST, with four tiny files in place of the real ones.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::*;
use crate::fetch::server::{Answer, Server};
use crate::{Images, idx};

/// Files as a mirror would serve them: 4 training images and 2 for testing, all with pixels of `value`.
fn served(value: u8) -> Vec<(&'static str, Vec<u8>)> {
    let gzip = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        write(&mut bytes);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&bytes).unwrap();
        encoder.finish().unwrap()
    };
    let images = |n: usize| {
        let images = Images::new(1, 3, 2, vec![value; n * 6]).unwrap();
        gzip(&move |out| idx::write_images(out, &images).unwrap())
    };
    let labels = |labels: &'static [u8]| gzip(&move |out| idx::write_labels(out, labels).unwrap());
    let contents = [images(4), labels(&[9, 0, 3, 3]), images(2), labels(&[1, 2])];
    FILES.iter().map(|file| file.name).zip(contents).collect()
}

fn remotes(files: &[(&'static str, Vec<u8>)]) -> Vec<RemoteFile> {
    let remote = |(name, content): &(&'static str, Vec<u8>)| RemoteFile {
        name,
        bytes: content.len() as u64,
        sha256: Sha256::digest(content).into(),
    };
    files.iter().map(remote).collect()
}

fn write(root: &Path, files: &[(&'static str, Vec<u8>)]) {
    std::fs::create_dir_all(root.join(NAME)).unwrap();
    for (name, content) in files {
        std::fs::write(root.join(NAME).join(name), content).unwrap();
    }
}

#[test]
fn cache_then_system_then_download() {
    let (cache, system) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let files = served(30);
    let server = Server::start(&files, &[Answer::Truncated(5)]);
    let mut locations = Locations {
        cache: Some(cache.path().join("not/made/yet")),
        mirrors: vec![server.address.clone()],
        offline: false,
        pause: std::time::Duration::ZERO,
        ..Locations::nowhere()
    };
    let load = |locations: &Locations| {
        load(&remotes(&files), locations, &Monitor::default()).map(|set| {
            assert_eq!((set.name.as_str(), set.classes.len()), ("fashion-mnist", 10));
            assert_eq!(set.train.all_labels(), Some(vec![9, 0, 3, 3]));
            (
                set.train.images.image(0).to_bytes()[0],
                set.origin.split(',').next().unwrap().to_owned(),
            )
        })
    };
    // Not on the machine: downloaded, here after a break.
    assert_eq!(load(&locations).unwrap(), (30, "Fashion-MNIST".into()));
    assert_eq!(server.requests().len(), 5);
    assert_eq!(server.requests()[1].range.as_deref(), Some("bytes=5-"));
    // In the cache now.
    locations.offline = true;
    assert_eq!(load(&locations).unwrap(), (30, "Fashion-MNIST from the cache".into()));
    assert_eq!(server.requests().len(), 5, "the network is left alone");
    // The system's copy is used only if there is none in the cache.
    write(system.path(), &served(20));
    locations.system = vec![system.path().into()];
    assert_eq!(load(&locations).unwrap().0, 30);
    locations.cache = Some(cache.path().into());
    assert_eq!(load(&locations).unwrap(), (20, "Fashion-MNIST from the system's folder".into()));
    // And no copy at all.
    locations.system = vec![];
    let error = load(&locations).unwrap_err();
    assert!(
        matches!(&error, Error::Offline { looked, .. } if *looked == [cache.path().join(NAME)]),
        "{error}"
    );
    (locations.cache, locations.offline) = (None, false);
    assert!(matches!(load(&locations).unwrap_err(), Error::NoCache));
}

#[test]
fn a_fault_in_a_found_file_is_told_and_not_hidden_by_a_download() {
    let cache = tempfile::tempdir().unwrap();
    let mut files = served(1);
    files[2].1.truncate(20);
    write(cache.path(), &files);
    let locations = Locations { cache: Some(cache.path().into()), ..Locations::nowhere() };
    let error = load(&FILES, &locations, &Monitor::default()).unwrap_err();
    let at_fault = cache.path().join(NAME).join("t10k-images-idx3-ubyte.gz");
    assert!(matches!(&error, Error::Idx { file, .. } if *file == at_fault), "{error}");
}
