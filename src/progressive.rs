//! Words while the skill still works: a progressive response when Alexa's APIs take longer than two seconds (facts A5).

use std::cell::RefCell;
use std::time::Duration;

use skillcall_protocol::alexa::{DIRECTIVES_PATH, ProgressiveResponse};

use crate::caller::Api;
use crate::host::{Host, HostError, OutboundReply, OutboundRequest, SendError};
use crate::trace::Recorder;

/// After this the customer hears that the skill still works (our choice).
const AFTER_MS: u64 = 2000;
/// The words must not cost the time that the answer needs.
const LIMIT: Duration = Duration::from_millis(1000);
const MAX_REPLY: usize = 4 * 1024;

/// What is said, and where.
pub struct Words<'w> {
    /// The request's APIs.
    pub api: Api<'w>,
    /// The progressive response.
    pub response: ProgressiveResponse,
}

/// An outside that says something once when a request to others takes long. While it does, the host carries on with that
/// request.
pub struct Patient<'p, H> {
    host: &'p H,
    recorder: &'p Recorder,
    due_ms: u64,
    words: RefCell<Option<Words<'p>>>,
}

impl<'p, H: Host> Patient<'p, H> {
    /// An outside that has `words` for what takes longer than two seconds from now; without words it is patient silently.
    pub fn new(host: &'p H, recorder: &'p Recorder, words: Option<Words<'p>>) -> Self {
        Self {
            host,
            recorder,
            due_ms: host.monotonic_ms().saturating_add(AFTER_MS),
            words: RefCell::new(words),
        }
    }

    fn say(&self) {
        let Some(Words { api, response }) = self.words.borrow_mut().take() else {
            return;
        };
        let request = OutboundRequest {
            method: "POST",
            url: format!("{}{DIRECTIVES_PATH}", api.origin),
            headers: vec![
                api.authorization(),
                ("content-type", "application/json".to_owned()),
            ],
            // Strings always become JSON.
            body: serde_json::to_vec(&response).unwrap_or_default(),
            timeout: LIMIT,
            max_reply: MAX_REPLY,
        };
        match self.recorder.send(self.host, request) {
            Ok(reply) if reply.status < 300 => {}
            Ok(reply) => self.recorder.warn(
                self.host,
                &format!("the progressive response was refused with {}", reply.status),
            ),
            Err(error) => self
                .recorder
                .warn(self.host, &format!("no progressive response: {error}")),
        }
    }
}

impl<H: Host> Host for Patient<'_, H> {
    fn state_get(&self, key: &str) -> Result<Option<Vec<u8>>, HostError> {
        self.host.state_get(key)
    }

    fn state_set(&self, key: &str, value: &[u8], ttl: u32) -> Result<(), HostError> {
        self.host.state_set(key, value, ttl)
    }

    fn state_delete(&self, key: &str) -> Result<(), HostError> {
        self.host.state_delete(key)
    }

    fn state_claim(&self, key: &str, value: &[u8], ttl: u32) -> Result<bool, HostError> {
        self.host.state_claim(key, value, ttl)
    }

    fn setting(&self, name: &str) -> Result<Option<String>, HostError> {
        self.host.setting(name)
    }

    fn setting_bytes(&self, name: &str) -> Result<Option<Vec<u8>>, HostError> {
        self.host.setting_bytes(name)
    }

    fn now_ms(&self) -> u64 {
        self.host.now_ms()
    }

    fn monotonic_ms(&self) -> u64 {
        self.host.monotonic_ms()
    }

    fn now_us(&self) -> u64 {
        self.host.now_us()
    }

    fn monotonic_us(&self) -> u64 {
        self.host.monotonic_us()
    }

    fn random(&self, bytes: &mut [u8]) {
        self.host.random(bytes);
    }

    fn sleep(&self, time: Duration) {
        self.host.sleep(time);
    }

    fn send(&self, request: &OutboundRequest) -> Result<OutboundReply, SendError> {
        if self.words.borrow().is_none() {
            return self.host.send(request);
        }
        let after = Duration::from_millis(self.due_ms.saturating_sub(self.host.monotonic_ms()));
        self.host.send_meanwhile(request, after, &mut || self.say())
    }

    fn send_meanwhile(
        &self,
        request: &OutboundRequest,
        after: Duration,
        meanwhile: &mut dyn FnMut(),
    ) -> Result<OutboundReply, SendError> {
        self.host.send_meanwhile(request, after, meanwhile)
    }

    fn log(&self, line: &str) {
        self.host.log(line);
    }
}
