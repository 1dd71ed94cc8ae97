//! `latents study`: the whole study of a collection of images in one command.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use latents::{Session, duration};
use latents_study::PARTS;

use crate::commands::describe;
use crate::commands::settings::PictureFlags;
use crate::output::Output;
use crate::shell::shell_word;
use crate::signals;

/// Study a collection: train, tune, classify, map and sample, and write one page
///
/// Writes report.html: one page with every figure and table, to read or to send. After a stop or a kill, the same command continues; finished stages are not repeated.
#[derive(Debug, Args)]
#[command(
    after_help = "latents study                            Fashion-MNIST, next to the reference study's own numbers\n\
    latents study ./photos --out runs/mine   your own pictures; sub-folders are labels\n\
    latents study --quick                    a few minutes, with small budgets\n\
    latents study --no-cnn                   without the convolutional network from scratch\n\
    latents study --latents z.parquet --images ./photos   vectors of any program\n\n\
    S1 autoencoder  S2 tuning  S3 classifier  S4 the latent space  S5 variational autoencoder"
)]
pub(crate) struct Study {
    /// Images [default: fashion-mnist, or else the sample of it that comes with the program]
    source: Option<String>,
    /// Study the vectors of this file instead, without a model: .npz, .npy, .csv, .jsonl or .parquet, also of other programs
    #[arg(long, value_name = "FILE", conflicts_with_all = ["source", "quick", "minutes", "no_cnn", "only", "jobs"])]
    latents: Option<PathBuf>,
    /// The images of these vectors, matched by name, or by order if the vectors have no names
    #[arg(long, value_name = "SOURCE", requires = "latents")]
    images: Option<String>,
    /// Small budgets: a few minutes, and worse numbers
    #[arg(long)]
    quick: bool,
    /// Budgets for about M minutes of training, by the measured time of a step
    #[arg(long, value_name = "M", conflicts_with = "quick")]
    minutes: Option<f64>,
    /// Leave out the convolutional network that the classifier is compared with
    #[arg(long)]
    no_cnn: bool,
    /// Only these parts, such as S3,S4, and the stages that they need
    #[arg(long, value_name = "PART", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(PARTS))]
    only: Vec<String>,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Folder for all of it [default: runs/study, of vectors runs/vectors]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Stages that run at the same time; they share the threads, and results do not depend on their number [default: one for every two threads, for small sets one for each, up to 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    #[command(flatten)]
    pictures: PictureFlags,
}

impl Study {
    pub(crate) fn run(&self, session: &Session, output: Output) -> Result<u8> {
        if let Some(latents) = &self.latents {
            let study = latents_study::VectorStudy {
                images: self.images.clone(),
                pictures: self.pictures.pictures()?,
                seed: self.seed,
                out: self.out(),
                repeat_with: self.command(),
                ..latents_study::VectorStudy::of(latents)
            };
            return finish(study.run(session), session, output);
        }
        let study = latents_study::CollectionStudy {
            source: self.source.clone(),
            quick: self.quick,
            minutes: self.minutes,
            no_cnn: self.no_cnn,
            only: self.only.clone(),
            seed: self.seed,
            out: self.out(),
            jobs: self.jobs.map(usize::from),
            pictures: self.pictures.pictures()?,
            repeat_with: self.command(),
        };
        let done = study.open(session).and_then(|data| {
            output.note(&describe(&data));
            study.run_on(data, session)
        });
        finish(done, session, output)
    }

    fn out(&self) -> PathBuf {
        let default = if self.latents.is_some() { "runs/vectors" } else { "runs/study" };
        self.out.clone().unwrap_or_else(|| default.into())
    }

    /// The command that makes this study again.
    fn command(&self) -> String {
        let mut words = vec!["latents".to_owned(), "study".into()];
        words.extend(self.source.as_deref().map(shell_word));
        if let Some(latents) = &self.latents {
            words.extend(["--latents".into(), shell_word(&latents.display().to_string())]);
        }
        if let Some(images) = &self.images {
            words.extend(["--images".into(), shell_word(images)]);
        }
        words.extend(
            [(self.quick, "--quick"), (self.no_cnn, "--no-cnn")]
                .iter()
                .filter(|(given, _)| *given)
                .map(|(_, flag)| (*flag).into()),
        );
        if let Some(minutes) = self.minutes {
            words.extend(["--minutes".into(), minutes.to_string()]);
        }
        if !self.only.is_empty() {
            words.extend(["--only".into(), self.only.join(",")]);
        }
        words.extend(self.pictures.words().iter().map(|word| shell_word(word)));
        words.extend([
            "--seed".into(),
            self.seed.to_string(),
            "--out".into(),
            shell_word(&self.out().display().to_string()),
        ]);
        words.join(" ")
    }
}

/// Prints what came of a study.
fn finish(
    done: latents_study::Result<latents_study::StudySummary>,
    session: &Session,
    output: Output,
) -> Result<u8> {
    match done {
        Err(latents_study::Error::Interrupted(_)) => {
            session.note("Stopped and saved. The same command continues.");
            Ok(signals::stopped())
        }
        done => {
            let done = done?;
            let findings = done.findings.join("\n");
            let (report, seconds) = (done.report.display(), duration(done.seconds));
            output.result(&format!("{findings}\n\n{report}  {seconds}"), &done)?;
            Ok(0)
        }
    }
}
