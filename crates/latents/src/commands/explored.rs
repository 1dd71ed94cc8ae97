//! A trained run whose latent space is looked into: its images, their latents, and what latents decode to. What `map`, `sample`,
//! `traverse`, `outliers` and `evaluate` share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use latents::data::{Dataset, Labelled};
use latents::engine::{Inputs, Runtime};
use latents::models::Latents;
use latents::report::{Figure, ImageView, Tile};

use crate::Shared;
use crate::commands::{Split, Trained, all, load_run_data};
use crate::output::Output;

/// A run with its data set.
pub(crate) struct Explored {
    pub(crate) trained: Trained,
    pub(crate) latents: Latents,
    pub(crate) dataset: Dataset,
}

impl Explored {
    pub(crate) fn open(dir: &Path, shared: &Shared, output: Output) -> Result<Self> {
        let trained = Trained::open(dir, shared)?;
        let latents = trained.latents()?;
        let dataset =
            load_run_data(&trained.config.data, output).context("the data of this run")?;
        let (now, then) = (dataset.train.images.shape(), trained.config.data.shape);
        ensure!(
            now == then,
            "the images of {} are {now:?} ([channels, height, width]) now, but the run was trained on {then:?}",
            trained.config.data.source,
        );
        Ok(Explored { trained, latents, dataset })
    }

    pub(crate) fn part(&self, split: Split) -> &Labelled {
        match split {
            Split::Train => &self.dataset.train,
            Split::Test => &self.dataset.test,
        }
    }

    /// Shape of an image.
    pub(crate) fn shape(&self) -> [usize; 3] {
        self.trained.config.data.shape
    }

    pub(crate) fn runtime(&self) -> Arc<Runtime> {
        Arc::clone(self.trained.engine.runtime())
    }

    /// Latents `[n, d]` of a part's images.
    pub(crate) fn encode(&mut self, split: Split) -> Result<Vec<f32>> {
        let part = match split {
            Split::Train => &self.dataset.train,
            Split::Test => &self.dataset.test,
        };
        let mut index = vec![];
        let inputs = all(part, &mut index);
        let trained = &mut self.trained;
        Ok(trained.engine.forward(&trained.parameters, inputs, self.latents.encode.clone())?)
    }

    /// Latents `[n, d]` of images `[n, c, h, w]`.
    pub(crate) fn encode_values(&mut self, images: &[f32]) -> Result<Vec<f32>> {
        let (trained, sections) = (&mut self.trained, self.latents.encode.clone());
        Ok(trained.engine.forward(&trained.parameters, Inputs::Values(images), sections)?)
    }

    /// Images `[n, c, h, w]` of latents `[n, d]`.
    pub(crate) fn decode(&mut self, z: &[f32]) -> Result<Vec<f32>> {
        let (trained, sections) = (&mut self.trained, self.latents.decode.clone());
        Ok(trained.engine.forward(&trained.parameters, Inputs::Values(z), sections)?)
    }

    /// All images of a part, from 0 to 1.
    pub(crate) fn pixels(&self, split: Split) -> Vec<f32> {
        self.part(split).images.pixels().iter().map(|&byte| f32::from(byte) / 255.0).collect()
    }

    /// One image of a part, from 0 to 1.
    pub(crate) fn image(&self, split: Split, i: usize) -> Result<Vec<f32>> {
        let part = self.part(split);
        ensure!(
            i < part.len(),
            "there is no image {i}: they are from 0 to {}",
            part.len().max(1) - 1
        );
        Ok(part.images.image(i).iter().map(|&byte| f32::from(byte) / 255.0).collect())
    }

    /// What an image is of, where that is known.
    pub(crate) fn class(&self, split: Split, i: usize) -> Option<&str> {
        let label = *self.part(split).labels.as_ref()?.get(i)?;
        self.dataset.classes.get(usize::from(label)).map(String::as_str)
    }
}

/// Images `[n, c, h, w]` as tiles with captions.
pub(crate) fn tiles(
    images: &[f32],
    shape: [usize; 3],
    caption: impl Fn(usize) -> String,
) -> Vec<Tile<'_>> {
    let each = images.chunks_exact(shape.iter().product()).enumerate();
    each.map(|(i, pixels)| Tile { caption: caption(i), image: ImageView { shape, pixels } })
        .collect()
}

/// Refuses a file for numbers that a figure would have the place of.
pub(crate) fn for_numbers(out: &Path) -> Result<()> {
    let ending = out.extension().map(std::ffi::OsStr::to_ascii_lowercase);
    ensure!(
        !ending.is_some_and(|ending| ending == "svg" || ending == "png"),
        "--out {} is for the numbers; their figure is written beside them, as SVG and PNG: give it another ending",
        out.display()
    );
    Ok(())
}

/// Writes a figure as SVG and PNG beside `out`, under its name; returns both files.
pub(crate) fn save_beside(figure: &Figure, out: &Path, suffix: &str) -> Result<Vec<PathBuf>> {
    let Some(stem) = out.file_stem() else { bail!("{} names no file", out.display()) };
    let stem = format!("{}{suffix}", stem.to_string_lossy());
    let folder = out.parent().unwrap_or(Path::new(""));
    figure.save(folder, &stem)?;
    Ok(["svg", "png"].map(|kind| folder.join(format!("{stem}.{kind}"))).to_vec())
}
