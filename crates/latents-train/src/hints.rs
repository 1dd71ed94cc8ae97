//! Clearer messages for errors in settings: the nearest known name if a name is unknown, and the possible kinds if `kind` is missing.

use latents_data::Mix;
use latents_engine::Schedule;
use latents_models::ModelConfig;
use schemars::JsonSchema;

use crate::config::RunConfig;
use crate::nearest::nearest;

/// Rewrites an error message of serde in plain words. If it reports an unknown name, adds the nearest known name.
pub(crate) fn with_nearest(message: &str) -> String {
    let mut message = message.trim_end().to_owned();
    for (of_rust, plain) in [
        ("expected u64", "expected a whole number of at least 0"),
        ("expected usize", "expected a whole number of at least 0"),
        ("expected f64", "expected a number"),
        ("expected a boolean", "expected true or false"),
    ] {
        message = message.replace(of_rust, plain);
    }
    let Some((_, names)) =
        message.split_once("unknown field").or_else(|| message.split_once("unknown variant"))
    else {
        return message;
    };
    let mut names = names.split('`').skip(1).step_by(2);
    let unknown = names.next().unwrap_or_default();
    let mut known: Vec<String> = names.map(str::to_owned).collect();
    if known.is_empty() {
        // With a flattened struct of settings, serde does not list the known names.
        names_in(&schemars::schema_for!(RunConfig).to_value(), &mut known);
    }
    match nearest(unknown, &known) {
        Some(nearest) => format!("{message}\ndid you mean `{nearest}`?"),
        None => message,
    }
}

/// If serde's error message reports a missing `kind`, adds the possible kinds and the name of the section.
pub(crate) fn with_kinds(message: &str, given: &toml::Table) -> String {
    const MISSING: &str = "missing field `kind`";
    let places: [(&[&str], Vec<String>); 4] = [
        (&["model"], kinds::<ModelConfig>()),
        (&["model", "encoder"], kinds::<ModelConfig>()),
        (&["training", "schedule"], kinds::<Schedule>()),
        (&["training", "augmentation", "mix"], kinds::<Mix>()),
    ];
    let untold = places.into_iter().find(|(path, _)| {
        let mut names = path.iter();
        let section = names.try_fold(given, |section, &name| section.get(name)?.as_table());
        section.is_some_and(|section| !section.contains_key("kind"))
    });
    match untold {
        Some((path, kinds)) if message.contains(MISSING) => {
            let names: Vec<_> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
            let said = format!(
                "{MISSING}, one of {}\nadd it to `{}`, such as kind = \"{}\"",
                names.join(", "),
                path.join("."),
                kinds[0]
            );
            message.replace(MISSING, &said)
        }
        _ => message.to_owned(),
    }
}

/// The possible values of `kind` in a type's schema.
fn kinds<T: JsonSchema>() -> Vec<String> {
    let schema = schemars::schema_for!(T).to_value();
    let kinds = schema["oneOf"].as_array().into_iter().flatten();
    kinds
        .filter_map(|kind| kind["properties"]["kind"]["const"].as_str())
        .map(str::to_owned)
        .collect()
}

/// The names of a type's settings.
pub(crate) fn fields<T: JsonSchema>() -> Vec<String> {
    properties(&schemars::schema_for!(T).to_value())
}

/// The names of a schema's fields, without those of nested schemas.
fn properties(schema: &serde_json::Value) -> Vec<String> {
    let fields = schema["properties"].as_object();
    fields.into_iter().flat_map(|fields| fields.keys().cloned()).collect()
}

/// Adds the names of all fields of a schema and its nested schemas to `to`.
fn names_in(schema: &serde_json::Value, to: &mut Vec<String>) {
    to.extend(properties(schema));
    let inner = schema.as_object().map(|object| object.values().collect());
    let inner = inner.or_else(|| schema.as_array().map(|array| array.iter().collect::<Vec<_>>()));
    inner.into_iter().flatten().for_each(|schema| names_in(schema, to));
}
