//! Replies: three kinds of "no actions", three of attributes, and each way of being wrong.

use serde_json::json;

use super::*;
use crate::sma::action::{Hangup, Pause, Speak};

fn parse(text: &str) -> Result<Reply, ReplyError> {
    parse_reply(text.as_bytes())
}

#[test]
fn absent_null_and_empty_lists_are_told_apart() {
    assert_eq!(parse(r#"{"SchemaVersion":"1.0"}"#).unwrap().actions, None);
    assert_eq!(
        parse(r#"{"SchemaVersion":"1.0","Actions":null}"#)
            .unwrap()
            .actions,
        None
    );
    assert_eq!(
        parse(r#"{"SchemaVersion":"1.0","Actions":[]}"#)
            .unwrap()
            .actions,
        Some(Vec::new())
    );
    let keep = parse(r#"{"SchemaVersion":"1.0","TransactionAttributes":null}"#).unwrap();
    assert_eq!(keep.transaction_attributes, AttributeUpdate::Keep);
    let clear = parse(r#"{"SchemaVersion":"1.0","TransactionAttributes":{}}"#).unwrap();
    assert_eq!(
        clear.transaction_attributes,
        AttributeUpdate::Set(TransactionAttributes::new())
    );
}

#[test]
fn a_bad_parameter_does_not_spoil_the_actions_before_it() {
    let reply = parse(
        r#"{"SchemaVersion":"1.0","Actions":[{"Type":"Pause","Parameters":{"DurationInMilliseconds":"10"}},
            {"Type":"Speak"},{"Type":"Hangup","Parameters":{}}]}"#,
    )
    .unwrap();
    let actions = reply.requested();
    assert_eq!(
        actions[0].checked,
        Ok(Pause {
            duration_in_milliseconds: 10,
            ..Pause::default()
        }
        .into())
    );
    assert_eq!(
        actions[0].parameters["DurationInMilliseconds"],
        json!("10"),
        "events give back what was sent"
    );
    let error = actions[1].checked.as_ref().unwrap_err();
    assert_eq!((error.index, error.field.as_str()), (1, "Text"));
    assert!(actions[2].checked.is_ok());
}

#[test]
fn each_wrong_reply_is_named() {
    let eleven = format!(
        r#"{{"SchemaVersion":"1.0","Actions":[{}]}}"#,
        [r#"{"Type":"Hangup"}"#; 11].join(",")
    );
    let ten = format!(
        r#"{{"SchemaVersion":"1.0","Actions":[{}]}}"#,
        [r#"{"Type":"Hangup"}"#; 10].join(",")
    );
    assert_eq!(parse(&ten).unwrap().requested().len(), 10);
    let many = (0..101)
        .map(|n| format!(r#""k{n}":"v""#))
        .collect::<Vec<_>>()
        .join(",");
    let many = format!(r#"{{"SchemaVersion":"1.0","TransactionAttributes":{{{many}}}}}"#);
    let schema = ErrorType::SchemaVersionMismatch;
    for (body, error_type, told) in [
        ("", &schema, "the reply is empty"),
        (" \n", &schema, "the reply is empty"),
        ("{", &schema, "line 1, column 1"),
        ("null", &schema, "the reply is null"),
        ("[]", &schema, "a list of 0"),
        ("\"ok\"", &schema, "\"ok\""),
        (
            r#""{\"SchemaVersion\":\"1.0\",\"Actions\":[]}""#,
            &schema,
            "without serialising it a second time",
        ),
        (r#"{"statusCode":200,"body":"{}"}"#, &schema, "API Gateway"),
        ("{}", &schema, "SchemaVersion is missing"),
        (
            r#"{"SchemaVersion":"2.0"}"#,
            &schema,
            "SchemaVersion is \"2.0\"; expected \"1.0\"",
        ),
        (
            r#"{"SchemaVersion":"1.0","Actions":{}}"#,
            &ErrorType::InvalidActionList,
            "Actions is an object",
        ),
        (
            r#"{"SchemaVersion":"1.0","Actions":[1]}"#,
            &ErrorType::InvalidActionList,
            "action 1: it is 1",
        ),
        (
            r#"{"SchemaVersion":"1.0","Actions":[{"type":"Speak"}]}"#,
            &ErrorType::InvalidActionList,
            "action 1: Type is null",
        ),
        (
            r#"{"SchemaVersion":"1.0","Actions":[{"Type":"Speak","Parameters":"x"}]}"#,
            &ErrorType::InvalidActionList,
            "Parameters is \"x\"",
        ),
        (
            r#"{"SchemaVersion":"1.0","Actions":[{"Type":"Hangup"},{"Type":"HangUp"}]}"#,
            &ErrorType::UnsupportedActionType,
            "action 2: Type is \"HangUp\" (did you mean \"Hangup\"?)",
        ),
        (
            &eleven,
            &ErrorType::ActionsInvalidListSize,
            "11 actions; expected at most 10",
        ),
        (
            &many,
            &ErrorType::TransactionAttributesInvalidMapSize,
            "101 pairs",
        ),
        (
            r#"{"SchemaVersion":"1.0","TransactionAttributes":[]}"#,
            &ErrorType::TransactionAttributesInvalidValue,
            "a list of 0",
        ),
    ] {
        let error = parse(body).unwrap_err();
        assert!(error.to_string().contains(told), "{body}: {error}");
        assert_eq!(error.error_type(), *error_type, "{body}");
    }
    assert!(parse_reply(b"\xff\xfe").is_err());
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    assert!(
        matches!(parse(&deep), Err(ReplyError::NotJson { .. })),
        "nesting is bounded"
    );
}

#[test]
fn what_is_written_is_read_the_same() {
    let written = Reply::with([Speak::text("Hello").into(), Hangup::default().into()])
        .attributes([("step".to_owned(), "end".to_owned())].into());
    let body = serde_json::to_value(&written).unwrap();
    assert_eq!(
        body,
        json!({"SchemaVersion": "1.0", "Actions": [{"Type": "Speak", "Parameters": {"Text": "Hello"}},
            {"Type": "Hangup", "Parameters": {"SipResponseCode": 0}}], "TransactionAttributes": {"step": "end"}})
    );
    assert_eq!(read_reply(&body).unwrap(), written);
    assert_eq!(
        serde_json::to_value(Reply::default()).unwrap(),
        json!({"SchemaVersion": "1.0"})
    );
}
