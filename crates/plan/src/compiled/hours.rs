//! Opening hours: intervals of the week in a time zone, and days that differ.
//!
//! The compiled plan carries its time zones itself (RFC 9636), as they were when it was compiled: a component has no time
//! zone database, and needs one zone or two.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
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

/// When something that is closed opens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// Days from today: 0 today, 1 tomorrow, at most 6.
    pub days_ahead: u8,
    /// The day of the week, 0 for Monday.
    pub weekday: u8,
    /// The minute of that day.
    pub minute: u16,
}

/// Days within which an opening is looked for: their weekdays differ.
const DAYS_AHEAD: u8 = 7;

impl Hours<'_> {
    /// When it opens next after a time, in Unix seconds; none when it does not within a week.
    ///
    /// # Errors
    /// When the time zone's data are damaged, or the time is none.
    pub fn next_opening(&self, unix_seconds: i64) -> Result<Option<Opening>, DecodeError> {
        let local = self.local(unix_seconds)?;
        let now =
            u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        let mut date = local.date();
        for days_ahead in 0..DAYS_AHEAD {
            let weekday = date.weekday().to_monday_zero_offset().unsigned_abs();
            let begin = u16::from(weekday) * DAY;
            let beginnings: Vec<u16> = match self.special(date) {
                Some(special) => special.open.iter().map(|(from, _)| *from).collect(),
                None => self
                    .week
                    .iter()
                    .filter(|(from, _)| (begin..begin + DAY).contains(from))
                    .map(|(from, _)| *from - begin)
                    .collect(),
            };
            let next = beginnings
                .into_iter()
                .filter(|minute| days_ahead > 0 || *minute > now)
                .min();
            if let Some(minute) = next {
                return Ok(Some(Opening {
                    days_ahead,
                    weekday,
                    minute,
                }));
            }
            let Ok(tomorrow) = date.tomorrow() else {
                break;
            };
            date = tomorrow;
        }
        Ok(None)
    }

    /// The time where it is.
    fn local(&self, unix_seconds: i64) -> Result<DateTime, DecodeError> {
        let damaged =
            |error: jiff::Error| DecodeError::Damaged(format!("hours {}: {error}", self.name));
        let zone = TimeZone::tzif(self.zone, self.tzif).map_err(damaged)?;
        let now = Timestamp::from_second(unix_seconds).map_err(damaged)?;
        Ok(zone.to_datetime(now))
    }

    /// What makes a day differ from its weekday.
    fn special(&self, date: Date) -> Option<&Special> {
        let is_that_day =
            |special: &&Special| (special.month, special.day) == (date.month(), date.day());
        let of = |year: Option<i16>| {
            self.special
                .iter()
                .filter(is_that_day)
                .find(|special| special.year == year)
        };
        of(Some(date.year())).or_else(|| of(None))
    }

    /// Whether it is open at a time, in Unix seconds.
    ///
    /// # Errors
    /// When the time zone's data are damaged, or the time is none.
    pub fn is_open(&self, unix_seconds: i64) -> Result<bool, DecodeError> {
        let local = self.local(unix_seconds)?;
        let minute =
            u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        if let Some(special) = self.special(local.date()) {
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
