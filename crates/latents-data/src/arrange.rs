//! From what a source says of each image (its part, its label as text) to the parts and the classes of a data set. Every source that
//! has more than one fixed form goes through here, so that labels, held-out images and copies are treated alike.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use crate::note::Note;
use crate::part::Part;
use crate::pictures::Pictures;
use crate::split::{hold_out, strata};

/// What a source says of each of its images, in its order.
pub(crate) struct Described<'a> {
    /// The part; `None` if the source does not say.
    pub(crate) parts: Vec<Option<Part>>,
    /// The class of each image that has one.
    pub(crate) labels: &'a [Option<u16>],
    /// For each image the first image with the same pixels.
    pub(crate) copies: Vec<usize>,
}

/// The images of each part, in the order of [`Part::ALL`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arranged(pub(crate) [Vec<usize>; 4]);

impl Described<'_> {
    /// Assigns each image to a part. A part without labels is set aside if the training part has labels. If there is no test part, a
    /// part of the training images is held out; copies of one image stay on one side if the settings say so.
    pub(crate) fn arrange(&self, settings: &Pictures, notes: &mut Vec<Note>) -> Arranged {
        let mut parts: Vec<Part> = self.parts.iter().map(|p| p.unwrap_or(Part::Train)).collect();
        let labelled = |parts: &[Part], part| {
            (0..parts.len()).any(|i| parts[i] == part && self.labels[i].is_some())
        };
        if labelled(&parts, Part::Train) {
            for part in [Part::Validation, Part::Test] {
                let members: Vec<usize> = (0..parts.len()).filter(|&i| parts[i] == part).collect();
                if !members.is_empty() && !labelled(&parts, part) {
                    notes.push(Note::PartWithoutLabels { part, pictures: members.len() });
                    for i in members {
                        parts[i] = Part::Unlabelled;
                    }
                }
            }
        }
        if !parts.contains(&Part::Test) {
            let training: Vec<usize> =
                (0..parts.len()).filter(|&i| parts[i] == Part::Train).collect();
            let held = self.hold_out(&training, settings);
            if settings.test_fraction > 0.0 {
                notes.push(Note::HeldOut {
                    held_out: held.iter().filter(|&&held| held).count(),
                    of: training.len(),
                    stratified: training.iter().any(|&i| self.labels[i].is_some()),
                });
            }
            for (&i, held) in training.iter().zip(held) {
                parts[i] = if held { Part::Test } else { Part::Train };
            }
        }
        Arranged(Part::ALL.map(|part| (0..parts.len()).filter(|&i| parts[i] == part).collect()))
    }

    /// Which of these images are held out.
    fn hold_out(&self, members: &[usize], settings: &Pictures) -> Vec<bool> {
        let strata = strata(members.iter().map(|&i| self.labels[i]));
        let held = hold_out(&strata, settings.test_fraction, settings.split_seed);
        if !settings.keep_copies_together {
            return held;
        }
        let mut first: BTreeMap<usize, bool> = BTreeMap::new();
        let side = |(&i, &held): (&usize, &bool)| *first.entry(self.copies[i]).or_insert(held);
        let together: Vec<bool> = members.iter().zip(&held).map(side).collect();
        // If all are copies of a few, one side would be empty.
        let both = |held: &[bool]| held.contains(&true) && held.contains(&false);
        if both(&together) || !both(&held) { together } else { held }
    }
}

/// The names of the classes in natural order, and the class of each image. Labels that are whole numbers from 0 to 255, or from 0
/// and mostly in use, or that `names` names, stay as they are.
pub fn classes(
    labels: &[Option<String>],
    names: Option<Vec<String>>,
) -> Result<(Vec<String>, Vec<Option<u16>>), TooMany> {
    let number = |text: &Option<String>| text.as_ref().map(|t| t.parse::<u16>().ok());
    let numbers: Vec<Option<Option<u16>>> = labels.iter().map(number).collect();
    let distinct: BTreeSet<&String> = labels.iter().flatten().collect();
    if distinct.is_empty() {
        return Ok((vec![], vec![None; labels.len()]));
    }
    let last = numbers.iter().flatten().map(|n| n.unwrap_or(u16::MAX)).max().unwrap_or_default();
    let named = names.as_ref().is_some_and(|names| names.len() > usize::from(last));
    let dense = last <= 255 || usize::from(last) < 2 * distinct.len();
    let counted = !numbers.contains(&Some(None)) && (named || dense);
    if counted {
        let names = names.filter(|names| names.len() > usize::from(last));
        let names = names.unwrap_or_else(|| (0..=last).map(|class| class.to_string()).collect());
        if names.len() <= 1 << 16 {
            return Ok((names, numbers.into_iter().map(Option::flatten).collect()));
        }
    }
    let mut classes: Vec<&String> = distinct.into_iter().collect();
    classes.sort_by(|a, b| natural(a, b));
    if classes.len() > 1 << 16 {
        return Err(TooMany(classes.len()));
    }
    let numbers: BTreeMap<&String, u16> =
        classes.iter().enumerate().map(|(i, &class)| (class, i as u16)).collect();
    let labels = labels.iter().map(|label| label.as_ref().map(|label| numbers[label])).collect();
    Ok((classes.into_iter().cloned().collect(), labels))
}

/// More different labels, so many, than there can be classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany(pub usize);

/// Natural order: runs of digits are compared as numbers, so that 2 comes before 10.
pub(crate) fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    while !left.is_empty() && !right.is_empty() {
        let (x, y) = (run(left), run(right));
        let order = if x.starts_with(|c: char| c.is_ascii_digit())
            && y.starts_with(|c: char| c.is_ascii_digit())
        {
            let bare = |digits: &str| digits.trim_start_matches('0').to_owned();
            let (x, y) = (bare(x), bare(y));
            x.len().cmp(&y.len()).then(x.cmp(&y))
        } else {
            x.cmp(y)
        };
        if order.is_ne() {
            return order;
        }
        (left, right) = (&left[x.len()..], &right[y.len()..]);
    }
    left.len().cmp(&right.len()).then(a.cmp(b))
}

/// The first characters of a text that are all digits, or all no digits.
fn run(text: &str) -> &str {
    let digit = |c: char| c.is_ascii_digit();
    let first = text.starts_with(digit);
    let end = text.find(|c: char| digit(c) != first).unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(labels: &[&str]) -> Vec<Option<String>> {
        labels.iter().map(|l| (!l.is_empty()).then(|| (*l).to_owned())).collect()
    }

    #[test]
    fn classes_are_in_natural_order() {
        let (names, labels) = classes(&texts(&["id10", "id2", "", "Id1", "id2"]), None).unwrap();
        assert_eq!(names, ["Id1", "id2", "id10"]);
        assert_eq!(labels, [Some(2), Some(1), None, Some(0), Some(1)]);
        let mut all = ["b", "a10", "a9", "a09", "a", "", "10", "9", "a9b"];
        all.sort_by(|a, b| natural(a, b));
        assert_eq!(all, ["", "9", "10", "a", "a09", "a9", "a9b", "a10", "b"]);
        assert_eq!(natural("x007", "x7"), Ordering::Less);
    }

    #[test]
    fn numbers_stay_numbers() {
        let (names, labels) = classes(&texts(&["3", "0", ""]), None).unwrap();
        assert_eq!((names.len(), &*names[3]), (4, "3"));
        assert_eq!(labels, [Some(3), Some(0), None]);
        let given = Some(["w", "x", "y", "z"].map(str::to_owned).to_vec());
        assert_eq!(classes(&texts(&["3", "0"]), given).unwrap().0, ["w", "x", "y", "z"]);
        // Sparse large numbers are names.
        let (names, labels) = classes(&texts(&["70000", "1000"]), None).unwrap();
        assert_eq!((names, labels), (vec!["1000".into(), "70000".into()], vec![Some(1), Some(0)]));
        let dense: Vec<Option<String>> = (0..300).map(|i| Some(i.to_string())).collect();
        assert_eq!(classes(&dense, None).unwrap().1[299], Some(299));
        let many: Vec<Option<String>> = (0..65_537).map(|i| Some(format!("c{i}"))).collect();
        assert_eq!(classes(&many, None).unwrap_err(), TooMany(65_537));
        assert_eq!(classes(&many[1..], None).unwrap().0.len(), 65_536);
    }

    fn described(parts: &[Option<Part>], labels: &[Option<u16>]) -> [Vec<usize>; 4] {
        let copies = (0..parts.len()).collect();
        let described = Described { parts: parts.to_vec(), labels, copies };
        described.arrange(&Pictures::default(), &mut vec![]).0
    }

    #[test]
    fn a_part_without_labels_is_set_aside_and_a_labelled_one_held_out() {
        let parts = [[Some(Part::Train); 10].as_slice(), &[Some(Part::Test); 4]].concat();
        let labels: Vec<Option<u16>> = (0..14).map(|i| (i < 10).then_some(i % 2)).collect();
        let [train, validation, test, unlabelled] = described(&parts, &labels);
        assert_eq!((train.len(), validation.len(), test.len()), (8, 0, 2));
        assert_eq!(unlabelled, [10, 11, 12, 13]);
        // Without any labels, the test part is the test part.
        let [train, _, test, unlabelled] = described(&parts, &[None; 14]);
        assert_eq!((train.len(), test.len(), unlabelled.len()), (10, 4, 0));
        // A validation part does not replace a test part.
        let parts = [[Some(Part::Train); 10].as_slice(), &[Some(Part::Validation); 4]].concat();
        let [train, validation, test, _] = described(&parts, &[Some(0); 14]);
        assert_eq!((train.len(), validation.len(), test.len()), (8, 4, 2));
    }

    #[test]
    fn copies_stay_on_one_side() {
        let n = 200;
        let copies: Vec<usize> = (0..n).map(|i| i % (n / 2)).collect();
        let labels = vec![None; n];
        let sides = |together: bool| {
            let described =
                Described { parts: vec![None; n], labels: &labels, copies: copies.clone() };
            let settings = Pictures { keep_copies_together: together, ..Pictures::default() };
            let Arranged([train, _, test, _]) = described.arrange(&settings, &mut vec![]);
            test.iter().filter(|&&i| train.contains(&((i + n / 2) % n))).count()
        };
        assert_eq!(sides(true), 0);
        // Unless one side would be empty.
        let same = Described { parts: vec![None; n], labels: &labels, copies: vec![0; n] };
        let Arranged([train, _, test, _]) = same.arrange(&Pictures::default(), &mut vec![]);
        assert_eq!((train.len(), test.len()), (160, 40));
        assert!(sides(false) > 10);
    }
}
