//! Where the next request of a dialog goes (RFC 3261 §8.1.2, §12.2.1.1).

use crate::endpoint::{ConnectionId, Destination, Flow, Transport};
use crate::message::{NameAddr, Scheme, UriRef};

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

/// The address, transport and connection for a request whose next hop is `uri`, in a dialog that began on `flow`.
///
/// A host that is no IP literal is taken to be where the dialog came from. A connection of the dialog's own is used
/// again when it leads to the same host: a peer behind a NAT can be reached by it alone.
pub(crate) fn next_hop(uri: &[u8], flow: &Flow) -> (Transport, Destination, Option<ConnectionId>) {
    let wanted = transport(uri, flow.transport);
    let address = UriRef::parse(uri).ok().and_then(|uri| uri.socket_addr());
    match address {
        Some(address) => {
            let same = wanted == flow.transport && address.ip() == flow.remote.ip();
            (
                wanted,
                Destination::Addr(address),
                flow.connection.filter(|_| same),
            )
        }
        None => (
            flow.transport,
            Destination::Addr(flow.remote),
            flow.connection,
        ),
    }
}
