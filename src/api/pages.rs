//! Long lists come in pages: `offset` and `limit` in, items and the total out.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;

/// Items of a page unless asked for otherwise.
const USUAL: u32 = 50;
/// Items of a page at most.
const MOST: u32 = 500;
/// No list is longer than this.
const FAR: u64 = 1_000_000_000;

/// Which part of a list.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Window {
    /// Items to leave out first.
    #[param(minimum = 0, maximum = 1_000_000_000)]
    offset: Option<u64>,
    /// Items wanted; 50 unless said otherwise.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// A part that is inside the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) offset: u64,
    pub(super) limit: u32,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// The items.
    pub(super) items: Vec<T>,
    /// Items of the whole list now.
    pub(super) total: u64,
    /// Where this page begins.
    pub(super) offset: u64,
    /// Where the next page begins; null on the last one.
    pub(super) next_offset: Option<u64>,
}

impl Window {
    /// The part asked for.
    ///
    /// # Errors
    /// A limit of none or too many, or an offset beyond every list.
    pub(super) fn part(self) -> Result<Part, Problem> {
        Part::new(self.offset, self.limit)
    }
}

impl Part {
    /// As [`Window::part`].
    pub(super) fn new(offset: Option<u64>, limit: Option<u32>) -> Result<Part, Problem> {
        let (offset, limit) = (offset.unwrap_or(0), limit.unwrap_or(USUAL));
        if !(1..=MOST).contains(&limit) {
            return Err(Problem::malformed(format!("limit {limit}: 1 to {MOST}")));
        }
        if offset > FAR {
            return Err(Problem::malformed(format!("offset {offset}: 0 to {FAR}")));
        }
        Ok(Part { offset, limit })
    }

    /// The page of a list that was cut already.
    pub(super) fn page<T>(self, items: Vec<T>, total: u64) -> Page<T> {
        let after = self.offset + items.len() as u64;
        let next_offset = (!items.is_empty() && after < total).then_some(after);
        Page { items, total, offset: self.offset, next_offset }
    }

    /// The page of a whole list.
    pub(super) fn cut<T>(self, all: impl ExactSizeIterator<Item = T>) -> Page<T> {
        let total = all.len() as u64;
        let skip = usize::try_from(self.offset).unwrap_or(usize::MAX);
        self.page(all.skip(skip).take(self.limit as usize).collect(), total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_walk_a_list_once_and_say_where_they_end() {
        let list: Vec<u32> = (0..7).collect();
        let (mut offset, mut seen) = (Some(0), Vec::new());
        while let Some(at) = offset {
            let page = Part::new(Some(at), Some(3)).unwrap().cut(list.iter().copied());
            assert_eq!((page.total, page.offset), (7, at));
            seen.extend(page.items);
            offset = page.next_offset;
        }
        assert_eq!(seen, list);
        let beyond = Part::new(Some(100), None).unwrap().cut(list.iter());
        assert!(beyond.items.is_empty() && beyond.next_offset.is_none());
        assert!(Part::new(None, Some(0)).is_err() && Part::new(None, Some(501)).is_err());
        assert!(Part::new(Some(u64::MAX), None).is_err());
    }
}
