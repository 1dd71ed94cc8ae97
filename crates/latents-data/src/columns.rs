//! Sources that have several labels for each image, in columns: what is known of each column, and the labels that stay with the images.

use std::collections::{BTreeSet, HashMap};

use crate::arrange::classes;

/// Labels as text; `None` for an image without one.
pub(crate) type Texts = Vec<Option<String>>;

/// The most different labels of a column that stay with the images; columns of more are names or measurements.
const MOST: usize = 256;

/// One of the labels that a source has for each image.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LabelColumn {
    /// Its name: that of a column or an array, or its number among several in one array, from 0.
    pub name: String,
    /// The number of different labels.
    pub classes: usize,
    /// The number of images that have one.
    pub labelled: usize,
}

impl LabelColumn {
    /// Of the labels of all images.
    pub(crate) fn of(name: String, labels: &[Option<String>]) -> Self {
        let classes = labels.iter().flatten().collect::<BTreeSet<_>>().len();
        Self { name, classes, labelled: labels.iter().flatten().count() }
    }
}

/// The labels of some images in one of several columns.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ColumnLabels {
    /// The name of the column, as of its [`LabelColumn`].
    pub name: String,
    /// The label of each image `[n]` as a number: equal ones have the same number in all parts of a data set, in natural order. `None` for
    /// an image without one.
    pub labels: Vec<Option<u16>>,
}

impl ColumnLabels {
    /// The labels in columns of 2 to 256 different ones; none if there are no two columns, because one is the class of the images.
    pub(crate) fn all(columns: &[(String, Texts)]) -> Vec<Self> {
        if columns.len() < 2 {
            return vec![];
        }
        let of = |(name, texts): &(String, Texts)| {
            let different = texts.iter().flatten().collect::<BTreeSet<_>>().len();
            if !(2..=MOST).contains(&different) {
                return None;
            }
            let (_, labels) = classes(texts, None).ok()?;
            Some(Self { name: name.clone(), labels })
        };
        columns.iter().filter_map(of).collect()
    }

    /// The labels of the images at these indices.
    pub(crate) fn at(&self, indices: &[usize]) -> Self {
        let labels = indices.iter().map(|&i| self.labels[i]).collect();
        Self { name: self.name.clone(), labels }
    }

    /// The labels of images of several parts, one after the other; none if these do not have the same columns.
    pub(crate) fn concat(parts: &[&[Self]]) -> Vec<Self> {
        let Some(first) = parts.first() else { return vec![] };
        let names = |part: &[Self]| part.iter().map(|c| c.name.clone()).collect::<Vec<_>>();
        if parts.iter().any(|part| names(part) != names(first)) {
            return vec![];
        }
        let of = |i: usize| Self {
            name: first[i].name.clone(),
            labels: parts.iter().flat_map(|part| part[i].labels.iter().copied()).collect(),
        };
        (0..first.len()).map(of).collect()
    }
}

/// Columns of the rows of several tables, of which each may have other ones.
#[derive(Default)]
pub(crate) struct Columns {
    all: Vec<(String, Texts)>,
    /// The place of each name.
    places: HashMap<String, usize>,
    /// The labels that were added.
    labels: usize,
}

/// Checks that most places of a table with so many rows and columns have one of so many labels, because each takes memory. Otherwise files of which each
/// has other columns would take the square of theirs.
pub(crate) fn check_filled(rows: usize, columns: usize, labels: usize) -> Result<(), String> {
    if rows.saturating_mul(columns) <= labels.saturating_mul(16).max(1 << 20) {
        return Ok(());
    }
    Err(format!(
        "its {rows} images have {columns} different labels, most of which each image lacks"
    ))
}

impl Columns {
    /// Adds a column of the table whose first row is number `start`. The error says why there are too many columns.
    pub(crate) fn add(&mut self, name: &str, start: usize, texts: Texts) -> Result<(), String> {
        self.labels += texts.len();
        let known = self.places.get(name).copied();
        let columns = self.all.len() + usize::from(known.is_none());
        check_filled(start + texts.len(), columns, self.labels)?;
        let place = known.unwrap_or_else(|| {
            self.places.insert(name.to_owned(), self.all.len());
            self.all.push((name.to_owned(), vec![]));
            self.all.len() - 1
        });
        let before = &mut self.all[place].1;
        before.resize(start, None);
        before.extend(texts);
        Ok(())
    }

    /// All columns, with labels for `n` rows.
    pub(crate) fn finish(mut self, n: usize) -> Vec<(String, Texts)> {
        self.all.iter_mut().for_each(|(_, texts)| texts.resize(n, None));
        self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, labels: &[&str]) -> (String, Texts) {
        let text = |label: &&str| (!label.is_empty()).then(|| (*label).to_owned());
        (name.to_owned(), labels.iter().map(text).collect())
    }

    #[test]
    fn columns_of_few_different_labels_are_kept() {
        let (size, angle) = (column("size", &["s", "", "l"]), column("angle", &["90", "0", "90"]));
        let same = column("kind", &["a", "a", "a"]);
        let all = ColumnLabels::all(&[size.clone(), same, angle.clone()]);
        assert_eq!((all.len(), &*all[0].name, &*all[1].name), (2, "size", "angle"));
        assert_eq!(all[0].labels, [Some(1), None, Some(0)]);
        assert_eq!(all[1].labels, [Some(90), Some(0), Some(90)]);
        assert_eq!(all[1].at(&[2, 1]).labels, [Some(90), Some(0)]);
        assert!(ColumnLabels::all(std::slice::from_ref(&size)).is_empty());

        let names = |n: usize| ("id".to_owned(), (0..n).map(|i| Some(format!("x{i}"))).collect());
        assert_eq!(ColumnLabels::all(&[angle.clone(), names(256)]).len(), 2);
        assert_eq!(ColumnLabels::all(&[angle, names(257)]).len(), 1);
    }

    /// A thousand tables of a row with a thousand columns of their own would have a thousand million labels.
    #[test]
    fn columns_that_most_rows_lack_are_refused() {
        let mut columns = Columns::default();
        let row = || vec![Some(String::new())];
        let mut add = |table: usize, column: &str| columns.add(column, table, row());
        let found = (0..1000).flat_map(|table| (0..1000).map(move |i| (table, i)));
        let refused =
            found.map(|(table, i)| add(table, &format!("{table} {i}"))).find_map(Result::err);
        let said = refused.unwrap();
        assert!(said.contains("images have") && said.contains("different labels"), "{said}");
        assert!(columns.all.iter().map(|(_, texts)| texts.len()).sum::<usize>() < 1 << 21);

        let mut same = Columns::default();
        assert!((0..100_000).all(|table| same.add("size", table, row()).is_ok()));
        assert!(check_filled(1 << 20, 1, 0).is_ok() && check_filled(1 << 20, 2, 1 << 17).is_ok());
        assert!(check_filled(1 << 20, 3, 1 << 17).is_err());
    }

    #[test]
    fn parts_are_joined_if_they_have_the_same_columns() {
        let part = |name: &str, label| ColumnLabels { name: name.into(), labels: vec![label] };
        let (one, two) = ([part("size", Some(3))], [part("size", None)]);
        assert_eq!(ColumnLabels::concat(&[&one, &two])[0].labels, [Some(3), None]);
        assert!(ColumnLabels::concat(&[&one, &[part("angle", None)]]).is_empty());
        assert!(ColumnLabels::concat(&[&one, &[]]).is_empty());
    }

    #[test]
    fn tables_may_have_other_columns() {
        let mut columns = Columns::default();
        columns.add("a", 0, column("", &["1", "2"]).1).unwrap();
        columns.add("b", 2, column("", &["3"]).1).unwrap();
        columns.add("a", 3, column("", &["4"]).1).unwrap();
        let expected = [column("a", &["1", "2", "", "4", ""]), column("b", &["", "", "3", "", ""])];
        assert_eq!(columns.finish(5), expected);
    }
}
