//! The task of a line: the SIP endpoint, its sockets and its calls.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use skillcall_protocol::trace::{Direction, Party};
use skillcall_sip::endpoint::{CallHandle, Endpoint, EndpointConfig, Event, Flow, TransmitId};
use skillcall_sip::message::{self, Framing, StatusCode};
use skillcall_sip::sdp::MediaSession;
use tokio::sync::{mpsc, oneshot, watch};

use super::media::{Keyed, Media, Tell};
use super::ports::RtpSockets;
use super::transport::{Arrival, Sockets};
use super::{
    Answering, CallBook, CallState, EndedBy, Ending, LineError, LineStart, MAX_DIGITS, Manner,
    Order, Ordered, Side,
};
use crate::stopping::stopped;
use crate::trace::Trace;

/// Calls of one line at once.
const MAX_CALLS: usize = 100;
/// How long farewells may take when the simulator stops.
const FAREWELL: Duration = Duration::from_millis(1500);

/// A call that is not over.
pub(super) struct Live {
    pub(super) id: String,
    pub(super) state: CallState,
    /// We place the call.
    pub(super) outgoing: bool,
    pub(super) manner: Manner,
    /// Sockets that wait for the media to begin.
    pub(super) sockets: Option<RtpSockets>,
    pub(super) session: MediaSession,
    /// The session as it was before the first answer: a 200 repeats a 183's answer.
    pub(super) offered: Option<MediaSession>,
    pub(super) media: Option<Media>,
    /// The 200's description, when a call rings.
    pub(super) answer: Option<Bytes>,
    /// When a ringing call is answered.
    pub(super) answer_at: Option<Instant>,
    /// When a call that is not answered is given up.
    pub(super) give_up_at: Option<Instant>,
    /// Set when this side wants the call's end.
    pub(super) leaving: bool,
}

/// Everything of one line.
pub(crate) struct Driver {
    pub(super) side: Side,
    pub(super) party: Party,
    pub(super) endpoint: Endpoint,
    pub(super) sockets: Sockets,
    arrivals: mpsc::Receiver<Arrival>,
    orders: mpsc::Receiver<Ordered>,
    pub(super) hang_ups: mpsc::UnboundedSender<String>,
    hanging_up: mpsc::UnboundedReceiver<String>,
    pub(super) keyed: mpsc::UnboundedSender<Keyed>,
    keys: mpsc::UnboundedReceiver<Keyed>,
    pub(super) calls: HashMap<CallHandle, Live>,
    pub(super) habits: Option<(Answering, Manner)>,
    pub(super) book: CallBook,
    pub(super) trace: Trace,
    stopping: watch::Receiver<bool>,
}

impl Driver {
    pub(super) async fn open(
        start: LineStart,
        habits: Option<(Answering, Manner)>,
        orders: mpsc::Receiver<Ordered>,
    ) -> Result<Self, LineError> {
        let (sockets, arrivals) = Sockets::open(start.listen).await?;
        let mut config = EndpointConfig::new(sockets.local(), rand::random());
        config.contact_user = if start.side == Side::Device {
            "device".to_owned()
        } else {
            "phone".to_owned()
        };
        config.product = concat!("skillcall-simulator/", env!("CARGO_PKG_VERSION")).to_owned();
        let (hang_ups, hanging_up) = mpsc::unbounded_channel();
        let (keyed, keys) = mpsc::unbounded_channel();
        Ok(Self {
            side: start.side,
            party: start.party,
            endpoint: Endpoint::new(config),
            sockets,
            arrivals,
            orders,
            hang_ups,
            hanging_up,
            keyed,
            keys,
            calls: HashMap::new(),
            habits,
            book: start.book,
            trace: start.trace,
            stopping: start.stopping,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.sockets.local()
    }

    pub(super) async fn run(mut self) {
        loop {
            self.settle().await;
            let wake = self.wake();
            tokio::select! {
                () = stopped(&mut self.stopping) => break,
                Some(arrival) = self.arrivals.recv() => self.on_arrival(arrival),
                Some((order, reply)) = self.orders.recv() => self.on_order(order, reply).await,
                Some(call_id) = self.hanging_up.recv() => {
                    // The call may have ended at the same moment.
                    let _ = self.hang_up(&call_id);
                }
                Some(keyed) = self.keys.recv() => self.note_digit(&keyed),
                () = self.sockets.accepted() => {}
                () = until(wake) => self.on_time().await,
            }
        }
        self.farewell().await;
    }

    /// When something is due.
    fn wake(&self) -> Option<Instant> {
        self.calls
            .values()
            .flat_map(|live| [live.answer_at, live.give_up_at])
            .flatten()
            .chain(self.endpoint.next_timeout())
            .min()
    }

    /// Sends what the endpoint wants sent, and acts on what it tells, until there is nothing more.
    async fn settle(&mut self) {
        loop {
            if let Some(transmit) = self.endpoint.poll_transmit() {
                self.note_sent(&transmit);
                self.sockets.send(transmit).await;
            } else if let Some(event) = self.endpoint.poll_event() {
                self.on_event(event).await;
            } else {
                return;
            }
        }
    }

    fn on_arrival(&mut self, arrival: Arrival) {
        let now = Instant::now();
        match arrival {
            Arrival::Message { flow, bytes } => self.on_message(now, flow, bytes),
            Arrival::Closed(connection) => self.sockets.closed(connection),
            Arrival::Failed(id) => self.transmit_failed(now, id),
        }
    }

    fn on_message(&mut self, now: Instant, flow: Flow, bytes: Bytes) {
        let framing = if flow.transport.is_reliable() {
            Framing::Stream
        } else {
            Framing::Datagram
        };
        match message::parse(bytes.clone(), framing) {
            Ok(parsed) => {
                self.note(&parsed, Direction::Received);
                self.endpoint.receive_message(now, &flow, parsed);
            }
            // The endpoint answers what can be answered.
            Err(_) => self.endpoint.receive(now, &flow, &bytes),
        }
    }

    fn transmit_failed(&mut self, now: Instant, id: TransmitId) {
        self.endpoint.transmit_failed(now, id);
    }

    async fn on_time(&mut self) {
        let now = Instant::now();
        self.endpoint.handle_timeout(now);
        let due: Vec<CallHandle> = self
            .calls
            .iter()
            .filter(|(_, live)| live.answer_at.is_some_and(|at| at <= now))
            .map(|(handle, _)| *handle)
            .collect();
        for handle in due {
            self.accept(handle).await;
        }
        let mut tired = Vec::new();
        for live in self.calls.values_mut() {
            if live.give_up_at.is_some_and(|at| at <= now) {
                live.give_up_at = None;
                tired.push(live.id.clone());
            }
        }
        for id in tired {
            // The call may have been answered or ended at the same moment.
            let _ = self.hang_up(&id);
        }
    }

    async fn on_order(&mut self, order: Order, reply: oneshot::Sender<Result<(), LineError>>) {
        let result = match order {
            Order::Dial(dial) => self.dial(*dial).await,
            Order::Press { call_id, digits } => self.press(&call_id, digits),
            Order::HangUp { call_id } => self.hang_up(&call_id),
            Order::Answer { call_id } => self.answer(&call_id).await,
            Order::SetHabits { answering, manner } => {
                self.habits = Some((answering, manner));
                Ok(())
            }
        };
        // Whoever gave the order may have gone.
        let _ = reply.send(result);
    }

    async fn on_event(&mut self, event: Event) {
        match event {
            Event::Invite {
                call,
                request,
                offer,
                ..
            } => self.on_invite(call, &request, offer).await,
            Event::Cancelled { call, .. } => self.on_cancelled(call).await,
            Event::Acknowledged { call, sdp, .. } => self.on_acknowledged(call, sdp).await,
            Event::Provisional { call, sdp, .. } => self.on_provisional(call, sdp).await,
            Event::Answered { call, sdp, .. } => self.on_answered(call, sdp).await,
            Event::Failed {
                call,
                status,
                reason,
                ..
            } => self.on_failed(call, status, reason).await,
            Event::Reinvite { call, offer, .. } => self.on_reinvite(call, offer),
            Event::Ended {
                call, by, reason, ..
            } => self.on_ended(call, by, reason).await,
            // INFO is answered by the endpoint; an overdue ACK and a withdrawn re-INVITE have their own events.
            _ => {}
        }
    }

    fn press(&mut self, call_id: &str, digits: String) -> Result<(), LineError> {
        let wrong = |digit: char| skillcall_media::dtmf::Digit::from_char(digit).is_none();
        if digits.is_empty() || digits.chars().count() > MAX_DIGITS || digits.chars().any(wrong) {
            return Err(LineError::Digits(digits));
        }
        let (_, live) = self.live(call_id)?;
        match &live.media {
            Some(media) if live.state == CallState::Talking => {
                media.tell(Tell::Press(digits));
                Ok(())
            }
            _ => Err(LineError::State("digits can be sent in an answered call")),
        }
    }

    /// Ends a call in whatever state it is: CANCEL, 603 or BYE.
    fn hang_up(&mut self, call_id: &str) -> Result<(), LineError> {
        let now = Instant::now();
        let (handle, live) = self.live(call_id)?;
        if std::mem::replace(&mut live.leaving, true) {
            return Ok(());
        }
        let (state, outgoing) = (live.state, live.outgoing);
        let ended = match (state, outgoing) {
            (CallState::Talking, _) => self.endpoint.bye(now, handle, &[]),
            (_, true) => self.endpoint.cancel(now, handle, &[]),
            (_, false) => self
                .endpoint
                .reject(now, handle, StatusCode::DECLINE, "", &[]),
        };
        ended.map_err(|error| LineError::Sip(error.to_string()))?;
        if state != CallState::Talking && !outgoing {
            let ending = Ending {
                by: EndedBy::RefusedHere,
                status: StatusCode::DECLINE.get(),
                reason: "hung up".to_owned(),
            };
            self.forget_soon(handle, ending);
        }
        Ok(())
    }

    /// Ends a call whose handle is gone already and whose media have not begun.
    pub(super) fn forget_soon(&mut self, handle: CallHandle, ending: Ending) {
        if let Some(live) = self.calls.remove(&handle) {
            self.book.end(&live.id, ending);
        }
    }

    /// Ends a call: its media first, so that the figures are final when the book says that it is over.
    pub(super) async fn forget(&mut self, handle: CallHandle, ending: Ending) {
        let Some(live) = self.calls.remove(&handle) else {
            return;
        };
        if let Some(media) = live.media {
            media.stop().await;
            while let Ok(keyed) = self.keys.try_recv() {
                self.note_digit(&keyed);
            }
            self.note_media(&live.id);
        }
        self.book.end(&live.id, ending);
    }

    pub(super) fn live(&mut self, call_id: &str) -> Result<(CallHandle, &mut Live), LineError> {
        self.calls
            .iter_mut()
            .find(|(_, live)| live.id == call_id)
            .map(|(handle, live)| (*handle, live))
            .ok_or(LineError::NoSuchCall)
    }

    pub(super) fn is_full(&self) -> bool {
        self.calls.len() >= MAX_CALLS
    }

    /// Ends all calls in order, as far as the peers answer in time.
    async fn farewell(&mut self) {
        let ids: Vec<String> = self.calls.values().map(|live| live.id.clone()).collect();
        for id in &ids {
            let _ = self.hang_up(id);
        }
        let limit = tokio::time::Instant::now() + FAREWELL;
        let parting = async {
            loop {
                self.settle().await;
                if self.calls.is_empty() {
                    return;
                }
                let wake = self.wake();
                tokio::select! {
                    Some(arrival) = self.arrivals.recv() => self.on_arrival(arrival),
                    () = self.sockets.accepted() => {}
                    () = until(wake) => self.on_time().await,
                }
            }
        };
        let _ = tokio::time::timeout_at(limit, parting).await;
        let left: Vec<CallHandle> = self.calls.keys().copied().collect();
        for handle in left {
            let ending = Ending {
                by: EndedBy::Here,
                status: 0,
                reason: "the simulator has stopped".to_owned(),
            };
            self.forget(handle, ending).await;
        }
    }
}

/// Sleeps until `at`; without a time for ever.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
