//! A table in a file: what its columns are, and its rows whole or in batches.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use latents_files::{FileError, TooLarge};

use crate::csv::Options;
use crate::expansion::check_expansion;
use crate::table::{Column, ColumnTable, Field, Kind};
use crate::{Error, Format, READ_ENDINGS, Result, csv, jsonl};

/// The most cells of a table that is read at once.
const MAX_CELLS: usize = 1 << 31;

/// A table in a file.
///
/// ```
/// use latents_tables::{Kind, TableFile};
///
/// let file = std::env::temp_dir().join(format!("batches-{}.csv", std::process::id()));
/// std::fs::write(&file, "name;label\na.png;3\nb.png;4\nc.png;\n").expect("a file");
/// let table = TableFile::open(&file)?;
/// assert_eq!((table.rows(), table.fields()[1].kind), (3, Kind::I64));
/// let rows: Vec<usize> = table.batches(&["label"], 2)?.map(|b| b.map_or(0, |b| b.rows())).collect();
/// assert_eq!(rows, [2, 1]);
/// # std::fs::remove_file(file).expect("a file that was written");
/// # Ok::<(), latents_tables::Error>(())
/// ```
#[derive(Debug)]
pub struct TableFile {
    path: PathBuf,
    rows: usize,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Csv(csv::Layout),
    JsonLines(Vec<Field>),
    #[cfg(feature = "parquet")]
    Parquet(Box<crate::parquet::Layout>),
}

/// Batches of rows of a file: tables with the chosen columns.
pub struct Batches<'a>(Box<dyn Iterator<Item = Result<ColumnTable>> + 'a>);

impl Iterator for Batches<'_> {
    type Item = Result<ColumnTable>;

    fn next(&mut self) -> Option<Result<ColumnTable>> {
        self.0.next()
    }
}

impl TableFile {
    /// Opens a file in the format that its ending says, and finds out its columns and the number of its rows. For CSV and JSON lines,
    /// this reads the file once.
    ///
    /// # Errors
    /// [`Error::Ending`] if the ending is not one of [`READ_ENDINGS`], [`Error::NoParquet`] without the feature, [`Error::File`] or
    /// [`Error::Content`] if the file cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, Options::default())
    }

    /// Like [`TableFile::open`], with choices for CSV.
    ///
    /// # Errors
    /// As for [`TableFile::open`].
    pub fn open_with(path: &Path, options: Options) -> Result<Self> {
        let mut format = Format::of(path, &READ_ENDINGS)?;
        let mut start = vec![];
        let file = File::open(path).map_err(FileError::on("read", path))?;
        file.take(4).read_to_end(&mut start).map_err(FileError::on("read", path))?;
        if start == b"PAR1" {
            format = Format::Parquet;
        }
        let (rows, content) = match format {
            Format::Csv => {
                let (rows, layout) = csv::open(path, options)?;
                (rows, Content::Csv(layout))
            }
            Format::JsonLines => {
                let (rows, fields) = jsonl::open(path)?;
                (rows, Content::JsonLines(fields))
            }
            #[cfg(feature = "parquet")]
            Format::Parquet => {
                let layout = crate::parquet::open(path)?;
                (layout.rows(), Content::Parquet(Box::new(layout)))
            }
            #[cfg(not(feature = "parquet"))]
            Format::Parquet => return Err(Error::NoParquet { path: path.to_owned() }),
        };
        Ok(Self { path: path.to_owned(), rows, content })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns that can be read, in the order of the file.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        match &self.content {
            Content::Csv(layout) => &layout.fields,
            Content::JsonLines(fields) => fields,
            #[cfg(feature = "parquet")]
            Content::Parquet(layout) => layout.fields(),
        }
    }

    /// The names of the columns that cannot be read, with reasons.
    #[must_use]
    pub fn unreadable(&self) -> &[(String, String)] {
        match &self.content {
            #[cfg(feature = "parquet")]
            Content::Parquet(layout) => layout.unreadable(),
            Content::Csv(_) | Content::JsonLines(_) => &[],
        }
    }

    /// Whether the columns have names in the file; otherwise they are `column 1`, `column 2`, ...
    #[must_use]
    pub fn is_named(&self) -> bool {
        match &self.content {
            Content::Csv(layout) => layout.header,
            Content::JsonLines(_) => true,
            #[cfg(feature = "parquet")]
            Content::Parquet(_) => true,
        }
    }

    /// Keys and values that a Parquet file has besides its columns.
    #[must_use]
    pub fn metadata(&self) -> &[(String, String)] {
        match &self.content {
            #[cfg(feature = "parquet")]
            Content::Parquet(layout) => layout.metadata(),
            Content::Csv(_) | Content::JsonLines(_) => &[],
        }
    }

    /// The names of the classes that the whole numbers of a column stand for, if the file was written by Hugging Face `datasets` with a
    /// `ClassLabel`.
    #[must_use]
    pub fn class_names(&self, column: &str) -> Option<Vec<String>> {
        let (_, text) = self.metadata().iter().find(|(key, _)| key == "huggingface")?;
        let json: serde_json::Value = serde_json::from_str(text).ok()?;
        let feature = json.get("info")?.get("features")?.get(column)?;
        let names = feature.get("names")?.as_array()?;
        names.iter().map(|name| name.as_str().map(str::to_owned)).collect()
    }

    /// Reads columns in batches of so many rows; only the last may have fewer. The columns of a batch are in the order of `columns`. No
    /// more than a batch, and in Parquet a page of each column, is in memory.
    ///
    /// # Errors
    /// [`Error::NoColumn`] for an unknown column, [`Error::File`] or [`Error::Content`] if the file cannot be read; the same for each
    /// batch, after which there are no more.
    pub fn batches(&self, columns: &[&str], rows: usize) -> Result<Batches<'_>> {
        let fields = self.fields();
        let named = fields.iter().enumerate().map(|(i, field)| (field.name.as_str(), i));
        let places: HashMap<&str, usize> = named.collect();
        let mut chosen = vec![];
        for &name in columns {
            chosen.push(places.get(name).copied().ok_or_else(|| {
                let known = fields.iter().map(|field| field.name.clone()).collect();
                Error::NoColumn { path: self.path.clone(), name: name.into(), known }
            })?);
        }
        let rows = rows.max(1);
        Ok(Batches(match &self.content {
            Content::Csv(layout) => Box::new(csv::batches(&self.path, layout, chosen, rows)?),
            Content::JsonLines(fields) => {
                Box::new(jsonl::batches(&self.path, fields, chosen, rows)?)
            }
            #[cfg(feature = "parquet")]
            Content::Parquet(layout) => Box::new(layout.batches(&self.path, chosen, rows)?),
        }))
    }

    /// Reads columns as a whole.
    ///
    /// # Errors
    /// As for [`TableFile::batches`]; or if there are more than 2^31 cells, they are far larger than the file, or than the memory that is free.
    pub fn read_columns(&self, columns: &[&str]) -> Result<ColumnTable> {
        if self.rows.saturating_mul(columns.len()) > MAX_CELLS {
            let reason =
                format!("{} rows of {} columns are too many to read", self.rows, columns.len());
            return Err(Error::content(&self.path, reason));
        }
        // Numbers and places of text take 8 bytes or more.
        let least = 8 * self.rows as u64 * columns.len() as u64;
        let free = latents_files::memory_limit();
        self.check_size(least, free)?;
        let mut table: Option<ColumnTable> = None;
        let mut bytes = 0;
        for batch in self.batches(columns, 1 << 13)? {
            let batch = batch?;
            bytes += batch.columns.iter().map(|column| column.values.bytes()).sum::<u64>();
            if bytes > least {
                self.check_size(bytes, free)?;
            }
            match &mut table {
                None => table = Some(batch),
                Some(table) => {
                    for (column, more) in table.columns.iter_mut().zip(batch.columns) {
                        column.values.append(more.values);
                    }
                }
            }
        }
        let empty = |&name: &&str| {
            let kind =
                self.fields().iter().find(|field| field.name == name).map(|field| field.kind);
            Column::new(name, kind.unwrap_or(Kind::Text).empty())
        };
        Ok(table.unwrap_or_else(|| ColumnTable { columns: columns.iter().map(empty).collect() }))
    }

    /// Refuses a table whose values take so many bytes in memory, if they are too many for the file or for what was free.
    fn check_size(&self, needed: u64, free: Option<u64>) -> Result<()> {
        let packed =
            std::fs::metadata(&self.path).map_err(FileError::on("read", &self.path))?.len();
        check_expansion("it", packed, needed)
            .map_err(|e| Error::content(&self.path, e.to_string()))?;
        match free {
            Some(free) if needed > free => {
                let too_large = TooLarge { what: "it".into(), needed, free };
                Err(Error::content(&self.path, too_large.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// Reads all columns that can be read.
    ///
    /// # Errors
    /// As for [`TableFile::read_columns`].
    pub fn read(&self) -> Result<ColumnTable> {
        let names: Vec<&str> = self.fields().iter().map(|field| field.name.as_str()).collect();
        self.read_columns(&names)
    }
}
