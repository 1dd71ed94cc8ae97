//! Studies in SQLite files that are looked at and not changed, whatever state a file is in.

use std::fs;
use std::path::{Path, PathBuf};

use latents_tune::storage;
use latents_tune::{Error, TrialState};
use rusqlite::Connection;

use crate::sqlite::{at, ours};
use crate::suite::{claim, start, study};

/// Every file of a folder, with its content and permissions.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>, fs::Metadata)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(&path).unwrap(), fs::metadata(&path).unwrap()))
        .collect();
    files.sort_by(|a, b| a.0.cmp(&b.0));
    files
}

fn assert_untouched(folder: &Path, before: &[(PathBuf, Vec<u8>, fs::Metadata)], what: &str) {
    let after = files(folder);
    let names = |files: &[(PathBuf, _, _)]| files.iter().map(|f| f.0.clone()).collect::<Vec<_>>();
    assert_eq!(names(&after), names(before), "{what}");
    for ((path, old, old_data), (_, new, new_data)) in before.iter().zip(&after) {
        assert!(old == new, "{what}: {} has other bytes", path.display());
        assert_eq!(old_data.modified().unwrap(), new_data.modified().unwrap(), "{what}");
    }
}

/// A study that is looked at keeps every byte, with and without a write-ahead log, while another program works on it and after it was killed.
#[test]
fn looking_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("studies.db");
    let id = {
        let storage = at(&path).unwrap();
        let id = study(&*storage);
        let trial = start(&*storage, id, "me");
        storage.finish(claim(&trial, "me"), TrialState::Complete, Some(0.5)).unwrap();
        id
    };
    let address = format!("sqlite:///{}", path.display());
    let look = |expected: usize, what: &str| {
        let before = files(folder.path());
        {
            let (storage, found) = storage::find(&address).unwrap();
            assert_eq!(found.id, id);
            assert_eq!(storage.trials(id).unwrap().len(), expected, "{what}");
            assert_eq!(storage.study_attr(id, "none").unwrap(), None);
            assert_untouched(folder.path(), &before, what);
            let refused = storage.enqueue(id, &[]).unwrap_err();
            assert!(matches!(refused, Error::Storage { .. }), "{refused:?}");
        }
        assert_untouched(folder.path(), &before, what);
        before.len()
    };
    assert_eq!(look(1, "with a log that is empty"), 1);

    // A search at work: its last trials are only in the log.
    let storage = at(&path).unwrap();
    for _ in 0..3 {
        start(&*storage, id, "me");
    }
    assert_eq!(look(4, "at work"), 3);

    // A search that was killed, and one whose index was lost.
    let killed = tempfile::tempdir().unwrap();
    for name in ["studies.db", "studies.db-wal"] {
        fs::copy(folder.path().join(name), killed.path().join(name)).unwrap();
    }
    let before = files(killed.path());
    let (copy, _) =
        storage::find(&format!("sqlite:///{}/studies.db", killed.path().display())).unwrap();
    assert_eq!(copy.trials(id).unwrap().len(), 4);
    drop(copy);
    assert_untouched(killed.path(), &before, "killed");
    drop(storage);

    // As Optuna leaves it: with a rollback journal.
    Connection::open(&path).unwrap().pragma_update(None, "journal_mode", "delete").unwrap();
    assert_eq!(look(4, "without a log"), 1);
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE; UPDATE trials SET state = 'FAIL'").unwrap();
    assert_eq!(look(4, "in a transaction"), 2);
    writer.execute_batch("ROLLBACK").unwrap();
    drop(writer);
    let mode: String = Connection::open(&path)
        .unwrap()
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "delete");
}

/// SQLite would remove the log of an empty file, and make an index of the other logs.
#[test]
fn looking_writes_nothing_beside_a_damaged_file_with_a_log() {
    let (folder, storage, id, _) = ours();
    start(&*storage, id, "me");
    let path = folder.path().join("studies.db");
    let (file, log) = (fs::read(&path).unwrap(), fs::read(path.with_extension("db-wal")).unwrap());
    let mut unmarked = file.clone();
    unmarked[18..20].fill(1);
    for (damaged, what) in
        [(vec![], "empty"), (b"not SQLite".to_vec(), "another file"), (unmarked, "not marked")]
    {
        let copies = tempfile::tempdir().unwrap();
        let copy = copies.path().join("copy.db");
        fs::write(&copy, &damaged).unwrap();
        fs::write(copy.with_extension("db-wal"), &log).unwrap();
        let before = files(copies.path());
        let looked = storage::open_read_only(&format!("sqlite:///{}", copy.display()));
        assert_untouched(copies.path(), &before, what);
        let trials = looked.map(|looked| looked.trials(id).unwrap().len());
        match what {
            "empty" => assert!(matches!(trials, Err(Error::NoTables { .. })), "{trials:?}"),
            "another file" => assert!(trials.is_err()),
            _ => assert_eq!(trials.unwrap(), 1, "{what}"),
        }
    }
}

#[test]
fn a_transaction_that_was_cut_off_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("studies.db"), folder.path().join("copy.db"));
    study(&*at(&path).unwrap());
    let writer = Connection::open(&path).unwrap();
    writer.pragma_update(None, "journal_mode", "delete").unwrap();
    writer.pragma_update(None, "cache_size", 1).unwrap();
    writer.pragma_update(None, "cache_spill", 1).unwrap();
    writer.execute_batch("BEGIN EXCLUSIVE; CREATE TABLE junk (x)").unwrap();
    for _ in 0..50 {
        writer.execute_batch("INSERT INTO junk VALUES (zeroblob(9000))").unwrap();
    }
    fs::copy(&path, &copy).unwrap();
    fs::copy(folder.path().join("studies.db-journal"), folder.path().join("copy.db-journal"))
        .unwrap();
    let said = storage::find(&format!("sqlite:///{}", copy.display())).map(|found| found.1);
    let said = said.unwrap_err().to_string();
    assert!(said.contains("a program was cut off while it wrote"), "{said}");
    // Whoever may write repairs it.
    at(&copy).unwrap();
    assert_eq!(storage::find(&format!("sqlite:///{}", copy.display())).unwrap().1.name, "study");
}

#[test]
fn what_is_no_study_is_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.db");
    let said = |address: &str| storage::find(address).map(|found| found.1).unwrap_err().to_string();
    let address = format!("sqlite:///{}", path.display());
    let make = |sql: &str| {
        let _ = fs::remove_file(&path);
        if sql == "ours" {
            at(&path).unwrap();
        } else {
            Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        }
    };
    for (sql, expected) in [
        ("PRAGMA user_version = 1", "is an empty database: no study is stored there"),
        ("CREATE TABLE photos (x TEXT)", "another program's database, with a table `photos`"),
        ("ours", "#NAME; there are: none"),
    ] {
        make(sql);
        let before = files(folder.path());
        assert!(said(&address).contains(expected), "{}", said(&address));
        assert_untouched(folder.path(), &before, sql);
    }
    make("ours");
    let change = "UPDATE alembic_version SET version_num = 'v3.0.0.a'";
    Connection::open(&path).unwrap().execute_batch(change).unwrap();
    assert!(said(&address).contains("optuna storage upgrade"), "{}", said(&address));
    fs::write(&path, "a text that is no database, and longer than a header of one").unwrap();
    assert!(said(&address).contains("not an SQLite database"), "{}", said(&address));
    let folder_address = format!("sqlite:///{}", folder.path().display());
    assert!(said(&folder_address).contains("cannot"), "{}", said(&folder_address));
}
