//! How much larger than its file a table may be.

use latents_files::TooExpanded;

/// How many times as large as it was packed a table may be.
const MOST_EXPANSION: u64 = 128;

/// Checks that a table, or a part of it, which errors call `what`, is not far larger than it was packed.
pub(crate) fn check_expansion(what: &str, packed: u64, unpacked: u64) -> Result<(), TooExpanded> {
    latents_files::check_expansion(what, packed, unpacked, MOST_EXPANSION)
}
