//! For tests: an HTTP server on the loopback address that serves a few files, correctly or with a given fault, and records the
//! requests. It knows nothing of the code under test.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What to do with one request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// Serve the file, or the requested range.
    Well,
    /// Serve the whole file, whatever range is requested.
    IgnoringRange,
    /// Answer `206`, but send from the start.
    WrongRange,
    /// Answer with this status and an empty body.
    Status(u16),
    /// Close the connection after this many bytes of the body.
    Truncated(usize),
    /// Send this many bytes of the body, then nothing more.
    Stalled(usize),
    /// Send one byte every 10 ms.
    Trickling,
    /// Change the last byte of the body.
    Corrupted,
    /// Announce no length, and send bytes after the end.
    TooLong,
    /// Serve another, shorter file, with its length.
    OtherFile,
    /// Read the request, but do not answer.
    Silent,
}

/// A request, and what the server sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) path: String,
    /// The value of the `Range` header.
    pub(crate) range: Option<String>,
    /// The length of the body.
    pub(crate) length: usize,
}

type Files = Vec<(&'static str, Vec<u8>)>;

pub(crate) struct Server {
    pub(crate) address: String,
    log: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Serves `files`: the answers of the script in turn, then [`Answer::Well`] always.
    pub(crate) fn start(files: &[(&'static str, Vec<u8>)], script: &[Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let log = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(Mutex::new(script.iter().copied().collect::<VecDeque<_>>()));
        let files: Arc<Files> = Arc::new(files.to_vec());
        let requests = log.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (files, script, log) = (files.clone(), script.clone(), requests.clone());
                // A client may close the connection at any time.
                std::thread::spawn(move || stream.and_then(|s| serve(&s, &files, &script, &log)));
            }
        });
        Self { address, log }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.log.lock().unwrap().clone()
    }

    /// The `Range` headers of all requests so far.
    pub(crate) fn ranges(&self) -> Vec<Option<String>> {
        self.requests().into_iter().map(|request| request.range).collect()
    }
}

fn serve(
    mut stream: &TcpStream,
    files: &Files,
    script: &Mutex<VecDeque<Answer>>,
    log: &Mutex<Vec<Request>>,
) -> std::io::Result<()> {
    let (path, range) = read_request(stream)?;
    let file = files.iter().find(|(name, _)| path == format!("/{name}")).map(|(_, bytes)| bytes);
    let mut answer = script.lock().unwrap().pop_front().unwrap_or(Answer::Well);
    let Some(file) = file.or_else(|| {
        answer = Answer::Status(404);
        files.first().map(|(_, bytes)| bytes)
    }) else {
        return Ok(());
    };

    let from =
        range.as_deref().and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let from: Option<usize> =
        from.filter(|_| !matches!(answer, Answer::IgnoringRange | Answer::OtherFile));
    let last = file.len() - 1;
    let mut body = match answer {
        Answer::WrongRange => file.clone(),
        Answer::Status(_) => Vec::new(),
        Answer::OtherFile => file[..file.len() / 2].to_vec(),
        _ => file[from.unwrap_or(0)..].to_vec(),
    };
    match (answer, body.last_mut()) {
        (Answer::Corrupted, Some(byte)) => *byte ^= 1,
        (Answer::TooLong, _) => body.extend([0; 5]),
        _ => {}
    }
    let request = Request { path, range, length: body.len() };
    log.lock().unwrap().push(request);

    let (status, content_range) = match (answer, from) {
        (Answer::Status(status), _) => (status, String::new()),
        (Answer::WrongRange, _) => (206, format!("Content-Range: bytes 0-{last}/{}\r\n", last + 1)),
        (_, Some(from)) => (206, format!("Content-Range: bytes {from}-{last}/{}\r\n", last + 1)),
        (_, None) => (200, String::new()),
    };
    let content_length = match answer {
        Answer::TooLong => String::new(),
        _ => format!("Content-Length: {}\r\n", body.len()),
    };
    if matches!(answer, Answer::Silent) {
        return wait_for_client(stream);
    }
    write!(
        stream,
        "HTTP/1.1 {status} Some Reason\r\nConnection: close\r\n{content_length}{content_range}\r\n"
    )?;
    match answer {
        Answer::Truncated(n) => stream.write_all(&body[..n]),
        Answer::Stalled(n) => {
            stream.write_all(&body[..n])?;
            wait_for_client(stream)
        }
        Answer::Trickling => body.chunks(1).try_for_each(|byte| {
            std::thread::sleep(Duration::from_millis(10));
            stream.write_all(byte)
        }),
        _ => stream.write_all(&body),
    }
}

/// The path and the value of the `Range` header.
fn read_request(stream: &TcpStream) -> std::io::Result<(String, Option<String>)> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut range = None;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("range")
        {
            range = Some(value.trim().to_owned());
        }
    }
    Ok((path, range))
}

/// Returns when the client has closed the connection.
fn wait_for_client(mut stream: &TcpStream) -> std::io::Result<()> {
    stream.read(&mut [0]).map(|_| ())
}
