//! Which images a command works on, as flags.

use clap::Args;
use latents::Selection;

use crate::commands::Split;

/// Images of the run, or others.
#[derive(Debug, Args)]
pub(crate) struct ImageFlags {
    /// Which images of the run's data set, or all of them
    #[arg(long, value_enum, default_value = "test")]
    split: Split,
    /// Images that the run has not seen, instead: a folder of pictures, a file of arrays, or the test part of a named data set
    #[arg(long, value_name = "SOURCE", conflicts_with = "split")]
    data: Option<String>,
}

impl ImageFlags {
    pub(crate) fn selection(&self) -> Selection {
        match &self.data {
            Some(source) => Selection::Source(source.clone()),
            None => self.split.into(),
        }
    }
}
