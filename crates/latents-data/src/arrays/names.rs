//! What the arrays of a file are, by their names: images, labels, names or classes, of which part.

use crate::npz::ArrayInfo;
use crate::part::Part;

/// Words for images and for labels, in lower case; earlier ones take precedence.
const IMAGES: [&str; 9] =
    ["image", "images", "x", "imgs", "img", "pixels", "data", "features", "samples"];
const LABELS: [&str; 5] = ["label", "labels", "y", "target", "targets"];
/// Words for the names of images.
const NAMES: [&str; 10] =
    ["name", "names", "file", "files", "filename", "filenames", "path", "paths", "id", "ids"];
/// Names of an array of the names of classes.
const CLASSES: [&str; 5] = ["classes", "class_names", "target_names", "label_names", "classnames"];
/// Words for parts; longer ones first, because names may be written in one word.
const PARTS: [(&str, Part); 9] = [
    ("validation", Part::Validation),
    ("training", Part::Train),
    ("testing", Part::Test),
    ("train", Part::Train),
    ("valid", Part::Validation),
    ("t10k", Part::Test),
    ("test", Part::Test),
    ("val", Part::Validation),
    ("dev", Part::Validation),
];

/// What an array is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Images, and the precedence of the name.
    Images(usize),
    Labels(usize),
    Names,
    Classes,
}

/// What an array is, and of which part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) kind: Kind,
    /// `None` if the name does not say.
    pub(super) part: Option<Part>,
}

impl Role {
    /// The role that a name says.
    pub(super) fn of(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        if CLASSES.contains(&name.as_str()) {
            return Some(Self { kind: Kind::Classes, part: None });
        }
        // The names that NumPy gives to arrays without one.
        let numbered = match name.as_str() {
            "arr_0" => Some(Kind::Images(IMAGES.len())),
            "arr_1" => Some(Kind::Labels(LABELS.len())),
            _ => None,
        };
        if let Some(kind) = numbered {
            return Some(Self { kind, part: None });
        }
        let (mut kind, mut part) = (None, None);
        for word in name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            let (of_word, rest) = without_part(word);
            part = part.or(of_word);
            kind = kind.or_else(|| kind_of(rest));
        }
        // `train` alone is the images of that part.
        let kind = kind.or_else(|| part.map(|_| Kind::Images(IMAGES.len() + 1)))?;
        Some(Self { kind, part })
    }
}

fn kind_of(word: &str) -> Option<Kind> {
    let place = |words: &[&str]| words.iter().position(|&known| known == word);
    let images = place(&IMAGES).map(Kind::Images);
    images
        .or_else(|| place(&LABELS).map(Kind::Labels))
        .or_else(|| place(&NAMES).map(|_| Kind::Names))
}

/// A part that a word begins or ends with, and the rest: `xtrain`, `testimages`.
fn without_part(word: &str) -> (Option<Part>, &str) {
    for (known, part) in PARTS {
        let rest = word.strip_prefix(known).or_else(|| word.strip_suffix(known));
        if let Some(rest) = rest.filter(|rest| rest.is_empty() || kind_of(rest).is_some()) {
            return (Some(part), rest);
        }
    }
    (None, word)
}

/// Whether an array has numbers.
pub(super) fn is_number(array: &ArrayInfo) -> bool {
    matches!(array.dtype.get(1..2), Some("b" | "u" | "i" | "f"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_arrays_are() {
        let role = |name| Role::of(name).map(|role| (role.kind, role.part));
        for (name, part) in [
            ("x", None),
            ("x_train", Some(Part::Train)),
            ("X_test", Some(Part::Test)),
            ("train_images", Some(Part::Train)),
            ("images_val", Some(Part::Validation)),
            ("Xtrain", Some(Part::Train)),
            ("kmnist-test-imgs", Some(Part::Test)),
            ("validation_data", Some(Part::Validation)),
            ("arr_0", None),
            ("train", Some(Part::Train)),
        ] {
            let (kind, found) = role(name).unwrap();
            assert!(matches!(kind, Kind::Images(_)) && found == part, "{name}");
        }
        for (name, part) in [
            ("y", None),
            ("targets", None),
            ("ytest", Some(Part::Test)),
            ("k49-train-labels", Some(Part::Train)),
            ("val_labels", Some(Part::Validation)),
            ("arr_1", None),
        ] {
            let (kind, found) = role(name).unwrap();
            assert!(matches!(kind, Kind::Labels(_)) && found == part, "{name}");
        }
        assert_eq!(role("file_names"), Some((Kind::Names, None)));
        assert_eq!(role("Class_Names"), Some((Kind::Classes, None)));
        assert_eq!((role("weights"), role("trainer"), role("latest")), (None, None, None));
    }
}
