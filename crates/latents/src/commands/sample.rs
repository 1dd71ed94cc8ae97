//! `latents sample`: new images from random latent vectors.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use latents::explore::{Rows, samplers};
use latents::report::{Figure, Tile, grid};
use serde::Serialize;

use crate::Shared;
use crate::commands::Split;
use crate::commands::decode::write_images;
use crate::commands::explored::{Explored, for_numbers, save_beside, tiles};
use crate::output::{Output, count};

/// Images in the figure: rows and columns.
const SHOWN: [usize; 2] = [8, 10];

/// Make new images from random latent vectors
///
/// Writes an .npz file with `image` [n, c, h, w] (float32, 0 to 1) and beside it a figure of the first ones as SVG and PNG.
#[derive(Debug, Args)]
pub(crate) struct Sample {
    /// Folder of a trained run
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Where latents are drawn from
    #[arg(long, value_enum, default_value = "normal")]
    sampler: Sampler,
    /// Gaussians in the mixture
    #[arg(long, value_name = "K", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    components: u16,
    /// Images to make
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    n: u32,
    /// Seed; the same one gives the same images
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// File to write
    #[arg(long, value_name = "FILE.npz")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sampler {
    /// N(0, I), which a variational autoencoder is trained for
    Normal,
    /// A mixture of Gaussians fitted to the latents of the training images
    Mixture,
    /// Evenly in the box that the latents of the training images lie in
    Uniform,
}

#[derive(Serialize)]
struct Sampled<'a> {
    out: &'a PathBuf,
    figures: Vec<PathBuf>,
    images: usize,
    sampler: String,
    /// Bayesian information criterion of the mixture on the training latents.
    bic: Option<f64>,
}

impl Sample {
    pub(crate) fn run(&self, shared: &Shared, output: Output) -> Result<ExitCode> {
        for_numbers(&self.out)?;
        let mut explored = Explored::open(&self.run, shared, output)?;
        let (n, d, seed) = (self.n as usize, explored.latents.dim, self.seed);
        let mut bic = None;
        let z = match self.sampler {
            Sampler::Normal => samplers::normal(n, d, seed),
            Sampler::Uniform => {
                let latents = explored.encode(Split::Train)?;
                samplers::uniform(Rows::new(&latents, d)?, n, seed)
            }
            Sampler::Mixture => {
                let latents = explored.encode(Split::Train)?;
                let rows = Rows::new(&latents, d)?;
                let fitted = explored.runtime().run(|| {
                    let k = usize::from(self.components);
                    let mixture = latents::explore::Mixture::fit(rows, k, seed)?;
                    let bic = mixture.bic(rows)?;
                    Ok::<_, latents::explore::Error>((mixture, bic))
                });
                let (mixture, score) =
                    fitted.with_context(|| format!("--components {}", self.components))?;
                bic = Some(score);
                mixture.sample(n, seed)
            }
        };
        let images = explored.decode(&z)?;
        let name = self.sampler.to_possible_value().map_or(String::new(), |v| v.get_name().into());
        let title = format!("Samples, latents drawn from {}", self.described());
        let figures = save_beside(&gallery(&title, &images, explored.shape()), &self.out, "")?;
        write_images(&self.out, n, explored.shape(), images)?;
        let bic_said = bic.map_or(String::new(), |b| format!(" (BIC {b:.0})"));
        let text = format!(
            "{} images{bic_said} in {}  {}",
            count(n as u64),
            self.out.display(),
            figures.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join("  ")
        );
        let out = &self.out;
        output.result(&text, &Sampled { out, figures, images: n, sampler: name, bic })?;
        Ok(ExitCode::SUCCESS)
    }

    fn described(&self) -> String {
        match self.sampler {
            Sampler::Normal => "N(0, I)".into(),
            Sampler::Mixture => format!("a mixture of {} Gaussians", self.components),
            Sampler::Uniform => "the box of the training latents".into(),
        }
    }
}

/// The first images in rows.
pub(crate) fn gallery(title: &str, images: &[f32], shape: [usize; 3]) -> Figure {
    let shown = tiles(images, shape, |_| String::new());
    let rows: Vec<Vec<Tile<'_>>> =
        shown.chunks(SHOWN[1]).take(SHOWN[0]).map(<[Tile<'_>]>::to_vec).collect();
    grid(title, &rows, &[])
}
