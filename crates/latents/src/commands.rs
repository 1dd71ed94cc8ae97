//! One module for each command, and what several of them need: data sets by name, and runs ready to compute.

pub(crate) mod classified;
pub(crate) mod completions;
pub(crate) mod data;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod evaluate;
pub(crate) mod explored;
pub(crate) mod figures;
pub(crate) mod init;
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

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use latents::data::{Dataset, Labelled, Locations, Pictures, Source, load_default};
use latents::engine::{Engine, Inputs, Runtime, Shape};
use latents::models::Latents;
use latents::train::{DataConfig, Run, RunConfig};

use crate::Shared;
use crate::output::Output;
use crate::progress::DataProgress;

/// What images are taken to be like while that is not known.
pub(crate) const USUAL: Shape = [1, 28, 28];

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

/// The settings of a new run and its data set, which the settings then name; see [`load_data`]. `settings` gives them for images of a
/// shape `[c, h, w]`, or where it is not known yet. A source that is given goes before the one in the settings.
pub(crate) fn new_run(
    out: &Path,
    source: Option<&str>,
    settings: impl Fn(Option<Shape>) -> Result<RunConfig>,
    output: Output,
) -> Result<(RunConfig, Dataset)> {
    // Which images they are does not depend on their shape.
    let mut data = settings(None)?.data;
    let dataset = load_new_data(out, source, &mut data, output)?;
    output.note(&describe(&dataset));
    Ok((RunConfig { data, ..settings(Some(dataset.train.images.shape()))? }, dataset))
}

/// The data set of new settings, which then name it. `out` is where its results go.
pub(crate) fn load_new_data(
    out: &Path,
    source: Option<&str>,
    config: &mut DataConfig,
    output: Output,
) -> Result<Dataset> {
    let source = source.or(Some(config.source.as_str()).filter(|source| !source.is_empty()));
    if let Some(Source::Folder(pictures)) = source.map(str::parse).transpose()? {
        ensure!(
            !real(out).starts_with(real(&pictures)),
            "--out {} lies within the folder of the pictures, {}, where its figures would be taken for pictures: choose another",
            out.display(),
            pictures.display()
        );
    }
    let mut dataset = load_data(source, &config.pictures, output)?;
    config.source.clone_from(&dataset.name);
    if !config.source.parse::<Source>()?.is_fixed() {
        // What was chosen by the pictures is chosen for good.
        let [channels, h, w] = dataset.train.images.shape();
        config.pictures.size = Some([h, w]);
        config.pictures.grey = channels == 1;
    }
    config.shape = dataset.train.images.shape();
    config.classes.clone_from(&dataset.classes);
    limit(&mut dataset, config)?;
    config.digest = dataset.train.images.digest();
    Ok(dataset)
}

/// A path without links and from the root, also where some of its end is not there yet.
fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let real = |known: &Path| Some(known.canonicalize().ok()?.join(path.strip_prefix(known).ok()?));
    path.ancestors().find_map(real).unwrap_or_else(|| path.clone())
}

/// What people should know of a data set.
pub(crate) fn describe(dataset: &Dataset) -> String {
    let mut lines = vec![format!("{}: {}", dataset.name, dataset.origin)];
    lines.extend(dataset.notes.iter().cloned());
    lines.join("\n  ")
}

/// Loads the data set of a name; with none, Fashion-MNIST where it can be had and the compiled-in sample elsewhere, which is said.
pub(crate) fn load_data(
    source: Option<&str>,
    pictures: &Pictures,
    output: Output,
) -> Result<Dataset> {
    let mut bar = DataProgress::new();
    let mut show = |progress| bar.show(&progress);
    let locations = Locations::default();
    let dataset = if let Some(source) = source {
        source.parse::<Source>()?.load_with(pictures, &locations, &mut show)?
    } else {
        ensure!(
            pictures.is_default(),
            "there are settings for pictures, but --data names no folder and no .npz file"
        );
        let (dataset, reason) = load_default(&locations, &mut show)?;
        if let Some(reason) = reason {
            output.note(&format!("Fashion-MNIST cannot be had ({reason});\nthis is a small sample of it that comes with the program."));
        }
        dataset
    };
    Ok(dataset)
}

/// The images of another source for a model of a run: all of a folder's or `.npz` file's, brought to the run's shape; the test part
/// of a named set.
pub(crate) fn load_foreign_data(
    source: &str,
    run: &DataConfig,
    output: Output,
) -> Result<Labelled> {
    if source.parse::<Source>()?.is_fixed() {
        return Ok(load_data(Some(source), &Pictures::default(), output)?.test);
    }
    let [channels, h, w] = run.shape;
    let pictures = Pictures {
        size: Some([h, w]),
        grey: channels == 1,
        test_fraction: 0.0,
        ..run.pictures.clone()
    };
    let dataset = load_data(Some(source), &pictures, output)?;
    Ok(if dataset.test.is_empty() { dataset.train } else { dataset.test })
}

/// The data set of a run, cut to its limits.
pub(crate) fn load_run_data(config: &DataConfig, output: Output) -> Result<Dataset> {
    let mut dataset = load_data(Some(&config.source), &config.pictures, output)?;
    limit(&mut dataset, config)?;
    Ok(dataset)
}

/// Cuts the parts to their limits: named sets to their first images, which their makers have shuffled; others to images that are
/// spread over all, which may be in the order of their classes.
fn limit(dataset: &mut Dataset, config: &DataConfig) -> Result<()> {
    let is_fixed = config.source.parse::<Source>()?.is_fixed();
    for (part, limit) in
        [(&mut dataset.train, config.train_limit), (&mut dataset.test, config.test_limit)]
    {
        match limit {
            Some(limit) if is_fixed => part.truncate(limit),
            Some(limit) => part.thin(limit),
            None => {}
        }
    }
    Ok(())
}

/// A trained run, ready to compute.
pub(crate) struct Trained {
    pub(crate) dir: PathBuf,
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
        Ok(Trained { dir: dir.to_owned(), config, engine, parameters })
    }

    /// Where its latent vectors are.
    pub(crate) fn latents(&self) -> Result<Latents> {
        let (dir, kind) = (self.dir.display(), self.config.model.kind());
        let latents = self.config.model.latents();
        latents.with_context(|| {
            format!("{dir} is a run of kind `{kind}`, which has no latents to decode: name one of `latents train ae` or `vae`")
        })
    }

    /// One part of the run's data set.
    pub(crate) fn part(&self, split: Split, output: Output) -> Result<Labelled> {
        let dataset = load_run_data(&self.config.data, output).context("the data of this run")?;
        let part = match split {
            Split::Train => dataset.train,
            Split::Test => dataset.test,
        };
        ensure!(
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
