//! The control plane, with Amazon's SDK as the judge: what boto3 makes is kept over a restart, and calls follow it.

use crate::support;

use std::path::Path;

use serde_json::{Value, json};
use skillcall_sidecar::{Sidecar, SidecarConfig};
use support::boto3::{Boto3, SECRET};
use support::{Behaviour, Handler, NUMBER, Phone, config_text, write_secret};

const EAST: &str = "arn:aws:lambda:us-east-1:111122223333:function:east";
const WEST: &str = "arn:aws:lambda:us-west-2:444455556666:function:west";
const SKILL: &str = "amzn1.application-oa2-client.abcdefabcdefabcdefabcdefabcdefab";

fn configuration(folder: &Path, fixed: &Handler, east: &Handler, west: &Handler) -> SidecarConfig {
    let lambdas = format!(
        "[[lambda]]\narn = \"{EAST}\"\nhandler = \"{}\"\nkeys-file = \"secrets/sidecar.key\"\n\
         [[lambda]]\narn = \"{WEST}\"\nhandler = \"{}\"\nkeys-file = \"secrets/sidecar.key\"\n",
        east.url, west.url
    );
    let text = config_text(folder, &fixed.url, None, "").replace(
        "[control]\n",
        "[control]\naccess-keys-file = \"secrets/access.keys\"\n",
    );
    write_secret(
        &folder.join("secrets/access.keys"),
        &format!("AKIDEXAMPLE:{SECRET}"),
    );
    SidecarConfig::parse(&(text + &lambdas), &folder.join("sidecar.toml")).unwrap()
}

fn rejecting(event: &Value) -> Value {
    match event["InvocationEventType"].as_str().unwrap() {
        "NEW_INBOUND_CALL" => json!([{"Type": "Hangup", "Parameters": {"SipResponseCode": "486"}}]),
        _ => json!([]),
    }
}

fn boto3(sidecar: &Sidecar) -> Boto3 {
    Boto3::start(&format!("http://{}", sidecar.control()), SECRET)
}

/// Calls a number and waits until it is refused; the status.
fn refused(phone: &Phone, sidecar: &Sidecar, user: &str, headers: &[(&str, &str)]) -> u16 {
    phone.call(sidecar.sip_udp().unwrap(), user, headers);
    phone
        .wait("a refusal", |state| state.failed.is_some())
        .failed
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_makes_what_calls_follow_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let fixed = Handler::start(rejecting).await;
    // The application that is to be asked first cannot be reached.
    let east = Handler::absent();
    let west = Handler::start(rejecting).await;
    let start = || Sidecar::start(configuration(folder.path(), &fixed, &east, &west));
    let sidecar = start().await.unwrap();
    let mut sdk = boto3(&sidecar);

    let mut made = Vec::new();
    for (region, arn) in [("us-east-1", EAST), ("us-west-2", WEST)] {
        let reply = sdk.does(
            201,
            "voice",
            "create_sip_media_application",
            json!({"AwsRegion": region, "Name": "front desk", "Endpoints": [{"LambdaArn": arn}],
                   "Tags": [{"Key": "team", "Value": "desk"}]}),
        );
        let made_one = reply["SipMediaApplication"].clone();
        assert_eq!(made_one["Endpoints"], json!([{"LambdaArn": arn}]));
        made.push(
            made_one["SipMediaApplicationId"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    let listed = sdk.does(200, "voice", "list_sip_media_applications", json!({}));
    let listed = listed["SipMediaApplications"].as_array().unwrap();
    assert_eq!(
        listed.len(),
        3,
        "the [[application]] is there, too: {listed:?}"
    );
    assert_eq!(
        listed[0]["SipMediaApplicationId"],
        "c3b8a6f0-0000-4000-8000-000000000001"
    );
    let page = sdk.does(
        200,
        "voice",
        "list_sip_media_applications",
        json!({"MaxResults": 2}),
    );
    let rest = sdk.does(
        200,
        "voice",
        "list_sip_media_applications",
        json!({"MaxResults": 2, "NextToken": page["NextToken"]}),
    );
    assert_eq!(
        (
            page["SipMediaApplications"].as_array().unwrap().len(),
            rest["SipMediaApplications"].as_array().unwrap().len(),
            rest.get("NextToken")
        ),
        (2, 1, None)
    );

    let phone = Phone::start(400.0, Behaviour::Answer);
    assert_eq!(refused(&phone, &sidecar, "+12065550100", &[]), 404);
    let rule = sdk.does(
        201,
        "voice",
        "create_sip_rule",
        json!({"Name": "desk", "TriggerType": "ToPhoneNumber", "TriggerValue": "+12065550100",
               "TargetApplications": [
                   {"SipMediaApplicationId": made[1], "Priority": 2, "AwsRegion": "us-west-2"},
                   {"SipMediaApplicationId": made[0], "Priority": 1, "AwsRegion": "us-east-1"}]}),
    );
    let rule = rule["SipRule"]["SipRuleId"].as_str().unwrap().to_owned();
    assert_eq!(refused(&phone, &sidecar, "+12065550100", &[]), 486);
    let event = west.wait("NEW_INBOUND_CALL", 1);
    let details = &event["CallDetails"];
    assert_eq!(
        [
            &details["SipMediaApplicationId"],
            &details["SipRuleId"],
            &details["AwsRegion"],
            &details["AwsAccountId"]
        ],
        [
            &json!(made[1]),
            &json!(rule),
            &json!("us-west-2"),
            &json!("444455556666")
        ]
    );
    assert_eq!(event["Sequence"], 1);

    // By the host of the Request-URI, to the [[application]] of the file.
    let host = sdk.does(
        201,
        "voice",
        "create_sip_rule",
        json!({"Name": "by host", "TriggerType": "RequestUriHostname", "TriggerValue": "127.0.0.1",
               "TargetApplications": [{"SipMediaApplicationId": "c3b8a6f0-0000-4000-8000-000000000001", "Priority": 1}]}),
    );
    assert_eq!(refused(&phone, &sidecar, "lobby", &[]), 486);
    let event = fixed.wait("NEW_INBOUND_CALL", 1);
    assert_eq!(
        event["CallDetails"]["SipRuleId"],
        host["SipRule"]["SipRuleId"]
    );
    assert_eq!(event["CallDetails"]["Participants"][0]["To"], "lobby");
    let of_one = sdk.does(
        200,
        "voice",
        "list_sip_rules",
        json!({"SipMediaApplicationId": made[0]}),
    );
    assert_eq!(of_one["SipRules"].as_array().unwrap().len(), 1);

    // A skill that [sip] skills does not list may call the application whose configuration names it.
    let skill = [("X-Alexa-LWA-ClientId", SKILL)];
    assert_eq!(refused(&phone, &sidecar, "+12065550100", &skill), 403);
    let configuration = json!({"AlexaSkillStatus": "ACTIVE", "AlexaSkillIds": [SKILL]});
    sdk.fails(
        "NotFoundException",
        "voice",
        "get_sip_media_application_alexa_skill_configuration",
        json!({"SipMediaApplicationId": made[1]}),
    );
    sdk.does(
        200,
        "voice",
        "put_sip_media_application_alexa_skill_configuration",
        json!({"SipMediaApplicationId": made[1], "SipMediaApplicationAlexaSkillConfiguration": configuration}),
    );
    let kept = sdk.does(
        200,
        "voice",
        "get_sip_media_application_alexa_skill_configuration",
        json!({"SipMediaApplicationId": made[1]}),
    );
    assert_eq!(
        kept["SipMediaApplicationAlexaSkillConfiguration"],
        configuration
    );
    assert_eq!(refused(&phone, &sidecar, "+12065550100", &skill), 486);
    west.wait("NEW_INBOUND_CALL", 2);
    assert_eq!(
        refused(&phone, &sidecar, NUMBER, &skill),
        403,
        "another application's skill"
    );
    let logging = json!({"EnableSipMediaApplicationMessageLogs": true});
    sdk.does(
        200,
        "voice",
        "put_sip_media_application_logging_configuration",
        json!({"SipMediaApplicationId": made[1], "SipMediaApplicationLoggingConfiguration": logging}),
    );

    drop(sdk);
    sidecar.shutdown().await;
    let sidecar = start().await.unwrap();
    let mut sdk = boto3(&sidecar);
    assert_eq!(refused(&phone, &sidecar, "+12065550100", &skill), 486);
    let event = west.wait("NEW_INBOUND_CALL", 3);
    assert_eq!(event["CallDetails"]["SipRuleId"], json!(rule));
    let kept = sdk.does(
        200,
        "voice",
        "get_sip_media_application_logging_configuration",
        json!({"SipMediaApplicationId": made[1]}),
    );
    assert_eq!(kept["SipMediaApplicationLoggingConfiguration"], logging);

    // The rule leads elsewhere, then nowhere, and is deleted.
    sdk.does(
        202,
        "voice",
        "update_sip_rule",
        json!({"SipRuleId": rule, "Name": "desk", "TargetApplications": [{"SipMediaApplicationId": made[1], "Priority": 1}]}),
    );
    sdk.does(
        200,
        "voice",
        "update_sip_media_application",
        json!({"SipMediaApplicationId": made[0], "Name": "east", "Endpoints": [{"LambdaArn": WEST}]}),
    );
    let one = sdk.does(
        200,
        "voice",
        "get_sip_media_application",
        json!({"SipMediaApplicationId": made[0]}),
    );
    assert_eq!(one["SipMediaApplication"]["Name"], "east");
    let told = sdk.fails(
        "ConflictException",
        "voice",
        "delete_sip_rule",
        json!({"SipRuleId": rule}),
    );
    assert!(told.contains("disable"), "{told}");
    sdk.does(
        202,
        "voice",
        "update_sip_rule",
        json!({"SipRuleId": rule, "Name": "desk", "Disabled": true}),
    );
    // The rule of the host is left.
    assert_eq!(refused(&phone, &sidecar, "+12065550100", &[]), 486);
    let event = fixed.wait("NEW_INBOUND_CALL", 2);
    assert_eq!(
        event["CallDetails"]["SipRuleId"],
        host["SipRule"]["SipRuleId"]
    );
    sdk.fails(
        "ConflictException",
        "voice",
        "delete_sip_media_application",
        json!({"SipMediaApplicationId": made[1]}),
    );
    sdk.does(204, "voice", "delete_sip_rule", json!({"SipRuleId": rule}));
    for id in &made {
        sdk.does(
            204,
            "voice",
            "delete_sip_media_application",
            json!({"SipMediaApplicationId": id}),
        );
        sdk.fails(
            "NotFoundException",
            "voice",
            "get_sip_media_application",
            json!({"SipMediaApplicationId": id}),
        );
    }
    drop(sdk);
    sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_gets_amazons_errors() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(rejecting).await;
    let sidecar = Sidecar::start(configuration(folder.path(), &handler, &handler, &handler))
        .await
        .unwrap();
    let mut sdk = boto3(&sidecar);
    let fixed = "c3b8a6f0-0000-4000-8000-000000000001";
    let rule = |change: &dyn Fn(&mut Value)| {
        let mut rule = json!({"Name": "r", "TriggerType": "ToPhoneNumber", "TriggerValue": "+12065550100",
            "TargetApplications": [{"SipMediaApplicationId": fixed, "Priority": 1, "AwsRegion": "us-east-1"}]});
        change(&mut rule);
        rule
    };
    let targets = |n: usize| vec![json!({"SipMediaApplicationId": fixed, "Priority": 1}); n];
    let cases: Vec<(&str, &str, Value, &str)> = vec![
        (
            "BadRequestException",
            "create_sip_media_application",
            json!({"AwsRegion": "us-east-1", "Name": "a", "Endpoints": []}),
            "Endpoints",
        ),
        (
            "BadRequestException",
            "create_sip_media_application",
            json!({"AwsRegion": "us-east-1", "Name": "a/b", "Endpoints": [{"LambdaArn": EAST}]}),
            "Name",
        ),
        (
            "BadRequestException",
            "create_sip_media_application",
            json!({"AwsRegion": "us-east-1", "Endpoints": [{"LambdaArn": EAST}]}),
            "Name",
        ),
        (
            "BadRequestException",
            "create_sip_media_application",
            json!({"AwsRegion": "us-east-1", "Name": "a", "Endpoints": [{"LambdaArn": "http://127.0.0.1/"}]}),
            "LambdaArn",
        ),
        (
            "BadRequestException",
            "create_sip_media_application",
            json!({"AwsRegion": "us-east-1", "Name": "a", "Endpoints": [{"LambdaArn": format!("{EAST}2")}]}),
            "[[lambda]]",
        ),
        (
            "BadRequestException",
            "create_sip_rule",
            rule(&|r| r["TriggerType"] = json!("Number")),
            "Number",
        ),
        (
            "BadRequestException",
            "create_sip_rule",
            rule(&|r| r["TriggerValue"] = json!("12")),
            "TriggerValue",
        ),
        (
            "BadRequestException",
            "create_sip_rule",
            rule(&|r| r["TargetApplications"] = json!([])),
            "TargetApplications",
        ),
        (
            "BadRequestException",
            "create_sip_rule",
            rule(&|r| r["TargetApplications"] = json!(targets(26))),
            "26",
        ),
        (
            "BadRequestException",
            "create_sip_rule",
            rule(&|r| r["TargetApplications"] = json!(targets(2))),
            "region",
        ),
        (
            "BadRequestException",
            "create_sip_rule",
            rule(&|r| r["TargetApplications"][0]["AwsRegion"] = json!("us-west-2")),
            "us-west-2",
        ),
        (
            "ConflictException",
            "create_sip_rule",
            rule(&|r| r["TriggerValue"] = json!(NUMBER)),
            "trigger",
        ),
        (
            "NotFoundException",
            "get_sip_rule",
            json!({"SipRuleId": "none"}),
            "none",
        ),
        (
            "NotFoundException",
            "update_sip_rule",
            json!({"SipRuleId": "none", "Name": "x"}),
            "none",
        ),
        (
            "NotFoundException",
            "update_sip_media_application",
            json!({"SipMediaApplicationId": "none", "Name": "x"}),
            "none",
        ),
        (
            "ForbiddenException",
            "update_sip_media_application",
            json!({"SipMediaApplicationId": fixed, "Name": "x"}),
            "sidecar.toml",
        ),
        (
            "ForbiddenException",
            "delete_sip_media_application",
            json!({"SipMediaApplicationId": fixed}),
            "sidecar.toml",
        ),
        (
            "BadRequestException",
            "list_sip_rules",
            json!({"MaxResults": 101}),
            "max-results",
        ),
        (
            "BadRequestException",
            "put_sip_media_application_alexa_skill_configuration",
            json!({"SipMediaApplicationId": fixed,
            "SipMediaApplicationAlexaSkillConfiguration": {"AlexaSkillStatus": "ACTIVE", "AlexaSkillIds": ["amzn1.ask.skill.x"]}}),
            "AlexaSkillIds",
        ),
        (
            "NotFoundException",
            "create_sip_media_application_call",
            json!({"SipMediaApplicationId": "none", "FromPhoneNumber": "+12065550100", "ToPhoneNumber": "+12065550101"}),
            "none",
        ),
        (
            "BadRequestException",
            "create_sip_media_application_call",
            json!({"SipMediaApplicationId": fixed, "FromPhoneNumber": "x", "ToPhoneNumber": "+12065550101"}),
            "FromPhoneNumber",
        ),
        (
            "NotFoundException",
            "update_sip_media_application_call",
            json!({"SipMediaApplicationId": fixed, "TransactionId": "00000000-0000-4000-8000-000000000000", "Arguments": {}}),
            "in progress",
        ),
    ];
    for (error, operation, parameters, word) in cases {
        let told = sdk.fails(error, "voice", operation, parameters);
        assert!(told.contains(word), "{operation}: {told}");
    }
    let mut stranger = Boto3::start(
        &format!("http://{}", sidecar.control()),
        "another secret of 16",
    );
    stranger.fails(
        "UnauthorizedClientException",
        "voice",
        "list_sip_rules",
        json!({}),
    );
    drop((sdk, stranger));
    sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_makes_meetings() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(rejecting).await;
    let sidecar = Sidecar::start(configuration(folder.path(), &handler, &handler, &handler))
        .await
        .unwrap();
    let mut sdk = boto3(&sidecar);
    let request = json!({"ClientRequestToken": "token-1", "MediaRegion": "us-east-1", "ExternalMeetingId": "standup"});
    let meeting = sdk.does(200, "meetings", "create_meeting", request.clone());
    let id = meeting["Meeting"]["MeetingId"].as_str().unwrap().to_owned();
    assert_eq!(
        (
            &meeting["Meeting"]["ExternalMeetingId"],
            &meeting["Meeting"]["MediaRegion"]
        ),
        (&json!("standup"), &json!("us-east-1"))
    );
    assert_eq!(
        sdk.does(200, "meetings", "create_meeting", request),
        meeting
    );
    let other = json!({"ClientRequestToken": "token-1", "MediaRegion": "us-east-1", "ExternalMeetingId": "other"});
    sdk.fails("ConflictException", "meetings", "create_meeting", other);
    let ann = sdk.does(
        200,
        "meetings",
        "create_attendee",
        json!({"MeetingId": id, "ExternalUserId": "ann"}),
    )["Attendee"]
        .clone();
    let more = sdk.does(
        200,
        "meetings",
        "batch_create_attendee",
        json!({"MeetingId": id, "Attendees": [{"ExternalUserId": "bob"}, {"ExternalUserId": "eve"}]}),
    );
    assert_eq!(more["Attendees"][1]["ExternalUserId"], "eve");
    let listed = sdk.does(
        200,
        "meetings",
        "list_attendees",
        json!({"MeetingId": id, "MaxResults": 2}),
    );
    assert_eq!(listed["Attendees"][0], ann);
    assert!(listed["NextToken"].is_string());
    let one = json!({"MeetingId": id, "AttendeeId": ann["AttendeeId"]});
    assert_eq!(
        sdk.does(200, "meetings", "get_attendee", one.clone())["Attendee"],
        ann
    );
    sdk.does(204, "meetings", "delete_attendee", one.clone());
    sdk.fails("NotFoundException", "meetings", "get_attendee", one);
    sdk.fails(
        "BadRequestException",
        "meetings",
        "create_attendee",
        json!({"MeetingId": id, "ExternalUserId": "x"}),
    );
    assert_eq!(
        sdk.does(200, "meetings", "get_meeting", json!({"MeetingId": id})),
        meeting
    );
    let both = sdk.does(
        200,
        "meetings",
        "create_meeting_with_attendees",
        json!({"ClientRequestToken": "token-2", "MediaRegion": "us-east-1", "ExternalMeetingId": "two",
               "Attendees": [{"ExternalUserId": "ann"}]}),
    );
    assert_eq!(both["Attendees"].as_array().unwrap().len(), 1);
    sdk.does(204, "meetings", "delete_meeting", json!({"MeetingId": id}));
    sdk.fails(
        "NotFoundException",
        "meetings",
        "get_meeting",
        json!({"MeetingId": id}),
    );
    drop(sdk);
    sidecar.shutdown().await;
}
