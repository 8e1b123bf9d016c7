//! Connections with TURN servers that are reached by TCP or TLS (RFC 8656 §3.1): of one leg each, as datagrams would be.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use skillcall_webrtc::{Frames, TurnServer, TurnTransport};

use crate::tls::TlsSetup;

/// The most bytes that wait until the network takes them: what is said must not be heard seconds later. Our choice.
const MOST_WAITING: usize = 32 * 1024;
/// Bytes that are read of one connection before others get their turn.
const TURN: usize = 64 * 1024;

/// One connection.
struct Stream {
    number: usize,
    tcp: TcpStream,
    tls: Option<Box<rustls::Connection>>,
    /// What the network has not taken yet.
    waiting: Vec<u8>,
    frames: Frames,
}

/// The connections of a leg.
#[derive(Default)]
pub(crate) struct Streams(Vec<Stream>);

/// What has come by a connection.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct FromStream {
    /// Whole messages.
    pub(crate) messages: Vec<Vec<u8>>,
    /// Whether there is more to read.
    pub(crate) more: bool,
    /// Whether it has ended.
    pub(crate) ended: bool,
}

impl Streams {
    /// Connects with a server, unless there is a connection already; what is sent before it is there waits.
    ///
    /// # Errors
    /// There can be none.
    pub(crate) fn open(
        &mut self,
        registry: &Registry,
        token: Token,
        number: usize,
        server: &TurnServer,
        tls: &TlsSetup,
    ) -> io::Result<()> {
        if self.find(number).is_some() {
            return Ok(());
        }
        let tls = match &server.transport {
            TurnTransport::Tls(name) => {
                let connection = tls.connect_host(name);
                Some(Box::new(connection.ok_or(io::ErrorKind::InvalidInput)?))
            }
            TurnTransport::Udp | TurnTransport::Tcp => None,
        };
        let mut tcp = connect(server.address)?;
        registry.register(&mut tcp, token, Interest::READABLE | Interest::WRITABLE)?;
        self.0.push(Stream {
            number,
            tcp,
            tls,
            waiting: Vec::new(),
            frames: Frames::default(),
        });
        Ok(())
    }

    fn find(&mut self, number: usize) -> Option<&mut Stream> {
        self.0.iter_mut().find(|stream| stream.number == number)
    }

    /// Sends a message; what cannot be sent is lost, as datagrams are.
    pub(crate) fn send(&mut self, number: usize, message: &[u8]) {
        if let Some(stream) = self.find(number) {
            stream.send(message);
        }
    }

    /// The connection may be written, or has something to read.
    pub(crate) fn read(&mut self, number: usize) -> FromStream {
        let Some(stream) = self.find(number) else {
            return FromStream::default();
        };
        let mut came = FromStream::default();
        if stream.read(&mut came).is_err() {
            came.ended = true;
            came.more = false;
        }
        if came.ended {
            self.0.retain(|stream| stream.number != number);
        }
        came
    }

    /// Asks once more to be told that there is something to read.
    pub(crate) fn rearm(&mut self, registry: &Registry, token: Token, number: usize) {
        if let Some(stream) = self.find(number) {
            let interest = Interest::READABLE | Interest::WRITABLE;
            // A socket that is registered can be so again.
            let _ = registry.reregister(&mut stream.tcp, token, interest);
        }
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect(address)?;
    // A packet of voice waits for no other; without this it is only later.
    let _ = tcp.set_nodelay(true);
    Ok(tcp)
}

impl Stream {
    fn send(&mut self, message: &[u8]) {
        if self.waiting.len() + message.len() > MOST_WAITING {
            return;
        }
        match &mut self.tls {
            None => self.waiting.extend_from_slice(message),
            Some(tls) => {
                // It keeps what is written before its handshake is over, up to its own bound.
                if tls.writer().write_all(message).is_err() {
                    return;
                }
            }
        }
        // What goes wrong is found when it is read.
        let _ = self.flush();
    }

    /// Gives the network what it takes.
    fn flush(&mut self) -> io::Result<()> {
        loop {
            if let Some(tls) = &mut self.tls {
                while tls.wants_write() && self.waiting.len() < MOST_WAITING {
                    tls.write_tls(&mut self.waiting)?;
                }
            }
            if self.waiting.is_empty() {
                return Ok(());
            }
            match self.tcp.write(&self.waiting) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(taken) => {
                    self.waiting.drain(..taken);
                }
                Err(error) if is_not_yet(&error) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn read(&mut self, came: &mut FromStream) -> io::Result<()> {
        if let Some(error) = self.tcp.take_error()? {
            return Err(error);
        }
        self.flush()?;
        let mut room = [0; 4_096];
        let mut taken = 0;
        while taken < TURN {
            let len = match self.tcp.read(&mut room) {
                Ok(0) => {
                    came.ended = true;
                    return Ok(());
                }
                Ok(len) => len,
                Err(error) if is_not_yet(&error) => return self.flush(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            taken += len;
            self.take(room.get(..len).unwrap_or_default(), came)?;
        }
        came.more = true;
        self.flush()
    }

    fn take(&mut self, mut bytes: &[u8], came: &mut FromStream) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            return frame(&mut self.frames, bytes, came);
        };
        while !bytes.is_empty() {
            tls.read_tls(&mut bytes)?;
            tls.process_new_packets()
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let mut room = [0; 4_096];
            loop {
                match tls.reader().read(&mut room) {
                    Ok(0) => {
                        came.ended = true;
                        return Ok(());
                    }
                    Ok(len) => frame(&mut self.frames, room.get(..len).unwrap_or_default(), came)?,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

fn frame(frames: &mut Frames, bytes: &[u8], came: &mut FromStream) -> io::Result<()> {
    let wrong = |_| io::Error::from(io::ErrorKind::InvalidData);
    frames.push(bytes).map_err(wrong)?;
    while let Some(message) = frames.next_message().map_err(wrong)? {
        came.messages.push(message.to_vec());
    }
    Ok(())
}

/// The network takes or has nothing now; the connection may not even be there yet.
fn is_not_yet(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected
    )
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    use mio::{Events, Poll};

    use super::*;
    use crate::config::SidecarConfig;

    const LIMIT: Duration = Duration::from_secs(20);

    fn tls() -> TlsSetup {
        TlsSetup::read(&SidecarConfig::default()).unwrap()
    }

    fn server(address: SocketAddr) -> TurnServer {
        TurnServer {
            address,
            transport: TurnTransport::Tcp,
            username: "a".into(),
            password: "b".into(),
        }
    }

    /// What comes until it fits.
    fn until(
        poll: &mut Poll,
        streams: &mut Streams,
        fits: impl Fn(&FromStream) -> bool,
    ) -> FromStream {
        let begin = Instant::now();
        let mut all = FromStream::default();
        let mut events = Events::with_capacity(4);
        loop {
            let came = streams.read(0);
            all.messages.extend(came.messages);
            all.ended |= came.ended;
            if fits(&all) {
                return all;
            }
            assert!(begin.elapsed() < LIMIT, "{all:?}");
            poll.poll(&mut events, Some(Duration::from_millis(50)))
                .unwrap();
        }
    }

    #[test]
    fn messages_go_both_ways_and_the_end_is_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut poll = Poll::new().unwrap();
        let mut streams = Streams::default();
        let server = server(listener.local_addr().unwrap());
        let open = |streams: &mut Streams, poll: &Poll| {
            streams.open(poll.registry(), Token(1), 0, &server, &tls())
        };
        open(&mut streams, &poll).unwrap();
        // Before it is there.
        streams.send(0, &[0, 1, 0, 0, 1, 2]);
        let (mut far, _) = listener.accept().unwrap();
        until(&mut poll, &mut streams, |_| true);
        streams.send(0, &[3, 4]);
        let mut came = [0; 8];
        far.read_exact(&mut came).unwrap();
        assert_eq!(came, [0, 1, 0, 0, 1, 2, 3, 4]);
        far.write_all(&[0x40, 0, 0, 1, 7, 0, 0, 0, 0x40, 0])
            .unwrap();
        far.write_all(&[0, 2, 8, 9, 0, 0]).unwrap();
        let messages = until(&mut poll, &mut streams, |came| came.messages.len() == 2);
        assert_eq!(
            messages.messages,
            [vec![0x40, 0, 0, 1, 7], vec![0x40, 0, 0, 2, 8, 9]]
        );
        drop(far);
        until(&mut poll, &mut streams, |came| came.ended);
        assert!(streams.find(0).is_none());
        // It can be opened again; what is no TURN ends it.
        open(&mut streams, &poll).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        far.write_all(b"SSH-2.0-server\r\n").unwrap();
        until(&mut poll, &mut streams, |came| came.ended);
    }

    #[test]
    fn where_nobody_listens_it_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let nobody = listener.local_addr().unwrap();
        drop(listener);
        let mut poll = Poll::new().unwrap();
        let mut streams = Streams::default();
        // Some systems say so at once.
        if streams
            .open(poll.registry(), Token(1), 0, &server(nobody), &tls())
            .is_ok()
        {
            until(&mut poll, &mut streams, |came| came.ended);
        }
        streams.send(0, &[1]);
        assert!(streams.find(0).is_none());
    }
}
