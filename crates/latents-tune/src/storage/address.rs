//! Opens storages by their URLs, which are written as in SQLAlchemy.

use std::path::Path;
use std::sync::Arc;

use super::Storage;
use super::client::{Access, Client, Failure};
use super::memory::{self, Memory};
use super::rdb::Rdb;
use super::sqlite::Sqlite;
use crate::error::Error;

/// Opens a storage, or creates it.
///
/// - `sqlite:///studies.db`: a file in the current folder; `sqlite:////home/me/studies.db`: a file at an absolute path.
/// - `postgresql://user:password@host/database`: a database on a server; needs the feature `postgres`.
/// - `memory:`: memory of this process; each call opens a new storage.
///
/// A driver, as in `postgresql+psycopg2://`, is ignored.
///
/// # Errors
/// [`Error::Address`] if the URL is none of these; [`Error::NoPostgres`] if the feature is missing; [`Error::Storage`] if the storage
/// cannot be opened, or is not a storage of Optuna 5.0.
pub fn open(url: &str) -> Result<Arc<dyn Storage>, Error> {
    open_for(url, Access::Write)
}

/// Opens a storage to read it. Nothing is created or written, neither in the database nor beside it, so a file or a role without the
/// permission to write is enough. An SQLite file with a write-ahead log is read as it is at this time; later changes are not seen.
///
/// # Errors
/// As [`open`]; [`Error::NoTables`] if no study was ever stored there. All methods that write fail.
pub fn open_read_only(url: &str) -> Result<Arc<dyn Storage>, Error> {
    open_for(url, Access::Read)
}

fn open_for(url: &str, access: Access) -> Result<Arc<dyn Storage>, Error> {
    if url == memory::URL {
        return Ok(Arc::new(Memory::default()));
    }
    let fault = |reason: &str| Error::Address { url: redact(url), reason: reason.into() };
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(fault("a URL is needed, like sqlite:///studies.db"));
    };
    match scheme.split('+').next().unwrap_or(scheme) {
        "sqlite" => {
            let Some(path) = rest.strip_prefix('/').filter(|path| !path.is_empty()) else {
                return Err(fault(
                    "the URL of a file has three slashes, like sqlite:///studies.db",
                ));
            };
            if path == ":memory:" {
                return Err(fault("use `memory:` to store nothing"));
            }
            if path.contains('?') {
                return Err(fault("options after `?` are not supported; leave them out"));
            }
            let path = Path::new(path);
            match access {
                Access::Read => connect(url, Sqlite::open_read_only(path), access),
                Access::Write => connect(url, Sqlite::open(path), access),
            }
        }
        #[cfg(feature = "postgres")]
        "postgresql" => {
            use super::postgres::Postgres;
            let server = format!("postgresql://{rest}");
            match access {
                Access::Read => connect(url, Postgres::open_read_only(&server), access),
                Access::Write => connect(url, Postgres::open(&server), access),
            }
        }
        #[cfg(not(feature = "postgres"))]
        "postgresql" => Err(Error::NoPostgres { url: redact(url) }),
        other => Err(fault(&format!(
            "`{other}` is not supported; use sqlite:///FILE, postgresql://USER@HOST/DATABASE or memory:"
        ))),
    }
}

fn connect<C: Client + 'static>(
    url: &str,
    client: Result<C, Failure>,
    access: Access,
) -> Result<Arc<dyn Storage>, Error> {
    let url = redact(url);
    let client = client.map_err(|failure| failure.into_error(&url, "open it"))?;
    Ok(Arc::new(Rdb::open(url, Box::new(client), access)?))
}

/// The URL without a password, and without options, which may contain one.
fn redact(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://").filter(|(scheme, _)| *scheme != "sqlite")
    else {
        return url.into();
    };
    let (user, place) = match rest.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, rest),
    };
    let place = place.split('?').next().unwrap_or(place);
    match user.map(|user| user.split_once(':').map_or((user, ""), |(name, _)| (name, ":***"))) {
        Some((name, hidden)) => format!("{scheme}://{name}{hidden}@{place}"),
        None => format!("{scheme}://{place}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        let cases = [
            (
                "postgresql://ann:se/c:r?e@t@host:5432/db?password=x",
                "postgresql://ann:***@host:5432/db",
            ),
            ("postgresql+psycopg2://ann@host/db", "postgresql+psycopg2://ann@host/db"),
            ("postgresql://host/db?password=secret", "postgresql://host/db"),
            ("sqlite:///a:b@c.db", "sqlite:///a:b@c.db"),
        ];
        for (given, shown) in cases {
            assert_eq!(redact(given), shown);
        }
    }

    #[test]
    fn faults_of_addresses_are_named() {
        let cases = [
            ("studies.db", "a URL is needed, like sqlite:///studies.db"),
            ("sqlite://studies.db", "three slashes"),
            ("sqlite:///", "three slashes"),
            ("sqlite:///:memory:", "use `memory:`"),
            ("sqlite:///a.db?timeout=5", "options after `?`"),
            ("mysql://ann:secret@host/db", "`mysql` is not supported"),
        ];
        for (given, expected) in cases {
            let said = open(given).map(|storage| storage.url()).unwrap_err();
            assert!(matches!(said, Error::Address { .. }), "{said:?}");
            assert!(said.to_string().contains(expected), "{said}");
            assert!(!said.to_string().contains("secret"), "{said}");
        }
    }

    #[cfg(not(feature = "postgres"))]
    #[test]
    fn what_is_not_built_in_is_named() {
        let said = open("postgresql://ann:secret@host/db").map(|storage| storage.url());
        let said = said.unwrap_err();
        assert!(matches!(said, Error::NoPostgres { .. }), "{said:?}");
        let said = said.to_string();
        assert!(said.contains("no PostgreSQL support (feature `postgres`)"), "{said}");
        assert!(said.contains("ann:***@host/db"), "{said}");
    }
}
