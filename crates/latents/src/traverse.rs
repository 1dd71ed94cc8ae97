//! Paths through the latent space, decoded: between two points, in a square among four, and along the axes.

use latents_data::{Dataset, Labelled, Part};
use latents_explore::Rows;
use latents_explore::metrics::latents::{largest, unevenness, variances};
use latents_explore::traverse::{Interpolation, along, among, between};
use latents_report::{Figure, Tile, grid, strip, tiles};

use crate::error::{Error, Result};
use crate::latents::{ImageArray, Latents};
use crate::model::TrainedModel;
use crate::selection::SelectedImages;

/// Axes that are shown when all are asked for: the first by variance.
const MOST_AXES: usize = 16;

/// A point of a latent space: an image's latent vector, or a given one.
#[derive(Clone, Debug, PartialEq)]
pub struct LatentPoint {
    /// The vector `[d]`.
    pub z: Vec<f32>,
    /// What it is called in figures.
    pub name: String,
    /// The image `[c, h, w]` that it was encoded from, if it was.
    pub image: Option<Vec<f32>>,
    /// The name of the class that a conditional model decodes a path from this point as: that of the image, if it has one. Other models
    /// take none.
    pub class: Option<String>,
}

impl LatentPoint {
    /// The point, to be decoded as another class.
    #[must_use]
    pub fn of_class(self, class: &str) -> Self {
        LatentPoint { class: Some(class.to_owned()), ..self }
    }
}

impl Latents {
    /// The vector that `text` means, by its name or its number from 0, as of [`Labelled::find`].
    ///
    /// # Errors
    /// If there is none, or there are several.
    pub fn find(&self, text: &str) -> Result<usize> {
        let found = latents_data::find_image(self.names.as_deref(), self.len(), text);
        Ok(found?)
    }

    /// A vector as a point.
    ///
    /// # Errors
    /// If there is no such vector.
    pub fn point(&self, index: usize) -> Result<LatentPoint> {
        Ok(LatentPoint {
            z: self.vector(index)?.to_vec(),
            name: format!("latent {index}"),
            image: None,
            class: self.class_of(index).map(str::to_owned),
        })
    }
}

/// Which latent axes are traversed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axes {
    /// One, from 0.
    One(usize),
    /// The 16 of largest variance among the training latents.
    Largest,
}

/// Images at steps through the latent space, and their figure.
///
/// ```no_run
/// use latents::{Interpolation, Part, Session, TrainedModel};
///
/// let mut model = TrainedModel::open("runs/ae", &Session::default())?;
/// let data = model.data()?;
/// let (from, to) = (model.point(&data, Part::Test, 0)?, model.point(&data, Part::Test, 1)?);
/// model.traverse([&from, &to], 10, Interpolation::Linear)?.figure.save("path.svg")?;
/// # Ok::<(), latents::Error>(())
/// ```
#[derive(Debug)]
pub struct Traversal {
    /// The images, row by row.
    pub images: ImageArray,
    /// Their latents `[n, d]`.
    pub z: Vec<f32>,
    /// The figure.
    pub figure: Figure,
    /// Between two points: the largest over the mean step between neighbouring images.
    pub unevenness: Option<f64>,
}

impl TrainedModel {
    /// An image of a part of a data set as a point.
    ///
    /// # Errors
    /// If there is no such image, or the model has no latents.
    pub fn point(&mut self, data: &Dataset, part: Part, index: usize) -> Result<LatentPoint> {
        self.point_in(data.part(part), &data.classes, index)
    }

    fn point_in(
        &mut self,
        images: &Labelled,
        classes: &[String],
        index: usize,
    ) -> Result<LatentPoint> {
        if index >= images.len() {
            return Err(Error::NoImage { index, last: images.len().max(1) - 1 });
        }
        let image = images.images.image_unit(index);
        let class = images.class_of(index, classes);
        let own = match &images.names {
            Some(names) => names[index].clone(),
            None => format!("image {index}"),
        };
        let name = class.map_or(own.clone(), |class| format!("{class} ({own})"));
        let class = class.map(str::to_owned);
        Ok(LatentPoint { z: self.encode_values(&image)?, name, image: Some(image), class })
    }

    /// A selected image as a point.
    ///
    /// # Errors
    /// If there is no such image, or the model has no latents.
    pub fn point_of(&mut self, selected: &SelectedImages, index: usize) -> Result<LatentPoint> {
        self.point_in(&selected.images, &selected.classes, index)
    }

    /// Refuses points of another number of dimensions than the model's.
    fn check_points(&self, points: &[&LatentPoint]) -> Result<()> {
        let expected = self.latent_space()?.dim;
        match points.iter().map(|point| point.z.len()).find(|&found| found != expected) {
            Some(found) => Err(Error::LatentDim { found, expected }),
            None => Ok(()),
        }
    }

    /// The images of the latents of a path, of a conditional model as those of the class of the point `from`; and what to add to a title.
    fn decode_path(&mut self, z: &[f32], from: &LatentPoint) -> Result<(ImageArray, String)> {
        if !self.is_conditional() {
            return Ok((self.decode(z)?, String::new()));
        }
        let Some(name) = &from.class else { return Err(self.class_needed()) };
        let classes = vec![self.class_named(name)?; z.len() / from.z.len().max(1)];
        Ok((self.decode_as(z, &classes)?, format!(", as {name}")))
    }

    /// Equal steps from one point to another, both ends included. A conditional model decodes them as images of the class of the first point.
    ///
    /// # Errors
    /// If the points do not have the model's dimensions, there are fewer than two steps, or a conditional model does not know the class.
    pub fn traverse(
        &mut self,
        [from, to]: [&LatentPoint; 2],
        steps: usize,
        interpolation: Interpolation,
    ) -> Result<Traversal> {
        self.check_points(&[from, to])?;
        self.check_room(steps)?;
        let z = between(&from.z, &to.z, steps, interpolation)?;
        let (images, of_class) = self.decode_path(&z, from)?;
        let shape = images.shape;
        let unevenness = unevenness(Rows::new(&images.values, shape.iter().product())?)?;
        let original = |point: &LatentPoint| point.image.clone().unwrap_or_default();
        let (first, last) = (original(from), original(to));
        let mut shown = tiles(&first, shape, |_| "original".into());
        shown.extend(tiles(&images.values, shape, |i| format!("{} / {steps}", i + 1)));
        shown.extend(tiles(&last, shape, |_| "original".into()));
        let figure = strip(&format!("From {} to {}{of_class}", from.name, to.name), &shown);
        Ok(Traversal { figure, z, unevenness: Some(unevenness), images })
    }

    /// Equal steps from one point to another, decoded as images of each of some classes of a conditional model: a row for each class, so the
    /// images of a column have the same latents. With no classes, all of the model's.
    ///
    /// # Errors
    /// As [`TrainedModel::traverse`]; [`Error::NotConditional`] if the model takes no class.
    pub fn traverse_classes(
        &mut self,
        [from, to]: [&LatentPoint; 2],
        steps: usize,
        interpolation: Interpolation,
        classes: &[u16],
    ) -> Result<Traversal> {
        self.check_conditional()?;
        self.check_points(&[from, to])?;
        let rows = if classes.is_empty() { self.every_class() } else { classes.to_vec() };
        self.check_room(steps.saturating_mul(rows.len()))?;
        let z = between(&from.z, &to.z, steps, interpolation)?.repeat(rows.len());
        let each: Vec<u16> = rows.iter().flat_map(|&class| vec![class; steps]).collect();
        let images = self.decode_as(&z, &each)?;
        let names = rows.iter().map(|&class| self.classes()[usize::from(class)].clone());
        let title = format!("From {} to {}, as each class", from.name, to.name);
        let figure = rows_of(&title, &images, steps, &names.collect::<Vec<_>>());
        Ok(Traversal { figure, z, unevenness: None, images })
    }

    /// A square of images among four points at its corners: top left, top right, bottom left, bottom right. A conditional model decodes them
    /// as images of the class of the first corner.
    ///
    /// # Errors
    /// As [`TrainedModel::traverse`].
    pub fn traverse_square(
        &mut self,
        corners: [&LatentPoint; 4],
        steps: usize,
        interpolation: Interpolation,
    ) -> Result<Traversal> {
        self.check_points(&corners)?;
        self.check_room(steps.saturating_mul(steps))?;
        let z = among(corners.map(|point| point.z.as_slice()), steps, steps, interpolation)?;
        let (images, of_class) = self.decode_path(&z, corners[0])?;
        let names = corners.map(|point| point.name.as_str());
        let title =
            format!("Among {}, {}, {} and {}{of_class}", names[0], names[1], names[2], names[3]);
        let figure = rows_of(&title, &images, steps, &[]);
        Ok(Traversal { figure, z, unevenness: None, images })
    }

    /// Images along latent axes through a point, from two standard deviations of the training latents below to two above; a row for each axis. A
    /// conditional model decodes them as images of the class of the point.
    ///
    /// # Errors
    /// If there is no such axis, or the training latents are not available.
    pub fn traverse_axes(
        &mut self,
        point: &LatentPoint,
        axes: Axes,
        steps: usize,
    ) -> Result<Traversal> {
        self.check_points(&[point])?;
        let d = point.z.len();
        let train = self.training_latents()?;
        let deviations: Vec<f64> =
            variances(Rows::new(&train, d)?).iter().map(|v| v.sqrt()).collect();
        let axes = match axes {
            Axes::One(axis) if axis >= d => {
                let last = d - 1;
                return Err(Error::Invalid(format!(
                    "there is no latent axis {axis}: they are from 0 to {last}"
                )));
            }
            Axes::One(axis) => vec![axis],
            Axes::Largest => largest(&deviations, MOST_AXES),
        };
        self.check_room(steps.saturating_mul(axes.len()))?;
        let mut z = vec![];
        for &axis in &axes {
            let reach = 2.0 * deviations[axis] as f32;
            let middle = point.z[axis];
            z.extend(along(&point.z, axis, (middle - reach, middle + reach), steps)?);
        }
        let (images, of_class) = self.decode_path(&z, point)?;
        let captions: Vec<String> = axes.iter().map(|k| format!("axis {k}")).collect();
        let title = format!("{}{of_class}, latent axes from -2 to +2 deviations", point.name);
        let figure = rows_of(&title, &images, steps, &captions);
        Ok(Traversal { figure, z, unevenness: None, images })
    }
}

fn rows_of(title: &str, images: &ImageArray, columns: usize, captions: &[String]) -> Figure {
    let shown = tiles(&images.values, images.shape, |_| String::new());
    let rows: Vec<Vec<Tile<'_>>> = shown.chunks(columns).map(<[Tile<'_>]>::to_vec).collect();
    grid(title, &rows, captions)
}
