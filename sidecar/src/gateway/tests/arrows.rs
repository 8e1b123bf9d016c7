//! Each message of each sequence lost, repeated, late and overtaken: the table of outcomes is in `outcomes.txt`.

use std::fmt::Write as _;

use skillcall_protocol::signaling::ResultCode;

use super::super::session::Caller;
use super::world::{Fault, Plot, World};

const PLOTS: [(&str, Plot); 7] = [
    (
        "the device calls",
        Plot {
            caller: Caller::Alexa,
            early_media: false,
            holds: false,
            phone_holds: false,
        },
    ),
    (
        "the device calls, early media",
        Plot {
            caller: Caller::Alexa,
            early_media: true,
            holds: false,
            phone_holds: false,
        },
    ),
    (
        "the device calls, holds and resumes",
        Plot {
            caller: Caller::Alexa,
            early_media: false,
            holds: true,
            phone_holds: false,
        },
    ),
    (
        "the phone calls",
        Plot {
            caller: Caller::Phone,
            early_media: false,
            holds: false,
            phone_holds: false,
        },
    ),
    (
        "the phone calls, early media, holds and resumes",
        Plot {
            caller: Caller::Phone,
            early_media: true,
            holds: true,
            phone_holds: false,
        },
    ),
    (
        "the device calls, the phone holds and resumes",
        Plot {
            caller: Caller::Alexa,
            early_media: false,
            holds: false,
            phone_holds: true,
        },
    ),
    (
        "the phone calls, holds and resumes",
        Plot {
            caller: Caller::Phone,
            early_media: false,
            holds: false,
            phone_holds: true,
        },
    ),
];

#[test]
fn every_arrow_with_every_fault() {
    let mut table = String::from(
        "# sequence | direction | message | fault | both talked | the code that Alexa was told | seconds until all was over\n",
    );
    for (name, plot) in PLOTS {
        let clean = World::play(plot, |_| Fault::None);
        assert!(clean.talked, "{name}: {clean:?}");
        assert_eq!(clean.code, Some(ResultCode::Success), "{name}");
        let mut arrows = clean.arrows.clone();
        arrows.sort_unstable();
        for arrow in arrows {
            for fault in Fault::ALL {
                if fault == Fault::ReplyLost && !arrow.to_alexa {
                    continue;
                }
                let story = World::play(
                    plot,
                    |other| {
                        if other == arrow { fault } else { Fault::None }
                    },
                );
                // What is not lost never costs the call: all delays are below the timers.
                if fault != Fault::Lost {
                    assert!(story.talked, "{name}, {arrow:?} {fault:?}: {story:?}");
                }
                let direction = if arrow.to_alexa { "to" } else { "from" };
                let code = story.code.as_ref().map_or("none", ResultCode::as_str);
                writeln!(
                    table,
                    "{name} | {direction} Alexa | {} {} | {fault:?} | {} | {code} | {}",
                    arrow.name, arrow.nth, story.talked, story.seconds
                )
                .unwrap();
            }
        }
    }
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/gateway/tests/outcomes.txt"
    );
    if std::env::var_os("UPDATE_OUTCOMES").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    for (line, (is, should)) in table.lines().zip(expected.lines()).enumerate() {
        assert_eq!(is, should, "outcomes.txt:{}", line + 1);
    }
    assert_eq!(table.lines().count(), expected.lines().count());
}
