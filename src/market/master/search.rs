//! Search over every row: each word of the query must be found; a symbol that is the word comes before one that begins
//! with it, and that before one that only holds it (G1-21).

use std::collections::BinaryHeap;

use chrono::NaiveDate;
use memchr::memmem;
use scalper_decide::domain::Segment;

use super::{Kind, Listing, Master};

/// What a search is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this segment.
    pub segment: Option<Segment>,
    /// Only this kind.
    pub kind: Option<Kind>,
    /// Nothing that expires before.
    pub from: Option<NaiveDate>,
}

/// Smaller is better: how the anchor fits, kind, length of the symbol, expiry, strike, place.
type Rank = (u8, u8, u8, u16, i32, u32);

/// What most people mean first.
const fn kind_rank(kind: Kind) -> u8 {
    match kind {
        Kind::Index => 0,
        Kind::Equity => 1,
        Kind::FutIdx | Kind::FutStk | Kind::FutCom | Kind::FutCur => 2,
        Kind::OptIdx | Kind::OptStk | Kind::OptFut | Kind::OptCur => 3,
    }
}

/// Words as the list spells them.
fn words(query: &str) -> Vec<String> {
    let known = |word: &str| match word {
        "CALL" | "CALLS" => "CE".to_owned(),
        "PUT" | "PUTS" => "PE".to_owned(),
        "FUTURE" | "FUTURES" => "FUT".to_owned(),
        other => other.to_owned(),
    };
    query.split_whitespace().map(|word| known(&word.to_ascii_uppercase())).collect()
}

impl Master {
    /// At most `limit` instruments whose symbol or name holds every word of `query`, the likeliest first. A word may also
    /// be an expiry (`2026-02-24`, `24FEB2026`) or a day of one (`24`).
    pub fn search<'a>(&'a self, query: &str, limit: usize, filter: &Filter) -> Vec<Listing<'a>> {
        let words = words(query);
        // A day or date stands in no compact symbol of NSE and BSE: only what does can find rows.
        let anchor = words.iter().filter(|word| as_date(word).is_none()).max_by_key(|word| {
            let letters = word.bytes().any(|byte| byte.is_ascii_alphabetic());
            (letters && !matches!(word.as_str(), "CE" | "PE" | "FUT"), word.len())
        });
        let Some(anchor) = anchor else { return Vec::new() };
        if limit == 0 {
            return Vec::new();
        }
        let finder = memmem::Finder::new(anchor.as_bytes());
        let haystack = self.haystack.as_bytes();
        let mut best: BinaryHeap<Rank> = BinaryHeap::with_capacity(limit + 1);
        let (mut from, mut line) = (0, 0);
        while let Some(found) = finder.find(&haystack[from..]).map(|at| from + at) {
            // Lines ascend, and hits often lie close together.
            line = if self.lines.get(line + 1).is_some_and(|next| (*next as usize) > found) {
                line
            } else {
                line + self.lines[line..].partition_point(|start| *start as usize <= found) - 1
            };
            let start = self.lines[line] as usize;
            let end = self.lines.get(line + 1).map_or(haystack.len(), |next| *next as usize) - 1;
            from = end + 1;
            if let Some(rank) = self.rank(line, found - start, start, end, anchor, &words, filter) {
                if best.len() < limit {
                    best.push(rank);
                } else if best.peek().is_some_and(|worst| rank < *worst) {
                    best.pop();
                    best.push(rank);
                }
            }
            if from >= haystack.len() {
                break;
            }
        }
        best.into_sorted_vec().into_iter().map(|rank| self.listing(&self.rows[rank.5 as usize])).collect()
    }

    #[allow(clippy::too_many_arguments, reason = "one hit in all its parts")]
    fn rank(
        &self,
        line: usize,
        at: usize,
        start: usize,
        end: usize,
        anchor: &str,
        words: &[String],
        filter: &Filter,
    ) -> Option<Rank> {
        let row = &self.rows[line];
        if filter.segment.is_some_and(|segment| segment != row.segment)
            || filter.kind.is_some_and(|kind| kind != row.kind)
        {
            return None;
        }
        let listing = self.listing(row);
        if filter.from.is_some_and(|day| listing.expiry().is_some_and(|expiry| expiry < day)) {
            return None;
        }
        let text = &self.haystack[start..end];
        for word in words.iter().filter(|word| *word != anchor) {
            let dated = as_date(word).is_some_and(|wanted| listing.expiry().is_some_and(|expiry| wanted.fits(expiry)));
            if !dated && !text.contains(word.as_str()) {
                return None;
            }
        }
        let symbol = &text[..usize::from(row.symbol_len)];
        let whole_word = |end: usize| text.as_bytes().get(end).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        let fit = match at {
            0 if symbol == anchor => 0,
            // NIFTY of NIFTY-Feb2026, before NIFTYNXT50.
            0 if whole_word(anchor.len()) => 1,
            0 => 2,
            _ if !text.as_bytes()[at - 1].is_ascii_alphanumeric() => 3,
            _ => 4,
        };
        let place = u32::try_from(line).expect("fewer than 2^32 rows");
        // A row that expires is ranked by when, not by how long its strike is written.
        let length = if row.expiry > 0 { 0 } else { row.symbol_len };
        Some((fit, kind_rank(row.kind), length, row.expiry, row.strike, place))
    }
}

/// A word that may be an expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dated {
    Day(u32),
    Date(NaiveDate),
}

impl Dated {
    fn fits(self, expiry: NaiveDate) -> bool {
        use chrono::Datelike as _;
        match self {
            Dated::Day(day) => expiry.day() == day,
            Dated::Date(date) => expiry == date,
        }
    }
}

fn as_date(word: &str) -> Option<Dated> {
    if (1..=2).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit()) {
        return word.parse().ok().filter(|day| (1..=31).contains(day)).map(Dated::Day);
    }
    let date = NaiveDate::parse_from_str(word, "%Y-%m-%d").or_else(|_| NaiveDate::parse_from_str(word, "%d%b%Y"));
    date.ok().map(Dated::Date)
}
