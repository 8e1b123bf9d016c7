//! The RFCs' vectors, and both directions against each other.

use super::derivation::{Block, Label, derive};
use super::{Inbound, Outbound, SrtpError, Suite, Transform};

const SUITES: [Suite; 5] = [
    Suite::AesCm128Sha1_80,
    Suite::AesCm128Sha1_32,
    Suite::AesCm256Sha1_80,
    Suite::AeadAes128Gcm,
    Suite::AeadAes256Gcm,
];

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .bytes()
        .filter(u8::is_ascii_hexdigit)
        .map(|digit| u8::try_from(char::from(digit).to_digit(16).unwrap()).unwrap())
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

fn pair(suite: Suite) -> (Outbound, Inbound) {
    let key: Vec<u8> = (0..suite.key_len()).map(|n| n as u8 + 1).collect();
    let salt: Vec<u8> = (0..suite.salt_len()).map(|n| n as u8 + 101).collect();
    (
        Outbound::new(suite, &key, &salt).unwrap(),
        Inbound::new(suite, &key, &salt).unwrap(),
    )
}

fn rtp(sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 0, 160, 0xde, 0xad, 0xbe, 0xef]);
    packet.extend(payload);
    packet
}

fn protected(out: &mut Outbound, packet: &[u8]) -> Vec<u8> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + super::OVERHEAD, 0);
    let len = out.protect_rtp(&mut buffer, packet.len()).unwrap();
    buffer.truncate(len);
    buffer
}

/// RFC 3711 appendix B.2.
#[test]
fn key_stream_of_rfc_3711() {
    let block = Block::new(&bytes("2B7E151628AED2A6ABF7158809CF4F3C")).unwrap();
    let iv: [u8; 16] = bytes("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000")
        .try_into()
        .unwrap();
    let mut data = [0; 48];
    block.add_stream(&iv, &mut data);
    assert_eq!(
        data[..],
        bytes(
            "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0"
        )
    );
}

/// RFC 3711 appendix B.3.
#[test]
fn keys_of_rfc_3711() {
    let key = bytes("E1F97A0D3E018BE0D64FA32C06DE4139");
    let salt = bytes("0EC675AD498AFEEBB6960B3AABE6");
    let mut cipher = [0; 16];
    derive(&key, &salt, Label::RtpEncryption, &mut cipher).unwrap();
    assert_eq!(cipher[..], bytes("C61E7A93744F39EE10734AFE3FF7A087"));
    let mut session_salt = [0; 14];
    derive(&key, &salt, Label::RtpSalt, &mut session_salt).unwrap();
    assert_eq!(session_salt[..], bytes("30CBBC08863D8C85D49DB34A9AE1"));
    let mut mac = [0; 20];
    derive(&key, &salt, Label::RtpAuthentication, &mut mac).unwrap();
    assert_eq!(mac[..], bytes("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
}

/// RFC 7714 §16.1.1.
#[test]
fn gcm_of_rfc_7714() {
    let key = bytes("000102030405060708090a0b0c0d0e0f");
    let salt: [u8; 12] = bytes("517569642070726f2071756f").try_into().unwrap();
    let mut packet = bytes(
        "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 73207472 6573",
    );
    let transform = Transform::galois(&key, salt).unwrap();
    let tag = transform
        .seal(&mut packet, 12, 0x5501_a0b2, 0xf17b, &[])
        .unwrap();
    packet.extend(&tag[..16]);
    assert_eq!(
        packet,
        bytes(
            "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce"
        )
    );
}

#[test]
fn packets_come_through_over_roll_overs_loss_and_reordering() {
    for suite in SUITES {
        let (mut out, mut inbound) = pair(suite);
        let mut held: Option<(Vec<u8>, Vec<u8>)> = None;
        // Two roll-overs; every 7th packet is lost, every 5th comes one later.
        for count in 0..150_000u32 {
            let packet = rtp((count + 60_000) as u16, &count.to_be_bytes());
            let mut wire = protected(&mut out, &packet);
            assert_ne!(wire[12..16], packet[12..16]);
            let late = held.take();
            if count % 7 == 3 {
                continue;
            }
            if count % 5 == 1 {
                held = Some((packet, wire));
            } else {
                let len = inbound.unprotect_rtp(&mut wire).unwrap();
                assert_eq!(wire[..len], packet, "{suite:?} {count}");
            }
            if let Some((packet, mut wire)) = late {
                let len = inbound.unprotect_rtp(&mut wire).unwrap();
                assert_eq!(wire[..len], packet, "{suite:?} {count}, late");
            }
        }
    }
}

#[test]
fn copies_and_forgeries_are_refused_and_change_nothing() {
    for suite in SUITES {
        let (mut out, mut inbound) = pair(suite);
        let wire = protected(&mut out, &rtp(7, b"hello"));
        for at in 0..wire.len() {
            let mut forged = wire.clone();
            forged[at] ^= 1;
            inbound.unprotect_rtp(&mut forged).unwrap_err();
        }
        for len in 0..wire.len() {
            inbound.unprotect_rtp(&mut wire.clone()[..len]).unwrap_err();
        }
        inbound.unprotect_rtp(&mut wire.clone()).unwrap();
        assert_eq!(
            inbound.unprotect_rtp(&mut wire.clone()),
            Err(SrtpError::Replayed)
        );
        for sequence in 8..200 {
            let mut next = protected(&mut out, &rtp(sequence, b"x"));
            inbound.unprotect_rtp(&mut next).unwrap();
        }
        assert_eq!(
            inbound.unprotect_rtp(&mut wire.clone()),
            Err(SrtpError::Replayed)
        );
    }
}

#[test]
fn a_header_with_sources_and_extension_stays_readable() {
    for suite in SUITES {
        let (mut out, mut inbound) = pair(suite);
        let mut packet = vec![0x92, 0, 0, 9, 0, 0, 0, 1, 1, 2, 3, 4];
        packet.extend([0; 8]);
        packet.extend([0xbe, 0xde, 0, 1, 5, 6, 7, 8]);
        let head = packet.len();
        packet.extend(b"payload");
        let mut wire = protected(&mut out, &packet);
        assert_eq!(wire[..head], packet[..head]);
        let len = inbound.unprotect_rtp(&mut wire).unwrap();
        assert_eq!(wire[..len], packet);
    }
}

#[test]
fn reports_are_protected_counted_and_taken_once() {
    let report = bytes("80c90001 deadbeef 81ca0002 deadbeef 01020304 00000000");
    for suite in SUITES {
        let (mut out, mut inbound) = pair(suite);
        for _ in 0..3 {
            let mut buffer = report.clone();
            buffer.resize(report.len() + super::OVERHEAD, 0);
            let len = out.protect_rtcp(&mut buffer, report.len()).unwrap();
            buffer.truncate(len);
            assert_eq!(buffer[..8], report[..8]);
            assert_ne!(buffer[8..report.len()], report[8..]);
            for at in 0..len {
                let mut forged = buffer.clone();
                forged[at] ^= 1;
                inbound.unprotect_rtcp(&mut forged).unwrap_err();
            }
            let mut wire = buffer.clone();
            let len = inbound.unprotect_rtcp(&mut wire).unwrap();
            assert_eq!(wire[..len], report);
            assert_eq!(
                inbound.unprotect_rtcp(&mut buffer),
                Err(SrtpError::Replayed)
            );
        }
    }
}

#[test]
fn no_room_and_wrong_keys_are_told() {
    let (mut out, mut inbound) = pair(Suite::AesCm128Sha1_80);
    let packet = rtp(1, b"abc");
    assert_eq!(
        out.protect_rtp(&mut packet.clone(), packet.len()),
        Err(SrtpError::Full)
    );
    assert!(Outbound::new(Suite::AesCm256Sha1_80, &[0; 16], &[0; 14]).is_err());
    let mut wire = protected(&mut pair(Suite::AeadAes128Gcm).0, &packet);
    assert_eq!(inbound.unprotect_rtp(&mut wire), Err(SrtpError::Forged));
}
