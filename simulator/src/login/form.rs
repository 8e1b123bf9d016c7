//! The form that a token is asked for with (facts H; RFC 6749 §3.2).

use std::collections::BTreeMap;

use skillcall_protocol::lwa::FORM;

use super::{LoginRefusal, refused};

/// The parameters of a request, each once.
#[derive(Debug)]
pub(crate) struct Form(BTreeMap<String, String>);

impl Form {
    /// Reads a body that says that it is a form.
    pub(crate) fn read(content_type: Option<&str>, body: &[u8]) -> Result<Self, LoginRefusal> {
        let media_type = content_type
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default()
            .trim();
        if !media_type.eq_ignore_ascii_case(FORM) {
            return refused(
                400,
                "invalid_request",
                format!("Content-Type is {media_type:?}; expected {FORM}"),
            );
        }
        let mut parameters = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(body) {
            let twice = parameters
                .insert(name.clone().into_owned(), value.into_owned())
                .is_some();
            // RFC 6749 §3.2: parameters must not be included more than once.
            if twice {
                return refused(400, "invalid_request", format!("{name} is there twice"));
            }
        }
        Ok(Self(parameters))
    }

    /// A parameter that must be there and not be empty (RFC 6749 §3.2: an empty one counts as absent).
    pub(super) fn required(&self, name: &str) -> Result<&str, LoginRefusal> {
        match self.0.get(name).filter(|value| !value.is_empty()) {
            Some(value) => Ok(value),
            None => refused(400, "invalid_request", format!("{name} is missing")),
        }
    }

    /// Refuses a parameter that is none of these: real servers ignore it, a simulator says that it is a mistake.
    pub(super) fn only(&self, names: &[&str]) -> Result<(), LoginRefusal> {
        match self.0.keys().find(|name| !names.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => refused(
                400,
                "invalid_request",
                format!("{name} does not belong to this grant"),
            ),
        }
    }
}
