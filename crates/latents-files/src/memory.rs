//! How much memory may be used, to refuse what would need more before any of it is taken: the system would end the process, or a part of the
//! machine with it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The limit that was set; 0 for none.
static LIMIT: AtomicU64 = AtomicU64::new(0);

/// Something needs more memory than there is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} needs about {}, and {} of memory are free", Bytes(*.needed), Bytes(*.free))]
pub struct TooLarge {
    /// What needs it.
    pub what: String,
    /// Bytes that it needs.
    pub needed: u64,
    /// Bytes that it may use.
    pub free: u64,
}

/// Sets how many bytes one piece of work of this process may use, in place of what is free; `None` goes back to what is free.
pub fn set_memory_limit(bytes: Option<u64>) {
    LIMIT.store(bytes.unwrap_or(0), Ordering::Relaxed);
}

/// The bytes that may be used: those that were set, or else those that are free now, in the machine and in the control groups of the process;
/// none if the system does not tell.
#[must_use]
pub fn memory_limit() -> Option<u64> {
    match LIMIT.load(Ordering::Relaxed) {
        0 => [of_machine(), of_groups()].into_iter().flatten().min(),
        bytes => Some(bytes),
    }
}

/// Checks that so many bytes may be used.
///
/// ```
/// use latents_files::{check_memory, set_memory_limit};
///
/// set_memory_limit(Some(1_000_000_000));
/// assert!(check_memory("the array", 999_999_999).is_ok());
/// let error = check_memory("the array", 3_400_000_000).unwrap_err();
/// assert_eq!(error.to_string(), "the array needs about 3.4 GB, and 1.0 GB of memory are free");
/// # set_memory_limit(None);
/// ```
///
/// # Errors
/// [`TooLarge`] if they are more than [`memory_limit`].
pub fn check_memory(what: &str, needed: u64) -> Result<(), TooLarge> {
    match memory_limit() {
        Some(free) if needed > free => Err(TooLarge { what: what.to_owned(), needed, free }),
        _ => Ok(()),
    }
}

/// What is unpacked to no more than this is never too much.
const HARMLESS: u64 = 128 << 20;
/// How many times as large as their file images may be. Repeated values compress by up to 1,000 times, masks that are mostly of one value by some
/// hundred times, and photographs and drawings by up to some 120 times.
pub const MOST_EXPANSION_OF_IMAGES: u64 = 400;

/// A file unpacks to far more than it has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} unpacks from {} to {} or more, over {most} times as much, as files do that are made to fill memory; \
     if it is real, write it without compression", Bytes(*.packed), Bytes(*.unpacked)
)]
pub struct TooExpanded {
    /// What unpacks.
    pub what: String,
    /// Bytes before.
    pub packed: u64,
    /// Bytes that it takes after, so far.
    pub unpacked: u64,
    /// How many times as much is allowed.
    pub most: u64,
}

/// Checks that data are at most so many times as large as they were packed, so that a small file cannot fill the memory. Call it before, with what
/// the file declares, and while it is unpacked, with what has come.
///
/// ```
/// use latents_files::{MOST_EXPANSION_OF_IMAGES, check_expansion};
///
/// let check = |packed, unpacked| {
///     check_expansion("the array", packed, unpacked, MOST_EXPANSION_OF_IMAGES)
/// };
/// assert!(check(26_000_000, 3_020_000_000).is_ok());
/// let error = check(3_000_000, 3_000_000_000).unwrap_err();
/// assert!(error.to_string().starts_with("the array unpacks from 3.0 MB to 3.0 GB or more, over 400 times"));
/// assert!(check(100, 100_000_000).is_ok());
/// ```
///
/// # Errors
/// [`TooExpanded`] if they take more than 128 MiB and more than `most` times as much.
pub fn check_expansion(
    what: &str,
    packed: u64,
    unpacked: u64,
    most: u64,
) -> Result<(), TooExpanded> {
    if unpacked <= HARMLESS || unpacked / most <= packed {
        return Ok(());
    }
    Err(TooExpanded { what: what.to_owned(), packed, unpacked, most })
}

/// A number of bytes for people, in units of 1000.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
        let bytes = self.0 as f64;
        // 999.95 MB would be 1000.0 MB.
        match units.into_iter().find(|(size, _)| bytes >= 0.99995 * size) {
            Some((size, unit)) => write!(f, "{:.1} {unit}", bytes / size),
            None => write!(f, "{bytes} bytes"),
        }
    }
}

/// What Linux could give to new work.
fn of_machine() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| 1024 * kib)
}

/// The least that is left in the control groups (version 2) of this process.
fn of_groups() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let root = PathBuf::from("/sys/fs/cgroup");
    let group = root.join(path);
    group.ancestors().take_while(|group| group.starts_with(&root)).filter_map(left_in).min()
}

/// What is left in a control group with a limit; the cache of files counts as free.
fn left_in(group: &Path) -> Option<u64> {
    let number = |name: &str| std::fs::read_to_string(group.join(name)).ok()?.trim().parse().ok();
    let (most, used): (u64, u64) = (number("memory.max")?, number("memory.current")?);
    let statistics = std::fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    let of_files = |line: &str| {
        let (name, bytes) = line.split_once(' ')?;
        let is_cache = matches!(name, "active_file" | "inactive_file" | "slab_reclaimable");
        bytes.parse::<u64>().ok().filter(|_| is_cache)
    };
    let cache: u64 = statistics.lines().filter_map(of_files).sum();
    Some(most.saturating_sub(used.saturating_sub(cache)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_what_its_limit_leaves_and_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        assert_eq!(left_in(folder.path()), None);
        write("memory.max", "1000\n");
        write("memory.current", "700\n");
        write("memory.stat", "anon 500\nactive_file 30\ninactive_file 120\n");
        assert_eq!(left_in(folder.path()), Some(450));
        write("memory.max", "max\n");
        assert_eq!(left_in(folder.path()), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_machine_tells() {
        let free = of_machine().unwrap();
        assert!((1 << 20..1 << 46).contains(&free), "{free}");
    }

    #[test]
    fn bytes_are_readable() {
        let texts = [999, 1_500, 999_960, 20_800_000_000].map(|bytes| Bytes(bytes).to_string());
        assert_eq!(texts, ["999 bytes", "1.5 kB", "1.0 MB", "20.8 GB"]);
    }
}
