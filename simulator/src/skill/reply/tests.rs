//! A good answer, and each broken rule.

use super::*;

fn problems(body: &str) -> String {
    let problems = read(
        Some("application/json;charset=utf-8"),
        body.as_bytes(),
        Expected::Speech,
    )
    .expect_err(body);
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

#[test]
fn a_good_answer_is_read_whole() {
    let body = r#"{"version":"1.0","sessionAttributes":{"a":1},"response":{
        "outputSpeech":{"type":"SSML","ssml":"<speak>Calling <emphasis level=\"strong\">Fish &amp; Chips</emphasis>.<break time='1s'/></speak>"},
        "reprompt":{"outputSpeech":{"type":"PlainText","text":"Well?"}},
        "card":{"type":"AskForPermissionsConsent","permissions":["alexa::profile:mobile_number:read"]},
        "shouldEndSession":false,"directives":[{"type":"X"}]}}"#;
    let reply = read(Some("application/json"), body.as_bytes(), Expected::Speech).expect("good");
    assert_eq!(reply.speech.as_deref(), Some("Calling Fish & Chips."));
    assert_eq!(reply.reprompt.as_deref(), Some("Well?"));
    assert_eq!(reply.should_end_session, Some(false));
    assert_eq!(reply.session_attributes["a"], 1);
}

#[test]
fn each_broken_rule_is_named() {
    let speech =
        |inner: &str| format!(r#"{{"version":"1.0","response":{{"outputSpeech":{inner}}}}}"#);
    for (body, expected) in [
        ("nonsense".to_owned(), "is no JSON"),
        ("[]".to_owned(), "is no JSON object"),
        (r#"{"response":{}}"#.to_owned(), "version: is missing"),
        (r#"{"version":"1.0"}"#.to_owned(), "response: is missing"),
        (
            r#"{"version":"1.0","response":{"shouldEndSession":"yes"}}"#.to_owned(),
            "expected true or false",
        ),
        (
            r#"{"version":"1.0","response":{"card":{"type":"Fancy"}}}"#.to_owned(),
            "response.card.type: is \"Fancy\"",
        ),
        (
            r#"{"version":"1.0","response":{"card":{"type":"AskForPermissionsConsent"}}}"#
                .to_owned(),
            "array of scopes",
        ),
        (
            r#"{"version":"1.0","response":{"directives":[{}]}}"#.to_owned(),
            "response.directives[0].type",
        ),
        (
            speech(r#"{"type":"Text","text":"x"}"#),
            "expected PlainText or SSML",
        ),
        (
            speech(r#"{"type":"PlainText"}"#),
            "response.outputSpeech.text: is missing",
        ),
        (
            speech(r#"{"type":"SSML","ssml":"hello"}"#),
            "outside <speak>",
        ),
        (
            speech(r#"{"type":"SSML","ssml":"<speak>a & b</speak>"}"#),
            "write &amp;",
        ),
        (
            speech(r#"{"type":"SSML","ssml":"<speak><p>a</speak>"}"#),
            "</p> is expected",
        ),
        (
            speech(r#"{"type":"SSML","ssml":"<speak>a"}"#),
            "<speak> is not closed",
        ),
        (
            speech(&format!(
                r#"{{"type":"PlainText","text":"{}"}}"#,
                "x".repeat(8001)
            )),
            "8000 characters",
        ),
        (
            format!(
                r#"{{"version":"1.0","response":{{}},"x":"{}"}}"#,
                "x".repeat(MAX_REPLY)
            ),
            "24 KB",
        ),
    ] {
        let problems = problems(&body);
        assert!(problems.contains(expected), "{problems}");
    }
    let problems = read(
        Some("text/html"),
        br#"{"version":"1.0","response":{}}"#,
        Expected::Speech,
    )
    .expect_err("not JSON by name");
    assert!(problems[0].message.contains("application/json"));
    assert!(
        read(
            Some("application/json"),
            speech(r#"{"type":"PlainText","text":"x"}"#).as_bytes(),
            Expected::Nothing
        )
        .is_err()
    );
}
