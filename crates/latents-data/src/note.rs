//! Notes on what a reader of a source chose or left out. Readers of folders and arrays make them; a front end prints them, and can
//! match a variant to add a hint of its own.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::list_some;
use crate::npz::ArrayInfo;
use crate::pictures::Fit;

/// Something that people should know about how a data set was read. `Display` gives one line of text.
///
/// ```
/// use latents_data::Note;
///
/// let note = Note::HeldOut { held_out: 20, of: 100, stratified: false };
/// assert_eq!(note.to_string(), "20 of 100 held out for testing");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Note {
    /// All pictures already have the size of the images.
    SameSize {
        /// Height and width, in pixels.
        size: [usize; 2],
    },
    /// Pictures were brought to one size: [`Pictures::size`](crate::Pictures::size), or a size chosen for them.
    Resized {
        /// Height and width of the picture with the fewest pixels.
        smallest: [u32; 2],
        /// Height and width of the picture with the most pixels.
        largest: [u32; 2],
        /// How they were resized.
        fit: Fit,
        /// Height and width of the images.
        size: [usize; 2],
    },
    /// The folder has sub-folders `train` and `test`; pictures outside them were left out.
    OutsideTrainAndTest {
        /// How many pictures were left out.
        pictures: usize,
    },
    /// Labels were taken from sub-folders.
    ClassesFromFolders {
        /// The number of classes.
        classes: usize,
    },
    /// There are no labels: no picture is in a sub-folder.
    NoFolders,
    /// There are no labels: some pictures are in no sub-folder.
    PicturesOutsideFolders {
        /// How many pictures are in no sub-folder.
        pictures: usize,
    },
    /// There are no labels: all pictures are in the same sub-folder.
    OneFolder,
    /// There are no labels: there are more sub-folders than there can be classes.
    TooManyFolders {
        /// The number of sub-folders.
        folders: usize,
        /// The largest number of classes.
        limit: usize,
    },
    /// Sub-folders `train` and `test` are the two parts.
    PartsFromFolders,
    /// The source has no test part, so some images were held out at random as one: see
    /// [`Pictures::test_fraction`](crate::Pictures::test_fraction) and [`Pictures::split_seed`](crate::Pictures::split_seed).
    HeldOut {
        /// How many images were held out.
        held_out: usize,
        /// How many images there are in all.
        of: usize,
        /// Whether the same fraction of each class was held out.
        stratified: bool,
    },
    /// Pictures that cannot be read were left out.
    Unreadable {
        /// Their names, with reasons.
        pictures: Vec<(String, String)>,
    },
    /// Files that are not pictures were ignored.
    OtherFiles {
        /// The number of files of each extension (in lower case, without the dot; empty for files without one).
        extensions: BTreeMap<String, usize>,
    },
    /// Which array the images of a part are from, and how it was read.
    ImagesFromArray {
        /// The array.
        array: ArrayInfo,
        /// How its axes were read.
        axes: AxisOrder,
        /// Shape of one image of the array, `[c, h, w]`.
        image: [usize; 3],
        /// The values that became black and white.
        range: [f64; 2],
    },
    /// There are no labels: no array has the name of one of labels.
    NoLabelArray,
    /// There are no labels: the array of labels has more different values than there can be classes.
    TooManyLabels {
        /// The array.
        array: ArrayInfo,
        /// The number of different values.
        labels: usize,
        /// The largest number of classes.
        limit: usize,
    },
    /// Which array the labels are from.
    ClassesFromArray {
        /// The array; of the training part, if there are two.
        array: ArrayInfo,
        /// The number of classes.
        classes: usize,
    },
}

/// How the axes of an array of images were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AxisOrder {
    /// `[n, h, w]`: grey.
    Grey,
    /// `[n, c * h * w]`: each row is a square image.
    Flat,
    /// `[n, c, h, w]`.
    ChannelsFirst,
    /// `[n, h, w, c]`.
    ChannelsLast,
}

impl fmt::Display for Note {
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
                    Fit::Crop => "cropped and scaled",
                    Fit::Contain => "scaled and padded",
                    Fit::Stretch => "stretched",
                };
                write!(f, " pixels (height x width), {how} to {h} x {w}")
            }
            Self::OutsideTrainAndTest { pictures } => {
                let pictures = count(*pictures, "picture", "pictures");
                write!(f, "{pictures} outside the sub-folders train and test left out")
            }
            Self::ClassesFromFolders { classes } => {
                let classes = count(*classes, "class", "classes");
                write!(f, "{classes} from the sub-folders")
            }
            Self::NoFolders => f.write_str("no labels: there are no sub-folders"),
            Self::PicturesOutsideFolders { pictures } => {
                let pictures = count(*pictures, "picture", "pictures");
                write!(f, "no labels: {pictures} outside the sub-folders")
            }
            Self::OneFolder => f.write_str("no labels: all pictures are in one sub-folder"),
            Self::TooManyFolders { folders, limit } => {
                write!(f, "no labels: there are {folders} sub-folders, but at most {limit} classes")
            }
            Self::PartsFromFolders => {
                f.write_str("training and test images from the sub-folders train and test")
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
            Self::TooManyLabels { array, labels, limit } => {
                let but = "different values, but there are at most";
                write!(f, "no labels: array {array} has {labels} {but} {limit} classes")
            }
            Self::ClassesFromArray { array, classes } => {
                let classes = count(*classes, "class", "classes");
                write!(f, "{classes} from array {array}")
            }
        }
    }
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
                Note::OutsideTrainAndTest { pictures: 3 },
                "3 pictures outside the sub-folders train and test left out",
            ),
            (Note::ClassesFromFolders { classes: 7 }, "7 classes from the sub-folders"),
            (Note::NoFolders, "no labels: there are no sub-folders"),
            (
                Note::PicturesOutsideFolders { pictures: 1 },
                "no labels: 1 picture outside the sub-folders",
            ),
            (Note::OneFolder, "no labels: all pictures are in one sub-folder"),
            (
                Note::TooManyFolders { folders: 300, limit: 256 },
                "no labels: there are 300 sub-folders, but at most 256 classes",
            ),
            (
                Note::PartsFromFolders,
                "training and test images from the sub-folders train and test",
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
                Note::TooManyLabels { array: array.clone(), labels: 300, limit: 256 },
                "no labels: array `x` [2, 3, 4, 4] of |u1 has 300 different values, but there are at most 256 classes",
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
