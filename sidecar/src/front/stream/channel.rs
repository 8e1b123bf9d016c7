//! A TCP connection, with TLS on it or not: bytes in and out, without blocking.

use std::io::{self, Read, Write};

use mio::net::TcpStream;
use rustls::pki_types::CertificateDer;

/// Bytes read at a time.
const CHUNK: usize = 16 * 1024;

pub(super) struct Channel {
    socket: TcpStream,
    tls: Option<Box<rustls::Connection>>,
    connecting: bool,
}

impl Channel {
    /// `connecting`: the connection is being made, and the system says when it is.
    pub(super) fn new(
        socket: TcpStream,
        tls: Option<rustls::Connection>,
        connecting: bool,
    ) -> Self {
        Self {
            socket,
            tls: tls.map(Box::new),
            connecting,
        }
    }

    pub(super) fn source(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Whether what is written goes to the peer: it is connected, and TLS has agreed on its keys.
    pub(super) fn is_ready(&self) -> bool {
        !self.connecting && self.tls.as_ref().is_none_or(|tls| !tls.is_handshaking())
    }

    pub(super) const fn is_connecting(&self) -> bool {
        self.connecting
    }

    /// The certificate that the peer has shown, once TLS has checked it.
    pub(super) fn peer_certificate(&self) -> Option<&CertificateDer<'static>> {
        self.tls.as_ref()?.peer_certificates()?.first()
    }

    /// The system says that something has changed: true once the connection stands.
    pub(super) fn finish_connecting(&mut self) -> io::Result<bool> {
        if self.connecting {
            if let Some(error) = self.socket.take_error()? {
                return Err(error);
            }
            match self.socket.peer_addr() {
                Ok(_) => self.connecting = false,
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Reads all there is. True: the peer has ended its side.
    pub(super) fn read(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<bool> {
        let mut chunk = [0; CHUNK];
        let Some(tls) = &mut self.tls else {
            loop {
                match self.socket.read(&mut chunk) {
                    Ok(0) => return Ok(true),
                    Ok(len) => each(chunk.get(..len).unwrap_or_default()),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        };
        loop {
            let ended = match tls.read_tls(&mut self.socket) {
                Ok(0) => true,
                Ok(_) => false,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if let Err(error) = tls.process_new_packets() {
                // The alert that says why.
                let _ = tls.write_tls(&mut self.socket);
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
            loop {
                match tls.reader().read(&mut chunk) {
                    Ok(0) => return Ok(true),
                    Ok(len) => each(chunk.get(..len).unwrap_or_default()),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // Ended without a word: nothing is cut, because SIP frames its messages itself.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(true),
                    Err(error) => return Err(error),
                }
            }
            if ended {
                return Ok(true);
            }
        }
    }

    /// Takes as many bytes as there is room for; 0: none now.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(tls) = &mut self.tls {
            let len = tls.writer().write(bytes)?;
            self.flush()?;
            return Ok(len);
        }
        loop {
            match self.socket.write(bytes) {
                Ok(len) => return Ok(len),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes what TLS holds back.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let Some(tls) = self.tls.as_mut().filter(|_| !self.connecting) else {
            return Ok(());
        };
        while tls.wants_write() {
            match tls.write_tls(&mut self.socket) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether it waits for room in the system's buffer.
    pub(super) fn wants_write(&self) -> bool {
        self.connecting || self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Tells the peer that nothing more comes.
    pub(super) fn take_leave(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        let _ = self.flush();
    }
}
