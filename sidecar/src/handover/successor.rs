//! The process that takes over.

use std::collections::HashMap;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::Receiver;

use super::HandoverError;
use super::frame::{Ask, AtRegistrar, Decoder, Frame, Hello, MAGIC, VERSION};
use super::inherited::{Inherited, differences, named};
use super::link::{End, Link, read_on, write_on};
use super::socket::{Talk, connect, is_ours};
use crate::config::SidecarConfig;
use crate::figures::Figures;
use crate::front::{Naming, TakenOver, TheirCalls};

/// Within this time whoever runs says what it is.
const HELLO: Duration = Duration::from_secs(5);
/// Within this time each part of what it leaves comes: it waits for its control API's last answers, and for its workers.
const LEAVING: Duration = Duration::from_secs(30);

/// A process that runs was found, and is willing.
pub(crate) struct Approach {
    talk: Talk,
    path: PathBuf,
    hello: Hello,
}

impl Approach {
    /// Asks whoever listens at a socket; none where nobody does. The process that runs goes on until [`Self::take`].
    ///
    /// # Errors
    /// Another program listens there, or a sidecar that does not hand over.
    pub(crate) fn to(path: &Path) -> Result<Option<Self>, HandoverError> {
        let at = || path.display().to_string();
        let unusable = |error| HandoverError::Socket { path: at(), error };
        let Some(stream) = connect(path).map_err(unusable)? else {
            return Ok(None);
        };
        let foreign = |why: String| HandoverError::Foreign { path: at(), why };
        if !is_ours(&stream) {
            return Err(foreign("it runs as another user".to_owned()));
        }
        let mut talk = Talk::new(stream).map_err(unusable)?;
        let ask = Frame::Ask(Ask {
            magic: MAGIC.to_owned(),
            version: VERSION,
            pid: std::process::id(),
        });
        let said = talk.say(&ask, &[]).and_then(|()| talk.hear(HELLO));
        let hello = match said {
            Ok(Frame::Hello(hello)) if hello.magic == MAGIC => hello,
            Ok(Frame::Refused(why)) => return Err(HandoverError::Refused(why)),
            Ok(_) => return Err(foreign("it answers something else".to_owned())),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(foreign("it says nothing".to_owned()));
            }
            Err(error) => return Err(foreign(error.to_string())),
        };
        if hello.version != VERSION {
            return Err(HandoverError::Version {
                pid: hello.pid,
                theirs: hello.version,
                ours: VERSION,
            });
        }
        Ok(Some(Self {
            talk,
            path: path.to_owned(),
            hello,
        }))
    }

    /// Its listening sockets.
    ///
    /// # Errors
    /// The configuration names other addresses.
    pub(crate) fn inherit(&mut self, config: &SidecarConfig) -> Result<Inherited, HandoverError> {
        let different = differences(&self.hello.listening, &named(config));
        if !different.is_empty() {
            return Err(HandoverError::Addresses {
                pid: self.hello.pid,
                what: different.join(", "),
            });
        }
        let sockets = self.talk.take_sockets();
        if sockets.len() != self.hello.listening.len() {
            let what = format!(
                "{} sockets came for {} addresses",
                sockets.len(),
                self.hello.listening.len()
            );
            return Err(HandoverError::BrokenOff(io::Error::other(what)));
        }
        let uses = self.hello.listening.iter().map(|listening| listening.what);
        let sockets: HashMap<_, _> = uses.zip(sockets).collect();
        let generation = Naming::generation_after(self.hello.generation);
        Ok(Inherited::new(generation, sockets))
    }

    /// From now on this process reads what comes. Waits until the other one has said all.
    ///
    /// # Errors
    /// It did not; then it goes on as before.
    pub(crate) fn take(mut self, figures: Arc<Figures>) -> Result<TakenFrom, HandoverError> {
        let broken = HandoverError::BrokenOff;
        self.talk.say(&Frame::Take, &[]).map_err(broken)?;
        let mut told = Told::default();
        let (staying, control) = loop {
            match self.talk.hear(LEAVING).map_err(broken)? {
                Frame::Refused(why) => return Err(HandoverError::Refused(why)),
                Frame::Yours { calls, control } => break (calls, control),
                frame => told.take(frame),
            }
        };
        let (link, waiting) = Link::new(figures);
        let (stream, decoder) = self.talk.into_stream().map_err(broken)?;
        tracing::info!(
            pid = self.hello.pid,
            calls = staying,
            socket = %self.path.display(),
            "taken over: what comes is read here, those calls end there"
        );
        Ok(TakenFrom {
            pid: self.hello.pid,
            generation: self.hello.generation,
            told,
            control: control.into(),
            link,
            stream,
            decoder,
            waiting,
        })
    }
}

/// What the process that was taken over from has told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    calls: TheirCalls,
    client_sessions: Vec<(String, Duration)>,
    /// Sessions of the gateway that stay.
    pub(crate) gateway_sessions: Vec<String>,
    /// Requests of the gateway that were taken.
    pub(crate) gateway_requests: Vec<String>,
    /// Nonces of signed requests that were used, and when.
    pub(crate) nonces: Vec<(i64, String)>,
    /// Registrars of trunks that send calls here.
    pub(crate) registrars: Vec<AtRegistrar>,
}

impl Told {
    fn take(&mut self, frame: Frame) {
        match frame {
            Frame::Calls(ids) => ids.into_iter().for_each(|id| self.calls.stays(id)),
            Frame::Recent(ids) => ids.into_iter().for_each(|id| self.calls.began(id)),
            Frame::ClientSessions(sessions) => {
                let sessions = sessions.into_iter();
                self.client_sessions
                    .extend(sessions.map(|(csi, left)| (csi, Duration::from_secs(left.into()))));
            }
            Frame::GatewaySessions(sessions) => self.gateway_sessions.extend(sessions),
            Frame::GatewayRequests(requests) => self.gateway_requests.extend(requests),
            Frame::Nonces(nonces) => self.nonces.extend(nonces),
            Frame::Registrars(registrars) => self.registrars.extend(registrars),
            other => tracing::debug!(?other, "nothing that is left to a successor"),
        }
    }
}

/// The process that was taken over from, whose calls go on.
pub(crate) struct TakenFrom {
    /// Its process id.
    pub(crate) pid: u32,
    generation: u8,
    /// What it has told.
    pub(crate) told: Told,
    /// Where its control API is now.
    pub(crate) control: PathBuf,
    link: Link,
    stream: UnixStream,
    decoder: Decoder,
    waiting: Receiver<Frame>,
}

impl TakenFrom {
    /// The way to it.
    pub(crate) fn link(&self) -> Link {
        self.link.clone()
    }

    /// What the front begins with.
    pub(crate) fn front(&mut self) -> TakenOver {
        TakenOver {
            link: self.link.clone(),
            generation: self.generation,
            calls: std::mem::take(&mut self.told.calls),
            client_sessions: std::mem::take(&mut self.told.client_sessions),
        }
    }

    /// Opens the way between both: `each` takes what it says, `end` how it ends.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn open(
        self,
        each: impl FnMut(Frame) + Send + 'static,
        end: impl FnOnce(End) + Send + 'static,
    ) -> io::Result<[JoinHandle<()>; 2]> {
        let writing = write_on(self.stream.try_clone()?, self.waiting)?;
        let reading = read_on(self.stream, self.decoder, each, end)?;
        Ok([writing, reading])
    }
}
