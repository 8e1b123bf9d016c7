//! Two calls at once, another locale, and a call of a minute.

use skillcall_host_tests::{Stage, Staging, plans, sound};
use skillcall_protocol::trace::Kind;
use skillcall_simulator::config::PhoneConfig;
use skillcall_simulator::customer::{Customer, MobileNumber};
use skillcall_simulator::line::{Act, Answering, Call, CallState, Manner, Side, Step, Voice, When};

fn customer(device: &str, number: &str) -> Customer {
    Customer {
        user_id: format!("amzn1.ask.account.{device}"),
        device_id: format!("amzn1.ask.device.{device}"),
        mobile_number: Some(MobileNumber {
            country_code: "+1".to_owned(),
            phone_number: number.to_owned(),
        }),
        ..Customer::default()
    }
}

/// A device calls and is put through to the phone: the device's call and the phone's.
async fn put_through(stage: &Stage, device: &str, guest: f64, desk: f64) -> (Call, Call) {
    stage
        .simulator
        .change_device(|manner| manner.voice = Voice::Tone { hz: guest });
    let manner = Manner {
        voice: Voice::Tone { hz: desk },
        ..Manner::default()
    };
    stage
        .simulator
        .change_phone(Answering::default(), manner)
        .await
        .expect("changed");
    let before: Vec<String> = stage
        .phone_calls()
        .into_iter()
        .map(|call| call.id)
        .collect();
    let said = stage
        .simulator
        .say_to(device, "call the front desk")
        .await
        .expect("said");
    let call = said.call.expect("a call");
    let new = |calls: &[Call]| {
        let fresh = |call: &&Call| {
            call.side == Side::Phone
                && call.state == CallState::Talking
                && !before.contains(&call.id)
        };
        calls.iter().find(fresh).cloned()
    };
    let phone = stage
        .simulator
        .wait_for(skillcall_host_tests::PATIENCE, new)
        .await
        .expect("the phone's call");
    (call, phone)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_calls_at_once_do_not_hear_each_other() {
    let customers = vec![customer("ONE", "2045550101"), customer("TWO", "2045550102")];
    let stage = Staging::new(plans::straight())
        .customers(customers)
        .start()
        .await;
    let (guests, desks) = ([400.0, 700.0], [1100.0, 1600.0]);
    let (first, first_desk) =
        put_through(&stage, "amzn1.ask.device.ONE", guests[0], desks[0]).await;
    let (second, second_desk) =
        put_through(&stage, "amzn1.ask.device.TWO", guests[1], desks[1]).await;
    for (call, tone) in [
        (&first, desks[0]),
        (&second, desks[1]),
        (&first_desk, guests[0]),
        (&second_desk, guests[1]),
    ] {
        sound::heard(&stage.simulator, &call.id, tone).await;
    }
    for (call, own) in [
        (&first, desks[0]),
        (&second, desks[1]),
        (&first_desk, guests[0]),
        (&second_desk, guests[1]),
    ] {
        let heard = stage.simulator.heard(&call.id).expect("what was heard");
        for other in guests
            .into_iter()
            .chain(desks)
            .filter(|other| *other != own)
        {
            assert_eq!(
                sound::windows_with(&heard, other),
                0,
                "{other} Hz where {own} Hz belongs"
            );
        }
    }
    stage.simulator.hang_up(&first.id).await.expect("hung up");
    stage.over(&first_desk.id).await;
    assert!(
        !stage.call_is(&second.id, |_| true).await.is_over(),
        "the other call goes on"
    );
    stage
        .simulator
        .hang_up(&second_desk.id)
        .await
        .expect("hung up");
    stage.over(&second.id).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_german_customer_is_served_in_german() {
    let stage = Staging::new(plans::EXAMPLE).german().start().await;
    let said = stage
        .simulator
        .say("ruf die Rezeption an")
        .await
        .expect("said");
    assert_eq!(
        said.spoken.last().map(String::as_str),
        Some("Ich rufe die Rezeption an."),
        "{said:?}"
    );
    let call = said.call.expect("a call");
    stage.control.running("SpeakAndGetDigits").await;
    stage.simulator.press(&call.id, "1").await.expect("pressed");
    let phone = stage.phone(CallState::Talking).await;
    stage.simulator.hang_up(&phone.id).await.expect("hung up");
    stage.over(&call.id).await;
    stage.quiet().await;
    let trace = stage.trace(&said.request_id.expect("a request")).await;
    let told: String = trace
        .records
        .iter()
        .filter_map(|record| match &record.kind {
            Kind::Message(message) => message.body.as_ref().map(|body| body.as_str().to_owned()),
            _ => None,
        })
        .collect();
    assert!(
        told.contains("Willkommen im Hotel am Hafen."),
        "what is said in the call"
    );
    assert!(told.contains("Vicki"), "by the plan's German voice");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minute_of_talk_without_a_lost_packet() {
    let phone = PhoneConfig {
        voice: Voice::Tone { hz: 1000.0 },
        script: vec![Step {
            when: When::Heard {
                milliseconds: 60_000,
            },
            act: Act::HangUp,
        }],
        ..PhoneConfig::default()
    };
    let staging = Staging::new(plans::straight()).simulator(|simulator| {
        simulator.phone = Some(phone);
        simulator.device.voice = Voice::Tone { hz: 440.0 };
    });
    let stage = staging.start().await;
    let (said, call) = stage.call().await;
    let phone = stage.phone(CallState::Talking).await;
    let phone = stage.over(&phone.id).await;
    let device = stage.over(&call.id).await;
    for end in [&phone, &device] {
        assert_eq!(end.media.lost, 0, "{:?}", end.media);
        assert!(end.media.received >= 2900, "{:?}", end.media);
        assert!(end.media.mos.expect("an estimate") > 1.0, "{:?}", end.media);
    }
    stage.quiet().await;
    let trace = stage.trace(&said.request_id.expect("a request")).await;
    let lost: Vec<u64> = trace
        .records
        .iter()
        .filter_map(|record| match &record.kind {
            Kind::Media(figures) => Some(figures.lost),
            _ => None,
        })
        .collect();
    assert!(lost.len() >= 2, "figures of both legs");
    assert!(lost.iter().all(|lost| *lost == 0), "{lost:?}");
    stage.end().await;
}
