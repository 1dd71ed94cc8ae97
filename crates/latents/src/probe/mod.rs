//! Probes: how much the latent vectors of a frozen encoder tell about labels, next to what the pixels tell themselves.

mod few;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use latents_data::{Dataset, Labelled, Part, hold_out};
use latents_engine::Runtime;
use latents_explore::classification::Confusion;
use latents_explore::neighbours::nearest;
use latents_explore::probes::{Logistic, LogisticConfig};
use latents_explore::{Pca, Rows};
use latents_progress::Monitor;
use latents_report::{Cell, Figure, Show, Table};
use serde::Serialize;

pub use few::FewLabels;

use crate::error::{Error, Result};
use crate::latents::Latents;
use crate::model::{BLOCK, TrainedModel};
use crate::session::Session;

/// The fraction of vectors without parts that is held out for testing.
const HELD_OUT: f64 = 0.2;

/// The settings of a probe.
///
/// ```no_run
/// use latents::{Latents, ProbeConfig, Session};
///
/// let z = Latents::load("z.npz")?; // with labels
/// let config = ProbeConfig { labels: vec![10, 100], ..ProbeConfig::default() };
/// println!("{}", z.probe("z.npz", &config, &Session::default())?.table().markdown());
/// # Ok::<(), latents::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeConfig {
    /// Nearest neighbours that vote.
    pub neighbours: usize,
    /// Inverse strength of the regression's penalty, scikit-learn's C.
    pub c: f64,
    /// Standardise each number to mean 0 and variance 1 for the regression.
    pub standardize: bool,
    /// Numbers of labels of the few-label curve.
    pub labels: Vec<usize>,
    /// How often few labels are drawn.
    pub draws: u64,
    /// Train classifiers with few labels too, on the encoder and from scratch.
    pub fine_tune: bool,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for ProbeConfig {
    fn default() -> Self {
        ProbeConfig {
            neighbours: 10,
            c: 1.0,
            standardize: false,
            labels: vec![10, 100, 1_000, 10_000],
            draws: 5,
            fine_tune: false,
            seed: 0,
        }
    }
}

impl ProbeConfig {
    /// Checks that there is something to learn from.
    fn check(&self) -> Result<()> {
        if self.labels.contains(&0) {
            return Err(Error::Invalid("with 0 labels there is nothing to learn from".into()));
        }
        Ok(())
    }
}

/// Vectors of the training and the test images, under a name.
pub(crate) struct Vectors {
    pub(crate) name: &'static str,
    pub(crate) dim: usize,
    pub(crate) train: Vec<f32>,
    pub(crate) test: Vec<f32>,
}

/// What simple classifiers reach on some vectors.
#[derive(Clone, Debug, Serialize)]
pub struct VectorProbe {
    /// Which vectors.
    pub vectors: &'static str,
    /// Their number of dimensions.
    pub dim: usize,
    /// Accuracy of a logistic regression on the test images.
    pub logistic: f64,
    /// Its iterations.
    pub logistic_iterations: usize,
    /// Whether it converged.
    pub logistic_converged: bool,
    /// Accuracy of the nearest neighbours' vote.
    pub neighbours: f64,
}

/// The results of a probe.
#[derive(Clone, Debug, Serialize)]
pub struct ProbeResults {
    /// The folder of the run, or the file of vectors.
    pub run: String,
    /// Images that the classifiers are fitted to.
    pub train_images: usize,
    /// Images that they are measured on.
    pub test_images: usize,
    /// Neighbours that vote.
    pub k: usize,
    /// Inverse strength of the regression's penalty.
    pub c: f64,
    /// Whether the regression's numbers were standardised.
    pub standardized: bool,
    /// The latents, principal components of the pixels, plain and whitened, and the pixels.
    pub probes: Vec<VectorProbe>,
    /// Accuracy with few labels.
    pub few_labels: Vec<FewLabels>,
    /// Time for all of it.
    pub seconds: f64,
}

impl ProbeResults {
    /// A row for each kind of vectors.
    #[must_use]
    pub fn table(&self) -> Table {
        let neighbours = format!("{} nearest neighbours, %", self.k);
        let columns = ["vectors", "numbers", "logistic regression, %", &neighbours];
        let percent = |x: f64| Cell::Number(100.0 * x, Show::Decimals(2));
        let row = |p: &VectorProbe| {
            vec![
                Cell::Text(p.vectors.into()),
                Cell::Integer(p.dim as i128),
                percent(p.logistic),
                percent(p.neighbours),
            ]
        };
        Table {
            columns: columns.map(str::to_owned).to_vec(),
            rows: self.probes.iter().map(row).collect(),
        }
    }

    /// A row for each method and number of labels.
    #[must_use]
    pub fn few_labels_table(&self) -> Table {
        few::table(&self.few_labels)
    }

    /// Accuracy against the number of labels.
    #[must_use]
    pub fn few_labels_figure(&self) -> Figure {
        few::figure(&self.few_labels)
    }

    /// Writes the tables and the figure into folders of `dir`; returns the files.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<Vec<PathBuf>> {
        let mut files = self.table().save(&dir.join("tables"), "probes")?;
        files.extend(self.few_labels_table().save(&dir.join("tables"), "few-labels")?);
        files.extend(self.few_labels_figure().save_both(&dir.join("figures"), "few-labels")?);
        Ok(files)
    }
}

impl TrainedModel {
    /// Fits a logistic regression and nearest neighbours to the latents of the training images and measures them on the test images; the same for the
    /// pixels and as many principal components of them. Then the regression with few labels only.
    ///
    /// # Errors
    /// If the model has no latents, the images have no labels, a setting is out of range, or the call was interrupted.
    pub fn probe(
        &mut self,
        data: &Dataset,
        config: &ProbeConfig,
        session: &Session,
    ) -> Result<ProbeResults> {
        let begun = Instant::now();
        config.check()?;
        self.latent_space()?;
        if data.train.is_empty() || data.test.is_empty() {
            return Err(Error::Invalid("there are too few images to probe".into()));
        }
        let labelled = (data.train.with_labels(), data.test.with_labels());
        let (Some((train, labels)), Some((test, truth))) = labelled else {
            return Err(Error::Unlabelled { what: "a probe", origin: data.name.clone() });
        };
        let (train, test) = (&*train, &*test);
        let runtime = self.runtime();
        let (z, z_test) = (self.encode(train)?, self.encode(test)?);
        let mut vectors = vec![Vectors { name: "latents", dim: z.dim, train: z.z, test: z_test.z }];
        let pixels = pixels(train, test);
        vectors.extend(components(&pixels, vectors[0].dim, &runtime, session)?);
        vectors.push(pixels);
        let (labels, truth, classes) = (&*labels, &*truth, data.classes.len());
        let task = Task { config, labels, truth, classes, runtime: &runtime, session };
        let probes = task.probes(&vectors)?;
        let few_labels = few::curve(&task, &vectors, |n, draws| {
            let tuned =
                config.fine_tune.then(|| self.small_classifiers(&task, [train, test], n, draws));
            Ok(tuned.transpose()?.unwrap_or_default())
        })?;
        Ok(task.results(self.dir().display().to_string(), probes, few_labels, begun))
    }
}

impl Latents {
    /// Fits the classifiers of [`TrainedModel::probe`] to vectors with labels, and measures them on others. The parts of the vectors say
    /// which; if they do not, a fifth of each class is held out, by the seed. Vectors without a label are left out. `from` says what they
    /// are.
    ///
    /// # Errors
    /// If there are no labels or too few vectors, a setting is out of range, or the call was interrupted.
    pub fn probe(
        &self,
        from: &str,
        config: &ProbeConfig,
        session: &Session,
    ) -> Result<ProbeResults> {
        let begun = Instant::now();
        config.check()?;
        if config.fine_tune {
            return Err(Error::Invalid("vectors have no encoder to fine-tune".into()));
        }
        self.rows()?;
        let unlabelled = || Error::Unlabelled { what: "a probe", origin: from.to_owned() };
        let labels = self.labels.as_ref().ok_or_else(unlabelled)?;
        let places: Vec<(usize, u16)> =
            labels.iter().enumerate().filter_map(|(i, label)| Some((i, (*label)?))).collect();
        if places.is_empty() {
            return Err(unlabelled());
        }
        let of_part = |part: Part| -> Vec<bool> {
            let parts = self.parts.as_deref().unwrap_or_default();
            places.iter().map(|&(i, _)| parts.get(i) == Some(&part)).collect()
        };
        let (trained, mut tested) = (of_part(Part::Train), of_part(Part::Test));
        let has_parts = trained.contains(&true) && tested.contains(&true);
        if !has_parts {
            let strata: Vec<u32> = places.iter().map(|&(_, label)| label.into()).collect();
            tested = hold_out(&strata, HELD_OUT, config.seed);
            session.note("a fifth of the vectors is held out for testing");
        }
        let side = |chosen: &dyn Fn(usize) -> bool| -> (Vec<f32>, Vec<u16>) {
            let members = || (0..places.len()).filter(|&at| chosen(at)).map(|at| places[at]);
            let row = |(i, _): (usize, u16)| &self.z[i * self.dim..(i + 1) * self.dim];
            (
                members().flat_map(row).copied().collect(),
                members().map(|(_, label)| label).collect(),
            )
        };
        let (train, labels) = side(&|at| if has_parts { trained[at] } else { !tested[at] });
        let (test, truth) = side(&|at| tested[at]);
        if labels.is_empty() || truth.is_empty() {
            return Err(Error::Invalid("there are too few vectors to probe".into()));
        }
        let most = labels.iter().chain(&truth).max().map_or(0, |&label| usize::from(label) + 1);
        let (runtime, classes) = (session.runtime()?, self.classes.len().max(most));
        let vectors = [Vectors { name: "latents", dim: self.dim, train, test }];
        let (labels, truth) = (&*labels, &*truth);
        let task = Task { config, labels, truth, classes, runtime: &runtime, session };
        let probes = task.probes(&vectors)?;
        let few_labels = few::curve(&task, &vectors, |_, _| Ok(vec![]))?;
        Ok(task.results(from.to_owned(), probes, few_labels, begun))
    }
}

/// Labels to learn from and to predict.
#[derive(Clone, Copy)]
pub(crate) struct Task<'a> {
    config: &'a ProbeConfig,
    labels: &'a [u16],
    truth: &'a [u16],
    classes: usize,
    runtime: &'a Arc<Runtime>,
    session: &'a Session,
}

impl Task<'_> {
    /// What the classifiers reach on each kind of vectors.
    fn probes(&self, vectors: &[Vectors]) -> Result<Vec<VectorProbe>> {
        let Task { config, labels, truth, classes, runtime, session } = *self;
        let mut probes = vec![];
        for v in vectors {
            session.check()?;
            session.note(&format!("{}: {} numbers", v.name, v.dim));
            let probe = logistic(config, &v.train, v.dim, labels, classes, runtime, session)?;
            let logistic = accuracy(truth, &probe.predict(&v.test, runtime)?, classes)?;
            let k = config.neighbours.min(labels.len());
            let train = Rows::new(&v.train, v.dim)?;
            let mut voted = vec![];
            for test in v.test.chunks(BLOCK * v.dim) {
                session.check()?;
                let test = Rows::new(test, v.dim)?;
                voted.extend(runtime.run(|| nearest(test, train, k))?.vote(labels));
            }
            let neighbours = accuracy(truth, &voted, classes)?;
            probes.push(VectorProbe {
                vectors: v.name,
                dim: v.dim,
                logistic,
                logistic_iterations: probe.iterations(),
                logistic_converged: probe.converged(),
                neighbours,
            });
        }
        Ok(probes)
    }

    fn results(
        &self,
        run: String,
        probes: Vec<VectorProbe>,
        few_labels: Vec<FewLabels>,
        begun: Instant,
    ) -> ProbeResults {
        ProbeResults {
            run,
            train_images: self.labels.len(),
            test_images: self.truth.len(),
            k: self.config.neighbours,
            c: self.config.c,
            standardized: self.config.standardize,
            probes,
            few_labels,
            seconds: begun.elapsed().as_secs_f64(),
        }
    }
}

pub(crate) fn logistic(
    config: &ProbeConfig,
    values: &[f32],
    dim: usize,
    labels: &[u16],
    classes: usize,
    runtime: &Arc<Runtime>,
    monitor: &Monitor,
) -> Result<Logistic> {
    let (c, standardize) = (config.c, config.standardize);
    let config = LogisticConfig { c, standardize, ..LogisticConfig::default() };
    Ok(Logistic::fit(values, dim, labels, classes, config, runtime, monitor)?)
}

pub(crate) fn accuracy(truth: &[u16], predicted: &[u16], classes: usize) -> Result<f64> {
    Ok(Confusion::new(truth, predicted, classes)?.accuracy())
}

fn pixels(train: &Labelled, test: &Labelled) -> Vectors {
    let dim = train.images.shape().iter().product();
    Vectors { name: "pixels", dim, train: train.images.to_unit(), test: test.images.to_unit() }
}

/// As many principal components of the training images' pixels as there are latents, plain, and whitened and of length 1, so that neighbours are
/// compared by cosine; none if there cannot be so many.
fn components(
    pixels: &Vectors,
    dim: usize,
    runtime: &Runtime,
    monitor: &Monitor,
) -> Result<Vec<Vectors>> {
    let train = Rows::new(&pixels.train, pixels.dim)?;
    if dim > pixels.dim || train.len() < 2 {
        return Ok(vec![]);
    }
    let both = runtime.run(|| {
        let pca = Pca::fit(train, dim, monitor)?;
        let test = Rows::new(&pixels.test, pixels.dim)?;
        let plain = [pca.transform(train)?, pca.transform(test)?];
        let whitened = [pca.whitened_directions(train)?, pca.whitened_directions(test)?];
        Ok::<_, latents_explore::Error>([
            ("principal components", plain),
            ("whitened principal components, by cosine", whitened),
        ])
    });
    let vectors = both?.into_iter().map(|(name, [train, test])| Vectors { name, dim, train, test });
    Ok(vectors.collect())
}

#[cfg(test)]
mod tests;
