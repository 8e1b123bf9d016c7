//! Plans that are right, and each way in which they are wrong.

use std::borrow::Cow;

use crate::compiled::{CallerSource, FORMAT, Next, Plan};
use crate::{DecodeError, Finding, Severity, TextKey, Variable};

const EXAMPLE: &str = include_str!("../../../../examples/skillcall.toml");

fn compiled(toml: &str) -> Vec<u8> {
    match super::compile(toml) {
        Ok((bytes, _)) => bytes,
        Err(findings) => panic!("{}", told(&findings)),
    }
}

fn told(findings: &[Finding]) -> String {
    findings
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

fn sample(variable: Variable) -> Cow<'static, str> {
    Cow::Borrowed(variable.sample())
}

#[test]
fn the_example_compiles_without_a_finding_and_reads_back() {
    let (bytes, findings) = super::compile(EXAMPLE).unwrap_or_else(|f| panic!("{}", told(&f)));
    assert!(findings.is_empty(), "{}", told(&findings));
    let plan = Plan::decode(&bytes).unwrap();
    assert_eq!(plan.default_locale, "en-US");
    assert_eq!(plan.locales().collect::<Vec<_>>(), ["en-US", "de-DE"]);
    for said in [
        "front desk",
        "The Desk",
        "rezeption",
        "FRONT-DESK",
        "the front desk",
        "die Rezeption",
    ] {
        let destination = plan.destination_named(said).unwrap().expect(said);
        assert_eq!(
            (destination.id, destination.number()),
            ("FRONT_DESK", "+16075550199")
        );
        assert_eq!(destination.caller, [CallerSource::Profile]);
        assert_eq!(
            destination.announcement("de-AT").unwrap().render(sample),
            "Ich rufe die Rezeption an."
        );
        assert!(destination.announcement("fr-FR").is_none());
    }
    assert_eq!(
        plan.destination_with_id("HOUSEKEEPING")
            .unwrap()
            .unwrap()
            .name,
        "housekeeping"
    );
    assert_eq!(plan.destination_named("garage").unwrap(), None);
    assert_eq!(
        plan.text("de-CH", TextKey::Goodbye).unwrap().render(sample),
        "Auf Wiederhören."
    );
    assert_eq!(
        plan.text("fr-FR", TextKey::Goodbye).unwrap().render(sample),
        "Goodbye."
    );
}

#[test]
fn the_demo_call_is_two_actions_then_digits_then_a_bridge() {
    let bytes = compiled(EXAMPLE);
    let plan = Plan::decode(&bytes).unwrap();
    let flow = plan.flow("+16075550199").unwrap().unwrap();
    let greet = flow.step(flow.start).unwrap();
    assert_eq!(greet.name, "greet");
    let types: Vec<_> = greet.actions.iter().map(|a| a.action_type).collect();
    assert_eq!(
        types,
        ["Speak", "SpeakAndGetDigits"],
        "the menu is joined to the greeting"
    );
    let Some(Next::Step(desk)) = greet.after_digits("1") else {
        panic!("1 leads to the desk")
    };
    assert_eq!(greet.after_digits("1#"), Some(Next::Step(desk)));
    assert_eq!(greet.after_digits("7"), None);
    let desk = flow.step(desk).unwrap();
    assert_eq!((desk.name, desk.then), ("desk", Next::Stay));
    let json: serde_json::Value = serde_json::from_str(
        &desk.actions[1]
            .template("en-US")
            .unwrap()
            .render_json(sample),
    )
    .unwrap();
    assert_eq!(
        json["Parameters"]["CallerIdNumber"], "+16075550199",
        "never the caller's own number: facts F6"
    );
    assert_eq!(json["Parameters"]["Endpoints"][0]["Uri"], "+14255550123");
    let menu: serde_json::Value = serde_json::from_str(
        &greet.actions[1]
            .template("de-DE")
            .unwrap()
            .render_json(sample),
    )
    .unwrap();
    assert_eq!(menu["Parameters"]["SpeechParameters"]["VoiceId"], "Vicki");
    assert_eq!(
        menu["Parameters"]["SpeechParameters"]["LanguageCode"],
        "de-DE"
    );
    assert_eq!(menu["Parameters"]["MaxNumberOfDigits"], 1);
    assert!(
        menu["Parameters"]["FailureSpeechParameters"]["Text"]
            .as_str()
            .unwrap()
            .starts_with("Das habe ich")
    );
}

#[test]
fn a_step_without_words_on_failure_takes_those_of_the_step_it_leads_to() {
    let bytes = compiled(EXAMPLE);
    let plan = Plan::decode(&bytes).unwrap();
    let flow = plan.flow("+16075550199").unwrap().unwrap();
    let greet = flow.step_named("greet").unwrap();
    let Some(Next::Step(failure)) = greet.on_failure else {
        panic!("inherited from menu")
    };
    assert_eq!(flow.step(failure).unwrap().name, "goodbye");
}

const HEAD: &str = "[skill]\nid = \"amzn1.ask.skill.1\"\n";

/// A step in a flow of its own.
fn with_step(step: &str) -> String {
    format!("{HEAD}[[flow]]\nnumber = \"+16075550199\"\nstart = \"a\"\n[flow.step.a]\n{step}\n")
}

#[test]
fn each_mistake_is_named_with_its_line_column_and_remedy() {
    let desk = |more: &str| {
        format!("{HEAD}[[destination]]\nname = \"desk\"\nnumber = \"+16075550199\"\n{more}")
    };
    for (toml, at, told_of, remedy) in [
        (
            "[skill]\nid = 5\n".to_owned(),
            (2, 6),
            "invalid type",
            "expected a string",
        ),
        ("[skill]\n".to_owned(), (1, 1), "missing field `id`", "id"),
        (
            "[skill]\nid = \"x\"\n".to_owned(),
            (2, 6),
            "skill.id",
            "amzn1.ask.skill.",
        ),
        (
            format!("{HEAD}lwa-client-id = \"amzn1.application-oa2-client.12\"\n"),
            (3, 17),
            "lwa-client-id",
            "32 hexadecimal digits",
        ),
        (
            format!("{HEAD}default-locale = \"english\"\n"),
            (3, 18),
            "default-locale",
            "\"en-US\"",
        ),
        (
            format!("{HEAD}nmae = 1\n"),
            (3, 1),
            "unknown field `nmae`",
            "expected one of",
        ),
        (
            desk(
                "synonyms = [\"Desk!\", \"a\"]\n[[destination]]\nname = \"A\"\nnumber = \"+16075550199\"\n",
            ),
            (8, 8),
            "\"A\" leads to \"desk\" already",
            "one destination only",
        ),
        (
            format!("{HEAD}[[destination]]\nname = \"desk\"\nnumber = \"16075550199\"\n"),
            (5, 10),
            "does not begin with `+`",
            "E.164",
        ),
        (
            desk("caller = [\"guess\"]\n"),
            (6, 11),
            "found \"guess\"",
            "\"profile\"",
        ),
        (
            desk("announce = \"Calling {destination}.\"\n"),
            (6, 12),
            "{destination} is no variable",
            "{destination.name}",
        ),
        (
            desk("announce = \"\"\n"),
            (6, 12),
            "must be announced",
            "expected a text",
        ),
        (
            with_step("actions = []"),
            (6, 12),
            "has 0 actions",
            "expected 1 to 10",
        ),
        (
            with_step("actions = [{ Text = \"x\" }]"),
            (7, 12),
            "has no Type",
            "SpeakAndGetDigits",
        ),
        (
            with_step("actions = [{ Type = \"Say\", Text = \"x\" }]"),
            (7, 22),
            "Type is \"Say\"",
            "Speak",
        ),
        (
            with_step("actions = [{ Type = \"Speak\" }]"),
            (7, 12),
            "Text is nothing",
            "1 to 1000 characters",
        ),
        (
            with_step("actions = [{ Type = \"Pause\", DurationInMilliseconds = 0 }]"),
            (7, 30),
            "DurationInMilliseconds is 0",
            "1 or more",
        ),
        (
            with_step("actions = [{ Type = \"Speak\", Text = \"{name}\" }]"),
            (7, 38),
            "{name} is no variable",
            "{caller.number}",
        ),
        (
            with_step("actions = [{ Type = \"Speak\", Text = 1979-05-27 }]"),
            (7, 12),
            "date",
            "expected texts",
        ),
        (
            with_step(
                "actions = [{ Type = \"CallAndBridge\", Number = \"+14255550123\", CallerIdNumber = \"{caller.number}\" }]",
            ),
            (7, 63),
            "may not show",
            "{called.number}",
        ),
        (
            with_step("actions = [{ Type = \"CallAndBridge\", Number = \"123\" }]"),
            (7, 12),
            "Uri",
            "E.164",
        ),
        (
            with_step("actions = [{ Type = \"Hangup\" }]\nthen = \"b\""),
            (8, 8),
            "found \"b\"",
            "a, end, stay",
        ),
        (
            with_step("actions = [{ Type = \"Hangup\" }]\non-digits = { 1 = \"a\" }"),
            (6, 12),
            "ends with Hangup",
            "SpeakAndGetDigits",
        ),
        (
            with_step(
                "actions = [{ Type = \"SpeakAndGetDigits\", Text = \"x\" }]\non-digits = { x = \"a\" }",
            ),
            (8, 15),
            "found \"x\"",
            "0 to 9",
        ),
        (
            with_step("actions = [{ Type = \"Hangup\" }, { Type = \"Hangup\" }]"),
            (6, 12),
            "Hangup more than once",
            "a step for each",
        ),
        (
            with_step(
                "actions = [{ Type = \"Hangup\" }]\n[[flow]]\nnumber = \"+16075550199\"\nstart = \"end\"\nstep = {}",
            ),
            (9, 10),
            "has a flow already",
            "one flow a number",
        ),
        (
            format!("{HEAD}[locale.deutsch]\n"),
            (3, 9),
            "locale.deutsch",
            "\"de-DE\"",
        ),
        (
            format!("{HEAD}[locale.de-DE.texts]\nhello = \"x\"\n"),
            (4, 1),
            "no text of the skill",
            "welcome",
        ),
        (
            format!("{HEAD}[locale.de-DE.texts]\nwelcome = \"{{nobody}}\"\n"),
            (4, 11),
            "{nobody} is no variable",
            "expected one of",
        ),
    ] {
        let findings = super::compile(&toml).map(|_| ()).expect_err(&toml);
        let all = told(&findings);
        let errors: Vec<&Finding> = findings
            .iter()
            .filter(|f| f.severity == Severity::Error)
            .collect();
        assert!(
            errors.iter().any(|f| (f.line, f.column) == at
                && f.to_string().contains(told_of)
                && f.to_string().contains(remedy)),
            "expected {told_of:?} and {remedy:?} at {at:?} in\n{toml}\nfound\n{all}"
        );
    }
}

#[test]
fn what_is_hardly_meant_is_a_warning() {
    let toml = format!(
        "{HEAD}[[destination]]\nname = \"desk\"\nnumber = \"+16075550199\"\nsynonyms = [\"Desk\"]\n[locale.fr-FR]\n"
    );
    let (_, findings) = super::compile(&toml).unwrap();
    let all = told(&findings);
    assert!(all.contains("no [[flow]] here answers"), "{all}");
    assert!(all.contains("sounds like another name"), "{all}");
    assert!(all.contains("has no text `welcome`"), "{all}");
    assert!(findings.iter().all(|f| f.severity == Severity::Warning));
}

#[test]
fn a_localised_text_takes_the_language_before_the_default() {
    let step = "actions = [{ Type = \"Speak\", Text = { en-US = \"Hi\", de-DE = \"Hallo\" } }]";
    let toml = format!("{}[locale.de-AT]\n[locale.it-IT]\n", with_step(step));
    let bytes = compiled(&toml);
    let plan = Plan::decode(&bytes).unwrap();
    let flow = plan.flow("+16075550199").unwrap().unwrap();
    let text = |locale: &str| {
        let json = flow.steps[0].actions[0]
            .template(locale)
            .unwrap()
            .render_json(sample);
        serde_json::from_str::<serde_json::Value>(&json).unwrap()["Parameters"]["Text"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        (text("de-AT"), text("en-GB"), text("it-IT")),
        ("Hallo".into(), "Hi".into(), "Hi".into())
    );
}

#[test]
fn steps_join_only_where_nothing_is_decided_between_them() {
    let step = "actions = [{ Type = \"Speak\", Text = \"1\" }]\nthen = \"b\"\n\
        [flow.step.b]\nactions = [{ Type = \"RecordAudio\", RecordingTerminators = [\"#\"], RecordingDestination = { Type = \"S3\", BucketName = \"b\" } }]\nthen = \"c\"\n\
        [flow.step.c]\nactions = [{ Type = \"Pause\", DurationInMilliseconds = 5 }]\nthen = \"a\"";
    let bytes = compiled(&with_step(step));
    let plan = Plan::decode(&bytes).unwrap();
    let flow = plan.flow("+16075550199").unwrap().unwrap();
    let types = |name: &str| {
        flow.step_named(name)
            .unwrap()
            .actions
            .iter()
            .map(|a| a.action_type)
            .collect::<Vec<_>>()
    };
    assert_eq!(types("a"), ["Speak", "RecordAudio"]);
    assert_eq!(types("b"), ["RecordAudio"]);
    assert_eq!(types("c"), ["Pause", "Speak", "RecordAudio"]);
    assert_eq!(
        flow.step_named("a").unwrap().then,
        flow.step_named("b").unwrap().then
    );
}

#[test]
fn broken_bytes_are_refused_by_name() {
    let good = compiled(EXAMPLE);
    assert_eq!(Plan::decode(b""), Err(DecodeError::NotAPlan));
    assert_eq!(Plan::decode(b"[skill]"), Err(DecodeError::NotAPlan));
    let mut other = good.clone();
    other[4] = FORMAT + 1;
    assert_eq!(
        Plan::decode(&other),
        Err(DecodeError::Format { found: FORMAT + 1 })
    );
    let mut longer = good.clone();
    longer.push(0);
    assert!(matches!(
        Plan::decode(&longer),
        Err(DecodeError::Damaged(_))
    ));
    for end in 5..good.len() {
        assert!(Plan::decode(&good[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn any_bytes_decode_without_a_panic() {
    let good = compiled(EXAMPLE);
    for at in 0..good.len() {
        for flip in [1u8, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[at] ^= flip;
            crate::fuzz::compiled_plan(&bad);
        }
    }
}

#[test]
fn two_hundred_destinations_decode_and_are_found() {
    use std::fmt::Write;
    let mut toml = EXAMPLE.to_owned();
    for n in 0..200 {
        write!(toml, "\n[[destination]]\nname = \"room {n}\"\nsynonyms = [\"suite {n}\", \"apartment {n}\"]\nnumber = \"+16075550199\"\n").unwrap();
    }
    let bytes = compiled(&toml);
    let rounds = 2000u32;
    let start = std::time::Instant::now();
    for n in 0..rounds {
        let plan = Plan::decode(std::hint::black_box(&bytes)).unwrap();
        let found = plan
            .destination_named(std::hint::black_box("Suite 150"))
            .unwrap()
            .unwrap();
        assert_eq!(found.id, "room-150", "{n}");
    }
    println!(
        "{} bytes: decoding and finding one of 202 destinations takes {:.1} µs",
        bytes.len(),
        start.elapsed().as_secs_f64() * 1e6 / f64::from(rounds)
    );
}

#[test]
fn the_schema_names_what_the_reader_reads() {
    let schema = serde_json::to_value(super::json_schema()).unwrap();
    let properties = schema["properties"].as_object().unwrap();
    assert_eq!(
        properties.keys().map(String::as_str).collect::<Vec<_>>(),
        [
            "caller",
            "destination",
            "flow",
            "hours",
            "intent",
            "limits",
            "locale",
            "permission",
            "skill",
            "variables"
        ]
    );
    let step = &schema["$defs"]["Step"];
    for key in [
        "actions",
        "then",
        "on-digits",
        "on-other-digits",
        "on-failure",
        "on-hangup",
    ] {
        assert!(step["properties"][key]["description"].is_string(), "{key}");
    }
    assert_eq!(step["additionalProperties"], false);
}
