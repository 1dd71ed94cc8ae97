//! Parsing of sources, and folders of IDX files, valid and invalid.

use std::path::Path;

use super::*;
use crate::idx;

/// A folder with four tiny IDX files: 3 training and 2 test images of 1 × 2.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_images(folder.path(), "train", [3, 1, 2]);
    write_images(folder.path(), "t10k", [2, 1, 2]);
    write_labels(folder.path(), "train", &[0, 4, 1]);
    write_labels(folder.path(), "t10k", &[2, 0]);
    folder
}

fn write_images(folder: &Path, part: &str, [n, h, w]: [usize; 3]) {
    let pixels = (0..n * h * w).map(|i| i as u8).collect();
    let mut bytes = Vec::new();
    idx::write_images(&mut bytes, &crate::Images::new(1, h, w, pixels).unwrap()).unwrap();
    std::fs::write(folder.join(format!("{part}-images-idx3-ubyte")), bytes).unwrap();
}

fn write_labels(folder: &Path, part: &str, labels: &[u8]) {
    let mut bytes = Vec::new();
    idx::write_labels(&mut bytes, labels).unwrap();
    std::fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), bytes).unwrap();
}

fn load(folder: &Path) -> Result<Dataset, Error> {
    let source = Source::Idx(folder.into());
    source.load(&Locations::nowhere(), &Monitor::default())
}

fn load_as_named(folder: &Path) -> Result<Dataset, Error> {
    idx_folder::read("x".into(), "y".into(), folder, Some(&["a", "b", "c", "d"]), false)
}

#[test]
fn a_folder_of_idx_files_is_a_data_set() {
    let folder = folder();
    let set = load(folder.path()).unwrap();
    assert_eq!(set.name, format!("idx:{}", folder.path().display()));
    assert_eq!(set.classes, ["0", "1", "2", "3", "4"]);
    assert_eq!((set.train.len(), set.test.len()), (3, 2));
    assert_eq!(set.train.images.image(2), [4, 5]);
    assert_eq!(set.train.all_labels(), Some(vec![0, 4, 1]));
    assert_eq!(set.test.all_labels(), Some(vec![2, 0]));
}

#[test]
fn images_that_lie_on_their_side_are_turned() {
    let folder = folder();
    let source = Source::Idx(folder.path().into());
    let load = |pictures: &Pictures| {
        source.load_with(pictures, &Locations::nowhere(), &Monitor::default())
    };
    let turned = Pictures { transpose: true, ..Pictures::default() };
    let set = load(&turned).unwrap();
    assert_eq!((set.shape(), &set.pictures), ([1, 2, 1], &turned));
    let grey = Pictures { grey: true, ..turned };
    assert!(matches!(load(&grey), Err(Error::Fixed { .. })));
}

#[test]
fn labels_may_be_missing_where_classes_have_no_names() {
    let folder = folder();
    std::fs::remove_file(folder.path().join("train-labels-idx1-ubyte")).unwrap();
    let set = load(folder.path()).unwrap();
    assert_eq!((set.train.all_labels(), set.classes.len()), (None, 3));
    let error = load_as_named(folder.path()).unwrap_err();
    assert!(matches!(error, Error::MissingFile { part: "train", kind: "labels", .. }));
    std::fs::remove_file(folder.path().join("t10k-labels-idx1-ubyte")).unwrap();
    assert!(load(folder.path()).unwrap().classes.is_empty());
}

#[test]
fn files_that_do_not_belong_together_are_named() {
    let place = folder();
    let folder = place.path();
    let error = load_as_named(folder).unwrap_err();
    assert!(
        matches!(&error, Error::LabelOutOfRange { file, index: 1, label: 4, classes: 4 }
            if *file == folder.join("train-labels-idx1-ubyte")),
        "{error}"
    );

    write_labels(folder, "t10k", &[0; 3]);
    let error = load(folder).unwrap_err();
    assert!(
        matches!(&error, Error::CountMismatch { images: 2, labels: 3, labels_file, .. }
            if *labels_file == folder.join("t10k-labels-idx1-ubyte")),
        "{error}"
    );

    write_images(folder, "t10k", [3, 2, 1]);
    let error = load(folder).unwrap_err();
    assert!(
        matches!(error, Error::ShapeMismatch { train: [1, 1, 2], test: [1, 2, 1], .. }),
        "{error}"
    );

    std::fs::remove_file(folder.join("t10k-images-idx3-ubyte")).unwrap();
    let error = load(folder).unwrap_err();
    assert!(matches!(error, Error::MissingFile { part: "t10k", kind: "images", .. }), "{error}");
}

#[test]
fn names_are_parsed_and_printed_alike() {
    for (name, source) in [
        ("fashion-mnist", Source::FashionMnist),
        ("fashion-mnist-sample", Source::FashionMnistSample),
        ("shapes", Source::Shapes),
        ("idx:some/folder", Source::Idx("some/folder".into())),
        ("folder:some/folder", Source::Folder("some/folder".into())),
        ("npz:some/file", Source::Npz("some/file".into())),
    ] {
        assert_eq!(name.parse::<Source>().unwrap(), source);
        assert_eq!(source.to_string(), name);
        assert_eq!(Source::try_from(String::from(source)).unwrap().to_string(), name);
    }
}

#[test]
fn a_path_alone_is_understood() {
    let idx = folder();
    let pictures = tempfile::tempdir().unwrap();
    let file = pictures.path().join("one.png");
    std::fs::write(&file, b"").unwrap();
    let parse = |path: &Path| path.to_str().unwrap().parse::<Source>();
    assert_eq!(parse(idx.path()).unwrap(), Source::Idx(idx.path().into()));
    assert_eq!(parse(pictures.path()).unwrap(), Source::Folder(pictures.path().into()));
    assert_eq!(parse(Path::new("some.NPZ")).unwrap(), Source::Npz("some.NPZ".into()));
    assert!(matches!(parse(&file), Err(Error::OneFile { path }) if path == file));
    let nowhere = pictures.path().join("none");
    assert!(matches!(parse(&nowhere), Err(Error::NoSuchPath { path, .. }) if path == nowhere));
}

#[test]
fn sources_that_are_as_they_are_take_no_settings() {
    let grey = Pictures { grey: true, ..Pictures::default() };
    let error =
        Source::FashionMnistSample.load_with(&grey, &Locations::nowhere(), &Monitor::default());
    assert!(matches!(error, Err(Error::Fixed { .. })));
}

#[test]
fn unknown_names_bring_the_nearest_known_one() {
    for (name, expected) in [
        ("fasion-mnist", "fashion-mnist"),
        ("FashionMNIST", "fashion-mnist"),
        ("fashion_mnist_sample", "fashion-mnist-sample"),
        ("idx:", "idx:DIR"),
        ("npz", "npz:FILE"),
        ("", "shapes"),
    ] {
        let error = name.parse::<Source>().unwrap_err();
        assert!(
            matches!(&error, Error::UnknownSource { name: n, nearest, .. }
                if n == name && nearest == expected),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .contains("Known: fashion-mnist, fashion-mnist-sample, shapes, folder:DIR")
        );
    }
}
