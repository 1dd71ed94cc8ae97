//! Files that are damaged at random: every reader accepts the intact ones, and accepts or rejects the others without a panic. The targets in `fuzz` do
//! the same for as long as you like.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use latents_fuzz_readers as readers;
use latents_random::{Purpose, Stream, stream};

/// Damaged copies of each file, and fewer if reading one takes long.
const COPIES: u64 = 250;
const FEW: u64 = 80;

/// Numbers that make lengths and offsets wrong.
const EXTREMES: [u64; 6] = [0, 1, 0x7f, 0x7fff_ffff, 0xffff_ffff, u64::MAX];

/// Damages a file in one to four places.
fn damage(bytes: &mut Vec<u8>, random: &mut Stream) {
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            return;
        }
        let at = random.below(bytes.len() as u32) as usize;
        let to = (at + 1 + random.below(16) as usize).min(bytes.len());
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => random.fill_bytes(&mut bytes[at..to]),
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..to)),
            4 => {
                let again = bytes[at..to].to_vec();
                bytes.splice(at..at, again);
            }
            _ => {
                let number = EXTREMES[random.below(EXTREMES.len() as u32) as usize];
                let number =
                    if random.below(2) == 0 { number.to_le_bytes() } else { number.to_be_bytes() };
                let width = (1 << random.below(4)).min(bytes.len() - at);
                let part =
                    if random.below(2) == 0 { &number[..width] } else { &number[8 - width..] };
                bytes[at..at + width].copy_from_slice(part);
            }
        }
    }
}

#[track_caller]
fn check(name: &str, read: fn(&[u8]) -> bool, copies: u64) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 2, "{name}");
    for (i, file) in files.iter().enumerate() {
        let whole = std::fs::read(file).unwrap();
        assert!(read(&whole), "{} is not taken", file.display());
        let mut refused = 0;
        for copy in 0..copies {
            let mut bytes = whole.clone();
            damage(&mut bytes, &mut stream(0, Purpose::Init, i as u64, copy));
            let taken = catch_unwind(AssertUnwindSafe(|| read(&bytes)));
            let taken = taken.unwrap_or_else(|_| panic!("{}, copy {copy}", file.display()));
            refused += u64::from(!taken);
        }
        assert!(refused > copies / 10, "{}: only {refused} are refused", file.display());
    }
}

#[test]
fn images_and_labels() {
    check("idx", readers::idx, COPIES);
}

#[test]
fn arrays() {
    check("npz", readers::npz, COPIES);
}

#[test]
fn arrays_alone() {
    check("npy", readers::npy, COPIES);
}

#[test]
fn folders_of_images_and_labels() {
    check("idx_folder", readers::idx_folder, COPIES);
}

#[test]
fn tables_as_csv() {
    check("csv", readers::csv, COPIES);
}

#[test]
fn tables_as_json_lines() {
    check("json_lines", readers::json_lines, COPIES);
}

#[cfg(feature = "all-formats")]
#[test]
fn tables_as_parquet() {
    check("parquet", readers::parquet, COPIES);
}

#[test]
fn archives() {
    check("tar", readers::tar, COPIES);
}

#[test]
fn tiff_pictures() {
    check("tiff", readers::tiff, COPIES);
}

#[cfg(feature = "all-formats")]
#[test]
fn fits_pictures() {
    check("fits", readers::fits, COPIES);
}

#[cfg(feature = "all-formats")]
#[test]
fn dicom_pictures() {
    check("dicom", readers::dicom, COPIES);
}

#[test]
fn pictures() {
    check("picture", readers::picture, COPIES);
}

#[test]
fn weights() {
    check("safetensors", readers::safetensors, COPIES);
}

#[test]
fn settings() {
    check("config", readers::config, COPIES);
}

#[test]
fn checkpoints() {
    check("checkpoint", readers::checkpoint, FEW);
}

#[test]
fn metrics_of_epochs() {
    check("metrics", readers::metrics, COPIES);
}

#[test]
fn studies() {
    check("study", readers::study, FEW);
}

#[test]
fn studies_with_a_log() {
    check("study_log", readers::study_log, FEW);
}

#[test]
fn results_of_stages() {
    check("results", readers::results, COPIES);
}
