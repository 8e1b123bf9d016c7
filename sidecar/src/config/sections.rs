//! `[sip]`, `[rtp]`, `[control]`, `[speech]` and `[trace]`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::addresses::{ListenAddress, PortRange, PublicAddress, SipTransport, SourceNet};

/// SIP listeners and admission.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SipConfig {
    /// Listeners, at most one of each transport (`udp`, `tcp`, `tls`, `ws`, `wss`); default UDP and TCP on 127.0.0.1:5060.
    pub listen: Vec<ListenAddress>,
    /// The address that Via, Contact and SDP name: `203.0.113.9`, or `stun:HOST:PORT` for the one at which that STUN
    /// server sees us (RFC 8489); default: the listener's own.
    pub public_address: Option<PublicAddress>,
    /// Seconds after which STUN servers of `public-address` are asked again, 1 to 86400; default 60. Another address holds
    /// for calls and registrations that begin from then on; without an answer the last one holds.
    pub stun_seconds: u32,
    /// Networks whose peers reach us at another address than all others; the first that has a peer is taken.
    pub network: Vec<SipNetwork>,
    /// Seconds of silence after which a connection that we have made is pinged: CRLF CRLF (RFC 5626 §3.5.1), or
    /// WebSocket's own ping; 0: never; default 95. Unless it is 0, our REGISTERs, and INVITEs through an address
    /// translation, offer keep-alives (RFC 6223), which are sent as often as the answer asks for.
    pub keep_alive_seconds: u16,
    /// How often peers that offer keep-alives over UDP (RFC 6223) are asked to send them, in seconds; 0: their offer is not
    /// taken up; default 28. Over connections it is 120.
    pub peer_keep_alive_seconds: u16,
    /// Whether a private address in a peer's Contact or Record-Route gives way to the public address that it sent from, and
    /// one that its own Via names to any other;
    /// default true. False: requests go where the peer says, as RFC 3261 has it.
    pub correct_contacts: bool,
    /// Networks that may send SIP; default: loopback only.
    pub sources: Option<Vec<SourceNet>>,
    /// What a stranger gets: 403 without any state (`refuse`), or nothing (`drop`).
    pub unlisted_source: UnlistedSource,
    /// LWA client ids of the skills that may call: an INVITE with another
    /// `X-Alexa-LWA-ClientId` gets 403 (facts E1).
    pub skills: Vec<String>,
    /// Whether an INVITE without `X-Alexa-LWA-ClientId` gets 403 too; default false.
    pub require_skill: bool,
    /// What User-Agent and Server say of the software; empty: neither is sent; default `skillcall/VERSION`.
    pub product: Option<String>,
}

/// Peers that reach us at an address of their own: those of the local network, where `public-address` is the router's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SipNetwork {
    /// Networks of the peers.
    pub peers: Vec<SourceNet>,
    /// The address that Via, Contact and SDP name to them, as `sip.public-address` says it.
    pub public_address: PublicAddress,
}

impl SipNetwork {
    /// Whether a peer is one of them.
    pub fn has(&self, peer: IpAddr) -> bool {
        self.peers.iter().any(|network| network.contains(peer))
    }
}

impl Default for SipConfig {
    fn default() -> Self {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5060);
        Self {
            listen: vec![
                ListenAddress {
                    transport: SipTransport::Udp,
                    address,
                },
                ListenAddress {
                    transport: SipTransport::Tcp,
                    address,
                },
            ],
            public_address: None,
            stun_seconds: 60,
            network: Vec::new(),
            keep_alive_seconds: 95,
            peer_keep_alive_seconds: 28,
            correct_contacts: true,
            sources: None,
            unlisted_source: UnlistedSource::Refuse,
            skills: Vec::new(),
            require_skill: false,
            product: None,
        }
    }
}

impl SipConfig {
    /// Whether SIP from this address is taken.
    pub fn allows(&self, address: IpAddr) -> bool {
        match &self.sources {
            Some(sources) => sources.iter().any(|net| net.contains(address)),
            None => address.to_canonical().is_loopback(),
        }
    }

    /// The first listener of a transport.
    pub fn listener(&self, transport: SipTransport) -> Option<SocketAddr> {
        self.listen
            .iter()
            .find(|l| l.transport == transport)
            .map(|l| l.address)
    }
}

/// What is done with messages from addresses that are not in `sources`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum UnlistedSource {
    /// 403 Forbidden, without any state.
    #[default]
    Refuse,
    /// No answer at all.
    Drop,
}

/// RTP.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RtpConfig {
    /// The address RTP sockets bind; default 127.0.0.1.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub address: IpAddr,
    /// Ports; default 40000-40999 (500 legs).
    pub ports: PortRange,
    /// Seconds before a port is used again; default 4.
    pub drain_seconds: u16,
}

impl Default for RtpConfig {
    fn default() -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            ports: PortRange::new(40000, 40999).unwrap_or_else(|error| unreachable!("{error}")),
            drain_seconds: 4,
        }
    }
}

/// The control API.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ControlConfig {
    /// Address and port; default 127.0.0.1:7080.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub listen: SocketAddr,
    /// File with the bearer token (mode 0600); or env `SKILLCALL_SIDECAR_CONTROL_TOKEN`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub token_file: Option<PathBuf>,
    /// File with access keys (mode 0600), `ID:SECRET` each, for the AWS SDKs, which sign their requests with them
    /// (Signature Version 4); or env `SKILLCALL_SIDECAR_ACCESS_KEYS`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub access_keys_file: Option<PathBuf>,
    /// Folder of what the API has made and a restart must not lose: SIP media applications and SIP rules; made when it is
    /// needed; default `state`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub state_folder: PathBuf,
    /// Host names, beside the listener's address and `localhost`, that requests may name in
    /// `Host`; needed behind a reverse proxy.
    pub hosts: Vec<String>,
}

impl Default for ControlConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7080),
            token_file: None,
            access_keys_file: None,
            state_folder: PathBuf::from("state"),
            hosts: Vec::new(),
        }
    }
}

/// Text to speech.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SpeechConfig {
    /// Which engine; default `espeak-ng`.
    pub engine: SpeechEngineName,
    /// The program of a process engine; default `espeak-ng` in PATH.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub command: PathBuf,
    /// Seconds one text may take, 1..60; default 10.
    pub timeout_seconds: u16,
    /// Texts that may wait; one more is refused (ActionExecutionThrottled, facts F7); default 64.
    pub queue: u16,
    /// Texts rendered at the same time; default 2.
    pub parallel: u16,
    /// Bound of the rendered prompts kept in memory, in bytes; default 64 MiB.
    pub cache_bytes: u64,
    /// Polly voice → the engine's voice (`Joanna = "en-us+f3"`), over the built-in table.
    pub voices: BTreeMap<String, String>,
}

impl Default for SpeechConfig {
    fn default() -> Self {
        Self {
            engine: SpeechEngineName::EspeakNg,
            command: PathBuf::from("espeak-ng"),
            timeout_seconds: 10,
            queue: 64,
            parallel: 2,
            cache_bytes: 64 << 20,
            voices: BTreeMap::new(),
        }
    }
}

/// The engines that turn text into speech.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SpeechEngineName {
    /// The program `espeak-ng`, run once for each new text.
    #[default]
    EspeakNg,
    /// None: Speak and SpeakAndGetDigits fail with SystemException.
    None,
}

/// Call detail records (facts F11).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RecordsConfig {
    /// Folder below which they are written, as JSON lines in `Amazon-Chime-SMADRs`; default: none are written.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub folder: Option<PathBuf>,
    /// Bound of a file, in bytes, after which the next one is begun; default 16 MiB.
    pub max_file_bytes: u64,
    /// Days a file is kept; default 90.
    pub max_age_days: u16,
}

impl Default for RecordsConfig {
    fn default() -> Self {
        Self {
            folder: None,
            max_file_bytes: 16 << 20,
            max_age_days: 90,
        }
    }
}

/// The trace.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TraceConfig {
    /// Folder of the JSON-lines files; default `traces`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub folder: PathBuf,
    /// Bound of all files together, in bytes; default 256 MiB.
    pub max_bytes: u64,
    /// Days a file is kept; default 14.
    pub max_age_days: u16,
    /// New calls a second that are traced; the others run untraced, and are counted; default 100.
    pub calls_per_second: u32,
    /// Whether the trace says which digits are pressed, and not only that; default false, because
    /// they may be a PIN.
    pub digits: bool,
}

impl Default for TraceConfig {
    fn default() -> Self {
        Self {
            folder: PathBuf::from("traces"),
            max_bytes: 256 << 20,
            max_age_days: 14,
            calls_per_second: 100,
            digits: false,
        }
    }
}
