//! A caller whose messages are written by hand.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::support::{LIMIT, NUMBER};

/// The name in a sidecar's certificate.
pub(crate) const SERVER: &str = "sip.example";

/// A caller whose messages are written by hand.
pub(crate) struct ByHand {
    pub(crate) way: Way,
    pub(crate) local: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) rtp: UdpSocket,
    pub(crate) name: String,
}

pub(crate) enum Way {
    Udp(UdpSocket),
    Connection(Connection),
}

/// A connection of TCP, or of TLS over it.
pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    local: SocketAddr,
    transport: &'static str,
    read: Vec<u8>,
}

trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

impl Way {
    pub(crate) fn udp() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        Self::Udp(socket)
    }

    /// A connection, encrypted where there is a certificate that is trusted.
    pub(crate) fn connection(to: SocketAddr, trusted: Option<&Path>) -> Self {
        let stream = TcpStream::connect(to).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let local = stream.local_addr().unwrap();
        let (stream, transport): (Box<dyn Stream>, _) = match trusted {
            None => (Box::new(stream), "TCP"),
            Some(root) => {
                let _ = rustls::crypto::ring::default_provider().install_default();
                let mut roots = RootCertStore::empty();
                roots
                    .add(CertificateDer::from_pem_file(root).unwrap())
                    .unwrap();
                let config = ClientConfig::builder()
                    .with_root_certificates(roots)
                    .with_no_client_auth();
                let name = ServerName::try_from(SERVER).unwrap();
                let session = ClientConnection::new(Arc::new(config), name).unwrap();
                (Box::new(StreamOwned::new(session, stream)), "TLS")
            }
        };
        Self::Connection(Connection {
            stream,
            local,
            transport,
            read: Vec::new(),
        })
    }

    fn local(&self) -> SocketAddr {
        match self {
            Self::Udp(socket) => socket.local_addr().unwrap(),
            Self::Connection(connection) => connection.local,
        }
    }

    fn transport(&self) -> &'static str {
        match self {
            Self::Udp(_) => "UDP",
            Self::Connection(connection) => connection.transport,
        }
    }
}

pub(crate) fn header<'m>(message: &'m str, name: &str) -> &'m str {
    let mut lines = message.lines();
    let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    found.unwrap_or_else(|| panic!("no {name} in {message}"))
}

impl ByHand {
    pub(crate) fn new(way: Way, to: SocketAddr, name: &str) -> Self {
        Self {
            local: way.local(),
            way,
            to,
            rtp: UdpSocket::bind("127.0.0.1:0").unwrap(),
            name: name.to_owned(),
        }
    }

    pub(crate) fn send(&mut self, message: &str) {
        match &mut self.way {
            Way::Udp(socket) => drop(socket.send_to(message.as_bytes(), self.to).unwrap()),
            Way::Connection(connection) => {
                connection.stream.write_all(message.as_bytes()).unwrap();
                connection.stream.flush().unwrap();
            }
        }
    }

    pub(crate) fn next(&mut self) -> String {
        let mut buffer = [0; 65_535];
        match &mut self.way {
            Way::Udp(socket) => {
                let len = socket.recv(&mut buffer).unwrap();
                String::from_utf8_lossy(&buffer[..len]).into_owned()
            }
            Way::Connection(Connection { stream, read, .. }) => loop {
                let text = String::from_utf8_lossy(read).into_owned();
                if let Some(end) = text.find("\r\n\r\n") {
                    let body: usize = header(&text, "Content-Length").parse().unwrap();
                    let whole = end + 4 + body;
                    if read.len() >= whole {
                        read.drain(..whole);
                        return text[..whole].to_owned();
                    }
                }
                let len = stream.read(&mut buffer).unwrap();
                assert_ne!(len, 0, "the connection was closed");
                read.extend(&buffer[..len]);
            },
        }
    }

    /// The next response with this status to this method; others are passed over.
    pub(crate) fn hears(&mut self, status: u16, method: &str) -> String {
        loop {
            let message = self.next();
            let is = message.starts_with(&format!("SIP/2.0 {status} "));
            if is && header(&message, "CSeq").ends_with(method) {
                return message;
            }
            assert!(
                message.starts_with("SIP/2.0 1")
                    || message.starts_with("SIP/2.0 200 ")
                    || message.starts_with("OPTIONS"),
                "waiting for {status} to {method}: {message}"
            );
        }
    }

    pub(crate) fn request(&self, method: &str, cseq: u32, to: &str, body: &str) -> String {
        let (local, name) = (self.local, &self.name);
        let transport = self.way.transport();
        let kind = if body.is_empty() {
            ""
        } else {
            "Content-Type: application/sdp\r\n"
        };
        let way = transport.to_ascii_lowercase();
        format!(
            "{method} sip:{NUMBER}@{};transport={way} SIP/2.0\r\n\
             Via: SIP/2.0/{transport} {local};rport;branch=z9hG4bK{name}{cseq}{method}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:+12045550100@{local}>;tag={name}\r\nTo: {to}\r\n\
             Call-ID: {name}@{local}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:+12045550100@{local};transport={way}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            self.to,
            body.len()
        )
    }

    pub(crate) fn sdp(&self, direction: &str) -> String {
        let port = self.rtp.local_addr().unwrap().port();
        let version = if direction == "sendrecv" { 1 } else { 2 };
        format!(
            "v=0\r\no=h 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0\r\na={direction}\r\n"
        )
    }

    pub(crate) fn invite(&self) -> String {
        let to = format!("<sip:{NUMBER}@{}>", self.to);
        self.request("INVITE", 1, &to, &self.sdp("sendrecv"))
    }

    /// Packets of audio reach it.
    pub(crate) fn is_spoken_to(&self) {
        self.rtp.set_read_timeout(Some(LIMIT)).unwrap();
        let mut packet = [0; 2048];
        self.rtp.recv(&mut packet).unwrap();
    }
}
