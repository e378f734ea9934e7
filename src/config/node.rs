//! A YAML document as a tree in which every key and value knows where it was written.
//!
//! Values come from `serde_yaml`; places come from `yaml-edit`, walked beside it. When the two disagree about a
//! place, the enclosing place is shown: a wrong caret is possible, a wrong value is not.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use yaml_edit::YamlFile;

use super::error::{ConfigError, Problem};

/// Where a text came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SourceKind {
    /// Compiled into the program.
    BuiltIn,
    /// A preset, by name.
    Preset(String),
    /// The user's file.
    File,
    /// An environment variable, by name.
    Env(String),
}

#[derive(Debug, PartialEq, Eq)]
struct SourceText {
    kind: SourceKind,
    name: String,
    text: String,
}

/// A text with its name; cheap to clone, equal only to itself.
#[derive(Debug, Clone)]
pub(crate) struct Source(Arc<SourceText>);

impl PartialEq for Source {
    fn eq(&self, other: &Source) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Source {
    pub(crate) fn new(kind: SourceKind, name: impl Into<String>, text: impl Into<String>) -> Source {
        let text = text.into();
        let text = text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned);
        Source(Arc::new(SourceText { kind, name: name.into(), text }))
    }
    pub(crate) fn kind(&self) -> &SourceKind {
        &self.0.kind
    }
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }
    pub(crate) fn text(&self) -> &str {
        &self.0.text
    }
    /// One-based line and column of a byte offset.
    pub(crate) fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = &self.text()[..offset.min(self.text().len())];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// A stretch of a source.
#[derive(Debug, Clone)]
pub(crate) struct Location {
    pub(crate) source: Source,
    pub(crate) span: Range<usize>,
}

impl Location {
    pub(crate) fn whole(source: &Source) -> Location {
        Location { source: source.clone(), span: 0..source.text().trim_end().len() }
    }
    pub(crate) fn line(&self) -> usize {
        self.source.line_column(self.span.start).0
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let SourceKind::Env(name) = self.source.kind() {
            return write!(f, "environment {name}");
        }
        let (line, column) = self.source.line_column(self.span.start);
        write!(f, "{}:{line}:{column}", self.source.name())
    }
}

/// A value with its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) at: Location,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// Nothing was written.
    Empty,
    Bool(bool),
    Int(i64),
    /// Always finite.
    Float(f64),
    Text {
        text: String,
        quoted: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_at: Location,
    pub(crate) node: Node,
}

impl Node {
    pub(crate) fn map(&self) -> Option<&Vec<Entry>> {
        if let Value::Map(entries) = &self.value { Some(entries) } else { None }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.map()?.iter().find(|e| e.key == key).map(|e| &e.node)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        let Value::Map(entries) = &mut self.value else { return None };
        entries.iter_mut().find(|e| e.key == key).map(|e| &mut e.node)
    }

    /// The node at a dotted path such as `risk.trail.drop_pct` or `capital.bands[2].risk_per_trade_pct`.
    pub(crate) fn path(&self, path: &str) -> Option<&Node> {
        path.split('.').try_fold(self, |node, step| {
            let (key, index) = match step.split_once('[') {
                Some((key, rest)) => (key, Some(rest.trim_end_matches(']').parse::<usize>().ok()?)),
                None => (step, None),
            };
            let node = node.get(key)?;
            match (index, &node.value) {
                (None, _) => Some(node),
                (Some(i), Value::List(items)) => items.get(i),
                (Some(_), _) => None,
            }
        })
    }

    /// Every scalar with its dotted path, in order of writing; an empty list or map counts as one.
    pub(crate) fn leaves(&self) -> Vec<(String, &Node)> {
        fn walk<'a>(path: String, node: &'a Node, out: &mut Vec<(String, &'a Node)>) {
            match &node.value {
                Value::Map(entries) if !entries.is_empty() => {
                    for e in entries {
                        let sub = if path.is_empty() { e.key.clone() } else { format!("{path}.{}", e.key) };
                        walk(sub, &e.node, out);
                    }
                }
                Value::List(items) if !items.is_empty() => {
                    for (i, item) in items.iter().enumerate() {
                        walk(format!("{path}[{i}]"), item, out);
                    }
                }
                _ => out.push((path, node)),
            }
        }
        let mut out = Vec::new();
        walk(String::new(), self, &mut out);
        out
    }

    /// The scalar as one canonical text: `3`, `3.0` and `3.00` are all `3`.
    pub(crate) fn canonical(&self) -> String {
        match &self.value {
            Value::Empty => String::new(),
            Value::Bool(b) => b.to_string(),
            Value::Int(i) => i.to_string(),
            Value::Float(f) => f.to_string(),
            Value::Text { text, .. } => text.clone(),
            Value::List(items) => {
                format!("[{}]", items.iter().map(Node::canonical).collect::<Vec<_>>().join(", "))
            }
            Value::Map(entries) => {
                let inner: Vec<String> = entries.iter().map(|e| format!("{}: {}", e.key, e.node.canonical())).collect();
                format!("{{{}}}", inner.join(", "))
            }
        }
    }
}

/// Reads one YAML document. Refused with their place: syntax errors, tabs, duplicate keys, tags, keys that are not
/// text, numbers that are not finite.
pub(crate) fn parse(source: &Source) -> Result<Node, ConfigError> {
    let text = source.text();
    if let Some(problem) = indenting_tab(source) {
        return Err(problem.into());
    }
    let parsed = YamlFile::parse(text);
    let document = parsed.tree().documents().next();
    let root = document.as_ref().and_then(|d| {
        let mapping = d.as_mapping().map(yaml_edit::YamlNode::Mapping);
        mapping
            .or_else(|| d.as_sequence().map(yaml_edit::YamlNode::Sequence))
            .or_else(|| d.as_scalar().map(yaml_edit::YamlNode::Scalar))
    });
    if let Some(root) = &root {
        duplicate_keys(source, root, "").map_or(Ok(()), |p| Err(ConfigError::from(p)))?;
    }
    let value: serde_yaml::Value = serde_yaml::from_str(text).map_err(|e| syntax_problem(source, &e))?;
    build(&value, root.as_ref(), source, &Location::whole(source), "")
}

fn indenting_tab(source: &Source) -> Option<Problem> {
    let mut offset = 0;
    for line in source.text().split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        let blank = line.trim().is_empty() || line.trim_start().starts_with('#');
        if let (false, Some(tab)) = (blank, line[..indent].find('\t')) {
            let at = Location { source: source.clone(), span: offset + tab..offset + tab + 1 };
            let problem = Problem::at("", "a tab indents this line; YAML allows only spaces", &at);
            return Some(problem.with_help("replace the tab by two spaces"));
        }
        offset += line.len();
    }
    None
}

fn syntax_problem(source: &Source, error: &serde_yaml::Error) -> Problem {
    let offset = error.location().map_or(0, |l| l.index()).min(source.text().len());
    let offset = (0..=offset).rev().find(|i| source.text().is_char_boundary(*i)).unwrap_or(0);
    let end = source.text()[offset..].chars().next().map_or(offset, |c| offset + c.len_utf8());
    let at = Location { source: source.clone(), span: offset..end };
    Problem::at("", format!("not valid YAML: {error}"), &at)
}

fn key_text(node: &yaml_edit::YamlNode) -> Option<String> {
    node.as_scalar().map(|s| s.as_string())
}

fn span_of(node: &yaml_edit::YamlNode, source: &Source) -> Range<usize> {
    let range = node.byte_range();
    let (start, end) = (range.start as usize, (range.end as usize).min(source.text().len()));
    let Some(text) = source.text().get(start..end) else { return 0..0 };
    // A block's range runs on to the next key; a caret belongs under what was written.
    start + (text.len() - text.trim_start().len())..start + text.trim_end().len()
}

fn duplicate_keys(source: &Source, node: &yaml_edit::YamlNode, path: &str) -> Option<Problem> {
    if let Some(items) = node.as_sequence() {
        return items.values().enumerate().find_map(|(i, v)| duplicate_keys(source, &v, &format!("{path}[{i}]")));
    }
    let mut seen: Vec<(String, Range<usize>)> = Vec::new();
    for entry in node.as_mapping()?.entries() {
        let Some(key_node) = entry.key_node() else { continue };
        let Some(key) = key_text(&key_node) else { continue };
        let full = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let span = span_of(&key_node, source);
        if let Some((_, first)) = seen.iter().find(|(k, _)| *k == key) {
            let at = |span: &Range<usize>| Location { source: source.clone(), span: span.clone() };
            let line = at(first).line();
            let mut problem =
                Problem::at(full, format!("this key is written twice; the first one is in line {line}"), &at(&span));
            problem.add_place(&at(first), "first one");
            return Some(problem.with_help("keep one of the two"));
        }
        seen.push((key, span));
        if let Some(found) = entry.value_node().and_then(|v| duplicate_keys(source, &v, &full)) {
            return Some(found);
        }
    }
    None
}

fn build(
    value: &serde_yaml::Value,
    place: Option<&yaml_edit::YamlNode>,
    source: &Source,
    around: &Location,
    path: &str,
) -> Result<Node, ConfigError> {
    let at = place.map_or_else(
        || around.clone(),
        |p| {
            let span = span_of(p, source);
            if span.is_empty() { around.clone() } else { Location { source: source.clone(), span } }
        },
    );
    let refuse = |message: String, help: &str| -> Result<Node, ConfigError> {
        Err(Problem::at(path, message, &at).with_help(help).into())
    };
    let value = match value {
        serde_yaml::Value::Null => Value::Empty,
        serde_yaml::Value::Bool(b) => Value::Bool(*b),
        serde_yaml::Value::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(i), _) => Value::Int(i),
            (None, Some(f)) if f.is_finite() && f.abs() < 1e15 => Value::Float(f),
            _ => return refuse(format!("{n} is not a usable number"), "write a finite number below 1e15"),
        },
        serde_yaml::Value::String(text) => {
            let quoted = source.text().get(at.span.clone()).is_some_and(|t| t.starts_with(['"', '\'']));
            Value::Text { text: text.clone(), quoted }
        }
        serde_yaml::Value::Sequence(items) => {
            let places: Vec<yaml_edit::YamlNode> =
                place.and_then(|p| p.as_sequence().map(|s| s.values().collect())).unwrap_or_default();
            let build_item = |(i, v)| build(v, places.get(i), source, &at, &format!("{path}[{i}]"));
            Value::List(items.iter().enumerate().map(build_item).collect::<Result<_, _>>()?)
        }
        serde_yaml::Value::Mapping(entries) => {
            let places: Vec<_> = place.and_then(|p| p.as_mapping().map(|m| m.entries().collect())).unwrap_or_default();
            let mut out = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                let key = match key {
                    serde_yaml::Value::String(s) => s.clone(),
                    serde_yaml::Value::Number(n) => n.to_string(),
                    serde_yaml::Value::Bool(b) => b.to_string(),
                    _ => return refuse("a key must be a plain word".to_owned(), "write the key as text"),
                };
                let place = places.iter().find(|e: &&yaml_edit::MappingEntry| {
                    e.key_node().and_then(|k| key_text(&k)).is_some_and(|k| k == key)
                });
                let key_at = place
                    .and_then(yaml_edit::MappingEntry::key_node)
                    .map_or_else(|| at.clone(), |k| Location { source: source.clone(), span: span_of(&k, source) });
                let sub = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let value_place = place.and_then(yaml_edit::MappingEntry::value_node);
                let node = build(value, value_place.as_ref(), source, &key_at, &sub)?;
                out.push(Entry { key, key_at, node });
            }
            Value::Map(out)
        }
        serde_yaml::Value::Tagged(tagged) => {
            return refuse(format!("the tag {} has no meaning here", tagged.tag), "remove the tag");
        }
    };
    Ok(Node { value, at })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new(SourceKind::File, "t.yml", text)
    }

    #[test]
    fn every_scalar_knows_its_line_and_column() {
        let text = "# heading\n\na: 1 # one\nb:\n  c: \"x\"\n  d: [2, three]\ne:\n  - f: 4.5\n    g: true\n";
        let src = source(text);
        let tree = parse(&src).unwrap();
        let found: Vec<(String, String, (usize, usize))> = tree
            .leaves()
            .into_iter()
            .map(|(path, n)| (path, text[n.at.span.clone()].to_owned(), src.line_column(n.at.span.start)))
            .collect();
        let want = [
            ("a", "1", (3, 4)),
            ("b.c", "\"x\"", (5, 6)),
            ("b.d[0]", "2", (6, 7)),
            ("b.d[1]", "three", (6, 10)),
            ("e[0].f", "4.5", (8, 8)),
            ("e[0].g", "true", (9, 8)),
        ];
        assert_eq!(found, want.map(|(p, t, l)| (p.to_owned(), t.to_owned(), l)));
    }

    #[test]
    fn duplicate_keys_are_refused_at_any_depth() {
        // F-85: the last of two equal keys must not win silently.
        let error = parse(&source("risk:\n  stop_pct: 20\n  stop_pct: 30\n")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "t.yml:3:3: risk.stop_pct: this key is written twice; the first one is in line 2 (keep one of the two)"
        );
        assert!(parse(&source("a: {b: 1, b: 2}\n")).is_err());
        assert!(parse(&source("a:\n- b: 1\n  b: 2\n")).is_err());
    }

    #[test]
    fn tabs_broken_syntax_and_non_finite_numbers_are_refused_with_their_place() {
        let of = |text: &str| parse(&source(text)).unwrap_err().to_string();
        assert!(of("risk:\n\tstop_pct: 20\n").starts_with("t.yml:2:1: a tab indents this line"));
        assert!(of("risk: [1, 2\n").contains("not valid YAML"));
        assert!(of("risk:\n  stop_pct: .nan\n").starts_with("t.yml:2:13: risk.stop_pct: .nan is not a usable number"));
        assert!(of("risk:\n  stop_pct: .inf\n").contains("not a usable number"));
        assert!(of("a: 1\n---\nb: 2\n").contains("more than one document"));
        assert!(of("a: !x 1\n").contains("tag"));
    }
}
