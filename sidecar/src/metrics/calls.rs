//! What a scrape says of calls and of trunks.

use std::fmt;

use prometheus_client::encoding::EncodeMetric;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use super::family::{Family, label};
use super::text::Scrape;
use crate::figures::FiguresSnapshot;

impl Scrape {
    pub(super) fn calls(&self, family: &mut Family<'_, '_>, now: &FiguresSnapshot) -> fmt::Result {
        let up = now.calls_up.min(now.calls);
        family.gauges(
            "skillcall_calls",
            "Calls now, by whether they were answered",
            "state",
            [
                ("unanswered".to_owned(), now.calls - up),
                ("answered".to_owned(), up),
            ],
        )?;
        family.gauge(
            "skillcall_calls_limit",
            "Calls that there may be at once",
            self.most_calls,
        )?;
        family.gauge("skillcall_legs", "Legs of all calls now", now.legs)?;
        family.counter("skillcall_calls_taken", "Calls taken", now.calls_total)?;
        family.counters(
            "skillcall_calls_ended",
            "Calls that ended, by whether they were answered",
            [
                (label("outcome", "answered"), now.calls_completed),
                (label("outcome", "unanswered"), now.calls_unanswered),
            ],
        )?;
        family.counters(
            "skillcall_calls_refused",
            "Requests that would have begun a call or dialog and were refused, by reason",
            [
                (label("reason", "stranger"), now.refused_source),
                (label("reason", "skill"), now.refused_skill),
                (label("reason", "session"), now.refused_session),
                (label("reason", "overload"), now.refused_overload),
                (label("reason", "source-share"), now.refused_share),
                (label("reason", "toll"), now.refused_toll),
            ],
        )?;
        family.counters(
            "skillcall_spans",
            "Spans for OpenTelemetry, by whether the collector has taken them",
            [
                (label("outcome", "exported"), now.spans_exported),
                (label("outcome", "dropped"), now.spans_dropped),
            ],
        )?;
        family.gauges(
            "skillcall_source_calls",
            "Calls now that came from a known source",
            "source",
            self.sources.iter().cloned(),
        )?;
        family.gauges(
            "skillcall_trunk_registered",
            "Whether the sidecar is registered with a trunk: 1 or 0",
            "trunk",
            self.registrations
                .iter()
                .map(|(trunk, registered)| (trunk.clone(), usize::from(*registered))),
        )?;
        family.gauges(
            "skillcall_stun_server_answers",
            "Whether a STUN server of a public address has answered when it was asked last: 1 or 0",
            "server",
            self.stun_servers
                .iter()
                .map(|(server, answers)| (server.clone(), usize::from(*answers))),
        )?;
        self.trunks(family)?;
        let observed = &self.figures.observed;
        family.distribution(
            "skillcall_call_duration_seconds",
            "How long calls lasted",
            &observed.call,
        )?;
        family.distribution(
            "skillcall_handler_duration_seconds",
            "How long handlers took to answer, or to fail",
            &observed.handler,
        )?;
        family.gauge(
            "skillcall_handler_requests",
            "Events being posted to handlers now",
            now.asking,
        )?;
        family.counter(
            "skillcall_handler_failures",
            "Exchanges with handlers that brought no usable reply",
            now.handler_failures,
        )?;
        family.gauge(
            "skillcall_gateway_calls",
            "Calls between Alexa devices and phones now",
            usize::try_from(now.gateway_calls.saturating_sub(now.gateway_ended)).unwrap_or(0),
        )?;
        for (name, help, value) in [
            (
                "skillcall_gateway_calls_begun",
                "Calls between Alexa devices and phones",
                now.gateway_calls,
            ),
            (
                "skillcall_signaling_received",
                "Messages of CallSignaling from Alexa, each once",
                now.signaling_received,
            ),
            (
                "skillcall_signaling_sent",
                "Attempts to post a message of CallSignaling to Alexa",
                now.signaling_sent,
            ),
            (
                "skillcall_signaling_failures",
                "Attempts that Alexa refused, or that reached nobody",
                now.signaling_failures,
            ),
        ] {
            family.counter(name, help, value)?;
        }
        Ok(())
    }

    fn trunks(&self, family: &mut Family<'_, '_>) -> fmt::Result {
        let mut encoder = family.encoder.encode_descriptor(
            "skillcall_trunk_target_up",
            "Whether a trunk's target answers to OPTIONS: 1 or 0; missing where it is not known",
            None,
            MetricType::Gauge,
        )?;
        for trunk in &self.trunks {
            for (target, up) in &trunk.targets {
                let Some(up) = up else { continue };
                let labels = [("trunk", trunk.name.as_str()), ("target", target.as_str())];
                ConstGauge::new(i64::from(*up)).encode(encoder.encode_family(&labels)?)?;
            }
        }
        family.gauges(
            "skillcall_trunk_calls",
            "Calls now that came from a trunk",
            "trunk",
            (self.trunks.iter()).map(|trunk| (trunk.name.clone(), trunk.calls)),
        )?;
        family.gauges(
            "skillcall_trunk_calls_placed",
            "Calls now that the sidecar has placed by a trunk",
            "trunk",
            (self.trunks.iter()).map(|trunk| (trunk.name.clone(), trunk.placed)),
        )?;
        family.counters(
            "skillcall_trunk_invites",
            "What INVITEs of a trunk (in) and to it (out) have come to",
            self.trunks.iter().flat_map(|trunk| {
                trunk.fates.iter().map(|(way, fate, count)| {
                    let labels = [
                        ("trunk", trunk.name.clone()),
                        ("direction", (*way).to_owned()),
                        ("outcome", (*fate).to_owned()),
                    ];
                    (labels, *count)
                })
            }),
        )?;
        family.counters(
            "skillcall_trunk_calls_refused",
            "Calls of a trunk that its share did not admit",
            (self.trunks.iter()).map(|trunk| (label("trunk", &trunk.name), trunk.refused)),
        )
    }
}
