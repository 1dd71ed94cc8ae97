//! The suite on SQLite files; several workers on one file; files written by Optuna; and files that are not a storage. What is only looked at is in `looking`.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use latents_tune::storage::{self, Start, Storage};
use latents_tune::{Direction, Error, TrialState, Value};
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use crate::suite::{alive, claim, start, study};
use crate::{Opened, shared};

fn open(name: &str) -> Option<Opened<TempDir>> {
    let folder = tempfile::tempdir().unwrap();
    let storage = at(&folder.path().join(name)).unwrap();
    Some(Opened { storage, _keep: folder })
}

crate::hold_to_the_suite!(super::open);

pub(crate) fn at(path: &Path) -> Result<Arc<dyn Storage>, Error> {
    storage::open(&format!("sqlite:///{}", path.display()))
}

/// A storage with one study, and another program's connection to it.
pub(crate) fn ours() -> (TempDir, Arc<dyn Storage>, i64, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("studies.db");
    let storage = at(&path).unwrap();
    let id = study(&*storage);
    let connection = Connection::open(&path).unwrap();
    (folder, storage, id, connection)
}

fn refused(path: &Path) -> String {
    at(path).map(|storage| storage.url()).unwrap_err().to_string()
}

#[test]
fn several_on_one_file() {
    for test in [shared::two_see_each_other, shared::many_begin_at_once, shared::one_heir] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("studies.db");
        test(&|| at(&path).unwrap());
    }
}

#[test]
fn settings_of_the_file() {
    let (_folder, _storage, _, connection) = ours();
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn trials_of_optunas() {
    let (_folder, storage, id, connection) = ours();
    connection
        .execute_batch(&format!(
            r#"INSERT INTO trials VALUES
                 (1, 0, {id}, 'RUNNING', '2024-02-29 12:00:00.250000', NULL),
                 (2, 1, {id}, 'WAITING', NULL, NULL),
                 (3, 2, {id}, 'COMPLETE', '2024-02-29 12:00:00', '2024-02-29 12:00:01.500000');
               INSERT INTO trial_system_attributes VALUES (1, 2, 'fixed_params', '{{"x": 0.5}}');
               INSERT INTO trial_user_attributes VALUES (1, 3, 'losses', '[NaN, -Infinity, 1.0]');
               INSERT INTO trial_values VALUES (1, 3, 0, NULL, 'INF_NEG');
               INSERT INTO trial_params VALUES (1, 3, 'layers', 1.0,
                 '{{"name": "CategoricalDistribution", "attributes": {{"choices": [[8], [8, 4]]}}}}');
               INSERT INTO trial_heartbeats VALUES (1, 1, '2024-02-29 12:00:00');"#
        ))
        .unwrap();
    let trials = storage.trials(id).unwrap();
    let noon = UNIX_EPOCH + Duration::from_secs(1_709_208_000);
    assert_eq!([0, 1, 2].map(|i| trials[i].is_foreign()), [true, false, false]);
    assert_eq!(trials[0].started, Some(noon + Duration::from_millis(250)));
    assert_eq!((trials[2].started, trials[2].seconds()), (Some(noon), Some(1.5)));
    assert_eq!(trials[2].value, Some(f64::NEG_INFINITY));
    assert_eq!(trials[2].user_attrs["losses"], json!(["NaN", "-Infinity", 1.0]));
    assert_eq!(trials[2].param("layers"), Some(Value::Text("[8,4]".into())));

    // Any worker may take a trial that Optuna has queued, but not one that it runs, however old its heartbeat is.
    let Start::Trial(taken) = storage.start_trial(id, "me", Some(3), &|_, _| true).unwrap() else {
        panic!("a trial is waiting");
    };
    assert_eq!((taken.id, taken.state), (2, TrialState::Running));
    let next = storage.start_trial(id, "you", Some(3), &alive).unwrap();
    assert_eq!(next, Start::Full { running: 1 });
    assert_eq!(start(&*storage, id, "me").number, 3);
}

#[test]
fn a_heartbeat_ages() {
    let (_folder, storage, id, connection) = ours();
    let trial = start(&*storage, id, "me");
    connection
        .execute_batch("UPDATE trial_heartbeats SET heartbeat = datetime('now', '-90 seconds')")
        .unwrap();
    let age = || {
        let age = std::cell::Cell::new(f64::NAN);
        let look = |_: &str, seconds| {
            age.set(seconds);
            false
        };
        storage.start_trial(id, "you", Some(1), &look).unwrap();
        age.get()
    };
    assert!((89.0..100.0).contains(&age()), "{}", age());
    storage.record_heartbeat(claim(&trial, "me")).unwrap();
    assert!((-1.0..10.0).contains(&age()), "{}", age());
    connection.execute_batch("DELETE FROM trial_heartbeats").unwrap();
    assert_eq!(age(), f64::INFINITY);
}

#[test]
fn studies_that_are_not_for_us() {
    let (_folder, storage, id, connection) = ours();
    connection
        .execute_batch(
            "INSERT INTO studies VALUES (70, 'two'), (71, 'none');
             INSERT INTO study_directions (direction, study_id, objective) VALUES
                 ('MINIMIZE', 70, 0), ('MAXIMIZE', 70, 1), ('NOT_SET', 71, 0);",
        )
        .unwrap();
    let said = storage.study("two").unwrap_err().to_string();
    assert!(said.contains("study `two`: it has 2 objectives"), "{said}");
    let said = storage.create_study("none", Direction::Minimize).unwrap_err();
    assert!(said.to_string().contains("study `none`: it has no direction yet"), "{said}");

    // They are in no one's way.
    assert_eq!(storage.studies().unwrap().len(), 1);
    let find = |name: &str| storage::find(&format!("{}{name}", storage.url())).map(|found| found.1);
    let said = find("").unwrap_err().to_string();
    assert!(
        said.ends_with(
            "there are: study; not supported: two (2 objectives), none (no direction yet)"
        ),
        "{said}"
    );
    assert_eq!(find("#study").unwrap().id, id);
    let said = find("#cnn").unwrap_err().to_string();
    assert!(said.contains("no study `cnn`") && said.contains("two (2 objectives)"), "{said}");
    assert!(find("#two").unwrap_err().to_string().contains("study `two`: it has 2 objectives"));

    connection.execute_batch("DELETE FROM study_directions WHERE study_id = 71").unwrap();
    assert_eq!(storage.studies().unwrap().len(), 1);
    assert!(find("#none").unwrap_err().to_string().contains("it has no direction yet"));
    connection
        .execute_batch(
            "DELETE FROM study_directions WHERE study_id <> 70; DELETE FROM studies WHERE study_id <> 70",
        )
        .unwrap();
    let said = find("").unwrap_err().to_string();
    assert!(said.contains("study `two`: it has 2 objectives"), "{said}");
    assert!(said.contains("optuna-dashboard shows it"), "{said}");
    connection
        .execute_batch("DELETE FROM study_directions; DELETE FROM studies; DELETE FROM trials")
        .unwrap();
    for said in [
        storage.trials(id).unwrap_err(),
        storage.enqueue(id, &[]).unwrap_err(),
        storage.start_trial(id, "me", None, &alive).unwrap_err(),
    ] {
        assert!(said.to_string().contains("the study was deleted"), "{said}");
    }
}

#[test]
fn files_that_are_no_databases() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.db");
    let long: Vec<u8> = (0..100_000_u32).map(|i| (i * 7 % 251) as u8).collect();
    for content in [b"hello".as_slice(), "a longer text\n".repeat(1000).as_bytes(), &long] {
        fs::write(&path, content).unwrap();
        let said = refused(&path);
        assert!(said.contains("cannot open it: the file is not an SQLite database"), "{said}");
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    fs::write(&path, "").unwrap();
    assert!(at(&path).unwrap().studies().unwrap().is_empty());

    let said = refused(folder.path());
    assert!(said.contains("the file cannot be opened"), "{said}");
    let said = refused(&path.join("studies.db"));
    assert!(said.contains("file.db"), "{said}");
}

#[test]
fn folders_are_made_for_a_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no/such/folder.db");
    assert!(at(&path).unwrap().studies().unwrap().is_empty());
    assert!(path.is_file());
}

#[test]
fn databases_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("photos.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE photos (x TEXT)").unwrap();
    let before = fs::read(&path).unwrap();
    let said = refused(&path);
    assert!(said.contains("another program's database, with a table `photos`"), "{said}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn other_schemas() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("studies.db");
    at(&path).unwrap();
    let cases = [
        ("UPDATE alembic_version SET version_num = 'v3.0.0.a'", "optuna storage upgrade"),
        ("UPDATE alembic_version SET version_num = 'v9.0.0.a'", "later than v3.2.0.a"),
        ("UPDATE alembic_version SET version_num = 'v3.2.0.a'", ""),
        ("UPDATE version_info SET schema_version = 11", "optuna storage upgrade"),
        ("UPDATE version_info SET schema_version = 13", "later than v3.2.0.a"),
    ];
    for (change, expected) in cases {
        Connection::open(&path).unwrap().execute_batch(change).unwrap();
        match expected {
            "" => assert!(at(&path).is_ok()),
            expected => {
                let said = refused(&path);
                assert!(said.contains(expected), "{said}");
            }
        }
    }
}

/// Optuna creates the tables one after the other, and writes their version last.
#[test]
fn tables_in_the_making() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("studies.db");
    at(&path).unwrap();
    let optuna = Connection::open(&path).unwrap();
    optuna.execute_batch("DELETE FROM alembic_version").unwrap();
    thread::scope(|scope| {
        let opened = scope.spawn(|| at(&path).map(|storage| storage.studies().unwrap()));
        thread::sleep(Duration::from_millis(300));
        assert!(!opened.is_finished());
        optuna.execute_batch("INSERT INTO alembic_version VALUES ('v3.2.0.a')").unwrap();
        assert_eq!(opened.join().unwrap().unwrap(), []);
    });
    optuna.execute_batch("DROP TABLE alembic_version").unwrap();
    let said = refused(&path);
    assert!(said.contains("its tables are incomplete"), "{said}");
}

#[test]
fn a_damaged_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("studies.db");
    let id = {
        let storage = at(&path).unwrap();
        let id = study(&*storage);
        let trial = start(&*storage, id, "me");
        for i in 0..200 {
            let note = json!("x".repeat(500));
            storage.set_user_attr(claim(&trial, "me"), &i.to_string(), &note).unwrap();
        }
        id
    };
    let whole = fs::read(&path).unwrap();
    let damaged = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let read = at(&path).and_then(|storage| storage.trials(id));
        read.map(|trials| trials.len()).unwrap_err().to_string()
    };
    let cut = damaged(&whole[..whole.len() / 2]);
    assert!(cut.contains("the file is damaged"), "{cut}");
    let mut scratched = whole.clone();
    scratched[8192..whole.len() - 4096].fill(0xAA);
    let scratched = damaged(&scratched);
    assert!(scratched.contains("the file is damaged"), "{scratched}");
    fs::write(&path, &whole).unwrap();
    assert_eq!(at(&path).unwrap().trials(id).unwrap()[0].user_attrs.len(), 200);
}

/// A file of others may have triggers, which do not run: this one would undo each insertion, and so leave a trial without a key.
#[test]
fn triggers_do_not_run() {
    let (_folder, storage, id, other) = ours();
    let trigger = "CREATE TRIGGER t BEFORE INSERT ON trials BEGIN SELECT RAISE(IGNORE); END";
    other.execute_batch(trigger).unwrap();
    assert_eq!(start(&*storage, id, "me").number, 0);
}

#[test]
fn numbers_of_trials_are_not_negative() {
    let (_folder, storage, id, other) = ours();
    start(&*storage, id, "me");
    other.execute_batch("UPDATE trials SET number = -1").unwrap();
    let said = storage.trials(id).unwrap_err().to_string();
    assert!(said.contains("-1 is not a number of a trial"), "{said}");
}

#[test]
#[cfg(unix)]
fn what_may_not_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("studies.db");
    at(&path).unwrap();
    let allow = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    allow(&path, 0o444);
    allow(folder.path(), 0o555);
    // Root may write despite the permissions.
    if fs::write(folder.path().join("probe"), "").is_err() {
        let said = refused(&path);
        assert!(said.contains("read-only"), "{said}");
        let said = refused(&folder.path().join("new.db"));
        assert!(said.contains("its folder must exist and be writable"), "{said}");
    }
    allow(folder.path(), 0o755);
}

#[test]
fn a_file_and_a_study_may_have_odd_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a #1 ü.db");
    let address = format!("sqlite:///{}", path.display());
    at(&path).unwrap().create_study("my study/ü #1", Direction::Maximize).unwrap();
    assert_eq!(storage::find(&address).unwrap().1.name, "my study/ü #1");
    let named = storage::find(&format!("{address}#my study/ü #1")).unwrap().1;
    assert_eq!(named.direction, Direction::Maximize);
    let said = storage::find(&format!("{address}#my study")).map(|found| found.1).unwrap_err();
    assert!(said.to_string().contains("no study `my study`"), "{said}");
}
