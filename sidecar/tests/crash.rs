//! kill -9 in the middle of 100 bridged calls: the next sidecar ends both legs of each and tells the handler; a recording
//! and a call detail record survive.

mod support;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Value, json};
use skillcall_media::wav;
use support::process::{Process, free_port, wait};
use support::{Behaviour, Handler, LIMIT, NUMBER, Phone};

const CALLS: usize = 100;

/// A caller that waits for a BYE.
const CALLER: &str = r#"<scenario name="caller">
<send retrans="500"><![CDATA[
INVITE sip:+16075550199@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:+12045550111@[local_ip]:[local_port]>;tag=[pid]caller[call_number]
To: <sip:+16075550199@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:+12045550111@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=caller 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="183" optional="true"/>
<recv response="200" rrs="true"/>
<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:+12045550111@[local_ip]:[local_port]>;tag=[pid]caller[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv request="BYE"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>"#;

/// Somebody who answers, and waits for a BYE, which may come before an ACK from who is killed.
const DESK: &str = r#"<scenario name="desk">
<recv request="INVITE"/>
<send><![CDATA[
SIP/2.0 180 Ringing
[last_Via:]
[last_From:]
[last_To:];tag=[pid]desk[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:desk@[local_ip]:[local_port]>
Content-Length: 0

]]></send>
<send retrans="500"><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[pid]desk[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:desk@[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=desk 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
]]></send>
<recv request="ACK" optional="true"/>
<recv request="BYE"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>"#;

fn kind(event: &Value) -> &str {
    event["InvocationEventType"].as_str().unwrap()
}

/// The one file below a folder that ends so, once there is one.
fn find(folder: &Path, ending: &str) -> Option<PathBuf> {
    std::fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return find(&path, ending);
        }
        path.to_string_lossy().ends_with(ending).then_some(path)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_sidecar_leaves_nothing_behind() {
    let handler = Handler::start(|event| {
        let caller = &event["CallDetails"]["Participants"][0];
        let short = event["CallDetails"]["Participants"][0]["SipHeaders"]["X-Call"] == "short";
        match kind(event) {
            "NEW_INBOUND_CALL" if short => json!([{"Type": "Hangup", "Parameters": {"SipResponseCode": "486"}}]),
            // The telephone is recorded, SIPp's callers are put through.
            "NEW_INBOUND_CALL" if caller["From"] == "+12045550100" => json!([
                {"Type": "StartCallRecording", "Parameters": {"CallId": caller["CallId"], "Track": "INCOMING",
                    "Destination": {"Type": "S3", "Location": "recordings/crash"}}},
                {"Type": "Pause", "Parameters": {"DurationInMilliseconds": "600000"}},
            ]),
            "NEW_INBOUND_CALL" => json!({"SchemaVersion": "1.0", "TransactionAttributes": {"kept": "yes"}, "Actions": [
                {"Type": "CallAndBridge", "Parameters": {"CallerIdNumber": "+16075550199", "CallTimeoutSeconds": "60",
                    "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+14255550123"}]}},
            ]}),
            _ => json!([]),
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let (desk, caller) = (free_port(), free_port());
    let extra = "[records]\nfolder = \"records\"\n[limits]\ncalls-per-second = 1000\n";
    // The sections of a file may stand in any order, and `[sip]` is the one before.
    let route = SocketAddr::from(([127, 0, 0, 1], desk));
    let text = support::config_text(folder.path(), &handler.url, Some(route), extra);
    let config = folder.path().join("sidecar.toml");
    std::fs::write(&config, text).unwrap();

    let (mut killed, sip) = Process::sidecar(&config);
    let phone = Phone::start(400.0, Behaviour::Answer);
    phone.call(sip, NUMBER, &[("X-Call", "short")]);
    let short = handler.wait("HANGUP", 1);
    let phone = Phone::start(400.0, Behaviour::Answer);
    phone.call(sip, NUMBER, &[]);
    // Where the machine stands still for a moment an INVITE comes twice, which SIPp would take for the end.
    let port = desk.to_string();
    let ports = ["-p", &port, "-default_behaviors", "all,-abortunexp"];
    let mut desk = Process::sipp(folder.path(), "desk", DESK, CALLS, &ports);
    let to = sip.to_string();
    let ports = ["-p", &caller.to_string(), "-r", "50", "-l", "100", &to];
    let mut callers = Process::sipp(folder.path(), "caller", CALLER, CALLS, &ports);
    let recording = wait("a recording", || {
        find(&folder.path().join("recordings"), ".wav")
    });
    // Every call is bridged, and the recording has some seconds.
    handler.wait("ACTION_SUCCESSFUL", CALLS + 1);
    let kept = wait("two seconds of recording", || {
        let samples = wav::read_file(&recording).map_or(0, |audio| audio.samples.len());
        (samples >= 16_000).then_some(samples)
    });

    // What is answered in the moment before a kill may not be written yet, and SIPp does not say under which tag it takes a
    // CANCEL.
    let journal = folder.path().join("journal/calls.jsonl");
    wait("every leg in the journal", || {
        let text = std::fs::read_to_string(&journal).unwrap();
        (text.matches("\"what\":\"leg\"").count() > 2 * CALLS).then_some(())
    });
    killed.0.kill().unwrap();
    killed.0.wait().unwrap();
    // What could be read a moment ago is there, and the header says so.
    let audio = wav::read_file(&recording).unwrap();
    assert!(
        audio.samples.len() >= kept,
        "{} samples",
        audio.samples.len()
    );
    let records = find(&folder.path().join("records"), ".jsonl").expect("a call detail record");
    let records = std::fs::read_to_string(records).unwrap();
    let record: Value = serde_json::from_str(records.lines().next().unwrap()).unwrap();
    assert_eq!(
        record["TransactionId"],
        short["CallDetails"]["TransactionId"]
    );

    let restarted = Instant::now();
    let (next, _) = Process::sidecar(&config);
    desk.succeeds("the called legs", LIMIT);
    callers.succeeds("the calling legs", LIMIT);
    phone.wait("the recorded leg's end", |state| state.ended);
    let last = handler.wait("HANGUP", 2 + 2 * CALLS);
    eprintln!(
        "{CALLS} calls were ended {:.1} s after the new start",
        restarted.elapsed().as_secs_f64()
    );
    let legs = &last["CallDetails"]["Participants"];
    assert!(
        legs.as_array()
            .unwrap()
            .iter()
            .any(|leg| leg["Status"] == "Disconnected"),
        "{last}"
    );
    let hangups = handler.events("HANGUP");
    let bridged: Vec<&Value> = hangups
        .iter()
        .filter(|event| event["CallDetails"]["TransactionAttributes"]["kept"] == "yes")
        .collect();
    assert_eq!(bridged.len(), 2 * CALLS);
    for tag in ["LEG-A", "LEG-B"] {
        let of_leg = |event: &&&Value| event["ActionData"]["Parameters"]["ParticipantTag"] == tag;
        assert_eq!(bridged.iter().filter(of_leg).count(), CALLS, "{tag}");
    }
    assert!(
        bridged
            .iter()
            .all(|event| event["Sequence"].as_u64() > Some(2))
    );
    // Nothing is left for a third start, once the last handler has replied.
    wait("the journal's end", || {
        let text = std::fs::read_to_string(&journal).unwrap();
        let ended = text.matches("\"what\":\"ended\"").count();
        (ended > CALLS).then_some(())
    });
    drop(next);
    let (_third, _) = Process::sidecar(&config);
    assert_eq!(std::fs::read_to_string(journal).unwrap(), "");
}
