//! What is in a data set: its sizes by class, and some images of each class on one sheet.

use latents_data::{Dataset, Labelled};
use latents_report::{Figure, ImageView, Tile, grid};
use serde::Serialize;

/// Images of a class on the contact sheet, classes on it at most, and images on it if there are no classes.
const COLUMNS: usize = 10;
const ROWS: usize = 40;
const UNLABELLED: usize = 100;

/// The number of images of a class in each part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// The class.
    pub name: String,
    /// Training images.
    pub train: usize,
    /// Images of the source's own validation part.
    pub validation: usize,
    /// Test images.
    pub test: usize,
}

impl ClassCount {
    /// The number of its images in all parts.
    #[must_use]
    pub fn images(&self) -> usize {
        self.train + self.validation + self.test
    }
}

/// The number of images of each class, in the order of their labels.
#[must_use]
pub fn class_counts(data: &Dataset) -> Vec<ClassCount> {
    let counts = |part: &Labelled| {
        let mut counts = vec![0; data.classes.len()];
        for &label in part.labels.iter().flatten().flatten() {
            counts[usize::from(label)] += 1;
        }
        counts
    };
    let (train, validation, test) =
        (counts(&data.train), counts(&data.validation), counts(&data.test));
    let each = data.classes.iter().enumerate().map(|(i, name)| ClassCount {
        name: name.clone(),
        train: train[i],
        validation: validation[i],
        test: test[i],
    });
    each.collect()
}

/// The first training images of each class, a row for each of the first forty classes; without labels, the first images.
#[must_use]
pub fn contact_sheet(data: &Dataset) -> Figure {
    let part = &data.train;
    let shape = part.images.shape();
    let rows: Vec<(String, Vec<Vec<f32>>)> = match &part.labels {
        Some(labels) => {
            let row = |(class, name): (usize, &String)| {
                let is_member = |label: &Option<u16>| label.map(usize::from) == Some(class);
                let members = labels.iter().enumerate().filter(|(_, label)| is_member(label));
                let images = members.take(COLUMNS).map(|(i, _)| part.images.image_unit(i));
                (name.clone(), images.collect())
            };
            data.classes.iter().enumerate().take(ROWS).map(row).collect()
        }
        None => (0..part.len().min(UNLABELLED))
            .collect::<Vec<_>>()
            .chunks(COLUMNS)
            .map(|row| (String::new(), row.iter().map(|&i| part.images.image_unit(i)).collect()))
            .collect(),
    };
    let captions: Vec<String> = rows.iter().map(|(name, _)| name.clone()).collect();
    let tiles: Vec<Vec<Tile<'_>>> = rows
        .iter()
        .map(|(_, images)| {
            let tile = |pixels| Tile { caption: String::new(), image: ImageView { shape, pixels } };
            images.iter().map(|pixels| tile(pixels)).collect()
        })
        .collect();
    grid(&data.name, &tiles, &captions)
}
