//! Changes of a database with a write-ahead log behind it: of the database as in `study`, of the pages in the log, of their numbers and order, and of what a frame
//! says of its transaction. Checksums are right afterwards, most times.

use latents_random::Stream;

use crate::{index, mangle, number, study};

/// Lengths of the headers of the log and of a page in it.
const HEADER: usize = 32;
const FRAME: usize = 24;

/// Changes a database and its log.
pub fn change(file: &[u8], random: &mut Stream) -> Option<Vec<u8>> {
    let (database, log) = file.split_at(latents_fuzz_readers::database_length(file));
    if random.below(4) == 0 {
        let mut database = study::change(database, random)?;
        // It has a log.
        database.get_mut(18..20)?.fill(2);
        return Some([&database[..], log].concat());
    }
    let mut head = log.get(..HEADER)?.to_vec();
    let page = u32::from_be_bytes(head[8..12].try_into().ok()?) as usize;
    if !(512..=65_536).contains(&page) {
        return None;
    }
    let mut frames: Vec<Vec<u8>> = log[HEADER..].chunks(FRAME + page).map(<[u8]>::to_vec).collect();
    for _ in 0..=random.below(3) {
        change_frames(&mut frames, random)?;
    }
    if random.below(8) == 0 {
        let at = random.below(24) as usize;
        head[at] = random.below(256) as u8;
    }
    if random.below(8) > 0 {
        seal(&mut head, &mut frames);
    }
    Some([database, &head, &frames.concat()].concat())
}

fn change_frames(frames: &mut Vec<Vec<u8>>, random: &mut Stream) -> Option<()> {
    let at = index(frames.len(), random)?;
    match random.below(8) {
        0 => drop(frames.remove(at)),
        1 => frames.insert(at, frames[at].clone()),
        2 => frames.swap(0, at),
        3 => {
            // The number of the page, or of the pages that the database has after the transaction.
            let place = if random.below(2) == 0 { 0..4 } else { 4..8 };
            let new = number(random) as u32;
            frames[at].get_mut(place)?.copy_from_slice(&new.to_be_bytes());
        }
        4 => frames[at].truncate(FRAME + random.below(512) as usize),
        _ => {
            let length = frames[at].len();
            let mut data = frames[at].get(FRAME..)?.to_vec();
            mangle(&mut data);
            data.resize(length - FRAME, 0);
            frames[at].splice(FRAME.., data);
        }
    }
    Some(())
}

/// Writes the salts and the checksums of all frames.
fn seal(head: &mut [u8], frames: &mut [Vec<u8>]) {
    let big_endian = head[3] & 1 == 1;
    let sum = checksum([0, 0], &head[..24], big_endian);
    put(&mut head[24..], sum);
    let mut sum = sum;
    for frame in frames.iter_mut().filter(|frame| frame.len() >= FRAME) {
        frame[8..16].copy_from_slice(&head[16..24]);
        sum = checksum(sum, &frame[..8], big_endian);
        sum = checksum(sum, &frame[FRAME..], big_endian);
        put(&mut frame[16..], sum);
    }
}

fn put(bytes: &mut [u8], sum: [u32; 2]) {
    bytes[..4].copy_from_slice(&sum[0].to_be_bytes());
    bytes[4..8].copy_from_slice(&sum[1].to_be_bytes());
}

/// The checksum of <https://sqlite.org/fileformat2.html>, section 4.2; bytes after the last whole pair of words are left out.
fn checksum([mut a, mut b]: [u32; 2], bytes: &[u8], big_endian: bool) -> [u32; 2] {
    let word = |bytes: &[u8; 4]| {
        if big_endian { u32::from_be_bytes(*bytes) } else { u32::from_le_bytes(*bytes) }
    };
    for [x, y] in bytes.as_chunks::<4>().0.as_chunks::<2>().0 {
        a = a.wrapping_add(word(x)).wrapping_add(b);
        b = b.wrapping_add(word(y)).wrapping_add(a);
    }
    [a, b]
}
