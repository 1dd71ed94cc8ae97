//! A program that runs for a trial and never outlives this process, however this process ends.

use std::io::{self, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

/// Waits for a line. If there is none, because the other end of its input was closed, it ends the process group that it is told.
#[cfg(unix)]
const WATCH: &str = r#"read line || kill -s KILL -- "-$1""#;

/// A running program, with all processes that it started. They are killed when this is dropped, and on Unix also when this process is killed: a
/// shell in a process group of its own reads from a pipe that only this process holds, and ends the program's process group when the pipe breaks.
pub(super) struct Running {
    child: Child,
    watcher: Option<(Child, ChildStdin)>,
}

impl Running {
    /// Starts a program.
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let child = command.spawn()?;
        let watcher = watch(child.id());
        Ok(Running { child, watcher })
    }

    /// Its standard output, the first time.
    pub(super) fn take_output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits until it has ended. What it started and left running stays.
    pub(super) fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait()?;
        if let Some((mut watcher, mut line)) = self.watcher.take() {
            // Without this line the watcher would kill what stays.
            let told = line.write_all(b"\n");
            drop(line);
            told.and_then(|()| watcher.wait()).ok();
        }
        Ok(status)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some((mut watcher, line)) = self.watcher.take() {
            drop(line);
            let _ = watcher.wait();
        }
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A shell that ends a process group when this process is gone. Without a shell there is none.
#[cfg(unix)]
fn watch(group: u32) -> Option<(Child, ChildStdin)> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", WATCH, "sh", &group.to_string()]);
    // In a group of its own, so that a stop from the keyboard does not reach it.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut shell = command.spawn().ok()?;
    let line = shell.stdin.take()?;
    Some((shell, line))
}

#[cfg(not(unix))]
fn watch(_group: u32) -> Option<(Child, ChildStdin)> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn is_running(pid: &str) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = status.rsplit_once(") ").map_or("X", |(_, rest)| &rest[..1]);
        !"XZ".contains(state)
    }

    fn ends(pid: &str) -> bool {
        let begun = Instant::now();
        while is_running(pid) && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(2));
        }
        !is_running(pid)
    }

    /// A program that starts another, whose number it prints.
    fn nested(wait: &str) -> (Running, String) {
        use std::io::{BufRead, BufReader};
        let mut command = Command::new("sh");
        command.args(["-c", &format!("sleep 60 & echo $!; {wait}")]).stdout(Stdio::piped());
        let mut running = Running::start(&mut command).expect("a shell");
        let mut line = String::new();
        let output = running.take_output().expect("its output");
        BufReader::new(output).read_line(&mut line).expect("a line");
        (running, line.trim().to_owned())
    }

    #[test]
    fn what_a_program_started_ends_with_it() {
        let (running, inner) = nested("wait");
        assert!(is_running(&inner));
        let outer = running.child.id().to_string();
        drop(running);
        assert!(ends(&inner) && ends(&outer));
    }

    #[test]
    fn a_program_ends_when_nobody_holds_it() {
        let (mut running, inner) = nested("wait");
        // As if this process had been killed: the pipe breaks, and nothing else happens.
        let (mut shell, line) = running.watcher.take().unwrap();
        drop(line);
        assert!(ends(&inner));
        shell.wait().unwrap();
    }

    #[test]
    fn what_a_program_leaves_when_it_ends_stays() {
        let (mut running, inner) = nested("true");
        assert!(running.wait().unwrap().success());
        drop(running);
        assert!(is_running(&inner));
        Command::new("kill").arg(&inner).status().unwrap();
    }
}
