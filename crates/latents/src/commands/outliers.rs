//! `latents outliers`: images that are unlike the others.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use latents::explore::Rows;
use latents::explore::metrics::latents::{Pair, largest, mahalanobis, near_duplicates};
use latents::explore::metrics::reconstruction::squared_errors;
use latents::report::{Tile, grid};
use serde::Serialize;

use crate::Shared;
use crate::commands::Split;
use crate::commands::explored::{Explored, for_numbers, save_beside, tiles};
use crate::output::{Output, count};

/// Find the images that are unlike the others
///
/// The images that are hardest to reconstruct, those whose latents are farthest from the training images', and those that are nearly the same; as a figure (SVG and PNG) and as JSON.
#[derive(Debug, Args)]
pub(crate) struct Outliers {
    /// Folder of a trained run
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Which images of the run's data set
    #[arg(long, value_enum, default_value = "test")]
    split: Split,
    /// How many of each to show
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=100))]
    top: u16,
    /// Two images are nearly the same up to this root mean squared difference of their pixels (0 to 1)
    #[arg(long, value_name = "D", default_value_t = 0.03)]
    same: f64,
    /// File to write; the figure lies beside it [default: `figures/outliers.json` in the run's folder]
    #[arg(long, value_name = "FILE.json")]
    out: Option<PathBuf>,
}

#[derive(Serialize)]
struct Found {
    figures: Vec<PathBuf>,
    split: &'static str,
    hardest: Vec<Outlier>,
    farthest: Vec<Outlier>,
    near_duplicates: Vec<Pair>,
}

#[derive(Serialize)]
struct Outlier {
    image: usize,
    class: Option<String>,
    /// Mean squared error of the reconstruction.
    squared_error: f64,
    /// Mahalanobis distance of the latent from those of the training images.
    distance: f64,
}

impl Outliers {
    pub(crate) fn run(&self, shared: &Shared, output: Output) -> Result<ExitCode> {
        let out = self.out.clone().unwrap_or_else(|| self.run.join("figures/outliers.json"));
        for_numbers(&out)?;
        let mut explored = Explored::open(&self.run, shared, output)?;
        let runtime = explored.runtime();
        let (shape, d) = (explored.shape(), explored.latents.dim);
        let numbers: usize = shape.iter().product();
        let z = explored.encode(self.split)?;
        let train = explored.encode(Split::Train)?;
        let decoded = explored.decode(&z)?;
        let pixels = explored.pixels(self.split);
        let images = Rows::new(&pixels, numbers)?;
        let (errors, distances, pairs) = runtime.run(|| {
            let errors = squared_errors(images, Rows::new(&decoded, numbers)?)?;
            let distances = mahalanobis(Rows::new(&z, d)?, Rows::new(&train, d)?)?;
            let pairs = near_duplicates(images, self.same)?;
            Ok::<_, latents::explore::Error>((errors, distances, pairs))
        })?;
        let top = usize::from(self.top);
        let (hardest, farthest) = (largest(&errors, top), largest(&distances, top));

        let pick = |from: &[f32], i: usize| from[i * numbers..(i + 1) * numbers].to_vec();
        let gather = |from: &[f32], which: &[usize]| -> Vec<f32> {
            which.iter().flat_map(|&i| pick(from, i)).collect()
        };
        let shown: Vec<[usize; 2]> = pairs.iter().take(top).map(|p| p.images).collect();
        let firsts: Vec<usize> = shown.iter().map(|p| p[0]).collect();
        let seconds: Vec<usize> = shown.iter().map(|p| p[1]).collect();
        let sheets = [
            ("hardest to reconstruct", gather(&pixels, &hardest), &hardest),
            ("reconstruction", gather(&decoded, &hardest), &hardest),
            ("farthest latents", gather(&pixels, &farthest), &farthest),
            ("reconstruction", gather(&decoded, &farthest), &farthest),
            ("nearly the same", gather(&pixels, &firsts), &firsts),
            ("as these", gather(&pixels, &seconds), &seconds),
        ];
        let used: Vec<_> = sheets.iter().filter(|(_, _, which)| !which.is_empty()).collect();
        let caption = |i: usize| match explored.class(self.split, i) {
            Some(class) => format!("{i} {class}"),
            None => i.to_string(),
        };
        let rows: Vec<Vec<Tile<'_>>> = used
            .iter()
            .map(|(_, images, which)| tiles(images, shape, |k| caption(which[k])))
            .collect();
        let captions: Vec<String> = used.iter().map(|(name, ..)| (*name).into()).collect();
        let figure = grid("Images unlike the others", &rows, &captions);
        let figures = save_beside(&figure, &out, "")?;

        let outlier = |&i: &usize| Outlier {
            image: i,
            class: explored.class(self.split, i).map(str::to_owned),
            squared_error: errors[i],
            distance: distances[i],
        };
        let found = Found {
            figures,
            split: if self.split == Split::Test { "test" } else { "train" },
            hardest: hardest.iter().map(outlier).collect(),
            farthest: farthest.iter().map(outlier).collect(),
            near_duplicates: pairs,
        };
        latents_files::write(&out, &serde_json::to_vec_pretty(&found)?)?;
        let text = format!(
            "hardest to reconstruct: {hardest:?}\nfarthest latents: {farthest:?}\n{} pairs nearly the same\n{}  {}",
            count(found.near_duplicates.len() as u64),
            out.display(),
            found.figures.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join("  ")
        );
        output.result(&text, &found)?;
        Ok(ExitCode::SUCCESS)
    }
}
