//! The Contacts of a REGISTER (RFC 3261 §10.2.1, §20.10).

use super::binding::FlowId;
use crate::message::{HeaderName, NameAddr, Request, Uri, decimal, text, trim};

/// The longest Contact that is kept, in bytes.
const MAX_CONTACT: usize = 1024;

/// One Contact that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) uri: Uri,
    pub(super) params: String,
    pub(super) q: u16,
    /// Its own `expires`.
    pub(super) expires: Option<u32>,
    pub(super) flow: Option<FlowId>,
}

/// What a REGISTER asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asking {
    /// Nothing: what there is (RFC 3261 §10.2.3).
    Query,
    /// `Contact: *`: all away.
    All,
    /// These.
    Contacts(Vec<Asked>),
}

impl Asking {
    /// Reads the Contacts; the error is the reason phrase of a 400.
    pub(super) fn read(request: &Request, limit: usize) -> Result<Self, &'static str> {
        let headers = request.headers();
        if headers
            .all(HeaderName::Contact)
            .any(|value| trim(value) == b"*")
        {
            let alone = headers.all(HeaderName::Contact).count() == 1;
            return if alone && expires_of(request) == Some(0) {
                Ok(Self::All)
            } else {
                Err("Contact * Needs Expires 0 And No Other Contact")
            };
        }
        let mut contacts = Vec::new();
        for address in headers.addresses(HeaderName::Contact) {
            let address = address.map_err(|_| "Malformed Contact")?;
            if address.raw().len() > MAX_CONTACT {
                return Err("Contact Too Long");
            }
            if contacts.len() >= limit {
                return Err("Too Many Contacts");
            }
            contacts.push(asked(&address)?);
        }
        Ok(if contacts.is_empty() {
            Self::Query
        } else {
            Self::Contacts(contacts)
        })
    }
}

/// The Expires header; what is no number counts as an hour (RFC 3261 §20.10 for the parameter).
pub(super) fn expires_of(request: &Request) -> Option<u32> {
    request.headers().get(HeaderName::Expires).map(seconds)
}

pub(super) fn seconds(value: &[u8]) -> u32 {
    decimal(trim(value)).map_or(3600, |value| u32::try_from(value).unwrap_or(u32::MAX))
}

fn asked(address: &NameAddr<'_>) -> Result<Asked, &'static str> {
    let uri = address
        .uri()
        .map_err(|_| "Malformed URI In Contact")?
        .to_owned();
    let mut asked = Asked {
        uri,
        params: String::new(),
        q: 1000,
        expires: None,
        flow: None,
    };
    let (mut instance, mut reg_id) = (None, None);
    for param in address.params().iter() {
        let raw = param.raw.unwrap_or_default();
        if param.name.eq_ignore_ascii_case("expires") {
            asked.expires = Some(seconds(raw));
            continue;
        }
        if param.name.eq_ignore_ascii_case("q") {
            asked.q = thousandths(raw).ok_or("Malformed q In Contact")?;
            continue;
        }
        if param.name.eq_ignore_ascii_case("+sip.instance") {
            instance = param.value().map(|value| {
                let value = value.trim();
                value
                    .strip_prefix('<')
                    .and_then(|value| value.strip_suffix('>'))
                    .unwrap_or(value)
                    .to_owned()
            });
        }
        if param.name.eq_ignore_ascii_case("reg-id") {
            reg_id = decimal(raw)
                .and_then(|id| u32::try_from(id).ok())
                .filter(|id| *id > 0);
        }
        asked.params.push(';');
        asked.params.push_str(param.name);
        if param.raw.is_some() {
            asked.params.push('=');
            asked.params.push_str(&text(raw));
        }
    }
    asked.flow = instance
        .filter(|instance| !instance.is_empty())
        .map(|instance| FlowId { instance, reg_id });
    Ok(asked)
}

/// `qvalue` of RFC 3261 §25.1 in thousandths: 0 to 1 with three decimals at most.
fn thousandths(raw: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(raw).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" | "" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}
