//! What the plan says of destinations: addresses, confirmation, hours, rules, limits, intents, words.

use super::*;

#[test]
fn each_kind_of_participant_is_called_with_its_provider() {
    for (address, id, provider) in [
        (
            "number = \"+16075550142\"",
            json!({"type": "PHONE_NUMBER", "value": "+16075550142"}),
            "amzn1.alexa.csp.id.82bb98bc-384a-11ed-a261-0242ac120002",
        ),
        (
            "extension = \"100\"",
            json!({"type": "RAW_ADDRESS", "value": "100"}),
            "amzn1.comms.csp.id.c0e1cd84-a846-11ed-afa1-0242ac120002",
        ),
        (
            "communication-profile = \"p.did.1\"",
            json!({"type": "COMMUNICATION_PROFILE_ID", "value": "p.did.1"}),
            "amzn1.comms.csp.id.c0e1cd84-a846-11ed-afa1-0242ac120002",
        ),
        (
            "extension = \"100\"\nprovider = \"amzn1.comms.csp.id.own\"",
            json!({"type": "RAW_ADDRESS", "value": "100"}),
            "amzn1.comms.csp.id.own",
        ),
    ] {
        let host = with_plan(&format!(
            "{HEAD}[[destination]]\nname = \"front desk\"\n{address}\n"
        ));
        assert_eq!(
            speech(&ask(&host, &call(1))),
            "Calling front desk.",
            "{address}"
        );
        let session = &sessions(&host)[0];
        assert_eq!(
            session["participants"][1],
            json!({"id": id, "communicationProviderId": provider}),
            "{address}"
        );
    }
}

#[test]
fn a_confirmed_call_is_asked_for_first() {
    let host = with_plan(&desk(
        "confirm = true\nspoken = { en-US = \"the front desk\" }",
    ));
    let asked = ask(&host, &call(1));
    assert_eq!(speech(&asked), "Shall I call the front desk?");
    assert_eq!(
        asked["sessionAttributes"]["skillcall"],
        json!({"ask": "confirm", "of": ["FRONT_DESK"]})
    );
    assert!(sessions(&host).is_empty());
    let attributes = asked["sessionAttributes"].clone();
    let help = ask(&host, &intent(2, "AMAZON.HelpIntent", attributes.clone()));
    assert_eq!(
        help["sessionAttributes"], attributes,
        "the question still waits"
    );
    assert_eq!(
        help["response"]["reprompt"]["outputSpeech"]["text"],
        "Shall I call the front desk?"
    );
    let repeated = ask(&host, &intent(3, "AMAZON.RepeatIntent", attributes.clone()));
    assert_eq!(speech(&repeated), "Shall I call the front desk?");
    assert_eq!(
        speech(&ask(
            &host,
            &intent(4, "AMAZON.NoIntent", attributes.clone())
        )),
        "All right, I do not call."
    );
    assert!(sessions(&host).is_empty());
    assert_eq!(
        speech(&ask(&host, &intent(5, "AMAZON.YesIntent", attributes))),
        "Calling the front desk."
    );
    assert_eq!(sessions(&host).len(), 1);
}

#[test]
fn a_dialog_confirms_by_its_own_directive() {
    let host = with_plan(&desk("confirm = true"));
    let mut request = call(1);
    request["request"]["dialogState"] = json!("IN_PROGRESS");
    let asked = ask(&host, &request);
    assert_eq!(
        asked["response"]["directives"][0]["type"],
        "Dialog.ConfirmIntent"
    );
    assert_eq!(
        asked["response"]["directives"][0]["updatedIntent"],
        request["request"]["intent"]
    );
    request["request"]["requestId"] = json!("amzn1.echo-api.request.2");
    request["request"]["dialogState"] = json!("COMPLETED");
    request["request"]["intent"]["confirmationStatus"] = json!("CONFIRMED");
    assert_eq!(speech(&ask(&host, &request)), "Calling front desk.");
}

#[test]
fn a_shared_synonym_is_a_choice_that_an_answer_settles() {
    let plan = desk(
        "synonyms = [\"desk\"]\n[[destination]]\nname = \"help desk\"\nid = \"HELP\"\nsynonyms = [\"desk\"]\nextension = \"7\"",
    );
    let host = with_plan(&plan);
    let asked = ask(&host, &call_request("amzn1.echo-api.request.1", "the desk"));
    assert_eq!(speech(&asked), "Do you mean front desk or help desk?");
    let mut answer = call_request("amzn1.echo-api.request.2", "help desk");
    answer["session"]["attributes"] = asked["sessionAttributes"].clone();
    assert_eq!(speech(&ask(&host, &answer)), "Calling help desk.");
    // The words that are one's own name settle what the interaction model resolved to both.
    let mut both = call_request("amzn1.echo-api.request.3", "front desk");
    both["request"]["intent"]["slots"]["destination"]["resolutions"] = json!({"resolutionsPerAuthority": [{
        "authority": "a", "status": {"code": "ER_SUCCESS_MATCH"},
        "values": [{"value": {"name": "help desk", "id": "HELP"}}, {"value": {"name": "front desk", "id": "FRONT_DESK"}}]}]});
    assert_eq!(speech(&ask(&host, &both)), "Calling front desk.");
}

#[test]
fn the_closed_are_stood_in_for() {
    // The tests' time is a Friday, 8:00 UTC: 9:00 in Berlin, 3:00 in New York.
    let plan = |hours: &str| {
        desk(&format!(
            "hours = \"day\"\nfallback = \"night desk\"\nspoken = {{ en-US = \"the front desk\" }}\n\
             [[destination]]\nname = \"night desk\"\nextension = \"9\"\nannounce = \"<speak>I call <emphasis>Tom</emphasis>.</speak>\"\n{hours}"
        ))
    };
    let open = with_plan(&plan(
        "[hours.day]\ntime-zone = \"Europe/Berlin\"\nopen = [\"Mon-Fri 09:00-17:00\"]\n",
    ));
    assert_eq!(speech(&ask(&open, &call(1))), "Calling the front desk.");
    for closed in [
        "[hours.day]\ntime-zone = \"America/New_York\"\nopen = [\"Mon-Fri 09:00-17:00\"]\n",
        "[hours.day]\ntime-zone = \"Europe/Berlin\"\nopen = [\"Mon-Fri 09:00-17:00\"]\nclosed = [\"01-15\"]\n",
        "[hours.day]\ntime-zone = \"Europe/Berlin\"\nopen = [\"Mon-Fri 09:00-17:00\"]\nspecial = { 2027-01-15 = \"10:00-12:00\" }\n",
    ] {
        let host = with_plan(&plan(closed));
        let answer = ask(&host, &call(1));
        assert_eq!(
            speech(&answer),
            "<speak>The front desk can not be reached at this time. I call <emphasis>Tom</emphasis>.</speak>",
            "{closed}"
        );
        assert_eq!(answer["response"]["outputSpeech"]["type"], "SSML");
        assert_eq!(sessions(&host)[0]["participants"][1]["id"]["value"], "9");
    }
    let host = with_plan(&desk(
        "hours = \"day\"\n[hours.day]\ntime-zone = \"UTC\"\nopen = [\"Sat 09:00-17:00\"]\n",
    ));
    assert_eq!(
        speech(&ask(&host, &call(1))),
        "Front desk can not be reached at this time. It opens tomorrow at 9 AM."
    );
    assert!(sessions(&host).is_empty());
}

#[test]
fn the_closed_say_when_they_open() {
    // A Friday, 8:00 UTC.
    for (open, locale, said) in [
        (
            "open = [\"Fri 09:00-17:00\"]",
            "en-US",
            "It opens today at 9 AM.",
        ),
        (
            "open = [\"Mon-Fri 09:30-17:00\"]\nclosed = [\"01-15\"]",
            "en-US",
            "It opens on Monday at 9:30 AM.",
        ),
        (
            "open = [\"Mon-Fri 06:00-07:00\"]\nspecial = { 2027-01-16 = \"14:00-15:00\" }",
            "de-DE",
            "Geöffnet wird morgen um 14 Uhr.",
        ),
        // Not within the next six days: the day's name alone would mislead.
        (
            "open = [\"Fri 06:00-07:00\"]",
            "en-US",
            "Front desk can not be reached at this time.",
        ),
    ] {
        let german = "[locale.de-DE]\nvoice = \"Vicki\"\n";
        let host = with_plan(&desk(&format!(
            "hours = \"day\"\n[hours.day]\ntime-zone = \"UTC\"\n{open}\n{german}"
        )));
        let mut request = call(1);
        request["request"]["locale"] = json!(locale);
        let answer = ask(&host, &request);
        assert!(speech(&answer).ends_with(said), "{open}: {answer}");
    }
}

#[test]
fn rules_say_who_may_call_what() {
    let rules = "[[destination]]\nname = \"director\"\nextension = \"1\"\n\
        [[permission]]\nunits = [\"amzn1.ask.unit.OFFICE\"]\n\
        [[permission]]\ncall = [\"front desk\"]\n";
    let host = with_plan(&desk(rules));
    assert_eq!(speech(&ask(&host, &call(1))), "Calling front desk.");
    let director = |n: u32, unit: Option<&str>| {
        let mut request = call_request(&format!("amzn1.echo-api.request.{n}"), "director");
        if let Some(unit) = unit {
            request["context"]["System"]["unit"] = json!({"unitId": unit});
        }
        speech(&ask(&host, &request)).to_owned()
    };
    assert_eq!(director(2, None), "Director can not be called from here.");
    assert_eq!(
        director(3, Some("amzn1.ask.unit.OFFICE")),
        "Calling director."
    );
    // A confirmation that the plan's rules forbid meanwhile calls nobody.
    let attributes = json!({"skillcall": {"ask": "confirm", "of": ["director"]}});
    assert_eq!(
        speech(&ask(&host, &intent(4, "AMAZON.YesIntent", attributes))),
        "Director can not be called from here."
    );
}

#[test]
fn calls_within_an_hour_are_counted_and_repeated_ones_once() {
    let host = with_plan(&desk("[limits]\ncalls-per-hour = 2"));
    for n in [1, 1, 2] {
        assert_eq!(speech(&ask(&host, &call(n))), "Calling front desk.", "{n}");
    }
    let refused = ask(&host, &call(3));
    assert!(
        speech(&refused).starts_with("You have placed many calls"),
        "{refused}"
    );
    assert_eq!(sessions(&host).len(), 2);
}

#[test]
fn a_call_that_alexa_refuses_does_not_count() {
    let host = with_plan(&desk("[limits]\ncalls-per-hour = 1"));
    host.answers(crate::testing::alexa_api(|path| {
        path.contains("communications")
            .then(|| (403, json!({"code": "AccessDenied"})))
    }));
    assert!(speech(&ask(&host, &call(1))).starts_with("Calling is not allowed"));
    host.answers(crate::testing::alexa_api(|_| None));
    assert_eq!(speech(&ask(&host, &call(2))), "Calling front desk.");
}

#[test]
fn intents_of_the_plan_call_without_a_slot_or_by_another_one() {
    let host = with_plan(&desk(
        "[[intent]]\nname = \"DeskIntent\"\ndestination = \"front desk\"\n[[intent]]\nname = \"RoomIntent\"\nslot = \"room\"",
    ));
    assert_eq!(
        speech(&ask(&host, &intent(1, "DeskIntent", json!({})))),
        "Calling front desk."
    );
    let mut room = intent(2, "RoomIntent", json!({}));
    room["request"]["intent"]["slots"] = json!({"room": {"name": "room", "value": "front desk"}});
    assert_eq!(speech(&ask(&host, &room)), "Calling front desk.");
    assert_eq!(
        ask(&host, &call(3)),
        json!({"version": "1.0", "response": {}}),
        "the plan names its intents"
    );
}

#[test]
fn words_of_the_plan_stand_in_every_text() {
    let plan = desk(
        "announce = { en-US = \"{var.house}: calling {destination.name}.\", de-DE = \"{var.house}: ich rufe an.\" }\n\
         [variables]\nhouse = \"Harbour Hotel\"\n[locale.de-DE.variables]\nhouse = \"Hotel am Hafen\"\n\
         [locale.en-US.texts]\nwelcome = \"Welcome to the {var.house}.\"",
    );
    let host = with_plan(&plan);
    assert_eq!(
        speech(&ask(&host, &call(1))),
        "Harbour Hotel: calling front desk."
    );
    let mut german = call(2);
    german["request"]["locale"] = json!("de-DE");
    assert_eq!(speech(&ask(&host, &german)), "Hotel am Hafen: ich rufe an.");
    let mut launch = call(3);
    launch["request"]["type"] = json!("LaunchRequest");
    assert_eq!(
        speech(&ask(&host, &launch)),
        "Welcome to the Harbour Hotel."
    );
}

#[test]
fn an_answer_that_is_too_long_is_cut_with_a_warning() {
    let rooms: String = (0..400)
        .map(|n| format!("[[destination]]\nname = \"the quiet room with a view number {n}\"\nsynonyms = [\"room\"]\nextension = \"{n}\"\n"))
        .collect();
    let host = with_plan(&format!("{HEAD}{rooms}"));
    let answer = ask(&host, &call_request("amzn1.echo-api.request.1", "room"));
    assert!(speech(&answer).chars().count() <= 8000);
    assert!(
        answer.to_string().len() <= 24 * 1024,
        "{}",
        answer.to_string().len()
    );
    assert!(host.log_says("longer than Alexa takes"));
}
