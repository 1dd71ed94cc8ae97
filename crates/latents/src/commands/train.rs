//! `latents train`: flags become one set of settings, which a run then keeps; Ctrl-C stops it in good order.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use latents::data::{Labelled, Source};
use latents::engine::{Runtime, Shape};
use latents::train::{Error, Outcome, Run, RunConfig, train};
use serde::Serialize;

use crate::Shared;
use crate::commands::settings::{
    AutoencoderFlags, ClassifierFlags, CnnFlags, ModelFlags, Settings, VaeFlags, differences, told,
};
use crate::commands::{USUAL, describe, load_run_data, new_run, stop_on_ctrl_c, tune};
use crate::output::{Output, count, duration, shell_word};
use crate::progress::TrainingProgress;

/// The models that can be trained.
#[derive(Debug, Subcommand)]
pub(crate) enum Model {
    /// A convolutional autoencoder
    #[command(
        after_help = "The defaults are those of the reference study: three convolutions, a matrix of 64 and 64 latents, \
        42 epochs of Adam with learning rate 0.0005, weight decay 0.0001 and dropout 0.2.\n\n\
        A run that was stopped goes on with `latents train ae --resume --out DIR`, and ends with the same bytes.\n\
        `latents train ae --config DIR/config.toml --out OTHER` repeats a run.",
        mut_args = told(&AutoencoderFlags::base_run(USUAL), "")
    )]
    Ae(Box<Train<AutoencoderFlags>>),
    /// A classifier on a trained encoder
    #[command(
        after_help = "The head's widths and dropout are those that the reference study found best, its optimiser, rates and batches our own, chosen \
        by validation images; the encoder keeps the settings that it was trained with. Ten epochs on all training images; --validation 0.1 keeps some of them to watch.\n\n\
        latents train classifier --encoder runs/ae --out runs/cl\n\
        latents train classifier --encoder runs/ae --from-scratch --out runs/control    what did the training before bring?\n\
        latents train classifier --encoder runs/ae --seeds 5 --out runs/five            mean and spread over seeds\n\
        latents evaluate runs/cl                                                        how good it is",
        mut_args = told(&ClassifierFlags::base_run(USUAL), "")
    )]
    Classifier(Box<Train<ClassifierFlags>>),
    /// A convolutional classifier, from scratch on augmented images
    #[command(
        after_help = "latents train cnn --out runs/cnn                    all training images, 25 epochs\n\
        latents train cnn --validation 0.1 --out runs/cnn   keep some of them to watch\n\
        latents evaluate runs/cnn                           how good it is",
        mut_args = told(&CnnFlags::base_run(USUAL), "")
    )]
    Cnn(Box<Train<CnnFlags>>),
    /// A variational autoencoder, or with --regularizer a Wasserstein or a regularised one
    #[command(
        after_help = "The defaults are the reference study's: the autoencoder's convolutions without dropout, 44 latents, Adam with \
        learning rate 0.0002 and weight decay 0.0018. It leaves the likelihood open.\n\n\
        The loss is -log p(x|z) + beta KL(q(z|x) || N(0, I)), in nats, summed over an image and averaged over images.",
        mut_args = told(&VaeFlags::base_run(USUAL), "")
    )]
    Vae(Box<Train<VaeFlags>>),
}

/// Settings of a run. A flag that is not given leaves the setting of --config, of --from-study, of the run that is resumed, or the default.
#[derive(Debug, Args)]
pub(crate) struct Train<M: ModelFlags> {
    /// Folder for the run
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Go on with the run in --out where it was stopped
    #[arg(long)]
    resume: bool,
    /// Take the settings of another run's config.toml; flags override them
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    config: Option<PathBuf>,
    /// Take the settings of the best trial of a study, `sqlite:///FILE` or `postgresql://...`, with #NAME where there are several
    #[arg(long, value_name = "STUDY", conflicts_with_all = ["resume", "config"])]
    from_study: Option<String>,
    /// Train N runs that differ by their seeds alone, from --seed on, in --out/seed-0 and so on; `latents evaluate` tells their mean and spread
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=1000), conflicts_with = "resume")]
    seeds: Option<u64>,
    #[command(flatten)]
    settings: Settings<M>,
}

/// Where settings come from before any flag.
enum Base {
    /// A study's best trial.
    Whole(Box<RunConfig>),
    /// A file of this name and text, which may leave settings out.
    File(String, String),
    Defaults,
}

impl Base {
    fn of<M: ModelFlags>(flags: &Train<M>) -> Result<Self> {
        if let Some(study) = &flags.from_study {
            let best = of_kind::<M>(tune::best(M::KIND, study)?, study)?;
            return Ok(Self::Whole(Box::new(best)));
        }
        let Some(path) = &flags.config else { return Ok(Self::Defaults) };
        Ok(Self::File(path.display().to_string(), latents_files::read_text(path)?))
    }

    /// The settings for images of a shape `[c, h, w]`.
    fn settings<M: ModelFlags>(&self, flags: &Settings<M>, image: Shape) -> Result<RunConfig> {
        let mut base = M::base_run(image);
        let begin = |base: &mut RunConfig, source: Option<&str>| {
            flags.model.begin(base, flags.data.source.as_deref().or(source))
        };
        match self {
            Self::Whole(config) => Ok((**config).clone()),
            Self::Defaults => {
                begin(&mut base, None)?;
                Ok(base)
            }
            Self::File(name, text) => {
                let source = base.overlaid(text).context(name.clone())?.data.source;
                begin(&mut base, Some(source.as_str()).filter(|source| !source.is_empty()))?;
                of_kind::<M>(base.overlaid(text).context(name.clone())?, name)
            }
        }
    }
}

/// Settings from elsewhere, where they are of the kind of model that is asked for.
fn of_kind<M: ModelFlags>(config: RunConfig, from: &str) -> Result<RunConfig> {
    let kind = config.model.kind();
    ensure!(
        kind == M::KIND,
        "{from} is of a model of kind `{kind}`: use `latents train {kind}`, not `latents train {}`",
        M::KIND
    );
    Ok(config)
}

/// What a finished run came to, for programs.
#[derive(Serialize)]
struct Finished {
    run: String,
    epochs: u64,
    kept_epoch: u64,
    train_loss: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    val_loss: Option<f64>,
    seconds: f64,
}

impl Finished {
    fn text(&self) -> String {
        let Finished { epochs, kept_epoch: kept, .. } = *self;
        let which = if kept == epochs { String::new() } else { format!(" (of epoch {kept})") };
        let validation =
            self.val_loss.map_or_else(String::new, |loss| format!("  validation loss {loss:.6}"));
        format!(
            "train loss {:.6}{validation}{which}  {} {} in {}  {}",
            self.train_loss,
            count(epochs),
            if epochs == 1 { "epoch" } else { "epochs" },
            duration(self.seconds),
            self.run
        )
    }
}

pub(crate) fn run(model: &Model, shared: &Shared, output: Output) -> Result<ExitCode> {
    match model {
        Model::Ae(flags) => train_model(flags, shared, output),
        Model::Classifier(flags) => train_model(flags, shared, output),
        Model::Cnn(flags) => train_model(flags, shared, output),
        Model::Vae(flags) => train_model(flags, shared, output),
    }
}

fn train_model<M: ModelFlags>(
    flags: &Train<M>,
    shared: &Shared,
    output: Output,
) -> Result<ExitCode> {
    let run = Run::at(&flags.out);
    let source = flags.settings.data.source.as_deref();
    let (mut config, dataset) = if flags.resume {
        let base = of_kind::<M>(run.config()?, &run.dir().display().to_string())?;
        let mut config = base.clone();
        flags.settings.apply(&mut config);
        if let Some(source) = source {
            config.data.source = source.parse::<Source>()?.to_string();
        }
        if config != base {
            let (was, is) = (serde_json::to_value(&base)?, serde_json::to_value(&config)?);
            bail!(
                "these flags are not those that the run in {} began with; leave them out, or begin another run:\n  {}",
                run.dir().display(),
                differences(&was, &is).join("\n  ")
            );
        }
        let dataset = load_run_data(&config.data, output)?;
        ensure!(
            dataset.train.images.digest() == config.data.digest,
            "the images of {} are not those that the run in {} began with: put them back, or begin another run",
            config.data.source,
            run.dir().display()
        );
        output.note(&describe(&dataset));
        (config, dataset)
    } else {
        if run.exists() {
            bail!(Error::Exists { path: run.dir().to_owned() });
        }
        let base = Base::of::<M>(flags)?;
        let settings = |image: Option<Shape>| {
            let mut config = base.settings(&flags.settings, image.unwrap_or(USUAL))?;
            flags.settings.model.prepare(&mut config, image)?;
            flags.settings.apply(&mut config);
            Ok(config)
        };
        new_run(run.dir(), source, settings, output)?
    };

    let work =
        Work { data: &dataset.train, runtime: shared.runtime()?, stop: stop_on_ctrl_c()?, output };
    let Some(seeds) = flags.seeds else {
        return match work.train(&run, &config)? {
            Ok(done) => {
                output.result(&done.text(), &done)?;
                Ok(ExitCode::SUCCESS)
            }
            Err(epochs_done) => {
                let (kind, dir) = (M::KIND, shell_word(&run.dir().display().to_string()));
                output.note(&format!(
                    "Stopped in epoch {} and saved. Go on with:\n  latents train {kind} --resume --out {dir}",
                    epochs_done + 1
                ));
                Ok(ExitCode::from(130))
            }
        };
    };
    let mut all = vec![];
    let first = config.training.seed;
    for seed in first..first.saturating_add(seeds) {
        let run = Run::at(&flags.out.join(format!("{SEED}{seed}")));
        config.training.seed = seed;
        ensure!(
            !run.exists() || run.config()? == config,
            "{} holds another run; choose another --out",
            run.dir().display()
        );
        let Ok(done) = work.train(&run, &config)? else {
            output.note("Stopped and saved. The same command goes on.");
            return Ok(ExitCode::from(130));
        };
        output.note(&done.text());
        all.push(done);
    }
    let dir = flags.out.display().to_string();
    let text = format!("{seeds} runs  {dir}");
    output.result(&text, &serde_json::json!({ "run": dir, "runs": all }))?;
    Ok(ExitCode::SUCCESS)
}

/// What the folder of each run of several seeds is called, before its seed.
pub(crate) const SEED: &str = "seed-";

/// What runs of one command share.
struct Work<'a> {
    data: &'a Labelled,
    runtime: Arc<Runtime>,
    stop: Arc<AtomicBool>,
    output: Output,
}

impl Work<'_> {
    /// Trains a run, or goes on with it; the whole epochs that are done where it was asked to stop.
    fn train(&self, run: &Run, config: &RunConfig) -> Result<Result<Finished, u64>> {
        let mut progress = TrainingProgress::new(self.output);
        let (runtime, stop) = (&self.runtime, &*self.stop);
        let outcome =
            train(run, config, self.data, runtime, stop, &mut |event| progress.show(event));
        progress.finish();
        match outcome? {
            Outcome::Finished { epoch, kept, train_loss, val_loss, seconds } => Ok(Ok(Finished {
                run: run.dir().display().to_string(),
                epochs: epoch,
                kept_epoch: kept,
                train_loss,
                val_loss,
                seconds,
            })),
            Outcome::Interrupted { epochs_done } => Ok(Err(epochs_done)),
        }
    }
}
