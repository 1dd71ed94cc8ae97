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

/// A role that may only read looks at a study; who may write writes nothing by looking.
#[test]
fn looking_writes_nothing() {
    let Some(url) = schema("looking") else { return };
    let count = |client: &mut postgres::Client| -> i64 {
        let sql = "SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'latents_looking'";
        client.query_one(sql, &[]).unwrap().get(0)
    };
    let mut client = postgres::Client::connect(&url, postgres::NoTls).unwrap();
    let said = storage::find(&url).map(|found| found.1).unwrap_err();
    assert!(matches!(said, latents_tune::Error::NoTables { .. }), "{said}");
    assert_eq!(count(&mut client), 0);

    let id = crate::suite::study(&*storage::open(&url).unwrap());
    client
        .batch_execute(
            "DO $$ BEGIN CREATE ROLE latents_reader LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
             GRANT USAGE ON SCHEMA latents_looking TO latents_reader;
             GRANT SELECT ON ALL TABLES IN SCHEMA latents_looking TO latents_reader",
        )
        .unwrap();
    // The role has no password: it is taken on at the start of the connection, as the owner's other self.
    for options in ["", "%20-crole%3Dlatents_reader"] {
        let (storage, found) = storage::find(&format!("{url}{options}")).unwrap();
        assert_eq!((found.id, storage.trials(id).unwrap().len()), (id, 0));
        let said = storage.enqueue(id, &[]).unwrap_err().to_string();
        assert!(said.contains("read-only transaction"), "{said}");
    }
    client.batch_execute("DROP OWNED BY latents_reader; DROP ROLE latents_reader").unwrap();
}

#[test]
fn a_server_that_does_not_answer_is_named() {
    let said = storage::open("postgresql://ann:secret@127.0.0.1:1/db").map(|s| s.url());
    let said = said.unwrap_err().to_string();
    assert!(said.contains("ann:***@127.0.0.1:1/db: cannot open it"), "{said}");
}
