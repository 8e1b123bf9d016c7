//! What came of a scenario.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::log::{Entry, Log};

/// What came of a scenario. Its text form is for people, its serde form for machines.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The scenario's file.
    pub file: PathBuf,
    /// Its name.
    pub name: String,
    /// Whether all came as expected.
    pub passed: bool,
    /// How long the call was, by the virtual clock, in seconds.
    pub call_seconds: f64,
    /// How long it took.
    pub seconds: f64,
    /// What was not as expected.
    pub failure: Option<Failed>,
    /// What happened.
    pub log: Vec<Line>,
    /// Whether the text form tells everything.
    #[serde(skip)]
    pub verbose: bool,
}

/// What was not as expected.
#[derive(Debug, Clone, Serialize)]
pub struct Failed {
    /// The step's line in the file, from 1; none for what concerns the whole scenario.
    pub line: Option<usize>,
    /// What was expected.
    pub expected: String,
    /// What came.
    pub came: String,
}

/// One thing that happened.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// Seconds from the call's beginning.
    pub at: f64,
    /// `LEG-A` or `LEG-B`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leg: Option<String>,
    /// What kind of thing, such as `event`.
    pub what: &'static str,
    /// In words.
    pub text: String,
    /// More about it.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub data: Value,
    #[serde(skip)]
    written: String,
    #[serde(skip)]
    detail: bool,
}

impl Line {
    fn of(entry: &Entry) -> Self {
        Self {
            at: entry.at.as_secs_f64(),
            leg: entry.leg.map(|leg| leg.tag().as_str().to_owned()),
            what: entry.what.kind(),
            text: entry.what.to_string(),
            data: entry.what.json(),
            written: entry.to_string(),
            detail: entry.what.is_detail(),
        }
    }
}

impl Outcome {
    pub(super) fn new(
        scenario: &super::Scenario,
        failure: Option<Failed>,
        log: &Log,
        call: Duration,
        took: Duration,
    ) -> Self {
        Self {
            file: scenario.file.clone(),
            name: scenario.name.clone(),
            passed: failure.is_none(),
            call_seconds: call.as_secs_f64(),
            seconds: took.as_secs_f64(),
            failure,
            log: log.entries.iter().map(Line::of).collect(),
            verbose: false,
        }
    }

    /// A scenario that did not run at all.
    pub fn not_run(file: PathBuf, name: String, why: String) -> Self {
        Self {
            file,
            name,
            passed: false,
            call_seconds: 0.0,
            seconds: 0.0,
            failure: Some(Failed {
                line: None,
                expected: "that the scenario runs".to_owned(),
                came: why,
            }),
            log: Vec::new(),
            verbose: false,
        }
    }

    /// What happened, a line each.
    pub fn story(&self, details: bool) -> String {
        let mut story = String::new();
        for line in self.log.iter().filter(|line| details || !line.detail) {
            story.push_str(&line.written);
            story.push('\n');
        }
        story
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (call, took) = (self.call_seconds, self.seconds);
        let mark = if self.passed { "ok  " } else { "FAIL" };
        writeln!(
            f,
            "{mark} {}: {} ({call:.1} s of call in {took:.2} s)",
            self.file.display(),
            self.name
        )?;
        if let Some(failure) = &self.failure {
            let file = self.file.display();
            let place = failure
                .line
                .map_or_else(|| file.to_string(), |line| format!("{file}:{line}"));
            writeln!(f, "  {place}")?;
            writeln!(f, "  expected: {}", failure.expected)?;
            writeln!(
                f,
                "  came:     {}",
                failure.came.replace('\n', "\n            ")
            )?;
            if !self.log.is_empty() {
                writeln!(f, "  so far:")?;
            }
        }
        if self.failure.is_some() || self.verbose {
            for line in self.story(self.verbose).lines() {
                writeln!(f, "  {line}")?;
            }
        }
        Ok(())
    }
}
