//! The peer's ICE candidates (RFC 8839 §5.1).

use std::net::{IpAddr, SocketAddr};

use is::{Candidate, CandidateKind, Protocol};

/// Reads the value of `a=candidate`. `None` for all that cannot be used here: TCP, RTCP's component, names (`.local`, RFC
/// 8828 §3.1 mode 3), addresses to which nobody can send, and what is no candidate.
pub(super) fn parse(value: &str) -> Option<Candidate> {
    let mut words = value.split_ascii_whitespace();
    let foundation = words.next().filter(|text| text.len() <= 32)?;
    let component = words.next()?.parse::<u16>().ok()?;
    let transport = words.next()?;
    let priority = words.next()?.parse::<u32>().ok()?;
    let address = words.next()?.parse::<IpAddr>().ok()?;
    let port = words.next()?.parse::<u16>().ok()?;
    if words.next()? != "typ" {
        return None;
    }
    let kind = match words.next()? {
        "host" => CandidateKind::Host,
        "srflx" => CandidateKind::ServerReflexive,
        "prflx" => CandidateKind::PeerReflexive,
        "relay" => CandidateKind::Relayed,
        _ => return None,
    };
    let reachable = !address.is_unspecified()
        && !address.is_multicast()
        && !matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    let usable = component == 1 && transport.eq_ignore_ascii_case("udp") && port != 0 && reachable;
    usable.then(|| {
        Candidate::from_parts(
            foundation.to_owned(),
            component,
            Protocol::Udp,
            priority,
            SocketAddr::new(address, port),
            kind,
            None,
            None,
            None,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_used_is_read() {
        let candidate = parse("1 1 UDP 2013266431 192.0.2.10 40000 typ host").unwrap();
        assert_eq!(candidate.addr(), "192.0.2.10:40000".parse().unwrap());
        assert_eq!(candidate.prio(), 2_013_266_431);
        let full = "842163049 1 udp 1677729535 203.0.113.9 61666 typ srflx raddr 0.0.0.0 rport 0 generation 0 ufrag x network-cost 999";
        assert_eq!(
            parse(full).map(|candidate| candidate.kind()),
            Some(CandidateKind::ServerReflexive)
        );
    }

    #[test]
    fn the_rest_is_left_out() {
        for value in [
            "1 2 UDP 2013266430 192.0.2.10 40001 typ host",
            "2 1 TCP 1015021823 192.0.2.10 9 typ host tcptype active",
            "3 1 TCP 1010827519 192.0.2.10 40002 typ host tcptype passive",
            "1 1 udp 2122260223 3f1bd1a7-8b5e-4e0b-9d2b-0a1f9b6e7c11.local 54321 typ host",
            "1 1 udp 2122260223 0.0.0.0 54321 typ host",
            "1 1 udp 2122260223 224.0.0.1 54321 typ host",
            "1 1 udp 2122260223 192.0.2.1 0 typ host",
            "1 1 udp 2122260223 192.0.2.1 99999 typ host",
            "1 1 udp 2122260223 192.0.2.1 5000 typ token",
            "1 1 udp",
            "",
        ] {
            assert!(parse(value).is_none(), "{value}");
        }
    }
}
