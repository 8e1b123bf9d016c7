//! A call as the control API shows it.

use serde::Serialize;
use skillcall_media::quality::Figures as LegFigures;

use crate::engine::Snapshot;

/// A call with its legs.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CallView {
    /// What the action engine says.
    #[serde(flatten)]
    pub(crate) snapshot: Snapshot,
    /// The client session, if Alexa made the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_session_id: Option<String>,
    /// The application's id.
    pub(crate) application: String,
    /// The worker that has it.
    pub(crate) worker: usize,
    /// Seconds since its INVITE.
    pub(crate) seconds: u64,
    /// Audio of its legs.
    pub(crate) media: Vec<MediaView>,
}

impl CallView {
    /// Whether an id is this call's: TransactionId, a CallId, or the client session's.
    pub(crate) fn has_id(&self, id: &str) -> bool {
        self.snapshot.transaction_id.as_str() == id
            || self.client_session_id.as_deref() == Some(id)
            || self
                .snapshot
                .participants
                .iter()
                .any(|leg| leg.call_id.as_str() == id)
    }
}

/// A leg's audio.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MediaView {
    /// `CallId` of the leg.
    pub(crate) call_id: String,
    /// Our RTP port.
    pub(crate) port: u16,
    /// PCMU or PCMA.
    pub(crate) codec: String,
    /// The crypto suite, where it is encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) srtp: Option<&'static str>,
    /// Whether the peer has put us on hold.
    pub(crate) held: bool,
    /// Whether we have put the peer on hold.
    pub(crate) holding: bool,
    /// Packets, loss, jitter, MOS.
    #[serde(flatten)]
    pub(crate) quality: Quality,
}

/// A leg's audio in figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Quality {
    /// RTP packets sent.
    pub(crate) packets_sent: u64,
    /// RTP packets received.
    pub(crate) packets_received: u64,
    /// RTP packets lost.
    pub(crate) packets_lost: u64,
    /// Share lost or late, 0 to 1.
    pub(crate) loss: f64,
    /// Interarrival jitter in milliseconds.
    pub(crate) jitter_ms: f64,
    /// The highest that it has been.
    pub(crate) jitter_max_ms: f64,
    /// Round trip by RTCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) round_trip_ms: Option<f64>,
    /// Estimated mean opinion score of what was received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mos: Option<f64>,
    /// Digits received.
    pub(crate) digits_received: u64,
}

impl From<&LegFigures> for Quality {
    fn from(figures: &LegFigures) -> Self {
        Self {
            packets_sent: figures.packets_sent,
            packets_received: figures.packets_received,
            packets_lost: figures.packets_lost,
            loss: figures.loss(),
            jitter_ms: figures.jitter_ms,
            jitter_max_ms: figures.jitter_max_ms,
            round_trip_ms: figures.round_trip_ms,
            mos: figures.mos(),
            digits_received: figures.digits_received,
        }
    }
}
