//! Messages in a stream: STUN's and ChannelData say their own length (RFC 8656 §12.5).

/// The most bytes that wait for the rest of a message: the longest ChannelData with its padding, and what a read brings beyond.
const ROOM: usize = 4 + 65_536 + 65_536;
/// Bytes in front of a STUN message's attributes.
const STUN_HEADER: usize = 20;
/// Bytes in front of what is in a channel.
const CHANNEL_HEADER: usize = 4;

/// What has come of a stream.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    taken: usize,
}

/// What came is neither STUN nor ChannelData: the stream is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotTurn;

impl Frames {
    /// Takes bytes of the stream.
    ///
    /// # Errors
    /// [`NotTurn`]: more has come than a message can be long; the caller has not asked for those that are whole.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), NotTurn> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        if self.bytes.len() + bytes.len() > ROOM {
            return Err(NotTurn);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The next whole message, without its padding.
    ///
    /// # Errors
    /// [`NotTurn`].
    pub fn next_message(&mut self) -> Result<Option<&[u8]>, NotTurn> {
        let rest = self.bytes.get(self.taken..).unwrap_or_default();
        let [first, _, high, low, ..] = rest else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (whole, padded) = match first {
            0..=0x3f if length.is_multiple_of(4) => (STUN_HEADER + length, STUN_HEADER + length),
            0x40..=0x4f => {
                let whole = CHANNEL_HEADER + length;
                (whole, whole.next_multiple_of(4))
            }
            _ => return Err(NotTurn),
        };
        if rest.len() < padded {
            return Ok(None);
        }
        let from = self.taken;
        self.taken += padded;
        Ok(self.bytes.get(from..from + whole))
    }
}

/// Pads what goes into a stream, where it needs it (RFC 8656 §12.5).
pub(super) fn pad(mut message: Vec<u8>) -> Vec<u8> {
    message.resize(message.len().next_multiple_of(4), 0);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_whole_however_the_stream_is_cut() {
        let mut binding = vec![0, 1, 0, 4];
        binding.extend([7; 20]);
        let channel = vec![0x40, 1, 0, 5, 1, 2, 3, 4, 5];
        let mut stream = binding.clone();
        stream.extend(pad(channel.clone()));
        stream.extend(&binding);
        for piece in 1..stream.len() {
            let mut frames = Frames::default();
            let mut messages = Vec::new();
            for bytes in stream.chunks(piece) {
                frames.push(bytes).unwrap();
                while let Some(message) = frames.next_message().unwrap() {
                    messages.push(message.to_vec());
                }
            }
            assert_eq!(messages, [&binding[..], &channel, &binding], "{piece}");
        }
    }

    #[test]
    fn what_is_no_turn_is_refused() {
        for bytes in [&b"SSH-2.0-server"[..], &[0, 1, 0, 3, 0], &[0x80, 0, 0, 0]] {
            let mut frames = Frames::default();
            frames.push(bytes).unwrap();
            assert_eq!(frames.next_message(), Err(NotTurn));
        }
        assert_eq!(Frames::default().push(&vec![0; ROOM + 1]), Err(NotTurn));
    }
}
