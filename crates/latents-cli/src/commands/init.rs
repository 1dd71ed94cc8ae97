//! `latents init`: a file with every setting of a kind of model, to edit and train from.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use clap::builder::PossibleValuesParser;
use latents::{ModelConfig, settings_file};

use crate::output::Output;
use crate::shell::shell_word;

/// Write a commented file of settings to train from
#[derive(Debug, Args)]
#[command(
    after_help = "latents init                                          writes latents.toml\n\
    latents train ae --config latents.toml --out runs/ae  trains from it; flags override it"
)]
pub(crate) struct Init {
    /// Which model's settings
    #[arg(value_name = "MODEL", default_value = "ae", value_parser = PossibleValuesParser::new(ModelConfig::kinds()))]
    kind: String,
    /// File to write; an existing one is left alone
    #[arg(long, value_name = "FILE", default_value = "latents.toml")]
    out: PathBuf,
}

impl Init {
    pub(crate) fn run(&self, output: Output) -> Result<()> {
        let kind = &self.kind;
        let on_encoder = ModelConfig::kinds_on_an_encoder().contains(&kind.as_str());
        let text = settings_file(kind, &header(kind, on_encoder))?;
        let file = self.out.display().to_string();
        // A dangling link is a file that somebody made, too.
        ensure!(
            self.out.symlink_metadata().is_err(),
            "{file} exists already and is left as it is: choose another --out"
        );
        latents_files::write(&self.out, text.as_bytes())?;
        let encoder = if on_encoder { " --encoder RUN" } else { "" };
        let next = format!(
            "latents train {kind} --config {}{encoder} --out runs/{kind}",
            shell_word(&file)
        );
        let value = serde_json::json!({ "file": file, "kind": kind });
        output.result(&format!("{file}\n  {next}"), &value)
    }
}

/// The first lines of the file, before they are made comments.
fn header(kind: &str, on_encoder: bool) -> String {
    let encoder = if on_encoder {
        "\nThe encoder is that of --encoder RUN, with the settings that it was trained with."
    } else {
        ""
    };
    format!(
        "Every setting of `latents train {kind}` and its default.\n  \
        latents train {kind} --config THIS --out DIR\n\
        uses them; flags override them, and a setting that is deleted here has its default.\n\
        A setting behind a # is not set, or depends on the images: remove the # to set it.{encoder}"
    )
}
