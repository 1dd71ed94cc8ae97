//! Conditional models: the class that each latent vector or image is decoded as, and the classes of new images. Classes of images from
//! elsewhere are found by their names.

use std::borrow::Cow;

use latents_data::Labelled;
use latents_data::npz::Array;
use latents_engine::Inputs;
use latents_models::condition_value;
use latents_report::{Figure, ImageView, Tile, grid};

use crate::conditions::Conditions;
use crate::error::{Error, Result};
use crate::latents::{ImageArray, Latents};
use crate::model::{BLOCK, TrainedModel, check_finite};
use crate::outputs::Origin;

/// Rows and columns of a figure of samples by class, at most.
const ROWS: usize = 40;
const COLUMNS: usize = 10;

impl TrainedModel {
    /// Whether the decoder is given the class of an image: p(x|z, y). See [`VaeConfig::conditional`](latents_models::VaeConfig::conditional).
    #[must_use]
    pub fn is_conditional(&self) -> bool {
        self.config.model.is_conditional()
    }

    /// The number of a class of a conditional model, by its name.
    ///
    /// # Errors
    /// [`Error::NotConditional`] if the model takes no class, or if there is no class of this name; the error has the most similar one.
    pub fn class_named(&self, name: &str) -> Result<u16> {
        self.check_conditional()?;
        Ok(self.config.data.class_named(name)?)
    }

    /// The numbers of some classes of a conditional model, by their names.
    ///
    /// # Errors
    /// As [`TrainedModel::class_named`].
    pub fn classes_named(&self, names: &[String]) -> Result<Vec<u16>> {
        names.iter().map(|name| self.class_named(name)).collect()
    }

    /// Refuses a model that takes no class.
    pub(crate) fn check_conditional(&self) -> Result<()> {
        if self.is_conditional() {
            return Ok(());
        }
        Err(Error::NotConditional { run: self.dir().to_owned() })
    }

    /// The error for latents of a conditional model that are decoded without a class.
    pub(crate) fn class_needed(&self) -> Error {
        Error::ClassNeeded { run: self.dir().to_owned(), known: self.classes().to_vec() }
    }

    /// Images whose labels are numbers of this model's classes, found by their names among the `classes` of the images. An image of another
    /// class has no label then. Images of a model that is not conditional stay as they are.
    #[must_use]
    pub fn in_own_classes<'a>(
        &self,
        images: &'a Labelled,
        classes: &[String],
    ) -> Cow<'a, Labelled> {
        if !self.is_conditional() || classes == self.classes() || images.labels.is_none() {
            return Cow::Borrowed(images);
        }
        let labels = self.own_labels(images.labels.as_deref(), classes);
        Cow::Owned(Labelled { labels, ..images.clone() })
    }

    /// Labels that are numbers of some classes, as numbers of this model's.
    fn own_labels(
        &self,
        labels: Option<&[Option<u16>]>,
        classes: &[String],
    ) -> Option<Vec<Option<u16>>> {
        let own = |name: &String| self.classes().iter().position(|class| class == name);
        let own: Vec<Option<u16>> =
            classes.iter().map(|name| own(name).map(|class| class as u16)).collect();
        let of = |label: &Option<u16>| label.and_then(|label| *own.get(usize::from(label))?);
        labels.map(|labels| labels.iter().map(of).collect())
    }

    /// The conditions of images whose labels are numbers of this model's classes.
    ///
    /// # Errors
    /// [`Error::ClassesMissing`] if an image of a conditional model has none of its classes.
    pub(crate) fn conditions(&self, images: &Labelled) -> Result<Conditions> {
        self.conditions_of(images.labels.as_deref(), images.len())
    }

    /// Classes that the network knows, as its conditions.
    pub(crate) fn given(&self, classes: Vec<u16>) -> Conditions {
        let layout = self.engine.layout();
        Conditions::new(classes, layout.condition_features(), condition_value(layout))
    }

    fn conditions_of(&self, labels: Option<&[Option<u16>]>, n: usize) -> Result<Conditions> {
        if !self.is_conditional() {
            return Ok(Conditions::default());
        }
        let features = self.engine.layout().condition_features();
        let own = |label: &Option<u16>| label.filter(|&label| usize::from(label) < features);
        let classes: Vec<u16> = labels.into_iter().flatten().filter_map(own).collect();
        if classes.len() == n {
            return Ok(self.given(classes));
        }
        let (run, missing) = (self.dir().to_owned(), n.saturating_sub(classes.len()));
        Err(Error::ClassesMissing { run, missing, of: n, known: self.classes().to_vec() })
    }

    /// The images `[n, c, h, w]` of latents `[n, d]`, each as an image of a class `[n]`.
    ///
    /// ```no_run
    /// use latents::{Session, TrainedModel};
    ///
    /// let mut model = TrainedModel::open("runs/cvae", &Session::default())?;
    /// let coat = model.class_named("Coat")?;
    /// let z = vec![0.0; model.latent_space()?.dim];
    /// let image = model.decode_as(&z, &[coat])?;
    /// # Ok::<(), latents::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotConditional`]; if there is no such class, or the numbers are not as many vectors as classes.
    pub fn decode_as(&mut self, z: &[f32], classes: &[u16]) -> Result<ImageArray> {
        self.check_conditional()?;
        let (dim, known) = (self.latent_space()?.dim, self.classes().len());
        if z.len() != classes.len() * dim {
            let (numbers, n) = (z.len(), classes.len());
            return Err(Error::Invalid(format!(
                "{n} classes need as many latents of {dim} numbers, but there are {numbers} numbers"
            )));
        }
        if let Some(class) = classes.iter().find(|&&class| usize::from(class) >= known) {
            return Err(Error::Invalid(format!(
                "there is no class {class}: classes are numbered from 0 to {}",
                known.max(1) - 1
            )));
        }
        self.decode_given(z, &self.given(classes.to_vec()))
    }

    /// The images of latents with these conditions, block by block.
    pub(crate) fn decode_given(&mut self, z: &[f32], given: &Conditions) -> Result<ImageArray> {
        let space = self.latent_space()?;
        let n = z.len() / space.dim;
        self.check_room(n)?;
        let mut values = Vec::with_capacity(n * self.shape().iter().product::<usize>());
        for (i, block) in z.chunks(BLOCK * space.dim).enumerate() {
            self.session.check()?;
            let conditions = given.of(i * BLOCK..i * BLOCK + block.len() / space.dim);
            let batch = Inputs::Values(block).with_conditions(&conditions);
            let images = self.engine.forward(&self.parameters, batch, space.decode.clone())?;
            check_finite(self.dir(), &images, block.len() / space.dim, i * BLOCK)?;
            values.extend(images);
        }
        Ok(ImageArray { shape: self.shape(), values })
    }

    /// The images of latents that may be from elsewhere; of a conditional model, with their own labels.
    pub(crate) fn decode_labelled(&mut self, latents: &Latents) -> Result<ImageArray> {
        if self.is_conditional() && latents.labels.is_none() {
            return Err(self.class_needed());
        }
        let labels = self.own_labels(latents.labels.as_deref(), &latents.classes);
        let given = self.conditions_of(labels.as_deref(), latents.len())?;
        self.decode_given(&latents.z, &given)
    }

    /// The numbers of all classes.
    pub(crate) fn every_class(&self) -> Vec<u16> {
        (0..self.classes().len()).map(|class| class as u16).collect()
    }
}

/// The classes of new images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampledClasses {
    /// The class of each image `[n]`, from 0.
    pub labels: Vec<u16>,
    /// The names of all classes `[k]`.
    pub names: Vec<String>,
}

impl SampledClasses {
    /// As many of `n` images of each of some classes as possible, in the order of these; the first classes have those that are left.
    pub(crate) fn in_equal_parts(n: usize, classes: &[u16], names: &[String]) -> Self {
        let k = classes.len().max(1);
        let part =
            |(i, class): (usize, &u16)| std::iter::repeat_n(*class, n / k + usize::from(i < n % k));
        let labels = classes.iter().enumerate().flat_map(part).collect();
        SampledClasses { labels, names: names.to_vec() }
    }

    fn name_of(&self, class: u16) -> String {
        let name = self.names.get(usize::from(class)).cloned();
        name.unwrap_or_else(|| class.to_string())
    }

    /// The name of the class of each image `[n]`.
    #[must_use]
    pub fn names_of_all(&self) -> Vec<String> {
        self.labels.iter().map(|&class| self.name_of(class)).collect()
    }

    /// Each class that has images, in the order of the images, and the numbers of these.
    #[must_use]
    pub fn groups(&self) -> Vec<(String, Vec<usize>)> {
        let mut groups: Vec<(u16, Vec<usize>)> = vec![];
        for (i, &class) in self.labels.iter().enumerate() {
            match groups.iter_mut().find(|(other, _)| *other == class) {
                Some((_, images)) => images.push(i),
                None => groups.push((class, vec![i])),
            }
        }
        groups.into_iter().map(|(class, images)| (self.name_of(class), images)).collect()
    }

    /// The labels and the names of classes as arrays of a file.
    pub(crate) fn arrays(&self) -> Vec<Array> {
        let labels: Vec<Option<u16>> = self.labels.iter().copied().map(Some).collect();
        let none = Origin { names: None, parts: None, labels: None, classes: &self.names };
        Origin { labels: Some(&labels), ..none }.arrays()
    }

    /// A row of the first images of each class; of one class, the first 80 images in rows of ten.
    pub(crate) fn figure(&self, title: &str, images: &ImageArray) -> Figure {
        let groups = self.groups();
        if let [(only, _)] = &groups[..] {
            return images.gallery(&format!("{title}, class {only}"));
        }
        let shape = images.shape;
        let size = shape.iter().product::<usize>().max(1);
        let tile = |&i: &usize| Tile {
            caption: String::new(),
            image: ImageView { shape, pixels: &images.values[i * size..(i + 1) * size] },
        };
        let rows: Vec<Vec<Tile<'_>>> = groups
            .iter()
            .take(ROWS)
            .map(|(_, images)| images.iter().take(COLUMNS).map(tile).collect())
            .collect();
        let captions: Vec<String> = groups.into_iter().map(|(name, _)| name).collect();
        grid(&format!("{title}, a row for each class"), &rows, &captions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_equal_parts_and_the_first_ones_what_is_left() {
        let names = ["a", "b", "c"].map(str::to_owned);
        let of = |n, classes: &[u16]| SampledClasses::in_equal_parts(n, classes, &names);
        assert_eq!(of(7, &[2, 0, 1]).labels, [2, 2, 2, 0, 0, 1, 1]);
        assert_eq!(of(2, &[2, 0, 1]).labels, [2, 0]);
        assert!(of(2, &[]).labels.is_empty());
        // One for each image, if there are as many.
        let each = of(4, &[1, 0, 1, 1]);
        assert_eq!(each.labels, [1, 0, 1, 1]);
        assert_eq!(each.groups(), [("b".into(), vec![0, 2, 3]), ("a".into(), vec![1])]);
    }
}
