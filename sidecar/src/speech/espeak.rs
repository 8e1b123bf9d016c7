//! `espeak-ng`, run once for each new text. It is GPL, so it stays a program of its own and is never linked.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::{Rendered, SpeechEngine, SpeechError, SpeechRequest, Voices};

/// More than any text of 1000 characters gives (10 minutes at 22,050 Hz): the process may run away.
const MOST_BYTES: u64 = 27 << 20;

/// The engine.
#[derive(Debug)]
pub struct EspeakNg {
    command: PathBuf,
    voices: Voices,
}

impl EspeakNg {
    /// Runs `command`, with the voices of a table.
    pub fn new(command: PathBuf, voices: Voices) -> Self {
        Self { command, voices }
    }

    async fn run(&self, request: &SpeechRequest) -> Result<Rendered, SpeechError> {
        let mut command = Command::new(&self.command);
        command.arg("--stdin").arg("--stdout").arg("-b").arg("1");
        command.arg("-v").arg(
            self.voices
                .espeak(&request.voice, request.language.as_deref()),
        );
        if request.ssml {
            command.arg("-m");
        }
        // The text could be a secret of its speaker: it goes by stdin, not by the process list.
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| missing(&self.command, &error))?;
        let (Some(mut stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(SpeechError::Failed("no pipes to the process".into()));
        };
        let mut wav = Vec::new();
        let mut complaint = Vec::new();
        let write = async move {
            // A process that dies early is told by its status, not by the broken pipe.
            let _ = stdin.write_all(request.text.as_bytes()).await;
            drop(stdin);
        };
        let mut bounded_out = stdout.take(MOST_BYTES);
        let mut bounded_err = stderr.take(4096);
        let ((), read, _) = tokio::join!(
            write,
            bounded_out.read_to_end(&mut wav),
            bounded_err.read_to_end(&mut complaint)
        );
        let failed = |what: String| SpeechError::Failed(what);
        read.map_err(|error| failed(error.to_string()))?;
        if wav.len() as u64 >= MOST_BYTES {
            return Err(failed(format!("more than {MOST_BYTES} bytes of audio")));
        }
        let status = child
            .wait()
            .await
            .map_err(|error| failed(error.to_string()))?;
        if !status.success() {
            let complaint = String::from_utf8_lossy(&complaint);
            let first: String = complaint.trim().chars().take(200).collect();
            return Err(failed(format!("{status}: {first}")));
        }
        let (rate, samples) =
            streamed_wav(&wav).ok_or_else(|| failed("its output is no WAV of 16 bits".into()))?;
        if samples.iter().all(|sample| *sample == 0) {
            return Err(SpeechError::Nothing);
        }
        Ok(Rendered { rate, samples })
    }
}

impl SpeechEngine for EspeakNg {
    fn render<'a>(
        &'a self,
        request: &'a SpeechRequest,
    ) -> BoxFuture<'a, Result<Rendered, SpeechError>> {
        Box::pin(self.run(request))
    }
}

fn missing(command: &Path, error: &std::io::Error) -> SpeechError {
    SpeechError::Missing {
        command: command.display().to_string(),
        reason: match error.kind() {
            ErrorKind::NotFound => "it is not installed".into(),
            _ => error.to_string(),
        },
    }
}

/// Runs the program for its version.
pub(super) fn probe(command: &Path) -> Result<(), SpeechError> {
    let output = std::process::Command::new(command)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| missing(command, &error))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(SpeechError::Failed(format!(
            "`--version` ended with {}",
            output.status
        )))
    }
}

/// Reads a mono WAV of 16 bits that was written to a pipe: its sizes are guesses, so `data` goes to the end.
fn streamed_wav(bytes: &[u8]) -> Option<(u32, Vec<i16>)> {
    let mut rest = bytes
        .strip_prefix(b"RIFF")?
        .get(4..)?
        .strip_prefix(b"WAVE")?;
    let mut rate = None;
    loop {
        let id = rest.get(..4)?;
        let size = u32::from_le_bytes(rest.get(4..8)?.try_into().ok()?) as usize;
        let body = rest.get(8..)?;
        match id {
            b"fmt " => {
                let channels = u16::from_le_bytes(body.get(2..4)?.try_into().ok()?);
                let bits = u16::from_le_bytes(body.get(14..16)?.try_into().ok()?);
                if (channels, bits) != (1, 16) {
                    return None;
                }
                rate = Some(u32::from_le_bytes(body.get(4..8)?.try_into().ok()?));
            }
            b"data" => {
                let data = body.get(..size).unwrap_or(body);
                let samples = data
                    .chunks_exact(2)
                    .map(|pair| pair.try_into().map_or(0, i16::from_le_bytes))
                    .collect();
                return Some((
                    rate.filter(|rate| (4000..=192_000).contains(rate))?,
                    samples,
                ));
            }
            _ => {}
        }
        rest = body.get(size.checked_add(size % 2)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav(size: u32, samples: &[i16]) -> Vec<u8> {
        let mut bytes = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
        bytes.extend(22_050_u32.to_le_bytes());
        bytes.extend(44_100_u32.to_le_bytes());
        bytes.extend([2, 0, 16, 0]);
        bytes.extend(b"data");
        bytes.extend(size.to_le_bytes());
        bytes.extend(samples.iter().flat_map(|s| s.to_le_bytes()));
        bytes
    }

    #[test]
    fn a_piped_wav_has_no_true_size() {
        for size in [0x7fff_f000, 6] {
            assert_eq!(
                streamed_wav(&wav(size, &[1, -2, 3])),
                Some((22_050, vec![1, -2, 3]))
            );
        }
        assert_eq!(streamed_wav(b"RIFF"), None);
        let whole = wav(6, &[1, 2, 3]);
        for cut in 0..44 {
            assert_eq!(streamed_wav(&whole[..cut]), None, "{cut}");
        }
    }

    #[tokio::test]
    async fn a_program_that_fails_is_told_by_its_words() {
        let engine = EspeakNg::new("/bin/false".into(), Voices::default());
        let request = SpeechRequest {
            text: "x".into(),
            ssml: false,
            voice: "Joanna".into(),
            language: None,
        };
        assert!(matches!(
            engine.render(&request).await,
            Err(SpeechError::Failed(_))
        ));
    }
}
