//! What a description says of the way: ICE, and the certificate.

use is::{Candidate, IceCreds};
use sdp_types::{Media, Session};

use super::{OfferError, candidate};
use crate::{dtls::Role, fingerprint::Fingerprint};

/// The most candidates of a peer that are checked; browsers on machines with many interfaces send some thirty.
const MAX_CANDIDATES: usize = 48;

/// Who is to begin the DTLS handshake, as a description says it (RFC 4145 §4, RFC 5763 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setup {
    Active,
    Passive,
    ActPass,
}

impl Setup {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::ActPass => "actpass",
        }
    }

    pub(crate) const fn of(role: Role) -> Self {
        match role {
            Role::Client => Self::Active,
            Role::Server => Self::Passive,
        }
    }
}

/// The peer's end of the way.
#[derive(Clone, Debug)]
pub(crate) struct RemoteTransport {
    pub(crate) credentials: IceCreds,
    pub(crate) lite: bool,
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) fingerprints: Vec<Fingerprint>,
    pub(crate) setup: Setup,
    /// `a=tls-id`: another one is another association (RFC 8842 §4).
    pub(crate) tls_id: Option<String>,
}

impl RemoteTransport {
    /// Reads it from the audio section, else from the section whose transport the bundle uses (RFC 9143 §7.1.3), else from the
    /// session's level.
    pub(super) fn read(
        session: &Session,
        media: &Media,
        tagged: Option<&Media>,
    ) -> Result<Self, OfferError> {
        let sections = || [Some(media), tagged].into_iter().flatten();
        let values = |name: &str| -> Vec<&str> {
            sections()
                .map(|media| all(&media.attributes, name))
                .find(|values| !values.is_empty())
                .unwrap_or_else(|| all(&session.attributes, name))
        };
        let first = |name: &str| values(name).first().map(|text| text.trim());
        let bounded = |name: &'static str, least: usize| {
            first(name)
                .filter(|text| (least..=256).contains(&text.len()))
                .map(str::to_owned)
                .ok_or(OfferError::Credentials(match least {
                    4 => "a=ice-ufrag",
                    _ => "a=ice-pwd",
                }))
        };
        let credentials = IceCreds {
            ufrag: bounded("ice-ufrag", 4)?,
            pass: bounded("ice-pwd", 22)?,
        };
        let fingerprints: Vec<_> = values("fingerprint")
            .into_iter()
            .filter_map(Fingerprint::parse)
            .take(8)
            .collect();
        if fingerprints.is_empty() {
            return Err(OfferError::NoFingerprint);
        }
        let setup = match first("setup") {
            // RFC 4145 §4.1: the default of an offer is active.
            None | Some("active") => Setup::Active,
            Some("passive") => Setup::Passive,
            Some("actpass") => Setup::ActPass,
            Some(other) => return Err(OfferError::Setup(other.chars().take(32).collect())),
        };
        Ok(Self {
            credentials,
            lite: session
                .attributes
                .iter()
                .any(|attribute| attribute.attribute == "ice-lite"),
            candidates: values("candidate")
                .into_iter()
                .filter_map(candidate::parse)
                .take(MAX_CANDIDATES)
                .collect(),
            fingerprints,
            setup,
            tls_id: first("tls-id").map(|text| text.chars().take(255).collect()),
        })
    }
}

fn all<'a>(attributes: &'a [sdp_types::Attribute], name: &str) -> Vec<&'a str> {
    attributes
        .iter()
        .filter(|attribute| attribute.attribute.eq_ignore_ascii_case(name))
        .filter_map(|attribute| attribute.value.as_deref())
        .collect()
}
