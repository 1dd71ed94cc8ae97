//! Notes on what a reader of a source chose or left out. Readers of folders and arrays make them; a front end prints them, and can
//! match a variant to add a hint of its own. What each says is in `text`.

mod text;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::npz::ArrayInfo;
use crate::part::Part;
use crate::pictures::Fit;

pub(crate) use text::list_files;

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
    /// All pictures are in this sub-folder, which says nothing.
    Wrapped {
        /// The sub-folder.
        folder: String,
    },
    /// The folder has sub-folders for its parts; pictures outside them were left out.
    OutsideParts {
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
    /// Pictures beside the sub-folders of the classes were left out.
    Strays {
        /// How many.
        pictures: usize,
        /// The first of them.
        example: String,
    },
    /// Labels were taken from a table.
    LabelTable {
        /// The table's file.
        table: String,
    },
    /// A table beside the pictures was not read.
    TableIgnored {
        /// The table's file, or several.
        table: String,
        /// Why.
        reason: String,
    },
    /// Which column of a table the labels are from.
    ClassesFromColumn {
        /// The column.
        column: String,
        /// The number of classes.
        classes: usize,
    },
    /// There are no labels: a table has several columns that could be, and none was chosen.
    LabelColumns {
        /// The columns.
        columns: Vec<String>,
    },
    /// Labels were taken from the names of the files.
    ClassesFromNames {
        /// The number of classes.
        classes: usize,
    },
    /// Pictures have no label, because a table or a pattern does not name them.
    NotInTable {
        /// How many.
        pictures: usize,
    },
    /// Warning: rows of a table of labels name no picture.
    LabelsWithoutPicture {
        /// How many.
        labels: usize,
    },
    /// Pictures are in no sub-folder, and have no label.
    WithoutLabel {
        /// How many.
        pictures: usize,
    },
    /// A part without labels was set aside, because the training part has labels.
    PartWithoutLabels {
        /// Which part.
        part: Part,
        /// The number of its pictures.
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
    /// The parts are sub-folders.
    PartsFromFolders {
        /// The sub-folders of each part.
        folders: Vec<(Part, Vec<String>)>,
    },
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
    /// Pipes, sockets and devices were skipped.
    SpecialFiles {
        /// How many.
        files: usize,
    },
    /// Which values of pictures of more than 8 bits became black and white.
    RangeOfValues {
        /// The smallest value of all pictures.
        least: f64,
        /// The largest value.
        most: f64,
        /// The values that became black and white, of all channels or of each.
        range: Vec<[f64; 2]>,
    },
    /// Values outside the range were clipped.
    Clipped {
        /// How many.
        values: u64,
        /// Of how many.
        of: u64,
    },
    /// Warning: pictures have one colour only.
    OneColour {
        /// How many.
        pictures: usize,
        /// Of how many.
        of: usize,
        /// Whether it is the colour of the background, as of white drawings on transparency.
        background: bool,
    },
    /// Warning: pictures are copies of each other.
    Copies {
        /// The number of different pictures that have copies.
        groups: usize,
        /// The number of pictures that are one of several.
        pictures: usize,
    },
    /// Warning: pictures of a part are copies of training images, so that results on it are too good.
    CopiesAcrossParts {
        /// Which part.
        part: Part,
        /// How many of its pictures.
        pictures: usize,
        /// Of how many.
        of: usize,
        /// How many of them have another label than their copy.
        other_class: usize,
    },
    /// Warning: classes of one picture.
    SinglePictures {
        /// The classes.
        classes: Vec<String>,
    },
    /// Warning: classes that are in one part only.
    OnlyInPart {
        /// The part.
        part: Part,
        /// The classes.
        classes: Vec<String>,
    },
    /// Warning: classes without a picture.
    EmptyClasses {
        /// The classes.
        classes: Vec<String>,
    },
    /// Warning: a folder of pictures stands beside a folder of their masks, and both were taken for classes.
    ImagesBesideMasks {
        /// The folder of pictures.
        images: String,
        /// The folder of masks.
        masks: String,
    },
    /// Warning: most of the range from black to white is unused.
    UnusedRange {
        /// The smallest pixel, from 0 to 1.
        least: f64,
        /// The largest pixel.
        most: f64,
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
    /// There are no labels: the array of labels cannot be read, mostly because it has Python objects, which are never unpickled.
    UnreadableLabels {
        /// The array's name.
        array: String,
        /// Why.
        reason: String,
    },
    /// There are no labels: each image has several, and none was chosen.
    SeveralLabels {
        /// The array.
        array: ArrayInfo,
        /// The number of labels of each image.
        labels: usize,
    },
    /// There are no labels: there are more different ones than there can be classes.
    TooManyLabels {
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

impl Note {
    /// Sets the number of classes that labels turned out to have: numbers count from 0 to the largest.
    pub(crate) fn set_classes(&mut self, found: usize) {
        if let Self::ClassesFromArray { classes, .. } | Self::ClassesFromColumn { classes, .. } =
            self
        {
            *classes = found;
        }
    }

    /// Whether it tells how classes were found in folders.
    pub(crate) fn is_about_classes(&self) -> bool {
        matches!(
            self,
            Self::ClassesFromFolders { .. }
                | Self::NoFolders
                | Self::OneFolder
                | Self::Strays { .. }
                | Self::WithoutLabel { .. }
                | Self::ImagesBesideMasks { .. }
        )
    }

    /// Whether it says how many classes there are.
    pub(crate) fn counts_classes(&self) -> bool {
        matches!(
            self,
            Self::ClassesFromFolders { .. }
                | Self::ClassesFromColumn { .. }
                | Self::ClassesFromNames { .. }
                | Self::ClassesFromArray { .. }
        )
    }

    /// Whether it tells of something that may spoil results.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        matches!(
            self,
            Self::OneColour { .. }
                | Self::Copies { .. }
                | Self::CopiesAcrossParts { .. }
                | Self::SinglePictures { .. }
                | Self::OnlyInPart { .. }
                | Self::EmptyClasses { .. }
                | Self::ImagesBesideMasks { .. }
                | Self::UnusedRange { .. }
                | Self::LabelsWithoutPicture { .. }
                | Self::TooManyFolders { .. }
                | Self::TooManyLabels { .. }
        )
    }
}
