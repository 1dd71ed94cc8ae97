//! How pictures become images, as flags.

use clap::Args;
use latents::data::{Colour, Fit, Pages, Range, Scale, parse_shape, parse_size};
use latents::train::Error;
use latents::{Pictures, RunConfig, SettingsLayer};

use super::{named, put, put_switch};

/// A shape; a list by itself would be several values to the parser of flags.
#[derive(Clone, Debug)]
struct Shape(Vec<usize>);

impl Shape {
    fn written(&self) -> String {
        self.0.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
    }
}

fn shape(text: &str) -> Result<Shape, String> {
    parse_shape(text).map(Shape)
}

/// How pictures of a folder, or images of an .npz file, become images of one shape. A flag that is not given leaves the setting as it is.
#[derive(Debug, Args)]
#[command(next_help_heading = "Pictures (folders and .npz files)")]
#[allow(clippy::struct_excessive_bools)] // Switches of a command line.
pub(crate) struct PictureFlags {
    /// Height and width of all images, N or `HxW` [default: the pictures' own, or their median, at most 64]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    size: Option<[usize; 2]>,
    /// How a picture is fitted to it: cropped at the sides, padded at the sides (contain), or stretched [default: contain for transparent pictures, crop for others]
    #[arg(long, value_name = "HOW", value_parser = named::<Fit>(&["auto", "crop", "contain", "stretch"]))]
    fit: Option<Fit>,
    /// Convert all images to grey
    #[arg(long)]
    grey: bool,
    /// Colour behind transparent pictures: white, black or #rrggbb [default: white]
    #[arg(long, value_name = "COLOUR")]
    background: Option<Colour>,
    /// Height and width of images in rows of numbers, `28x28`, or `3x32x32` with channels [default: square]
    #[arg(long, value_name = "SHAPE", value_parser = shape)]
    shape: Option<Shape>,
    /// Which label gives the classes, if there are several for each image
    #[arg(long, value_name = "NAME")]
    label: Option<String>,
    /// Table of labels: FILE, or `FILE:file=COLUMN,label=COLUMN` [default: `metadata.csv` or the like, or the only table beside the pictures]
    #[arg(long, value_name = "TABLE")]
    labels: Option<String>,
    /// Regular expression whose first group is the label, in the names of the files, such as '^(\w+)\.'
    #[arg(long, value_name = "REGEX")]
    label_pattern: Option<String>,
    /// Exchange rows and columns of images in IDX files, arrays or tables (EMNIST)
    #[arg(long)]
    transpose: bool,
    /// Values that become black and white: auto, 0..4095, p1..p99 (percentiles), or a pair for each channel [default: auto]
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    range: Option<Range>,
    /// Find the range of each channel by itself
    #[arg(long)]
    range_per_channel: bool,
    /// How values between black and white are scaled: linear, asinh or log [default: linear]
    #[arg(long, value_name = "SCALE", value_parser = named::<Scale>(&["linear", "asinh", "log"]))]
    scale: Option<Scale>,
    /// What the pages of a TIFF, FITS or DICOM file are: pictures or channels [default: pictures]
    #[arg(long, value_name = "WHAT", value_parser = named::<Pages>(&["pictures", "channels"]))]
    pages: Option<Pages>,
    /// Fraction of the images held out for testing, if the source has no test part [default: 0.2]
    #[arg(long, value_name = "FRACTION")]
    test_fraction: Option<f64>,
    /// Seed by which those are chosen [default: 0]
    #[arg(long, value_name = "N")]
    split_seed: Option<u64>,
    /// Let copies of one picture be on both sides of that split
    #[arg(long)]
    split_copies: bool,
    /// Fail if a picture cannot be read, rather than leave it out
    #[arg(long)]
    strict: bool,
}

impl PictureFlags {
    /// Adds the flags that were given to a layer of settings.
    pub(super) fn apply(&self, layer: &mut SettingsLayer) -> Result<(), Error> {
        put(layer, "data.pictures.size", self.size.as_ref())?;
        put(layer, "data.pictures.fit", self.fit.as_ref())?;
        put(layer, "data.pictures.shape", self.shape.as_ref().map(|shape| &shape.0))?;
        put(layer, "data.pictures.label", self.label.as_ref())?;
        put(layer, "data.pictures.labels", self.labels.as_ref())?;
        put(layer, "data.pictures.label_pattern", self.label_pattern.as_ref())?;
        put_switch(layer, "data.pictures.transpose", self.transpose)?;
        put_switch(layer, "data.pictures.grey", self.grey)?;
        put(layer, "data.pictures.background", self.background.as_ref())?;
        put(layer, "data.pictures.range", self.range.as_ref())?;
        put_switch(layer, "data.pictures.range_per_channel", self.range_per_channel)?;
        put(layer, "data.pictures.scale", self.scale.as_ref())?;
        put(layer, "data.pictures.pages", self.pages.as_ref())?;
        if self.split_copies {
            put(layer, "data.pictures.keep_copies_together", Some(&false))?;
        }
        put(layer, "data.pictures.test_fraction", self.test_fraction.as_ref())?;
        put(layer, "data.pictures.split_seed", self.split_seed.as_ref())?;
        put_switch(layer, "data.pictures.strict", self.strict)
    }

    /// The settings of pictures that the flags give.
    pub(crate) fn pictures(&self) -> Result<Pictures, Error> {
        let mut layer = SettingsLayer::default();
        self.apply(&mut layer)?;
        Ok(RunConfig::default().with_layers([&layer])?.data.pictures)
    }

    /// The flags that were given, as words of a command line.
    pub(crate) fn words(&self) -> Vec<String> {
        let pairs = [
            ("--size", self.size.map(|[h, w]| format!("{h}x{w}"))),
            ("--fit", self.fit.as_ref().map(written)),
            ("--shape", self.shape.as_ref().map(Shape::written)),
            ("--label", self.label.clone()),
            ("--labels", self.labels.clone()),
            ("--label-pattern", self.label_pattern.clone()),
            ("--background", self.background.as_ref().map(written)),
            ("--range", self.range.as_ref().map(written)),
            ("--scale", self.scale.as_ref().map(written)),
            ("--pages", self.pages.as_ref().map(written)),
            ("--test-fraction", self.test_fraction.map(|x| x.to_string())),
            ("--split-seed", self.split_seed.map(|x| x.to_string())),
        ];
        let pairs = pairs.into_iter().filter_map(|(flag, value)| Some([flag.to_owned(), value?]));
        let switches = [
            (self.transpose, "--transpose"),
            (self.grey, "--grey"),
            (self.range_per_channel, "--range-per-channel"),
            (self.split_copies, "--split-copies"),
            (self.strict, "--strict"),
        ];
        let switches =
            switches.into_iter().filter(|(given, _)| *given).map(|(_, flag)| flag.into());
        pairs.flatten().chain(switches).collect()
    }
}

/// A setting as files of settings write it.
fn written(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        other => other.unwrap_or_default().to_string(),
    }
}
