//! SIPp, as a caller or as the phone. Its scenarios lie in `scenarios/`.

use std::path::Path;

use crate::program::{Program, free_port};
use crate::{Stage, until};

/// SIPp's transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// One UDP socket.
    Udp,
    /// One TCP connection.
    Tcp,
}

impl Over {
    const fn option(self) -> &'static str {
        match self {
            Self::Udp => "u1",
            Self::Tcp => "t1",
        }
    }
}

/// What it gives back of what it hears: everything.
const COMMON: &str =
    "-m 1 -nostdin -rtp_echo -i 127.0.0.1 -mi 127.0.0.1 -timeout 80s -timeout_error";

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split_whitespace().map(str::to_owned)
}

/// The arguments that play one of our scenarios, with its keywords filled in.
#[must_use]
pub fn scenario(name: &str, keywords: &[(&str, &str)]) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("scenarios")
        .join(name)
        .with_extension("xml");
    let mut arguments = format!("-sf {}", file.display());
    for (keyword, value) in keywords {
        arguments.push_str(&format!(" -key {keyword} {value}"));
    }
    arguments
}

/// SIPp calls the sidecar once by one of our scenarios.
///
/// # Panics
/// When it cannot be started.
#[must_use]
pub fn call(stage: &Stage, over: Over, name: &str, keywords: &[(&str, &str)]) -> Program {
    let target = match over {
        Over::Udp => stage.sidecar.sip_udp(),
        Over::Tcp => stage.sidecar.sip_tcp(),
    };
    let target = target.expect("a SIP listener");
    let (port, media) = (free_port(), free_port());
    let arguments = format!(
        "{target} {} -t {} {COMMON} -p {port} -mp {media}",
        scenario(name, keywords),
        over.option()
    );
    Program::start(
        "sipp",
        stage.folder(),
        &words(&arguments).collect::<Vec<_>>(),
    )
}

/// Waits until SIPp listens.
pub async fn listening(over: Over, port: u16) {
    let address = ("127.0.0.1", port);
    until("SIPp to listen", async || match over {
        // A taken port cannot be bound.
        Over::Udp => std::net::UdpSocket::bind(address).err().map(drop),
        Over::Tcp => tokio::net::TcpStream::connect(address).await.ok().map(drop),
    })
    .await;
}

/// SIPp is the phone at these SIP and RTP ports; `plays` names its scenario.
///
/// # Panics
/// When it cannot be started.
#[must_use]
pub fn phone(stage: &Stage, over: Over, (port, media): (u16, u16), plays: &str) -> Program {
    let arguments = format!(
        "{plays} -t {} {COMMON} -p {port} -mp {media}",
        over.option()
    );
    Program::start(
        "sipp",
        stage.folder(),
        &words(&arguments).collect::<Vec<_>>(),
    )
}
