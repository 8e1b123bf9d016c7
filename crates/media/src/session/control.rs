//! Reports of the leg: when they are due, what they say, and what the peer's say (RFC 3550 §6).

use std::time::{Duration, Instant};

use super::{AudioSession, Random};
use crate::{
    SAMPLES_PER_MS,
    quality::Figures,
    reception::Reception,
    rtcp::{
        Compound, NtpTime, ReportBlock, RtcpError, RtcpPacket, SenderInfo, report_interval,
        write_compound,
    },
};

#[derive(Clone, Debug)]
pub(super) struct Control {
    cname: String,
    ntp_at_start: NtpTime,
    start: Instant,
    due: Instant,
    random: Random,
    /// Packets sent when the last report was made: an SR is sent only if there are new ones.
    reported_packets: u64,
    /// Time of the source's last SR, as it gives it, and when it came.
    last_report: Option<(u32, Instant)>,
    round_trip: Option<Duration>,
    remote_loss: Option<f64>,
    remote_jitter: Option<u32>,
    goodbye: bool,
    /// Whether a report was written.
    reported: bool,
}

impl Control {
    pub(super) fn new(
        cname: String,
        ntp_at_start: NtpTime,
        now: Instant,
        mut random: Random,
    ) -> Self {
        let due = now + report_interval(true, random.unit());
        Self {
            cname,
            ntp_at_start,
            start: now,
            due,
            random,
            reported_packets: 0,
            last_report: None,
            round_trip: None,
            remote_loss: None,
            remote_jitter: None,
            goodbye: false,
            reported: false,
        }
    }

    pub(super) fn change_source(&mut self) {
        self.last_report = None;
        self.goodbye = false;
    }

    fn ntp(&self, now: Instant) -> NtpTime {
        self.ntp_at_start
            .plus(now.saturating_duration_since(self.start))
    }

    pub(super) fn add_to(&self, figures: &mut Figures) {
        figures.round_trip_ms = self.round_trip.map(|time| time.as_secs_f64() * 1_000.0);
        figures.remote_loss = self.remote_loss;
        figures.remote_jitter_ms = self
            .remote_jitter
            .map(|jitter| f64::from(jitter) / f64::from(SAMPLES_PER_MS));
    }

    fn block(&self, now: Instant, reception: &mut Reception) -> ReportBlock {
        let (last_report, delay_since_last) = self.last_report.map_or((0, 0), |(middle, at)| {
            let units = now.saturating_duration_since(at).as_secs_f64() * 65_536.0;
            (middle, units as u32)
        });
        ReportBlock {
            ssrc: reception.ssrc(),
            fraction_lost: reception.fraction_lost(),
            lost: i32::try_from(reception.lost()).unwrap_or(i32::MAX),
            highest: reception.extended_highest(),
            jitter: reception.jitter() as u32,
            last_report,
            delay_since_last,
        }
    }
}

impl AudioSession {
    /// When [`AudioSession::poll_rtcp`] has something next.
    pub fn rtcp_due(&self) -> Instant {
        self.control.due
    }

    /// Writes the report that is due into `out` and returns its length; `None` when none is, or `out` is too short
    /// (500 bytes suffice).
    pub fn poll_rtcp(&mut self, now: Instant, out: &mut [u8]) -> Option<usize> {
        if now < self.control.due {
            return None;
        }
        self.control.due = now + report_interval(false, self.control.random.unit());
        self.write_report(now, out, false)
    }

    /// Writes a last report with a BYE into `out` and returns its length: the leg ends. None when nothing
    /// was ever sent: who was never heard of does not take leave (RFC 3550 §6.3.7).
    pub fn goodbye(&mut self, now: Instant, out: &mut [u8]) -> Option<usize> {
        if self.packets_sent == 0 && !self.control.reported {
            return None;
        }
        self.write_report(now, out, true)
    }

    fn write_report(&mut self, now: Instant, out: &mut [u8], leaving: bool) -> Option<usize> {
        self.control.reported = true;
        let sends = self.packets_sent > self.control.reported_packets;
        self.control.reported_packets = self.packets_sent;
        let sender = sends.then(|| SenderInfo {
            ntp: self.control.ntp(now),
            rtp: self.clock.timestamp(now).0,
            packets: self.packets_sent as u32,
            bytes: self.bytes_sent as u32,
        });
        let block = self
            .incoming
            .reception_mut()
            .map(|reception| self.control.block(now, reception));
        write_compound(
            out,
            self.ssrc,
            sender,
            block.as_slice(),
            &self.control.cname,
            leaving,
        )
    }

    /// Takes an RTCP datagram of the peer.
    ///
    /// # Errors
    /// [`RtcpError`] when it is malformed; what came before the fault is used.
    pub fn receive_rtcp(&mut self, now: Instant, datagram: &[u8]) -> Result<(), RtcpError> {
        for packet in Compound::new(datagram) {
            match packet? {
                RtcpPacket::Report {
                    ssrc,
                    sender,
                    blocks,
                } => {
                    if let Some(sender) = sender
                        && self.incoming.ssrc() == Some(ssrc)
                    {
                        self.control.last_report = Some((sender.ntp.middle(), now));
                    }
                    for block in blocks.iter().filter(|block| block.ssrc == self.ssrc) {
                        self.control.remote_loss = Some(f64::from(block.fraction_lost) / 256.0);
                        self.control.remote_jitter = Some(block.jitter);
                        let round_trip = block.round_trip(self.control.ntp(now));
                        self.control.round_trip = round_trip.or(self.control.round_trip);
                    }
                }
                RtcpPacket::Goodbye(sources) => {
                    let ours = self.incoming.ssrc();
                    self.control.goodbye |= sources.iter().any(|source| Some(source) == ours);
                }
                RtcpPacket::Description(_)
                | RtcpPacket::Feedback { .. }
                | RtcpPacket::Other { .. } => {}
            }
        }
        Ok(())
    }

    /// Our canonical name in reports.
    pub fn cname(&self) -> &str {
        &self.control.cname
    }

    /// Whether the peer's source has said goodbye. SIP's BYE decides over the call, not this.
    pub fn has_left(&self) -> bool {
        self.control.goodbye
    }
}
