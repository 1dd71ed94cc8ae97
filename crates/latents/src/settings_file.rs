//! All settings of a kind of model as a commented file. The comment of a setting is the documentation of its field, so the two never
//! disagree; its default is that of the kind's recipe.

use std::fmt::Write as _;

use latents_engine::Shape;
use latents_train::{RunConfig, TrainingConfig};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::recipe::ASSUMED_SHAPE;

/// The images that defaults are given for, and others: settings that differ depend on the images.
const IMAGES: [Shape; 2] = [ASSUMED_SHAPE, [1, 8, 8]];

/// The settings of a kind of model as a file: `config.toml` with its defaults, every setting below a comment. A setting that depends on the images, or is not
/// set, is commented out. `header` comes first, as comments.
///
/// ```
/// let file = latents::settings_file("vae", "My settings.")?;
/// assert!(file.starts_with("# My settings.\n"));
/// assert!(file.contains("\nepochs = 50\n"));
/// # Ok::<(), latents::Error>(())
/// ```
///
/// # Errors
/// If there is no such kind.
pub fn settings_file(kind: &str, header: &str) -> Result<String> {
    let schema = schemars::schema_for!(RunConfig).to_value();
    let defaults = RunConfig::of_kind(kind, IMAGES[0])?;
    let others = RunConfig::of_kind(kind, IMAGES[1])?;
    let ours = toml::Value::Table(toml::Table::try_from(&defaults)?);
    let others = toml::Value::Table(toml::Table::try_from(&others)?);
    let mut text = String::new();
    for line in header.lines() {
        let _ = writeln!(text, "# {line}");
    }
    let written = toml::to_string(&defaults)?;
    let names = defaults.model.setting_names();
    let file = File { schema: &schema, kind, written: &written, names: &names };
    for name in ["data", "training", "model"] {
        let section = &schema["properties"][name];
        file.section(name, section, ours.get(name), others.get(name), &mut text)?;
    }
    Ok(text)
}

/// The name of each setting of a kind of model and of its training, and its path in `config.toml`, such as `model.latent_dim`; in alphabetical order. The encoder of
/// another run is none.
///
/// ```
/// let paths = latents::setting_paths("vae")?;
/// assert!(paths.contains(&("latent_dim".into(), "model.latent_dim".into())));
/// assert!(paths.contains(&("epochs".into(), "training.epochs".into())));
/// # Ok::<(), latents::Error>(())
/// ```
///
/// # Errors
/// If there is no such kind.
pub fn setting_paths(kind: &str) -> Result<Vec<(String, String)>> {
    let model = RunConfig::of_kind(kind, IMAGES[0])?.model;
    let schema = schemars::schema_for!(TrainingConfig).to_value();
    let training = schema["properties"].as_object().into_iter().flat_map(|fields| fields.keys());
    let names = model.setting_names();
    let names =
        names.iter().map(|name| ("model", name)).chain(training.map(|name| ("training", name)));
    let mut paths: Vec<(String, String)> = names
        .filter(|(_, name)| !["kind", "encoder"].contains(&name.as_str()))
        .map(|(section, name)| (name.clone(), format!("{section}.{name}")))
        .collect();
    paths.sort();
    Ok(paths)
}

struct File<'a> {
    schema: &'a Value,
    kind: &'a str,
    /// The defaults, in the order of their fields.
    written: &'a str,
    /// The names of the model's settings.
    names: &'a [String],
}

impl<'a> File<'a> {
    fn section(
        &self,
        path: &str,
        schema: &'a Value,
        ours: Option<&toml::Value>,
        others: Option<&toml::Value>,
        text: &mut String,
    ) -> Result<()> {
        let _ = writeln!(text, "\n[{path}]");
        let mut fields = vec![];
        self.fields(schema, &mut fields);
        let header = format!("[{path}]\n");
        let order = self.written.split_once(&header).map_or("", |(_, rest)| rest);
        let place = |name: &str| match name {
            "kind" => Some(0),
            _ => order
                .starts_with(&format!("{name} = "))
                .then_some(0)
                .or_else(|| order.find(&format!("\n{name} = "))),
        };
        fields.sort_by_key(|(name, _)| (place(name).unwrap_or(usize::MAX), *name));
        let mut sections = vec![];
        for (name, field) in fields {
            let of = |table: Option<&toml::Value>| table.and_then(|table| table.get(name)).cloned();
            // What a run finds out by itself, the encoder of another run, and what only another kind of model has.
            let is_of_kind =
                path != "model" || name == "kind" || self.names.iter().any(|n| n == name);
            if field["readOnly"] == true || name == "encoder" || !is_of_kind {
                continue;
            }
            let what = self.resolved(field);
            // A table that is there or not as a whole has an example as a whole.
            let is_value = field["examples"].get(0).is_some();
            if what.get("properties").is_some() && !is_value {
                sections.push((name, field));
                continue;
            }
            let default = || field.get("default").filter(|value| !value.is_null());
            let default = match of(ours) {
                Some(value) => Some(value),
                None => default().map(toml::Value::try_from).transpose()?,
            };
            let default = default.filter(|value| value.as_str() != Some(""));
            let (sign, value, note) = match default {
                Some(value) if of(ours) == of(others) => ("", value, ""),
                Some(value) => ("#", value, " Depends on the images; for 28x28 grey ones:"),
                None => {
                    let example = field["examples"].get(0);
                    let example = example
                        .ok_or_else(|| Error::Invalid(format!("{path}.{name} has no example")))?;
                    ("#", toml::Value::try_from(example)?, "")
                }
            };
            let (about, choices) = (self.about(field), choices(what));
            let _ = writeln!(text, "# {about}{choices}{note}\n{sign}{name} = {value}");
        }
        for (name, field) in sections {
            let [ours, others] =
                [ours, others].map(|table| table.and_then(|table| table.get(name)));
            self.section(&format!("{path}.{name}"), field, ours, others, text)?;
        }
        Ok(())
    }

    /// The definition that a schema refers to; of several, that of the kind of model.
    fn resolved(&self, schema: &'a Value) -> &'a Value {
        if let Some(name) = schema["$ref"].as_str().filter(|_| schema.get("properties").is_none()) {
            return self.resolved(&self.schema["$defs"][name.trim_start_matches("#/$defs/")]);
        }
        let several = schema["anyOf"].as_array().or(schema["oneOf"].as_array());
        let of_kind = |one: &&Value| one["properties"]["kind"]["const"] == self.kind;
        if let Some(one) = several.and_then(|several| several.iter().find(of_kind)) {
            return one;
        }
        // An optional value is one of two, of which the other is nothing.
        match schema["anyOf"].get(0) {
            Some(some) => self.resolved(some),
            None => schema,
        }
    }

    /// All fields of a section.
    fn fields(&self, schema: &'a Value, to: &mut Vec<(&'a str, &'a Value)>) {
        let of = self.resolved(schema);
        let own = of["properties"].as_object().into_iter().flatten();
        to.extend(own.map(|(name, field)| (name.as_str(), field)));
        if let Some(name) = of["$ref"].as_str() {
            self.fields(&self.schema["$defs"][name.trim_start_matches("#/$defs/")], to);
        }
    }

    /// The first sentence of a field's documentation.
    fn about(&self, field: &'a Value) -> String {
        let of = |schema: &'a Value| schema["description"].as_str();
        let Some(about) = of(field).or_else(|| of(self.resolved(field))) else {
            return "Kind of model.".into();
        };
        let about = about.replace('\n', " ").replace("[`", "`").replace("`]", "`");
        let first = about.split(". ").next().unwrap_or_default();
        format!("{}.", first.trim_end_matches('.'))
    }
}

/// The values that a setting may have, where they can be listed.
fn choices(schema: &Value) -> String {
    let mut names = vec![];
    for one in schema["oneOf"].as_array().into_iter().flatten() {
        names.extend(one["const"].as_str().map(str::to_owned));
        names.extend(
            one["enum"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned),
        );
        if let Some(kind) = one["properties"]["kind"]["const"].as_str() {
            let with = one["properties"].as_object().into_iter().flatten();
            let with: Vec<&str> =
                with.map(|(name, _)| name.as_str()).filter(|n| *n != "kind").collect();
            let with = if with.is_empty() {
                String::new()
            } else {
                format!(" (with {})", with.join(", "))
            };
            names.push(format!("{kind}{with}"));
        }
    }
    names.extend(
        schema["enum"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned),
    );
    if names.is_empty() { String::new() } else { format!(" One of {}.", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use latents_models::ModelConfig;
    use latents_train::SettingsLayer;

    /// Names that a table has, its tables' included.
    fn names(table: &toml::Table, path: &str, to: &mut Vec<String>) {
        for (name, value) in table {
            let path = format!("{path}.{name}");
            match value {
                toml::Value::Table(table) if !table.contains_key("kind") || name == "model" => {
                    names(table, &path, to);
                }
                _ => to.push(path),
            }
        }
    }

    fn check(kind: &str) {
        let text = settings_file(kind, "").unwrap();
        let overlaid = |base: &RunConfig, text: &str| {
            base.with_layers([&SettingsLayer::parse("file", text).unwrap()])
        };
        // As it is written it changes nothing, whatever the images.
        for image in IMAGES {
            let base = RunConfig::of_kind(kind, image).unwrap();
            assert_eq!(overlaid(&base, &text).unwrap(), base, "{kind} of {image:?}");
        }
        // With every setting set, each default is among the file's settings.
        let lines = text.lines().map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => setting,
            _ => line,
        });
        let full = lines.collect::<Vec<_>>().join("\n");
        let base = RunConfig::of_kind(kind, IMAGES[0]).unwrap();
        overlaid(&base, &full).unwrap();
        let full: toml::Table = toml::from_str(&full).unwrap();
        let defaults = toml::Table::try_from(&base).unwrap();
        let (mut told, mut expected) = (vec![], vec![]);
        names(&full, "", &mut told);
        names(&defaults, "", &mut expected);
        let by_itself = [".data.shape", ".data.digest", ".data.classes"];
        for path in expected {
            let of_encoder =
                [".model.encoder", ".training.encoder"].iter().any(|e| path.starts_with(e));
            if by_itself.contains(&path.as_str()) || of_encoder {
                continue;
            }
            assert!(told.contains(&path), "{kind}: {path}");
            if path == ".data.source" {
                continue;
            }
            let at = |table: &toml::Table| {
                let value = toml::Value::Table(table.clone());
                path.split('.').skip(1).fold(value, |value, name| value[name].clone())
            };
            assert_eq!(at(&full), at(&defaults), "{kind}: {path}");
        }
        // And what has no default by being unset.
        for path in [
            "data.train_limit",
            "training.clip_norm",
            "data.pictures.size",
            "training.augmentation.mix",
        ] {
            assert!(told.contains(&format!(".{path}")), "{kind}: {path}");
        }
        // Each setting has one line that explains it.
        let mut before = "";
        for line in text.lines() {
            if line.contains(" = ") && !line.starts_with("# ") {
                assert!(before.starts_with("# ") && before.len() > 10, "{kind}: {line}");
            }
            before = line;
        }
    }

    #[test]
    fn a_file_tells_every_setting_and_changes_none() {
        for kind in ModelConfig::kinds() {
            check(kind);
        }
    }
}
