//! Runs a program for a trial: starts it, follows its output, and ends it if the trial is stopped.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use latents_progress::Monitor;

use super::printed::Printed;
use super::running::Running;
use super::template::Template;
use crate::driver::{Objective, Outcome};
use crate::error::Error;
use crate::space::Params;
use crate::study::Trial;

/// Time between two checks for cancellation while a program prints nothing.
const POLL: Duration = Duration::from_millis(100);

/// Called when a program reports an intermediate value: worker, trial, step, value.
pub type OnStep<'a> = dyn Fn(usize, u64, i64, f64) + Sync + 'a;

/// Called when the value of a program has been read: trial, value, and the line that it was read from, if that is more than the number.
pub type OnValue<'a> = dyn Fn(u64, f64, Option<&str>) + Sync + 'a;

/// A program as an objective.
///
/// The program's environment holds the trial's folder as `LATENTS_FOLDER`, the trial's number as `LATENTS_TRIAL`, and the parameters as a
/// JSON object in `LATENTS_PARAMS`. It may keep a checkpoint in the folder, from which it continues if the trial is resumed. Its output is
/// appended to `log.txt` in the folder. It is killed, with all processes that it started, if the trial is pruned or interrupted, or, on Unix, if this
/// process ends in any way.
///
/// Its value is read from its standard output. The last line with a number decides, and must be plain: it has one number, at its end, such
/// as `0.5`, `loss=0.5`, `tensor(0.5, device='cuda:0')` or `acc 93.5%`, which is 93.5. Colours, progress bars, dates, times and lines
/// without a number are passed over. Otherwise the trial fails, with a reason that quotes the line. Not a number (`nan`) fails the trial,
/// and infinity is a value, as in Optuna.
pub struct Program<'a> {
    /// The command line.
    pub template: Template,
    /// The folder that holds a folder for each trial.
    pub folder: PathBuf,
    /// The name of the value: the number after it, in the last line that has both, is the value. Default: the last line with a number.
    pub value: Option<String>,
    /// Called at each report.
    pub on_step: &'a OnStep<'a>,
    /// Called when a value has been read.
    pub on_value: &'a OnValue<'a>,
}

impl Objective for Program<'_> {
    fn run(
        &self,
        trial: &mut Trial,
        params: &Params,
        worker: usize,
        monitor: &Monitor,
    ) -> Result<Outcome, Error> {
        let number = trial.number();
        let folder = self.folder.join(format!("{number:05}"));
        let words = self.template.fill(params, number, &folder);
        let failed = |what: String, e: std::io::Error| Error::Objective {
            number,
            reason: format!("cannot {what}: {e}"),
        };
        let path = folder.join("log.txt");
        let open = || {
            std::fs::create_dir_all(&folder)?;
            let log = File::options().create(true).append(true).open(&path)?;
            Ok((log.try_clone()?, log))
        };
        let (log, errors) = open().map_err(|e| failed(format!("write {}", path.display()), e))?;
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .env("LATENTS_FOLDER", std::path::absolute(&folder).unwrap_or(folder))
            .env("LATENTS_TRIAL", number.to_string())
            .env("LATENTS_PARAMS", serde_json::json!(params).to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors);
        let child = Running::start(&mut command);
        let mut child = child.map_err(|e| failed(format!("run {}", words[0]), e))?;
        let Some(output) = child.take_output() else {
            return Ok(Outcome::Failed("the program's output cannot be read".into()));
        };
        let lines = lines(output, log);
        let mut printed = Printed::new(self.value.as_deref());
        loop {
            match lines.recv_timeout(POLL) {
                Ok(line) => {
                    for (step, value) in printed.line(&line) {
                        (self.on_step)(worker, number, step, value);
                        trial.report(step, value)?;
                        if trial.should_prune()? {
                            return Ok(Outcome::Pruned);
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if monitor.is_cancelled() {
                return Ok(Outcome::Interrupted);
            }
        }
        let status = child.wait().map_err(|e| failed(format!("wait for {}", words[0]), e))?;
        if !status.success() {
            // Whoever stops this process may stop the program too, and perhaps earlier.
            std::thread::sleep(POLL);
            if monitor.is_cancelled() {
                return Ok(Outcome::Interrupted);
            }
            return Ok(Outcome::Failed(format!(
                "the program ended with {status}; its output is in {}",
                path.display()
            )));
        }
        match printed.end() {
            Ok(found) => {
                let line = found.is_explained.then_some(found.line.as_str());
                (self.on_value)(number, found.value, line);
                Ok(Outcome::Value(found.value))
            }
            Err(why) => Ok(Outcome::Failed(format!("{why}; its output is in {}", path.display()))),
        }
    }
}

/// The lines of the program's output, as they arrive. They are also written to its log.
fn lines(output: ChildStdout, mut log: File) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n') {
            let Ok(line) = line else { break };
            let line = String::from_utf8_lossy(&line).into_owned();
            // A log that cannot be written does not end the trial.
            let _ = writeln!(log, "{line}");
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}
