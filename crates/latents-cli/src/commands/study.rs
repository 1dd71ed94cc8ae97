//! `latents study`: the whole study of a collection of images in one command.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use latents::{Session, duration};
use latents_study::PARTS;

use crate::commands::describe;
use crate::commands::settings::PictureFlags;
use crate::output::{Output, shell_word};

/// Study a collection: train, tune, classify, map and sample, and write one page
///
/// Writes report.html: one page with every figure and table, to read or to send. After a stop or a kill, the same command continues; finished stages are not repeated.
#[derive(Debug, Args)]
#[command(
    after_help = "latents study                            Fashion-MNIST, next to the reference study's own numbers\n\
    latents study ./photos --out runs/mine   your own pictures; sub-folders are labels\n\
    latents study --quick                    a few minutes, with small budgets\n\
    latents study --no-cnn                   without the convolutional network from scratch\n\n\
    S1 autoencoder  S2 tuning  S3 classifier  S4 the latent space  S5 variational autoencoder"
)]
pub(crate) struct Study {
    /// Images [default: fashion-mnist, or else the sample of it that comes with the program]
    source: Option<String>,
    /// Small budgets: a few minutes, and worse numbers
    #[arg(long)]
    quick: bool,
    /// Leave out the convolutional network that the classifier is compared with
    #[arg(long)]
    no_cnn: bool,
    /// Only these parts, such as S3,S4, and the stages that they need
    #[arg(long, value_name = "PART", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(PARTS))]
    only: Vec<String>,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Folder for all of it
    #[arg(long, value_name = "DIR", default_value = "runs/study")]
    out: PathBuf,
    /// Stages that run at the same time; they share the threads, and results do not depend on their number [default: one for every two threads, for small sets one for each, up to 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    #[command(flatten)]
    pictures: PictureFlags,
}

impl Study {
    pub(crate) fn run(&self, session: &Session, output: Output) -> Result<ExitCode> {
        let study = latents_study::CollectionStudy {
            source: self.source.clone(),
            quick: self.quick,
            no_cnn: self.no_cnn,
            only: self.only.clone(),
            seed: self.seed,
            out: self.out.clone(),
            jobs: self.jobs.map(usize::from),
            pictures: self.pictures.pictures()?,
            repeat_with: self.command(),
        };
        let done = study.open(session).and_then(|data| {
            output.note(&describe(&data));
            study.run_on(data, session)
        });
        match done {
            Err(latents_study::Error::Interrupted(_)) => {
                session.note("Stopped and saved. The same command continues.");
                Ok(ExitCode::from(130))
            }
            done => {
                let done = done?;
                let findings = done.findings.join("\n");
                let (report, seconds) = (done.report.display(), duration(done.seconds));
                output.result(&format!("{findings}\n\n{report}  {seconds}"), &done)?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }

    /// The command that makes this study again.
    fn command(&self) -> String {
        let mut words = vec!["latents".to_owned(), "study".into()];
        words.extend(self.source.as_deref().map(shell_word));
        words.extend(
            [(self.quick, "--quick"), (self.no_cnn, "--no-cnn")]
                .iter()
                .filter(|(given, _)| *given)
                .map(|(_, flag)| (*flag).into()),
        );
        if !self.only.is_empty() {
            words.extend(["--only".into(), self.only.join(",")]);
        }
        words.extend(self.pictures.words().iter().map(|word| shell_word(word)));
        words.extend([
            "--seed".into(),
            self.seed.to_string(),
            "--out".into(),
            shell_word(&self.out.display().to_string()),
        ]);
        words.join(" ")
    }
}
