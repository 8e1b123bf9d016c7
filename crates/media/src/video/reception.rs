//! What comes of the peer's video: which source, and what was lost of it.

use std::time::{Duration, Instant};

use super::CLOCK;
use crate::{
    reception::{Arrival, Reception},
    rtcp::{NtpTime, ReportBlock},
    rtp::{RtpHeader, Timestamp},
};

/// How long the source must have been silent before another one takes its place: a peer has one camera, and packets of two would be one
/// stream of nonsense.
const SILENT: Duration = Duration::from_millis(200);

/// The peer's source.
#[derive(Clone, Debug)]
pub(super) struct VideoReception {
    start: Instant,
    source: Option<Source>,
}

#[derive(Clone, Debug)]
struct Source {
    counters: Reception,
    heard: Instant,
    transit: Option<i64>,
    jitter: f64,
    report: Option<(u32, Instant)>,
}

impl VideoReception {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            start: now,
            source: None,
        }
    }

    pub(super) fn ssrc(&self) -> Option<u32> {
        self.source.as_ref().map(|source| source.counters.ssrc())
    }

    /// Counts a packet; false: it is not to be relayed.
    pub(super) fn take(&mut self, now: Instant, header: &RtpHeader) -> bool {
        let other = self.source.as_ref().is_some_and(|source| {
            source.counters.ssrc() != header.ssrc
                && now.saturating_duration_since(source.heard) < SILENT
        });
        if other {
            return false;
        }
        let start = self.start;
        let source = self
            .source
            .take_if(|source| source.counters.ssrc() == header.ssrc)
            .unwrap_or_else(|| Source {
                counters: Reception::new(now, header.ssrc, header.sequence),
                heard: now,
                transit: None,
                jitter: 0.0,
                report: None,
            });
        let source = self.source.insert(source);
        let arrival = source
            .counters
            .arrive(now, header.sequence, header.timestamp, false);
        match arrival {
            Arrival::Duplicate | Arrival::Jump => false,
            Arrival::InOrder | Arrival::Reordered => {
                source.heard = now;
                source.note_transit(now.saturating_duration_since(start), header.timestamp);
                true
            }
        }
    }

    pub(super) fn take_report(&mut self, now: Instant, ssrc: u32, ntp: NtpTime) {
        if let Some(source) = &mut self.source
            && source.counters.ssrc() == ssrc
        {
            source.report = Some((ntp.middle(), now));
        }
    }

    pub(super) fn block(&mut self, now: Instant) -> Option<ReportBlock> {
        let source = self.source.as_mut()?;
        let (last_report, delay_since_last) = source.report.map_or((0, 0), |(middle, at)| {
            let units = now.saturating_duration_since(at).as_secs_f64() * 65_536.0;
            (middle, units as u32)
        });
        Some(ReportBlock {
            ssrc: source.counters.ssrc(),
            fraction_lost: source.counters.fraction_lost(),
            lost: i32::try_from(source.counters.lost()).unwrap_or(i32::MAX),
            highest: source.counters.extended_highest(),
            jitter: source.jitter as u32,
            last_report,
            delay_since_last,
        })
    }
}

impl Source {
    /// RFC 3550 §A.8.
    fn note_transit(&mut self, arrival: Duration, timestamp: Timestamp) {
        let arrival = (arrival.as_micros() * u128::from(CLOCK) / 1_000_000) as u32;
        let transit = i64::from(Timestamp(arrival).since(timestamp));
        if let Some(before) = self.transit.replace(transit) {
            let difference = (transit - before).unsigned_abs() as f64;
            // A pause of the sender's is no jitter.
            if difference < f64::from(CLOCK) {
                self.jitter += (difference - self.jitter) / 16.0;
            }
        }
    }
}
