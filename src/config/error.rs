//! What is wrong with a configuration, where it stands, and what would be right.

use std::fmt;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity, SourceCode};

use super::node::Location;

/// One thing that is wrong.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Full key, e.g. `risk.trail.drop_pct`; empty when the file as a whole is meant.
    pub key: String,
    /// What is wrong, with the value found.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
    places: Vec<(Location, String)>,
    source: Option<NamedSource<String>>,
}

impl Problem {
    /// A problem that belongs to no place in a file.
    pub fn general(message: impl Into<String>) -> Problem {
        Problem { key: String::new(), message: message.into(), help: None, places: Vec::new(), source: None }
    }

    pub(crate) fn at(key: impl Into<String>, message: impl Into<String>, at: &Location) -> Problem {
        let mut problem = Problem { key: key.into(), ..Problem::general(message) };
        problem.add_place(at, "here");
        problem
    }

    /// Points at a further place; only places in the file of the first one are drawn.
    pub(crate) fn add_place(&mut self, at: &Location, label: impl Into<String>) {
        if self.source.is_none() {
            self.source = Some(NamedSource::new(at.source.name(), at.source.text().to_owned()));
        }
        self.places.push((at.clone(), label.into()));
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Problem {
        self.help = Some(help.into());
        self
    }

    /// `file:line:column` of the first place.
    pub fn place(&self) -> Option<String> {
        self.places.first().map(|(at, _)| at.to_string())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.key, self.message) }
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn severity(&self) -> Option<Severity> {
        Some(Severity::Error)
    }
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|h| Box::new(h) as Box<dyn fmt::Display>)
    }
    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|s| s as &dyn SourceCode)
    }
    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (first, _) = self.places.first()?;
        let same_file = self.places.iter().filter(|(at, _)| at.source == first.source);
        Some(Box::new(same_file.map(|(at, label)| LabeledSpan::new_with_span(Some(label.clone()), at.span.clone()))))
    }
}

/// Everything that is wrong with a configuration or a table; at least one problem.
#[derive(Debug, Clone)]
pub struct ConfigError {
    /// The problems, in order of discovery.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// Exit code of a program that stops for this reason.
    pub const EXIT_CODE: u8 = 4;

    /// Drawn with the source line and carets under the place, for people; `fancy` adds boxes and colours.
    pub fn render(&self, fancy: bool) -> String {
        let mut theme = if fancy { GraphicalTheme::unicode() } else { GraphicalTheme::none() };
        theme.characters.underline = '^';
        theme.characters.underbar = '^';
        let handler = GraphicalReportHandler::new_themed(theme).with_wrap_lines(false);
        let mut out = String::new();
        for problem in &self.problems {
            // Writing to a String cannot fail.
            let _ = handler.render_report(&mut out, problem);
            out.push('\n');
        }
        out
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> ConfigError {
        ConfigError { problems: vec![problem] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            if let Some(place) = problem.place() {
                write!(f, "{place}: ")?;
            }
            write!(f, "{problem}")?;
            if let Some(help) = &problem.help {
                write!(f, " ({help})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// The candidate nearest to `word`, when it is near enough to be a slip of the fingers.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|c| (edit_distance(&word.to_lowercase(), &c.to_lowercase()), c))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, c)| c)
}

/// Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let substitution = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substitution.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swapped_or_missing_letter_is_suggested_and_a_stranger_is_not() {
        let keys = ["stop_pct", "target_pct", "time_stop_minutes"];
        assert_eq!(nearest("stpo_pct", keys), Some("stop_pct"));
        assert_eq!(nearest("target_pc", keys), Some("target_pct"));
        assert_eq!(nearest("moon_phase", keys), None);
    }
}
