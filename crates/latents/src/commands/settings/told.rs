//! What `--help` tells of defaults. They are another for each kind of model, so they are read off the settings that a command begins
//! with, and stand nowhere else.

use clap::Arg;
use latents::train::RunConfig;
use serde_json::Value;

/// Where settings are that have a flag of another name.
const RENAMED: [(&str, &str); 7] = [
    ("lr", "/training/learning_rate"),
    ("validation", "/training/validation_fraction"),
    ("schedule", "/training/schedule/kind"),
    ("flip", "/training/augmentation/flip"),
    ("shift", "/training/augmentation/shift"),
    ("rotation", "/training/augmentation/rotation"),
    ("erase", "/training/augmentation/erase"),
];

/// Puts its default into the help of a flag that sets one of the settings in `base`; or that it is searched, where `searched`, a search space in
/// TOML, names it. What the help tells of a default by itself stays.
pub(crate) fn told(base: &RunConfig, searched: &str) -> impl FnMut(Arg) -> Arg {
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
