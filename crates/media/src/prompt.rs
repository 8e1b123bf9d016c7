//! A prompt: rendered and encoded once, shared by all calls that play it, so that playing it costs no encoding.

use std::sync::Arc;

use crate::{FRAME_MS, FRAME_SAMPLES, Frame, SILENT_FRAME, codec::Codec};

/// Audio in whole frames, as linear PCM and in every codec. Clone the `Arc` to share it.
#[derive(Debug, PartialEq, Eq)]
pub struct EncodedPrompt {
    pcm: Vec<Frame>,
    pcmu: Vec<[u8; FRAME_SAMPLES]>,
    pcma: Vec<[u8; FRAME_SAMPLES]>,
}

impl EncodedPrompt {
    /// Encodes 8 kHz mono samples; the last frame is filled up with silence. Takes 32 bytes of memory a millisecond.
    pub fn from_pcm(samples: &[i16]) -> Arc<Self> {
        let pcm: Vec<Frame> = samples
            .chunks(FRAME_SAMPLES)
            .map(|chunk| {
                let mut frame = SILENT_FRAME;
                frame[..chunk.len()].copy_from_slice(chunk);
                frame
            })
            .collect();
        let encode = |codec: Codec| pcm.iter().map(|frame| codec.encode_frame(frame)).collect();
        Arc::new(Self {
            pcmu: encode(Codec::Pcmu),
            pcma: encode(Codec::Pcma),
            pcm,
        })
    }

    /// Number of frames.
    pub fn frames(&self) -> usize {
        self.pcm.len()
    }

    /// Whether there is nothing to play.
    pub fn is_empty(&self) -> bool {
        self.pcm.is_empty()
    }

    /// Length in milliseconds, in whole frames.
    pub fn duration_ms(&self) -> u64 {
        self.pcm.len() as u64 * u64::from(FRAME_MS)
    }

    /// A frame as linear PCM.
    pub fn pcm(&self, frame: usize) -> Option<&Frame> {
        self.pcm.get(frame)
    }

    /// A frame in a codec.
    pub fn encoded(&self, codec: Codec, frame: usize) -> Option<&[u8; FRAME_SAMPLES]> {
        match codec {
            Codec::Pcmu => self.pcmu.get(frame),
            Codec::Pcma => self.pcma.get(frame),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_whole_frames_in_all_codecs() {
        let prompt = EncodedPrompt::from_pcm(&[1_000; 161]);
        assert_eq!((prompt.frames(), prompt.duration_ms()), (2, 40));
        for codec in Codec::ALL {
            let last = prompt.encoded(codec, 1).unwrap();
            assert_eq!(last[0], codec.encode_sample(1_000));
            assert!(last[1..].iter().all(|&code| code == codec.silence()));
        }
        assert_eq!(prompt.pcm(2), None);
        assert!(EncodedPrompt::from_pcm(&[]).is_empty());
    }
}
