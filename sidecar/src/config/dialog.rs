//! `[dialog]`: how calls are kept up with peers: reliable ringing, session timers.

use serde::{Deserialize, Serialize};
use skillcall_sip::endpoint::{EndpointConfig, RefreshedBy, SessionTimerPolicy};
use skillcall_sip::message::Method;

use super::srtp::SrtpMode;

/// The shortest session that RFC 4028 §4 allows, in seconds.
pub(crate) const SHORTEST_SESSION: u32 = 90;

/// How calls are kept up with their peers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct DialogConfig {
    /// When ringing and early media are acknowledged by PRACK (RFC 3262); default `supported`.
    pub reliable_provisional: ReliableProvisional,
    /// Seconds after which a call is refreshed, and ended when its peer is gone (RFC 4028): 90 to 86400, or 0 for no
    /// session timers; default 1800.
    pub session_seconds: u32,
    /// The shortest session that a peer may ask for, in seconds: what is shorter gets 422; default 90.
    pub least_session_seconds: u32,
    /// Who refreshes a session where we may choose; default `auto`: the caller's side.
    pub refresher: SessionRefresher,
    /// How often a call may be sent elsewhere by 3xx, to targets that the routes allow: 0 to 10; default 3.
    pub redirects: u8,
    /// Whether peers may transfer calls by REFER, to targets that the routes allow; default true.
    pub transfers: bool,
    /// Whether media of peers that are no trunks are encrypted (SDES, RFC 4568); default `off`.
    pub srtp: SrtpMode,
}

impl Default for DialogConfig {
    fn default() -> Self {
        Self {
            reliable_provisional: ReliableProvisional::default(),
            session_seconds: 1800,
            least_session_seconds: SHORTEST_SESSION,
            refresher: SessionRefresher::default(),
            redirects: 3,
            transfers: true,
            srtp: SrtpMode::Off,
        }
    }
}

/// When provisional responses are reliable (RFC 3262).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ReliableProvisional {
    /// Early media where the caller supports PRACK, and all where it requires it.
    #[default]
    Supported,
    /// Only where the caller requires it.
    Required,
    /// Never: who requires it gets 420.
    Off,
}

/// Who refreshes a session where we may choose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SessionRefresher {
    /// The caller's side, as RFC 4028 §9 advises.
    #[default]
    Auto,
    /// The sidecar.
    Us,
    /// The peer.
    Peer,
}

impl DialogConfig {
    /// Switches on in an endpoint what is wanted.
    pub(crate) fn apply(&self, endpoint: &mut EndpointConfig) {
        if self.reliable_provisional != ReliableProvisional::Off {
            endpoint.supported.push("100rel".to_owned());
        }
        endpoint.methods.extend([Method::Update, Method::Message]);
        if self.transfers {
            endpoint.methods.push(Method::Refer);
            endpoint.supported.push("norefersub".to_owned());
        }
        let known = ["replaces", "uui"].map(str::to_owned);
        endpoint.supported.extend(known);
        endpoint.session_timer = (self.session_seconds > 0).then_some(SessionTimerPolicy {
            expires: self.session_seconds,
            min_se: self.least_session_seconds,
            refresher: match self.refresher {
                SessionRefresher::Auto => None,
                SessionRefresher::Us => Some(RefreshedBy::Us),
                SessionRefresher::Peer => Some(RefreshedBy::Peer),
            },
        });
    }
}
