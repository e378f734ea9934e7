//! YAML files beside the settings, read with the same care: every complaint has file, line and key.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::de;
use super::error::{ConfigError, Problem};
use super::node::{Location, Node, Source, SourceKind, parse};

pub(crate) use super::error::nearest;

/// A parsed file that knows where everything was written.
#[derive(Debug, Clone)]
pub(crate) struct Document(Node);

/// Reads and parses a file.
pub(crate) fn read_file(path: &Path) -> Result<Document, ConfigError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|e| ConfigError::from(Problem::general(format!("cannot read {name}: {e}"))))?;
    Document::of(&name, &text)
}

impl Document {
    /// Parses a text with a name.
    pub(crate) fn of(name: &str, text: &str) -> Result<Document, ConfigError> {
        parse(&Source::new(SourceKind::File, name, text)).map(Document)
    }

    /// The whole of it as `T`.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        de::read(&self.0)
    }

    /// A complaint about a key such as `faults[3].chance`, placed at it or at what is nearest above it.
    pub(crate) fn problem(&self, key: &str, what: impl Into<String>) -> Problem {
        Problem::at(key, what, &self.place(key))
    }

    fn place(&self, key: &str) -> Location {
        let mut path = key;
        loop {
            if let Some(node) = self.0.path(path) {
                return node.at.clone();
            }
            match path.rfind(['.', '[']) {
                Some(cut) => path = &path[..cut],
                None => return self.0.at.clone(),
            }
        }
    }
}
