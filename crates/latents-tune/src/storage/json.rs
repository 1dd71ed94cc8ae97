//! JSON as Python writes it, which is JSON but for `NaN`, `Infinity` and `-Infinity`. They become texts of that name. Distributions with
//! choices that are lists can be read too; such a choice becomes its JSON.

use serde_json::Value as Json;

use crate::distribution::Distribution;
use crate::error::Error;

/// Reads a note.
pub(super) fn note(text: &str) -> Result<Json, String> {
    serde_json::from_str(text)
        .or_else(|_| serde_json::from_str(&quote_numbers(text)))
        .map_err(|e| format!("{text} is no JSON: {e}"))
}

/// Reads a distribution.
pub(super) fn distribution(text: &str) -> Result<Distribution, Error> {
    Distribution::from_json(text).or_else(|error| {
        let Ok(mut json) = note(text) else { return Err(error) };
        let choices = json.pointer_mut("/attributes/choices").and_then(Json::as_array_mut);
        for choice in choices.into_iter().flatten() {
            if choice.is_array() || choice.is_object() {
                *choice = Json::String(choice.to_string());
            }
        }
        Distribution::from_json(&json.to_string())
    })
}

/// Puts quotes about the numbers that JSON has not.
fn quote_numbers(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    let (mut within, mut escaped) = (false, false);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = ["NaN", "Infinity", "-Infinity"].into_iter().find(|word| rest.starts_with(word));
        if let (false, Some(word)) = (within, word) {
            quoted.extend(["\"", word, "\""]);
            rest = &rest[word.len()..];
            continue;
        }
        within ^= first == '"' && !escaped;
        escaped = first == '\\' && !escaped;
        quoted.push(first);
        rest = &rest[first.len_utf8()..];
    }
    quoted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::value::Value;

    #[test]
    fn notes_of_pythons() {
        let read = note(r#"{"NaN": [NaN, -Infinity, 1.5], "a \" NaN": "Infinity"}"#).unwrap();
        assert_eq!(read, json!({"NaN": ["NaN", "-Infinity", 1.5], "a \" NaN": "Infinity"}));
        assert_eq!(note("Infinity").unwrap(), json!("Infinity"));
        assert!(note("{1: 2}").unwrap_err().contains("{1: 2} is no JSON"));
    }

    #[test]
    fn distributions_of_pythons() {
        let text =
            r#"{"name": "CategoricalDistribution", "attributes": {"choices": [[8, 4], NaN, 1.0]}}"#;
        let choices = vec!["[8,4]".into(), "NaN".into(), Value::Float(1.0)];
        assert_eq!(distribution(text).unwrap(), Distribution::Categorical { choices });
        let old = r#"{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}"#;
        let said = distribution(old).unwrap_err().to_string();
        assert!(said.contains("UniformDistribution"), "{said}");
    }
}
