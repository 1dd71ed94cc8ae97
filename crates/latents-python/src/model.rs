//! Trained models.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use latents::explore::traverse::Interpolation as Path;
use latents::tables::Values;
use latents::{
    Axes, EvalOptions, LatentPoint, Latents, Metric, OutlierConfig, Result, Sampler, SearchConfig,
    SearchIndex, SelectedImages, Session, TrainedModel, Tsne, Tta,
};
use numpy::PyArrayDyn;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{Matrix, array};
use crate::call::call;
use crate::dataset::{Dataset, Images, LabelledArray, as_images, with_shape};
use crate::error::exception;
use crate::settings::{Start, recipe};

/// The model of a finished run.
#[pyclass(frozen, module = "latents", name = "Model")]
pub(crate) struct Model(Mutex<TrainedModel>);

/// Images, and their latents, to search among.
#[pyclass(frozen, module = "latents", name = "SearchedImages")]
pub(crate) struct SearchedImages {
    images: SelectedImages,
    index: SearchIndex,
}

/// Trains a model, or goes on with it, and keeps everything in the folder `out`.
#[pyfunction]
pub(crate) fn train(
    py: Python<'_>,
    kind: &str,
    data: &Bound<'_, Dataset>,
    settings: &str,
    start: Option<Start>,
    out: PathBuf,
) -> PyResult<Model> {
    let (recipe, data) = (recipe(kind, settings, start)?, Arc::clone(&data.get().0));
    let model = call(py, |session| recipe.train(&data, &out, session))?;
    Ok(Model(Mutex::new(model)))
}

impl Model {
    /// Calls the model without the interpreter.
    fn call<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut TrainedModel, &Session) -> Result<T> + Send,
    ) -> PyResult<T> {
        call(py, |session| {
            let mut model = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            model.set_monitor(session.monitor().clone());
            work(&mut model, session)
        })
    }

    /// What the model says of itself, which takes no time. Another thread may be using it, so the interpreter is released meanwhile.
    fn look<T: Send>(&self, py: Python<'_>, at: impl FnOnce(&TrainedModel) -> T + Send) -> T {
        py.detach(|| at(&self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Images of a model `[n, c, h, w]`.
fn images_of(py: Python<'_>, images: latents::ImageArray) -> PyResult<Bound<'_, PyArrayDyn<f32>>> {
    let (n, [c, h, w]) = (images.len(), images.shape);
    array(py, images.values, &[n, c, h, w])
}

fn latents_of(py: Python<'_>, z: Latents) -> PyResult<Bound<'_, PyArrayDyn<f32>>> {
    let (n, d) = (z.len(), z.dim);
    array(py, z.z, &[n, d])
}

/// A latent as a point of a path.
fn point(z: &[f32], name: &str, class: Option<String>) -> LatentPoint {
    LatentPoint { z: z.to_vec(), name: name.into(), image: None, class }
}

/// A serialised value as JSON.
fn json(value: &impl serde::Serialize) -> PyResult<String> {
    serde_json::to_string(value).map_err(|error| exception(&error.into()))
}

#[pymethods]
impl Model {
    /// Opens the model of a finished run.
    #[staticmethod]
    fn open(py: Python<'_>, run: PathBuf, accept_changes: bool) -> PyResult<Self> {
        let model = call(py, |session| {
            TrainedModel::open(&run, &session.clone().accept_changes(accept_changes))
        })?;
        Ok(Model(Mutex::new(model)))
    }

    /// The folder of the run.
    #[getter]
    fn run(&self, py: Python<'_>) -> PathBuf {
        self.look(py, |model| model.dir().to_owned())
    }

    /// The kind of model.
    #[getter]
    fn kind(&self, py: Python<'_>) -> &'static str {
        self.look(py, TrainedModel::kind)
    }

    /// Shape of an image, `(c, h, w)`.
    #[getter]
    fn shape(&self, py: Python<'_>) -> (usize, usize, usize) {
        self.look(py, TrainedModel::shape).into()
    }

    /// The names of the classes.
    #[getter]
    fn classes(&self, py: Python<'_>) -> Vec<String> {
        self.look(py, |model| model.classes().to_vec())
    }

    /// The number of dimensions of a latent vector, or `None` if the model has none.
    #[getter]
    fn latent_dim(&self, py: Python<'_>) -> Option<usize> {
        self.look(py, |model| model.latent_space().ok().map(|space| space.dim))
    }

    /// The bits of the latents of an image, or `None` if they are not codes.
    #[getter]
    fn code_bits(&self, py: Python<'_>) -> Option<f64> {
        self.look(py, TrainedModel::code_bits)
    }

    /// The number of parameters.
    #[getter]
    fn parameter_count(&self, py: Python<'_>) -> usize {
        self.look(py, TrainedModel::parameter_count)
    }

    /// All settings, as JSON.
    fn config(&self, py: Python<'_>) -> PyResult<String> {
        json(&self.look(py, |model| model.config().clone()))
    }

    /// The metrics of each epoch, as JSON.
    fn metrics(&self, py: Python<'_>) -> PyResult<String> {
        let metrics = self.call(py, |model, _| Ok(model.run().metrics()?))?;
        json(&metrics)
    }

    /// The images that the model was trained on, and those held out.
    fn data(&self, py: Python<'_>) -> PyResult<Dataset> {
        Ok(Dataset(Arc::new(self.call(py, |model, _| model.data())?)))
    }

    /// Images from elsewhere, in the model's shape and range.
    fn images_of_source(&self, py: Python<'_>, source: &str) -> PyResult<Images> {
        let found = self.call(py, |model, _| model.foreign_data(source))?;
        Ok(Images::chosen(found.images, found.classes))
    }

    /// Images in memory, in the model's shape and range.
    fn images_of_array(&self, py: Python<'_>, images: LabelledArray<'_>) -> PyResult<Images> {
        let images = with_shape(images);
        let images = as_images("X", &images, None)?;
        let found = self.call(py, |model, _| model.foreign_arrays(images))?;
        Ok(Images::chosen(found.images, found.classes))
    }

    /// The latents `[n, d]` of images.
    fn encode<'py>(
        &self,
        py: Python<'py>,
        images: &Bound<'py, Images>,
    ) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let images = images.get();
        latents_of(py, self.call(py, |model, _| model.encode(images.labelled()))?)
    }

    /// The latents `[n, d]` of images in memory, which are not copied if they are bytes of the model's shape.
    fn encode_array<'py>(
        &self,
        py: Python<'py>,
        images: LabelledArray<'py>,
    ) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let images = with_shape(images);
        let images = as_images("X", &images, None)?;
        latents_of(py, self.call(py, |model, _| model.encode_arrays(images))?)
    }

    /// Whether the decoder is given the class of an image.
    #[getter]
    fn conditional(&self, py: Python<'_>) -> bool {
        self.look(py, TrainedModel::is_conditional)
    }

    /// The images `[n, c, h, w]` of latents `[n, d]`; of a conditional model, as images of these classes `[n]`.
    fn decode<'py>(
        &self,
        py: Python<'py>,
        z: Matrix<'py>,
        classes: Option<Vec<String>>,
    ) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let (dim, z) = (z.dim(), z.values()?);
        let images = self.call(py, |model, _| {
            let expected = model.latent_space()?.dim;
            if dim != expected {
                return Err(latents::Error::LatentDim { found: dim, expected });
            }
            match classes {
                Some(names) => model.decode_as(z, &model.classes_named(&names)?),
                None => model.decode(z),
            }
        })?;
        images_of(py, images)
    }

    /// The reconstructions `[n, c, h, w]` of images.
    fn reconstruct<'py>(
        &self,
        py: Python<'py>,
        images: &Bound<'py, Images>,
    ) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let images = images.get();
        let reconstructed = self.call(py, |model, _| {
            model.reconstruct(&model.in_own_classes(images.labelled(), images.class_names()))
        })?;
        images_of(py, reconstructed)
    }

    /// The mean squared error of the reconstruction of each image `[n]`.
    fn reconstruction_errors<'py>(
        &self,
        py: Python<'py>,
        images: &Bound<'py, Images>,
    ) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let images = images.get();
        let errors = self.call(py, |model, _| {
            let own = model.in_own_classes(images.labelled(), images.class_names());
            model.reconstruction_errors(&own)
        })?;
        let n = errors.len();
        array(py, errors, &[n])
    }

    /// New images `[n, c, h, w]`, their latents `[n, d]`, and of a conditional model their classes `[n]`; in equal parts of some classes, or of
    /// all.
    #[allow(clippy::type_complexity, clippy::too_many_arguments)] // As Python's method has them.
    fn sample<'py>(
        &self,
        py: Python<'py>,
        n: usize,
        sampler: &str,
        components: usize,
        temperature: f64,
        seed: u64,
        classes: Option<Vec<String>>,
    ) -> PyResult<(Bound<'py, PyArrayDyn<f32>>, Bound<'py, PyArrayDyn<f32>>, Option<Vec<String>>)>
    {
        let sampler = match sampler {
            "prior" => Sampler::Prior,
            "normal" => Sampler::Normal,
            "mixture" => Sampler::Mixture { components },
            "flow" => Sampler::Flow,
            "uniform" => Sampler::Uniform,
            other => {
                let known = "prior, normal, mixture, flow or uniform";
                return Err(PyValueError::new_err(format!(
                    "sampler must be {known}, not {other:?}"
                )));
            }
        };
        let samples = self.call(py, |model, _| {
            let sampler = sampler.tempered(temperature)?;
            match classes {
                Some(names) => {
                    model.sample_classes(n, &model.classes_named(&names)?, sampler, seed)
                }
                None => model.sample(n, sampler, seed),
            }
        })?;
        let d = samples.z.len().checked_div(n).unwrap_or(0);
        let classes = samples.classes.map(|classes| classes.names_of_all());
        Ok((images_of(py, samples.images)?, array(py, samples.z, &[n, d])?, classes))
    }

    /// Images `[steps, c, h, w]` on the way between two latents, as a figure too; of a conditional model, for each of some classes, or of all.
    #[allow(clippy::type_complexity)]
    fn traverse<'py>(
        &self,
        py: Python<'py>,
        start: Matrix<'py>,
        end: Matrix<'py>,
        steps: usize,
        spherical: bool,
        classes: Option<Vec<String>>,
    ) -> PyResult<(Bound<'py, PyArrayDyn<f32>>, String)> {
        let point = |z: &[f32], name: &str| point(z, name, None);
        let (from, to) = (point(start.values()?, "the first"), point(end.values()?, "the second"));
        let path = if spherical { Path::Spherical } else { Path::Linear };
        let found = self.call(py, |model, _| {
            if classes.is_none() && !model.is_conditional() {
                return model.traverse([&from, &to], steps, path);
            }
            let classes = model.classes_named(&classes.unwrap_or_default())?;
            model.traverse_classes([&from, &to], steps, path, &classes)
        })?;
        Ok((images_of(py, found.images)?, found.figure.svg().to_owned()))
    }

    /// Images `[axes, steps, c, h, w]` along latent axes through a latent, as a figure too; of a conditional model, as images of a class.
    #[allow(clippy::type_complexity)]
    fn traverse_axes<'py>(
        &self,
        py: Python<'py>,
        z: Matrix<'py>,
        axis: Option<usize>,
        steps: usize,
        class: Option<String>,
    ) -> PyResult<(Bound<'py, PyArrayDyn<f32>>, String)> {
        let point = point(z.values()?, "the latent", class);
        let axes = axis.map_or(Axes::Largest, Axes::One);
        let found = self.call(py, |model, _| {
            if let Some(class) = &point.class {
                model.class_named(class)?;
            }
            model.traverse_axes(&point, axes, steps)
        })?;
        let [c, h, w] = found.images.shape;
        let rows = found.images.len() / steps;
        let images = array(py, found.images.values, &[rows, steps, c, h, w])?;
        Ok((images, found.figure.svg().to_owned()))
    }

    /// The probabilities `[n, k]` of the classes of images.
    fn predict_proba<'py>(
        &self,
        py: Python<'py>,
        images: &Bound<'py, Images>,
        flip: bool,
    ) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let (images, tta) = (images.get(), flip.then_some(Tta::Flip));
        let (all, classes) = self.call(py, |model, _| {
            Ok((model.class_probabilities(images.labelled(), tta)?, model.classes().len()))
        })?;
        let n = all.len() / classes;
        array(py, all, &[n, classes])
    }

    /// All measures on the test images of a data set, as JSON and as Markdown.
    fn evaluate(&self, py: Python<'_>, data: &Bound<'_, Dataset>) -> PyResult<(String, String)> {
        let data = Arc::clone(&data.get().0);
        let found = self.call(py, |model, session| {
            model.evaluate_with(&data, EvalOptions::default(), session)
        })?;
        Ok((json(&found)?, found.markdown()))
    }

    /// The images nearest to each query, as JSON, and a figure.
    fn search(
        &self,
        py: Python<'_>,
        images: &Bound<'_, SearchedImages>,
        queries: Vec<String>,
        k: usize,
    ) -> PyResult<String> {
        let SearchedImages { images, index } = images.get();
        let (found, _) =
            self.call(py, |model, _| model.search_prepared(images, index, &queries, k))?;
        json(&found)
    }

    /// Encodes images to search among them.
    fn searched(
        &self,
        py: Python<'_>,
        images: &Bound<'_, Images>,
        cosine: bool,
    ) -> PyResult<SearchedImages> {
        let images = images.get().selected();
        let metric = if cosine { Metric::Cosine } else { Metric::Euclidean };
        let config = SearchConfig { metric, ..SearchConfig::default() };
        let index = self.call(py, |model, _| model.search_index(&images, &config))?;
        Ok(SearchedImages { images, index })
    }

    /// The images unlike the others, as a table of columns, and a figure.
    fn outliers<'py>(
        &self,
        py: Python<'py>,
        images: &Bound<'py, Images>,
        top: usize,
        same: f64,
    ) -> PyResult<(Bound<'py, PyDict>, String)> {
        let selected = images.get().selected();
        let config = OutlierConfig { top, same };
        let (found, figure) = self.call(py, |model, _| model.outliers(&selected, config))?;
        let table = found.table().map_err(|error| exception(&error))?;
        let columns = PyDict::new(py);
        for column in &table.columns {
            match &column.values {
                Values::Text(x) => columns.set_item(&column.name, x)?,
                Values::I64(x) => columns.set_item(&column.name, x)?,
                Values::F64(x) => columns.set_item(&column.name, x)?,
                Values::F32(x) => columns.set_item(&column.name, x)?,
                _ => {}
            }
        }
        Ok((columns, figure.svg().to_owned()))
    }

    /// A t-SNE of the latents of images `[n, 2]`, and its figure.
    fn map<'py>(
        &self,
        py: Python<'py>,
        images: &Bound<'py, Images>,
        perplexity: f64,
        seed: u64,
    ) -> PyResult<(Bound<'py, PyArrayDyn<f32>>, String)> {
        let images = images.get();
        let tsne = Tsne::default().perplexity(perplexity).seed(seed);
        let map = self.call(py, |model, _| model.map(images.labelled(), &tsne))?;
        let (svg, n) = (map.figure().svg().to_owned(), map.len());
        Ok((array(py, map.xy, &[n, 2])?, svg))
    }

    /// A page on which a person explores the latents of images, as HTML.
    fn explore(&self, py: Python<'_>, images: &Bound<'_, Images>, seed: u64) -> PyResult<String> {
        let images = images.get();
        let page = self
            .call(py, |model, _| model.explorer(images.labelled(), images.class_names(), seed))?;
        Ok(page.html())
    }

    /// The figure of some test images and their reconstructions.
    fn reconstructions_figure(
        &self,
        py: Python<'_>,
        data: &Bound<'_, Dataset>,
    ) -> PyResult<String> {
        let data = Arc::clone(&data.get().0);
        let figure = self.call(py, |model, _| model.reconstructions_figure(&data))?;
        Ok(figure.svg().to_owned())
    }

    /// The figure of the loss of each epoch.
    fn loss_figure(&self, py: Python<'_>) -> PyResult<String> {
        let figure = self.call(py, |model, _| latents::figures::loss(model.run()))?;
        Ok(figure.svg().to_owned())
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let (kind, run) = (self.kind(py), self.run(py));
        format!("<latents.Model of kind {kind} in {}>", run.display())
    }
}

impl Images {
    /// As the library's calls for selected images take them.
    fn selected(&self) -> SelectedImages {
        let images = self.labelled().clone();
        let parts = self.part().map(|part| vec![part; images.len()]);
        SelectedImages { images, parts, classes: self.class_names().to_vec() }
    }
}
