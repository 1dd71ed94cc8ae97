//! Checks of what a Parquet file declares, before the crate `parquet` reserves memory for it: the tree of the schema, and the sizes of
//! pages. A hostile file may be small and declare gigabytes.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use parquet::basic::{Compression, Type as Physical};
use parquet::file::metadata::ColumnChunkMetaData;

use super::thrift::{Cursor, I32, LIST, STRUCT};
use crate::expansion::check_expansion;

/// How deep groups are nested at most.
const MAX_DEPTH: usize = 64;
/// The most bytes of a page, and of a footer.
const MAX_BYTES: u64 = 1 << 30;
/// Bytes of a page's header that are read at first; then those with large statistics.
const HEADER_BYTES: [u64; 2] = [1 << 12, 1 << 24];

/// Whether this build can decompress columns.
pub(super) fn codecs(codecs: impl Iterator<Item = Compression>) -> Result<(), String> {
    for codec in codecs {
        let known =
            matches!(codec, Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::GZIP(_));
        if !known {
            let name = codec.to_string();
            let name = name.split('(').next().unwrap_or_default();
            return Err(format!(
                "it is compressed by {name}, which is not supported; write it with Snappy or gzip"
            ));
        }
    }
    Ok(())
}

/// Checks the schema in the footer: the crate reserves memory for as many children as a group declares, and nests calls as groups.
pub(super) fn footer(mut file: &File) -> Result<(), String> {
    let broken = |e: std::io::Error| e.to_string();
    let size = file.seek(SeekFrom::End(0)).map_err(broken)?;
    if size < 12 {
        return Err("it is too short".into());
    }
    let mut end = [0; 8];
    file.seek(SeekFrom::Start(size - 8)).and_then(|_| file.read_exact(&mut end)).map_err(broken)?;
    if &end[4..] != b"PAR1" {
        return Err("its end is missing".into());
    }
    let length = u64::from(u32::from_le_bytes([end[0], end[1], end[2], end[3]]));
    if length > MAX_BYTES || length + 12 > size {
        return Err(format!("its footer declares {length} bytes"));
    }
    let mut bytes = vec![0; length as usize];
    file.seek(SeekFrom::Start(size - 8 - length))
        .and_then(|_| file.read_exact(&mut bytes))
        .map_err(broken)?;
    file.seek(SeekFrom::Start(0)).map_err(broken)?;
    let children = schema(&bytes).ok_or("its footer is damaged")?;
    // The groups that are not complete, as the number of children that they lack.
    let mut open: Vec<i64> = vec![];
    for &n in &children {
        if n > children.len() as i64 {
            return Err(format!("a group of its schema declares {n} columns"));
        }
        if let Some(last) = open.last_mut() {
            *last -= 1;
        }
        if n > 0 {
            open.push(n);
        }
        while open.last().is_some_and(|&n| n <= 0) {
            open.pop();
        }
        if open.len() > MAX_DEPTH {
            return Err("its groups are nested too deeply".into());
        }
    }
    Ok(())
}

/// The number of children of each node of the schema, which is field 2 of the footer.
fn schema(bytes: &[u8]) -> Option<Vec<i64>> {
    let mut cursor = Cursor::new(bytes);
    let mut last = 0;
    let mut children = vec![];
    while let Some((field, kind)) = cursor.field(&mut last)? {
        if (field, kind) != (2, LIST) {
            cursor.skip(kind)?;
            continue;
        }
        let (nodes, kind) = cursor.list()?;
        if kind != STRUCT {
            return None;
        }
        for _ in 0..nodes {
            let (mut last, mut count) = (0, 0);
            while let Some((field, kind)) = cursor.field(&mut last)? {
                if (field, kind) == (5, I32) {
                    count = cursor.number()?;
                } else {
                    cursor.skip(kind)?;
                }
            }
            children.push(count);
        }
    }
    Some(children)
}

/// What a page declares.
#[derive(Debug, Default)]
struct Page {
    header: u64,
    raw: i64,
    compressed: i64,
    /// Values of a page of data, or of a dictionary.
    values: i64,
    is_dictionary: bool,
    /// How a page of data is encoded.
    encoding: i64,
}

/// The encodings of pages whose values are places in a dictionary.
const OF_DICTIONARY: [i64; 2] = [2, 8];

/// What the pages of a column take in memory while they are read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pages {
    /// Bytes of the largest page, and of the dictionary.
    pub(super) raw: u64,
    /// Values of all pages.
    pub(super) values: u64,
}

/// Checks the pages of a column before they are read.
pub(super) fn pages(mut file: &File, column: &ColumnChunkMetaData) -> Result<Pages, String> {
    let broken = |e: std::io::Error| e.to_string();
    let size = file.seek(SeekFrom::End(0)).map_err(broken)?;
    // The crate takes for granted what is checked here.
    let places = [Some(column.data_page_offset()), column.dictionary_page_offset()];
    if places.into_iter().flatten().chain([column.compressed_size()]).any(|n| n < 0) {
        return Err("the place or the length of a column is negative".into());
    }
    let (start, length) = column.byte_range();
    let end = start.checked_add(length).filter(|&end| end <= size);
    let end = end.ok_or("a column ends after the file")?;
    let mut at = start;
    let mut has_dictionary = false;
    let (mut all, mut of_dictionary) = (Pages::default(), 0);
    while at < end {
        let page = page(file, at, end)?;
        has_dictionary |= page.is_dictionary;
        if OF_DICTIONARY.contains(&page.encoding) && !page.is_dictionary && !has_dictionary {
            return Err("the dictionary of a column is missing".into());
        }
        let rest = end - at - page.header;
        let compressed = u64::try_from(page.compressed).ok().filter(|&n| n <= rest);
        let compressed = compressed.ok_or("a page ends after its column")?;
        // What the codec can expand at most; a repetition of a value takes no less.
        let most = match column.compression() {
            Compression::SNAPPY => compressed.saturating_mul(24),
            Compression::GZIP(_) => compressed.saturating_mul(1100),
            _ => compressed,
        };
        let raw = u64::try_from(page.raw).ok().filter(|&n| n <= MAX_BYTES && n <= most + 64);
        let raw = raw.ok_or_else(|| {
            format!("a page of {compressed} bytes declares {} when decompressed", page.raw)
        })?;
        let values = match (page.is_dictionary, column.column_type()) {
            (true, Physical::BOOLEAN | Physical::FIXED_LEN_BYTE_ARRAY) => raw,
            (true, _) => raw / 4,
            // Repetitions take few bytes.
            (false, _) => raw.saturating_mul(1 << 10) + (1 << 20),
        };
        let declared = u64::try_from(page.values).ok().filter(|&n| n <= values);
        let declared = declared
            .ok_or_else(|| format!("a page of {raw} bytes declares {} values", page.values))?;
        check_expansion("a page", compressed, raw).map_err(|e| e.to_string())?;
        if page.is_dictionary {
            of_dictionary = raw;
        } else {
            all.raw = all.raw.max(raw);
            all.values = all.values.saturating_add(declared);
        }
        at += page.header + compressed;
    }
    all.raw += of_dictionary;
    Ok(all)
}

/// Reads the header of the page at an offset.
fn page(mut file: &File, at: u64, end: u64) -> Result<Page, String> {
    for most in HEADER_BYTES {
        let mut bytes = vec![];
        file.seek(SeekFrom::Start(at))
            .and_then(|_| file.take(most.min(end - at)).read_to_end(&mut bytes))
            .map_err(|e| e.to_string())?;
        if let Some(page) = header(&bytes) {
            return Ok(page);
        }
    }
    Err("the header of a page is damaged".into())
}

fn header(bytes: &[u8]) -> Option<Page> {
    let mut cursor = Cursor::new(bytes);
    let mut page = Page::default();
    let mut last = 0;
    while let Some((field, kind)) = cursor.field(&mut last)? {
        match (field, kind) {
            (2, I32) => page.raw = cursor.number()?,
            (3, I32) => page.compressed = cursor.number()?,
            // Headers of data, of a dictionary, and of data in version 2; the number of values is first in each.
            (5 | 7 | 8, STRUCT) => {
                page.is_dictionary = field == 7;
                let encoding = if field == 8 { 4 } else { 2 };
                let mut last = 0;
                while let Some((field, kind)) = cursor.field(&mut last)? {
                    match (field, kind) {
                        (1, I32) => page.values = cursor.number()?,
                        (n, I32) if n == encoding => page.encoding = cursor.number()?,
                        _ => cursor.skip(kind)?,
                    }
                }
            }
            _ => cursor.skip(kind)?,
        }
    }
    page.header = cursor.position() as u64;
    Some(page)
}
