//! A call from the device to the phone.

use serde_json::{Value, json};

use crate::program::Program;
use crate::sip_phone::SipPhone;
use crate::support::skill::{ACCOUNT, Skill};
use crate::support::{Bench, Handler};

pub(crate) async fn bench(skill: &Skill, phone: &SipPhone, more: &str, extra: &str) -> Bench {
    let settings = skill.settings(&format!(
        "{more}\n[[gateway.route]]\naddress = \"desk\"\nuri = \"sip:desk@{}\"\n\
         [[gateway.room]]\nnumber = \"201\"\nparticipant = \"room201\"\naccount = \"{ACCOUNT}\"\n{extra}",
        phone.here
    ));
    Bench::with(Handler::absent(), None, &settings, |_| {}).await
}

pub(crate) fn details(kind: &str, sdp: &str) -> Value {
    json!({"sdpDetails": {"type": kind, "value": sdp}})
}

pub(crate) fn sdp_of(message: &Value) -> String {
    message["sdpDetails"]["value"].as_str().unwrap().to_owned()
}

pub(crate) fn hears_of(skill: &Skill, operation: &str, n: usize) -> Value {
    tokio::task::block_in_place(|| skill.wait(operation, n))
}

/// What begins the device's call to the desk.
pub(crate) fn outbound(offer: &str) -> Value {
    let mut begin = details("OFFER", offer);
    begin["participants"] = json!([
        {"id": {"type": "RAW_ADDRESS", "value": "room201"}, "isOriginator": true},
        {"id": {"type": "RAW_ADDRESS", "value": "desk"}, "isOriginator": false},
    ]);
    begin
}

/// The device calls the desk, which answers; our answer.
pub(crate) async fn gets_through(skill: &Skill, control: &str, offer: &str) -> String {
    skill
        .says(control, "s-1", "InitiateOutboundCall", outbound(offer))
        .await;
    hears_of(skill, "CallRinging", 1);
    skill
        .says(control, "s-1", "CallRingingAck", json!({}))
        .await;
    let accepted = hears_of(skill, "CallAccepted", 1);
    skill
        .says(control, "s-1", "CallAcceptedAck", json!({}))
        .await;
    sdp_of(&accepted)
}

/// The device offers anew, and takes our answer.
pub(crate) async fn updates(
    skill: &Skill,
    control: &str,
    kind: &str,
    device: &Program,
    n: usize,
) -> String {
    let direction = match kind {
        "CALL_HOLD" => "sendonly",
        _ => "sendrecv",
    };
    device.order(&json!({"offer": direction}));
    let mut update = details("OFFER", &device.describes("offer"));
    update["renegotiationType"] = kind.into();
    skill.says(control, "s-1", "CallUpdate", update).await;
    let answer = sdp_of(&hears_of(skill, "CallUpdateResponse", n));
    device.order(&json!({"type": "answer", "sdp": answer}));
    skill.says(control, "s-1", "CallUpdateAck", json!({})).await;
    answer
}

/// The `n`th CallUpdate comes, and the device answers it.
pub(crate) async fn is_updated(
    skill: &Skill,
    control: &str,
    session: &str,
    device: &Program,
    n: usize,
) -> String {
    let update = hears_of(skill, "CallUpdate", n);
    let offer = sdp_of(&update);
    device.order(&json!({"type": "offer", "sdp": offer}));
    let mut answer = details("ANSWER", &device.describes("answer"));
    answer["renegotiationType"] = update["renegotiationType"].clone();
    skill
        .says(control, session, "CallUpdateResponse", answer)
        .await;
    hears_of(skill, "CallUpdateAck", n);
    offer
}

pub(crate) async fn hangs_up(skill: &Skill, control: &str, bench: &Bench) {
    let result = json!({"callResult": {"code": "SUCCESS"}});
    skill.says(control, "s-1", "CallEnded", result).await;
    bench.nothing_is_left().await;
}
