//! `latents outliers`: images that are unlike the others.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use latents::{
    OUTLIER_ENDINGS, OutlierConfig, Outliers as Found, Session, TrainedModel, check_output, count,
    save_beside,
};
use serde::Serialize;

use crate::commands::list;
use crate::commands::settings::ImageFlags;
use crate::output::Output;

/// Find the images that are unlike the others
///
/// The images that are hardest to reconstruct, those whose latents are farthest from the training images', and pairs that are nearly the same; as a figure (SVG and PNG), and as JSON or a table (.csv, .parquet).
#[derive(Debug, Args)]
pub(crate) struct Outliers {
    /// Folder of a trained run
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    #[command(flatten)]
    images: ImageFlags,
    /// How many of each to show
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=100))]
    top: u16,
    /// Two images are nearly the same up to this root mean squared difference of their pixels (0 to 1)
    #[arg(long, value_name = "D", default_value_t = 0.03)]
    same: f64,
    /// File to write: .json, .csv, .tsv or .parquet; the figure is written next to it [default: `figures/outliers.json` in the run's folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Serialize)]
struct Written<'a> {
    figures: Vec<PathBuf>,
    #[serde(flatten)]
    found: &'a Found,
}

impl Outliers {
    pub(crate) fn run(&self, session: &Session, output: Output) -> Result<()> {
        let out = self.out.clone().unwrap_or_else(|| self.run.join("figures/outliers.json"));
        check_output(&out, &OUTLIER_ENDINGS)?;
        let mut model = TrainedModel::open(&self.run, session)?;
        model.latent_space()?;
        let selected = model.select(&self.images.selection())?;
        let config = OutlierConfig { top: usize::from(self.top), same: self.same };
        let (found, figure) = model.outliers(&selected, config)?;
        let figures = save_beside(&figure, &out, "")?;
        let images = |of: &[latents::Outlier]| {
            of.iter().map(|o| o.name.clone()).collect::<Vec<_>>().join(", ")
        };
        let text = format!(
            "hardest to reconstruct: {}\nfarthest latents: {}\n{} pairs nearly the same\n{}  {}",
            images(&found.hardest),
            images(&found.farthest),
            count(found.near_duplicates.len() as u64),
            out.display(),
            list(&figures)
        );
        let written = Written { figures, found: &found };
        if out.extension().is_some_and(|e| e.eq_ignore_ascii_case("json")) {
            latents_files::write(&out, &serde_json::to_vec_pretty(&written)?)?;
        } else {
            latents::tables::write(&out, &found.table()?).map_err(latents::Error::from)?;
        }
        output.result(&text, &written)
    }
}
