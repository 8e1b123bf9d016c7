//! Pauses, rate, pitch and volume: Polly's values as espeak-ng's.

/// Longest pause, as at Polly.
const LONGEST_MS: u32 = 10_000;

/// Milliseconds of a `break`; its `time` wins over its `strength`.
pub(super) fn pause(time: Option<&str>, strength: Option<&str>) -> Result<u32, String> {
    if let Some(time) = time {
        let millis = millis(time).ok_or_else(|| {
            let shown: String = time.chars().take(40).collect();
            format!("<break time={shown:?}> is no time such as 500ms or 2s and left out")
        })?;
        return Ok(millis.min(LONGEST_MS));
    }
    match strength.unwrap_or("medium") {
        "none" | "x-weak" => Ok(0),
        "weak" => Ok(250),
        "medium" => Ok(400),
        "strong" => Ok(700),
        "x-strong" => Ok(1200),
        other => {
            let shown: String = other.chars().take(40).collect();
            Err(format!(
                "<break strength={shown:?}> is not known and left out"
            ))
        }
    }
}

fn millis(time: &str) -> Option<u32> {
    let time = time.trim_start_matches('+');
    let (number, unit) = match time.strip_suffix("ms") {
        Some(number) => (number, 1.0),
        None => (time.strip_suffix('s')?, 1000.0),
    };
    let millis = number.trim().parse::<f64>().ok()? * unit;
    // `as` holds to the range, and makes nothing of what is no number.
    (millis.is_finite() && millis >= 0.0).then_some(millis.round() as u32)
}

/// A rate as a percentage of the ordinary one, within Polly's 20 to 200.
pub(super) fn rate(value: &str) -> Option<String> {
    let percent = match value {
        "x-slow" => 50.0,
        "slow" => 75.0,
        "medium" | "default" => 100.0,
        "fast" => 130.0,
        "x-fast" => 170.0,
        other => {
            let number = other.strip_suffix('%')?;
            let percent: f64 = number.trim_start_matches('+').parse().ok()?;
            // A sign in front makes it a change.
            if number.starts_with(['+', '-']) {
                100.0 + percent
            } else {
                percent
            }
        }
    };
    percent
        .is_finite()
        .then(|| format!("{:.0}%", percent.clamp(20.0, 200.0)))
}

/// A pitch: a name, or a change in per cent, which espeak-ng knows too.
pub(super) fn pitch(value: &str) -> Option<String> {
    match value {
        "x-low" | "low" | "medium" | "high" | "x-high" | "default" => Some(value.to_owned()),
        other => {
            let percent: f64 = other.strip_suffix('%')?.parse().ok()?;
            percent
                .is_finite()
                .then(|| format!("{:+.0}%", percent.clamp(-50.0, 100.0)))
        }
    }
}

/// A volume: a name, or a change in dB, which becomes a percentage of the ordinary one.
pub(super) fn volume(value: &str) -> Option<String> {
    match value {
        "silent" | "x-soft" | "soft" | "medium" | "loud" | "x-loud" | "default" => {
            Some(value.to_owned())
        }
        other => {
            let number = other
                .strip_suffix("dB")
                .or_else(|| other.strip_suffix("db"))?;
            let decibels: f64 = number.trim().trim_start_matches('+').parse().ok()?;
            decibels.is_finite().then(|| {
                format!(
                    "{:.0}%",
                    (100.0 * 10_f64.powf(decibels.clamp(-40.0, 6.0) / 20.0))
                )
            })
        }
    }
}
