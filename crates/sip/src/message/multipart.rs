//! Multipart bodies (RFC 2046 §5.1, RFC 5621): finding the session description among other parts.

use super::name::HeaderName;
use super::scan::trim;
use super::values::MediaType;

/// The most parts that are looked at.
const MAX_PARTS: usize = 16;

/// One part of a multipart body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyPart<'a> {
    /// The value of its Content-Type; `None` means `text/plain` (RFC 2046 §5.1).
    pub content_type: Option<&'a [u8]>,
    /// Its content.
    pub content: &'a [u8],
}

impl BodyPart<'_> {
    /// Whether the part is of type `kind/subtype`.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.content_type
            .and_then(|value| MediaType::parse(value).ok())
            .is_some_and(|media| media.is(kind, subtype))
    }
}

/// The parts of `body`, which is cut at `boundary`; at most 16 are given, and what is not closed is left out.
pub fn parts<'a>(body: &'a [u8], boundary: &str) -> Vec<BodyPart<'a>> {
    let delimiter = format!("--{boundary}");
    let finder = memchr::memmem::Finder::new(delimiter.as_bytes());
    let mut found = Vec::new();
    let mut from = None;
    for at in finder.find_iter(body) {
        let at_line_start = at == 0 || body.get(at - 1) == Some(&b'\n');
        if !at_line_start {
            continue;
        }
        if let Some(start) = from
            && let Some(part) = body.get(start..at)
        {
            found.push(part_of(part));
        }
        let after = at + delimiter.len();
        let tail = body.get(after..).unwrap_or_default();
        if tail.starts_with(b"--") || found.len() >= MAX_PARTS {
            break;
        }
        from = memchr::memchr(b'\n', tail).map(|end| after + end + 1);
    }
    found
}

fn part_of(part: &[u8]) -> BodyPart<'_> {
    // The line end before a delimiter belongs to the delimiter.
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    let part = part.strip_suffix(b"\r").unwrap_or(part);
    let mut content_type = None;
    let mut rest = part;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let line = rest.get(..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        rest = rest.get(end + 1..).unwrap_or_default();
        if line.is_empty() {
            return BodyPart {
                content_type,
                content: rest,
            };
        }
        if let Some(colon) = memchr::memchr(b':', line)
            && HeaderName::from_bytes(trim(line.get(..colon).unwrap_or_default()))
                == HeaderName::ContentType
        {
            content_type = Some(trim(line.get(colon + 1..).unwrap_or_default()));
        }
    }
    BodyPart {
        content_type,
        content: &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_description_is_found_among_other_parts() {
        let body = b"preamble\r\n--cut\r\nContent-Type: application/isup\r\n\r\n\x01--cut\x02\r\n\
            --cut\r\nc: application/sdp\r\nContent-Disposition: session\r\n\r\nv=0\r\ns=-\r\n\r\n--cut--\r\n";
        let found = parts(body, "cut");
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].content, b"\x01--cut\x02");
        assert!(found[1].is("application", "sdp"));
        assert_eq!(found[1].content, b"v=0\r\ns=-\r\n");
        assert!(parts(b"--cut\r\n\r\nnever closed", "cut").is_empty());
    }
}
