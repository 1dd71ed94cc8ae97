//! `latents study`: the whole study of a collection of images in one command. It trains, tunes, maps and samples in stages that are done
//! once and go on where they were stopped, and writes one page. What each part computes and says is in its own file.

mod budget;
mod lane;
mod machine;
mod progress;
mod results;
mod s1;
mod s2;
mod s3;
mod s4;
mod s5;
mod stages;
mod words;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, ensure};
use clap::Args;
use latents::engine::Runtime;
use latents::report::Page;
use latents::train::DataConfig;
use serde::{Deserialize, Serialize};

use self::budget::Budget;
use self::lane::Lane;
use self::progress::{Progress, Took};
use self::stages::{Results, Stage, Stopped, run, wanted};
use crate::Shared;
use crate::commands::evaluate::images::LEAST;
use crate::commands::settings::PictureFlags;
use crate::commands::{describe, load_new_data, stop_on_ctrl_c};
use crate::output::{Output, duration, shell_word};

/// The parts of the study.
const PARTS: [&str; 5] = ["S1", "S2", "S3", "S4", "S5"];

/// The whole study of a collection in one command, and a page to send
///
/// Trains, tunes, classifies, maps and samples, and writes report.html: one page with every figure and table, to be read or sent. Stopped or
/// killed, the same command goes on; what is done is not done again.
#[derive(Debug, Args)]
#[command(
    after_help = "latents study                            Fashion-MNIST, beside the reference study's own numbers\n\
    latents study ./photos --out runs/mine   your own pictures; sub-folders are labels\n\
    latents study --quick                    a few minutes, with small budgets\n\
    latents study --no-cnn                   without the convolutional network from scratch\n\n\
    S1 autoencoder  S2 tuning  S3 classifier  S4 the latent space  S5 variational autoencoder"
)]
pub(crate) struct Study {
    /// Images [default: fashion-mnist, or else the sample of it that comes with the program]
    source: Option<String>,
    /// Small budgets: a few minutes, and numbers to match
    #[arg(long)]
    quick: bool,
    /// Leave out the convolutional network that the classifier is measured against
    #[arg(long)]
    no_cnn: bool,
    /// Only these parts, such as S3,S4, and what they need
    #[arg(long, value_name = "PART", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(PARTS))]
    only: Vec<String>,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Folder for all of it
    #[arg(long, value_name = "DIR", default_value = "runs/study")]
    out: PathBuf,
    /// Stages that run at once; they share the threads, and the results do not depend on them [default: one for every two threads, on small sets one for each, up to 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    #[command(flatten)]
    pictures: PictureFlags,
}

/// What the results in a folder depend on; kept there, so that they are not mixed with others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    seed: u64,
    quick: bool,
    data: DataConfig,
}

/// What came of it, for programs.
#[derive(Serialize)]
struct Written {
    report: PathBuf,
    markdown: PathBuf,
    findings: Vec<String>,
    /// Of this start; stages that were done before are not in it.
    seconds: f64,
    stages: Vec<Took>,
}

impl Study {
    pub(crate) fn run(&self, shared: &Shared, output: Output) -> Result<ExitCode> {
        let began = std::time::Instant::now();
        let budget = if self.quick { Budget::quick() } else { Budget::full() };
        let mut data = DataConfig {
            train_limit: budget.train_limit,
            test_limit: budget.test_limit,
            ..DataConfig::default()
        };
        self.pictures.apply(&mut data.pictures);
        let dataset = load_new_data(&self.out, self.source.as_deref(), &mut data, output)?;
        output.note(&describe(&dataset));
        let explores = self.only.is_empty() || self.only.iter().any(|p| p == "S4" || p == "S5");
        ensure!(
            dataset.test.len() >= LEAST || !explores,
            "{} test images are too few to measure a latent space by, which takes {LEAST}: take more images, or hold out a larger part of them (--test-fraction)",
            dataset.test.len()
        );
        self.claim(&data)?;
        // A fifth validates in most stages.
        let budget = budget.fitted(dataset.train.len() * 4 / 5);
        let study = lane::Study {
            out: self.out.clone(),
            dataset,
            data,
            budget,
            seed: self.seed,
            results: Results::at(self.out.join("results")),
            stop: stop_on_ctrl_c()?,
            progress: Progress::new(output),
        };
        let stages = wanted(self.stages(&study), &self.only);
        study.progress.plan(&stages, |stage| study.results.has(stage.name));
        let lanes = self.lanes(&study, shared)?;
        let (begin, finish) =
            (|s: &Stage<_>| study.progress.begin(s), |s: &Stage<_>| study.progress.finish(s));
        let outcome = run(&stages, &study.results, lanes, &study.stop, &begin, &finish);
        study.progress.clear();
        match outcome {
            Err(error) if error.is::<Stopped>() => {
                output.note("Stopped and saved. The same command goes on.");
                return Ok(ExitCode::from(130));
            }
            outcome => outcome?,
        }
        let runtime = shared.runtime()?;
        let page = self.page(&Lane { study: &study, runtime })?;
        page.save(&self.out)?;
        let report = self.out.join("report.html");
        let findings: Vec<String> = page.summary.iter().map(|f| f.text.clone()).collect();
        let text = format!(
            "{}\n\n{}  {}",
            findings.join("\n"),
            report.display(),
            duration(began.elapsed().as_secs_f64())
        );
        let written = Written {
            markdown: self.out.join("report.md"),
            report,
            findings,
            seconds: began.elapsed().as_secs_f64(),
            stages: study.progress.took(),
        };
        output.result(&text, &written)?;
        Ok(ExitCode::SUCCESS)
    }

    /// All stages that this study has.
    fn stages<'a>(&self, study: &lane::Study) -> Vec<Stage<Lane<'a>>> {
        let labelled = study.classes().is_some_and(|classes| classes.len() > 1);
        let classify = if labelled { s3::stages(!self.no_cnn) } else { vec![] };
        [s1::stages(), s2::stages(), classify, s4::stages(), s5::stages()]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Makes the folder this study's, where it is not another's.
    fn claim(&self, data: &DataConfig) -> Result<()> {
        let path = self.out.join("study.toml");
        let ours = Identity { seed: self.seed, quick: self.quick, data: data.clone() };
        if path.exists() {
            let text = latents_files::read_text(&path)?;
            let theirs: Identity = toml::from_str(&text).map_err(|e| {
                let (file, e) = (path.display(), e.to_string());
                anyhow::anyhow!(
                    "{file} does not say which study this is; choose another --out: {e}"
                )
            })?;
            ensure!(
                theirs == ours,
                "{} holds a study of other images, another --seed or other budgets: choose another --out",
                self.out.display()
            );
            return Ok(());
        }
        latents_files::create_folder(&self.out)?;
        latents_files::write(&path, toml::to_string(&ours)?.as_bytes())?;
        Ok(())
    }

    /// As many lanes as stages may run at once, which share the threads. A thread has sixteen images of a batch at least, so where batches are small
    /// there are more lanes.
    fn lanes<'a>(&self, study: &'a lane::Study, shared: &Shared) -> Result<Vec<Lane<'a>>> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = shared.threads.map_or(cores, usize::from);
        let busy = (study.budget.batch_size / 16).clamp(1, 2);
        let lanes = self.jobs.map_or((threads / busy).clamp(1, 4), usize::from);
        let share = |lane| (threads / lanes + usize::from(lane < threads % lanes)).max(1);
        let lane = |i| -> Result<Lane<'a>> {
            let runtime = Runtime::new(Some(share(i)), shared.isa)?;
            Ok(Lane { study, runtime: Arc::new(runtime) })
        };
        (0..lanes).map(lane).collect()
    }

    /// The report of all parts that are done.
    fn page(&self, lane: &Lane<'_>) -> Result<Page> {
        let study = lane.study;
        let mut page = Page {
            title: format!("A study of {}", words::title(&study.dataset.name)),
            lead: format!(
                "{} training and {} test images of {}.",
                words::count(study.dataset.train.len()),
                words::count(study.dataset.test.len()),
                words::shape(study.data.shape),
            ),
            ..Page::default()
        };
        if self.quick {
            page.notices.push("Made with --quick: small budgets, so the numbers are worse than they could be and are not to be held against the reference's.".into());
        }
        if study.dataset.name == "fashion-mnist-sample" {
            page.notices.push("Made from the small sample of Fashion-MNIST that comes with the program: the numbers are not to be held against the reference's.".into());
        }
        for part in [
            s1::section(lane)?,
            s2::section(lane)?,
            s3::section(lane)?,
            s4::section(lane)?,
            s5::section(lane)?,
        ] {
            let Some((section, findings)) = part else { continue };
            page.sections.push(section);
            page.summary.extend(findings);
        }
        page.sections.extend(s5::explorer(lane)?);
        page.sections.push(machine::section(study, &self.command()));
        Ok(page)
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
