//! `latents data`: the known data sets, downloading one, and looking at one.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use latents::data::{LabelColumn, Locations, Note, catalogue, fetch};
use latents::train::DataConfig;
use latents::{ClassCount, Part, Session, class_counts, contact_sheet, count};
use serde::Serialize;

use crate::commands::describe;
use crate::commands::settings::PictureFlags;
use crate::output::Output;

/// Classes that are listed for people.
const SHOWN_CLASSES: usize = 40;

/// Data sets.
#[derive(Debug, Subcommand)]
pub(crate) enum Data {
    /// List the data sets that can be named, and where each would come from
    List,
    Fetch(Fetch),
    Show(Box<Show>),
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
    warnings: Vec<String>,
    shape: [usize; 3],
    range: [f64; 2],
    train: usize,
    validation: usize,
    test: usize,
    unlabelled: usize,
    classes: Vec<ClassCount>,
    labels: &'a [LabelColumn],
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
        let [train, validation, test, unlabelled] = Part::ALL.map(|part| data.part(part).len());
        let number = |n: usize| count(n as u64);
        let mut parts = vec![format!("{} training", number(train))];
        if validation > 0 {
            parts.push(format!("{} validation", number(validation)));
        }
        if unlabelled > 0 {
            parts.push(format!("{} unlabelled", number(unlabelled)));
        }
        let mut lines = vec![
            describe(&data),
            format!(
                "{} and {} test images of {c} x {h} x {w} (channels, height, width)",
                parts.join(", "),
                number(test)
            ),
        ];
        lines.extend(classes.iter().take(SHOWN_CLASSES).map(|class| {
            let mut counts = format!("{:>8}", number(class.train));
            if validation > 0 {
                counts = format!("{counts} {:>8}", number(class.validation));
            }
            format!("  {:<14} {counts} {:>8}", class.name, number(class.test))
        }));
        if classes.len() > SHOWN_CLASSES {
            lines.push(format!("  and {} more classes", number(classes.len() - SHOWN_CLASSES)));
        }
        if data.columns.len() > 1 {
            lines.push("labels, of which --label NAME chooses one:".into());
            lines.extend(data.columns.iter().take(SHOWN_CLASSES).map(|column| {
                let LabelColumn { name, classes, labelled } = column;
                format!("  {name:<14} {} classes, {} images", number(*classes), number(*labelled))
            }));
        }
        let mut figures = vec![];
        if let Some(out) = &self.out {
            figures = contact_sheet(&data).save_both(out, "contact-sheet")?;
            lines.push(format!("drawn in {}", out.display()));
        }
        let (name, origin) = (&data.name, &data.origin);
        let (warnings, notes) = data.notes.iter().partition::<Vec<_>, _>(|note| note.is_warning());
        let texts = |notes: Vec<&Note>| notes.into_iter().map(ToString::to_string).collect();
        let shown = Shown {
            name,
            origin,
            notes: texts(notes),
            warnings: texts(warnings),
            shape,
            range: data.range,
            train,
            validation,
            test,
            unlabelled,
            classes,
            labels: &data.columns,
            figures,
        };
        output.result(&lines.join("\n"), &shown)
    }
}
