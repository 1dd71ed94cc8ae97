//! `latents duplicates`: copies among pictures.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use latents::{
    DUPLICATE_ENDINGS, DuplicateConfig, Duplicates as Found, Keep, Session, TrainedModel,
    check_output, count, save_beside,
};
use serde::Serialize;

use crate::commands::list;
use crate::commands::settings::PictureFlags;
use crate::output::Output;

/// Groups that are listed for people.
const SHOWN: usize = 20;

/// Find copies among pictures, as groups
///
/// Pictures with the same bytes, with the same pixels, or nearly the same: scaled, compressed again or changed slightly; across parts too. With --run, also pictures whose
/// latents are nearly the same. Prints the groups; with --out also writes them as JSON or a table, and draws them next to it. No file is touched.
#[derive(Debug, Args)]
pub(crate) struct Duplicates {
    /// Images: a folder of pictures, a file of arrays, or a name from `latents data list` [default: those of --run]
    #[arg(long = "data", value_name = "SOURCE", required_unless_present = "run")]
    source: Option<String>,
    /// Compare the latents of this run too; pictures become images as the run has them
    #[arg(long, value_name = "DIR", conflicts_with = "PictureFlags")]
    run: Option<PathBuf>,
    /// Two pictures are near if they differ by no more than this part of their contrast; by no more than a sixth of it if they have the same size and are not compressed
    #[arg(long, value_name = "D", default_value_t = DuplicateConfig::default().near)]
    near: f64,
    /// Two latents are near up to this part of the median distance of two latents
    #[arg(long, value_name = "D", requires = "run", default_value_t = DuplicateConfig::default().near_latents)]
    near_latents: f64,
    /// Which picture of a group to keep: largest, first, or those in a folder
    #[arg(long, value_name = "RULE", default_value = "largest")]
    keep: String,
    /// File to write: .json, .csv, .tsv or .parquet; a contact sheet is drawn next to it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    pictures: PictureFlags,
}

#[derive(Serialize)]
struct Written<'a> {
    figures: Vec<PathBuf>,
    #[serde(flatten)]
    found: &'a Found,
}

impl Duplicates {
    pub(crate) fn run(&self, session: &Session, output: Output) -> Result<()> {
        if let Some(out) = &self.out {
            check_output(out, &DUPLICATE_ENDINGS)?;
        }
        let keep = Keep::from(self.keep.as_str());
        let config = DuplicateConfig { near: self.near, near_latents: self.near_latents, keep };
        let pictures = self.pictures.pictures()?;
        let found = match (&self.run, &self.source) {
            (None, Some(source)) => Found::find(source, &pictures, &config, session)?,
            (Some(run), source) => {
                let mut model = TrainedModel::open(run, session)?;
                model.latent_space()?;
                model.duplicates(source.as_deref(), &config)?
            }
            (None, None) => anyhow::bail!("--data or --run is needed"),
        };
        let number = |n: usize| count(n as u64);
        let mut lines = vec![format!(
            "{} groups with {} of {} pictures; {} more than are kept",
            number(found.groups.len()),
            number(found.copies()),
            number(found.pictures),
            number(found.surplus())
        )];
        for group in found.groups.iter().take(SHOWN) {
            let name = |member: &latents::Member| {
                format!("{}{}", if member.keep { "* " } else { "" }, member.name)
            };
            let names: Vec<String> = group.members.iter().map(name).collect();
            lines.push(format!("  {:<12} {}", group.kind.name(), names.join("  ")));
        }
        if found.groups.len() > SHOWN {
            lines.push(format!("  and {} more groups", number(found.groups.len() - SHOWN)));
        }
        if !found.unreadable.is_empty() {
            lines.push(format!("{} pictures could not be read", number(found.unreadable.len())));
        }
        let mut figures = vec![];
        if let Some(out) = &self.out {
            found.save(out)?;
            figures = save_beside(&found.figure(), out, "")?;
            lines.push(format!("{}  {}", out.display(), list(&figures)));
        }
        output.result(&lines.join("\n"), &Written { figures, found: &found })
    }
}
