//! The compiled plan: decoded in place, read piece by piece.
//!
//! The bytes are [`MAGIC`], the format's number [`FORMAT`], and a postcard encoding. Names lie in a sorted index over
//! one heap, destinations, flows and texts each as bytes of their own, so that decoding reads what one request needs
//! and nothing more.

mod callers;
mod destination;
mod flow;
mod hours;
mod intents;
mod names;
mod rules;

use serde::{Deserialize, Serialize};

pub use callers::{AccountLink, Callers, FixedCaller, Place};
pub use destination::{Address, CallerSource, Destination, Localised};
pub use flow::{ActionTemplate, ByHours, Flow, HandOver, Next, Step};
pub use hours::{DAY, Hours, Opening, Special, WEEK};
pub use intents::CallIntent;
pub use names::Names;
#[cfg(feature = "source")]
pub(crate) use names::NamesBuilder;
pub use rules::{Asking, Rule, allowed};

use crate::name::best_locale;
use crate::template::Template;
use crate::text::TextKey;

/// What each compiled plan begins with.
pub const MAGIC: &[u8; 4] = b"SKPL";
/// The number of the format that this version writes and reads.
pub const FORMAT: u8 = 3;

/// Why bytes are no compiled plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The beginning is not [`MAGIC`].
    #[error(
        "these bytes are no compiled call plan; expected what `skillcall check --compile` writes"
    )]
    NotAPlan,
    /// Another version of skillcall compiled it.
    #[error(
        "the call plan has format {found}; this version reads {FORMAT}: compile it again with `skillcall check --compile`"
    )]
    Format {
        /// The format found.
        found: u8,
    },
    /// The encoding is broken.
    #[error(
        "the compiled call plan is damaged ({0}); compile it again with `skillcall check --compile`"
    )]
    Damaged(String),
}

impl From<postcard::Error> for DecodeError {
    fn from(error: postcard::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// A flow's place in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FlowEntry<'a> {
    pub(crate) number: &'a str,
    pub(crate) bytes: &'a [u8],
}

/// The texts of a locale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LocaleEntry<'a> {
    pub(crate) tag: &'a str,
    pub(crate) bytes: &'a [u8],
}

/// A compiled call plan. It borrows the bytes that it was decoded from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan<'a> {
    /// The skill's id; each request must name it (facts B).
    pub skill_id: &'a str,
    /// The skill's client id at Login with Amazon, which its calls carry (facts E1).
    pub lwa_client_id: Option<&'a str>,
    /// `communicationProviderId` of the called participant (facts D1).
    pub communication_provider_id: &'a str,
    /// The locale of calls without session, and of requests in a language that the plan does not have.
    pub default_locale: &'a str,
    /// The most calls that a customer may place within an hour; none: any number.
    pub calls_per_hour: Option<u16>,
    #[serde(borrow)]
    pub(crate) names: Names<'a>,
    #[serde(borrow)]
    pub(crate) ids: Names<'a>,
    #[serde(borrow)]
    pub(crate) destinations: Vec<&'a [u8]>,
    #[serde(borrow)]
    pub(crate) flows: Vec<FlowEntry<'a>>,
    #[serde(borrow)]
    pub(crate) locales: Vec<LocaleEntry<'a>>,
    #[serde(borrow)]
    pub(crate) hours: Vec<&'a [u8]>,
    pub(crate) callers: &'a [u8],
    pub(crate) rules: &'a [u8],
    pub(crate) intents: &'a [u8],
}

impl<'a> Plan<'a> {
    /// Reads a compiled plan. What lies deeper (destinations, flows, texts) is read when it is asked for.
    ///
    /// # Errors
    /// When the bytes are no plan, of another format, or damaged.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let rest = bytes
            .strip_prefix(MAGIC.as_slice())
            .ok_or(DecodeError::NotAPlan)?;
        let (format, rest) = rest.split_first().ok_or(DecodeError::NotAPlan)?;
        if *format != FORMAT {
            return Err(DecodeError::Format { found: *format });
        }
        let (plan, rest) = postcard::take_from_bytes::<Self>(rest)?;
        if !rest.is_empty() {
            return Err(DecodeError::Damaged(format!(
                "{} bytes follow its end",
                rest.len()
            )));
        }
        Ok(plan)
    }

    /// How many destinations there are.
    #[must_use]
    pub fn destination_count(&self) -> usize {
        self.destinations.len()
    }

    /// The destination at a place.
    ///
    /// # Errors
    /// When the plan is damaged there.
    pub fn destination(&self, index: usize) -> Result<Option<Destination<'a>>, DecodeError> {
        self.destinations
            .get(index)
            .map(|bytes| Ok(postcard::from_bytes(bytes)?))
            .transpose()
    }

    /// The destinations with this name or synonym, as a person said it (see [`crate::name::normalise`]), with an article
    /// before it or not: their places, several only when a synonym is theirs together.
    #[must_use]
    pub fn places_named(&self, spoken: &str) -> Vec<usize> {
        let normal = crate::name::normalise(spoken);
        let found: Vec<usize> = self.names.all(&normal).collect();
        match crate::name::without_article(&normal) {
            Some(bare) if found.is_empty() => self.names.all(bare).collect(),
            _ => found,
        }
    }

    /// The destination with this name or synonym, as a person said it; the first one when it is that of several.
    ///
    /// # Errors
    /// When the plan is damaged there.
    pub fn destination_named(&self, spoken: &str) -> Result<Option<Destination<'a>>, DecodeError> {
        match self.places_named(spoken).first() {
            Some(index) => self.destination(*index),
            None => Ok(None),
        }
    }

    /// The place of the destination with this id, which is compared as it stands.
    #[must_use]
    pub fn place_with_id(&self, id: &str) -> Option<usize> {
        self.ids.find(id)
    }

    /// The destination with this id, which is compared as it stands.
    ///
    /// # Errors
    /// When the plan is damaged there.
    pub fn destination_with_id(&self, id: &str) -> Result<Option<Destination<'a>>, DecodeError> {
        match self.ids.find(id) {
            Some(index) => self.destination(index),
            None => Ok(None),
        }
    }

    /// Where callers' numbers come from.
    ///
    /// # Errors
    /// When the plan is damaged there.
    pub fn callers(&self) -> Result<Callers<'a>, DecodeError> {
        Ok(postcard::from_bytes(self.callers)?)
    }

    /// Whether the plan's rules allow a call to the destination at a place.
    ///
    /// # Errors
    /// When the plan is damaged there.
    pub fn allows(&self, asking: &Asking<'_>, place: usize) -> Result<bool, DecodeError> {
        let rules: Vec<Rule<'a>> = postcard::from_bytes(self.rules)?;
        // More places than an entry of the index can hold are never compiled.
        Ok(allowed(
            &rules,
            asking,
            u16::try_from(place).unwrap_or(u16::MAX),
        ))
    }

    /// What the plan makes of an intent; none when it places no call. A plan that names no intent has CallIntent with the
    /// slot `destination`.
    ///
    /// # Errors
    /// When the plan is damaged there.
    pub fn call_intent(&self, name: &str) -> Result<Option<CallIntent<'a>>, DecodeError> {
        let intents: Vec<CallIntent<'a>> = postcard::from_bytes(self.intents)?;
        let usual = intents.is_empty().then_some(intents::USUAL);
        Ok(intents
            .into_iter()
            .chain(usual)
            .find(|intent| intent.name == name))
    }

    /// The opening hours at a place.
    ///
    /// # Errors
    /// When the plan is damaged there.
    pub fn hours(&self, place: u16) -> Result<Option<Hours<'a>>, DecodeError> {
        self.hours
            .get(usize::from(place))
            .map(|bytes| Ok(postcard::from_bytes(bytes)?))
            .transpose()
    }

    /// Whether what has the opening hours at `place` is open at a time, in Unix seconds; without hours it always is.
    ///
    /// # Errors
    /// When the plan is damaged there.
    pub fn is_open(&self, place: Option<u16>, unix_seconds: i64) -> Result<bool, DecodeError> {
        match place {
            None => Ok(true),
            Some(place) => match self.hours(place)? {
                Some(hours) => hours.is_open(unix_seconds),
                None => Err(DecodeError::Damaged(format!("it has no hours {place}"))),
            },
        }
    }

    /// When what has the opening hours at `place` opens next after a time, in Unix seconds; none without hours, or when it
    /// does not within a week.
    ///
    /// # Errors
    /// When the plan is damaged there.
    pub fn next_opening(
        &self,
        place: Option<u16>,
        unix_seconds: i64,
    ) -> Result<Option<Opening>, DecodeError> {
        let hours = place.map(|place| self.hours(place)).transpose()?.flatten();
        match hours {
            Some(hours) => hours.next_opening(unix_seconds),
            None => Ok(None),
        }
    }

    /// The numbers that a flow answers.
    pub fn flow_numbers(&self) -> impl Iterator<Item = &'a str> {
        self.flows.iter().map(|flow| flow.number)
    }

    /// The flow that answers this number (E.164).
    ///
    /// # Errors
    /// When the plan is damaged there.
    pub fn flow(&self, number: &str) -> Result<Option<Flow<'a>>, DecodeError> {
        self.flows
            .iter()
            .find(|flow| flow.number == number)
            .map(|flow| Ok(postcard::from_bytes(flow.bytes)?))
            .transpose()
    }

    /// The origins of the URLs that the plan names, each once: userinfo and handlers.
    ///
    /// # Errors
    /// When the plan is damaged there.
    pub fn origins(&self) -> Result<Vec<String>, DecodeError> {
        let mut urls: Vec<&'a str> = Vec::new();
        urls.extend(self.callers()?.account_link.map(|link| link.userinfo));
        for number in self.flow_numbers() {
            let flow = self.flow(number)?;
            let steps = flow.into_iter().flat_map(|flow| flow.steps);
            urls.extend(steps.filter_map(|step| step.hand_over).map(|to| to.url));
        }
        let mut origins = Vec::new();
        for url in urls {
            // Scheme and host end with the third slash.
            let end = url
                .match_indices('/')
                .nth(2)
                .map_or(url.len(), |(at, _)| at);
            let origin = url.get(..end).unwrap_or(url).to_owned();
            if !origins.contains(&origin) {
                origins.push(origin);
            }
        }
        Ok(origins)
    }

    /// The locales that the plan has, the default first.
    pub fn locales(&self) -> impl Iterator<Item = &'a str> {
        self.locales.iter().map(|locale| locale.tag)
    }

    /// The plan's locale that serves a request in `locale`: the same, else one of the same language, else the default.
    #[must_use]
    pub fn locale_for(&self, locale: &str) -> &'a str {
        best_locale(locale, self.locales.iter().map(|l| l.tag))
            .and_then(|index| self.locales.get(index))
            .map_or(self.default_locale, |l| l.tag)
    }

    /// What the skill says in this case, in the plan's locale that serves `locale`.
    ///
    /// # Errors
    /// When the plan is damaged there.
    pub fn text(&self, locale: &str, key: TextKey) -> Result<Template<'a>, DecodeError> {
        let tag = self.locale_for(locale);
        let entry = self
            .locales
            .iter()
            .find(|entry| entry.tag == tag)
            .ok_or_else(|| {
                DecodeError::Damaged(format!("its default locale {tag} has no texts"))
            })?;
        let texts: Vec<&'a [u8]> = postcard::from_bytes(entry.bytes)?;
        let bytes = texts.get(key as usize).ok_or_else(|| {
            DecodeError::Damaged(format!("the text {} is missing in {tag}", key.name()))
        })?;
        Ok(postcard::from_bytes(bytes)?)
    }
}
