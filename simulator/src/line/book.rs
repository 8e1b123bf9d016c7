//! The calls of devices and phone: what became of each.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Serialize, Serializer};
use tokio::sync::watch;

/// Calls remembered; the oldest ended ones are forgotten.
const MAX_CALLS: usize = 1000;
/// Calls whose heard audio is kept in memory; a WAV file has it too, if a folder is configured.
const MAX_AUDIO: usize = 16;

/// Whose call it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// A device's.
    Device,
    /// The phone's.
    Phone,
}

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallState {
    /// Ordered by the Alexa service, not yet dialled.
    Ordered,
    /// The INVITE is out.
    Calling,
    /// It rings; early media counts as ringing (facts E4).
    Ringing,
    /// Answered.
    Talking,
    /// Over.
    Ended,
}

/// Who ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndedBy {
    /// This side hung up or gave up.
    Here,
    /// The peer hung up or gave up.
    Peer,
    /// The peer or the network refused.
    Refused,
    /// This side refused.
    RefusedHere,
    /// Something failed: no answer to a message, no usable SDP.
    Failed,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ending {
    /// Who.
    pub by: EndedBy,
    /// The SIP status of a refusal; 0 when the call had been answered.
    pub status: u16,
    /// What was said about it.
    pub reason: String,
}

/// Figures of a call's media.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MediaFigures {
    /// RTP packets sent.
    pub sent: u64,
    /// RTP packets received.
    pub received: u64,
    /// RTP packets lost on the way here.
    pub lost: u64,
    /// RTP packets that came too late to be heard.
    pub late: u64,
    /// Interarrival jitter in milliseconds (RFC 3550 §6.4.1).
    pub jitter_ms: f64,
    /// Estimated mean opinion score, 1 to 4.5; absent when nothing was received.
    pub mos: Option<f64>,
    /// Milliseconds of the peer's audio that were heard, silence and concealment not counted.
    pub heard_ms: u64,
    /// The codec that is sent, such as `PCMU`.
    pub codec: String,
}

/// A call.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// The SIP Call-ID.
    pub id: String,
    /// Whose.
    pub side: Side,
    /// `sessionId` of StartCommunicationSession.
    pub session_id: Option<String>,
    /// `clientSessionId`, as ordered or as received.
    pub csi: Option<String>,
    /// The skill request in which the call was ordered.
    pub request_id: Option<String>,
    /// The device.
    pub device_id: Option<String>,
    /// The caller.
    #[serde(serialize_with = "last_four_only")]
    pub from: String,
    /// Who was called.
    #[serde(serialize_with = "last_four_only")]
    pub to: String,
    /// How far it has come.
    pub state: CallState,
    /// Whether media came before the answer.
    pub early_media: bool,
    /// How it ended.
    pub ended: Option<Ending>,
    /// Milliseconds since 1970.
    pub started_at: u64,
    /// Milliseconds since 1970.
    pub answered_at: Option<u64>,
    /// Milliseconds since 1970.
    pub ended_at: Option<u64>,
    /// Prompts heard to their end.
    pub prompts: u32,
    /// Digits sent, all of them finished.
    #[serde(serialize_with = "digits_redacted")]
    pub digits_sent: String,
    /// Digits received.
    #[serde(serialize_with = "digits_redacted")]
    pub digits_heard: String,
    /// Figures, renewed every second and at the end.
    pub media: MediaFigures,
    /// WAV file of what was heard.
    pub recording: Option<PathBuf>,
    /// What Alexa says about the call, such as "The contact is not available." (facts D3).
    pub spoken: Option<String>,
}

impl Call {
    pub(crate) fn new(id: String, side: Side) -> Self {
        Self {
            id,
            side,
            session_id: None,
            csi: None,
            request_id: None,
            device_id: None,
            from: String::new(),
            to: String::new(),
            state: CallState::Ordered,
            early_media: false,
            ended: None,
            started_at: now_ms(),
            answered_at: None,
            ended_at: None,
            prompts: 0,
            digits_sent: String::new(),
            digits_heard: String::new(),
            media: MediaFigures::default(),
            recording: None,
            spoken: None,
        }
    }

    /// Whether the call is over.
    pub fn is_over(&self) -> bool {
        self.state == CallState::Ended
    }
}

/// Nothing of that kind came in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("waited {0:?} in vain; the calls are: {1}")]
pub struct WaitedInVain(pub Duration, pub String);

#[derive(Debug)]
struct Entry {
    call: Call,
    audio: Arc<Mutex<Vec<i16>>>,
}

/// All calls. Cloning gives another handle to the same book.
#[derive(Debug, Clone)]
pub struct CallBook {
    entries: Arc<Mutex<VecDeque<Entry>>>,
    changed: Arc<watch::Sender<u64>>,
}

impl Default for CallBook {
    fn default() -> Self {
        Self {
            entries: Arc::default(),
            changed: Arc::new(watch::Sender::new(0)),
        }
    }
}

impl CallBook {
    /// All calls that are remembered, oldest first.
    pub fn all(&self) -> Vec<Call> {
        self.entries()
            .iter()
            .map(|entry| entry.call.clone())
            .collect()
    }

    /// The call with this id.
    pub fn get(&self, id: &str) -> Option<Call> {
        self.entries()
            .iter()
            .find(|entry| entry.call.id == id)
            .map(|entry| entry.call.clone())
    }

    /// What was heard in a call so far: 16-bit linear PCM, 8 kHz. `None` when the call or its audio is forgotten.
    pub fn audio(&self, id: &str) -> Option<Vec<i16>> {
        let audio = self
            .entries()
            .iter()
            .find(|entry| entry.call.id == id)
            .map(|entry| Arc::clone(&entry.audio))?;
        let samples = audio.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Some(samples)
    }

    /// Waits until `wanted` finds something in the calls; looks again at each change, for at most `limit`.
    pub async fn wait_for<T>(
        &self,
        limit: Duration,
        mut wanted: impl FnMut(&[Call]) -> Option<T>,
    ) -> Result<T, WaitedInVain> {
        let mut changes = self.changed.subscribe();
        let found = tokio::time::timeout(limit, async {
            loop {
                changes.mark_unchanged();
                if let Some(found) = wanted(&self.all()) {
                    return Some(found);
                }
                changes.changed().await.ok()?;
            }
        })
        .await;
        match found {
            Ok(Some(found)) => Ok(found),
            _ => Err(WaitedInVain(
                limit,
                serde_json::to_string(&self.all()).unwrap_or_default(),
            )),
        }
    }

    pub(crate) fn add(&self, call: Call) {
        let mut entries = self.entries();
        if entries.len() >= MAX_CALLS {
            let oldest_ended = entries
                .iter()
                .position(|entry| entry.call.is_over())
                .unwrap_or(0);
            entries.remove(oldest_ended);
        }
        entries.push_back(Entry {
            call,
            audio: Arc::default(),
        });
        let with_audio = entries.len().saturating_sub(MAX_AUDIO);
        for old in entries
            .iter_mut()
            .take(with_audio)
            .filter(|entry| entry.call.is_over())
        {
            old.audio = Arc::default();
        }
        drop(entries);
        self.changed
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(crate) fn update(&self, id: &str, change: impl FnOnce(&mut Call)) {
        if let Some(entry) = self.entries().iter_mut().find(|entry| entry.call.id == id) {
            change(&mut entry.call);
        }
        self.changed
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Ends a call once; a second ending is not an ending.
    pub(crate) fn end(&self, id: &str, ending: Ending) {
        self.update(id, |call| {
            if call.state != CallState::Ended {
                call.state = CallState::Ended;
                call.ended = Some(ending);
                call.ended_at = Some(now_ms());
            }
        });
    }

    pub(crate) fn audio_of(&self, id: &str) -> Arc<Mutex<Vec<i16>>> {
        self.entries()
            .iter()
            .find(|entry| entry.call.id == id)
            .map(|entry| Arc::clone(&entry.audio))
            .unwrap_or_default()
    }

    fn entries(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn now_ms() -> u64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn last_four_only<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let count = text.chars().filter(char::is_ascii_digit).count();
    let mut seen = 0;
    let redacted: String = text
        .chars()
        .map(|c| {
            if c.is_ascii_digit() {
                seen += 1;
                if seen + 4 <= count { '*' } else { c }
            } else {
                c
            }
        })
        .collect();
    serializer.serialize_str(&redacted)
}

/// One digit is a menu choice; more may be a card number or a PIN.
fn digits_redacted<S: Serializer>(digits: &str, serializer: S) -> Result<S::Ok, S::Error> {
    if digits.chars().count() <= 1 {
        serializer.serialize_str(digits)
    } else {
        serializer.serialize_str(&"*".repeat(digits.chars().count()))
    }
}
