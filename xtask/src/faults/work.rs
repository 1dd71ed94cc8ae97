//! The kinds of work that are disturbed.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use anyhow::{Result, ensure};
use tempfile::TempDir;

use super::results::{Results, copy, untimed};

/// Few images, so that a run takes a fraction of a second.
const FEW: &str = "--data fashion-mnist-sample --train-limit 256 --test-limit 64 --batch-size 64";

/// One kind of work. Its commands run in a folder of their own.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    /// How many disturbances it has, compared with others.
    pub(crate) weight: usize,
    /// What it needs: commands that are run before, undisturbed.
    before: Vec<String>,
    /// The command that is disturbed.
    command: String,
    /// A file, and the command that goes on if it is there; otherwise the first command is run again.
    resume: Option<(&'static str, String)>,
    /// The file or folder of the result.
    pub(crate) result: &'static str,
    /// Commands that read the result, and must tell if it was damaged.
    readers: Vec<String>,
}

impl Work {
    fn new(name: &'static str, command: &str, result: &'static str) -> Self {
        Self {
            name,
            weight: 2,
            before: vec![],
            command: command.replace("[few]", FEW) + " --threads 1",
            resume: None,
            result,
            readers: vec![],
        }
    }

    /// Its commands take longer than others.
    fn seldom(mut self) -> Self {
        self.weight = 1;
        self
    }

    fn after(mut self, command: &str) -> Self {
        self.before.push(command.replace("[few]", FEW));
        self
    }

    fn read_by(mut self, command: &str) -> Self {
        self.readers.push(command.to_owned());
        self
    }

    /// Training of a kind into the folder `run`.
    fn training(name: &'static str, flags: &str) -> Self {
        let mut work = Self::new(name, &format!("train {flags} --epochs 3 --out run"), "run");
        let kind = flags.split(' ').next().unwrap_or_default();
        work.resume =
            Some(("run/config.toml", format!("train {kind} --resume --out run --threads 1")));
        work.read_by("evaluate run --json").read_by("figures run --out figures")
    }
}

/// The address of a PostgreSQL server, if there is one for tests.
pub(crate) fn postgres() -> Option<String> {
    std::env::var("LATENTS_TEST_POSTGRES").ok()
}

pub(crate) fn kinds(postgres: Option<&str>) -> Vec<Work> {
    let train_ae = "train ae [few] --epochs 2 --latent-dim 8 --out ae";
    // Its network is larger.
    let residual = "ae --design residual --flip 0 --shift 0 --data fashion-mnist-sample \
                    --train-limit 64 --test-limit 32 --latent-dim 8";
    let codes = "vqvae [few] --stages 8k4s2p1,8k4s2p1 --blocks 1 --prior-channels 12 \
                 --prior-blocks 1 --levels 5,4";
    let encode = "encode --run ae --out z.npz";
    let shard = "encode --run ae --out z.parquet --shard";
    let tune = "tune ae [few] --epochs 2 --trials 4 --sampler random --out tuned";
    let study = "study fashion-mnist-sample --quick --only S1 --out study";
    let vectors = "study --latents z.npz --out vectors";
    let mut kinds = vec![
        Work::training("train ae", "ae [few] --latent-dim 8"),
        Work::training("train ae, residual", residual).seldom(),
        Work::training("train vae", "vae [few] --latent-dim 8"),
        Work::training("train vqvae", codes).seldom(),
        Work::training("train cnn", "cnn [few] --stem 4 --channels 8"),
        Work::training("train classifier", "classifier --encoder ae").after(train_ae),
        Work::new("encode", encode, "z.npz")
            .after(train_ae)
            .read_by("map --latents z.npz --method pca --out map.npz"),
        Work::new("encode, a shard", &format!("{shard} 1/2"), "z-00001-of-00002.parquet")
            .seldom()
            .after(train_ae)
            .after(&format!("{shard} 0/2"))
            .read_by("merge z.parquet --json"),
        Work::new("map", "map --run ae --iterations 50 --out map.npz", "map.npz").after(train_ae),
        Work::new("tune", tune, "tuned")
            .read_by("tune show sqlite:///tuned/study.db#ae --out shown --json"),
        Work::new(
            "tune, two workers",
            &format!("{tune} --workers 2 --study sqlite:///s.db"),
            "tuned",
        ),
        Work::new("study", study, "study").seldom().read_by(&format!("{study} --json")),
        Work::new("study of vectors", vectors, "vectors")
            .seldom()
            .after(train_ae)
            .after(encode)
            .read_by(&format!("{vectors} --json")),
    ];
    if let Some(address) = postgres {
        let tune = format!("{tune} --study {address} --name [study]");
        kinds.push(Work::new("tune, PostgreSQL", &tune, "tuned"));
    }
    kinds
}

/// A kind of work, what it needs, and what it ends in if nobody disturbs it.
pub(crate) struct Prepared<'a> {
    pub(crate) work: &'a Work,
    latents: &'a Path,
    /// What `before` left.
    folder: TempDir,
    /// The folder after all work.
    whole: TempDir,
    pub(crate) end: Results,
    /// What the readers say of the whole result.
    answers: Vec<Vec<u8>>,
    /// Steps in which files are changed.
    pub(crate) steps: u64,
    pub(crate) seconds: f64,
}

impl<'a> Prepared<'a> {
    pub(crate) fn new(work: &'a Work, latents: &'a Path) -> Result<Self> {
        let folder = TempDir::new()?;
        let whole = TempDir::new()?;
        let mut prepared = Self {
            work,
            latents,
            folder,
            whole,
            end: Results::default(),
            answers: vec![],
            steps: 0,
            seconds: 0.0,
        };
        for command in &work.before {
            let output = prepared.command(prepared.folder.path(), command).output()?;
            ensure!(output.status.success(), "{command}: {}", said(&output));
        }
        // Twice, so that what is compared is known to be the same whenever nothing happens.
        let mut ends = vec![];
        for _ in 0..2 {
            let place = prepared.place()?;
            let list = place.path().join("steps.txt");
            let began = Instant::now();
            let mut command = prepared.begin(place.path());
            let output =
                command.env("LATENTS_FAULT", format!("list:{}", list.display())).output()?;
            ensure!(output.status.success(), "{}: {}", work.command, said(&output));
            prepared.seconds = began.elapsed().as_secs_f64();
            prepared.steps =
                std::fs::read_to_string(&list).unwrap_or_default().lines().count() as u64;
            ends.push(prepared.results(place.path())?);
            prepared.whole = place;
        }
        ensure!(!ends[0].is_empty(), "{} leaves nothing", work.command);
        let differ = ends[0].difference(&ends[1]);
        ensure!(differ.is_none(), "undisturbed, {} ends differently: {differ:?}", work.command);
        prepared.end = ends.remove(0);
        prepared.answers = prepared
            .ask(prepared.whole.path())?
            .iter()
            .map(|output| untimed(&output.stdout))
            .collect();
        Ok(prepared)
    }

    /// A new folder with what the work needs.
    pub(crate) fn place(&self) -> Result<TempDir> {
        copy_of(&self.folder)
    }

    /// A new folder with what undisturbed work left.
    pub(crate) fn finished(&self) -> Result<TempDir> {
        copy_of(&self.whole)
    }

    /// The command that is disturbed.
    pub(crate) fn begin(&self, place: &Path) -> Command {
        self.command(place, &self.work.command)
    }

    /// The command that goes on after a disturbance.
    pub(crate) fn go_on(&self, place: &Path) -> Command {
        match &self.work.resume {
            Some((file, command)) if place.join(file).exists() => self.command(place, command),
            _ => self.begin(place),
        }
    }

    /// What the readers say, an output each.
    pub(crate) fn ask(&self, place: &Path) -> Result<Vec<Output>> {
        let readers = self.work.readers.iter();
        readers.map(|command| Ok(self.command(place, command).output()?)).collect()
    }

    pub(crate) fn answers(&self) -> &[Vec<u8>] {
        &self.answers
    }

    /// Whether there are commands that read the result.
    pub(crate) fn is_read(&self) -> bool {
        !self.work.readers.is_empty()
    }

    pub(crate) fn results(&self, place: &Path) -> Result<Results> {
        Results::of(&place.join(self.work.result))
    }

    /// Any command of `latents`.
    pub(crate) fn command(&self, place: &Path, arguments: &str) -> Command {
        let mut command = Command::new(self.latents);
        // A database is shared by all places; each has a study of its own.
        let study = place.file_name().unwrap_or_default().to_string_lossy();
        let arguments = arguments.replace("[study]", &study);
        command
            .args(arguments.split_whitespace())
            .current_dir(place)
            .env("LATENTS_OFFLINE", "1")
            .env("LATENTS_CACHE", place.join("cache"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// A new folder with the files of another one.
fn copy_of(folder: &TempDir) -> Result<TempDir> {
    let place = TempDir::new()?;
    copy(folder.path(), place.path())?;
    Ok(place)
}

/// What a command said.
pub(crate) fn said(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).trim().to_owned();
    format!("{} {} {}", output.status, text(&output.stdout), text(&output.stderr))
}
