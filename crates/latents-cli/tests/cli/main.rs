//! The `latents` command as its users meet it: what it prints, what it leaves, and how it ends. One program, a module for each
//! feature; how training goes is tested where it is written. No test needs a network or data that is not compiled in.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

mod bad_input;
mod classify;
mod codes;
mod conditional;
mod data;
mod defaults;
mod digests;
#[cfg(unix)]
mod disk;
mod explore;
mod figures;
mod init;
#[cfg(unix)]
mod interrupt;
mod latents;
mod search;
mod shards;
mod shell;
mod study;
mod support;
mod train;
mod tune;
mod vectors;
