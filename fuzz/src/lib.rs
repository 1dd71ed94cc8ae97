//! Mutators that know a format: they take a file apart, change a part of it, and put it together with lengths and checksums that are right. libFuzzer alone
//! changes bytes, and most of its changes are refused by the first check of a length or a checksum. Each module has a function `change` that returns a changed
//! file, or `None` for a file that it cannot take apart.

pub mod npy;
pub mod npz;
pub mod parquet;
pub mod safetensors;
pub mod study;
pub mod study_log;
mod thrift;

use latents_random::{Purpose, Stream, stream};
use libfuzzer_sys::fuzzer_mutate;

/// Mutates the first `size` bytes of `data`: three times of four by `change`, otherwise as libFuzzer does. Returns the new size.
pub fn mutate(
    data: &mut [u8],
    size: usize,
    max_size: usize,
    seed: u32,
    change: fn(&[u8], &mut Stream) -> Option<Vec<u8>>,
) -> usize {
    let mut random = stream(u64::from(seed), Purpose::Synthetic, 0, 0);
    if random.below(4) > 0 {
        let changed = change(&data[..size], &mut random);
        if let Some(changed) = changed.filter(|file| (1..=max_size).contains(&file.len())) {
            data[..changed.len()].copy_from_slice(&changed);
            return changed.len();
        }
    }
    fuzzer_mutate(data, size, max_size)
}

/// For readers that turn the panics of a decoder into errors: only a panic that leaves the reader ends the process. `libfuzzer-sys` would end it at each.
/// With the variable `SHOW_PANICS`, each is shown.
pub fn allow_caught_panics() {
    let shown = std::env::var_os("SHOW_PANICS").is_some();
    std::panic::set_hook(Box::new(move |panic| {
        if shown {
            eprintln!("{panic}");
        }
    }));
}

/// Lets libFuzzer change the bytes of a part, which may become longer or shorter.
fn mangle(part: &mut Vec<u8>) {
    let size = part.len();
    part.resize(size + 16, 0);
    let most = part.len();
    let size = fuzzer_mutate(part, size, most);
    part.truncate(size);
}

/// Lets libFuzzer change a text.
fn mangle_text(text: &mut String) {
    let mut bytes = std::mem::take(text).into_bytes();
    mangle(&mut bytes);
    *text = String::from_utf8_lossy(&bytes).into_owned();
}

/// A position in something of this length.
fn index(length: usize, random: &mut Stream) -> Option<usize> {
    (length > 0).then(|| random.below(length as u32) as usize)
}

/// One of several things.
fn pick<'a, T: ?Sized>(things: &[&'a T], random: &mut Stream) -> &'a T {
    things[random.below(things.len() as u32) as usize]
}

/// A number that a file may declare: mostly small, sometimes at the end of a range.
fn number(random: &mut Stream) -> i64 {
    const ENDS: [i64; 8] =
        [-1, 0xff, 0xffff, i32::MAX as i64, u32::MAX as i64, 1 << 53, i64::MIN, i64::MAX];
    match random.below(4) {
        0 => ENDS[random.below(8) as usize],
        1 => i64::from(random.below(1 << 12)),
        _ => i64::from(random.below(8)),
    }
}
