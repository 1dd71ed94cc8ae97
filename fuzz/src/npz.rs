//! Changes of a NumPy archive: arrays that are added, removed, renamed or changed, each with its checksum.

use std::io::{Cursor, Read, Write};

use latents_random::Stream;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::{index, mangle, npy, pick};

const NAMES: [&str; 22] = [
    "image",
    "images",
    "x",
    "x_train",
    "x_test",
    "x_val",
    "y",
    "y_train",
    "y_test",
    "train_images",
    "test_images",
    "train_labels",
    "label",
    "labels",
    "classes",
    "class_names",
    "split",
    "z",
    "latents",
    "embeddings",
    "id",
    "arr_0",
];
/// A byte in an array of no axes.
const SCALAR: &[u8] =
    b"\x93NUMPY\x01\0\x38\0{'descr': '|u1', 'fortran_order': False, 'shape': (), }\n\x01";
/// Most entries, and most bytes of each, that are taken.
const MOST: (usize, u64) = (16, 1 << 14);

struct Entry {
    name: String,
    deflated: bool,
    content: Vec<u8>,
}

/// Changes an archive.
pub fn change(file: &[u8], random: &mut Stream) -> Option<Vec<u8>> {
    let mut entries = read(file)?;
    let at = index(entries.len(), random);
    match (random.below(8), at) {
        (0, _) => {
            let name = format!("{}.npy", pick(&NAMES, random));
            let content = at.map_or(SCALAR.to_vec(), |at| entries[at].content.clone());
            entries.push(Entry { name, deflated: false, content });
        }
        (1, Some(at)) => drop(entries.remove(at)),
        (2, Some(at)) => entries[at].name = format!("{}.npy", pick(&NAMES, random)),
        (3, Some(at)) => entries[at].deflated ^= true,
        (4, Some(at)) => mangle(&mut entries[at].content),
        (_, Some(at)) => entries[at].content = npy::change(&entries[at].content, random)?,
        (_, None) => return None,
    }
    write(&entries).ok()
}

fn read(file: &[u8]) -> Option<Vec<Entry>> {
    let mut archive = ZipArchive::new(Cursor::new(file)).ok()?;
    let mut entries = vec![];
    for i in 0..archive.len().min(MOST.0) {
        let file = archive.by_index(i).ok()?;
        let name = file.name().to_owned();
        let deflated = file.compression() != CompressionMethod::Stored;
        let mut content = vec![];
        file.take(MOST.1).read_to_end(&mut content).ok()?;
        entries.push(Entry { name, deflated, content });
    }
    Some(entries)
}

fn write(entries: &[Entry]) -> zip::result::ZipResult<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(vec![]));
    for entry in entries {
        let method = match entry.deflated {
            true => CompressionMethod::Deflated,
            false => CompressionMethod::Stored,
        };
        let options = SimpleFileOptions::default().compression_method(method);
        zip.start_file(&*entry.name, options)?;
        zip.write_all(&entry.content)?;
    }
    Ok(zip.finish()?.into_inner())
}
