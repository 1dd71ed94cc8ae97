//! What can go wrong with a study.

/// An error of a study.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A distribution that contradicts itself, or a value that is none of it.
    #[error("{0}")]
    Distribution(String),
    /// A search space that contradicts itself.
    #[error("search space: {0}")]
    Space(String),
    /// A parameter that means another thing in the study's earlier trials.
    #[error(
        "parameter `{name}` is {now} here, but {before} in the study's earlier trials; take another study"
    )]
    Incompatible {
        /// Which parameter.
        name: String,
        /// In this trial.
        now: String,
        /// In an earlier one.
        before: String,
    },
    /// The address of a storage cannot be understood, or its kind is not built in.
    #[error("study storage {url}: {reason}")]
    Address {
        /// As it was given.
        url: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The storage refuses.
    #[error("study storage {url}: cannot {action}: {reason}")]
    Storage {
        /// Which storage, without a password.
        url: String,
        /// What was tried.
        action: &'static str,
        /// Why it failed, in the storage's words.
        reason: String,
    },
    /// The study is not the one that is asked for.
    #[error("study `{study}`: {reason}")]
    Study {
        /// Its name.
        study: String,
        /// What does not fit.
        reason: String,
    },
    /// Another worker has taken the trial up, or it is over; this worker must leave it alone.
    #[error("trial {number} is another worker's now")]
    Lost {
        /// Which trial.
        number: u64,
    },
    /// A trial was queued with a value that its parameter cannot have.
    #[error("trial {number} was queued with a value that `{name}` cannot have: {reason}")]
    Queued {
        /// Which trial.
        number: u64,
        /// Of which parameter.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The objective cannot go on, for a reason that another trial would meet too.
    #[error("trial {number}: {reason}")]
    Objective {
        /// Which trial.
        number: u64,
        /// What it said.
        reason: String,
    },
}
