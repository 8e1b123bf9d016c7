//! A room: an Alexa device, and what Alexa says for it in the course of a call.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use serde_json::{Value, json};
use skillcall_media::encoding::Encoding;
use skillcall_webrtc::{Direction, LocalAddress};

use super::device::Device;
use super::skill::Skill;

/// The communication profile that the device calls with.
pub(crate) const PROFILE: &str = "amzn1.alexa.communications.profile.did.ROOM201";
pub(crate) const G711: [Encoding; 2] = [Encoding::Pcmu, Encoding::Pcma];

/// A device in a call, or on its way there.
pub(crate) struct Room {
    skill: Arc<Skill>,
    sidecar: String,
    session: String,
    pub(crate) device: Device,
    updates: usize,
}

/// Waits in a place where others may wait too.
fn wait(skill: &Skill, operation: &str, n: usize) -> Value {
    tokio::task::block_in_place(|| skill.wait(operation, n))
}

fn sdp_of(message: &Value) -> &str {
    message["sdpDetails"]["value"].as_str().unwrap()
}

fn details(kind: &str, sdp: &str) -> Value {
    json!({"sdpDetails": {"type": kind, "value": sdp}})
}

impl Room {
    /// The device calls an address; nobody has reacted yet.
    pub(crate) async fn calls(
        skill: &Arc<Skill>,
        sidecar: SocketAddr,
        session: &str,
        address: &str,
        (voice, codecs): (f64, &[Encoding]),
    ) -> Self {
        let offering = Device::offering(voice, codecs);
        Self::calls_with(skill, sidecar, session, address, offering).await
    }

    /// The same with a device and its offer.
    pub(crate) async fn calls_with(
        skill: &Arc<Skill>,
        sidecar: SocketAddr,
        session: &str,
        address: &str,
        (device, offer): (Device, String),
    ) -> Self {
        let mut begin = details("OFFER", &offer);
        begin["participants"] = json!([
            {"id": {"type": "COMMUNICATION_PROFILE_ID", "value": PROFILE}, "isOriginator": true},
            {"id": {"type": "RAW_ADDRESS", "value": address}, "isOriginator": false},
        ]);
        let room = Self {
            skill: Arc::clone(skill),
            sidecar: sidecar.to_string(),
            session: session.to_owned(),
            device,
            updates: 0,
        };
        room.says("InitiateOutboundCall", begin).await;
        room
    }

    /// The device is called: it rings.
    pub(crate) async fn is_called(
        skill: &Arc<Skill>,
        sidecar: SocketAddr,
        (voice, codecs): (f64, &[Encoding]),
    ) -> (Self, String) {
        let call = wait(skill, "InitiateInboundCall", 1);
        let (device, answer) = Device::answering_with(voice, codecs, sdp_of(&call));
        let room = Self {
            skill: Arc::clone(skill),
            sidecar: sidecar.to_string(),
            session: call["sessionId"].as_str().unwrap().to_owned(),
            device,
            updates: 0,
        };
        room.says("CallRinging", json!({})).await;
        (room, answer)
    }

    /// The device is called, and somebody answers.
    pub(crate) async fn answers(
        skill: &Arc<Skill>,
        sidecar: SocketAddr,
        device: (f64, &[Encoding]),
    ) -> Self {
        let (room, answer) = Self::is_called(skill, sidecar, device).await;
        room.says("CallAccepted", details("ANSWER", &answer)).await;
        room
    }

    pub(crate) async fn says(&self, operation: &str, members: Value) {
        let skill = &self.skill;
        skill
            .says(&self.sidecar, &self.session, operation, members)
            .await;
    }

    /// Alexa hears that it rings.
    pub(crate) async fn rings(&self) {
        wait(&self.skill, "CallRinging", 1);
        self.says("CallRingingAck", json!({})).await;
    }

    /// Alexa hears of early media.
    pub(crate) async fn progresses(&self) {
        let progress = wait(&self.skill, "CallInProgress", 1);
        self.device.take_answer(sdp_of(&progress));
        self.says("CallInProgressAck", json!({})).await;
    }

    /// Alexa hears that the phone has answered.
    pub(crate) async fn is_answered(&self) {
        let accepted = wait(&self.skill, "CallAccepted", 1);
        // Where CallInProgress had it, it does not come again.
        if accepted["sdpDetails"]["value"].is_string() {
            self.device.take_answer(sdp_of(&accepted));
        }
        self.says("CallAcceptedAck", json!({})).await;
    }

    /// It rings, and the phone answers.
    pub(crate) async fn gets_through(&self) {
        self.rings().await;
        self.is_answered().await;
    }

    /// The device offers anew: it holds, or holds no more.
    pub(crate) async fn holds(&mut self, on: bool) {
        let (kind, direction) = if on {
            ("CALL_HOLD", Direction::SendOnly)
        } else {
            ("CALL_RESUME", Direction::SendRecv)
        };
        let mut update = details("OFFER", &self.device.offer_again(direction));
        update["renegotiationType"] = kind.into();
        self.updates += 1;
        self.says("CallUpdate", update).await;
        let response = wait(&self.skill, "CallUpdateResponse", self.updates);
        assert_eq!(response["renegotiationType"], kind);
        self.device.take_answer(sdp_of(&response));
        self.says("CallUpdateAck", json!({})).await;
    }

    /// The device has changed to another socket, which is reached by these addresses.
    pub(crate) async fn moves(&mut self, socket: UdpSocket, addresses: &[LocalAddress]) {
        let mut update = details("OFFER", &self.device.move_to(socket, addresses));
        update["renegotiationType"] = "CALL_UPDATE".into();
        self.updates += 1;
        self.says("CallUpdate", update).await;
        let response = wait(&self.skill, "CallUpdateResponse", self.updates);
        self.device.take_answer(sdp_of(&response));
        self.says("CallUpdateAck", json!({})).await;
    }

    /// The `n`th CallUpdate comes, of this kind, and is answered.
    pub(crate) async fn is_updated(&self, n: usize, kind: &str) {
        let update = wait(&self.skill, "CallUpdate", n);
        assert_eq!(update["renegotiationType"], kind);
        let mut answer = details("ANSWER", &self.device.answer_again(sdp_of(&update)));
        answer["renegotiationType"] = kind.into();
        self.says("CallUpdateResponse", answer).await;
        wait(&self.skill, "CallUpdateAck", n);
    }

    /// The person in the room ends it, or declines.
    pub(crate) async fn hangs_up(&self, code: &str) {
        let result = json!({"callResult": {"code": code}});
        self.says("CallEnded", result).await;
    }

    /// The sidecar ends it: with which code.
    pub(crate) fn ended(&self) -> String {
        let end = wait(&self.skill, "CallEnded", 1);
        end["callResult"]["code"].as_str().unwrap().to_owned()
    }

    /// Waits until the device hears a tone, from now on.
    pub(crate) fn hears(&self, frequency: f64) {
        tokio::task::block_in_place(|| {
            self.device.forget_heard();
            self.device.hears(frequency);
        });
    }
}
