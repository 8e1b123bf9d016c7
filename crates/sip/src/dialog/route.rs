//! Where the next request of a dialog goes (RFC 3261 §8.1.2, §12.2.1.1).

use std::net::IpAddr;

use crate::endpoint::{ConnectionId, Destination, Flow, Transport};
#[cfg(test)]
use crate::message::{Framing, Host, Message, parse};
use crate::message::{HeaderName, Headers, NameAddr, Scheme, UriRef, Via};

/// The URI of a Route value.
pub(super) fn uri_of(route: &[u8]) -> &[u8] {
    NameAddr::parse(route).map_or(route, |address| address.raw_uri())
}

/// Whether the router leaves the Request-URI alone (RFC 3261 §16.12).
pub(super) fn is_loose(route: &[u8]) -> bool {
    UriRef::parse(uri_of(route)).is_ok_and(|uri| uri.param("lr").is_some())
}

/// The transport that `uri` asks for; without a word from it, `default`, by which the peer has reached us.
fn transport(uri: &[u8], default: Transport) -> Transport {
    let Ok(uri) = UriRef::parse(uri) else {
        return default;
    };
    let named = uri
        .param("transport")
        .and_then(|name| Transport::named(&name));
    match (uri.scheme(), named) {
        // `transport=ws` stands for both kinds (RFC 7118 §5.3): the dialog's own connection knows which.
        (_, Some(Transport::Ws)) if default == Transport::Wss => Transport::Wss,
        (Scheme::Sips, Some(Transport::Ws | Transport::Wss)) => Transport::Wss,
        (Scheme::Sips, _) => Transport::Tls,
        (_, Some(named)) => named,
        (_, None) => default,
    }
}

/// Whether an address means something to its own network alone (RFC 1918, RFC 3927, RFC 4193, RFC 6598, loopback).
fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || (first == 100 && (64..128).contains(&second))
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// The address that the peer takes for its own, where its request came from another one: its Via, which it wrote itself because
/// there is no other, names an address that the request did not come from (RFC 3261 §18.2.1).
pub(super) fn translated(headers: Headers<'_>, flow: &Flow) -> Option<IpAddr> {
    let mut elements = headers.all(HeaderName::Via).flat_map(Via::list);
    let written = elements.next()?.ok()?;
    if elements.next().is_some() {
        return None;
    }
    let address = written.host.ip()?.to_canonical();
    (address != flow.remote.ip().to_canonical()).then_some(address)
}

/// The address, transport and connection for a request whose next hop is `uri`, in a dialog that began on `flow`.
///
/// A connection of the dialog's own is used again when it leads to the same host, or when the host is a name: a peer
/// behind a NAT can be reached by it alone. Over UDP, a name is left to the caller if it `resolves`, else it is taken to be
/// where the dialog came from. With `correct`, a private address that came from a public one is taken to be behind a NAT, as is
/// `behind`, an address that the peer takes for its own: the request goes back the way the dialog came.
pub(crate) fn next_hop(
    uri: &[u8],
    flow: &Flow,
    resolves: bool,
    correct: bool,
    behind: Option<IpAddr>,
) -> (Transport, Destination, Option<ConnectionId>) {
    let wanted = transport(uri, flow.transport);
    let back = (
        flow.transport,
        Destination::Addr(flow.remote),
        flow.connection,
    );
    let Ok(uri) = UriRef::parse(uri) else {
        return back;
    };
    match (uri.socket_addr(), uri.host()) {
        (Some(address), _) => {
            let out_of_sight = is_private(address.ip()) && !is_private(flow.remote.ip());
            if correct && (out_of_sight || behind == Some(address.ip())) {
                return back;
            }
            let same = wanted == flow.transport && address.ip() == flow.remote.ip();
            (
                wanted,
                Destination::Addr(address),
                flow.connection.filter(|_| same),
            )
        }
        (None, Some(host)) if resolves && flow.connection.is_none() => (
            wanted,
            Destination::Unresolved {
                host: host.to_owned(),
                port: uri.port(),
                fallback: flow.remote,
            },
            None,
        ),
        (None, _) => back,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_a_peer_takes_for_its_own_is_behind_a_nat() {
        let here = "10.1.0.1:5060".parse().unwrap();
        let flow = Flow::udp(here, "10.2.0.1:40000".parse().unwrap());
        let behind = |vias: &str| {
            let text = format!(
                "OPTIONS sip:a@b SIP/2.0\r\n{vias}From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n"
            );
            match parse(text.into(), Framing::Datagram).unwrap() {
                Message::Request(request) => translated(request.headers(), &flow),
                Message::Response(_) => None,
            }
        };
        let via = |host: &str| format!("Via: SIP/2.0/UDP {host};branch=z9hG4bK1\r\n");
        let inside = Some("192.168.1.5".parse().unwrap());
        assert_eq!(behind(&via("192.168.1.5:5070")), inside);
        assert_eq!(behind(&via("10.2.0.1")), None, "it is where it says");
        assert_eq!(behind(&via("phone.example")), None, "a name says nothing");
        let two = via("10.2.0.9") + &via("192.168.1.5");
        assert_eq!(behind(&two), None, "a proxy wrote the first");
        let uri = b"sip:a@192.168.1.5:5070";
        let back = Destination::Addr(flow.remote);
        assert_eq!(next_hop(uri, &flow, false, true, inside).1, back);
        let there = Destination::Addr("192.168.1.5:5070".parse().unwrap());
        assert_eq!(next_hop(uri, &flow, false, true, None).1, there);
        assert_eq!(next_hop(uri, &flow, false, false, inside).1, there);
    }

    #[test]
    fn the_next_hop_of_a_dialog() {
        let here = "198.51.100.1:5060".parse().unwrap();
        let public = Flow::udp(here, "203.0.113.9:40000".parse().unwrap());
        let inside = Flow::udp(here, "10.0.0.1:5060".parse().unwrap());
        let connected = Flow::tcp(here, "203.0.113.9:40000".parse().unwrap(), ConnectionId(7));
        let name = |wanted: &str, flow: &Flow| Destination::Unresolved {
            host: Host::Name(wanted.into()),
            port: None,
            fallback: flow.remote,
        };
        let at = |address: &str| Destination::Addr(address.parse().unwrap());
        for (uri, flow, resolves, correct, destination) in [
            (
                "sip:a@192.168.1.5",
                &public,
                false,
                true,
                at("203.0.113.9:40000"),
            ),
            (
                "sip:a@[fd00::5]",
                &public,
                false,
                true,
                at("203.0.113.9:40000"),
            ),
            (
                "sip:a@100.64.0.5",
                &public,
                false,
                true,
                at("203.0.113.9:40000"),
            ),
            (
                "sip:a@192.168.1.5",
                &public,
                false,
                false,
                at("192.168.1.5:5060"),
            ),
            (
                "sip:a@203.0.113.10",
                &public,
                false,
                true,
                at("203.0.113.10:5060"),
            ),
            ("sip:a@10.0.0.2", &inside, false, true, at("10.0.0.2:5060")),
            (
                "sip:a@pbx.example",
                &inside,
                false,
                true,
                at("10.0.0.1:5060"),
            ),
            (
                "sip:a@pbx.example",
                &inside,
                true,
                true,
                name("pbx.example", &inside),
            ),
            (
                "sip:a@pbx.invalid",
                &connected,
                true,
                true,
                at("203.0.113.9:40000"),
            ),
        ] {
            let (_, found, connection) = next_hop(uri.as_bytes(), flow, resolves, correct, None);
            assert_eq!(found, destination, "{uri}");
            let back = found == Destination::Addr(flow.remote);
            assert_eq!(connection, flow.connection.filter(|_| back), "{uri}");
        }
    }
}
