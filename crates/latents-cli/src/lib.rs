//! The command `latents`: parses its flags, calls the library, and prints the result as text or JSON. The binary and the Python package both call
//! [`main`].

mod commands;
mod hints;
mod output;
mod reporter;
mod shell;
mod signals;

use std::ffi::OsString;
use std::sync::Arc;

use anyhow::Result;
use clap::{Parser, Subcommand};
use latents::{Cancel, Session};

use crate::commands::{
    completions, data, decode, duplicates, encode, evaluate, figures, init, map, merge, outliers,
    predict, probe, reconstruct, sample, search, study, train, traverse, tune,
};
use crate::output::Output;
use crate::reporter::Terminal;

/// Learn, tune and explore latent spaces of image collections on an ordinary CPU.
#[derive(Debug, Parser)]
#[command(
    name = "latents",
    version,
    max_term_width = 100,
    after_help = "Start here:\n  latents study                            the whole study of Fashion-MNIST, and a page to read\n  latents study ./photos --out runs/mine   the same of your own pictures\n  latents train ae --out runs/ae           an autoencoder by itself\n\n`latents help COMMAND` tells more about each."
)]
struct Cli {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    command: Command,
}

/// The flags that every command has.
#[derive(Debug, clap::Args)]
struct Shared {
    /// Worker threads; results do not depend on them [default: one for each core]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Instruction set of the kernels; results do not depend on it [default: the best one]
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    isa: Option<latents::Isa>,
    /// Use the files of a finished run as they are, even if they have changed since it was trained
    #[arg(long, global = true, hide_short_help = true)]
    force: bool,
    /// Memory that one piece of work may take, such as 8GB [default: what is free]
    #[arg(long, global = true, value_name = "SIZE", hide_short_help = true, value_parser = memory)]
    memory: Option<u64>,
    /// Print the result as one JSON object
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    /// Train a model, or resume its training
    #[command(subcommand)]
    Train(train::Model),
    /// Search for the settings that give the best value
    #[command(subcommand)]
    Tune(tune::Tune),
    Study(study::Study),
    Duplicates(duplicates::Duplicates),
    Encode(encode::Encode),
    Decode(decode::Decode),
    Reconstruct(reconstruct::Reconstruct),
    Evaluate(evaluate::Evaluate),
    Predict(predict::Predict),
    Merge(merge::Merge),
    Probe(probe::Probe),
    Map(map::Map),
    Sample(sample::Sample),
    Traverse(traverse::Traverse),
    Search(search::Search),
    Outliers(outliers::Outliers),
    Figures(figures::Figures),
    /// List the known data sets, download one, or show what is in one
    #[command(subcommand)]
    Data(data::Data),
    Completions(completions::Completions),
}

impl Shared {
    /// The session that the flags ask for: it reports to the terminal and is cancelled by signals.
    fn session(&self, output: Output) -> Result<Session> {
        let cancel = Cancel::default();
        signals::cancel_on_signals(cancel.clone())?;
        let session = Session::default().cancel(cancel).reporter(Arc::new(Terminal::new(output)));
        let session = session.accept_changes(self.force);
        latents_files::set_memory_limit(self.memory);
        if let Some(threads) = self.threads {
            // Pictures are read outside the session's pool.
            rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global()?;
        }
        let session = self.threads.into_iter().fold(session, |s, n| s.threads(n.into()));
        Ok(self.isa.into_iter().fold(session, Session::isa))
    }
}

/// A number of bytes such as 8GB or 500MB, in units of 1000.
fn memory(text: &str) -> Result<u64, String> {
    let units = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6)];
    let unit = units.iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, size)));
    let bytes = unit.and_then(|(number, size)| Some(number.trim().parse::<f64>().ok()? * size));
    match bytes {
        Some(bytes) if (1e6..1e18).contains(&bytes) => Ok(bytes as u64),
        _ => Err("a size is a number of MB, GB or TB, such as 8GB".into()),
    }
}

/// Runs the command with these arguments, of which the first is the program's own name, and returns its exit code: 0 on success, 1 on failure, 2 if the
/// command line is wrong, 128 and the number of the signal if one stopped it (130 for Ctrl-C).
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // A reader that is gone needs no help.
            let _ = error.print();
            return error.exit_code() as u8;
        }
    };
    let output = Output::new(cli.shared.json);
    match run(&cli, output) {
        Ok(code) => code,
        Err(error) if output::is_broken_pipe(&error) => 0,
        Err(error) if output::is_interrupted(&error) => {
            output.note("Stopped.");
            signals::stopped()
        }
        Err(error) => {
            output::error(&error);
            1
        }
    }
}

fn run(cli: &Cli, output: Output) -> Result<u8> {
    let session = || cli.shared.session(output);
    match &cli.command {
        Command::Init(command) => command.run(output)?,
        Command::Train(model) => return train::run(model, &session()?, output),
        Command::Tune(what) => return tune::run(what, &session()?, output),
        Command::Study(command) => return command.run(&session()?, output),
        Command::Duplicates(command) => command.run(&session()?, output)?,
        Command::Encode(command) => command.run(&session()?, output)?,
        Command::Decode(command) => command.run(&session()?, output)?,
        Command::Reconstruct(command) => command.run(&session()?, output)?,
        Command::Evaluate(command) => command.run(&session()?, output)?,
        Command::Predict(command) => command.run(&session()?, output)?,
        Command::Merge(command) => command.run(&session()?, output)?,
        Command::Probe(command) => command.run(&session()?, output)?,
        Command::Map(command) => command.run(&session()?, output)?,
        Command::Sample(command) => command.run(&session()?, output)?,
        Command::Traverse(command) => command.run(&session()?, output)?,
        Command::Search(command) => command.run(&session()?, output)?,
        Command::Outliers(command) => command.run(&session()?, output)?,
        Command::Figures(command) => command.run(&session()?, output)?,
        Command::Data(command) => command.run(&session()?, output)?,
        Command::Completions(command) => command.run()?,
    }
    Ok(0)
}
