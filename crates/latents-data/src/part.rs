//! The parts of a data set, by name.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A part of a data set. Written and parsed as `train`, `validation`, `test` or `unlabelled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The images that models are trained on; and validated, if the source has no validation part of its own.
    Train,
    /// The images of the source's own validation part. Most sources have none.
    Validation,
    /// The images that results are measured on. Models never train on them.
    Test,
    /// The images of a part without labels of a source whose training part has labels, such as the test part of a competition.
    Unlabelled,
}

impl Part {
    /// All parts, training first.
    pub const ALL: [Self; 4] = [Self::Train, Self::Validation, Self::Test, Self::Unlabelled];

    fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
            Self::Unlabelled => "unlabelled",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The text is not the name of a [`Part`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown part \"{name}\": use \"train\", \"validation\", \"test\" or \"unlabelled\"")]
pub struct UnknownPart {
    /// The text.
    pub name: String,
}

impl FromStr for Part {
    type Err = UnknownPart;

    fn from_str(name: &str) -> Result<Self, UnknownPart> {
        let part = Self::ALL.into_iter().find(|part| part.name() == name);
        part.ok_or_else(|| UnknownPart { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_and_printed_alike() {
        for part in Part::ALL {
            let name = part.name();
            assert_eq!((part.to_string().as_str(), name.parse()), (name, Ok(part)));
            assert_eq!(serde_json::to_string(&part).unwrap(), format!("\"{name}\""));
        }
        let error = "Train".parse::<Part>().unwrap_err();
        let text =
            "unknown part \"Train\": use \"train\", \"validation\", \"test\" or \"unlabelled\"";
        assert_eq!(error.to_string(), text);
    }
}
