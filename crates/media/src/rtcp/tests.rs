//! Compounds, byte for byte.

use super::*;

const BLOCK: ReportBlock = ReportBlock {
    ssrc: 0x2222_2222,
    fraction_lost: 64,
    lost: -2,
    highest: 0x0001_0005,
    jitter: 33,
    last_report: 0x1234_5678,
    delay_since_last: 0x0001_8000,
};

#[test]
fn a_compound_is_read_as_it_was_written() {
    let sender = SenderInfo {
        ntp: NtpTime(0x0102_0304_0506_0708),
        rtp: 9,
        packets: 10,
        bytes: 1_600,
    };
    for name in ["", "a", "ab", "abc", "abcd", "leg@host"] {
        for sender in [None, Some(sender)] {
            let mut out = [0xee; 200];
            let len = write_compound(&mut out, 0x1111_1111, sender, &[BLOCK], name, true).unwrap();
            assert_eq!(len % 4, 0);
            let packets: Vec<_> = Compound::new(&out[..len]).map(Result::unwrap).collect();
            let [
                RtcpPacket::Report {
                    ssrc,
                    sender: read,
                    blocks,
                },
                RtcpPacket::Description(chunks),
                RtcpPacket::Goodbye(gone),
            ] = packets[..]
            else {
                panic!("{packets:?}")
            };
            assert_eq!((ssrc, read), (0x1111_1111, sender));
            assert_eq!(blocks.iter().collect::<Vec<_>>(), [BLOCK]);
            assert_eq!(canonical_name(chunks), Some(name));
            assert_eq!(gone.iter().collect::<Vec<_>>(), [0x1111_1111]);
            for short in 0..len {
                assert_eq!(
                    write_compound(&mut out[..short], 0, sender, &[BLOCK], name, true),
                    None
                );
            }
        }
    }
}

#[test]
fn the_rfc_round_trip_example() {
    // RFC 3550 figure 2: A = 0xb710:8000, LSR = 0xb705:2000, DLSR = 0x0005:4000 give 6.125 s.
    let block = ReportBlock {
        last_report: 0xb705_2000,
        delay_since_last: 0x0005_4000,
        ..BLOCK
    };
    let now = NtpTime(0xb44d_b710_8000_0000_u64);
    assert_eq!(block.round_trip(now), Some(Duration::from_millis(6_125)));
    assert_eq!(
        ReportBlock {
            last_report: 0,
            ..BLOCK
        }
        .round_trip(now),
        None
    );
}

#[test]
fn broken_compounds_end_with_the_place() {
    let cases: &[(&[u8], RtcpError)] = &[
        (
            &[0x80, 200],
            RtcpError::Truncated {
                at: 0,
                need: 4,
                have: 2,
            },
        ),
        (
            &[0x80, 201, 0, 9, 0, 0, 0, 0],
            RtcpError::Truncated {
                at: 0,
                need: 40,
                have: 8,
            },
        ),
        (
            &[0x81, 203, 0, 0],
            RtcpError::Truncated {
                at: 0,
                need: 8,
                have: 4,
            },
        ),
        (
            &[0x80, 204, 0, 0, 0x40, 200, 0, 0],
            RtcpError::Version { at: 4, version: 1 },
        ),
    ];
    for (bytes, error) in cases {
        assert_eq!(Compound::new(bytes).last(), Some(Err(*error)));
    }
}

#[test]
fn ntp_counts_from_1900() {
    assert_eq!(
        NtpTime::from_unix(Duration::from_millis(500)).0,
        2_208_988_800 << 32 | 1 << 31
    );
}
