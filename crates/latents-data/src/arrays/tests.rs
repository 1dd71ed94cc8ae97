//! Arrays as people save them, and invalid ones.

#![allow(clippy::float_cmp)] // Ranges are exact.

use std::io::{Cursor, Write};

use super::*;
use crate::images::Pixels;

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
    let reader = Reader::new(file)?;
    let files = vec![("digits".to_owned(), reader)];
    super::read(files, settings, &Monitor::default()).map_err(|failure| match failure {
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
    let sixteenths = [0, 65_535, 32_768, 4096, 0, 0, 0, 12_288];
    assert_eq!(set.train.images.pixels(), Pixels::Words(&sixteenths));
    assert_eq!(set.train.all_labels(), Some(vec![3, 1]));
    assert_eq!(set.classes, ["0", "1", "2", "3"]);
    let notes = notes(&set);
    assert!(notes.contains("`images` [2, 2, 2] of <f8; 0 is black and 16 white"), "{notes}");
    assert!(notes.contains("4 classes from array `target`"), "{notes}");
    let flat = read_all(&[("data", "<f8", &[2, 4], flat)]);
    assert_eq!(flat.train.images, set.train.images);
    assert_eq!((flat.train.all_labels(), flat.classes.len()), (None, 0));
}

#[test]
fn axes_are_made_out() {
    let bytes: Vec<u8> = (0..24).map(|i| i * 10).collect();
    let first = read_all(&[("x", "|u1", &[2, 3, 2, 2], bytes.clone())]);
    assert_eq!(first.train.images.image(1), &bytes[12..]);
    let last = read_all(&[("x", "|u1", &[2, 2, 2, 3], bytes.clone())]);
    let image: Vec<u8> = [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11].map(|i| i * 10).into();
    assert_eq!(
        (last.train.images.shape(), last.train.images.image(0)),
        ([3, 2, 2], Pixels::Bytes(&image))
    );
    let flat = read_all(&[("x", "|u1", &[2, 12], bytes.clone())]);
    assert_eq!(flat.train.images, first.train.images);
    let grey = read_all(&[("x", "|u1", &[6, 2, 2, 1], bytes.clone())]);
    assert_eq!(grey.train.images.shape(), [1, 2, 2]);
    assert_eq!(grey.train.images.pixels(), bytes);
    let alpha = read_all(&[("x", "|u1", &[1, 1, 2, 4], vec![200, 0, 0, 255, 9, 9, 9, 0])]);
    assert_eq!(alpha.train.images.pixels(), [200, 255, 0, 255, 0, 255]);
    // Three equal channels are grey.
    let same = read_all(&[("x", "|u1", &[1, 1, 2, 3], vec![70, 70, 70, 9, 9, 9])]);
    assert_eq!(
        (same.train.images.shape(), same.train.images.pixels()),
        ([1, 1, 2], Pixels::Bytes(&[70, 9]))
    );
}

#[test]
fn black_and_white_are_made_out() {
    let kept = |numbers: &[f64]| {
        read_all(&[("x", "<f8", &[1, 1, numbers.len()], f64s(numbers))]).train.images
    };
    let of = |numbers: &[f64]| {
        let set = read_all(&[("x", "<f8", &[1, 1, numbers.len()], f64s(numbers))]);
        (set.train.images.pixels().to_bytes().into_owned(), set.range)
    };
    assert_eq!(of(&[0.0, 0.2, 1.0]), (vec![0, 51, 255], [0.0, 1.0]));
    // What 8 bits do not hold exactly keeps 16.
    assert_eq!(kept(&[0.0, 0.5, 1.0]).pixels(), Pixels::Words(&[0, 32_768, 65_535]));
    assert_eq!(kept(&[0.0, 0.2, 1.0]).pixels(), Pixels::Bytes(&[0, 51, 255]));
    assert_eq!(of(&[-1.0, 0.0, 1.0]), (vec![0, 128, 255], [-1.0, 1.0]));
    assert_eq!(of(&[0.0, 15.5, 255.0]), (vec![0, 16, 255], [0.0, 255.0]));
    assert_eq!(of(&[0.0, 257.0, 65535.0]), (vec![0, 1, 255], [0.0, 65535.0]));
    let ints = [0u16, 256, 65535].iter().flat_map(|x| x.to_be_bytes()).collect();
    let set = read_all(&[("x", ">u2", &[1, 1, 3], ints)]);
    assert_eq!(set.train.images.pixels(), Pixels::Words(&[0, 256, 65_535]));
    let ints = [0u16, 1000, 4000].iter().flat_map(|x| x.to_le_bytes()).collect();
    let set = read_all(&[("x", "<u2", &[1, 1, 3], ints)]);
    assert_eq!(set.range, [0.0, 4095.0]);
    // Bytes are bytes, however dark.
    let set = read_all(&[("x", "|u1", &[1, 1, 3], vec![0, 9, 14])]);
    assert_eq!((set.range, set.train.images.pixels()), ([0.0, 255.0], Pixels::Bytes(&[0, 9, 14])));
    assert!(notes(&set).contains("between 0 % and 5 %"), "{}", notes(&set));
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
    assert_eq!(
        (set.train.all_labels(), set.test.all_labels()),
        (Some(vec![0, 2, 0]), Some(vec![1]))
    );
    assert_eq!(set.test.images.pixels(), [40]);
    let set = read_all(&[
        ("image", "|u1", &[2, 1, 1], vec![10, 200]),
        ("label", "|u1", &[2], vec![1, 0]),
        ("class_names", "|S3", &[2], b"no\0yes".to_vec()),
    ]);
    assert_eq!(
        (set.classes, set.train.all_labels()),
        (vec!["no".into(), "yes".into()], Some(vec![1, 0]))
    );
    let far = [-5i64, 1000].iter().flat_map(|x| x.to_le_bytes()).collect();
    let set = read_all(&[("x", "|u1", &[2, 1, 1], vec![0, 9]), ("y", "<i8", &[2], far)]);
    assert_eq!(
        (set.classes, set.train.all_labels()),
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
    assert!(set.train.images.pixels().to_bytes().iter().all(|&p| p == 100));
    let range = "0..255".parse().unwrap();
    assert_eq!(set.pictures, Pictures { grey: true, range, ..settings });
    assert!(set.notes.contains(&Note::HeldOut { held_out: 2, of: 4, stratified: false }));
}

#[test]
fn reading_can_be_cancelled() {
    let monitor = Monitor::default();
    monitor.cancel().cancel();
    let images = file(&[("x", "|u1", &[2, 2, 2], vec![0; 8])]);
    let files = vec![(String::new(), Reader::new(images).unwrap())];
    let failure = super::read(files, &Pictures::default(), &monitor).unwrap_err();
    assert!(matches!(failure, Failure::Interrupted(_)));
}

#[test]
fn what_is_no_data_set_has_a_reason() {
    type Arrays<'a> = &'a [(&'a str, &'a str, &'a [usize], Vec<u8>)];
    let cases: &[(Arrays<'_>, &str)] = &[
        (&[], "it has no array of images"),
        (&[("z", "<f8", &[2, 1], f64s(&[0.0; 2]))], "its arrays are: `z` [2, 1] of <f8"),
        (&[("x", "|u1", &[1, 7], vec![0; 7])], "its rows are not square"),
        (&[("x", "|u1", &[1, 5, 7, 2], vec![0; 70])], "its second and its last axis could be"),
        (&[("x", "|u1", &[1, 17, 1, 18], vec![0; 306])], "has 1 to 16 channels"),
        (&[("x", "|u1", &[0, 5, 7], vec![])], "it is empty"),
        (&[("x", "<f8", &[1, 1, 2], f64s(&[0.0, f64::NAN]))], "value 1 is NaN"),
        (&[("x", "<f8", &[1, 1, 2], f64s(&[-7.5, 3.0]))], "values from -7.5 to 3"),
        (&[("x", "|u1", &[2, 2, 2], vec![0; 7])], "fewer"),
        (&[("x", "<c8", &[1, 1, 2], vec![0; 16])], "complex"),
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

#[test]
fn up_to_sixteen_channels_are_kept() {
    let numbers: Vec<u8> = (0..2 * 5 * 30 * 20).map(|i| (i % 251) as u8).collect();
    let first = read_all(&[("x", "|u1", &[2, 5, 30, 20], numbers.clone())]);
    assert_eq!(
        (first.shape(), first.train.images.pixels()),
        ([5, 30, 20], Pixels::Bytes(&numbers))
    );
    let last = read_all(&[("x", "|u1", &[2, 30, 20, 5], numbers)]);
    assert_eq!(last.shape(), [5, 30, 20]);
    assert_eq!(last.train.images.image(0).to_bytes()[..3], [0, 5, 10]);
}

#[test]
fn a_validation_part_is_kept() {
    let part = |n: u8| (0..n).map(|i| 10 * i).collect::<Vec<u8>>();
    let set = read_all(&[
        ("train_images", "|u1", &[6, 1, 1], part(6)),
        ("val_images", "|u1", &[2, 1, 1], part(2)),
        ("test_images", "|u1", &[3, 1, 1], part(3)),
        ("train_labels", "|u1", &[6, 1], vec![0, 1, 2, 0, 1, 2]),
        ("val_labels", "|u1", &[2, 1], vec![1, 2]),
        ("test_labels", "|u1", &[3, 1], vec![0, 1, 2]),
    ]);
    assert_eq!([set.train.len(), set.validation.len(), set.test.len()], [6, 2, 3]);
    assert_eq!(set.validation.all_labels(), Some(vec![1, 2]));
    // The test part of a competition has no labels.
    let set = read_all(&[
        ("x_train", "|u1", &[6, 1, 1], part(6)),
        ("x_test", "|u1", &[3, 1, 1], part(3)),
        ("y_train", "|u1", &[6], vec![0, 1, 0, 1, 0, 1]),
    ]);
    assert_eq!([set.train.len(), set.test.len(), set.unlabelled.len()], [6, 0, 3]);
}

#[test]
fn labels_are_read_as_people_write_them() {
    let x = || ("x", "|u1", &[3usize, 1, 1][..], vec![0, 90, 200]);
    let one_hot = f64s(&[0.0, 1.0, 1.0, 0.0, 0.0, 1.0]);
    let set = read_all(&[x(), ("y", "<f8", &[3, 2], one_hot)]);
    assert_eq!((set.train.all_labels(), set.columns.len()), (Some(vec![1, 0, 1]), 1));
    let some = [0i64, -1, 1].iter().flat_map(|x| x.to_le_bytes()).collect();
    let set = read_all(&[x(), ("y", "<i8", &[3], some)]);
    assert_eq!(set.train.labels, Some(vec![Some(0), None, Some(1)]));

    let several = [x(), ("labels", "|u1", &[3, 2], vec![1, 7, 1, 8, 0, 7])];
    let set = read_all(&several);
    assert_eq!((set.train.labels.as_ref(), set.classes.len()), (None, 0));
    let column = |name: &str, classes| LabelColumn { name: name.into(), classes, labelled: 3 };
    assert_eq!(set.columns, [column("0", 2), column("1", 2)]);
    let labels = |i: usize| (&*set.train.columns[i].name, &set.train.columns[i].labels[..]);
    assert_eq!(labels(0), ("0", &[Some(1), Some(1), Some(0)][..]));
    assert_eq!(labels(1), ("1", &[Some(7), Some(8), Some(7)][..]));
    assert!(notes(&set).contains("has 2 of each image; choose one"), "{}", notes(&set));
    let choose = |label: &str| {
        let label = Some(label.to_owned());
        let settings = Pictures { label, test_fraction: 0.0, ..Pictures::default() };
        read(file(&several), &settings)
    };
    assert_eq!(choose("1").unwrap().train.all_labels(), Some(vec![7, 8, 7]));
    assert!(choose("2").unwrap_err().contains("no label `2`; it has: 0, 1"));
}

#[test]
fn python_objects_stop_nothing_else() {
    let set = read_all(&[
        ("images", "|u1", &[2, 1, 1], vec![0, 200]),
        ("labels", "|O", &[2], vec![0x80, 4, 0, 0]),
    ]);
    assert_eq!((set.train.len(), set.classes.len()), (2, 0));
    assert!(notes(&set).contains("`labels` cannot be read"), "{}", notes(&set));
    assert!(notes(&set).contains("astype(str)"), "{}", notes(&set));
}

#[test]
fn rows_may_have_any_shape() {
    let rows = [("x", "|u1", &[2usize, 6][..], (0..12).map(|i| 20 * i).collect::<Vec<u8>>())];
    assert!(read(file(&rows), &Pictures::default()).unwrap_err().contains("name their shape"));
    let with = |shape: &[usize], transpose| {
        let shape = Some(shape.to_vec());
        let settings = Pictures { shape, transpose, test_fraction: 0.0, ..Pictures::default() };
        read(file(&rows), &settings).map(|set| set.train.images)
    };
    assert_eq!(with(&[2, 3], false).unwrap().shape(), [1, 2, 3]);
    let turned = with(&[3, 2], true).unwrap();
    assert_eq!(
        (turned.shape(), turned.image(0).to_bytes()[..2].to_vec()),
        ([1, 2, 3], vec![0, 40])
    );
    assert!(with(&[2, 2], false).unwrap_err().contains("6 numbers are not [2, 2]"));
}

#[test]
fn ranges_are_applied_and_clipping_is_counted() {
    let with = |range: &str, numbers: &[f64]| {
        let range = range.parse().unwrap();
        let settings = Pictures { range, test_fraction: 0.0, ..Pictures::default() };
        read(file(&[("x", "<f8", &[1, 1, numbers.len()], f64s(numbers))]), &settings).unwrap()
    };
    let set = with("-10..10", &[-10.0, 0.0, 10.0, 20.0]);
    assert_eq!(set.train.images.pixels(), Pixels::Words(&[0, 32_768, 65_535, 65_535]));
    assert!(notes(&set).contains("1 of 4 values (25.00 %) outside"), "{}", notes(&set));
    assert_eq!((set.range, set.pictures.range.to_string()), ([-10.0, 10.0], "-10..10".into()));
    let set = with("p0..p50", &[5.0, 6.0, 7.0, 8.0, 9.0]);
    assert!((set.range[0] - 5.0).abs() < 1e-9 && (set.range[1] - 7.0).abs() < 1e-3);
    // A model of bytes is given images from 0 to 1, and the other way round.
    assert_eq!(with("0..255", &[0.0, 0.2, 1.0]).train.images.pixels(), [0, 51, 255]);
}

#[test]
fn files_of_a_folder_belong_together() {
    let folder = tempfile::tempdir().unwrap();
    let save = |name: &str, array: &(&str, &str, &[usize], Vec<u8>)| {
        let bytes = file(std::slice::from_ref(array)).into_inner();
        std::fs::write(folder.path().join(name), bytes).unwrap();
    };
    save("kmnist-train-imgs.npz", &("arr_0", "|u1", &[4, 1, 2], vec![9; 8]));
    save("kmnist-train-labels.npz", &("arr_0", "|u1", &[4], vec![0, 1, 0, 1]));
    save("kmnist-test-imgs.npz", &("arr_0", "|u1", &[2, 1, 2], vec![3; 4]));
    save("kmnist-test-labels.npz", &("arr_0", "|u1", &[2], vec![1, 0]));
    let load = |path: &Path| load("x".into(), path, &Pictures::default(), &Monitor::default());
    let set = load(folder.path()).unwrap();
    assert_eq!([set.train.len(), set.test.len(), set.classes.len()], [4, 2, 2]);
    assert_eq!(set.test.all_labels(), Some(vec![1, 0]));
    let alone = folder.path().join("drawings.npy");
    std::fs::write(&alone, npy("|u1", &[5, 9], &[7; 45])).unwrap();
    let set = load(&alone).unwrap();
    assert_eq!((set.train.len() + set.test.len(), set.shape()), (5, [1, 3, 3]));
}

#[test]
fn more_labels_than_classes_are_no_classes_and_no_number_of_them() {
    let n = (1usize << 16) + 1;
    let labels: Vec<u8> = (0..n as i64).flat_map(|i| (3 * i).to_le_bytes()).collect();
    let set =
        read_all(&[("images", "|u1", &[n, 1, 1], vec![7; n]), ("labels", "<i8", &[n], labels)]);
    let said = notes(&set);
    assert!(set.classes.is_empty() && said.contains("65537"), "{said}");
    assert!(!said.contains("classes from array"), "{said}");
}
