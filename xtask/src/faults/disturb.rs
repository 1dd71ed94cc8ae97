//! What may happen to work, and how it ends.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result};

use super::results::{is_hidden, is_told_by_digest, untimed};
use super::work::{Prepared, said};
use crate::files;

/// The kinds of disturbances, in the order of the table.
pub(crate) const NAMES: [&str; 8] = [
    "killed at a step",
    "disk full",
    "failed step",
    "killed at an instant",
    "TERM",
    "two at once",
    "bit before going on",
    "bit in the result",
];

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Disturbance {
    /// The process ends at a step.
    Kill(u64),
    /// The disk is full from a step on.
    Full(u64),
    /// A step fails.
    Fail(u64),
    /// The process is killed after a fraction of its time.
    KillAt(f64),
    /// The process is asked to end after a fraction of its time.
    TermAt(f64),
    /// Another process begins the same work after a fraction of the time.
    Twice(f64),
    /// The process ends at a step, and then one bit of a file of the result is flipped. What is flipped is drawn from the number.
    KillAndFlip(u64, u64),
    /// A bit of the finished result is flipped.
    Flip(u64),
}

/// How it ended.
pub(crate) enum End {
    /// As if nothing had happened.
    Same,
    /// The work was done when it was to be disturbed, or it noticed nothing.
    Undisturbed,
    /// With an error that names what is wrong.
    Named,
    /// Neither, and how.
    Wrong(String),
}

/// Disturbances of a kind of work: six tenths of them at steps, evenly spread over all its steps, the others at drawn instants and in drawn files.
pub(crate) fn spread(prepared: &Prepared<'_>, faults: usize, seed: u64) -> Vec<Disturbance> {
    let mut random = Random(seed);
    // A third part of these for each of the three kinds of steps.
    let at_steps = (faults * 6 / 10).div_ceil(3) as u64;
    let at_steps = at_steps.clamp(1, prepared.steps);
    let mut list = vec![];
    for i in 0..at_steps {
        for kind in 0..3 {
            list.extend(one(prepared, kind, (i, at_steps), &mut random));
        }
    }
    for i in 0..faults.saturating_sub(list.len()) {
        let kind = match i % 8 {
            i @ 0..3 => 3 + i,
            5.. if prepared.is_read() => 7,
            _ => 6,
        };
        list.extend(one(prepared, kind, (0, 1), &mut random));
    }
    list
}

/// So many disturbances of one kind, as the table names it; none if it names no such kind, or the work has nothing for it.
pub(crate) fn of_kind(
    prepared: &Prepared<'_>,
    kind: &str,
    faults: usize,
    seed: u64,
) -> Vec<Disturbance> {
    let mut random = Random(seed);
    let Some(kind) = NAMES.iter().position(|name| *name == kind) else { return vec![] };
    let of = (faults as u64).max(1);
    (0..faults as u64).filter_map(|i| one(prepared, kind, (i, of), &mut random)).collect()
}

/// A disturbance of the kind at this place of [`NAMES`]; if it is at a step, number `i` of so many that are evenly spread over all steps. None
/// if the work has nothing for it.
fn one(
    prepared: &Prepared<'_>,
    kind: usize,
    (i, of): (u64, u64),
    random: &mut Random,
) -> Option<Disturbance> {
    let step = 1 + i * prepared.steps / of;
    Some(match kind {
        0 => Disturbance::Kill(step),
        1 => Disturbance::Full(step),
        2 => Disturbance::Fail(step),
        3 => Disturbance::KillAt(random.unit()),
        4 => Disturbance::TermAt(random.unit()),
        5 => Disturbance::Twice(random.unit() * 0.8),
        6 => Disturbance::KillAndFlip(1 + random.below(prepared.steps), random.next()),
        _ if prepared.is_read() => Disturbance::Flip(random.next()),
        _ => return None,
    })
}

impl Disturbance {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Kill(_) => NAMES[0],
            Self::Full(_) => NAMES[1],
            Self::Fail(_) => NAMES[2],
            Self::KillAt(_) => NAMES[3],
            Self::TermAt(_) => NAMES[4],
            Self::Twice(_) => NAMES[5],
            Self::KillAndFlip(..) => NAMES[6],
            Self::Flip(_) => NAMES[7],
        }
    }

    pub(crate) fn try_on(&self, prepared: &Prepared<'_>) -> Result<End> {
        let finished = matches!(self, Self::Flip(_));
        let place = if finished { prepared.finished()? } else { prepared.place()? };
        let path = place.path();
        let faulty = |fault: String| prepared.begin(path).env("LATENTS_FAULT", fault).output();
        match *self {
            Self::Kill(step) => after(prepared, path, &faulty(format!("kill:{step}"))?),
            Self::Full(step) => refused(prepared, path, &faulty(format!("full:{step}"))?),
            Self::Fail(step) => refused(prepared, path, &faulty(format!("io:{step}"))?),
            Self::KillAt(part) => after(prepared, path, &signalled(prepared, path, part, "KILL")?),
            Self::TermAt(part) => {
                let ended = signalled(prepared, path, part, "TERM")?;
                if !ends_by_term(&ended) {
                    return Ok(End::Wrong(format!("TERM: {}", said(&ended))));
                }
                after(prepared, path, &ended)
            }
            Self::Twice(part) => twice(prepared, path, part),
            Self::KillAndFlip(step, seed) => {
                let killed = faulty(format!("kill:{step}"))?;
                let Some(flipped) = flip(&path.join(prepared.work.result), seed)? else {
                    return after(prepared, path, &killed);
                };
                let ended =
                    if killed.status.success() { killed } else { prepared.go_on(path).output()? };
                judge(prepared, path, &ended, &flipped)
            }
            Self::Flip(seed) => {
                let flipped = flip(&path.join(prepared.work.result), seed)?.context("no files")?;
                read(prepared, path, &flipped)
            }
        }
    }
}

/// Goes on after a disturbance, unless the work was done. It must end as if nothing had happened.
fn after(prepared: &Prepared<'_>, place: &Path, first: &Output) -> Result<End> {
    if panicked(first) {
        return Ok(End::Wrong(said(first)));
    }
    if !first.status.success() {
        let second = prepared.go_on(place).output()?;
        if !second.status.success() {
            return Ok(End::Wrong(format!("{}\nthen {}", said(first), said(&second))));
        }
    }
    Ok(match same(prepared, place)? {
        End::Same if first.status.success() => End::Undisturbed,
        end => end,
    })
}

/// Whether a process that was asked to end did so: with the code of shells for the signal, or by the signal, if it came before the process listened. It may have
/// been over.
fn ends_by_term(output: &Output) -> bool {
    const TERM: i32 = 15;
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
    #[cfg(not(unix))]
    let signal = None;
    output.status.success() || output.status.code() == Some(128 + TERM) || signal == Some(TERM)
}

/// A step failed. The work is done all the same, or the error says which file it was; once the reason is gone, it goes on.
fn refused(prepared: &Prepared<'_>, place: &Path, first: &Output) -> Result<End> {
    let text = said(first);
    let says_what = text.contains("LATENTS_FAULT") && text.contains("cannot ");
    if !first.status.success() && !says_what {
        return Ok(End::Wrong(format!("it does not say what failed: {text}")));
    }
    after(prepared, place, first)
}

fn same(prepared: &Prepared<'_>, place: &Path) -> Result<End> {
    same_except(prepared, place, None)
}

fn same_except(prepared: &Prepared<'_>, place: &Path, except: Option<&Path>) -> Result<End> {
    let (mut ours, mut whole) = (prepared.results(place)?, prepared.end.clone());
    if let Some(except) = except {
        ours.forget(except);
        whole.forget(except);
    }
    if let Some(file) = ours.difference(&whole) {
        return Ok(End::Wrong(format!("{} is another than undisturbed", file.display())));
    }
    // A folder in which a run goes on has nothing half written in it.
    let left = files(&place.join(prepared.work.result))?;
    let left =
        left.iter().find(|file| is_hidden(file) && file.extension().is_some_and(|e| e == "tmp"));
    Ok(left.map_or(End::Same, |file| End::Wrong(format!("{} is left", file.display()))))
}

/// A command on damaged files ends as if they were whole, or with an error that names one of them.
///
/// What the work had done with before may be damaged still; then its digest tells it to whoever reads it.
fn judge(prepared: &Prepared<'_>, place: &Path, ended: &Output, flipped: &Flipped) -> Result<End> {
    if !ended.status.success() {
        return Ok(flipped.named_by(ended));
    }
    let told = is_told(prepared, place, flipped)?;
    let except = told.then_some(&*flipped.path);
    Ok(match same_except(prepared, place, except)? {
        End::Wrong(what) => End::Wrong(format!("{}: {what}: {}", flipped.what, said(ended))),
        End::Same if told => End::Named,
        end => end,
    })
}

/// Whether a flip that is still there is told to whoever reads the file: by its digest, or, of a run's settings, by the command.
fn is_told(prepared: &Prepared<'_>, place: &Path, flipped: &Flipped) -> Result<bool> {
    let file = place.join(prepared.work.result).join(&flipped.path);
    if file.file_name().is_some_and(|name| name == "config.toml") {
        let run = file.parent().context("a file is in a folder")?;
        let output = prepared.command(place, &format!("evaluate {}", run.display())).output()?;
        return Ok(matches!(flipped.named_by(&output), End::Named));
    }
    is_told_by_digest(&file)
}

/// Reads a damaged result.
fn read(prepared: &Prepared<'_>, place: &Path, flipped: &Flipped) -> Result<End> {
    let mut end = End::Same;
    for (output, whole) in prepared.ask(place)?.iter().zip(prepared.answers()) {
        if !output.status.success() {
            end = flipped.named_by(output);
        } else if untimed(&output.stdout) != *whole {
            end = End::Wrong(format!("{}: another answer: {}", flipped.what, said(output)));
        }
        if matches!(end, End::Wrong(_)) {
            break;
        }
    }
    Ok(end)
}

fn panicked(output: &Output) -> bool {
    String::from_utf8_lossy(&output.stderr).contains("panicked")
}

/// Begins the work and sends it a signal after a fraction of its time.
fn signalled(prepared: &Prepared<'_>, place: &Path, part: f64, signal: &str) -> Result<Output> {
    let child = prepared.begin(place).spawn()?;
    std::thread::sleep(Duration::from_secs_f64(prepared.seconds * part));
    let mut kill = Command::new("kill");
    // It may be over.
    kill.args(["-s", signal, &child.id().to_string()]).output()?;
    Ok(child.wait_with_output()?)
}

/// Two processes do the same work in the same folder. One of them ends it; the other one may be refused.
fn twice(prepared: &Prepared<'_>, place: &Path, part: f64) -> Result<End> {
    let first = prepared.begin(place).spawn()?;
    std::thread::sleep(Duration::from_secs_f64(prepared.seconds * part));
    let second = prepared.begin(place).output()?;
    let first = first.wait_with_output()?;
    let both = [&first, &second];
    if both.iter().any(|output| panicked(output)) || !both.iter().any(|o| o.status.success()) {
        return Ok(End::Wrong(format!("{}\nand {}", said(&first), said(&second))));
    }
    same(prepared, place)
}

/// A bit that was flipped.
struct Flipped {
    /// Where.
    what: String,
    /// The file, within the result.
    path: PathBuf,
    /// The file's name.
    name: String,
}

impl Flipped {
    /// How a command ended that was refused: well, if its error names the file.
    fn named_by(&self, output: &Output) -> End {
        let text = String::from_utf8_lossy(&output.stderr);
        let named =
            text.lines().any(|line| line.starts_with("error: ") && line.contains(&self.name));
        if named && !panicked(output) {
            End::Named
        } else {
            End::Wrong(format!("{}: the error does not name it: {}", self.what, said(output)))
        }
    }
}

/// Flips a bit of one of the files at a path, and says which one; none if there are no files with something in them.
fn flip(path: &Path, seed: u64) -> Result<Option<Flipped>> {
    let mut random = Random(seed);
    let mut files = files(path)?;
    files.retain(|file| {
        !is_hidden(file) && std::fs::metadata(file).is_ok_and(|about| about.len() > 0)
    });
    if files.is_empty() {
        return Ok(None);
    }
    let file = &files[random.below(files.len() as u64) as usize];
    let mut bytes = std::fs::read(file)?;
    let at = random.below(bytes.len() as u64) as usize;
    let bit = random.below(8);
    bytes[at] ^= 1 << bit;
    std::fs::write(file, bytes)?;
    let what = format!("bit {bit} of byte {at} of {} flipped", file.strip_prefix(path)?.display());
    let name = file.file_name().context("a file has a name")?.to_string_lossy();
    // SQLite keeps what was written last in a file beside the database.
    let name = name.trim_end_matches("-wal").trim_end_matches("-shm").to_owned();
    let path = file.strip_prefix(path)?.to_owned();
    Ok(Some(Flipped { what, path, name }))
}

/// The generator `SplitMix64` (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
