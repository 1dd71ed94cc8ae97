//! `latents train`: flags become a recipe, which the library trains; Ctrl-C stops it after a checkpoint.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use latents::evaluate::seed_runs;
use latents::train::Error;
use latents::{Recipe, Run, Session, SettingsLayer, best_settings, train_run, train_seeds};

use crate::commands::describe;
use crate::commands::settings::{
    AutoencoderFlags, ClassifierFlags, CnnFlags, ModelFlags, Settings, VaeFlags, VqvaeFlags,
    default_help,
};
use crate::output::{Output, shell_word};
use crate::signals;

/// The models that can be trained.
#[derive(Debug, Subcommand)]
pub(crate) enum Model {
    /// A convolutional autoencoder
    #[command(
        after_help = "The defaults are those of the reference study: three convolutions, a linear layer of width 64 and 64 latents, \
        42 epochs of Adam with learning rate 0.0005, weight decay 0.0001 and dropout 0.2.\n\n\
        `latents train ae --resume --out DIR` resumes a run that was stopped; it ends with the same bytes.\n\
        `latents train ae --config DIR/config.toml --out OTHER` repeats a run.",
        mut_args = default_help(AutoencoderFlags::KIND)
    )]
    Ae(Box<Train<AutoencoderFlags>>),
    /// A classifier on a trained encoder
    #[command(
        after_help = "The head's widths and dropout are the best that the reference study found; its optimiser, rates and batch size are our own, chosen \
        on validation images. The encoder is trained like the head, without dropout; one that starts from principal components keeps its own settings, with a hundredth of its rate. Ten epochs on all training images; --validation 0.1 keeps some of them for validation.\n\n\
        latents train classifier --encoder runs/ae --out runs/cl\n\
        latents train classifier --encoder runs/ae --from-scratch --out runs/control    what pre-training brings\n\
        latents train classifier --encoder runs/ae --seeds 5 --out runs/five            mean and deviation over seeds\n\
        latents evaluate runs/cl                                                        measures it",
        mut_args = default_help(ClassifierFlags::KIND)
    )]
    Classifier(Box<Train<ClassifierFlags>>),
    /// A convolutional classifier, from scratch on augmented images
    #[command(
        after_help = "latents train cnn --out runs/cnn                    all training images, 25 epochs\n\
        latents train cnn --validation 0.1 --out runs/cnn   keep some of them for validation\n\
        latents evaluate runs/cnn                           measures it",
        mut_args = default_help(CnnFlags::KIND)
    )]
    Cnn(Box<Train<CnnFlags>>),
    /// A variational autoencoder, or with --regularizer a Wasserstein or a regularised one
    #[command(
        after_help = "The defaults are the reference study's: the autoencoder's convolutions without dropout, 44 latents, Adam with \
        learning rate 0.0002 and weight decay 0.0018. It does not name the likelihood.\n\n\
        The loss is -log p(x|z) + beta KL(q(z|x) || N(0, I)), in nats, summed over an image and averaged over images. With --regularizer info it has \
        --mmd-weight times the maximum mean discrepancy between the latents and N(0, I) in addition; with --regularizer tc, beta is the weight of \
        the total correlation alone, which is a part of the KL divergence. With --draws K, it is -log of the mean of p(x|z) p(z) / q(z|x) over K draws \
        of z (IWAE), with doubly reparameterised gradients; a step takes about K times as long.",
        mut_args = default_help(VaeFlags::KIND)
    )]
    Vae(Box<Train<VaeFlags>>),
    /// A VQ-VAE: latents are a small image of codes, with a prior that is learned beside it and makes new ones
    #[command(
        after_help = "Three channels of 8 levels are 512 codes: 9 bits for each place of a 7x7 image of codes, if images are 28x28.\n\n\
        The loss is -log p(x|codes) - log p(codes), in nats, summed over an image and averaged over images. No gradient of the prior reaches the \
        encoder.\n\n\
        latents train vqvae --out runs/vq                      then `latents sample --run runs/vq --out new.npz`\n\
        latents train vqvae --codes 512 --out runs/table       a learned table of codes, as in the first paper",
        mut_args = default_help(VqvaeFlags::KIND)
    )]
    Vqvae(Box<Train<VqvaeFlags>>),
}

/// Settings of a run. Flags override --config, --from-study or the resumed run; otherwise defaults apply.
#[derive(Debug, Args)]
pub(crate) struct Train<M: ModelFlags> {
    /// Folder for the run
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Resume the run in --out from where it was stopped
    #[arg(long)]
    resume: bool,
    /// Use the settings of another run's config.toml; flags override them
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    config: Option<PathBuf>,
    /// Use the settings of the best trial of a study, `sqlite:///FILE` or `postgresql://...`, with #NAME if there are several
    #[arg(long, value_name = "STUDY", conflicts_with_all = ["resume", "config"])]
    from_study: Option<String>,
    /// Train N runs that differ by their seeds alone, from --seed on, in --out/seed-0 and so on; `latents evaluate` gives their mean and deviation
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=1000), conflicts_with = "resume")]
    seeds: Option<u64>,
    /// Train for about M minutes: a number of epochs by the measured time of a step
    #[arg(long, value_name = "M", conflicts_with_all = ["resume", "epochs"])]
    minutes: Option<f64>,
    #[command(flatten)]
    settings: Settings<M>,
}

pub(crate) fn run(model: &Model, session: &Session, output: Output) -> Result<u8> {
    match model {
        Model::Ae(flags) => flags.run(session, output),
        Model::Classifier(flags) => flags.run(session, output),
        Model::Cnn(flags) => flags.run(session, output),
        Model::Vae(flags) => flags.run(session, output),
        Model::Vqvae(flags) => flags.run(session, output),
    }
}

impl<M: ModelFlags> Train<M> {
    fn recipe(&self) -> Result<Recipe> {
        let recipe = self.settings.recipe()?;
        let recipe = match self.minutes {
            Some(minutes) => recipe.minutes(minutes),
            None => recipe,
        };
        if let Some(study) = &self.from_study {
            return Ok(recipe.base(best_settings(M::KIND, study)?, study)?);
        }
        let Some(path) = &self.config else { return Ok(recipe) };
        let text = latents_files::read_text(path)?;
        Ok(recipe.layer(SettingsLayer::parse(&path.display().to_string(), &text)?))
    }

    fn run(&self, session: &Session, output: Output) -> Result<u8> {
        let (run, recipe) = (Run::at(&self.out), self.recipe()?);
        let (config, data) = if self.resume {
            let (config, data) = recipe.resume(&run, session)?;
            output.note(&describe(&data));
            (config, data)
        } else {
            if run.exists() {
                return Err(Error::Exists { path: self.out.clone() }.into());
            }
            let data = recipe.open_data(&self.out, session)?;
            output.note(&describe(&data));
            // Of several runs, the first may have been begun.
            let begun = seed_runs(&self.out).first().map_or(run.clone(), Run::at);
            (recipe.config_in(&begun, &data, session)?, data)
        };
        let outcome = match self.seeds {
            None => train_run(&run, &config, &data, session)
                .map(|done| output.result(&done.to_string(), &done)),
            Some(seeds) => train_seeds(&self.out, &config, seeds, &data, session).map(|all| {
                let dir = self.out.display().to_string();
                let text = format!("{seeds} runs  {dir}");
                output.result(&text, &serde_json::json!({ "run": dir, "runs": all }))
            }),
        };
        match outcome {
            Err(error) if error.is_interrupted() => {
                session.note(&self.how_to_continue(&run));
                Ok(signals::stopped())
            }
            outcome => {
                outcome??;
                Ok(0)
            }
        }
    }

    /// What a user who stopped the training can do.
    fn how_to_continue(&self, run: &Run) -> String {
        if self.seeds.is_some() {
            return "Stopped and saved. The same command continues.".into();
        }
        let done = run.metrics().ok().and_then(|metrics| Some(metrics.last()?.epoch)).unwrap_or(0);
        // All epochs may be done, and only the latents of the training images missing.
        let epoch = run.config().map_or(done + 1, |run| run.training.epochs.min(done + 1));
        let (kind, dir) = (M::KIND, shell_word(&self.out.display().to_string()));
        format!(
            "Stopped in epoch {epoch} and saved. Resume with:\n  latents train {kind} --resume --out {dir}"
        )
    }
}
