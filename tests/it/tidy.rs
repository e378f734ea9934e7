//! The repository itself: what must never be committed, and what the map of the house must name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Largest file in the repository.
const MAX_BYTES: u64 = 2 * 1024 * 1024;
/// Folders that exist on the machines this is written on and on nobody else's. Spelled in two parts so that this
/// file passes its own test.
const MACHINE_PATHS: [&str; 3] = [concat!("/", "work"), concat!("/", "root"), concat!("/", "home/")];
/// Markers of unfinished code.
const UNFINISHED: [&str; 2] = [concat!("todo", "!("), concat!("unimplemented", "!(")];
/// Clocks the decision core must not read, not even by a name in a comment (N13, design: one engine).
const CLOCKS: [&str; 2] = [concat!("Instant", "::now"), concat!("System", "Time")];
/// The one place crates come from.
const CRATES: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// The one place web packages come from.
const PACKAGES: &str = "https://registry.npmjs.org/";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Files of the repository: tracked ones, and new ones that are not ignored. `None` outside a git checkout.
fn files() -> Option<Vec<String>> {
    let listing = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .ok()
        .filter(|out| out.status.success())?;
    let text = String::from_utf8(listing.stdout).expect("file names are UTF-8");
    let names: Vec<String> =
        text.split('\0').filter(|n| !n.is_empty() && root().join(n).is_file()).map(str::to_owned).collect();
    (!names.is_empty()).then_some(names)
}

/// Runs `complaint` on the text of every file; a file that is not UTF-8 has none.
fn complaints(test: &str, complaint: impl Fn(&str, &str) -> Vec<String>) -> Vec<String> {
    let Some(files) = files() else {
        eprintln!("SKIPPED {test}: not a git checkout");
        return Vec::new();
    };
    assert!(files.iter().any(|f| f == "Cargo.toml"), "the listing holds the repository: {files:?}");
    files
        .iter()
        .filter_map(|name| fs::read_to_string(root().join(name)).ok().map(|text| (name, text)))
        .flat_map(|(name, text)| complaint(name, &text).into_iter().map(move |c| format!("{name}: {c}")))
        .collect()
}

/// Lines of `text` in which `needle` stands as a path of its own, not as a part of a longer name.
fn lines_with_path(text: &str, needle: &str) -> Vec<String> {
    let part_of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '}' | ')');
    let stands_alone = |line: &str| {
        line.match_indices(needle).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + needle.len()..].chars().next().filter(|_| !needle.ends_with('/'));
            !before.is_some_and(part_of_name) && !after.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '-')
        })
    };
    numbered(text, stands_alone)
}

fn numbered(text: &str, wrong: impl Fn(&str) -> bool) -> Vec<String> {
    text.lines().enumerate().filter(|(_, l)| wrong(l)).map(|(i, l)| format!("line {}: {}", i + 1, l.trim())).collect()
}

/// Sources in a lock file that are not the public registry.
fn foreign_sources(name: &str, text: &str) -> Vec<String> {
    if name.ends_with("Cargo.lock") {
        numbered(text, |l| l.strip_prefix("source = ").is_some_and(|s| s.trim_matches('"') != CRATES))
    } else if name.ends_with("package-lock.json") {
        let resolved = |l: &str| l.trim().strip_prefix("\"resolved\": \"").map(str::to_owned);
        numbered(text, |l| resolved(l).is_some_and(|url| url.starts_with("http") && !url.starts_with(PACKAGES)))
    } else if name.ends_with(".cargo/config.toml") || name.ends_with(".npmrc") || name.ends_with("pip.conf") {
        numbered(text, |l| ["registry", "replace-with", "index-url"].iter().any(|key| l.contains(key)))
    } else {
        Vec::new()
    }
}

/// Whether `word` stands in `text` between characters that cannot belong to a name.
fn names(text: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].chars().next_back().is_some_and(inside)
            && !text[at + word.len()..].chars().next().is_some_and(inside)
    })
}

/// Rooms of a source folder: its modules, whether files or folders.
fn rooms(folder: &Path) -> Vec<String> {
    let mut rooms: Vec<String> = fs::read_dir(folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.expect("readable folder").path())
        .filter(|path| path.is_dir() || path.extension().is_some_and(|e| e == "rs"))
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .filter(|name| !matches!(name.as_str(), "lib" | "main" | "mod"))
        .collect();
    rooms.sort();
    rooms.dedup();
    rooms
}

#[test]
fn no_file_names_a_folder_of_somebodys_machine() {
    let found = complaints("no_file_names_a_folder_of_somebodys_machine", |_, text| {
        MACHINE_PATHS.iter().flat_map(|needle| lines_with_path(text, needle)).collect()
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn dependencies_are_locked_to_the_public_registries() {
    let found = complaints("dependencies_are_locked_to_the_public_registries", foreign_sources);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_file_is_larger_than_two_mebibytes() {
    let Some(files) = files() else {
        eprintln!("SKIPPED no_file_is_larger_than_two_mebibytes: not a git checkout");
        return;
    };
    let size = |name: &str| fs::metadata(root().join(name)).map_or(0, |m| m.len());
    let large: Vec<String> =
        files.iter().filter(|f| size(f) > MAX_BYTES).map(|f| format!("{f}: {} bytes", size(f))).collect();
    assert!(large.is_empty(), "{}", large.join("\n"));
}

#[test]
fn no_code_is_left_unfinished() {
    let found = complaints("no_code_is_left_unfinished", |name, text| {
        if !name.ends_with(".rs") {
            return Vec::new();
        }
        numbered(text, |l| UNFINISHED.iter().any(|marker| l.contains(marker)))
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_decision_core_never_mentions_a_clock() {
    let found = complaints("the_decision_core_never_mentions_a_clock", |name, text| {
        if !(name.starts_with("crates/decide/") && name.ends_with(".rs")) {
            return Vec::new();
        }
        numbered(text, |l| CLOCKS.iter().any(|clock| l.contains(clock)))
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_architecture_page_names_every_room() {
    let Ok(page) = fs::read_to_string(root().join("docs/ARCHITECTURE.md")) else {
        eprintln!("SKIPPED the_architecture_page_names_every_room: docs/ARCHITECTURE.md not present");
        return;
    };
    let missing: Vec<String> = ["crates/decide/src", "src"]
        .iter()
        .flat_map(|folder| rooms(&root().join(folder)).into_iter().map(move |room| (*folder, room)))
        .filter(|(_, room)| !names(&page, room))
        .map(|(folder, room)| format!("{folder}/{room}"))
        .collect();
    assert!(missing.is_empty(), "docs/ARCHITECTURE.md says nothing of: {}", missing.join(", "));
}

#[test]
fn the_tidy_checks_catch_what_they_look_for() {
    let [work, _, home] = MACHINE_PATHS;
    assert_eq!(lines_with_path(&format!("ok\nsee {work}/main"), work).len(), 1);
    assert_eq!(lines_with_path(&format!("\"{work}\""), work).len(), 1);
    assert_eq!(lines_with_path(&format!("{home}me/data"), home).len(), 1);
    for innocent in [".github/workflows/ci.yml", "/workspace", "net/work", "..//working", "${HOME}/work"] {
        assert!(lines_with_path(innocent, work).is_empty(), "{innocent}");
    }

    let lock = format!("[[package]]\nsource = \"{CRATES}\"\nsource = \"registry+https://mirror.example/index\"\n");
    assert_eq!(foreign_sources("Cargo.lock", &lock), ["line 3: source = \"registry+https://mirror.example/index\""]);
    let packages = "\"resolved\": \"https://npm.example/x.tgz\",\n\"resolved\": \"https://registry.npmjs.org/x.tgz\",";
    assert_eq!(foreign_sources("web/package-lock.json", packages).len(), 1);
    assert_eq!(foreign_sources(".cargo/config.toml", "replace-with = \"mirror\"").len(), 1);

    assert!(names("rooms: `tape/`, `signal_engine`", "tape") && names("`signal_engine.rs`", "signal_engine"));
    assert!(!names("tapes are recorded", "tape") && !names("the_tape", "tape"));
    assert!(rooms(&root().join("crates/decide/src")).contains(&"domain".to_owned()));
}
