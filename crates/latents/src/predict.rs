//! The classes that a trained classifier gives images, with their probabilities; of the images alone or averaged over other views of them.

use std::path::{Path, PathBuf};

use latents_data::{Labelled, is_array_file, read_picture};
use latents_engine::{InputPixels, Inputs};
use latents_explore::classification::{argmax, softmax};
use latents_models::Target;
use latents_report::{Cell, Table};
use latents_tables::{Column, Values};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::model::{BLOCK, TrainedModel, check_finite};
use crate::outputs::{PREDICTION_ENDINGS, check_output};

/// Test-time augmentation: another view of each image, whose probabilities are averaged with the image's own (Krizhevsky et al., 2012).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tta {
    /// The mirror image, left and right exchanged.
    Flip,
}

/// The class of an image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// The image: its file, or where it comes from.
    pub input: String,
    /// The class's name.
    pub class: String,
    /// The class's number, from 0.
    pub label: u16,
    /// The class's probability.
    pub probability: f32,
    /// The probability of each class.
    pub probabilities: Vec<f32>,
}

/// The classes of images.
///
/// ```no_run
/// use latents::{Session, TrainedModel};
///
/// let mut model = TrainedModel::open("runs/classifier", &Session::default())?;
/// let pictures = model.read_inputs(&["cat.jpg".into(), "dog.jpg".into()])?;
/// println!("{}", model.predict(pictures, None)?.table().markdown());
/// # Ok::<(), latents::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Predictions {
    /// The folder of the classifier's run.
    pub run: String,
    /// The names of all classes.
    pub classes: Vec<String>,
    /// One for each image, in their order.
    pub predictions: Vec<Prediction>,
}

impl Predictions {
    /// Image, class and probability, a row for each image.
    #[must_use]
    pub fn table(&self) -> Table {
        let columns = ["input", "class", "probability"].map(str::to_owned).to_vec();
        let row = |p: &Prediction| {
            vec![
                Cell::Text(p.input.clone()),
                Cell::Text(p.class.clone()),
                Cell::from(f64::from(p.probability)),
            ]
        };
        Table { columns, rows: self.predictions.iter().map(row).collect() }
    }

    /// Writes the table in the format of the ending, one of [`PREDICTION_ENDINGS`](crate::PREDICTION_ENDINGS); all but `.md` have the
    /// probability of each class.
    ///
    /// # Errors
    /// If the ending is unknown or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let text = match check_output(path, &PREDICTION_ENDINGS)?.as_str() {
            "json" => serde_json::to_string_pretty(self)? + "\n",
            "md" => self.table().markdown(),
            _ => return Ok(latents_tables::write(path, &self.columns()?)?),
        };
        Ok(latents_files::write(path, text.as_bytes())?)
    }

    /// The columns `input`, `class`, `label`, `probability`, and `probability of CLASS` for each class.
    pub(crate) fn columns(&self) -> Result<latents_tables::ColumnTable> {
        let all = &self.predictions;
        let texts = |text: fn(&Prediction) -> &String| {
            Values::Text(all.iter().map(|p| Some(text(p).clone())).collect())
        };
        let numbers = |number: &dyn Fn(&Prediction) -> f32| {
            Values::F32(all.iter().map(|p| Some(number(p))).collect())
        };
        let mut columns = vec![
            Column::new("input", texts(|p| &p.input)),
            Column::new("class", texts(|p| &p.class)),
            Column::new("label", Values::I64(all.iter().map(|p| Some(p.label.into())).collect())),
            Column::new("probability", numbers(&|p| p.probability)),
        ];
        for (i, class) in self.classes.iter().enumerate() {
            let name = format!("probability of {class}");
            columns.push(Column::new(name, numbers(&|p| p.probabilities[i])));
        }
        Ok(latents_tables::ColumnTable::new(columns)?)
    }
}

/// Images to classify, `[n, c, h, w]` of numbers from 0 to 1, each with a name.
#[derive(Clone, Debug, Default)]
pub struct ClassifierInput {
    names: Vec<String>,
    values: Vec<f32>,
}

impl ClassifierInput {
    /// The images of a part of a data set; without names of their own they are called `SOURCE:NUMBER`.
    #[must_use]
    pub fn of(images: &Labelled, source: &str) -> Self {
        Self::from(0, images, source)
    }

    /// The same of images of which the first has this number.
    pub(crate) fn from(first: usize, images: &Labelled, source: &str) -> Self {
        let numbered = || (first..first + images.len()).map(|i| format!("{source}:{i}")).collect();
        ClassifierInput {
            names: images.names.clone().unwrap_or_else(numbered),
            values: images.images.to_unit(),
        }
    }
}

impl TrainedModel {
    /// Whether it learns classes; an error says which kinds do.
    pub(crate) fn check_classifier(&self) -> Result<()> {
        if self.config.model.target() == Target::Class {
            return Ok(());
        }
        Err(Error::NoClasses { run: self.dir().to_owned(), kind: self.kind() })
    }

    /// Reads images to classify: pictures, and NumPy's files of images with values in the run's range. Both are resized to the run's shape.
    ///
    /// # Errors
    /// If the model does not classify, a file cannot be read, or its images have another shape.
    pub fn read_inputs(&self, files: &[PathBuf]) -> Result<ClassifierInput> {
        self.check_classifier()?;
        let shape = self.shape();
        let mut input = ClassifierInput::default();
        for path in files {
            if !is_array_file(path) {
                let picture = read_picture(path, shape, &self.config.data.pictures)?;
                input.names.push(path.display().to_string());
                input.values.extend(picture.to_unit());
                continue;
            }
            let source = format!("npz:{}", path.display());
            let foreign = self.foreign_data(&source)?;
            // A file that is named by itself is meant to be ready for the model; sources are resized.
            if let Some(found) = foreign.array_shape.filter(|found| found[1..] != shape[1..]) {
                let expected = format!("the run needs images [c, h, w] of {shape:?}");
                let (file, found) = (path.clone(), found.to_vec());
                let array = "image".to_owned();
                return Err(Error::ArrayShape { file, array, found, expected });
            }
            let images = foreign.images;
            input.names.extend((0..images.len()).map(|i| match &images.names {
                Some(names) => names[i].clone(),
                None => format!("{}:{i}", path.display()),
            }));
            input.values.extend(images.images.to_unit());
        }
        Ok(input)
    }

    /// Reads all images of a source to classify: a folder or an `.npz` file, which are resized to the run's shape, or the test part of a named data set.
    ///
    /// # Errors
    /// If the model does not classify, the source cannot be read, or its images have another shape.
    pub fn read_source(&self, source: &str) -> Result<ClassifierInput> {
        self.check_classifier()?;
        Ok(ClassifierInput::of(&self.foreign_data(source)?.images, source))
    }

    /// Classifies images.
    ///
    /// # Errors
    /// If the model does not classify, or there are no images.
    pub fn predict(&mut self, input: ClassifierInput, tta: Option<Tta>) -> Result<Predictions> {
        if input.names.is_empty() {
            return Err(Error::Invalid("there are no images".into()));
        }
        self.classify(input, tta)
    }

    /// Classifies any number of images.
    pub(crate) fn classify(
        &mut self,
        input: ClassifierInput,
        tta: Option<Tta>,
    ) -> Result<Predictions> {
        self.check_classifier()?;
        let all = self.probabilities(Inputs::Values(&input.values), tta)?;
        let classes = self.classes().to_vec();
        let labels = argmax(&all, classes.len());
        let each = input.names.into_iter().zip(labels).zip(all.chunks_exact(classes.len()));
        let predictions = each
            .map(|((input, label), probabilities)| Prediction {
                input,
                class: classes[usize::from(label)].clone(),
                label,
                probability: probabilities[usize::from(label)],
                probabilities: probabilities.to_vec(),
            })
            .collect();
        Ok(Predictions { run: self.dir().display().to_string(), classes, predictions })
    }

    /// The probabilities `[n, k]` of the classes of images.
    ///
    /// # Errors
    /// If the model does not classify, or the images have another shape.
    pub fn class_probabilities(&mut self, images: &Labelled, tta: Option<Tta>) -> Result<Vec<f32>> {
        self.check_classifier()?;
        self.check_shape(images)?;
        let index: Vec<u32> = (0..images.len() as u32).collect();
        self.probabilities(latents_train::inputs(&images.images, &index), tta)
    }

    /// The probabilities `[n, k]` of the classes of images `[n, c, h, w]`.
    pub(crate) fn probabilities(
        &mut self,
        inputs: Inputs<'_, f32>,
        tta: Option<Tta>,
    ) -> Result<Vec<f32>> {
        let ([.., width], image) = (self.shape(), self.shape().iter().product());
        let classes = self.classes().len();
        let mut of = |inputs: Inputs<'_, f32>| -> Result<Vec<f32>> {
            Ok(softmax(&self.logits(inputs)?, classes))
        };
        let mut all = vec![];
        for block in blocks(inputs, image) {
            let own = of(block)?;
            let Some(Tta::Flip) = tta else {
                all.extend(own);
                continue;
            };
            let other = match block {
                Inputs::Images { pixels, index } => {
                    let places: Vec<u32> = (0..index.len() as u32).collect();
                    let mirror = |pixels| Inputs::Images { pixels, index: &places };
                    match pixels {
                        InputPixels::Bytes(bytes) => {
                            let chosen = chosen(bytes, index, image);
                            of(mirror(mirrored(&chosen, width)[..].into()))?
                        }
                        InputPixels::Words(words) => {
                            let chosen = chosen(words, index, image);
                            of(mirror(mirrored(&chosen, width)[..].into()))?
                        }
                    }
                }
                Inputs::Values(values) => of(Inputs::Values(&mirrored(values, width)))?,
            };
            all.extend(own.into_iter().zip(other).map(|(a, b)| f32::midpoint(a, b)));
        }
        Ok(all)
    }

    /// The logits `[n, k]` of the classes of images `[n, c, h, w]`.
    pub(crate) fn logits(&mut self, inputs: Inputs<'_, f32>) -> Result<Vec<f32>> {
        let sections = 0..self.engine.layout().section_count();
        let mut logits = vec![];
        for block in blocks(inputs, self.shape().iter().product()) {
            self.session.check()?;
            let of_block = self.engine.forward(&self.parameters, block, sections.clone())?;
            let classes = self.classes().len();
            let (first, count) = (logits.len() / classes, of_block.len() / classes);
            check_finite(self.dir(), &of_block, count, first)?;
            logits.extend(of_block);
        }
        Ok(logits)
    }
}

/// Images of so many numbers each, in blocks.
fn blocks(inputs: Inputs<'_, f32>, image: usize) -> Vec<Inputs<'_, f32>> {
    match inputs {
        Inputs::Images { pixels, index } => {
            index.chunks(BLOCK).map(|index| Inputs::Images { pixels, index }).collect()
        }
        Inputs::Values(values) => values.chunks(BLOCK * image).map(Inputs::Values).collect(),
    }
}

/// The images of so many numbers each at some indices.
fn chosen<T: Copy>(pixels: &[T], index: &[u32], image: usize) -> Vec<T> {
    let places = index.iter().map(|&i| i as usize * image);
    places.flat_map(|at| &pixels[at..at + image]).copied().collect()
}

/// Images `[n, c, h, w]` with left and right exchanged.
fn mirrored<T: Copy>(pixels: &[T], width: usize) -> Vec<T> {
    pixels.chunks_exact(width).flat_map(|row| row.iter().rev().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_mirrored_by_itself() {
        assert_eq!(mirrored(&[1, 2, 3, 4, 5, 6], 3), [3, 2, 1, 6, 5, 4]);
        assert_eq!(mirrored(&[1, 2], 1), [1, 2]);
    }
}
