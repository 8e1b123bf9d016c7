//! What reaches the engine.

use super::prepare;
use crate::speech::{EspeakNg, SpeechEngine, SpeechRequest, Voices};

fn said(inner: &str) -> String {
    let prepared = prepare(&format!("<speak>{inner}</speak>")).unwrap();
    let text = prepared.text;
    text.strip_prefix("<speak>")
        .and_then(|text| text.strip_suffix("</speak>"))
        .unwrap()
        .to_owned()
}

#[test]
fn tags_become_those_of_the_engine() {
    for (inner, expected) in [
        ("one &amp; two", "one &amp; two"),
        ("a &#x41; &lt;b&gt;", "a A &lt;b&gt;"),
        (r#"a<break time="1.5s"/>b"#, r#"a<break time="1500ms"/>b"#),
        (r#"a<break time="60s"/>"#, r#"a<break time="10000ms"/>"#),
        (
            r#"a<break strength="none"/>b<break/>"#,
            r#"ab<break time="400ms"/>"#,
        ),
        (
            r#"<prosody rate="slow" pitch="+10%" volume="-6dB">x</prosody>"#,
            r#"<prosody rate="75%" pitch="+10%" volume="50%">x</prosody>"#,
        ),
        (
            r#"<prosody rate="-10%" volume="x-loud">x</prosody>"#,
            r#"<prosody rate="90%" volume="x-loud">x</prosody>"#,
        ),
        (
            r#"<emphasis level="strong">no</emphasis>"#,
            r#"<emphasis level="strong">no</emphasis>"#,
        ),
        (
            r#"<sub alias="World Wide Web">WWW</sub>!"#,
            "World Wide Web!",
        ),
        (
            r#"<lang xml:lang="de-DE">Guten Tag</lang>"#,
            r#"<voice xml:lang="de">Guten Tag</voice>"#,
        ),
        ("<p><s>One</s><s>Two</s></p>", "<p><s>One</s><s>Two</s></p>"),
        (r#"<mark name="x"/><w role="amazon:VB">read</w>"#, "read"),
    ] {
        assert_eq!(said(inner), expected, "{inner}");
    }
}

#[test]
fn numbers_are_written_out() {
    let say = |what: &str, text: &str| said(&format!("<say-as {what}>{text}</say-as>"));
    let as_ = |name: &str| format!(r#"interpret-as="{name}""#);
    let date = |format: &str| format!(r#"interpret-as="date" format="{format}""#);
    for (what, text, expected) in [
        (as_("digits"), "12 34", "1 2 3 4"),
        (
            as_("telephone"),
            "+14255550123",
            "plus, 1, 4 2 5, 5 5 5, 0 1 2 3",
        ),
        (as_("telephone"), "(425) 555-0123", "4 2 5, 5 5 5, 0 1 2 3"),
        (as_("telephone"), "911", "9 1 1"),
        (
            as_("characters"),
            "a&amp;b",
            r#"<say-as interpret-as="characters">a&amp;b</say-as>"#,
        ),
        (as_("ordinal"), "21", "twenty first"),
        (as_("ordinal"), "112", "112th"),
        (date("mdy"), "3/15/2024", "March fifteenth, 2024"),
        (date("dmy"), "15.03.2024", "March fifteenth, 2024"),
        (date("ymd"), "2024-03-05", "March fifth, 2024"),
        (date("yyyymmdd"), "20240330", "March thirtieth, 2024"),
        (as_("date"), "????0922", "September twenty second"),
        (date("md"), "12/31", "December thirty first"),
        (date("my"), "Sept/2019", "Sept, 2019"),
        (date("mdy"), "nonsense", "nonsense"),
        (date("mdy"), "13/45/2024", "13/45/2024"),
        (as_("cardinal"), "12345", "12345"),
    ] {
        assert_eq!(say(&what, text), expected, "{what} {text}");
    }
}

#[test]
fn what_is_not_known_is_said_without_its_tag_and_told() {
    let prepared = prepare(
        r#"<speak><amazon:effect name="whispered">hush</amazon:effect><audio src="file:///etc/passwd">x</audio>
        <say-as interpret-as="expletive">y</say-as><prosody rate="brisk">z</prosody><break time="soon"/></speak>"#,
    )
    .unwrap();
    assert!(!prepared.text.contains("passwd") && !prepared.text.contains("amazon"));
    for word in ["hush", "x", "y", "z"] {
        assert!(prepared.text.contains(word), "{word} in {}", prepared.text);
    }
    assert_eq!(prepared.notes.len(), 5, "{:?}", prepared.notes);
    assert_eq!(prepare("plain").unwrap().notes.len(), 1);
}

#[test]
fn what_is_not_well_formed_is_refused_with_its_place() {
    for wrong in [
        "<speak>one",
        "<speak>one</speek>",
        "<speak><p>one</speak>",
        "<speak a=b>one</speak>",
        "<speak>one &nbsp; two</speak>",
        "<speak>one < two</speak>",
        "</speak>",
    ] {
        let error = prepare(wrong).unwrap_err().to_string();
        assert!(error.starts_with("Text is no well-formed SSML"), "{error}");
    }
    let deep = "<p>".repeat(200) + &"</p>".repeat(200);
    assert!(prepare(&deep).is_err());
}

/// Seconds that the engine takes for a text, and how loud it is.
async fn spoken(ssml: &str) -> (f64, f64) {
    let engine = EspeakNg::new("espeak-ng".into(), Voices::default());
    let request = SpeechRequest {
        text: prepare(ssml).unwrap().text,
        ssml: true,
        voice: "Joanna".into(),
        language: None,
    };
    let rendered = engine.render(&request).await.unwrap();
    let seconds = rendered.samples.len() as f64 / f64::from(rendered.rate);
    (
        seconds,
        skillcall_media::tone::level_dbov(&rendered.samples),
    )
}

#[tokio::test]
async fn the_engine_does_what_the_markup_says() {
    let plain = spoken("<speak>one two three four</speak>").await;
    let paused = spoken(r#"<speak>one two<break time="1500ms"/> three four</speak>"#).await;
    // It speaks the two halves as two clauses, which takes a little on top.
    let pause = paused.0 - plain.0;
    assert!((1.4..1.9).contains(&pause), "{pause} s");
    let slow =
        spoken(r#"<speak><prosody rate="x-slow">one two three four</prosody></speak>"#).await;
    assert!(slow.0 > plain.0 * 1.5, "{slow:?} {plain:?}");
    let soft =
        spoken(r#"<speak><prosody volume="-6dB">one two three four</prosody></speak>"#).await;
    let quieter = plain.1 - soft.1;
    assert!((4.0..8.0).contains(&quieter), "{quieter} dB");
    let number = spoken("<speak>425</speak>").await;
    let telephone =
        spoken(r#"<speak><say-as interpret-as="telephone">+14255550123</say-as></speak>"#).await;
    assert!(telephone.0 > number.0 * 1.5, "{telephone:?} {number:?}");
    let german = spoken(r#"<speak><lang xml:lang="de-DE">Guten Tag</lang></speak>"#).await;
    assert!(german.1 > -40.0);
}
