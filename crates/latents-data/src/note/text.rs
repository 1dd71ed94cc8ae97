//! The text of each note, one line.

use std::collections::BTreeMap;
use std::fmt;

use super::{AxisOrder, Note};
use crate::error::list_some;
use crate::part::Part;
use crate::pictures::Fit;

impl fmt::Display for Note {
    #[allow(clippy::too_many_lines)] // An arm for each variant.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameSize { size: [h, w] } => write!(f, "pictures of {h} x {w} pixels"),
            Self::Resized { smallest, largest, fit, size: [h, w] } => {
                let [sh, sw] = smallest;
                write!(f, "pictures of {sh} x {sw}")?;
                if largest != smallest {
                    write!(f, " to {} x {}", largest[0], largest[1])?;
                }
                let how = match fit {
                    Fit::Auto | Fit::Crop => "cropped and scaled",
                    Fit::Contain => "scaled and padded",
                    Fit::Stretch => "stretched",
                };
                write!(f, " pixels (height x width), {how} to {h} x {w}")
            }
            Self::Wrapped { folder } => write!(f, "all pictures are in the sub-folder {folder}"),
            Self::OutsideParts { pictures } => {
                let pictures = count(*pictures, "picture", "pictures");
                write!(f, "{pictures} outside the sub-folders of the parts left out")
            }
            Self::ClassesFromFolders { classes } => {
                let classes = count(*classes, "class", "classes");
                write!(f, "{classes} from the sub-folders")
            }
            Self::NoFolders => f.write_str("no labels: there are no sub-folders"),
            Self::Strays { pictures, example } => {
                let such = if *pictures == 1 { "" } else { "such as " };
                let pictures = count(*pictures, "picture", "pictures");
                write!(f, "{pictures} beside the sub-folders left out: {such}{example}")
            }
            Self::LabelTable { table } => write!(f, "labels from the table {table}"),
            Self::TableIgnored { table, reason } => {
                write!(f, "the table {table} beside the pictures was not read: {reason}")
            }
            Self::ClassesFromColumn { column, classes } => {
                let classes = count(*classes, "class", "classes");
                write!(f, "{classes} from the column `{column}`")
            }
            Self::LabelColumns { columns } => {
                write!(f, "no labels: choose one of the columns {}", columns.join(", "))
            }
            Self::ClassesFromNames { classes } => {
                let classes = count(*classes, "class", "classes");
                write!(f, "{classes} from the names of the files")
            }
            Self::NotInTable { pictures } => {
                let pictures = count(*pictures, "picture has", "pictures have");
                write!(f, "{pictures} no label")
            }
            Self::LabelsWithoutPicture { labels } => {
                let labels = count(*labels, "row", "rows");
                write!(f, "{labels} of the table of labels without a picture")
            }
            Self::WithoutLabel { pictures } => {
                let pictures = count(*pictures, "picture", "pictures");
                write!(f, "{pictures} outside the sub-folders: without a label")
            }
            Self::PartWithoutLabels { part, pictures } => {
                let pictures = count(*pictures, "picture", "pictures");
                write!(f, "the {part} part has no labels: {pictures} set aside as unlabelled")
            }
            Self::OneFolder => f.write_str("no labels: all pictures are in one sub-folder"),
            Self::TooManyFolders { folders, limit } => {
                write!(f, "no labels: there are {folders} sub-folders, but at most {limit} classes")
            }
            Self::PartsFromFolders { folders } => {
                let one = |(part, names): &(Part, Vec<String>)| {
                    format!("{part} from {}", names.join(" and "))
                };
                let all: Vec<String> = folders.iter().map(one).collect();
                write!(f, "parts from the sub-folders: {}", all.join(", "))
            }
            Self::HeldOut { held_out, of, stratified } => {
                let alike = if *stratified { ", the same fraction of each class" } else { "" };
                write!(f, "{held_out} of {of} held out for testing{alike}")
            }
            Self::Unreadable { pictures } => {
                let n = count(pictures.len(), "unreadable picture", "unreadable pictures");
                write!(f, "{n} left out: {}", list_some(pictures))
            }
            Self::OtherFiles { extensions } => {
                write!(f, "files that are not pictures were ignored: {}", list_files(extensions))
            }
            Self::SpecialFiles { files } => {
                let files = count(*files, "pipe, socket or device", "pipes, sockets or devices");
                write!(f, "{files} skipped")
            }
            Self::RangeOfValues { least, most, range } => {
                let ends =
                    |[black, white]: &[f64; 2]| format!("{black} is black and {white} white");
                let ends: Vec<String> = range.iter().map(ends).collect();
                write!(f, "values from {least} to {most}; {}", ends.join(", "))
            }
            Self::Clipped { values, of } => {
                let share = 100.0 * *values as f64 / (*of).max(1) as f64;
                write!(f, "{values} of {of} values ({share:.2} %) outside the range were clipped")
            }
            Self::OneColour { pictures, of, background } => {
                write!(f, "{pictures} of {of} pictures have one colour only")?;
                if *background {
                    f.write_str(", that of the background behind transparent pictures: choose another background")?;
                }
                Ok(())
            }
            Self::Copies { groups: 1, pictures } => {
                write!(f, "{pictures} pictures are copies of one")
            }
            Self::Copies { groups, pictures } => {
                write!(
                    f,
                    "{pictures} pictures are copies: {groups} different ones, each at least twice"
                )
            }
            Self::CopiesAcrossParts { part, pictures, of, other_class } => {
                write!(
                    f,
                    "{pictures} of {of} {part} images are copies of training images, so results on them are too good"
                )?;
                if *other_class > 0 {
                    write!(f, "; {other_class} of these have another class there")?;
                }
                Ok(())
            }
            Self::SinglePictures { classes } => {
                let number = count(classes.len(), "class has", "classes have");
                write!(f, "{number} a single picture: {}", some(classes))
            }
            Self::OnlyInPart { part, classes } => {
                let number = count(classes.len(), "class is", "classes are");
                write!(f, "{number} only in the {part} part: {}", some(classes))
            }
            Self::EmptyClasses { classes } => {
                let number = count(classes.len(), "class has", "classes have");
                write!(f, "{number} no picture: {}", some(classes))
            }
            Self::ImagesBesideMasks { images, masks } => {
                write!(
                    f,
                    "{masks} looks like the masks of {images}, and both were read as classes: open the folder {images} alone"
                )
            }
            Self::UnusedRange { least, most } => {
                let percent = |x: f64| (100.0 * x).round();
                write!(
                    f,
                    "all pixels are between {} % and {} % of the way from black to white: choose a range of values",
                    percent(*least),
                    percent(*most)
                )
            }
            Self::ImagesFromArray { array, axes, image: [c, h, w], range: [black, white] } => {
                write!(f, "images from array {array}")?;
                match axes {
                    AxisOrder::Grey => {}
                    AxisOrder::Flat => write!(f, ", each row {c} x {h} x {w}")?,
                    AxisOrder::ChannelsFirst => write!(f, ", channels first: {c} x {h} x {w}")?,
                    AxisOrder::ChannelsLast => write!(f, ", channels last: {h} x {w} x {c}")?,
                }
                write!(f, "; {black} is black and {white} white")
            }
            Self::NoLabelArray => f.write_str("no labels: there is no array `label` [n]"),
            Self::UnreadableLabels { array, reason } => {
                write!(f, "no labels: array `{array}` cannot be read: {reason}")
            }
            Self::SeveralLabels { array, labels } => {
                write!(f, "no labels: array {array} has {labels} of each image; choose one")
            }
            Self::TooManyLabels { labels, limit } => {
                let but = "different values, but there are at most";
                write!(f, "no labels: they have {labels} {but} {limit} classes")
            }
            Self::ClassesFromArray { array, classes } => {
                let classes = count(*classes, "class", "classes");
                write!(f, "{classes} from array {array}")
            }
        }
    }
}

/// The first few of some names.
fn some(names: &[String]) -> String {
    const SOME: usize = 5;
    let mut list = names.iter().take(SOME).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SOME {
        list = format!("{list} and {} more", names.len() - SOME);
    }
    list
}

/// A number and a noun.
fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// How many files there are of each extension: `.heic (1), .txt (3)`; empty if there are none.
pub(crate) fn list_files(extensions: &BTreeMap<String, usize>) -> String {
    let one = |(extension, n): (&String, &usize)| match extension.as_str() {
        "" => format!("without an extension ({n})"),
        _ => format!(".{extension} ({n})"),
    };
    extensions.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::npz::ArrayInfo;

    #[test]
    fn each_note_is_one_line_without_flags() {
        let array = ArrayInfo { name: "x".into(), dtype: "|u1".into(), shape: vec![2, 3, 4, 4] };
        let extensions = [(String::new(), 2), ("txt".into(), 1)].into();
        let pictures = vec![("a.png".into(), "it is empty".into())];
        let (smallest, largest, size) = ([4, 5], [40, 50], [8, 8]);
        let cases = [
            (Note::SameSize { size }, "pictures of 8 x 8 pixels"),
            (
                Note::Resized { smallest, largest, fit: Fit::Crop, size },
                "pictures of 4 x 5 to 40 x 50 pixels (height x width), cropped and scaled to 8 x 8",
            ),
            (
                Note::Resized { smallest, largest: smallest, fit: Fit::Contain, size },
                "pictures of 4 x 5 pixels (height x width), scaled and padded to 8 x 8",
            ),
            (
                Note::OutsideParts { pictures: 3 },
                "3 pictures outside the sub-folders of the parts left out",
            ),
            (Note::Wrapped { folder: "a/b".into() }, "all pictures are in the sub-folder a/b"),
            (
                Note::CopiesAcrossParts { part: Part::Test, pictures: 3, of: 20, other_class: 1 },
                "3 of 20 test images are copies of training images, so results on them are too good; 1 of these have another class there",
            ),
            (
                Note::SinglePictures {
                    classes: ["a", "b", "c", "d", "e", "f"].map(str::to_owned).into(),
                },
                "6 classes have a single picture: a, b, c, d, e and 1 more",
            ),
            (
                Note::UnusedRange { least: 0.0, most: 0.055 },
                "all pixels are between 0 % and 6 % of the way from black to white: choose a range of values",
            ),
            (
                Note::Clipped { values: 5, of: 200 },
                "5 of 200 values (2.50 %) outside the range were clipped",
            ),
            (Note::ClassesFromFolders { classes: 7 }, "7 classes from the sub-folders"),
            (Note::NoFolders, "no labels: there are no sub-folders"),
            (
                Note::Strays { pictures: 1, example: "x.png".into() },
                "1 picture beside the sub-folders left out: x.png",
            ),
            (Note::OneFolder, "no labels: all pictures are in one sub-folder"),
            (
                Note::TooManyFolders { folders: 300, limit: 256 },
                "no labels: there are 300 sub-folders, but at most 256 classes",
            ),
            (
                Note::PartsFromFolders {
                    folders: vec![
                        (Part::Train, vec!["a".into()]),
                        (Part::Test, vec!["b".into(), "c".into()]),
                    ],
                },
                "parts from the sub-folders: train from a, test from b and c",
            ),
            (
                Note::HeldOut { held_out: 2, of: 10, stratified: true },
                "2 of 10 held out for testing, the same fraction of each class",
            ),
            (Note::Unreadable { pictures }, "1 unreadable picture left out: a.png (it is empty)"),
            (
                Note::OtherFiles { extensions },
                "files that are not pictures were ignored: without an extension (2), .txt (1)",
            ),
            (
                Note::ImagesFromArray {
                    array: array.clone(),
                    axes: AxisOrder::ChannelsFirst,
                    image: [3, 4, 4],
                    range: [-1.0, 1.0],
                },
                "images from array `x` [2, 3, 4, 4] of |u1, channels first: 3 x 4 x 4; -1 is black and 1 white",
            ),
            (Note::NoLabelArray, "no labels: there is no array `label` [n]"),
            (
                Note::TooManyLabels { labels: 70_000, limit: 65_536 },
                "no labels: they have 70000 different values, but there are at most 65536 classes",
            ),
            (
                Note::SeveralLabels { array: array.clone(), labels: 14 },
                "no labels: array `x` [2, 3, 4, 4] of |u1 has 14 of each image; choose one",
            ),
            (
                Note::ClassesFromArray { array, classes: 4 },
                "4 classes from array `x` [2, 3, 4, 4] of |u1",
            ),
        ];
        for (note, text) in cases {
            assert_eq!(note.to_string(), text);
            let json = serde_json::to_string(&note).unwrap();
            assert_eq!(serde_json::from_str::<Note>(&json).unwrap(), note, "{json}");
        }
    }
}
