//! Tests every storage with the same suite: who may write, which trial comes next, and what is read back. Tests that only a file or only a
//! server can have are in their own modules.

// Stored numbers are compared exactly; an `open` returns nothing if there is no server; results are asserted where they are made.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::unnecessary_wraps,
    clippy::needless_pass_by_value
)]

mod looking;
#[cfg(feature = "postgres")]
mod postgres;
mod shared;
mod sqlite;
mod suite;

use latents_tune::storage;

/// Defines a test for each function of the suite, with a storage that `$open` creates. `$open` receives the function's name.
macro_rules! hold_to_the_suite {
    ($open:path) => {
        crate::hold_to_the_suite! { $open:
            studies, study_notes, life_of_a_trial, the_last_write_counts, special_numbers, odd_notes,
            claims, limits, numbers, abandoned_trials, released_trials, queued_trials,
            what_comes_first, incompatible_parameters, impossible_ends, finished_trials_are_kept
        }
    };
    ($open:path: $($name:ident),*) => {
        mod held_to_the_suite {
            $(#[test]
            fn $name() {
                if let Some(opened) = $open(stringify!($name)) {
                    crate::suite::$name(&*opened.storage);
                }
            })*
        }
    };
}
use hold_to_the_suite;

/// A storage, and a value that must live as long.
struct Opened<K> {
    storage: std::sync::Arc<dyn storage::Storage>,
    _keep: K,
}

mod memory {
    fn open(_: &str) -> Option<super::Opened<()>> {
        Some(super::Opened { storage: super::storage::open("memory:").unwrap(), _keep: () })
    }

    super::hold_to_the_suite!(super::open);
}
