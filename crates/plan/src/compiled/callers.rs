//! Where callers' numbers come from when no profile is asked.

use serde::{Deserialize, Serialize};

use super::names::Names;

/// The linked account's userinfo endpoint (facts C2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountLink<'a> {
    /// Its URL; the linked account's token goes there and nowhere else.
    pub userinfo: &'a str,
    /// The JSON pointer (RFC 6901) to the number in its answer.
    pub pointer: &'a str,
}

/// A caller whom the plan knows (facts D1, D5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FixedCaller<'a> {
    /// A number, E.164.
    Number(&'a str),
    /// A communication profile, and the provider of its calls.
    Profile(&'a str, &'a str),
}

/// What kind of thing a fixed caller stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'p> {
    /// A device by its id.
    Device(&'p str),
    /// A unit by its id.
    Unit(&'p str),
    /// A unit by its persistent id.
    PersistentUnit(&'p str),
}

impl Place<'_> {
    /// The key in the index.
    pub(crate) fn key(self) -> String {
        match self {
            Self::Device(id) => format!("d:{id}"),
            Self::Unit(id) => format!("u:{id}"),
            Self::PersistentUnit(id) => format!("p:{id}"),
        }
    }
}

/// Where callers' numbers come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callers<'a> {
    /// The linked account's endpoint.
    #[serde(borrow)]
    pub account_link: Option<AccountLink<'a>>,
    #[serde(borrow)]
    pub(crate) places: Names<'a>,
    #[serde(borrow)]
    pub(crate) fixed: Vec<FixedCaller<'a>>,
    /// The caller of every place that is not listed.
    #[serde(borrow)]
    pub everywhere: Option<FixedCaller<'a>>,
}

impl<'a> Callers<'a> {
    /// The caller at the first of `places` that the plan lists, else the one of every other place.
    #[must_use]
    pub fn at<'p>(&self, places: impl IntoIterator<Item = Place<'p>>) -> Option<FixedCaller<'a>> {
        places
            .into_iter()
            .find_map(|place| self.places.find(&place.key()))
            .and_then(|index| self.fixed.get(index))
            .copied()
            .or(self.everywhere)
    }
}
