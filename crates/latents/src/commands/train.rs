//! `latents train`: flags become one set of settings, which a run then keeps; Ctrl-C stops it in good order.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use latents::train::{Error, Outcome, Run, RunConfig, train};
use serde::Serialize;

use crate::Shared;
use crate::commands::settings::{AutoencoderFlags, ModelFlags, Settings};
use crate::commands::{load_new_data, load_run_data, stop_on_ctrl_c, tune};
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
        `latents train ae --config DIR/config.toml --out OTHER` repeats a run."
    )]
    Ae(Box<Train<AutoencoderFlags>>),
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
    #[command(flatten)]
    settings: Settings<M>,
}

impl<M: ModelFlags> Train<M> {
    /// The settings before any flag.
    fn base(&self, run: &Run) -> Result<RunConfig> {
        if self.resume {
            return of_kind::<M>(run.config()?, &run.dir().display().to_string());
        }
        if run.exists() {
            bail!(Error::Exists { path: run.dir().to_owned() });
        }
        if let Some(study) = &self.from_study {
            return of_kind::<M>(tune::best(M::KIND, study)?, study);
        }
        let Some(path) = &self.config else { return Ok(M::base_run()) };
        let text = latents_files::read_text(path)?;
        let name = path.display().to_string();
        of_kind::<M>(toml::from_str(&text).context(name.clone())?, &name)
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
struct Finished<'a> {
    run: &'a str,
    epochs: u64,
    kept_epoch: u64,
    train_loss: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    val_loss: Option<f64>,
    seconds: f64,
}

pub(crate) fn run(model: &Model, shared: &Shared, output: Output) -> Result<ExitCode> {
    match model {
        Model::Ae(flags) => train_model(flags, shared, output),
    }
}

fn train_model<M: ModelFlags>(
    flags: &Train<M>,
    shared: &Shared,
    output: Output,
) -> Result<ExitCode> {
    let run = Run::at(&flags.out);
    let base = flags.base(&run)?;
    let mut config = base.clone();
    flags.settings.apply(&mut config);
    let source = match &flags.settings.data.source {
        Some(source) => Some(source.clone()),
        None => Some(base.data.source.clone()).filter(|s| !s.is_empty()),
    };
    let dataset = if flags.resume {
        config.data.source = source.unwrap_or_default();
        ensure!(
            config == base,
            "these flags are not those that the run in {} began with: leave them out, or begin another run",
            run.dir().display()
        );
        let dataset = load_run_data(&config.data, output)?;
        ensure!(
            dataset.train.images.digest() == config.data.digest,
            "the images of {} are not those that the run in {} began with: put them back, or begin another run",
            config.data.source,
            run.dir().display()
        );
        dataset
    } else {
        load_new_data(source.as_deref(), &mut config.data, output)?
    };
    output.note(&format!("{}: {}", dataset.name, dataset.origin));

    let stop = stop_on_ctrl_c()?;
    let mut progress = TrainingProgress::new(output);
    let (data, runtime) = (&dataset.train, shared.runtime()?);
    let outcome = train(&run, &config, data, &runtime, &stop, &mut |event| progress.show(event));
    progress.finish();
    let dir = run.dir().display().to_string();
    match outcome? {
        Outcome::Finished { epoch, kept, train_loss, val_loss, seconds } => {
            let which = if kept == epoch { String::new() } else { format!(" (of epoch {kept})") };
            let validation =
                val_loss.map_or_else(String::new, |loss| format!("  validation loss {loss:.6}"));
            let text = format!(
                "train loss {train_loss:.6}{validation}{which}  {} {} in {}  {dir}",
                count(epoch),
                if epoch == 1 { "epoch" } else { "epochs" },
                duration(seconds)
            );
            let value = Finished {
                run: &dir,
                epochs: epoch,
                kept_epoch: kept,
                train_loss,
                val_loss,
                seconds,
            };
            output.result(&text, &value)?;
            Ok(ExitCode::SUCCESS)
        }
        Outcome::Interrupted { epochs_done } => {
            output.note(&format!(
                "Stopped in epoch {} and saved. Go on with:\n  latents train {} --resume --out {}",
                epochs_done + 1,
                M::KIND,
                shell_word(&dir)
            ));
            Ok(ExitCode::from(130))
        }
    }
}
