//! Parses JSON as Python writes it, which may contain `NaN`, `Infinity` and `-Infinity`. They become strings of that name. Distributions
//! whose choices are lists can be read too; such a choice becomes its JSON text.

use serde_json::Value as Json;

use crate::distribution::Distribution;
use crate::error::Error;

/// Parses an attribute.
pub(super) fn attr(text: &str) -> Result<Json, String> {
    serde_json::from_str(text)
        .or_else(|_| serde_json::from_str(&quote_numbers(text)))
        .map_err(|e| format!("{text} is not JSON: {e}"))
}

/// Parses a distribution.
pub(super) fn distribution(text: &str) -> Result<Distribution, Error> {
    Distribution::from_json(text).or_else(|error| {
        let Ok(mut json) = attr(text) else { return Err(error) };
        let choices = json.pointer_mut("/attributes/choices").and_then(Json::as_array_mut);
        for choice in choices.into_iter().flatten() {
            if choice.is_array() || choice.is_object() {
                *choice = Json::String(choice.to_string());
            }
        }
        Distribution::from_json(&json.to_string())
    })
}

/// Puts the numbers that JSON does not have in quotes.
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
    fn attributes_of_pythons() {
        let read = attr(r#"{"NaN": [NaN, -Infinity, 1.5], "a \" NaN": "Infinity"}"#).unwrap();
        assert_eq!(read, json!({"NaN": ["NaN", "-Infinity", 1.5], "a \" NaN": "Infinity"}));
        assert_eq!(attr("Infinity").unwrap(), json!("Infinity"));
        assert!(attr("{1: 2}").unwrap_err().contains("{1: 2} is not JSON"));
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
