//! Whom to call: asked for when missing, offered as a choice, confirmed; with a dialog model and without (facts A2).

use serde_json::{Value, json};
use skillcall_host_tests::handler::action;
use skillcall_host_tests::{Handler, Stage, Staging, plans};
use skillcall_simulator::{Outcome, Said};

/// Two desks that share a name, and one that is confirmed.
fn plan() -> String {
    plans::straight()
        .replace(
            "id = \"FRONT_DESK\"",
            "id = \"FRONT_DESK\"\nsynonyms = [\"desk\"]",
        )
        .replace(
            "id = \"HOUSEKEEPING\"",
            "id = \"HOUSEKEEPING\"\nsynonyms = [\"desk\"]\nconfirm = true",
        )
}

/// The example's model, in which both are called "desk", without the sample that is the bare name.
fn model(dialog: bool) -> String {
    let mut model: Value = serde_json::from_str(plans::MODEL_EN).expect("the example's model");
    let language = &mut model["interactionModel"]["languageModel"];
    let samples = language["intents"][0]["samples"]
        .as_array_mut()
        .expect("samples");
    if dialog {
        samples.retain(|sample| sample != "{destination}");
        samples.push("make a call".into());
    }
    for value in language["types"][0]["values"]
        .as_array_mut()
        .expect("values")
    {
        value["name"]["synonyms"] = json!(["desk"]);
    }
    if dialog {
        let slot = json!({"name": "destination", "type": "DESTINATION"});
        model["interactionModel"]["dialog"] =
            json!({"intents": [{"name": "CallIntent", "slots": [slot]}]});
    }
    model.to_string()
}

async fn stage(dialog: bool) -> (Stage, Handler) {
    let busy = Handler::playing(vec![action("Hangup", json!({"SipResponseCode": "486"}))]).await;
    let stage = Staging::new(plan())
        .model(model(dialog))
        .handled_by(busy.url())
        .start()
        .await;
    (stage, busy)
}

async fn say(stage: &Stage, utterance: &str) -> Said {
    let said = stage.simulator.say(utterance).await.expect("said");
    assert_eq!(said.outcome, Outcome::Answered, "{utterance}: {said:?}");
    said
}

async fn asks(stage: &Stage, utterance: &str, question: &str) -> Said {
    let said = say(stage, utterance).await;
    assert_eq!(
        said.spoken.last().map(String::as_str),
        Some(question),
        "{utterance}"
    );
    assert!(said.session.as_ref().is_some_and(|session| session.open));
    said
}

async fn calls(stage: &Stage, utterance: &str, announcement: &str) {
    let said = say(stage, utterance).await;
    assert_eq!(
        said.spoken.last().map(String::as_str),
        Some(announcement),
        "{utterance}"
    );
    let call = said.call.expect("a call");
    stage.over(&call.id).await;
}

fn directive(said: &Said) -> &str {
    said.reply
        .as_ref()
        .and_then(|reply| reply.directives.first())
        .and_then(|directive| directive["type"].as_str())
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_dialog_model_the_session_remembers_the_question() {
    let (stage, _busy) = stage(false).await;
    asks(&stage, "open harbour hotel", "Whom would you like to call?").await;
    let unknown = "I can not call that. Whom would you like to call?";
    asks(&stage, "call the moon", unknown).await;
    let which = "Do you mean front desk or housekeeping?";
    assert_eq!(directive(&asks(&stage, "call the desk", which).await), "");
    asks(&stage, "yes", which).await;
    calls(&stage, "front desk", "Calling the front desk.").await;
    asks(&stage, "call housekeeping", "Shall I call housekeeping?").await;
    calls(&stage, "yes", "Calling housekeeping.").await;
    asks(&stage, "call housekeeping", "Shall I call housekeeping?").await;
    let said = say(&stage, "no").await;
    assert_eq!(said.spoken, ["All right, I do not call."]);
    assert!(said.call.is_none() && !said.session.expect("a session").open);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_dialog_model_its_directives_ask() {
    let (stage, _busy) = stage(true).await;
    let missing = asks(&stage, "make a call", "Whom would you like to call?").await;
    assert_eq!(directive(&missing), "Dialog.ElicitSlot");
    let which = asks(
        &stage,
        "the desk",
        "Do you mean front desk or housekeeping?",
    )
    .await;
    assert_eq!(directive(&which), "Dialog.ElicitSlot");
    calls(&stage, "front desk", "Calling the front desk.").await;
    let whether = asks(&stage, "call housekeeping", "Shall I call housekeeping?").await;
    assert_eq!(directive(&whether), "Dialog.ConfirmIntent");
    calls(&stage, "yes", "Calling housekeeping.").await;
    asks(&stage, "call housekeeping", "Shall I call housekeeping?").await;
    let said = say(&stage, "no").await;
    assert_eq!(said.spoken, ["All right, I do not call."]);
    assert!(said.call.is_none());
    stage.end().await;
}
