//! What is wrong in a plan, and where.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The plan is not used.
    Error,
    /// The plan is used; somebody should look.
    Warning,
}

/// Something that is wrong in a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// Which value, as `flow["+16075550199"].step.menu.on-digits.1`; empty when the TOML cannot be read.
    pub place: String,
    /// What was found there, and what would be right.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{}:{}: {kind}: ", self.line, self.column)?;
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)
    }
}

/// Findings being collected.
pub(super) struct Findings<'t> {
    toml: &'t str,
    found: Vec<(usize, Finding)>,
}

impl<'t> Findings<'t> {
    pub(super) fn new(toml: &'t str) -> Self {
        Self {
            toml,
            found: Vec::new(),
        }
    }

    pub(super) fn error(
        &mut self,
        span: &Range<usize>,
        place: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.add(Severity::Error, span.start, place.into(), message.into());
    }

    pub(super) fn warning(
        &mut self,
        span: &Range<usize>,
        place: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.add(Severity::Warning, span.start, place.into(), message.into());
    }

    /// What the TOML reader says: broken syntax, a wrong type, an unknown or missing key.
    pub(super) fn toml(&mut self, error: &toml::de::Error) {
        let start = error.span().map_or(0, |span| span.start);
        self.add(
            Severity::Error,
            start,
            String::new(),
            error.message().to_owned(),
        );
    }

    /// How many findings there are.
    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    pub(super) fn has_errors(&self) -> bool {
        self.found
            .iter()
            .any(|(_, finding)| finding.severity == Severity::Error)
    }

    /// The place of a key inside a span, so that a finding about one parameter of a long action points at it.
    pub(super) fn key_within(&self, span: &Range<usize>, key: &str) -> Range<usize> {
        let inside = self.toml.get(span.clone()).unwrap_or_default();
        let found = inside.match_indices(key).map(|(at, _)| at).find(|at| {
            let before = inside.get(..*at).and_then(|b| b.chars().next_back());
            let after = inside.get(at + key.len()..).and_then(|a| a.chars().next());
            let part_of_a_word = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
            !before.is_some_and(part_of_a_word) && !after.is_some_and(part_of_a_word)
        });
        match found {
            Some(at) if !key.is_empty() => span.start + at..span.start + at + key.len(),
            _ => span.clone(),
        }
    }

    pub(super) fn sorted(mut self) -> Vec<Finding> {
        self.found
            .sort_by_key(|(at, finding)| (*at, finding.severity));
        self.found.into_iter().map(|(_, finding)| finding).collect()
    }

    fn add(&mut self, severity: Severity, at: usize, place: String, message: String) {
        let before = self.toml.get(..at).unwrap_or(self.toml);
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        self.found.push((
            at,
            Finding {
                severity,
                line,
                column,
                place,
                message,
            },
        ));
    }
}
