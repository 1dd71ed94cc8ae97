//! Image collections: sources, splits, shuffling.
