//! A search space that is known beforehand: parameters, and conditions under which some of them are there. It is data, so it can be
//! read from a file and kept beside a study. An objective that asks for its parameters as it goes needs none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::distribution::Distribution;
use crate::error::Error;
use crate::value::Value;

/// The values of a trial's parameters, by name.
pub type Params = BTreeMap<String, Value>;

/// When a parameter is there: where another one has one of some values.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The other parameter.
    pub parameter: String,
    /// The values.
    pub values: Vec<Value>,
}

/// A parameter of a search space.
#[derive(Clone, Debug, PartialEq)]
pub struct Dimension {
    /// Its name, unique in the space.
    pub name: String,
    /// What values it may take.
    pub distribution: Distribution,
    /// When it is there, if not always; all must hold.
    pub when: Vec<Condition>,
}

/// Parameters and their conditions. A parameter comes after those that its conditions name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, Entry>", into = "BTreeMap<String, Entry>")]
pub struct Space(Vec<Dimension>);

impl Space {
    /// Checks that names are unique, that conditions name parameters of the space and values that these can take, and that none
    /// depends on itself.
    pub fn new(mut dimensions: Vec<Dimension>) -> Result<Self, Error> {
        let fault = |why: String| Err(Error::Space(why));
        if dimensions.is_empty() {
            return fault("there is no parameter in it".into());
        }
        for (i, dimension) in dimensions.iter().enumerate() {
            let name = &dimension.name;
            if dimensions[..i].iter().any(|other| other.name == *name) {
                return fault(format!("parameter `{name}` is there twice"));
            }
            for Condition { parameter, values } in &dimension.when {
                let Some(parent) = dimensions.iter().find(|d| d.name == *parameter) else {
                    return fault(format!(
                        "`{name}` depends on `{parameter}`, which is not in the space"
                    ));
                };
                let possible = |value: &Value| {
                    let internal = parent.distribution.internal(value);
                    internal.is_ok_and(|internal| parent.distribution.contains(internal))
                };
                if values.is_empty() {
                    return fault(format!("`{name}` depends on no value of `{parameter}`"));
                }
                if let Some(value) = values.iter().find(|value| !possible(value)) {
                    return fault(format!(
                        "`{name}` depends on `{parameter}` = {value}, but that is {}",
                        parent.distribution
                    ));
                }
            }
        }
        let mut ordered: Vec<Dimension> = vec![];
        while !dimensions.is_empty() {
            let is_placed = |c: &Condition| ordered.iter().any(|d| d.name == c.parameter);
            let next = dimensions.iter().position(|d| d.when.iter().all(is_placed));
            let Some(next) = next else {
                let names: Vec<&str> = dimensions.iter().map(|d| d.name.as_str()).collect();
                return fault(format!("conditions go in a circle among {}", names.join(", ")));
            };
            ordered.push(dimensions.remove(next));
        }
        Ok(Space(ordered))
    }

    /// All parameters, each after those that its conditions name.
    #[must_use]
    pub fn dimensions(&self) -> &[Dimension] {
        &self.0
    }
}

impl Dimension {
    /// A parameter that is always there.
    pub fn new(name: impl Into<String>, distribution: Distribution) -> Self {
        Dimension { name: name.into(), distribution, when: vec![] }
    }

    /// Whether it is there, given the parameters before it.
    #[must_use]
    pub fn is_active(&self, params: &Params) -> bool {
        self.when.iter().all(|condition| {
            let value = params.get(&condition.parameter);
            value.is_some_and(|value| condition.values.iter().any(|v| v.same(value)))
        })
    }
}

/// A parameter as a TOML or JSON file has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    float: Option<[f64; 2]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    int: Option<[i64; 2]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    choices: Option<Vec<Value>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    log: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    step: Option<f64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    when: BTreeMap<String, OneOrMore>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(Value),
    More(Vec<Value>),
}

impl TryFrom<BTreeMap<String, Entry>> for Space {
    type Error = Error;

    fn try_from(entries: BTreeMap<String, Entry>) -> Result<Self, Error> {
        let dimension = |(name, entry): (String, Entry)| {
            let Entry { float, int, choices, log, step, when } = entry;
            let fault = |why: &str| Error::Space(format!("parameter `{name}`: {why}"));
            let distribution = match (float, int, choices) {
                (Some([low, high]), None, None) => Distribution::Float { step, low, high, log },
                (None, Some([low, high]), None) => {
                    let step = step.unwrap_or(1.0);
                    if step.fract() != 0.0 || step.abs() > 1e15 {
                        return Err(fault("the step of an int must be a whole number"));
                    }
                    Distribution::Int { log, step: step as i64, low, high }
                }
                (None, None, Some(_)) if log || step.is_some() => {
                    return Err(fault("choices have neither log nor step"));
                }
                (None, None, Some(choices)) => Distribution::Categorical { choices },
                _ => {
                    return Err(fault(
                        "give one of float = [low, high], int = [low, high] and choices = [...]",
                    ));
                }
            };
            let distribution = distribution.checked().map_err(|e| fault(&e.to_string()))?;
            let when = when.into_iter().map(|(parameter, values)| match values {
                OneOrMore::One(value) => Condition { parameter, values: vec![value] },
                OneOrMore::More(values) => Condition { parameter, values },
            });
            Ok(Dimension { distribution, when: when.collect(), name })
        };
        Space::new(entries.into_iter().map(dimension).collect::<Result<_, _>>()?)
    }
}

impl From<Space> for BTreeMap<String, Entry> {
    fn from(space: Space) -> Self {
        let entry = |Dimension { name, distribution, when }| {
            let mut entry = Entry {
                float: None,
                int: None,
                choices: None,
                log: false,
                step: None,
                when: when
                    .into_iter()
                    .map(|Condition { parameter, values }| (parameter, OneOrMore::More(values)))
                    .collect(),
            };
            match distribution {
                Distribution::Float { step, low, high, log } => {
                    (entry.float, entry.log, entry.step) = (Some([low, high]), log, step);
                }
                Distribution::Int { log, step, low, high } => {
                    (entry.int, entry.log) = (Some([low, high]), log);
                    entry.step = (step != 1).then_some(step as f64);
                }
                Distribution::Categorical { choices } => entry.choices = Some(choices),
            }
            (name, entry)
        };
        space.0.into_iter().map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Space, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn a_file_is_read_and_written_back() {
        let space = read(
            r#"{
                "a_momentum": {"float": [0, 0.9], "step": 0.1, "when": {"optimizer": "sgd"}},
                "latent_dim": {"int": [8, 256], "log": true},
                "optimizer": {"choices": ["adam", "sgd"]},
                "width": {"int": [16, 100], "step": 16, "when": {"optimizer": ["adam", "sgd"]}}
            }"#,
        )
        .unwrap();
        let names: Vec<&str> = space.dimensions().iter().map(|d| d.name.as_str()).collect();
        assert_eq!(names, ["latent_dim", "optimizer", "a_momentum", "width"]);
        assert_eq!(
            space.dimensions()[3].distribution,
            Distribution::stepped_int(16, 96, 16).unwrap()
        );
        let momentum = &space.dimensions()[2];
        let params = |kind: &str| Params::from([("optimizer".to_owned(), kind.into())]);
        assert!(momentum.is_active(&params("sgd")) && !momentum.is_active(&params("adam")));
        assert!(!momentum.is_active(&Params::new()));
        let text = serde_json::to_string(&space).unwrap();
        assert_eq!(read(&text).unwrap(), space);
    }

    #[test]
    fn contradictions_are_named() {
        let cases = [
            ("{}", "there is no parameter in it"),
            (r#"{"a": {}}"#, "parameter `a`: give one of float"),
            (r#"{"a": {"float": [0, 1], "int": [0, 1]}}"#, "parameter `a`: give one of float"),
            (r#"{"a": {"float": [1, 0]}}"#, "parameter `a`: float in 1.0..0.0: the lower bound"),
            (r#"{"a": {"int": [0, 9], "step": 0.5}}"#, "must be a whole number"),
            (r#"{"a": {"choices": [1, 2], "log": true}}"#, "choices have neither log nor step"),
            (r#"{"a": {"float": [0, 1], "hi": 2}}"#, "unknown field `hi`"),
            (
                r#"{"a": {"int": [0, 9], "when": {"b": 1}}}"#,
                "`a` depends on `b`, which is not in the space",
            ),
            (
                r#"{"a": {"int": [0, 9], "when": {"b": 7}}, "b": {"int": [0, 5]}}"#,
                "`a` depends on `b` = 7, but that is integer in 0..5",
            ),
            (
                r#"{"a": {"int": [0, 9], "when": {"b": []}}, "b": {"int": [0, 5]}}"#,
                "`a` depends on no value of `b`",
            ),
            (
                r#"{"a": {"int": [0, 9], "when": {"b": 1}}, "b": {"int": [0, 9], "when": {"a": 1}}}"#,
                "conditions go in a circle among a, b",
            ),
        ];
        for (json, expected) in cases {
            let said = read(json).unwrap_err().to_string();
            assert!(said.contains(expected), "{json}: {said}");
        }
    }
}
