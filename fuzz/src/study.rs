//! Changes of a study's database by statements in SQL, so that the file remains a database: values of other types, missing and additional rows, tables without their
//! constraints, views and triggers.

use latents_random::Stream;
use rusqlite::{Connection, MAIN_DB};

use crate::{index, mangle_text, number, pick};

/// Values as SQL writes them.
const VALUES: [&str; 31] = [
    "NULL",
    "0",
    "1",
    "2",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "0.5",
    "1e308",
    "9e999",
    "-9e999",
    "x'ff00'",
    "''",
    "'a'",
    "zeroblob(100)",
    "'COMPLETE'",
    "'RUNNING'",
    "'PRUNED'",
    "'FAIL'",
    "'WAITING'",
    "'FINITE'",
    "'INF_POS'",
    "'INF_NEG'",
    "'NAN'",
    "'MINIMIZE'",
    "'MAXIMIZE'",
    "'2026-01-01 00:00:00.000000'",
    "'9999-12-31 23:59:59.999999'",
    "'latents:owner'",
    "'fixed_params:n'",
    "'[1, 2]'",
];
/// Distributions with odd bounds.
const DISTRIBUTIONS: [&str; 3] = [
    r#"{"name":"FloatDistribution","attributes":{"low":{a},"high":{b},"log":false,"step":null}}"#,
    r#"{"name":"IntDistribution","attributes":{"low":{a},"high":{b},"log":true,"step":1}}"#,
    r#"{"name":"CategoricalDistribution","attributes":{"choices":[{a},{b},null,"x",true]}}"#,
];

/// Changes a database.
pub fn change(file: &[u8], random: &mut Stream) -> Option<Vec<u8>> {
    let mut file = file.to_vec();
    // A database in memory has no write-ahead log.
    file.get_mut(18..20)?.fill(1);
    let mut db = Connection::open_in_memory().ok()?;
    db.deserialize_read_exact(MAIN_DB, &file[..], file.len(), false).ok()?;
    db.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON").ok()?;
    let columns = columns(&db).ok()?;
    for _ in 0..=random.below(3) {
        // A statement that a constraint refuses changes nothing.
        let _ = db.execute_batch(&statement(&db, &columns, random)?);
    }
    let mut file = db.serialize(MAIN_DB).ok()?.to_vec();
    file.get_mut(18..20)?.fill(1 + random.below(2) as u8);
    Some(file)
}

/// The columns of all tables, with the name of their table before them.
fn columns(db: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement = db.prepare(
        "SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table'",
    )?;
    let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

fn statement(db: &Connection, columns: &[(String, String)], random: &mut Stream) -> Option<String> {
    let (table, column) = &columns[index(columns.len(), random)?];
    let value = value(db, table, column, random);
    let row = random.below(4);
    let here = format!("WHERE rowid = (SELECT rowid FROM \"{table}\" LIMIT 1 OFFSET {row})");
    // A table that is missing, or a view in its place, makes the reader wait for the program that may be creating it, so these are rare.
    Some(match random.below(256) {
        0..140 => format!("UPDATE \"{table}\" SET \"{column}\" = {value} {here}"),
        140..170 => format!("UPDATE \"{table}\" SET \"{column}\" = {value}"),
        170..195 => format!("DELETE FROM \"{table}\" {here}"),
        195..240 => {
            // A copy of a row with another value.
            let names: Vec<&str> =
                columns.iter().filter(|(of, _)| of == table).map(|(_, name)| &**name).collect();
            let other = |name: &&str| if name == column { value.clone() } else { quoted(name) };
            let values: Vec<String> = names[1..].iter().map(other).collect();
            let names: Vec<String> = names[1..].iter().map(|name| quoted(name)).collect();
            let (names, values) = (names.join(", "), values.join(", "));
            format!("INSERT INTO \"{table}\" ({names}) SELECT {values} FROM \"{table}\" {here}")
        }
        // Without constraints.
        240..246 => format!(
            "CREATE TABLE new AS SELECT * FROM \"{table}\"; DROP TABLE \"{table}\"; \
             ALTER TABLE new RENAME TO \"{table}\""
        ),
        246 => format!("ALTER TABLE \"{table}\" DROP COLUMN \"{column}\""),
        247 => format!(
            "ALTER TABLE \"{table}\" RENAME TO old; CREATE VIEW \"{table}\" AS SELECT * FROM old"
        ),
        248..250 => format!(
            "CREATE TRIGGER t{row} AFTER INSERT ON trials BEGIN DELETE FROM \"{table}\"; END"
        ),
        250..252 => format!(
            "CREATE TRIGGER t{row} BEFORE INSERT ON \"{table}\" BEGIN SELECT RAISE(IGNORE); END"
        ),
        _ => format!("CREATE INDEX i{row} ON \"{table}\" (\"{column}\" || {value})"),
    })
}

/// A value for a column: one of the list, a number, a distribution, or its own text with changes.
fn value(db: &Connection, table: &str, column: &str, random: &mut Stream) -> String {
    match random.below(8) {
        0 | 1 => pick(&VALUES, random).into(),
        2 => number(random).to_string(),
        3 => random.normal().to_string(),
        4 => {
            let (a, b) = (number(random).to_string(), number(random).to_string());
            text(&pick(&DISTRIBUTIONS, random).replace("{a}", &a).replace("{b}", &b))
        }
        5 => format!("\"{column}\" + 1"),
        _ => {
            let row = random.below(4);
            let sql =
                format!("SELECT CAST(\"{column}\" AS TEXT) FROM \"{table}\" LIMIT 1 OFFSET {row}");
            let mut own: String = db.query_row(&sql, (), |row| row.get(0)).unwrap_or_default();
            mangle_text(&mut own);
            text(&own)
        }
    }
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

/// A text as SQL writes it. A zero would end the statement.
fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''").replace('\0', ""))
}
