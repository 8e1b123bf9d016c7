//! Errors in a configuration file, with their place.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What is wrong in a configuration file, where, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// Line and column, each from 1; none when the whole file is meant.
    pub position: Option<(usize, usize)>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub remedy: Option<String>,
}

impl ConfigError {
    pub(crate) fn whole(file: &Path, message: impl Into<String>, remedy: &str) -> Self {
        Self {
            file: file.to_owned(),
            position: None,
            message: message.into(),
            remedy: Some(remedy.to_owned()),
        }
    }

    pub(crate) fn at(
        file: &Path,
        text: &str,
        span: &Range<usize>,
        message: impl Into<String>,
        remedy: impl Into<Option<String>>,
    ) -> Self {
        Self {
            file: file.to_owned(),
            position: Some(line_and_column(text, span.start)),
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    pub(crate) fn syntax(file: &Path, text: &str, error: &toml::de::Error) -> Self {
        Self {
            file: file.to_owned(),
            position: error.span().map(|span| line_and_column(text, span.start)),
            message: error.message().trim_end().to_owned(),
            remedy: None,
        }
    }
}

fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(start..).map_or(0, |line| line.chars().count()) + 1;
    (line, column)
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(remedy) = &self.remedy {
            write!(f, "; {remedy}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
