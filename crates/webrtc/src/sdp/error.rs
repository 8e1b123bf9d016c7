//! Why a description is not taken.

use thiserror::Error;

/// Why an offer or an answer is not taken: what was found, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OfferError {
    /// Longer than any description needs to be.
    #[error("the description has {found} bytes, and at most {limit} are read")]
    TooLong {
        /// Its bytes.
        found: usize,
        /// The bound.
        limit: usize,
    },
    /// Not the syntax of RFC 8866.
    #[error("the description is not read: {0}")]
    Syntax(String),
    /// More media lines than any call has.
    #[error("the description has {found} media lines, and at most {limit} are looked at")]
    TooManyMedia {
        /// Its lines.
        found: usize,
        /// The bound.
        limit: usize,
    },
    /// No audio line, or all are rejected.
    #[error("the description has no audio line (m=audio with a port that is not 0)")]
    NoAudio,
    /// The audio line is of another profile than SRTP's.
    #[error("the audio line is of profile {0:?}, and UDP/TLS/RTP/SAVPF is spoken")]
    Profile(String),
    /// No codec in common.
    #[error("the audio line names {offered}, and none of these is spoken here: {spoken}")]
    NoCodec {
        /// What the line names.
        offered: String,
        /// What we speak.
        spoken: String,
    },
    /// RTCP would need a port of its own.
    #[error("the audio line has no a=rtcp-mux, and RTCP is only spoken on RTP's port (RFC 5761)")]
    NoRtcpMux,
    /// No ICE, or what cannot be ICE.
    #[error(
        "{0} is missing or out of its bounds (RFC 8839 §5.4): a=ice-ufrag has 4 to 256 characters, a=ice-pwd 22 to 256"
    )]
    Credentials(&'static str),
    /// No certificate that could be checked.
    #[error("there is no a=fingerprint by sha-256, sha-384 or sha-512")]
    NoFingerprint,
    /// A role in DTLS that cannot be answered.
    #[error(
        "a=setup:{0} cannot be taken here: an offer says actpass, active or passive; an answer active or passive"
    )]
    Setup(String),
    /// An answer whose lines are not those of the offer (RFC 3264 §6).
    #[error("the answer has {found} media lines where the offer has {offered}")]
    Lines {
        /// The answer's.
        found: usize,
        /// The offer's.
        offered: usize,
    },
    /// An answer, but nothing was offered.
    #[error("an answer came, but no offer waits for one")]
    NotOffered,
}
