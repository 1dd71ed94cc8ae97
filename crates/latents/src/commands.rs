//! One module for each command, and what several of them need: data sets by name, and runs ready to compute.

pub(crate) mod completions;
pub(crate) mod data;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod evaluate;
pub(crate) mod explored;
pub(crate) mod figures;
pub(crate) mod map;
pub(crate) mod outliers;
pub(crate) mod predict;
pub(crate) mod probe;
pub(crate) mod reconstruct;
pub(crate) mod sample;
pub(crate) mod settings;
pub(crate) mod study;
pub(crate) mod train;
pub(crate) mod traverse;
pub(crate) mod tune;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use clap::ValueEnum;
use latents::data::{Dataset, Labelled, Locations, Source, load_default};
use latents::engine::{Engine, Inputs, Runtime};
use latents::models::Latents;
use latents::train::{DataConfig, Run, RunConfig};

use crate::Shared;
use crate::output::Output;
use crate::progress::DownloadProgress;

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Split {
    /// The images that the run was trained and validated on.
    Train,
    /// The images that it never saw.
    Test,
}

impl Shared {
    pub(crate) fn runtime(&self) -> Result<Arc<Runtime>> {
        Ok(Arc::new(Runtime::new(self.threads.map(usize::from), self.isa)?))
    }
}

/// What becomes true when the user wants an end; asked twice, the process leaves at once. What it had saved is whole.
pub(crate) fn stop_on_ctrl_c() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let handler = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if handler.swap(true, Ordering::Relaxed) {
            #[allow(clippy::exit)]
            std::process::exit(130);
        }
    })?;
    Ok(stop)
}

/// The data set of a new run, which its settings then name; see [`load_data`].
pub(crate) fn load_new_data(
    source: Option<&str>,
    config: &mut DataConfig,
    output: Output,
) -> Result<Dataset> {
    let mut dataset = load_data(source, output)?;
    config.source.clone_from(&dataset.name);
    config.shape = dataset.train.images.shape();
    config.classes.clone_from(&dataset.classes);
    limit(&mut dataset, config);
    config.digest = dataset.train.images.digest();
    Ok(dataset)
}

/// Loads the data set of a name; with none, Fashion-MNIST where it can be had and the compiled-in sample elsewhere, which is said.
pub(crate) fn load_data(source: Option<&str>, output: Output) -> Result<Dataset> {
    let mut bar = DownloadProgress::new();
    let mut show = |progress| bar.show(&progress);
    let locations = Locations::default();
    let dataset = if let Some(source) = source {
        source.parse::<Source>()?.load(&locations, &mut show)?
    } else {
        let (dataset, reason) = load_default(&locations, &mut show)?;
        if let Some(reason) = reason {
            output.note(&format!("Fashion-MNIST cannot be had ({reason});\nthis is a small sample of it that comes with the program."));
        }
        dataset
    };
    Ok(dataset)
}

/// The data set of a run, cut to its limits.
pub(crate) fn load_run_data(config: &DataConfig, output: Output) -> Result<Dataset> {
    let mut dataset = load_data(Some(&config.source), output)?;
    limit(&mut dataset, config);
    Ok(dataset)
}

fn limit(dataset: &mut Dataset, config: &DataConfig) {
    for (part, limit) in
        [(&mut dataset.train, config.train_limit), (&mut dataset.test, config.test_limit)]
    {
        if let Some(limit) = limit {
            part.truncate(limit);
        }
    }
}

/// A trained run, ready to compute.
pub(crate) struct Trained {
    pub(crate) config: RunConfig,
    pub(crate) engine: Engine,
    pub(crate) parameters: Vec<f32>,
}

impl Trained {
    pub(crate) fn open(dir: &Path, shared: &Shared) -> Result<Self> {
        let run = Run::at(dir);
        let config = run.config()?;
        let engine = Engine::new(&config.network()?, shared.runtime()?)?;
        let parameters = run.parameters(&engine)?;
        Ok(Trained { config, engine, parameters })
    }

    /// Where its latent vectors are.
    pub(crate) fn latents(&self) -> Result<Latents> {
        let kind = self.config.model.kind();
        let latents = self.config.model.latents();
        latents.with_context(|| {
            format!("a model of kind `{kind}` has no latent vectors that can be decoded")
        })
    }

    /// One part of the run's data set.
    pub(crate) fn part(&self, split: Split, output: Output) -> Result<Labelled> {
        let dataset = load_run_data(&self.config.data, output).context("the data of this run")?;
        let part = match split {
            Split::Train => dataset.train,
            Split::Test => dataset.test,
        };
        anyhow::ensure!(
            part.images.shape() == self.config.data.shape,
            "the images of {} are {:?} ([channels, height, width]) now, but the run was trained on {:?}",
            self.config.data.source,
            part.images.shape(),
            self.config.data.shape
        );
        Ok(part)
    }
}

/// All images of a part, as the engine takes them; `index` is scratch for the caller to own.
pub(crate) fn all<'a>(part: &'a Labelled, index: &'a mut Vec<u32>) -> Inputs<'a, f32> {
    *index = (0..part.len() as u32).collect();
    Inputs::Bytes { pixels: part.images.pixels(), index }
}
