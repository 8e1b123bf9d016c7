//! Redaction by planted secrets: whatever dress they come in, and whatever is cut, they are not found again.

use proptest::prelude::*;
use skillcall_protocol::redact;
use skillcall_protocol::trace::{Ids, Level, Message, Record, Text};

const NUMBER: &str = "12045550100";
const TOKEN: &str = "Q7planted9Token";

/// Each text holds [`NUMBER`] or [`TOKEN`] as real messages do.
fn planted() -> Vec<String> {
    let jwt = format!("eyJhbGciOiJSUzI1NiJ9.{TOKEN}{TOKEN}.{TOKEN}");
    vec![
        format!("sip:{NUMBER}@pbx"),
        format!("<sip:+{NUMBER};phone-context=x@pbx;user=phone>"),
        format!("tel:+{NUMBER}"),
        format!("+{NUMBER},+{NUMBER}"),
        format!("/sim/calls?to=%2B{NUMBER}&x=1"),
        format!("Authorization: Bearer {TOKEN}"),
        format!("authorization=bearer {TOKEN}"),
        format!("Atza|{TOKEN} Atzr|{TOKEN} Atc|{TOKEN}"),
        format!("grant_type=refresh_token&refresh_token={TOKEN}&client_secret={TOKEN}"),
        format!("error: token {jwt} expired"),
        format!(
            r#"{{"context":{{"System":{{"apiAccessToken":"{jwt}","user":{{"accessToken":"{TOKEN}","permissions":{{"consentToken":"{TOKEN}"}}}}}}}}}}"#
        ),
        format!(r#"{{"access_token":"{TOKEN}","refresh_token":"{TOKEN}","expires_in":3600}}"#),
        format!(r#"{{"grant":{{"type":"OAuth2.AuthorizationCode","code":"{TOKEN}"}}}}"#),
        format!(r#"{{"countryCode":"+1","phoneNumber":"{}"}}"#, &NUMBER[1..]),
        format!(r#"{{"phoneNumber":{NUMBER}}}"#),
        format!(
            r#"{{"CallDetails":{{"Participants":[{{"From":"+{NUMBER}","To":"{NUMBER}","SipHeaders":{{"P-Asserted-Identity":"<sip:+{NUMBER}@x>","Authorization":"Digest {TOKEN}"}}}}]}}}}"#
        ),
        format!(
            r#"{{"Attendee":{{"JoinToken":"{TOKEN}"}},"list":["Bearer {TOKEN}","+{NUMBER}"]}}"#
        ),
        format!(r#"{{"nested":"{{\"apiAccessToken\":\"{TOKEN}\",\"to\":\"+{NUMBER}\"}}"}}"#),
        format!(
            "INVITE sip:+{NUMBER}@h SIP/2.0\r\nFrom: \"{NUMBER}\" <sip:{NUMBER}@h>;tag=1\r\nProxy-Authorization: Digest username=\"{TOKEN}\"\r\n\r\nv=0\r\no={NUMBER} 1 1 IN IP4 127.0.0.1\r\na=crypto:1 S inline:{TOKEN}|2^20\r\na=ice-pwd:{TOKEN}\r\n"
        ),
        format!(
            "--x\r\nContent-Type: application/sdp\r\n\r\na=crypto:1 S inline:{TOKEN}\r\na=ice-pwd:{TOKEN}\r\n--x--"
        ),
    ]
}

fn clean(text: &str, from: &str) {
    for secret in [NUMBER, &NUMBER[1..], "planted"] {
        assert!(
            !text.contains(secret),
            "{secret} is left of {from}\nin {text}"
        );
    }
}

#[test]
fn planted_secrets_are_not_found_again() {
    for text in planted() {
        clean(&redact::any(&text), &text);
        assert_eq!(
            redact::any(&redact::any(&text)),
            redact::any(&text),
            "twice: {text}"
        );
    }
}

#[test]
fn a_record_is_clean_whatever_it_is_made_of() {
    use skillcall_protocol::trace::{Direction, Party, Protocol};
    for text in planted() {
        let message = Message::new(
            Party::Alexa,
            Party::Component,
            Direction::Sent,
            Protocol::Http,
            "POST /alexa",
        )
        .body(text.as_bytes());
        clean(
            &Record::message(1, Party::Alexa, Ids::default(), message).to_line(),
            &text,
        );
        let unread = serde_json::json!({ "v": 1, "at": 1, "part": "alexa", "kind": "note", "level": "info", "text": text });
        let read: Record = serde_json::from_value(unread).unwrap();
        clean(&read.to_line(), &text);
    }
    let note = Record::note(
        1,
        Party::Sidecar,
        Ids::default(),
        Level::Error,
        &format!("+{NUMBER} Bearer {TOKEN}"),
    );
    clean(&note.to_line(), "a note");
}

#[test]
fn digits_that_were_pressed_are_hidden_single_ones_too() {
    for (input, output) in [
        (
            r#"{"ReceivedDigits":"4711"}"#,
            r#"{"ReceivedDigits":"[digits]"}"#,
        ),
        (
            r#"{"ReceivedDigits":"1"}"#,
            r#"{"ReceivedDigits":"[digit]"}"#,
        ),
        (r#"{"ReceivedDigits":""}"#, r#"{"ReceivedDigits":""}"#),
        (r#"{"digits":4711}"#, r#"{"digits":"[digits]"}"#),
        (
            r#"{"TransactionAttributes":{"skillcall.digits":"4711"}}"#,
            r#"{"TransactionAttributes":{"skillcall.digits":"[digits]"}}"#,
        ),
    ] {
        assert_eq!(redact::any(input), output);
    }
}

#[test]
fn a_cut_body_holds_no_part_of_a_secret() {
    // The secret straddles the place of the cut, and the JSON is cut in its middle.
    for length in 8_150..8_220 {
        let body = format!(
            r#"{{"a":"{}","accessToken":"{TOKEN}","to":"+{NUMBER}","b":"{}"}}"#,
            "x".repeat(length),
            "y".repeat(200)
        );
        let text = Text::body(body.as_bytes());
        clean(&text, "a cut body");
        let again: Text = serde_json::from_value(serde_json::to_value(&text).unwrap()).unwrap();
        clean(&again, "a cut body, read again");
    }
}

proptest! {
    #[test]
    fn nothing_panics_and_twice_is_once(text in "\\PC{0,80}|[+0-9a-f %Bu\\\\=:;,.\"{}\\[\\]\r\n-]{0,80}") {
        let once = redact::any(&text);
        let _ = (redact::text(&text), redact::sip(&text), redact::sdp(&text), redact::path(&text), redact::json(text.as_bytes()));
        let _ = redact::any(&once);
    }

    #[test]
    fn a_number_is_hidden_between_anything(before in "[^0-9A-Za-z]{0,6}", number in "[1-9][0-9]{10}", after in "[^0-9A-Za-z]{0,6}") {
        let redacted = redact::text(&format!("{before}+{number}{after}"));
        prop_assert!(!redacted.contains(&number[..8]), "{}", redacted);
    }

    #[test]
    fn json_stays_json(value in "[+0-9A-Za-z|= ]{0,30}", name in "[A-Za-z]{1,12}") {
        let text = serde_json::json!({ name: [value, { "token": 1 }] }).to_string();
        let redacted = redact::json(text.as_bytes()).unwrap();
        prop_assert!(serde_json::from_str::<serde_json::Value>(&redacted).is_ok(), "{}", redacted);
    }
}
