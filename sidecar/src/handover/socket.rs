//! The Unix socket of the hand-over: found, made, and frames with sockets through it.

use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use super::frame::{Decoder, Frame};

/// Sockets that come at a time: one of each [`super::frame::Use`], and one to spare.
const MOST_SOCKETS: usize = 8;
/// Bytes read at a time.
const CHUNK: usize = 64 * 1024;

/// One end of a conversation, before messages are passed.
pub(super) struct Talk {
    stream: UnixStream,
    decoder: Decoder,
    sockets: Vec<OwnedFd>,
}

/// Connects to whoever listens at `path`; none where nobody does.
///
/// # Errors
/// The system refuses for another reason.
pub(super) fn connect(path: &Path) -> io::Result<Option<UnixStream>> {
    match UnixStream::connect(path) {
        Ok(stream) => Ok(Some(stream)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Listens at `path`, in the place of a socket that a dead process has left there.
///
/// # Errors
/// Something else is there, or the folder cannot be written.
pub(super) fn listen(path: &Path) -> io::Result<UnixListener> {
    use std::os::unix::fs::FileTypeExt as _;
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path)?,
        Ok(_) => return Err(io::Error::other("a file is there that is no socket")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Whether the other end is a process of this user, or of the administrator.
pub(super) fn is_ours(stream: &UnixStream) -> bool {
    #[cfg(target_os = "linux")]
    {
        let own = rustix::process::geteuid();
        rustix::net::sockopt::socket_peercred(stream)
            .is_ok_and(|peer| peer.uid == own || peer.uid.is_root())
    }
    #[cfg(not(target_os = "linux"))]
    {
        // The socket's mode lets nobody else in.
        let _ = stream;
        true
    }
}

impl Talk {
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        Ok(Self {
            stream,
            decoder: Decoder::default(),
            sockets: Vec::new(),
        })
    }

    /// Says something, with sockets or without.
    pub(super) fn say(&mut self, frame: &Frame, sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = frame.encode().map_err(io::Error::other)?;
        let mut sent = 0;
        if !sockets.is_empty() {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_SOCKETS))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !control.push(SendAncillaryMessage::ScmRights(sockets)) {
                return Err(io::Error::other("more sockets than are passed at a time"));
            }
            let parts = [IoSlice::new(&bytes)];
            sent = sendmsg(
                self.stream.as_fd(),
                &parts,
                &mut control,
                SendFlags::empty(),
            )?;
        }
        self.stream.write_all(bytes.get(sent..).unwrap_or_default())
    }

    /// The next frame, within `limit`; the sockets that came with it are kept until [`Self::take_sockets`].
    pub(super) fn hear(&mut self, limit: Duration) -> io::Result<Frame> {
        let until = Instant::now() + limit;
        let mut chunk = vec![0; CHUNK];
        loop {
            if let Some(frame) = self.decoder.poll().map_err(io::Error::other)? {
                return Ok(frame);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
            let len = match self.receive(&mut chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                Err(error) => return Err(error),
            };
            self.decoder.push(chunk.get(..len).unwrap_or_default());
        }
    }

    fn receive(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_SOCKETS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(chunk)];
        // Like all other handles, they are not for programs that are started from here.
        #[cfg(target_os = "linux")]
        let flags = RecvFlags::CMSG_CLOEXEC;
        #[cfg(not(target_os = "linux"))]
        let flags = RecvFlags::empty();
        let received = recvmsg(self.stream.as_fd(), &mut parts, &mut control, flags)?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(sockets) = message {
                self.sockets.extend(sockets);
            }
        }
        Ok(received.bytes)
    }

    /// The sockets that have come.
    pub(super) fn take_sockets(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.sockets)
    }

    /// Goes on as a stream of frames that each side may send at any time, with what came too early.
    pub(super) fn into_stream(self) -> io::Result<(UnixStream, Decoder)> {
        self.stream.set_read_timeout(None)?;
        Ok((self.stream, self.decoder))
    }
}

/// Reads frames until the other end closes; `each` takes them, and says whether to go on.
///
/// # Errors
/// What comes is no frame, or the system's error.
pub(super) fn read_all(
    mut stream: UnixStream,
    mut decoder: Decoder,
    mut each: impl FnMut(Frame) -> bool,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        while let Some(frame) = decoder.poll().map_err(io::Error::other)? {
            if !each(frame) {
                return Ok(());
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(len) => decoder.push(chunk.get(..len).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    fn pair() -> (Talk, Talk) {
        let (one, other) = UnixStream::pair().unwrap();
        (Talk::new(one).unwrap(), Talk::new(other).unwrap())
    }

    #[test]
    fn sockets_go_with_a_frame_and_are_the_same_ones() {
        let (mut one, mut other) = pair();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let (to, at) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
        one.say(&Frame::Take, &[udp.as_fd(), tcp.as_fd()]).unwrap();
        // Longer than what is read at a time.
        let long = Frame::Refused("x".repeat(3 * CHUNK));
        let saying = std::thread::spawn(move || {
            one.say(&long, &[]).unwrap();
            one
        });
        let limit = Duration::from_secs(10);
        assert_eq!(other.hear(limit).unwrap(), Frame::Take);
        let mut sockets = other.take_sockets();
        assert_eq!(sockets.len(), 2);
        let (tcp_again, udp_again) = (sockets.pop().unwrap(), sockets.pop().unwrap());
        drop((udp, tcp));
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.send_to(b"still there", to).unwrap();
        let mut buffer = [0; 32];
        let len = UdpSocket::from(udp_again).recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..len], b"still there");
        assert_eq!(TcpListener::from(tcp_again).local_addr().unwrap(), at);
        assert!(matches!(other.hear(limit).unwrap(), Frame::Refused(_)));
        drop(saying.join().unwrap());
        let end = other.hear(limit).unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn whoever_says_nothing_is_not_waited_for_longer_than_the_limit() {
        let (_one, mut other) = pair();
        let error = other.hear(Duration::from_millis(20)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_socket_that_was_left_is_replaced_and_other_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("handover");
        assert!(connect(&path).unwrap().is_none());
        drop(listen(&path).unwrap());
        assert!(path.exists());
        assert!(connect(&path).unwrap().is_none(), "nobody listens");
        let listener = listen(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let stream = connect(&path).unwrap().unwrap();
        assert!(is_ours(&stream) && is_ours(&listener.accept().unwrap().0));
        let file = folder.path().join("file");
        std::fs::write(&file, "precious").unwrap();
        assert!(listen(&file).is_err());
        assert_eq!(std::fs::read(&file).unwrap(), b"precious");
    }
}
