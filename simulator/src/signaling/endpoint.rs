//! The device's side of the media: who makes its offers and takes the answers.
//!
//! The service asks an [`Endpoint`] for one [`Leg`] a session. [`Scripted`] has fixed descriptions and no media; a device with ICE,
//! DTLS and a voice is another implementation.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use skillcall_protocol::signaling::{CallResult, Participant, RenegotiationKind};

/// Makes the devices' legs.
pub trait Endpoint: Debug + Send + Sync {
    /// A device's part of a new session between these.
    fn leg(&self, session_id: &str, device_id: &str, participants: &[Participant]) -> Box<dyn Leg>;
}

/// A device's part of one session. Methods are called one after the other, and must not block.
pub trait Leg: Debug + Send {
    /// The device's offer: the first one, or another one for `renegotiation`.
    ///
    /// # Errors
    /// Why there is none: the session ends.
    fn offer(&mut self, renegotiation: Option<&RenegotiationKind>) -> Result<String, String>;

    /// The device's answer to an offer of the skill's side: the first one, or one for `renegotiation`. `None`: the device gives
    /// it later, by itself.
    ///
    /// # Errors
    /// Why there is none: the session ends.
    fn answer(
        &mut self,
        offer: &str,
        renegotiation: Option<&RenegotiationKind>,
    ) -> Result<Option<String>, String>;

    /// The answer to the device's last offer.
    ///
    /// # Errors
    /// What is wrong with it: the session ends.
    fn take_answer(&mut self, answer: &str) -> Result<(), String>;

    /// The callee rings: the device gives a ringing tone, unless early media has begun.
    fn ringing(&mut self);

    /// The call is accepted.
    fn accepted(&mut self);

    /// The session is over.
    fn ended(&mut self, result: &CallResult);
}

/// The offer of facts G9, audio only: documentation addresses, made-up keys.
pub const OFFER: &str = "v=0\r\no=- 4000000001 4000000001 IN IP4 0.0.0.0\r\ns=a 2 z\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n\
a=group:BUNDLE audio0\r\nm=audio 1 UDP/TLS/RTP/SAVPF 96 0 8\r\n\
a=candidate:1 1 UDP 2013266431 192.0.2.10 40000 typ host\r\na=candidate:1 2 UDP 2013266430 192.0.2.10 40001 typ host\r\n\
a=candidate:2 1 TCP 1015021823 192.0.2.10 9 typ host tcptype active\r\n\
a=candidate:3 1 TCP 1010827519 192.0.2.10 40002 typ host tcptype passive\r\na=setup:actpass\r\n\
a=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\na=rtpmap:96 opus/48000/2\r\n\
a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=sendrecv\r\na=mid:audio0\r\n\
a=ssrc:1 cname:sim\r\na=ice-ufrag:simu\r\na=ice-pwd:simulatedpassword000000\r\n\
a=fingerprint:sha-256 0B:30:55:7A:9F:C4:E9:0E:33:58:7D:A2:C7:EC:11:36:5B:80:A5:CA:EF:14:39:5E:83:A8:CD:F2:17:3C:61:86\r\n";

/// What a scripted leg was told, for tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It gave an offer.
    Offered,
    /// It answered this offer.
    Answered(String),
    /// It took this answer.
    Answer(String),
    /// The callee rings.
    Ringing,
    /// The call is accepted.
    Accepted,
    /// The session is over, with this code.
    Ended(String),
}

/// Legs with fixed descriptions and no media.
#[derive(Debug, Clone, Default)]
pub struct Scripted {
    told: Arc<Mutex<Vec<(String, Told)>>>,
}

impl Scripted {
    /// What the legs of a session were told so far.
    #[must_use]
    pub fn told(&self, session_id: &str) -> Vec<Told> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.iter()
            .filter(|(id, _)| id == session_id)
            .map(|(_, told)| told.clone())
            .collect()
    }
}

impl Endpoint for Scripted {
    fn leg(
        &self,
        session_id: &str,
        _device_id: &str,
        _participants: &[Participant],
    ) -> Box<dyn Leg> {
        Box::new(ScriptedLeg {
            session_id: session_id.to_owned(),
            told: Arc::clone(&self.told),
            version: 0,
        })
    }
}

/// The most events of scripted legs that are kept.
const MAX_TOLD: usize = 10_000;

#[derive(Debug)]
struct ScriptedLeg {
    session_id: String,
    told: Arc<Mutex<Vec<(String, Told)>>>,
    version: u32,
}

impl ScriptedLeg {
    fn tell(&self, told: Told) {
        let mut all = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < MAX_TOLD {
            all.push((self.session_id.clone(), told));
        }
    }

    /// The description with a version of its own (RFC 3264 §8), in the direction that `renegotiation` asks for.
    fn description(&mut self, renegotiation: Option<&RenegotiationKind>) -> String {
        let version = 4_000_000_001 + u64::from(self.version);
        self.version += 1;
        let origin = format!("o=- 4000000001 {version} IN");
        let whole = OFFER.replacen("o=- 4000000001 4000000001 IN", &origin, 1);
        match renegotiation {
            Some(RenegotiationKind::CallHold) => whole.replacen("a=sendrecv", "a=sendonly", 1),
            _ => whole,
        }
    }
}

impl Leg for ScriptedLeg {
    fn offer(&mut self, renegotiation: Option<&RenegotiationKind>) -> Result<String, String> {
        self.tell(Told::Offered);
        Ok(self.description(renegotiation))
    }

    fn answer(
        &mut self,
        offer: &str,
        _renegotiation: Option<&RenegotiationKind>,
    ) -> Result<Option<String>, String> {
        if !offer.starts_with("v=0") {
            return Err("the offer does not begin with v=0".to_owned());
        }
        self.tell(Told::Answered(offer.to_owned()));
        let direction = if offer.contains("a=sendonly") {
            "a=recvonly"
        } else if offer.contains("a=inactive") {
            "a=inactive"
        } else {
            "a=sendrecv"
        };
        let answer = self.description(None);
        let active = answer.replacen("a=setup:actpass", "a=setup:active", 1);
        Ok(Some(active.replacen("a=sendrecv", direction, 1)))
    }

    fn take_answer(&mut self, answer: &str) -> Result<(), String> {
        if !answer.starts_with("v=0") {
            return Err("the answer does not begin with v=0".to_owned());
        }
        self.tell(Told::Answer(answer.to_owned()));
        Ok(())
    }

    fn ringing(&mut self) {
        self.tell(Told::Ringing);
    }

    fn accepted(&mut self) {
        self.tell(Told::Accepted);
    }

    fn ended(&mut self, result: &CallResult) {
        self.tell(Told::Ended(result.code.as_str().to_owned()));
    }
}
