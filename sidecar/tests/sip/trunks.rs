//! Trunks over connections: TLS with certificates of both sides, WebSocket, and fail-over by SRV. The peers are OpenSSL,
//! Python's ssl, the library `websockets`, SIPp and Unbound.

use crate::support;

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use skillcall_sidecar::SidecarConfig;
use support::authority::Authority;
use support::peer::{Peer, peer_script, s_client};
use support::{Behaviour, Bench, Handler, LIMIT, Phone, SKILL, skill_headers};

fn options(call_id: &str) -> String {
    format!(
        "OPTIONS sip:sip.example SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bK{call_id};rport\r\n\
         From: <sip:a@carrier.example>;tag=a\r\nTo: <sip:sip.example>\r\nCall-ID: {call_id}\r\n\
         CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

/// Whether an OPTIONS on this connection is answered.
fn is_answered(peer: &mut Peer, call_id: &str) -> bool {
    peer.say(&options(call_id));
    peer.line("SIP/2.0 200").is_some()
}

async fn quiet_handler() -> Handler {
    Handler::start(|_| json!([])).await
}

fn tls_config(folder: &Path, handler: &str, extra: &str) -> SidecarConfig {
    let extra = format!("[tls]\ncertificate = \"sip.pem\"\nkey-file = \"sip.key\"\n{extra}");
    let mut config = support::config(folder, handler, None, &extra);
    config.sip.listen.push("tls:127.0.0.1:0".parse().unwrap());
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_name_trunks_and_are_reloaded_under_live_connections() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (old, new) = (Authority::new(), Authority::new());
    old.write(&at("old.ca"));
    new.write(&at("new.ca"));
    old.issue(folder.path(), "sip", &["sip.example"]);
    old.issue(
        folder.path(),
        "carrier",
        &["sip:carrier.example", "other.example"],
    );
    old.issue(folder.path(), "stranger", &["stranger.example"]);
    let handler = quiet_handler().await;
    let extra = "clients = \"old.ca\"\n[[trunk]]\nname = \"carrier\"\n\
                 certificate-names = [\"carrier.example\"]\n";
    let read = || {
        let mut config = tls_config(folder.path(), &handler.url, extra);
        // Loopback is a stranger's here: the certificate alone lets in.
        config.sip.sources = Some(vec!["192.0.2.0/24".parse().unwrap()]);
        config
    };
    let sidecar = skillcall_sidecar::Sidecar::start(read()).await.unwrap();
    let tls = sidecar.sip_tls().unwrap();

    let mut carrier = s_client(tls, &at("old.ca"), Some(&at("carrier")));
    assert!(is_answered(&mut carrier, "one"));
    for own in [None, Some(at("stranger"))] {
        let mut stranger = s_client(tls, &at("old.ca"), own.as_deref());
        assert!(!is_answered(&mut stranger, "two"), "{own:?}");
    }

    // Another certificate: connections that stand stay, new ones are shown it.
    new.issue(folder.path(), "sip", &["sip.example"]);
    sidecar.reload(read()).await.unwrap();
    assert!(is_answered(&mut carrier, "three"));
    let mut trusting_new = s_client(tls, &at("new.ca"), Some(&at("carrier")));
    assert!(is_answered(&mut trusting_new, "four"));
    let mut trusting_old = s_client(tls, &at("old.ca"), Some(&at("carrier")));
    assert!(!is_answered(&mut trusting_old, "five"));

    // What cannot be used is not taken up.
    std::fs::write(at("sip.pem"), "no certificate").unwrap();
    assert!(sidecar.reload(read()).await.is_err());
    let mut after = s_client(tls, &at("new.ca"), Some(&at("carrier")));
    assert!(is_answered(&mut after, "six"));
    sidecar.shutdown().await;
}

/// Calls +16075550100 on each new call; ends it with 486 when that fails.
async fn bridging_handler() -> Handler {
    Handler::start(|event| match event["InvocationEventType"].as_str() {
        Some("NEW_INBOUND_CALL") => json!([{"Type": "CallAndBridge", "Parameters": {
            "CallTimeoutSeconds": 20, "CallerIdNumber": "+16075550199",
            "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+16075550100"}]}}]),
        Some("ACTION_FAILED") => {
            json!([{"Type": "Hangup", "Parameters": {"SipResponseCode": 486}}])
        }
        _ => json!([]),
    })
    .await
}

fn trunk_text(settings: &str) -> String {
    format!("[[route]]\nprefix = \"+\"\ntrunk = \"pbx\"\n[[trunk]]\nname = \"pbx\"\n{settings}\n")
}

fn call(bench: &Bench, csi: &str) -> Phone {
    let phone = Phone::start(400.0, Behaviour::Answer);
    let headers = skill_headers(csi);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    bench.call(&phone, &headers);
    phone
}

fn port_of(peer: &mut Peer) -> u16 {
    let line = peer.line("port ").unwrap();
    line["port ".len()..].parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_called_peer_has_to_prove_its_name() {
    let certificates = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    authority.write(&certificates.path().join("roots.pem"));
    let roots = certificates.path().join("roots.pem");
    // A SIP URI outweighs the DNS names; a wildcard stands for itself alone (RFC 5922 §7).
    for (names, tls_name, proves) in [
        (vec!["127.0.0.1"], None, true),
        (vec!["other.example"], None, false),
        (vec!["pbx.example"], Some("pbx.example"), true),
        (
            vec!["sip:pbx.example", "dns.example"],
            Some("pbx.example"),
            true,
        ),
        (
            vec!["sip:pbx.example", "dns.example"],
            Some("dns.example"),
            false,
        ),
        (vec!["*.example.com"], Some("pbx.example.com"), false),
        (vec!["*.example.com"], Some("*.example.com"), true),
    ] {
        authority.issue(certificates.path(), "peer", &names);
        let mut peer = Peer::start(
            Command::new("python3")
                .arg(peer_script("answer.py"))
                .arg("486")
                .arg(certificates.path().join("peer.pem"))
                .arg(certificates.path().join("peer.key")),
        );
        let port = port_of(&mut peer);
        let name = tls_name.map_or_else(String::new, |name| format!("tls-name = \"{name}\"\n"));
        let text = trunk_text(&format!(
            "{name}target = [{{ address = \"127.0.0.1:{port}\", transport = \"tls\" }}]\n\
             [tls]\ntrusted = \"{}\"",
            roots.display()
        ));
        let bench = Bench::with(bridging_handler().await, None, &text, |_| {}).await;
        let phone = call(&bench, "csi-tls");
        let state = phone.wait("the end", |state| state.failed.is_some());
        assert_eq!(state.failed, Some(486));
        if proves {
            peer.line("tls TLSv1.3").unwrap();
            let invite = peer.line("INVITE ").unwrap();
            assert!(
                invite.contains(&format!("sip:+16075550100@127.0.0.1:{port};transport=tls")),
                "{invite}"
            );
        } else {
            peer.line("failed").unwrap();
            assert!(
                !peer.seen.iter().any(|line| line.starts_with("INVITE ")),
                "{names:?}"
            );
        }
        bench.sidecar.shutdown().await;
    }
}

/// A name server with this zone `pbx.test`.
fn name_server(folder: &Path, records: &[String]) -> (Peer, SocketAddr) {
    // Unbound cannot take a free port by itself.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let records: String = records
        .iter()
        .map(|record| format!("  local-data: '{record}'\n"))
        .collect();
    let text = format!(
        "server:\n  interface: 127.0.0.1\n  port: {port}\n  do-daemonize: no\n  username: \"\"\n  \
         chroot: \"\"\n  directory: \"{}\"\n  pidfile: \"\"\n  use-syslog: no\n  do-ip6: no\n  \
         module-config: \"iterator\"\n  local-zone: \"pbx.test.\" static\n{records}\
         remote-control:\n  control-enable: no\n",
        folder.display()
    );
    let file = folder.join("unbound.conf");
    std::fs::write(&file, text).unwrap();
    let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
    let server = Peer::start(
        Command::new("unbound")
            .env("PATH", path)
            .arg("-d")
            .arg("-c")
            .arg(file),
    );
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let until = Instant::now() + LIMIT;
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < until, "the name server does not start");
        std::thread::yield_now();
    }
    (server, address)
}

#[tokio::test(flavor = "multi_thread")]
async fn srv_targets_are_tried_in_turn() {
    // Nobody listens at the first, the second says 503, the third is SIPp's answering side.
    let refusing = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut busy = Peer::start(
        Command::new("python3")
            .arg(peer_script("answer.py"))
            .arg("503"),
    );
    let busy_port = port_of(&mut busy);
    let sipp_port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let folder = tempfile::tempdir().unwrap();
    let _sipp = Peer::start(
        Command::new("sipp")
            .current_dir(folder.path())
            .args([
                "-sn",
                "uas",
                "-t",
                "t1",
                "-nostdin",
                "-i",
                "127.0.0.1",
                "-p",
            ])
            .arg(sipp_port.to_string())
            .stderr(Stdio::null()),
    );
    let srv = |priority: u16, port: u16, host: &str| {
        format!("_sip._tcp.pbx.test. 60 IN SRV {priority} 1 {port} {host}.pbx.test.")
    };
    let (_names, address) = name_server(
        folder.path(),
        &[
            "pbx.test. 60 IN NAPTR 10 10 \"s\" \"SIP+D2T\" \"\" _sip._tcp.pbx.test.".into(),
            srv(30, sipp_port, "c"),
            srv(10, refusing, "a"),
            srv(20, busy_port, "b"),
            "a.pbx.test. 60 IN A 127.0.0.1".into(),
            "b.pbx.test. 60 IN A 127.0.0.1".into(),
            "c.pbx.test. 60 IN A 127.0.0.1".into(),
        ],
    );
    let text = format!(
        "{}[dns]\nservers = [\"{address}\"]\n",
        trunk_text("target = [{ address = \"pbx.test\" }]")
    );
    let bench = Bench::with(bridging_handler().await, None, &text, |_| {}).await;
    let phone = call(&bench, "csi-srv");
    let bridged = bench.handler.wait("ACTION_SUCCESSFUL", 1);
    assert_eq!(bridged["ActionData"]["Type"], "CallAndBridge", "{bridged}");
    busy.line("INVITE INVITE sip:+16075550100@pbx.test")
        .expect("the second target was tried");
    let transaction = bridged["CallDetails"]["TransactionId"].as_str().unwrap();
    let trace = bench.get(&format!("/v1/traces/{transaction}")).await;
    let notes: Vec<&Value> = trace["records"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|record| record.to_string().contains("the next target is tried"))
        .collect();
    assert_eq!(notes.len(), 2, "{notes:#?}");
    phone.hang_up();
    bench.handler.wait("HANGUP", 1);
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_down_is_left_out_and_shown() {
    let dead = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut alive = Peer::start(
        Command::new("python3")
            .arg(peer_script("answer.py"))
            .arg("486"),
    );
    let port = port_of(&mut alive);
    let text = trunk_text(&format!(
        "check-seconds = 1\ntarget = [\n\
         {{ address = \"127.0.0.1:{dead}\", transport = \"tcp\", priority = 1 }},\n\
         {{ address = \"127.0.0.1:{port}\", transport = \"tcp\", priority = 2 }}]"
    ));
    let bench = Bench::with(bridging_handler().await, None, &text, |_| {}).await;
    let settled = |shown: &serde_json::Value| {
        let targets = &shown["trunks"][0]["targets"];
        targets[0]["state"] == "down" && targets[1]["state"] == "up"
    };
    let shown = bench
        .shows("/v1/trunks", "one target down, one up", settled)
        .await;
    let targets = &shown["trunks"][0]["targets"];
    assert_eq!(targets[0]["lastAnswer"], "it cannot be reached");
    assert_eq!(targets[1]["lastAnswer"], "200 OK");
    let metrics = bench.client.get(bench.url("/metrics"));
    let metrics = metrics.bearer_auth(support::TOKEN).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for (port, up) in [(dead, 0), (port, 1)] {
        let line =
            format!("skillcall_trunk_target_up{{trunk=\"pbx\",target=\"127.0.0.1:{port}\"}} {up}");
        assert!(metrics.contains(&line), "{line}: {metrics}");
    }
    let phone = call(&bench, "csi-down");
    phone.wait("the end", |state| state.failed == Some(486));
    alive.line("INVITE INVITE").unwrap();
    let failed = bench.handler.wait("ACTION_FAILED", 1);
    let transaction = failed["CallDetails"]["TransactionId"].as_str().unwrap();
    let trace = bench.get(&format!("/v1/traces/{transaction}")).await;
    assert!(
        !trace.to_string().contains("the next target is tried"),
        "the dead target was tried"
    );
    bench.sidecar.shutdown().await;
}

/// A whole call over IPv6 alone: SIP both ways, audio, and a trunk that has an AAAA record and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_by_ipv6_from_end_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let (_names, address) = name_server(folder.path(), &["six.pbx.test. 60 IN AAAA ::1".into()]);
    let desk = Phone::at("::1", 600.0, Behaviour::Answer);
    let text = format!(
        "{}[dns]\nservers = [\"{address}\"]\n",
        trunk_text(&format!(
            "check-seconds = 1\ntarget = [{{ address = \"six.pbx.test:{}\" }}]",
            desk.address.port()
        ))
    );
    let bench = Bench::with(bridging_handler().await, None, &text, |config| {
        config.sip.listen = vec![
            "udp:[::1]:0".parse().unwrap(),
            "tcp:[::1]:0".parse().unwrap(),
        ];
        config.rtp.address = "::1".parse().unwrap();
    })
    .await;
    let caller = Phone::at("::1", 400.0, Behaviour::Answer);
    bench.call(&caller, &[]);
    caller.hears(600.0);
    desk.hears(400.0);
    let invite = desk
        .wait("its INVITE", |state| state.invite.is_some())
        .invite;
    let invite = invite.unwrap();
    for line in ["Via: SIP/2.0/UDP [::1]:", "Contact: <sip:", "c=IN IP6 ::1"] {
        assert!(invite.contains(line), "{line}: {invite}");
    }
    assert!(!invite.contains("127.0.0.1"), "{invite}");
    // Changes of the session, and digits, inside of it.
    desk.direct(skillcall_sip::sdp::Direction::SendOnly);
    desk.wait("the answer", |state| !state.answers.is_empty());
    desk.direct(skillcall_sip::sdp::Direction::SendRecv);
    desk.wait("the answer", |state| state.answers.len() == 2);
    caller.digit('5');
    desk.wait("a digit", |state| state.digits == "5");
    desk.hang_up();
    desk.wait("the end", |state| state.ended);
    caller.hang_up();
    caller.wait("its end", |state| state.ended);
    bench.nothing_is_left().await;
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_that_names_a_host_is_looked_up() {
    let folder = tempfile::tempdir().unwrap();
    let (_names, address) =
        name_server(folder.path(), &["moved.pbx.test. 60 IN A 127.0.0.1".into()]);
    let mut peer = Peer::start(
        Command::new("python3")
            .arg(peer_script("moved.py"))
            .arg("moved.pbx.test"),
    );
    let port = port_of(&mut peer);
    let text = format!(
        "{}[dns]\nservers = [\"{address}\"]\n",
        trunk_text(&format!("target = [{{ address = \"127.0.0.1:{port}\" }}]"))
    );
    let bench = Bench::with(bridging_handler().await, None, &text, |_| {}).await;
    let phone = call(&bench, "csi-moved");
    peer.line("INVITE at the first").unwrap();
    assert_eq!(peer.line("ACK").as_deref(), Some("ACK at the second"));
    bench.handler.wait("ACTION_SUCCESSFUL", 1);
    phone.hang_up();
    bench.handler.wait("HANGUP", 1);
    bench.sidecar.shutdown().await;
    assert_eq!(peer.line("BYE").as_deref(), Some("BYE at the second"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_client_calls_by_web_socket() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    authority.write(&folder.path().join("roots.pem"));
    authority.issue(folder.path(), "sip", &["127.0.0.1"]);
    let handler = Handler::start(|event| match event["InvocationEventType"].as_str() {
        Some("NEW_INBOUND_CALL") => json!([
            {"Type": "Speak", "Parameters": {"Text": "Hello."}},
            {"Type": "Hangup", "Parameters": {"SipResponseCode": "0"}},
        ]),
        _ => json!([]),
    })
    .await;
    let mut config = tls_config(folder.path(), &handler.url, "");
    for listener in ["ws:127.0.0.1:0", "wss:127.0.0.1:0"] {
        config.sip.listen.push(listener.parse().unwrap());
    }
    let sidecar = skillcall_sidecar::Sidecar::start(config).await.unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut made = Command::new(root.join("tools/websockets.sh"))
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("websockets"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut python = String::new();
    made.stdout
        .take()
        .unwrap()
        .read_to_string(&mut python)
        .unwrap();
    assert!(made.wait().unwrap().success(), "tools/websockets.sh");
    for (scheme, address) in [("ws", sidecar.sip_ws()), ("wss", sidecar.sip_wss())] {
        let mut command = Command::new(python.trim());
        command
            .arg(peer_script("websocket.py"))
            .arg(format!("{scheme}://{}", address.unwrap()))
            .args([support::NUMBER, SKILL]);
        if scheme == "wss" {
            command.arg(folder.path().join("roots.pem"));
        }
        let mut peer = Peer::start(&mut command);
        assert_eq!(
            peer.line("without the subprotocol").as_deref(),
            Some("without the subprotocol: 400"),
            "{:?}",
            peer.seen
        );
        assert_eq!(peer.line("subprotocol").as_deref(), Some("subprotocol sip"));
        peer.line("pong").expect("a pong");
        assert_eq!(
            peer.line("OPTIONS").as_deref(),
            Some("OPTIONS SIP/2.0 200 OK")
        );
        assert_eq!(
            peer.line("INVITE").as_deref(),
            Some("INVITE SIP/2.0 200 OK")
        );
        let contact = peer.line("Contact").unwrap();
        assert!(contact.contains(";transport=ws"), "{contact}");
        // The BYE comes by the caller's own connection: its Contact names no host that could be found.
        let via = format!("BYE SIP/2.0/{}", scheme.to_ascii_uppercase());
        assert_eq!(peer.line("BYE").as_deref(), Some(via.as_str()));
    }
    let until = Instant::now() + LIMIT;
    while sidecar.figures().calls > 0 {
        assert!(Instant::now() < until, "{:?}", sidecar.figures());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sidecar.shutdown().await;
}
