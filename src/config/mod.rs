//! Settings and dated tables: from what people write to values the decision core can trust.
//!
//! Precedence, lowest first: built-in defaults, presets in the order the user's file names them, that file itself,
//! presets named on the command line, the environment (`SCALPER__SECTION__KEY`). Every layer is read by itself first,
//! so a mistake is reported where it was made; then the layers are merged, ranges are checked, units become core units (`checked`) and the
//! rules are compared with each other (`rules`). A map is merged key by key, everything else replaced as a whole.

mod checked;
mod de;
mod error;
mod layers;
mod leaf;
mod listing;
mod merge;
mod node;
mod ranges;
mod raw;
mod rules;
mod schema;
pub mod tables;
mod universe;
pub(crate) mod written;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use scalper_decide::domain::Underlying;
use scalper_decide::params::StrategyParams;
use serde::Serialize;

pub use checked::{EngineSettings, IndexSource};
pub use error::{ConfigError, Problem};
pub use layers::{ENV_PREFIX, STARTER, preset_names};
pub use listing::rules_in_force;
pub use schema::json_schema;

use merge::{Lists, merge};
use node::{Location, Node, Source, SourceKind, Value};
use raw::{PresetNames, Raw, RawSignals};
use tables::Tables;

use crate::market::universe::UniverseSettings;

/// One setting, its value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EffectiveValue {
    /// Dotted key, e.g. `risk.trail.drop_pct`.
    pub key: String,
    /// The value as text; `3.0` and `3` are both `3`.
    pub value: String,
    /// `built-in default`, `preset NAME, file:line`, `file:line` or `environment VAR`.
    pub origin: String,
}

/// Proved settings with their origin.
#[derive(Debug, Clone)]
pub struct Effective {
    /// What the decision core runs on.
    pub params: StrategyParams,
    /// Every setting with its origin, in order of the built-in defaults.
    pub values: Vec<EffectiveValue>,
    /// Presets in force, lowest first.
    pub presets: Vec<String>,
    /// BLAKE3 over every value and every entry of the dated tables; origins, comments and layout left out.
    pub hash: String,
    /// The dated tables these settings were checked against.
    pub tables: Tables,
    /// Spot indices as the broker knows them.
    pub index_sources: BTreeMap<Underlying, IndexSource>,
    /// What the daemon trades with.
    pub engine: EngineSettings,
    /// What the market feed carries.
    pub universe: UniverseSettings,
    /// What a reader should know and no rule forbids, e.g. a cut-off that the calendar clamps.
    pub notes: Vec<String>,
}

/// The effective settings. Without `file` the presets and built-in defaults apply alone. `env` is usually
/// `std::env::vars()`: `SCALPER__SECTION__KEY` sets a key, `SCALPER_TABLES_OVERRIDE` names an override file of the
/// dated tables.
///
/// # Errors
/// Every problem found, each with its key, value and place.
pub fn load(file: Option<&Path>, env: impl Iterator<Item = (String, String)>) -> Result<Effective, ConfigError> {
    load_with(file, env, &[])
}

/// [`load`] with presets from a command line: what is asked for there lies over the file, but under the environment.
///
/// # Errors
/// As [`load`].
pub fn load_with(
    file: Option<&Path>,
    env: impl Iterator<Item = (String, String)>,
    extra_presets: &[String],
) -> Result<Effective, ConfigError> {
    let vars: Vec<(String, String)> = env.collect();
    let source = file.map(|path| layers::read_source(path, SourceKind::File)).transpose()?;
    let beside = file.map(|path| path.parent().map_or(PathBuf::new(), Path::to_owned));
    load_layers(source, beside.as_deref(), &vars, extra_presets)
}

fn load_layers(
    file: Option<Source>,
    beside: Option<&Path>,
    vars: &[(String, String)],
    extra_presets: &[String],
) -> Result<Effective, ConfigError> {
    let defaults = Source::new(SourceKind::BuiltIn, "built-in defaults", layers::DEFAULTS);
    let defaults = layers::parse_document(&defaults)?;
    let user = file.as_ref().map(layers::parse_document).transpose()?;
    let environment = layers::environment(vars.iter().cloned())?;

    // Each layer is read by itself, so that a mistake is shown where it was made.
    let mut problems = Vec::new();
    for layer in user.iter().chain(&environment) {
        if let Err(e) = de::read::<Raw>(layer) {
            problems.extend(e.problems.into_iter().map(|p| with_other_sections(p, &defaults)));
        }
    }
    if !problems.is_empty() {
        return Err(ConfigError { problems });
    }

    let mut presets = Vec::new();
    let mut tree = defaults.clone();
    let mut lay = |tree: Node, name: &str, named_at: Option<&Location>| -> Result<Node, ConfigError> {
        let node = layers::preset(name, beside, named_at)?;
        de::read::<Raw>(&node).map_err(|e| ConfigError {
            problems: e.problems.into_iter().map(|p| with_other_sections(p, &defaults)).collect(),
        })?;
        // A preset that is named again moves to the end, it does not count twice.
        presets.retain(|p| p != name);
        presets.push(name.to_owned());
        Ok(merge(tree, node, Lists::Replace))
    };
    let named = environment.iter().rev().chain(&user).chain([&defaults]).find_map(|n| n.get("preset"));
    for (name, named_at) in named.map(preset_list).transpose()?.unwrap_or_default() {
        tree = lay(tree, &name, named_at.as_ref())?;
    }
    if let Some(user) = &user {
        switch_off_unlisted(&mut tree, user);
        tree = merge(tree, user.clone(), Lists::Replace);
    }
    for name in extra_presets {
        tree = lay(tree, name, None)?;
    }
    for layer in environment {
        tree = merge(tree, layer, Lists::Replace);
    }
    prove(tree, presets, vars)
}

/// A problem with an unknown key that is known elsewhere says where (F-85: a section under the wrong parent).
fn with_other_sections(problem: Problem, defaults: &Node) -> Problem {
    let last = problem.key.rsplit('.').next().unwrap_or_default().to_owned();
    if problem.message != "unknown key" || last.is_empty() {
        return problem;
    }
    let ends = format!(".{last}");
    let mut elsewhere: Vec<String> = Vec::new();
    for (path, _) in defaults.leaves() {
        let found = if path == last || path.ends_with(&ends) {
            Some(path.clone())
        } else {
            path.find(&format!("{last}."))
                .filter(|i| *i == 0 || path[..*i].ends_with('.'))
                .map(|i| path[..i + last.len()].to_owned())
        };
        elsewhere.extend(found.filter(|f| !elsewhere.contains(f) && *f != problem.key));
    }
    if elsewhere.is_empty() {
        return problem;
    }
    problem.with_help(format!("did you mean `{}`?", elsewhere.join("` or `")))
}

/// The presets a `preset:` key names, each with its place.
fn preset_list(node: &Node) -> Result<Vec<(String, Option<Location>)>, ConfigError> {
    Ok(match (de::read::<PresetNames>(node)?, &node.value) {
        (PresetNames::One(name), _) if name == "none" => Vec::new(),
        (PresetNames::One(name), _) => vec![(name, Some(node.at.clone()))],
        (PresetNames::Many(names), Value::List(items)) => {
            names.into_iter().zip(items.iter().map(|i| Some(i.at.clone()))).collect()
        }
        (PresetNames::Many(names), _) => names.into_iter().map(|name| (name, None)).collect(),
    })
}

/// A file that has an `indices` section is the complete list: what it does not name is not traded.
fn switch_off_unlisted(tree: &mut Node, user: &Node) {
    let Some((listed, at)) = user.get("indices").and_then(|n| n.map().map(|m| (m, n.at.clone()))) else { return };
    let Some(Value::Map(indices)) = tree.get_mut("indices").map(|n| &mut n.value) else { return };
    for entry in indices.iter_mut().filter(|e| listed.iter().all(|l| l.key != e.key)) {
        if let Some(enabled) = entry.node.get_mut("enabled") {
            *enabled = Node { value: Value::Bool(false), at: at.clone() };
        }
    }
}

fn prove(tree: Node, presets: Vec<String>, vars: &[(String, String)]) -> Result<Effective, ConfigError> {
    let raw: Raw = de::read(&tree)?;
    let out_of_range = ranges::check(&tree);
    if !out_of_range.is_empty() {
        return Err(ConfigError { problems: out_of_range });
    }
    let (full, signals_by_index) = fill_index_signals(&tree, &raw)?;
    let checked = checked::build(&raw, &signals_by_index, &full).map_err(|problems| ConfigError { problems })?;

    let place = |key: &str| tree.path(key).map(|n| &n.at);
    let folder = checked.tables_folder.map(|p| layers::resolve(p, place("tables.folder")));
    let from_env = vars.iter().find(|(name, _)| name == tables::OVERRIDE_VAR).map(|(_, v)| PathBuf::from(v));
    let from_file = checked.tables_override.map(|p| layers::resolve(p, place("tables.override_file")));
    let tables = tables::load_from(folder.as_deref(), from_env.or(from_file).as_deref())?;

    let contradictions = rules::check(&checked.params, &full, &tables.hours);
    if !contradictions.is_empty() {
        return Err(ConfigError { problems: contradictions });
    }
    let values = listing::values(&tree);
    // What a replay does not depend on is no part of the hash: the same settings in paper and in a backtest are equal.
    let decides =
        |key: &str| !["preset[", "tables.", "engine.", "universe."].iter().any(|outside| key.starts_with(outside));
    let own = values.iter().filter(|v| v.key != "preset" && decides(&v.key));
    let own = own.map(|v| (v.key.as_str(), v.value.clone()));
    let hash = hash_of(own.chain([("tables", tables.hash.clone())]));
    let notes = listing::notes(&checked.params, &tree, &tables);
    let (params, index_sources, engine, universe) = (checked.params, checked.sources, checked.engine, checked.universe);
    Ok(Effective { params, values, presets, hash, tables, index_sources, engine, universe, notes })
}

/// Fills every per-index signal section up with the common settings, in a copy of the tree and as raw settings.
fn fill_index_signals(tree: &Node, raw: &Raw) -> Result<(Node, BTreeMap<Underlying, RawSignals>), ConfigError> {
    let mut full = tree.clone();
    let mut by_index = BTreeMap::new();
    let Some(common) = tree.get("signals") else { return Ok((full, by_index)) };
    for name in raw.indices.iter().filter(|(_, index)| index.signals.is_some()).map(|(name, _)| name.underlying()) {
        let own = full.get_mut("indices").and_then(|n| n.get_mut(name.symbol())).and_then(|n| n.get_mut("signals"));
        if let Some(own) = own {
            *own = merge(common.clone(), own.clone(), Lists::Replace);
            by_index.insert(name, de::read::<RawSignals>(own)?);
        }
    }
    Ok((full, by_index))
}

/// BLAKE3 over keys and values, order of writing left out.
fn hash_of<'a>(values: impl Iterator<Item = (&'a str, String)>) -> String {
    let mut lines: Vec<String> = values.map(|(key, value)| format!("{key}={value}\n")).collect();
    lines.sort();
    blake3::hash(lines.concat().as_bytes()).to_hex().to_string()
}

#[cfg(test)]
mod tests;
