//! Each rule of facts B, by a request that breaks it and nothing else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;
use crate::host::OutboundReply;
use crate::http::{Body, Request};
use crate::testing::{
    Leaf, Memory, alexa_api, authority, call_request, installation, pem_reply, signed_alexa,
};

fn verified(host: &Memory, request: &Request) -> Result<Envelope, Refusal> {
    let settings = Settings::load(host).unwrap();
    verify(
        host,
        &settings,
        &Recorder::begin(host, None),
        &request.headers,
        &Body::of(&request.body),
        Deadline::within(host, Duration::from_secs(7)),
    )
}

fn refused(host: &Memory, request: &Request) -> Refusal {
    verified(host, request).expect_err("the request breaks a rule")
}

fn request() -> Request {
    signed_alexa(&call_request("amzn1.echo-api.request.1", "front desk"))
}

fn with_header(name: &str, value: Option<&str>) -> Request {
    let mut request = request();
    request
        .headers
        .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    request
        .headers
        .extend(value.map(|value| (name.to_owned(), value.as_bytes().to_vec())));
    request
}

fn with_chain(chain: String) -> Memory {
    let host = installation();
    host.answers(move |_| Ok(pem_reply(&chain)));
    host
}

fn changed(change: impl Fn(&mut Value)) -> Request {
    let mut body = call_request("amzn1.echo-api.request.1", "front desk");
    change(&mut body);
    signed_alexa(&body)
}

#[test]
fn a_right_request_is_accepted_and_its_chain_fetched_once() {
    let host = installation();
    for n in 0..5 {
        let id = format!("amzn1.echo-api.request.{n}");
        let envelope = verified(&host, &signed_alexa(&call_request(&id, "front desk"))).unwrap();
        assert_eq!(envelope.request.request_id.as_str(), id);
    }
    assert_eq!(host.asked(), ["GET /echo.api/echo-api-cert-12.pem"]);
}

#[test]
fn headers_that_are_missing_or_empty_are_refused_without_a_fetch() {
    let host = installation();
    for (name, value) in [
        (CHAIN_URL_HEADER, None),
        (CHAIN_URL_HEADER, Some("")),
        (SIGNATURE_HEADER, None),
        (SIGNATURE_HEADER, Some(" ")),
    ] {
        assert_eq!(
            refused(&host, &with_header(name, value)),
            Refusal::Header(name)
        );
    }
    assert_eq!(
        refused(&host, &with_header(SIGNATURE_HEADER, Some("***"))),
        Refusal::Encoding
    );
    assert!(host.asked().is_empty());
}

#[test]
fn the_old_signature_header_does_not_count() {
    let host = installation();
    let mut request = request();
    for (name, _) in &mut request.headers {
        if name == SIGNATURE_HEADER {
            "Signature".clone_into(name);
        }
    }
    assert_eq!(refused(&host, &request), Refusal::Header(SIGNATURE_HEADER));
}

#[test]
fn a_chain_elsewhere_is_refused_without_a_fetch() {
    let host = installation();
    for url in [
        "http://s3.amazonaws.com/echo.api/echo-api-cert-12.pem",
        "https://evil.example/echo.api/echo-api-cert-12.pem",
        "https://s3.amazonaws.com:8443/echo.api/echo-api-cert-12.pem",
        "https://s3.amazonaws.com/EcHo.aPi/echo-api-cert-12.pem",
        "https://s3.amazonaws.com/echo.api/../other/echo-api-cert-12.pem",
        "not a URL",
    ] {
        assert!(
            matches!(
                refused(&host, &with_header(CHAIN_URL_HEADER, Some(url))),
                Refusal::Url(_)
            ),
            "{url}"
        );
    }
    assert!(host.asked().is_empty());
}

#[test]
fn a_chain_that_cannot_be_had_is_refused() {
    let host = installation();
    for status in [404, 500, 204] {
        host.answers(move |_| {
            Ok(OutboundReply {
                status,
                headers: Vec::new(),
                body: Vec::new(),
            })
        });
        assert!(
            matches!(refused(&host, &request()), Refusal::Fetch(why) if why.contains(&status.to_string()))
        );
    }
    host.answers(|request| Err(crate::host::SendError::Timeout(request.timeout)));
    assert!(matches!(refused(&host, &request()), Refusal::Fetch(_)));
}

#[test]
fn a_chain_that_is_not_right_is_refused() {
    let ca = authority();
    let leaf = Leaf::default();
    let name = |name: &str| Leaf {
        names: vec![name.to_owned()],
        ..leaf.clone()
    };
    for (chain, expected) in [
        (String::new(), ChainError::Length(0)),
        ("no PEM".to_owned(), ChainError::Length(0)),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(),
            ChainError::Form(1),
        ),
        (ca.chain(&leaf).repeat(6), ChainError::Length(11)),
        (
            ca.chain(&Leaf {
                not_after: crate::testing::NOW_S - 1,
                ..leaf.clone()
            }),
            ChainError::Time,
        ),
        (
            ca.chain(&Leaf {
                not_before: crate::testing::NOW_S + 1,
                ..leaf.clone()
            }),
            ChainError::Time,
        ),
        (
            ca.chain(&name("echo-api.amazon.com.evil.example")),
            ChainError::Name,
        ),
        (ca.chain(&name("api.amazon.com")), ChainError::Name),
        (
            ca.chain(&Leaf {
                on_a_curve: true,
                ..leaf.clone()
            }),
            ChainError::Key,
        ),
    ] {
        assert_eq!(
            refused(&with_chain(chain), &request()),
            Refusal::Chain(expected)
        );
    }
    for chain in [
        ca.chain(&Leaf {
            by_itself: true,
            ..leaf
        }),
        ca.leaf_alone(),
    ] {
        assert!(matches!(
            refused(&with_chain(chain), &request()),
            Refusal::Chain(ChainError::Untrusted(_))
        ));
    }
    let host = installation();
    host.set("alexa_roots", ca.foreign_root());
    assert!(matches!(
        refused(&host, &request()),
        Refusal::Chain(ChainError::Untrusted(_))
    ));
    host.set("alexa_roots", "nothing");
    assert_eq!(
        refused(&host, &request()),
        Refusal::Chain(ChainError::Roots)
    );
}

#[test]
fn the_default_build_refuses_a_private_authority() {
    let host = installation();
    host.unset("alexa_roots");
    assert!(matches!(
        refused(&host, &request()),
        Refusal::Chain(ChainError::Untrusted(_))
    ));
    host.set("chain_origin", "http://127.0.0.1:7090");
    assert!(
        matches!(
            refused(&host, &request()),
            Refusal::Chain(ChainError::Untrusted(_))
        ),
        "another place is no other root"
    );
}

#[test]
fn chain_origin_moves_the_fetch_and_nothing_else() {
    let host = installation();
    host.set("chain_origin", "http://127.0.0.1:7090/");
    verified(&host, &request()).unwrap();
    assert_eq!(
        host.sent.lock().unwrap()[0].url,
        "http://127.0.0.1:7090/echo.api/echo-api-cert-12.pem"
    );
    let elsewhere = with_header(
        CHAIN_URL_HEADER,
        Some("http://127.0.0.1:7090/echo.api/echo-api-cert-12.pem"),
    );
    assert!(matches!(refused(&host, &elsewhere), Refusal::Url(_)));
}

#[test]
fn the_cached_key_ends_with_its_certificate_and_with_the_settings() {
    let host = installation();
    let short = authority().chain(&Leaf {
        not_after: crate::testing::NOW_S + 60,
        ..Leaf::default()
    });
    host.answers(move |_| Ok(pem_reply(&short)));
    verified(&host, &request()).unwrap();
    host.pass_seconds(30);
    verified(&host, &request()).unwrap();
    assert_eq!(host.asked().len(), 1);
    host.pass_seconds(31);
    assert_eq!(refused(&host, &request()), Refusal::Chain(ChainError::Time));
    assert_eq!(host.asked().len(), 2);

    let host = installation();
    verified(&host, &request()).unwrap();
    host.set("alexa_roots", authority().foreign_root());
    assert!(
        matches!(
            refused(&host, &request()),
            Refusal::Chain(ChainError::Untrusted(_))
        ),
        "a key trusted before is not trusted now"
    );
}

#[test]
fn a_signature_of_other_bytes_or_another_key_is_refused() {
    let host = installation();
    let mut tampered = request();
    let last = tampered.body.len() - 1;
    tampered.body.insert(last, b' ');
    assert_eq!(refused(&host, &tampered), Refusal::Signature);
    let body = request().body;
    let foreign = STANDARD.encode(authority().sign_with_root(&body));
    assert_eq!(
        refused(&host, &with_header(SIGNATURE_HEADER, Some(&foreign))),
        Refusal::Signature
    );
    let good = authority().sign(&body);
    for bad in [
        &good[..255],
        &good[1..],
        &[&[0], &good[..]].concat(),
        &[0; 256],
        &[255; 256],
    ] {
        assert_eq!(
            refused(
                &host,
                &with_header(SIGNATURE_HEADER, Some(&STANDARD.encode(bad)))
            ),
            Refusal::Signature
        );
    }
}

#[test]
fn a_body_that_is_no_request_is_refused_although_it_is_signed() {
    let host = installation();
    for body in [json!([]), json!({"request": {}}), json!("x")] {
        assert!(
            matches!(refused(&host, &signed_alexa(&body)), Refusal::Body(_)),
            "{body}"
        );
    }
}

#[test]
fn old_early_and_timeless_requests_are_refused() {
    let host = installation();
    let at = |stamp: &str| changed(|body| body["request"]["timestamp"] = json!(stamp));
    verified(&host, &at("2027-01-15T07:57:30Z")).expect("150 seconds old");
    verified(&host, &at("2027-01-15T08:02:30Z")).expect("150 seconds ahead");
    assert!(matches!(
        refused(&host, &at("2027-01-15T07:57:29Z")),
        Refusal::Time(_)
    ));
    assert!(matches!(
        refused(&host, &at("2027-01-15T08:02:31Z")),
        Refusal::Time(_)
    ));
    assert!(matches!(refused(&host, &at("yesterday")), Refusal::Time(_)));
    let timeless = changed(|body| {
        body["request"].as_object_mut().unwrap().remove("timestamp");
    });
    assert!(matches!(refused(&host, &timeless), Refusal::Time(_)));
    host.set("tolerance_seconds", "10");
    assert!(matches!(
        refused(&host, &at("2027-01-15T07:59:49Z")),
        Refusal::Time(_)
    ));
    host.set("tolerance_seconds", "9999");
    assert!(
        matches!(
            refused(&host, &at("2027-01-15T07:57:29Z")),
            Refusal::Time(_)
        ),
        "cut to 150 seconds"
    );
    let event = changed(|body| {
        body["request"]["type"] = json!("AlexaSkillEvent.SkillEnabled");
        body["request"]["timestamp"] = json!("2027-01-15T07:00:01Z");
    });
    verified(&host, &event).expect("skill events may be an hour old");
}

#[test]
fn requests_for_another_skill_are_refused() {
    let host = installation();
    let other = json!({"applicationId": "amzn1.ask.skill.11111111-0000-0000-0000-000000000000"});
    for place in ["/context/System/application", "/session/application"] {
        let request = changed(|body| *body.pointer_mut(place).unwrap() = other.clone());
        assert_eq!(refused(&host, &request), Refusal::Skill, "{place}");
    }
    let nobody = changed(|body| {
        body.as_object_mut().unwrap().remove("session");
        body["context"]["System"]
            .as_object_mut()
            .unwrap()
            .remove("application");
    });
    assert_eq!(refused(&host, &nobody), Refusal::Skill);
}

#[test]
fn any_bytes_are_looked_at_without_a_panic() {
    let chain = authority().chain(&Leaf::default()).into_bytes();
    for at in (0..chain.len()).step_by(7) {
        let mut bad = chain.clone();
        bad[at] ^= 0x15;
        crate::fuzz::certificate_chain(&bad);
        crate::fuzz::certificate_chain(&bad[..at]);
    }
    let settings = Settings::load(&installation()).unwrap();
    let host = installation();
    let url =
        SignatureUrl::check("https://s3.amazonaws.com/echo.api/echo-api-cert-12.pem").unwrap();
    let key = signing_key(
        &host,
        &settings,
        &Recorder::begin(&host, None),
        &url,
        Deadline::within(&host, Duration::from_secs(1)),
    )
    .unwrap();
    for at in 0..key.pkcs1.len() {
        let mut bad = key.pkcs1.clone();
        bad[at] ^= 0xff;
        let lengths = [bad.len() as u16, 256].map(u16::to_le_bytes);
        let mut data = lengths.concat();
        data.extend_from_slice(&bad);
        data.extend_from_slice(&[1; 300]);
        crate::fuzz::signature(&data);
    }
    for url in [
        "https://s3.amazonaws.com/echo.api/%2e%2e/%2e%2e/x",
        "https://s3.amazonaws.com/echo.api/x/..",
        "https:// /",
    ] {
        crate::fuzz::chain_url(url.as_bytes());
    }
    host.answers(alexa_api(|_| None));
}
