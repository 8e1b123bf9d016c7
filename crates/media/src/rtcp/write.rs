//! Writes compound packets.

use super::{
    GOODBYE, MAX_REPORT_BLOCKS, RECEIVER_REPORT, ReportBlock, SENDER_REPORT, SOURCE_DESCRIPTION,
    SenderInfo,
};

/// Writes a compound of SR (with `sender`) or RR, SDES with the canonical name, and BYE if `leaving`.
///
/// At most 31 blocks and 255 bytes of name are written. Returns the length; `None` when `out` is too short.
pub fn write_compound(
    out: &mut [u8],
    ssrc: u32,
    sender: Option<SenderInfo>,
    blocks: &[ReportBlock],
    cname: &str,
    leaving: bool,
) -> Option<usize> {
    let blocks = blocks.get(..MAX_REPORT_BLOCKS).unwrap_or(blocks);
    let mut writer = Writer { out, at: 0 };
    let words = 1 + if sender.is_some() { 5 } else { 0 } + blocks.len() * 6;
    let kind = if sender.is_some() {
        SENDER_REPORT
    } else {
        RECEIVER_REPORT
    };
    writer.header(blocks.len(), kind, words)?;
    writer.word(ssrc)?;
    if let Some(sender) = sender {
        for word in [
            (sender.ntp.0 >> 32) as u32,
            sender.ntp.0 as u32,
            sender.rtp,
            sender.packets,
            sender.bytes,
        ] {
            writer.word(word)?;
        }
    }
    for word in blocks.iter().flat_map(|block| block.to_words()) {
        writer.word(word)?;
    }
    let name = cname.as_bytes();
    let name = name.get(..255).unwrap_or(name);
    // Kind, length and text, closed by one to four zeros up to a word's end (RFC 3550 §6.5).
    let chunk = 4 + (2 + name.len()) / 4 * 4 + 4;
    writer.header(1, SOURCE_DESCRIPTION, chunk / 4)?;
    writer.word(ssrc)?;
    writer.bytes(&[1, name.len() as u8])?;
    writer.bytes(name)?;
    writer.bytes([0; 4].get(..chunk - 6 - name.len())?)?;
    if leaving {
        writer.header(1, GOODBYE, 1)?;
        writer.word(ssrc)?;
    }
    Some(writer.at)
}

struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        self.out
            .get_mut(self.at..self.at + bytes.len())?
            .copy_from_slice(bytes);
        self.at += bytes.len();
        Some(())
    }

    fn word(&mut self, word: u32) -> Option<()> {
        self.bytes(&word.to_be_bytes())
    }

    fn header(&mut self, count: usize, kind: u8, words: usize) -> Option<()> {
        let [l0, l1] = u16::try_from(words).ok()?.to_be_bytes();
        self.bytes(&[0x80 | count as u8 & 0x1f, kind, l0, l1])
    }
}
