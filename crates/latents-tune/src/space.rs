//! Search spaces: parameters, and conditions under which some of them exist. A space is data, so it can be read from a file and stored
//! with a study. An objective that calls [`Trial::suggest`](crate::Trial::suggest) for each parameter needs no space.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::distribution::Distribution;
use crate::error::Error;
use crate::value::Value;

/// The values of a trial's parameters, by name.
pub type Params = BTreeMap<String, Value>;

/// A condition of a parameter: it exists only if another parameter has one of some values.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// Name of the other parameter.
    pub parameter: String,
    /// The values that it must have one of.
    pub values: Vec<Value>,
}

/// A parameter of a search space.
#[derive(Clone, Debug, PartialEq)]
pub struct Dimension {
    /// Its name, unique in the space.
    pub name: String,
    /// Its distribution.
    pub distribution: Distribution,
    /// Conditions under which it exists; all must hold.
    pub when: Vec<Condition>,
}

/// A search space: parameters and their conditions. Each parameter comes after those that its conditions name.
///
/// In a file, each parameter has one of `float = [low, high]`, `int = [low, high]` and `choices = [...]`; optionally `log` and `step`
/// for numbers; and optionally `when`, a table of conditions.
///
/// ```
/// use latents_tune::{Params, Space};
///
/// let space: Space = serde_json::from_str(
///     r#"{
///         "optimizer": {"choices": ["adam", "sgd"]},
///         "lr": {"float": [1e-5, 0.1], "log": true},
///         "momentum": {"float": [0, 0.9], "step": 0.1, "when": {"optimizer": "sgd"}}
///     }"#,
/// )?;
/// let momentum = &space.dimensions()[2];
/// assert_eq!(momentum.distribution.to_string(), "float in 0.0..0.9 in steps of 0.1");
/// assert!(!momentum.is_active(&Params::from([("optimizer".into(), "adam".into())])));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, Entry>", into = "BTreeMap<String, Entry>")]
pub struct Space(Vec<Dimension>);

impl Space {
    /// Makes a space of parameters in any order.
    ///
    /// # Errors
    /// [`Error::EmptySpace`] if there is no parameter. [`Error::Space`] if a name is not unique, a condition names a parameter that is
    /// not in the space or a value that it cannot have, or a parameter depends on itself.
    pub fn new(mut dimensions: Vec<Dimension>) -> Result<Self, Error> {
        let fault = |why: String| Err(Error::Space(why));
        if dimensions.is_empty() {
            return Err(Error::EmptySpace);
        }
        for (i, dimension) in dimensions.iter().enumerate() {
            let name = &dimension.name;
            if dimensions[..i].iter().any(|other| other.name == *name) {
                return fault(format!("parameter `{name}` is defined twice"));
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
                return fault(format!("the conditions of {} form a cycle", names.join(", ")));
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

    /// The space without the parameters for which `is_fixed` returns true, given their names.
    ///
    /// # Errors
    /// [`Error::EmptySpace`] if no parameter remains; [`Error::Space`] if a remaining one depends on one that does not.
    pub fn without(&self, is_fixed: impl Fn(&str) -> bool) -> Result<Space, Error> {
        Space::new(self.0.iter().filter(|d| !is_fixed(&d.name)).cloned().collect())
    }

    /// The space with the upper bound of the integer parameter `name` lowered to `max`, if it is above it; its lower bound is then
    /// at most `max` too. Other parameters, and a space without such a parameter, stay the same.
    ///
    /// # Errors
    /// If the range contradicts itself then: a logarithmic one must begin at 1 or above.
    pub fn clamped(&self, name: &str, max: i64) -> Result<Space, Error> {
        let mut dimensions = self.0.clone();
        for dimension in dimensions.iter_mut().filter(|d| d.name == name) {
            if let Distribution::Int { log, step, low, high } = dimension.distribution {
                let high = high.min(max);
                let clamped = Distribution::Int { log, step, low: low.min(high), high };
                dimension.distribution = clamped.checked()?;
            }
        }
        Space::new(dimensions)
    }

    /// The extreme values of each parameter: both ends of a range, or every choice. Each comes with the name of the parameter and
    /// with parameters under which a trial can have it: the value itself, and for each condition the first of its values. With
    /// these a program can check, before the first trial, that an objective accepts the whole space.
    ///
    /// ```
    /// # use latents_tune::{Params, Space};
    /// let space: Space = serde_json::from_str(
    ///     r#"{"kind": {"choices": ["a", "b"]}, "n": {"int": [1, 9], "when": {"kind": "b"}}}"#,
    /// )?;
    /// let (name, value, params) = &space.extremes()[3];
    /// assert_eq!((name.as_str(), value), ("n", &9.into()));
    /// assert_eq!(*params, Params::from([("kind".into(), "b".into()), ("n".into(), 9.into())]));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn extremes(&self) -> Vec<(String, Value, Params)> {
        let mut extremes = vec![];
        for dimension in &self.0 {
            for value in dimension.distribution.extremes() {
                let mut params = Params::new();
                self.assign(dimension, &value, &mut params);
                extremes.push((dimension.name.clone(), value, params));
            }
        }
        extremes
    }

    /// Gives a parameter a value, and each parameter that it depends on the first value that its condition allows.
    fn assign(&self, dimension: &Dimension, value: &Value, params: &mut Params) {
        params.insert(dimension.name.clone(), value.clone());
        for condition in &dimension.when {
            let parent = self.0.iter().find(|d| d.name == condition.parameter);
            if let (Some(parent), Some(value)) = (parent, condition.values.first()) {
                self.assign(parent, value, params);
            }
        }
    }
}

impl Dimension {
    /// A parameter without conditions.
    pub fn new(name: impl Into<String>, distribution: Distribution) -> Self {
        Dimension { name: name.into(), distribution, when: vec![] }
    }

    /// Whether its conditions hold, given the values of the parameters before it.
    #[must_use]
    pub fn is_active(&self, params: &Params) -> bool {
        self.when.iter().all(|condition| {
            let value = params.get(&condition.parameter);
            value.is_some_and(|value| condition.values.iter().any(|v| v.is_equal(value)))
        })
    }
}

/// A parameter in a TOML or JSON file.
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
                        return Err(fault("the step of an int must be an integer"));
                    }
                    Distribution::Int { log, step: step as i64, low, high }
                }
                (None, None, Some(_)) if log || step.is_some() => {
                    return Err(fault("choices take neither log nor step"));
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
    fn parameters_are_left_out_and_bounds_are_lowered() {
        let space = read(
            r#"{
                "kind": {"choices": ["a", "b"]},
                "latents": {"int": [8, 256], "log": true},
                "width": {"int": [16, 96], "step": 16, "when": {"kind": "b"}}
            }"#,
        )
        .unwrap();
        let rest = space.without(|name| name == "latents").unwrap();
        let names: Vec<&str> = rest.dimensions().iter().map(|d| d.name.as_str()).collect();
        assert_eq!(names, ["kind", "width"]);
        let said = space.without(|name| name == "kind").unwrap_err().to_string();
        assert!(said.contains("`width` depends on `kind`"), "{said}");
        assert!(matches!(space.without(|_| true), Err(Error::EmptySpace)));

        let latents = |max| {
            let space = space.clamped("latents", max)?;
            let mut dimensions = space.dimensions().iter();
            let found = dimensions.find(|d| d.name == "latents").map(|d| d.distribution.clone());
            Ok::<_, Error>(found.unwrap())
        };
        assert_eq!(latents(1000).unwrap(), Distribution::log_int(8, 256).unwrap());
        assert_eq!(latents(32).unwrap(), Distribution::log_int(8, 32).unwrap());
        assert_eq!(latents(4).unwrap(), Distribution::log_int(4, 4).unwrap());
        assert!(latents(0).unwrap_err().to_string().contains("must begin at 1 or above"));
        assert_eq!(space.clamped("nothing", 1).unwrap(), space);
        assert_eq!(space.clamped("kind", 1).unwrap(), space);
    }

    #[test]
    fn extremes_come_with_what_they_depend_on() {
        let space = read(
            r#"{
                "depth": {"int": [1, 4], "when": {"norm": [true, false]}},
                "kind": {"choices": ["a", "b"]},
                "norm": {"choices": [false, true], "when": {"kind": ["b", "a"]}}
            }"#,
        )
        .unwrap();
        let found: Vec<String> = space
            .extremes()
            .into_iter()
            .map(|(name, value, params)| format!("{name} {value} {params:?}"))
            .collect();
        assert_eq!(
            found,
            [
                r#"kind a {"kind": Text("a")}"#,
                r#"kind b {"kind": Text("b")}"#,
                r#"norm false {"kind": Text("b"), "norm": Bool(false)}"#,
                r#"norm true {"kind": Text("b"), "norm": Bool(true)}"#,
                r#"depth 1 {"depth": Int(1), "kind": Text("b"), "norm": Bool(true)}"#,
                r#"depth 4 {"depth": Int(4), "kind": Text("b"), "norm": Bool(true)}"#,
            ]
        );
    }

    #[test]
    fn contradictions_are_named() {
        let cases = [
            ("{}", "there is no parameter in it"),
            (r#"{"a": {}}"#, "parameter `a`: give one of float"),
            (r#"{"a": {"float": [0, 1], "int": [0, 1]}}"#, "parameter `a`: give one of float"),
            (r#"{"a": {"float": [1, 0]}}"#, "parameter `a`: float in 1.0..0.0: the lower bound"),
            (r#"{"a": {"int": [0, 9], "step": 0.5}}"#, "must be an integer"),
            (r#"{"a": {"choices": [1, 2], "log": true}}"#, "choices take neither log nor step"),
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
                "the conditions of a, b form a cycle",
            ),
        ];
        for (json, expected) in cases {
            let said = read(json).unwrap_err().to_string();
            assert!(said.contains(expected), "{json}: {said}");
        }
    }
}
