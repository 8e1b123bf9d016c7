use super::*;

fn message(at: u64, part: Party, from: Party, to: Party, name: &str, ids: Ids) -> Record {
    let direction = if part == from {
        Direction::Sent
    } else {
        Direction::Received
    };
    Record::message(
        at,
        part,
        ids,
        Message::new(from, to, direction, Protocol::Http, name),
    )
}

fn ids(csi: Option<&str>, session: Option<&str>, transaction: Option<&str>) -> Ids {
    let own = |id: Option<&str>| id.map(str::to_owned);
    Ids {
        csi: own(csi),
        session: own(session),
        transaction: own(transaction),
        ..Ids::default()
    }
}

#[test]
fn a_call_is_found_by_any_of_its_ids() {
    let records = [
        message(
            30,
            Party::Sidecar,
            Party::Sidecar,
            Party::Component,
            "POST",
            ids(Some("c1"), None, Some("t1")),
        ),
        message(
            10,
            Party::Component,
            Party::Component,
            Party::Alexa,
            "POST",
            ids(Some("c1"), Some("s1"), None),
        ),
        message(
            20,
            Party::Alexa,
            Party::Alexa,
            Party::Device,
            "order",
            ids(None, Some("s1"), None),
        ),
        message(
            15,
            Party::Alexa,
            Party::Alexa,
            Party::Device,
            "order",
            ids(Some("c2"), Some("s2"), None),
        ),
    ];
    for id in ["c1", "s1", "t1"] {
        let trace = find(&records, id);
        let times: Vec<u64> = trace.records.iter().map(|record| record.at).collect();
        assert_eq!(times, [10, 20, 30], "{id}");
        assert_eq!(trace.missing, [Party::Device]);
        assert_eq!(trace.ids, ids(Some("c1"), Some("s1"), Some("t1")));
    }
    assert!(find(&records, "nobody").records.is_empty());
}

#[test]
fn a_message_is_drawn_once_by_its_sender_or_else_its_receiver() {
    let own = || ids(Some("c"), None, None);
    let records = [
        message(
            1,
            Party::Alexa,
            Party::Alexa,
            Party::Component,
            "POST /alexa",
            own(),
        ),
        message(
            2,
            Party::Component,
            Party::Alexa,
            Party::Component,
            "POST /alexa",
            own(),
        ),
        message(
            3,
            Party::Component,
            Party::Handler,
            Party::Component,
            "from a part without records",
            own(),
        ),
    ];
    let trace = find(&records, "c");
    let drawn: Vec<u64> = trace.ladder().iter().map(|step| step.offset_us).collect();
    assert_eq!(drawn, [0, 2]);
    assert_eq!(
        trace.lanes(),
        [&Party::Alexa, &Party::Component, &Party::Handler]
    );
}

#[test]
fn a_record_is_one_line_of_json_and_comes_back() {
    let figures = MediaFigures {
        leg: Text::line("LEG-A"),
        codec: Text::line("PCMU"),
        sent: 10,
        ..MediaFigures::default()
    };
    for record in [
        message(
            1,
            Party::Other(Text::line("lab")),
            Party::Alexa,
            Party::Component,
            "POST",
            ids(Some("c"), None, None),
        ),
        Record::note(
            2,
            Party::Sidecar,
            Ids::default(),
            Level::Warning,
            "two\nlines",
        ),
        Record::media(3, Party::Sidecar, Ids::default(), figures),
        Record::recording(
            4,
            Party::Sidecar,
            Ids::default(),
            Some("recordings"),
            "2026/11/21/x.wav",
            1.5,
        ),
    ] {
        let line = record.to_line();
        assert!(!line.contains('\n'), "{line}");
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record);
    }
}

#[test]
fn secrets_that_are_planted_are_not_found_again() {
    let secrets = [
        "+12045550100",
        "eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.c2lnbmF0dXJl",
        "Atza|IwEBIPlanted",
        "4711",
        "inlinekey0123456789",
    ];
    let body = serde_json::json!({
        "phoneNumber": secrets[0], "apiAccessToken": secrets[1], "text": format!("Bearer {}", secrets[2]),
        "ActionData": { "ReceivedDigits": secrets[3] },
        "sdp": format!("v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{}\r\n", secrets[4]),
    });
    let records = [
        Record::message(
            1,
            Party::Alexa,
            Ids::default(),
            Message::new(
                Party::Alexa,
                Party::Component,
                Direction::Sent,
                Protocol::Http,
                &format!("GET /x?n={}", secrets[0]),
            )
            .outcome(secrets[2])
            .body(body.to_string().as_bytes()),
        ),
        Record::note(
            2,
            Party::Sidecar,
            Ids::default(),
            Level::Error,
            &format!("{} called with Bearer {}", secrets[0], secrets[1]),
        ),
        Record::recording(
            3,
            Party::Sidecar,
            Ids::default(),
            Some(secrets[0]),
            &format!("recordings/{}.wav", secrets[0]),
            1.0,
        ),
    ];
    for record in records {
        let line = record.to_line();
        for secret in secrets {
            assert!(!line.contains(secret), "{secret} in {line}");
        }
    }
}

#[test]
fn long_bodies_are_cut_at_a_character() {
    let body = "ä".repeat(BODY_MAX_BYTES);
    let message = Message::new(
        Party::Alexa,
        Party::Component,
        Direction::Sent,
        Protocol::Http,
        "POST",
    )
    .body(body.as_bytes());
    let kept = message.body.unwrap();
    assert!(
        kept.len() < BODY_MAX_BYTES + 64 && kept.ends_with("bytes more]"),
        "{}",
        kept.len()
    );
}

#[test]
fn a_receipt_that_its_sender_did_not_record_is_drawn() {
    let own = || ids(Some("c"), None, None);
    let get = |at, part| {
        message(
            at,
            part,
            Party::Component,
            Party::Alexa,
            "GET /v2 name",
            own(),
        )
    };
    let records = [
        get(10, Party::Component),
        get(20, Party::Alexa),
        // The component's record of the second request was lost.
        get(5_000_000, Party::Alexa),
        // Sent later than it was received: another message of the same name.
        get(9_000_000, Party::Component),
    ];
    let trace = find(&records, "c");
    let drawn: Vec<u64> = trace.ladder().iter().map(|step| step.offset_us).collect();
    assert_eq!(drawn, [0, 4_999_990, 8_999_990]);
}

#[test]
fn what_another_part_wrote_is_redacted_when_it_is_read() {
    let line = r#"{"v":1,"at":1,"part":"sidecar","seq":1,"kind":"message","from":"alexa","to":"component","direction":"sent",
        "protocol":"http","name":"POST /+12045550100","outcome":"Atza|planted","body":"{\"accessToken\":\"planted\"}"}"#;
    let record: Record = serde_json::from_str(line).unwrap();
    let line = record.to_line();
    assert!(
        !line.contains("planted") && !line.contains("204555"),
        "{line}"
    );
    for (kind, field) in [
        ("note\",\"level\":\"info", "text"),
        ("recording\",\"seconds\":1,\"x\":\"", "path"),
    ] {
        let line = format!(
            r#"{{"v":1,"at":1,"part":"sidecar","kind":"{kind}","{field}":"a +12045550100 b Bearer planted!"}}"#
        );
        let record: Record = serde_json::from_str(&line).unwrap();
        let line = record.to_line();
        assert!(
            !line.contains("planted") && !line.contains("204555"),
            "{line}"
        );
    }
}

#[test]
fn a_cut_text_is_not_cut_again() {
    let record = Record::note(
        1,
        Party::Sidecar,
        Ids::default(),
        Level::Info,
        &"word ".repeat(BODY_MAX_BYTES),
    );
    assert_eq!(
        serde_json::from_str::<Record>(&record.to_line()).unwrap(),
        record
    );
}

#[test]
fn figures_that_could_not_be_measured_come_back_too() {
    let figures = MediaFigures {
        mos: f64::NAN,
        jitter_ms: f64::INFINITY,
        ..MediaFigures::default()
    };
    let record = Record::media(1, Party::Sidecar, Ids::default(), figures);
    assert_eq!(
        serde_json::from_str::<Record>(&record.to_line()).unwrap(),
        record
    );
}

#[test]
fn a_digit_is_drawn_once_and_as_the_end_that_tells_more_wrote_it() {
    let digit = |at, part: Party, shown| {
        let direction = match part {
            Party::Device => Direction::Sent,
            _ => Direction::Received,
        };
        let message = Message::digit(Party::Device, Party::Sidecar, direction, 160_000, shown);
        Record::message(at, part, ids(Some("c"), None, None), message)
    };
    let records = [
        digit(1_000_000, Party::Device, None),
        digit(1_010_000, Party::Sidecar, None),
        digit(2_000_000, Party::Device, None),
        digit(2_010_000, Party::Sidecar, Some('4')),
        digit(3_000_000, Party::Sidecar, None),
    ];
    let trace = find(&records, "c");
    let drawn: Vec<(u64, String)> = trace
        .ladder()
        .iter()
        .filter_map(|step| match step.kind {
            StepKind::Arrow(message) => Some((step.offset_us, message.label())),
            _ => None,
        })
        .collect();
    let expected = [(0, "digit"), (1_000_000, "digit 4"), (2_000_000, "digit")];
    assert_eq!(drawn, expected.map(|(at, name)| (at, name.to_owned())));
}

#[test]
fn a_sip_message_that_is_sent_again_is_marked() {
    let invite = |at, body: &str| {
        let message = Message::new(
            Party::Sidecar,
            Party::Phone,
            Direction::Sent,
            Protocol::Sip,
            "INVITE",
        )
        .body(body.as_bytes());
        Record::message(at, Party::Sidecar, ids(Some("c"), None, None), message)
    };
    let records = [
        invite(1, "INVITE sip:x SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n"),
        invite(2, "INVITE sip:x SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n"),
        invite(3, "INVITE sip:x SIP/2.0\r\nCSeq: 2 INVITE\r\n\r\n"),
    ];
    let trace = find(&records, "c");
    let again: Vec<bool> = trace.ladder().iter().map(|step| step.again).collect();
    assert_eq!(again, [false, true, false]);
}

#[test]
fn a_trace_that_led_to_the_call_finds_it() {
    let mut ids = ids(Some("c"), None, None);
    ids.parent = Some("0af7651916cd43dd8448eb211c80319c".to_owned());
    let records = [message(
        1,
        Party::Component,
        Party::Alexa,
        Party::Component,
        "POST /alexa",
        ids,
    )];
    assert_eq!(
        find(&records, "0af7651916cd43dd8448eb211c80319c")
            .records
            .len(),
        1
    );
}
