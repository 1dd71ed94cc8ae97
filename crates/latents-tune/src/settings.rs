//! The settings that all workers of a study share, as the study's storage keeps them, and the comparison of two settings.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::error::Error;
use crate::pruner::PrunerKind;
use crate::sampler::SamplerKind;
use crate::space::Space;
use crate::storage::{Storage, StudyRecord};

/// Attribute of a study that holds its [`StudySettings`].
pub(crate) const SETTINGS: &str = "latents:settings";

/// The settings that all workers of a study share. They are stored with the study, in JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudySettings {
    /// An object with one member: the kind of objective, and all that its values depend on besides a trial's parameters.
    pub objective: Json,
    /// What the values of trials are called, for people.
    pub label: String,
    /// The search space.
    pub space: Space,
    /// The sampler.
    pub sampler: SamplerKind,
    /// The pruner.
    pub pruner: PrunerKind,
    /// The step before which the pruner stops no trial.
    #[serde(default)]
    pub pruner_warmup: u64,
    /// Number of reports within which a trial must improve before the pruner may stop it.
    #[serde(default)]
    pub pruner_patience: Option<usize>,
}

impl StudySettings {
    /// Reads the settings of a study. `None` if the study has none, because another program made it.
    ///
    /// # Errors
    /// [`Error::DamagedSettings`] if they cannot be read, or the storage's error.
    pub fn of(storage: &dyn Storage, study: &StudyRecord) -> Result<Option<Self>, Error> {
        let Some(settings) = storage.study_attr(study.id, SETTINGS)? else { return Ok(None) };
        let settings = serde_json::from_value(settings).map_err(|source| {
            let (url, study) = (storage.url(), study.name.clone());
            Error::DamagedSettings { url, study, source }
        })?;
        Ok(Some(settings))
    }
}

/// Compares two settings. Gives a line for each value that differs: its path, how it was and how it is. Long values are cut.
///
/// ```
/// use serde_json::json;
///
/// let was = json!({"training": {"epochs": 5, "seed": 1}});
/// let is = json!({"training": {"epochs": 9, "seed": 1}});
/// assert_eq!(latents_tune::differences(&was, &is), ["training.epochs was 5, is 9"]);
/// ```
#[must_use]
pub fn differences(was: &Json, is: &Json) -> Vec<String> {
    let mut lines = vec![];
    compare("", was, is, &mut lines);
    lines
}

fn compare(path: &str, was: &Json, is: &Json, lines: &mut Vec<String>) {
    /// Number of characters of a value that are shown.
    const MAX_SHOWN: usize = 60;
    let shown = |value: &Json| match value {
        Json::Null => "not there".to_owned(),
        value => {
            let text = value.to_string();
            let start: String = text.chars().take(MAX_SHOWN).collect();
            if start == text { text } else { start + "..." }
        }
    };
    if let (Json::Object(a), Json::Object(b)) = (was, is) {
        let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        for key in keys {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let of = |table: &Map<String, Json>| table.get(key).cloned().unwrap_or_default();
            compare(&path, &of(a), &of(b), lines);
        }
    } else if was != is {
        lines.push(format!("{path} was {}, is {}", shown(was), shown(is)));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_of_a_study_may_be_missing_or_damaged() {
        let storage = crate::storage::open("memory:").unwrap();
        let study = storage.create_study("ae", crate::Direction::Minimize).unwrap();
        assert_eq!(StudySettings::of(&*storage, &study).unwrap(), None);
        storage.init_study_attr(study.id, SETTINGS, &json!({"label": "loss"})).unwrap();
        let error = StudySettings::of(&*storage, &study).unwrap_err();
        assert!(matches!(error, Error::DamagedSettings { .. }), "{error:?}");
        assert!(error.to_string().starts_with("memory:: the settings of study `ae` are damaged"));
    }

    #[test]
    fn differences_are_lines() {
        let long = "x".repeat(100);
        let was = json!({"a": 1, "b": {"c": [1, 2], "d": "same"}, "gone": true, "text": long});
        let is = json!({"a": 1, "b": {"c": [1, 3], "d": "same"}, "new": null, "text": {"e": 1}});
        let cut = format!("\"{}...", &long[..59]);
        assert_eq!(
            differences(&was, &is),
            [
                "b.c was [1,2], is [1,3]".to_owned(),
                "gone was true, is not there".into(),
                format!("text was {cut}, is {{\"e\":1}}"),
            ]
        );
        assert!(differences(&was, &was).is_empty());
    }
}
