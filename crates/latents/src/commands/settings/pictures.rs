//! How pictures become images, as flags.

use clap::Args;
use latents::data::{Colour, Fit, Pictures, parse_size};

use super::{named, set, set_some};

/// How pictures of a folder, or images of an .npz file, become images of one shape. A flag that is not given leaves what was there
/// before.
#[derive(Debug, Args)]
#[command(next_help_heading = "Pictures (folders and .npz files)")]
pub(crate) struct PictureFlags {
    /// Height and width of all images, N or `HxW` [default: the pictures' own, or their median, at most 64]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    size: Option<[usize; 2]>,
    /// How a picture is brought to it: cut at the sides, filled up at the sides, or stretched [default: crop]
    #[arg(long, value_name = "HOW", value_parser = named::<Fit>(&["crop", "contain", "stretch"]))]
    fit: Option<Fit>,
    /// Make all images grey
    #[arg(long)]
    grey: bool,
    /// What is behind transparent pictures: white, black or #rrggbb [default: white]
    #[arg(long, value_name = "COLOUR")]
    background: Option<Colour>,
    /// Part of the images held out for testing, where there is no `test` beside `train` [default: 0.2]
    #[arg(long, value_name = "FRACTION")]
    test_fraction: Option<f64>,
    /// Seed of the choice of those [default: 0]
    #[arg(long, value_name = "N")]
    split_seed: Option<u64>,
    /// Stop at a picture that cannot be read, rather than leave it out
    #[arg(long)]
    strict: bool,
}

impl PictureFlags {
    /// Puts the flags that were given over the settings.
    pub(crate) fn apply(&self, pictures: &mut Pictures) {
        set_some(&mut pictures.size, self.size.as_ref());
        set(&mut pictures.fit, self.fit.as_ref());
        pictures.grey |= self.grey;
        set(&mut pictures.background, self.background.as_ref());
        set(&mut pictures.test_fraction, self.test_fraction.as_ref());
        set(&mut pictures.split_seed, self.split_seed.as_ref());
        pictures.strict |= self.strict;
    }

    /// The flags that were given, as they are written.
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
