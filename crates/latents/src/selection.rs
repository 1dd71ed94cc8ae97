//! Which images a command works on: a part of a run's own data, all of it, or images of another source.

use latents_data::{Labelled, Part};

use crate::error::{Error, Result};
use crate::latents::Latents;
use crate::model::TrainedModel;

/// Which images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// A part of the run's data.
    Part(Part),
    /// All parts of the run's data.
    All,
    /// Images that the run has not seen: a source as it is written on a command line.
    Source(String),
}

/// Selected images, and what is known of them.
#[derive(Clone, Debug)]
pub struct SelectedImages {
    /// The images.
    pub images: Labelled,
    /// The part of each image, if they are the run's own.
    pub parts: Option<Vec<Part>>,
    /// The names of their classes.
    pub classes: Vec<String>,
}

impl SelectedImages {
    /// The class of an image by name, if it has one.
    #[must_use]
    pub fn class_of(&self, i: usize) -> Option<&str> {
        self.images.class_of(i, &self.classes)
    }
}

impl TrainedModel {
    /// Opens images of the run's own data or of another source.
    ///
    /// ```no_run
    /// use latents::{Selection, Session, TrainedModel};
    ///
    /// let mut model = TrainedModel::open("runs/ae", &Session::default())?;
    /// let new = model.select(&Selection::Source("./new-photos".into()))?;
    /// let z = model.encode_selected(&new)?;
    /// # Ok::<(), latents::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the images cannot be read, have another shape, or there are none.
    pub fn select(&self, selection: &Selection) -> Result<SelectedImages> {
        let selected = match selection {
            Selection::Source(source) => {
                let foreign = self.foreign_data(source)?;
                SelectedImages { images: foreign.images, parts: None, classes: foreign.classes }
            }
            Selection::All => {
                let data = self.data()?;
                let (images, parts) = data.all();
                SelectedImages { images, parts: Some(parts), classes: data.classes }
            }
            Selection::Part(part) => {
                let data = self.data()?;
                let images = data.part(*part).clone();
                let parts = Some(vec![*part; images.len()]);
                SelectedImages { images, parts, classes: data.classes }
            }
        };
        match selection {
            Selection::Part(part) if selected.images.is_empty() => {
                Err(Error::NoImages { run: self.dir().to_owned(), part: *part })
            }
            _ => Ok(selected),
        }
    }

    /// The latents of selected images, with all that is known of these.
    ///
    /// # Errors
    /// As of [`encode`](Self::encode).
    pub fn encode_selected(&mut self, selected: &SelectedImages) -> Result<Latents> {
        let latents = self.encode(&selected.images)?;
        let (parts, classes) = (selected.parts.clone(), selected.classes.clone());
        Ok(Latents { parts, classes, ..latents })
    }
}
