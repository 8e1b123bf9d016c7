//! Where a device's calls go: trunks and their targets, limits, call detail records, music on hold.

use crate::support;

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use support::room::{G711, Room};
use support::skill::{ACCOUNT, Skill};
use support::{Behaviour, Bench, Handler, Phone};

const DEVICE: f64 = 700.0;
const PHONE: f64 = 1100.0;

async fn bench(skill: &Skill, more: &str) -> Bench {
    let room = format!(
        "[[gateway.room]]\nnumber = \"201\"\nparticipant = \"room201\"\naccount = \"{ACCOUNT}\"\n\
         profile = \"{}\"\n",
        support::room::PROFILE
    );
    let settings = skill.settings(&format!("{more}\n{room}"));
    Bench::with(Handler::absent(), None, &settings, |_| {}).await
}

fn trunk(name: &str, places: &[(SocketAddr, u8)]) -> String {
    let places: Vec<String> = places
        .iter()
        .map(|(address, priority)| format!("{{ address = \"{address}\", priority = {priority} }}"))
        .collect();
    format!(
        "[[trunk]]\nname = \"{name}\"\ntarget = [{}]\n",
        places.join(", ")
    )
}

async fn room(skill: &Arc<Skill>, bench: &Bench, session: &str) -> Room {
    let device = (DEVICE, &G711[..]);
    Room::calls(skill, bench.sidecar.control(), session, "frontdesk", device).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_s_next_target_takes_the_call_and_both_legs_leave_records() {
    let skill = Arc::new(Skill::start().await);
    let full = Phone::start(PHONE, Behaviour::Refuse(503));
    let phone = Phone::start(PHONE, Behaviour::Answer);
    let places = [(phone.address, 2), (full.address, 1)];
    let settings = format!(
        "[[gateway.route]]\naddress = \"*\"\ntrunk = \"pbx\"\n{}[records]\nfolder = \"records\"\n",
        trunk("pbx", &places)
    );
    let bench = bench(&skill, &settings).await;
    let room = room(&skill, &bench, "s-1").await;
    room.gets_through().await;
    room.hears(PHONE);
    tokio::task::block_in_place(|| phone.hears(DEVICE));
    assert!(full.seen(|state| state.rung), "the first place is tried");
    let invite = phone.wait("the INVITE", |state| state.invite.is_some());
    let invite = invite.invite.unwrap();
    let line = format!("INVITE sip:frontdesk@{} ", phone.address);
    assert!(invite.starts_with(&line), "{invite}");
    assert!(
        invite.contains("From: <sip:201@"),
        "who is called sees the room's number: {invite}"
    );
    phone.hang_up();
    assert_eq!(room.ended(), "SUCCESS");
    bench.nothing_is_left().await;
    let folder = bench.folder.path().join("records/Amazon-Chime-SMADRs");
    bench.sidecar.shutdown().await;
    let lines: Vec<Value> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .map(|line| serde_json::from_str(&line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    for (direction, usage) in [
        ("Outbound", "outbound-minutes"),
        ("Inbound", "inbound-minutes"),
    ] {
        let found = lines.iter().find(|line| line["Direction"] == direction);
        let line = found.unwrap_or_else(|| panic!("no {direction} in {lines:#?}"));
        assert_eq!(line["TransactionId"], "s-1");
        assert_eq!(line["UsageType"], usage);
        assert_eq!(line["Status"], "Completed");
        assert_eq!(line["DestinationPhoneNumber"], "frontdesk");
        assert_eq!(line["CallLegTriggerType"], "CallSignaling");
        assert_eq!(line.get("SipRuleId"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_and_a_caller_have_their_limits() {
    for (limit, more) in [
        ("max-calls = 1", ""),
        ("calls-per-hour = 1", ""),
        ("", "[toll]\ncalls-per-caller-and-hour = 1\n"),
    ] {
        let skill = Arc::new(Skill::start().await);
        let phone = Phone::start(PHONE, Behaviour::Answer);
        let settings = format!(
            "[[gateway.route]]\naddress = \"*\"\nuri = \"sip:{{number}}@{}\"\n{limit}\n{more}",
            phone.address
        );
        let bench = bench(&skill, &settings).await;
        let first = room(&skill, &bench, "s-1").await;
        first.gets_through().await;
        phone.forget();
        let second = room(&skill, &bench, "s-2").await;
        let end = tokio::task::block_in_place(|| skill.wait("CallEnded", 1));
        assert_eq!(end["sessionId"], "s-2", "{limit}{more}");
        assert_eq!(end["callResult"]["code"], "UNAUTHORIZED");
        assert!(!phone.seen(|state| state.rung), "nobody is called");
        drop(second);
        first.hears(PHONE);
        first.hangs_up("SUCCESS").await;
        bench.nothing_is_left().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_phone_hears_music_while_the_device_holds() {
    const MUSIC: f64 = 900.0;
    let skill = Arc::new(Skill::start().await);
    let phone = Phone::start(PHONE, Behaviour::Answer);
    let folder = tempfile::tempdir().unwrap();
    let music = folder.path().join("music.wav");
    let samples = skillcall_media::tone::sine(MUSIC, -10.0, 8000);
    let bytes = skillcall_media::wav::to_bytes(&samples, 1).unwrap();
    std::fs::write(&music, bytes).unwrap();
    let settings = format!(
        "hold-music = \"{}\"\n[[gateway.route]]\naddress = \"*\"\nuri = \"sip:{{number}}@{}\"\n",
        music.display(),
        phone.address
    );
    let bench = bench(&skill, &settings).await;
    let mut room = room(&skill, &bench, "s-1").await;
    room.gets_through().await;
    for _ in 0..2 {
        room.holds(true).await;
        // More than the file is long: it begins anew.
        tokio::task::block_in_place(|| {
            phone.hears(MUSIC);
            phone.forget_heard();
            phone.wait("music for more than a second", |state| {
                state.heard.len() >= 12_000
            });
            phone.hears(MUSIC);
        });
        room.holds(false).await;
        room.hears(PHONE);
        tokio::task::block_in_place(|| phone.hears(DEVICE));
    }
    phone.hang_up();
    assert_eq!(room.ended(), "SUCCESS");
    bench.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_and_a_caller_hear_each_other_before_the_answer() {
    let skill = Arc::new(Skill::start().await);
    let phone = Phone::start(PHONE, Behaviour::Ring);
    let bench = bench(&skill, "").await;
    phone.call(bench.sidecar.sip_udp().unwrap(), "201", &[]);
    let control = bench.sidecar.control();
    let (room, answer) = Room::is_called(&skill, control, (DEVICE, &G711)).await;
    let details = json!({"sdpDetails": {"type": "ANSWER", "value": answer}});
    room.says("CallInProgress", details).await;
    tokio::task::block_in_place(|| {
        phone.wait("183", |state| state.provisional.contains(&183));
        phone.hears(DEVICE);
    });
    room.hears(PHONE);
    assert!(!phone.seen(|state| state.answered));
    room.says("CallAccepted", json!({})).await;
    tokio::task::block_in_place(|| {
        phone.wait("200", |state| state.answered);
        phone.forget_heard();
        phone.hears(DEVICE);
    });
    room.hears(PHONE);
    phone.hang_up();
    assert_eq!(room.ended(), "SUCCESS");
    bench.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn music_that_cannot_be_played_is_told_at_the_start() {
    let skill = Skill::start().await;
    let folder = tempfile::tempdir().unwrap();
    let settings = skill.settings("hold-music = \"absent.wav\"");
    let config = support::config(folder.path(), "http://127.0.0.1:9/", None, &settings);
    let error = skillcall_sidecar::Sidecar::start(config).await.err();
    let text = format!("{:?}", error.expect("it does not start"));
    assert!(text.contains("absent.wav"), "{text}");
}
