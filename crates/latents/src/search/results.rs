//! What a search finds, as numbers, a table and a file.

use std::fmt;
use std::path::Path;

use latents_data::Part;
use latents_data::npz::{self, Array, Numbers};
use latents_explore::neighbours::Metric;
use latents_report::{Cell, Table};
use serde::Serialize;

use crate::error::Result;

/// The neighbours of each query.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SearchResults {
    /// How distances are measured.
    pub metric: Metric,
    /// The number of vectors that were searched.
    pub searched: usize,
    /// One for each query, in their order.
    pub queries: Vec<QueryResult>,
}

/// The neighbours of a query.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QueryResult {
    /// The query: its file, its name, or its number.
    pub query: String,
    /// The vector of the collection that the query is, if it is one.
    pub member: Option<SearchItem>,
    /// Nearest first; if several are equally near, in the order of the collection.
    pub neighbours: Vec<Neighbour>,
}

/// A neighbour of a query.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Neighbour {
    /// Its place, from 1.
    pub rank: usize,
    /// What is known of it.
    #[serde(flatten)]
    pub item: SearchItem,
    /// Its distance from the query.
    pub distance: f32,
}

/// A vector of a collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SearchItem {
    /// Its number in the collection, from 0.
    pub index: usize,
    /// The name of its image, if known.
    pub name: Option<String>,
    /// The part of its data set, if known.
    pub part: Option<Part>,
    /// The name of its class, if known.
    pub label: Option<String>,
}

/// The name, or the number if it has none.
impl fmt::Display for SearchItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.index),
        }
    }
}

impl SearchResults {
    /// Query, rank, name, number, part, label and distance, a row for each neighbour.
    #[must_use]
    pub fn table(&self) -> Table {
        let columns = ["query", "rank", "name", "index", "part", "label", "distance"];
        let columns = columns.map(str::to_owned).to_vec();
        let text = |text: Option<String>| Cell::Text(text.unwrap_or_default());
        let rows = self.queries.iter().flat_map(|of| {
            of.neighbours.iter().map(|n| {
                vec![
                    Cell::Text(of.query.clone()),
                    Cell::Integer(n.rank as i128),
                    text(n.item.name.clone()),
                    Cell::Integer(n.item.index as i128),
                    text(n.item.part.map(|part| part.to_string())),
                    text(n.item.label.clone()),
                    Cell::from(f64::from(n.distance)),
                ]
            })
        });
        Table { columns, rows: rows.collect() }
    }

    /// Writes the results, in the format of the ending: `.npz`, `.csv`, `.md`, or JSON. An `.npz` file has `query` `[q]` (text), and of each query's `k`
    /// neighbours, nearest first, `index` (int64), `distance` (float32) and, if known, `name`, `part` and `label` (text), all `[q, k]`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        let text = match ending.as_deref() {
            Some("npz") => return Ok(npz::write(path, &self.arrays())?),
            Some("csv") => self.table().csv(),
            Some("md") => self.table().markdown(),
            _ => serde_json::to_string_pretty(self)? + "\n",
        };
        Ok(latents_files::write(path, text.as_bytes())?)
    }

    fn arrays(&self) -> Vec<Array> {
        let q = self.queries.len();
        let k = self.queries.first().map_or(0, |of| of.neighbours.len());
        let all = || self.queries.iter().flat_map(|of| &of.neighbours);
        let array = |name: &str, numbers| Array { name: name.into(), shape: vec![q, k], numbers };
        let queries = Numbers::Text(self.queries.iter().map(|of| of.query.clone()).collect());
        let mut arrays = vec![
            Array { name: "query".into(), shape: vec![q], numbers: queries },
            array("index", Numbers::I64(all().map(|n| n.item.index as i64).collect())),
            array("distance", Numbers::F32(all().map(|n| n.distance).collect())),
        ];
        let mut known = |name: &str, of: &dyn Fn(&SearchItem) -> Option<String>| {
            if all().any(|n| of(&n.item).is_some()) {
                let texts = all().map(|n| of(&n.item).unwrap_or_default());
                arrays.push(array(name, Numbers::Text(texts.collect())));
            }
        };
        known("name", &|item| item.name.clone());
        known("part", &|item| item.part.map(|part| part.to_string()));
        known("label", &|item| item.label.clone());
        arrays
    }
}
