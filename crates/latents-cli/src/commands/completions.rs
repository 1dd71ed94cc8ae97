//! `latents completions`: scripts for shells.

use std::io::Write;

use anyhow::Result;
use clap::{Args, CommandFactory};

use crate::Cli;

/// Print a script that completes commands in your shell
///
/// `latents completions bash > ~/.local/share/bash-completion/completions/latents` installs it.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Which shell
    shell: clap_complete::Shell,
}

impl Completions {
    pub(crate) fn run(&self) -> Result<()> {
        let mut script = vec![];
        clap_complete::generate(self.shell, &mut Cli::command(), "latents", &mut script);
        std::io::stdout().lock().write_all(&script)?;
        Ok(())
    }
}
