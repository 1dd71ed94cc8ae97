//! `latents traverse`: ways through the latent space, decoded.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail, ensure};
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

/// Show the way from one image to another through the latent space
///
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
        let steps = usize::from(self.steps);
        let (figure, unevenness) = match (&self.corners, &self.axis, self.from, self.to) {
            (Some(corners), ..) => {
                let corners = [0, 1, 2, 3].map(|i| corners.get(i).copied().unwrap_or(0));
                (square(&mut explored, self.split, corners, steps, self.path())?, None)
            }
            (_, Some(axis), Some(from), _) => (self.axes(&mut explored, from, axis)?, None),
            (_, _, Some(from), Some(to)) => {
                let path = self.path();
                let (figure, unevenness) = way(&mut explored, self.split, [from, to], steps, path)?;
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

    fn axes(&self, explored: &mut Explored, from: usize, axis: &str) -> Result<Figure> {
        let base = latents(explored, self.split, &[from])?.remove(0);
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
        let d = base.len();
        let beyond = axes.iter().find(|&&k| k >= d);
        ensure!(beyond.is_none(), "there is no latent axis {axis}: they are from 0 to {}", d - 1);
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
        let title =
            format!("{}, latent axes from -2 to +2 deviations", name(explored, self.split, from));
        Ok(grid(&title, &rows, &captions))
    }
}

/// Latents `[d]` of some images of a part.
fn latents(explored: &mut Explored, split: Split, images: &[usize]) -> Result<Vec<Vec<f32>>> {
    let pixels: Result<Vec<Vec<f32>>> = images.iter().map(|&i| explored.image(split, i)).collect();
    let z = explored.encode_values(&pixels?.concat())?;
    Ok(z.chunks_exact(explored.latents.dim).map(<[f32]>::to_vec).collect())
}

fn name(explored: &Explored, split: Split, i: usize) -> String {
    let class = explored.class(split, i);
    class.map_or(format!("image {i}"), |class| format!("{class} (image {i})"))
}

/// Images at equal steps between two, and the largest over the mean step.
pub(crate) fn way(
    explored: &mut Explored,
    split: Split,
    [from, to]: [usize; 2],
    steps: usize,
    path: Path,
) -> Result<(Figure, f64)> {
    let ends = latents(explored, split, &[from, to])?;
    let z = between(&ends[0], &ends[1], steps, path)?;
    let decoded = explored.decode(&z)?;
    let shape = explored.shape();
    let unevenness = unevenness(Rows::new(&decoded, shape.iter().product())?)?;
    let (first, last) = (explored.image(split, from)?, explored.image(split, to)?);
    let mut shown = tiles(&first, shape, |_| "original".into());
    shown.extend(tiles(&decoded, shape, |i| format!("{} / {}", i + 1, steps)));
    shown.extend(tiles(&last, shape, |_| "original".into()));
    let (from, to) = (name(explored, split, from), name(explored, split, to));
    Ok((strip(&format!("From {from} to {to}"), &shown), unevenness))
}

/// A square of images among four at its corners.
pub(crate) fn square(
    explored: &mut Explored,
    split: Split,
    corners: [usize; 4],
    steps: usize,
    path: Path,
) -> Result<Figure> {
    let ends = latents(explored, split, &corners)?;
    let z = among([0, 1, 2, 3].map(|i| ends[i].as_slice()), steps, steps, path)?;
    let decoded = explored.decode(&z)?;
    let shown = tiles(&decoded, explored.shape(), |_| String::new());
    let rows: Vec<Vec<Tile<'_>>> = shown.chunks(steps).map(<[Tile<'_>]>::to_vec).collect();
    let names = corners.map(|i| name(explored, split, i));
    let title = format!("Among {}, {}, {} and {}", names[0], names[1], names[2], names[3]);
    Ok(grid(&title, &rows, &[]))
}
