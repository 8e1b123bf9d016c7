//! A pcap file (draft-ietf-opsawg-pcap): its head, and packets of IP and UDP made around what was captured. Messages of
//! a stream stand in it as datagrams, whole.

use std::net::IpAddr;
use std::time::SystemTime;

use super::Captured;

/// Packets begin with their IP header (LINKTYPE_RAW).
const LINK_RAW: u32 = 101;
/// Longest packet.
const SNAP: u32 = 65_535;
const UDP: u8 = 17;
/// Length of UDP's header (RFC 768).
const UDP_HEAD: usize = 8;

/// The file's head.
pub(super) fn head() -> Vec<u8> {
    let mut out = Vec::with_capacity(24);
    out.extend(0xa1b2_c3d4_u32.to_le_bytes());
    out.extend(2_u16.to_le_bytes());
    out.extend(4_u16.to_le_bytes());
    out.extend([0; 8]);
    out.extend(SNAP.to_le_bytes());
    out.extend(LINK_RAW.to_le_bytes());
    out
}

/// A packet; nothing for one that no datagram holds.
pub(super) fn packet(captured: &Captured) -> Vec<u8> {
    let (from, to) = (
        captured.from.ip().to_canonical(),
        captured.to.ip().to_canonical(),
    );
    let udp_len = UDP_HEAD + captured.bytes.len();
    let (Ok(udp_len_field), true) = (u16::try_from(udp_len), udp_len + 40 <= SNAP as usize) else {
        return Vec::new();
    };
    let mut ip = Vec::with_capacity(udp_len + 40);
    let mut pseudo = Vec::new();
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let total = u16::try_from(20 + udp_len).unwrap_or(u16::MAX);
            ip.extend([0x45, 0]);
            ip.extend(total.to_be_bytes());
            ip.extend([0, 0, 0x40, 0, 64, UDP, 0, 0]);
            ip.extend(from.octets());
            ip.extend(to.octets());
            let sum = checksum(&ip).to_be_bytes();
            if let Some(place) = ip.get_mut(10..12) {
                place.copy_from_slice(&sum);
            }
            pseudo.extend(from.octets());
            pseudo.extend(to.octets());
            pseudo.extend([0, UDP]);
        }
        (from, to) => {
            let six = |address: IpAddr| match address {
                IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                IpAddr::V6(address) => address.octets(),
            };
            ip.extend([0x60, 0, 0, 0]);
            ip.extend(udp_len_field.to_be_bytes());
            ip.extend([UDP, 64]);
            ip.extend(six(from));
            ip.extend(six(to));
            pseudo.extend(six(from));
            pseudo.extend(six(to));
            pseudo.extend([0, UDP]);
        }
    }
    let mut udp = Vec::with_capacity(udp_len);
    udp.extend(captured.from.port().to_be_bytes());
    udp.extend(captured.to.port().to_be_bytes());
    udp.extend(udp_len_field.to_be_bytes());
    udp.extend([0, 0]);
    udp.extend(&captured.bytes);
    pseudo.extend(udp_len_field.to_be_bytes());
    pseudo.extend(&udp);
    // 0 means that there is none (RFC 768).
    let sum = match checksum(&pseudo) {
        0 => u16::MAX,
        sum => sum,
    };
    if let Some(place) = udp.get_mut(6..8) {
        place.copy_from_slice(&sum.to_be_bytes());
    }
    ip.extend(udp);

    let since = captured
        .at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let len = u32::try_from(ip.len()).unwrap_or(SNAP);
    let mut out = Vec::with_capacity(16 + ip.len());
    out.extend(
        u32::try_from(since.as_secs())
            .unwrap_or(u32::MAX)
            .to_le_bytes(),
    );
    out.extend(since.subsec_micros().to_le_bytes());
    out.extend(len.to_le_bytes());
    out.extend(len.to_le_bytes());
    out.extend(ip);
    out
}

/// The internet's checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    let mut pairs = bytes.chunks_exact(2);
    for pair in &mut pairs {
        if let [high, low] = pair {
            sum += u32::from(u16::from_be_bytes([*high, *low]));
        }
    }
    if let [last] = pairs.remainder() {
        sum += u32::from(*last) << 8;
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_have_right_sums_and_lengths() {
        for (from, to, head) in [
            ("192.0.2.1:5060", "192.0.2.2:5070", 20),
            ("[2001:db8::1]:5060", "[2001:db8::2]:5070", 40),
        ] {
            let captured = Captured {
                at: SystemTime::now(),
                from: from.parse().unwrap(),
                to: to.parse().unwrap(),
                by_stream: false,
                bytes: b"odd".to_vec().into(),
            };
            let packet = packet(&captured);
            assert_eq!(packet.len(), 16 + head + 8 + 3);
            if head == 20 {
                assert_eq!(checksum(&packet[16..36]), 0);
            }
        }
        let long = Captured {
            at: SystemTime::now(),
            from: "192.0.2.1:1".parse().unwrap(),
            to: "192.0.2.1:1".parse().unwrap(),
            by_stream: true,
            bytes: vec![0; 65_530].into(),
        };
        assert!(packet(&long).is_empty());
    }
}
