//! Reads an SQLite file with a write-ahead log without touching it. SQLite itself would create a log and an index of it beside the file, or
//! write locks into those that are there, so the file and the log are read as bytes and put together in memory, as <https://sqlite.org/fileformat2.html>
//! describes. Files without a log do not need this: SQLite reads them without a write.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::client::Failure;

/// Number and length of the waits for a writer that empties the log at just this time.
const WAITS: (usize, Duration) = (100, Duration::from_millis(20));
/// Length of the log's header.
const HEADER: usize = 32;
/// Length of the header of each page in the log.
const FRAME: usize = 24;
/// How much longer the database may be than the bytes that were read, for pages that are free.
const FREE: usize = 64 << 20;

type LogHeader = [u8; HEADER];

/// The committed content of a file that has a write-ahead log, as a database without one. `None` if the file is not of that kind.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    let path = path.canonicalize().map_err(|e| failure(path, &e))?;
    let mut log = path.clone().into_os_string();
    log.push("-wal");
    let log = PathBuf::from(log);
    let mut header = [0; 20];
    let is_marked = match File::open(&path).and_then(|mut file| file.read_exact(&mut header)) {
        Ok(()) => header.starts_with(b"SQLite format 3\0") && header[19] == 2,
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => false,
        Err(e) => return Err(failure(&path, &e)),
    };
    // SQLite would also read a log beside a file that is not marked, and remove that of an empty file.
    if !is_marked && !log.exists() {
        return Ok(None);
    }
    for _ in 0..WAITS.0 {
        if let Some(content) = attempt(&path, &log)? {
            return Ok(Some(content));
        }
        std::thread::sleep(WAITS.1);
    }
    Err(Failure::Database("other programs change it all the time; try again".into()))
}

/// Reads file and log; `None` if a writer has begun the log anew meanwhile, because they may not belong together then.
fn attempt(path: &Path, log: &Path) -> Result<Option<Vec<u8>>, Failure> {
    let of_file = |e: io::Error| failure(path, &e);
    let of_log = |e: io::Error| failure(log, &e);
    let before = log_header(log).map_err(of_log)?;
    let stamp_before = stamp(path).map_err(of_file)?;
    let mut content = fs::read(path).map_err(of_file)?;
    if before.is_none() {
        // All is in the file itself, unless it is written just now.
        let is_same = log_header(log).map_err(of_log)?.is_none()
            && stamp(path).map_err(of_file)? == stamp_before;
        return Ok(is_same.then(|| without_log(content)));
    }
    // Pages that are copied from the log to the file meanwhile are still in the log, which is read after the file.
    let frames = match fs::read(log) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        frames => frames.map_err(of_log)?,
    };
    let is_same = frames.get(..HEADER) == before.as_ref().map(|header| &header[..])
        && log_header(log).map_err(of_log)? == before;
    if !is_same {
        return Ok(None);
    }
    if !content.is_empty() {
        replay(&mut content, &frames)?;
    }
    Ok(Some(without_log(content)))
}

/// Marks a database as one that has no write-ahead log.
fn without_log(mut content: Vec<u8>) -> Vec<u8> {
    if let Some(versions) = content.get_mut(18..20) {
        for version in versions.iter_mut().filter(|version| **version == 2) {
            *version = 1;
        }
    }
    content
}

/// The header of the log, which changes whenever it is begun anew. `None` if there is no log, or nothing in it.
fn log_header(log: &Path) -> io::Result<Option<LogHeader>> {
    let mut header = [0; HEADER];
    match File::open(log).and_then(|mut file| file.read_exact(&mut header)) {
        Ok(()) => Ok(Some(header)),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) => Ok(None),
        Err(e) => Err(e),
    }
}

fn stamp(path: &Path) -> io::Result<(u64, SystemTime)> {
    let metadata = path.metadata()?;
    Ok((metadata.len(), metadata.modified()?))
}

/// Puts the committed pages of a log into the database. Like SQLite, it ends at the first page that is not valid.
fn replay(content: &mut Vec<u8>, log: &[u8]) -> Result<(), Failure> {
    let magic = word(log, 0);
    let page = word(log, 8) as usize;
    let sums = Checksum { is_big_endian: magic & 1 == 1 };
    let mut sum = sums.add([0, 0], &log[..24]);
    let is_log = magic & !1 == 0x377f_0682
        && page.is_power_of_two()
        && (512..=65536).contains(&page)
        && sum == [word(log, 24), word(log, 28)];
    if !is_log {
        return Ok(());
    }
    let most = content.len() + log.len() + FREE;
    let mut end = None;
    let mut pending: Vec<(usize, &[u8])> = vec![];
    for frame in log[HEADER..].chunks_exact(FRAME + page) {
        let (head, data) = frame.split_at(FRAME);
        sum = sums.add(sums.add(sum, &head[..8]), data);
        let (number, pages) = (word(head, 0) as usize, word(head, 4) as usize);
        if head[8..16] != log[16..24] || number == 0 || sum != [word(head, 16), word(head, 20)] {
            break;
        }
        pending.push((number, data));
        // Only the last page of a transaction has the number of pages that the database then has.
        if pages == 0 {
            continue;
        }
        let length = pages.saturating_mul(page);
        if length > most {
            return Err(Failure::Database(
                "its write-ahead log is damaged; restore a backup, or use another file".into(),
            ));
        }
        // It is cut at the end, so that a log of many transactions, of which each has another length, takes no longer.
        content.resize(content.len().max(length), 0);
        end = Some(length);
        for (number, data) in pending.drain(..) {
            // A transaction may free a page that it has written before.
            if let Some(old) = content.get_mut((number - 1) * page..number * page) {
                old.copy_from_slice(data);
            }
        }
    }
    content.truncate(end.unwrap_or(content.len()));
    Ok(())
}

/// A big-endian word.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |word, &byte| (word << 8) | u32::from(byte))
}

/// The checksum of a log, over words in the byte order of the machine that wrote it.
struct Checksum {
    is_big_endian: bool,
}

impl Checksum {
    fn add(&self, [mut a, mut b]: [u32; 2], bytes: &[u8]) -> [u32; 2] {
        let read = |at: usize| {
            let word = word(bytes, at);
            if self.is_big_endian { word } else { word.swap_bytes() }
        };
        for at in (0..bytes.len()).step_by(8) {
            a = a.wrapping_add(read(at)).wrapping_add(b);
            b = b.wrapping_add(read(at + 4)).wrapping_add(a);
        }
        [a, b]
    }
}

fn failure(path: &Path, error: &io::Error) -> Failure {
    Failure::Database(format!("{} cannot be read: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use latents_random::{Purpose, stream};
    use rusqlite::{Connection, MAIN_DB};

    use super::*;

    /// The rows of a snapshot.
    fn rows(content: &[u8]) -> Vec<(i64, String)> {
        let mut memory = Connection::open_in_memory().unwrap();
        memory.deserialize_read_exact(MAIN_DB, content, content.len(), true).unwrap();
        let check: String =
            memory.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok");
        all(&memory)
    }

    fn all(connection: &Connection) -> Vec<(i64, String)> {
        let mut select = connection.prepare("SELECT id, text FROM t ORDER BY id").unwrap();
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    /// After random transactions, some rolled back, with a log that grows, is copied to the file, and begins anew.
    #[test]
    fn a_snapshot_is_what_sqlite_reads() {
        for page in [512, 4096] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("t.db");
            let writer = Connection::open(&path).unwrap();
            let setup = format!(
                "PRAGMA page_size = {page}; PRAGMA auto_vacuum = 1; CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)"
            );
            writer.execute_batch(&setup).unwrap();
            assert!(read(&path).unwrap().is_none(), "it has no log yet");
            writer.pragma_update(None, "journal_mode", "wal").unwrap();
            writer.pragma_update(None, "cache_size", 5).unwrap();
            for step in 0..60 {
                let mut draws = stream(1, Purpose::Synthetic, step, page);
                let mut draw = |n: f64| (draws.uniform() * n) as i64;
                let mut changes = vec!["BEGIN".to_owned()];
                for _ in 0..=draw(30.0) {
                    let (id, length) = (draw(40.0), draw(2000.0));
                    changes.push(if draw(3.0) == 0 {
                        format!("DELETE FROM t WHERE id = {id}")
                    } else {
                        format!("REPLACE INTO t VALUES ({id}, hex(zeroblob({length})))")
                    });
                }
                changes.push(if draw(5.0) == 0 { "ROLLBACK" } else { "COMMIT" }.into());
                changes.extend(match draw(6.0) {
                    0 => Some("PRAGMA wal_checkpoint(PASSIVE)".to_owned()),
                    1 => Some("PRAGMA wal_checkpoint(TRUNCATE)".to_owned()),
                    _ => None,
                });
                let change = changes.join(";");
                writer.execute_batch(&change).unwrap();
                assert_eq!(rows(&read(&path).unwrap().unwrap()), all(&writer), "step {step}");
            }
            let expected = all(&writer);
            assert!(!expected.is_empty());
            drop(writer);
            assert!(!folder.path().join("t.db-wal").exists());
            assert_eq!(rows(&read(&path).unwrap().unwrap()), expected);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    /// SQLite reads such a log too.
    #[test]
    fn a_log_beside_a_file_that_is_not_marked_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.db");
        let writer = Connection::open(&path).unwrap();
        writer.pragma_update(None, "journal_mode", "wal").unwrap();
        writer.execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)").unwrap();
        writer.pragma_update(None, "wal_checkpoint", "TRUNCATE").unwrap();
        writer.execute_batch("INSERT INTO t VALUES (1, 'a')").unwrap();
        let (mut file, log) =
            (fs::read(&path).unwrap(), fs::read(folder.path().join("t.db-wal")).unwrap());
        file[18..20].fill(1);
        let copy = folder.path().join("copy.db");
        fs::write(&copy, &file).unwrap();
        fs::write(folder.path().join("copy.db-wal"), &log).unwrap();
        let looked = rows(&read(&copy).unwrap().unwrap());
        assert_eq!(looked, [(1, "a".to_owned())]);
        assert_eq!(looked, all(&Connection::open(&copy).unwrap()));
    }

    #[test]
    fn a_log_that_was_cut_off_ends_at_its_last_whole_transaction() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.db");
        let writer = Connection::open(&path).unwrap();
        writer.execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)").unwrap();
        writer.pragma_update(None, "journal_mode", "wal").unwrap();
        for id in 0..3 {
            let add = format!("INSERT INTO t VALUES ({id}, hex(zeroblob(9000)))");
            writer.execute_batch(&add).unwrap();
        }
        let (file, log) =
            (fs::read(&path).unwrap(), fs::read(folder.path().join("t.db-wal")).unwrap());
        let after = |log: &[u8]| {
            let mut content = file.clone();
            replay(&mut content, log).unwrap();
            rows(&without_log(content)).len()
        };
        assert_eq!((after(&log), after(&log[..log.len() - 1]), after(&log[..HEADER])), (3, 2, 0));
        let mut flipped = log.clone();
        let middle = log.len() / 2;
        flipped[middle] ^= 1;
        assert_eq!(after(&flipped), 1);
        flipped = log;
        flipped[20] ^= 1;
        assert_eq!(after(&flipped), 0);
    }
}
