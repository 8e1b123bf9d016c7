//! Requests too large for a datagram (RFC 3261 §18.1.1).

use std::net::SocketAddr;
use std::time::Instant;

use skillcall_sip::endpoint::{
    Advertised, Endpoint, EndpointConfig, OutgoingInvite, Party, Transport,
};
use skillcall_sip::message::{ExtraHeader, Uri};

#[test]
fn a_large_request_goes_by_tcp_unless_the_peer_has_udp_alone() {
    let here: SocketAddr = "127.0.0.1:5060".parse().unwrap();
    let desk: SocketAddr = "127.0.0.1:5070".parse().unwrap();
    for (bytes, tcp, udp_only, transport) in [
        (10, true, false, Transport::Udp),
        (1400, true, false, Transport::Tcp),
        (1400, true, true, Transport::Udp),
        (1400, false, false, Transport::Udp),
    ] {
        let mut config = EndpointConfig::new(here, [7; 32]);
        config.tcp = tcp.then(|| Advertised::from(here));
        let mut endpoint = Endpoint::new(config);
        let party = Party::new(Uri::parse("sip:me@127.0.0.1").unwrap());
        let target = Uri::parse("sip:desk@127.0.0.1:5070").unwrap();
        let mut invite = OutgoingInvite::new(target, desk, party, None);
        invite.udp_only = udp_only;
        let long = "x".repeat(bytes);
        invite
            .headers
            .push(ExtraHeader::new("X-Long", &long).unwrap());
        endpoint.invite(Instant::now(), invite).unwrap();
        let sent = endpoint.poll_transmit().unwrap();
        assert_eq!(sent.transport, transport, "{bytes} {tcp} {udp_only}");
        let text = String::from_utf8(sent.bytes.to_vec()).unwrap();
        let via = format!("Via: SIP/2.0/{transport} ");
        assert!(text.contains(&via), "{text}");
        assert_eq!(text.matches("Via:").count(), 1);
    }
}
