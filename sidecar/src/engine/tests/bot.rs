//! StartBotConversation (facts F6).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::script::{Stage, config, inbound, play_on};
use crate::engine::{BotAbility, EngineConfig};

/// A call to an application with a bot that is told digits only (`digits`), and one that hears (`ears`).
fn stage() -> Stage {
    let ability = |hears| BotAbility { hears, voice: None };
    let bots = [("digits", ability(false)), ("ears", ability(true))];
    let bots: BTreeMap<String, BotAbility> = bots.map(|(arn, bot)| (arn.to_owned(), bot)).into();
    Stage::new(
        EngineConfig {
            bots: Arc::new(bots),
            ..config()
        },
        inbound(&[]),
    )
}

const CALL: (&str, &[&str]) = ("call", &["ask 1.1 NEW_INBOUND_CALL"]);
const TALK: &str = r#"reply {"Type":"StartBotConversation","Parameters":{"BotAliasArn":"digits"}}"#;
const WELCOME: &str = r#"reply {"Type":"StartBotConversation","Parameters":{"BotAliasArn":"ears","Configuration":{"SessionState":{"DialogAction":{"Type":"ElicitIntent"}},"WelcomeMessages":[{"Content":"Hello","ContentType":"PlainText"}]}}}"#;

#[test]
fn digits_are_ended_by_a_hash_and_by_time_and_taken_back_by_a_star() {
    let stage = play_on(
        stage(),
        &[
            CALL,
            (TALK, &["answer A", "listen A"]),
            ("digits A 12", &[]),
            ("wait 4999", &[]),
            ("digits A *34", &[]),
            ("digits A #", &["bot 1 34"]),
            // While the bot thinks, digits are nobody's.
            ("digits A 9", &[]),
            ("bot 1 elicit Sure", &["render 2 Sure"]),
            ("ready 2", &["play 3 A speech 2 x1"]),
            ("played 3", &["drop 2"]),
            ("digits A 5", &[]),
            ("wait 4999", &[]),
            ("wait 1", &["bot 4 5"]),
            ("bot 4 close Bye", &["render 5 Bye"]),
            ("ready 5", &["play 6 A speech 5 x1"]),
            // What is said last is not interrupted.
            ("digits A 1", &[]),
            (
                "played 6",
                &[
                    "drop 5",
                    "ask 2.1 ACTION_SUCCESSFUL StartBotConversation",
                    "deaf A",
                ],
            ),
        ],
    );
    let event = stage.last_event();
    assert_eq!(
        event["ActionData"]["IntentResult"],
        json!({"SessionState": {"Intent": {"Name": "Order", "State": "Fulfilled"}}})
    );
    let told: Vec<&str> = stage.notes.iter().map(|note| note.text.as_str()).collect();
    assert!(
        told.iter().any(|text| text.contains("2 digits"))
            && !told.iter().any(|text| text.contains("34")),
        "which digits is nobody's business: {told:?}"
    );
}

#[test]
fn speech_interrupts_the_bot_and_is_given_to_it() {
    play_on(
        stage(),
        &[
            CALL,
            (WELCOME, &["render 1 Hello"]),
            (
                "ready 1",
                &["answer A", "play 2 A speech 1 x1", "hear A", "listen A"],
            ),
            ("speaks A", &["stop-play 2 A", "drop 1"]),
            ("wait 3000", &[]),
            ("said A", &["bot 3 160 samples"]),
            ("bot 3 elicit What?", &["render 4 What?"]),
            ("ready 4", &["play 5 A speech 4 x1", "hear A"]),
            ("played 5", &["drop 4"]),
            // A digit goes before speech.
            ("digits A 1", &["hear-no-more A"]),
            ("said A", &[]),
            ("digits A #", &["bot 6 1"]),
            (
                "bot 6 fail ResourceNotFound",
                &[
                    "ask 2.1 ACTION_FAILED StartBotConversation ResourceNotFound",
                    "deaf A",
                ],
            ),
        ],
    );
}

#[test]
fn three_silences_are_a_conversation_that_failed() {
    let mut stage = play_on(
        stage(),
        &[
            CALL,
            (WELCOME, &["render 1 Hello"]),
            (
                "ready 1",
                &["answer A", "play 2 A speech 1 x1", "hear A", "listen A"],
            ),
            ("played 2", &["drop 1"]),
            ("wait 3999", &[]),
            ("wait 1", &["hear-no-more A", "render 3 Hello"]),
            ("ready 3", &["play 4 A speech 3 x1", "hear A"]),
            ("played 4", &["drop 3"]),
            // Noise, in which there was no word, is as good as nothing.
            ("speaks A", &[]),
            ("said A", &["bot 5 160 samples"]),
            ("bot 5 nothing", &["render 6 Hello"]),
            ("ready 6", &["play 7 A speech 6 x1", "hear A"]),
            ("played 7", &["drop 6"]),
            (
                "wait 4000",
                &[
                    "hear-no-more A",
                    "ask 2.1 ACTION_SUCCESSFUL StartBotConversation",
                    "deaf A",
                ],
            ),
        ],
    );
    let intent = &stage.last_event()["ActionData"]["IntentResult"]["SessionState"]["Intent"];
    assert_eq!(
        (&intent["Name"], &intent["State"]),
        (&json!("FallbackIntent"), &json!("Failed"))
    );
    stage.step("shutdown");
}

#[test]
fn a_caller_who_hangs_up_leaves_nothing_behind() {
    for (steps, left) in [
        (vec![], vec![]),
        (vec!["ready 1"], vec!["drop 1"]),
        (vec!["ready 1", "played 2", "digits A 1#"], vec!["drop-bot"]),
    ] {
        let mut stage = play_on(stage(), &[CALL, (WELCOME, &["render 1 Hello"])]);
        for step in steps {
            stage.step(step);
        }
        let commands = stage.step("hungup A");
        for word in left {
            assert!(
                commands.iter().any(|command| command.starts_with(word)),
                "{commands:?}"
            );
        }
        assert!(
            commands.iter().any(|command| command.contains("HANGUP")),
            "{commands:?}"
        );
        assert_eq!(stage.step("nothing"), ["end"]);
    }
}

#[test]
fn bots_talk_to_leg_a_alone_and_must_be_known() {
    for (parameters, error) in [
        (r#""BotAliasArn":"other""#, "ResourceNotFound"),
        (
            r#""BotAliasArn":"digits","LocaleId":"../x""#,
            "InvalidActionParameter",
        ),
        (
            r#""BotAliasArn":"digits","ParticipantTag":"LEG-B""#,
            "InvalidActionParameter",
        ),
    ] {
        let mut stage = stage();
        stage.step("call");
        let step =
            format!(r#"reply {{"Type":"StartBotConversation","Parameters":{{{parameters}}}}}"#);
        assert_eq!(
            stage.step(&step),
            [format!(
                "ask 2.1 ACTION_FAILED StartBotConversation {error}"
            )]
        );
    }
}
