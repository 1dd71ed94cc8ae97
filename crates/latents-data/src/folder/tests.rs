//! Folders of pictures as users have them, and as they should not.

use std::time::{Duration, SystemTime};

use image::{Rgb, RgbImage};

use super::*;

/// A folder that is written into, a cache, and the settings.
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

    /// Writes a picture of one colour, an hour ago.
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
        load("x".into(), &self.folder(), &self.settings, &self.locations, &mut |_| {})
    }

    /// Loads, and says whether any picture had to be decoded.
    fn decodes(&self) -> (Dataset, bool) {
        let mut decoded = false;
        let mut progress = |_| decoded = true;
        let folder = self.folder();
        let set = load("x".into(), &folder, &self.settings, &self.locations, &mut progress);
        (set.unwrap(), decoded)
    }

    fn cached(&self) -> Vec<PathBuf> {
        let cache = self.place.path().join("cache").join("pictures");
        std::fs::read_dir(cache).map_or(vec![], |files| files.map(|f| f.unwrap().path()).collect())
    }
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
    assert_eq!((&set.train.labels, set.classes.len()), (&None, 0));
    let notes = set.notes.join("\n");
    assert!(
        notes.contains("pictures of 50 x 20 to 33 x 200 pixels (height x width), cropped"),
        "{notes}"
    );
    assert!(notes.contains("1 of 5 held out for testing (--test"), "{notes}");
    assert!(notes.contains("left alone: without an ending (1), .txt (1)"), "{notes}");
    for part in [&set.train, &set.test] {
        for (i, name) in names(part).into_iter().enumerate() {
            let number: u8 = name[..1].parse().unwrap();
            assert_eq!(part.images.image(i)[0], number * 50, "{name}");
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
    let labels = set.test.labels.as_ref().unwrap();
    assert_eq!(labels, &[0, 0, 1, 1, 2, 2]);
    for (i, label) in labels.iter().enumerate() {
        assert_eq!(set.test.images.image(i)[0], [2, 1, 0][usize::from(*label)]);
    }
    assert!(names(&set.test)[5].starts_with("b/deep/er/"));
    // The split is drawn, not the first ones taken.
    let other = Case { settings: Pictures { split_seed: 1, ..Pictures::default() }, ..case };
    assert_ne!(names(&other.load().unwrap().test), names(&set.test));
}

#[test]
fn labels_that_are_none() {
    let case = Case::new();
    case.picture("a/0.png", [4, 4], [0; 3]);
    case.picture("a/1.png", [4, 4], [0; 3]);
    let set = case.load().unwrap();
    assert!(set.classes.is_empty() && set.notes.join("\n").contains("all are in one sub-folder"));
    case.picture("b/1.png", [4, 4], [0; 3]);
    assert_eq!(case.load().unwrap().classes, ["a", "b"]);
    case.picture("loose.png", [4, 4], [0; 3]);
    let set = case.load().unwrap();
    assert!(set.classes.is_empty() && set.notes.join("\n").contains("1 of the pictures are in no"));
}

#[test]
fn train_and_test_are_respected() {
    let case = Case::new();
    for name in ["train/a/0", "train/b/0", "train/b/1", "Test/b/0", "val/a/0"] {
        case.picture(&format!("{name}.png"), [4, 4], [0; 3]);
    }
    let set = case.load().unwrap();
    assert_eq!(names(&set.train), ["train/a/0.png", "train/b/0.png", "train/b/1.png"]);
    assert_eq!(names(&set.test), ["Test/b/0.png"]);
    assert_eq!(set.classes, ["a", "b"]);
    assert_eq!(set.test.labels, Some(vec![1]));
    assert!(set.notes.join("\n").contains("1 outside the sub-folders train and test"));
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
    let notes = set.notes.join("\n");
    assert!(
        notes.contains("9 pictures that cannot be read were left out: 3.png (it is damaged: "),
        "{notes}"
    );
    assert!(notes.contains("4.jpg (its content is no picture)") && notes.contains("and 4 more"));
    case.settings.strict = true;
    let error = case.load().unwrap_err().to_string();
    assert!(
        error.starts_with("9 pictures in ") && error.contains("do without --strict"),
        "{error}"
    );
    case.settings.strict = false;
    for n in 0..6 {
        case.file(&format!("{n}.png"), b"");
    }
    let error = case.load().unwrap_err().to_string();
    assert!(
        error.contains("holds no picture that can be read") && error.contains("4.jpg"),
        "{error}"
    );
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
    let notes = set.notes.join("\n");
    assert!(notes.contains("a/loop (it is a link to a folder that it is in)"), "{notes}");
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
    // A cache that cannot be written is done without.
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
            path: PathBuf::new(),
            name: String::new(),
            class: None,
            test: false,
            size,
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
        error.ends_with("holds no picture that can be read (PNG, JPEG, WebP or GIF)"),
        "{error}"
    );
    case.settings.test_fraction = 1.0;
    assert!(matches!(case.load(), Err(Error::Setting { .. })));
    case.settings = Pictures { size: Some([0, 4]), ..Pictures::default() };
    assert!(matches!(case.load(), Err(Error::Setting { .. })));
    let nowhere = load(
        "x".into(),
        Path::new("/no/where"),
        &Pictures::default(),
        &case.locations,
        &mut |_| {},
    );
    assert!(matches!(nowhere, Err(Error::Io { .. })));
}
