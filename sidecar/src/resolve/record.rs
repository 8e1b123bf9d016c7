//! What is asked of name servers, and the records that they give.

use std::net::IpAddr;

/// What has to be looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    Naptr(String),
    Srv(String),
    Addresses(String),
}

/// A NAPTR record, as far as it is needed (RFC 3403 §4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Naptr {
    pub(crate) order: u16,
    pub(crate) preference: u16,
    pub(crate) flags: String,
    pub(crate) service: String,
    pub(crate) replacement: String,
}

/// An SRV record (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Srv {
    pub(crate) priority: u16,
    pub(crate) weight: u16,
    pub(crate) port: u16,
    pub(crate) target: String,
}

/// What was found; an empty list: there is no such record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Naptr(Vec<Naptr>),
    Srv(Vec<Srv>),
    Addresses(Vec<IpAddr>),
}
