//! A quick study of the built-in sample of Fashion-MNIST, with its progress on standard error.
//!
//! `cargo run --release -p latents-study --example quick -- runs/quick`

use std::sync::Arc;

use latents::{Reporter, Session};
use latents_study::CollectionStudy;

struct Stderr;

impl Reporter for Stderr {
    #[allow(clippy::print_stderr)] // It is what this example is for.
    fn note(&self, text: &str) {
        eprintln!("{text}");
    }
}

#[allow(clippy::print_stdout)]
fn main() -> latents_study::Result<()> {
    let out = std::env::args().nth(1).unwrap_or_else(|| "runs/quick".into());
    let study = CollectionStudy {
        source: Some("fashion-mnist-sample".into()),
        quick: true,
        out: out.into(),
        repeat_with: "cargo run --release -p latents-study --example quick".into(),
        ..CollectionStudy::default()
    };
    let done = study.run(&Session::default().reporter(Arc::new(Stderr)))?;
    println!("{}\n\n{}", done.findings.join("\n"), done.report.display());
    Ok(())
}
