//! What every stage is given: the images, the budgets, the session of its worker, and the ways to train, to tune and to open a model that all
//! stages share.

use std::path::PathBuf;
use std::sync::Arc;

use latents::data::evenly_spaced;
use latents::report::{Finding, Tone};
use latents::train::DataConfig;
use latents::tune::TrialState;
use latents::{
    Dataset, Labelled, Reporter, Run, RunConfig, Session, StudyConfig, TrainSummary, TrainedModel,
    TuneResults, best_settings, default_space, search, train_run,
};

use crate::budget::Budget;
use crate::error::{Error, Result};
use crate::progress::PartReporter;
use crate::results::{Autoencoder, Mapped, Search, StageResults};

/// What all stages of a study share.
pub(crate) struct Context {
    pub(crate) out: PathBuf,
    pub(crate) dataset: Dataset,
    /// All images, if there are so few test images that measures are cross-validated and maps show all images.
    pub(crate) few: Option<Labelled>,
    pub(crate) data: DataConfig,
    pub(crate) budget: Budget,
    pub(crate) seed: u64,
    pub(crate) results: StageResults,
}

/// A worker: what a stage is given.
pub(crate) struct Worker<'a> {
    pub(crate) study: &'a Context,
    pub(crate) session: Session,
}

impl Context {
    /// A run of the study.
    pub(crate) fn run(&self, name: &str) -> Run {
        Run::at(self.out.join("runs").join(name))
    }

    /// The runs that there are so far.
    pub(crate) fn runs(&self) -> Vec<Run> {
        let entries = std::fs::read_dir(self.out.join("runs")).into_iter().flatten();
        let runs = entries.filter_map(|entry| Some(Run::at(entry.ok()?.path())));
        runs.filter(Run::exists).collect()
    }

    /// Whether the images are all those of the reference study, so that its results can be compared with ours.
    pub(crate) fn is_comparable(&self) -> bool {
        self.dataset.name == "fashion-mnist" && self.budget == Budget::full()
    }

    /// Whether the images are of the reference study's data set or a sample of it, so that its settings mean something here.
    pub(crate) fn is_of_the_reference(&self) -> bool {
        self.dataset.name.starts_with("fashion-mnist")
    }

    /// A finding, followed by the reference's result if the two can be compared.
    pub(crate) fn compared(&self, text: &str, better: bool, reference: &str) -> Finding {
        if !self.is_comparable() {
            return Finding::new(Tone::Neutral, text);
        }
        let tone = if better { Tone::Better } else { Tone::Worse };
        Finding::new(tone, format!("{text} {reference}"))
    }

    /// A finding whose tone needs a comparison with the reference.
    pub(crate) fn toned(&self, tone: Tone, text: String) -> Finding {
        Finding::new(if self.is_comparable() { tone } else { Tone::Neutral }, text)
    }

    /// The address of a search's storage.
    fn address(&self, stage: &str) -> String {
        format!("sqlite:///{}", self.out.join(stage).join("study.db").display())
    }

    /// The trials of a search.
    pub(crate) fn trials(&self, stage: &str) -> Result<TuneResults> {
        Ok(TuneResults::open(&self.address(stage), None)?)
    }

    /// The settings of the best trial of a search for a kind of model.
    pub(crate) fn best(&self, stage: &str, kind: &str) -> Result<RunConfig> {
        Ok(best_settings(kind, &self.address(stage))?)
    }

    /// The names of the classes, if the images have labels.
    pub(crate) fn classes(&self) -> Option<&[String]> {
        self.dataset.is_labelled().then_some(&self.dataset.classes[..])
    }

    /// Whether there are classes to tell apart.
    pub(crate) fn has_classes(&self) -> bool {
        self.classes().is_some_and(|classes| classes.len() > 1)
    }

    /// The images of maps and of the explorer: the test images, or all of few.
    pub(crate) fn shown(&self) -> &Labelled {
        self.few.as_ref().unwrap_or(&self.dataset.test)
    }

    /// What they are called.
    pub(crate) fn shown_are(&self) -> &'static str {
        if self.few.is_some() { "images" } else { "test images" }
    }

    /// Which [shown](Self::shown) images a map of so many has.
    pub(crate) fn mapped(&self, images: usize) -> Vec<usize> {
        evenly_spaced(images, self.shown().len()).collect()
    }

    /// The file of a map.
    pub(crate) fn map_path(&self, stage: &str) -> PathBuf {
        self.out.join(format!("maps/{stage}.npz"))
    }

    /// The points `[n, 2]` of a map; their images are those of [`Context::mapped`].
    pub(crate) fn map(&self, stage: &str) -> Result<Vec<f32>> {
        let path = self.map_path(stage);
        let (shape, xy) = latents::data::npz::read_f32(&path, "xy")?;
        let mapped = self.results.get::<Mapped>(stage)?.map_or(0, |m| m.images);
        if shape == [mapped, 2] && mapped <= self.shown().len() {
            return Ok(xy);
        }
        let (file, all, kind) = (path.display(), self.shown().len(), self.shown_are());
        let problem = format!(
            "{mapped} of {all} {kind} are mapped, but array `xy` of {file} has shape {shape:?}"
        );
        Err(self.results.damaged(stage, problem))
    }
}

impl Worker<'_> {
    /// The same worker, which reports to someone else.
    pub(crate) fn reporting_to(&self, reporter: Arc<dyn Reporter>) -> Self {
        let monitor = self.session.monitor().with_reporter(reporter);
        Worker { study: self.study, session: self.session.with_monitor(monitor) }
    }

    /// The same worker for one of several equal parts of a stage, counted from 0.
    pub(crate) fn part(&self, part: u64, parts: u64) -> Self {
        let whole = Arc::clone(self.session.monitor().reporter());
        self.reporting_to(Arc::new(PartReporter { whole, part, parts }))
    }

    /// Settings of a run on the study's images: those of `base`, as `change` changes them.
    pub(crate) fn config(&self, base: RunConfig, change: impl FnOnce(&mut RunConfig)) -> RunConfig {
        let mut config = RunConfig { data: self.study.data.clone(), ..base };
        config.training.seed = self.study.seed;
        config.training.batch_size = config.training.batch_size.min(self.study.budget.batch_size);
        change(&mut config);
        config
    }

    /// The default settings of a kind of model for the study's images, as `change` changes them.
    pub(crate) fn defaults(
        &self,
        kind: &str,
        change: impl FnOnce(&mut RunConfig),
    ) -> Result<RunConfig> {
        Ok(self.config(RunConfig::of_kind(kind, self.study.data.shape)?, change))
    }

    /// The default settings of a kind of model for collections like the study's, with a part of their epochs.
    pub(crate) fn for_collection(&self, kind: &str, epochs: f64) -> Result<RunConfig> {
        let study = self.study;
        let config = RunConfig::for_collection(kind, study.data.shape, study.dataset.train.len())?;
        Ok(self.config(config, |config| {
            config.training.epochs = ((config.training.epochs as f64 * epochs) as u64).max(1);
        }))
    }

    /// Trains a run, or resumes it.
    pub(crate) fn train(&self, name: &str, config: &RunConfig) -> Result<TrainSummary> {
        let data = &self.study.dataset;
        Ok(train_run(&self.study.run(name), config, data, &self.session)?.summary)
    }

    /// Trains an autoencoder, or resumes it, and measures it on the test images. Leaves the result of the stage of that name.
    pub(crate) fn autoencoder(&self, name: &str, config: &RunConfig) -> Result<()> {
        let trained = self.train(name, config)?;
        let mut model = self.open(name)?;
        let errors = model.reconstruction_errors(&self.study.dataset.test)?;
        let result = Autoencoder {
            train_loss: trained.train_loss,
            val_loss: trained.val_loss,
            test_error: mean(&errors),
            epochs: config.training.epochs,
            parameters: model.parameter_count(),
            seconds: trained.seconds,
        };
        self.study.results.put(name, &result)
    }

    /// Tunes a kind of model, or resumes the search. Leaves the result of the stage.
    pub(crate) fn tune(&self, stage: &str, base: &RunConfig) -> Result<()> {
        let Context { budget, dataset, .. } = self.study;
        let folder = self.study.out.join(stage);
        let space = default_space(&base.model, base.data.shape)?;
        // On a small set, a trial makes as many steps as on a large one before it can be pruned, and the settings that are not tuned come first: a
        // short search may find none that are better.
        let (trials, pruner_warmup) = (budget.trials, budget.passes - 1);
        let config = StudyConfig { trials, pruner_warmup, ..StudyConfig::default() };
        let untuned = budget.is_small();
        let found =
            search(base, &space, &config, &folder, dataset.into(), untuned, &self.session)?.results;
        let best = found.history().best().and_then(|trial| trial.value);
        let best = best.ok_or(Error::NoCompleteTrial { folder })?;
        let [complete, pruned, failed] =
            [TrialState::Complete, TrialState::Pruned, TrialState::Failed]
                .map(|state| found.in_state(state));
        let trials = complete + pruned + failed;
        self.study.results.put(stage, &Search { trials, complete, pruned, failed, best })
    }

    /// The model of a trained run.
    pub(crate) fn open(&self, name: &str) -> Result<TrainedModel> {
        Ok(TrainedModel::open(self.study.run(name).dir(), &self.session)?)
    }
}

/// The mean of some numbers, in double precision.
fn mean(values: &[f32]) -> f64 {
    values.iter().map(|&x| f64::from(x)).sum::<f64>() / values.len().max(1) as f64
}
