//! Rooms and a phone that nobody here wrote, PJSIP: SDES, each direction of hold, offers in all places, early media, transfers.

use crate::support;

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use skillcall_media::encoding::Encoding;
use support::pjsua::Pjsua;
use support::room::{G711, Room};
use support::skill::{ACCOUNT, Skill};
use support::{Bench, Handler};

const ROOM: f64 = 700.0;
const PHONE: f64 = 1100.0;
const OTHER: f64 = 1300.0;

/// PJMEDIA_SRTP_MANDATORY.
const SRTP: u8 = 2;

async fn bench(skill: &Skill, places: &[(&str, SocketAddr)], srtp: bool) -> Bench {
    let routes: String = places
        .iter()
        .map(|(address, place)| {
            format!("[[gateway.route]]\naddress = \"{address}\"\nuri = \"sip:{address}@{place}\"\n")
        })
        .collect();
    let trunk = places.iter().filter(|_| srtp).map(|(name, place)| {
        format!(
            "[[trunk]]\nname = \"{name}\"\ntarget = [{{ address = \"{place}\" }}]\n\
             addresses = [\"127.0.0.1\"]\nsrtp = \"required\"\n"
        )
    });
    let trunk: String = trunk.collect();
    let settings = skill.settings(&format!(
        "{routes}[[gateway.room]]\nnumber = \"201\"\nparticipant = \"room201\"\naccount = \"{ACCOUNT}\"\n{trunk}\
         [dialog]\nreliable-provisional = \"required\"\n"
    ));
    Bench::with(Handler::absent(), None, &settings, |_| {}).await
}

async fn room(skill: &Arc<Skill>, bench: &Bench, codecs: &[Encoding]) -> Room {
    let device = (ROOM, codecs);
    Room::calls(skill, bench.sidecar.control(), "s-1", "desk", device).await
}

fn both_hear(room: &Room, phone: &mut Pjsua, call: &str, tone: f64) {
    room.hears(tone);
    tokio::task::block_in_place(|| phone.hears_tone(call, ROOM));
}

/// Waits until a change of the phone's is agreed on: its media come up anew.
fn change(phone: &mut Pjsua, order: &str) -> Value {
    tokio::task::block_in_place(|| {
        let mark = phone.mark();
        phone.order(order);
        phone.wait_after(mark, order, |event| event["event"] == "media")
    })
}

fn started(settings: &Value) -> Pjsua {
    tokio::task::block_in_place(|| Pjsua::start(settings))
}

#[tokio::test(flavor = "multi_thread")]
async fn all_directions_of_hold_with_sdes() {
    for (codecs, srtp) in [(&G711[..], true), (&[Encoding::Opus], false)] {
        let skill = Arc::new(Skill::start().await);
        let mode = if srtp { SRTP } else { 0 };
        let mut phone = started(&json!({"tone": PHONE, "answers": 200, "srtp": mode}));
        let bench = bench(&skill, &[("desk", phone.address)], srtp).await;
        let room = room(&skill, &bench, codecs).await;
        room.gets_through().await;
        let incoming = phone.wait("a call", |event| event["event"] == "incoming");
        let offer = incoming["message"].as_str().unwrap();
        assert_eq!(offer.contains("a=crypto:"), srtp, "{offer}");
        both_hear(&room, &mut phone, "1", PHONE);
        // It holds, with its music: the room hears it.
        change(&mut phone, "direct 1 sendonly");
        room.is_updated(1, "CALL_HOLD").await;
        room.hears(PHONE);
        // Nobody says anything. For Alexa it is the same hold.
        change(&mut phone, "direct 1 inactive");
        tokio::task::block_in_place(|| {
            room.device.forget_heard();
            room.device.hears_nothing();
        });
        // It only listens.
        change(&mut phone, "direct 1 recvonly");
        room.is_updated(2, "CALL_RESUME").await;
        tokio::task::block_in_place(|| phone.hears_tone("1", ROOM));
        // And both talk again.
        change(&mut phone, "direct 1 sendrecv");
        both_hear(&room, &mut phone, "1", PHONE);
        let said = skill.operations();
        let updates = said.iter().filter(|name| *name == "CallUpdate").count();
        assert_eq!(updates, 2, "{said:?}");
        phone.order("hangup 1");
        assert_eq!(room.ended(), "SUCCESS");
        bench.nothing_is_left().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_without_an_offer_and_one_by_update() {
    let skill = Arc::new(Skill::start().await);
    let mut phone = started(&json!({"tone": PHONE, "answers": 200}));
    let bench = bench(&skill, &[("desk", phone.address)], false).await;
    let room = room(&skill, &bench, &G711).await;
    room.gets_through().await;
    both_hear(&room, &mut phone, "1", PHONE);
    change(&mut phone, "ask 1");
    both_hear(&room, &mut phone, "1", PHONE);
    change(&mut phone, "direct 1 sendonly update");
    room.is_updated(1, "CALL_HOLD").await;
    change(&mut phone, "ask 1");
    change(&mut phone, "direct 1 sendrecv update");
    room.is_updated(2, "CALL_RESUME").await;
    both_hear(&room, &mut phone, "1", PHONE);
    room.hangs_up("SUCCESS").await;
    tokio::task::block_in_place(|| phone.is("1", "DISCONNECTED"));
    bench.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_offers_nothing_calls_a_room() {
    for order in ["call", "call-without-offer"] {
        let skill = Arc::new(Skill::start().await);
        let mut phone = started(&json!({"tone": PHONE}));
        let bench = bench(&skill, &[("desk", phone.address)], false).await;
        let to = bench.sidecar.sip_udp().unwrap();
        phone.order(&format!("{order} sip:201@{to}"));
        let control = bench.sidecar.control();
        let room = Room::answers(&skill, control, (ROOM, &G711)).await;
        tokio::task::block_in_place(|| phone.is("1", "CONFIRMED"));
        both_hear(&room, &mut phone, "1", PHONE);
        change(&mut phone, "ask 1");
        both_hear(&room, &mut phone, "1", PHONE);
        phone.order("hangup 1");
        assert_eq!(room.ended(), "SUCCESS");
        bench.nothing_is_left().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_before_the_answer_is_heard() {
    let skill = Arc::new(Skill::start().await);
    let mut phone = started(&json!({"tone": PHONE, "answers": 183}));
    let one = bench(&skill, &[("desk", phone.address)], false).await;
    let room = room(&skill, &one, &G711).await;
    room.rings().await;
    room.progresses().await;
    both_hear(&room, &mut phone, "1", PHONE);
    assert_eq!(skill.operations(), ["CallRinging", "CallInProgress"]);
    phone.order("answer 1 200");
    room.is_answered().await;
    both_hear(&room, &mut phone, "1", PHONE);
    room.hangs_up("SUCCESS").await;
    one.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_hears_the_room_before_it_answers() {
    let skill = Arc::new(Skill::start().await);
    let mut phone = started(&json!({"tone": PHONE}));
    let bench = bench(&skill, &[("desk", phone.address)], false).await;
    let to = bench.sidecar.sip_udp().unwrap();
    phone.order(&format!("call sip:201@{to}"));
    let control = bench.sidecar.control();
    let (room, answer) = Room::is_called(&skill, control, (ROOM, &G711)).await;
    let details = json!({"sdpDetails": {"type": "ANSWER", "value": answer}});
    room.says("CallInProgress", details.clone()).await;
    tokio::task::block_in_place(|| {
        phone.wait("early media", |event| event["event"] == "media");
    });
    both_hear(&room, &mut phone, "1", PHONE);
    room.says("CallAccepted", details).await;
    tokio::task::block_in_place(|| phone.is("1", "CONFIRMED"));
    both_hear(&room, &mut phone, "1", PHONE);
    phone.order("hangup 1");
    assert_eq!(room.ended(), "SUCCESS");
    bench.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_sends_a_guest_on() {
    for attended in [false, true] {
        let skill = Arc::new(Skill::start().await);
        let mut phone = started(&json!({"tone": PHONE, "answers": 200}));
        let mut other = started(&json!({"tone": OTHER, "answers": 200}));
        let places = [("desk", phone.address), ("kitchen", other.address)];
        let bench = bench(&skill, &places, false).await;
        let mut room = room(&skill, &bench, &G711).await;
        room.gets_through().await;
        both_hear(&room, &mut phone, "1", PHONE);
        // As phones do, it holds first.
        change(&mut phone, "direct 1 sendonly");
        room.is_updated(1, "CALL_HOLD").await;
        let taken = if attended {
            phone.order(&format!("call sip:kitchen@{}", other.address));
            tokio::task::block_in_place(|| phone.is("2", "CONFIRMED"));
            phone.order("transfer-replacing 1 2");
            "2"
        } else {
            phone.order(&format!("transfer 1 sip:kitchen@{}", other.address));
            "1"
        };
        tokio::task::block_in_place(|| phone.is("1", "DISCONNECTED"));
        // The hold went with the phone.
        room.is_updated(2, "CALL_RESUME").await;
        both_hear(&room, &mut other, taken, OTHER);
        room.holds(true).await;
        room.holds(false).await;
        both_hear(&room, &mut other, taken, OTHER);
        room.hangs_up("SUCCESS").await;
        tokio::task::block_in_place(|| other.is(taken, "DISCONNECTED"));
        bench.nothing_is_left().await;
        // Nobody is called whom no route names.
        let trace = bench.get("/v1/traces/s-1").await.to_string();
        assert!(trace.contains("a transfer: 200"), "{trace}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_to_where_no_route_leads_is_refused_and_the_call_goes_on() {
    let skill = Arc::new(Skill::start().await);
    let mut phone = started(&json!({"tone": PHONE, "answers": 200}));
    let other = started(&json!({"tone": OTHER, "answers": 200}));
    let bench = bench(&skill, &[("desk", phone.address)], false).await;
    let room = room(&skill, &bench, &G711).await;
    room.gets_through().await;
    phone.order(&format!("transfer 1 sip:kitchen@{}", other.address));
    let refused = tokio::task::block_in_place(|| {
        phone.wait("the refusal", |event| event["event"] == "transfer")
    });
    assert_eq!(refused["code"], 403);
    assert_eq!(other.mark(), 1, "nobody calls the kitchen");
    both_hear(&room, &mut phone, "1", PHONE);
    phone.order("hangup 1");
    assert_eq!(room.ended(), "SUCCESS");
    bench.nothing_is_left().await;
}
