//! The waveform of a recording: the loudest sample of each column and channel, as SVG.

use std::fmt::Write as _;

use anyhow::{Context, bail};

/// Columns of the drawing; one is about a pixel wide.
const COLUMNS: usize = 1100;
/// Height of one channel's band, in the drawing's units.
const BAND: f32 = 90.0;

/// A recording, as the page needs it.
#[derive(Debug)]
pub(crate) struct Waveform {
    /// Channels: 1, or 2 with incoming left and outgoing right (facts F6).
    pub(crate) channels: usize,
    /// Length in seconds.
    pub(crate) seconds: f32,
    /// For each channel the peak of each column, 0 to 1.
    peaks: Vec<Vec<f32>>,
}

impl Waveform {
    /// Reads a 16-bit PCM WAV file.
    pub(crate) fn read(wav: &[u8]) -> anyhow::Result<Self> {
        let mut wav = hound::WavReader::new(wav).context("no WAV file")?;
        let spec = wav.spec();
        if spec.bits_per_sample != 16 || spec.sample_format != hound::SampleFormat::Int {
            bail!("expected 16-bit PCM, found {} bits", spec.bits_per_sample);
        }
        let channels = usize::from(spec.channels).max(1);
        let frames = wav.duration() as usize;
        let mut peaks = vec![vec![0.0_f32; COLUMNS.min(frames.max(1))]; channels];
        let columns = peaks[0].len();
        for (index, sample) in wav.samples::<i16>().enumerate() {
            let sample = sample.context("the WAV file ends early")?;
            let (frame, channel) = (index / channels, index % channels);
            let column = (frame * columns / frames.max(1)).min(columns - 1);
            let loud = f32::from(sample).abs() / 32768.0;
            let peak = &mut peaks[channel][column];
            *peak = peak.max(loud);
        }
        Ok(Self {
            channels,
            seconds: frames as f32 / spec.sample_rate as f32,
            peaks,
        })
    }

    /// The drawing: one band a channel, the first on top.
    pub(crate) fn svg(&self) -> String {
        let height = BAND * self.channels as f32;
        let columns = self.peaks[0].len();
        let mut svg = format!(
            r#"<svg viewBox="0 0 {columns} {height}" preserveAspectRatio="none" aria-hidden="true">"#
        );
        for (channel, peaks) in self.peaks.iter().enumerate() {
            let middle = BAND * (channel as f32 + 0.5);
            let class = if channel == 0 { "left" } else { "right" };
            let _ = write!(svg, r#"<path class="{class}" d="M0 {middle:.1}"#);
            for (x, peak) in peaks.iter().enumerate() {
                let _ = write!(svg, "L{x} {:.1}", middle - (peak * BAND * 0.48).max(0.4));
            }
            for (x, peak) in peaks.iter().enumerate().rev() {
                let _ = write!(svg, "L{x} {:.1}", middle + (peak * BAND * 0.48).max(0.4));
            }
            svg.push_str("Z\"/>");
        }
        svg.push_str("</svg>");
        svg
    }
}
