//! Progress of long work on the terminal: a bar with time left where there is a person to see it, a line an epoch elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use latents::data;
use latents::train::Event;

use crate::output::{Output, count, duration};

const BAR: &str = "{msg}  {bar:28.cyan/dim} {percent:>3} %  {eta} left";

fn bar(length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template(BAR) {
        bar.set_style(style.progress_chars("━╸─"));
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// Shows a training run.
pub(crate) struct TrainingProgress {
    output: Output,
    bar: Option<ProgressBar>,
    epochs: u64,
    /// Training images in an epoch.
    samples: u64,
}

impl TrainingProgress {
    pub(crate) fn new(output: Output) -> Self {
        TrainingProgress { output, bar: None, epochs: 0, samples: 0 }
    }

    pub(crate) fn show(&mut self, event: Event<'_>) {
        match event {
            Event::Started { epochs_done, epochs, train, validation, parameters } => {
                (self.epochs, self.samples) = (epochs, train as u64);
                self.output.note(&format!(
                    "{} images train, {} validate; {} parameters; {} of {epochs} epochs to go",
                    count(train as u64),
                    count(validation as u64),
                    count(parameters as u64),
                    epochs - epochs_done.min(epochs),
                ));
                if std::io::stderr().is_terminal() {
                    let bar = bar(epochs.saturating_mul(self.samples));
                    bar.set_position(epochs_done * self.samples);
                    bar.reset_eta();
                    self.bar = Some(bar);
                }
            }
            Event::Progress { epoch, samples, loss, samples_per_second } => {
                if let Some(bar) = &self.bar {
                    bar.set_position((epoch - 1) * self.samples + samples);
                    bar.set_message(format!(
                        "epoch {epoch}/{}  loss {loss:.5}  {} images/s",
                        self.epochs,
                        count(samples_per_second as u64)
                    ));
                }
            }
            Event::Epoch(metrics) => {
                let width = self.epochs.to_string().len();
                let line = format!(
                    "epoch {:>width$}/{}  train {:.5}{}  {:>6} images/s  {}",
                    metrics.epoch,
                    self.epochs,
                    metrics.train_loss,
                    metrics
                        .val_loss
                        .map_or_else(String::new, |loss| format!("  validation {loss:.5}")),
                    count(metrics.samples_per_second as u64),
                    duration(metrics.seconds),
                );
                match &self.bar {
                    Some(bar) => {
                        bar.set_position(metrics.epoch * self.samples);
                        bar.suspend(|| self.output.note(&line));
                    }
                    None => self.output.note(&line),
                }
            }
        }
    }

    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Shows how far a map is.
pub(crate) struct MapProgress {
    output: Output,
    bar: Option<ProgressBar>,
    stage: &'static str,
}

impl MapProgress {
    pub(crate) fn new(output: Output) -> Self {
        MapProgress { output, bar: None, stage: "" }
    }

    pub(crate) fn show(&mut self, progress: latents::explore::Progress) {
        use latents::explore::Progress::{Neighbours, Steps};
        let (stage, done, total) = match progress {
            Neighbours(done, total) => ("nearest neighbours", done, total),
            Steps(done, total) => ("t-SNE", done, total),
        };
        if !std::io::stderr().is_terminal() || !self.output.is_for_people() {
            return;
        }
        if stage != self.stage {
            self.finish();
            self.stage = stage;
            let bar = bar(total as u64);
            bar.set_message(stage);
            self.bar = Some(bar);
        }
        if let Some(bar) = &self.bar {
            bar.set_position(done as u64);
        }
    }

    pub(crate) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// Shows the way to a data set: a download, or the reading of pictures.
pub(crate) struct DataProgress(Option<ProgressBar>);

impl DataProgress {
    pub(crate) fn new() -> Self {
        DataProgress(None)
    }

    pub(crate) fn show(&mut self, progress: &data::Progress) {
        let (message, done, total) = match *progress {
            data::Progress::Download { file, done, total } => {
                (format!("downloading {file}"), done, total)
            }
            data::Progress::Pictures { done, total } => {
                (format!("reading {} pictures", count(total)), done, total)
            }
        };
        let bar = self.0.get_or_insert_with(|| bar(total));
        bar.set_length(total);
        bar.set_position(done);
        bar.set_message(message);
    }
}

impl Drop for DataProgress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
