//! Downloads from servers with and without faults.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use latents_progress::{Cancel, Progress, Reporter};

use super::server::{Answer, Server};
use super::*;

const NAME: &str = "some-file.gz";

/// 300,000 random bytes, so that a wrong offset shows.
fn content() -> Vec<u8> {
    let mut bytes = vec![0; 300_000];
    latents_random::stream(1, latents_random::Purpose::Synthetic, 0, 0).fill_bytes(&mut bytes);
    bytes
}

fn remote(name: &'static str, content: &[u8]) -> RemoteFile {
    RemoteFile { name, bytes: content.len() as u64, sha256: Sha256::digest(content).into() }
}

struct Case {
    folder: tempfile::TempDir,
    content: Vec<u8>,
    locations: Locations,
    cancel: Cancel,
    seen: Vec<u64>,
}

/// Keeps every report (task, done, total), and checks that the final file is either complete or missing.
#[derive(Default)]
struct Watch {
    seen: Mutex<Vec<(String, u64, u64)>>,
    ended: Mutex<Vec<String>>,
    file: Option<(PathBuf, Vec<u8>)>,
}

impl Reporter for Watch {
    fn end(&self, task: &str) {
        self.ended.lock().unwrap().push(task.to_owned());
    }

    fn progress(&self, progress: &Progress<'_>) {
        let Progress { task, done, total, .. } = *progress;
        self.seen.lock().unwrap().push((task.to_owned(), done, total));
        if let Some((target, content)) = &self.file
            && let Ok(bytes) = fs::read(target)
        {
            assert!(bytes == *content, "{} bytes under the final name", bytes.len());
        }
    }
}

impl Case {
    fn new(servers: &[&Server]) -> Self {
        let locations = Locations {
            mirrors: servers.iter().map(|server| server.address.clone()).collect(),
            offline: false,
            pause: Duration::from_millis(1),
            ..Locations::nowhere()
        };
        let folder = tempfile::tempdir().unwrap();
        let cancel = Cancel::default();
        Self { folder, content: content(), locations, cancel, seen: Vec::new() }
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join(NAME)
    }

    fn part(&self) -> PathBuf {
        self.folder.path().join(format!("{NAME}.part"))
    }

    /// Downloads, and checks at each step that only the complete file has the final name.
    fn run(&mut self) -> Result<(), Error> {
        let file = remote(NAME, &self.content);
        let (target, content) = (self.target(), self.content.clone());
        let total = content.len() as u64;
        let watch = Arc::new(Watch { file: Some((target, content)), ..Watch::default() });
        let monitor = Monitor::new(watch.clone(), self.cancel.clone());
        let result = download(&[file], self.folder.path(), &self.locations, &monitor);
        for (task, done, all) in watch.seen.lock().unwrap().drain(..) {
            assert_eq!((task.as_str(), all), ("downloading some-file.gz", total));
            self.seen.push(done);
        }
        assert_eq!(self.target().exists(), result.is_ok());
        if result.is_ok() {
            assert!(fs::read(self.target()).unwrap() == self.content);
            assert!(!self.part().exists());
        }
        result
    }

    /// The failures of each mirror of a download that must fail.
    fn failures(&mut self) -> Vec<String> {
        match self.run().unwrap_err() {
            Error::Download { file, folder, failures } => {
                assert_eq!((file, folder.as_path()), (NAME, self.folder.path()));
                failures
            }
            error => panic!("{error:?}"),
        }
    }
}

fn server(script: &[Answer]) -> Server {
    Server::start(&[(NAME, content())], script)
}

fn range(from: usize) -> String {
    format!("bytes={from}-")
}

#[test]
fn a_good_server_is_asked_once() {
    let server = server(&[]);
    let mut case = Case::new(&[&server]);
    case.run().unwrap();
    assert!(case.seen.is_sorted());
    assert_eq!((case.seen[0], *case.seen.last().unwrap()), (0, 300_000));
    case.run().unwrap();
    assert_eq!(server.ranges(), [None], "a whole file is not asked for again");
}

#[test]
fn a_broken_download_is_gone_on_with_in_the_same_run() {
    let server = server(&[Answer::Truncated(100_000)]);
    let mut case = Case::new(&[&server]);
    case.run().unwrap();
    let requests = server.requests();
    assert_eq!(server.ranges(), [None, Some(range(100_000))]);
    assert_eq!(requests[1].length, 200_000, "only the rest is sent");
    assert!(case.seen.is_sorted(), "nothing was begun again");
}

#[test]
fn a_broken_download_is_gone_on_with_in_the_next_run() {
    let first = server(&[Answer::Truncated(100_000)]);
    let mut case = Case::new(&[&first]);
    case.locations.attempts = 1;
    assert_eq!(case.failures().len(), 1);
    assert_eq!(fs::metadata(case.part()).unwrap().len(), 100_000);

    let second = server(&[]);
    case.locations.mirrors = vec![second.address.clone()];
    case.seen.clear();
    case.run().unwrap();
    assert_eq!(second.ranges(), [Some(range(100_000))]);
    assert_eq!(second.requests()[0].length, 200_000);
    assert_eq!(case.seen[0], 100_000);
}

#[test]
fn a_stalling_server_is_left_and_asked_again_for_the_rest() {
    for (answer, rest) in [
        (Answer::Stalled(50_000), Some(range(50_000))),
        (Answer::Silent, None),
        (Answer::Status(503), None),
        (Answer::Status(429), None),
    ] {
        let server = server(&[answer]);
        let mut case = Case::new(&[&server]);
        case.locations.stall = Duration::from_secs(1);
        case.run().unwrap();
        assert_eq!(server.ranges(), [None, rest], "{answer:?}");
    }
}

#[test]
fn a_trickle_is_a_stall() {
    let server = server(&[Answer::Trickling; 2]);
    let mut case = Case::new(&[&server]);
    case.locations.attempts = 2;
    case.locations.stall = Duration::from_secs(1);
    let failures = case.failures();
    assert!(failures[0].contains("stalled for 1s"), "{failures:?}");
    let here = fs::metadata(case.part()).unwrap().len();
    assert!((2..1000).contains(&here), "{here}");
}

#[test]
fn a_server_without_ranges_starts_again() {
    for answer in [Answer::IgnoringRange, Answer::WrongRange, Answer::Status(416)] {
        let server = server(&[Answer::Truncated(70_000), answer]);
        let mut case = Case::new(&[&server]);
        case.run().unwrap();
        let requests = server.requests();
        assert_eq!(requests[1].range, Some(range(70_000)), "{answer:?}");
        match answer {
            Answer::IgnoringRange => assert_eq!(requests.len(), 2),
            _ => assert_eq!(requests[2].range, None, "{answer:?}"),
        }
    }
}

#[test]
fn the_next_mirror_takes_over() {
    for answer in [Answer::Status(404), Answer::Corrupted, Answer::TooLong, Answer::OtherFile] {
        let (bad, good) = (server(&[answer]), server(&[]));
        Case::new(&[&bad, &good]).run().unwrap();
        assert_eq!(bad.ranges(), [None], "{answer:?}: not worth a second try");
        assert_eq!(good.ranges(), [None], "{answer:?}: nothing of it is kept");
    }
    // What one mirror has sent is kept for the next.
    let (bad, good) = (server(&[Answer::Truncated(10), Answer::Status(404)]), server(&[]));
    Case::new(&[&bad, &good]).run().unwrap();
    assert_eq!(good.ranges(), [Some(range(10))]);
}

#[test]
fn no_mirror_at_all_is_listed_reason_by_reason() {
    let servers = [
        server(&[Answer::Status(404)]),
        server(&[Answer::Corrupted]),
        server(&[Answer::OtherFile]),
        server(&[Answer::TooLong]),
        server(&[Answer::Status(500); 3]),
    ];
    let mut case = Case::new(&servers.each_ref());
    case.locations.mirrors.push("http://127.0.0.1:1/".to_owned()); // no server listens here
    let failures = case.failures();
    let expected = [
        "answers 404",
        "wrong SHA-256",
        "150000 bytes instead of 300000",
        "more than 300000",
        "answers 500",
        "",
    ];
    assert_eq!(failures.len(), expected.len());
    for ((failure, reason), mirror) in failures.iter().zip(expected).zip(&case.locations.mirrors) {
        assert!(failure.starts_with(mirror) && failure.contains(reason), "{failure}");
    }
    assert_eq!(servers[4].requests().len(), 3);

    case.locations.mirrors.clear();
    assert_eq!(case.failures(), ["there are no mirrors"]);
}

#[test]
fn a_spoilt_part_is_thrown_away() {
    let content = content();
    let mut wrong = content.clone();
    wrong[7] ^= 1;
    // Wrong bytes at the start; complete, but not yet renamed; complete and wrong; and too long.
    let cases: [(Vec<u8>, &[Option<String>]); 4] = [
        (wrong[..1000].to_vec(), &[Some(range(1000)), None]),
        (content.clone(), &[]),
        (wrong, &[None]),
        ([&content[..], &[0]].concat(), &[None]),
    ];
    for (part, ranges) in cases {
        let server = server(&[]);
        let mut case = Case::new(&[&server]);
        fs::write(case.part(), part).unwrap();
        case.run().unwrap();
        assert_eq!(server.ranges(), ranges);
    }
}

#[test]
fn a_spoilt_file_under_the_final_name_is_replaced() {
    let server = server(&[]);
    let case = Case::new(&[&server]);
    fs::write(case.target(), vec![0; 300_000]).unwrap();
    let file = remote(NAME, &case.content);
    download(&[file], case.folder.path(), &case.locations, &Monitor::default()).unwrap();
    assert!(fs::read(case.target()).unwrap() == case.content);
}

#[test]
fn several_files_share_one_measure_of_progress() {
    let files = [("a.gz", vec![1; 1000]), ("b.gz", vec![2; 3000])];
    let server = Server::start(&files, &[]);
    let case = Case::new(&[&server]);
    let remotes = files.each_ref().map(|(name, content)| remote(name, content));
    let watch = Arc::new(Watch::default());
    let monitor = Monitor::new(watch.clone(), Cancel::default());
    let folder = case.folder.path().join("made/when/needed");
    download(&remotes, &folder, &case.locations, &monitor).unwrap();
    let seen = watch.seen.lock().unwrap().clone();
    let report = |file: &str, done, total| (format!("downloading {file}"), done, total);
    assert_eq!(seen.first(), Some(&report("a.gz", 0, 4000)));
    assert!(seen.contains(&report("a.gz", 1000, 4000)));
    assert!(seen.contains(&report("b.gz", 1000, 4000)));
    assert_eq!(seen[seen.len() - 2..], ["a.gz", "b.gz"].map(|file| report(file, 4000, 4000)));
    assert!(seen.is_sorted_by_key(|(_, done, _)| *done));
}

#[test]
fn the_task_of_a_download_that_fails_ends() {
    let server = Server::start(&[("a.gz", vec![1; 1000])], &[]);
    let case = Case::new(&[&server]);
    let remotes = [remote("a.gz", &[1; 1000]), remote("missing.gz", &[2; 10])];
    let watch = Arc::new(Watch::default());
    let monitor = Monitor::new(watch.clone(), Cancel::default());
    assert!(download(&remotes, case.folder.path(), &case.locations, &monitor).is_err());
    let mut ended = watch.ended.lock().unwrap().clone();
    ended.sort();
    assert_eq!(ended, ["downloading a.gz", "downloading missing.gz"]);
}

#[test]
fn a_cancelled_download_is_gone_on_with_later() {
    let slow = server(&[Answer::Trickling]);
    let mut case = Case::new(&[&slow]);
    case.locations.stall = Duration::from_secs(600);
    let cancel = case.cancel.clone();
    let part = case.part();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while fs::metadata(&part).map_or(0, |part| part.len()) < 2 {
                std::thread::sleep(Duration::from_millis(5));
            }
            cancel.cancel();
        });
        assert!(matches!(case.run(), Err(Error::Interrupted(_))));
    });
    let here = fs::metadata(case.part()).unwrap().len();
    assert!((2..1000).contains(&here), "{here}");
    // A cancelled download requests nothing.
    let second = server(&[]);
    case.locations.mirrors = vec![second.address.clone()];
    assert!(matches!(case.run(), Err(Error::Interrupted(_))));
    assert!(second.ranges().is_empty());
    case.cancel = Cancel::default();
    case.run().unwrap();
    assert_eq!(second.ranges(), [Some(range(here as usize))]);
}

#[test]
fn two_at_once_do_not_spoil_each_other() {
    let server = server(&[]);
    let case = Case::new(&[&server]);
    let file = remote(NAME, &case.content);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                download(&[file], case.folder.path(), &case.locations, &Monitor::default())
                    .unwrap();
            });
        }
    });
    assert_eq!(server.ranges(), [None], "the second finds what the first has fetched");
}

#[test]
fn trouble_on_this_machine_is_not_blamed_on_mirrors() {
    let server = server(&[]);
    let case = Case::new(&[&server]);
    let in_the_way = case.folder.path().join("file");
    fs::write(&in_the_way, "").unwrap();
    let file = remote(NAME, &case.content);
    let error = download(&[file], &in_the_way, &case.locations, &Monitor::default()).unwrap_err();
    assert!(matches!(&error, Error::Io { path, .. } if *path == in_the_way), "{error:?}");

    fs::create_dir(case.part()).unwrap();
    let error =
        download(&[file], case.folder.path(), &case.locations, &Monitor::default()).unwrap_err();
    assert!(matches!(&error, Error::Io { path, .. } if *path == case.part()), "{error:?}");
}

#[test]
fn own_addresses_are_known() {
    for own in ["http://127.0.0.1:80/x", "https://localhost/x", "http://[::1]:8080/x"] {
        assert!(is_loopback(own), "{own}");
    }
    for other in ["http://localhost.example.org/x", "http://example.org/127.0.0.1"] {
        assert!(!is_loopback(other), "{other}");
    }
}

#[test]
fn sums_are_read_digit_by_digit() {
    let sum = hex("00ff10000000000000000000000000000000000000000000000000000000009a");
    assert_eq!((&sum[..4], sum[31]), (&[0x00, 0xff, 0x10, 0x00][..], 0x9a));
}
