//! How pictures become images, as flags.

use clap::Args;
use latents::data::{Colour, Fit, parse_size};
use latents::train::Error;
use latents::{Pictures, RunConfig, SettingsLayer};

use super::{named, put, put_switch};

/// How pictures of a folder, or images of an .npz file, become images of one shape. A flag that is not given leaves the setting as it is.
#[derive(Debug, Args)]
#[command(next_help_heading = "Pictures (folders and .npz files)")]
pub(crate) struct PictureFlags {
    /// Height and width of all images, N or `HxW` [default: the pictures' own, or their median, at most 64]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    size: Option<[usize; 2]>,
    /// How a picture is fitted to it: cropped at the sides, padded at the sides, or stretched [default: crop]
    #[arg(long, value_name = "HOW", value_parser = named::<Fit>(&["crop", "contain", "stretch"]))]
    fit: Option<Fit>,
    /// Convert all images to grey
    #[arg(long)]
    grey: bool,
    /// Colour behind transparent pictures: white, black or #rrggbb [default: white]
    #[arg(long, value_name = "COLOUR")]
    background: Option<Colour>,
    /// Fraction of the images held out for testing, if there are no folders `train` and `test` [default: 0.2]
    #[arg(long, value_name = "FRACTION")]
    test_fraction: Option<f64>,
    /// Seed by which those are chosen [default: 0]
    #[arg(long, value_name = "N")]
    split_seed: Option<u64>,
    /// Fail if a picture cannot be read, rather than leave it out
    #[arg(long)]
    strict: bool,
}

impl PictureFlags {
    /// Adds the flags that were given to a layer of settings.
    pub(super) fn apply(&self, layer: &mut SettingsLayer) -> Result<(), Error> {
        put(layer, "data.pictures.size", self.size.as_ref())?;
        put(layer, "data.pictures.fit", self.fit.as_ref())?;
        put_switch(layer, "data.pictures.grey", self.grey)?;
        put(layer, "data.pictures.background", self.background.as_ref())?;
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
            ("--background", self.background.as_ref().map(written)),
            ("--test-fraction", self.test_fraction.map(|x| x.to_string())),
            ("--split-seed", self.split_seed.map(|x| x.to_string())),
        ];
        let pairs = pairs.into_iter().filter_map(|(flag, value)| Some([flag.to_owned(), value?]));
        let switches = [(self.grey, "--grey"), (self.strict, "--strict")];
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
