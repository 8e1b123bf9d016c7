//! Opening hours: intervals of the week in a time zone, and days that differ.
//!
//! The compiled plan carries its time zones itself (RFC 9636), as they were when it was compiled: a component has no time
//! zone database, and needs one zone or two.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::DecodeError;

/// Minutes of a day.
pub const DAY: u16 = 24 * 60;
/// Minutes of a week.
pub const WEEK: u16 = 7 * DAY;

/// A day that differs from its weekday.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Special {
    /// The year; none: every year.
    pub year: Option<i16>,
    /// The month, 1 to 12.
    pub month: i8,
    /// The day of the month, 1 to 31.
    pub day: i8,
    /// When it is open, in minutes of that day, the end not included; empty: not at all.
    pub open: Vec<(u16, u16)>,
}

/// When something is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours<'a> {
    /// The name in the plan.
    pub name: &'a str,
    /// The time zone's name, as `Europe/Berlin`.
    pub zone: &'a str,
    /// Its TZif data (RFC 9636).
    pub tzif: &'a [u8],
    /// Intervals in minutes of the week, which begins on Monday at 0:00; the end is not included. What passes the week's end
    /// goes on at its beginning.
    pub week: Vec<(u16, u16)>,
    /// Days that differ; a day of one year comes before one of every year.
    pub special: Vec<Special>,
}

impl Hours<'_> {
    /// Whether it is open at a time, in Unix seconds.
    ///
    /// # Errors
    /// When the time zone's data are damaged, or the time is none.
    pub fn is_open(&self, unix_seconds: i64) -> Result<bool, DecodeError> {
        let damaged =
            |error: jiff::Error| DecodeError::Damaged(format!("hours {}: {error}", self.name));
        let zone = TimeZone::tzif(self.zone, self.tzif).map_err(damaged)?;
        let now = Timestamp::from_second(unix_seconds).map_err(damaged)?;
        let local = zone.to_datetime(now);
        let minute =
            u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        let is_today =
            |special: &&Special| (special.month, special.day) == (local.month(), local.day());
        let special = self
            .special
            .iter()
            .filter(is_today)
            .find(|special| special.year == Some(local.year()))
            .or_else(|| {
                self.special
                    .iter()
                    .filter(is_today)
                    .find(|special| special.year.is_none())
            });
        if let Some(special) = special {
            return Ok(special
                .open
                .iter()
                .any(|(from, to)| (*from..*to).contains(&minute)));
        }
        let weekday = u16::from(local.weekday().to_monday_zero_offset().unsigned_abs());
        let minute = weekday * DAY + minute;
        Ok(self.week.iter().any(|(from, to)| {
            (*from..*to).contains(&minute) || (*from..*to).contains(&minute.saturating_add(WEEK))
        }))
    }
}
