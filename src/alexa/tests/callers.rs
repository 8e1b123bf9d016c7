//! Where the caller's number comes from (facts C1, C2, D5).

use super::*;
use crate::host::{OutboundReply, SendError};
use crate::testing::alexa_api;

const ACCOUNT: &str = "v2/accounts/~current/settings/Profile.mobileNumber";
const PERSON: &str = "v2/persons/~current/profile/mobileNumber";
const USERINFO: &str = "userinfo";

fn plan(order: &str) -> String {
    desk(&format!(
        "caller = {order}\n[caller.account-link]\nuserinfo = \"https://id.example.com/userinfo\"\nnumber = \"/contact/phone\"\n\
         [[caller.fixed]]\ndevice = \"amzn1.ask.device.ROOM12\"\nnumber = \"+12045550112\"\n\
         [[caller.fixed]]\npersistent-unit = \"amzn1.alexa.unit.did.5\"\ncommunication-profile = \"amzn1.alexa.communications.profile.did.5\"\n"
    ))
}

/// Profile and userinfo answer as scripted: (path, status, body); all else is well.
fn answering(order: &str, script: &[(&'static str, u16, Value)]) -> Memory {
    let host = with_plan(&plan(order));
    let script = script.to_vec();
    host.answers(alexa_api(move |path| {
        script
            .iter()
            .find(|(known, ..)| *known == path)
            .map(|(_, status, body)| (*status, body.clone()))
    }));
    host
}

fn linked(n: u32) -> Value {
    let mut request = call(n);
    request["context"]["System"]["user"]["accessToken"] = json!("linked-token");
    request
}

fn recognised(n: u32) -> Value {
    let mut request = call(n);
    request["context"]["System"]["person"] =
        json!({"personId": "amzn1.ask.person.P", "accessToken": "persons-token"});
    request
}

fn number() -> Value {
    json!({"countryCode": "+1", "phoneNumber": "2045550177"})
}

fn originator(host: &Memory) -> Value {
    sessions(host).last().expect("a session was started")["participants"][0].clone()
}

#[test]
fn each_source_gives_its_number() {
    for (order, request, expected) in [
        ("[\"profile\"]", call(1), "+12045550100"),
        ("[\"person\", \"profile\"]", recognised(1), "+12045550177"),
        ("[\"person\", \"profile\"]", call(1), "+12045550100"),
        ("[\"account-link\"]", linked(1), "+12045550188"),
        ("[\"fixed\", \"profile\"]", call(1), "+12045550112"),
    ] {
        let host = answering(
            order,
            &[
                (PERSON, 200, number()),
                (
                    USERINFO,
                    200,
                    json!({"contact": {"phone": "+1 (204) 555-0188"}}),
                ),
            ],
        );
        assert_eq!(
            speech(&ask(&host, &request)),
            "Calling front desk.",
            "{order}"
        );
        assert_eq!(originator(&host)["id"]["value"], expected, "{order}");
    }
}

#[test]
fn the_linked_accounts_token_goes_to_its_provider_alone() {
    let host = answering(
        "[\"account-link\"]",
        &[(USERINFO, 200, json!({"contact": {"phone": "+12045550188"}}))],
    );
    let mut request = recognised(1);
    request["context"]["System"]["user"]["accessToken"] = json!("linked-token");
    ask(&host, &request);
    for request in host.sent.lock().unwrap().iter() {
        let token = request
            .headers
            .iter()
            .find(|(name, _)| *name == "authorization")
            .map(|(_, value)| value.as_str());
        let expected = if request.url == "https://id.example.com/userinfo" {
            "Bearer persons-token"
        } else {
            "Bearer eyJhbGciOiJSUzI1NiJ9.claims.signature"
        };
        assert_eq!(
            token,
            Some(expected),
            "the recognised speaker's comes first: {}",
            request.url
        );
    }
    let log = host.logged.lock().unwrap().join("\n");
    assert!(
        !log.contains("-token") && !log.contains("2045550188"),
        "{log}"
    );
}

#[test]
fn a_units_profile_calls_in_its_own_way() {
    let host = answering("[\"fixed\"]", &[]);
    let mut request = call(1);
    request["context"]["System"]["device"]["deviceId"] = json!("another");
    request["context"]["System"]["unit"] =
        json!({"unitId": "amzn1.ask.unit.U", "persistentUnitId": "amzn1.alexa.unit.did.5"});
    ask(&host, &request);
    assert_eq!(
        originator(&host),
        json!({"id": {"type": "COMMUNICATION_PROFILE_ID", "value": "amzn1.alexa.communications.profile.did.5"},
            "endpointId": "another", "isOriginator": true,
            "communicationProviderId": "amzn1.comms.csp.id.c0e1cd84-a846-11ed-afa1-0242ac120002"})
    );
}

#[test]
fn a_units_profile_is_asked_from_alexa_with_the_skills_own_token() {
    const PROFILE: &str =
        "v1/communications/profile?entity.type=UNIT&entity.id=amzn1.alexa.unit.did.7";
    const LOGIN: &str = "auth/o2/token";
    let token = json!({"access_token": "Atc|own", "expires_in": 3600});
    let mut request = call(1);
    request["context"]["System"]["unit"] =
        json!({"unitId": "amzn1.ask.unit.U", "persistentUnitId": "amzn1.alexa.unit.did.7"});
    for (profile, login, said) in [
        (
            (200, json!({"profileId": {"profileId": "profile-7"}})),
            (200, token.clone()),
            "Calling front desk.",
        ),
        (
            (404, json!({})),
            (200, token.clone()),
            "This device is not set up for calls",
        ),
        ((429, json!({})), (200, token.clone()), "Too many calls"),
        (
            (500, json!({})),
            (200, token.clone()),
            "I could not read your phone number",
        ),
        (
            (200, json!({"profileId": 7})),
            (200, token.clone()),
            "I could not read your phone number",
        ),
        (
            (200, json!({})),
            (500, json!({})),
            "I could not read your phone number",
        ),
        (
            (200, json!({})),
            (401, json!({"error": "invalid_client"})),
            "I could not read your phone number",
        ),
    ] {
        let host = answering(
            "[\"unit\"]",
            &[
                (PROFILE, profile.0, profile.1.clone()),
                (LOGIN, login.0, login.1),
            ],
        );
        host.set("lwa_client_secrets", "the-secret");
        host.set(
            "token_keys",
            "t1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        );
        let answer = ask(&host, &request);
        let log = host.logged.lock().unwrap().join("\n");
        assert!(
            speech(&answer).starts_with(said),
            "{profile:?}: {answer}\n{log}"
        );
        if said.starts_with("Calling") {
            assert_eq!(
                originator(&host),
                json!({"id": {"type": "COMMUNICATION_PROFILE_ID", "value": "profile-7"},
                    "endpointId": crate::testing::DEVICE, "isOriginator": true,
                    "communicationProviderId": "amzn1.comms.csp.id.c0e1cd84-a846-11ed-afa1-0242ac120002"})
            );
        } else {
            assert!(sessions(&host).is_empty());
        }
        assert!(
            !log.contains("Atc|own") && !log.contains("the-secret"),
            "{log}"
        );
    }
    let host = answering("[\"unit\"]", &[]);
    assert!(speech(&ask(&host, &call(1))).starts_with("This device is not set up"));
}

#[test]
fn each_failure_leads_where_the_customer_can_mend_it() {
    let none = Value::Null;
    let consent =
        |scopes: Value| json!({"type": "AskForPermissionsConsent", "permissions": scopes});
    let account = consent(json!(["alexa::profile:mobile_number:read"]));
    let person = consent(json!([
        "alexa::profile:mobile_number:read",
        "alexa::person_id:read"
    ]));
    let link = json!({"type": "LinkAccount"});
    for (order, request, script, said, card) in [
        (
            "[\"profile\"]",
            call(1),
            vec![(ACCOUNT, 403, none.clone())],
            "To place the call I need your permission",
            account.clone(),
        ),
        (
            "[\"person\"]",
            recognised(1),
            vec![(PERSON, 403, none.clone())],
            "To place the call I need your permission",
            person,
        ),
        (
            "[\"profile\"]",
            call(1),
            vec![(ACCOUNT, 204, none.clone())],
            "There is no phone number",
            none.clone(),
        ),
        (
            "[\"profile\"]",
            call(1),
            vec![(
                ACCOUNT,
                200,
                json!({"countryCode": "+1", "phoneNumber": "12345678901234567"}),
            )],
            "The phone number in your profile can not be right",
            none.clone(),
        ),
        (
            "[\"profile\"]",
            call(1),
            vec![(ACCOUNT, 401, none.clone())],
            "Your request has expired",
            none.clone(),
        ),
        (
            "[\"profile\"]",
            call(1),
            vec![(ACCOUNT, 429, none.clone())],
            "Too many calls",
            none.clone(),
        ),
        (
            "[\"person\"]",
            call(1),
            vec![],
            "I did not recognise your voice",
            none.clone(),
        ),
        (
            "[\"account-link\"]",
            call(1),
            vec![],
            "To place the call, please link your account",
            link.clone(),
        ),
        (
            "[\"account-link\"]",
            linked(1),
            vec![(USERINFO, 401, none.clone())],
            "To place the call, please link your account",
            link.clone(),
        ),
        (
            "[\"account-link\"]",
            linked(1),
            vec![(USERINFO, 200, json!({"contact": {}}))],
            "There is no phone number",
            none.clone(),
        ),
        (
            "[\"account-link\"]",
            linked(1),
            vec![(USERINFO, 200, json!({"contact": {"phone": "0204 5550188"}}))],
            "The phone number in your profile can not be right",
            none.clone(),
        ),
        (
            "[\"account-link\"]",
            linked(1),
            vec![(USERINFO, 429, none.clone())],
            "Too many calls",
            none.clone(),
        ),
        (
            "[\"account-link\"]",
            linked(1),
            vec![(USERINFO, 500, none.clone())],
            "I could not read your phone number",
            none.clone(),
        ),
        (
            "[\"account-link\"]",
            linked(1),
            vec![(USERINFO, 0, none.clone())],
            "I could not read your phone number",
            none.clone(),
        ),
        // What can be mended comes before what cannot, the plan's order before all.
        (
            "[\"person\", \"profile\", \"account-link\"]",
            call(1),
            vec![(ACCOUNT, 500, none.clone())],
            "To place the call, please link your account",
            link,
        ),
        (
            "[\"profile\", \"account-link\"]",
            call(1),
            vec![(ACCOUNT, 403, none.clone())],
            "To place the call I need your permission",
            account,
        ),
    ] {
        let host = answering(order, &script);
        let answer = ask(&host, &request);
        assert!(
            speech(&answer).starts_with(said),
            "{order} {script:?}: {answer}"
        );
        assert_eq!(answer["response"]["card"], card, "{order} {script:?}");
        assert!(sessions(&host).is_empty());
    }
    let host = answering("[\"fixed\"]", &[]);
    let mut elsewhere = call(1);
    elsewhere["context"]["System"]["device"]["deviceId"] = json!("another");
    assert!(speech(&ask(&host, &elsewhere)).starts_with("This device is not set up for calls"));
}

#[test]
fn a_failing_source_gives_way_to_the_next() {
    let host = answering("[\"profile\", \"fixed\"]", &[(ACCOUNT, 403, Value::Null)]);
    assert_eq!(speech(&ask(&host, &call(1))), "Calling front desk.");
    assert_eq!(originator(&host)["id"]["value"], "+12045550112");
}

#[test]
fn what_userinfo_answers_never_breaks_the_answer() {
    let host = with_plan(&plan("[\"account-link\"]"));
    for body in [
        "",
        "[]",
        "{\"contact\":{\"phone\":{}}}",
        "\u{0}",
        "{\"contact\":{\"phone\":\"\"}}",
    ] {
        host.answers(move |request| {
            assert!(request.url.ends_with("/userinfo"), "nothing else is asked");
            Ok::<_, SendError>(OutboundReply {
                status: 200,
                headers: Vec::new(),
                body: body.as_bytes().to_vec(),
            })
        });
        let n = 100 + u32::try_from(body.len()).unwrap();
        let answer = ask(&host, &linked(n));
        assert!(speech(&answer).contains("phone number"), "{body}: {answer}");
    }
}
