//! SIP over WebSocket (RFC 7118): the handshake with the subprotocol `sip`, then one message a WebSocket message. Bytes
//! in, bytes out; the socket is somebody else's.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::HandshakeError;
use tungstenite::handshake::MidHandshake;
use tungstenite::handshake::client::ClientHandshake;
use tungstenite::handshake::server::{ErrorResponse, Request, Response, ServerHandshake};
use tungstenite::http::{HeaderValue, StatusCode};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{ClientRequestBuilder, Error, Message, WebSocket};

/// The subprotocol's name (RFC 7118 §4.1).
const SUBPROTOCOL: &str = "sip";
/// The longest message, as on other streams.
const LONGEST: usize = 64 * 1024;

/// Both directions of a connection, in memory.
#[derive(Debug, Clone, Default)]
struct Pipe {
    input: Arc<Mutex<VecDeque<u8>>>,
    output: Arc<Mutex<Vec<u8>>>,
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        if input.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        input.read(into)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Check = fn(&Request, Response) -> Result<Response, ErrorResponse>;

enum State {
    Accepting(MidHandshake<ServerHandshake<Pipe, Check>>),
    Calling(MidHandshake<ClientHandshake<Pipe>>),
    Open(Box<WebSocket<Pipe>>),
    Over,
}

/// One WebSocket connection.
pub(super) struct WebSocketFraming {
    pipe: Pipe,
    state: State,
}

fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(LONGEST))
        .max_frame_size(Some(LONGEST))
}

/// Takes the subprotocol that RFC 7118 §4.1 asks for, and refuses a client that does not offer it.
#[allow(clippy::result_large_err, reason = "the crate's type")]
fn check(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let offered = request
        .headers()
        .get_all("Sec-WebSocket-Protocol")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|name| name.trim().eq_ignore_ascii_case(SUBPROTOCOL));
    if !offered {
        let mut refusal = ErrorResponse::new(Some("the subprotocol is sip (RFC 7118)".into()));
        *refusal.status_mut() = StatusCode::BAD_REQUEST;
        return Err(refusal);
    }
    response.headers_mut().insert(
        "Sec-WebSocket-Protocol",
        HeaderValue::from_static(SUBPROTOCOL),
    );
    Ok(response)
}

impl WebSocketFraming {
    /// The server's side.
    pub(super) fn server() -> Self {
        let pipe = Pipe::default();
        let handshake = ServerHandshake::start(pipe.clone(), check as Check, Some(limits()));
        Self {
            pipe,
            state: State::Accepting(handshake),
        }
    }

    /// The client's side, of a connection to `authority` (`host:port`).
    ///
    /// # Errors
    /// The authority makes no URI.
    pub(super) fn client(authority: &str, secure: bool) -> Result<Self, String> {
        let scheme = if secure { "wss" } else { "ws" };
        let uri = format!("{scheme}://{authority}/")
            .parse()
            .map_err(|error| format!("{authority}: {error}"))?;
        let request = ClientRequestBuilder::new(uri)
            .with_sub_protocol(SUBPROTOCOL)
            .into_client_request()
            .map_err(|error| error.to_string())?;
        let pipe = Pipe::default();
        let handshake = ClientHandshake::start(pipe.clone(), request, Some(limits()))
            .map_err(|error| error.to_string())?;
        let mut client = Self {
            pipe,
            state: State::Calling(handshake),
        };
        client.shake_hands().map_err(|error| error.to_string())?;
        Ok(client)
    }

    /// Takes bytes that came.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let mut input = self
            .pipe
            .input
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        input.extend(bytes);
    }

    /// Whether messages can be sent.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    fn shake_hands(&mut self) -> Result<(), String> {
        self.state = match std::mem::replace(&mut self.state, State::Over) {
            State::Accepting(handshake) => match handshake.handshake() {
                Ok(open) => State::Open(Box::new(open)),
                Err(HandshakeError::Interrupted(later)) => State::Accepting(later),
                Err(HandshakeError::Failure(error)) => return Err(error.to_string()),
            },
            State::Calling(handshake) => match handshake.handshake() {
                Ok((open, _)) => State::Open(Box::new(open)),
                Err(HandshakeError::Interrupted(later)) => State::Calling(later),
                Err(HandshakeError::Failure(error)) => return Err(error.to_string()),
            },
            other => other,
        };
        Ok(())
    }

    /// The next message; `None` until more bytes come.
    ///
    /// # Errors
    /// The connection is over: closed, or no WebSocket.
    pub(super) fn poll(&mut self) -> Result<Option<Bytes>, String> {
        self.shake_hands()?;
        let socket = match &mut self.state {
            State::Open(socket) => socket,
            State::Over => return Err("the WebSocket is closed".into()),
            State::Accepting(_) | State::Calling(_) => return Ok(None),
        };
        loop {
            match socket.read() {
                Ok(Message::Text(text)) => return Ok(Some(Bytes::from(text))),
                Ok(Message::Binary(bytes)) => return Ok(Some(bytes)),
                // The crate answers pings and the peer's close by itself.
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_)) => {
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    let _ = socket.flush();
                    return Ok(None);
                }
                Err(error) => {
                    let _ = socket.flush();
                    self.state = State::Over;
                    return Err(error.to_string());
                }
            }
        }
    }

    /// Puts a message among the bytes to be sent: text when it is UTF-8, else binary (RFC 7118 §5).
    pub(super) fn encode(&mut self, message: Bytes) -> Result<(), String> {
        let message = match std::str::from_utf8(&message) {
            Ok(text) => Message::text(text),
            Err(_) => Message::binary(message),
        };
        self.send(message)
    }

    /// A ping; the peer has to answer it (RFC 6455 §5.5.2).
    pub(super) fn ping(&mut self) -> Result<(), String> {
        self.send(Message::Ping(Bytes::new()))
    }

    fn send(&mut self, message: Message) -> Result<(), String> {
        match &mut self.state {
            State::Open(socket) => socket.send(message).map_err(|error| error.to_string()),
            _ => Err("the WebSocket is not open".into()),
        }
    }

    /// What has to be sent.
    pub(super) fn take_output(&mut self) -> Vec<u8> {
        let mut output = self
            .pipe
            .output
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Carries all bytes both ways until nothing moves.
    fn exchange(a: &mut WebSocketFraming, b: &mut WebSocketFraming) -> Vec<Bytes> {
        let mut heard = Vec::new();
        loop {
            let (from_a, from_b) = (a.take_output(), b.take_output());
            if from_a.is_empty() && from_b.is_empty() {
                return heard;
            }
            // Frames come in pieces; too many small ones are taken for an attack by the handshake.
            for piece in from_a.chunks(24) {
                b.push(piece);
                heard.extend(b.poll().unwrap());
            }
            a.push(&from_b);
            heard.extend(a.poll().unwrap());
        }
    }

    #[test]
    fn messages_pass_both_ways() {
        let mut server = WebSocketFraming::server();
        let mut client = WebSocketFraming::client("127.0.0.1:80", false).unwrap();
        assert!(!client.is_open());
        assert!(exchange(&mut client, &mut server).is_empty());
        assert!(client.is_open() && server.is_open());
        let message = Bytes::from_static(b"OPTIONS sip:a@b SIP/2.0\r\n\r\n");
        client.encode(message.clone()).unwrap();
        assert_eq!(exchange(&mut client, &mut server), [message]);
        let latin = Bytes::from_static(b"OPTIONS sip:a@b SIP/2.0\r\nSubject: \xe9\r\n\r\n");
        server.encode(latin.clone()).unwrap();
        client.ping().unwrap();
        assert_eq!(exchange(&mut client, &mut server), [latin]);
    }

    #[test]
    fn a_client_that_speaks_no_sip_is_refused() {
        let mut server = WebSocketFraming::server();
        server.push(
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        );
        assert!(server.poll().is_err());
        let answer = server.take_output();
        assert!(answer.starts_with(b"HTTP/1.1 400"), "{answer:?}");
        let mut server = WebSocketFraming::server();
        server.push(b"OPTIONS sip:a@b SIP/2.0\r\n\r\n");
        assert!(server.poll().is_err());
    }
}
