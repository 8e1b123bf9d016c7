//! The process that is taken over from: it waits for one that wants to, gives what it has, and keeps its calls.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;
use tokio::sync::{oneshot, watch};

use super::elder::Elder;
use super::frame::{AtRegistrar, Frame, Hello, Listening, MAGIC, Use, VERSION};
use super::link::{End, Link, read_on, write_on};
use super::socket::{Talk, is_ours, listen};
use crate::control::{Control, ControlServer};
use crate::figures::Figures;
use crate::front::{FrontHandle, Stepped, TheirCalls, ToFront};
use crate::gateway::Switchboard;
use crate::journal::{Journal, Left};
use crate::phones::Phones;
use crate::worker::{ToWorker, WorkerHandle};

/// Within this time whoever connects says what it wants.
const ASK: Duration = Duration::from_secs(5);
/// Within this time it has started far enough to take over.
const START: Duration = Duration::from_secs(120);
/// Within this time the front and the workers say what stays.
const COUNT: Duration = Duration::from_secs(5);
/// Within this time the last word is out.
const LAST_WORD: Duration = Duration::from_secs(2);

/// Where a process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stands {
    /// It reads what comes.
    Alone,
    /// It gives what it has to another process.
    HandingOver,
    /// Another process does.
    HandedOver,
    /// That one is asked to end, and this one with it.
    Ending,
}

/// What it gives, and works on.
pub(crate) struct Parts {
    /// The Unix socket.
    pub(crate) path: PathBuf,
    /// What this process's ids carry.
    pub(crate) generation: u8,
    /// Other handles of its listening sockets, without the Unix socket.
    pub(crate) sockets: Vec<(Listening, OwnedFd)>,
    /// The front.
    pub(crate) front: FrontHandle,
    /// The workers.
    pub(crate) workers: Vec<WorkerHandle>,
    /// The registrar.
    pub(crate) phones: Arc<Phones>,
    /// The journal.
    pub(crate) journal: Journal,
    /// Counters.
    pub(crate) figures: Arc<Figures>,
    /// Set while another process reads what comes.
    pub(crate) handed_over: Arc<AtomicBool>,
    /// The gateway, if there is one.
    pub(crate) switchboard: Option<Arc<Switchboard>>,
    /// The control API's state.
    pub(crate) control: Arc<Control>,
    /// The control API at its listener.
    pub(crate) server: Arc<ControlServer>,
    /// Ends calls that a process has left.
    pub(crate) take_leave: Box<dyn Fn(Left) + Send + Sync>,
}

/// A process that another one may take over from.
pub(crate) struct Predecessor {
    parts: Parts,
    listener: UnixListener,
    runtime: tokio::runtime::Handle,
    stands: watch::Sender<Stands>,
    busy: AtomicBool,
    successor: Mutex<Option<Successor>>,
}

/// The process that has taken over.
struct Successor {
    link: Link,
    stream: UnixStream,
    writing: JoinHandle<()>,
    control: ControlAtSocket,
}

/// The control API where the successor asks it.
struct ControlAtSocket {
    path: PathBuf,
    // Dropping it ends the serving.
    _end: oneshot::Sender<()>,
}

impl Drop for ControlAtSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Predecessor {
    /// Waits at the Unix socket: the one that was inherited, or a new one. Within a tokio runtime.
    ///
    /// # Errors
    /// Nothing can listen there.
    pub(crate) fn start(parts: Parts, inherited: Option<UnixListener>) -> io::Result<Arc<Self>> {
        let listener = match inherited {
            Some(listener) => listener,
            None => listen(&parts.path)?,
        };
        listener.set_nonblocking(true)?;
        let this = Arc::new(Self {
            parts,
            listener,
            runtime: tokio::runtime::Handle::current(),
            stands: watch::Sender::new(Stands::Alone),
            busy: AtomicBool::new(false),
            successor: Mutex::new(None),
        });
        let waiting = Arc::downgrade(&this);
        let (listener, stands) = (this.listener.try_clone()?, this.stands.subscribe());
        tokio::spawn(async move {
            if let Err(error) = wait(&waiting, &listener, stands).await {
                tracing::error!(%error, "[handover] socket: nobody can take over any more");
            }
        });
        Ok(this)
    }

    /// Where it stands, now and when that changes.
    pub(crate) fn stands(&self) -> watch::Receiver<Stands> {
        self.stands.subscribe()
    }

    fn successor(&self) -> MutexGuard<'_, Option<Successor>> {
        self.successor
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The last call is over: the successor is told, once nothing else will be.
    pub(crate) fn say_bye(&self) {
        let successor = self.successor().take();
        let Some(Successor {
            link,
            stream,
            writing,
            control,
        }) = successor
        else {
            // Nobody can take over any more.
            if *self.stands.borrow() == Stands::Alone {
                let _ = std::fs::remove_file(&self.parts.path);
            }
            return;
        };
        drop(control);
        link.send(Frame::Bye);
        let until = std::time::Instant::now() + LAST_WORD;
        while !writing.is_finished() && std::time::Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = stream.shutdown(std::net::Shutdown::Both);
    }

    /// Ends the threads, without a word.
    pub(crate) fn abort(&self) {
        if let Some(successor) = self.successor().take() {
            let _ = successor.stream.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Why nobody can take over now.
    fn objection(&self) -> Option<String> {
        let elder: Option<&Arc<Elder>> = self.parts.control.elder.as_ref();
        let elder = elder.filter(|elder| elder.lives())?;
        Some(format!(
            "the process that it took over from (pid {}) still has calls; try again when that has ended",
            elder.pid
        ))
    }

    /// Speaks with a process that has connected.
    fn converse(self: &Arc<Self>, stream: UnixStream) -> io::Result<()> {
        if !is_ours(&stream) {
            return Err(io::Error::other("it runs as another user"));
        }
        let mut talk = Talk::new(stream)?;
        let Frame::Ask(ask) = talk.hear(ASK)? else {
            return Err(io::Error::other("it asks for nothing"));
        };
        if ask.magic != MAGIC {
            return Err(io::Error::other("it is no sidecar"));
        }
        let objection = if self.busy.swap(true, Ordering::AcqRel) {
            return talk.say(
                &Frame::Refused("another process takes over just now".into()),
                &[],
            );
        } else if ask.version != VERSION {
            Some(format!(
                "it does so by version {VERSION}, and not by {}",
                ask.version
            ))
        } else {
            self.objection()
        };
        let done = match objection {
            Some(why) => talk.say(&Frame::Refused(why), &[]),
            None => self.offer(talk, ask.pid),
        };
        self.busy.store(false, Ordering::Release);
        done
    }

    fn offer(self: &Arc<Self>, mut talk: Talk, pid: u32) -> io::Result<()> {
        let own = Listening {
            what: Use::HandOver,
            named: None,
            bound: None,
        };
        let sockets = self.parts.sockets.iter();
        let listening = sockets.clone().map(|(listening, _)| listening.clone());
        let hello = Frame::Hello(Hello {
            magic: MAGIC.to_owned(),
            version: VERSION,
            pid: std::process::id(),
            generation: self.parts.generation,
            listening: listening.chain([own]).collect(),
        });
        let handles = sockets.map(|(_, socket)| socket.as_fd());
        let handles: Vec<_> = handles.chain([self.listener.as_fd()]).collect();
        talk.say(&hello, &handles)?;
        match talk.hear(START) {
            Ok(Frame::Take) => {}
            Ok(_) => {
                return Err(io::Error::other(
                    "it says something else than that it takes over",
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                tracing::info!(pid, "a process asked to take over, and did not");
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        let done = self.hand_over(talk, pid);
        if done.is_err() {
            self.take_back("the hand-over failed");
        }
        done
    }

    /// Gives everything; after an error what was given has to be taken back.
    fn hand_over(self: &Arc<Self>, mut talk: Talk, pid: u32) -> io::Result<()> {
        let parts = &self.parts;
        // Nobody else is let in from here on.
        self.stands.send_replace(Stands::HandingOver);
        parts.journal.step_aside()?;
        self.runtime.block_on(parts.server.stop());
        let (link, waiting) = Link::new(Arc::clone(&parts.figures));
        let (reply, stepped) = crossbeam_channel::bounded(1);
        parts.front.send(ToFront::StepAside {
            link: link.clone(),
            reply,
        });
        let late = |what: &'static str| {
            move |_: RecvTimeoutError| io::Error::other(format!("{what} does not answer"))
        };
        let stepped: Stepped = stepped.recv_timeout(COUNT).map_err(late("the front"))?;
        parts.handed_over.store(true, Ordering::Relaxed);
        let (mut calls, mut call_ids, mut sessions) =
            (TheirCalls::default(), Vec::new(), Vec::new());
        for worker in &parts.workers {
            let (reply, counted) = crossbeam_channel::bounded(1);
            worker.send(ToWorker::CountUp { reply });
            let stays = counted.recv_timeout(COUNT).map_err(late("a worker"))?;
            call_ids.extend(stays.call_ids);
            sessions.extend(stays.sessions);
        }
        call_ids.iter().for_each(|id| calls.stays(id.clone()));
        stepped.recent.iter().for_each(|id| calls.began(id.clone()));
        parts.front.send(ToFront::Counted(calls));
        parts.phones.hand_over()?;
        let control = self.serve_at(&control_path(&parts.path))?;

        let requests: Vec<String> = match &parts.switchboard {
            Some(switchboard) => switchboard.seen().requests().map(str::to_owned).collect(),
            None => Vec::new(),
        };
        let client_sessions: Vec<(String, u32)> = stepped
            .client_sessions
            .into_iter()
            .map(|(csi, left)| (csi, u32::try_from(left.as_secs()).unwrap_or(u32::MAX)))
            .collect();
        let registrars = parts.control.trunks.registrations().registrars();
        let registrars: Vec<AtRegistrar> = registrars
            .into_iter()
            .map(|(trunk, registrar, route)| AtRegistrar {
                trunk,
                by: registrar.transport.into(),
                address: registrar.address,
                route,
            })
            .collect();
        let staying = parts.figures.calls.load(Ordering::Relaxed);
        let lists = [
            Frame::parts(&call_ids, Frame::Calls),
            Frame::parts(&stepped.recent, Frame::Recent),
            Frame::parts(&client_sessions, Frame::ClientSessions),
            Frame::parts(&sessions, Frame::GatewaySessions),
            Frame::parts(&requests, Frame::GatewayRequests),
            Frame::parts(&parts.control.used_nonces(), Frame::Nonces),
            Frame::parts(&registrars, Frame::Registrars),
            vec![Frame::Yours {
                calls: u32::try_from(staying).unwrap_or(u32::MAX),
                control: control.path.display().to_string(),
            }],
        ];
        for frame in lists.into_iter().flatten() {
            talk.say(&frame, &[])?;
        }
        tracing::info!("handing over to pid {pid}: {staying} calls stay");
        let (stream, decoder) = talk.into_stream()?;
        let writing = write_on(stream.try_clone()?, waiting)?;
        *self.successor() = Some(Successor {
            link,
            stream: stream.try_clone()?,
            writing,
            control,
        });
        let (front, at_end) = (parts.front.clone(), Arc::downgrade(self));
        let stands = self.stands.clone();
        let each = move |frame| match frame {
            Frame::End => {
                tracing::info!("the process that took over ends, and this one with it");
                stands.send_replace(Stands::Ending);
            }
            frame => front.send(ToFront::Linked(frame)),
        };
        read_on(stream, decoder, each, move |_: End| {
            if let Some(this) = at_end.upgrade() {
                this.lost_successor();
            }
        })?;
        // Unless it has asked for the end already, or is gone.
        self.stands.send_if_modified(|now| {
            let is_done = *now == Stands::HandingOver;
            if is_done {
                *now = Stands::HandedOver;
            }
            is_done
        });
        Ok(())
    }

    /// Serves the control API at a Unix socket of its own.
    fn serve_at(&self, path: &Path) -> io::Result<ControlAtSocket> {
        let listener = listen(path)?;
        listener.set_nonblocking(true)?;
        let _within = self.runtime.enter();
        let listener = tokio::net::UnixListener::from_std(listener)?;
        let (end, ended) = oneshot::channel::<()>();
        let router = self.parts.server.router();
        self.runtime.spawn(async move {
            let serving = axum::serve(listener, router).with_graceful_shutdown(async {
                let _ = ended.await;
            });
            if let Err(error) = serving.await {
                tracing::error!(%error, "the control API for the process that took over");
            }
        });
        Ok(ControlAtSocket {
            path: path.to_owned(),
            _end: end,
        })
    }

    /// The way to the successor has ended.
    fn lost_successor(&self) {
        // Where this process has said its last word, or ends as well, nothing is taken back.
        let Some(successor) = self.successor().take() else {
            return;
        };
        drop(successor);
        let stands = *self.stands.borrow();
        if matches!(stands, Stands::HandingOver | Stands::HandedOver) {
            self.take_back("the process that took over is gone");
        }
    }

    /// Reads what comes again, and ends the calls of the process that took over.
    fn take_back(&self, why: &str) {
        tracing::error!("{why}: taking the listeners back");
        let parts = &self.parts;
        parts.front.send(ToFront::TakeBack);
        parts.handed_over.store(false, Ordering::Relaxed);
        match parts.journal.step_back() {
            Ok(left) => (parts.take_leave)(left),
            Err(error) => tracing::error!(%error, "the journal is not taken back"),
        }
        if let Err(error) = parts.phones.take_back() {
            tracing::error!(%error, "registrations of phones are not taken back");
        }
        let _within = self.runtime.enter();
        let listener = parts.sockets.iter();
        let listener = listener.filter(|(listening, _)| listening.what == Use::Control);
        for (_, socket) in listener {
            let served = socket
                .try_clone()
                .and_then(|socket| parts.server.serve(socket.into()));
            if let Err(error) = served {
                tracing::error!(%error, "the control API is not taken back");
            }
        }
        self.stands.send_replace(Stands::Alone);
    }
}

/// Where the control API of a process is that was taken over from.
fn control_path(socket: &Path) -> PathBuf {
    let mut name = socket.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    name.into()
}

/// Takes what connects, while this is the process that is asked.
async fn wait(
    predecessor: &std::sync::Weak<Predecessor>,
    listener: &UnixListener,
    mut stands: watch::Receiver<Stands>,
) -> io::Result<()> {
    loop {
        // The sender is gone: so is all the rest.
        if stands.wait_for(|now| *now == Stands::Alone).await.is_err() {
            return Ok(());
        }
        let listener = tokio::net::UnixListener::from_std(listener.try_clone()?)?;
        loop {
            let stream = tokio::select! {
                accepted = listener.accept() => accepted?.0.into_std()?,
                gone = async { stands.wait_for(|now| *now != Stands::Alone).await.is_err() } => {
                    if gone {
                        return Ok(());
                    }
                    break;
                }
            };
            let Some(this) = predecessor.upgrade() else {
                return Ok(());
            };
            tokio::task::spawn_blocking(move || {
                if let Err(error) = this.converse(stream) {
                    tracing::warn!(%error, "a process at [handover] socket");
                }
            });
        }
    }
}
