//! What the simulated Alexa makes of utterances, and what it says of unusable models.

use skillcall_simulator::model::{Heard, Model, ModelError};

const HOTEL: &str = r#"{"interactionModel":{"languageModel":{"invocationName":"harbour hotel","intents":[
  {"name":"AMAZON.CancelIntent","samples":[]},{"name":"AMAZON.HelpIntent","samples":["what can you do"]},
  {"name":"AMAZON.StopIntent","samples":[]},{"name":"AMAZON.FallbackIntent","samples":[]},{"name":"AMAZON.YesIntent"},
  {"name":"CallIntent","slots":[{"name":"destination","type":"DESTINATION"}],
   "samples":["call {destination}","connect me with the {destination}","I need {destination}"]},
  {"name":"RoomIntent","slots":[{"name":"room","type":"AMAZON.NUMBER"}],"samples":["call room {room}"]},
  {"name":"NoteIntent","slots":[{"name":"who","type":"DESTINATION"},{"name":"text","type":"AMAZON.SearchQuery"}],
   "samples":["tell {who} that {text}"]}],
  "types":[{"name":"DESTINATION","values":[
    {"id":"FRONT_DESK","name":{"value":"front desk","synonyms":["reception","the desk"]}},
    {"name":{"value":"room service","synonyms":["kitchen"]}}]}]}}}"#;

fn hotel() -> Model {
    Model::parse(HOTEL, "en-US").expect("the model is good")
}

/// `CallIntent destination=front desk[FRONT_DESK]`, `Launch`, …
fn line(heard: &Heard) -> String {
    match heard {
        Heard::Intent { name, slots } => slots.iter().fold(name.clone(), |mut line, slot| {
            line.push_str(&format!(" {}=", slot.name));
            line.push_str(slot.value.as_deref().unwrap_or("-"));
            if let Some(resolution) = &slot.resolution {
                let ids: Vec<&str> = resolution
                    .values
                    .iter()
                    .map(|(_, id)| id.as_str())
                    .collect();
                line.push_str(&format!("[{}]", ids.join(",")));
            }
            line
        }),
        other => format!("{other:?}"),
    }
}

#[test]
fn utterances_become_what_alexa_makes_of_them() {
    let model = hotel();
    for (utterance, expected) in [
        (
            "call the front desk",
            "CallIntent destination=front desk[FRONT_DESK]",
        ),
        (
            "Alexa, call the Front Desk!",
            "CallIntent destination=front desk[FRONT_DESK]",
        ),
        (
            "call front-desk",
            "CallIntent destination=front desk[FRONT_DESK]",
        ),
        (
            "call reception",
            "CallIntent destination=reception[FRONT_DESK]",
        ),
        ("call desk", "CallIntent destination=desk[FRONT_DESK]"),
        (
            "connect me with front desk",
            "CallIntent destination=front desk[FRONT_DESK]",
        ),
        (
            "ask harbour hotel to call the front desk",
            "CallIntent destination=front desk[FRONT_DESK]",
        ),
        (
            "Alexa, ask the Harbour Hotel to call the front desk, please",
            "CallIntent destination=front desk[FRONT_DESK]",
        ),
        (
            "open harbour hotel and call the kitchen",
            "CallIntent destination=kitchen[ROOMSERVICE]",
        ),
        (
            "call the front desk using harbour hotel",
            "CallIntent destination=front desk[FRONT_DESK]",
        ),
        (
            "call my grandmother",
            "CallIntent destination=grandmother[]",
        ),
        ("call room twenty five", "RoomIntent room=25"),
        ("call room four oh two", "RoomIntent room=402"),
        ("call room 117", "RoomIntent room=117"),
        (
            "tell the front desk that I am late",
            "NoteIntent who=front desk[FRONT_DESK] text=i am late",
        ),
        ("open harbour hotel", "Launch"),
        ("harbour hotel", "Launch"),
        ("what can you do", "AMAZON.HelpIntent"),
        ("help", "AMAZON.HelpIntent"),
        ("never mind", "AMAZON.CancelIntent"),
        ("Stop.", "AMAZON.StopIntent"),
        ("yes, please", "AMAZON.YesIntent"),
        ("exit", "Exit"),
        ("sing me a song", "AMAZON.FallbackIntent"),
        ("ask harbour hotel for the moon", "AMAZON.FallbackIntent"),
        ("", "NotUnderstood"),
        ("!?", "NotUnderstood"),
    ] {
        let got = line(&model.hear(utterance));
        let kitchen = got
            .split('[')
            .nth(1)
            .filter(|id| id.len() == 33)
            .map(|id| got.replace(id, "ROOMSERVICE]"));
        assert_eq!(kitchen.unwrap_or(got), expected, "for {utterance:?}");
    }
}

#[test]
fn another_language_has_its_own_words() {
    let model = Model::parse(
        r#"{"interactionModel":{"languageModel":{"invocationName":"hafen hotel","intents":[
        {"name":"CallIntent","slots":[{"name":"ziel","type":"ZIEL"}],"samples":["rufe {ziel} an","ruf {ziel} an"]},
        {"name":"AMAZON.HelpIntent"}],
        "types":[{"name":"ZIEL","values":[{"id":"R","name":{"value":"rezeption","synonyms":["empfang"]}}]}]}}}"#,
        "de-DE",
    )
    .expect("the model is good");
    for (utterance, expected) in [
        ("rufe die Rezeption an", "CallIntent ziel=rezeption[R]"),
        (
            "Öffne Hafen-Hotel und rufe den Empfang an",
            "CallIntent ziel=empfang[R]",
        ),
        ("starte hafen hotel", "Launch"),
        ("Hilfe!", "AMAZON.HelpIntent"),
        ("beenden", "Exit"),
        ("singe ein lied", "NotUnderstood"),
    ] {
        assert_eq!(line(&model.hear(utterance)), expected, "for {utterance:?}");
    }
}

#[test]
fn many_words_and_slots_end_in_time() {
    let model = Model::parse(
        r#"{"interactionModel":{"languageModel":{"invocationName":"many words","intents":[{"name":"ManyIntent",
        "slots":[{"name":"a","type":"AMAZON.SearchQuery"},{"name":"b","type":"AMAZON.SearchQuery"},
        {"name":"c","type":"AMAZON.SearchQuery"},{"name":"d","type":"AMAZON.SearchQuery"}],
        "samples":["{a} {b} {c} {d} never"]}]}}}"#,
        "en-US",
    )
    .expect("the model is good");
    let utterance = "the a word ".repeat(100);
    assert_eq!(model.hear(&utterance), Heard::NotUnderstood);
}

#[test]
fn an_unusable_model_names_the_place_and_the_remedy() {
    for (from, to, place, words) in [
        (
            "\"harbour hotel\"",
            "\"Harbour Hotel\"",
            "invocationName",
            "lower-case",
        ),
        ("\"harbour hotel\"", "\"h\"", "invocationName", "2 to 50"),
        (
            "\"call {destination}\"",
            "\"call {dest}\"",
            "intents[5].samples[0]",
            "{dest} is no slot of \"CallIntent\"",
        ),
        (
            "\"call {destination}\"",
            "\"call {destination\"",
            "intents[5].samples[0]",
            "without its `}`",
        ),
        (
            "\"call {destination}\"",
            "\"call }x{\"",
            "intents[5].samples[0]",
            "without its `{`",
        ),
        (
            "\"type\":\"DESTINATION\"}],\n   \"samples\":[\"call {",
            "\"type\":\"DEST\"}],\n   \"samples\":[\"call {",
            "intents[5].slots[0].type",
            "no type of this model",
        ),
        (
            "\"name\":\"RoomIntent\"",
            "\"name\":\"CallIntent\"",
            "intents[6]",
            "there twice",
        ),
        (
            "[\"call room {room}\"]",
            "[]",
            "intents[6].samples",
            "no samples",
        ),
    ] {
        let json = HOTEL.replacen(from, to, 1);
        assert_ne!(json, HOTEL, "{from} is not in the model");
        let error = Model::parse(&json, "en-US").expect_err(to).to_string();
        assert!(error.contains(place) && error.contains(words), "{error}");
    }
    match Model::parse(
        &HOTEL.replacen("\"samples\":[]", "\"samples\":[}", 1),
        "en-US",
    ) {
        Err(ModelError::Json {
            line: 2, column, ..
        }) if column > 40 => {}
        other => panic!("{other:?}"),
    }
}
