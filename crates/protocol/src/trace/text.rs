//! Text that has been redacted.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize};

use crate::redact;

/// Bytes of a message that are kept, after redaction; the rest is cut.
pub const BODY_MAX_BYTES: usize = 8 * 1024;

/// Bytes of a name, an outcome or a path that are kept.
const LINE_MAX_BYTES: usize = 512;

/// How much longer than its limit a cut text is, because it says what is missing.
const CUT_MARK_BYTES: usize = 64;

/// Text of a trace record.
///
/// Each way to make one redacts it ([`crate::redact`]), and so does reading one: what a foreign part wrote is not
/// trusted. It reads as a `str`.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Text(String);

impl Text {
    /// One line: a name, an outcome, a tag. At most 512 bytes are kept.
    #[must_use]
    pub fn line(text: &str) -> Self {
        Self(cut(redact::text(text), LINE_MAX_BYTES))
    }

    /// Prose of any length up to [`BODY_MAX_BYTES`].
    #[must_use]
    pub fn prose(text: &str) -> Self {
        Self(cut(redact::text(text), BODY_MAX_BYTES))
    }

    /// What a message carried: redacted by its form (JSON, SIP, SDP or text), then cut at [`BODY_MAX_BYTES`]. Bytes that are
    /// no UTF-8 become U+FFFD.
    #[must_use]
    pub fn body(body: &[u8]) -> Self {
        // Redacted before it is cut: a secret that lost its end would not be recognised.
        Self(cut(
            redact::any(&String::from_utf8_lossy(body)),
            BODY_MAX_BYTES,
        ))
    }

    /// A file's path, in which dates stay.
    #[must_use]
    pub fn path(path: &str) -> Self {
        Self(cut(redact::path(path), LINE_MAX_BYTES))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a path.
    pub(super) fn deserialize_path<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Self, D::Error> {
        Ok(Self::path(&String::deserialize(deserializer)?))
    }
}

/// Cuts at a character, and says so.
fn cut(mut text: String, limit: usize) -> String {
    // A text that was cut already, and is read again, stays as it is.
    if text.len() > limit + CUT_MARK_BYTES {
        let end = (0..=limit)
            .rev()
            .find(|&end| text.is_char_boundary(end))
            .unwrap_or(0);
        let rest = text.len() - end;
        text.truncate(end);
        text.push_str(&format!("… [{rest} bytes more]"));
    }
    text
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(cut(
            redact::any(&String::deserialize(deserializer)?),
            BODY_MAX_BYTES,
        )))
    }
}

impl Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}
