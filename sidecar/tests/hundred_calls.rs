//! A hundred bridged calls whose audio is checked packet by packet in both directions, while trunks and certificates are
//! reloaded, limits against fraud refuse further calls, a flood with forged addresses comes, and the process drains.

mod support;

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use skillcall_sidecar::SidecarConfig;
use support::authority::Authority;
use support::crowd::{Crowd, End, Met};
use support::{Bench, Handler, NUMBER, TOKEN, hang_up_all};

const CALLS: u32 = 100;
/// Calls at once that a source may have.
const SHARE: usize = 115;
/// Packets that reach each end while something happens: two seconds' worth.
const HEARD: u64 = 100;
/// The trunk that the calls come from, and that floods are forged from.
const TRUNK: &str = "127.0.0.2";
/// Another one, whose calls have a share of their own.
const OTHER: &str = "127.0.0.3";
const STRANGER: &str = "127.0.0.9";

/// Bridges each call to the number that ends like the caller's; those from 900 on are told something.
async fn handler() -> Handler {
    Handler::start(|event| match event["InvocationEventType"].as_str() {
        Some("NEW_INBOUND_CALL") => {
            let from = event["CallDetails"]["Participants"][0]["From"].as_str();
            let number = &from.unwrap()[from.unwrap().len() - 3..];
            if number >= "900" {
                return json!([{"Type": "PlayAudio", "Parameters": {"Repeat": 60, "AudioSource":
                    {"Type": "S3", "BucketName": "prompts", "Key": "a.wav"}}}]);
            }
            json!([{"Type": "CallAndBridge", "Parameters": {
                "CallTimeoutSeconds": 60, "CallerIdNumber": "+16075550199",
                "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": format!("+16075551{number}")}]}}])
        }
        Some("ACTION_FAILED") => {
            json!([{"Type": "Hangup", "Parameters": {"SipResponseCode": "486"}}])
        }
        Some("HANGUP") => hang_up_all(event),
        _ => json!([]),
    })
    .await
}

/// Both ends of the hundred calls.
struct Calls {
    callers: Crowd,
    desk: Crowd,
}

impl Calls {
    fn ends(&self) -> [(&'static str, &Crowd); 2] {
        [("caller", &self.callers), ("called", &self.desk)]
    }

    /// What each end has heard so far, and what the system has dropped.
    fn mark(&self) -> Mark {
        Mark {
            met: self.ends().map(|(_, crowd)| crowd.met(0..CALLS)),
            dropped: dropped(),
        }
    }

    /// Each end has heard nothing but its tone since the mark, for long enough after what has happened.
    fn went_on(&self, what: &str, mark: &Mark) {
        let after = self.mark();
        for ((name, crowd), after) in self.ends().iter().zip(&after.met) {
            crowd.wait(
                &format!("{what}: {name}s go on"),
                0..CALLS,
                |number, met| met.packets >= after[&number].packets + HEARD,
            );
        }
        let end = self.mark();
        let (mut packets, mut lost) = (0, 0);
        for (((name, _), before), now) in self.ends().iter().zip(&mark.met).zip(&end.met) {
            for number in 0..CALLS {
                let (before, now) = (&before[&number], &now[&number]);
                assert!(!now.ended && now.failed.is_none(), "{what}: {number}");
                assert_eq!(now.wrong, before.wrong, "{what}: {name} {number}: {now:?}");
                packets += now.packets - before.packets;
                lost += now.lost - before.lost;
            }
        }
        // A busy system drops what comes to a socket whose buffer is full, and counts it.
        let before = |socket: &u64| mark.dropped.get(socket).copied().unwrap_or(0);
        let dropped: u64 = (end.dropped.iter())
            .map(|(socket, count)| count - before(socket))
            .sum();
        assert!(
            lost <= dropped + packets / 100,
            "{what}: {lost} lost of {packets}, {dropped} of them by the system"
        );
    }
}

/// A moment that others are compared with.
struct Mark {
    /// Of callers and called.
    met: [BTreeMap<u32, Met>; 2],
    /// What the system has dropped, by socket.
    dropped: BTreeMap<u64, u64>,
}

/// Datagrams that came to sockets of 127.0.0.1 whose buffers were full: those of the audio, as SIP has other addresses but the
/// sidecar's and the desk's own.
fn dropped() -> BTreeMap<u64, u64> {
    let table = std::fs::read_to_string("/proc/self/net/udp").unwrap();
    let sockets = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let local = fields.get(1)?.starts_with("0100007F:");
        let socket = fields.get(9)?.parse().ok()?;
        local.then_some((socket, fields.last()?.parse().ok()?))
    });
    sockets.collect()
}

/// What the file says; a second trunk network is there when it is `reloaded`.
fn text(bench_folder: &Path, handler: &str, desk: SocketAddr, reloaded: bool) -> String {
    let more = if reloaded { ", \"192.0.2.0/24\"" } else { "" };
    let extra = format!(
        "sources = []\n[[trunk]]\nname = \"pbx\"\naddresses = [\"{TRUNK}\"{more}]\n\
         [[trunk]]\nname = \"{}\"\naddresses = [\"{OTHER}\"]\n\
         [tls]\ncertificate = \"sip.pem\"\nkey-file = \"sip.key\"\n\
         [limits]\ncalls = 130\ncalls-per-second = 400\n[guard]\nsource-calls = {SHARE}\n\
         [toll]\ncalls-per-source-and-hour = {CALLS}\n",
        if reloaded { "carrier" } else { "old-carrier" }
    );
    support::config_text(bench_folder, handler, Some(desk), &extra).replace(
        "\"tcp:127.0.0.1:0\"]",
        "\"tcp:127.0.0.1:0\", \"tls:127.0.0.1:0\"]",
    )
}

/// Whether the listener shows a certificate of this authority.
fn shows(tls: SocketAddr, roots: &Path) -> bool {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-verify_return_error", "-verify_hostname"])
        .args(["sip.example", "-servername", "sip.example", "-connect"])
        .arg(tls.to_string())
        .arg("-CAfile")
        .arg(roots)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().unwrap().success()
}

/// Calls from a forged address, and from one that nobody knows.
fn flood(from: &UdpSocket, to: SocketAddr, ids: std::ops::Range<u32>) {
    let local = from.local_addr().unwrap();
    for id in ids {
        let invite = format!(
            "INVITE sip:{NUMBER}@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {local};rport;branch=z9hG4bKf{id}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:+12045550999@{local}>;tag=f{id}\r\nTo: <sip:{NUMBER}@{to}>\r\n\
             Call-ID: flood-{id}@{local}\r\nCSeq: 1 INVITE\r\nContact: <sip:a@{local}>\r\nContent-Length: 0\r\n\r\n"
        );
        from.send_to(invite.as_bytes(), to).unwrap();
    }
}

/// How many answers of each status have come.
fn answers(to: &UdpSocket) -> BTreeMap<String, usize> {
    let mut answers = BTreeMap::new();
    let mut buffer = [0; 65_536];
    while let Ok((len, _)) = to.recv_from(&mut buffer) {
        let status = String::from_utf8_lossy(&buffer[8..11.min(len)]).into_owned();
        *answers.entry(status).or_default() += 1;
    }
    answers
}

async fn post(bench: &Bench, path: &str) -> (u16, String) {
    let request = bench.client.post(bench.url(path)).bearer_auth(TOKEN);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_calls_keep_their_tones_whatever_else_happens() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let calls = Calls {
        callers: Crowd::start(TRUNK, End::Caller),
        desk: Crowd::start("127.0.0.1", End::Called),
    };
    let folder = tempfile::tempdir().unwrap();
    let authorities = [Authority::new(), Authority::new()];
    for (authority, name) in authorities.iter().zip(["old.ca", "new.ca"]) {
        authority.write(&folder.path().join(name));
    }
    authorities[0].issue(folder.path(), "sip", &["sip.example"]);
    let handler = handler().await;
    let file = folder.path().join("sidecar.toml");
    let (place, url, desk) = (
        folder.path().to_owned(),
        handler.url.clone(),
        calls.desk.address,
    );
    let write = |reloaded| {
        let text = text(&place, &url, desk, reloaded);
        std::fs::write(&file, &text).unwrap();
        SidecarConfig::parse(&text, &file).unwrap()
    };
    let config = write(false);
    let tone = skillcall_media::tone::sine(500.0, -10.0, 8000);
    let tone = skillcall_media::wav::to_bytes(&tone, 1).unwrap();
    std::fs::write(place.join("prompts/a.wav"), tone).unwrap();
    let sidecar = skillcall_sidecar::Sidecar::start(config).await.unwrap();
    let bench = Bench {
        folder,
        handler,
        sidecar,
        client: reqwest::Client::new(),
    };
    let to = bench.sidecar.sip_udp().unwrap();

    // All calls are up, and hear each other.
    for first in (0..CALLS).step_by(10) {
        let mut left: Vec<u32> = (first..first + 10).collect();
        // A machine that does not keep up refuses new calls for a moment.
        while !left.is_empty() {
            calls.callers.call(to, NUMBER, left.iter().copied());
            let met = calls
                .callers
                .wait("answers", left.iter().copied(), |_, met| {
                    met.answered || met.failed.is_some()
                });
            left.retain(|number| {
                let failed = met[number].failed;
                assert!(matches!(failed, None | Some(503)), "{number}: {failed:?}");
                failed.is_some()
            });
        }
    }
    for (name, crowd) in calls.ends() {
        crowd.wait(&format!("{name}s hear their tones"), 0..CALLS, |_, met| {
            met.packets >= HEARD
        });
    }

    let mark = calls.mark();
    trunks_and_certificates_change(&bench, &file, &authorities[1], || {
        write(true);
    })
    .await;
    calls.went_on("reload", &mark);

    let mark = calls.mark();
    the_limit_against_fraud_holds(&bench, &calls, to).await;
    calls.went_on("toll", &mark);

    let mark = calls.mark();
    floods_are_shed(&bench, to).await;
    calls.went_on("flood", &mark);

    let mark = calls.mark();
    the_process_drains(&bench, to).await;
    calls.went_on("drain", &mark);

    // Each call ends as it should.
    calls.callers.hang_up(0..CALLS);
    for (name, crowd) in calls.ends() {
        crowd.wait(&format!("the end of {name}s"), 0..CALLS, |_, met| met.ended);
    }
    // What forged calls hold ends when nobody has acknowledged it for 32 s.
    let forged = SHARE - CALLS as usize;
    bench
        .figures_become("nothing but forged calls is left", |now| {
            now.calls <= forged && now.legs <= forged && now.port_pairs <= forged
        })
        .await;
    bench.sidecar.shutdown().await;
}

async fn trunks_and_certificates_change(
    bench: &Bench,
    file: &Path,
    authority: &Authority,
    write: impl Fn(),
) {
    let folder = file.parent().unwrap();
    let tls = bench.sidecar.sip_tls().unwrap();
    assert!(shows(tls, &folder.join("old.ca")));
    authority.issue(folder, "sip", &["sip.example"]);
    write();
    // More than once: each replaces all tables that the calls' messages are judged by.
    for _ in 0..5 {
        let (status, told) = post(bench, "/v1/reload").await;
        assert_eq!(status, 200, "{told}");
    }
    assert!(shows(tls, &folder.join("new.ca")));
    assert!(!shows(tls, &folder.join("old.ca")));
    let trunks = bench.get("/v1/trunks").await.to_string();
    assert!(trunks.contains("\"carrier\""), "{trunks}");
    assert!(!trunks.contains("old-carrier"), "{trunks}");
}

async fn the_limit_against_fraud_holds(bench: &Bench, calls: &Calls, to: SocketAddr) {
    let refused = bench.sidecar.figures().refused_toll;
    let more = CALLS..CALLS + 5;
    calls.callers.call(to, NUMBER, more.clone());
    // The handler hangs each up, or it fails before the answer.
    let met = calls.callers.wait("their ends", more.clone(), |_, met| {
        met.ended || met.failed.is_some()
    });
    // A machine that does not keep up has refused them before.
    let shed = more
        .filter(|number| met[number].failed == Some(503))
        .count();
    assert!(shed < 5, "none reached the limit");
    let now = bench.sidecar.figures().refused_toll;
    assert_eq!(now - refused, 5 - shed as u64);
    let rung = calls.desk.met(0..CALLS);
    assert_eq!(rung.len(), CALLS as usize, "nobody else was called");
}

async fn floods_are_shed(bench: &Bench, to: SocketAddr) {
    let socket = |address: &str| {
        let socket = UdpSocket::bind((address, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    };
    let (forged, unknown) = (socket(TRUNK), socket(STRANGER));
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    let other = Crowd::start(OTHER, End::Caller);
    let mut number = 900;
    for round in 0..20 {
        let ids = round * 200..(round + 1) * 200;
        flood(&forged, to, ids.clone());
        flood(&unknown, to, ids);
        // The other trunk is served meanwhile, as it has a share of its own.
        is_served(&other, to, &mut number);
        for (status, count) in answers(&forged) {
            *told.entry(status).or_default() += count;
        }
    }
    assert!(
        told.get("503").is_some_and(|count| *count > 100),
        "{told:?}"
    );
    let figures = bench.sidecar.figures();
    assert!(figures.refused_share > 0, "{figures:?}");
    // Whom nobody knows is banned, and no trunk is.
    let bans = bench.get("/v1/bans").await;
    let banned: Vec<&str> = (bans["bans"].as_array().unwrap().iter())
        .filter_map(|ban| ban["address"].as_str())
        .collect();
    assert_eq!(banned, [STRANGER]);
    // The forged ones fill no more than the trunk's own share.
    let now = bench.sidecar.figures().calls;
    assert!((CALLS as usize..=SHARE).contains(&now), "{now} calls");
}

/// A call is taken. A machine that does not keep up refuses new calls for a moment, so it is tried again.
fn is_served(from: &Crowd, to: SocketAddr, number: &mut u32) {
    loop {
        let this = *number..=*number;
        *number = 900 + (*number + 1) % 80;
        from.call(to, NUMBER, this.clone());
        let met = from.wait("an answer", this.clone(), |_, met| {
            met.answered || met.failed.is_some()
        });
        if let Some(status) = met[this.start()].failed {
            assert_eq!(status, 503);
            continue;
        }
        from.hang_up(this.clone());
        from.wait("its end", this, |_, met| met.ended);
        return;
    }
}

async fn the_process_drains(bench: &Bench, to: SocketAddr) {
    assert_eq!(post(bench, "/v1/drain").await.0, 204);
    let other = Crowd::start(OTHER, End::Caller);
    other.call(to, NUMBER, 980..985);
    other.wait("refusals", 980..985, |_, met| met.failed == Some(503));
    let health: Value = bench.get("/v1/figures").await;
    assert!(
        health["calls"].as_u64().unwrap() >= u64::from(CALLS),
        "{health}"
    );
    let back = bench.client.delete(bench.url("/v1/drain"));
    assert!(
        back.bearer_auth(TOKEN)
            .send()
            .await
            .unwrap()
            .status()
            .is_success()
    );
    is_served(&other, to, &mut 990);
}
