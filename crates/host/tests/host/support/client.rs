//! A client that writes and reads HTTP/1.1 as text.

use super::LIMIT;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A reply: its status, its head in lower case, its body without chunk sizes.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// `GET path` on a connection of its own.
pub(crate) async fn get(to: SocketAddr, path: &str) -> Reply {
    get_with(to, path, b"").await
}

/// The same with further header lines, each with its line end.
pub(crate) async fn get_with(to: SocketAddr, path: &str, lines: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(to).await.expect("the server listens");
    let mut request =
        format!("GET {path} HTTP/1.1\r\nHost: test.example\r\nConnection: close\r\n").into_bytes();
    request.extend_from_slice(lines);
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await.expect("the server reads");
    let mut bytes = Vec::new();
    let reading = timeout(LIMIT, stream.read_to_end(&mut bytes)).await;
    reading.expect("an answer in time").expect("a whole answer");
    parse(&String::from_utf8_lossy(&bytes))
}

fn parse(text: &str) -> Reply {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let head = head.to_ascii_lowercase();
    let body = if head.contains("transfer-encoding: chunked") {
        unchunked(body)
    } else {
        body.to_owned()
    };
    Reply {
        status: status.unwrap_or_else(|| panic!("no HTTP reply: {text:?}")),
        head,
        body,
    }
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a chunk's size");
        if size == 0 {
            break;
        }
        whole.push_str(&rest[..size]);
        body = &rest[size + 2..];
    }
    whole
}
