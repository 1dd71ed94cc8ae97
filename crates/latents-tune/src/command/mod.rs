//! Runs any program as an objective. Its command line is a template with the ranges of parameters in braces. Its value is read from what it
//! prints; lines with a step and a value report intermediate values. The program needs to know nothing of this crate.

mod line;
mod printed;
mod program;
mod running;
mod template;
mod words;

pub use program::{OnStep, OnValue, Program};
pub use template::Template;
