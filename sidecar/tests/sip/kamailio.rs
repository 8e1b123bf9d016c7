//! Kamailio in front: a proxy that record-routes, a registrar that asks for credentials, and an edge proxy that phones
//! register through. Calls both ways, with everything inside them through the route set.

use crate::support;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use skillcall_media::tone;
use skillcall_sip::sdp::Direction;
use support::asterisk::free_port;
use support::authority::Authority;
use support::kamailio::{Kamailio, PASSWORD, Proxy, routes, trunk};
use support::pjsua::Pjsua;
use support::{Behaviour, Bench, Handler, LIMIT, Phone, hang_up_all, write_secret};

/// Bridges each call to +16075550102.
async fn handler() -> Handler {
    Handler::start(|event| match event["InvocationEventType"].as_str() {
        Some("NEW_INBOUND_CALL") => json!([{"Type": "CallAndBridge", "Parameters": {
            "CallTimeoutSeconds": 20, "CallerIdNumber": "+16075550199",
            "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+16075550102"}]}}]),
        Some("ACTION_FAILED" | "HANGUP") => hang_up_all(event),
        _ => json!([]),
    })
    .await
}

/// A gateway that knows nobody but its proxy, with which it registers as `account`.
async fn bench(target: &str, more: &str) -> Bench {
    let extra = trunk(target) + more;
    Bench::with(handler().await, None, &extra, |config| {
        let secret = config.origin.folder().join("secrets/proxy.password");
        write_secret(&secret, PASSWORD);
        if config.tls.certificate.is_some() {
            config.sip.listen.push("tls:127.0.0.1:0".parse().unwrap());
        }
    })
    .await
}

/// A proxy that leads to the desk, and the gateway behind it, registered.
async fn behind(desk: &Phone, algorithm: &str, max_expires: u32) -> (Kamailio, Bench) {
    behind_by("udp", desk, algorithm, max_expires).await
}

async fn behind_by(
    transport: &str,
    desk: &Phone,
    algorithm: &str,
    max_expires: u32,
) -> (Kamailio, Bench) {
    let sip = free_port();
    let proxy = Proxy {
        routes: &routes(desk.address),
        algorithm,
        max_expires,
        tls: None,
    };
    let proxy = Kamailio::start(sip, &proxy);
    let bench = bench(
        &format!("{{ address = \"{sip}\", transport = \"{transport}\" }}"),
        "",
    )
    .await;
    bench.is_registered().await;
    (proxy, bench)
}

/// Calls in both directions through the proxy, and what happens inside them.
async fn calls_pass(bench: &Bench, proxy: &Kamailio, desk: &Phone) {
    let count = |line: &str| proxy.log().matches(line).count();
    // A phone calls the gateway, which calls the desk: the proxy is in between both times.
    let caller = Phone::start(400.0, Behaviour::Answer);
    caller.call(proxy.sip, "account", &[]);
    caller.hears(600.0);
    desk.hears(400.0);
    assert_eq!(count("by service route"), 2, "{}", proxy.log());
    // Changes of the session, from either end.
    let invites = count("in dialog: INVITE");
    desk.direct(Direction::SendOnly);
    desk.wait("the answer to the hold", |state| !state.answers.is_empty());
    desk.direct(Direction::SendRecv);
    desk.wait("and to its end", |state| state.answers.len() == 2);
    assert_eq!(count("in dialog: INVITE"), invites + 2, "{}", proxy.log());
    let calls = bench.get("/v1/calls").await;
    // The bridged leg is the second one.
    let id = calls["calls"][0]["media"][1]["callId"].as_str();
    let id = id.unwrap_or_else(|| panic!("{calls}")).to_owned();
    // The ACK of the desk's last change may still be on its way: until then ours would cross it.
    let until = Instant::now() + LIMIT;
    loop {
        let hold = bench.client.post(bench.url(&format!("/v1/legs/{id}/hold")));
        let hold = hold.bearer_auth(support::TOKEN).json(&json!({"on": true}));
        let answer = hold.send().await.unwrap();
        if answer.status().is_success() {
            break;
        }
        assert!(
            answer.status() == 409 && Instant::now() < until,
            "{}",
            answer.text().await.unwrap()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    desk.wait("our hold", |state| {
        state.offers.iter().any(|offer| offer.contains("sendonly"))
    });
    // The desk hangs up: its BYE passes the proxy, and so does ours to the caller.
    let byes = count("in dialog: BYE");
    desk.hang_up();
    caller.wait("the end", |state| state.ended);
    bench.nothing_is_left().await;
    assert_eq!(count("in dialog: BYE"), byes + 2, "{}", proxy.log());

    // The caller hangs up.
    desk.forget();
    caller.call(proxy.sip, "account", &[]);
    caller.hears(600.0);
    caller.hang_up();
    desk.wait("the end", |state| state.ended);
    bench.nothing_is_left().await;
    assert_eq!(count("in dialog: BYE"), byes + 4, "{}", proxy.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_pass_a_proxy_that_routes_records_and_authenticates() {
    // By TCP, the proxy opens a connection of its own when the one that we registered by is another process's.
    for (algorithm, transport) in [("MD5", "udp"), ("SHA-256", "tcp")] {
        let desk = Phone::start(600.0, Behaviour::Answer);
        let (proxy, bench) = behind_by(transport, &desk, algorithm, 3600).await;
        calls_pass(&bench, &proxy, &desk).await;
        bench.sidecar.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_gives_up_is_heard_behind_the_proxy() {
    let silent = Phone::start(600.0, Behaviour::Ring);
    let (proxy, bench) = behind(&silent, "MD5", 3600).await;
    let caller = Phone::start(400.0, Behaviour::Answer);
    caller.call(proxy.sip, "account", &[]);
    silent.wait("ringing", |state| state.rung);
    caller.wait("180", |state| !state.provisional.is_empty());
    caller.cancel();
    caller.wait("the end", |state| state.failed == Some(487));
    silent.wait("our CANCEL", |state| state.cancelled);
    bench.nothing_is_left().await;
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_is_renewed_with_a_registrar_that_gives_little() {
    let desk = Phone::start(600.0, Behaviour::Answer);
    let (proxy, bench) = behind(&desk, "SHA-256", 4).await;
    let since = bench.get("/v1/trunks").await["trunks"][0]["registration"]["since"].clone();
    // It is called for longer than one registration lasts.
    let until = Instant::now() + Duration::from_secs(9);
    while Instant::now() < until {
        let caller = Phone::start(400.0, Behaviour::Answer);
        caller.call(proxy.sip, "account", &[]);
        caller.hears(600.0);
        caller.hang_up();
        caller.wait("the end", |state| state.ended);
        bench.nothing_is_left().await;
    }
    let trunks = bench.get("/v1/trunks").await;
    assert_eq!(
        trunks["trunks"][0]["registration"]["since"], since,
        "{trunks}"
    );
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_is_known_by_its_certificate_and_knows_us_by_ours() {
    let certificates = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    authority.write(&certificates.path().join("roots.pem"));
    authority.issue(
        certificates.path(),
        "proxy",
        &["sip:proxy.example", "127.0.0.1"],
    );
    authority.issue(certificates.path(), "gateway", &["sip:gateway.example"]);
    let desk = Phone::start(600.0, Behaviour::Answer);
    let (sip, tls) = (free_port(), free_port());
    let proxy = Kamailio::start(
        sip,
        &Proxy {
            routes: &routes(desk.address),
            algorithm: "SHA-256",
            max_expires: 3600,
            tls: Some((tls, certificates.path())),
        },
    );
    let at = |name: &str| path_text(&certificates.path().join(name));
    let more = format!(
        "tls-name = \"proxy.example\"\ncertificate-names = [\"proxy.example\"]\n\
         [tls]\ncertificate = \"{}\"\nkey-file = \"{}\"\ntrusted = \"{}\"\nclients = \"{}\"\n",
        at("gateway.pem"),
        at("gateway.key"),
        at("roots.pem"),
        at("roots.pem"),
    );
    let bench = bench(
        &format!("{{ address = \"{tls}\", transport = \"tls\" }}"),
        &more,
    )
    .await;
    bench.is_registered().await;
    calls_pass(&bench, &proxy, &desk).await;
    bench.sidecar.shutdown().await;
}

fn path_text(path: &Path) -> String {
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_behind_an_edge_proxy_is_reached_by_its_path() {
    let extra = "[[trunk]]\nname = \"edge\"\naddresses = [\"127.0.0.1\"]\n\
         [[phone]]\nuser = \"102\"\npassword-file = \"secrets/proxy.password\"\n\
         [[route]]\nprefix = \"+\"\nphone = \"102\"\n";
    let bench = Bench::with(handler().await, None, extra, |config| {
        let secret = config.origin.folder().join("secrets/proxy.password");
        write_secret(&secret, PASSWORD);
    })
    .await;
    let gateway = bench.sidecar.sip_udp().unwrap();
    let sip = free_port();
    let routes = format!(
        r#"
route[REGISTER] {{
    add_path();
    $du = "sip:{gateway}";
    t_relay();
}}
route[INVITE] {{
    if (is_present_hf("Route")) {{
        loose_route();
        xlog("L_NOTICE", "by path: $ru\n");
        record_route();
        t_relay();
        exit;
    }}
    sl_send_reply("404", "Not Found");
}}
"#
    );
    let edge = Kamailio::start(
        sip,
        &Proxy {
            routes: &routes,
            algorithm: "MD5",
            max_expires: 3600,
            tls: None,
        },
    );
    let mut phone = Pjsua::start(&json!({
        "id": format!("sip:102@{sip}"), "registrar": format!("sip:{sip}"),
        "user": "102", "password": PASSWORD, "answers": 200, "tone": 600,
    }));
    phone.wait("registration", |event| {
        event["event"] == "registration" && event["code"] == 200
    });
    let phones = bench.get("/v1/phones").await;
    let path = phones["phones"][0]["places"][0]["path"][0].as_str();
    assert!(path.unwrap().contains(&sip.to_string()), "{phones}");
    let caller = Phone::start(400.0, Behaviour::Answer);
    bench.call(&caller, &[]);
    phone.is("1", "CONFIRMED");
    phone.hears("1");
    caller.wait("the phone", |state| {
        let heard = &state.heard;
        heard.len() >= 1600 && tone::power_at(&heard[heard.len() - 1600..], 600.0) > 0.5
    });
    edge.logs("by path");
    phone.order("hangup 1");
    edge.logs("in dialog: BYE");
    caller.wait("the end", |state| state.ended);
    bench.nothing_is_left().await;
    bench.sidecar.shutdown().await;
}
