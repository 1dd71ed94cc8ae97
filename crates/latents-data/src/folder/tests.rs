//! Folders of pictures as users have them, and invalid ones.

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
fn sub_folders_are_labels_and_may_be_deep() {
    let case = Case::new();
    for (i, class) in ["b/deep/er", "a", "<script>"].into_iter().enumerate() {
        for n in 0..10 {
            case.picture(&format!("{class}/{n}.png"), [8, 6], [i as u8; 3]);
        }
    }
    let set = case.load().unwrap();
    assert_eq!(set.classes, ["<script>", "a", "b"]);
    assert_eq!(set.train.images.shape(), [1, 8, 6]);
    assert_eq!((set.train.len(), set.test.len()), (24, 6));
    let labels = set.test.all_labels().unwrap();
    assert_eq!(labels, [0, 0, 1, 1, 2, 2]);
    for (i, label) in labels.iter().enumerate() {
        assert_eq!(set.test.images.image(i).to_bytes()[0], [2, 1, 0][usize::from(*label)]);
    }
    assert!(names(&set.test)[5].starts_with("b/deep/er/"));
    // The test part is random, not the first pictures.
    let other = Case { settings: Pictures { split_seed: 1, ..Pictures::default() }, ..case };
    assert_ne!(names(&other.load().unwrap().test), names(&set.test));
}

#[test]
fn labels_that_are_none() {
    let case = Case::new();
    case.picture("a/0.png", [4, 4], [0; 3]);
    case.picture("a/1.png", [4, 4], [0; 3]);
    let set = case.load().unwrap();
    assert!(set.classes.is_empty() && notes(&set).contains("all pictures are in one sub-folder"));
    case.picture("b/1.png", [4, 4], [0; 3]);
    assert_eq!(case.load().unwrap().classes, ["a", "b"]);
    case.picture("loose.png", [4, 4], [0; 3]);
    let set = case.load().unwrap();
    assert_eq!((set.classes.len(), set.train.len() + set.test.len()), (2, 3));
    assert!(notes(&set).contains("1 picture beside the sub-folders left out: loose.png"));
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
fn what_was_decoded_is_kept_and_never_stale() {
    let mut case = Case::new();
    for n in 0..5 {
        case.picture(&format!("{n}.png"), [4, 4], [n; 3]);
    }
    let (first, decoded) = case.decodes();
    assert!(decoded && case.cached().len() == 1);
    let (again, decoded) = case.decodes();
    assert!(!decoded && again == first);
    // The same from a file that is mapped.
    case.locations.memory = 0;
    let (mapped, decoded) = case.decodes();
    assert!(!decoded && mapped == first);

    case.picture("0.png", [4, 4], [9, 0, 0]);
    let (changed, decoded) = case.decodes();
    assert!(decoded && changed.train.images.shape() == [3, 4, 4]);
    assert_eq!(case.cached().len(), 1, "one file for a folder and its settings");
    assert!(!case.decodes().1);
    std::fs::remove_file(case.folder().join("4.png")).unwrap();
    assert!(case.decodes().1);

    for damage in [|b: &mut Vec<u8>| b[0] ^= 1, |b: &mut Vec<u8>| b.truncate(40), Vec::clear] {
        let file = &case.cached()[0];
        let mut bytes = std::fs::read(file).unwrap();
        damage(&mut bytes);
        std::fs::write(file, bytes).unwrap();
        assert!(case.decodes().1, "a damaged file is not believed");
        assert!(!case.decodes().1);
    }
    case.settings.size = Some([2, 2]);
    assert!(case.decodes().1 && case.cached().len() == 2);
    case.settings.size = None;
    for n in 0..4 {
        case.picture(&format!("{n}.png"), [6, 6], [n; 3]);
    }
    let (larger, decoded) = case.decodes();
    assert!(decoded && larger.train.images.shape() == [1, 6, 6], "the size is chosen anew");
}

#[test]
fn what_was_only_just_written_is_not_kept() {
    let case = Case::new();
    case.picture("0.png", [4, 4], [0; 3]);
    let path = case.folder().join("1.png");
    RgbImage::new(4, 4).save(path).unwrap();
    assert!(case.decodes().1 && case.decodes().1 && case.cached().is_empty());
}

#[test]
fn a_collection_may_be_larger_than_memory_and_have_no_cache() {
    let mut case = Case::new();
    for n in 0..12 {
        case.picture(&format!("{n:02}.png"), [5, 4], [n; 3]);
    }
    let grey = case.load().unwrap();
    (case.locations.memory, case.locations.cache) = (0, None);
    assert_eq!(case.load().unwrap(), grey);
    case.picture("00.png", [5, 4], [0, 0, 9]);
    let coloured = case.load().unwrap();
    assert_eq!(coloured.train.images.shape(), [3, 5, 4]);
    case.locations.memory = 1 << 20;
    assert_eq!(case.load().unwrap(), coloured);
    // A cache that cannot be written is no error.
    case.file("blocked", b"");
    case.locations.cache = Some(case.folder().join("blocked"));
    assert_eq!(case.load().unwrap().train, coloured.train);
    case.settings.grey = true;
    assert_eq!(case.load().unwrap().train.images.shape(), [1, 5, 4]);
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

#[test]
fn labels_come_from_a_table_beside_the_pictures() {
    let case = Case::new();
    let all = || Pictures { test_fraction: 0.0, ..Pictures::default() };
    for n in 0..4 {
        case.picture(&format!("train_images/{n:04}.png"), [4, 4], [20 * n; 3]);
    }
    let table = |name: &str, text: &str| {
        case.file(name, text.as_bytes());
        Case {
            settings: all(),
            locations: case.locations.clone(),
            place: tempfile::tempdir().unwrap(),
        }
    };
    let load =
        |settings: Pictures| read(&case.folder(), &settings, &case.locations, &Monitor::default());
    table("train.csv", "id_code,label\n0000,cat\n0001,dog\n0002,cat\n0009,dog\n");
    let set = load(all()).unwrap();
    assert_eq!(set.classes, ["cat", "dog"]);
    assert_eq!(set.train.labels, Some(vec![Some(0), Some(1), Some(0), None]));
    let said = notes(&set);
    assert!(said.contains("labels from the table train.csv"), "{said}");
    assert!(said.contains("1 row of the table of labels without a picture"), "{said}");
    assert!(said.contains("1 picture has no label"), "{said}");
    assert!(!said.contains("sub-folder;"), "{said}");

    // Several columns: one is chosen by name.
    table(
        "train.csv",
        "file,breed,age,split\n0000.png,a,1,train\n0001.png,b,2,train\n0002.png,a,3,test\n0003.png,b,1,test\n",
    );
    let set = load(all()).unwrap();
    assert_eq!((set.classes.len(), set.train.len(), set.test.len()), (0, 2, 2));
    assert!(notes(&set).contains("choose one of the columns breed, age"), "{}", notes(&set));
    let column = |name: &str, labels: [u16; 2]| ColumnLabels {
        name: name.into(),
        labels: labels.map(Some).to_vec(),
    };
    assert_eq!(set.train.columns, [column("breed", [0, 1]), column("age", [1, 2])]);
    assert_eq!(set.test.columns, [column("breed", [0, 1]), column("age", [3, 1])]);
    let by = |label: &str| load(Pictures { label: Some(label.into()), ..all() });
    assert_eq!(by("breed").unwrap().classes, ["a", "b"]);
    assert_eq!(by("age").unwrap().test.all_labels(), Some(vec![3, 1]));
    assert!(by("size").unwrap_err().to_string().contains("no label `size`; there are: breed, age"));

    // With two tables, one has to be named; its columns may be too.
    table("other.csv", "a,b\n0000,x\n0001,y\n0002,x\n0003,y\n");
    assert!(notes(&load(all()).unwrap()).contains("there are several"));
    let named = |text: &str| load(Pictures { labels: Some(text.into()), ..all() });
    assert_eq!(named("other.csv:file=a,label=b").unwrap().classes, ["x", "y"]);
    assert!(named("none.csv").is_err());
    let said = named("other.csv:file=c").unwrap_err().to_string();
    assert!(said.contains("it has no column `c`"), "{said}");
    assert!(
        named("other.csv:x=c").unwrap_err().to_string().contains("expected FILE or FILE:file=")
    );
}

#[test]
fn labels_come_from_the_names_of_files() {
    let mut case = Case::new();
    for name in ["cat.0", "cat.1", "dog.0", "dog.1", "x0"] {
        case.picture(&format!("all/{name}.png"), [4, 4], [9; 3]);
    }
    case.settings.test_fraction = 0.0;
    case.settings.label_pattern = Some(r"^(\w+)\.\d".into());
    let set = case.load().unwrap();
    assert_eq!(set.classes, ["cat", "dog"]);
    let labels = [Some(0), Some(0), Some(1), Some(1), None];
    assert_eq!(set.train.labels, Some(labels.to_vec()));
    for (wrong, expected) in [("(", "group"), ("cat", "no group"), ("(zebra)", "no file has")] {
        case.settings.label_pattern = Some(wrong.into());
        let said = case.load().unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn archives_of_samples_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let png = |grey: u8| {
        let mut bytes = std::io::Cursor::new(vec![]);
        RgbImage::from_pixel(4, 4, Rgb([grey; 3]))
            .write_to(&mut bytes, image::ImageFormat::Png)
            .unwrap();
        bytes.into_inner()
    };
    for shard in 0..2u8 {
        let mut archive = tar::Builder::new(vec![]);
        let mut add = |name: String, bytes: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, bytes).unwrap();
        };
        for sample in 0..5u8 {
            add(format!("{shard}{sample:03}.png"), &png(50 * shard + sample));
            match shard {
                0 => add(format!("{shard}{sample:03}.cls"), format!("{}\n", sample % 2).as_bytes()),
                _ => add(
                    format!("{shard}{sample:03}.json"),
                    format!("{{\"cls\": {}}}", sample % 2).as_bytes(),
                ),
            }
        }
        let bytes = archive.into_inner().unwrap();
        std::fs::write(folder.path().join(format!("shard-{shard}.tar")), bytes).unwrap();
    }
    let settings = Pictures { test_fraction: 0.0, ..Pictures::default() };
    let load = |path: &Path| {
        load(
            "x".into(),
            path,
            &list_archives(path, &settings)?,
            &settings,
            &Locations::nowhere(),
            &Monitor::default(),
        )
    };
    let set = load(folder.path()).unwrap();
    assert_eq!((set.train.len(), set.classes.len()), (10, 2));
    assert_eq!(set.train.all_labels().unwrap(), [0, 1, 0, 1, 0, 0, 1, 0, 1, 0]);
    assert_eq!(set.train.images.image(7), [52; 16]);
    assert_eq!(set.train.names.as_ref().unwrap()[7], "shard-1/1002.png");
    // One archive by itself; and a damaged one.
    let one = folder.path().join("shard-0.tar");
    assert_eq!(load(&one).unwrap().train.len(), 5);
    let bytes = std::fs::read(&one).unwrap();
    std::fs::write(&one, &bytes[..700]).unwrap();
    assert!(load(&one).is_err());
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

#[test]
fn deep_pictures_are_mapped_by_one_range() {
    let case = Case::new();
    for (i, white) in [1000u16, 4080].into_iter().enumerate() {
        let ramp = image::ImageBuffer::from_fn(8, 8, |x, y| {
            image::Luma([(u32::from(white) * (8 * y + x) / 63) as u16])
        });
        ramp.save(case.folder().join(format!("{i}.png"))).unwrap();
        case.age(&format!("{i}.png"));
    }
    // A picture of bytes among them is as bright as its bytes say.
    case.picture("white.png", [8, 8], [255; 3]);
    let set = Case { settings: Pictures { test_fraction: 0.0, ..Pictures::default() }, ..case }
        .load()
        .unwrap();
    assert_eq!((set.shape(), set.range), ([1, 8, 8], [0.0, 65_535.0]));
    let case = Case::new();
    for i in 0..3u16 {
        let ramp = image::ImageBuffer::from_fn(8, 8, |x, y| {
            image::Luma([((8 * y + x) as u16) * 20 * (i + 1)])
        });
        ramp.save(case.folder().join(format!("{i}.png"))).unwrap();
        case.age(&format!("{i}.png"));
    }
    let with = |range: &str| {
        let settings =
            Pictures { test_fraction: 0.0, range: range.parse().unwrap(), ..Pictures::default() };
        read(&case.folder(), &settings, &case.locations, &Monitor::default()).unwrap()
    };
    let set = with("auto");
    assert_eq!((set.range, set.pictures.range.to_string().as_str()), ([0.0, 4095.0], "0..4095"));
    let largest = |set: &Dataset| set.train.images.to_unit().into_iter().fold(0.0f32, f32::max);
    assert!((largest(&set) - 3780.0 / 4095.0).abs() < 1e-4);
    assert_eq!(with("auto"), set, "the same from the cache");
    assert!((largest(&with("0..3780")) - 1.0).abs() < f32::EPSILON);
    let clipped = with("0..1000");
    assert!(notes(&clipped).contains("outside the range were clipped"), "{}", notes(&clipped));
}

#[test]
fn pictures_of_numbers_that_all_fail_are_an_error() {
    let case = Case::new();
    let mut file = std::io::Cursor::new(vec![]);
    let mut encoder = tiff::encoder::TiffEncoder::new(&mut file).unwrap();
    let values = [1.0, 2.0, f32::NAN, 4.0];
    encoder.write_image::<tiff::encoder::colortype::Gray32Float>(2, 2, &values).unwrap();
    case.file("a.tif", &file.into_inner());
    let error = case.load().unwrap_err().to_string();
    assert!(
        error.ends_with("damaged: a.tif (it has a value that is NaN; pictures must be finite)")
    );
}

/// A FITS file of 2 x 2 bytes.
fn fits(values: [u8; 4]) -> Vec<u8> {
    let number = |name: &str, value: u8| format!("{:<80}", format!("{name:<8}= {value:>20}"));
    let logical = format!("{:<80}", "SIMPLE  =                    T");
    let axes = [("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", 2), ("NAXIS2", 2)];
    let head = axes.map(|(name, value)| number(name, value)).concat();
    let mut bytes = format!("{:<2880}", format!("{logical}{head}END")).into_bytes();
    bytes.extend(values);
    bytes.resize(2 * 2880, 0);
    bytes
}

#[test]
fn a_format_that_the_build_lacks_is_named() {
    let case = Case::new();
    case.file("a.fits", &fits([1, 2, 3, 4]));
    case.file("b.FIT", &fits([5, 6, 7, 8]));
    case.file("c.dcm", &[&[0; 128][..], b"DICM"].concat());
    case.picture("d.png", [2, 2], [9; 3]);
    let set = case.load().unwrap();
    let (all, _) = set.all();
    let notes = notes(&set);
    if cfg!(feature = "fits") {
        assert_eq!(all.len(), 3);
        let a = (0..3).find(|&i| all.name_of(i) == "a.fits").unwrap();
        assert_eq!(all.images.image(a).to_bytes()[..], [3, 4, 1, 2]);
    } else {
        assert_eq!(all.len(), 1);
        let reason = "a.fits (this build does not support FITS; build with the feature `fits`)";
        assert!(notes.contains(reason), "{notes}");
    }
    let reason = "c.dcm (this build does not support DICOM; build with the feature `dicom`)";
    assert_eq!(notes.contains(reason), !cfg!(feature = "dicom"), "{notes}");
    assert!(notes.contains("c.dcm ("), "{notes}");
}
