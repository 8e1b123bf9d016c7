//! Keep-alives of phones on UDP: STUN binding requests on the SIP port (RFC 5626 §3.5.2, RFC 8489).

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

const REQUEST: [u8; 2] = [0, 1];
const SUCCESS: [u8; 2] = [1, 1];
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const XOR_MAPPED_ADDRESS: [u8; 2] = [0, 0x20];
const HEADER: usize = 20;

/// Whether a datagram is a message of STUN: no SIP message begins so.
pub(super) fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER
        && datagram.first().is_some_and(|byte| byte & 0xc0 == 0)
        && datagram.get(4..8) == Some(&COOKIE[..])
}

/// A binding request that keeps a flow alive (RFC 5626 §4.4.2).
pub(crate) fn binding_request(id: [u8; 12]) -> Bytes {
    let mut out = Vec::with_capacity(HEADER);
    out.extend(REQUEST);
    out.extend([0, 0]);
    out.extend(COOKIE);
    out.extend(id);
    out.into()
}

/// The answer to a binding request: which address it came from. None to anything else.
pub(super) fn answer(datagram: &[u8], from: SocketAddr) -> Option<Bytes> {
    if datagram.get(..2) != Some(&REQUEST[..]) {
        return None;
    }
    let id = datagram.get(8..HEADER)?;
    let mask: Vec<u8> = COOKIE.iter().chain(id).copied().collect();
    let (family, octets) = match from.ip().to_canonical() {
        IpAddr::V4(ip) => (1, ip.octets().to_vec()),
        IpAddr::V6(ip) => (2, ip.octets().to_vec()),
    };
    let masked = |bytes: &[u8]| -> Vec<u8> {
        let pairs = bytes.iter().zip(&mask);
        pairs.map(|(byte, mask)| byte ^ mask).collect()
    };
    let mut value = vec![0, family];
    value.extend(masked(&from.port().to_be_bytes()));
    value.extend(masked(&octets));
    let length = u16::try_from(value.len()).ok()?;
    let mut out = Vec::with_capacity(HEADER + 4 + value.len());
    out.extend(SUCCESS);
    out.extend((length + 4).to_be_bytes());
    out.extend(COOKIE);
    out.extend(id);
    out.extend(XOR_MAPPED_ADDRESS);
    out.extend(length.to_be_bytes());
    out.extend(value);
    Some(out.into())
}

/// The transaction that a binding response answers, and where the peer sees us (RFC 8489 §14.2). None of anything else.
pub(super) fn answered(datagram: &[u8]) -> Option<([u8; 12], SocketAddr)> {
    if datagram.get(..2) != Some(&SUCCESS[..]) {
        return None;
    }
    let id = datagram.get(8..HEADER)?.try_into().ok()?;
    let mask: Vec<u8> = COOKIE.iter().chain(&id).copied().collect();
    let mut rest = datagram.get(HEADER..)?;
    while let Some((head, after)) = rest.split_at_checked(4) {
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let value = after.get(..length)?;
        if head[..2] == XOR_MAPPED_ADDRESS {
            let octets = value.get(4..)?.iter().zip(&mask);
            let octets: Vec<u8> = octets.map(|(byte, mask)| byte ^ mask).collect();
            let ip = match value.get(1)? {
                1 => IpAddr::from(<[u8; 4]>::try_from(octets).ok()?),
                2 => IpAddr::from(<[u8; 16]>::try_from(octets).ok()?),
                _ => return None,
            };
            let port = value.get(2..4)?.iter().zip(&mask);
            let port: Vec<u8> = port.map(|(byte, mask)| byte ^ mask).collect();
            let port = u16::from_be_bytes(port.try_into().ok()?);
            return Some((id, SocketAddr::new(ip, port)));
        }
        // Values are padded to four bytes (RFC 8489 §14).
        rest = after.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The response of RFC 5769 §2.2, without what a keep-alive has not: SOFTWARE, integrity and fingerprint.
    #[test]
    fn a_binding_request_is_answered_with_its_source() {
        let id = [
            0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae,
        ];
        let mut request = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        request.extend(id);
        assert_eq!(binding_request(id), request);
        assert!(is_stun(&request));
        let answer = answer(&request, "192.0.2.1:32853".parse().unwrap()).unwrap();
        assert_eq!(&answer[..4], [1, 1, 0, 12]);
        assert_eq!(&answer[8..20], id);
        assert_eq!(
            &answer[20..],
            [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]
        );
        let seen_at = "192.0.2.1:32853".parse().unwrap();
        assert_eq!(answered(&answer), Some((id, seen_at)));
        // Behind another attribute, which is padded.
        let mut longer = answer.to_vec();
        longer.splice(20..20, [0x80, 0x22, 0, 3, b'p', b'b', b'x', 0]);
        assert_eq!(answered(&longer), Some((id, seen_at)));
        for end in 0..answer.len() {
            assert_eq!(answered(&answer[..end]), None);
        }
        assert_eq!(answered(&request), None);
        request[1] = 0x11;
        assert_eq!(
            super::answer(&request, "192.0.2.1:1".parse().unwrap()),
            None
        );
        assert!(!is_stun(b"OPTIONS sip:a@b SIP/2.0\r\n"));
        assert!(!is_stun(b"\r\n\r\n"));
    }
}
