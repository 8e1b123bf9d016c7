//! Bodies of the fuzz targets. They are part of the crate so that stable builds run them on mutated inputs too.
//!
//! Each takes any bytes and must return: no panic, no endless loop, no growth beyond the stated bounds.

use std::time::{Duration, Instant};

use crate::{
    SILENT_FRAME,
    codec::Codec,
    dtmf::{DigitReport, DtmfReceiver},
    encoding::Encoding,
    jitter::{JitterBuffer, JitterConfig},
    rtcp::{Compound, RtcpPacket, canonical_name},
    rtp::{MAX_PACKET, PayloadType, RtpPacket, Sequence, Timestamp},
    session::{AudioSession, Format, Outgoing, PacketTime, SessionConfig},
    transcode::{OpusSettings, Side, SideEvents, Transcoder},
    wav,
};

/// An RTP packet; what is read is written back the same.
pub fn rtp(bytes: &[u8]) {
    let Ok(packet) = RtpPacket::parse(bytes) else {
        return;
    };
    let _ = packet.csrcs().count();
    let mut out = vec![0; 12 + packet.payload().len()];
    let len = packet.header().write(packet.payload(), &mut out);
    assert_eq!(len, Some(out.len()));
    assert_eq!(
        RtpPacket::parse(&out).map(|again| *again.header()),
        Ok(*packet.header())
    );
}

/// A compound RTCP packet.
pub fn rtcp(bytes: &[u8]) {
    for packet in Compound::new(bytes) {
        match packet {
            Ok(RtcpPacket::Report { blocks, .. }) => assert!(blocks.iter().count() <= 31),
            Ok(RtcpPacket::Description(chunks)) => {
                let _ = canonical_name(chunks);
            }
            Ok(RtcpPacket::Goodbye(sources)) => assert!(sources.iter().count() <= 31),
            Ok(RtcpPacket::Feedback { .. } | RtcpPacket::Other { .. }) | Err(_) => {}
        }
    }
}

/// A series of event packets, seven bytes each: milliseconds, timestamp, flags and a report.
pub fn dtmf(bytes: &[u8]) {
    let mut now = Instant::now();
    let mut receiver = DtmfReceiver::new(if bytes.len().is_multiple_of(2) {
        DigitReport::AtEnd
    } else {
        DigitReport::AtStart
    });
    let mut reports = 0;
    for step in bytes.chunks(9) {
        let &[ms, t0, t1, t2, flags, ref payload @ ..] = step else {
            return;
        };
        now += Duration::from_millis(ms.into());
        let timestamp = Timestamp(u32::from_be_bytes([t0 & 0x81, t1, t2, 0]));
        match flags & 7 {
            0 => receiver.other_media(timestamp),
            1 => receiver.expire(now),
            _ => {
                reports += payload.len() / 4;
                receiver.receive(now, timestamp, flags & 0x80 != 0, payload);
            }
        }
    }
    receiver.change_source();
    let digits = std::iter::from_fn(|| receiver.poll()).count();
    assert!(digits <= reports.min(128));
}

/// A series of packets and frames for the jitter buffer.
pub fn jitter(bytes: &[u8]) {
    let config = JitterConfig::default();
    let mut buffer = JitterBuffer::new(config);
    let mut frame = SILENT_FRAME;
    let payload = [0x55; 2_000];
    for step in bytes.chunks_exact(6) {
        let &[kind, s0, t0, t1, t2, len] = step else {
            return;
        };
        if kind & 1 == 0 {
            buffer.play(&mut frame);
        } else {
            let sequence = Sequence(u16::from_be_bytes([kind & 0x80, s0]));
            let timestamp = Timestamp(u32::from_be_bytes([t0 & 0xc0, t0 & 1, t1, t2]));
            let payload = payload.get(..usize::from(len) * 8).unwrap_or_default();
            buffer.insert(sequence, timestamp, kind & 2 != 0, Codec::Pcma, payload);
        }
        assert!(buffer.len() <= config.capacity);
    }
}

/// A WAV file.
pub fn wav(bytes: &[u8]) {
    if let Ok(audio) = wav::read(bytes) {
        // The lowest rate doubles the samples, and the narrowest sample is a byte.
        assert!(audio.samples.len() <= bytes.len() * 2 + 1);
    }
}

/// Datagrams for a session, each behind its length.
pub fn session(bytes: &[u8]) {
    let mut now = Instant::now();
    let mut format = Format::new(Codec::Pcmu, PayloadType::new(101));
    format.packet_time = PacketTime::from_ms(bytes.first().copied().unwrap_or(20).into());
    let mut session = AudioSession::new(SessionConfig::new(format, 1), now);
    let mut other = AudioSession::new(
        SessionConfig::new(
            Format {
                codec: Codec::Pcma,
                ..format
            },
            2,
        ),
        now,
    );
    session.listen(true);
    let mut out = [0; MAX_PACKET];
    let mut frame = SILENT_FRAME;
    let mut rest = bytes;
    while let Some((&[len, kind], behind)) = rest.split_first_chunk::<2>() {
        let (datagram, behind) = behind.split_at_checked(len.into()).unwrap_or((behind, &[]));
        rest = behind;
        now += Duration::from_millis(u64::from(kind));
        if kind & 1 == 0 {
            let _ = session.receive_rtcp(now, datagram);
        } else if let Ok(received) = session.receive_rtp(now, datagram) {
            other.relay(now, &received, &mut out);
        }
        session.tick(
            now,
            if kind & 2 == 0 {
                Outgoing::Silence
            } else {
                Outgoing::Encoded(datagram)
            },
            &mut out,
        );
        while session.poll_audio(&mut out).is_some() {}
        session.hear(&mut frame);
        session.poll_digit();
        session.poll_rtcp(now, &mut out);
        let mos = session.figures().mos();
        assert!(mos.is_none_or(|mos| (1.0..=4.5).contains(&mos)));
    }
}

/// A series of packets through transcoders of all encodings: the first byte is the length of each, the next one chooses.
pub fn transcode(bytes: &[u8]) {
    let (audio, events) = (PayloadType::new(96), PayloadType::new(101));
    let (Some(audio), Some(events)) = (audio, events) else {
        return;
    };
    let side = |encoding: Encoding| Side {
        encoding,
        payload_type: audio,
        events: Some(SideEvents {
            payload_type: events,
            clock: encoding.clock(),
        }),
    };
    let ways = [
        (Encoding::Opus, Encoding::Pcmu),
        (Encoding::Opus, Encoding::G722),
        (Encoding::G722, Encoding::Pcma),
        (Encoding::Pcmu, Encoding::Opus),
    ];
    let mut transcoders: Vec<_> = ways
        .into_iter()
        .filter_map(|(from, to)| {
            Transcoder::new(side(from), side(to), OpusSettings::default()).ok()
        })
        .collect();
    let mut rest = bytes;
    while let [len, choice, behind @ ..] = rest {
        let (packet, behind) = behind.split_at(behind.len().min(usize::from(*len)));
        rest = behind;
        let count = transcoders.len().max(1);
        let Some(transcoder) = transcoders.get_mut(usize::from(*choice) % count) else {
            return;
        };
        let _ = transcoder.push(packet, |packet| {
            assert!(RtpPacket::parse(packet).is_ok());
            assert!(packet.len() <= MAX_PACKET);
        });
        transcoder.rewrite_rtcp(&mut packet.to_vec());
    }
}
