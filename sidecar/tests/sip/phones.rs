//! Phones that register with the sidecar: PJSIP and baresip call and are called, one by one and all places at once, also
//! after a restart; whoever has no password learns nothing.

use crate::support;

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use skillcall_sidecar::{Sidecar, SidecarConfig};
use support::asterisk::free_port;
use support::baresip::Baresip;
use support::pjsua::Pjsua;
use support::{Behaviour, Bench, Handler, LIMIT, NUMBER, Phone, write_secret};

const PASSWORD: &str = "sesame";

/// Loopback is nobody's network here but the phones'.
fn phones(settings: &str, networks: &str, users: &[&str]) -> String {
    let phones: String = users
        .iter()
        .map(|user| {
            format!(
                "[[phone]]\nuser = \"{user}\"\npassword-file = \"secrets/phone.password\"\n\
                 networks = {networks}\n"
            )
        })
        .collect();
    let route = if users.contains(&"102") {
        "[[route]]\nprefix = \"+1607555010\"\nphone = \"102\"\n"
    } else {
        ""
    };
    format!("sources = [\"192.0.2.0/24\"]\n[phones]\nmin-expires = 1\n{settings}\n{phones}{route}")
}

const LOOPBACK: &str = "[\"127.0.0.0/8\"]";

/// Bridges each call to +16075550102, which is the phone 102.
async fn handler() -> Handler {
    Handler::start(|event| match event["InvocationEventType"].as_str() {
        Some("NEW_INBOUND_CALL") => json!([{"Type": "CallAndBridge", "Parameters": {
            "CallTimeoutSeconds": 20, "CallerIdNumber": "+16075550199",
            "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+16075550102"}]}}]),
        Some("ACTION_FAILED" | "HANGUP") => {
            json!([{"Type": "Hangup", "Parameters": {"SipResponseCode": "480"}}])
        }
        _ => json!([]),
    })
    .await
}

async fn bench(extra: &str) -> Bench {
    Bench::with(handler().await, None, extra, |config| {
        let secret = config.origin.folder().join("secrets/phone.password");
        write_secret(&secret, PASSWORD);
    })
    .await
}

/// A PJSIP phone that registers.
fn phone(to: SocketAddr, user: &str, more: &Value) -> Pjsua {
    let transport = if more["tcp"] == true {
        ";transport=tcp"
    } else {
        ""
    };
    let mut settings = json!({
        "id": format!("sip:{user}@{to}"),
        "registrar": format!("sip:{to}{transport}"),
        "user": user, "password": PASSWORD, "answers": 200,
    });
    for (name, value) in more.as_object().unwrap() {
        settings[name] = value.clone();
    }
    Pjsua::start(&settings)
}

fn is_registered(phone: &Pjsua) {
    phone.wait("registration", |event| {
        event["event"] == "registration" && event["code"] == 200
    });
}

async fn registrations(bench: &Bench, count: usize) {
    let until = Instant::now() + LIMIT;
    let line = format!("skillcall_phones {count}");
    loop {
        let scrape = bench.client.get(bench.url("/metrics"));
        let scrape = scrape.bearer_auth(support::TOKEN).send().await.unwrap();
        let text = scrape.text().await.unwrap();
        if text.lines().any(|have| have == line) {
            return;
        }
        assert!(Instant::now() < until, "{line}:\n{text}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_register_call_each_other_and_applications() {
    let strong = "algorithms = [\"SHA-512-256\", \"SHA-256\", \"MD5\"]";
    let bench = bench(&phones(strong, LOOPBACK, &["101", "102", "103"])).await;
    let sip = bench.sidecar.sip_udp().unwrap();
    let mut first = phone(sip, "101", &json!({}));
    let mut second = phone(sip, "102", &json!({"tone": 600}));
    is_registered(&first);
    is_registered(&second);
    registrations(&bench, 2).await;

    // One phone calls the other.
    first.order(&format!("call sip:102@{sip}"));
    let invite = second.wait("the call", |event| event["event"] == "incoming");
    assert!(
        invite["message"]
            .as_str()
            .unwrap()
            .contains("From: <sip:101@")
    );
    first.is("1", "CONFIRMED");
    first.hears("1");
    second.hears("1");
    second.order("hangup 1");
    first.is("1", "DISCONNECTED");
    bench.nothing_is_left().await;

    // One calls an application, whose handler calls the other.
    first.order(&format!("call sip:{NUMBER}@{sip}"));
    let event = bench.handler.wait("NEW_INBOUND_CALL", 1);
    assert_eq!(event["CallDetails"]["Participants"][0]["From"], "101");
    second.is("2", "CONFIRMED");
    first.hears("2");
    first.order("hangup 2");
    second.is("2", "DISCONNECTED");
    bench.nothing_is_left().await;

    // Nobody is there, and nobody is called so.
    for nobody in ["103", "199", "+14155550100"] {
        let mark = first.mark();
        first.order(&format!("call sip:{nobody}@{sip}"));
        let end = first.wait_after(mark, "the refusal", |event| {
            event["event"] == "state" && event["state"] == "DISCONNECTED"
        });
        let code = end["code"].as_u64().unwrap();
        assert!(matches!(code, 404 | 480), "{nobody}: {code}");
    }
    bench.nothing_is_left().await;
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn baresip_registers_calls_and_is_called_over_udp_and_tcp() {
    for transport in ["udp", "tcp"] {
        let bench = bench(&phones("", LOOPBACK, &["101", "102", "103"])).await;
        let udp = bench.sidecar.sip_udp().unwrap();
        let sip = match transport {
            "tcp" => bench.sidecar.sip_tcp().unwrap(),
            _ => udp,
        };
        let baresip = Baresip::start("103", PASSWORD, sip, transport, 700.0);
        let mut other = phone(udp, "101", &json!({"tone": 500}));
        is_registered(&other);
        registrations(&bench, 2).await;
        other.order(&format!("call sip:103@{udp}"));
        other.is("1", "CONFIRMED");
        other.hears("1");
        // Long enough to be found in what baresip writes down.
        bench.sends(100).await;
        other.order("hangup 1");
        baresip.has_heard(500.0);
        bench.nothing_is_left().await;
        baresip.order(&format!("/dial sip:101@{sip};transport={transport}"));
        other.is("2", "CONFIRMED");
        other.hears("2");
        baresip.order("/hangup");
        other.is("2", "DISCONNECTED");
        bench.nothing_is_left().await;
        bench.sidecar.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_rung_everywhere_and_the_first_answer_takes_the_call() {
    let bench = bench(&phones("", LOOPBACK, &["101", "102"])).await;
    let sip = bench.sidecar.sip_udp().unwrap();
    let mut caller = phone(sip, "101", &json!({}));
    let mut desk = phone(sip, "102", &json!({"answers": 180, "tone": 600}));
    let mut kitchen = phone(sip, "102", &json!({"answers": 180, "tone": 600}));
    for phone in [&caller, &desk, &kitchen] {
        is_registered(phone);
    }
    registrations(&bench, 3).await;
    caller.order(&format!("call sip:102@{sip}"));
    for phone in [&desk, &kitchen] {
        phone.wait("the call", |event| event["event"] == "incoming");
    }
    kitchen.order("answer 1 200");
    caller.is("1", "CONFIRMED");
    desk.is("1", "DISCONNECTED");
    caller.hears("1");
    kitchen.hears("1");
    caller.order("hangup 1");
    kitchen.is("1", "DISCONNECTED");
    bench.nothing_is_left().await;

    // All refuse; then the caller gives up.
    caller.order(&format!("call sip:102@{sip}"));
    for phone in [&mut desk, &mut kitchen] {
        phone.wait("the call", |event| {
            event["event"] == "incoming" && event["call"] == "2"
        });
        phone.order("answer 2 486");
    }
    caller.is("2", "DISCONNECTED");
    bench.nothing_is_left().await;
    caller.order(&format!("call sip:102@{sip}"));
    for phone in [&desk, &kitchen] {
        phone.wait("the call", |event| {
            event["event"] == "incoming" && event["call"] == "3"
        });
    }
    caller.order("hangup 3");
    for phone in [&desk, &kitchen] {
        phone.is("3", "DISCONNECTED");
    }
    bench.nothing_is_left().await;
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn registrations_survive_a_restart_and_end_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let handler = handler().await;
    let sip = free_port();
    let read = || -> SidecarConfig {
        let extra = phones("max-expires = 3600", LOOPBACK, &["101", "102"]);
        let mut config = support::config(folder.path(), &handler.url, None, &extra);
        config.sip.listen = vec![format!("udp:{sip}").parse().unwrap()];
        config
    };
    std::fs::create_dir_all(folder.path().join("secrets")).unwrap();
    write_secret(&folder.path().join("secrets/phone.password"), PASSWORD);
    let before = Sidecar::start(read()).await.unwrap();
    let mut first = phone(sip, "101", &json!({"register-seconds": 3000}));
    let second = phone(sip, "102", &json!({"register-seconds": 3000, "tone": 600}));
    is_registered(&first);
    is_registered(&second);
    before.shutdown().await;
    // Nobody registers anew, and yet each is reached, and known.
    let after = Sidecar::start(read()).await.unwrap();
    assert_eq!(after.figures().registrations, 0);
    first.order(&format!("call sip:102@{sip}"));
    first.is("1", "CONFIRMED");
    first.hears("1");
    first.order("hangup 1");
    second.is("1", "DISCONNECTED");
    assert_eq!(after.figures().registrations, 0);
    after.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_ends_when_its_phone_is_gone() {
    let bench = bench(&phones(
        "max-expires = 2\ndefault-expires = 2",
        LOOPBACK,
        &["101", "102"],
    ))
    .await;
    let sip = bench.sidecar.sip_udp().unwrap();
    let second = phone(sip, "102", &json!({}));
    is_registered(&second);
    registrations(&bench, 1).await;
    drop(second);
    registrations(&bench, 0).await;
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_challenged_over_connections_alone_and_learn_no_names() {
    let extra = phones("", "[\"192.0.2.0/24\"]", &["101"])
        + "[[phone]]\nuser = \"104\"\npassword-file = \"secrets/phone.password\"\n\
           [guard]\nban-after = 0\nscanners = []\n";
    let bench = bench(&extra).await;
    let sip = bench.sidecar.sip_udp().unwrap();
    let tcp = bench.sidecar.sip_tcp().unwrap();
    // Over UDP a stranger gets no challenge that it could send to somebody else.
    let unasked = phone(sip, "104", &json!({}));
    unasked.wait("the refusal", |event| {
        event["event"] == "registration" && event["code"] == 403
    });
    // Over a connection it is asked; the right phone gets in, calls, and is called.
    let let_in = phone(tcp, "104", &json!({"tcp": true}));
    is_registered(&let_in);
    registrations(&bench, 1).await;
    // A phone that is elsewhere than it may be, a wrong password and an unknown user: all the same.
    for (user, password) in [("101", PASSWORD), ("104", "open"), ("199", "open")] {
        let wrong = phone(tcp, user, &json!({"tcp": true, "password": password}));
        wrong.wait("the refusal", |event| {
            event["event"] == "registration" && event["code"] == 401
        });
    }
    let figures = bench.sidecar.figures();
    assert!(figures.wrong_credentials >= 3, "{figures:?}");
    registrations(&bench, 1).await;
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sipvicious_cannot_tell_users_from_others() {
    let Some(svwar) = support::stranger("sipvicious_svwar") else {
        return;
    };
    // It may knock, calls itself something else, and is not banned: only what it is told counts.
    let extra = phones("", LOOPBACK, &["101", "102"]) + "[guard]\nban-after = 0\nscanners = []\n";
    let bench = bench(&extra).await;
    let to = bench.sidecar.sip_udp().unwrap();
    let scan = |range: &str, more: &[&str]| {
        let scan = Command::new(&svwar)
            .args(["127.0.0.1", "-p", &to.port().to_string(), "-e", range])
            .args(["-m", "REGISTER", "--maximumtime", "5"])
            .args(more)
            .output()
            .unwrap();
        format!(
            "{}{}",
            String::from_utf8_lossy(&scan.stdout),
            String::from_utf8_lossy(&scan.stderr)
        )
    };
    let seen = scan("100-103", &[]);
    assert!(seen.contains("unknown extension"), "{seen}");
    // Forced, it finds the same of everybody.
    let forced = scan("100-103", &["--force"]);
    assert!(forced.contains("found nothing"), "{forced}");
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_passwords_is_banned() {
    let extra = phones("", "[]", &["101"]);
    let bench = bench(&extra).await;
    let tcp = bench.sidecar.sip_tcp().unwrap();
    for guess in 0..40 {
        let password = format!("guess{guess}");
        let guesser = phone(tcp, "101", &json!({"tcp": true, "password": password}));
        let banned = || bench.sidecar.figures().bans_total > 0;
        // It is ready, and then it is answered, unless nobody hears it any more.
        let until = Instant::now() + LIMIT;
        while guesser.mark() < 2 && !banned() && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if banned() {
            break;
        }
    }
    bench
        .figures_become("the ban", |now| now.bans_total == 1)
        .await;
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_calls_as_a_phone_without_its_password_and_routes_are_for_those_who_may() {
    let outside = Phone::start(600.0, Behaviour::Answer);
    // Loopback is a known source here, as an office's network may be.
    let extra = format!(
        "[[phone]]\nuser = \"101\"\npassword-file = \"secrets/phone.password\"\n\
         calls = [\"routes\"]\nnumber = \"+16075550101\"\n\
         [[phone]]\nuser = \"102\"\npassword-file = \"secrets/phone.password\"\n\
         [[route]]\nprefix = \"+1999\"\nuri = \"sip:{{number}}@{}\"\n",
        outside.address
    );
    let bench = bench(&extra).await;
    let sip = bench.sidecar.sip_udp().unwrap();
    let refused = |phone: &mut Pjsua, called: &str, code: u64| {
        let mark = phone.mark();
        phone.order(&format!("call sip:{called}@{sip}"));
        let calling = phone.wait_after(mark, "a call", |event| event["event"] == "calling");
        let end = phone.is(calling["call"].as_str().unwrap(), "DISCONNECTED");
        assert_eq!(end["code"], code, "{called}: {end}");
    };
    let id = |user: &str| format!("sip:{user}@{sip}");
    let mut nobody = Pjsua::start(&json!({"id": id("101")}));
    refused(&mut nobody, "+19995550100", 401);
    let mut guessing = Pjsua::start(&json!({"id": id("101"), "user": "101", "password": "open"}));
    refused(&mut guessing, "+19995550100", 401);
    // It need not be registered to call, and what it may not call it does not reach.
    let mut first = Pjsua::start(&json!({"id": id("101"), "user": "101", "password": PASSWORD}));
    first.order(&format!("call sip:+19995550100@{sip}"));
    first.is("1", "CONFIRMED");
    first.hears("1");
    let invite = outside.wait("the INVITE", |state| state.invite.is_some());
    let invite = invite.invite.unwrap();
    assert!(invite.contains("From: <sip:+16075550101@"), "{invite}");
    first.order("hangup 1");
    outside.wait("the end", |state| state.ended);
    bench.nothing_is_left().await;
    refused(&mut first, NUMBER, 480);
    refused(&mut first, "102", 404);
    let mut second = Pjsua::start(&json!({"id": id("102"), "user": "102", "password": PASSWORD}));
    refused(&mut second, "+19995550100", 404);
    bench.nothing_is_left().await;
    bench.sidecar.shutdown().await;
}
