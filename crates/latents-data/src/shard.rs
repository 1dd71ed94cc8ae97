//! One of several equal pieces of a collection, for a process that works on it beside others.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most pieces.
const MOST: usize = 100_000;

/// One of several equal pieces of a collection, written as `INDEX/COUNT`, with an index from 0. The pieces do not overlap, leave nothing
/// out, and follow each other in the order of the images.
///
/// ```
/// use latents_data::Shard;
///
/// let shard: Shard = "2/4".parse()?;
/// assert_eq!((shard.index(), shard.count(), shard.range(10)), (2, 4, 5..7));
/// assert!("4/4".parse::<Shard>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    /// The piece of a number, from 0, of so many.
    ///
    /// # Errors
    /// A message if there is no such piece, or there are more than 100,000.
    pub fn new(index: usize, count: usize) -> Result<Self, String> {
        if index < count && count <= MOST {
            return Ok(Self { index, count });
        }
        Err(format!(
            "`{index}/{count}` is not a shard: use INDEX/COUNT with an index from 0 to COUNT - 1 and at most {MOST} shards, such as 0/8"
        ))
    }

    /// The number of the piece, from 0.
    #[must_use]
    pub fn index(self) -> usize {
        self.index
    }

    /// The number of pieces.
    #[must_use]
    pub fn count(self) -> usize {
        self.count
    }

    /// Which of `n` images belong to the piece.
    #[must_use]
    pub fn range(self, n: usize) -> Range<usize> {
        let at = |index: usize| (index as u128 * n as u128 / self.count as u128) as usize;
        at(self.index)..at(self.index + 1)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(index, count)| {
            Some((index.trim().parse().ok()?, count.trim().parse().ok()?))
        });
        let (index, count) = numbers.ok_or_else(|| {
            format!("`{text}` is not a shard: use INDEX/COUNT with an index from 0, such as 0/8")
        })?;
        Self::new(index, count)
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_cover_everything_once() {
        for (n, count) in [(10, 3), (3, 8), (0, 2), (1, 1), (70_000, 7)] {
            let ranges = (0..count).map(|index| Shard::new(index, count).unwrap().range(n));
            let mut next = 0;
            for range in ranges {
                assert_eq!(range.start, next);
                assert!(range.len() <= n.div_ceil(count));
                next = range.end;
            }
            assert_eq!(next, n);
        }
        assert_eq!(Shard::new(6, 7).unwrap().range(usize::MAX).end, usize::MAX);
    }

    #[test]
    fn a_shard_is_read_as_it_is_written() {
        assert_eq!("3/8".parse::<Shard>().unwrap().to_string(), "3/8");
        for wrong in ["", "3", "8/8", "0/0", "-1/4", "1/2/3", "a/b", "0/100001"] {
            assert!(wrong.parse::<Shard>().unwrap_err().contains("such as 0/8"), "{wrong}");
        }
    }
}
