//! Data sets and their parts.

use std::sync::Arc;

use latents::data::{ArrayNumbers, IN_MEMORY, ImageArrays, Note, Pictures};
use latents::train::DataConfig;
use latents::{Labelled, Limits, Part};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{ImageArray, dtype, pixels};
use crate::call::call;
use crate::settings::entries;

/// An image collection: what `latents.open` gives.
#[pyclass(frozen, module = "latents", name = "Dataset")]
pub(crate) struct Dataset(pub(crate) Arc<latents::Dataset>);

/// Images of a data set, with what is known of each.
#[pyclass(frozen, module = "latents", name = "Images")]
pub(crate) struct Images(Of);

enum Of {
    /// A part of a data set.
    Part(Arc<latents::Dataset>, Part),
    /// Others, with the names of their classes.
    Chosen(Labelled, Vec<String>),
}

impl Images {
    pub(crate) fn chosen(images: Labelled, classes: Vec<String>) -> Self {
        Images(Of::Chosen(images, classes))
    }

    pub(crate) fn labelled(&self) -> &Labelled {
        match &self.0 {
            Of::Part(data, part) => data.part(*part),
            Of::Chosen(images, _) => images,
        }
    }

    pub(crate) fn class_names(&self) -> &[String] {
        match &self.0 {
            Of::Part(data, _) => &data.classes,
            Of::Chosen(_, classes) => classes,
        }
    }

    /// The part of all of them, if they are one.
    pub(crate) fn part(&self) -> Option<Part> {
        match self.0 {
            Of::Part(_, part) => Some(part),
            Of::Chosen(..) => None,
        }
    }
}

/// An array of images with labels and names, as Python gives it: `(X, labels, names)`.
pub(crate) type LabelledArray<'py> =
    (ImageArray<'py>, Option<Vec<Option<String>>>, Option<Vec<String>>);

/// The settings of pictures from JSON.
fn pictures(settings: &str) -> PyResult<(Pictures, Limits)> {
    let mut entries = entries(settings)?;
    let mut limit = |name: &str| -> PyResult<Option<usize>> {
        match entries.remove(name) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(limit) if limit > 0 => Ok(Some(limit as usize)),
                _ => Err(PyValueError::new_err(format!(
                    "{name} must be a whole number of at least 1, not {value}"
                ))),
            },
        }
    };
    let limits = Limits { train: limit("train_limit")?, test: limit("test_limit")? };
    let pictures = serde_json::from_value(entries.into())
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok((pictures, limits))
}

#[pymethods]
impl Dataset {
    /// Opens a source.
    #[staticmethod]
    fn open(py: Python<'_>, source: &str, settings: &str) -> PyResult<Self> {
        let (pictures, limits) = pictures(settings)?;
        let (source, train_limit, test_limit) = (source.to_owned(), limits.train, limits.test);
        let config =
            DataConfig { source, pictures, train_limit, test_limit, ..DataConfig::default() };
        let data = call(py, |session| Ok(config.open(session)?))?;
        Ok(Dataset(Arc::new(data)))
    }

    /// All images of an array, to train on.
    #[staticmethod]
    fn from_array(
        py: Python<'_>,
        images: LabelledArray<'_>,
        classes: Option<Vec<String>>,
    ) -> PyResult<Self> {
        let images = with_shape(images);
        let array = as_images("X", &images, None)?;
        let data = call(py, |session| {
            let mut pictures = Pictures { test_fraction: 0.0, ..Pictures::default() };
            array.settle_rows(&mut pictures);
            let arrays = vec![array];
            Ok(latents::Dataset::from_arrays(IN_MEMORY, arrays, classes, &pictures, session)?)
        })?;
        Ok(Dataset(Arc::new(data)))
    }

    /// The name of the source.
    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    /// One line about where the images come from.
    #[getter]
    fn origin(&self) -> &str {
        &self.0.origin
    }

    /// The names of the classes; empty if the images have no labels.
    #[getter]
    fn classes(&self) -> Vec<String> {
        self.0.classes.clone()
    }

    /// Shape of an image, `(c, h, w)`.
    #[getter]
    fn shape(&self) -> (usize, usize, usize) {
        self.0.shape().into()
    }

    /// The values that became black and white.
    #[getter]
    fn range(&self) -> (f64, f64) {
        self.0.range.into()
    }

    /// What was understood of the source, a line each.
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.0.notes.iter().map(Note::to_string).collect()
    }

    /// What may spoil results.
    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.0.notes.iter().filter(|note| note.is_warning()).map(Note::to_string).collect()
    }

    /// The images to train on.
    #[getter]
    fn train(&self) -> Images {
        self.of(Part::Train)
    }

    /// The images of the source's own validation part.
    #[getter]
    fn validation(&self) -> Images {
        self.of(Part::Validation)
    }

    /// The images to measure results on.
    #[getter]
    fn test(&self) -> Images {
        self.of(Part::Test)
    }

    /// Images of a part without labels.
    #[getter]
    fn unlabelled(&self) -> Images {
        self.of(Part::Unlabelled)
    }

    /// The images of all parts.
    #[getter]
    fn all(&self) -> Images {
        Images::chosen(self.0.all().0, self.0.classes.clone())
    }

    /// The same data set with other images to measure results on. Their classes are found by their names; numbers that are no names of classes
    /// count the classes.
    fn with_test(&self, images: &Bound<'_, Images>) -> Self {
        let mut data = latents::Dataset::clone(&self.0);
        let images = images.get();
        data.test = images.labelled().clone();
        let place = |name: &String| data.classes.iter().position(|class| class == name);
        let places: Vec<Option<usize>> = images.class_names().iter().map(place).collect();
        let are_numbers = images.class_names().iter().all(|name| name.parse::<u16>().is_ok());
        if !are_numbers || places.iter().all(Option::is_some) {
            for label in data.test.labels.iter_mut().flatten() {
                let place = label.and_then(|label| *places.get(usize::from(label))?);
                *label = place.map(|place| place as u16);
            }
        }
        Dataset(Arc::new(data))
    }

    /// SHA-256 of the training images.
    #[getter]
    fn digest(&self) -> String {
        self.0.digest()
    }

    /// Some images of each class.
    fn contact_sheet<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let figure = latents::contact_sheet(&self.0);
        py.import("latents")?.getattr("Figure")?.call1((figure.svg(),))
    }

    /// What is in it, line by line, and some images of each class.
    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        let text = self.0.describe();
        let text: String = py.import("html")?.call_method1("escape", (text,))?.extract()?;
        Ok(format!("<pre>{text}</pre>{}", latents::contact_sheet(&self.0).svg()))
    }

    fn __repr__(&self) -> String {
        let (train, test) = (self.0.train.len(), self.0.test.len());
        let (c, h, w) = self.0.shape().into();
        let classes = self.0.classes.len();
        format!(
            "<latents.Dataset {:?}: {train} training and {test} test images of shape ({c}, {h}, {w}), {classes} classes>",
            self.0.name
        )
    }
}

impl Dataset {
    fn of(&self, part: Part) -> Images {
        Images(Of::Part(Arc::clone(&self.0), part))
    }
}

/// An array with its shape.
type Shaped<'py> = (LabelledArray<'py>, Vec<usize>);

pub(crate) fn with_shape(array: LabelledArray<'_>) -> Shaped<'_> {
    let shape = array.0.shape();
    (array, shape)
}

/// An array as the library takes it.
pub(crate) fn as_images<'a>(
    name: &'a str,
    ((array, labels, names), shape): &'a Shaped<'_>,
    part: Option<Part>,
) -> PyResult<ImageArrays<'a>> {
    let (numbers, labels, names): (ArrayNumbers<'a>, _, _) =
        (array.numbers()?, labels.clone(), names.clone());
    Ok(ImageArrays { name, shape, numbers, labels, names, part })
}

#[pymethods]
impl Images {
    fn __len__(&self) -> usize {
        self.labelled().len()
    }

    /// Shape of all images, `(n, c, h, w)`.
    #[getter]
    fn shape(&self) -> (usize, usize, usize, usize) {
        let [c, h, w] = self.labelled().images.shape();
        (self.labelled().len(), c, h, w)
    }

    /// NumPy's name of the type of the pixels: `uint8` or `uint16`.
    #[getter]
    fn dtype(&self) -> &'static str {
        dtype(self.labelled().images.depth())
    }

    /// The pixels `[n, c, h, w]`, as a new array.
    fn pixels<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let images = &self.labelled().images;
        let [c, h, w] = images.shape();
        pixels(py, images.pixels(), &[images.len(), c, h, w])
    }

    /// The number of each image's class, or -1 for an image without one; `None` if no image has one.
    #[getter]
    fn labels(&self) -> Option<Vec<i64>> {
        let labels = self.labelled().labels.as_ref()?;
        Some(labels.iter().map(|label| label.map_or(-1, i64::from)).collect())
    }

    /// The name of each image, or `None` if they have none.
    #[getter]
    fn names(&self) -> Option<Vec<String>> {
        self.labelled().names.clone()
    }

    /// The number of each image's label in each of several columns of labels, by the name of the column, or `None` for an image without one. Empty
    /// unless the source has several columns.
    #[getter]
    fn columns<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let columns = PyDict::new(py);
        for column in &self.labelled().columns {
            columns.set_item(&column.name, &column.labels)?;
        }
        Ok(columns)
    }

    /// The names of the classes.
    #[getter]
    fn classes(&self) -> Vec<String> {
        self.class_names().to_vec()
    }

    /// Images by a slice, an array of numbers or of truth values, or one number.
    fn __getitem__(&self, py: Python<'_>, index: &Bound<'_, PyAny>) -> PyResult<Images> {
        let numbers = py.import("numpy")?.call_method1("arange", (self.__len__(),))?;
        let chosen = py.import("numpy")?.call_method1("atleast_1d", (numbers.get_item(index)?,))?;
        self.at(chosen.call_method0("tolist")?.extract()?)
    }

    /// The pixels `[n, c, h, w]`, as a new array.
    #[pyo3(signature = (dtype=None, copy=None))]
    fn __array__<'py>(
        &self,
        py: Python<'py>,
        dtype: Option<Bound<'py, PyAny>>,
        copy: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if copy == Some(false) {
            return Err(PyValueError::new_err("images become an array only by a copy"));
        }
        let pixels = self.pixels(py)?;
        dtype.map_or(Ok(pixels.clone()), |dtype| pixels.call_method1("astype", (dtype,)))
    }

    /// The images at these indices.
    fn at(&self, indices: Vec<usize>) -> PyResult<Images> {
        let images = self.labelled();
        if let Some(wrong) = indices.iter().find(|&&i| i >= images.len()) {
            let n = images.len();
            return Err(pyo3::exceptions::PyIndexError::new_err(format!(
                "there is no image {wrong} among {n}"
            )));
        }
        Ok(Images::chosen(images.at(&indices), self.class_names().to_vec()))
    }

    /// The number of the image that `text` means: by its name, the end of its name, or its number.
    fn find(&self, text: &str) -> PyResult<usize> {
        self.labelled().find(text).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    fn __repr__(&self) -> String {
        let (n, c, h, w) = self.shape();
        format!("<latents.Images of shape ({n}, {c}, {h}, {w})>")
    }
}
