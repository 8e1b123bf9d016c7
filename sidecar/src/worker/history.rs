//! History-Info of our own (RFC 7044): what a bridged call was asked for, and where it leads instead.
//!
//! Entries go to trusted trunks alone, behind those that a trusted trunk has sent: they tell whom a caller wanted to reach.

use skillcall_sip::headers::{HistoryEntry, TargetKind};
use skillcall_sip::message::{ExtraHeader, HeaderName, Request, Uri};

/// The deepest index that is continued.
const DEEPEST: usize = 12;

/// The way that a call has come so far.
#[derive(Debug, Clone)]
pub(super) struct History {
    /// The Request-URI.
    asked: Uri,
    /// The index of the last entry that came.
    last: Option<Vec<u32>>,
    /// Whether that entry is the Request-URI's.
    is_asked: bool,
}

impl History {
    /// Of a call that comes in; what a peer that is not `trusted` says of it is not heard.
    pub(super) fn of(request: &Request, trusted: bool) -> Option<Self> {
        let asked = Uri::parse(request.uri().as_str()).ok()?;
        let last = trusted
            .then(|| HistoryEntry::list(request.headers()).pop())
            .flatten()
            .filter(|entry| !entry.index.is_empty());
        let is_asked = last
            .as_ref()
            .is_some_and(|entry| entry.uri.as_ref().user() == asked.as_ref().user());
        Some(Self {
            asked,
            last: last.map(|entry| entry.index),
            is_asked,
        })
    }

    /// The entries to add when it is sent to `target` (§9.2): for the Request-URI, unless the last hop has said it, and for
    /// the target, which is another user's (`mp`) or another place of the same (`rc`).
    pub(super) fn led_to(&self, target: &Uri) -> Vec<ExtraHeader> {
        let below = |index: &[u32]| [index, &[1]].concat();
        let mut entries = Vec::new();
        let from = match &self.last {
            Some(last) if last.len() > DEEPEST => return Vec::new(),
            Some(last) if self.is_asked => last.clone(),
            last => {
                let index = last.as_deref().map_or_else(|| vec![1], below);
                entries.push(entry(&self.asked, index.clone(), None));
                index
            }
        };
        let same = self.asked.as_ref().user() == target.as_ref().user();
        let kind = if same {
            TargetKind::Contact
        } else {
            TargetKind::Mapped
        };
        let named: Vec<String> = from.iter().map(u32::to_string).collect();
        entries.push(entry(target, below(&from), Some((kind, named.join(".")))));
        let headers = entries.iter().map(|entry| {
            let name = HeaderName::HistoryInfo.as_str();
            ExtraHeader::new(name, entry.to_string().as_bytes()).ok()
        });
        headers.flatten().collect()
    }
}

fn entry(uri: &Uri, index: Vec<u32>, kind: Option<(TargetKind, String)>) -> HistoryEntry {
    HistoryEntry {
        uri: uri.clone(),
        display: None,
        index,
        kind,
        reasons: Vec::new(),
        privacy: None,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use skillcall_sip::message::{Framing, Message, parse};

    use super::*;

    fn led(history: &str, trusted: bool, target: &str) -> Vec<String> {
        let text = format!(
            "INVITE sip:desk@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\n\
             From: <sip:b@127.0.0.1>;tag=1\r\nTo: <sip:desk@127.0.0.1>\r\nCall-ID: 1\r\nCSeq: 2 INVITE\r\n\
             Max-Forwards: 70\r\n{history}Content-Length: 0\r\n\r\n"
        );
        let Ok(Message::Request(request)) = parse(Bytes::from(text), Framing::Datagram) else {
            panic!("no request")
        };
        let history = History::of(&request, trusted).unwrap();
        let headers = history.led_to(&Uri::parse(target).unwrap());
        let value = |header: &ExtraHeader| String::from_utf8_lossy(header.value()).into_owned();
        headers.iter().map(value).collect()
    }

    #[test]
    fn the_way_is_continued() {
        let asked = "<sip:desk@127.0.0.1>";
        let came = "History-Info: <sip:sales@a>;index=1, <sip:desk@a>;index=1.2;mp=1\r\n";
        let other = "History-Info: <sip:sales@a>;index=1\r\n";
        let to = "<sip:+1607@b>";
        for (history, trusted, target, expected) in [
            (
                "",
                true,
                "sip:+1607@b",
                vec![format!("{asked};index=1"), format!("{to};index=1.1;mp=1")],
            ),
            (
                "",
                true,
                "sip:desk@b",
                vec![
                    format!("{asked};index=1"),
                    "<sip:desk@b>;index=1.1;rc=1".into(),
                ],
            ),
            (
                came,
                true,
                "sip:+1607@b",
                vec![format!("{to};index=1.2.1;mp=1.2")],
            ),
            (
                came,
                false,
                "sip:+1607@b",
                vec![format!("{asked};index=1"), format!("{to};index=1.1;mp=1")],
            ),
            (
                other,
                true,
                "sip:+1607@b",
                vec![
                    format!("{asked};index=1.1"),
                    format!("{to};index=1.1.1;mp=1.1"),
                ],
            ),
        ] {
            let added = led(history, trusted, target);
            assert_eq!(added.len(), expected.len(), "{added:?}");
            for (added, expected) in added.iter().zip(expected) {
                assert_eq!(*added, expected);
            }
        }
        let deep = format!("History-Info: <sip:desk@a>;index={}1\r\n", "1.".repeat(13));
        assert_eq!(led(&deep, true, "sip:x@b"), Vec::<String>::new());
    }
}
