//! The last section of the page: how it was made, with which settings, and on which machine.

use latents::engine::Isa;
use latents::report::{Block, PageSection};

use crate::words;
use crate::worker::Context;

/// The section; `repeat_with` is how the study can be made again, if that is known.
pub(crate) fn section(study: &Context, repeat_with: &str) -> PageSection {
    let text = |name: &str, value: String| (name.to_owned(), value);
    let budget = &study.budget;
    let mut data = vec![
        text("source", study.dataset.name.clone()),
        text("origin", study.dataset.origin.clone()),
        text("images that train and validate", words::count(study.dataset.train.len())),
        text("test images", words::count(study.dataset.test.len())),
        text("shape", words::shape(study.data.shape)),
        text("SHA-256 of the images that train and validate", study.data.digest.clone()),
        text("seed", study.seed.to_string()),
        text("images in a batch, at most", budget.batch_size.to_string()),
        text("trials of each search", budget.trials.to_string()),
        text("epochs of a trial, at most", budget.trial_epochs.to_string()),
    ];
    // Other collections have models with epochs of their own, which their parts tell.
    if study.is_of_the_reference() {
        data.push(text("epochs of the autoencoder", budget.epochs.to_string()));
    }
    let machine = vec![
        text("processor", processor()),
        text("cores", std::thread::available_parallelism().map_or(1, usize::from).to_string()),
        text("instruction set", Isa::detect().to_string()),
        text("system", format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH)),
        text("latents", env!("CARGO_PKG_VERSION").into()),
    ];
    let again = (!repeat_with.is_empty()).then(|| Block::Code {
        caption:
            "This gives the same numbers again, on any machine and with any number of threads."
                .into(),
        text: repeat_with.into(),
    });
    let settings = [
        Block::Settings { caption: "Data and budgets".into(), entries: data },
        Block::Settings { caption: "Machine".into(), entries: machine },
    ];
    PageSection {
        id: "made".into(),
        title: "How this was made".into(),
        blocks: again.into_iter().chain(settings).collect(),
    }
}

/// The name of the processor, if the system tells it.
fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1));
    name.map_or_else(|| "unknown".into(), |name| name.trim().into())
}
