//! When reports are sent (RFC 3550 §6.2, §6.3).

use std::time::Duration;

/// Seconds between reports, on average (RFC 3550 §6.2).
const MINIMUM_INTERVAL: f64 = 5.0;
/// Makes up for timer reconsideration, which settles below the average (RFC 3550 §6.3.1).
const COMPENSATION: f64 = 1.218_28;

/// Time to the next report of a session of two (RFC 3550 §6.2, §6.3.1).
///
/// `random` is uniform in 0 to 1, and spreads the reports; the first report comes in half the time. With two members
/// and 5 % of 64 kbit/s, the share of the bandwidth never asks for more than the minimum of five seconds.
pub fn report_interval(first: bool, random: f64) -> Duration {
    let minimum = if first {
        MINIMUM_INTERVAL / 2.0
    } else {
        MINIMUM_INTERVAL
    };
    Duration::from_secs_f64(minimum * (0.5 + random.clamp(0.0, 1.0)) / COMPENSATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_spread_around_five_seconds() {
        assert_eq!(
            report_interval(false, 0.0),
            Duration::from_secs_f64(2.5 / COMPENSATION)
        );
        assert_eq!(
            report_interval(false, 1.0),
            Duration::from_secs_f64(7.5 / COMPENSATION)
        );
        assert!(report_interval(true, 1.0) < Duration::from_secs_f64(3.1));
    }
}
