//! Fault schedules as people write them: YAML, checked with file, line and key.

use std::path::Path;

use scalper_decide::domain::{Age, TimeOfDay};
use serde::Deserialize;

use super::kind::FaultKind;
use super::schedule::{FaultSchedule, Happens, Rule};
use crate::config::written::{Document, read_file};
use crate::config::{ConfigError, Problem};

/// Longest a fault may last.
const LONGEST: Age = Age::from_mins(60);
/// Most rules of a schedule.
const MOST_RULES: usize = 200;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSchedule {
    seed: Option<u64>,
    faults: Vec<RawRule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    kind: String,
    chance: Option<f64>,
    nth: Option<Vec<u64>>,
    every: Option<u64>,
    from: Option<String>,
    until: Option<String>,
    seconds: Option<f64>,
}

/// Reads a schedule.
///
/// # Errors
/// Everything that is wrong with it, with its place.
pub fn read(path: &Path) -> Result<FaultSchedule, ConfigError> {
    parse(&read_file(path)?)
}

/// Reads a schedule from a text.
pub(super) fn parse(document: &Document) -> Result<FaultSchedule, ConfigError> {
    let raw: RawSchedule = document.read()?;
    let mut problems = Vec::new();
    let mut rules = Vec::new();
    if raw.faults.is_empty() || raw.faults.len() > MOST_RULES {
        let what = format!("expected 1 to {MOST_RULES} rules, found {}", raw.faults.len());
        problems.push(document.problem("faults", what));
    }
    for (n, rule) in raw.faults.iter().enumerate() {
        match checked(rule, &format!("faults[{n}]"), document) {
            Ok(rule) => rules.push(rule),
            Err(problem) => problems.push(*problem),
        }
    }
    if problems.is_empty() {
        Ok(FaultSchedule::new(raw.seed.unwrap_or(1), rules))
    } else {
        Err(ConfigError { problems })
    }
}

fn checked(raw: &RawRule, at: &str, document: &Document) -> Result<Rule, Box<Problem>> {
    let problem = |key: &str, what: String| Box::new(document.problem(&format!("{at}.{key}"), what));
    let kind = FaultKind::from_word(&raw.kind).ok_or_else(|| {
        let known = FaultKind::ALL.iter().map(|kind| kind.word());
        let what = problem("kind", format!("there is no fault {:?}", raw.kind));
        Box::new(match crate::config::written::nearest(&raw.kind, known) {
            Some(near) => what.with_help(format!("did you mean `{near}`?")),
            None => what.with_help("docs/FAULTS.md lists every kind"),
        })
    })?;
    let happens = match (raw.chance, &raw.nth, raw.every) {
        (None, None, None) => Happens::Always,
        (Some(p), None, None) if p > 0.0 && p <= 1.0 => Happens::Chance(p),
        (Some(p), None, None) => return Err(problem("chance", format!("{p} is not above 0 and at most 1"))),
        (None, Some(list), None) if !list.is_empty() && !list.contains(&0) => Happens::Nth(list.clone()),
        (None, Some(_), None) => return Err(problem("nth", "expected occasions, counted from 1".to_owned())),
        (None, None, Some(n)) if n > 0 => Happens::Every(n),
        (None, None, Some(_)) => return Err(problem("every", "every 0th occasion is none".to_owned())),
        _ => return Err(Box::new(document.problem(at, "one of chance, nth and every, not several"))),
    };
    let time = |key: &str, text: &Option<String>| {
        let Some(text) = text else { return Ok(None) };
        let parsed = time_of_day(text).ok_or_else(|| problem(key, format!("{text:?} is no time of day, HH:MM[:SS]")));
        parsed.map(Some)
    };
    let (from, until) = (time("from", &raw.from)?, time("until", &raw.until)?);
    if let (Some(from), Some(until)) = (from, until)
        && until <= from
    {
        return Err(problem("until", format!("{until} does not come after {from}")));
    }
    let length = match (raw.seconds, kind.usual_length()) {
        (None, usual) => usual.unwrap_or(Age::ZERO),
        (Some(_), None) => return Err(problem("seconds", format!("{} has no length", kind.word()))),
        (Some(s), Some(_)) if s > 0.0 && s <= LONGEST.nanos() as f64 / 1e9 => Age::from_nanos((s * 1e9) as i64),
        (Some(s), Some(_)) => return Err(problem("seconds", format!("{s} is not above 0 and at most one hour"))),
    };
    Ok(Rule { kind, happens, from, until, length })
}

fn time_of_day(text: &str) -> Option<TimeOfDay> {
    let parts: Vec<u32> = text.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let (hour, minute, second) = match parts.as_slice() {
        [hour, minute] => (*hour, *minute, 0),
        [hour, minute, second] => (*hour, *minute, *second),
        _ => return None,
    };
    if minute > 59 || second > 59 {
        return None;
    }
    TimeOfDay::from_secs(hour.checked_mul(3_600)? + minute * 60 + second)
}
