//! A study: its settings, its folder, how its stages run, and its page.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use latents::explore::card::LEAST_COMPARED;
use latents::report::Page;
use latents::train::DataConfig;
use latents::{Dataset, Limits, Part, Pictures, Session, open_for};
use serde::{Deserialize, Serialize};

use crate::budget::Budget;
use crate::error::{Error, Result};
use crate::progress::{StageReporter, StageTime, StudyProgress, TASK};
use crate::results::StageResults;
use crate::stages::{Stage, run, wanted};
use crate::worker::{Context, Worker};
use crate::{collection, few, machine, reconstruction, s1, s2, s3, s4, s5, time, words};

/// Images that a study needs at least.
const LEAST_IMAGES: usize = 8;

/// The parts of a study: the autoencoder, tuning, the classifier, the latent space, and the variational autoencoder.
pub const PARTS: [&str; 5] = ["S1", "S2", "S3", "S4", "S5"];

/// A whole study of an image collection, which leaves `report.html`: one page with every figure and table.
///
/// ```no_run
/// use latents::Session;
/// use latents_study::CollectionStudy;
///
/// let study = CollectionStudy { source: Some("./photos".into()), out: "runs/mine".into(), ..CollectionStudy::default() };
/// let done = study.run(&Session::default())?; // continues if it was stopped
/// println!("{}\n{}", done.findings.join("\n"), done.report.display());
/// # Ok::<(), latents_study::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CollectionStudy {
    /// The images, as [`Dataset::open`] takes them. Default: Fashion-MNIST, or the built-in sample of it if that is not available.
    pub source: Option<String>,
    /// Small budgets: a few minutes, and worse numbers. Default: false.
    pub quick: bool,
    /// Budgets for about so many minutes of training, in place of the full ones, by the measured time of a step. Default: none.
    pub minutes: Option<f64>,
    /// Leaves out the convolutional network that the classifier is compared with. Default: false.
    pub no_cnn: bool,
    /// Runs only these [parts](PARTS), and the stages that they need; all parts if empty. Default: empty.
    pub only: Vec<String>,
    /// Seed of everything random. Default: 1.
    pub seed: u64,
    /// The folder for everything that the study leaves. Default: `runs/study`.
    pub out: PathBuf,
    /// How many stages run at the same time; they share out the threads. Default: one for every two threads, or for small sets one for each, up to 4.
    pub jobs: Option<usize>,
    /// How pictures become images of one shape.
    pub pictures: Pictures,
    /// How this study can be made again, such as a command, for the page to show. Default: empty, and the page shows nothing.
    pub repeat_with: String,
}

impl Default for CollectionStudy {
    fn default() -> Self {
        CollectionStudy {
            source: None,
            quick: false,
            minutes: None,
            no_cnn: false,
            only: vec![],
            seed: 1,
            out: "runs/study".into(),
            jobs: None,
            pictures: Pictures::default(),
            repeat_with: String::new(),
        }
    }
}

/// A finished study.
#[derive(Clone, Debug, Serialize)]
pub struct StudySummary {
    /// The page as HTML.
    pub report: PathBuf,
    /// The page as Markdown.
    pub markdown: PathBuf,
    /// The findings, a sentence or two each.
    pub findings: Vec<String>,
    /// Time since this start.
    pub seconds: f64,
    /// The stages that were finished since this start.
    pub stages: Vec<StageTime>,
}

/// What the results in a folder depend on, kept in `study.toml`, so that results of two studies are never mixed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    seed: u64,
    quick: bool,
    /// Minutes of training, and the share of the full budgets that they were enough for when the study began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    minutes: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    share: Option<f64>,
    data: DataConfig,
}

impl CollectionStudy {
    /// Opens the images, notes what they are, and [runs the study on them](Self::run_on).
    ///
    /// # Errors
    /// If the images cannot be opened, and those of [`CollectionStudy::run_on`].
    pub fn run(&self, session: &Session) -> Result<StudySummary> {
        let dataset = self.open(session)?;
        session.note(&dataset.describe());
        self.run_on(dataset, session)
    }

    /// Opens the images of the study, as many as its budgets allow.
    ///
    /// # Errors
    /// If the images cannot be read, or the output folder lies among the pictures.
    pub fn open(&self, session: &Session) -> Result<Dataset> {
        let limits = self.limits();
        let config = DataConfig {
            source: self.source.clone().unwrap_or_default(),
            pictures: self.pictures.clone(),
            train_limit: limits.train,
            test_limit: limits.test,
            ..DataConfig::default()
        };
        Ok(open_for(&config, &self.out, session)?)
    }

    /// Runs all stages that are not finished, and writes the page. Reports the whole as one task, `study`, with a note for each finished stage.
    ///
    /// # Errors
    /// [`Error::UnknownPart`], [`Error::TooFewImages`], [`Error::NoTestImages`], [`Error::Minutes`] or [`Error::OtherStudy`] before the first stage; [`Error::Stage`] if a stage fails;
    /// [`Error::DamagedResult`] if a result cannot be used; [`Error::Interrupted`] if the session was cancelled, with everything saved.
    pub fn run_on(&self, dataset: Dataset, session: &Session) -> Result<StudySummary> {
        let began = Instant::now();
        let context = self.context(dataset, session)?;
        let stages = wanted(self.stages(&context), &self.only);
        let is_finished = |stage: &Stage<_>| context.results.has(stage.name);
        let progress = Arc::new(StudyProgress::new(session, &stages, is_finished));
        // It ends also if a stage fails.
        let _task = session.task(TASK);
        // A stage that fails cancels the others, and not the caller.
        let monitor = session.monitor().child();
        let workers = session.split(self.workers(&context, session)).into_iter();
        let workers = workers
            .map(|share| Worker { study: &context, session: share.with_monitor(monitor.clone()) });
        run(&stages, &context.results, workers.collect(), monitor.cancel(), &|worker, stage| {
            run_stage(&progress, worker, stage)
        })?;
        // A finished run is never resumed. One that is not is of a stage that was left out this time, and goes on from its checkpoint.
        for run in context.runs() {
            if run.is_sealed().map_err(latents::Error::from)? {
                run.forget_checkpoints().map_err(latents::Error::from)?;
            }
        }
        let page = self.page(&Worker { study: &context, session: session.clone() })?;
        page.save(&self.out)?;
        progress.end();
        Ok(StudySummary {
            report: self.out.join("report.html"),
            markdown: self.out.join("report.md"),
            findings: page.summary.into_iter().map(|finding| finding.text).collect(),
            seconds: began.elapsed().as_secs_f64(),
            stages: progress.times(),
        })
    }

    fn budget(&self) -> Budget {
        if self.quick { Budget::quick() } else { Budget::full() }
    }

    fn limits(&self) -> Limits {
        let budget = self.budget();
        Limits { train: budget.train_limit, test: budget.test_limit }
    }

    /// Checks the settings and takes the folder for this study.
    fn context(&self, dataset: Dataset, session: &Session) -> Result<Context> {
        if let Some(part) = self.only.iter().find(|part| !PARTS.contains(&part.as_str())) {
            return Err(Error::UnknownPart { part: part.clone() });
        }
        let dataset = dataset.limited(self.limits());
        let images = Part::ALL.map(|part| dataset.part(part).len()).iter().sum();
        if images < LEAST_IMAGES {
            return Err(Error::TooFewImages { needed: LEAST_IMAGES, found: images });
        }
        if dataset.test.is_empty() {
            return Err(Error::NoTestImages { origin: dataset.name });
        }
        if let Some(minutes) = self.minutes.filter(|m| !(*m > 0.0 && m.is_finite())) {
            return Err(Error::Minutes { minutes });
        }
        let data = DataConfig::of(&dataset);
        let mut identity = self.claim(&data)?;
        // In most stages, a fifth of the images validates.
        let train = dataset.train.len() * 4 / 5;
        let mut context = Context {
            out: self.out.clone(),
            budget: self.budget().fitted(train),
            few: (dataset.test.len() < LEAST_COMPARED).then(|| dataset.all().0),
            dataset,
            data,
            seed: self.seed,
            results: StageResults::at(self.out.join("results")),
        };
        if !context.is_of_the_reference() {
            let [_, h, w] = context.dataset.shape();
            context.budget = context.budget.for_own_pictures(train, h * w);
        }
        if let Some(minutes) = self.minutes {
            let share = if let Some(share) = identity.share {
                share
            } else {
                let worker = Worker { study: &context, session: session.clone() };
                let share = time::share(minutes, &worker, !self.no_cnn)?;
                identity.share = Some(share);
                self.write(&identity)?;
                share
            };
            context.budget = context.budget.scaled(share);
        }
        Ok(context)
    }

    /// The file that says what the results in the folder depend on.
    fn file(&self) -> PathBuf {
        self.out.join("study.toml")
    }

    fn write(&self, identity: &Identity) -> Result<()> {
        latents_files::create_folder(&self.out)?;
        Ok(latents_files::write(&self.file(), toml::to_string(identity)?.as_bytes())?)
    }

    /// Makes the folder this study's, unless it is another's.
    fn claim(&self, data: &DataConfig) -> Result<Identity> {
        latents_files::sweep(&self.out);
        let file = self.file();
        let (seed, quick, minutes) = (self.seed, self.quick, self.minutes);
        let ours = Identity { seed, quick, minutes, share: None, data: data.clone() };
        if !file.exists() {
            self.write(&ours)?;
            return Ok(ours);
        }
        let text = latents_files::read_text(&file)?;
        let theirs: Identity = toml::from_str(&text)
            .map_err(|e| Error::DamagedIdentity { file, problem: e.to_string() })?;
        if theirs == (Identity { share: theirs.share, ..ours }) {
            Ok(theirs)
        } else {
            Err(Error::OtherStudy { file: self.file() })
        }
    }

    /// All stages that this study has.
    fn stages<'a>(&self, context: &Context) -> Vec<Stage<Worker<'a>>> {
        let classify = if context.few.is_some() {
            few::stages(context.has_classes())
        } else if context.has_classes() {
            s3::stages(!self.no_cnn)
        } else {
            vec![]
        };
        // The questions of the reference study are of its images only.
        let of_reference = context.is_of_the_reference();
        let [first, second] = if of_reference {
            [s1::stages(), s2::stages()]
        } else {
            [vec![], reconstruction::stages()]
        };
        [first, second, classify, s4::stages(), s5::stages(of_reference)]
            .into_iter()
            .flatten()
            .collect()
    }

    /// How many stages run at the same time. A thread needs at least sixteen images of a batch, so there are more workers if batches are small.
    fn workers(&self, context: &Context, session: &Session) -> usize {
        let busy = (context.budget.batch_size / 16).clamp(1, 2);
        self.jobs.unwrap_or((session.thread_count() / busy).clamp(1, 4)).max(1)
    }

    /// The page of all parts that are finished.
    fn page(&self, worker: &Worker<'_>) -> Result<Page> {
        let Context { dataset, data, .. } = worker.study;
        let mut page = Page {
            title: format!("A study of {}", words::title(&dataset.name)),
            lead: format!(
                "{} training and {} test images of {}.",
                words::count(dataset.train.len()),
                words::count(dataset.test.len()),
                words::shape(data.shape),
            ),
            ..Page::default()
        };
        if self.quick {
            let reference = if worker.study.is_of_the_reference() {
                ", and must not be compared with the reference's"
            } else {
                ""
            };
            page.notices.push(format!("Made with the small budgets of a quick study: its numbers are worse than those of a full study{reference}."));
        }
        if let Some(minutes) = self.minutes {
            page.notices.push(format!(
                "Made with budgets for {} of training: {} of the epochs of a full study.",
                latents::duration(60.0 * minutes),
                words::percent_rounded(worker.study.budget.cnn_share)
            ));
        }
        if dataset.name == "fashion-mnist-sample" {
            page.notices.push("Made from the built-in small sample of Fashion-MNIST: its numbers must not be compared with the reference's.".into());
        }
        let is_of_the_reference = worker.study.is_of_the_reference();
        let sections = [
            if is_of_the_reference { s1::section(worker.study)? } else { None },
            if is_of_the_reference {
                s2::section(worker)?
            } else {
                reconstruction::section(worker)?
            },
            if worker.study.few.is_some() && worker.study.has_classes() {
                few::section(worker)?
            } else {
                s3::section(worker)?
            },
            s4::section(worker)?,
            s5::section(worker)?,
        ];
        let of_collection = (!is_of_the_reference).then(|| collection::section(worker.study));
        // What the collection is like comes first, but the model makes the first sentence.
        let mut warnings = vec![];
        if let Some((section, findings)) = of_collection {
            page.sections.push(section);
            warnings = findings;
        }
        for (section, findings) in sections.into_iter().flatten() {
            page.sections.push(section);
            page.summary.extend(findings);
        }
        page.summary.extend(warnings);
        page.sections.extend(s5::explorer(worker)?);
        page.sections.push(machine::section(worker.study, &self.repeat_with));
        Ok(page)
    }
}

/// Runs a stage on a worker and reports its progress as part of the study's.
fn run_stage<'a>(
    progress: &Arc<StudyProgress>,
    worker: &Worker<'a>,
    stage: &Stage<Worker<'a>>,
) -> Result<()> {
    progress.begin(stage);
    let reporter = Arc::new(StageReporter::new(progress, stage));
    (stage.run)(&worker.reporting_to(reporter))?;
    progress.finish(stage);
    Ok(())
}
