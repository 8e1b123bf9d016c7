//! One finding, whichever part found it.

use std::fmt;
use std::path::Path;

use serde::Serialize;

/// Something wrong, where it stands, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// `error` keeps a call from working; `warning` does not.
    pub(crate) severity: &'static str,
    /// The file.
    pub(crate) file: String,
    /// Line, from 1; absent when the whole file is meant.
    pub(crate) line: Option<usize>,
    /// Column in characters, from 1.
    pub(crate) column: Option<usize>,
    /// What is wrong.
    pub(crate) what: String,
    /// What to do.
    pub(crate) remedy: String,
}

impl Finding {
    /// A finding about a whole file; `what` names place and remedy itself.
    pub(crate) fn whole(file: &Path, what: &str) -> Self {
        Self {
            severity: "error",
            file: super::shown(file),
            line: None,
            column: None,
            what: what.to_owned(),
            remedy: String::new(),
        }
    }

    /// Whether it keeps a call from working.
    pub(crate) fn is_error(&self) -> bool {
        self.severity == "error"
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}:{}", self.column.unwrap_or(1))?;
        }
        write!(f, ": {}: {}", self.severity, self.what)?;
        if !self.remedy.is_empty() {
            write!(f, "\n    {}", self.remedy)?;
        }
        Ok(())
    }
}

impl From<skillcall_sidecar::config::Finding> for Finding {
    fn from(found: skillcall_sidecar::config::Finding) -> Self {
        let error = found.severity == skillcall_sidecar::config::Severity::Error;
        Self {
            severity: if error { "error" } else { "warning" },
            file: super::shown(&found.file),
            line: Some(found.line),
            column: Some(found.column),
            what: found.what,
            remedy: found.remedy,
        }
    }
}

impl Finding {
    /// What the host's configuration says of itself.
    pub(crate) fn from_host(found: &skillcall_host::ConfigError, error: bool) -> Self {
        Self {
            severity: if error { "error" } else { "warning" },
            file: super::shown(&found.file),
            line: found.position.map(|(line, _)| line),
            column: found.position.map(|(_, column)| column),
            what: found.message.clone(),
            remedy: found.remedy.clone().unwrap_or_default(),
        }
    }
}

/// The findings of a call plan.
pub(crate) fn plan(file: &Path, found: &[skillcall_plan::Finding]) -> Vec<Finding> {
    let finding = |found: &skillcall_plan::Finding| Finding {
        severity: match found.severity {
            skillcall_plan::Severity::Error => "error",
            skillcall_plan::Severity::Warning => "warning",
        },
        file: super::shown(file),
        line: Some(found.line),
        column: Some(found.column),
        what: if found.place.is_empty() {
            found.message.clone()
        } else {
            format!("{}: {}", found.place, found.message)
        },
        remedy: String::new(),
    };
    found.iter().map(finding).collect()
}
