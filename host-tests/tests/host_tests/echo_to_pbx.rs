//! docs/echo-to-pbx.md whole: an Echo with its own media, Alexa, the component, the gateway and Asterisk, with the guide's own files.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use skillcall_host_tests::{PATIENCE, Staging, plans, program, sound, until};
use skillcall_media::tone;
use skillcall_protocol::communication::{IdType, ParticipantId};
use skillcall_simulator::Simulator;
use skillcall_simulator::customer::Customer;
use skillcall_simulator::echo::{Echo, EchoHabits, EchoWatch, Echos};
use skillcall_simulator::line::{CallState, Voice};
use skillcall_simulator::signaling::{Direction, State};

use asterisk::{Asterisk, MUSIC};

#[allow(dead_code, reason = "the sidecar's tests use all of it")]
#[path = "../../../sidecar/tests/support/asterisk.rs"]
mod asterisk;
#[path = "../../../sidecar/tests/support/free_port.rs"]
mod free_port;

/// The longest that Asterisk may take.
const LIMIT: Duration = PATIENCE;
const GUEST: f64 = 440.0;
const DESK: f64 = 1000.0;
/// What extension 804 says.
const ANNOUNCEMENT: f64 = 950.0;
/// Samples that are listened to: 400 ms.
const EARFUL: usize = 3_200;
const PROFILE: &str = "amzn1.alexa.communications.profile.did.ROOM201";

const SIDECAR_TOML: &str = include_str!("../../../examples/echo-to-pbx/sidecar.toml");
const PJSIP: &str = include_str!("../../../examples/echo-to-pbx/asterisk/pjsip.conf");
const EXTENSIONS: &str = include_str!("../../../examples/echo-to-pbx/asterisk/extensions.conf");
const FEATURES: &str = include_str!("../../../examples/echo-to-pbx/asterisk/features.conf");
const MUSIC_ON_HOLD: &str = include_str!("../../../examples/echo-to-pbx/asterisk/musiconhold.conf");
/// What the PBX says to a room that it calls, beside the guide's numbers.
const MORE_EXTENSIONS: &str = "
[inside](+)
exten => 804,1,Answer()
 same => n,Playtones(950)
 same => n,Wait(60)
";

/// A port that is free now, for UDP and TCP.
fn free(ip: [u8; 4]) -> SocketAddr {
    (ip, program::free_port()).into()
}

/// The guide's PBX at this address; the desk's phone does not register.
fn pbx(at: SocketAddr, gateway: SocketAddr, desk: SocketAddr) -> Option<Asterisk> {
    let pjsip = PJSIP
        .replace("10.0.5.10:5060", &at.to_string())
        .replace("sip:10.0.5.20:5060", &format!("sip:{gateway}"))
        .replace("10.0.5.20", "127.0.0.1");
    let phones = format!("\n[100](+type=aor)\ncontact=sip:100@{desk}\n");
    Asterisk::with_files(
        at,
        &[
            ("pjsip.conf", pjsip + &phones),
            (
                "extensions.conf",
                format!("{EXTENSIONS}\n{MORE_EXTENSIONS}"),
            ),
            ("features.conf", FEATURES.to_owned()),
            ("musiconhold.conf", MUSIC_ON_HOLD.to_owned()),
        ],
    )
}

/// Waits until the Echo hears a tone, from now on.
async fn hears(echo: &EchoWatch, hz: f64) {
    let from = echo.view().heard;
    let found = echo.wait_until(PATIENCE, |view| {
        view.heard >= from + EARFUL && tone::power_at(&echo.heard(view.heard - EARFUL), hz) > 0.9
    });
    assert!(found.await, "no {hz} Hz: {:?}", echo.view());
}

async fn is(simulator: &Simulator, id: &str, wanted: State) {
    let found = simulator.wait_for_session(PATIENCE, |all| {
        let found = all.iter().find(|session| session.session_id == id)?;
        (found.state == wanted).then_some(())
    });
    assert!(
        found.await.is_some(),
        "{wanted:?}: {:?}",
        simulator.sessions()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_echo_and_asterisk_call_each_other() {
    let (sip, gateway) = (free([127, 0, 0, 1]), free([127, 0, 0, 1]));
    // The PBX tells its phones from the gateway by their addresses.
    let desk = free([127, 0, 0, 2]);
    let pbx = tokio::task::spawn_blocking(move || pbx(sip, gateway, desk));
    let Some(pbx) = pbx.await.expect("Asterisk") else {
        return;
    };
    let pbx = Arc::new(pbx);
    let toml = SIDECAR_TOML
        .replace("udp:10.0.5.20:5060", &format!("udp:{gateway}"))
        .replace("sip:100@10.0.5.10", &format!("sip:100@{sip}"))
        .replace("address = \"10.0.5.10\"", &format!("address = \"{sip}\""))
        .replace("10.0.5.10", "127.0.0.1")
        .replace("10.0.5.20", "127.0.0.1")
        .replace(
            "amzn1.ask.account.REPLACE",
            "amzn1.ask.account.SIMULATEDCUSTOMER",
        );
    let stage = Staging::new(plans::straight())
        .with_login()
        .whole_sidecar_toml(&toml)
        .simulator(|simulator| {
            simulator.customers = vec![Customer {
                addresses: ["room201".to_owned()].into(),
                communication_profile: Some(PROFILE.to_owned()),
                ..Default::default()
            }];
            if let Some(phone) = &mut simulator.phone {
                phone.listen = desk;
                phone.voice = Voice::Tone { hz: DESK };
            }
        })
        .start()
        .await;
    let habits = EchoHabits {
        voice: Voice::Tone { hz: GUEST },
        ..EchoHabits::default()
    };
    let echos = Echos::new(Echo::new(habits).await.expect("an Echo"));
    stage.simulator.set_endpoint(Arc::new(echos.clone()));
    let told = stage.simulator.accept_grant(None).await.expect("told");
    assert_eq!((told.status, &told.problem), (200, &None), "{told:?}");
    let calls = |address: &str| {
        let to = ParticipantId {
            kind: IdType::RawAddress,
            value: address.to_owned(),
        };
        let begun = stage.simulator.begin_session(None, to, None);
        begun.expect("a session")
    };

    // "Alexa, call the front desk": by the PBX to the phone there, which sees the room's number.
    let id = calls("frontdesk");
    is(&stage.simulator, &id, State::Accepted).await;
    let phone = stage.phone(CallState::Talking).await;
    let echo = echos.session(&id).expect("the Echo's leg");
    sound::heard(&stage.simulator, &phone.id, GUEST).await;
    hears(&echo, DESK).await;
    // The room holds, and the desk hears the PBX's music.
    let update = |kind| stage.simulator.update_session(&id, kind, None);
    update(skillcall_protocol::signaling::RenegotiationKind::CallHold).expect("it holds");
    sound::heard(&stage.simulator, &phone.id, MUSIC).await;
    update(skillcall_protocol::signaling::RenegotiationKind::CallResume).expect("it resumes");
    hears(&echo, DESK).await;
    stage.simulator.hang_up(&phone.id).await.expect("hung up");
    is(&stage.simulator, &id, State::Ended).await;

    // An extension that the PBX answers itself: the room hears itself, there and back.
    let id = calls("600");
    is(&stage.simulator, &id, State::Accepted).await;
    let echo = echos.session(&id).expect("the Echo's leg");
    hears(&echo, GUEST).await;
    stage.simulator.end_session(&id).expect("hung up");
    is(&stage.simulator, &id, State::Ended).await;

    // The PBX calls the room.
    let caller = Arc::clone(&pbx);
    let called = tokio::task::spawn_blocking(move || {
        caller.cli("channel originate Local/201@inside extension 804@inside")
    });
    called.await.expect("Asterisk");
    let inbound = until("a session that calls the room", async || {
        let all = stage.simulator.sessions().into_iter();
        let mut inbound = all.filter(|session| {
            session.direction == Direction::Inbound && session.state == State::Ringing
        });
        Some(inbound.next()?.session_id)
    })
    .await;
    stage.simulator.accept_session(&inbound).expect("accepted");
    is(&stage.simulator, &inbound, State::Accepted).await;
    let echo = echos.session(&inbound).expect("the Echo's leg");
    hears(&echo, ANNOUNCEMENT).await;
    stage.simulator.end_session(&inbound).expect("hung up");
    is(&stage.simulator, &inbound, State::Ended).await;

    let idle = Arc::clone(&pbx);
    let idle = tokio::task::spawn_blocking(move || idle.is_idle());
    idle.await.expect("no call is left in Asterisk");
    stage.end().await;
}
