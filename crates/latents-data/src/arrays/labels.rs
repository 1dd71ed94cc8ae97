//! The labels in an array: one for each image, one-hot rows, or several for each image.

pub(crate) use crate::columns::Texts;
use crate::npz::{ArrayInfo, Items, Values};

/// The labels of some images.
#[derive(Debug, PartialEq)]
pub(super) enum Labels {
    One(Texts),
    /// As many columns as there are labels for each image.
    Several(Vec<Texts>),
}

impl Labels {
    /// Reads the labels of `n` images.
    pub(super) fn of(values: &Values, array: &ArrayInfo, n: usize) -> Result<Self, String> {
        let found: usize = values.shape().iter().product();
        let rows = values.shape().first().copied().unwrap_or(0);
        if found == n {
            return Ok(Self::One(texts(values, array)?));
        }
        if rows != n || n == 0 || values.is_empty() {
            return Err(format!("array {array} has {found} labels for {n} images"));
        }
        let columns = found / n;
        if let Some(classes) = one_hot(values, columns) {
            return Ok(Self::One(classes.iter().map(|class| Some(class.to_string())).collect()));
        }
        let all = texts(values, array)?;
        let column = |c: usize| all.iter().skip(c).step_by(columns).cloned().collect();
        Ok(Self::Several((0..columns).map(column).collect()))
    }
}

/// The place of the one in each row, if all others are zero.
fn one_hot(values: &Values, columns: usize) -> Option<Vec<usize>> {
    // The exact values 0 and 1 are meant.
    #![allow(clippy::float_cmp)]
    let numbers: Vec<f64> = Items::of(values)?.all().collect();
    let place = |row: &[f64]| {
        let whole = row.iter().all(|&x| x == 0.0 || x == 1.0);
        let ones = row.iter().filter(|&&x| x == 1.0).count();
        (whole && ones == 1).then(|| row.iter().position(|&x| x == 1.0)).flatten()
    };
    numbers.chunks_exact(columns).map(place).collect()
}

/// Text as it is, whole numbers in decimal digits. No text, NaN, and -1 among numbers from 0 on are no label.
fn texts(values: &Values, array: &ArrayInfo) -> Result<Texts, String> {
    let Some(items) = Items::of(values) else {
        let known = |text: String| Some(text).filter(|text| !text.is_empty());
        return Ok(values.texts().into_iter().map(known).collect());
    };
    let negative = items.all().any(|x| x < -1.0);
    let label = |x: f64| {
        if x.is_nan() || (x < 0.0 && !negative) {
            return Ok(None);
        }
        let whole = x.fract() == 0.0 && x.abs() < 1e15;
        let text = || Some(format!("{}", x as i64));
        whole.then(text).ok_or_else(|| format!("labels in array {array}: {x} is not a class"))
    };
    items.all().map(label).collect()
}
