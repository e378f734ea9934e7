//! Hashes the sources, so that a result can name the code that made it.

use std::fs;
use std::path::{Path, PathBuf};

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for path in entries.flatten().map(|e| e.path()) {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs" || e == "yml" || e == "sql") {
            files.push(path);
        }
    }
}

fn main() {
    let mut files = Vec::new();
    for root in ["src", "crates/decide/src", "config", "migrations", "seeds"] {
        collect(Path::new(root), &mut files);
        println!("cargo:rerun-if-changed={root}");
    }
    files.push(PathBuf::from("Cargo.lock"));
    println!("cargo:rerun-if-changed=Cargo.lock");
    files.sort();
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update(file.to_string_lossy().as_bytes());
        hasher.update(&fs::read(&file).unwrap_or_default());
    }
    let hash = hasher.finalize().to_hex();
    println!("cargo:rustc-env=SCALPER_VERSION={}+{}", env!("CARGO_PKG_VERSION"), &hash.as_str()[..12]);
}
