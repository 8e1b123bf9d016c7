//! When something opens again, in the customer's language.

use skillcall_plan::compiled::Opening;
use skillcall_plan::name::language;

/// The names of the days, from Monday on.
const DAYS: [(&str, &str); 7] = [
    ("Monday", "Montag"),
    ("Tuesday", "Dienstag"),
    ("Wednesday", "Mittwoch"),
    ("Thursday", "Donnerstag"),
    ("Friday", "Freitag"),
    ("Saturday", "Samstag"),
    ("Sunday", "Sonntag"),
];

/// Day and time as they are said; none in a language whose words are not here.
pub(super) fn words(opening: Opening, locale: &str) -> Option<String> {
    let (english, german) = *DAYS.get(usize::from(opening.weekday))?;
    let (hour, minute) = (opening.minute / 60, opening.minute % 60);
    match language(locale) {
        "en" => {
            let day = match opening.days_ahead {
                0 => "today".to_owned(),
                1 => "tomorrow".to_owned(),
                _ => format!("on {english}"),
            };
            let half = if hour < 12 { "AM" } else { "PM" };
            let hour = if hour % 12 == 0 { 12 } else { hour % 12 };
            Some(match minute {
                0 => format!("{day} at {hour} {half}"),
                _ => format!("{day} at {hour}:{minute:02} {half}"),
            })
        }
        "de" => {
            let day = match opening.days_ahead {
                0 => "heute".to_owned(),
                1 => "morgen".to_owned(),
                _ => format!("am {german}"),
            };
            Some(match minute {
                0 => format!("{day} um {hour} Uhr"),
                _ => format!("{day} um {hour} Uhr {minute}"),
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_times_are_said_as_people_say_them() {
        let at = |days_ahead, weekday, minute| Opening {
            days_ahead,
            weekday,
            minute,
        };
        for (opening, english, german) in [
            (at(0, 4, 9 * 60), "today at 9 AM", "heute um 9 Uhr"),
            (at(1, 5, 0), "tomorrow at 12 AM", "morgen um 0 Uhr"),
            (
                at(2, 6, 12 * 60 + 30),
                "on Sunday at 12:30 PM",
                "am Sonntag um 12 Uhr 30",
            ),
            (
                at(6, 3, 14 * 60 + 5),
                "on Thursday at 2:05 PM",
                "am Donnerstag um 14 Uhr 5",
            ),
        ] {
            assert_eq!(words(opening, "en-GB").as_deref(), Some(english));
            assert_eq!(words(opening, "de-DE").as_deref(), Some(german));
            assert_eq!(words(opening, "fr-FR"), None);
        }
    }
}
