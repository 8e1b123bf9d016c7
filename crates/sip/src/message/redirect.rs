//! The targets that a 3xx response names (RFC 3261 §8.1.3.4, §20.10).

use super::headers::Headers;
use super::name::HeaderName;
use super::uri::Uri;

/// The most targets of one response.
const MAX_TARGETS: usize = 16;

/// One target.
#[derive(Debug, Clone, PartialEq)]
pub struct RedirectTarget {
    /// Where.
    pub uri: Uri,
    /// Preference, 0 to 1; 1 where the response says none.
    pub q: f32,
    /// The display name.
    pub display: Option<String>,
}

impl Headers<'_> {
    /// The targets of a 3xx, preferred first; those of one preference in the order of the response. What cannot be read
    /// is left out, and at most 16 are given.
    pub fn redirect_targets(&self) -> Vec<RedirectTarget> {
        let mut targets: Vec<RedirectTarget> = self
            .addresses(HeaderName::Contact)
            .filter_map(|address| {
                let address = address.ok()?;
                let q = address.params().value("q");
                let q = q.and_then(|q| q.parse::<f32>().ok()).unwrap_or(1.0);
                Some(RedirectTarget {
                    uri: address.uri().ok()?.to_owned(),
                    q: if (0.0..=1.0).contains(&q) { q } else { 1.0 },
                    display: address.display().map(|name| name.into_owned()),
                })
            })
            .take(MAX_TARGETS)
            .collect();
        targets.sort_by(|a, b| b.q.total_cmp(&a.q));
        targets
    }
}
