//! Routing by rules, and the book over a restart.

use std::path::Path;

use super::record::AlexaSkillStatus;
use super::*;

const ARN: &str = "arn:aws:lambda:us-east-1:111122223333:function:my-sma";

fn open(folder: &Path) -> Applications {
    let text = format!(
        r#"
[sip]
skills = ["amzn1.application-oa2-client.00000000000000000000000000000000"]
[[application]]
id = "fixed"
handler = "http://127.0.0.1:1/"
numbers = ["+16075550199"]
require-signed-replies = false
[[lambda]]
arn = "{ARN}"
handler = "http://127.0.0.1:2/"
"#
    );
    let config = SidecarConfig::parse(&text, &folder.join("sidecar.toml")).unwrap();
    let secrets = Secrets::read(&config).unwrap();
    Applications::open(&Arc::new(config), &secrets).unwrap()
}

fn application(applications: &Applications, region: &str) -> String {
    applications
        .change(|book, configured| {
            let stamp = Applications::stamp();
            book.create_application(
                configured,
                region,
                "a",
                &[ARN.to_owned()],
                Vec::new(),
                stamp,
            )
        })
        .unwrap()
        .sip_media_application_id
}

fn rule(
    applications: &Applications,
    kind: TriggerType,
    value: &str,
    targets: &[(&str, u32)],
) -> Result<SipRule, Refusal> {
    let rule = NewRule {
        name: "r".to_owned(),
        disabled: false,
        trigger_type: kind,
        trigger_value: value.to_owned(),
        targets: targets
            .iter()
            .map(|(id, priority)| NewTarget {
                application: (*id).to_owned(),
                priority: *priority,
                region: None,
            })
            .collect(),
    };
    applications
        .change(|book, configured| book.create_rule(configured, rule, Applications::stamp()))
}

fn reached(applications: &Applications, number: &str, host: &str) -> Vec<(String, String)> {
    applications
        .reached_by(number, host)
        .iter()
        .map(|application| {
            let events = &application.engine;
            (
                events.sip_media_application_id.clone(),
                events.sip_rule_id.clone().unwrap(),
            )
        })
        .collect()
}

#[test]
fn rules_lead_to_applications_in_the_order_of_their_priorities_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let applications = open(folder.path());
    let east = application(&applications, "us-east-1");
    let west = application(&applications, "us-west-2");
    let by_number = rule(
        &applications,
        TriggerType::ToPhoneNumber,
        "+12065550100",
        &[(&east, 9), (&west, 2)],
    )
    .unwrap();
    let by_host = rule(
        &applications,
        TriggerType::RequestUriHostname,
        "abc.voiceconnector.chime.aws",
        &[("fixed", 1)],
    )
    .unwrap();
    let look = |applications: &Applications| {
        let both = [west.clone(), east.clone()].map(|id| (id, by_number.sip_rule_id.clone()));
        assert_eq!(reached(applications, "+12065550100", "x"), both);
        assert_eq!(reached(applications, "12065550100", "x"), both);
        assert_eq!(
            reached(applications, "100", "ABC.voiceconnector.chime.aws"),
            [("fixed".to_owned(), by_host.sip_rule_id.clone())]
        );
        assert_eq!(
            reached(applications, "+16075550199", "x"),
            [("fixed".to_owned(), "fixed".to_owned())]
        );
        assert!(reached(applications, "+12065550101", "x").is_empty());
    };
    look(&applications);
    drop(applications);
    let applications = open(folder.path());
    look(&applications);

    let region = applications.reached_by("+12065550100", "")[0]
        .engine
        .aws_region
        .clone();
    assert_eq!(region, "us-west-2");
    let id = by_number.sip_rule_id.as_str();
    let delete = || applications.change(|book, configured| book.delete_rule(configured, id));
    assert!(
        matches!(delete(), Err(Refusal::Conflict(_))),
        "it is enabled"
    );
    applications
        .change(|book, configured| {
            book.update_rule(configured, id, "r", Some(true), None, String::new())
        })
        .unwrap();
    assert!(reached(&applications, "+12065550100", "x").is_empty());
    delete().unwrap();
    assert!(matches!(delete(), Err(Refusal::NotFound(_))));
}

#[test]
fn what_amazon_refuses_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let applications = open(folder.path());
    let one = application(&applications, "us-east-1");
    let two = application(&applications, "us-east-1");
    let before = applications.look(|book, _| book.clone());
    let number = TriggerType::ToPhoneNumber;
    let bad = |refused: Result<SipRule, Refusal>, word: &str| match refused {
        Err(Refusal::BadRequest(told)) => assert!(told.contains(word), "{told}"),
        other => panic!("{other:?}"),
    };
    bad(
        rule(&applications, number, "12065550100", &[(&one, 1)]),
        "TriggerValue",
    );
    bad(
        rule(&applications, number, "+12065550100", &[]),
        "TargetApplications",
    );
    bad(
        rule(&applications, number, "+12065550100", &[(&one, 0)]),
        "Priority",
    );
    bad(
        rule(&applications, number, "+12065550100", &[("none", 1)]),
        "none",
    );
    bad(
        rule(
            &applications,
            number,
            "+12065550100",
            &[(&one, 1), (&two, 2)],
        ),
        "another region",
    );
    let taken = rule(&applications, number, "+16075550199", &[(&one, 1)]);
    assert!(matches!(taken, Err(Refusal::Conflict(_))), "{taken:?}");
    for (name, arn) in [
        ("a/b", ARN),
        ("a", "arn:aws:lambda:x"),
        ("", ARN),
        ("a", &ARN[..ARN.len() - 1]),
    ] {
        let made = applications.change(|book, configured| {
            let stamp = Applications::stamp();
            book.create_application(
                configured,
                "us-east-1",
                name,
                &[arn.to_owned()],
                Vec::new(),
                stamp,
            )
        });
        assert!(matches!(made, Err(Refusal::BadRequest(_))), "{made:?}");
    }
    let fixed =
        applications.change(|book, configured| book.delete_application(configured, "fixed"));
    assert!(matches!(fixed, Err(Refusal::Forbidden(_))));
    assert_eq!(applications.look(|book, _| book.clone()), before);

    rule(&applications, number, "+12065550100", &[(&one, 1)]).unwrap();
    let used = applications.change(|book, configured| book.delete_application(configured, &one));
    assert!(matches!(used, Err(Refusal::Conflict(_))));
    applications
        .change(|book, configured| book.delete_application(configured, &two))
        .unwrap();
}

#[test]
fn a_skill_configuration_goes_before_the_skills_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let applications = open(folder.path());
    let id = application(&applications, "us-east-1");
    let made = applications.by_id(&id).unwrap();
    let (listed, other) = (
        format!("amzn1.application-oa2-client.{}", "0".repeat(32)),
        format!("amzn1.application-oa2-client.{}", "a".repeat(32)),
    );
    assert!(applications.allows_skill(&made, &listed) && !applications.allows_skill(&made, &other));
    let put = |status, ids: &[&String]| {
        let skill = AlexaSkill {
            alexa_skill_status: status,
            alexa_skill_ids: ids.iter().map(|id| (*id).clone()).collect(),
        };
        applications.change(|book, configured| book.put_alexa_skill(configured, &id, skill))
    };
    put(AlexaSkillStatus::Active, &[&other]).unwrap();
    assert!(!applications.allows_skill(&made, &listed) && applications.allows_skill(&made, &other));
    assert!(applications.knows_skill(&other) && !applications.knows_skill(&listed));
    put(AlexaSkillStatus::Inactive, &[&other]).unwrap();
    assert!(!applications.allows_skill(&made, &other) && !applications.knows_skill(&other));
    for wrong in [vec![], vec![&listed, &other], vec![&id]] {
        assert!(matches!(
            put(AlexaSkillStatus::Active, &wrong),
            Err(Refusal::BadRequest(_))
        ));
    }
}

#[test]
fn a_file_that_cannot_be_read_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("state")).unwrap();
    std::fs::write(folder.path().join("state/sip-media-applications.json"), "{").unwrap();
    let config = Arc::new(SidecarConfig::parse("", &folder.path().join("sidecar.toml")).unwrap());
    let secrets = Secrets::read(&config).unwrap();
    let error = Applications::open(&config, &secrets)
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("sip-media-applications.json"), "{error}");
}
