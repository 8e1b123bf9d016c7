//! A worker's loop: what woke it, what is due, and what calls make of it.

use std::io;
use std::time::{Duration, Instant};

use mio::{Events, Token};

use super::call::CallKey;
use super::inbox::Stays;
use super::{
    BATCH, FIRST_LEG, FIRST_STREAM, FIRST_VIDEO, Pending, Running, STREAMS_EACH, Told, WAKE,
};
use crate::engine::{Command, Input, Now};
use crate::figures::Held;
use crate::front::FromFront;

impl Running {
    pub(super) fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        while !self.stopping {
            let wait = self.wait();
            if let Err(error) = self.poll.poll(&mut events, wait)
                && error.kind() != io::ErrorKind::Interrupted
            {
                return Err(error);
            }
            let now = Instant::now();
            let unread = std::mem::take(&mut self.unread);
            for slot in unread {
                self.read_rtp(slot, now);
            }
            let unread = std::mem::take(&mut self.unread_video);
            for slot in unread {
                self.read_video(slot, now);
                self.read_video_rtcp(slot, now);
            }
            for event in &events {
                match event.token() {
                    WAKE => {}
                    Token(token) if token >= FIRST_STREAM => {
                        let (slot, number) = (
                            (token - FIRST_STREAM) / STREAMS_EACH,
                            (token - FIRST_STREAM) % STREAMS_EACH,
                        );
                        self.read_stream(slot, number, now);
                    }
                    Token(token) if token >= FIRST_VIDEO => {
                        let slot = (token - FIRST_VIDEO) / 2;
                        if (token - FIRST_VIDEO).is_multiple_of(2) {
                            self.read_video(slot, now);
                        } else {
                            self.read_video_rtcp(slot, now);
                        }
                    }
                    Token(token) => {
                        let slot = (token - FIRST_LEG) / 2;
                        if (token - FIRST_LEG).is_multiple_of(2) {
                            self.read_rtp(slot, now);
                        } else {
                            self.read_rtcp(slot, now);
                        }
                    }
                }
            }
            self.take_cold();
            self.take_front();
            let now = Instant::now();
            if self.endpoint.next_timeout().is_some_and(|due| due <= now) {
                self.endpoint.handle_timeout(now);
            }
            self.tick_if_due(now);
            self.check_trunks(now);
            self.keep_registered(now);
            self.send_keep_alives(now);
            self.keep_registrations(now);
            self.gather(now);
            self.settle();
            self.tell_transactions();
        }
        self.end();
        Ok(())
    }

    fn wait(&self) -> Option<Duration> {
        let unread = !self.unread.is_empty() || !self.unread_video.is_empty();
        if unread || !self.beginning.is_empty() || !self.front_queue.is_empty() {
            return Some(Duration::ZERO);
        }
        let tick = (!self.calls.is_empty()).then_some(self.next_tick);
        let afterlife = self.ended_dialogs.front().map(|(until, _)| *until);
        let due = [
            tick,
            self.endpoint.next_timeout(),
            afterlife,
            self.next_check(),
            self.next_registering(),
            self.next_keep_alive(),
            self.next_keeping(),
            self.next_gathering(),
        ]
        .into_iter()
        .flatten()
        .min();
        due.map(|due| due.saturating_duration_since(Instant::now()))
    }

    fn take_front(&mut self) {
        for _ in 0..BATCH {
            let Ok(what) = self.front_queue.try_recv() else {
                break;
            };
            let now = Instant::now();
            match what {
                FromFront::Message {
                    flow,
                    message,
                    came,
                } => {
                    self.waits.note(came, now);
                    self.receive(now, flow, message);
                }
                FromFront::TransmitFailed(id) => self.endpoint.transmit_failed(now, id),
                FromFront::Binding { from, id, seen_at } => {
                    self.on_binding(now, from, id, seen_at);
                }
            }
            self.follow();
        }
        self.transmit();
    }

    /// Takes in all that the front has queued, and tells which calls stay.
    pub(super) fn count_up(&mut self) -> Stays {
        while !self.front_queue.is_empty() {
            self.take_front();
        }
        self.settle();
        // No device calls here any more.
        self.forget_ready(Instant::now());
        // Ids of this process's own making say by themselves whose they are.
        let own = self.sip.id_prefix.as_bytes();
        let call_ids = self.endpoint.call_ids();
        Stays {
            call_ids: call_ids
                .filter(|id| own.is_empty() || !id.starts_with(own))
                .map(<[u8]>::to_vec)
                .collect(),
            sessions: self.sessions.keys().map(|id| id.to_string()).collect(),
        }
    }

    /// Lets events, inputs and commands lead to each other until all is quiet, and sends what came of it.
    pub(super) fn settle(&mut self) {
        self.follow();
        self.transmit();
    }

    pub(super) fn follow(&mut self) {
        loop {
            let now = Instant::now();
            if let Some(event) = self.endpoint.poll_event() {
                self.on_sip(now, event);
            } else if let Some(Pending { call, input }) = self.inputs.pop_front() {
                match input {
                    Told::Gateway(input) => self.feed_gateway(call, input),
                    Told::Engine(input) => match input.leg().filter(|leg| leg.is_aside()) {
                        Some(aside) => self.on_aside(call, aside, input),
                        None => self.feed(call, input),
                    },
                }
            } else {
                break;
            }
        }
    }

    /// Tells an engine something, and does what it wants.
    pub(super) fn feed(&mut self, key: CallKey, input: Input) {
        let Some(call) = self.call_mut(key) else {
            return;
        };
        if let Some(engine) = call.engine.engine() {
            engine.handle(input, Now::from_system());
            self.carry_out(key);
        } else if let Some(input) = Self::translated(input) {
            self.feed_gateway(key, input);
        }
    }

    /// Does what a call's engine wants.
    pub(super) fn carry_out(&mut self, key: CallKey) {
        if self
            .call(key)
            .is_some_and(|call| call.engine.as_gateway().is_some())
        {
            return self.carry_out_gateway(key);
        }
        while let Some(command) = self
            .call_mut(key)
            .and_then(|call| call.engine.engine()?.poll())
        {
            if command == Command::End {
                self.remove_call(key);
                return;
            }
            self.carry_out_one(key, command);
        }
    }

    fn tell_transactions(&mut self) {
        let counts = self.endpoint.counts();
        let now = counts.server_transactions + counts.client_transactions;
        if self.transactions.as_ref().map_or(0, Held::amount) != now {
            let figures = &self.shared.figures;
            self.transactions = Some(Held::new(figures, |figures| &figures.transactions, now));
        }
    }
}
