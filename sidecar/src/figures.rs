//! Counters of the whole process, for the control API and the leak tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use serde::Serialize;
use skillcall_media::quality::Figures as LegFigures;

use crate::metrics::{Observed, SipCounts};

macro_rules! figures {
    (now { $($(#[$now_doc:meta])* $now:ident),+ $(,)? } total { $($(#[$total_doc:meta])* $total:ident),+ $(,)? }) => {
        /// Counters; written by all threads, never per RTP packet.
        #[derive(Debug, Default)]
        pub(crate) struct Figures {
            $($(#[$now_doc])* pub(crate) $now: AtomicUsize,)+
            $($(#[$total_doc])* pub(crate) $total: AtomicU64,)+
            /// SIP messages by method and status.
            pub(crate) sip: SipCounts,
            /// Distributions.
            pub(crate) observed: Observed,
        }

        /// The counters at one moment.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct FiguresSnapshot {
            $($(#[$now_doc])* pub $now: usize,)+
            $($(#[$total_doc])* pub $total: u64,)+
            /// File handles of the process; 0 where the system does not tell.
            pub open_files: usize,
        }

        impl Figures {
            pub(crate) fn snapshot(&self) -> FiguresSnapshot {
                FiguresSnapshot {
                    $($now: self.$now.load(Ordering::Relaxed),)+
                    $($total: self.$total.load(Ordering::Relaxed),)+
                    open_files: std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count().saturating_sub(1)),
                }
            }
        }
    };
}

figures! {
    now {
        /// Calls now.
        calls,
        /// Calls now that were answered.
        calls_up,
        /// Legs now, of all calls.
        legs,
        /// RTP port pairs in use now.
        port_pairs,
        /// RTP and RTCP sockets now.
        sockets,
        /// TCP connections of SIP now.
        connections,
        /// Recordings being written now.
        recordings,
        /// Events being posted to handlers now.
        asking,
        /// SIP transactions now.
        transactions,
        /// Strangers that are banned now.
        bans,
        /// Processes now that this one has taken over from, and that still have calls: one or none.
        predecessors,
    }
    total {
        /// SIP messages received.
        sip_received,
        /// What came to a SIP listener and was no SIP message.
        sip_malformed,
        /// Messages dropped because a worker's queue was full.
        sip_dropped,
        /// Requests from addresses that are not listed.
        refused_source,
        /// INVITEs of skills that are not listed.
        refused_skill,
        /// INVITEs whose client session has a call.
        refused_session,
        /// INVITEs refused with 503.
        refused_overload,
        /// INVITEs refused with 503 because their source has its share.
        refused_share,
        /// Outgoing calls that a limit of `[toll]` or of their route refused.
        refused_toll,
        /// REGISTERs of phones that took effect.
        registrations,
        /// Requests with wrong credentials.
        wrong_credentials,
        /// Messages of strangers that got no answer.
        strangers_silenced,
        /// Bans.
        bans_total,
        /// Messages of banned strangers.
        unheard,
        /// Messages that the HEP collector was not told, because too many waited.
        hep_dropped,
        /// Spans that the collector has taken.
        spans_exported,
        /// Spans that it has not, and trace records that no spans were made of because too many waited.
        spans_dropped,
        /// Calls taken.
        calls_total,
        /// Calls that were answered.
        calls_answered,
        /// Answered calls that have ended.
        calls_completed,
        /// Calls that ended without having been answered.
        calls_unanswered,
        /// Exchanges with handlers that brought no usable reply.
        handler_failures,
        /// Messages of CallSignaling that came from Alexa, each once.
        signaling_received,
        /// Attempts to post a message of CallSignaling to Alexa.
        signaling_sent,
        /// Calls between Alexa devices and phones.
        gateway_calls,
        /// Such calls that have ended.
        gateway_ended,
        /// Such attempts that Alexa refused, or that reached nobody.
        signaling_failures,
        /// RTP packets sent, of legs that have ended.
        rtp_sent,
        /// RTP packets received, of legs that have ended.
        rtp_received,
        /// RTP packets that never came, of legs that have ended.
        rtp_lost,
        /// RTP packets that came too late, of legs that have ended.
        rtp_late,
        /// Ticks of 20 ms that came more than 10 ms late.
        late_ticks,
        /// Calls beyond `[trace] calls-per-second`.
        calls_untraced,
        /// Trace records that found no room.
        trace_dropped,
        /// Workers that panicked and were started anew; their calls were lost.
        worker_panics,
        /// SIP messages passed on to the other process after a hand-over.
        handover_passed,
        /// What the other process was to be told and could not be, because too much waited or it was gone.
        handover_dropped,
    }
}

impl Figures {
    /// Adds what a leg's audio was.
    pub(crate) fn leg_ended(&self, leg: &LegFigures) {
        for (total, of_leg) in [
            (&self.rtp_sent, leg.packets_sent),
            (&self.rtp_received, leg.packets_received),
            (&self.rtp_lost, leg.packets_lost),
            (&self.rtp_late, leg.packets_late),
        ] {
            total.fetch_add(of_leg, Ordering::Relaxed);
        }
        if leg.packets_received > 0 {
            self.observed.jitter.add(leg.jitter_max_ms / 1000.0);
        }
    }
}

/// Counts one more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A share of a counter of what there is now. Dropping it gives the share back, also when a panic drops its owner.
#[derive(Debug)]
pub(crate) struct Held {
    figures: Arc<Figures>,
    counter: fn(&Figures) -> &AtomicUsize,
    amount: usize,
}

impl Held {
    /// Adds `amount` to a counter for as long as the result lives.
    pub(crate) fn new(
        figures: &Arc<Figures>,
        counter: fn(&Figures) -> &AtomicUsize,
        amount: usize,
    ) -> Self {
        counter(figures).fetch_add(amount, Ordering::Relaxed);
        Self {
            figures: Arc::clone(figures),
            counter,
            amount,
        }
    }

    /// What is held.
    pub(crate) fn amount(&self) -> usize {
        self.amount
    }

    /// Adds one to a counter that may go up to `most`; none when it is there.
    pub(crate) fn one_of(
        figures: &Arc<Figures>,
        counter: fn(&Figures) -> &AtomicUsize,
        most: usize,
    ) -> Option<Self> {
        let held = Self {
            figures: Arc::clone(figures),
            counter,
            amount: 1,
        };
        // Too many are given back by dropping it.
        (counter(figures).fetch_add(1, Ordering::Relaxed) < most).then_some(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        (self.counter)(&self.figures).fetch_sub(self.amount, Ordering::Relaxed);
    }
}
