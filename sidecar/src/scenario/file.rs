//! The file of a scenario, read and checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use skillcall_protocol::sma::InvocationEventType;
use toml::Spanned;

use super::span::Span;
use super::step::{Step, StepText};

/// A scenario that can be run.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Where it stands.
    pub file: PathBuf,
    /// What it shows; the file's name if it does not say.
    pub name: String,
    /// The handler: a URL, or a `.js`, `.mjs`, `.cjs` or `.py` file relative to the scenario's.
    pub handler: Option<String>,
    pub(super) setting: Setting,
    pub(super) steps: Vec<Step>,
}

/// Why a file is no scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// It cannot be read.
    #[error("{file}: {error}")]
    Io {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{file}:{line}: {what}")]
    Invalid {
        /// Which file.
        file: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong, and what would be right.
        what: String,
    },
}

/// Everything but the steps.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Setting {
    pub(super) name: Option<String>,
    pub(super) handler: Option<String>,
    /// The events that reached the handler by the end, no more and no fewer: `"ACTION_SUCCESSFUL Speak"`.
    pub(super) events: Option<Vec<String>>,
    /// Events that must never come.
    #[serde(default)]
    pub(super) never: Vec<String>,
    /// So long the handler takes by the virtual clock.
    #[serde(default)]
    pub(super) handler_takes: Span,
    /// ACTION_FAILED and INVALID_LAMBDA_RESPONSE that no step expects do not fail the scenario, nor do failed requests.
    #[serde(default)]
    pub(super) failures_may_come: bool,
    /// Characters that are spoken in a second.
    #[serde(default = "characters_a_second")]
    pub(super) characters_a_second: f64,
    #[serde(default)]
    pub(super) call: CallSetting,
    #[serde(default)]
    pub(super) application: ApplicationSetting,
    /// Folders of buckets, relative to the file.
    #[serde(default)]
    pub(super) buckets: BTreeMap<String, PathBuf>,
    /// Files that lie elsewhere: `"bucket/key" = "3 s"`, or `"missing"`.
    #[serde(default)]
    pub(super) files: BTreeMap<String, FileSetting>,
    /// Who can be called.
    #[serde(default)]
    pub(super) party: Vec<Party>,
    #[serde(default)]
    pub(super) meeting: MeetingSetting,
    #[serde(default)]
    step: Vec<Spanned<StepText>>,
}

fn characters_a_second() -> f64 {
    15.0
}

/// `[call]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct CallSetting {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) direction: Direction,
    pub(super) arguments: BTreeMap<String, String>,
}

impl Default for CallSetting {
    fn default() -> Self {
        Self {
            from: "+12045550100".to_owned(),
            to: "+16075550199".to_owned(),
            headers: BTreeMap::new(),
            direction: Direction::Inbound,
            arguments: BTreeMap::new(),
        }
    }
}

/// Who calls whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Direction {
    /// The caller calls the application.
    Inbound,
    /// The application calls, by CreateSipMediaApplicationCall; `to` is a party.
    Outbound,
}

/// `[application]`: what events say of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct ApplicationSetting {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) id: String,
    pub(super) rule: String,
    pub(super) numbers: Vec<String>,
}

impl Default for ApplicationSetting {
    fn default() -> Self {
        Self {
            account: "111122223333".to_owned(),
            region: "us-east-1".to_owned(),
            id: "c3b8a6f0-0000-4000-8000-000000000001".to_owned(),
            rule: "c3b8a6f0-0000-4000-8000-000000000002".to_owned(),
            numbers: Vec::new(),
        }
    }
}

/// A file without its audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum FileSetting {
    /// `"missing"`.
    Missing(Missing),
    /// It lasts so long.
    Lasts(Span),
}

/// The word for a file that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Missing {
    /// It is not there.
    Missing,
}

/// Somebody who can be called.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Party {
    /// `Uri` of the endpoint, or the number of an outbound call; `"*"` for all others.
    pub number: String,
    /// When it rings. Left out: after 0.2 s.
    pub rings_after: Option<Span>,
    /// When it answers. Left out, and not refused: after 2 s.
    pub answers_after: Option<Span>,
    /// It refuses with this SIP status, after `refuses-after`.
    pub refuses: Option<u16>,
    /// When it refuses. Left out: after 1 s.
    pub refuses_after: Option<Span>,
    /// It rings, and nobody answers.
    #[serde(default)]
    pub never_answers: bool,
    /// So long after the answer it hangs up.
    pub hangs_up_after: Option<Span>,
}

impl Party {
    /// Who answers when the file names nobody.
    pub(super) fn anybody() -> Self {
        Self {
            number: "*".to_owned(),
            rings_after: None,
            answers_after: None,
            refuses: None,
            refuses_after: None,
            never_answers: false,
            hangs_up_after: None,
        }
    }

    fn check(&self) -> Result<(), String> {
        let ways = usize::from(self.answers_after.is_some())
            + usize::from(self.refuses.is_some())
            + usize::from(self.never_answers);
        if ways > 1 {
            return Err(format!(
                "party {:?}: answers-after, refuses and never-answers exclude each other",
                self.number
            ));
        }
        if self
            .refuses
            .is_some_and(|status| !(300..700).contains(&status))
        {
            return Err(format!(
                "party {:?}: refuses with no final SIP status; expected 300 to 699, such as 486",
                self.number
            ));
        }
        Ok(())
    }
}

/// `[meeting]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct MeetingSetting {
    /// JoinTokens that are taken; empty: any.
    pub(super) join_tokens: Vec<String>,
    /// Attendees that the meeting has not.
    pub(super) strangers: Vec<String>,
}

impl Scenario {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ScenarioError`], with the line.
    pub fn read(file: &Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(file).map_err(|error| ScenarioError::Io {
            file: file.to_owned(),
            error,
        })?;
        Self::parse(&text, file)
    }

    /// Reads a scenario's text, whose paths are relative to `file`.
    ///
    /// # Errors
    /// [`ScenarioError`], with the line.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ScenarioError> {
        let invalid = |at: usize, what: String| ScenarioError::Invalid {
            file: file.to_owned(),
            line: 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count(),
            what,
        };
        let mut setting: Setting = toml::from_str(text).map_err(|error| {
            invalid(
                error.span().map_or(0, |span| span.start),
                error.message().to_owned(),
            )
        })?;
        for party in &setting.party {
            party.check().map_err(|what| invalid(0, what))?;
        }
        let named = setting.events.iter().flatten().chain(&setting.never);
        for event in named {
            let kind = event.split_whitespace().next().unwrap_or_default();
            check_kind(kind).map_err(|what| invalid(0, what))?;
        }
        if !(1.0..=1000.0).contains(&setting.characters_a_second) {
            return Err(invalid(
                0,
                "characters-a-second: expected 1 to 1000".to_owned(),
            ));
        }
        let mut steps = Vec::with_capacity(setting.step.len());
        for step in std::mem::take(&mut setting.step) {
            let at = step.span().start;
            let line = 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
            let step = step
                .into_inner()
                .check(line)
                .map_err(|what| invalid(at, what))?;
            if let super::step::Does::Expect(expected) = &step.does
                && let super::step::What::Event { kind, .. } = &expected.what
            {
                check_kind(kind).map_err(|what| invalid(at, what))?;
            }
            steps.push(step);
        }
        if steps.is_empty() && setting.events.is_none() {
            return Err(invalid(
                0,
                "the scenario expects nothing; write [[step]]s or `events`".to_owned(),
            ));
        }
        let name = setting.name.clone().unwrap_or_else(|| {
            let stem = file.file_stem().unwrap_or_default();
            stem.to_string_lossy().into_owned()
        });
        Ok(Self {
            file: file.to_owned(),
            name,
            handler: setting.handler.clone(),
            setting,
            steps,
        })
    }

    /// The folder that the file's paths are relative to.
    pub fn folder(&self) -> &Path {
        match self.file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }
}

fn check_kind(kind: &str) -> Result<(), String> {
    match InvocationEventType::from(kind) {
        InvocationEventType::Other(_) => Err(format!(
            "{kind:?} is no event; expected one such as NEW_INBOUND_CALL, ACTION_SUCCESSFUL, ACTION_FAILED, \
             DIGITS_RECEIVED, CALL_UPDATE_REQUESTED, HANGUP"
        )),
        _ => Ok(()),
    }
}

impl Setting {
    /// Who is called by a number or user.
    pub(super) fn party(&self, number: &str) -> Party {
        self.party
            .iter()
            .find(|party| party.number == number)
            .or_else(|| self.party.iter().find(|party| party.number == "*"))
            .cloned()
            .unwrap_or_else(Party::anybody)
    }

    /// How long a text is spoken: by its characters, and a third of a second at least.
    pub(super) fn spoken_for(&self, text: &str) -> Duration {
        let characters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        Duration::from_secs_f64((f64::from(characters) / self.characters_a_second).max(0.3))
    }
}
