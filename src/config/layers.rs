//! The layers of the settings: built-in defaults, presets in order, the user's file, the environment.

use std::path::{Path, PathBuf};

use super::error::{ConfigError, Problem, nearest};
use super::node::{Entry, Location, Node, Source, SourceKind, Value, parse};

/// Prefix of the environment variables that set a key: `SCALPER__RISK__STOP_PCT=18`.
pub const ENV_PREFIX: &str = "SCALPER__";

/// The complete built-in settings.
pub(crate) const DEFAULTS: &str = include_str!("../../config/defaults.yml");

/// The starter file.
pub const STARTER: &str = include_str!("../../config/algo.yml");

/// Shipped presets by name.
pub(crate) const PRESETS: [(&str, &str); 10] = [
    ("production", include_str!("../../config/presets/production.yml")),
    ("spec-original", include_str!("../../config/presets/spec-original.yml")),
    ("epic-g", include_str!("../../config/presets/epic-g.yml")),
    ("conservative", include_str!("../../config/presets/conservative.yml")),
    ("balanced", include_str!("../../config/presets/balanced.yml")),
    ("aggressive", include_str!("../../config/presets/aggressive.yml")),
    ("atm-only", include_str!("../../config/presets/atm-only.yml")),
    ("demo", include_str!("../../config/presets/demo.yml")),
    ("universe-s4", include_str!("../../config/presets/universe-s4.yml")),
    ("full-universe", include_str!("../../config/presets/full-universe.yml")),
];

/// Names of the shipped presets.
pub fn preset_names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|(name, _)| *name)
}

pub(crate) fn empty(source: &Source) -> Node {
    Node { value: Value::Map(Vec::new()), at: Location::whole(source) }
}

/// A document whose top level is a section; a document with nothing but comments is an empty one.
pub(crate) fn parse_document(source: &Source) -> Result<Node, ConfigError> {
    let node = parse(source)?;
    match node.value {
        Value::Map(_) => Ok(node),
        Value::Empty => Ok(empty(source)),
        _ => Err(Problem::at("", "settings start with a key such as `risk:`", &node.at).into()),
    }
}

pub(crate) fn read_source(path: &Path, kind: SourceKind) -> Result<Source, ConfigError> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Source::new(kind, name, text)),
        Err(e) => Err(Problem::general(format!("cannot read {name}: {e}")).into()),
    }
}

/// The preset `name`: from `presets/NAME.yml` beside the user's file when that exists, otherwise the shipped one.
/// `named_at` is where the name was written.
pub(crate) fn preset(name: &str, beside: Option<&Path>, named_at: Option<&Location>) -> Result<Node, ConfigError> {
    let kind = SourceKind::Preset(name.to_owned());
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let local = beside.map(|dir| dir.join("presets").join(format!("{name}.yml"))).filter(|p| plain && p.is_file());
    let shipped = PRESETS.iter().find(|(n, _)| *n == name);
    let source = match (local, shipped) {
        (Some(path), _) => read_source(&path, kind)?,
        (None, Some((_, text))) => Source::new(kind, format!("config/presets/{name}.yml (shipped)"), *text),
        (None, None) => {
            let message = format!("there is no preset `{name}`");
            let problem = match named_at {
                Some(at) => Problem::at("preset", message, at),
                None => Problem::general(message),
            };
            let known = preset_names().collect::<Vec<_>>().join(", ");
            let near = nearest(name, preset_names()).map_or(String::new(), |n| format!("did you mean `{n}`? "));
            return Err(problem.with_help(format!("{near}shipped presets: {known}")).into());
        }
    };
    let node = parse_document(&source)?;
    for forbidden in ["preset", "tables"] {
        if let Some(found) = node.get(forbidden) {
            let message = "a preset cannot choose presets or tables; only algo.yml and the environment can";
            return Err(Problem::at(forbidden, message, &found.at).into());
        }
    }
    Ok(node)
}

/// The environment's layer: one small tree per variable, in order of name.
pub(crate) fn environment(vars: impl Iterator<Item = (String, String)>) -> Result<Vec<Node>, ConfigError> {
    let mut vars: Vec<(String, String)> = vars.filter(|(name, _)| name.starts_with(ENV_PREFIX)).collect();
    vars.sort();
    vars.into_iter().map(|(name, value)| environment_entry(&name, &value)).collect()
}

fn environment_entry(name: &str, value: &str) -> Result<Node, ConfigError> {
    let source = Source::new(SourceKind::Env(name.to_owned()), format!("environment {name}"), value);
    let steps: Vec<&str> = name[ENV_PREFIX.len()..].split("__").collect();
    let at = Location::whole(&source);
    if steps.iter().any(|s| s.is_empty()) {
        let problem = Problem::at("", format!("`{name}` names no key"), &at);
        return Err(problem.with_help("write SCALPER__SECTION__KEY, for example SCALPER__RISK__STOP_PCT").into());
    }
    let mut node = parse(&source)?;
    for (i, step) in steps.iter().enumerate().rev() {
        // Keys are lower case, names of indices upper case.
        let is_index = match i {
            1 => steps[0].eq_ignore_ascii_case("indices"),
            3 => ["chains", "index_windows"].iter().any(|map| steps[2].eq_ignore_ascii_case(map)),
            _ => false,
        };
        let key = if is_index { step.to_uppercase() } else { step.to_lowercase() };
        let entry = Entry { key, key_at: at.clone(), node };
        node = Node { value: Value::Map(vec![entry]), at: at.clone() };
    }
    Ok(node)
}

/// `path` as written in a settings file: relative to the folder of that file.
pub(crate) fn resolve(path: PathBuf, written_at: Option<&Location>) -> PathBuf {
    if path.is_absolute() {
        return path;
    }
    match written_at.map(|at| (at.source.kind(), at.source.name())) {
        Some((SourceKind::File, name)) => Path::new(name).parent().map_or(path.clone(), |dir| dir.join(&path)),
        _ => path,
    }
}
