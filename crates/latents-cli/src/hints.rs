//! The flags that may help with an error or change what a note tells. The library names no flag; here they are added, by the variant.

use std::error::Error as StdError;
use std::io;
use std::path::Path;

use latents::ModelConfig;
use latents::data::Note;
use latents::progress::alternatives;
use latents::{data, train, tune};

use crate::shell::shell_word;

/// The hint for one error of a chain, if it is one that a flag helps with.
pub(crate) fn hint(error: &(dyn StdError + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref() {
        return of_library(error);
    }
    if let Some(error) = error.downcast_ref() {
        return of_study(error);
    }
    if let Some(error) = error.downcast_ref() {
        return of_training(error);
    }
    let full = |error: &&io::Error| error.kind() == io::ErrorKind::StorageFull;
    let told = "free some space, then start it again (training: with --resume, if there is a run)";
    error.downcast_ref().filter(full).map(|_| told.to_owned())
}

fn of_library(error: &latents::Error) -> Option<String> {
    use latents::Error as E;
    Some(match error {
        E::Train(error) => return of_training(error),
        E::Tune(error) => return of_tuning(error),
        E::ProgramFails(_) => {
            "the same command goes on with the next trials, if --trials allows more; --value NAME, with another --name, reads one of several numbers".into()
        }
        E::Data(error) => return of_data(error),
        E::In { source, .. } | E::NoTrainingLatents { source, .. } => return of_library(source),
        E::NoLatents { .. } | E::NoEncoder { .. } => trains_one(&ModelConfig::kinds_with_latents()),
        E::NoClasses { .. } => trains_one(&ModelConfig::kinds_that_classify()),
        E::EncoderNeeded => "name the run with --encoder DIR, or use --from-scratch".into(),
        E::OtherKind { found, .. } => format!("use `latents train {found}`"),
        E::OtherSettings { .. } => "leave these flags out, or choose another --out".into(),
        E::OtherImages { .. } | E::OutputAmongPictures { .. } | E::OutputIsFigure { .. }
        | E::OutputEnding { .. } => {
            "choose another --out".into()
        }
        E::NoValidation => "--validation must be more than 0".into(),
        E::SearchedAndSet { name } => {
            format!("`{name}` is in --space and given by a flag: leave one out")
        }
        E::NothingToTune => "they are given by flags; leave one out, or name a --space".into(),
        E::NotVariational { .. } => "leave --draws out".into(),
        E::Memory(_) => "--memory 64GB allows so much".into(),
        E::NotConditional { .. } => {
            "leave --class out; `latents train vae --conditional` trains a conditional model".into()
        }
        E::OnlyPrior { .. } => "leave --sampler out".into(),
        E::ClassNeeded { .. } => "name it with --class NAME".into(),
        E::TtaWithoutClasses { .. } => "leave --tta out".into(),
        E::OtherStudy { kind, .. } => format!("`latents tune {kind}` makes such studies"),
        _ => return None,
    })
}

/// The commands that train a run of one of some kinds.
fn trains_one(kinds: &[&str]) -> String {
    let commands = alternatives(kinds.iter().map(|kind| format!("`latents train {kind}`")));
    format!("{commands} trains one")
}

fn of_study(error: &latents_study::Error) -> Option<String> {
    use latents_study::Error as E;
    Some(match error {
        E::Latents(error) => return of_library(error),
        E::Stage { source, .. } => return of_study(source),
        E::OtherStudy { .. } | E::DamagedIdentity { .. } => "choose another --out".into(),
        E::NoTestImages { .. } => "--test-fraction 0.2 holds out a fifth".into(),
        _ => return None,
    })
}

fn of_training(error: &train::Error) -> Option<String> {
    use train::Error as E;
    let resume = |kind: &str, run: &Path| {
        let run = shell_word(&run.display().to_string());
        format!("`latents train {kind} --resume --out {run}` resumes it")
    };
    Some(match error {
        E::Data(error) => return of_data(error),
        E::RunData(error) => return of_training(error),
        E::Exists { .. } => "add --resume to resume it, or choose another --out".into(),
        E::OtherRun { .. } | E::Busy { .. } => "choose another --out".into(),
        E::NoRun { path } => {
            let path = shell_word(&path.display().to_string());
            format!("`latents train ae --out {path}` trains one")
        }
        E::Unfinished { path, kind } => resume(kind, path),
        E::DamagedWeights { again: true, kind, run, .. } => resume(kind, run),
        E::Changed { .. } => "--force uses it as it is".into(),
        E::Memory(_) => {
            "use smaller pictures (--size), fewer latents (--latent-dim) or fewer --threads; --memory 64GB allows so much".into()
        }
        E::PicturesWithoutSource => "name it with --data".into(),
        E::Diverged { .. } => "use a lower --lr, or --clip-norm 1".into(),
        _ => return None,
    })
}

fn of_data(error: &data::Error) -> Option<String> {
    Some(match error {
        data::Error::Broken { .. } => "without --strict, they are left out".into(),
        _ => return None,
    })
}

fn of_tuning(error: &tune::Error) -> Option<String> {
    use tune::Error as E;
    Some(match error {
        E::OtherSettings { .. } | E::OtherDirection { .. } | E::Incompatible { .. } => {
            "choose another --name".into()
        }
        E::OtherSeed { .. } => "leave --seed out, or choose another --name".into(),
        E::NoPostgres { .. } => {
            "`cargo install --path crates/latents-cli --features postgres` builds it in".into()
        }
        _ => return None,
    })
}

/// The flags that change what a note tells.
pub(crate) fn note_hint(note: &Note) -> Option<&'static str> {
    match note {
        Note::HeldOut { .. } => Some("--test-fraction, --split-seed"),
        Note::Resized { .. } => Some("--size, --fit"),
        Note::RangeOfValues { .. } | Note::UnusedRange { .. } => Some("--range, --scale"),
        Note::OneColour { background: true, .. } => Some("--background"),
        Note::SeveralLabels { .. } | Note::LabelColumns { .. } => Some("--label"),
        Note::TableIgnored { .. } => Some("--labels"),
        _ => None,
    }
}
