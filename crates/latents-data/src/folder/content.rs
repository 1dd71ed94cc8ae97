//! The place of a picture's bytes: a file of its own, a part of a file, or a row of a table.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use latents_tables::{Batches, TableFile, Values};

use crate::error::Error;
use crate::picture::{self, MAX_FILE};

/// The most bytes that are read of a file for its head, unless they do not suffice.
const HEAD: u64 = 1 << 16;
/// Rows of a table that are read at once.
const ROWS: usize = 64;

/// The place of a picture's bytes.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    File(PathBuf),
    /// A part of a file that has many pictures.
    Part {
        path: PathBuf,
        offset: u64,
        length: u64,
    },
    /// The row of this number, of all tables; rows are read in order.
    Row(usize),
}

impl Content {
    /// The bytes: those that were read in order, or those of the file.
    pub(crate) fn bytes<'a>(&self, read: Option<&'a RowBytes>) -> Result<Cow<'a, [u8]>, String> {
        match self {
            Self::File(path) => picture::bytes(path).map(Cow::Owned),
            Self::Part { length, .. } => self.part(*length).map(Cow::Owned),
            Self::Row(_) => match read {
                Some(Ok(bytes)) => Ok(Cow::Borrowed(bytes)),
                Some(Err(reason)) => Err(reason.clone()),
                None => Err("its row is missing".into()),
            },
        }
    }

    /// The first bytes, and the number of all.
    pub(crate) fn head(&self) -> Result<(Vec<u8>, u64), String> {
        let refused = |e: std::io::Error| format!("it cannot be read: {e}");
        match self {
            Self::File(path) => {
                let file = File::open(path).map_err(refused)?;
                let length = picture::check_length(file.metadata().map_err(refused)?.len())?;
                let mut bytes = vec![];
                file.take(HEAD).read_to_end(&mut bytes).map_err(refused)?;
                Ok((bytes, length))
            }
            Self::Part { length, .. } => Ok((self.part((*length).min(HEAD))?, *length)),
            Self::Row(_) => Err("its row is missing".into()),
        }
    }

    fn part(&self, length: u64) -> Result<Vec<u8>, String> {
        let Self::Part { path, offset, .. } = self else { return Ok(vec![]) };
        let refused = |e: std::io::Error| format!("it cannot be read: {e}");
        let length = picture::check_length(length)?;
        let mut file = File::open(path).map_err(refused)?;
        file.seek(SeekFrom::Start(*offset)).map_err(refused)?;
        let mut bytes = vec![];
        file.take(length.min(MAX_FILE)).read_to_end(&mut bytes).map_err(refused)?;
        if bytes.len() as u64 != length {
            return Err("it is cut short".into());
        }
        Ok(bytes)
    }

    /// Its row, if it is in a table.
    pub(crate) fn row(&self) -> Option<usize> {
        match self {
            Self::Row(row) => Some(*row),
            _ => None,
        }
    }

    /// The file, if the picture has its own.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            _ => None,
        }
    }
}

/// The bytes in a row of a table, or why there are none.
pub(crate) type RowBytes = Result<Vec<u8>, String>;

/// Tables of pictures, and the column that has their bytes.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(super) files: Vec<(TableFile, String)>,
}

/// Reads the rows of tables in order.
pub(crate) struct Rows<'a> {
    tables: &'a [(TableFile, String)],
    next: usize,
    batches: Option<Batches<'a>>,
    ready: std::vec::IntoIter<RowBytes>,
    /// The number of the next row, of all tables.
    row: usize,
}

impl Tables {
    pub(crate) fn rows(&self) -> Rows<'_> {
        Rows::of(&self.files)
    }
}

impl<'a> Rows<'a> {
    fn of(tables: &'a [(TableFile, String)]) -> Self {
        Rows { tables, next: 0, batches: None, ready: vec![].into_iter(), row: 0 }
    }

    /// The bytes of some rows; rows between them are skipped. Those before the last ones are read from the start.
    pub(crate) fn take(
        &mut self,
        wanted: impl IntoIterator<Item = usize>,
    ) -> Result<HashMap<usize, RowBytes>, Error> {
        let mut found = HashMap::new();
        if self.tables.is_empty() {
            return Ok(found);
        }
        for row in wanted {
            if row < self.row && !found.contains_key(&row) {
                *self = Self::of(self.tables);
            }
            while self.row <= row {
                let Some(bytes) = self.advance()? else { return Ok(found) };
                if self.row == row + 1 {
                    found.insert(row, bytes);
                }
            }
        }
        Ok(found)
    }

    fn advance(&mut self) -> Result<Option<RowBytes>, Error> {
        loop {
            if let Some(bytes) = self.ready.next() {
                self.row += 1;
                return Ok(Some(bytes));
            }
            let Some(batches) = &mut self.batches else {
                let Some((table, column)) = self.tables.get(self.next) else { return Ok(None) };
                self.batches = Some(table.batches(&[column.as_str()], ROWS)?);
                self.next += 1;
                continue;
            };
            match batches.next().transpose()? {
                None => self.batches = None,
                Some(mut batch) => {
                    let values = batch.columns.pop().map(|column| column.values);
                    let Some(Values::Bytes(all)) = values else { return Ok(None) };
                    let bytes = |b: Option<Vec<u8>>| match b {
                        Some(b) => picture::check_length(b.len() as u64).map(|_| b),
                        None => Err("its row has no bytes".to_owned()),
                    };
                    self.ready = all.into_iter().map(bytes).collect::<Vec<_>>().into_iter();
                }
            }
        }
    }
}
