//! What is worth a warning about a collection: copies, also across parts, pictures of one colour, classes that cannot be learnt or
//! measured, and a range of values that is mostly unused. Works on what was seen of each picture when it was decoded.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};

use crate::images::Pixels;
use crate::note::Note;
use crate::part::Part;
use crate::pictures::{Colour, Pictures};

/// Pictures of one colour are told from so many on, and from this fraction on.
const PLAIN: (usize, f64) = (2, 0.02);
/// A collection is told to be dark if its largest value is below this fraction of white.
const DARK: f64 = 0.25;

/// What was seen of the pixels of a picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// The same for the same pixels, and different for almost all others.
    digest: u64,
    least: u16,
    most: u16,
    /// The value of white.
    white: u16,
}

impl Seen {
    /// Of the pixels of one picture.
    pub(crate) fn of(pixels: Pixels<'_>) -> Self {
        // Each end by itself, which the compiler turns into vector instructions.
        let mut hasher = DefaultHasher::new();
        let (least, most, white) = match pixels {
            Pixels::Bytes(bytes) => {
                hasher.write(bytes);
                let least = bytes.iter().fold(u8::MAX, |a, &x| a.min(x));
                (least.into(), bytes.iter().fold(0, |a: u8, &x| a.max(x)).into(), 255)
            }
            Pixels::Words(words) => {
                hasher.write(bytemuck::cast_slice(words));
                let least = words.iter().fold(u16::MAX, |a, &x| a.min(x));
                (least, words.iter().fold(0, |a: u16, &x| a.max(x)), u16::MAX)
            }
        };
        Self { digest: hasher.finish(), least, most, white }
    }

    fn is_plain(self) -> bool {
        self.least == self.most
    }
}

/// For each picture the first one with the same pixels. Pictures of one colour are not copies of each other: they are what is left of
/// pictures that failed.
pub(crate) fn copies(seen: &[Seen]) -> Vec<usize> {
    let mut first: HashMap<u64, usize> = HashMap::new();
    let place = |(i, seen): (usize, &Seen)| {
        if seen.is_plain() { i } else { *first.entry(seen.digest).or_insert(i) }
    };
    seen.iter().enumerate().map(place).collect()
}

/// The warnings about pictures in these parts.
pub(crate) fn of(
    parts: &[Vec<usize>; 4],
    labels: &[Option<u16>],
    classes: &[String],
    copies: &[usize],
    seen: &[Seen],
    settings: &Pictures,
) -> Vec<Note> {
    let mut notes = vec![];
    let n = seen.len();
    let plain = seen.iter().filter(|seen| seen.is_plain()).count();
    if plain >= PLAIN.0 && plain as f64 >= PLAIN.1 * n as f64 {
        let Colour(background) = settings.background;
        let hidden = |seen: &&Seen| {
            seen.is_plain()
                && background.iter().all(|&b| seen.most == u16::from(b) * (seen.white / 255))
        };
        let hidden = seen.iter().filter(hidden).count();
        notes.push(Note::OneColour { pictures: plain, of: n, background: hidden == plain });
    }
    notes.extend(copied(parts, labels, copies));
    if !classes.is_empty() {
        notes.extend(uneven(parts, labels, classes));
    }
    let (least, most) =
        seen.iter().fold((u16::MAX, 0), |(a, b), s| (a.min(s.least), b.max(s.most)));
    let white = seen.first().map_or(255, |seen| seen.white);
    if plain < n && f64::from(most - least) < DARK * f64::from(white) {
        let unit = |x: u16| f64::from(x) / f64::from(white);
        notes.push(Note::UnusedRange { least: unit(least), most: unit(most) });
    }
    notes
}

/// Copies within the collection, and those on both sides of a split.
fn copied(parts: &[Vec<usize>; 4], labels: &[Option<u16>], copies: &[usize]) -> Vec<Note> {
    let mut notes = vec![];
    let mut size = vec![0usize; copies.len()];
    for &first in copies {
        size[first] += 1;
    }
    let groups = size.iter().filter(|&&n| n > 1).count();
    if groups == 0 {
        return notes;
    }
    let pictures = size.iter().filter(|&&n| n > 1).sum();
    notes.push(Note::Copies { groups, pictures });
    let mut trained: HashMap<usize, Vec<Option<u16>>> = HashMap::new();
    for &i in &parts[0] {
        trained.entry(copies[i]).or_default().push(labels[i]);
    }
    for (part, members) in Part::ALL.into_iter().zip(parts).skip(1) {
        let both: Vec<usize> =
            members.iter().copied().filter(|i| trained.contains_key(&copies[*i])).collect();
        if both.is_empty() {
            continue;
        }
        let differs = |i: &&usize| trained[&copies[**i]].iter().any(|l| *l != labels[**i]);
        let other_class = both.iter().filter(differs).count();
        let of = members.len();
        notes.push(Note::CopiesAcrossParts { part, pictures: both.len(), of, other_class });
    }
    notes
}

/// Classes that are in one part only, or have one picture.
fn uneven(parts: &[Vec<usize>; 4], labels: &[Option<u16>], classes: &[String]) -> Vec<Note> {
    let mut notes = vec![];
    let mut counts = vec![[0usize; 4]; classes.len()];
    for (part, members) in parts.iter().enumerate() {
        for label in members.iter().filter_map(|&i| labels[i]) {
            counts[usize::from(label)][part] += 1;
        }
    }
    let named = |which: &dyn Fn(&[usize; 4]) -> bool| -> Vec<String> {
        let found = classes.iter().zip(&counts).filter(|(_, counts)| which(counts));
        found.map(|(name, _)| name.clone()).collect()
    };
    let labelled = |part: usize| counts.iter().any(|counts| counts[part] > 0);
    let single = named(&|counts| counts.iter().sum::<usize>() == 1);
    if !single.is_empty() {
        notes.push(Note::SinglePictures { classes: single });
    }
    for part in [1, 2] {
        if !labelled(0) || !labelled(part) {
            continue;
        }
        let untrained = named(&|counts| counts[0] == 0 && counts[part] > 0);
        if !untrained.is_empty() {
            notes.push(Note::OnlyInPart { part: Part::ALL[part], classes: untrained });
        }
    }
    let unmeasured = named(&|counts| counts[0] > 1 && counts[1] == 0 && counts[2] == 0);
    if labelled(0) && labelled(2) && !unmeasured.is_empty() {
        notes.push(Note::OnlyInPart { part: Part::Train, classes: unmeasured });
    }
    let empty = named(&|counts| counts.iter().sum::<usize>() == 0);
    if !empty.is_empty() {
        notes.push(Note::EmptyClasses { classes: empty });
    }
    notes
}
