//! `latents outliers`: images that are unlike the others.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use latents::{
    Latents, OUTLIER_ENDINGS, OutlierConfig, Outliers as Found, Session, TrainedModel,
    check_output, count, save_beside,
};
use serde::Serialize;

use crate::commands::list;
use crate::commands::settings::ImageFlags;
use crate::output::Output;

/// Find the images that are unlike the others
///
/// The images that are hardest to reconstruct, those whose latents are farthest from the training images', and pairs that are nearly the same; as a figure (SVG and PNG), and as JSON or a table (.csv, .parquet). Of vectors alone (--latents), the farthest and the pairs.
#[derive(Debug, Args)]
pub(crate) struct Outliers {
    /// Folder of a trained run
    #[arg(long, value_name = "DIR", required_unless_present = "latents")]
    run: Option<PathBuf>,
    /// Vectors of this file instead: .npz, .npy, .csv, .jsonl or .parquet, also of other programs
    #[arg(long, value_name = "FILE", conflicts_with_all = ["run", "ImageFlags"])]
    latents: Option<PathBuf>,
    #[command(flatten)]
    images: ImageFlags,
    /// How many of each to show
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=100))]
    top: u16,
    /// Two images are nearly the same up to this root mean squared difference of their pixels (0 to 1), vectors of their numbers [default: 0.03 for images, 0 for vectors]
    #[arg(long, value_name = "D")]
    same: Option<f64>,
    /// File to write: .json, .csv, .tsv or .parquet; the figure of images is written next to it [default: `figures/outliers.json` in the run's folder]
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
        let default = || Some(self.run.as_ref()?.join("figures/outliers.json"));
        let out = self.out.clone().or_else(default);
        if let Some(out) = &out {
            check_output(out, &OUTLIER_ENDINGS)?;
        }
        let default =
            if self.run.is_some() { OutlierConfig::default() } else { OutlierConfig::of_vectors() };
        let same = self.same.unwrap_or(default.same);
        let config = OutlierConfig { top: usize::from(self.top), same };
        let (found, figure) = match (&self.latents, &self.run) {
            (Some(file), _) => {
                let vectors = Latents::load_with(file, session)?;
                let found = vectors.outliers(config, session);
                (found.map_err(|e| e.context(file.display().to_string()))?, None)
            }
            (None, Some(run)) => {
                let mut model = TrainedModel::open(run, session)?;
                model.latent_space()?;
                let selected = model.select(&self.images.selection())?;
                let (found, figure) = model.outliers(&selected, config)?;
                (found, Some(figure))
            }
            (None, None) => anyhow::bail!("--run or --latents is needed"),
        };
        let mut figures = vec![];
        if let (Some(out), Some(figure)) = (&out, &figure) {
            figures = save_beside(figure, out, "")?;
        }
        let images = |of: &[latents::Outlier]| {
            of.iter().map(|o| o.name.clone()).collect::<Vec<_>>().join(", ")
        };
        let mut lines = vec![];
        if self.run.is_some() {
            lines.push(format!("hardest to reconstruct: {}", images(&found.hardest)));
        }
        lines.push(format!("farthest latents: {}", images(&found.farthest)));
        lines.push(format!("{} pairs nearly the same", count(found.near_duplicates.len() as u64)));
        if let Some(out) = &out {
            found.save(out, &figures)?;
            lines.push(format!("{}  {}", out.display(), list(&figures)).trim_end().to_owned());
        }
        output.result(&lines.join("\n"), &Written { figures, found: &found })
    }
}
