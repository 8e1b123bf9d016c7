//! Digits both ways, calls that the API makes, handlers that fail over or run under Lambda's emulator, and records.

use crate::support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use support::steady::undisturbed;
use support::{Behaviour, Bench, Handler, Phone, TOKEN};

fn kind(event: &Value) -> &str {
    event["InvocationEventType"].as_str().unwrap()
}

const APPLICATION: &str = "c3b8a6f0-0000-4000-8000-000000000001";

/// What the phone is sent by the list below, and what it presses.
const BOTH_WAYS: [&str; 2] = ["12#D", "4711"];

/// The digits that the phone heard, and those that the handler was told.
async fn digits_both_ways(phone: Phone) -> [String; 2] {
    let handler = Handler::start(|event| match kind(event) {
        "NEW_INBOUND_CALL" => json!([
            {"Type": "SendDigits", "Parameters": {"CallId": "", "Digits": "12,#", "ToneDurationInMilliseconds": "80"}},
            {"Type": "SendDigits", "Parameters": {"Digits": "D"}},
            {"Type": "ReceiveDigits", "Parameters": {"InputDigitsRegex": "^4711$", "InBetweenDigitsDurationInMilliseconds": 400, "FlushDigitsDurationInMilliseconds": 20000}},
        ]),
        "DIGITS_RECEIVED" => json!([{"Type": "Hangup"}]),
        _ => json!([]),
    })
    .await;
    let bench = Bench::start(handler, None).await;
    bench.call(&phone, &[]);
    bench.handler.wait("ACTION_SUCCESSFUL", 1);
    for digit in BOTH_WAYS[1].chars() {
        phone.digit(digit);
    }
    let received = bench.handler.wait("DIGITS_RECEIVED", 1);
    let heard = phone.wait("the end", |state| state.ended).digits;
    bench.sidecar.shutdown().await;
    let told = received["ActionData"]["ReceivedDigits"].as_str().unwrap();
    [heard, told.to_owned()]
}

#[tokio::test(flavor = "multi_thread")]
async fn digits_as_telephone_events() {
    let phone = Phone::start(400.0, Behaviour::Answer);
    assert_eq!(digits_both_ways(phone).await, BOTH_WAYS);
}

#[tokio::test(flavor = "multi_thread")]
async fn digits_as_tones_where_there_are_no_telephone_events() {
    undisturbed(async || {
        let phone = Phone::in_band(400.0, Behaviour::Answer);
        assert_eq!(digits_both_ways(phone).await, BOTH_WAYS);
    })
    .await;
}

async fn post(bench: &Bench, path: &str, body: Value) -> (u16, Value) {
    let response = bench
        .client
        .post(bench.url(path))
        .bearer_auth(TOKEN)
        .json(&body)
        .send()
        .await
        .unwrap();
    let status = response.status().as_u16();
    if status >= 400 {
        let name = response.headers()["x-amzn-errortype"]
            .to_str()
            .unwrap()
            .to_owned();
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["Code"], name);
        return (status, body);
    }
    (status, response.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_makes_a_call_and_updates_it() {
    let handler = Handler::start(|event| match kind(event) {
        "NEW_OUTBOUND_CALL" => {
            json!({"SchemaVersion": "1.0", "Actions": [], "TransactionAttributes": {"step": "made"}})
        }
        "CALL_ANSWERED" => {
            json!([{"Type": "Pause", "Parameters": {"DurationInMilliseconds": "60000"}}])
        }
        "CALL_UPDATE_REQUESTED" => json!([{"Type": "Hangup", "Parameters": {"SipResponseCode": "0"}}]),
        _ => json!([]),
    })
    .await;
    let phone = Phone::start(500.0, Behaviour::Answer);
    let bench = Bench::with(
        handler,
        Some(phone.address),
        "[records]\nfolder = \"records\"\n",
        |_| {},
    )
    .await;
    let calls = format!("/sip-media-applications/{APPLICATION}/calls");
    let request = json!({"FromPhoneNumber": "+16075550199", "ToPhoneNumber": "+14255550123",
        "SipHeaders": {"X-Room": "12"}, "ArgumentsMap": {"say": "hello"}});
    let (status, made) = post(&bench, &calls, request).await;
    assert_eq!(status, 201);
    let transaction = made["SipMediaApplicationCall"]["TransactionId"]
        .as_str()
        .unwrap();

    let made = bench.handler.wait("NEW_OUTBOUND_CALL", 1);
    assert_eq!(
        made["ActionData"],
        json!({"Type": "CallCreateRequest", "Parameters": {"Arguments": {"say": "hello"}}})
    );
    assert_eq!(made["CallDetails"]["TransactionId"], transaction);
    assert!(made["CallDetails"].get("SipRuleId").is_none());
    let answered = bench.handler.wait("CALL_ANSWERED", 1);
    assert_eq!(
        answered["CallDetails"]["TransactionAttributes"]["step"],
        "made"
    );
    let leg = &answered["CallDetails"]["Participants"][0];
    assert_eq!(
        (&leg["Direction"], &leg["To"], &leg["Status"]),
        (
            &json!("Outbound"),
            &json!("+14255550123"),
            &json!("Connected")
        )
    );
    let invite = phone
        .wait("the INVITE", |state| state.answered)
        .invite
        .unwrap();
    assert!(
        invite.contains("X-Room: 12") && invite.contains("sip:+14255550123@"),
        "{invite}"
    );

    let update = format!("{calls}/{transaction}");
    let (status, updated) = post(&bench, &update, json!({"Arguments": {"end": "now"}})).await;
    assert_eq!(
        (status, &updated["SipMediaApplicationCall"]["TransactionId"]),
        (202, &json!(transaction))
    );
    phone.wait("the end", |state| state.ended);
    bench.handler.wait("ACTION_INTERRUPTED", 1);
    bench.handler.wait("HANGUP", 1);
    assert_eq!(
        bench.handler.kinds(),
        [
            "NEW_OUTBOUND_CALL",
            "RINGING",
            "CALL_ANSWERED",
            "CALL_UPDATE_REQUESTED",
            "ACTION_INTERRUPTED",
            "HANGUP"
        ]
    );

    // The handler hears of the end a moment before the call is gone.
    bench
        .figures_become("the call is gone", |figures| figures.calls == 0)
        .await;
    for (path, body, status, name) in [
        (
            calls.as_str(),
            json!({"FromPhoneNumber": "+16075550199"}),
            400,
            "BadRequestException",
        ),
        (
            &calls,
            json!({"FromPhoneNumber": "+16075550199", "ToPhoneNumber": "room 12"}),
            400,
            "BadRequestException",
        ),
        (
            &calls,
            json!({"FromPhoneNumber": "+16075550199", "ToPhoneNumber": "+14255550123",
            "SipHeaders": {"X-AMZN-Trace": "1"}}),
            400,
            "BadRequestException",
        ),
        (
            "/sip-media-applications/none/calls",
            json!({}),
            404,
            "NotFoundException",
        ),
        (&update, json!({"Arguments": {}}), 404, "NotFoundException"),
        (&update, json!({}), 400, "BadRequestException"),
    ] {
        let (found, body) = post(&bench, path, body).await;
        assert_eq!(
            (found, &body["Code"]),
            (status, &json!(name)),
            "{path}: {body}"
        );
    }

    let Bench {
        folder, sidecar, ..
    } = bench;
    sidecar.shutdown().await;
    let records = folder.path().join("records/Amazon-Chime-SMADRs");
    let file = std::fs::read_dir(records)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let text = std::fs::read_to_string(file).unwrap();
    let record: Value = serde_json::from_str(text.trim()).unwrap();
    assert_eq!(record["TransactionId"], json!(invite_transaction(&made)));
    assert_eq!(
        (
            &record["Status"],
            &record["Direction"],
            &record["DestinationPhoneNumber"]
        ),
        (
            &json!("Completed"),
            &json!("Outbound"),
            &json!("14255550123")
        )
    );
}

fn invite_transaction(event: &Value) -> &str {
    event["CallDetails"]["TransactionId"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_called_number_that_is_busy_is_told_by_its_hangup() {
    let handler = Handler::start(|_| json!([])).await;
    let phone = Phone::start(500.0, Behaviour::Refuse(486));
    let bench = Bench::start(handler, Some(phone.address)).await;
    let calls = format!("/sip-media-applications/{APPLICATION}/calls");
    let request = json!({"FromPhoneNumber": "16075550199", "ToPhoneNumber": "14255550123"});
    let (status, _) = post(&bench, &calls, request).await;
    assert_eq!(status, 201);
    let hangup = bench.handler.wait("HANGUP", 1);
    assert_eq!(hangup["ActionData"]["Parameters"]["SipResponseCode"], 486);
    bench.sidecar.shutdown().await;
}

/// A function under Lambda's emulator, which is asked one thing at a time: it fails at first, then hangs up.
#[tokio::test(flavor = "multi_thread")]
async fn a_lambda_function_behind_a_handler_that_is_gone() {
    #[derive(Default)]
    struct Seen {
        now: AtomicUsize,
        most: AtomicUsize,
        all: AtomicUsize,
    }
    let seen = Arc::new(Seen::default());
    let shared = Arc::clone(&seen);
    let invoke = move |headers: axum::http::HeaderMap, body: String| {
        let seen = Arc::clone(&shared);
        async move {
            assert_eq!(headers["x-amz-invocation-type"], "RequestResponse");
            let event: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(event["SchemaVersion"], "1.0");
            let now = seen.now.fetch_add(1, Ordering::SeqCst) + 1;
            seen.most.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(30)).await;
            seen.now.fetch_sub(1, Ordering::SeqCst);
            if seen.all.fetch_add(1, Ordering::SeqCst) == 0 {
                return r#"{"errorType":"TypeError","errorMessage":"x is undefined"}"#.to_owned();
            }
            json!({"SchemaVersion": "1.0", "Actions": [{"Type": "Hangup", "Parameters": {"SipResponseCode": "486"}}]}).to_string()
        }
    };
    let path = "/2015-03-31/functions/function/invocations";
    let router = axum::Router::new().route(path, axum::routing::post(invoke));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}{path}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

    let bench = Bench::with(Handler::absent(), None, "", |config| {
        let application = &mut config.application[0];
        application.require_signed_replies = false;
        application.fallback_handlers = vec![url.parse().unwrap()];
    })
    .await;
    let phones: Vec<Phone> = (0..5)
        .map(|_| Phone::start(400.0, Behaviour::Answer))
        .collect();
    for phone in &phones {
        bench.call(phone, &[]);
    }
    for phone in &phones {
        assert_eq!(
            phone.wait("486", |state| state.failed.is_some()).failed,
            Some(486)
        );
    }
    bench
        .figures_become("every HANGUP is told", |figures| figures.calls == 0)
        .await;
    assert_eq!(seen.most.load(Ordering::SeqCst), 1, "one at a time");
    assert_eq!(
        seen.all.load(Ordering::SeqCst),
        11,
        "five calls, five HANGUPs, one failure"
    );
    bench.sidecar.shutdown().await;
    server.abort();
    // Who waited for the others is told, and that it counts.
    let files = std::fs::read_dir(bench.folder.path().join("traces")).unwrap();
    let trace: String = files
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    assert!(
        trace.contains("for a free place at its handler, which is asked 1 at a time"),
        "{trace}"
    );
    assert!(trace.contains("waiting counts towards the time-out"));
}

#[tokio::test(flavor = "multi_thread")]
async fn three_calls_meet_and_one_is_muted() {
    let tokens = Arc::new(std::sync::Mutex::new(Vec::<(String, String)>::new()));
    let mine = Arc::clone(&tokens);
    let handler = Handler::start(move |event| match kind(event) {
        "NEW_INBOUND_CALL" => {
            let (meeting, token) = mine.lock().unwrap().pop().unwrap();
            json!([{"Type": "JoinChimeMeeting", "Parameters": {"JoinToken": token, "MeetingId": meeting}}])
        }
        "CALL_UPDATE_REQUESTED" => {
            let arguments = &event["ActionData"]["Parameters"]["Arguments"];
            json!([{"Type": "ModifyChimeMeetingAttendees", "Parameters": {"Operation": "Mute",
                "MeetingId": arguments["meeting"], "AttendeeList": [arguments["attendee"]], "ParticipantTag": "LEG-B"}}])
        }
        "HANGUP" => json!([{"Type": "Hangup", "Parameters": {"ParticipantTag": "LEG-B"}}]),
        _ => json!([]),
    })
    .await;
    let bench = Bench::start(handler, None).await;
    let (_, made) = post(
        &bench,
        "/meetings",
        json!({"ExternalMeetingId": "standup", "MediaRegion": "us-east-1"}),
    )
    .await;
    let meeting = made["Meeting"]["MeetingId"].as_str().unwrap().to_owned();
    let attendees = format!("/meetings/{meeting}/attendees");
    let voices = [400.0, 700.0, 1100.0];
    let mut ids = Vec::new();
    let mut phones = Vec::new();
    for (n, voice) in voices.iter().enumerate() {
        let (_, invited) = post(
            &bench,
            &attendees,
            json!({"ExternalUserId": format!("user{n}")}),
        )
        .await;
        let attendee = &invited["Attendee"];
        ids.push(attendee["AttendeeId"].as_str().unwrap().to_owned());
        let token = attendee["JoinToken"].as_str().unwrap().to_owned();
        tokens.lock().unwrap().push((meeting.clone(), token));
        let phone = Phone::start(*voice, Behaviour::Answer);
        bench.call(&phone, &[]);
        bench.handler.wait("ACTION_SUCCESSFUL", n + 1);
        phones.push(phone);
    }
    let hears = |who: usize, whom: &'static [usize]| {
        phones[who].forget_heard();
        phones[who].wait(&format!("{who} hears {whom:?} alone"), |state| {
            let heard = &state.heard;
            heard.len() >= 4000
                && voices.iter().enumerate().all(|(other, hz)| {
                    let share = skillcall_media::tone::power_at(&heard[heard.len() - 1600..], *hz);
                    if whom.contains(&other) {
                        share > 0.3
                    } else {
                        share < 0.02
                    }
                })
        });
    };
    hears(0, &[1, 2]);
    hears(1, &[0, 2]);
    hears(2, &[0, 1]);

    let first = bench.handler.wait("NEW_INBOUND_CALL", 1);
    let transaction = first["CallDetails"]["TransactionId"].as_str().unwrap();
    let update = format!("/sip-media-applications/{APPLICATION}/calls/{transaction}");
    let arguments = json!({"Arguments": {"meeting": meeting, "attendee": ids[1]}});
    post(&bench, &update, arguments).await;
    let muted = bench.handler.wait("ACTION_SUCCESSFUL", 4);
    assert_eq!(muted["ActionData"]["Type"], "ModifyChimeMeetingAttendees");
    hears(0, &[2]);
    hears(1, &[0, 2]);

    phones[2].hang_up();
    bench.handler.wait("HANGUP", 1);
    phones[0].wait("silence", |state| {
        let heard = &state.heard;
        heard.len() >= 1600
            && skillcall_media::tone::level_dbov(&heard[heard.len() - 1600..]) < -60.0
    });
    let gone = bench
        .client
        .delete(bench.url(&format!("/meetings/{meeting}")))
        .bearer_auth(TOKEN)
        .send()
        .await
        .unwrap();
    assert_eq!(gone.status().as_u16(), 204);
    // The meeting's leg of both calls ends.
    bench.handler.wait("HANGUP", 3);
    phones[0].hang_up();
    phones[1].hang_up();
    bench
        .figures_become("all calls end", |figures| figures.calls == 0)
        .await;
    bench.sidecar.shutdown().await;
}
