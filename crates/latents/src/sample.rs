//! New images from random latent vectors.

use std::fmt;
use std::path::{Path, PathBuf};

use latents_data::Labelled;
use latents_explore::neighbours::nearest;
use latents_explore::samplers::{self, Temperature};
use latents_explore::{FlowFit, GaussianMixture, Rows};
use latents_report::{Figure, ImageView, Tile, grid};
use latents_tables::{Column, ColumnTable, Values};

use crate::conditional::SampledClasses;
use crate::error::{Error, Result};
use crate::flow::fit_flow;
use crate::latents::{ImageArray, Latents, save_beside};
use crate::model::TrainedModel;
use crate::prior::Prior;
use crate::session::Session;

/// Images that are compared at once.
const BLOCK: usize = 8192;
/// Samples that are shown with their nearest images, and how many of them in a row.
const SHOWN: usize = 40;
const PER_ROW: usize = 10;

/// Where random latent vectors are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampler {
    /// The prior that a variational model or a VQ-VAE has learned, or N(0, I) if it has learned none; of a conditional model the prior of the
    /// class. The only sampler of codes.
    Prior,
    /// N(0, I), which a variational autoencoder is trained for unless it learns its prior.
    Normal,
    /// A mixture of Gaussians fitted to the latents of the training images; of a conditional model, one for the latents of each class.
    Mixture {
        /// Gaussians in the mixture.
        components: usize,
    },
    /// A normalising flow fitted to the latents of the training images (see [`latents_explore::Flow`]); of a variational model to draws of their posteriors, of a
    /// conditional one for each class.
    Flow,
    /// Uniformly from the box that the latents of the training images lie in.
    Uniform,
}

impl Sampler {
    /// Its name: `prior`, `normal`, `mixture`, `flow` or `uniform`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Sampler::Prior => "prior",
            Sampler::Normal => "normal",
            Sampler::Mixture { .. } => "mixture",
            Sampler::Flow => "flow",
            Sampler::Uniform => "uniform",
        }
    }
}

/// A sampler at a temperature. A sampler alone is one at temperature 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tempered {
    sampler: Sampler,
    temperature: Temperature,
}

impl From<Sampler> for Tempered {
    fn from(sampler: Sampler) -> Self {
        Tempered { sampler, temperature: Temperature::default() }
    }
}

impl Sampler {
    /// This sampler at a temperature: below 1, images are likelier and vary less. It multiplies the standard deviations of normal
    /// distributions, those of each component of a mixture and of what a flow maps, and divides the logits of codes.
    ///
    /// ```no_run
    /// use latents::{Sampler, Session, TrainedModel};
    ///
    /// let mut model = TrainedModel::open("runs/vqvae", &Session::default())?;
    /// let likely = model.sample(100, Sampler::Prior.tempered(0.8)?, 1)?;
    /// # Ok::<(), latents::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the temperature is not a number above 0, or is another than 1 of the box, which has no likelier images.
    pub fn tempered(self, temperature: f64) -> Result<Tempered> {
        let temperature = Temperature::new(temperature)?;
        if self == Sampler::Uniform && !temperature.is_neutral() {
            let why = "latents that are drawn uniformly have no temperature: use another sampler";
            return Err(Error::Invalid(why.into()));
        }
        Ok(Tempered { sampler: self, temperature })
    }
}

/// A density that is fitted to the latents of the training images.
#[derive(Clone, Copy, Debug)]
enum Fitted {
    Mixture { components: usize },
    Flow,
    Box,
}

impl Sampler {
    /// The density of latents that it draws from, if it is not a prior.
    fn fitted(self) -> Option<Fitted> {
        match self {
            Sampler::Prior | Sampler::Normal => None,
            Sampler::Mixture { components } => Some(Fitted::Mixture { components }),
            Sampler::Flow => Some(Fitted::Flow),
            Sampler::Uniform => Some(Fitted::Box),
        }
    }
}

impl fmt::Display for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sampler::Prior => f.write_str("the learned prior"),
            Sampler::Normal => f.write_str("N(0, I)"),
            Sampler::Mixture { components } => write!(f, "a mixture of {components} Gaussians"),
            Sampler::Flow => f.write_str("a flow"),
            Sampler::Uniform => f.write_str("the box of the training latents"),
        }
    }
}

/// New images.
///
/// ```no_run
/// use latents::{Sampler, Session, TrainedModel};
///
/// let mut model = TrainedModel::open("runs/vae", &Session::default())?;
/// let made = model.sample(100, Sampler::Prior, 1)?;
/// made.figure().save("new.svg")?;
/// made.save("new.npz")?; // image [100, c, h, w]
/// # Ok::<(), latents::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Samples {
    /// The images `[n, c, h, w]`.
    pub images: ImageArray,
    /// Their latents `[n, d]`.
    pub z: Vec<f32>,
    /// The distribution that the latents were drawn from. If the model has no learned prior, [`Sampler::Prior`] becomes [`Sampler::Normal`].
    pub sampler: Sampler,
    /// The temperature at which they were drawn.
    pub temperature: Temperature,
    /// Bayesian information criterion of a mixture on the training latents.
    pub bic: Option<f64>,
    /// The class of each image `[n]`, of a conditional model.
    pub classes: Option<SampledClasses>,
    /// How well a flow fits training latents that were held out.
    pub flow: Option<FlowFit>,
}

impl Samples {
    /// Writes the images; see [`ImageArray::save`]. Of a conditional model, the file has `label` `[n]` and the names of `classes` `[k]` too.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.images.save_with(path.as_ref(), self.classes.as_ref().map(SampledClasses::arrays))
    }

    /// The first 80 images in rows of ten; of several classes, a row of each.
    #[must_use]
    pub fn figure(&self) -> Figure {
        let temperature = match self.temperature {
            neutral if neutral.is_neutral() => String::new(),
            other => format!(" at temperature {}", other.value()),
        };
        let title = format!("Samples, latents drawn from {}{temperature}", self.sampler);
        match &self.classes {
            Some(classes) => classes.figure(&title, &self.images),
            None => self.images.gallery(&title),
        }
    }
}

/// The training images that new images are most like, by their pixels. A copy of a training image is no new image.
#[derive(Clone, Debug)]
pub struct NearestImages {
    /// The number of the nearest image of each sample.
    pub places: Vec<usize>,
    /// Its name, or its number.
    pub names: Vec<String>,
    /// Its class, if known.
    pub classes: Vec<Option<String>>,
    /// Root mean squared difference of the pixels, from 0 to 1.
    pub differences: Vec<f64>,
    /// The class that each sample was made of, by a conditional model.
    pub sampled: Option<Vec<String>>,
}

impl NearestImages {
    /// A row for each sample: its number `sample`, and of the nearest image the `nearest` name, its `label` and the `difference`. Of a
    /// conditional model, the column `class` is the class of the sample.
    ///
    /// # Errors
    /// None that these columns can have.
    pub fn table(&self) -> Result<ColumnTable> {
        let numbers = (0..self.names.len()).map(|i| Some(i as i64)).collect();
        let names = self.names.iter().cloned().map(Some).collect();
        let differences = self.differences.iter().copied().map(Some).collect();
        let mut columns = vec![Column::new("sample", Values::I64(numbers))];
        if let Some(sampled) = &self.sampled {
            let sampled = sampled.iter().cloned().map(Some).collect();
            columns.push(Column::new("class", Values::Text(sampled)));
        }
        columns.extend([
            Column::new("nearest", Values::Text(names)),
            Column::new("label", Values::Text(self.classes.clone())),
            Column::new("difference", Values::F64(differences)),
        ]);
        Ok(ColumnTable::new(columns)?)
    }
}

impl Samples {
    /// Finds the nearest of some images, usually the training images, to each sample.
    ///
    /// # Errors
    /// If there are no images, they have another shape, or the call was interrupted.
    pub fn nearest(
        &self,
        images: &Labelled,
        classes: &[String],
        session: &Session,
    ) -> Result<NearestImages> {
        let numbers: usize = self.images.shape.iter().product();
        if images.is_empty() || images.images.shape() != self.images.shape {
            return Err(Error::Invalid(
                "the samples need images of their shape beside them".into(),
            ));
        }
        let samples = Rows::new(&self.images.values, numbers)?;
        let mut best = vec![(f32::INFINITY, 0); self.images.len()];
        for start in (0..images.len()).step_by(BLOCK) {
            session.check()?;
            let block: Vec<usize> = (start..(start + BLOCK).min(images.len())).collect();
            let pixels = images.images.at(&block).to_unit();
            let rows = Rows::new(&pixels, numbers)?;
            let found = session.runtime()?.run(|| nearest(samples, rows, 1))?;
            for (i, best) in best.iter_mut().enumerate() {
                let squared = found.squared_of(i)[0];
                if squared < best.0 {
                    *best = (squared, start + found.of(i)[0] as usize);
                }
            }
        }
        let places: Vec<usize> = best.iter().map(|(_, place)| *place).collect();
        let class = |&i: &usize| images.class_of(i, classes).map(str::to_owned);
        Ok(NearestImages {
            names: places.iter().map(|&i| images.name_of(i)).collect(),
            classes: places.iter().map(class).collect(),
            differences: best
                .iter()
                .map(|(d, _)| (f64::from(*d) / numbers as f64).sqrt())
                .collect(),
            places,
            sampled: self.classes.as_ref().map(SampledClasses::names_of_all),
        })
    }

    /// Writes the nearest images of the samples in the file `out` next to it: their table as `NAME-nearest.csv`, and their figure as SVG and PNG.
    /// Returns the files.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save_nearest(
        &self,
        near: &NearestImages,
        images: &Labelled,
        out: &Path,
    ) -> Result<(PathBuf, Vec<PathBuf>)> {
        let stem = out.file_stem().unwrap_or_default().to_string_lossy();
        let table = out.with_file_name(format!("{stem}-nearest.csv"));
        latents_tables::write(&table, &near.table()?)?;
        let figures = save_beside(&self.nearest_figure(near, images), out, "-nearest")?;
        Ok((table, figures))
    }

    /// The first samples above their nearest images.
    #[must_use]
    pub fn nearest_figure(&self, near: &NearestImages, images: &Labelled) -> Figure {
        let shape = self.images.shape;
        let numbers = shape.iter().product::<usize>().max(1);
        let shown = near.places.len().min(SHOWN);
        let found: Vec<Vec<f32>> =
            near.places[..shown].iter().map(|&i| images.images.image_unit(i)).collect();
        let samples: Vec<&[f32]> = self.images.values.chunks_exact(numbers).take(shown).collect();
        let mut rows: Vec<Vec<Tile<'_>>> = vec![];
        for line in (0..shown).collect::<Vec<_>>().chunks(PER_ROW) {
            let tile = |caption, pixels| Tile { caption, image: ImageView { shape, pixels } };
            let own = |i: usize| match &near.sampled {
                Some(classes) => format!("{i} {}", classes[i]),
                None => i.to_string(),
            };
            rows.push(line.iter().map(|&i| tile(own(i), samples[i])).collect());
            let short = |i: usize| {
                let name = near.names[i].rsplit('/').next().unwrap_or_default();
                format!("{name} {:.3}", near.differences[i])
            };
            rows.push(line.iter().map(|&i| tile(short(i), &found[i][..])).collect());
        }
        let captions: Vec<String> =
            ["sample", "nearest"].into_iter().cycle().take(rows.len()).map(str::to_owned).collect();
        grid("Samples and the training images that they are most like", &rows, &captions)
    }
}

impl TrainedModel {
    /// Makes `n` new images. A mixture, a flow and the box need the latents of the training images, which the run keeps; N(0, I) and a learned prior need nothing but the
    /// weights.
    /// A conditional model makes as many of each class as possible, one class after another.
    ///
    /// # Errors
    /// If the model has no latents, the mixture or the flow cannot be fitted, the training latents are needed and missing, or the call was
    /// interrupted; [`Error::OnlyPrior`] for another sampler than the prior if the latents are codes.
    pub fn sample(&mut self, n: usize, sampler: impl Into<Tempered>, seed: u64) -> Result<Samples> {
        let classes = self.is_conditional().then(|| self.every_class());
        self.sample_given(n, classes, sampler.into(), seed)
    }

    /// Makes `n` new images of some classes of a conditional model: as many of each as possible, one class after another.
    ///
    /// # Errors
    /// As [`TrainedModel::sample`]; [`Error::NotConditional`] if the model takes no class, and if there is no such class or none is given.
    pub fn sample_classes(
        &mut self,
        n: usize,
        classes: &[u16],
        sampler: impl Into<Tempered>,
        seed: u64,
    ) -> Result<Samples> {
        self.check_conditional()?;
        if classes.is_empty() {
            return Err(self.class_needed());
        }
        self.sample_given(n, Some(classes.to_vec()), sampler.into(), seed)
    }

    fn sample_given(
        &mut self,
        n: usize,
        classes: Option<Vec<u16>>,
        Tempered { sampler, temperature }: Tempered,
        seed: u64,
    ) -> Result<Samples> {
        self.check_room(n)?;
        let classes =
            classes.map(|classes| SampledClasses::in_equal_parts(n, &classes, self.classes()));
        let dim = self.latent_space()?.dim;
        if self.code_bits().is_some() && sampler != Sampler::Prior {
            return Err(Error::OnlyPrior { run: self.dir().to_owned(), sampler: sampler.name() });
        }
        // The other samplers do without what was learned.
        let mut prior =
            if sampler == Sampler::Prior { self.prior()? } else { Prior::Normal { dim } };
        let sampler = match sampler {
            Sampler::Prior if !prior.is_learned() => Sampler::Normal,
            sampler => sampler,
        };
        let SampledLatents { z, bic, flow } = match (sampler.fitted(), &classes) {
            (None, classes) => {
                let classes = classes.as_ref().map_or(vec![], |classes| classes.labels.clone());
                let z = prior.sample(n, &self.given(classes), temperature, seed, &self.session)?;
                SampledLatents { z, bic: None, flow: None }
            }
            // A class has its own density of latents, but all share a box.
            (Some(fitted @ (Fitted::Mixture { .. } | Fitted::Flow)), Some(classes)) => {
                self.draw_by_class(classes, fitted, temperature, seed)?
            }
            (Some(fitted), _) => {
                let latents = match fitted {
                    Fitted::Flow => self.training_posteriors()?,
                    Fitted::Mixture { .. } | Fitted::Box => {
                        Latents::new(self.training_latents()?, dim)?
                    }
                };
                draw(&latents, n, fitted, temperature, seed, 1, &self.session)?
            }
        };
        let images = match &classes {
            Some(classes) => self.decode_as(&z, &classes.labels)?,
            None => self.decode(&z)?,
        };
        Ok(Samples { images, z, sampler, temperature, bic, classes, flow })
    }

    /// Draws the latents of images of these classes from a density for each class, which is fitted to the latents of its training images.
    fn draw_by_class(
        &mut self,
        classes: &SampledClasses,
        fitted: Fitted,
        temperature: Temperature,
        seed: u64,
    ) -> Result<SampledLatents> {
        let (posteriors, session) = (self.training_posteriors()?, self.session.clone());
        let mut z = vec![0.0; classes.labels.len() * posteriors.dim];
        let groups = classes.groups();
        let flows = groups.len() as u64;
        for (class, images) in groups {
            let of_class: Vec<usize> =
                (0..posteriors.len()).filter(|&i| posteriors.class_of(i) == Some(&class)).collect();
            // As many draws as if all images were of this class, so that an image's draw depends on its own place.
            let n = images.last().map_or(0, |last| last + 1);
            let own = posteriors.at(&of_class);
            let drawn = draw(&own, n, fitted, temperature, seed, flows, &session)
                .map_err(|e| e.context(format!("class {class}")))?;
            for i in images {
                let place = i * posteriors.dim..(i + 1) * posteriors.dim;
                z[place.clone()].copy_from_slice(&drawn.z[place]);
            }
        }
        Ok(SampledLatents { z, bic: None, flow: None })
    }
}

/// Latents from a sampler.
struct SampledLatents {
    /// `[n, d]`
    z: Vec<f32>,
    bic: Option<f64>,
    flow: Option<FlowFit>,
}

/// Draws latents `[n, d]` from a density of these latents at a temperature; a flow is one of so many that share their steps.
fn draw(
    latents: &Latents,
    n: usize,
    fitted: Fitted,
    temperature: Temperature,
    seed: u64,
    flows: u64,
    session: &Session,
) -> Result<SampledLatents> {
    let (mut bic, mut flow) = (None, None);
    let z = match fitted {
        Fitted::Box => samplers::uniform(latents.rows()?, n, seed),
        Fitted::Flow => {
            let (mut fitted, fit) = fit_flow(latents, flows, seed, session)?;
            flow = Some(fit);
            fitted.sample(n, temperature, seed)?
        }
        Fitted::Mixture { components } => {
            let rows = latents.rows()?;
            let fitted = session.runtime()?.run(|| {
                let mixture = GaussianMixture::fit(rows, components, seed, session)?;
                let bic = mixture.bic(rows)?;
                Ok::<_, latents_explore::Error>((mixture, bic))
            });
            let (mixture, criterion) = fitted
                .map_err(|e| Error::from(e).context(Sampler::Mixture { components }.to_string()))?;
            bic = Some(criterion);
            mixture.tempered(temperature).sample(n, seed)
        }
    };
    Ok(SampledLatents { z, bic, flow })
}
