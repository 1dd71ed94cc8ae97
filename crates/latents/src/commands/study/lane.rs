//! What every stage of a study is given: the images, the budgets, the worker threads of its lane, and the ways to train, to tune and to
//! put images through a model that all stages share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, ensure};
use latents::data::{Dataset, Labelled};
use latents::engine::{Engine, Inputs, Runtime};
use latents::report::{Finding, Tone};
use latents::train::{DataConfig, Event, Outcome, Run, RunConfig, train};
use latents::tune::{Dimension, Space, Value, optimize};

use super::budget::Budget;
use super::progress::Progress;
use super::stages::{Results, Stopped};
use crate::commands::Trained;
use crate::commands::tune::model::{self, Kind};
use crate::commands::tune::results::Results as Trials;
use crate::commands::tune::runs::Runs;
use crate::commands::tune::strategy::{StudyFlags, agreed, find};

/// Images that are put through a model at once.
const BLOCK: usize = 4096;

/// What is the same for all stages.
pub(crate) struct Study {
    pub(crate) out: PathBuf,
    pub(crate) dataset: Dataset,
    pub(crate) data: DataConfig,
    pub(crate) budget: Budget,
    pub(crate) seed: u64,
    pub(crate) results: Results,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) progress: Progress,
}

/// What a stage is given.
pub(crate) struct Lane<'a> {
    pub(crate) study: &'a Study,
    pub(crate) runtime: Arc<Runtime>,
}

impl Study {
    /// The folder of a run.
    pub(crate) fn run(&self, name: &str) -> Run {
        Run::at(&self.out.join("runs").join(name))
    }

    /// Whether the images are the reference study's, all of them, so that its numbers may stand beside ours.
    pub(crate) fn is_comparable(&self) -> bool {
        self.dataset.name == "fashion-mnist" && self.budget == Budget::full()
    }

    /// Whether they are of the reference study's kind, though they may be a sample of them, so that its settings mean something here.
    pub(crate) fn is_of_the_reference(&self) -> bool {
        self.dataset.name.starts_with("fashion-mnist")
    }

    /// A finding beside what the reference came to, where the two may be compared.
    pub(crate) fn against(&self, text: &str, better: bool, theirs: &str) -> Finding {
        if !self.is_comparable() {
            return Finding::new(Tone::Neutral, text);
        }
        let tone = if better { Tone::Better } else { Tone::Worse };
        Finding::new(tone, format!("{text} {theirs}"))
    }

    /// The trials of a search.
    pub(crate) fn trials(&self, stage: &str, kind: &Kind) -> Result<Trials> {
        let file = self.out.join(stage).join("study.db");
        let (storage, record) = find(&format!("sqlite:///{}", file.display()))?;
        let agreed = agreed(&*storage, &record)?.context("it was begun by another program")?;
        let order = agreed.space.dimensions().iter().map(|d| d.name.clone()).collect();
        let trials = storage.trials(record.id)?;
        Ok(Trials::new(&record.name, record.direction, kind.label, order, trials))
    }

    /// The classes, where the images have labels.
    pub(crate) fn classes(&self) -> Option<&[String]> {
        let labelled = self.dataset.train.labels.is_some() && self.dataset.test.labels.is_some();
        labelled.then_some(&self.dataset.classes[..])
    }
}

impl Lane<'_> {
    /// Whether nobody has asked for an end.
    pub(crate) fn go_on(&self) -> Result<()> {
        if self.study.stop.load(Ordering::Relaxed) { Err(Stopped.into()) } else { Ok(()) }
    }

    /// Settings of a run on the study's images, as `change` makes them of the model's own.
    pub(crate) fn config(&self, base: RunConfig, change: impl FnOnce(&mut RunConfig)) -> RunConfig {
        let mut config = RunConfig { data: self.study.data.clone(), ..base };
        config.training.seed = self.study.seed;
        config.training.batch_size = config.training.batch_size.min(self.study.budget.batch_size);
        change(&mut config);
        config
    }

    /// Trains a run, or goes on with it.
    pub(crate) fn train(&self, stage: &str, name: &str, config: &RunConfig) -> Result<Ended> {
        let run = self.study.run(name);
        check_settings(&run, config)?;
        let mut per_epoch = 1.0;
        let mut epochs = 1.0;
        let outcome = train(
            &run,
            config,
            &self.study.dataset.train,
            &self.runtime,
            &self.study.stop,
            &mut |event| match event {
                Event::Started { epochs: all, train, .. } => {
                    (epochs, per_epoch) = (all as f64, train as f64);
                }
                Event::Progress { epoch, samples, loss, .. } => {
                    let done = (epoch - 1) as f64 + samples as f64 / per_epoch;
                    let said = format!("epoch {epoch}/{epochs}, loss {loss:.4}");
                    self.study.progress.update(stage, done / epochs, &said);
                }
                Event::Epoch(_) => {}
            },
        )?;
        match outcome {
            Outcome::Finished { train_loss, val_loss, seconds, .. } => {
                Ok(Ended { train_loss, val_loss, seconds })
            }
            Outcome::Interrupted { .. } => Err(Stopped.into()),
        }
    }

    /// Tunes a kind of model, or goes on with it.
    pub(crate) fn tune(&self, stage: &str, kind: &Kind, base: &RunConfig) -> Result<Trials> {
        let out = self.study.out.join(stage);
        let space = kind.space_for(base.data.shape)?;
        let budget = &self.study.budget;
        // On a small set as many steps as elsewhere are made before a trial is stopped, and the settings that are not tuned go first: a short search may find
        // none that are better.
        let flags = StudyFlags::plain(budget.trials, budget.passes - 1);
        let study = model::open(kind, base, &flags, &out, &space)?;
        if budget.is_small() && study.trials()?.is_empty() {
            study.enqueue(&untuned(base, &space)?)?;
        }
        let schedule = flags.schedule();
        let (trials, epochs) = (self.study.budget.trials as f64, base.training.epochs as f64);
        let report = |_: usize, number: u64, event: &Event<'_>| {
            if let Event::Progress { epoch, .. } = event {
                let done = number as f64 + (*epoch - 1) as f64 / epochs;
                let said = format!("trial {} of {trials}, epoch {epoch}", number + 1);
                self.study.progress.update(stage, done / trials, &said);
            }
        };
        let objective = Runs {
            value: kind.value,
            base: base.clone(),
            trials: out.join("trials"),
            data: &self.study.dataset.train,
            runtimes: vec![Arc::clone(&self.runtime)],
            report: &report,
        };
        optimize(&study, &space, schedule, &objective, &self.study.stop, &mut |_| {})?;
        self.go_on()?;
        let trials = Trials::of(&study, &space, kind.label)?;
        trials.save(&out)?;
        ensure!(trials.has_best(), "no trial was complete; see {}", out.display());
        Ok(trials)
    }

    /// The settings of the best trial of a study that [`Lane::tune`] left.
    pub(crate) fn best(&self, stage: &str, kind: &Kind) -> Result<RunConfig> {
        let file = self.study.out.join(stage).join("study.db");
        model::best(kind.name, &format!("sqlite:///{}", file.display()))
    }

    /// A trained run's model.
    pub(crate) fn open(&self, name: &str) -> Result<Trained> {
        let run = self.study.run(name);
        let config = run.config()?;
        let engine = Engine::new(&config.network()?, Arc::clone(&self.runtime))?;
        let parameters = run.parameters(&engine)?;
        Ok(Trained { dir: run.dir().to_owned(), config, engine, parameters })
    }
}

/// The settings of a run that a space would search, as they are, where the space has them.
fn untuned(base: &RunConfig, space: &Space) -> Result<Vec<(String, Value)>> {
    let settings = serde_json::to_value(base)?;
    let value = |dimension: &Dimension| {
        let name = &dimension.name;
        let setting = [&settings["model"][name], &settings["training"][name]];
        let setting = setting.into_iter().find(|s| !s.is_null())?;
        let value: Value = serde_json::from_value(setting.clone()).ok()?;
        let distribution = &dimension.distribution;
        let is_there = distribution.internal(&value).is_ok_and(|x| distribution.contains(x));
        is_there.then(|| (name.clone(), value))
    };
    Ok(space.dimensions().iter().filter_map(value).collect())
}

/// A folder that holds a run of other settings is of another study, or was changed by hand.
fn check_settings(run: &Run, config: &RunConfig) -> Result<()> {
    ensure!(
        !run.exists() || run.config()? == *config,
        "{} holds a run with other settings: choose another --out, or delete it",
        run.dir().display()
    );
    Ok(())
}

/// How training ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) train_loss: f64,
    pub(crate) val_loss: Option<f64>,
    pub(crate) seconds: f64,
}

impl Trained {
    /// Latents `[n, d]` of all images of a part.
    pub(crate) fn encode(&mut self, part: &Labelled) -> Result<Vec<f32>> {
        let latents = self.latents()?;
        let index: Vec<u32> = (0..part.len() as u32).collect();
        let mut all = Vec::with_capacity(part.len() * latents.dim);
        for index in index.chunks(BLOCK) {
            let inputs = Inputs::Bytes { pixels: part.images.pixels(), index };
            let sections = latents.encode.clone();
            all.extend(self.engine.forward(&self.parameters, inputs, sections)?);
        }
        Ok(all)
    }

    /// Reconstructions `[n, c, h, w]` of some images of a part.
    pub(crate) fn reconstruct(&mut self, part: &Labelled, index: &[u32]) -> Result<Vec<f32>> {
        let latents = self.latents()?;
        let inputs = Inputs::Bytes { pixels: part.images.pixels(), index };
        Ok(self.engine.forward(&self.parameters, inputs, latents.reconstruct())?)
    }

    /// The mean squared error of each image of a part `[n]`.
    pub(crate) fn errors(&mut self, part: &Labelled) -> Result<Vec<f32>> {
        let numbers: usize = part.images.shape().iter().product();
        let index: Vec<u32> = (0..part.len() as u32).collect();
        let mut errors = Vec::with_capacity(part.len());
        for index in index.chunks(BLOCK) {
            let images = self.reconstruct(part, index)?;
            errors.extend(images.chunks_exact(numbers).zip(index).map(|(image, &i)| {
                let original = part.images.image(i as usize);
                let error = |(&x, &byte): (&f32, &u8)| f64::from(x) - f64::from(byte) / 255.0;
                let sum: f64 = image.iter().zip(original).map(error).map(|e| e * e).sum();
                (sum / numbers as f64) as f32
            }));
        }
        Ok(errors)
    }
}

/// The mean of some numbers, in double precision.
pub(crate) fn mean(values: &[f32]) -> f64 {
    values.iter().map(|&x| f64::from(x)).sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::settings::{AutoencoderFlags, ModelFlags, VaeFlags};
    use crate::commands::tune::ae::AE;
    use crate::commands::tune::vae::VAE;

    #[test]
    fn a_search_of_a_small_set_begins_with_what_is_not_tuned() {
        let untuned = |kind: &Kind, base: RunConfig| {
            let space = kind.space_for(base.data.shape).unwrap();
            super::untuned(&base, &space).unwrap()
        };
        let small = |mut base: RunConfig| {
            base.data.shape = [1, 8, 8];
            base
        };
        let names = |found: Vec<(String, Value)>| -> Vec<String> {
            found.into_iter().map(|(name, _)| name).collect()
        };
        let ae = untuned(&AE, small(AutoencoderFlags::base_run([1, 8, 8])));
        assert!(ae.contains(&("optimizer".into(), Value::Text("adam".into()))), "{ae:?}");
        assert!(ae.contains(&("dropout".into(), Value::Float(0.2))), "{ae:?}");
        assert_eq!(
            names(ae),
            ["dropout", "latent_dim", "learning_rate", "optimizer", "weight_decay"]
        );
        // A latent vector that is too long for the space is left to be drawn.
        let mut base = small(VaeFlags::base_run([1, 8, 8]));
        if let latents::models::ModelConfig::Vae(vae) = &mut base.model {
            vae.halves.latent_dim = 44;
        }
        assert_eq!(names(untuned(&VAE, base)), ["learning_rate", "optimizer", "weight_decay"]);
    }
}
