//! `latents data`: the known data sets, downloading one, and looking at one.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use latents::data::{Locations, catalogue, fetch};
use latents::train::DataConfig;
use latents::{ClassCount, Session, class_counts, contact_sheet, count};
use serde::Serialize;

use crate::commands::describe;
use crate::commands::settings::PictureFlags;
use crate::output::Output;

/// Data sets.
#[derive(Debug, Subcommand)]
pub(crate) enum Data {
    /// List the data sets that can be named, and where each would come from
    List,
    Fetch(Fetch),
    Show(Show),
}

/// Download a data set into the cache
#[derive(Debug, Args)]
pub(crate) struct Fetch {
    /// Which data set
    #[arg(value_name = "SOURCE", default_value = "fashion-mnist", value_parser = ["fashion-mnist"])]
    source: String,
}

/// Show what is in a data set, and draw some of its images
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Images: a folder of pictures, an .npz file, or a name from `latents data list` [default: fashion-mnist, or else the sample of it]
    #[arg(value_name = "SOURCE")]
    source: Option<String>,
    /// Draw some images of each class into this folder, as contact-sheet.svg and .png
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    pictures: PictureFlags,
}

#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    origin: &'a str,
    notes: Vec<String>,
    shape: [usize; 3],
    train: usize,
    test: usize,
    classes: Vec<ClassCount>,
    figures: Vec<PathBuf>,
}

impl Data {
    pub(crate) fn run(&self, session: &Session, output: Output) -> Result<()> {
        match self {
            Data::List => list(output),
            Data::Fetch(command) => command.run(session, output),
            Data::Show(command) => command.run(session, output),
        }
    }
}

fn list(output: Output) -> Result<()> {
    let entries = catalogue(&Locations::default());
    let texts = entries.iter().map(|e| {
        format!("{}\n  {}\n  {}; licence: {}\n", e.name, e.description, e.place, e.licence)
    });
    output.result(&texts.collect::<String>(), &entries)
}

impl Fetch {
    fn run(&self, session: &Session, output: Output) -> Result<()> {
        let folder = fetch(&Locations::default(), session).map_err(latents::Error::from)?;
        let text = format!("{} in {}", self.source, folder.display());
        output.result(&text, &serde_json::json!({ "source": self.source, "folder": folder }))
    }
}

impl Show {
    fn run(&self, session: &Session, output: Output) -> Result<()> {
        let source = self.source.clone().unwrap_or_default();
        let config =
            DataConfig { source, pictures: self.pictures.pictures()?, ..DataConfig::default() };
        let data = config.open(session).map_err(latents::Error::from)?;
        let classes = class_counts(&data);
        let shape @ [c, h, w] = data.shape();
        let (train, test) = (data.train.len(), data.test.len());
        let number = |n: usize| count(n as u64);
        let mut lines = vec![
            describe(&data),
            format!(
                "{} training and {} test images of {c} x {h} x {w} (channels, height, width)",
                number(train),
                number(test)
            ),
        ];
        lines.extend(classes.iter().map(|class| {
            format!("  {:<14} {:>8} {:>8}", class.name, number(class.train), number(class.test))
        }));
        let mut figures = vec![];
        if let Some(out) = &self.out {
            figures = contact_sheet(&data).save_both(out, "contact-sheet")?;
            lines.push(format!("drawn in {}", out.display()));
        }
        let (name, origin) = (&data.name, &data.origin);
        let notes = data.notes.iter().map(ToString::to_string).collect();
        let shown = Shown { name, origin, notes, shape, train, test, classes, figures };
        output.result(&lines.join("\n"), &shown)
    }
}
