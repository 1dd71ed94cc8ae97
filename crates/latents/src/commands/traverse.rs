//! `latents traverse`: ways through the latent space, decoded.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use latents::explore::Rows;
use latents::explore::metrics::latents::{unevenness, variances};
use latents::explore::traverse::{Path, along, among, between};
use latents::report::{Figure, Tile, grid, strip};
use serde::Serialize;

use crate::Shared;
use crate::commands::Split;
use crate::commands::explored::{Explored, save_beside, tiles};
use crate::output::Output;

/// Draws the images at equal steps between the latents of two images, in a square among four, or along one latent axis; as SVG and PNG.
#[derive(Debug, Args)]
pub(crate) struct Traverse {
    /// Folder of a trained run
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Which images of the run's data set
    #[arg(long, value_enum, default_value = "test")]
    split: Split,
    /// Image to begin with, from 0; with --axis the one whose other numbers stay
    #[arg(long, value_name = "I")]
    from: Option<usize>,
    /// Image to end with
    #[arg(long, value_name = "I", requires = "from", conflicts_with_all = ["corners", "axis"])]
    to: Option<usize>,
    /// Images at the corners of a square: top left, top right, bottom left, bottom right
    #[arg(long, num_args = 4, value_names = ["A", "B", "C", "D"], conflicts_with_all = ["from", "axis"])]
    corners: Option<Vec<usize>>,
    /// Latent axis to go along, from 0: two deviations of the training latents to either side; `all` for a row of each of the first 16 by variance
    #[arg(long, value_name = "K", requires = "from")]
    axis: Option<String>,
    /// Images on the way, or along each side
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(2..=100))]
    steps: u16,
    /// On the arc around the origin rather than on the straight line
    #[arg(long)]
    spherical: bool,
    /// File to write; the SVG lies beside it
    #[arg(long, value_name = "FILE.png")]
    out: PathBuf,
}

#[derive(Serialize)]
struct Traversed {
    figures: Vec<PathBuf>,
    /// Largest over mean step between neighbouring images on the way.
    unevenness: Option<f64>,
}

impl Traverse {
    pub(crate) fn run(&self, shared: &Shared, output: Output) -> Result<ExitCode> {
        let mut explored = Explored::open(&self.run, shared, output)?;
        let (figure, unevenness) = match (&self.corners, &self.axis, self.from, self.to) {
            (Some(corners), ..) => (self.square(&mut explored, corners)?, None),
            (_, Some(axis), Some(from), _) => (self.axes(&mut explored, from, axis)?, None),
            (_, _, Some(from), Some(to)) => {
                let (figure, unevenness) = self.way(&mut explored, from, to)?;
                (figure, Some(unevenness))
            }
            _ => bail!("say where: --from I --to I, --corners A B C D, or --from I --axis K"),
        };
        let figures = save_beside(&figure, &self.out, "")?;
        let mut text: Vec<String> = figures.iter().map(|f| f.display().to_string()).collect();
        if let Some(unevenness) = unevenness {
            text.push(format!("largest over mean step {unevenness:.2}"));
        }
        output.result(&text.join("  "), &Traversed { figures, unevenness })?;
        Ok(ExitCode::SUCCESS)
    }

    fn path(&self) -> Path {
        if self.spherical { Path::Spherical } else { Path::Linear }
    }

    /// Latents `[d]` of some images of the part.
    fn latents(&self, explored: &mut Explored, images: &[usize]) -> Result<Vec<Vec<f32>>> {
        let pixels: Result<Vec<Vec<f32>>> =
            images.iter().map(|&i| explored.image(self.split, i)).collect();
        let z = explored.encode_values(&pixels?.concat())?;
        Ok(z.chunks_exact(explored.latents.dim).map(<[f32]>::to_vec).collect())
    }

    fn name(&self, explored: &Explored, i: usize) -> String {
        let class = explored.class(self.split, i);
        class.map_or(format!("image {i}"), |class| format!("{class} ({i})"))
    }

    fn way(&self, explored: &mut Explored, from: usize, to: usize) -> Result<(Figure, f64)> {
        let ends = self.latents(explored, &[from, to])?;
        let steps = usize::from(self.steps);
        let z = between(&ends[0], &ends[1], steps, self.path())?;
        let decoded = explored.decode(&z)?;
        let shape = explored.shape();
        let unevenness = unevenness(Rows::new(&decoded, shape.iter().product())?)?;
        let (first, last) = (explored.image(self.split, from)?, explored.image(self.split, to)?);
        let mut shown = tiles(&first, shape, |_| "original".into());
        shown.extend(tiles(&decoded, shape, |i| format!("{} / {}", i + 1, steps)));
        shown.extend(tiles(&last, shape, |_| "original".into()));
        let (from, to) = (self.name(explored, from), self.name(explored, to));
        Ok((strip(&format!("From {from} to {to}"), &shown), unevenness))
    }

    fn square(&self, explored: &mut Explored, corners: &[usize]) -> Result<Figure> {
        let ends = self.latents(explored, corners)?;
        let steps = usize::from(self.steps);
        let corners_z = [0, 1, 2, 3].map(|i| ends[i].as_slice());
        let z = among(corners_z, steps, steps, self.path())?;
        let decoded = explored.decode(&z)?;
        let shown = tiles(&decoded, explored.shape(), |_| String::new());
        let rows: Vec<Vec<Tile<'_>>> = shown.chunks(steps).map(<[Tile<'_>]>::to_vec).collect();
        let names: Vec<String> = corners.iter().map(|&i| self.name(explored, i)).collect();
        let title = format!("Among {}, {}, {} and {}", names[0], names[1], names[2], names[3]);
        Ok(grid(&title, &rows, &[]))
    }

    fn axes(&self, explored: &mut Explored, from: usize, axis: &str) -> Result<Figure> {
        let base = self.latents(explored, &[from])?.remove(0);
        let train = explored.encode(Split::Train)?;
        let rows = Rows::new(&train, base.len())?;
        let deviations: Vec<f64> = variances(rows).iter().map(|v| v.sqrt()).collect();
        let axes: Vec<usize> = if axis == "all" {
            latents::explore::metrics::latents::largest(&deviations, 16)
        } else {
            vec![
                axis.parse()
                    .map_err(|_| anyhow::anyhow!("--axis is a number or `all`, not {axis}"))?,
            ]
        };
        let mut z = vec![];
        for &k in &axes {
            let reach = 2.0 * deviations.get(k).copied().unwrap_or(0.0) as f32;
            let middle = base.get(k).copied().unwrap_or(0.0);
            z.extend(along(&base, k, (middle - reach, middle + reach), usize::from(self.steps))?);
        }
        let decoded = explored.decode(&z)?;
        let shown = tiles(&decoded, explored.shape(), |_| String::new());
        let rows: Vec<Vec<Tile<'_>>> =
            shown.chunks(usize::from(self.steps)).map(<[Tile<'_>]>::to_vec).collect();
        let captions: Vec<String> = axes.iter().map(|k| format!("axis {k}")).collect();
        let title = format!("{}, latent axes from -2 to +2 deviations", self.name(explored, from));
        Ok(grid(&title, &rows, &captions))
    }
}
