//! Arrays as people save them, and invalid ones.

use std::io::{Cursor, Write};

use super::*;

fn npy(kind: &str, shape: &[usize], bytes: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape:?}, }}\n");
    let text = text.replace('[', "(").replace(']', ",)");
    let length = (text.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], text.as_bytes(), bytes].concat()
}

/// An `.npz` file of arrays: name, type, shape, bytes.
fn file(arrays: &[(&str, &str, &[usize], Vec<u8>)]) -> Cursor<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(vec![]));
    for (name, kind, shape, bytes) in arrays {
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(format!("{name}.npy"), options).unwrap();
        zip.write_all(&npy(kind, shape, bytes)).unwrap();
    }
    zip.finish().unwrap()
}

fn f64s(numbers: &[f64]) -> Vec<u8> {
    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn read(file: impl Read + Seek, settings: &Pictures) -> Result<Dataset, String> {
    super::read(file, settings, &Monitor::default()).map_err(|failure| match failure {
        Failure::Content(reason) => reason,
        Failure::Interrupted(interrupted) => panic!("{interrupted}"),
    })
}

fn notes(set: &Dataset) -> String {
    set.notes.iter().map(Note::to_string).collect::<Vec<_>>().join("\n")
}

fn read_all(arrays: &[(&str, &str, &[usize], Vec<u8>)]) -> Dataset {
    let settings = Pictures { test_fraction: 0.0, ..Pictures::default() };
    read(file(arrays), &settings).unwrap()
}

#[test]
fn digits_from_zero_to_sixteen() {
    let flat = f64s(&[0.0, 16.0, 8.0, 1.0, 0.0, 0.0, 0.0, 3.0]);
    let set = read_all(&[
        ("data", "<f8", &[2, 4], flat.clone()),
        ("images", "<f8", &[2, 2, 2], flat.clone()),
        ("target", "<i8", &[2], [3i64, 1].iter().flat_map(|x| x.to_le_bytes()).collect()),
    ]);
    assert_eq!(set.train.images.shape(), [1, 2, 2]);
    assert_eq!(set.train.images.pixels(), [0, 255, 128, 16, 0, 0, 0, 48]);
    assert_eq!(set.train.labels, Some(vec![3, 1]));
    assert_eq!(set.classes, ["0", "1", "2", "3"]);
    let notes = notes(&set);
    assert!(notes.contains("`images` [2, 2, 2] of <f8; 0 is black and 16 white"), "{notes}");
    assert!(notes.contains("4 classes from array `target`"), "{notes}");
    let flat = read_all(&[("data", "<f8", &[2, 4], flat)]);
    assert_eq!(flat.train.images, set.train.images);
    assert_eq!((flat.train.labels, flat.classes.len()), (None, 0));
}

#[test]
fn axes_are_made_out() {
    let bytes: Vec<u8> = (0..24).map(|i| i * 10).collect();
    let first = read_all(&[("x", "|u1", &[2, 3, 2, 2], bytes.clone())]);
    assert_eq!(first.train.images.image(1), &bytes[12..]);
    let last = read_all(&[("x", "|u1", &[2, 2, 2, 3], bytes.clone())]);
    let image: Vec<u8> = [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11].map(|i| i * 10).into();
    assert_eq!((last.train.images.shape(), last.train.images.image(0)), ([3, 2, 2], &image[..]));
    let flat = read_all(&[("x", "|u1", &[2, 12], bytes.clone())]);
    assert_eq!(flat.train.images, first.train.images);
    let grey = read_all(&[("x", "|u1", &[6, 2, 2, 1], bytes.clone())]);
    assert_eq!(grey.train.images.shape(), [1, 2, 2]);
    assert_eq!(grey.train.images.pixels(), bytes);
    let alpha = read_all(&[("x", "|u1", &[1, 1, 2, 4], vec![200, 0, 0, 255, 9, 9, 9, 0])]);
    assert_eq!(alpha.train.images.pixels(), [200, 255, 0, 255, 0, 255]);
    // Three equal channels are grey.
    let same = read_all(&[("x", "|u1", &[1, 1, 2, 3], vec![70, 70, 70, 9, 9, 9])]);
    assert_eq!((same.train.images.shape(), same.train.images.pixels()), ([1, 1, 2], &[70, 9][..]));
}

#[test]
fn black_and_white_are_made_out() {
    let of = |numbers: &[f64]| {
        let set = read_all(&[("x", "<f8", &[1, 1, numbers.len()], f64s(numbers))]);
        (set.train.images.pixels().to_vec(), set.range)
    };
    assert_eq!(of(&[0.0, 0.5, 1.0]), (vec![0, 128, 255], [0.0, 1.0]));
    assert_eq!(of(&[-1.0, 0.0, 1.0]), (vec![0, 128, 255], [-1.0, 1.0]));
    assert_eq!(of(&[0.0, 15.5, 255.0]), (vec![0, 16, 255], [0.0, 255.0]));
    assert_eq!(of(&[0.0, 257.0, 65535.0]), (vec![0, 1, 255], [0.0, 65535.0]));
    let ints = [0u16, 256, 65535].iter().flat_map(|x| x.to_be_bytes()).collect();
    let set = read_all(&[("x", ">u2", &[1, 1, 3], ints)]);
    assert_eq!(set.train.images.pixels(), [0, 1, 255]);
    let masks = read_all(&[("x", "|b1", &[1, 1, 3], vec![0, 1, 1])]);
    assert_eq!(masks.train.images.pixels(), [0, 255, 255]);
}

#[test]
fn parts_and_names_are_kept() {
    let utf32 = |texts: &[&str]| -> Vec<u8> {
        let padded = |t: &&str| {
            let mut points: Vec<u32> = t.chars().map(u32::from).collect();
            points.resize(3, 0);
            points
        };
        texts.iter().flat_map(padded).flat_map(u32::to_le_bytes).collect()
    };
    let set = read_all(&[
        ("x_train", "|u1", &[3, 1, 1], vec![10, 20, 30]),
        ("y_train", "<U3", &[3], utf32(&["cat", "ä", "cat"])),
        ("x_test", "|u1", &[1, 1, 1], vec![40]),
        ("y_test", "<U3", &[1, 1], utf32(&["dog"])),
    ]);
    assert_eq!(set.classes, ["cat", "dog", "ä"]);
    assert_eq!((set.train.labels, set.test.labels), (Some(vec![0, 2, 0]), Some(vec![1])));
    assert_eq!(set.test.images.pixels(), [40]);
    let set = read_all(&[
        ("image", "|u1", &[2, 1, 1], vec![10, 200]),
        ("label", "|u1", &[2], vec![1, 0]),
        ("class_names", "|S3", &[2], b"no\0yes".to_vec()),
    ]);
    assert_eq!(
        (set.classes, set.train.labels),
        (vec!["no".into(), "yes".into()], Some(vec![1, 0]))
    );
    let far = [-5i64, 1000].iter().flat_map(|x| x.to_le_bytes()).collect();
    let set = read_all(&[("x", "|u1", &[2, 1, 1], vec![0, 9]), ("y", "<i8", &[2], far)]);
    assert_eq!(
        (set.classes, set.train.labels),
        (vec!["-5".into(), "1000".into()], Some(vec![0, 1]))
    );
}

#[test]
fn sizes_and_parts_are_made() {
    let settings = Pictures { size: Some([2, 2]), test_fraction: 0.5, ..Pictures::default() };
    let images = [("x", "|u1", &[4usize, 4, 4][..], vec![100; 64])];
    let set = read(file(&images), &settings).unwrap();
    assert_eq!((set.train.len(), set.test.len()), (2, 2));
    assert_eq!(set.train.images.shape(), [1, 2, 2]);
    assert!(set.train.images.pixels().iter().all(|&p| p == 100));
    assert_eq!(set.pictures, Pictures { grey: true, ..settings });
    assert_eq!(set.notes[2], Note::HeldOut { held_out: 2, of: 4, stratified: false });
}

#[test]
fn reading_can_be_cancelled() {
    let monitor = Monitor::default();
    monitor.cancel().cancel();
    let images = file(&[("x", "|u1", &[2, 2, 2], vec![0; 8])]);
    let failure = super::read(images, &Pictures::default(), &monitor).unwrap_err();
    assert!(matches!(failure, Failure::Interrupted(_)));
}

#[test]
fn what_is_no_data_set_has_a_reason() {
    type Arrays<'a> = &'a [(&'a str, &'a str, &'a [usize], Vec<u8>)];
    let cases: &[(Arrays<'_>, &str)] = &[
        (&[], "it has no array of images"),
        (&[("z", "<f8", &[2, 1], f64s(&[0.0; 2]))], "its arrays are: `z` [2, 1] of <f8"),
        (&[("x", "|u1", &[1, 7], vec![0; 7])], "its rows are not square"),
        (&[("x", "|u1", &[1, 5, 7, 2], vec![0; 70])], "has 1, 3 or 4 channels"),
        (&[("x", "|u1", &[0, 5, 7], vec![])], "it is empty"),
        (&[("x", "<f8", &[1, 1, 2], f64s(&[0.0, f64::NAN]))], "value 1 is NaN"),
        (&[("x", "<f8", &[1, 1, 2], f64s(&[-7.5, 3.0]))], "values from -7.5 to 3"),
        (&[("x", "|u1", &[2, 2, 2], vec![0; 7])], "fewer"),
        (&[("x", "<f2", &[1, 1, 2], vec![0; 4])], "of type <f2, which is not supported"),
        (
            &[("x", "|u1", &[2, 1, 1], vec![0; 2]), ("y", "|u1", &[3], vec![0; 3])],
            "has 3 labels for 2 images",
        ),
        (
            &[("x", "|u1", &[1, 1, 1], vec![0; 1]), ("y", "<f8", &[1], f64s(&[0.5]))],
            "0.5 is not a class",
        ),
        (
            &[
                ("x_train", "|u1", &[1, 2, 1], vec![0; 2]),
                ("x_test", "|u1", &[1, 1, 2], vec![0; 2]),
            ],
            "have images of different sizes",
        ),
    ];
    for (arrays, expected) in cases {
        let said = read(file(arrays), &Pictures::default()).unwrap_err();
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert!(
        read(Cursor::new(b"no zip"), &Pictures::default()).unwrap_err().contains("not an intact")
    );
}
