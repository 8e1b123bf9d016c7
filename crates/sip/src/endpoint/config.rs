//! What an endpoint is told once.

use std::time::Duration;

use super::session_timer::SessionTimerPolicy;
use ipnet::IpNet;

use crate::message::{Host, Method};
use crate::transaction::TimerValues;

/// A host and port as peers reach us: `sent-by` of Via and the host of Contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertised {
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
}

impl From<std::net::SocketAddr> for Advertised {
    fn from(address: std::net::SocketAddr) -> Self {
        Self {
            host: Host::Ip(address.ip()),
            port: address.port(),
        }
    }
}

/// How peers of some networks reach us, when not as all others do: one host has a public address and one of its own
/// network, say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Addresses of the peers.
    pub peers: Vec<IpNet>,
    /// The host that Via and Contact name to them; the ports are the same for all.
    pub host: Host,
}

/// How an endpoint behaves.
#[derive(Debug, Clone)]
pub struct EndpointConfig {
    /// Our address as peers reach it over UDP.
    pub udp: Advertised,
    /// The same over TCP; `None` uses `udp`'s.
    pub tcp: Option<Advertised>,
    /// The same over TLS; `None` uses `udp`'s.
    pub tls: Option<Advertised>,
    /// The same over WebSocket; `None` uses `udp`'s.
    pub ws: Option<Advertised>,
    /// The same over secure WebSocket; `None` uses `udp`'s.
    pub wss: Option<Advertised>,
    /// Peers that reach us at another host; the first that fits is taken.
    pub views: Vec<View>,
    /// User part of our Contact.
    pub contact_user: String,
    /// Value of User-Agent and Server; empty for none.
    pub product: String,
    /// What every Via branch (behind `z9hG4bK`), tag and Call-ID made here begins with: letters, digits, `-`, `.` or `_`.
    /// A front routes responses to the right worker by it.
    pub id_prefix: String,
    /// 32 random bytes from the operating system; tags and branches are derived from them (RFC 3261 §19.3).
    pub seed: [u8; 32],
    /// RFC 3261 §17's T1, T2, T4.
    pub timers: TimerValues,
    /// How long an INVITE may wait for the user's first answer before a 100 goes out (RFC 3261 §17.2.1 says 200 ms).
    pub trying_after: Duration,
    /// Option tags that an INVITE may `Require` and that we list as `Supported`.
    pub supported: Vec<String>,
    /// Methods that are served beyond [`ALLOW`](super::ALLOW). `UPDATE` and `REFER` come as events of their own;
    /// `MESSAGE`, `REGISTER`, `SUBSCRIBE`, `PUBLISH`, and `NOTIFY` outside transfers as `Event::Request`, which the user
    /// answers. With `OPTIONS` the user answers those too. (`PRACK` is served when `supported` has `100rel`.)
    pub methods: Vec<Method>,
    /// Session timers (RFC 4028); `None` ignores them. With a policy the option tag `timer` is supported.
    pub session_timer: Option<SessionTimerPolicy>,
    /// Whether the user looks names up: then a request inside a dialog whose Contact or Route names a host leaves as
    /// [`Destination::Unresolved`](super::Destination::Unresolved). Otherwise it goes where the dialog came from.
    pub resolves_names: bool,
    /// Whether a private address in a Contact or Route gives way to the public one that the dialog came from, and an address
    /// that the peer's own Via names to another one that it came from: a peer behind a NAT that does not know it.
    pub correct_contacts: bool,
    /// How often whoever offers keep-alives (`;keep`, RFC 6223) is asked to send them over UDP, in seconds; `None`: the offer is
    /// not taken up. Taken up is that of a REGISTER, or of an INVITE that begins a dialog.
    pub keep_datagrams: Option<u32>,
    /// The same over connections.
    pub keep_connections: Option<u32>,
    /// Whether our Via over TLS says `alias`: requests to us may come back by the connections that we open (RFC 5923 §5).
    pub alias: bool,
    /// Bounds of what strangers can fill.
    pub limits: Limits,
}

impl EndpointConfig {
    /// The defaults of RFC 3261 for an endpoint reached at `udp`.
    pub fn new(udp: impl Into<Advertised>, seed: [u8; 32]) -> Self {
        Self {
            udp: udp.into(),
            tcp: None,
            tls: None,
            ws: None,
            wss: None,
            views: Vec::new(),
            contact_user: "skillcall".to_owned(),
            product: concat!("skillcall/", env!("CARGO_PKG_VERSION")).to_owned(),
            id_prefix: String::new(),
            seed,
            timers: TimerValues::default(),
            trying_after: Duration::from_millis(200),
            supported: Vec::new(),
            methods: Vec::new(),
            session_timer: None,
            resolves_names: false,
            correct_contacts: false,
            keep_datagrams: None,
            keep_connections: None,
            alias: false,
            limits: Limits::default(),
        }
    }
}

/// Bounds on an endpoint's tables. What exceeds them is answered 503 with Retry-After, without any state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Calls at once.
    pub calls: usize,
    /// Server and client transactions at once, each kept up to 32 s after its end (timers J and L). An eighth of the
    /// server's is kept for requests inside calls.
    pub transactions: usize,
    /// Early dialogs of one forked call (RFC 3261 §13.2.2.4).
    pub early_dialogs: usize,
    /// Route headers of one dialog.
    pub routes: usize,
    /// Retry-After of the 503, in seconds.
    pub retry_after: u32,
}

impl Default for Limits {
    /// 100,000 calls, 1,000,000 transactions (about 32 s at 15,000 calls a second), 16 early dialogs, 32 routes, 5 s.
    fn default() -> Self {
        Self {
            calls: 100_000,
            transactions: 1_000_000,
            early_dialogs: 16,
            routes: 32,
            retry_after: 5,
        }
    }
}
