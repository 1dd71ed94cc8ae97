//! One module for each command, and what several of them share.

pub(crate) mod completions;
pub(crate) mod data;
pub(crate) mod decode;
pub(crate) mod duplicates;
pub(crate) mod encode;
pub(crate) mod evaluate;
pub(crate) mod figures;
pub(crate) mod init;
pub(crate) mod map;
pub(crate) mod merge;
pub(crate) mod outliers;
pub(crate) mod predict;
pub(crate) mod probe;
pub(crate) mod reconstruct;
pub(crate) mod sample;
pub(crate) mod search;
pub(crate) mod settings;
pub(crate) mod study;
pub(crate) mod train;
pub(crate) mod traverse;
pub(crate) mod tune;

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;
use latents::{Dataset, Part, Selection, ShardFile, count};

use crate::hints::note_hint;
use crate::output::Output;

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Split {
    /// The images that the run was trained on, and validated if there is no validation part
    Train,
    /// The images of the source's own validation part
    Validation,
    /// The images held out for testing
    Test,
    /// The images of a part without labels
    Unlabelled,
    /// All of these
    All,
}

impl From<Split> for Selection {
    fn from(split: Split) -> Self {
        match split {
            Split::Train => Selection::Part(Part::Train),
            Split::Validation => Selection::Part(Part::Validation),
            Split::Test => Selection::Part(Part::Test),
            Split::Unlabelled => Selection::Part(Part::Unlabelled),
            Split::All => Selection::All,
        }
    }
}

/// Test-time augmentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tta {
    /// The mirror image, left and right exchanged
    Flip,
}

impl From<Tta> for latents::Tta {
    fn from(tta: Tta) -> Self {
        match tta {
            Tta::Flip => latents::Tta::Flip,
        }
    }
}

/// Says what a file of a shard has.
pub(crate) fn tell_shard(file: &ShardFile, output: Output) -> Result<()> {
    let (images, out) = (count(file.images as u64), file.out.display());
    output.result(&format!("shard {}  {images} images  {out}", file.shard), file)
}

/// What people should know about a data set, with the flags that change it.
pub(crate) fn describe(dataset: &Dataset) -> String {
    dataset.describe_with(|note| {
        let warning = if note.is_warning() { "warning: " } else { "" };
        match note_hint(note) {
            Some(flags) => format!("{warning}{note} ({flags})"),
            None => format!("{warning}{note}"),
        }
    })
}

/// Files on one line.
pub(crate) fn list(files: &[PathBuf]) -> String {
    files.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join("  ")
}
