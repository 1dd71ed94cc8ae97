//! The tables, in the schema of Optuna 5.0: creates them, and checks those that exist.

use super::client::{Client, Failure};

/// Optuna's version of a schema that Alembic manages.
const SCHEMA_VERSION: i64 = 12;
/// The version of Optuna whose tables these are.
const LIBRARY_VERSION: &str = "5.0.0";
/// Alembic's revision of the schema.
const HEAD: &str = "v3.2.0.a";
/// Alembic's earlier revisions.
const EARLIER: [&str; 9] = [
    "v0.9.0.a", "v1.2.0.a", "v1.3.0.a", "v2.4.0.a", "v2.6.0.a", "v3.0.0.a", "v3.0.0.b", "v3.0.0.c",
    "v3.0.0.d",
];

const TABLES: &str = r#"
CREATE TABLE studies (
    study_id {serial} NOT NULL,
    study_name VARCHAR(512) NOT NULL,
    PRIMARY KEY (study_id)
);
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE TABLE version_info (
    version_info_id INTEGER NOT NULL,
    schema_version INTEGER,
    library_version VARCHAR(256),
    PRIMARY KEY (version_info_id),
    CHECK (version_info_id=1)
);
CREATE TABLE study_directions (
    study_direction_id {serial} NOT NULL,
    direction {direction} NOT NULL,
    study_id INTEGER NOT NULL,
    objective INTEGER NOT NULL,
    PRIMARY KEY (study_direction_id),
    UNIQUE (study_id, objective),
    FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
CREATE TABLE study_user_attributes (
    study_user_attribute_id {serial} NOT NULL,
    study_id INTEGER,
    "key" VARCHAR(512),
    value_json TEXT,
    PRIMARY KEY (study_user_attribute_id),
    UNIQUE (study_id, "key"),
    FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
CREATE TABLE study_system_attributes (
    study_system_attribute_id {serial} NOT NULL,
    study_id INTEGER,
    "key" VARCHAR(512),
    value_json TEXT,
    PRIMARY KEY (study_system_attribute_id),
    UNIQUE (study_id, "key"),
    FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
CREATE TABLE trials (
    trial_id {serial} NOT NULL,
    number INTEGER,
    study_id INTEGER,
    state {state} NOT NULL,
    datetime_start {time},
    datetime_complete {time},
    PRIMARY KEY (trial_id),
    FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
CREATE INDEX ix_trials_study_id ON trials (study_id);
CREATE TABLE trial_user_attributes (
    trial_user_attribute_id {serial} NOT NULL,
    trial_id INTEGER,
    "key" VARCHAR(512),
    value_json TEXT,
    PRIMARY KEY (trial_user_attribute_id),
    UNIQUE (trial_id, "key"),
    FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_system_attributes (
    trial_system_attribute_id {serial} NOT NULL,
    trial_id INTEGER,
    "key" VARCHAR(512),
    value_json TEXT,
    PRIMARY KEY (trial_system_attribute_id),
    UNIQUE (trial_id, "key"),
    FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_params (
    param_id {serial} NOT NULL,
    trial_id INTEGER,
    param_name VARCHAR(512),
    param_value {float},
    distribution_json TEXT,
    PRIMARY KEY (param_id),
    UNIQUE (trial_id, param_name),
    FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_values (
    trial_value_id {serial} NOT NULL,
    trial_id INTEGER NOT NULL,
    objective INTEGER NOT NULL,
    value {float},
    value_type {value_type} NOT NULL,
    PRIMARY KEY (trial_value_id),
    UNIQUE (trial_id, objective),
    FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_intermediate_values (
    trial_intermediate_value_id {serial} NOT NULL,
    trial_id INTEGER NOT NULL,
    step INTEGER NOT NULL,
    intermediate_value {float},
    intermediate_value_type {intermediate_type} NOT NULL,
    PRIMARY KEY (trial_intermediate_value_id),
    UNIQUE (trial_id, step),
    FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_heartbeats (
    trial_heartbeat_id {serial} NOT NULL,
    trial_id INTEGER NOT NULL,
    heartbeat {time} NOT NULL,
    PRIMARY KEY (trial_heartbeat_id),
    UNIQUE (trial_id),
    FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
"#;

/// The content of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// All tables, in the supported version.
    Tables,
    /// No tables.
    Nothing,
    /// Some of the tables, or all without their version: Optuna may be creating them right now.
    Parts,
}

/// Looks for the tables. Fails if the database has other ones.
pub(super) fn find(client: &mut dyn Client) -> Result<Found, Failure> {
    let rows = client.query(client.dialect().tables, &[])?;
    let names = rows.iter().map(|row| row.text(0)).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = names.first() else { return Ok(Found::Nothing) };
    let has = |name| names.contains(&name);
    if !has("studies") && !has("version_info") {
        let reason =
            format!("it is another program's database, with a table `{first}`; use a new one");
        return Err(Failure::Database(reason));
    }
    if !has("version_info") || !has("alembic_version") {
        return Ok(Found::Parts);
    }
    let info = client.query("SELECT schema_version, library_version FROM version_info", &[])?;
    let revision = client.query("SELECT version_num FROM alembic_version", &[])?;
    let (Some(info), Some(revision)) = (info.first(), revision.first()) else {
        return Ok(Found::Parts);
    };
    let (version, revision) = (info.int(0)?, revision.text(0)?);
    if version == SCHEMA_VERSION && revision == HEAD {
        return Ok(Found::Tables);
    }
    let made = format!("Optuna {} created it, in schema {version}, {revision}", info.text(1)?);
    let earlier = version < SCHEMA_VERSION || EARLIER.contains(&revision);
    Err(Failure::Database(if earlier {
        format!("{made}; upgrade it to {HEAD} with `optuna storage upgrade --storage URL`")
    } else {
        format!("{made}, which is later than {HEAD}, the latest that is supported")
    }))
}

/// Creates the tables, unless another program has created them meanwhile. Must be called within a transaction that writes.
pub(super) fn create(client: &mut dyn Client) -> Result<(), Failure> {
    let dialect = client.dialect();
    client.batch(dialect.lock_schema)?;
    if find(client)? != Found::Nothing {
        return Ok(());
    }
    let fill = |sql: String, (name, meaning): &(&str, &str)| sql.replace(name, meaning);
    let tables = dialect.types.iter().fold(TABLES.to_string(), fill);
    client.batch(dialect.create_types)?;
    client.batch(&tables)?;
    client.batch(&format!(
        "INSERT INTO version_info VALUES (1, {SCHEMA_VERSION}, '{LIBRARY_VERSION}');
         INSERT INTO alembic_version VALUES ('{HEAD}');"
    ))
}
