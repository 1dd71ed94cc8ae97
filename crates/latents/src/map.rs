//! Maps: latent vectors in the plane, by t-SNE or principal components.

use std::fmt;
use std::path::Path;

use latents_data::npz::{Array, Numbers};
use latents_data::{Labelled, Part};
use latents_explore::{Pca, TransformConfig, TsneConfig, tsne, tsne_transform};
use latents_progress::count;
use latents_report::{Figure, Thumbnail, scatter_by_class, thumbnails};

use crate::error::{Error, Result};
use crate::latents::Latents;
use crate::model::TrainedModel;
use crate::outputs::{Origin, save_vectors};
use crate::session::Session;

/// t-SNE (van der Maaten and Hinton, 2008), with the defaults of [`TsneConfig`].
///
/// ```no_run
/// use latents::{Latents, Session, Tsne};
///
/// let z = Latents::load("z.npz")?;
/// let map = Tsne::default().perplexity(20.0).fit(&z, &Session::default())?;
/// map.figure().save("map.svg")?;
/// # Ok::<(), latents::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tsne {
    /// All settings.
    pub config: TsneConfig,
}

impl Tsne {
    /// Effective number of neighbours of a point.
    #[must_use]
    pub fn perplexity(mut self, perplexity: f64) -> Self {
        self.config.perplexity = perplexity;
        self
    }

    /// Steps after the early exaggeration.
    #[must_use]
    pub fn iterations(mut self, iterations: u32) -> Self {
        self.config.iterations = iterations;
        self
    }

    /// Seed; the same one gives the same map.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.config.seed = seed;
        self
    }

    /// Makes a map of at least five vectors.
    ///
    /// # Errors
    /// If there are too few vectors, a setting is out of range, or the call was interrupted.
    pub fn fit(&self, latents: &Latents, session: &Session) -> Result<LatentMap> {
        let rows = latents.rows()?;
        let made = session.runtime()?.run(|| tsne(rows, &self.config, session))?;
        Ok(LatentMap {
            xy: made.xy,
            labels: latents.labels.clone(),
            classes: latents.classes.clone(),
            names: latents.names.clone(),
            parts: latents.parts.clone(),
            method: MapMethod::Tsne { kl: made.kl, perplexity: made.perplexity },
        })
    }
}

/// How a map was made, and how well.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MapMethod {
    /// By t-SNE.
    Tsne {
        /// Kullback-Leibler divergence of the map's similarities from those of the vectors, in nats.
        kl: f64,
        /// The perplexity that was used.
        perplexity: f64,
    },
    /// By principal components.
    Pca {
        /// The fraction of the variance that each of the two components explains.
        explained_variance: [f64; 2],
    },
}

impl fmt::Display for MapMethod {
    /// How good the map is, in words: the divergence, or the share of the variance that it shows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MapMethod::Tsne { kl, .. } => write!(f, "KL {kl:.4}"),
            MapMethod::Pca { explained_variance: [a, b] } => {
                write!(f, "{:.1} % of the variance", 100.0 * (a + b))
            }
        }
    }
}

/// Latent vectors in the plane.
///
/// ```
/// use latents::{LatentMap, Latents, Session};
///
/// let z = Latents::new((0..60).map(|i| (i * i % 17) as f32).collect(), 3)?; // [20, 3]
/// let map = LatentMap::pca(&z, &Session::default())?;
/// assert_eq!((map.len(), map.xy.len()), (20, 2 * 20));
/// println!("{}", map.method); // how much of the variance it shows
/// # Ok::<(), latents::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LatentMap {
    /// The points `[n, 2]`.
    pub xy: Vec<f32>,
    /// The class of each point `[n]`, or `None` for one without.
    pub labels: Option<Vec<Option<u16>>>,
    /// The name of each class.
    pub classes: Vec<String>,
    /// The name of each point's image `[n]`.
    pub names: Option<Vec<String>>,
    /// The part of its data set that each point's image is in `[n]`.
    pub parts: Option<Vec<Part>>,
    /// How it was made.
    pub method: MapMethod,
}

impl TrainedModel {
    /// Maps the latents of images by t-SNE.
    ///
    /// # Errors
    /// If the model has no latents, there are fewer than five images, or the call was interrupted.
    pub fn map(&mut self, images: &Labelled, tsne: &Tsne) -> Result<LatentMap> {
        let latents = self.encode(images)?;
        let session = self.session.clone();
        tsne.fit(&latents, &session)
    }
}

impl LatentMap {
    /// A map by the first two principal components.
    ///
    /// # Errors
    /// If the latents have fewer than two dimensions, there are too few, or the call was interrupted.
    pub fn pca(latents: &Latents, session: &Session) -> Result<Self> {
        let rows = latents.rows()?;
        if rows.dim() < 2 {
            return Err(Error::Invalid("a map needs latents of at least two dimensions".into()));
        }
        let (xy, ratio) = session.runtime()?.run(|| {
            let pca = Pca::fit(rows, 2, session)?;
            let ratio = pca.explained_variance_ratio();
            Ok::<_, latents_explore::Error>((pca.transform(rows)?, [ratio[0], ratio[1]]))
        })?;
        Ok(LatentMap {
            xy,
            labels: latents.labels.clone(),
            classes: latents.classes.clone(),
            names: latents.names.clone(),
            parts: latents.parts.clone(),
            method: MapMethod::Pca { explained_variance: ratio },
        })
    }

    /// The number of points, `n`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.xy.len() / 2
    }

    /// Whether there is no point.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.xy.is_empty()
    }

    /// Places new vectors on a t-SNE map of `latents`; returns `[m, 2]`.
    ///
    /// # Errors
    /// If the vectors have another number of dimensions than the mapped ones, or the call was interrupted.
    pub fn transform(
        &self,
        latents: &Latents,
        new: &Latents,
        session: &Session,
    ) -> Result<Vec<f32>> {
        let (rows, new) = (latents.rows()?, new.rows()?);
        let config = TransformConfig::default();
        Ok(session.runtime()?.run(|| tsne_transform(rows, &self.xy, new, &config, session))?)
    }

    /// Writes a file in the format of its ending, one of [`VECTOR_ENDINGS`](crate::VECTOR_ENDINGS): an `.npz` file with `xy` `[n, 2]`
    /// (float32) and what is known of the images as in [`Latents::save`], or a table with the columns `name`, `part`, `label`, `x`
    /// and `y`.
    ///
    /// # Errors
    /// If the ending is unknown or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let xy = Numbers::F32(self.xy.clone());
        let xy = Array { name: "xy".into(), shape: vec![self.len(), 2], numbers: xy };
        let origin = Origin {
            names: self.names.as_deref(),
            parts: self.parts.as_deref(),
            labels: self.labels.as_deref(),
            classes: &self.classes,
        };
        let columns = [("x", 0), ("y", 1)];
        let column = |(name, i): (&str, usize)| {
            let values = self.xy.iter().skip(i).step_by(2).copied().collect();
            (name.to_owned(), values)
        };
        save_vectors(path.as_ref(), vec![xy], &mut columns.into_iter().map(column), &origin)
    }

    /// The map, coloured by class if the classes are known.
    #[must_use]
    pub fn figure(&self) -> Figure {
        let axes = self.axes();
        let axes = axes.as_ref().map(|[x, y]| (x.as_str(), y.as_str()));
        scatter_by_class(&self.title(), &self.xy, self.labels.as_deref(), &self.classes, axes)
    }

    /// The map with the images themselves, which must be those whose latents were mapped, in their order.
    #[must_use]
    pub fn thumbnails(&self, images: &Labelled) -> Figure {
        let axes = self.axes();
        let axes = axes.as_ref().map(|[x, y]| (x.as_str(), y.as_str()));
        let point = |(i, y): (usize, &[f32])| Thumbnail {
            at: (f64::from(y[0]), f64::from(y[1])),
            class: self.labels.as_ref().and_then(|l| l[i]).map(usize::from),
        };
        let points: Vec<Thumbnail> =
            self.xy.chunks_exact(2).take(images.len()).enumerate().map(point).collect();
        let images = &images.images;
        let image = |i: usize| images.image_unit(i);
        thumbnails(&self.title(), &points, images.shape(), &image, &self.classes, axes)
    }

    fn title(&self) -> String {
        let method = match self.method {
            MapMethod::Tsne { .. } => "t-SNE",
            MapMethod::Pca { .. } => "Principal components",
        };
        format!("{method} of {} latents", count(self.len() as u64))
    }

    /// What the axes mean, if they mean something.
    fn axes(&self) -> Option<[String; 2]> {
        let MapMethod::Pca { explained_variance } = self.method else { return None };
        Some([0, 1].map(|i| {
            format!("component {} ({:.1} % of the variance)", i + 1, 100.0 * explained_variance[i])
        }))
    }
}
