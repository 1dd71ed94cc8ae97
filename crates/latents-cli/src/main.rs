//! The binary of the command `latents`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(latents_cli::main(std::env::args_os()))
}
