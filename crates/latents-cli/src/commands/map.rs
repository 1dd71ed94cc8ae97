//! `latents map`: latent vectors in the plane.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::{Args, ValueEnum};
use latents::{
    LatentMap, Latents, MapMethod, Session, TrainedModel, Tsne, VECTOR_ENDINGS, check_output,
    count, duration, save_beside,
};
use serde::Serialize;

use crate::commands::list;
use crate::commands::settings::ImageFlags;
use crate::output::Output;

/// Map latent vectors in the plane, by t-SNE or principal components
///
/// Writes a table (.csv, .parquet) with the columns `name`, `part`, `label`, `x` and `y`, or an .npz file with `xy` [n, 2] (float32) and, if known, `label` [n] (int64, -1 for none),
/// `classes`, `part` and `name`; and next to it a figure as SVG and PNG, coloured by class.
#[derive(Debug, Args)]
pub(crate) struct Map {
    /// Folder of a trained run
    #[arg(long, value_name = "DIR", required_unless_present = "latents")]
    run: Option<PathBuf>,
    /// Map the vectors of this file instead, with their labels: .npz, .npy, .csv, .jsonl or .parquet, also of other programs
    #[arg(long, value_name = "FILE", conflicts_with_all = ["run", "thumbnails"])]
    latents: Option<PathBuf>,
    #[command(flatten)]
    images: ImageFlags,
    /// How the map is made
    #[arg(long, value_enum, default_value = "tsne")]
    method: Method,
    /// Perplexity of t-SNE: effective number of neighbours of a point
    #[arg(long, value_name = "P", default_value_t = 30.0)]
    perplexity: f64,
    /// Steps of t-SNE after the first 250, in which attraction is exaggerated
    #[arg(long, value_name = "N", default_value_t = 750)]
    iterations: u32,
    /// Seed; the same one gives the same map
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Draw the images themselves too, as NAME-thumbnails
    #[arg(long)]
    thumbnails: bool,
    /// File to write: .npz, .csv, .tsv or .parquet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Method {
    /// Keeps neighbours together; distances between clusters mean little
    Tsne,
    /// The two directions along which the latents vary most; linear and exact
    Pca,
}

#[derive(Serialize)]
struct Mapped<'a> {
    out: &'a PathBuf,
    figures: Vec<PathBuf>,
    points: usize,
    method: &'static str,
    /// Of t-SNE.
    kl: Option<f64>,
    perplexity: Option<f64>,
    /// Of the principal components.
    explained_variance: Option<[f64; 2]>,
    seconds: f64,
}

impl Map {
    pub(crate) fn run(&self, session: &Session, output: Output) -> Result<()> {
        check_output(&self.out, &VECTOR_ENDINGS)?;
        let (latents, images, from) = match (&self.latents, &self.run) {
            (Some(file), _) => (Latents::load_with(file, session)?, None, file),
            (None, Some(run)) => {
                let mut model = TrainedModel::open(run, session)?;
                model.latent_space()?;
                let selected = model.select(&self.images.selection())?;
                let latents = model.encode_selected(&selected)?;
                (latents, self.thumbnails.then_some(selected.images), run)
            }
            (None, None) => anyhow::bail!("--run or --latents is needed"),
        };
        let begun = Instant::now();
        let made = match self.method {
            Method::Pca => LatentMap::pca(&latents, session),
            Method::Tsne => {
                let tsne = Tsne::default().perplexity(self.perplexity).iterations(self.iterations);
                tsne.seed(self.seed).fit(&latents, session)
            }
        };
        let map = made.map_err(|e| e.context(from.display().to_string()))?;
        let seconds = begun.elapsed().as_secs_f64();
        map.save(&self.out)?;
        let mut figures = save_beside(&map.figure(), &self.out, "")?;
        if let Some(images) = images {
            let thumbnails = map.thumbnails(&images);
            figures.extend(save_beside(&thumbnails, &self.out, "-thumbnails")?);
        }
        let (method, kl, perplexity, explained_variance) = match map.method {
            MapMethod::Tsne { kl, perplexity } => ("tsne", Some(kl), Some(perplexity), None),
            MapMethod::Pca { explained_variance } => ("pca", None, None, Some(explained_variance)),
        };
        let text = format!(
            "{} points, {} in {}  {}  {}",
            count(map.len() as u64),
            map.method,
            duration(seconds),
            self.out.display(),
            list(&figures)
        );
        let mapped = Mapped {
            out: &self.out,
            figures,
            points: map.len(),
            method,
            kl,
            perplexity,
            explained_variance,
            seconds,
        };
        output.result(&text, &mapped)
    }
}
