//! Errors of Alexa's APIs (facts C1, D2): the customer hears something sensible, and nothing is left behind.

use skillcall_host_tests::{Stage, Staging, plans};
use skillcall_plan::TextKey;
use skillcall_protocol::manifest::Manifest;
use skillcall_simulator::customer::Region;
use skillcall_simulator::trouble::{Fault, Place, Trouble};
use skillcall_simulator::{Outcome, Said};

async fn told(stage: &Stage, key: TextKey) -> Said {
    let said = stage
        .simulator
        .say("call the front desk")
        .await
        .expect("said");
    assert_eq!(said.outcome, Outcome::Answered, "{said:?}");
    // What takes long is preceded by a progressive response (facts A5).
    assert_eq!(
        said.spoken.last().map(String::as_str),
        key.built_in("en-US"),
        "{key:?}"
    );
    assert!(said.call.is_none(), "{key:?}");
    assert!(
        said.session.as_ref().is_some_and(|session| !session.open),
        "{key:?}: nothing more is asked"
    );
    said
}

fn status(status: u16) -> Fault {
    Fault::Answer {
        status,
        code: None,
        message: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_status_of_start_communication_session_is_explained() {
    let stage = Staging::new(plans::straight()).start().await;
    for (code, key) in [
        (400, TextKey::CallRefused),
        (401, TextKey::AskAgain),
        (403, TextKey::CallingNotAllowed),
        (404, TextKey::CallingNotHere),
        (429, TextKey::Busy),
        (500, TextKey::CallFailed),
    ] {
        stage
            .simulator
            .trouble(Trouble::always(Place::StartSession, status(code)))
            .expect("ordered");
        told(&stage, key).await;
        stage.simulator.no_more_trouble();
    }
    assert!(stage.device_calls().is_empty());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_status_of_the_profile_api_is_explained() {
    let stage = Staging::new(plans::straight()).start().await;
    for (code, key) in [
        (204, TextKey::NumberMissing),
        (401, TextKey::AskAgain),
        (403, TextKey::NumberPermission),
        (429, TextKey::Busy),
        (500, TextKey::NumberUnavailable),
    ] {
        stage
            .simulator
            .trouble(Trouble::always(Place::Profile, status(code)))
            .expect("ordered");
        let said = told(&stage, key).await;
        let card = said.reply.and_then(|reply| reply.card);
        assert_eq!(
            card.is_some(),
            key == TextKey::NumberPermission,
            "{key:?}: {card:?}"
        );
        if let Some(card) = card {
            assert_eq!(card["type"], "AskForPermissionsConsent");
            assert_eq!(card["permissions"][0], "alexa::profile:mobile_number:read");
        }
        stage.simulator.no_more_trouble();
    }
    assert!(stage.device_calls().is_empty());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_customer_or_the_console_did_not_grant_is_said() {
    let stage = Staging::new(plans::straight()).start().await;
    stage
        .simulator
        .change_customer(None, |customer| customer.granted.clear());
    told(&stage, TextKey::NumberPermission).await;
    stage
        .simulator
        .change_customer(None, |customer| *customer = Default::default());
    stage
        .simulator
        .change_customer(None, |customer| customer.mobile_number = None);
    told(&stage, TextKey::NumberMissing).await;
    stage
        .simulator
        .change_customer(None, |customer| *customer = Default::default());
    stage
        .simulator
        .change_customer(None, |customer| customer.region = Region::Eu);
    told(&stage, TextKey::CallingNotHere).await;
    stage
        .simulator
        .change_customer(None, |customer| *customer = Default::default());
    stage.simulator.set_manifest(Manifest::default());
    told(&stage, TextKey::CallingNotAllowed).await;
    stage
        .simulator
        .trouble(Trouble::once(Place::Request, Fault::ExpiredToken))
        .expect("ordered");
    told(&stage, TextKey::AskAgain).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_nonsense_and_a_closed_connection_are_a_failed_call() {
    let stage = Staging::new(plans::straight()).start().await;
    for (place, key) in [
        (Place::Profile, TextKey::NumberUnavailable),
        (Place::StartSession, TextKey::CallFailed),
    ] {
        for fault in [Fault::Nonsense, Fault::Close, Fault::Silence] {
            stage
                .simulator
                .trouble(Trouble::always(place, fault))
                .expect("ordered");
            told(&stage, key).await;
            stage.simulator.no_more_trouble();
        }
    }
    assert!(stage.device_calls().is_empty());
    stage.end().await;
}
