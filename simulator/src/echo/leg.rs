//! One call's media.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Instant,
};

use skillcall_media::transcode::{OpusSettings, TranscodeError};
use skillcall_webrtc::{Config, Direction, IdentityError, LocalAddress, OfferError, Peer, Wire};
use tokio::{
    net::UdpSocket,
    sync::{Notify, watch},
};

use super::{
    Echo, EchoWatch,
    ear::Ear,
    run::{Shared, State, run},
};
use crate::line::LineError;

/// Why an Echo does not do what it is told.
#[derive(Debug, thiserror::Error)]
pub enum EchoError {
    /// No socket.
    #[error("the Echo gets no socket: {0}")]
    Socket(#[from] std::io::Error),
    /// The description of the other side.
    #[error("the Echo does not take the description: {0}")]
    Description(#[from] OfferError),
    /// The codec.
    #[error("the Echo has no codec: {0}")]
    Codec(#[from] TranscodeError),
    /// The certificate.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The voice.
    #[error("the Echo has no voice: {0}")]
    Voice(#[from] LineError),
    /// Nothing was described yet.
    #[error("the Echo has neither offered nor answered yet")]
    NotBegun,
}

/// One call's media. It ends, without a farewell, when it is dropped.
#[derive(Debug)]
pub struct EchoLeg {
    echo: Echo,
    ssrc: u32,
    cname: String,
    holds_tongue: bool,
    shared: Option<Arc<Shared>>,
}

impl EchoLeg {
    pub(super) fn new(echo: Echo) -> Self {
        Self {
            echo,
            ssrc: rand::random(),
            cname: format!("{:016x}", rand::random::<u64>()),
            holds_tongue: false,
            shared: None,
        }
    }

    /// Says nothing yet, only silence is sent: before a call is accepted.
    pub fn hold_tongue(&mut self, on: bool) {
        self.holds_tongue = on;
        if let Some(shared) = &self.shared
            && let Some(ear) = &mut shared.lock().ear
        {
            ear.holds_tongue = on;
        }
    }

    /// Offers: a call, or the same again.
    ///
    /// # Errors
    /// There is no socket.
    pub fn offer(&mut self) -> Result<String, EchoError> {
        match &self.shared {
            Some(_) => self.offer_again(Direction::SendRecv),
            None => {
                let (socket, config) = self.begin()?;
                let (peer, offer) = Peer::offer(config, Instant::now());
                self.start(peer, socket);
                Ok(offer)
            }
        }
    }

    /// Answers an offer: the first one, or a later one.
    ///
    /// # Errors
    /// There is no socket, or nothing in common.
    pub fn answer(&mut self, offer: &str) -> Result<String, EchoError> {
        let now = Instant::now();
        let answer = match &self.shared {
            Some(shared) => {
                let mut state = shared.lock();
                state.wire.peer_mut().answer_again(offer, now)?.answer
            }
            None => {
                let (socket, config) = self.begin()?;
                let (peer, answer) = Peer::answer(config, offer, now)?;
                self.start(peer, socket);
                answer
            }
        };
        self.agree()?;
        Ok(answer)
    }

    /// Takes the answer to its offer.
    ///
    /// # Errors
    /// It is none.
    pub fn take_answer(&mut self, answer: &str) -> Result<(), EchoError> {
        {
            let mut state = self.shared()?.lock();
            state.wire.peer_mut().take_answer(answer, Instant::now())?;
        }
        self.agree()
    }

    /// Puts the other side on hold: the offer that says so.
    ///
    /// # Errors
    /// There is no call.
    pub fn hold(&mut self) -> Result<String, EchoError> {
        self.offer_again(Direction::SendOnly)
    }

    /// Goes on: the offer that says so.
    ///
    /// # Errors
    /// There is no call.
    pub fn resume(&mut self) -> Result<String, EchoError> {
        self.offer_again(Direction::SendRecv)
    }

    fn offer_again(&mut self, direction: Direction) -> Result<String, EchoError> {
        let offer = {
            let mut state = self.shared()?.lock();
            state.wire.peer_mut().offer_again(direction)
        };
        self.wake()?;
        Ok(offer)
    }

    /// Changes its network: another socket, whose offer begins ICE anew. The old socket stays until the next change, or is
    /// `cut_off` at once.
    ///
    /// # Errors
    /// There is no call, or no socket.
    pub fn change_network(&mut self, cut_off: bool) -> Result<String, EchoError> {
        let (socket, address) = self.bind()?;
        let offer = {
            let mut state = self.shared()?.lock();
            state.sockets.insert(0, socket);
            state.sockets.truncate(if cut_off { 1 } else { 2 });
            let addresses = [LocalAddress::Host(address)];
            let peer = state.wire.peer_mut();
            peer.offer_restart(&addresses, Instant::now())
        };
        self.wake()?;
        Ok(offer)
    }

    /// Ends, and says so by DTLS.
    pub fn close(&mut self) {
        if let Some(watch) = self.watch() {
            watch.end(true);
        }
    }

    /// A view from outside, once it has described itself.
    pub fn watch(&self) -> Option<EchoWatch> {
        self.shared.clone().map(EchoWatch::new)
    }

    fn shared(&self) -> Result<&Arc<Shared>, EchoError> {
        self.shared.as_ref().ok_or(EchoError::NotBegun)
    }

    fn wake(&self) -> Result<(), EchoError> {
        self.shared()?.wake.notify_one();
        Ok(())
    }

    fn bind(&self) -> Result<(Arc<UdpSocket>, SocketAddr), EchoError> {
        let socket = std::net::UdpSocket::bind((self.echo.habits.address, 0))?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let _runtime = self.echo.runtime.enter();
        Ok((Arc::new(UdpSocket::from_std(socket)?), address))
    }

    fn begin(&self) -> Result<(Arc<UdpSocket>, Config), EchoError> {
        let (socket, address) = self.bind()?;
        let habits = &self.echo.habits;
        let config = Config {
            codecs: habits.codecs.clone(),
            events: habits.events,
            style: habits.style,
            ssrc: self.ssrc,
            cname: self.cname.clone(),
            ..Config::new(
                self.echo.identity.clone(),
                vec![LocalAddress::Host(address)],
            )
        };
        Ok((socket, config))
    }

    fn start(&mut self, peer: Peer, socket: Arc<UdpSocket>) {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                wire: Wire::new(peer, OpusSettings::default()),
                ear: None,
                sockets: vec![socket],
                connected: false,
                disconnected: None,
                over: false,
            }),
            wake: Notify::new(),
            changed: watch::Sender::new(0),
        });
        self.echo.runtime.spawn(run(Arc::clone(&shared)));
        self.shared = Some(shared);
    }

    /// Goes by what was agreed on last.
    fn agree(&mut self) -> Result<(), EchoError> {
        let shared = self.shared.as_ref().ok_or(EchoError::NotBegun)?;
        let mut state = shared.lock();
        if let Some(format) = state.wire.agree()? {
            match &mut state.ear {
                Some(ear) => ear.set_format(format),
                none => {
                    let mouth = self.echo.mouth.clone();
                    let ear = none.insert(Ear::new(format, self.ssrc, &self.cname, mouth));
                    ear.holds_tongue = self.holds_tongue;
                }
            }
        }
        drop(state);
        self.wake()
    }
}

impl Drop for EchoLeg {
    fn drop(&mut self) {
        if let Some(watch) = self.watch() {
            watch.end(false);
        }
    }
}
