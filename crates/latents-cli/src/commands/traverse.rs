//! `latents traverse`: paths through the latent space, decoded.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use latents::{
    Axes, Interpolation, LatentPoint, Latents, SelectedImages, Session, TrainedModel, save_beside,
};
use serde::Serialize;

use crate::commands::list;
use crate::commands::settings::ImageFlags;
use crate::output::Output;

/// Show the path from one image to another through the latent space
///
/// Draws the images at equal steps between the latents of two images, in a square among four, or along one latent axis; as SVG and PNG. With --latents, points are rows of a file, and nothing but the run's folder is needed.
///
/// A conditional model decodes the path between two images as each of its classes, a row for each; with --class as that one. A square and an axis have the class of the first image.
#[derive(Debug, Args)]
pub(crate) struct Traverse {
    /// Folder of a trained run
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    #[command(flatten)]
    images: ImageFlags,
    /// Take latent vectors [n, d] from this file instead of images: .npz, .npy, .csv, .jsonl or .parquet
    #[arg(long, value_name = "FILE")]
    latents: Option<PathBuf>,
    /// Image to begin with, by its name or number from 0; with --axis the one whose other numbers stay
    #[arg(long, value_name = "IMAGE")]
    from: Option<String>,
    /// Image to end with
    #[arg(long, value_name = "IMAGE", requires = "from", conflicts_with_all = ["corners", "axis"])]
    to: Option<String>,
    /// Images at the corners of a square: top left, top right, bottom left, bottom right
    #[arg(long, num_args = 4, value_names = ["A", "B", "C", "D"], conflicts_with_all = ["from", "axis"])]
    corners: Option<Vec<String>>,
    /// Latent axis to traverse, from 0: two deviations of the training latents to either side; `all` for a row of each of the first 16 by variance
    #[arg(long, value_name = "K", requires = "from")]
    axis: Option<String>,
    /// Images on the path, or along each side
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(2..=100))]
    steps: u16,
    /// On the arc around the origin rather than on the straight line
    #[arg(long)]
    spherical: bool,
    /// Decode as images of this class of a conditional model
    #[arg(long, value_name = "NAME")]
    class: Option<String>,
    /// File to write; the SVG is written next to it
    #[arg(long, value_name = "FILE.png")]
    out: PathBuf,
}

#[derive(Serialize)]
struct Traversed {
    figures: Vec<PathBuf>,
    /// Largest over mean step between neighbouring images on the path.
    unevenness: Option<f64>,
}

/// Where points come from.
enum Points {
    Images(Box<SelectedImages>),
    Given(Latents),
}

impl Points {
    fn point(&self, model: &mut TrainedModel, image: &str) -> Result<LatentPoint> {
        Ok(match self {
            Points::Images(selected) => {
                let index = selected.images.find(image).map_err(latents::Error::from)?;
                model.point_of(selected, index)?
            }
            Points::Given(latents) => latents.point(latents.find(image)?)?,
        })
    }
}

impl Traverse {
    pub(crate) fn run(&self, session: &Session, output: Output) -> Result<()> {
        let axes = self.axes()?;
        let mut model = TrainedModel::open(&self.run, session)?;
        model.latent_space()?;
        if let Some(class) = &self.class {
            model.class_named(class)?;
        }
        let points = match &self.latents {
            Some(file) => Points::Given(Latents::load_with(file, session)?),
            None => Points::Images(Box::new(model.select(&self.images.selection())?)),
        };
        let point = |model: &mut TrainedModel, image: &str| -> Result<LatentPoint> {
            let point = points.point(model, image)?;
            Ok(match &self.class {
                Some(class) => point.of_class(class),
                None => point,
            })
        };
        let steps = usize::from(self.steps);
        let interpolation =
            if self.spherical { Interpolation::Spherical } else { Interpolation::Linear };
        let made = match (self.corners.as_deref(), axes, &self.from, &self.to) {
            (Some([a, b, c, d]), ..) => {
                let mut corner = |image: &str| point(&mut model, image);
                let corners = [corner(a)?, corner(b)?, corner(c)?, corner(d)?];
                model.traverse_square(corners.each_ref(), steps, interpolation)?
            }
            (_, Some(axes), Some(from), _) => {
                let from = point(&mut model, from)?;
                model.traverse_axes(&from, axes, steps)?
            }
            (_, _, Some(from), Some(to)) => {
                let ends = [point(&mut model, from)?, point(&mut model, to)?];
                if model.is_conditional() && self.class.is_none() {
                    model.traverse_classes(ends.each_ref(), steps, interpolation, &[])?
                } else {
                    model.traverse(ends.each_ref(), steps, interpolation)?
                }
            }
            _ => bail!("name a path: --from I --to I, --corners A B C D, or --from I --axis K"),
        };
        let figures = save_beside(&made.figure, &self.out, "")?;
        let mut text = list(&figures);
        if let Some(unevenness) = made.unevenness {
            text = format!("{text}  largest over mean step {unevenness:.2}");
        }
        output.result(&text, &Traversed { figures, unevenness: made.unevenness })
    }

    fn axes(&self) -> Result<Option<Axes>> {
        Ok(match self.axis.as_deref() {
            None => None,
            Some("all") => Some(Axes::Largest),
            Some(axis) => match axis.parse() {
                Ok(axis) => Some(Axes::One(axis)),
                Err(_) => bail!("--axis is a number or `all`, not {axis}"),
            },
        })
    }
}
