//! Valid IDX files, and files from an attacker or a broken disk.

use std::cell::Cell;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn header(magic: u32, dims: &[u32]) -> Vec<u8> {
    std::iter::once(&magic).chain(dims).flat_map(|word| word.to_be_bytes()).collect()
}

fn images_file(dims: [u32; 3], data: &[u8]) -> Vec<u8> {
    [header(0x803, &dims), data.to_vec()].concat()
}

/// The problem with `bytes` read as images, which must be the same plain and gzipped.
fn problem(bytes: &[u8]) -> String {
    let of = |bytes: &[u8]| match parse_images(bytes, Path::new("some/file")) {
        Err(Error::Idx { file, problem }) => {
            assert_eq!(file, Path::new("some/file"));
            format!("{problem:?}")
        }
        other => panic!("expected a problem with the content: {other:?}"),
    };
    let plain = of(bytes);
    assert_eq!(plain, of(&gzip(bytes)));
    plain
}

#[test]
fn reads_what_the_format_says() {
    let bytes = images_file([2, 2, 3], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    let images = parse_images(&bytes[..], Path::new("x")).unwrap();
    assert_eq!((images.len(), images.shape()), (2, [1, 2, 3]));
    assert_eq!(images.image(1), [7, 8, 9, 10, 11, 12]);
    let labels = parse_labels(&[0, 0, 8, 1, 0, 0, 0, 3, 9, 0, 200][..], Path::new("x")).unwrap();
    assert_eq!(labels, [9, 0, 200]);
}

#[test]
fn hostile_content_is_named() {
    let cases: [(Vec<u8>, &str); 10] = [
        (vec![], "ShortHeader { found: 0, header: 16 }"),
        (images_file([1, 1, 1], &[])[..15].to_vec(), "ShortHeader { found: 15, header: 16 }"),
        (
            b"<!DOCTYPE html>".to_vec(),
            "Magic { wanted: \"images\", found: 1008813135, expected: 2051 }",
        ),
        (header(0x801, &[3, 0, 0]), "Magic { wanted: \"images\", found: 2049, expected: 2051 }"),
        (images_file([2, 2, 2], &[0; 7]), "Truncated { promised: 8, found: 7 }"),
        (images_file([2, 2, 2], &[0; 9]), "TrailingBytes { promised: 8 }"),
        (images_file([1 << 20, 32, 32], &[0; 10]), "Truncated { promised: 1073741824, found: 10 }"),
        (
            images_file([u32::MAX, u32::MAX, u32::MAX], &[0; 10]), // overflows 64 bits
            "TooLarge { dims: [4294967295, 4294967295, 4294967295], limit: 2147483648 }",
        ),
        (
            images_file([1, 1 << 16, (1 << 15) + 1], &[0; 10]),
            "TooLarge { dims: [1, 65536, 32769], limit: 2147483648 }",
        ),
        (images_file([u32::MAX, 0, 28], &[]), "Nothing { dims: [4294967295, 0, 28] }"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(problem(&bytes), expected);
    }
}

#[test]
fn broken_gzip_is_named() {
    let whole = gzip(&images_file([4, 8, 8], &(0..=255).collect::<Vec<u8>>()));
    assert_eq!(parse_images(&whole[..], Path::new("x")).unwrap().len(), 4);
    let flipped_sum = {
        let mut bytes = whole.clone();
        let crc = bytes.len() - 8;
        bytes[crc] ^= 1;
        bytes
    };
    let garbage_after = [whole.clone(), b"more".to_vec()].concat();
    let cut: Vec<Vec<u8>> = (2..whole.len()).map(|end| whole[..end].to_vec()).collect();
    for bytes in cut.into_iter().chain([flipped_sum, garbage_after]) {
        let error = parse_images(&bytes[..], Path::new("x")).unwrap_err();
        assert!(
            matches!(error, Error::Idx { problem: IdxProblem::Gzip(_), .. }),
            "{} bytes: {error:?}",
            bytes.len()
        );
    }
}

/// Counts the bytes taken from a slice.
struct Counting<'a> {
    left: &'a [u8],
    taken: &'a Cell<usize>,
}

impl Read for Counting<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.left.read(out)?;
        self.taken.set(self.taken.get() + n);
        Ok(n)
    }
}

#[test]
fn a_gzip_bomb_is_left_alone_after_what_its_header_promises() {
    let bomb = gzip(&images_file([1, 2, 2], &vec![0; 64 << 20]));
    let taken = Cell::new(0);
    let reader = Counting { left: &bomb, taken: &taken };
    let error = parse_images(BufReader::with_capacity(512, reader), Path::new("x")).unwrap_err();
    assert!(
        matches!(error, Error::Idx { problem: IdxProblem::TrailingBytes { promised: 4 }, .. }),
        "{error:?}"
    );
    assert!(taken.get() < bomb.len() / 10, "read {} of {}", taken.get(), bomb.len());
}

#[test]
fn a_folder_is_an_error_of_the_system() {
    let folder = tempfile::tempdir().unwrap();
    for file in [folder.path().to_path_buf(), folder.path().join("absent")] {
        let error = read_labels(&file).unwrap_err();
        assert!(matches!(&error, Error::Io { path, .. } if *path == file), "{error:?}");
    }
}

#[test]
fn labels_may_be_the_first_of_several_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("labels");
    let rows = |rows: &[[i32; 3]]| {
        let header = [0x0c02u32, rows.len() as u32, 3].map(u32::to_be_bytes);
        let numbers = rows.as_flattened().iter().flat_map(|x| x.to_be_bytes());
        header.as_flattened().iter().copied().chain(numbers).collect::<Vec<u8>>()
    };
    std::fs::write(&file, rows(&[[7, 1, -5], [0, 2, 9]])).unwrap();
    assert_eq!(read_labels(&file).unwrap(), [7, 0]);
    std::fs::write(&file, rows(&[[300, 1, 2]])).unwrap();
    let said = read_labels(&file).unwrap_err().to_string();
    assert!(said.contains("has the label 300"), "{said}");
    std::fs::write(&file, &rows(&[[7, 1, 2]])[..20]).unwrap();
    let error = read_labels(&file).unwrap_err();
    assert!(matches!(
        error,
        Error::Idx { problem: IdxProblem::Truncated { promised: 12, .. }, .. }
    ));
}

#[test]
fn images_of_several_channels_are_not_written() {
    let images = Images::new(3, 1, 1, vec![0; 6]).unwrap();
    let mut out = Vec::new();
    assert_eq!(write_images(&mut out, &images).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert!(out.is_empty());
}

proptest! {
    #[test]
    fn images_round_trip(
        (n, h, w, pixels) in (1usize..5, 1usize..9, 1usize..9).prop_flat_map(|(n, h, w)| {
            (Just(n), Just(h), Just(w), prop::collection::vec(any::<u8>(), n * h * w))
        }),
    ) {
        let images = Images::new(1, h, w, pixels).unwrap();
        let mut bytes = Vec::new();
        write_images(&mut bytes, &images).unwrap();
        prop_assert_eq!(bytes.len(), 16 + n * h * w);
        prop_assert_eq!(&parse_images(&bytes[..], Path::new("x")).unwrap(), &images);
        prop_assert_eq!(&parse_images(&gzip(&bytes)[..], Path::new("x")).unwrap(), &images);
    }

    #[test]
    fn labels_round_trip(labels in prop::collection::vec(any::<u8>(), 1..200)) {
        let mut bytes = Vec::new();
        write_labels(&mut bytes, &labels).unwrap();
        prop_assert_eq!(&parse_labels(&bytes[..], Path::new("x")).unwrap(), &labels);
        prop_assert_eq!(&parse_labels(&gzip(&bytes)[..], Path::new("x")).unwrap(), &labels);
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        mut bytes in prop::collection::vec(any::<u8>(), 0..200),
        start in 0usize..4,
        small in any::<bool>(),
    ) {
        // Random bytes alone never pass the check of the magic number, so some get a valid start.
        let prefix: &[u8] = [&[][..], &[0, 0, 8, 3], &[0, 0, 8, 1], &[0x1f, 0x8b, 8, 0]][start];
        for (to, from) in bytes.iter_mut().zip(prefix) {
            *to = *from;
        }
        if small {
            for (i, byte) in bytes.iter_mut().enumerate().skip(4).take(12) {
                *byte = if i % 4 == 3 { *byte % 4 } else { 0 };
            }
        }
        for bytes in [bytes.clone(), gzip(&bytes)] {
            if let Ok(images) = parse_images(&bytes[..], Path::new("x")) {
                prop_assert!(!images.is_empty());
            }
            if let Ok(labels) = parse_labels(&bytes[..], Path::new("x")) {
                prop_assert!(!labels.is_empty());
            }
        }
    }

    #[test]
    fn a_flipped_bit_is_noticed_or_harmless(place in 0usize..1000, bit in 0u32..8) {
        let pixels: Vec<u8> = (0..48u8).collect();
        let mut bytes = gzip(&images_file([3, 4, 4], &pixels));
        let at = place % bytes.len();
        bytes[at] ^= 1 << bit;
        // A flipped bit in the time stamp or flags of gzip may be harmless, but the pixels must not change.
        if let Ok(images) = parse_images(&bytes[..], Path::new("x")) {
            prop_assert_eq!(images.pixels(), &pixels[..]);
        }
    }
}
