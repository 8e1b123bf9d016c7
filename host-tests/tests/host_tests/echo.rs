//! The whole way of a call by CallSignaling: an Echo with its own media, Alexa, the component, the gateway, and a SIP phone.

use std::sync::Arc;

use skillcall_host_tests::{PATIENCE, Staging, plans, sound};
use skillcall_media::tone;
use skillcall_protocol::communication::{IdType, ParticipantId};
use skillcall_protocol::signaling::RenegotiationKind;
use skillcall_simulator::echo::{Echo, EchoHabits, EchoWatch, Echos};
use skillcall_simulator::line::{CallState, Voice};
use skillcall_simulator::signaling::State;

const GUEST: f64 = 440.0;
const DESK: f64 = 1000.0;
/// Samples that are listened to: 400 ms.
const EARFUL: usize = 3_200;

const GATEWAY: &str = r#"
[gateway]
skill = "{skill}"
keys-file = "sidecar.key"
[[gateway.route]]
address = "frontdesk"
uri = "sip:100@{phone}"
"#;

/// Waits until the Echo hears the desk, from now on.
async fn hears_the_desk(echo: &EchoWatch) -> bool {
    let from = echo.view().heard;
    let found = echo.wait_until(PATIENCE, |view| {
        view.heard >= from + EARFUL && tone::power_at(&echo.heard(view.heard - EARFUL), DESK) > 0.9
    });
    found.await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_echo_and_a_phone_hear_each_other_also_after_another_network() {
    let stage = Staging::new(plans::straight())
        .with_login()
        .sidecar_toml(GATEWAY)
        .simulator(|simulator| {
            if let Some(phone) = &mut simulator.phone {
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

    let to = ParticipantId {
        kind: IdType::RawAddress,
        value: "frontdesk".to_owned(),
    };
    let id = stage
        .simulator
        .begin_session(None, to, None)
        .expect("a session");
    let state = async |wanted: State| {
        let found = stage.simulator.wait_for_session(PATIENCE, |all| {
            let found = all.iter().find(|session| session.session_id == id)?;
            (found.state == wanted).then_some(())
        });
        assert!(found.await.is_some(), "{:?}", stage.simulator.sessions());
    };
    state(State::Accepted).await;
    let phone = stage.phone(CallState::Talking).await;
    let echo = echos.session(&id).expect("the Echo's leg");
    sound::heard(&stage.simulator, &phone.id, GUEST).await;
    assert!(hears_the_desk(&echo).await, "{:?}", echo.view());

    let before = echo.view().route.expect("a way").0;
    stage
        .simulator
        .update_session(&id, RenegotiationKind::CallUpdate, None)
        .expect("another network");
    let moved = echo.wait_until(PATIENCE, |view| {
        view.route.is_some_and(|(local, _)| local != before)
    });
    assert!(moved.await, "{:?}", echo.view());
    assert!(hears_the_desk(&echo).await, "{:?}", echo.view());
    assert_eq!(stage.phone_calls().len(), 1, "the phone is asked nothing");

    stage.simulator.hang_up(&phone.id).await.expect("hung up");
    state(State::Ended).await;
    stage.end().await;
}
