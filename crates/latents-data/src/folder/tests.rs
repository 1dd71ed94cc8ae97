//! Folders of pictures as users have them, and invalid ones.

mod cached;
mod deep;
mod labels;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use image::{Rgb, RgbImage};
use latents_progress::{Cancel, Progress, Reporter, count};

use super::*;
use crate::columns::ColumnLabels;
use crate::pictures::Fit;

/// Reads the pictures of a folder.
fn read(
    folder: &Path,
    settings: &Pictures,
    locations: &Locations,
    monitor: &Monitor,
) -> Result<Dataset, Error> {
    load("x".into(), folder, &list(folder, settings)?, settings, locations, monitor)
}

/// A folder of pictures, a cache, and the settings.
struct Case {
    place: tempfile::TempDir,
    locations: Locations,
    settings: Pictures,
}

impl Case {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("in")).unwrap();
        let cache = Some(place.path().join("cache"));
        let locations = Locations { cache, ..Locations::nowhere() };
        Self { place, locations, settings: Pictures::default() }
    }

    fn folder(&self) -> PathBuf {
        self.place.path().join("in")
    }

    /// Writes a picture of one colour with a time of modification an hour ago.
    fn picture(&self, name: &str, [h, w]: [u32; 2], colour: [u8; 3]) {
        let path = self.folder().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        RgbImage::from_pixel(w, h, Rgb(colour)).save(&path).unwrap();
        self.age(name);
    }

    fn file(&self, name: &str, bytes: &[u8]) {
        let path = self.folder().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        self.age(name);
    }

    fn age(&self, name: &str) {
        let file = std::fs::File::options().append(true).open(self.folder().join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    }

    fn load(&self) -> Result<Dataset, Error> {
        self.load_with(&Monitor::default())
    }

    fn load_with(&self, monitor: &Monitor) -> Result<Dataset, Error> {
        read(&self.folder(), &self.settings, &self.locations, monitor)
    }

    /// Loads, and says whether any picture had to be decoded.
    fn decodes(&self) -> (Dataset, bool) {
        let log = Arc::new(Log::default());
        let monitor = Monitor::new(log.clone(), Cancel::default());
        let set = self.load_with(&monitor);
        let decoded = !log.0.lock().unwrap().is_empty();
        (set.unwrap(), decoded)
    }

    fn cached(&self) -> Vec<PathBuf> {
        let cache = self.place.path().join("cache").join("pictures");
        let files = std::fs::read_dir(cache).map_or(vec![], Iterator::collect);
        let paths = files.into_iter().map(|file| file.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "pix")).collect()
    }
}

/// Every report: task, done, total.
#[derive(Default)]
struct Log(Mutex<Vec<(String, u64, u64)>>);

impl Reporter for Log {
    fn progress(&self, progress: &Progress<'_>) {
        let Progress { task, done, total, .. } = *progress;
        self.0.lock().unwrap().push((task.to_owned(), done, total));
    }
}

fn notes(set: &Dataset) -> String {
    set.notes.iter().map(Note::to_string).collect::<Vec<_>>().join("\n")
}

fn names(part: &Labelled) -> Vec<&str> {
    part.names.as_ref().unwrap().iter().map(String::as_str).collect()
}

#[test]
fn a_flat_folder_of_mixed_sizes() {
    let case = Case::new();
    for (i, size) in [[40, 60], [100, 30], [48, 48], [33, 200], [50, 20]].into_iter().enumerate() {
        case.picture(&format!("{i}.png"), size, [i as u8 * 50, 10, 10]);
    }
    case.file("notes.txt", b"");
    case.file("README", b"");
    case.file(".hidden.png", b"");
    let set = case.load().unwrap();
    // Shorter sides are 20, 30, 33, 40, 48.
    assert_eq!(set.train.images.shape(), [3, 32, 32]);
    assert_eq!((set.train.len(), set.test.len()), (4, 1));
    assert_eq!((set.train.all_labels(), set.classes.len()), (None, 0));
    let notes = notes(&set);
    assert!(
        notes.contains("pictures of 50 x 20 to 33 x 200 pixels (height x width), cropped"),
        "{notes}"
    );
    assert!(notes.contains("1 of 5 held out for testing"), "{notes}");
    assert!(notes.contains("ignored: without an extension (1), .txt (1)"), "{notes}");
    for part in [&set.train, &set.test] {
        for (i, name) in names(part).into_iter().enumerate() {
            let number: u8 = name[..1].parse().unwrap();
            assert_eq!(part.images.image(i).to_bytes()[0], number * 50, "{name}");
        }
    }
    assert!(names(&set.train).is_sorted());
}

#[test]
fn train_and_test_are_respected() {
    let case = Case::new();
    for name in ["train/a/0", "train/b/0", "train/b/1", "Test/b/0", "val/a/0", "more/a/0"] {
        case.picture(&format!("{name}.png"), [4, 4], [0; 3]);
    }
    let set = case.load().unwrap();
    assert_eq!(names(&set.train), ["train/a/0.png", "train/b/0.png", "train/b/1.png"]);
    assert_eq!(names(&set.test), ["Test/b/0.png"]);
    assert_eq!(set.classes, ["a", "b"]);
    assert_eq!(set.test.all_labels(), Some(vec![1]));
    assert_eq!(names(&set.validation), ["val/a/0.png"]);
    assert_eq!(set.validation.all_labels(), Some(vec![0]));
    let notes = notes(&set);
    assert!(notes.contains("train from train, validation from val, test from Test"), "{notes}");
    assert!(notes.contains("1 picture outside the sub-folders of the parts"), "{notes}");
}

#[test]
fn broken_pictures_are_left_out_or_stop_it() {
    let mut case = Case::new();
    for n in 0..6 {
        case.picture(&format!("{n}.png"), [40, 40], [n; 3]);
    }
    let whole = std::fs::read(case.folder().join("0.png")).unwrap();
    case.file("3.png", &whole[..whole.len() / 2]);
    case.file("4.jpg", b"no picture");
    for n in 5..12 {
        case.file(&format!("many{n}.gif"), b"");
    }
    let set = case.load().unwrap();
    assert_eq!(set.train.len() + set.test.len(), 5);
    let notes = notes(&set);
    assert!(notes.contains("9 unreadable pictures left out: 3.png (it is damaged: "), "{notes}");
    assert!(notes.contains("4.jpg (its content is not a picture)") && notes.contains("and 4 more"));
    case.settings.strict = true;
    let error = case.load().unwrap_err().to_string();
    assert!(error.starts_with("9 pictures in ") && error.contains("turn `strict` off"), "{error}");
    case.settings.strict = false;
    for n in 0..6 {
        case.file(&format!("{n}.png"), b"");
    }
    let error = case.load().unwrap_err().to_string();
    assert!(error.contains("has no readable picture") && error.contains("4.jpg"), "{error}");
}

#[test]
fn reading_is_reported_and_can_be_cancelled() {
    let case = Case::new();
    for n in 0..3 {
        case.picture(&format!("{n}.png"), [4, 4], [n; 3]);
    }
    let (log, cancel) = (Arc::new(Log::default()), Cancel::default());
    let monitor = Monitor::new(log.clone(), cancel.clone());
    let load = || read(&case.folder(), &case.settings, &case.locations, &monitor);
    let set = load().unwrap();
    let report = |done| ("reading 3 pictures".to_owned(), done, 3);
    assert_eq!(*log.0.lock().unwrap(), [report(3)]);
    assert_eq!(set.notes[0], Note::SameSize { size: [4, 4] });
    let pictures = Pictures { size: Some([4, 4]), grey: true, ..Pictures::default() };
    assert_eq!((set.pictures, set.range), (pictures, [0.0, 255.0]));
    assert_eq!(count(1_234_567), "1,234,567");
    cancel.cancel();
    assert!(matches!(load(), Err(Error::Interrupted(_))));
}

#[test]
fn settings_and_sizes_are_noted() {
    let mut case = Case::new();
    case.picture("0.png", [4, 6], [9, 0, 0]);
    case.picture("1.png", [2, 3], [0; 3]);
    (case.settings.fit, case.settings.size) = (Fit::Contain, Some([3, 3]));
    let set = case.load().unwrap();
    let fit = Fit::Contain;
    let sizes = Note::Resized { smallest: [2, 3], largest: [4, 6], fit, size: [3, 3] };
    let held = Note::HeldOut { held_out: 1, of: 2, stratified: false };
    assert_eq!(set.notes, [sizes, Note::NoFolders, held]);
    assert_eq!(set.pictures, case.settings);
    // The cache keeps the notes.
    assert_eq!(case.load().unwrap().notes, set.notes);
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_not_in_circles() {
    let case = Case::new();
    case.picture("a/0.png", [4, 4], [0; 3]);
    case.picture("a/1.png", [4, 4], [0; 3]);
    let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, case.folder().join(name));
    link(&case.folder(), "a/loop").unwrap();
    link(&case.folder().join("a/0.png"), "linked.png").unwrap();
    link(Path::new("/nowhere"), "gone.png").unwrap();
    let set = case.load().unwrap();
    assert_eq!(set.train.len() + set.test.len(), 3);
    let notes = notes(&set);
    assert!(notes.contains("a/loop (it is a link to one of its parent folders)"), "{notes}");
    assert!(notes.contains("gone.png (it cannot be read"), "{notes}");
}

#[test]
fn sizes_are_chosen() {
    let of = |sizes: &[[u32; 2]]| {
        let picture = |&size| Picture {
            file: 0,
            page: 0,
            name: String::new(),
            stamp: String::new(),
            header: Header { size, precision: picture::Precision::Bytes, channels: 3, pages: 1 },
        };
        choose_size(&sizes.iter().map(picture).collect::<Vec<_>>())
    };
    assert_eq!(of(&[[8, 8], [8, 8]]), [8, 8]);
    assert_eq!(of(&[[28, 64]]), [28, 64]);
    assert_eq!(of(&[[600, 800], [600, 800]]), [48, 64]);
    assert_eq!(of(&[[1, 9000]]), [1, 64]);
    assert_eq!(of(&[[600, 800], [800, 600]]), [64, 64]);
    assert_eq!(of(&[[30, 800], [31, 600], [90, 10]]), [24, 24]);
    assert_eq!(of(&[[9, 9], [10, 10], [11, 11]]), [10, 10]);
}

#[test]
fn impossible_settings_and_places() {
    let mut case = Case::new();
    let error = case.load().unwrap_err().to_string();
    assert!(
        error.ends_with(
            "has no readable picture (PNG, JPEG, TIFF, WebP, GIF, BMP, PNM, TGA, QOI, FITS or DICOM)"
        ),
        "{error}"
    );
    case.settings.test_fraction = 1.0;
    assert!(matches!(case.load(), Err(Error::Setting { .. })));
    case.settings = Pictures { size: Some([0, 4]), ..Pictures::default() };
    assert!(matches!(case.load(), Err(Error::Setting { .. })));
    let nowhere =
        read(Path::new("/no/where"), &Pictures::default(), &case.locations, &Monitor::default());
    assert!(matches!(nowhere, Err(Error::Io { .. })));
}

#[cfg(unix)]
#[test]
fn pipes_and_names_that_are_not_text_stop_nothing() {
    use std::os::unix::ffi::OsStrExt;
    let case = Case::new();
    case.picture("a.png", [4, 4], [1; 3]);
    let odd = |byte: u8| {
        case.folder().join(std::ffi::OsStr::from_bytes(&[b'x', byte, b'.', b'p', b'n', b'g']))
    };
    for byte in [0xfe, 0xff] {
        std::fs::copy(case.folder().join("a.png"), odd(byte)).unwrap();
    }
    let listener =
        std::os::unix::net::UnixListener::bind(case.folder().join("socket.png")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(case.folder().join("pipe.png")).status();
    let set = case.load().unwrap();
    drop(listener);
    let mut all = names(&set.train);
    all.extend(names(&set.test));
    all.sort_unstable();
    assert_eq!(all, ["a.png", "x\\xFE.png", "x\\xFF.png"]);
    let special = if made.is_ok_and(|status| status.success()) { 2 } else { 1 };
    assert!(set.notes.contains(&Note::SpecialFiles { files: special }), "{}", notes(&set));
}
