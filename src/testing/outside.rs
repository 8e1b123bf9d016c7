//! An outside made of memory: state, settings, a clock that only tests move, and whoever answers requests.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use skillcall_protocol::sma::{Event, RequestedAction};

use super::NOW_S;
use crate::host::{Host, HostError, OutboundReply, OutboundRequest, SendError};

type Answering = Box<dyn Fn(&OutboundRequest) -> Result<OutboundReply, SendError> + Send + Sync>;
type Delaying = Box<dyn Fn(&OutboundRequest) -> Duration + Send + Sync>;
type Deciding = Box<dyn Fn(&Event) -> Result<Option<Vec<RequestedAction>>, String> + Send + Sync>;
type Stored = HashMap<String, (Vec<u8>, u64)>;

/// The outside.
pub(crate) struct Memory {
    pub(crate) state: Mutex<Stored>,
    changed: Condvar,
    pub(crate) settings: Mutex<HashMap<String, Vec<u8>>>,
    clock_ms: AtomicU64,
    drawn: AtomicU64,
    answering: Mutex<std::sync::Arc<Answering>>,
    delaying: Mutex<std::sync::Arc<Delaying>>,
    pub(crate) sent: Mutex<Vec<OutboundRequest>>,
    pub(crate) logged: Mutex<Vec<String>>,
    /// What is plugged in.
    pub(crate) plug_in: Option<Deciding>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            settings: Mutex::default(),
            clock_ms: AtomicU64::new(NOW_S * 1000),
            drawn: AtomicU64::new(0),
            answering: Mutex::new(std::sync::Arc::new(Box::new(|_| Err(SendError::Denied)))),
            delaying: Mutex::new(std::sync::Arc::new(Box::new(|_| Duration::ZERO))),
            sent: Mutex::default(),
            logged: Mutex::default(),
            plug_in: None,
        }
    }

    pub(crate) fn set(&self, name: &str, value: impl AsRef<[u8]>) {
        self.settings
            .lock()
            .unwrap()
            .insert(name.to_owned(), value.as_ref().to_vec());
    }

    pub(crate) fn unset(&self, name: &str) {
        self.settings.lock().unwrap().remove(name);
    }

    pub(crate) fn answers(
        &self,
        answer: impl Fn(&OutboundRequest) -> Result<OutboundReply, SendError> + Send + Sync + 'static,
    ) {
        *self.answering.lock().unwrap() = std::sync::Arc::new(Box::new(answer));
    }

    /// How long replies take.
    pub(crate) fn takes(
        &self,
        delay: impl Fn(&OutboundRequest) -> Duration + Send + Sync + 'static,
    ) {
        *self.delaying.lock().unwrap() = std::sync::Arc::new(Box::new(delay));
    }

    fn pass(&self, time: Duration) {
        self.clock_ms
            .fetch_add(time.as_millis() as u64, Ordering::SeqCst);
    }

    pub(crate) fn pass_seconds(&self, seconds: u64) {
        self.clock_ms.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    /// The URLs that were asked, without their origin.
    pub(crate) fn asked(&self) -> Vec<String> {
        let path = |url: &str| format!("/{}", url.splitn(4, '/').nth(3).unwrap_or_default());
        self.sent
            .lock()
            .unwrap()
            .iter()
            .map(|request| format!("{} {}", request.method, path(&request.url)))
            .collect()
    }

    pub(crate) fn log_says(&self, text: &str) -> bool {
        self.logged
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.contains(text))
    }
}

impl Host for Memory {
    fn state_get(&self, key: &str) -> Result<Option<Vec<u8>>, HostError> {
        let state = self.state.lock().unwrap();
        Ok(state
            .get(key)
            .filter(|(_, end)| *end > self.now_ms())
            .map(|(value, _)| value.clone()))
    }

    fn state_set(&self, key: &str, value: &[u8], ttl: u32) -> Result<(), HostError> {
        assert!(
            key.len() <= 256 && value.len() <= 65_536,
            "the limits of skillcall:host/state"
        );
        let end = self.now_ms() + u64::from(ttl) * 1000;
        self.state
            .lock()
            .unwrap()
            .insert(key.to_owned(), (value.to_vec(), end));
        self.changed.notify_all();
        Ok(())
    }

    fn state_delete(&self, key: &str) -> Result<(), HostError> {
        self.state.lock().unwrap().remove(key);
        self.changed.notify_all();
        Ok(())
    }

    fn state_claim(&self, key: &str, value: &[u8], ttl: u32) -> Result<bool, HostError> {
        let now = self.now_ms();
        let mut state = self.state.lock().unwrap();
        if state.get(key).is_some_and(|(_, end)| *end > now) {
            return Ok(false);
        }
        state.insert(
            key.to_owned(),
            (value.to_vec(), now + u64::from(ttl) * 1000),
        );
        self.changed.notify_all();
        Ok(true)
    }

    fn setting(&self, name: &str) -> Result<Option<String>, HostError> {
        Ok(self
            .setting_bytes(name)?
            .map(|bytes| String::from_utf8(bytes).unwrap()))
    }

    fn setting_bytes(&self, name: &str) -> Result<Option<Vec<u8>>, HostError> {
        Ok(self.settings.lock().unwrap().get(name).cloned())
    }

    fn now_ms(&self) -> u64 {
        self.clock_ms.load(Ordering::SeqCst)
    }

    fn monotonic_ms(&self) -> u64 {
        self.now_ms()
    }

    fn random(&self, bytes: &mut [u8]) {
        let draw = self.drawn.fetch_add(1, Ordering::SeqCst) + 1;
        for (n, byte) in bytes.iter_mut().enumerate() {
            *byte = (draw >> (8 * (n % 8))) as u8 ^ n as u8;
        }
    }

    /// Waits for somebody else to change the state; time passes only when nobody does.
    fn sleep(&self, time: Duration) {
        let state = self.state.lock().unwrap();
        let (_state, waited) = self
            .changed
            .wait_timeout(state, Duration::from_millis(50))
            .unwrap();
        if waited.timed_out() {
            self.clock_ms
                .fetch_add(time.as_millis() as u64, Ordering::SeqCst);
        }
    }

    fn send(&self, request: &OutboundRequest) -> Result<OutboundReply, SendError> {
        self.send_meanwhile(request, Duration::MAX, &mut || {})
    }

    fn send_meanwhile(
        &self,
        request: &OutboundRequest,
        after: Duration,
        meanwhile: &mut dyn FnMut(),
    ) -> Result<OutboundReply, SendError> {
        self.sent.lock().unwrap().push(request.clone());
        let (answering, delaying) = (
            self.answering.lock().unwrap().clone(),
            self.delaying.lock().unwrap().clone(),
        );
        let reply = answering(request);
        let takes = match &reply {
            Err(SendError::Timeout(time)) => *time,
            _ => delaying(request),
        };
        if takes > after {
            self.pass(after);
            meanwhile();
            self.pass(takes - after);
        } else {
            self.pass(takes);
        }
        if takes > request.timeout {
            return Err(SendError::Timeout(request.timeout));
        }
        reply
    }

    fn custom_flow(&self, event: &Event) -> Result<Option<Vec<RequestedAction>>, String> {
        self.plug_in
            .as_ref()
            .map_or(Ok(None), |decide| decide(event))
    }

    fn log(&self, line: &str) {
        self.logged.lock().unwrap().push(line.to_owned());
    }
}
