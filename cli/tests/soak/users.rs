//! What a user does: grants, speaks, and is sent messages.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use skillcall_protocol::signing::{KeyRing, RequestParts, sign_request};

use crate::installation::Services;
use crate::{customer, device, json_of};

/// What came of everything.
#[derive(Default)]
pub(crate) struct Figures(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    times_ms: Vec<u64>,
    placed: usize,
    not_placed: usize,
    unanswered: Vec<String>,
    messages: (usize, usize),
    grants: (usize, usize),
    granted: BTreeSet<usize>,
}

impl Figures {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn sorted_times(&self) -> Vec<u64> {
        let mut times = self.lock().times_ms.clone();
        times.sort_unstable();
        times
    }

    pub(crate) fn placed(&self) -> usize {
        self.lock().placed
    }

    pub(crate) fn not_placed(&self) -> usize {
        self.lock().not_placed
    }

    pub(crate) fn unanswered(&self) -> Vec<String> {
        self.lock().unanswered.clone()
    }

    /// Sent, and refused.
    pub(crate) fn messages(&self) -> (usize, usize) {
        self.lock().messages
    }

    /// Taken, and failed.
    pub(crate) fn grants(&self) -> (usize, usize) {
        self.lock().grants
    }

    /// The customers whose grants were taken.
    pub(crate) fn granted(&self) -> Vec<usize> {
        self.lock().granted.iter().copied().collect()
    }
}

/// One of the users.
pub(crate) struct User {
    number: usize,
    turn: u64,
    services: Services,
    figures: Arc<Figures>,
}

impl User {
    pub(crate) fn new(number: usize, services: Services, figures: Arc<Figures>) -> Self {
        Self {
            number,
            turn: 0,
            services,
            figures,
        }
    }

    /// Calls the front desk.
    pub(crate) async fn speak_once(self) {
        self.say("call the front desk").await;
    }

    /// Speaks now and then until `end`, each user at times of their own.
    pub(crate) async fn speak_until(mut self, end: Instant, pause: Duration) {
        tokio::time::sleep(self.part_of(pause)).await;
        while Instant::now() < end {
            match self.turn % 4 {
                0 => self.grant().await,
                1 => self.be_sent_a_message().await,
                _ => {}
            }
            let utterance = if self.turn.is_multiple_of(2) {
                "call the front desk"
            } else {
                "call housekeeping"
            };
            self.say(utterance).await;
            self.turn += 1;
            tokio::time::sleep(pause / 2 + self.part_of(pause)).await;
        }
    }

    /// A part of a pause, another one for each user and turn.
    fn part_of(&self, pause: Duration) -> Duration {
        let number = u64::try_from(self.number).unwrap_or_default();
        let mixed = (number + 1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(self.turn.wrapping_mul(0xbf58_476d_1ce4_e5b9));
        pause * u32::try_from(mixed >> 48).unwrap_or_default() / 0x1_0000
    }

    async fn ask(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.services.simulator);
        let request = self
            .services
            .http
            .post(url)
            .bearer_auth(&self.services.token);
        json_of(request.json(body)).await
    }

    async fn say(&self, utterance: &str) {
        let body = json!({"utterance": utterance, "device": device(self.number)});
        let said = self.ask("/sim/v1/say", &body).await;
        let mut counts = self.figures.lock();
        match said["tookMs"].as_u64() {
            Some(took) if said["outcome"] == "answered" => {
                counts.times_ms.push(took);
                if said["call"].is_object() && said["spoken"].to_string().contains("Calling") {
                    counts.placed += 1;
                } else {
                    counts.not_placed += 1;
                }
            }
            _ => counts.unanswered.push(said.to_string()),
        }
    }

    async fn grant(&self) {
        let body = json!({"device": device(self.number)});
        let told = self.ask("/sim/v1/grant", &body).await;
        let mut counts = self.figures.lock();
        match told["body"]["event"]["header"]["name"].as_str() {
            Some("AcceptGrant.Response") => {
                counts.grants.0 += 1;
                counts.granted.insert(self.number);
            }
            Some("ErrorResponse") => counts.grants.1 += 1,
            _ => counts.unanswered.push(told.to_string()),
        }
    }

    async fn be_sent_a_message(&self) {
        let status = message(&self.services, self.number).await;
        let mut counts = self.figures.lock();
        match status {
            202 => counts.messages.0 += 1,
            502 => counts.messages.1 += 1,
            other => counts.unanswered.push(format!("a message: {other}")),
        }
    }
}

/// Has a message sent to a customer's skill, signed as the sidecar signs; 0 when no answer comes.
pub(crate) async fn message(services: &Services, number: usize) -> u16 {
    let order = json!({"userId": customer(number), "message": {"data": {"missed": "1"}, "expiresAfterSeconds": 60}});
    let body = order.to_string().into_bytes();
    let keys = KeyRing::parse(&services.keys).expect("the sidecar's keys");
    let parts = RequestParts {
        method: "POST",
        path_and_query: "/messages",
        body: &body,
    };
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).expect("random bytes");
    let now = jiff::Timestamp::now().as_second();
    let mut request = services
        .http
        .post(format!("{}/messages", services.component));
    for (name, value) in sign_request(&keys, parts, now, nonce) {
        request = request.header(name, value);
    }
    match request.body(body).send().await {
        Ok(response) => response.status().as_u16(),
        Err(_) => 0,
    }
}
