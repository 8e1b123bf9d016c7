//! The audio of one call: RTP, the voice, the ear, the script. One task a call, driven by a clock of 20 ms.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use skillcall_media::dtmf::Digit;
use skillcall_media::player::Step as Playing;
use skillcall_media::rtcp::NtpTime;
use skillcall_media::session::{AudioSession, Format, Heard, Outgoing, SessionConfig};
use skillcall_media::wav::WavWriter;
use skillcall_media::{FRAME_MS, SAMPLE_RATE, SILENT_FRAME};
use skillcall_protocol::trace::Direction;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::loss::Loss;
use super::ports::RtpSockets;
use super::script::{PromptCount, Script, is_loud};
use super::voice::{Mouth, prepare};
use super::{Act, CallBook, LineError, Manner, MediaFigures, book::Call};

/// Ticks between two updates of the book's figures: 200 ms.
const FIGURES_EVERY: u32 = 10;
/// Audio that is kept in memory of one call: ten minutes.
const MAX_SAMPLES: usize = 600 * SAMPLE_RATE as usize;
/// How long a digit sounds.
const DIGIT_MS: u32 = 160;
/// The pause between two digits.
const DIGIT_PAUSE_MS: u32 = 80;

/// Tells a call's media something.
#[derive(Debug)]
pub(super) enum Tell {
    /// The peer's address and what was agreed on.
    Agreed { remote: SocketAddr, format: Format },
    /// The call is answered: speak, and follow the script.
    Answered,
    /// Press digits.
    Press(String),
    /// The call is over.
    Stop,
}

/// A digit that was heard, or pressed and sent, to its end.
#[derive(Debug)]
pub(super) struct Keyed {
    pub(super) call_id: String,
    pub(super) direction: Direction,
    /// When it ended.
    pub(super) at: SystemTime,
    pub(super) sounded: Duration,
}

/// A handle to a call's media task.
#[derive(Debug)]
pub(super) struct Media {
    tell: mpsc::UnboundedSender<Tell>,
    task: JoinHandle<()>,
    remote: SocketAddr,
}

/// What a call's media task is made of.
pub(super) struct MediaStart {
    pub(super) call_id: String,
    pub(super) sockets: RtpSockets,
    pub(super) remote: SocketAddr,
    pub(super) format: Format,
    pub(super) manner: Manner,
    pub(super) book: CallBook,
    /// The call ids of those who want to hang up.
    pub(super) hang_ups: mpsc::UnboundedSender<String>,
    /// For the trace.
    pub(super) keyed: mpsc::UnboundedSender<Keyed>,
}

impl Media {
    pub(super) async fn start(start: MediaStart) -> Result<Self, LineError> {
        let mouth = prepare(&start.manner.voice).await?;
        let (tell, told) = mpsc::unbounded_channel();
        let remote = start.remote;
        let task = tokio::spawn(Ear::new(start, mouth, told)?.run());
        Ok(Self { tell, task, remote })
    }

    pub(super) fn tell(&self, what: Tell) {
        // A task that has ended needs to be told nothing.
        let _ = self.tell.send(what);
    }

    pub(super) fn agree(&mut self, remote: SocketAddr, format: Format) {
        self.remote = remote;
        self.tell(Tell::Agreed { remote, format });
    }

    /// Ends the task; when this returns, the figures are final, the recording is complete and the ports are free.
    pub(super) async fn stop(self) {
        self.tell(Tell::Stop);
        let _ = self.task.await;
    }
}

struct Ear {
    call_id: String,
    sockets: RtpSockets,
    remote: SocketAddr,
    session: AudioSession,
    mouth: Mouth,
    script: Option<Script>,
    steps: Option<Vec<super::Step>>,
    told: mpsc::UnboundedReceiver<Tell>,
    book: CallBook,
    audio: Arc<Mutex<Vec<i16>>>,
    recording: Option<(WavWriter, PathBuf)>,
    hang_ups: mpsc::UnboundedSender<String>,
    keyed: mpsc::UnboundedSender<Keyed>,
    prompts: PromptCount,
    pressing: VecDeque<char>,
    ticks: u32,
    max_ticks: u32,
    heard_ms: u64,
    received_before: u64,
    loss: Loss,
}

impl Ear {
    fn new(
        start: MediaStart,
        mouth: Mouth,
        told: mpsc::UnboundedReceiver<Tell>,
    ) -> Result<Self, LineError> {
        let mut config = SessionConfig::new(start.format, rand::random());
        config.ntp_at_start = NtpTime::from_unix(
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        );
        let mut session = AudioSession::new(config, Instant::now());
        session.listen(true);
        let recording = match &start.manner.recordings {
            None => None,
            Some(folder) => {
                let name: String = start
                    .call_id
                    .chars()
                    .map(|c| {
                        if c.is_ascii_alphanumeric() || c == '-' {
                            c
                        } else {
                            '_'
                        }
                    })
                    .take(80)
                    .collect();
                let path = folder.join(format!("{name}.wav"));
                let made = std::fs::create_dir_all(folder)
                    .map_err(|error| error.to_string())
                    .and_then(|()| WavWriter::create(&path, 1).map_err(|error| error.to_string()));
                let writer = made.map_err(|error| {
                    LineError::Sip(format!("recording {}: {error}", path.display()))
                })?;
                Some((writer, path))
            }
        };
        let max_seconds = if start.manner.max_seconds == 0 {
            600
        } else {
            start.manner.max_seconds.min(7200)
        };
        Ok(Self {
            audio: start.book.audio_of(&start.call_id),
            call_id: start.call_id,
            sockets: start.sockets,
            remote: start.remote,
            session,
            mouth,
            script: None,
            steps: Some(start.manner.script),
            told,
            book: start.book,
            recording,
            hang_ups: start.hang_ups,
            keyed: start.keyed,
            prompts: PromptCount::default(),
            pressing: VecDeque::new(),
            ticks: 0,
            max_ticks: max_seconds.saturating_mul(1000 / FRAME_MS),
            heard_ms: 0,
            received_before: 0,
            loss: Loss::new(start.manner.loss),
        })
    }

    async fn run(mut self) {
        // Burst: a tick that is late is made up for, so that as many frames are sent as time has passed.
        let period = Duration::from_millis(u64::from(FRAME_MS));
        let mut clock = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
        clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (mut rtp, mut rtcp) = ([0; 2048], [0; 2048]);
        loop {
            tokio::select! {
                // What is told, then what has come, then the clock: a frame that is here already is not late.
                biased;
                told = self.told.recv() => match told {
                    Some(Tell::Stop) | None => break,
                    Some(tell) => self.on_told(tell),
                },
                Ok((length, from)) = self.sockets.rtp.recv_from(&mut rtp) => {
                    self.on_rtp(from, rtp.get(..length).unwrap_or_default());
                }
                Ok((length, from)) = self.sockets.rtcp.recv_from(&mut rtcp) => {
                    if from.ip() == self.remote.ip() {
                        // What is malformed is of no use, and harmless.
                        let _ = self.session.receive_rtcp(Instant::now(), rtcp.get(..length).unwrap_or_default());
                    }
                }
                _ = clock.tick() => self.tick().await,
            }
        }
        self.finish().await;
    }

    fn on_told(&mut self, tell: Tell) {
        match tell {
            Tell::Agreed { remote, format } => {
                self.remote = remote;
                self.session.set_format(format);
            }
            Tell::Answered => {
                if let Some(steps) = self.steps.take() {
                    self.script = Some(Script::new(steps));
                }
            }
            Tell::Press(digits) => self.press(&digits),
            Tell::Stop => {}
        }
    }

    fn press(&mut self, digits: &str) {
        for digit in digits.chars().filter_map(Digit::from_char) {
            let queued = self
                .session
                .send_digit(digit, DIGIT_MS)
                .and_then(|()| self.session.send_pause(DIGIT_PAUSE_MS));
            match queued {
                Ok(()) => self.pressing.push_back(digit.as_char()),
                Err(error) => tracing::warn!(%error, "a digit was not sent"),
            }
        }
    }

    fn on_rtp(&mut self, from: SocketAddr, datagram: &[u8]) {
        // The port may be another than the one that was told (symmetric RTP behind a NAT), the host may not.
        if from.ip() != self.remote.ip() {
            return;
        }
        // What is refused is counted by the session.
        let _ = self.session.receive_rtp(Instant::now(), datagram);
        while let Some(digit) = self.session.poll_digit() {
            self.book.update(&self.call_id, |call| {
                call.digits_heard.push(digit.digit.as_char())
            });
            self.note_digit(Direction::Received, digit.duration_ms);
        }
    }

    fn note_digit(&self, direction: Direction, duration_ms: u32) {
        // The line's task is gone only when the simulator stops.
        let _ = self.keyed.send(Keyed {
            call_id: self.call_id.clone(),
            direction,
            at: SystemTime::now(),
            sounded: Duration::from_millis(duration_ms.into()),
        });
    }

    async fn tick(&mut self) {
        let now = Instant::now();
        let mut frame = SILENT_FRAME;
        let heard = self.session.hear(&mut frame);
        let received = self.session.figures().packets_received;
        let new = u32::try_from(received.saturating_sub(self.received_before)).unwrap_or(u32::MAX);
        let first = self.received_before == 0 && received > 0;
        self.received_before = received;
        self.keep(&frame, heard);
        let loud = heard != Heard::Silence && is_loud(&frame);
        self.speak(now).await;
        self.ticks += 1;
        if self.prompts.tick(loud) {
            self.book.update(&self.call_id, |call| call.prompts += 1);
        }
        if !self.session.is_sending_digits() && !self.pressing.is_empty() {
            let sent: String = self.pressing.drain(..).collect();
            self.book
                .update(&self.call_id, |call| call.digits_sent.push_str(&sent));
        }
        match self
            .script
            .as_mut()
            .and_then(|script| script.tick(new, loud))
        {
            Some(Act::Press { digits }) => self.press(&digits),
            Some(Act::Say { voice }) => match prepare(&voice).await {
                Ok(mouth) => self.mouth = mouth,
                Err(error) => tracing::warn!(%error, "the voice stays as it was"),
            },
            Some(Act::HangUp) => self.want_to_hang_up(),
            None => {}
        }
        if self.ticks >= self.max_ticks {
            self.want_to_hang_up();
        }
        if first || self.ticks.is_multiple_of(FIGURES_EVERY) {
            self.publish();
        }
    }

    fn want_to_hang_up(&mut self) {
        // The line's task ends this one; if it has gone, so will this.
        let _ = self.hang_ups.send(self.call_id.clone());
        self.max_ticks = u32::MAX;
    }

    fn keep(&mut self, frame: &[i16], heard: Heard) {
        if heard == Heard::Audio {
            self.heard_ms += u64::from(FRAME_MS);
        }
        let mut audio = self.audio.lock().unwrap_or_else(PoisonError::into_inner);
        if audio.len() < MAX_SAMPLES {
            audio.extend_from_slice(frame);
        }
        drop(audio);
        if let Some((writer, path)) = &mut self.recording
            && let Err(error) = writer.write(frame)
        {
            tracing::warn!(%error, path = %path.display(), "the recording has ended");
            self.recording = None;
        }
    }

    async fn speak(&mut self, now: Instant) {
        let mut packet = [0; 512];
        // Before the answer a device is silent: early media comes from the far end only.
        let outgoing = if self.script.is_none() {
            Outgoing::Nothing
        } else {
            match self
                .mouth
                .as_mut()
                .map(skillcall_media::player::Player::step)
            {
                Some(Playing::Frame(frame)) => Outgoing::Pcm(frame.pcm()),
                _ => Outgoing::Silence,
            }
        };
        if let Some(length) = self.session.tick(now, outgoing, &mut packet)
            && !self.loss.strikes()
        {
            // A datagram that is lost here is one that is lost on the way.
            let _ = self
                .sockets
                .rtp
                .send_to(packet.get(..length).unwrap_or_default(), self.remote)
                .await;
        }
        while let Some(sent) = self.session.poll_sent_digit() {
            self.note_digit(Direction::Sent, sent.duration_ms);
        }
        if let Some(length) = self.session.poll_rtcp(now, &mut packet) {
            self.send_report(packet.get(..length).unwrap_or_default())
                .await;
        }
    }

    async fn send_report(&self, report: &[u8]) {
        if let Some(port) = self.remote.port().checked_add(1) {
            let _ = self
                .sockets
                .rtcp
                .send_to(report, SocketAddr::new(self.remote.ip(), port))
                .await;
        }
    }

    fn publish(&self) {
        let figures = self.session.figures();
        let media = MediaFigures {
            sent: figures.packets_sent,
            received: figures.packets_received,
            lost: figures.packets_lost,
            late: figures.packets_late,
            jitter_ms: figures.jitter_ms,
            mos: figures.mos(),
            heard_ms: self.heard_ms,
            codec: self.session.format().codec.name().to_owned(),
        };
        self.book
            .update(&self.call_id, |call: &mut Call| call.media = media);
    }

    async fn finish(mut self) {
        let mut packet = [0; 512];
        if let Some(length) = self.session.goodbye(Instant::now(), &mut packet) {
            self.send_report(packet.get(..length).unwrap_or_default())
                .await;
        }
        self.publish();
        if let Some((writer, path)) = self.recording.take() {
            match writer.finish() {
                Ok(()) => self
                    .book
                    .update(&self.call_id, |call| call.recording = Some(path)),
                Err(error) => {
                    tracing::warn!(%error, path = %path.display(), "the recording is not complete")
                }
            }
        }
        let seconds = self
            .audio
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
            / SAMPLE_RATE as usize;
        tracing::debug!(call = %self.call_id, seconds, "media ended");
    }
}
