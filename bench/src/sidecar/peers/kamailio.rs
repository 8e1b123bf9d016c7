//! Kamailio's transaction module, with one worker.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use tempfile::TempDir;

use super::Forky;
use super::program::{Program, is_taken};
use crate::sidecar::called::Called;
use crate::sidecar::cores;
use crate::sidecar::process::{free_tcp, free_udp};

/// What it does with calls.
#[derive(Clone, Copy)]
pub(in crate::sidecar) enum Script<'a> {
    /// `t_newtran` and `t_reply`: it is who is called, without dialogs.
    Reply,
    /// The same by TLS.
    ReplyByTls(&'a Forky),
    /// `record_route` and `t_relay`: a stateful proxy before who is called.
    Relay(SocketAddr),
}

/// A running Kamailio.
pub(in crate::sidecar) struct Kamailio {
    program: Program,
    address: SocketAddr,
    _folder: TempDir,
}

/// What is common to all scripts.
const HEAD: &str = r#"#!KAMAILIO
debug=-1
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
maxbuffer=4194304
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
"#;

const REPLY: &str = r#"
request_route {
    if (is_method("ACK")) exit;
    t_newtran();
    if (is_method("INVITE")) {
        append_to_reply("Contact: <sip:CONTACT>\r\n");
        set_reply_body("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n", "application/sdp");
    }
    t_reply("200", "OK");
}
"#;

const RELAY: &str = r#"
request_route {
    if (has_totag()) {
        loose_route();
        t_relay();
        exit;
    }
    record_route();
    $du = "sip:NEXT";
    t_relay();
}
"#;

impl Kamailio {
    /// On the core on which servers are measured.
    pub(in crate::sidecar) fn start(script: Script<'_>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let address = match script {
            Script::ReplyByTls(_) => free_tcp()?,
            _ => free_udp()?,
        };
        let text = match script {
            Script::Reply => format!(
                "{HEAD}disable_tcp=yes\nlisten=udp:{address}\n{}",
                REPLY.replace("CONTACT", &address.to_string())
            ),
            Script::Relay(next) => format!(
                "{HEAD}disable_tcp=yes\nlisten=udp:{address}\n{}",
                RELAY.replace("NEXT", &next.to_string())
            ),
            Script::ReplyByTls(forky) => {
                let tls = folder.path().join("tls.cfg");
                fs::write(&tls, certificates(forky.folder()))?;
                format!(
                    "{HEAD}enable_tls=yes\nlisten=tls:{address}\nloadmodule \"tls.so\"\nmodparam(\"tls\", \"config\", \"{}\")\n{}",
                    tls.display(),
                    REPLY.replace("CONTACT", &format!("{address};transport=tls"))
                )
            }
        };
        let file = folder.path().join("kamailio.cfg");
        fs::write(&file, text)?;
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        let mut command = cores::on_the_sidecars("kamailio");
        command
            .env("PATH", path)
            // Without a parent of its own and without a core file; shared memory for 32 s of transactions.
            .args(["-DD", "-E", "-m", "6144", "-M", "64"])
            .arg("-w")
            .arg(folder.path())
            .arg("-Y")
            .arg(folder.path())
            .arg("-P")
            .arg(folder.path().join("pid"))
            .arg("-f")
            .arg(&file);
        let mut program = Program::start("Kamailio", command)?;
        program.wait(|| match script {
            Script::ReplyByTls(_) => std::net::TcpStream::connect(address).is_ok(),
            _ => is_taken(address),
        })?;
        Ok(Self {
            program,
            address,
            _folder: folder,
        })
    }
}

/// Nobody's certificate is asked for.
fn certificates(folder: &Path) -> String {
    let at = |name: &str| folder.join(name).display().to_string();
    format!(
        "[server:default]\nmethod = TLSv1.2+\nverify_certificate = no\nrequire_certificate = no\ncertificate = {}\nprivate_key = {}\n",
        at("server.pem"),
        at("server.key")
    )
}

impl Called for Kamailio {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn process(&self) -> u32 {
        self.program.pid()
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        // Its first process ends the others when it is asked to, and only then.
        self.program.stop();
    }
}
