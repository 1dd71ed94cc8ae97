//! `latents data`: which data sets there are, fetching one, and looking at one.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use latents::data::{Dataset, Labelled, Locations, Pictures, catalogue, fetch};
use latents::report::{ImageView, Tile, grid};
use serde::Serialize;

use crate::commands::settings::PictureFlags;
use crate::commands::{describe, load_data};
use crate::output::{Output, count};
use crate::progress::DataProgress;

/// Images of a class on the contact sheet.
const COLUMNS: usize = 10;

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

/// Say what is in a data set, and draw some of its images
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Images: a folder of pictures, an .npz file, or a name that `latents data list` has [default: fashion-mnist, or else the sample of it]
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
    notes: &'a [String],
    shape: [usize; 3],
    train: usize,
    test: usize,
    classes: Vec<Class<'a>>,
    figures: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Class<'a> {
    name: &'a str,
    train: usize,
    test: usize,
}

impl Data {
    pub(crate) fn run(&self, output: Output) -> Result<ExitCode> {
        match self {
            Data::List => list(output)?,
            Data::Fetch(command) => command.run(output)?,
            Data::Show(command) => command.run(output)?,
        }
        Ok(ExitCode::SUCCESS)
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
    fn run(&self, output: Output) -> Result<()> {
        let mut bar = DataProgress::new();
        let folder = fetch(&Locations::default(), &mut |progress| bar.show(&progress))?;
        drop(bar);
        let text = format!("{} in {}", self.source, folder.display());
        output.result(&text, &serde_json::json!({ "source": self.source, "folder": folder }))
    }
}

fn count_class(part: &Labelled, class: usize) -> usize {
    part.labels.iter().flatten().filter(|&&l| usize::from(l) == class).count()
}

impl Show {
    fn run(&self, output: Output) -> Result<()> {
        let mut pictures = Pictures::default();
        self.pictures.apply(&mut pictures);
        let dataset = load_data(self.source.as_deref(), &pictures, output)?;
        let classes = dataset.classes.iter().enumerate().map(|(i, name)| Class {
            name,
            train: count_class(&dataset.train, i),
            test: count_class(&dataset.test, i),
        });
        let classes: Vec<Class<'_>> = classes.collect();
        let [c, h, w] = dataset.train.images.shape();
        let (train, test) = (dataset.train.len(), dataset.test.len());
        let mut lines = vec![
            describe(&dataset),
            format!(
                "{} training and {} test images of {c} x {h} x {w} (channels, height, width)",
                count(train as u64),
                count(test as u64)
            ),
        ];
        lines.extend(classes.iter().map(|class| {
            let (train, test) = (count(class.train as u64), count(class.test as u64));
            format!("  {:<14} {train:>8} {test:>8}", class.name)
        }));
        let mut figures = vec![];
        if let Some(out) = &self.out {
            contact_sheet(&dataset).save(out, "contact-sheet")?;
            figures.extend(["svg", "png"].map(|kind| out.join(format!("contact-sheet.{kind}"))));
            lines.push(format!("drawn in {}", out.display()));
        }
        let text = lines.join("\n");
        let (name, origin, notes) = (&dataset.name, &dataset.origin, &dataset.notes);
        let shape = [c, h, w];
        output.result(&text, &Shown { name, origin, notes, shape, train, test, classes, figures })
    }
}

/// The first training images of each class, a row for each; without labels, the first images.
fn contact_sheet(dataset: &Dataset) -> latents::report::Figure {
    let part = &dataset.train;
    let shape = part.images.shape();
    let scaled = |i: usize| -> Vec<f32> {
        part.images.image(i).iter().map(|&x| f32::from(x) / 255.0).collect()
    };
    let rows: Vec<(String, Vec<Vec<f32>>)> = match &part.labels {
        Some(labels) => {
            let row = |(class, name): (usize, &String)| {
                let members = labels.iter().enumerate().filter(|(_, l)| usize::from(**l) == class);
                (name.clone(), members.take(COLUMNS).map(|(i, _)| scaled(i)).collect())
            };
            dataset.classes.iter().enumerate().map(row).collect()
        }
        None => (0..part.len().min(100))
            .collect::<Vec<_>>()
            .chunks(COLUMNS)
            .map(|row| (String::new(), row.iter().map(|&i| scaled(i)).collect()))
            .collect(),
    };
    let captions: Vec<String> = rows.iter().map(|(name, _)| name.clone()).collect();
    let tiles: Vec<Vec<Tile<'_>>> = rows
        .iter()
        .map(|(_, images)| {
            let tile = |pixels| Tile { caption: String::new(), image: ImageView { shape, pixels } };
            images.iter().map(|pixels| tile(pixels)).collect()
        })
        .collect();
    grid(&dataset.name, &tiles, &captions)
}
