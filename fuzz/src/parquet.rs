//! Changes of a Parquet file: pages with a header each, then a footer in Thrift and its length. A page may become longer or shorter; what the footer says of
//! lengths and places follows.

use std::ops::Range;

use latents_random::Stream;

use crate::thrift::Value;
use crate::{index, mangle};

const MAGIC: &[u8] = b"PAR1";
// Fields of the footer, of a group of rows, of a column and of its metadata.
const GROUPS: i16 = 4;
const COLUMNS: i16 = 1;
const METADATA: i16 = 3;
const LENGTH: i16 = 7;
const DATA_PAGE: i16 = 9;
const DICTIONARY_PAGE: i16 = 11;
// Fields of the header of a page.
const RAW_SIZE: i16 = 2;
const SIZE: i16 = 3;

/// A page by the bytes of its header and of its content.
struct Page {
    header: Range<usize>,
    content: Range<usize>,
}

/// Changes a file.
pub fn change(file: &[u8], random: &mut Stream) -> Option<Vec<u8>> {
    let end = file.strip_suffix(MAGIC)?;
    let (rest, length) = end.split_last_chunk()?;
    let start = rest.len().checked_sub(u32::from_le_bytes(*length) as usize)?;
    let (body, mut footer) = (rest[..start].to_vec(), &rest[start..]);
    let mut footer = Value::read(&mut footer)?;
    match random.below(5) {
        0 | 1 => {
            footer.change(random)?;
            Some(write(body, &footer))
        }
        kind => change_page(body, footer, kind == 2, random),
    }
}

/// Changes the content of a page, or what its header says.
fn change_page(
    mut body: Vec<u8>,
    mut footer: Value,
    of_header: bool,
    random: &mut Stream,
) -> Option<Vec<u8>> {
    let mut columns = columns(&mut footer);
    let at = index(columns.len(), random)?;
    let pages = pages(&body, columns[at])?;
    let page = &pages[index(pages.len(), random)?];
    let mut header = Value::read(&mut &body[page.header.clone()])?;
    let mut content = body[page.content.clone()].to_vec();
    if of_header {
        header.change(random)?;
    } else {
        mangle(&mut content);
        let more = content.len() as i64 - page.content.len() as i64;
        for field in [SIZE, RAW_SIZE] {
            add(header.field(field)?.number()?, more);
        }
    }
    let new = [header.write(), content].concat();
    let old = page.header.start..page.content.end;
    let more = new.len() as i64 - old.len() as i64;
    add(columns[at].field(LENGTH)?.number()?, more);
    for column in columns {
        for field in [DATA_PAGE, DICTIONARY_PAGE] {
            let place = column.field(field).and_then(Value::number);
            if let Some(place) = place.filter(|place| **place > old.start as i64) {
                add(place, more);
            }
        }
    }
    body.splice(old, new);
    Some(write(body, &footer))
}

/// The number may be that of an earlier change, at the end of its range.
fn add(number: &mut i64, more: i64) {
    *number = number.wrapping_add(more);
}

/// The metadata of all columns.
fn columns(footer: &mut Value) -> Vec<&mut Value> {
    let groups = footer.field(GROUPS).map_or(&mut [][..], Value::items);
    let columns = groups.iter_mut().filter_map(|group| group.field(COLUMNS)).flat_map(Value::items);
    columns.filter_map(|column| column.field(METADATA)).collect()
}

/// The pages of a column.
fn pages(body: &[u8], column: &mut Value) -> Option<Vec<Page>> {
    let mut place = |field| column.field(field)?.number().map(|number| *number as usize);
    let mut at = place(DATA_PAGE)?.min(place(DICTIONARY_PAGE).unwrap_or(usize::MAX));
    let end = at.checked_add(place(LENGTH)?).filter(|&end| end <= body.len())?;
    let mut pages = vec![];
    while at < end {
        let mut rest = &body[at..end];
        let mut header = Value::read(&mut rest)?;
        let start = end - rest.len();
        let size = usize::try_from(*header.field(SIZE)?.number()?).ok()?;
        let end = start.checked_add(size).filter(|&page| page <= end)?;
        pages.push(Page { header: at..start, content: start..end });
        at = end;
    }
    Some(pages)
}

fn write(body: Vec<u8>, footer: &Value) -> Vec<u8> {
    let footer = footer.write();
    [&body, &footer[..], &(footer.len() as u32).to_le_bytes(), MAGIC].concat()
}
