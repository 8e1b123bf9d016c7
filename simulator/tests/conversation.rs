//! What the skill is asked, how its answers are taken, and how sessions go (facts A).

mod support;

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsa::RsaPublicKey;
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::pkcs8::DecodePublicKey as _;
use rsa::signature::Verifier as _;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use sha2::Sha256;
use skillcall_simulator::authority::ChainFault;
use skillcall_simulator::trouble::{Fault, Place, Trouble};
use skillcall_simulator::{Outcome, Simulator};
use support::{Answering, Asked, Skill, speech};

fn is_signed(simulator: &Simulator, asked: &Asked) -> bool {
    let header = |name: &str| {
        asked
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let url = header("SignatureCertChainUrl");
    let number = url
        .trim_start_matches("https://s3.amazonaws.com/echo.api/echo-api-cert-")
        .trim_end_matches(".pem");
    let Some(chain) = number
        .parse()
        .ok()
        .and_then(|number| simulator.authority().chain_at(number))
    else {
        return false;
    };
    let leaf = CertificateDer::from_pem_slice(chain.pem().as_bytes()).expect("PEM");
    let leaf = webpki::EndEntityCert::try_from(&leaf).expect("a certificate");
    let key =
        RsaPublicKey::from_public_key_der(leaf.subject_public_key_info().as_ref()).expect("RSA");
    let signature = STANDARD.decode(header("Signature-256")).expect("base64");
    let Ok(signature) = Signature::try_from(signature.as_slice()) else {
        return false;
    };
    VerifyingKey::<Sha256>::new(key)
        .verify(&asked.raw, &signature)
        .is_ok()
}

async fn with(skill: (Skill, String)) -> (Simulator, Skill, tempfile::TempDir) {
    let (simulator, folder) = support::start().await;
    simulator.set_skill_endpoint(skill.1);
    (simulator, skill.0, folder)
}

#[tokio::test]
async fn an_utterance_becomes_a_signed_request_with_all_its_parts() {
    let (simulator, skill, _folder) = with(Skill::polite(Some(true)).await).await;
    simulator.change_customer(None, |customer| {
        customer
            .denied
            .insert("alexa::profile:email:read".to_owned());
        customer.person_id = Some("amzn1.ask.person.P".to_owned());
        customer.unit_id = Some("amzn1.ask.unit.U".to_owned());
        customer.access_token = Some("linked-token".to_owned());
    });
    let said = simulator.say("call the front desk").await.expect("said");
    assert_eq!(said.outcome, Outcome::Answered);
    assert_eq!(said.spoken, ["Hello."]);
    assert!(!said.session.expect("a session").open);
    let asked = skill.requests().remove(0);
    assert!(is_signed(&simulator, &asked));
    let body = &asked.body;
    assert_eq!(
        body["request"]["requestId"].as_str(),
        said.request_id.as_deref()
    );
    let intent = json!({"name": "CallIntent", "confirmationStatus": "NONE", "slots": {"destination": {
        "name": "destination", "value": "front desk", "confirmationStatus": "NONE", "source": "USER",
        "resolutions": {"resolutionsPerAuthority": [{
            "authority": "amzn1.er-authority.echo-sdk.amzn1.ask.skill.00000000-0000-0000-0000-000000000000.DESTINATION",
            "status": {"code": "ER_SUCCESS_MATCH"}, "values": [{"value": {"name": "front desk", "id": "FRONT_DESK"}}]}]},
        "slotValue": {"type": "Simple", "value": "front desk", "resolutions": body["request"]["intent"]["slots"]["destination"]["resolutions"]}}}});
    assert_eq!(body["request"]["intent"], intent);
    assert_eq!(body["session"]["new"], true);
    let system = &body["context"]["System"];
    assert_eq!(system["apiEndpoint"], simulator.api_endpoint());
    assert_eq!(system["person"]["personId"], "amzn1.ask.person.P");
    assert_eq!(system["unit"]["unitId"], "amzn1.ask.unit.U");
    for user in [&system["user"], &body["session"]["user"]] {
        assert_eq!(user["accessToken"], "linked-token");
        assert_eq!(
            user["permissions"]["scopes"]["alexa::profile:mobile_number:read"]["status"],
            "GRANTED"
        );
        assert_eq!(
            user["permissions"]["scopes"]["alexa::profile:email:read"]["status"],
            "DENIED"
        );
    }
    let token = system["apiAccessToken"].as_str().expect("a token");
    let parts: Vec<&str> = token.split('.').collect();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(parts[1])
        .expect("base64url");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    assert_eq!(
        (&claims["iss"], &claims["aud"]),
        (&json!("AlexaSkillKit"), &json!(simulator.api_endpoint()))
    );
    assert_eq!(
        claims["exp"].as_u64().expect("exp") - claims["iat"].as_u64().expect("iat"),
        3600
    );
    assert_eq!(
        claims["privateClaims"]["deviceId"],
        system["device"]["deviceId"]
    );
    assert!(
        !asked.headers.contains_key("traceparent"),
        "Alexa begins no trace"
    );
    assert_eq!(said.trace_id, None, "this skill told none");
    let request_id = said.request_id.expect("a request");
    let trace = serde_json::to_string(&simulator.trace(&request_id)).expect("JSON");
    assert!(trace.contains("requestId"), "the request is in the trace");
    for secret in [token, "linked-token"] {
        assert!(!trace.contains(secret), "no token is in the trace");
    }
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_session_goes_on_until_somebody_ends_it() {
    let skill = Skill::start(|asked| {
        let count = asked.body["session"]["attributes"]["count"]
            .as_u64()
            .unwrap_or(0);
        let mut answer = speech("Which one?", Some(false));
        answer["sessionAttributes"] = json!({"count": count + 1});
        if asked.body["request"]["type"] == "SessionEndedRequest" {
            answer = json!({"version": "1.0", "response": {}});
        }
        Answering::Answer(answer)
    });
    let (simulator, skill, _folder) = with(skill.await).await;
    let first = simulator.say("open harbour hotel").await.expect("said");
    let second = simulator.say("help").await.expect("said");
    let session = second.session.expect("a session");
    assert!(session.open);
    assert_eq!(session.attributes["count"], 2);
    assert_eq!(
        simulator.say("exit").await.expect("said").outcome,
        Outcome::Left
    );
    assert_eq!(
        simulator.say("xyzzy").await.expect("said").outcome,
        Outcome::NotUnderstood
    );
    let asked = skill.requests();
    let of = |at: usize, pointer: &str| {
        asked[at]
            .body
            .pointer(pointer)
            .cloned()
            .unwrap_or(Value::Null)
    };
    assert_eq!(asked.len(), 3, "what is not understood is not sent");
    assert_eq!(
        (of(0, "/request/type"), of(0, "/session/new")),
        (json!("LaunchRequest"), json!(true))
    );
    assert_eq!(
        (of(1, "/session/new"), of(1, "/session/attributes/count")),
        (json!(false), json!(1))
    );
    assert_eq!(
        of(1, "/session/sessionId"),
        json!(first.session.expect("a session").id)
    );
    assert_eq!(
        (of(2, "/request/type"), of(2, "/request/reason")),
        (json!("SessionEndedRequest"), json!("USER_INITIATED"))
    );
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_question_without_an_answer_ends_the_session() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = support::config(folder.path());
    config.alexa.listen_ms = 50;
    let simulator = Simulator::start(config).await.expect("started");
    let (skill, url) = Skill::polite(Some(false)).await;
    simulator.set_skill_endpoint(url);
    simulator.say("open harbour hotel").await.expect("said");
    let asked = skill.wait_for(2).await;
    assert_eq!(asked[1].body["request"]["reason"], "EXCEEDED_MAX_REPROMPTS");
    simulator.shutdown().await;
}

#[tokio::test]
async fn answers_of_no_use_are_named_and_the_skill_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = support::config(folder.path());
    config.alexa.answer_limit_ms = 300;
    let simulator = Simulator::start(config).await.expect("started");
    for (what, words, told) in [
        ("never", "did not answer within", "ENDPOINT_TIMEOUT"),
        ("status", "status 502", "INTERNAL_SERVICE_ERROR"),
        ("type", "Content-Type", "INVALID_RESPONSE"),
        ("shape", "response: is missing", "INVALID_RESPONSE"),
        ("long", "24 KB", "INVALID_RESPONSE"),
    ] {
        let (skill, url) = Skill::start(move |asked| {
            if asked.body["request"]["type"] == "SessionEndedRequest" {
                return Answering::Answer(json!({"version": "1.0", "response": {}}));
            }
            match what {
                "never" => Answering::Never,
                "status" => Answering::Raw(StatusCode::BAD_GATEWAY.into_response()),
                "type" => Answering::Raw(r#"{"version":"1.0","response":{}}"#.into_response()),
                "shape" => Answering::Answer(json!({"version": "1.0"})),
                _ => Answering::Answer(
                    json!({"version": "1.0", "response": {}, "padding": "x".repeat(30_000)}),
                ),
            }
        })
        .await;
        simulator.set_skill_endpoint(url);
        let said = simulator.say("open harbour hotel").await.expect("said");
        let outcome = serde_json::to_value(&said.outcome).expect("JSON");
        assert!(
            outcome["message"]
                .as_str()
                .expect("a message")
                .contains(words),
            "{what}: {outcome}"
        );
        assert_eq!(
            said.spoken,
            ["There was a problem with the requested skill's response."]
        );
        let asked = skill.wait_for(2).await;
        assert_eq!(asked[1].body["request"]["reason"], "ERROR");
        assert_eq!(asked[1].body["request"]["error"]["type"], told, "{what}");
        assert_eq!(
            asked[1].body["session"]["sessionId"],
            asked[0].body["session"]["sessionId"]
        );
        let trace = serde_json::to_string(&simulator.trace(&said.request_id.expect("a request")))
            .expect("JSON");
        assert!(trace.contains(words), "{trace}");
    }
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("bound")
        .local_addr()
        .expect("an address");
    simulator.set_skill_endpoint(format!("http://{free}/alexa"));
    let said = simulator.say("open harbour hotel").await.expect("said");
    assert!(
        matches!(said.outcome, Outcome::Unreachable { .. }),
        "{:?}",
        said.outcome
    );
    simulator.shutdown().await;
}

#[tokio::test]
async fn requests_can_be_wrong_in_each_way() {
    let (simulator, skill, _folder) = with(Skill::polite(Some(true)).await).await;
    type Wrong = fn(&Asked) -> bool;
    let header = |asked: &Asked, name: &str| asked.headers.contains_key(name);
    let orders: Vec<(Fault, Wrong)> = vec![
        (Fault::Unsigned, |asked| {
            !asked.headers.contains_key("Signature-256")
                && !asked.headers.contains_key("SignatureCertChainUrl")
        }),
        (Fault::LegacySignatureOnly, |asked| {
            !asked.headers.contains_key("Signature-256") && asked.headers.contains_key("Signature")
        }),
        (Fault::NoChainUrl, |asked| {
            !asked.headers.contains_key("SignatureCertChainUrl")
        }),
        (
            Fault::ChainUrl {
                url: "https://evil.example/x.pem".to_owned(),
            },
            |asked| asked.headers["SignatureCertChainUrl"] == "https://evil.example/x.pem",
        ),
        (
            Fault::BadChain {
                chain: ChainFault::Expired,
            },
            |asked| {
                !asked.headers["SignatureCertChainUrl"]
                    .to_str()
                    .expect("text")
                    .ends_with("-1.pem")
            },
        ),
        (Fault::NoTimestamp, |asked| {
            asked.body["request"]["timestamp"].is_null()
        }),
        (
            Fault::OtherSkill {
                skill_id: "amzn1.ask.skill.x".to_owned(),
            },
            |asked| asked.body["session"]["application"]["applicationId"] == "amzn1.ask.skill.x",
        ),
        (
            Fault::OtherApiEndpoint {
                url: "https://evil.example".to_owned(),
            },
            |asked| asked.body["context"]["System"]["apiEndpoint"] == "https://evil.example",
        ),
        (Fault::NoToken, |asked| {
            asked.body["context"]["System"]["apiAccessToken"].is_null()
        }),
    ];
    for (fault, wrong) in orders {
        simulator
            .trouble(Trouble::once(Place::Request, fault.clone()))
            .expect("ordered");
        simulator.say("help").await.expect("said");
        let asked = skill.requests().pop().expect("asked");
        assert!(wrong(&asked), "{fault:?}");
    }
    simulator
        .trouble(Trouble::once(Place::Request, Fault::Tampered))
        .expect("ordered");
    simulator.say("help").await.expect("said");
    let asked = skill.requests().pop().expect("asked");
    assert!(header(&asked, "Signature-256") && !is_signed(&simulator, &asked));

    let now = jiff::Timestamp::now().as_second();
    for (fault, shift) in [
        (Fault::Stale { seconds: 151 }, -151),
        (Fault::Future { seconds: 151 }, 151),
    ] {
        simulator
            .trouble(Trouble::once(Place::Request, fault))
            .expect("ordered");
        simulator.say("help").await.expect("said");
        let asked = skill.requests().pop().expect("asked");
        assert!(is_signed(&simulator, &asked));
        let at: jiff::Timestamp = asked.body["request"]["timestamp"]
            .as_str()
            .expect("text")
            .parse()
            .expect("a time");
        assert!((at.as_second() - now - shift).abs() < 60, "{at}");
    }
    let before = skill.requests().len();
    simulator
        .trouble(Trouble::once(
            Place::Request,
            Fault::Repeated { copies: 99 },
        ))
        .expect("ordered");
    let said = simulator.say("help").await.expect("said");
    assert_eq!(said.repeats.len(), 99);
    let copies = skill.requests().split_off(before);
    assert_eq!(copies.len(), 100);
    assert!(copies.iter().all(|copy| copy.raw == copies[0].raw
        && copy.headers["Signature-256"] == copies[0].headers["Signature-256"]));
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn progressive_responses_are_spoken_first_and_bounded() {
    let (simulator, _folder) = support::start().await;
    let endpoint = simulator.api_endpoint().to_owned();
    let statuses = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = std::sync::Arc::clone(&statuses);
    let (_skill, url) = Skill::start(move |asked| {
        let token = asked.body["context"]["System"]["apiAccessToken"].as_str().unwrap_or_default().to_owned();
        let id = asked.body["request"]["requestId"].clone();
        let (endpoint, seen) = (endpoint.clone(), std::sync::Arc::clone(&seen));
        tokio::runtime::Handle::current().block_on(async {
                let http = reqwest::Client::builder().no_proxy().build().expect("a client");
                let bodies = [
                    json!({"header": {"requestId": id}, "directive": {"type": "VoicePlayer.Play"}}),
                    json!({"header": {"requestId": "another"}, "directive": {"type": "VoicePlayer.Speak", "speech": "x"}}),
                ];
                let good = json!({"header": {"requestId": id}, "directive": {"type": "VoicePlayer.Speak", "speech": "One moment."}});
                for body in bodies.into_iter().chain(std::iter::repeat_n(good, 6)) {
                    let response = http.post(format!("{endpoint}/v1/directives")).bearer_auth(&token).json(&body).send().await.expect("answered");
                    seen.lock().expect("not poisoned").push(response.status().as_u16());
                }
        });
        Answering::Answer(speech("Done.", Some(true)))
    })
    .await;
    simulator.set_skill_endpoint(url);
    let said = tokio::time::timeout(Duration::from_secs(20), simulator.say("help"))
        .await
        .expect("in time")
        .expect("said");
    assert_eq!(
        *statuses.lock().expect("not poisoned"),
        [400, 403, 204, 204, 204, 204, 204, 403]
    );
    assert_eq!(said.spoken.len(), 6);
    assert_eq!(said.spoken.last().map(String::as_str), Some("Done."));
    simulator.shutdown().await;
}
