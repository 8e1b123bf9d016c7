//! Two Echos over loopback: each hears the other's tone, through hold, another network, silence and death.

use std::time::Duration;

use skillcall_media::{encoding::Encoding, tone};
use skillcall_simulator::{
    Voice,
    echo::{Echo, EchoHabits, EchoLeg, EchoView, EchoWatch},
};
use skillcall_webrtc::{Direction, Style};

/// The longest that anything here may take.
const LIMIT: Duration = Duration::from_secs(20);
const CALLER: f64 = 500.0;
const CALLED: f64 = 900.0;
/// Samples that are listened to: 400 ms.
const EARFUL: usize = 3_200;

async fn leg(hz: f64, style: Style, codecs: &[Encoding]) -> EchoLeg {
    let habits = EchoHabits {
        voice: Voice::Tone { hz },
        style,
        codecs: codecs.to_vec(),
        ..EchoHabits::default()
    };
    Echo::new(habits).await.unwrap().leg()
}

fn watch(leg: &EchoLeg) -> EchoWatch {
    leg.watch().unwrap()
}

/// A call that stands.
async fn call(codecs: &[Encoding]) -> (EchoLeg, EchoLeg) {
    let all = [
        Encoding::Opus,
        Encoding::Pcmu,
        Encoding::Pcma,
        Encoding::G722,
    ];
    let mut caller = leg(CALLER, Style::Echo { video: true }, &all).await;
    let mut called = leg(CALLED, Style::Standard, codecs).await;
    let offer = caller.offer().unwrap();
    let answer = called.answer(&offer).unwrap();
    caller.take_answer(&answer).unwrap();
    for leg in [&caller, &called] {
        assert!(watch(leg).wait_until(LIMIT, |view| view.connected).await);
    }
    (caller, called)
}

/// Waits until nothing but the tone is heard of 400 ms, from now on.
async fn hears(leg: &EchoLeg, hz: f64) -> bool {
    let leg = &watch(leg);
    let from = leg.view().heard;
    leg.wait_until(LIMIT, |view| {
        view.heard >= from + EARFUL && {
            let audio = leg_audio(leg, view.heard);
            tone::power_at(&audio, hz) > 0.95 && tone::level_dbov(&audio) > -20.0
        }
    })
    .await
}

fn leg_audio(leg: &EchoWatch, end: usize) -> Vec<i16> {
    leg.heard(end - EARFUL)
}

async fn assert_talk(caller: &EchoLeg, called: &EchoLeg) {
    assert!(hears(called, CALLER).await, "{:?}", watch(called).view());
    assert!(hears(caller, CALLED).await, "{:?}", watch(caller).view());
}

/// `offer` is answered by the one and taken by the other.
fn exchange(offer: &str, by: &mut EchoLeg, to: &mut EchoLeg) {
    let answer = to.answer(offer).unwrap();
    by.take_answer(&answer).unwrap();
}

#[tokio::test]
async fn they_hear_each_other_in_every_codec() {
    for encoding in [
        Encoding::Opus,
        Encoding::G722,
        Encoding::Pcmu,
        Encoding::Pcma,
    ] {
        let (caller, called) = call(&[encoding]).await;
        assert_eq!(watch(&called).view().encoding, Some(encoding));
        assert_talk(&caller, &called).await;
        assert_eq!(watch(&caller).view().lost, 0, "{encoding:?}");
    }
}

#[tokio::test]
async fn hold_and_resume() {
    let (mut caller, mut called) = call(&[Encoding::Opus]).await;
    assert_talk(&caller, &called).await;
    let offer = caller.hold().unwrap();
    exchange(&offer, &mut caller, &mut called);
    let (one, other) = (watch(&caller).view(), watch(&called).view());
    assert_eq!(one.direction, Some(Direction::SendOnly));
    assert_eq!(other.direction, Some(Direction::RecvOnly));
    assert!(other.held && !one.held);
    // Who is on hold hears on, and sends nothing.
    assert!(hears(&called, CALLER).await);
    let silent = watch(&called).view().sent;
    assert!(hears(&called, CALLER).await);
    assert_eq!(watch(&called).view().sent, silent);
    let offer = caller.resume().unwrap();
    exchange(&offer, &mut caller, &mut called);
    assert_talk(&caller, &called).await;
}

#[tokio::test]
async fn another_network_with_and_without_the_old_one() {
    for cut_off in [false, true] {
        let (mut caller, mut called) = call(&[Encoding::Pcmu]).await;
        assert_talk(&caller, &called).await;
        let before = watch(&caller).view().route.unwrap();
        let offer = caller.change_network(cut_off).unwrap();
        exchange(&offer, &mut caller, &mut called);
        let moved = |view: &EchoView| view.route.is_some_and(|route| route.0 != before.0);
        assert!(watch(&caller).wait_until(LIMIT, moved).await);
        let now = watch(&caller).view().route.unwrap();
        assert!(
            watch(&called)
                .wait_until(LIMIT, |view| view
                    .route
                    .is_some_and(|route| route.1 == now.0))
                .await
        );
        assert_talk(&caller, &called).await;
    }
}

#[tokio::test]
async fn silence_death_and_farewell() {
    let (caller, called) = call(&[Encoding::Pcma]).await;
    assert_talk(&caller, &called).await;
    watch(&caller).fall_silent(true);
    let from = watch(&called).view().heard;
    let ear = watch(&called);
    let quiet = ear
        .wait_until(LIMIT, |view| {
            view.heard >= from + EARFUL && tone::level_dbov(&ear.heard(view.heard - EARFUL)) < -60.0
        })
        .await;
    assert!(quiet && watch(&called).view().connected);
    watch(&caller).fall_silent(false);
    assert_talk(&caller, &called).await;

    let (dies, lives) = call(&[Encoding::Pcma]).await;
    let port = watch(&dies).view().route.unwrap().0;
    let dies = watch(&dies);
    dies.die();
    // The port is free again, and the other side is not told.
    assert!(
        dies.wait_until(LIMIT, |_| std::net::UdpSocket::bind(port).is_ok())
            .await
    );
    assert!(watch(&lives).view().connected);

    let (mut goes, stays) = call(&[Encoding::Opus]).await;
    goes.close();
    assert!(
        watch(&stays)
            .wait_until(LIMIT, |view| view.disconnected.is_some())
            .await
    );
}
