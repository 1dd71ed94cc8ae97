//! A table in memory.

use std::collections::HashSet;
use std::fmt;

use crate::{Error, Result};

/// A table: columns of the same length with different names.
///
/// ```
/// use latents_tables::{Column, ColumnTable, Values};
///
/// let name = Column::new("name", Values::Text(vec![Some("a.png".into()), Some("b.png".into())]));
/// let label = Column::new("label", Values::I64(vec![Some(3), None]));
/// let table = ColumnTable::new(vec![name, label])?;
/// assert_eq!(table.rows(), 2);
/// # Ok::<(), latents_tables::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnTable {
    /// The columns, in order.
    pub columns: Vec<Column>,
}

/// A column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its values, one for each row.
    pub values: Values,
}

/// Declares the kinds of values once for everything that treats all alike.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident($value:ty) $words:literal;)*) => {
        /// The values of a column, each of which may be missing.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Values {
            $($(#[$doc])* $kind(Vec<Option<$value>>),)*
        }

        /// The kind of the values of a column.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// No values of this kind.
            #[must_use]
            pub fn empty(self) -> Values {
                match self { $(Self::$kind => Values::$kind(vec![]),)* }
            }
        }

        impl fmt::Display for Kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$kind => $words,)* })
            }
        }

        impl Values {
            /// The number of values, missing ones included.
            #[must_use]
            pub fn len(&self) -> usize {
                match self { $(Self::$kind(values) => values.len(),)* }
            }

            /// The kind of the values.
            #[must_use]
            pub fn kind(&self) -> Kind {
                match self { $(Self::$kind(_) => Kind::$kind,)* }
            }

            /// Whether the value of a row is missing; also if there is no such row.
            #[must_use]
            pub fn is_missing(&self, row: usize) -> bool {
                match self { $(Self::$kind(values) => values.get(row).is_none_or(Option::is_none),)* }
            }

            /// About how many bytes the values take in memory.
            pub(crate) fn bytes(&self) -> u64 {
                match self {
                    $(Self::$kind(values) => {
                        let inner = values.iter().flatten().map(|value| value.held()).sum::<usize>();
                        (inner + values.len() * size_of::<Option<$value>>()) as u64
                    })*
                }
            }

            /// Appends values of the same kind.
            pub(crate) fn append(&mut self, other: Self) {
                match (self, other) {
                    $((Self::$kind(values), Self::$kind(more)) => values.extend(more),)*
                    _ => unreachable!("batches of a file have the same kinds"),
                }
            }
        }
    };
}

/// What a value holds beside itself.
trait Held {
    /// In bytes.
    fn held(&self) -> usize {
        0
    }
}

impl Held for f32 {}
impl Held for f64 {}
impl Held for i64 {}
impl Held for bool {}

impl Held for String {
    fn held(&self) -> usize {
        self.len()
    }
}

impl<T> Held for Vec<T> {
    fn held(&self) -> usize {
        size_of_val(&**self)
    }
}

kinds! {
    /// Text.
    Text(String) "text";
    /// Numbers of single precision.
    F32(f32) "numbers";
    /// Numbers of double precision.
    F64(f64) "numbers";
    /// Whole numbers.
    I64(i64) "whole numbers";
    /// Truth values.
    Bool(bool) "truth values";
    /// Bytes.
    Bytes(Vec<u8>) "bytes";
    /// Lists of numbers of single precision.
    F32s(Vec<f32>) "lists of numbers";
    /// Lists of numbers of double precision.
    F64s(Vec<f64>) "lists of numbers";
    /// Lists of whole numbers.
    I64s(Vec<i64>) "lists of whole numbers";
}

impl ColumnTable {
    /// A table of columns.
    ///
    /// # Errors
    /// [`Error::Columns`] if they have different lengths or two have the same name.
    pub fn new(columns: Vec<Column>) -> Result<Self> {
        let mut names = HashSet::new();
        for column in &columns {
            if !names.insert(column.name.as_str()) {
                return Err(Error::Columns(format!("two columns are named `{}`", column.name)));
            }
            let (first, n) = (&columns[0], column.values.len());
            if n != first.values.len() {
                return Err(Error::Columns(format!(
                    "column `{}` has {} values, but column `{}` has {n}",
                    first.name,
                    first.values.len(),
                    column.name
                )));
            }
        }
        Ok(Self { columns })
    }

    /// The number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.values.len())
    }

    /// Adds the rows of a table of the same columns.
    ///
    /// # Errors
    /// [`Error::Columns`] if its columns have other names or kinds.
    pub fn append(&mut self, other: Self) -> Result<()> {
        let of = |table: &Self| -> Vec<(String, Kind)> {
            table.columns.iter().map(|c| (c.name.clone(), c.values.kind())).collect()
        };
        let (these, others) = (of(self), of(&other));
        if these != others {
            let different = these.iter().zip(&others).find(|(a, b)| a != b);
            return Err(Error::Columns(match different {
                Some(((a, kind), (b, other))) => {
                    format!("column `{a}` of {kind} is followed by column `{b}` of {other}")
                }
                None => format!("{} columns are followed by {}", these.len(), others.len()),
            }));
        }
        for (column, more) in self.columns.iter_mut().zip(other.columns) {
            column.values.append(more.values);
        }
        Ok(())
    }

    /// The column of a name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl Column {
    /// A column.
    pub fn new(name: impl Into<String>, values: Values) -> Self {
        Self { name: name.into(), values }
    }
}

impl Kind {
    /// Whether the values are single numbers.
    #[must_use]
    pub fn is_number(self) -> bool {
        matches!(self, Self::F32 | Self::F64 | Self::I64 | Self::Bool)
    }

    /// Whether the values are lists of numbers.
    #[must_use]
    pub fn is_list(self) -> bool {
        matches!(self, Self::F32s | Self::F64s | Self::I64s)
    }
}

impl Values {
    /// Whether there are no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Single numbers rounded to single precision, truth values as 0 and 1; `None` for other kinds.
    #[must_use]
    pub fn f32s(&self) -> Option<Vec<Option<f32>>> {
        Some(match self {
            Self::F32(values) => values.clone(),
            Self::F64(values) => values.iter().map(|x| x.map(|x| x as f32)).collect(),
            Self::I64(values) => values.iter().map(|x| x.map(|x| x as f32)).collect(),
            Self::Bool(values) => {
                values.iter().map(|x| x.map(|x| f32::from(u8::from(x)))).collect()
            }
            _ => return None,
        })
    }

    /// Lists of numbers rounded to single precision; `None` for other kinds.
    #[must_use]
    pub fn lists(&self) -> Option<Vec<Option<Vec<f32>>>> {
        fn round<T: Copy>(list: &[T], to: fn(T) -> f32) -> Vec<f32> {
            list.iter().map(|&x| to(x)).collect()
        }
        Some(match self {
            Self::F32s(values) => values.clone(),
            Self::F64s(values) => {
                values.iter().map(|x| x.as_ref().map(|x| round(x, |x| x as f32))).collect()
            }
            Self::I64s(values) => {
                values.iter().map(|x| x.as_ref().map(|x| round(x, |x| x as f32))).collect()
            }
            _ => return None,
        })
    }

    /// Text as it is, and single numbers in as few digits as give them again; `None` for other kinds.
    #[must_use]
    pub fn texts(&self) -> Option<Vec<Option<String>>> {
        fn print<T: ToString>(values: &[Option<T>]) -> Vec<Option<String>> {
            values.iter().map(|x| x.as_ref().map(T::to_string)).collect()
        }
        Some(match self {
            Self::Text(values) => values.clone(),
            Self::F32(values) => print(values),
            Self::F64(values) => print(values),
            Self::I64(values) => print(values),
            Self::Bool(values) => print(values),
            _ => return None,
        })
    }
}

/// What a file says of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// The kind of its values.
    pub kind: Kind,
}

/// Ends an iterator of batches after its first error.
pub(crate) fn until_error(
    mut next: impl FnMut() -> Result<Option<ColumnTable>>,
) -> impl Iterator<Item = Result<ColumnTable>> {
    let mut ended = false;
    std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let batch = next().transpose();
        ended = !matches!(batch, Some(Ok(_)));
        batch
    })
}
