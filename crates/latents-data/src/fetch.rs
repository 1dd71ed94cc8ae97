//! Downloading files whose length and SHA-256 are known in advance. A download goes into `NAME.part`, continues after a break
//! (RFC 9110, section 14: range requests), and gets its final name only when it is complete and its sum is right; so mirrors and
//! connections need not be trusted. The list of files and their folder come from the caller.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use latents_progress::{Monitor, Task};
use sha2::{Digest, Sha256};
use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body};

use crate::error::Error;
use crate::locations::Locations;

/// A transfer that is slower than this over [`Locations::stall`] has stalled.
const LEAST_BYTES_A_SECOND: f64 = 1024.0;

/// A file to download.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RemoteFile {
    /// Its name, on the mirror and on disk.
    pub(crate) name: &'static str,
    /// Its length.
    pub(crate) bytes: u64,
    pub(crate) sha256: [u8; 32],
}

/// Why one request did not deliver the file.
enum Failure {
    /// The next attempt may succeed.
    Passing(String),
    /// This mirror does not have the file.
    Lasting(String),
    /// The problem is on this machine, so no mirror can help.
    Local(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Local(error)
    }
}

/// Puts complete copies of `files` into `folder`, which is made if necessary. Files that are already complete are kept.
pub(crate) fn download(
    files: &[RemoteFile],
    folder: &Path,
    locations: &Locations,
    monitor: &Monitor,
) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
    let _lock = lock(folder)?;
    let total = files.iter().map(|file| file.bytes).sum();
    // Progress counts the bytes of all files, so the tasks of all files end together.
    let tasks: Vec<Task<'_>> =
        files.iter().map(|file| monitor.task(format!("downloading {}", file.name))).collect();
    let mut before = 0;
    for (file, task) in files.iter().zip(&tasks) {
        let download = Download { file, folder, locations, monitor, task, before, total };
        if !is_whole(&folder.join(file.name), file)? {
            download.run()?;
        }
        download.report(file.bytes);
        before += file.bytes;
    }
    for task in &tasks {
        task.progress(total, total, "");
    }
    Ok(())
}

/// Keeps other processes from downloading into the same folder until the file is dropped.
fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join(".lock");
    let file = File::create(&path).map_err(Error::io("create", &path))?;
    match file.lock() {
        // Some network file systems have no locks; then the sums alone protect the files.
        Err(error) if error.kind() != io::ErrorKind::Unsupported => {
            Err(Error::io("lock", path)(error))
        }
        _ => Ok(file),
    }
}

fn is_whole(path: &Path, file: &RemoteFile) -> Result<bool, Error> {
    if length(path)? != Some(file.bytes) {
        return Ok(false);
    }
    let read = Error::io("read", path);
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let sums = File::open(path).and_then(|mut source| {
        loop {
            match source.read(&mut buffer)? {
                0 => return Ok(sum.finalize()),
                n => sum.update(&buffer[..n]),
            }
        }
    });
    Ok(sums.map_err(read)?.as_slice() == file.sha256)
}

/// The length of the file, `None` if there is no such file.
fn length(path: &Path) -> Result<Option<u64>, Error> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("look at", path)(error)),
    }
}

/// The download of one file.
struct Download<'a> {
    file: &'a RemoteFile,
    folder: &'a Path,
    locations: &'a Locations,
    monitor: &'a Monitor,
    task: &'a Task<'a>,
    /// The number of bytes of the files before it.
    before: u64,
    /// The number of bytes of all files.
    total: u64,
}

impl Download<'_> {
    /// Reports how many bytes of the file have arrived.
    fn report(&self, bytes: u64) {
        self.task.progress(self.before + bytes, self.total, "");
    }

    /// Tries each mirror until one has delivered the file.
    fn run(&self) -> Result<(), Error> {
        let agent = agent(self.locations.stall);
        let mut failures = Vec::new();
        for mirror in &self.locations.mirrors {
            let address = format!("{}/{}", mirror.trim_end_matches('/'), self.file.name);
            let mut last = None;
            for attempt in 0..self.locations.attempts {
                if attempt > 0 {
                    std::thread::sleep(self.locations.pause);
                }
                match self.attempt(&agent, &address) {
                    Ok(()) => return Ok(()),
                    Err(Failure::Passing(reason)) => last = Some(reason),
                    Err(Failure::Lasting(reason)) => {
                        last = Some(reason);
                        break;
                    }
                    Err(Failure::Local(error)) => return Err(error),
                }
            }
            failures.extend(last.map(|reason| format!("{address}: {reason}")));
        }
        if failures.is_empty() {
            failures.push("there are no mirrors".to_owned());
        }
        Err(Error::Download { file: self.file.name, folder: self.folder.into(), failures })
    }

    /// Requests what is missing from one mirror, once, and moves the file to its place if that completes it.
    fn attempt(&self, agent: &Agent, address: &str) -> Result<(), Failure> {
        self.monitor.check().map_err(Error::from)?;
        let part = self.folder.join(format!("{}.part", self.file.name));
        let remove = || fs::remove_file(&part).map_err(Error::io("remove", &part));
        let here = length(&part)?.unwrap_or(0);
        let mut fresh = false;
        if here != self.file.bytes {
            let from = if here < self.file.bytes { here } else { 0 };
            let response = self.ask(agent, address, from)?;
            let from = match response.status() {
                StatusCode::OK => 0, // the whole file, even if a range was requested
                StatusCode::PARTIAL_CONTENT if from > 0 && self.continues(&response, from) => from,
                StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE if from > 0 => {
                    remove()?;
                    return Err(Failure::Passing("did not send the requested range".to_owned()));
                }
                status => return Err(refused(status)),
            };
            fresh = from == 0;
            let body = response.into_body();
            let missing = self.file.bytes - from;
            if let Some(length) = body.content_length().filter(|&length| length != missing) {
                return Err(Failure::Lasting(format!("has {length} bytes instead of {missing}")));
            }
            self.store(body, &part, from)?;
        }
        if !is_whole(&part, self.file)? {
            remove()?;
            let reason = "sent a file with the wrong SHA-256".to_owned();
            // A wrong beginning may come from an earlier mirror; a complete response is from this one.
            return Err(if fresh { Failure::Lasting(reason) } else { Failure::Passing(reason) });
        }
        let target = self.folder.join(self.file.name);
        fs::rename(&part, &target).map_err(Error::io("move a download to", target))?;
        Ok(())
    }

    fn ask(&self, agent: &Agent, address: &str, from: u64) -> Result<Response<Body>, Failure> {
        let mut request = agent.get(address).header(header::ACCEPT_ENCODING, "identity");
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
        }
        if is_loopback(address) {
            request = request.config().proxy(None).build();
        }
        request.call().map_err(|error| match error {
            ureq::Error::Timeout(_) => {
                Failure::Passing(format!("no answer within {:?}", self.locations.stall))
            }
            error => Failure::Passing(error.to_string()),
        })
    }

    /// Whether the response is the rest of the file from byte `from` on.
    fn continues(&self, response: &Response<Body>, from: u64) -> bool {
        let bytes = self.file.bytes;
        let range = response.headers().get(header::CONTENT_RANGE).and_then(|v| v.to_str().ok());
        range
            .and_then(|range| range.strip_prefix(&format!("bytes {from}-{}/", bytes - 1)))
            .is_some_and(|total| total == "*" || total.parse() == Ok(bytes))
    }

    /// Writes the body to `part` from byte `from` on, up to the file's length.
    fn store(&self, body: Body, part: &Path, from: u64) -> Result<(), Failure> {
        let write = |error| Failure::Local(Error::io("write", part)(error));
        let mut options = OpenOptions::new();
        let mut out = options.write(true).create(true).truncate(false).open(part).map_err(write)?;
        out.set_len(from).map_err(write)?;
        out.seek(SeekFrom::Start(from)).map_err(write)?;

        let mut body = body.into_reader();
        let mut buffer = vec![0; 1 << 16];
        let mut here = from;
        let mut pace = Pace::new(self.locations.stall);
        loop {
            self.monitor.check().map_err(Error::from)?;
            self.report(here);
            let n = match body.read(&mut buffer) {
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    return Err(Failure::Passing(pace.stalled(here)));
                }
                Err(error) => {
                    return Err(Failure::Passing(format!(
                        "interrupted after {here} bytes: {error}"
                    )));
                }
            };
            if n == 0 {
                break;
            }
            if n as u64 > self.file.bytes - here {
                out.set_len(0).map_err(write)?;
                let reason = format!("sends more than {} bytes", self.file.bytes);
                return Err(Failure::Lasting(reason));
            }
            out.write_all(&buffer[..n]).map_err(write)?;
            here += n as u64;
            if pace.is_too_slow(n) {
                return Err(Failure::Passing(pace.stalled(here)));
            }
        }
        if here < self.file.bytes {
            return Err(Failure::Passing(format!("interrupted after {here} bytes")));
        }
        out.sync_all().map_err(write)
    }
}

/// Measures the speed of a transfer.
struct Pace {
    stall: Duration,
    since: Instant,
    bytes: usize,
}

impl Pace {
    fn new(stall: Duration) -> Self {
        Self { stall, since: Instant::now(), bytes: 0 }
    }

    /// Counts `n` more bytes; whether too little has arrived in the period that has just ended.
    fn is_too_slow(&mut self, n: usize) -> bool {
        self.bytes += n;
        if self.since.elapsed() < self.stall {
            return false;
        }
        let slow = (self.bytes as f64) < self.stall.as_secs_f64() * LEAST_BYTES_A_SECOND;
        *self = Self::new(self.stall);
        slow
    }

    fn stalled(&self, here: u64) -> String {
        format!("stalled for {:?} after {here} bytes", self.stall)
    }
}

fn agent(stall: Duration) -> Agent {
    let limit = Some(stall);
    Agent::config_builder()
        .user_agent(concat!("latents/", env!("CARGO_PKG_VERSION")))
        .http_status_as_error(false)
        .timeout_resolve(limit)
        .timeout_connect(limit)
        .timeout_recv_response(limit)
        .timeout_per_read(limit)
        .timeout_per_write(limit)
        .build()
        .into()
}

fn refused(status: StatusCode) -> Failure {
    let reason = format!("answers {status}");
    let passing = status.is_server_error()
        || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
    if passing { Failure::Passing(reason) } else { Failure::Lasting(reason) }
}

/// Whether the address is of this machine, which no proxy can reach.
fn is_loopback(address: &str) -> bool {
    let host = address.split_once("://").map_or(address, |(_, rest)| rest);
    ["127.", "localhost:", "localhost/", "[::1]"].iter().any(|own| host.starts_with(own))
}

/// A SHA-256 sum from its 64 hexadecimal digits.
///
/// # Panics
/// If the text is anything else; at compile time if it is a constant.
pub(crate) const fn hex(digits: &str) -> [u8; 32] {
    let digits = digits.as_bytes();
    assert!(digits.len() == 64, "a SHA-256 has 64 digits");
    let mut sum = [0; 32];
    let mut i = 0;
    while i < 64 {
        let digit = match digits[i] {
            digit @ b'0'..=b'9' => digit - b'0',
            digit @ b'a'..=b'f' => digit - b'a' + 10,
            _ => panic!("not a hexadecimal digit"),
        };
        sum[i / 2] = sum[i / 2] << 4 | digit;
        i += 1;
    }
    sum
}

#[cfg(test)]
pub(crate) mod server;
#[cfg(test)]
mod tests;
