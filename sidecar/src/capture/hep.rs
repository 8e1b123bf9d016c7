//! HEP version 3, the protocol of Homer's collectors ("HEP3 Network Protocol Specification", revision 32): a packet of
//! chunks, each with vendor, type, length and value in network order.

use std::net::IpAddr;
use std::time::SystemTime;

use super::Captured;

/// Chunks of the generic vendor 0.
mod chunk {
    pub(super) const FAMILY: u16 = 1;
    pub(super) const PROTOCOL: u16 = 2;
    pub(super) const SOURCE_V4: u16 = 3;
    pub(super) const DESTINATION_V4: u16 = 4;
    pub(super) const SOURCE_V6: u16 = 5;
    pub(super) const DESTINATION_V6: u16 = 6;
    pub(super) const SOURCE_PORT: u16 = 7;
    pub(super) const DESTINATION_PORT: u16 = 8;
    pub(super) const SECONDS: u16 = 9;
    pub(super) const MICROSECONDS: u16 = 10;
    pub(super) const PAYLOAD_TYPE: u16 = 11;
    pub(super) const AGENT: u16 = 12;
    pub(super) const PAYLOAD: u16 = 15;
    pub(super) const CORRELATION: u16 = 17;
}

/// The payload type of SIP.
const SIP: u8 = 1;
/// Length of the packet's head: the mark and its length.
const HEAD: usize = 6;
/// Of a chunk's head.
const CHUNK_HEAD: usize = 6;

fn put(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let len = u16::try_from(CHUNK_HEAD + value.len()).unwrap_or(u16::MAX);
    out.extend(0_u16.to_be_bytes());
    out.extend(kind.to_be_bytes());
    out.extend(len.to_be_bytes());
    out.extend(value);
}

/// Writes a SIP message; nothing when it is too long for a packet.
pub(super) fn encode(packet: &Captured, agent: u32, correlation: Option<&str>, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend(b"HEP3\0\0");
    let (from, to) = (
        packet.from.ip().to_canonical(),
        packet.to.ip().to_canonical(),
    );
    let v4 = from.is_ipv4() && to.is_ipv4();
    // The address families of BSD and Linux: 2 and 10.
    put(out, chunk::FAMILY, &[if v4 { 2 } else { 10 }]);
    put(
        out,
        chunk::PROTOCOL,
        &[if packet.by_stream { 6 } else { 17 }],
    );
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            put(out, chunk::SOURCE_V4, &from.octets());
            put(out, chunk::DESTINATION_V4, &to.octets());
        }
        (from, to) => {
            put(out, chunk::SOURCE_V6, &six(from));
            put(out, chunk::DESTINATION_V6, &six(to));
        }
    }
    put(out, chunk::SOURCE_PORT, &packet.from.port().to_be_bytes());
    put(
        out,
        chunk::DESTINATION_PORT,
        &packet.to.port().to_be_bytes(),
    );
    let since = packet
        .at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let seconds = u32::try_from(since.as_secs()).unwrap_or(u32::MAX);
    put(out, chunk::SECONDS, &seconds.to_be_bytes());
    put(
        out,
        chunk::MICROSECONDS,
        &since.subsec_micros().to_be_bytes(),
    );
    put(out, chunk::PAYLOAD_TYPE, &[SIP]);
    put(out, chunk::AGENT, &agent.to_be_bytes());
    if let Some(correlation) = correlation {
        put(out, chunk::CORRELATION, correlation.as_bytes());
    }
    put(out, chunk::PAYLOAD, &packet.bytes);
    match u16::try_from(out.len() - start) {
        Ok(len) => {
            if let Some(place) = out.get_mut(start + 4..start + HEAD) {
                place.copy_from_slice(&len.to_be_bytes());
            }
        }
        Err(_) => out.truncate(start),
    }
}

fn six(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;

    fn packet(from: &str, to: &str, bytes: Vec<u8>) -> Captured {
        Captured {
            at: SystemTime::UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_042),
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            by_stream: false,
            bytes: bytes.into(),
        }
    }

    #[test]
    fn chunks_are_as_the_specification_says() {
        let message = b"OPTIONS sip:a SIP/2.0\r\n\r\n".to_vec();
        let mut out = Vec::new();
        let sent = packet("192.0.2.1:5060", "198.51.100.2:5070", message.clone());
        encode(&sent, 2001, Some("call-1"), &mut out);
        assert_eq!(&out[..4], b"HEP3");
        assert_eq!(u16::from_be_bytes([out[4], out[5]]) as usize, out.len());
        let mut chunks = BTreeMap::new();
        let mut rest = &out[6..];
        while !rest.is_empty() {
            let len = usize::from(u16::from_be_bytes([rest[4], rest[5]]));
            chunks.insert(
                u16::from_be_bytes([rest[2], rest[3]]),
                rest[6..len].to_vec(),
            );
            rest = &rest[len..];
        }
        assert_eq!(chunks[&1], [2]);
        assert_eq!(chunks[&2], [17]);
        assert_eq!(chunks[&3], [192, 0, 2, 1]);
        assert_eq!(chunks[&4], [198, 51, 100, 2]);
        assert_eq!(chunks[&7], 5060_u16.to_be_bytes());
        assert_eq!(chunks[&8], 5070_u16.to_be_bytes());
        assert_eq!(chunks[&9], 1_700_000_000_u32.to_be_bytes());
        assert_eq!(chunks[&10], 42_u32.to_be_bytes());
        assert_eq!(chunks[&11], [1]);
        assert_eq!(chunks[&12], 2001_u32.to_be_bytes());
        assert_eq!(chunks[&15], message);
        assert_eq!(chunks[&17], b"call-1");
        out.clear();
        encode(
            &packet("[2001:db8::1]:5060", "[2001:db8::2]:5060", message),
            1,
            None,
            &mut out,
        );
        assert!(out.windows(6).any(|w| w == [0, 5, 0, 22, 0x20, 0x01]));
        out.clear();
        encode(
            &packet("192.0.2.1:1", "192.0.2.1:1", vec![0; 70_000]),
            1,
            None,
            &mut out,
        );
        assert!(out.is_empty());
    }
}
