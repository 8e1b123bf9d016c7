//! Asterisk as the PBX: calls both ways, digits, busy, direct media, and hold.

use crate::support;

use serde_json::{Value, json};
use skillcall_media::dtmf::{Digit, ToneDetector};
use skillcall_media::wav;
use support::asterisk::{Asterisk, Dialplan, free_port};
use support::steady::undisturbed;
use support::{Behaviour, Bench, Handler, NUMBER, Phone, has_tone};

fn kind(event: &Value) -> &str {
    event["InvocationEventType"].as_str().unwrap()
}

/// What it does with the numbers that the gateway calls.
const EXTENSIONS: &str = "
exten = _+16075550101,1,Answer()
same = n,Playtones(1000)
same = n,Wait(60)
exten = _+16075550102,1,Answer()
same = n,Echo()
exten = _+16075550103,1,Busy(1)
exten = _+16075550104,1,Ringing()
same = n,Wait(60)
exten = _+16075550105,1,Answer()
same = n,Read(PRESSED,,4,,1,10)
same = n,Verbose(1,pressed ${PRESSED} so far)
same = n,SendDTMF(4711)
same = n,Wait(30)
exten = _+16075550106,1,Progress()
same = n,Playtones(700)
same = n,Wait(60)
exten = _+16075550107,1,Hangup(1)
exten = _+16075550109,1,Playtones(600)
same = n,Wait(60)
exten = _+16075550108,1,Dial(PJSIP/+16075550120@gateway)
";

/// Hangs up whoever is still there: one leg's end does not end the other (facts F6).
fn hang_up_the_rest(event: &Value) -> Value {
    let connected = |leg: &&Value| leg["Status"] == "Connected";
    let legs = event["CallDetails"]["Participants"].as_array().unwrap();
    let hang_up = |leg: &Value| json!({"Type": "Hangup", "Parameters": {"CallId": leg["CallId"], "SipResponseCode": "0"}});
    legs.iter().filter(connected).map(hang_up).collect()
}

/// A bridge to a number, and a hang-up when that fails.
fn bridging(to: &'static str) -> impl Fn(&Value) -> Value + Send + Sync + 'static {
    move |event| match kind(event) {
        "NEW_INBOUND_CALL" if event["CallDetails"]["Participants"][0]["To"] == NUMBER => json!([
            {"Type": "CallAndBridge", "Parameters": {
                "CallTimeoutSeconds": 20, "CallerIdNumber": "+12045550100",
                "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": to}]}}
        ]),
        "ACTION_FAILED" => json!([{"Type": "Hangup", "Parameters": {"SipResponseCode": "486"}}]),
        "HANGUP" => hang_up_the_rest(event),
        _ => json!([]),
    }
}

/// A sidecar whose calls go to a PBX, and the PBX; nothing where this machine cannot have one.
async fn with_pbx(handler: Handler, endpoint: &str) -> Option<(Bench, Asterisk)> {
    let sip = free_port();
    let bench = Bench::start(handler, Some(sip)).await;
    let plan = Dialplan {
        gateway: bench.sidecar.sip_udp().unwrap(),
        endpoint,
        pjsip: "",
        extensions: EXTENSIONS,
    };
    let pbx = Asterisk::start(sip, &plan)?;
    Some((bench, pbx))
}

async fn nothing_is_left(bench: &Bench, pbx: &Asterisk) {
    pbx.is_idle();
    bench.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_to_the_pbx_is_heard_both_ways() {
    let handler = Handler::start(bridging("+16075550102")).await;
    let Some((bench, pbx)) = with_pbx(handler, "").await else {
        return;
    };
    let phone = Phone::start(400.0, Behaviour::Answer);
    bench.call(&phone, &[]);
    // Its own voice comes back from the echo: both ways are open.
    phone.hears(400.0);
    phone.hang_up();
    phone.wait("the end", |state| state.ended);
    nothing_is_left(&bench, &pbx).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tone_of_the_pbx_is_heard_and_its_hang_up_ends_both_legs() {
    let handler = Handler::start(bridging("+16075550101")).await;
    let Some((bench, pbx)) = with_pbx(handler, "").await else {
        return;
    };
    let phone = Phone::start(400.0, Behaviour::Answer);
    bench.call(&phone, &[]);
    phone.hears(1000.0);
    pbx.cli("channel request hangup all");
    phone.wait("the end", |state| state.ended);
    nothing_is_left(&bench, &pbx).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn early_media_of_the_pbx_is_heard_before_the_answer() {
    let handler = Handler::start(bridging("+16075550106")).await;
    let Some((bench, pbx)) = with_pbx(handler, "").await else {
        return;
    };
    let phone = Phone::start(400.0, Behaviour::Answer);
    bench.call(&phone, &[]);
    phone.hears(700.0);
    let state = phone.wait("183", |state| state.provisional.contains(&183));
    assert!(!state.answered);
    phone.cancel();
    phone.wait("the end", |state| state.failed == Some(487));
    nothing_is_left(&bench, &pbx).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn busy_and_unknown_numbers_are_failed_actions() {
    for (number, status) in [("+16075550103", 486), ("+16075550107", 404)] {
        let handler = Handler::start(bridging(number)).await;
        let Some((bench, pbx)) = with_pbx(handler, "").await else {
            return;
        };
        let phone = Phone::start(400.0, Behaviour::Answer);
        bench.call(&phone, &[]);
        let failed = bench.handler.wait("ACTION_FAILED", 1);
        assert_eq!(
            failed["ActionData"]["ErrorType"], "CallNotAnswered",
            "{failed} for {status}"
        );
        phone.wait("the refusal", |state| state.failed == Some(486));
        nothing_is_left(&bench, &pbx).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_the_pbx_is_answered_heard_and_recorded() {
    undisturbed(async || {
    let handler = Handler::start(|event| match kind(event) {
        "NEW_INBOUND_CALL" => json!([
            {"Type": "RecordAudio", "Parameters": {"DurationInSeconds": "3", "RecordingTerminators": [],
                "RecordingDestination": {"Type": "S3", "BucketName": "recordings"}}},
            {"Type": "Hangup"}
        ]),
        _ => json!([]),
    })
    .await;
    let Some((bench, pbx)) = with_pbx(handler, "").await else {
        return;
    };
    pbx.call_to(NUMBER, "+16075550109");
    let done = bench.handler.wait("ACTION_SUCCESSFUL", 1);
    let key = done["ActionData"]["RecordingDestination"]["Key"]
        .as_str()
        .unwrap();
    let audio = wav::read_file(&bench.folder.path().join("recordings").join(key)).unwrap();
    assert!(has_tone(&audio.samples, 600.0));
    nothing_is_left(&bench, &pbx).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn digits_pass_both_ways() {
    undisturbed(async || {
        for mode in ["dtmf_mode=rfc4733", "dtmf_mode=inband"] {
            let handler = Handler::start(bridging("+16075550105")).await;
            let Some((bench, pbx)) = with_pbx(handler, mode).await else {
                return;
            };
            let phone = Phone::start(0.0, Behaviour::Answer);
            bench.call(&phone, &[]);
            phone.wait("the answer", |state| state.answered);
            for digit in "1234".chars() {
                phone.digit(digit);
            }
            pbx.logs("pressed 1234 so far");
            // A PBX whose digits are tones has them heard as tones.
            phone.wait(&format!("the digits, {mode}"), |state| {
                let mut tones = ToneDetector::new();
                let heard: String = (state.heard.chunks(160))
                    .filter_map(|frame| tones.push(frame))
                    .map(Digit::as_char)
                    .collect();
                state.digits == "4711" || heard == "4711"
            });
            phone.hang_up();
            phone.wait("the end", |state| state.ended);
            nothing_is_left(&bench, &pbx).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn direct_media_moves_the_sound_and_loses_none() {
    // A calls the PBX through one bridge, and the PBX calls a second phone through another: then it
    // re-INVITEs both legs so that they send to each other.
    let second = Phone::start(500.0, Behaviour::Answer);
    let handler = Handler::start(|event| {
        let to = &event["CallDetails"]["Participants"][0]["To"];
        match kind(event) {
            "NEW_INBOUND_CALL" => {
                let to = if *to == NUMBER {
                    "+16075550108"
                } else {
                    "+19995550100"
                };
                json!([{"Type": "CallAndBridge", "Parameters": {"CallTimeoutSeconds": 20,
                    "CallerIdNumber": "+12045550100",
                    "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": to}]}}])
            }
            "HANGUP" => hang_up_the_rest(event),
            _ => json!([]),
        }
    })
    .await;
    let sip = free_port();
    let to_second = format!("sip:{{number}}@{}", second.address);
    let bench = Bench::with(handler, Some(sip), "", |config| {
        let mut route = config.route[0].clone();
        route.prefix = Some("+1999".into());
        route.uri = Some(to_second);
        config.route.push(route);
        config.application[0].numbers.push("+16075550120".into());
    })
    .await;
    let plan = Dialplan {
        gateway: bench.sidecar.sip_udp().unwrap(),
        endpoint: "direct_media=yes\ndirect_media_method=invite",
        pjsip: "",
        extensions: EXTENSIONS,
    };
    let Some(pbx) = Asterisk::start(sip, &plan) else {
        return;
    };
    let first = Phone::start(400.0, Behaviour::Answer);
    bench.call(&first, &[]);
    pbx.logs("media will flow directly between them");
    first.forget_heard();
    second.forget_heard();
    first.hears(500.0);
    second.hears(400.0);
    second.hang_up();
    first.wait("the end", |state| state.ended);
    nothing_is_left(&bench, &pbx).await;
}
