//! How good a leg sounds: its counters, and the E-model's estimate of them (ITU-T G.107).

use std::time::Duration;

/// The transmission rating with all parameters at their defaults (ITU-T G.107 §7.7).
const BEST_R: f64 = 93.2;
/// Equipment impairment of G.711 (ITU-T G.113 table I.1).
const G711_IE: f64 = 0.0;
/// Robustness of G.711 with concealment against random loss (ITU-T G.113 table I.4).
const G711_BPL: f64 = 25.1;

/// Transmission rating R, 0 to 93.2, of a G.711 leg with concealment (ITU-T G.107, simplified).
///
/// `one_way_delay` is mouth to ear as far as known; `loss` is the share of frames that could not be played, 0 to 1.
pub fn transmission_rating(one_way_delay: Duration, loss: f64) -> f64 {
    let delay_ms = one_way_delay.as_secs_f64() * 1_000.0;
    let delay_impairment = 0.024 * delay_ms
        + if delay_ms > 177.3 {
            0.11 * (delay_ms - 177.3)
        } else {
            0.0
        };
    let loss_percent = loss.clamp(0.0, 1.0) * 100.0;
    let equipment = G711_IE + (95.0 - G711_IE) * loss_percent / (loss_percent + G711_BPL);
    (BEST_R - delay_impairment - equipment).max(0.0)
}

/// Mean opinion score, 1 to 4.5, of a rating (ITU-T G.107 annex B).
pub fn mean_opinion_score(rating: f64) -> f64 {
    let r = rating.clamp(0.0, 100.0);
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).clamp(1.0, 4.5)
}

/// The figures of one leg, since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// RTP packets sent.
    pub packets_sent: u64,
    /// Bytes of payload sent.
    pub bytes_sent: u64,
    /// RTP packets received, without duplicates, from all sources.
    pub packets_received: u64,
    /// Packets that should have been received.
    pub packets_expected: u64,
    /// Packets that have not come.
    pub packets_lost: u64,
    /// Packets received more than once.
    pub packets_duplicated: u64,
    /// Packets received behind a later one.
    pub packets_reordered: u64,
    /// Packets that came after their time to be played. Counted only while somebody listens.
    pub packets_late: u64,
    /// Datagrams that were no RTP of this leg.
    pub packets_rejected: u64,
    /// Frames that were made up for lost or late ones.
    pub frames_concealed: u64,
    /// Frames played, made up or silent.
    pub frames_played: u64,
    /// Times the source changed.
    pub source_changes: u64,
    /// Interarrival jitter now (RFC 3550 §6.4.1), in milliseconds.
    pub jitter_ms: f64,
    /// The highest that it has been.
    pub jitter_max_ms: f64,
    /// Delay of the jitter buffer now, in milliseconds; 0 while nobody listens.
    pub buffer_ms: u32,
    /// Round trip by RTCP, in milliseconds.
    pub round_trip_ms: Option<f64>,
    /// Share of our packets that the peer reports lost lately, 0 to 1.
    pub remote_loss: Option<f64>,
    /// Jitter that the peer reports, in milliseconds.
    pub remote_jitter_ms: Option<f64>,
    /// Digits received.
    pub digits_received: u64,
    /// Digits queued for sending.
    pub digits_sent: u64,
}

impl Figures {
    /// Share of the expected packets that did not come, or came too late, 0 to 1.
    pub fn loss(&self) -> f64 {
        let missed = self.packets_lost.saturating_add(self.packets_late);
        if self.packets_expected == 0 {
            0.0
        } else {
            (missed as f64 / self.packets_expected as f64).min(1.0)
        }
    }

    /// Estimated one-way delay: half the round trip, one packet, and the jitter buffer.
    pub fn one_way_delay(&self) -> Duration {
        let ms =
            self.round_trip_ms.unwrap_or(0.0) / 2.0 + f64::from(crate::FRAME_MS + self.buffer_ms);
        Duration::try_from_secs_f64(ms / 1_000.0).unwrap_or_default()
    }

    /// Transmission rating R of what this leg receives.
    pub fn rating(&self) -> f64 {
        transmission_rating(self.one_way_delay(), self.loss())
    }

    /// Mean opinion score of what this leg receives, 1 to 4.5; `None` before anything was received.
    pub fn mos(&self) -> Option<f64> {
        (self.packets_received > 0).then(|| mean_opinion_score(self.rating()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratings_and_scores_of_the_recommendation() {
        let ms = Duration::from_millis;
        assert!((transmission_rating(ms(0), 0.0) - 93.2).abs() < 1e-9);
        assert!((mean_opinion_score(93.2) - 4.41).abs() < 0.01);
        assert!((mean_opinion_score(50.0) - 2.58).abs() < 0.01);
        assert_eq!(mean_opinion_score(0.0), 1.0);
        // 5 % loss: 95 * 5 / 30.1 = 15.78.
        assert!((transmission_rating(ms(0), 0.05) - (93.2 - 15.78)).abs() < 0.01);
        assert!(transmission_rating(ms(400), 0.0) < 60.0);
        assert!(transmission_rating(ms(10_000), 1.0) >= 0.0);
    }

    #[test]
    fn late_packets_count_as_lost() {
        let figures = Figures {
            packets_expected: 100,
            packets_received: 98,
            packets_lost: 2,
            packets_late: 3,
            ..Default::default()
        };
        assert!((figures.loss() - 0.05).abs() < 1e-9);
        assert!(figures.mos().unwrap() < 4.2);
        assert_eq!(Figures::default().mos(), None);
    }
}
