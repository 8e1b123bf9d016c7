//! SIP over UDP and TCP.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use skillcall_sip::endpoint::{ConnectionId, Destination, Flow, Transmit, TransmitId, Transport};
use skillcall_sip::message::{Frame, StreamFramer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::LineError;

/// TCP connections at once; further ones are closed again.
const MAX_CONNECTIONS: usize = 64;
/// Messages that wait for one connection.
const MAX_WAITING: usize = 64;
/// Attempts to find a port that is free for UDP and TCP.
const PORT_ATTEMPTS: usize = 32;

/// What a socket has brought.
#[derive(Debug)]
pub(super) enum Arrival {
    /// A datagram, or a message cut out of a stream.
    Message { flow: Flow, bytes: Bytes },
    /// A connection is closed.
    Closed(ConnectionId),
    /// A message could not be sent.
    Failed(TransmitId),
}

/// A message for a connection, and who wants to know if it is lost.
type Outgoing = (Bytes, Option<TransmitId>);

/// The sockets of one line.
#[derive(Debug)]
pub(super) struct Sockets {
    udp: Arc<UdpSocket>,
    local: SocketAddr,
    connections: HashMap<ConnectionId, (SocketAddr, mpsc::Sender<Outgoing>)>,
    next_connection: u64,
    arrivals: mpsc::Sender<Arrival>,
    opened: mpsc::Receiver<TcpStream>,
    tasks: JoinSet<()>,
}

impl Sockets {
    /// Opens both transports at one port. Gives what arrives.
    pub(super) async fn open(
        listen: SocketAddr,
    ) -> Result<(Self, mpsc::Receiver<Arrival>), LineError> {
        let (udp, tcp) = bind(listen).await.map_err(|source| LineError::Socket {
            address: listen,
            source,
        })?;
        let local = udp.local_addr().map_err(|source| LineError::Socket {
            address: listen,
            source,
        })?;
        let (arrivals, arriving) = mpsc::channel(1024);
        let (opening, opened) = mpsc::channel(16);
        let udp = Arc::new(udp);
        let mut tasks = JoinSet::new();
        tasks.spawn(read_datagrams(Arc::clone(&udp), local, arrivals.clone()));
        tasks.spawn(accept(tcp, opening));
        let sockets = Self {
            udp,
            local,
            connections: HashMap::new(),
            next_connection: 0,
            arrivals,
            opened,
            tasks,
        };
        Ok((sockets, arriving))
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// The next connection that a peer has opened.
    pub(super) async fn accepted(&mut self) {
        if let Some(stream) = self.opened.recv().await
            && let Ok(remote) = stream.peer_addr()
        {
            self.add(stream, remote);
        }
    }

    /// Sends a message; what fails comes back as [`Arrival::Failed`].
    pub(super) async fn send(&mut self, transmit: Transmit) {
        while self.tasks.try_join_next().is_some() {}
        let Destination::Addr(remote) = transmit.destination else {
            // The simulator dials addresses; a name in a peer's Contact is not looked up.
            self.failed(transmit.id).await;
            return;
        };
        if transmit.transport == Transport::Udp {
            if let Err(error) = self.udp.send_to(&transmit.bytes, remote).await {
                tracing::debug!(%error, %remote, "a SIP message could not be sent");
                self.failed(transmit.id).await;
            }
            return;
        }
        let open = transmit
            .connection
            .filter(|id| self.connections.contains_key(id))
            .or_else(|| {
                self.connections
                    .iter()
                    .find(|(_, (address, _))| *address == remote)
                    .map(|(id, _)| *id)
            });
        let connection = match open {
            Some(connection) => Some(connection),
            None => match TcpStream::connect(remote).await {
                Ok(stream) => self.add(stream, remote),
                Err(error) => {
                    tracing::debug!(%error, %remote, "no SIP connection");
                    None
                }
            },
        };
        let sender = connection
            .and_then(|id| self.connections.get(&id))
            .map(|(_, sender)| sender.clone());
        match sender {
            Some(sender) if sender.try_send((transmit.bytes, transmit.id)).is_ok() => {}
            _ => self.failed(transmit.id).await,
        }
    }

    /// Forgets a closed connection.
    pub(super) fn closed(&mut self, connection: ConnectionId) {
        self.connections.remove(&connection);
    }

    async fn failed(&self, id: Option<TransmitId>) {
        if let Some(id) = id {
            // The receiver is this line's own task; full means that it is busy, and the transaction's timer still runs.
            let _ = self.arrivals.try_send(Arrival::Failed(id));
        }
    }

    fn add(&mut self, stream: TcpStream, remote: SocketAddr) -> Option<ConnectionId> {
        if self.connections.len() >= MAX_CONNECTIONS {
            return None;
        }
        let _ = stream.set_nodelay(true);
        let id = ConnectionId(self.next_connection);
        self.next_connection += 1;
        let flow = Flow::tcp(self.local, remote, id);
        let (reader, writer) = stream.into_split();
        let (sender, waiting) = mpsc::channel(MAX_WAITING);
        self.connections.insert(id, (remote, sender.clone()));
        self.tasks
            .spawn(read_stream(reader, flow, self.arrivals.clone(), sender));
        self.tasks
            .spawn(write_stream(writer, waiting, self.arrivals.clone()));
        Some(id)
    }
}

async fn bind(listen: SocketAddr) -> std::io::Result<(UdpSocket, TcpListener)> {
    let mut last = None;
    for _ in 0..PORT_ATTEMPTS {
        let tcp = TcpListener::bind(listen).await?;
        match UdpSocket::bind(tcp.local_addr()?).await {
            Ok(udp) => return Ok((udp, tcp)),
            // A port that is chosen by the system may be taken for UDP; a port that is wanted is what it is.
            Err(error) if listen.port() == 0 => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into()))
}

async fn read_datagrams(udp: Arc<UdpSocket>, local: SocketAddr, arrivals: mpsc::Sender<Arrival>) {
    let mut buffer = vec![0; 65_536];
    loop {
        match udp.recv_from(&mut buffer).await {
            Ok((length, remote)) => {
                let bytes = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
                let flow = Flow::udp(local, remote);
                if arrivals
                    .send(Arrival::Message { flow, bytes })
                    .await
                    .is_err()
                {
                    return;
                }
            }
            Err(error) => tracing::debug!(%error, "a datagram could not be received"),
        }
    }
}

async fn accept(listener: TcpListener, opening: mpsc::Sender<TcpStream>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if opening.send(stream).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::debug!(%error, "a SIP connection could not be accepted");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

async fn read_stream(
    mut reader: OwnedReadHalf,
    flow: Flow,
    arrivals: mpsc::Sender<Arrival>,
    answers: mpsc::Sender<Outgoing>,
) {
    let mut framer = StreamFramer::default();
    let mut buffer = vec![0; 16_384];
    'reading: while let Ok(length @ 1..) = reader.read(&mut buffer).await {
        framer.push(buffer.get(..length).unwrap_or_default());
        loop {
            match framer.poll() {
                Ok(Some(Frame::Message(bytes))) => {
                    if arrivals
                        .send(Arrival::Message { flow, bytes })
                        .await
                        .is_err()
                    {
                        return;
                    }
                }
                Ok(Some(Frame::Ping)) => {
                    // RFC 5626 §4.4.1: a ping is answered by a single CRLF.
                    let _ = answers.try_send((Bytes::from_static(b"\r\n"), None));
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::debug!(%error, "a SIP connection is closed");
                    break 'reading;
                }
            }
        }
    }
    if let Some(id) = flow.connection {
        let _ = arrivals.send(Arrival::Closed(id)).await;
    }
}

async fn write_stream(
    mut writer: OwnedWriteHalf,
    mut waiting: mpsc::Receiver<Outgoing>,
    arrivals: mpsc::Sender<Arrival>,
) {
    while let Some((bytes, id)) = waiting.recv().await {
        if writer.write_all(&bytes).await.is_err()
            && let Some(id) = id
        {
            let _ = arrivals.send(Arrival::Failed(id)).await;
        }
    }
}
