//! Requests that Alexa did not send (facts B): each is refused with 400, no call is placed, nothing is left behind.

use skillcall_host_tests::{Answer, Handler, Stage, Staging, plans};
use skillcall_plan::TextKey;
use skillcall_simulator::Outcome;
use skillcall_simulator::authority::ChainFault;
use skillcall_simulator::trouble::{Fault, Place, Trouble};

async fn refused(stage: &Stage, fault: Fault) {
    stage
        .simulator
        .trouble(Trouble::once(Place::Request, fault.clone()))
        .expect("ordered");
    let said = stage.refused(&format!("{fault:?}")).await;
    assert_eq!(
        said.spoken,
        ["There was a problem with the requested skill's response."],
        "{fault:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_right_signature() {
    let stage = Staging::new(plans::straight()).start().await;
    for fault in [Fault::Unsigned, Fault::LegacySignatureOnly, Fault::Tampered] {
        refused(&stage, fault).await;
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_wrong_time_or_for_another_skill() {
    let stage = Staging::new(plans::straight()).start().await;
    let other = "amzn1.ask.skill.11111111-1111-1111-1111-111111111111".to_owned();
    for fault in [
        Fault::Stale { seconds: 160 },
        Fault::Future { seconds: 200 },
        Fault::NoTimestamp,
        Fault::OtherSkill { skill_id: other },
    ] {
        refused(&stage, fault).await;
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_chain_that_breaks_a_rule() {
    let stage = Staging::new(plans::straight()).start().await;
    for chain in [
        ChainFault::WrongName,
        ChainFault::ForeignRoot,
        ChainFault::Expired,
        ChainFault::NotYetValid,
        ChainFault::Incomplete,
    ] {
        refused(&stage, Fault::BadChain { chain }).await;
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_chain_from_another_place() {
    let stage = Staging::new(plans::straight()).start().await;
    let number = stage.simulator.authority().chain().number();
    let file = format!("echo-api-cert-{number}.pem");
    refused(&stage, Fault::NoChainUrl).await;
    for url in [
        format!("http://s3.amazonaws.com/echo.api/{file}"),
        format!("https://s3.amazonaws.com.example.com/echo.api/{file}"),
        format!("https://example.com/echo.api/{file}"),
        format!("https://s3.amazonaws.com:444/echo.api/{file}"),
        format!("https://s3.amazonaws.com/EcHo.aPi/{file}"),
        format!("https://s3.amazonaws.com/echo.api/../{file}"),
        format!("https://s3.amazonaws.com@example.com/echo.api/{file}"),
        "https://s3.amazonaws.com/echo.api/echo-api-cert-999999999.pem".to_owned(),
        String::new(),
    ] {
        refused(&stage, Fault::ChainUrl { url }).await;
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_chain_cannot_be_had_and_served_when_it_can_again() {
    let stage = Staging::new(plans::straight()).start().await;
    for fault in [
        Fault::Answer {
            status: 404,
            code: None,
            message: None,
        },
        Fault::Close,
        Fault::Nonsense,
    ] {
        // One more: what the skill hears of its session's end is verified, too.
        stage
            .simulator
            .trouble(Trouble::always(Place::Chain, fault.clone()))
            .expect("ordered");
        stage.refused(&format!("{fault:?}")).await;
        stage.simulator.no_more_trouble();
    }
    let said = stage.simulator.say("help").await.expect("said");
    assert_eq!(said.outcome, Outcome::Answered, "{said:?}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_goes_to_an_api_that_is_not_listed() {
    let thief = Handler::start(|_| Answer::Status(200)).await;
    let stage = Staging::new(plans::straight()).start().await;
    let url = thief.url().origin().ascii_serialization();
    for url in [
        url.clone(),
        format!("{url}/"),
        format!("{}@{}", stage.simulator.api_endpoint(), &url[7..]),
    ] {
        stage
            .simulator
            .trouble(Trouble::once(
                Place::Request,
                Fault::OtherApiEndpoint { url },
            ))
            .expect("ordered");
        let said = stage
            .simulator
            .say("call the front desk")
            .await
            .expect("said");
        let failed = TextKey::CallFailed.built_in("en-US").expect("a text");
        assert_eq!(said.spoken, [failed]);
        assert!(said.call.is_none());
    }
    assert!(thief.events().is_empty(), "the token stays here");
    stage.end().await;
}
