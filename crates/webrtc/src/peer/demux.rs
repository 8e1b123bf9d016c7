//! Which line a packet is of, where audio and video go one way (RFC 8843 §9.2).

use skillcall_media::rtp::RtpPacket;

use crate::sdp::RemoteLines;

/// The most sources that are remembered: a peer has two, and others after each change.
const MOST_SOURCES: usize = 16;

/// What tells packets apart.
#[derive(Debug, Default)]
pub(super) struct Demux {
    lines: RemoteLines,
    /// Whose packets are video's.
    sources: Vec<(u32, bool)>,
}

impl Demux {
    /// Goes by a description. What was learnt of sources is forgotten where it says something new.
    pub(super) fn follow(&mut self, lines: RemoteLines) {
        if lines == self.lines {
            return;
        }
        let said = lines.video_sources.iter();
        self.sources = said.map(|source| (*source, true)).collect();
        self.lines = lines;
    }

    /// Whether an opened packet is the video line's: by the line's name in it, else by its source, else by its payload type.
    pub(super) fn is_video(&mut self, packet: &[u8]) -> bool {
        if self.lines.video_types.is_empty() {
            return false;
        }
        let Ok(packet) = RtpPacket::parse(packet) else {
            return false;
        };
        let source = packet.header().ssrc;
        let named = self
            .lines
            .mid_extension
            .and_then(|number| element(&packet, number))
            .and_then(|mid| std::str::from_utf8(mid).ok());
        let by_name = named.and_then(|mid| {
            let is = |line: &Option<String>| line.as_deref() == Some(mid);
            match (is(&self.lines.video_mid), is(&self.lines.audio_mid)) {
                (true, _) => Some(true),
                (_, true) => Some(false),
                _ => None,
            }
        });
        if let Some(video) = by_name {
            self.note(source, video);
            return video;
        }
        let mut known = self.sources.iter();
        if let Some((_, video)) = known.find(|(known, _)| *known == source) {
            return *video;
        }
        let video = (self.lines.video_types).contains(&packet.header().payload_type);
        if video {
            self.note(source, true);
        }
        video
    }

    fn note(&mut self, source: u32, video: bool) {
        self.sources.retain(|(known, _)| *known != source);
        if self.sources.len() == MOST_SOURCES {
            self.sources.remove(0);
        }
        self.sources.push((source, video));
    }
}

/// An element of the header extension with one byte of header for each (RFC 8285 §4.2).
fn element<'a>(packet: &RtpPacket<'a>, wanted: u8) -> Option<&'a [u8]> {
    let extension = packet.extension().filter(|it| it.profile == 0xbede)?;
    let mut rest = extension.data;
    while let Some((head, behind)) = rest.split_first() {
        let (number, len) = (head >> 4, usize::from(head & 0x0f) + 1);
        match number {
            // Padding.
            0 => rest = behind,
            15 => return None,
            _ => {
                let (data, behind) = behind.split_at_checked(len)?;
                if number == wanted {
                    return Some(data);
                }
                rest = behind;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use skillcall_media::rtp::{PayloadType, RtpHeader, Sequence, Timestamp};

    use super::*;

    fn packet(number: u8, ssrc: u32, extension: Option<&[u8]>) -> Vec<u8> {
        let header = RtpHeader {
            marker: false,
            payload_type: PayloadType::new(number).unwrap(),
            sequence: Sequence(1),
            timestamp: Timestamp(1),
            ssrc,
        };
        let mut out = vec![0; 12];
        header.write(&[], &mut out).unwrap();
        if let Some(elements) = extension {
            out[0] |= 0x10;
            out.extend([0xbe, 0xde, 0, (elements.len() / 4) as u8]);
            out.extend(elements);
        }
        out
    }

    fn lines() -> RemoteLines {
        RemoteLines {
            mid_extension: Some(4),
            audio_mid: Some("a".to_owned()),
            video_mid: Some("v".to_owned()),
            video_types: vec![PayloadType::new(99).unwrap()],
            video_sources: vec![7],
        }
    }

    #[test]
    fn packets_are_told_apart() {
        let mut demux = Demux::default();
        assert!(!demux.is_video(&packet(99, 7, None)), "there is no video");
        demux.follow(lines());
        for (packet, video) in [
            (packet(0, 1, None), false),
            // By source, as it was said; then by payload type.
            (packet(0, 7, None), true),
            (packet(99, 2, None), true),
            (packet(0, 2, None), true),
            // By name, behind another element and padding; then the source is known by it.
            (
                packet(99, 3, Some(&[0x10, 9, 0, 0x40, b'a', 0, 0, 0])),
                false,
            ),
            (packet(99, 3, None), false),
            (packet(0, 3, Some(&[0x40, b'v', 0, 0])), true),
            (packet(0, 3, None), true),
            // Nobody's name, and an element that is cut off.
            (packet(99, 4, Some(&[0x40, b'x', 0, 0])), true),
            (packet(0, 5, Some(&[0x4f, b'v', 0, 0])), false),
        ] {
            assert_eq!(demux.is_video(&packet), video, "{packet:?}");
        }
        assert!(!demux.is_video(&[0x80, 99]));
        // The same once more forgets nothing, another one does.
        demux.follow(lines());
        assert!(demux.is_video(&packet(0, 3, None)));
        let others = RemoteLines {
            video_sources: Vec::new(),
            ..lines()
        };
        demux.follow(others);
        assert!(!demux.is_video(&packet(0, 3, None)));
    }

    #[test]
    fn sources_are_bounded() {
        let mut demux = Demux::default();
        demux.follow(lines());
        for source in 0..1_000 {
            assert!(demux.is_video(&packet(99, source, None)));
        }
        assert_eq!(demux.sources.len(), MOST_SOURCES);
    }
}
