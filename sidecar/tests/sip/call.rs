//! One call through a whole sidecar, over real sockets.

use crate::support;

use std::net::UdpSocket;

use serde_json::{Value, json};
use skillcall_media::{tone, wav};
use support::{Behaviour, Bench, Handler, Phone, has_tone, skill_headers};

fn kind(event: &Value) -> &str {
    event["InvocationEventType"].as_str().unwrap()
}

fn headers(csi: &str) -> Vec<(&'static str, String)> {
    skill_headers(csi)
}

fn call(bench: &Bench, phone: &Phone, csi: &str) {
    let headers = headers(csi);
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    bench.call(phone, &headers);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_answered_spoken_to_and_hung_up() {
    let handler = Handler::start(|event| match kind(event) {
        "NEW_INBOUND_CALL" => json!([
            {"Type": "Speak", "Parameters": {"Text": "Welcome to the Harbour Hotel."}},
            {"Type": "Hangup", "Parameters": {"SipResponseCode": "0"}},
        ]),
        _ => json!([]),
    })
    .await;
    let bench = Bench::start(handler, None).await;
    let before = bench.sidecar.figures();
    let phone = Phone::start(400.0, Behaviour::Answer);
    call(&bench, &phone, "csi-1");
    let state = phone.wait("the end", |state| state.ended);
    assert!(state.answered);
    // Speech, and not silence: louder than −40 dBov for a second at least.
    let loud = state
        .heard
        .chunks(160)
        .filter(|frame| tone::level_dbov(frame) > -40.0)
        .count();
    assert!(
        loud >= 40,
        "{loud} loud frames of {}",
        state.heard.len() / 160
    );

    let new = bench.handler.wait("NEW_INBOUND_CALL", 1);
    let leg = &new["CallDetails"]["Participants"][0];
    assert_eq!(leg["To"], support::NUMBER);
    assert_eq!(leg["From"], "+12045550100");
    assert_eq!(leg["SipHeaders"]["X-Alexa-LWA-ClientId"], support::SKILL);
    let hangup = bench.handler.wait("HANGUP", 1);
    assert_eq!(hangup["ActionData"]["Parameters"]["SipResponseCode"], 0);

    bench
        .figures_become("everything is given back", |now| {
            (now.calls, now.legs, now.port_pairs, now.sockets, now.asking) == (0, 0, 0, 0, 0)
        })
        .await;
    assert_eq!(
        bench.sidecar.figures().calls_answered,
        before.calls_answered + 1
    );

    // One trace, by any id.
    let transaction = new["CallDetails"]["TransactionId"].as_str().unwrap();
    let trace = bench.get(&format!("/v1/traces/{transaction}")).await;
    let names: Vec<&str> = trace["records"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|record| record["name"].as_str())
        .collect();
    for name in [
        "INVITE",
        "200 OK",
        "ACK",
        "BYE",
        "POST /media/events NEW_INBOUND_CALL",
        "POST /media/events HANGUP",
    ] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    // Records may have come meanwhile, but none may be missing.
    let by_csi = bench.get("/v1/traces/csi-1").await;
    let by_csi = by_csi["records"].as_array().unwrap();
    for record in trace["records"].as_array().unwrap() {
        assert!(by_csi.contains(record), "{record}");
    }
    let text = trace.to_string();
    assert!(!text.contains("12045550100"), "a number is in the trace");
    let kinds: Vec<&str> = trace["records"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|record| record["kind"].as_str())
        .collect();
    assert!(kinds.contains(&"media"), "{kinds:?}");
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn digits_lead_to_a_bridge_that_is_recorded_and_heard_both_ways() {
    let desk = Phone::start(700.0, Behaviour::Answer);
    let handler = Handler::start(|event| match kind(event) {
        "NEW_INBOUND_CALL" => json!([{"Type": "SpeakAndGetDigits", "Parameters": {
            "SpeechParameters": {"Text": "Press 1 for the desk."},
            "FailureSpeechParameters": {"Text": "Sorry."},
            "MaxNumberOfDigits": "1", "Repeat": 3, "RepeatDurationInMilliseconds": 5000}}]),
        "ACTION_SUCCESSFUL" if event["ActionData"]["ReceivedDigits"] == "1" => json!([
            {"Type": "StartCallRecording", "Parameters": {
                "ParticipantTag": "LEG-A", "Track": "BOTH",
                "Destination": {"Type": "S3", "Location": "recordings/calls"}}},
            {"Type": "CallAndBridge", "Parameters": {
                "CallTimeoutSeconds": 20, "CallerIdNumber": "+16075550199",
                "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+16075550100"}]}},
        ]),
        "HANGUP" => json!([{"Type": "Hangup", "Parameters": {"ParticipantTag": "LEG-A"}}]),
        _ => json!([]),
    })
    .await;
    let bench = Bench::start(handler, Some(desk.address)).await;
    let device = Phone::start(400.0, Behaviour::Answer);
    call(&bench, &device, "csi-2");
    device.wait("an answer", |state| state.answered);
    // Pressed during the prompt: it counts, and stops the prompt.
    device.wait("the prompt", |state| {
        state
            .heard
            .chunks(160)
            .any(|frame| tone::level_dbov(frame) > -30.0)
    });
    device.digit('1');
    desk.wait("the desk's answer", |state| state.answered);
    device.hears(700.0);
    desk.hears(400.0);

    let calls = bench.get("/v1/calls").await;
    let shown = &calls["calls"][0];
    assert_eq!(shown["bridged"], true);
    assert_eq!(shown["clientSessionId"], "csi-2");
    assert_eq!(shown["media"].as_array().unwrap().len(), 2);
    assert_eq!(bench.sidecar.figures().port_pairs, 2);

    // A second of the bridge for the recording.
    device.forget_heard();
    device.wait("a second", |state| state.heard.len() >= 8000);
    desk.hang_up();
    device.wait("the end", |state| state.ended);
    let hangup = bench.handler.wait("HANGUP", 1);
    assert_eq!(
        hangup["ActionData"]["Parameters"]["ParticipantTag"],
        "LEG-B"
    );
    bench
        .figures_become("everything is given back", |now| {
            (
                now.calls,
                now.legs,
                now.port_pairs,
                now.sockets,
                now.recordings,
            ) == (0, 0, 0, 0, 0)
        })
        .await;

    let recording = find_wav(bench.folder.path()).expect("a recording");
    let mut reader = hound::WavReader::open(&recording).unwrap();
    assert_eq!(reader.spec().channels, 2);
    let samples: Vec<i16> = reader.samples::<i16>().map(Result::unwrap).collect();
    let (left, right): (Vec<i16>, Vec<i16>) = samples
        .chunks_exact(2)
        .map(|pair| (pair[0], pair[1]))
        .unzip();
    // Incoming is left, outgoing is right (facts F6): what the device said, and what it heard.
    assert!(has_tone(&left, 400.0), "left");
    assert!(has_tone(&right, 700.0), "right");
    assert!(wav::read_file(&recording).is_ok());

    let trace = bench.get("/v1/traces/csi-2").await;
    let records = trace["records"].as_array().unwrap();
    assert_eq!(
        records
            .iter()
            .filter(|record| record["kind"] == "media")
            .count(),
        2
    );
    assert!(records.iter().any(|record| record["kind"] == "recording"));
    bench.sidecar.shutdown().await;
}

fn find_wav(folder: &std::path::Path) -> Option<std::path::PathBuf> {
    std::fs::read_dir(folder)
        .unwrap()
        .flatten()
        .find_map(|entry| {
            let path = entry.path();
            if path.is_dir() {
                find_wav(&path)
            } else {
                path.extension()
                    .is_some_and(|extension| extension == "wav")
                    .then_some(path)
            }
        })
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_played_and_the_caller_is_recorded() {
    let handler = Handler::start(|event| match (kind(event), event["ActionData"]["Type"].as_str()) {
        ("NEW_INBOUND_CALL", _) => json!([
            {"Type": "PlayAudio", "Parameters": {"AudioSource": {"Type": "S3", "BucketName": "prompts", "Key": "tone.wav"}}},
            {"Type": "RecordAudio", "Parameters": {
                "DurationInSeconds": 1, "RecordingTerminators": ["#"],
                "RecordingDestination": {"Type": "S3", "BucketName": "recordings", "Prefix": "mail"}}},
        ]),
        ("ACTION_SUCCESSFUL", Some("RecordAudio")) => json!([
            {"Type": "PlayAudio", "Parameters": {"AudioSource": {"Type": "S3", "BucketName": "prompts", "Key": "../secrets/control.token"}}},
        ]),
        ("ACTION_FAILED" | "INVALID_LAMBDA_RESPONSE", _) => json!([{"Type": "Hangup", "Parameters": {}}]),
        _ => json!([]),
    })
    .await;
    let bench = Bench::start(handler, None).await;
    let samples = tone::sine(1000.0, -10.0, 8000);
    std::fs::write(
        bench.folder.path().join("prompts/tone.wav"),
        wav::to_bytes(&samples, 1).unwrap(),
    )
    .unwrap();
    let phone = Phone::start(400.0, Behaviour::Answer);
    call(&bench, &phone, "csi-3");
    phone.hears(1000.0);
    let recorded = bench.handler.wait("ACTION_SUCCESSFUL", 1);
    let destination = &recorded["ActionData"]["RecordingDestination"];
    let key = destination["Key"].as_str().unwrap();
    assert!(key.starts_with("mail"), "{key}");
    phone.wait("the end", |state| state.ended);
    // The key that leads out of its bucket was refused, and played nothing.
    let kinds = bench.handler.kinds();
    assert!(
        kinds
            .iter()
            .any(|kind| kind == "ACTION_FAILED" || kind == "INVALID_LAMBDA_RESPONSE"),
        "{kinds:?}"
    );
    let audio = wav::read_file(&bench.folder.path().join("recordings").join(key)).unwrap();
    assert!(has_tone(&audio.samples, 400.0));
    assert!(
        (audio.samples.len() as i64 - 8000).abs() <= 160,
        "{}",
        audio.samples.len()
    );
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_that_does_not_answer_is_told_and_given_back() {
    for behaviour in [Behaviour::Refuse(486), Behaviour::Ring] {
        let desk = Phone::start(700.0, behaviour);
        let handler = Handler::start(|event| match kind(event) {
            "NEW_INBOUND_CALL" => json!([{"Type": "CallAndBridge", "Parameters": {
                "CallTimeoutSeconds": 1, "CallerIdNumber": "+16075550199",
                "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+16075550100"}]}}]),
            "ACTION_FAILED" => json!([{"Type": "Hangup", "Parameters": {"SipResponseCode": 486}}]),
            _ => json!([]),
        })
        .await;
        let bench = Bench::start(handler, Some(desk.address)).await;
        let device = Phone::start(400.0, Behaviour::Answer);
        call(&bench, &device, "csi-4");
        let state = device.wait("a refusal", |state| state.failed.is_some());
        assert_eq!(state.failed, Some(486));
        let failed = bench.handler.wait("ACTION_FAILED", 1);
        assert_eq!(failed["ActionData"]["ErrorType"], "CallNotAnswered");
        if behaviour == Behaviour::Ring {
            desk.wait("the CANCEL", |state| state.cancelled);
        }
        bench
            .figures_become("everything is given back", |now| {
                (now.calls, now.legs, now.port_pairs) == (0, 0, 0)
            })
            .await;
        bench.sidecar.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_caller_hangs_up_cancels_and_is_ended_by_an_operator() {
    let handler = Handler::start(|event| match kind(event) {
        "NEW_INBOUND_CALL" if event["CallDetails"]["Participants"][0]["SipHeaders"]["X-Test"] == "ring" => {
            json!([{"Type": "Pause", "Parameters": {"DurationInMilliseconds": 20000}}])
        }
        "NEW_INBOUND_CALL" => json!([
            {"Type": "Speak", "Parameters": {"Text": "A long text, which takes a while to be said, so that there is time to hang up."}},
            {"Type": "Pause", "Parameters": {"DurationInMilliseconds": 20000}},
        ]),
        _ => json!([]),
    })
    .await;
    let bench = Bench::start(handler, None).await;
    let phone = Phone::start(400.0, Behaviour::Answer);

    call(&bench, &phone, "csi-a");
    phone.wait("an answer", |state| state.answered);
    phone.hang_up();
    phone.wait("the end", |state| state.ended);
    bench.handler.wait("HANGUP", 1);

    call(&bench, &phone, "csi-b");
    phone.wait("an answer", |state| state.answered);
    let calls = bench.get("/v1/calls").await;
    let id = calls["calls"][0]["transactionId"]
        .as_str()
        .unwrap()
        .to_owned();
    let response = bench
        .client
        .delete(bench.url(&format!("/v1/calls/{id}")))
        .bearer_auth(support::TOKEN)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 202);
    phone.wait("the end", |state| state.ended);
    bench.handler.wait("HANGUP", 2);

    bench.figures_become("no call", |now| now.calls == 0).await;
    call(&bench, &phone, "csi-c");
    phone.wait("an answer", |state| state.answered);
    // Shutdown: the running call gets its time, then a BYE.
    bench.sidecar.shutdown().await;
    phone.wait("the end", |state| state.ended);
    assert_eq!(
        bench
            .handler
            .kinds()
            .iter()
            .filter(|kind| *kind == "HANGUP")
            .count(),
        3
    );
}

/// An application with actions in a file needs no handler.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_actions_answers_without_a_handler() {
    let handler = Handler::start(|_| json!([{"Type": "Hangup"}])).await;
    let reply = tempfile::NamedTempFile::new().unwrap();
    let actions = json!({"SchemaVersion": "1.0", "Actions": [
        {"Type": "Speak", "Parameters": {"Text": "The kitchen opens at seven."}},
        {"Type": "Hangup", "Parameters": {"SipResponseCode": "0"}},
    ]});
    std::fs::write(reply.path(), actions.to_string()).unwrap();
    let bench = Bench::with(handler, None, "", |config| {
        config.application[0].handler = None;
        config.application[0].actions = Some(reply.path().to_owned());
    })
    .await;
    let phone = Phone::start(400.0, Behaviour::Answer);
    call(&bench, &phone, "csi-actions");
    let state = phone.wait("the end", |state| state.ended);
    assert!(state.answered);
    assert!(
        state
            .heard
            .chunks(160)
            .any(|frame| tone::level_dbov(frame) > -40.0),
        "the announcement was not heard"
    );
    bench
        .figures_become("the call is gone", |figures| {
            figures.calls == 0 && figures.calls_answered == 1 && figures.port_pairs == 0
        })
        .await;
    assert!(bench.handler.kinds().is_empty(), "a handler was asked");
    bench.sidecar.shutdown().await;
}

/// Who answers must be clear before anyone calls.
#[tokio::test(flavor = "multi_thread")]
async fn an_application_has_a_handler_or_actions() {
    for (keys, wanted) in [
        ("", "exactly one of `handler` and `actions`"),
        ("actions = \"none.json\"", "cannot be read"),
        ("actions = \"sidecar.toml\"", "is no handler's reply"),
        (
            "actions = \"none.json\"\nhandler = \"http://127.0.0.1:1/\"",
            "exactly one of `handler` and `actions`",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sidecar.toml");
        let text = format!(
            "[speech]\nengine = \"none\"\n[[application]]\nid = \"a\"\nrequire-signed-replies = false\n{keys}\n"
        );
        std::fs::write(&file, &text).unwrap();
        let config = skillcall_sidecar::SidecarConfig::load(&file).unwrap();
        let findings = skillcall_sidecar::check(&config);
        assert!(
            findings.iter().any(|finding| finding
                .to_string()
                .to_lowercase()
                .contains(&wanted.to_lowercase())
                && finding.severity == skillcall_sidecar::Severity::Error
                && finding.line >= 3),
            "{keys}: {findings:?}"
        );
    }
}

/// The next message at a socket: its first line, and the whole.
fn message(socket: &UdpSocket) -> (String, String) {
    let mut buffer = [0; 65_535];
    let (length, _) = socket.recv_from(&mut buffer).unwrap();
    let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
    (text.lines().next().unwrap_or_default().to_owned(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_acknowledge_the_answer_is_sent_no_silence() {
    let handler = Handler::start(|event| match kind(event) {
        "NEW_INBOUND_CALL" => json!([
            {"Type": "ReceiveDigits", "Parameters": {
                "InputDigitsRegex": "^\\d$",
                "InBetweenDigitsDurationInMilliseconds": 1000,
                "FlushDigitsDurationInMilliseconds": 10_000,
            }},
            {"Type": "Pause", "Parameters": {"DurationInMilliseconds": 60_000}},
        ]),
        _ => json!([]),
    })
    .await;
    let bench = Bench::start(handler, None).await;
    let (sip, rtp) = (
        UdpSocket::bind("127.0.0.1:0").unwrap(),
        UdpSocket::bind("127.0.0.1:0").unwrap(),
    );
    for socket in [&sip, &rtp] {
        socket.set_read_timeout(Some(support::LIMIT)).unwrap();
    }
    let (local, to) = (sip.local_addr().unwrap(), bench.sidecar.sip_udp().unwrap());
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {} RTP/AVP 0\r\n",
        rtp.local_addr().unwrap().port()
    );
    let told: String = headers("csi-unheard")
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let number = support::NUMBER;
    let request = |method: &str, tag: &str, more: &str, body: &str| {
        format!(
            "{method} sip:{number}@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{method}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:+12045550100@{local}>;tag=1\r\nTo: <sip:{number}@{to}>{tag}\r\n\
             Call-ID: unheard@{local}\r\nCSeq: 1 {method}\r\nContact: <sip:a@{local}>\r\n{more}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let typed = format!("{told}Content-Type: application/sdp\r\n");
    let invite = request("INVITE", "", &typed, &sdp);
    sip.send_to(invite.as_bytes(), to).unwrap();
    // The answer, and it twice more after 0.5 and 1 s (RFC 3261 §13.3.1.4).
    let (mut answers, mut answer) = (0, String::new());
    while answers < 3 {
        let (first, text) = message(&sip);
        if first.starts_with("SIP/2.0 200") {
            (answers, answer) = (answers + 1, text);
        }
    }
    let mut packet = [0; 2048];
    rtp.set_nonblocking(true).unwrap();
    let early = rtp.recv_from(&mut packet).map_err(|error| error.kind());
    assert_eq!(early.unwrap_err(), std::io::ErrorKind::WouldBlock);

    let tagged = answer.lines().find(|line| line.starts_with("To:")).unwrap();
    let tag = tagged.split_once(";tag=").unwrap().1;
    let ack = request("ACK", &format!(";tag={tag}"), "", "");
    sip.send_to(ack.as_bytes(), to).unwrap();
    rtp.set_nonblocking(false).unwrap();
    rtp.set_read_timeout(Some(support::LIMIT)).unwrap();
    let (length, _) = rtp.recv_from(&mut packet).unwrap();
    assert_eq!(length, 172, "20 ms of PCMU");
    bench.sidecar.shutdown().await;
}
