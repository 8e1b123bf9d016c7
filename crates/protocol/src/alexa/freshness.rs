//! How old a request may be (facts B).

use std::time::Duration;

use jiff::Timestamp;

/// The age up to which requests are taken (facts B). The same holds for the future, which is our
/// choice: no rule is published.
pub const TOLERANCE: Duration = Duration::from_secs(150);

/// The age up to which the five skill events are taken (facts B).
pub const SKILL_EVENT_TOLERANCE: Duration = Duration::from_secs(3600);

/// The events with the longer tolerance (facts B).
const SKILL_EVENTS: [&str; 5] = [
    "AlexaSkillEvent.SkillEnabled",
    "AlexaSkillEvent.SkillDisabled",
    "AlexaSkillEvent.SkillPermissionChanged",
    "AlexaSkillEvent.SkillPermissionAccepted",
    "AlexaSkillEvent.SkillAccountLinked",
];

/// Why a request is too old, too new or without time (facts B).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FreshnessError {
    /// There is no time stamp.
    #[error("request.timestamp is missing")]
    Missing,
    /// The time stamp is no RFC 3339 time.
    #[error("request.timestamp is no RFC 3339 time such as 2024-05-01T10:11:12Z")]
    Malformed,
    /// The request is too old.
    #[error(
        "request.timestamp is {age} s old; at most {tolerance} s are taken (is this machine's clock right?)"
    )]
    Old {
        /// Its age in seconds.
        age: i64,
        /// The seconds that are taken.
        tolerance: u64,
    },
    /// The request is from the future.
    #[error(
        "request.timestamp is {ahead} s ahead; at most {tolerance} s are taken (is this machine's clock right?)"
    )]
    Future {
        /// Seconds ahead of now.
        ahead: i64,
        /// The seconds that are taken.
        tolerance: u64,
    },
}

/// The rule, with the tolerance of this installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    tolerance: Duration,
}

impl Default for Freshness {
    fn default() -> Self {
        Self {
            tolerance: TOLERANCE,
        }
    }
}

impl Freshness {
    /// A tolerance of one's own; above 150 s it is 150 s (facts B).
    #[must_use]
    pub fn within(tolerance: Duration) -> Self {
        Self {
            tolerance: tolerance.min(TOLERANCE),
        }
    }

    /// The tolerance that a request type has.
    #[must_use]
    pub fn tolerance(&self, type_name: &str) -> Duration {
        if SKILL_EVENTS.contains(&type_name) {
            SKILL_EVENT_TOLERANCE
        } else {
            self.tolerance
        }
    }

    /// Checks `request.timestamp` against `now`, in seconds since the Unix epoch.
    ///
    /// # Errors
    /// When it is missing, no time, older than the tolerance, or further ahead than 150 s.
    pub fn check(
        &self,
        type_name: &str,
        timestamp: Option<&str>,
        now: i64,
    ) -> Result<(), FreshnessError> {
        let text = timestamp.ok_or(FreshnessError::Missing)?;
        let stamp: Timestamp = text.parse().map_err(|_| FreshnessError::Malformed)?;
        let age = now.saturating_sub(stamp.as_second());
        let tolerance = self.tolerance(type_name).as_secs();
        if age > i64::try_from(tolerance).unwrap_or(i64::MAX) {
            return Err(FreshnessError::Old { age, tolerance });
        }
        let ahead = age.saturating_neg();
        if ahead > i64::try_from(self.tolerance.as_secs()).unwrap_or(i64::MAX) {
            return Err(FreshnessError::Future {
                ahead,
                tolerance: self.tolerance.as_secs(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_714_558_272; // 2024-05-01T10:11:12Z

    fn check(type_name: &str, timestamp: &str) -> Result<(), FreshnessError> {
        Freshness::default().check(type_name, Some(timestamp), NOW)
    }

    #[test]
    fn the_limits_are_150_seconds_both_ways() {
        assert_eq!(check("IntentRequest", "2024-05-01T10:11:12Z"), Ok(()));
        assert_eq!(check("IntentRequest", "2024-05-01T10:08:42Z"), Ok(()));
        assert_eq!(
            check("IntentRequest", "2024-05-01T10:08:41Z"),
            Err(FreshnessError::Old {
                age: 151,
                tolerance: 150
            })
        );
        assert_eq!(check("IntentRequest", "2024-05-01T10:13:42Z"), Ok(()));
        assert_eq!(
            check("IntentRequest", "2024-05-01T10:13:43Z"),
            Err(FreshnessError::Future {
                ahead: 151,
                tolerance: 150
            })
        );
    }

    #[test]
    fn skill_events_have_an_hour_of_the_past() {
        assert_eq!(
            check("AlexaSkillEvent.SkillEnabled", "2024-05-01T09:11:12Z"),
            Ok(())
        );
        assert!(check("AlexaSkillEvent.SkillEnabled", "2024-05-01T09:11:11Z").is_err());
        assert!(check("AlexaSkillEvent.SkillEnabled", "2024-05-01T10:20:00Z").is_err());
        assert!(check("AlexaSkillEvent.Other", "2024-05-01T09:30:00Z").is_err());
    }

    #[test]
    fn a_missing_or_malformed_time_is_refused_and_150_is_the_most() {
        assert_eq!(
            Freshness::default().check("X", None, NOW),
            Err(FreshnessError::Missing)
        );
        assert_eq!(check("X", "yesterday"), Err(FreshnessError::Malformed));
        assert_eq!(
            Freshness::within(Duration::from_secs(9999)),
            Freshness::default()
        );
    }
}
