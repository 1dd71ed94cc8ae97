//! Defaults in `--help`. They differ between kinds of model, so they are read from the settings that a command starts with, and written nowhere else.

use clap::Arg;
use latents::{ASSUMED_SHAPE, ModelConfig, RunConfig, SettingsLayer};
use serde_json::Value;

/// The paths of settings whose flags have other names.
const RENAMED: [(&str, &str); 7] = [
    ("lr", "/training/learning_rate"),
    ("validation", "/training/validation_fraction"),
    ("schedule", "/training/schedule/kind"),
    ("flip", "/training/augmentation/flip"),
    ("shift", "/training/augmentation/shift"),
    ("rotation", "/training/augmentation/rotation"),
    ("erase", "/training/augmentation/erase"),
];

/// Adds the defaults of a kind of model to the help of its flags.
pub(crate) fn default_help(kind: &str) -> impl FnMut(Arg) -> Arg {
    let base = RunConfig::of_kind(kind, ASSUMED_SHAPE).unwrap_or_default();
    with_defaults(&base, "")
}

/// The same for the trials of a search; flags of settings that are searched say so.
pub(crate) fn trial_help(kind: &str) -> impl FnMut(Arg) -> Arg {
    let base = RunConfig::of_kind(kind, ASSUMED_SHAPE).unwrap_or_default();
    let tuning = ModelConfig::tuning(kind).ok().flatten();
    let trial = tuning.and_then(|tuning| SettingsLayer::parse("trial", tuning.trial).ok());
    let base = base.with_layers(trial.iter()).unwrap_or(base);
    with_defaults(&base, tuning.map_or("", |tuning| tuning.space))
}

/// Adds its default to the help of a flag that sets one of the settings in `base`, or that it is searched, if the search space `searched`, in TOML,
/// names it. A default that the help gives by itself stays.
fn with_defaults(base: &RunConfig, searched: &str) -> impl FnMut(Arg) -> Arg + use<> {
    let settings = serde_json::to_value(base).unwrap_or_default();
    let searched: toml::Table = toml::from_str(searched).unwrap_or_default();
    move |arg| {
        let id = arg.get_id().as_str();
        let renamed = RENAMED.iter().find(|(flag, _)| *flag == id).map(|(_, path)| *path);
        let places = match renamed {
            Some(path) => vec![path.to_owned()],
            None => vec![format!("/training/{id}"), format!("/model/{id}")],
        };
        let Some(help) = arg.get_help().map(ToString::to_string) else { return arg };
        let known = help.contains("[default");
        let name =
            |path: &String| path.rsplit('/').next().is_some_and(|n| searched.contains_key(n));
        if places.iter().any(name) {
            let about = help.split(" [default").next().unwrap_or_default();
            return arg.help(format!("{about} [default: searched]"));
        }
        let default = places.iter().find_map(|path| settings.pointer(path).and_then(written));
        match default {
            Some(default) if !known => arg.help(format!("{help} [default: {default}]")),
            _ => arg,
        }
    }
}

/// A setting as a flag has it.
fn written(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => {
            let float = number.as_f64().filter(|_| number.is_f64());
            Some(float.map_or_else(|| number.to_string(), |x| x.to_string()))
        }
        _ => None,
    }
}
