//! Images that are unlike the others: hard to reconstruct, far in the latent space, or nearly the same as another.

use latents_data::{Dataset, Part};
use latents_explore::Rows;
use latents_explore::metrics::latents::{NearDuplicate, largest, mahalanobis, near_duplicates};
use latents_explore::metrics::reconstruction::squared_errors;
use latents_report::{Figure, Tile, grid, tiles};
use serde::Serialize;

use crate::error::Result;
use crate::model::TrainedModel;

/// The images of a part that are unlike the others.
#[derive(Clone, Debug, Serialize)]
pub struct Outliers {
    /// The part.
    #[serde(rename = "split")]
    pub part: Part,
    /// Those with the largest reconstruction errors, largest first.
    pub hardest: Vec<Outlier>,
    /// Those whose latents are farthest from the training images', farthest first.
    pub farthest: Vec<Outlier>,
    /// Pairs that are nearly the same, nearest first.
    pub near_duplicates: Vec<NearDuplicate>,
}

/// One of them.
#[derive(Clone, Debug, Serialize)]
pub struct Outlier {
    /// Its number in the part, from 0.
    pub image: usize,
    /// Its class, if known.
    pub class: Option<String>,
    /// Mean squared error of its reconstruction.
    pub squared_error: f64,
    /// Mahalanobis distance of its latent vector from those of the training images.
    pub distance: f64,
}

/// The settings of a search for outliers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutlierConfig {
    /// How many of each kind.
    pub top: usize,
    /// Two images are nearly the same up to this root mean squared difference of their pixels, from 0 to 1.
    pub same: f64,
}

impl Default for OutlierConfig {
    fn default() -> Self {
        OutlierConfig { top: 10, same: 0.03 }
    }
}

impl TrainedModel {
    /// Finds the images of a part that are unlike the others, and draws them.
    ///
    /// # Errors
    /// If the model has no latents, or there are too few images.
    pub fn outliers(
        &mut self,
        data: &Dataset,
        part: Part,
        config: OutlierConfig,
    ) -> Result<(Outliers, Figure)> {
        let images = data.part(part);
        let (shape, d) = (self.shape(), self.latent_space()?.dim);
        let numbers: usize = shape.iter().product();
        let z = self.latent_means(images)?;
        let others = (part != Part::Train).then(|| self.latent_means(&data.train)).transpose()?;
        let train = others.as_ref().unwrap_or(&z);
        let decoded = self.decode(&z)?.values;
        let pixels = images.images.to_unit();
        let rows = Rows::new(&pixels, numbers)?;
        let monitor = self.session.monitor();
        let (errors, distances, pairs) = self.runtime().run(|| {
            let errors = squared_errors(rows, Rows::new(&decoded, numbers)?)?;
            let distances = mahalanobis(Rows::new(&z, d)?, Rows::new(train, d)?, monitor)?;
            let pairs = near_duplicates(rows, config.same, monitor)?;
            Ok::<_, latents_explore::Error>((errors, distances, pairs))
        })?;
        let (hardest, farthest) = (largest(&errors, config.top), largest(&distances, config.top));
        let class = |i: usize| images.class_of(i, &data.classes).map(str::to_owned);
        let gather = |from: &[f32], which: &[usize]| -> Vec<f32> {
            which
                .iter()
                .flat_map(|&i| from[i * numbers..(i + 1) * numbers].iter().copied())
                .collect()
        };
        let shown: Vec<[usize; 2]> = pairs.iter().take(config.top).map(|p| p.images).collect();
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
        let caption = |i: usize| match class(i) {
            Some(class) => format!("{i} {class}"),
            None => i.to_string(),
        };
        let rows: Vec<Vec<Tile<'_>>> = used
            .iter()
            .map(|(_, images, which)| tiles(images, shape, |k| caption(which[k])))
            .collect();
        let captions: Vec<String> = used.iter().map(|(name, ..)| (*name).into()).collect();
        let figure = grid("Images unlike the others", &rows, &captions);

        let outlier = |&i: &usize| Outlier {
            image: i,
            class: class(i),
            squared_error: errors[i],
            distance: distances[i],
        };
        let found = Outliers {
            part,
            hardest: hardest.iter().map(outlier).collect(),
            farthest: farthest.iter().map(outlier).collect(),
            near_duplicates: pairs,
        };
        Ok((found, figure))
    }
}
