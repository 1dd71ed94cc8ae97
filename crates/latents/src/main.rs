//! The `latents` command. Reads the command line, runs one command, and turns what it comes to into an exit code: 0 where it did
//! what was asked, 1 where it failed, 2 where the command line is wrong, 130 where it was interrupted.

mod commands;
mod output;
mod progress;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands::{
    completions, data, decode, encode, evaluate, figures, init, map, outliers, predict, probe,
    reconstruct, sample, study, train, traverse, tune,
};
use crate::output::Output;

/// Learn, tune and explore latent spaces of image collections on an ordinary CPU.
#[derive(Debug, Parser)]
#[command(
    name = "latents",
    version,
    max_term_width = 100,
    after_help = "Start here:\n  latents study                            the whole study of Fashion-MNIST, and a page to read\n  latents study ./photos --out runs/mine   the same of your own pictures\n  latents train ae --out runs/ae           an autoencoder by itself\n\n`latents help COMMAND` says more of each."
)]
struct Cli {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands.
#[derive(Debug, clap::Args)]
struct Shared {
    /// Worker threads; the results do not depend on them [default: one for each core]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Instruction set of the kernels; the results do not depend on it [default: the best there is]
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    isa: Option<latents::engine::Isa>,
    /// Print the result as one JSON object
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    /// Train a model, or go on with training
    #[command(subcommand)]
    Train(train::Model),
    /// Search for the settings that give the best value
    #[command(subcommand)]
    Tune(tune::Tune),
    Study(study::Study),
    Encode(encode::Encode),
    Decode(decode::Decode),
    Reconstruct(reconstruct::Reconstruct),
    Evaluate(evaluate::Evaluate),
    Predict(predict::Predict),
    Probe(probe::Probe),
    Map(map::Map),
    Sample(sample::Sample),
    Traverse(traverse::Traverse),
    Outliers(outliers::Outliers),
    Figures(figures::Figures),
    /// See which data sets there are, fetch one, look at one
    #[command(subcommand)]
    Data(data::Data),
    Completions(completions::Completions),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.shared.json);
    let result = match &cli.command {
        Command::Init(command) => command.run(output),
        Command::Train(model) => train::run(model, &cli.shared, output),
        Command::Tune(what) => tune::run(what, &cli.shared, output),
        Command::Study(command) => command.run(&cli.shared, output),
        Command::Encode(command) => command.run(&cli.shared, output),
        Command::Decode(command) => command.run(&cli.shared, output),
        Command::Reconstruct(command) => command.run(&cli.shared, output),
        Command::Evaluate(command) => command.run(&cli.shared, output),
        Command::Predict(command) => command.run(&cli.shared, output),
        Command::Probe(command) => command.run(&cli.shared, output),
        Command::Map(command) => command.run(&cli.shared, output),
        Command::Sample(command) => command.run(&cli.shared, output),
        Command::Traverse(command) => command.run(&cli.shared, output),
        Command::Outliers(command) => command.run(&cli.shared, output),
        Command::Figures(command) => command.run(&cli.shared, output),
        Command::Data(command) => command.run(output),
        Command::Completions(command) => command.run(output),
    };
    match result {
        Ok(code) => code,
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) if output::is_stop(&error) => {
            output.note("Stopped.");
            ExitCode::from(130)
        }
        Err(error) => {
            output::error(&error);
            ExitCode::FAILURE
        }
    }
}
