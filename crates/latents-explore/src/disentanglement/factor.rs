//! A known factor of variation, and what all scores need of factors and latents.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::rows::Rows;

/// Images that factors are measured on at least: mutual information and predictions of fewer say nothing.
pub const LEAST_FACTOR_IMAGES: usize = 100;
/// Images that there are of each value of a factor at least, on average: what has more different values is no factor.
pub const IMAGES_OF_A_VALUE: usize = 10;

/// A known factor of variation of images: its value in each image `[n]`, as a number from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Factor {
    name: String,
    values: Vec<u16>,
    count: usize,
}

impl Factor {
    /// A factor with these values `[n]`. Only which values are equal matters: values that occur in no image are not counted.
    ///
    /// ```
    /// use latents_explore::disentanglement::Factor;
    ///
    /// assert_eq!(Factor::new("angle", &[30, 0, 90, 30])?.count(), 3);
    /// assert!(Factor::new("size", &[7, 7, 7, 7]).is_err());
    /// # Ok::<(), latents_explore::Error>(())
    /// ```
    ///
    /// # Errors
    /// If fewer than two different values occur.
    pub fn new(name: impl Into<String>, values: &[u16]) -> Result<Self, Error> {
        let name = name.into();
        let mut numbers: BTreeMap<u16, u16> = values.iter().map(|&value| (value, 0)).collect();
        let count = numbers.len();
        if count < 2 {
            return Err(Error::Invalid(format!(
                "factor `{name}` has the same value in all {} images; leave it out, since it does not vary",
                values.len()
            )));
        }
        numbers.values_mut().enumerate().for_each(|(i, number)| *number = i as u16);
        Ok(Self { name, values: values.iter().map(|value| numbers[value]).collect(), count })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of different values.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The numbers of the values of some images.
    pub(super) fn at(&self, images: &[usize]) -> Vec<u16> {
        images.iter().map(|&i| self.values[i]).collect()
    }

    /// The number of each image's value `[n]`, below [`count`](Self::count).
    pub(super) fn values(&self) -> &[u16] {
        &self.values
    }
}

/// Returns an error unless scores of these latents and factors have a meaning.
pub(super) fn check(latents: Rows<'_>, factors: &[Factor]) -> Result<(), Error> {
    latents.at_least(LEAST_FACTOR_IMAGES, "a score of disentanglement")?;
    if latents.dim() < 2 {
        let why = "scores of disentanglement compare latents, but there is only one";
        return Err(Error::Invalid(why.into()));
    }
    if factors.is_empty() {
        let why = "scores of disentanglement need known factors, but none is given";
        return Err(Error::Invalid(why.into()));
    }
    let (expected, is_other) =
        (latents.len(), |factor: &&Factor| factor.values.len() != latents.len());
    if let Some(factor) = factors.iter().find(is_other) {
        return Err(Error::Invalid(format!(
            "factor `{}` is given for {} images, but there are latents of {expected}; give a value for each image",
            factor.name,
            factor.values.len()
        )));
    }
    match factors.iter().find(|factor| factor.count * IMAGES_OF_A_VALUE > expected) {
        Some(factor) => Err(Error::Invalid(format!(
            "factor `{}` has {} different values in {expected} images, which leaves fewer than {IMAGES_OF_A_VALUE} images for each; join values, or leave it out",
            factor.name, factor.count
        ))),
        None => Ok(()),
    }
}
