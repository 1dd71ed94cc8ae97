//! Tests of the files of a figure: their names, contents and errors.

use std::fs;

use super::*;
use crate::testing::Pixels;
use crate::{Tile, curves, strip};

#[test]
fn save_writes_both_files_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("runs/ae/figures");
    let figure = curves("t", "x", "y", &[]);
    // The second call replaces the files of the first.
    figure.save_both(&folder, "F1.loss").unwrap();
    figure.save_both(&folder, "F1.loss").unwrap();
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
        let error = figure.save_both(dir.path(), stem).unwrap_err();
        assert!(matches!(error, Error::Stem { .. }), "{stem:?}: {error}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn save_names_the_file_that_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    // A folder has the name of the PNG; renaming onto it fails for any user.
    fs::create_dir_all(dir.path().join("loss.png/inside")).unwrap();
    let error = curves("t", "x", "y", &[]).save_both(dir.path(), "loss").unwrap_err();
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

#[test]
fn save_returns_the_paths_it_wrote() {
    let dir = tempfile::tempdir().unwrap();
    let paths = curves("t", "x", "y", &[]).save_both(dir.path(), "F1.loss").unwrap();
    assert_eq!(paths, ["F1.loss.svg", "F1.loss.png"].map(|name| dir.path().join(name)));
    assert!(paths.iter().all(|path| path.is_file()));
}

#[test]
fn save_follows_the_extension() {
    let dir = tempfile::tempdir().unwrap();
    let figure = curves("t", "x", "y", &[]);
    let cases: [(&str, &[&str]); 5] = [
        ("a/loss.svg", &["a/loss.svg"]),
        ("b/loss.png", &["b/loss.png"]),
        ("c/F1.loss.PNG", &["c/F1.loss.PNG"]),
        ("d/loss", &["d/loss.svg", "d/loss.png"]),
        ("e/.svg", &["e/.svg.svg", "e/.svg.png"]),
    ];
    for (path, written) in cases {
        let path = dir.path().join(path);
        let paths = figure.save(&path).unwrap();
        assert_eq!(paths, written.iter().map(|name| dir.path().join(name)).collect::<Vec<_>>());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), written.len());
        for path in paths {
            let is_png = path.extension().unwrap().eq_ignore_ascii_case("png");
            let bytes = fs::read(&path).unwrap();
            let wanted = if is_png { figure.png().unwrap() } else { figure.svg().into() };
            assert_eq!(bytes, wanted, "{}", path.display());
        }
    }
}

#[test]
fn save_refuses_other_extensions_and_paths_without_a_name() {
    let dir = tempfile::tempdir().unwrap();
    let figure = curves("t", "x", "y", &[]);
    for name in ["loss.pdf", "loss.svg.gz", "loss.", "F1.loss"] {
        let error = figure.save(dir.path().join(name)).unwrap_err();
        assert!(matches!(&error, Error::Extension { path } if path.ends_with(name)), "{error}");
        assert!(error.to_string().contains(".svg or .png"), "{error}");
    }
    for name in ["", "..", "/", "a/.."] {
        let error = figure.save(Path::new(name)).unwrap_err();
        assert!(matches!(error, Error::Stem { .. }), "{name:?}: {error}");
    }
    let error = figure.save(dir.path().join("folder/")).unwrap_err();
    assert!(matches!(error, Error::Stem { .. }), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn an_svg_may_be_larger_than_any_png() {
    let dir = tempfile::tempdir().unwrap();
    let image = crate::ImageView { shape: [1, 1, 1], pixels: &[0.5] };
    let rows = vec![vec![Tile { caption: String::new(), image }]; 2_000];
    let figure = crate::grid("t", &rows, &[]);
    assert_eq!(figure.save(dir.path().join("t.svg")).unwrap().len(), 1);
    assert!(matches!(figure.save(dir.path().join("u")), Err(Error::TooLarge { .. })));
    assert!(!dir.path().join("u.svg").exists(), "both or none");
}
