//! A leg seen, and cut, from outside.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{EchoView, run::Shared};

/// A leg seen from outside: what it hears, how it is, and the mishaps that come from outside. It stays when the leg goes.
#[derive(Debug, Clone)]
pub struct EchoWatch {
    shared: Arc<Shared>,
}

impl EchoWatch {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Says and sends nothing any more, or does so again; it still answers checks of ICE.
    pub fn fall_silent(&self, silent: bool) {
        if let Some(ear) = &mut self.shared.lock().ear {
            ear.mute = silent;
        }
    }

    /// Dies: its sockets are gone, and nobody is told.
    pub fn die(&self) {
        self.end(false);
    }

    pub(super) fn end(&self, farewell: bool) {
        let mut state = self.shared.lock();
        if farewell {
            state.wire.peer_mut().close(Instant::now());
        } else {
            state.sockets.clear();
        }
        state.connected = false;
        state.over = true;
        drop(state);
        self.shared.wake.notify_one();
    }

    /// What can be seen of it.
    pub fn view(&self) -> EchoView {
        let state = self.shared.lock();
        let audio = state.wire.peer().audio();
        let figures = state.ear.as_ref().map(|ear| ear.session().figures());
        let figures = figures.unwrap_or_default();
        EchoView {
            connected: state.connected,
            disconnected: state.disconnected.clone(),
            encoding: audio.map(|audio| audio.encoding),
            direction: audio.map(|audio| audio.direction),
            held: audio.is_some_and(skillcall_webrtc::Audio::is_held),
            route: state
                .wire
                .peer()
                .route()
                .map(|route| (route.local, route.remote)),
            sent: figures.packets_sent,
            received: figures.packets_received,
            lost: figures.packets_lost,
            heard: state.ear.as_ref().map_or(0, |ear| ear.audio.len()),
        }
    }

    /// What it has heard from the sample `from` on, at 8 kHz.
    pub fn heard(&self, from: usize) -> Vec<i16> {
        let state = self.shared.lock();
        let audio = state.ear.as_ref().map(|ear| ear.audio.as_slice());
        audio
            .and_then(|audio| audio.get(from..))
            .unwrap_or_default()
            .to_vec()
    }

    /// Waits until the leg is as wanted. False: it was not within the time.
    pub async fn wait_until(
        &self,
        within: Duration,
        mut wanted: impl FnMut(&EchoView) -> bool,
    ) -> bool {
        let mut changes = self.shared.changed.subscribe();
        let waited = tokio::time::timeout(within, async {
            loop {
                changes.borrow_and_update();
                if wanted(&self.view()) {
                    return true;
                }
                if changes.changed().await.is_err() {
                    return false;
                }
            }
        });
        waited.await.unwrap_or(false)
    }
}
