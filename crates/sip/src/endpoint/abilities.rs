//! What a message says its sender can do (RFC 3261 §20.5, §20.32, §20.37).

use crate::message::{HeaderName, Headers, Method};

fn lists(headers: Headers<'_>, name: HeaderName, tag: &str) -> bool {
    headers
        .tokens(name)
        .any(|token| token.eq_ignore_ascii_case(tag.as_bytes()))
}

/// Whether the sender knows an extension, required ones included.
pub(super) fn supports(headers: Headers<'_>, tag: &str) -> bool {
    lists(headers, HeaderName::Supported, tag) || requires(headers, tag)
}

/// Whether the sender insists on an extension.
pub(super) fn requires(headers: Headers<'_>, tag: &str) -> bool {
    lists(headers, HeaderName::Require, tag)
}

/// Whether the sender takes requests of a method. Methods are case-sensitive, but some peers are not.
pub(super) fn allows(headers: Headers<'_>, method: &Method) -> bool {
    lists(headers, HeaderName::Allow, method.as_str())
}
