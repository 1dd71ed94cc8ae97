//! Images that are unlike the others: hard to reconstruct, far in the latent space, or nearly the same as another.

use std::path::{Path, PathBuf};

use latents_data::Part;
use latents_explore::Rows;
use latents_explore::metrics::latents::{NearDuplicate, largest, mahalanobis, near_duplicates};
use latents_explore::metrics::reconstruction::squared_errors;
use latents_report::{Figure, Tile, grid, tiles};
use latents_tables::{Column, ColumnTable, Values};
use serde::Serialize;

use crate::error::Result;
use crate::latents::Latents;
use crate::model::TrainedModel;
use crate::selection::SelectedImages;
use crate::session::Session;

/// The images that are unlike the others.
///
/// ```
/// use latents::{Latents, OutlierConfig, Session};
///
/// let mut z: Vec<f32> = (0..60).map(|i| (i * i % 17) as f32).collect(); // [20, 3]
/// z[30..33].copy_from_slice(&[90.0, -90.0, 90.0]);
/// let found = Latents::new(z, 3)?.outliers(OutlierConfig::of_vectors(), &Session::default())?;
/// assert_eq!(found.farthest[0].image, 10);
/// # Ok::<(), latents::Error>(())
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct Outliers {
    /// Those with the largest reconstruction errors, largest first.
    pub hardest: Vec<Outlier>,
    /// Those whose latents are farthest from the training images', farthest first.
    pub farthest: Vec<Outlier>,
    /// Pairs that are nearly the same, nearest first.
    pub near_duplicates: Vec<NearPair>,
}

/// One of them.
#[derive(Clone, Debug, Serialize)]
pub struct Outlier {
    /// Its number among the images, from 0.
    pub image: usize,
    /// Its name, or its number if it has none.
    pub name: String,
    /// Its part, if it is one of the run's own.
    #[serde(rename = "split")]
    pub part: Option<Part>,
    /// Its class, if known.
    pub class: Option<String>,
    /// Mean squared error of its reconstruction; `None` of vectors alone.
    pub squared_error: Option<f64>,
    /// Mahalanobis distance of its latent vector from those of the training images.
    pub distance: f64,
}

/// Two images that are nearly the same.
#[derive(Clone, Debug, Serialize)]
pub struct NearPair {
    /// Their numbers and the distance of their pixels.
    #[serde(flatten)]
    pub pair: NearDuplicate,
    /// Their names.
    pub names: [String; 2],
}

/// The settings of a search for outliers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutlierConfig {
    /// How many of each kind.
    pub top: usize,
    /// Two images are nearly the same up to this root mean squared difference of their pixels, from 0 to 1; of vectors, of their
    /// numbers.
    pub same: f64,
}

impl OutlierConfig {
    /// The defaults for vectors alone, of which only equal ones are nearly the same.
    #[must_use]
    pub fn of_vectors() -> Self {
        OutlierConfig { same: 0.0, ..OutlierConfig::default() }
    }
}

impl Default for OutlierConfig {
    fn default() -> Self {
        OutlierConfig { top: 10, same: 0.03 }
    }
}

/// The content of a JSON file of outliers.
#[derive(Serialize)]
struct Saved<'a> {
    figures: &'a [PathBuf],
    #[serde(flatten)]
    outliers: &'a Outliers,
}

impl Outliers {
    /// Writes them, by the ending of the file: `.json`, which names the files of their `figures` too, or a [table](Self::table) (`.csv`, `.tsv`,
    /// `.parquet`).
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>, figures: &[PathBuf]) -> Result<()> {
        let path = path.as_ref();
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json")) {
            let text = serde_json::to_vec_pretty(&Saved { figures, outliers: self })?;
            return Ok(latents_files::write(path, &text)?);
        }
        Ok(latents_tables::write(path, &self.table()?)?)
    }

    /// All of them as a table: what each is (`kind`: `hardest`, `farthest` or `near duplicate`) and its `rank` from 1, its `image`,
    /// `name`, `part`, `class`, `squared_error` and `distance`; of a pair, the first one's `image` and `name`, the `other` one's name
    /// and the `difference` of their pixels.
    ///
    /// # Errors
    /// None that these columns can have.
    pub fn table(&self) -> Result<ColumnTable> {
        let singles = [("hardest", &self.hardest), ("farthest", &self.farthest)];
        let singles: Vec<(&str, usize, &Outlier)> = singles
            .iter()
            .flat_map(|(kind, all)| all.iter().enumerate().map(|(i, o)| (*kind, i + 1, o)))
            .collect();
        let pairs = &self.near_duplicates;
        let text = |of: &dyn Fn(&Outlier) -> Option<String>,
                    pair: &dyn Fn(&NearPair) -> Option<String>| {
            let singles = singles.iter().map(|(_, _, o)| of(o));
            Values::Text(singles.chain(pairs.iter().map(pair)).collect())
        };
        let number = |of: &dyn Fn(&Outlier) -> Option<f64>,
                      pair: &dyn Fn(&NearPair) -> Option<f64>| {
            let singles = singles.iter().map(|(_, _, o)| of(o));
            Values::F64(singles.chain(pairs.iter().map(pair)).collect())
        };
        let kinds =
            singles.iter().map(|(kind, ..)| *kind).chain(pairs.iter().map(|_| "near duplicate"));
        let ranks = singles.iter().map(|(_, rank, _)| *rank).chain(1..=pairs.len());
        let images =
            singles.iter().map(|(.., o)| o.image).chain(pairs.iter().map(|p| p.pair.images[0]));
        let whole = |numbers: Vec<usize>| {
            Values::I64(numbers.into_iter().map(|number| Some(number as i64)).collect())
        };
        Ok(ColumnTable::new(vec![
            Column::new("kind", Values::Text(kinds.map(|kind| Some(kind.to_owned())).collect())),
            Column::new("rank", whole(ranks.collect())),
            Column::new("image", whole(images.collect())),
            Column::new("name", text(&|o| Some(o.name.clone()), &|p| Some(p.names[0].clone()))),
            Column::new("part", text(&|o| o.part.map(|part| part.to_string()), &|_| None)),
            Column::new("class", text(&|o| o.class.clone(), &|_| None)),
            Column::new("squared_error", number(&|o| o.squared_error, &|_| None)),
            Column::new("distance", number(&|o| Some(o.distance), &|_| None)),
            Column::new("other", text(&|_| None, &|p| Some(p.names[1].clone()))),
            Column::new("difference", number(&|_| None, &|p| Some(p.pair.difference))),
        ])?)
    }
}

impl Latents {
    /// The vectors that are unlike the others: those farthest from all, and pairs that are nearly the same. As vectors alone have no
    /// reconstructions, none is hard to reconstruct.
    ///
    /// # Errors
    /// If there are too few vectors, or the call was interrupted.
    pub fn outliers(&self, config: OutlierConfig, session: &Session) -> Result<Outliers> {
        let rows = self.rows()?;
        let monitor = session.monitor();
        let (distances, pairs) = session.runtime()?.run(|| {
            let distances = mahalanobis(rows, rows, monitor)?;
            let pairs = near_duplicates(rows, config.same, monitor)?;
            Ok::<_, latents_explore::Error>((distances, pairs))
        })?;
        let name = |i: usize| match &self.names {
            Some(names) => names[i].clone(),
            None => i.to_string(),
        };
        let outlier = |i: usize| Outlier {
            image: i,
            name: name(i),
            part: self.parts.as_ref().map(|parts| parts[i]),
            class: self.class_of(i).map(str::to_owned),
            squared_error: None,
            distance: distances[i],
        };
        let named = |pair: NearDuplicate| NearPair { pair, names: pair.images.map(name) };
        Ok(Outliers {
            hardest: vec![],
            farthest: largest(&distances, config.top).into_iter().map(outlier).collect(),
            near_duplicates: pairs.into_iter().map(named).collect(),
        })
    }
}

impl TrainedModel {
    /// Finds the images that are unlike the others, and draws them.
    ///
    /// # Errors
    /// If the model has no latents, there are too few images, or a conditional model does not know the class of one.
    pub fn outliers(
        &mut self,
        selected: &SelectedImages,
        config: OutlierConfig,
    ) -> Result<(Outliers, Figure)> {
        let images = &selected.images;
        let (shape, d) = (self.shape(), self.latent_space()?.dim);
        let numbers: usize = shape.iter().product();
        let z = self.latent_means(images)?;
        let train = self.training_latents()?;
        let given = self.conditions(&self.in_own_classes(images, &selected.classes))?;
        let decoded = self.decode_given(&z, &given)?.values;
        let pixels = images.images.to_unit();
        let rows = Rows::new(&pixels, numbers)?;
        let monitor = self.session.monitor();
        let (errors, distances, pairs) = self.runtime().run(|| {
            let errors = squared_errors(rows, Rows::new(&decoded, numbers)?)?;
            let distances = mahalanobis(Rows::new(&z, d)?, Rows::new(&train, d)?, monitor)?;
            let pairs = near_duplicates(rows, config.same, monitor)?;
            Ok::<_, latents_explore::Error>((errors, distances, pairs))
        })?;
        let (hardest, farthest) = (largest(&errors, config.top), largest(&distances, config.top));
        let class = |i: usize| selected.class_of(i).map(str::to_owned);
        // The end of a path says most.
        let short = |i: usize| {
            let name = images.name_of(i);
            name.rsplit('/').next().unwrap_or_default().to_owned()
        };
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
            Some(class) => format!("{} {class}", short(i)),
            None => short(i),
        };
        let rows: Vec<Vec<Tile<'_>>> = used
            .iter()
            .map(|(_, images, which)| tiles(images, shape, |k| caption(which[k])))
            .collect();
        let captions: Vec<String> = used.iter().map(|(name, ..)| (*name).into()).collect();
        let figure = grid("Images unlike the others", &rows, &captions);

        let outlier = |&i: &usize| Outlier {
            image: i,
            name: images.name_of(i),
            part: selected.parts.as_ref().map(|parts| parts[i]),
            class: class(i),
            squared_error: Some(errors[i]),
            distance: distances[i],
        };
        let named = |pair: NearDuplicate| {
            let names = pair.images.map(|i| images.name_of(i));
            NearPair { pair, names }
        };
        let found = Outliers {
            hardest: hardest.iter().map(outlier).collect(),
            farthest: farthest.iter().map(outlier).collect(),
            near_duplicates: pairs.into_iter().map(named).collect(),
        };
        Ok((found, figure))
    }
}
