//! `scalper config check|show|schema`.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::json;

use crate::config::{self, ConfigError, Effective};

/// File that is read when none is named and it exists.
pub const DEFAULT_FILE: &str = "config/algo.yml";

/// Prove, print or describe the settings.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Prove a settings file and list the rules it puts in force.
    Check {
        /// Settings file; `config/algo.yml` when it exists, otherwise the built-in settings.
        file: Option<PathBuf>,
        /// Preset laid over the settings file; may be repeated, later ones win.
        #[arg(long = "preset", value_name = "NAME")]
        presets: Vec<String>,
    },
    /// Print every effective value and where it came from.
    Show {
        /// Settings file; `config/algo.yml` when it exists, otherwise the built-in settings.
        file: Option<PathBuf>,
        /// Preset laid over the settings file; may be repeated, later ones win.
        #[arg(long = "preset", value_name = "NAME")]
        presets: Vec<String>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of the settings, for editors.
    Schema,
}

/// Runs the verb on the process's environment and standard output. A [`ConfigError`] in the returned error means
/// "the settings are wrong": print [`render_error`] and leave with [`ConfigError::EXIT_CODE`].
///
/// # Errors
/// Wrong settings, or output that cannot be written.
pub fn run(args: &ConfigArgs) -> anyhow::Result<()> {
    run_to(args, std::env::vars(), &mut std::io::stdout().lock())
}

/// [`run`] on a given environment and output.
///
/// # Errors
/// As [`run`].
pub fn run_to(
    args: &ConfigArgs,
    env: impl Iterator<Item = (String, String)>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match &args.command {
        ConfigCommand::Check { file, presets } => {
            let effective = config::load_with(named_or_default(file.as_deref()), env, presets)?;
            check(&effective, out)?;
        }
        ConfigCommand::Show { file, presets, json } => {
            let effective = config::load_with(named_or_default(file.as_deref()), env, presets)?;
            if *json { show_json(&effective, out)? } else { show_table(&effective, out)? }
        }
        ConfigCommand::Schema => writeln!(out, "{}", serde_json::to_string_pretty(&config::json_schema())?)?,
    }
    Ok(())
}

/// A configuration error as people should see it: source line, caret, suggestion; colours only on a terminal.
pub fn render_error(error: &ConfigError) -> String {
    error.render(std::io::stderr().is_terminal())
}

/// The named file, or [`DEFAULT_FILE`] when it exists.
pub fn named_or_default(file: Option<&Path>) -> Option<&Path> {
    file.or_else(|| Some(Path::new(DEFAULT_FILE)).filter(|p| p.is_file()))
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    table
}

fn check(effective: &Effective, out: &mut dyn Write) -> std::io::Result<()> {
    let mut rules = table(&["rule", "in force"]);
    for (rule, text) in config::rules_in_force(effective) {
        rules.add_row([rule.to_owned(), text]);
    }
    let (from, to) = effective.tables.calendar.coverage();
    writeln!(out, "OK")?;
    writeln!(out, "presets   {}", effective.presets.join(", "))?;
    writeln!(out, "hash      {}", effective.hash)?;
    writeln!(out, "calendar  {from} to {to}")?;
    for note in &effective.notes {
        writeln!(out, "note      {note}")?;
    }
    writeln!(out, "\n{}", rules.trim_fmt())
}

fn show_table(effective: &Effective, out: &mut dyn Write) -> std::io::Result<()> {
    let mut values = table(&["key", "value", "origin"]);
    for v in &effective.values {
        values.add_row([&v.key, &v.value, &v.origin]);
    }
    writeln!(out, "{}", values.trim_fmt())?;
    writeln!(out, "\npresets {}; hash {}", effective.presets.join(", "), effective.hash)
}

fn show_json(effective: &Effective, out: &mut dyn Write) -> anyhow::Result<()> {
    let (from, to) = effective.tables.calendar.coverage();
    let object = json!({
        "presets": effective.presets,
        "hash": effective.hash,
        "tables": {
            "hash": effective.tables.hash,
            "override_file": effective.tables.override_file,
            "calendar_from": from,
            "calendar_to": to,
        },
        "notes": effective.notes,
        "values": effective.values,
        "params": effective.params,
    });
    writeln!(out, "{}", serde_json::to_string_pretty(&object)?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: ConfigArgs,
    }

    fn output(words: &[&str]) -> anyhow::Result<String> {
        let cli = Cli::try_parse_from(["config"].iter().chain(words))?;
        let mut out = Vec::new();
        run_to(&cli.args, std::iter::empty(), &mut out)?;
        Ok(String::from_utf8(out)?)
    }

    fn starter() -> String {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(DEFAULT_FILE).display().to_string()
    }

    #[test]
    fn check_says_ok_and_lists_every_rule() {
        let text = output(&["check", &starter(), "--preset", "epic-g"]).unwrap();
        assert!(text.starts_with("OK\n"), "{text}");
        for wanted in ["production, epic-g", "exit: profit lock", "note      risk.cutoffs.square_off_start 15:20:00"] {
            assert!(text.contains(wanted), "{wanted} is missing in\n{text}");
        }
    }

    #[test]
    fn show_names_the_origin_of_every_value_as_text_and_as_json() {
        let text = output(&["show", &starter()]).unwrap();
        let line =
            |key: &str| text.lines().find(|l| l.trim_start().starts_with(key)).unwrap_or_else(|| panic!("{text}"));
        assert!(line("capital.opening_balance_rupees").contains("config/algo.yml:"));
        assert!(line("risk.stop_pct").contains("preset production"));
        assert!(line("orders.exit_chase_ms").contains("built-in default"));
        let object: serde_json::Value =
            serde_json::from_str(&output(&["show", &starter(), "--json"]).unwrap()).unwrap();
        let values = object["values"].as_array().unwrap();
        assert!(values.len() > 120 && values.iter().all(|v| !v["origin"].as_str().unwrap().is_empty()));
        assert_eq!(object["hash"].as_str().unwrap().len(), 64);
        assert_eq!(object["params"]["risk"]["stop"]["pct"], 2000);
    }

    #[test]
    fn schema_is_json_schema() {
        let object: serde_json::Value = serde_json::from_str(&output(&["schema"]).unwrap()).unwrap();
        assert_eq!(object["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(object["properties"]["risk"]["properties"]["stop_pct"]["anyOf"][0]["minimum"], 1);
    }

    #[test]
    fn a_wrong_file_comes_back_as_a_config_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("algo.yml");
        std::fs::write(&file, "risk:\n  stop_pct: 200\n").unwrap();
        let error = output(&["check", &file.display().to_string()]).unwrap_err();
        let error = error.downcast_ref::<ConfigError>().expect("a configuration error");
        let text = render_error(error);
        assert!(text.contains("risk.stop_pct: must be between 1 and 90, found 200"), "{text}");
        assert!(text.contains("algo.yml:2:13"), "{text}");
    }
}
