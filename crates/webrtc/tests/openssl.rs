//! `openssl s_client` and `openssl s_server` with RSA certificates, on loopback.

use std::{
    io::{BufRead as _, BufReader},
    net::UdpSocket,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use skillcall_webrtc::dtls::{Backend as _, Keys, OpenSsl, Role, Step};

/// A handshake takes milliseconds; a loaded machine is slow.
const LIMIT: Duration = Duration::from_secs(60);

struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn openssl(arguments: &[&str]) -> Program {
    let child = Command::new("openssl")
        .args(arguments)
        // Its standard input open keeps the connection open.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    Program(child.expect("openssl starts; `tools/setup.sh test` installs it"))
}

/// An RSA certificate and its key, of OpenSSL's own making.
fn rsa(folder: &Path) -> (String, String) {
    let file = |name: &str| folder.join(name).display().to_string();
    let (certificate, key) = (file("rsa.pem"), file("rsa.key"));
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=rsa",
        ])
        .args(["-keyout", &key, "-out", &certificate])
        .stderr(Stdio::null())
        .status();
    assert!(made.expect("openssl starts").success());
    (certificate, key)
}

/// The whole handshake: the peer's certificate and the keys.
fn handshake(socket: &UdpSocket, role: Role) -> (Vec<u8>, Keys) {
    let backend = OpenSsl::generate().unwrap();
    let begin = Instant::now();
    let mut association = backend.start(role, begin);
    socket
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    let (mut certificate, mut keys, mut connected) = (None, None, false);
    let mut room = [0; 2_048];
    while begin.elapsed() < LIMIT {
        loop {
            match association.poll() {
                Step::Transmit(datagram) => {
                    // Nobody is connected before the client's first word.
                    let _ = socket.send(&datagram);
                }
                Step::Certificate(der) => certificate = Some(der),
                Step::Keys(made) => keys = Some(made),
                Step::Connected => connected = true,
                Step::Closed => panic!("closed"),
                Step::Wait(_) => break,
            }
        }
        if connected {
            return (certificate.expect("a certificate"), keys.expect("keys"));
        }
        let now = Instant::now();
        if let Ok((len, from)) = socket.recv_from(&mut room) {
            socket.connect(from).unwrap();
            association.receive(now, &room[..len]).unwrap();
        } else {
            association.advance(now).unwrap();
        }
    }
    panic!("no handshake in {LIMIT:?}");
}

fn der(certificate: &str) -> Vec<u8> {
    let output = Command::new("openssl")
        .args(["x509", "-in", certificate, "-outform", "DER"])
        .output()
        .unwrap();
    output.stdout
}

#[test]
fn s_client_with_an_rsa_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = rsa(folder.path());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let mut client = openssl(&[
        "s_client",
        "-dtls1_2",
        "-connect",
        &address,
        "-cert",
        &certificate,
        "-key",
        &key,
        "-use_srtp",
        "SRTP_AES128_CM_SHA1_80",
    ]);
    let (shown, _keys) = handshake(&socket, Role::Server);
    assert_eq!(shown, der(&certificate));
    let said = BufReader::new(client.0.stdout.take().unwrap());
    let profile = said
        .lines()
        .map_while(Result::ok)
        .find(|line| line.contains("SRTP Extension negotiated"));
    assert!(profile.is_some_and(|line| line.contains("SRTP_AES128_CM_SHA1_80")));
}

#[test]
fn s_server_with_an_rsa_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = rsa(folder.path());
    let address = {
        let free = UdpSocket::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap()
    };
    let port = address.port().to_string();
    let mut server = openssl(&[
        "s_server",
        "-dtls1_2",
        "-accept",
        &port,
        "-4",
        "-cert",
        &certificate,
        "-key",
        &key,
        "-Verify",
        "1",
        "-use_srtp",
        "SRTP_AEAD_AES_128_GCM",
    ]);
    let mut lines = BufReader::new(server.0.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line.contains("ACCEPT"))));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(address).unwrap();
    let (shown, _keys) = handshake(&socket, Role::Client);
    assert_eq!(shown, der(&certificate));
}
