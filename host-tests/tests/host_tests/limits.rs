//! What bounds a call before it is placed: opening hours, rules, calls within an hour, Alexa's limits and its patience.

use serde_json::json;
use skillcall_host_tests::handler::action;
use skillcall_host_tests::{Handler, Stage, Staging, logs, plans};
use skillcall_plan::TextKey;
use skillcall_protocol::trace::Kind;
use skillcall_simulator::customer::Customer;
use skillcall_simulator::trouble::{Fault, Place, Trouble};
use skillcall_simulator::{Outcome, Said};

async fn busy() -> Handler {
    Handler::playing(vec![action("Hangup", json!({"SipResponseCode": "486"}))]).await
}

async fn say(stage: &Stage, utterance: &str) -> Said {
    let said = stage.simulator.say(utterance).await.expect("said");
    assert_eq!(said.outcome, Outcome::Answered, "{utterance}: {said:?}");
    said
}

fn words(said: &Said) -> &str {
    said.spoken.last().map(String::as_str).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_desk_is_told_or_another_one_is_called() {
    let handler = busy().await;
    let closed = "\n[hours.never]\ntime-zone = \"America/Winnipeg\"\nopen = [\"Mon-Sun 00:00-24:00\"]\nclosed = [\"01-01..12-31\"]\n";
    let plan = plans::straight().replace(
        "id = \"FRONT_DESK\"",
        "id = \"FRONT_DESK\"\nhours = \"never\"",
    );
    let stage = Staging::new(format!("{plan}{closed}"))
        .handled_by(handler.url())
        .start()
        .await;
    let said = say(&stage, "call the front desk").await;
    assert_eq!(words(&said), "Front desk can not be reached at this time.");
    assert!(said.call.is_none());
    let day = |ahead: i64| {
        let at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * ahead);
        at.strftime("\"%Y-%m-%d\"").to_string()
    };
    let soon = format!(
        "\n[hours.never]\ntime-zone = \"UTC\"\nopen = [\"Mon-Sun 07:00-08:00\"]\nclosed = [{}, {}, {}]\n",
        day(-1),
        day(0),
        day(1)
    );
    stage.settings.set_plan(&format!("{plan}{soon}"));
    let said = say(&stage, "call the front desk").await;
    assert!(
        words(&said).starts_with("Front desk can not be reached at this time. It opens on")
            && words(&said).ends_with("day at 7 AM."),
        "{said:?}"
    );
    let plan = plan.replace(
        "hours = \"never\"",
        "hours = \"never\"\nfallback = \"housekeeping\"",
    );
    stage.settings.set_plan(&format!("{plan}{closed}"));
    let said = say(&stage, "call the front desk").await;
    assert_eq!(
        words(&said),
        "Front desk can not be reached at this time. Calling housekeeping."
    );
    stage.over(&said.call.expect("a call").id).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_call_is_told_and_who_has_called_enough() {
    let handler = busy().await;
    let guest = |n: u32| Customer {
        user_id: format!("amzn1.ask.account.GUEST{n}"),
        device_id: format!("amzn1.ask.device.ROOM{n}"),
        ..Customer::default()
    };
    let plan = format!(
        "{}\n[limits]\ncalls-per-hour = 2\n[[permission]]\ndevices = [\"amzn1.ask.device.ROOM3\"]\nallow = false\n[[permission]]\n",
        plans::straight()
    );
    let stage = Staging::new(plan)
        .customers(vec![guest(1), guest(2), guest(3)])
        .handled_by(handler.url())
        .start()
        .await;
    let call = async |n: u32| {
        let device = format!("amzn1.ask.device.ROOM{n}");
        let said = stage.simulator.say_to(&device, "call the front desk").await;
        let said = said.expect("said");
        if let Some(call) = &said.call {
            stage.over(&call.id).await;
        }
        said
    };
    for _ in 0..2 {
        assert!(call(1).await.call.is_some());
    }
    let third = call(1).await;
    assert!(third.call.is_none());
    assert_eq!(Some(words(&third)), TextKey::TooManyCalls.built_in("en-US"));
    assert!(call(2).await.call.is_some(), "another customer");
    let forbidden = call(3).await;
    assert!(forbidden.call.is_none());
    assert_eq!(words(&forbidden), "Front desk can not be called from here.");
    // What Alexa refuses does not count.
    let refused = Fault::Answer {
        status: 403,
        code: None,
        message: None,
    };
    stage
        .simulator
        .trouble(Trouble::once(Place::StartSession, refused))
        .expect("ordered");
    assert!(call(2).await.call.is_none());
    assert!(call(2).await.call.is_some());
    assert!(call(2).await.call.is_none());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speech_that_is_too_long_is_cut_and_said() {
    logs::keep();
    let rooms: String = (0..60)
        .map(|n| {
            format!(
                "\n[[destination]]\nname = \"room {n}\"\nsynonyms = [\"room\"]\nspoken = \"{} {n}\"\nnumber = \"{}\"\n",
                "the very long room. ".repeat(10),
                plans::DESK
            )
        })
        .collect();
    let stage = Staging::new(format!("{}{rooms}", plans::straight()))
        .start()
        .await;
    // A choice of 60 long names has more than 8,000 characters (facts A4); the simulator refuses such an answer.
    let said = say(&stage, "call room").await;
    assert!(words(&said).starts_with("Do you mean the very long room."));
    assert!(words(&said).ends_with('.') && words(&said).chars().count() <= 8000);
    assert!(logs::text().contains("the answer is longer than Alexa takes, so it was cut"));
    stage.end().await;
}

/// The statuses of StartCommunicationSession that the service wrote down for a request.
fn starts(stage: &Stage, said: &Said) -> Vec<String> {
    let id = said.request_id.as_deref().expect("a request");
    let records = stage.simulator.trace(id);
    let starts = records.iter().filter_map(|record| match &record.kind {
        Kind::Message(message) if message.name.as_str() == "POST /v1/communications/session" => {
            message
                .outcome
                .as_ref()
                .map(|outcome| outcome.as_str().to_owned())
        }
        _ => None,
    });
    starts.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_throttled_or_fails_is_asked_again_and_one_call_comes_of_it() {
    let handler = busy().await;
    let stage = Staging::new(plans::straight())
        .handled_by(handler.url())
        .start()
        .await;
    for (status, faults, expected) in [
        (429, 2, vec!["429", "429", "200"]),
        (500, 2, vec!["500", "500", "200"]),
        (503, 1, vec!["503", "200"]),
    ] {
        let fault = Fault::Answer {
            status,
            code: None,
            message: None,
        };
        stage
            .simulator
            .trouble(Trouble::times(Place::StartSession, fault, faults))
            .expect("ordered");
        let before = stage.device_calls().len();
        let said = say(&stage, "call the front desk").await;
        assert_eq!(words(&said), "Calling the front desk.");
        assert_eq!(starts(&stage, &said), expected);
        assert_eq!(stage.device_calls().len(), before + 1);
        stage.over(&said.call.expect("a call").id).await;
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_word_is_said_when_alexas_apis_take_long() {
    let handler = busy().await;
    let stage = Staging::new(plans::straight())
        .handled_by(handler.url())
        .start()
        .await;
    let slow = Fault::Delay { milliseconds: 1500 };
    for place in [Place::Profile, Place::StartSession] {
        stage
            .simulator
            .trouble(Trouble::once(place, slow.clone()))
            .expect("ordered");
    }
    let said = say(&stage, "call the front desk").await;
    assert_eq!(
        said.spoken,
        ["One moment, please.", "Calling the front desk."]
    );
    stage.over(&said.call.expect("a call").id).await;
    stage.end().await;
}
