//! Tests of a figure's files: whole, named as asked, and refused with a reason.

use std::fs;

use super::*;
use crate::testing::Pixels;
use crate::{Tile, curves, strip};

#[test]
fn save_writes_both_files_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("runs/ae/figures");
    let figure = curves("t", "x", "y", &[]);
    // A second time over the first: the files are replaced.
    figure.save(&folder, "F1.loss").unwrap();
    figure.save(&folder, "F1.loss").unwrap();
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["F1.loss.png", "F1.loss.svg"]);
    assert_eq!(fs::read_to_string(folder.join("F1.loss.svg")).unwrap(), figure.svg());
    let png = fs::read(folder.join("F1.loss.png")).unwrap();
    assert_eq!(Pixels::decode(&png).width, 1440);
}

#[test]
fn save_refuses_names_that_are_paths() {
    let dir = tempfile::tempdir().unwrap();
    let figure = curves("t", "x", "y", &[]);
    for stem in ["", ".", "..", "a/b", "../a", "/a", "a/", "a\\b", "a\0"] {
        let error = figure.save(dir.path(), stem).unwrap_err();
        assert!(matches!(error, Error::Stem { .. }), "{stem:?}: {error}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn save_names_the_file_that_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    // A folder stands where the PNG should go; renaming onto it fails for any user.
    fs::create_dir_all(dir.path().join("loss.png/inside")).unwrap();
    let error = curves("t", "x", "y", &[]).save(dir.path(), "loss").unwrap_err();
    assert!(error.to_string().contains("loss.png"), "{error}");
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".tmp")), "{left:?}");
}

#[test]
fn a_png_beyond_memory_is_refused() {
    let image = crate::ImageView { shape: [1, 1, 1], pixels: &[0.5] };
    let tiles = vec![Tile { caption: String::new(), image }; 2_000];
    let rows: Vec<Vec<Tile<'_>>> = tiles.chunks(1).map(<[_]>::to_vec).collect();
    let figure = crate::grid("t", &rows, &[]);
    assert!(
        matches!(figure.png().unwrap_err(), Error::TooLarge { height, .. } if height > 400_000)
    );
    assert!(strip("t", &tiles[..20]).png().is_ok());
}
