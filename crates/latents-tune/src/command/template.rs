//! A command line as a template, with the ranges of parameters in braces.

use std::path::Path;

use crate::distribution::Distribution;
use crate::error::Error;
use crate::space::{Dimension, Params, Space};
use crate::value::Value;

/// A command line with parameters in braces.
///
/// `{name:float:0..1}`, `{name:log:1e-5..1e-1}`, `{name:int:1..10}`, `{name:logint:1..1000}` and `{name:choice:a,b,c}` are parameters;
/// a third number is a step, as in `{name:int:16..256:16}`. `{name}` is a parameter that is defined elsewhere, `{trial}` the number of the
/// trial, and `{folder}` its folder; `{{` and `}}` are literal braces.
///
/// ```
/// use latents_tune::command::Template;
///
/// let template = Template::parse(&["./train".into(), "--lr={lr:log:1e-5..1e-1}".into()])?;
/// let space = template.space(None)?;
/// assert_eq!(space.dimensions()[0].distribution.to_string(), "float in 1e-5..0.1, logarithmic");
/// # Ok::<(), latents_tune::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    words: Vec<Vec<Piece>>,
    dimensions: Vec<Dimension>,
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    Name(String),
}

impl Template {
    /// Parses a command line. The first word is the program.
    ///
    /// # Errors
    /// If there is no program, or the text in a pair of braces cannot be parsed.
    pub fn parse(words: &[String]) -> Result<Self, Error> {
        if words.is_empty() {
            return Err(Error::Space("there is no program to run".into()));
        }
        let mut dimensions: Vec<Dimension> = vec![];
        let mut parsed = vec![];
        for word in words {
            let mut pieces = vec![];
            for piece in split(word)? {
                match piece {
                    Piece::Name(text) if text.contains(':') => {
                        let dimension = parameter(&text)
                            .map_err(|why| Error::Space(format!("`{{{text}}}`: {why}")))?;
                        pieces.push(Piece::Name(dimension.name.clone()));
                        dimensions.push(dimension);
                    }
                    piece => pieces.push(piece),
                }
            }
            parsed.push(pieces);
        }
        Ok(Template { words: parsed, dimensions })
    }

    /// The search space of the parameters in braces and those of `others`.
    ///
    /// # Errors
    /// If they contradict each other, or a name in braces is not a parameter.
    pub fn space(&self, others: Option<&Space>) -> Result<Space, Error> {
        let others = others.map_or(&[][..], Space::dimensions);
        let space = Space::new(self.dimensions.iter().chain(others).cloned().collect())?;
        for piece in self.words.iter().flatten() {
            if let Piece::Name(name) = piece {
                let is_defined = space.dimensions().iter().any(|d| d.name == *name);
                if !is_defined && !["trial", "folder"].contains(&name.as_str()) {
                    return Err(Error::Space(format!(
                        "`{{{name}}}` is not a parameter; give its range, as in {{{name}:float:0..1}}"
                    )));
                }
            }
        }
        Ok(space)
    }

    /// The command line of a trial. A parameter whose conditions do not hold is replaced by nothing.
    pub(super) fn fill(&self, params: &Params, number: u64, folder: &Path) -> Vec<String> {
        let text = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Name(name) => match (params.get(name), name.as_str()) {
                (Some(value), _) => value.to_string(),
                (None, "trial") => number.to_string(),
                (None, "folder") => folder.display().to_string(),
                (None, _) => String::new(),
            },
        };
        self.words.iter().map(|pieces| pieces.iter().map(text).collect()).collect()
    }
}

/// Splits a word into text and names in braces.
fn split(word: &str) -> Result<Vec<Piece>, Error> {
    let fault =
        |why: &str| Error::Space(format!("`{word}`: {why}; write {{{{ or }}}} for a brace itself"));
    let mut pieces = vec![];
    let mut text = String::new();
    let mut rest = word.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '{' | '}' if rest.peek() == Some(&c) => {
                rest.next();
                text.push(c);
            }
            '{' => {
                let mut name = String::new();
                loop {
                    match rest.next() {
                        Some('}') => break,
                        Some('{') | None => return Err(fault("a brace is not closed")),
                        Some(c) => name.push(c),
                    }
                }
                if name.is_empty() {
                    return Err(fault("there is nothing in its braces"));
                }
                pieces.extend([Piece::Text(std::mem::take(&mut text)), Piece::Name(name)]);
            }
            '}' => return Err(fault("a brace is not opened")),
            c => text.push(c),
        }
    }
    pieces.push(Piece::Text(text));
    Ok(pieces)
}

fn read<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_| format!("`{text}` is not a number of that type"))
}

/// Parses `name:kind:range` or `name:kind:range:step`.
fn parameter(text: &str) -> Result<Dimension, String> {
    let mut parts = text.splitn(3, ':');
    let mut part = || parts.next().unwrap_or_default();
    let (name, kind, range) = (part(), part(), part());
    if name.is_empty() {
        return Err("it has no name".into());
    }
    if kind == "choice" {
        let choices = Distribution::categorical(range.split(',').map(Value::from));
        return choices.map(|d| Dimension::new(name, d)).map_err(|e| e.to_string());
    }
    let (range, step) = match range.split_once(':') {
        Some((range, step)) => (range, Some(step)),
        None => (range, None),
    };
    let (low, high) =
        range.split_once("..").ok_or("its range is not of the form low..high, such as 0..1")?;
    let distribution = match (kind, step) {
        ("float", None) => Distribution::float(read(low)?, read(high)?),
        ("float", Some(step)) => Distribution::stepped_float(read(low)?, read(high)?, read(step)?),
        ("log", None) => Distribution::log_float(read(low)?, read(high)?),
        ("int", None) => Distribution::int(read(low)?, read(high)?),
        ("int", Some(step)) => Distribution::stepped_int(read(low)?, read(high)?, read(step)?),
        ("logint", None) => Distribution::log_int(read(low)?, read(high)?),
        ("log" | "logint", Some(_)) => return Err("a logarithmic range has no steps".into()),
        _ => return Err(format!("`{kind}` is not one of float, log, int, logint and choice")),
    };
    distribution.map(|d| Dimension::new(name, d)).map_err(|e| e.to_string())
}
#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Template, Error> {
        Template::parse(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn a_template_is_filled() {
        let template = parse(&[
            "./train",
            "--lr={lr:log:1e-5..1e-1}",
            "{n:int:16..100:16}-{opt:choice:adam,sgd}",
            "{{{trial}}}",
            "{lr}/{extra}",
        ])
        .unwrap();
        let others: Space = serde_json::from_str(r#"{"extra": {"float": [0, 1]}}"#).unwrap();
        let space = template.space(Some(&others)).unwrap();
        let found: Vec<String> =
            space.dimensions().iter().map(|d| format!("{}: {}", d.name, d.distribution)).collect();
        assert_eq!(
            found,
            [
                "lr: float in 1e-5..0.1, logarithmic",
                "n: integer in 16..96 in steps of 16",
                "opt: one of adam, sgd",
                "extra: float in 0.0..1.0"
            ]
        );
        let params = [("lr", Value::Float(0.001)), ("n", 32.into()), ("opt", "sgd".into())];
        let params: Params = params.map(|(name, value)| (name.to_owned(), value)).into();
        assert_eq!(
            template.fill(&params, 7, Path::new("out")),
            ["./train", "--lr=0.001", "32-sgd", "{7}", "0.001/"]
        );
    }

    #[test]
    fn braces_that_make_no_sense_are_named() {
        let cases: &[(&[&str], &str)] = &[
            (&[], "there is no program to run"),
            (&["p", "{x"], "`{x`: a brace is not closed"),
            (&["p", "x}"], "`x}`: a brace is not opened"),
            (&["p", "{}"], "there is nothing in its braces"),
            (&["p", "{x:float}"], "`{x:float}`: its range is not of the form low..high"),
            (&["p", "{x:double:0..1}"], "`double` is not one of float, log"),
            (&["p", "{x:int:0..1.5}"], "`1.5` is not a number of that type"),
            (&["p", "{x:log:0..1}"], "a logarithmic range must begin above 0"),
            (&["p", "{x:log:1..2:1}"], "a logarithmic range has no steps"),
            (&["p", "{x:float:0..1}", "{y}"], "`{y}` is not a parameter; give its range"),
            (&["p", "{x:float:0..1}", "{x:float:0..1}"], "parameter `x` is defined twice"),
            (&["p"], "there is no parameter in it"),
        ];
        for (words, expected) in cases {
            let said = parse(words).and_then(|t| t.space(None)).unwrap_err().to_string();
            assert!(said.contains(expected), "{words:?}: {said}");
        }
    }
}
