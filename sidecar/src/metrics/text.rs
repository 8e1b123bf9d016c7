//! The scrape as text.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Registry;

use super::family::{Family, label};
use crate::figures::{Figures, FiguresSnapshot};

/// What the answer is.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a scrape reads.
#[derive(Debug)]
pub(crate) struct Scrape {
    /// The counters.
    pub(crate) figures: std::sync::Arc<Figures>,
    /// Calls at once by known source.
    pub(crate) sources: Vec<(String, usize)>,
    /// Trunks that are to be registered with, and whether they are.
    pub(crate) registrations: Vec<(String, bool)>,
    /// STUN servers that say our public address, and whether each has answered when it was asked last.
    pub(crate) stun_servers: Vec<(String, bool)>,
    /// All trunks.
    pub(crate) trunks: Vec<TrunkScrape>,
    /// Registrations of phones.
    pub(crate) phones: usize,
    /// RTP port pairs that there are.
    pub(crate) port_pairs: usize,
    /// Calls that there may be at once.
    pub(crate) most_calls: usize,
}

/// What a scrape says of a trunk.
#[derive(Debug)]
pub(crate) struct TrunkScrape {
    /// Its name.
    pub(crate) name: String,
    /// Its targets, and whether each answers to OPTIONS; none: it is not known.
    pub(crate) targets: Vec<(String, Option<bool>)>,
    /// Calls now that came from it.
    pub(crate) calls: usize,
    /// Calls now that we have placed by it.
    pub(crate) placed: usize,
    /// What its INVITEs have come to: `in` or `out`, the outcome, how often.
    pub(crate) fates: Vec<(&'static str, &'static str, u64)>,
    /// Calls of it that its share did not admit.
    pub(crate) refused: u64,
}

impl Scrape {
    /// The text.
    ///
    /// # Errors
    /// None in practice: a `String` takes everything.
    pub(crate) fn into_text(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut family = Family {
            encoder: &mut encoder,
        };
        let now = self.figures.snapshot();
        self.calls(&mut family, &now)?;
        self.sip(&mut family, &now)?;
        self.guard(&mut family, &now)?;
        self.media(&mut family, &now)?;
        self.process(&mut family, &now)
    }
}

impl Scrape {
    fn sip(&self, family: &mut Family<'_, '_>, now: &FiguresSnapshot) -> fmt::Result {
        let sip = &self.figures.sip;
        family.counters(
            "skillcall_sip_requests",
            "SIP requests, repetitions included",
            sip.requests().map(|(direction, method, count)| {
                let labels = [
                    ("direction", direction.to_owned()),
                    ("method", method.to_owned()),
                ];
                (labels, count)
            }),
        )?;
        family.counters(
            "skillcall_sip_responses",
            "SIP responses, repetitions included",
            sip.responses().map(|(direction, status, count)| {
                let labels = [
                    ("direction", direction.to_owned()),
                    ("status", status.to_string()),
                ];
                (labels, count)
            }),
        )?;
        family.counter(
            "skillcall_sip_malformed",
            "What came and was no SIP message",
            now.sip_malformed,
        )?;
        family.counter(
            "skillcall_sip_dropped",
            "Messages dropped because a worker's queue was full",
            now.sip_dropped,
        )?;
        family.gauge(
            "skillcall_sip_transactions",
            "Transactions now",
            now.transactions,
        )?;
        family.gauge(
            "skillcall_sip_connections",
            "Connections of SIP now",
            now.connections,
        )
    }

    fn guard(&self, family: &mut Family<'_, '_>, now: &FiguresSnapshot) -> fmt::Result {
        family.gauge(
            "skillcall_phones",
            "Registrations of phones now",
            self.phones,
        )?;
        family.counter(
            "skillcall_phone_registrations",
            "REGISTERs of phones that took effect",
            now.registrations,
        )?;
        family.counter(
            "skillcall_wrong_credentials",
            "Requests with wrong credentials",
            now.wrong_credentials,
        )?;
        family.gauge("skillcall_bans", "Strangers banned now", now.bans)?;
        family.counter("skillcall_bans_begun", "Bans", now.bans_total)?;
        family.counter(
            "skillcall_banned_messages",
            "Messages of banned strangers, which were not heard",
            now.unheard,
        )?;
        family.counter(
            "skillcall_strangers_silenced",
            "Messages of strangers that got no answer",
            now.strangers_silenced,
        )
    }

    fn media(&self, family: &mut Family<'_, '_>, now: &FiguresSnapshot) -> fmt::Result {
        let observed = &self.figures.observed;
        family.counters(
            "skillcall_rtp_packets",
            "RTP packets of legs that have ended",
            [
                (label("direction", "sent"), now.rtp_sent),
                (label("direction", "received"), now.rtp_received),
            ],
        )?;
        family.counter(
            "skillcall_rtp_packets_lost",
            "RTP packets that never came, of legs that have ended",
            now.rtp_lost,
        )?;
        family.counter(
            "skillcall_rtp_packets_late",
            "RTP packets that came too late to be heard, of legs that have ended",
            now.rtp_late,
        )?;
        family.distribution(
            "skillcall_rtp_jitter_seconds",
            "The highest interarrival jitter of each leg that has ended",
            &observed.jitter,
        )?;
        family.gauge(
            "skillcall_rtp_port_pairs",
            "RTP port pairs in use now",
            now.port_pairs,
        )?;
        family.gauge(
            "skillcall_rtp_port_pairs_limit",
            "RTP port pairs that there are",
            self.port_pairs,
        )?;
        family.gauge(
            "skillcall_recordings",
            "Recordings being written now",
            now.recordings,
        )?;
        family.counter(
            "skillcall_late_ticks",
            "Packet times that came more than 10 ms late",
            now.late_ticks,
        )
    }

    fn process(&self, family: &mut Family<'_, '_>, now: &FiguresSnapshot) -> fmt::Result {
        family.counter(
            "skillcall_worker_panics",
            "Workers that panicked; their calls were lost",
            now.worker_panics,
        )?;
        family.gauge(
            "skillcall_predecessors",
            "Processes that were taken over from and still have calls",
            now.predecessors,
        )?;
        family.counter(
            "skillcall_handover_messages",
            "SIP messages passed on to the other process after a hand-over",
            now.handover_passed,
        )?;
        family.counter(
            "skillcall_handover_dropped",
            "What the other process was to be told and could not be",
            now.handover_dropped,
        )?;
        family.counter(
            "skillcall_calls_untraced",
            "Calls beyond [trace] calls-per-second",
            now.calls_untraced,
        )?;
        family.counter(
            "skillcall_trace_dropped",
            "Trace records that found no room",
            now.trace_dropped,
        )?;
        family.gauge(
            "process_open_fds",
            "File handles of the process",
            now.open_files,
        )?;
        family.gauge(
            "process_resident_memory_bytes",
            "Memory of the process that lies in RAM; 0 where the system does not tell",
            resident_bytes(),
        )
    }
}

/// Memory of the process in RAM.
fn resident_bytes() -> usize {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        return 0;
    };
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<usize>().ok());
    kib.map_or(0, |kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn a_scrape_reads_as_openmetrics() {
        let figures = Arc::new(Figures::default());
        figures.calls.store(3, Ordering::Relaxed);
        figures.calls_up.store(2, Ordering::Relaxed);
        figures.sip.sent(b"SIP/2.0 486 Busy Here\r\n");
        figures.observed.handler.add(0.03);
        let scrape = Scrape {
            registrations: vec![("pbx".to_owned(), true)],
            stun_servers: vec![("192.0.2.1:3478".to_owned(), true)],
            phones: 3,
            figures,
            sources: vec![("192.0.2.0/24".into(), 4)],
            port_pairs: 500,
            most_calls: 2000,
            trunks: vec![TrunkScrape {
                name: "pbx".to_owned(),
                targets: vec![
                    ("a.example".to_owned(), Some(false)),
                    ("b.example".to_owned(), None),
                ],
                calls: 3,
                placed: 2,
                fates: vec![("out", "4xx", 5)],
                refused: 4,
            }],
        };
        let text = scrape.into_text().unwrap();
        for line in [
            "skillcall_calls{state=\"unanswered\"} 1",
            "skillcall_calls{state=\"answered\"} 2",
            "skillcall_sip_responses_total{direction=\"sent\",status=\"486\"} 1",
            "skillcall_trunk_calls_placed{trunk=\"pbx\"} 2",
            "skillcall_trunk_invites_total{trunk=\"pbx\",direction=\"out\",outcome=\"4xx\"} 5",
            "skillcall_source_calls{source=\"192.0.2.0/24\"} 4",
            "skillcall_handler_duration_seconds_bucket{le=\"0.05\"} 1",
            "skillcall_handler_duration_seconds_count 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\nin\n{text}");
        }
        let memory = text
            .lines()
            .find_map(|line| line.strip_prefix("process_resident_memory_bytes "))
            .unwrap();
        assert!(memory.parse::<usize>().unwrap() > 1 << 20, "{memory}");
    }
}
