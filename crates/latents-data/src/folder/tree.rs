//! What the folders of pictures mean: which are parts, which are classes, and which only wrap the others. Works on names alone; no
//! file is opened here.

use std::collections::{BTreeMap, BTreeSet};

use crate::note::Note;
use crate::part::Part;

/// Words for parts, in lower case.
const WORDS: [(Part, &[&str]); 4] = [
    (Part::Train, &["train", "training", "trn", "trainset"]),
    (Part::Validation, &["val", "valid", "validation", "dev", "valset", "validset", "devset"]),
    (Part::Test, &["test", "testing", "tst", "testset", "eval", "evaluation", "holdout"]),
    (
        Part::Unlabelled,
        &[
            "unlabelled",
            "unlabeled",
            "unsup",
            "pred",
            "predict",
            "prediction",
            "infer",
            "inference",
        ],
    ),
];
/// Words beside them that say nothing.
const FILLERS: [&str; 16] = [
    "set", "data", "dataset", "image", "images", "img", "imgs", "picture", "pictures", "photo",
    "photos", "split", "folder", "files", "part", "raw",
];
/// Names of folders of pictures, and of folders of their masks or annotations, of a segmentation set.
const PICTURES: [&str; 6] = ["images", "image", "imgs", "img", "jpegimages", "inputs"];
const MASKS: [&str; 12] = [
    "masks",
    "mask",
    "annotations",
    "annotation",
    "segmentation",
    "segmentations",
    "segmentationclass",
    "segmentationobject",
    "groundtruth",
    "ground_truth",
    "gt",
    "annots",
];

/// The part and the class of a picture, from its folders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// `None` if the folders do not say.
    pub(super) part: Option<Part>,
    pub(super) class: Option<String>,
}

/// The places of all pictures, and notes on how they were found.
pub(super) struct Tree {
    /// `None` for a picture that is left out.
    pub(super) places: Vec<Option<Place>>,
    pub(super) notes: Vec<Note>,
}

impl Tree {
    /// Reads the folders of pictures from their names, relative to the source and with `/` between their components.
    pub(super) fn of(names: &[&str]) -> Self {
        let folders: Vec<Vec<&str>> = names
            .iter()
            .map(|name| {
                let mut components: Vec<&str> = name.split('/').collect();
                components.pop();
                components
            })
            .collect();
        let mut tree = Self { places: vec![None; names.len()], notes: vec![] };
        let all: Vec<usize> = (0..names.len()).collect();
        let depth = unwrapped(&folders, &all, 0);
        if depth > 0 && all.iter().any(|&i| folders[i].len() > depth) {
            let inside = all.iter().find(|&&i| folders[i].len() > depth);
            let folder = inside.map(|&i| folders[i][..depth].join("/")).unwrap_or_default();
            tree.notes.push(Note::Wrapped { folder });
        }
        let groups = groups(&folders, &all, depth);
        if let Some(parts) = parts(&groups) {
            tree.read_parts(&folders, &groups, &parts, depth);
        } else if let Some(inner) = inner_parts(&folders, &all, depth) {
            tree.notes.push(Note::PartsFromFolders { folders: inner });
            for i in all {
                let part = part_of(folders[i][depth + 1]).map(|(part, _)| part);
                tree.places[i] = Some(Place { part, class: Some(folders[i][depth].to_owned()) });
            }
        } else {
            tree.note_masks(groups.keys().copied());
            for i in all {
                let class = folders[i].get(depth).map(|&class| class.to_owned());
                tree.places[i] = Some(Place { part: None, class });
            }
        }
        tree.settle_classes(names, &folders);
        tree
    }

    /// Pictures of a folder whose sub-folders are parts.
    fn read_parts(
        &mut self,
        folders: &[Vec<&str>],
        groups: &BTreeMap<&str, Vec<usize>>,
        parts: &BTreeMap<&str, Part>,
        depth: usize,
    ) {
        let mut of_part: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        let mut inside = 0;
        for (name, part) in parts {
            let members = &groups[name];
            inside += members.len();
            let at = Part::ALL.iter().position(|p| p == part).unwrap_or_default();
            of_part.entry(at).or_default().push((*name).to_owned());
            let depth = unwrapped(folders, members, depth + 1);
            self.note_masks(self::groups(folders, members, depth).into_keys());
            for &i in members {
                let class = folders[i].get(depth).map(|&class| class.to_owned());
                self.places[i] = Some(Place { part: Some(*part), class });
            }
        }
        let of_part = of_part.into_iter().map(|(at, names)| (Part::ALL[at], names)).collect();
        self.notes.push(Note::PartsFromFolders { folders: of_part });
        if inside < folders.len() {
            self.notes.push(Note::OutsideParts { pictures: folders.len() - inside });
        }
    }

    fn note_masks<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let names: Vec<&str> = names.collect();
        let among = |words: &[&str]| {
            let found = names.iter().find(|name| words.contains(&name.to_lowercase().as_str()));
            found.map(|&name| name.to_owned())
        };
        if let (Some(images), Some(masks)) = (among(&PICTURES), among(&MASKS)) {
            let note = Note::ImagesBesideMasks { images, masks };
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }

    /// Leaves out stray pictures beside the folders of classes; drops classes that do not tell pictures apart.
    fn settle_classes(&mut self, names: &[&str], folders: &[Vec<&str>]) {
        let class = |place: &Option<Place>| place.as_ref().and_then(|p| p.class.clone());
        let classes: BTreeSet<String> = self.places.iter().filter_map(class).collect();
        if classes.len() < 2 {
            let in_folders = folders.iter().any(|folders| !folders.is_empty());
            self.notes.push(if in_folders { Note::OneFolder } else { Note::NoFolders });
            for place in self.places.iter_mut().flatten() {
                place.class = None;
            }
            return;
        }
        let mut strays = vec![];
        let mut unlabelled = 0;
        for part in [None].into_iter().chain(Part::ALL.map(Some)) {
            let of_part = |i: &usize| self.places[*i].as_ref().is_some_and(|p| p.part == part);
            let members: Vec<usize> = (0..names.len()).filter(of_part).collect();
            let (inside, flat): (Vec<usize>, Vec<usize>) =
                members.into_iter().partition(|&i| class(&self.places[i]).is_some());
            if flat.len() <= inside.len() {
                strays.extend(flat);
            } else if !inside.is_empty() {
                unlabelled += flat.len();
            }
        }
        self.notes.push(Note::ClassesFromFolders { classes: classes.len() });
        if !strays.is_empty() {
            let example = names[strays[0]].to_owned();
            self.notes.push(Note::Strays { pictures: strays.len(), example });
        }
        if unlabelled > 0 {
            self.notes.push(Note::WithoutLabel { pictures: unlabelled });
        }
        for i in strays {
            self.places[i] = None;
        }
    }
}

/// The depth below which some pictures differ, from `depth` on: folders that only hold one other folder are skipped. A few loose
/// pictures beside the one folder do not count if that folder has folders itself.
fn unwrapped(folders: &[Vec<&str>], members: &[usize], mut depth: usize) -> usize {
    loop {
        let groups = groups(folders, members, depth);
        let Some((name, inside)) = groups.iter().next().filter(|_| groups.len() == 1) else {
            return depth;
        };
        let loose = members.len() - inside.len();
        let nested = inside.iter().all(|&i| folders[i].len() > depth + 1);
        let parted = part_of(name).is_some();
        if !(loose == 0 && (nested || depth == 0 || parted)) && !(nested && loose <= inside.len()) {
            return depth;
        }
        depth += 1;
    }
}

/// The pictures in each sub-folder at a depth.
fn groups<'a>(
    folders: &[Vec<&'a str>],
    members: &[usize],
    depth: usize,
) -> BTreeMap<&'a str, Vec<usize>> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for &i in members {
        if let Some(name) = folders[i].get(depth) {
            groups.entry(name).or_default().push(i);
        }
    }
    groups
}

/// Which sub-folders are parts: at least training pictures and another part; and either the names are just those of parts, or all
/// sub-folders are parts and what is left of their names is the same.
fn parts<'a>(groups: &BTreeMap<&'a str, Vec<usize>>) -> Option<BTreeMap<&'a str, Part>> {
    let found: BTreeMap<&str, (Part, String)> =
        groups.keys().filter_map(|&name| Some((name, part_of(name)?))).collect();
    let exact: BTreeMap<&str, Part> = found
        .iter()
        .filter(|(_, (_, rest))| rest.is_empty())
        .map(|(&name, (part, _))| (name, *part))
        .collect();
    let rests: BTreeSet<&String> = found.values().map(|(_, rest)| rest).collect();
    let all: BTreeMap<&str, Part> = found.iter().map(|(&name, (part, _))| (name, *part)).collect();
    let whole = all.len() == groups.len() && rests.len() == 1;
    let enough = |parts: &BTreeMap<&str, Part>| {
        let has = |part| parts.values().any(|&p| p == part);
        has(Part::Train) && Part::ALL[1..].iter().any(|&part| has(part))
    };
    [whole.then_some(all), Some(exact)].into_iter().flatten().find(enough)
}

/// The parts inside the folders of the classes, if each class has its own: `cats/train`, `cats/test`, `dogs/train`, ...
fn inner_parts(
    folders: &[Vec<&str>],
    members: &[usize],
    depth: usize,
) -> Option<Vec<(Part, Vec<String>)>> {
    let mut found: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for &i in members {
        let name = folders[i].get(depth + 1)?;
        let (part, rest) = part_of(name)?;
        let at = Part::ALL.iter().position(|&p| p == part).filter(|_| rest.is_empty())?;
        found.entry(at).or_default().insert((*name).to_owned());
    }
    let parts = found.len() > 1 && found.contains_key(&0);
    let named =
        |(at, names): (usize, BTreeSet<String>)| (Part::ALL[at], names.into_iter().collect());
    parts.then(|| found.into_iter().map(named).collect())
}

/// The part that a file is named after, such as `train-00000-of-00002.parquet`.
pub(crate) fn part_of_file(path: &std::path::Path) -> Option<Part> {
    part_of(&path.file_stem()?.to_string_lossy()).map(|(part, _)| part)
}

/// The part that a folder is named after, and what else its name says.
pub(super) fn part_of(name: &str) -> Option<(Part, String)> {
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let (mut part, mut rest) = (None, vec![]);
    for word in words {
        let bare = word.trim_end_matches(|c: char| c.is_ascii_digit());
        match WORDS.iter().find(|(_, words)| words.contains(&bare)) {
            Some((found, _)) if part.is_none() => {
                part = Some(*found);
                let year = &word[bare.len()..];
                rest.extend((!year.is_empty()).then_some(year));
            }
            Some(_) => return None,
            None if FILLERS.contains(&word) => {}
            None => rest.push(word),
        }
    }
    Some((part?, rest.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Part and class of each picture, `-` if there is none, and `x` for one that is left out.
    fn read(names: &[&str]) -> (Vec<String>, Vec<Note>) {
        let tree = Tree::of(names);
        let text = |place: &Option<Place>| match place {
            None => "x".to_owned(),
            Some(Place { part, class }) => {
                let part = part.map_or("-".to_owned(), |part| part.to_string());
                format!("{part} {}", class.as_deref().unwrap_or("-"))
            }
        };
        (tree.places.iter().map(text).collect(), tree.notes)
    }

    fn places(names: &[&str]) -> Vec<String> {
        read(names).0
    }

    #[test]
    fn parts_are_recognised_by_their_usual_names() {
        for (train, validation, test) in [
            ("train", "val", "test"),
            ("Training", "VALID", "Testing"),
            ("seg_train", "seg_dev", "seg_test"),
            ("train_images", "validation_images", "test_images"),
            ("Train-Set", "Valid-Set", "Test-Set"),
            ("train2017", "val2017", "test2017"),
            ("flowers_training", "flowers_val", "flowers_eval"),
        ] {
            let names = [train, validation, test]
                .map(|part| ["a", "b"].map(|c| format!("{part}/{c}/0.png")));
            let names: Vec<&str> = names.as_flattened().iter().map(String::as_str).collect();
            let expected =
                ["train a", "train b", "validation a", "validation b", "test a", "test b"];
            assert_eq!(places(&names), expected, "{train}");
        }
        assert_eq!(places(&["train/a/0", "train/b/0", "val/a/0"])[2], "validation a");
        // A wrapper within each part, as some archives have it, and a part without labels.
        let names = ["seg_train/seg_train/a/0", "seg_train/seg_train/b/0", "seg_pred/seg_pred/1"];
        assert_eq!(places(&names), ["train a", "train b", "unlabelled -"]);
    }

    #[test]
    fn words_of_parts_may_also_be_classes() {
        assert_eq!(places(&["train/0", "bus/0", "car/0"]), ["- train", "- bus", "- car"]);
        assert_eq!(places(&["test tube/0", "model train/0"]), ["- test tube", "- model train"]);
        assert_eq!(places(&["test/0", "val/0"]), ["- test", "- val"]);
        // A part has its own class only.
        assert_eq!(places(&["train/a/0", "train/b/0", "test/b/0"])[2], "test b");
    }

    #[test]
    fn parts_may_be_inside_the_classes() {
        let names = ["a/train/0", "a/test/0", "b/train/0", "b/test/1"];
        assert_eq!(places(&names), ["train a", "test a", "train b", "test b"]);
    }

    #[test]
    fn folders_round_the_classes_are_walked_through() {
        let (places, notes) = read(&["archive/PetImages/cats/0", "archive/PetImages/dogs/0"]);
        assert_eq!(places, ["- cats", "- dogs"]);
        assert!(notes.contains(&Note::Wrapped { folder: "archive/PetImages".into() }));
        let names = ["data/train/images/a/0", "data/train/images/b/0", "data/test/images/a/0"];
        assert_eq!(self::places(&names), ["train a", "train b", "test a"]);
        // A readme's picture beside the one folder.
        assert_eq!(self::places(&["x.png", "in/a/0", "in/b/0"]), ["x", "- a", "- b"]);
    }

    #[test]
    fn stray_pictures_are_left_out_and_many_loose_ones_are_kept_without_a_label() {
        let (places, notes) = read(&["a/0", "a/1", "b/0", "grid"]);
        assert_eq!(places, ["- a", "- a", "- b", "x"]);
        assert!(notes.contains(&Note::Strays { pictures: 1, example: "grid".into() }));
        let (places, notes) = read(&["a/0", "b/0", "1", "2", "3"]);
        assert_eq!(places[2..], ["- -", "- -", "- -"]);
        assert!(notes.contains(&Note::WithoutLabel { pictures: 3 }));
        assert_eq!(self::places(&["train/a/0", "train/b/0", "test/0"])[2], "test -");
    }

    #[test]
    fn one_folder_tells_nothing_apart() {
        assert_eq!(read(&["a/0", "a/1"]), (vec!["- -".into(); 2], vec![Note::OneFolder]));
        assert_eq!(read(&["0", "1"]), (vec!["- -".into(); 2], vec![Note::NoFolders]));
        assert_eq!(places(&["train/images/0", "test/images/0"]), ["train -", "test -"]);
    }

    #[test]
    fn masks_beside_images_are_told() {
        let note = Note::ImagesBesideMasks { images: "Images".into(), masks: "masks".into() };
        assert!(read(&["Images/0", "masks/0"]).1.contains(&note));
        let (_, notes) =
            read(&["train/Images/0", "train/masks/0", "test/Images/0", "test/masks/0"]);
        assert_eq!(notes.iter().filter(|&n| *n == note).count(), 1);
    }
}
