//! The suite on a PostgreSQL server, in new schemas, if `LATENTS_TEST_POSTGRES` is the URL of a database.

use std::sync::Arc;

use latents_tune::storage::{self, Storage};

use crate::{Opened, shared};

/// The URL of an empty schema of a name.
fn schema(name: &str) -> Option<String> {
    let url = std::env::var("LATENTS_TEST_POSTGRES").ok()?;
    let mut client = postgres::Client::connect(&url, postgres::NoTls).unwrap();
    let name = format!("latents_{name}");
    let anew = format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}");
    client.batch_execute(&anew).unwrap();
    Some(format!("{url}?options=-csearch_path%3D{name}"))
}

fn open(name: &str) -> Option<Opened<()>> {
    schema(name).map(|url| Opened { storage: storage::open(&url).unwrap(), _keep: () })
}

crate::hold_to_the_suite!(super::open);

fn over(name: &str, test: fn(&(dyn Fn() -> Arc<dyn Storage> + Sync))) {
    if let Some(url) = schema(name) {
        test(&|| storage::open(&url).unwrap());
    }
}

#[test]
fn two_see_each_other() {
    over("two_see_each_other", shared::two_see_each_other);
}

#[test]
fn many_begin_at_once() {
    over("many_begin_at_once", shared::many_begin_at_once);
}

#[test]
fn one_heir() {
    over("one_heir", shared::one_heir);
}

#[test]
fn steps_beyond_its_integers() {
    let Some(opened) = open("steps") else { return };
    let id = crate::suite::study(&*opened.storage);
    let trial = crate::suite::start(&*opened.storage, id, "me");
    let claim = crate::suite::claim(&trial, "me");
    let said = opened.storage.report(claim, 1 << 31, 0.0).unwrap_err().to_string();
    assert!(said.contains("2147483648 is beyond the 32 bits"), "{said}");
    opened.storage.report(claim, (1 << 31) - 1, 0.0).unwrap();
}

#[test]
fn a_server_that_does_not_answer_is_named() {
    let said = storage::open("postgresql://ann:secret@127.0.0.1:1/db").map(|s| s.url());
    let said = said.unwrap_err().to_string();
    assert!(said.contains("ann:***@127.0.0.1:1/db: cannot open it"), "{said}");
}
