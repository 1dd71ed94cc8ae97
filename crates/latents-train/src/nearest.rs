//! The known name that an unknown one was probably meant to be.

/// The known name with the smallest edit distance.
pub(crate) fn nearest<'a>(unknown: &str, known: &'a [String]) -> Option<&'a String> {
    known.iter().min_by_key(|known| strsim::levenshtein(unknown, known))
}
