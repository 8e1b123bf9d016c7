//! CallSignaling between simulator and component, with a scripted gateway in the sidecar's place (facts G2 to G5): each sequence
//! of the interface, and what becomes of losses, repetitions, delays and refusals.

use serde_json::Value;
use skillcall_host_tests::gateway::{ANSWER, Away, Gateway, Script, ended};
use skillcall_host_tests::messages::CUSTOMER;
use skillcall_host_tests::{PATIENCE, Stage, Staging, logs, plans, until};
use skillcall_protocol::communication::{IdType, ParticipantId};
use skillcall_protocol::signaling::{
    Operation, OperationName, Participant, RenegotiationKind, ResultCode, SdpDetails,
};
use skillcall_simulator::customer::Customer;
use skillcall_simulator::signaling::{EndedBy, SessionView, State};
use skillcall_simulator::trouble::{Fault, Place, Trouble};

use OperationName as Op;

const ROOM: &str = "room204";

/// A stage whose customer has granted, and a gateway.
async fn stage(script: Script) -> (Stage, Gateway) {
    let mut customer = Customer::default();
    customer.addresses.insert(ROOM.to_owned());
    let stage = Staging::new(plans::straight())
        .with_login()
        .customers(vec![customer])
        .start()
        .await;
    let told = stage.simulator.accept_grant(None).await.expect("told");
    assert_eq!((told.status, &told.problem), (200, &None), "{told:?}");
    let gateway = Gateway::start(&stage, script).await;
    (stage, gateway)
}

fn address(value: &str) -> ParticipantId {
    ParticipantId {
        kind: IdType::RawAddress,
        value: value.to_owned(),
    }
}

fn begin(stage: &Stage) -> String {
    stage
        .simulator
        .begin_session(None, address("frontdesk"), None)
        .expect("a session")
}

async fn session(
    stage: &Stage,
    id: &str,
    what: &str,
    wanted: impl Fn(&SessionView) -> bool,
) -> SessionView {
    let found = stage
        .simulator
        .wait_for_session(PATIENCE, |all| {
            let found = all.iter().find(|session| session.session_id == id)?;
            wanted(found).then(|| found.clone())
        })
        .await;
    found.unwrap_or_else(|| panic!("{what}: {:?}", stage.simulator.sessions()))
}

async fn is(stage: &Stage, id: &str, state: State) -> SessionView {
    session(stage, id, "the state", |session| session.state == state).await
}

/// Nothing of a call is left in the component's state.
async fn all_acknowledged(stage: &Stage) {
    until("no message in the state", async || {
        stage.state.entries("signaling/").is_empty().then_some(())
    })
    .await;
}

fn inbound() -> Operation {
    let participant = |value: &str, is_originator| Participant {
        id: address(value),
        is_originator,
    };
    Operation::InitiateInboundCall {
        participants: vec![participant("frontdesk", true), participant(ROOM, false)],
        sdp: SdpDetails::offer(ANSWER),
        custom_params: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_calls_holds_resumes_and_hangs_up() {
    for early in [false, true] {
        let (stage, gateway) = stage(Script::Answers { early }).await;
        let id = begin(&stage);
        is(&stage, &id, State::Accepted).await;
        gateway.wait_for(&id, Op::CallAcceptedAck).await;
        for (kind, held) in [
            (RenegotiationKind::CallHold, true),
            (RenegotiationKind::CallResume, false),
        ] {
            stage
                .simulator
                .update_session(&id, kind, None)
                .expect("an offer");
            session(&stage, &id, "held or not", |session| session.held == held).await;
        }
        session(&stage, &id, "both acknowledged", |session| {
            let acks = session.taken_from("alexa");
            acks.iter().filter(|name| **name == "CallUpdateAck").count() == 2
        })
        .await;
        stage.simulator.end_session(&id).expect("it ends");
        gateway.wait_for(&id, Op::CallEnded).await;
        let over = is(&stage, &id, State::Ended).await;
        let mut from_skill = vec!["CallRinging"];
        from_skill.extend(early.then_some("CallInProgress"));
        from_skill.extend(["CallAccepted", "CallUpdateResponse", "CallUpdateResponse"]);
        assert_eq!(over.taken_from("skill"), from_skill);
        let mut expected = vec![Op::InitiateOutboundCall, Op::CallRingingAck];
        expected.extend(early.then_some(Op::CallInProgressAck));
        expected.extend([
            Op::CallAcceptedAck,
            Op::CallUpdate,
            Op::CallUpdateAck,
            Op::CallUpdate,
            Op::CallUpdateAck,
            Op::CallEnded,
        ]);
        let mut come = gateway.operations(&id);
        let first = gateway.taken().remove(0);
        assert_eq!(first.message.operation.name(), Op::InitiateOutboundCall);
        assert_eq!(first.account.as_str(), CUSTOMER);
        assert_eq!(first.api_endpoint, stage.simulator.api_endpoint());
        // Each is posted by an instance of its own, so that two may change places on their way.
        come.sort_unstable();
        expected.sort_unstable();
        assert_eq!(come, expected);
        all_acknowledged(&stage).await;
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateways_side_offers_anew_and_ends_the_call() {
    let (stage, gateway) = stage(Script::Answers { early: false }).await;
    let id = begin(&stage);
    gateway.wait_for(&id, Op::CallAcceptedAck).await;
    let update = Operation::CallUpdate {
        kind: RenegotiationKind::CallHold,
        sdp: SdpDetails::offer(format!("{ANSWER}a=sendonly\r\n")),
    };
    let outcome = gateway.say_for_customer(&id, update).await.expect("said");
    assert!(outcome.is_success(), "{outcome:?}");
    let answer = gateway.wait_for(&id, Op::CallUpdateResponse).await;
    let sdp = answer.message.operation.sdp().expect("an answer");
    assert!(sdp.value.contains("a=recvonly"), "{}", sdp.value);
    session(&stage, &id, "our acknowledgement", |session| {
        session.has_taken("skill", Op::CallUpdateAck)
    })
    .await;
    let bye = ended(ResultCode::Success);
    let outcome = gateway.say_for_customer(&id, bye.clone()).await;
    assert!(outcome.expect("said").is_success());
    let over = is(&stage, &id, State::Ended).await;
    assert_eq!(over.ended_by, Some(EndedBy::Skill));
    assert_eq!(over.result.expect("a result").code, ResultCode::Success);
    // A repetition is refused by name.
    let again = gateway.say_for_customer(&id, bye).await.expect("said");
    assert_eq!(again.status, 400);
    assert_eq!(
        again.exception.as_deref(),
        Some("InvalidCallStateException")
    );
    all_acknowledged(&stage).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_is_called_and_accepts_declines_or_is_busy() {
    for early in [false, true] {
        let (stage, gateway) = stage(Script::Answers { early: false }).await;
        stage
            .simulator
            .change_signaling(|habits| habits.early_media = early);
        let outcome = gateway.say_for_customer("ours-1", inbound()).await;
        assert!(outcome.expect("said").is_success());
        gateway.wait_for("ours-1", Op::CallRinging).await;
        // It keeps its id: a repetition clashes with itself.
        let again = gateway.say_for_customer("ours-1", inbound()).await;
        assert_eq!(again.expect("said").status, 409);
        let busy = gateway.say_for_customer("ours-2", inbound()).await;
        assert!(busy.expect("said").is_success());
        let told = gateway.wait_for("ours-2", Op::CallEnded).await;
        let Operation::CallEnded { result } = told.message.operation else {
            panic!("{told:?}")
        };
        assert_eq!(result.code, ResultCode::DeviceBusy);
        if early {
            session(&stage, "ours-1", "early media", |session| {
                session.has_taken("skill", Op::CallInProgressAck)
            })
            .await;
        }
        stage.simulator.accept_session("ours-1").expect("accepted");
        let accepted = gateway.wait_for("ours-1", Op::CallAccepted).await;
        assert_eq!(accepted.message.operation.sdp().is_none(), early);
        session(&stage, "ours-1", "our acknowledgement", |session| {
            session.has_taken("skill", Op::CallAcceptedAck)
        })
        .await;
        let bye = gateway
            .say_for_customer("ours-1", ended(ResultCode::Success))
            .await;
        assert!(bye.expect("said").is_success());
        is(&stage, "ours-1", State::Ended).await;
        let third = gateway.say_for_customer("ours-3", inbound()).await;
        assert!(third.expect("said").is_success());
        gateway.wait_for("ours-3", Op::CallRinging).await;
        stage.simulator.decline_session("ours-3").expect("declined");
        gateway.wait_for("ours-3", Op::CallEnded).await;
        all_acknowledged(&stage).await;
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repetitions_delays_and_lost_answers_at_each_arrow_cost_nothing() {
    let (stage, gateway) = stage(Script::Answers { early: true }).await;
    for name in [
        Op::InitiateOutboundCall,
        Op::CallRingingAck,
        Op::CallInProgressAck,
        Op::CallAcceptedAck,
    ] {
        for fault in [
            Fault::Repeated { copies: 3 },
            Fault::Delay { milliseconds: 300 },
        ] {
            stage
                .simulator
                .trouble(Trouble::once(Place::Signals, fault.clone()).of(name))
                .expect("ordered");
            let id = begin(&stage);
            gateway.wait_for(&id, Op::CallAcceptedAck).await;
            let operations = gateway.operations(&id);
            assert_eq!(operations.len(), 4, "{name} {fault:?}: {operations:?}");
            stage.simulator.end_session(&id).expect("it ends");
            gateway.wait_for(&id, Op::CallEnded).await;
        }
    }
    // On the way to Alexa: refused in passing, answered late, or taken with the answer lost.
    let status = |status| Fault::Answer {
        status,
        code: None,
        message: None,
    };
    for name in [Op::CallRinging, Op::CallInProgress, Op::CallAccepted] {
        for fault in [
            status(429),
            status(500),
            status(401),
            status(403),
            Fault::Close,
            Fault::Delay { milliseconds: 300 },
            Fault::StartedThenAnswer { status: 500 },
            Fault::StartedThenClose,
        ] {
            stage
                .simulator
                .trouble(Trouble::once(Place::Signaling, fault.clone()).of(name))
                .expect("ordered");
            let id = begin(&stage);
            gateway.wait_for(&id, Op::CallAcceptedAck).await;
            stage.simulator.end_session(&id).expect("it ends");
            gateway.wait_for(&id, Op::CallEnded).await;
            assert!(stage.simulator.sessions().len() < 100, "{name} {fault:?}");
        }
    }
    all_acknowledged(&stage).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loss_ends_the_call_with_the_code_of_its_time_limit() {
    let (stage, gateway) = stage(Script::Answers { early: true }).await;
    stage.simulator.change_signaling(|habits| {
        habits.start_ms = 1500;
        habits.ring_ms = 3000;
    });
    for name in [
        Op::InitiateOutboundCall,
        Op::CallRingingAck,
        Op::CallInProgressAck,
    ] {
        stage
            .simulator
            .trouble(Trouble::once(Place::Signals, Fault::Lost).of(name))
            .expect("ordered");
        let id = begin(&stage);
        let over = is(&stage, &id, State::Ended).await;
        assert_eq!(over.ended_by, Some(EndedBy::Time), "{name}");
        assert_eq!(
            over.result.expect("a result").code,
            ResultCode::SessionTimeout
        );
        gateway.wait_for(&id, Op::CallEnded).await;
    }
    all_acknowledged(&stage).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_is_away_for_a_moment_misses_nothing() {
    let (stage, gateway) = stage(Script::Answers { early: false }).await;
    for away in [Away::For(3), Away::TakenFor(3)] {
        gateway.away(away);
        let before = gateway.requests();
        let id = begin(&stage);
        gateway.wait_for(&id, Op::CallAcceptedAck).await;
        assert_eq!(gateway.operations(&id).len(), 3, "{away:?}: each once");
        all_acknowledged(&stage).await;
        assert_eq!(gateway.requests() - before, 6, "{away:?}: three in vain");
        stage.simulator.end_session(&id).expect("it ends");
        gateway.wait_for(&id, Op::CallEnded).await;
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_no_gateway_takes_is_ended_by_the_component() {
    logs::keep();
    let (stage, gateway) = stage(Script::Silent).await;
    gateway.away(Away::Always);
    let id = begin(&stage);
    // While it is tried, the message lies in the state under a key of its own.
    until("the message in the state", async || {
        (stage.state.entries("signaling/").len() == 1).then_some(())
    })
    .await;
    let over = is(&stage, &id, State::Ended).await;
    assert_eq!(over.ended_by, Some(EndedBy::Skill));
    assert_eq!(
        over.result.expect("a result").code,
        ResultCode::InternalError
    );
    all_acknowledged(&stage).await;
    assert!(gateway.taken().is_empty() && gateway.requests() > 3);
    // Without a sidecar there is nothing to wait for.
    stage.settings.remove("sidecar_url");
    let id = begin(&stage);
    let over = is(&stage, &id, State::Ended).await;
    assert_eq!(over.ended_by, Some(EndedBy::Skill));
    let logged = logs::text();
    assert!(!logged.contains("Atza|") && !logged.contains("simulatedpassword"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_exception_comes_back_by_its_name_and_tokens_are_renewed_once() {
    let (stage, gateway) = stage(Script::Silent).await;
    let id = begin(&stage);
    gateway.wait_for(&id, Op::InitiateOutboundCall).await;
    let ringing = || Operation::CallRinging;
    for (status, code, told, tries) in [
        (
            400,
            Some("InvalidInputException"),
            Some("InvalidInputException"),
            1,
        ),
        (400, None, None, 1),
        (401, None, Some("BadTokenException"), 2),
        (403, None, Some("AccessDeniedException"), 2),
        (404, None, Some("ResourceNotFoundException"), 1),
        (409, None, Some("ResourceConflictException"), 1),
        (429, None, Some("ThrottlingException"), 1),
        (500, None, Some("InternalServerException"), 1),
    ] {
        let fault = Fault::Answer {
            status,
            code: code.map(str::to_owned),
            message: None,
        };
        let renewed = stage.simulator.login_figures().refreshes;
        stage
            .simulator
            .trouble(Trouble::times(Place::Signaling, fault, tries))
            .expect("ordered");
        let outcome = gateway
            .say_for_customer(&id, ringing())
            .await
            .expect("said");
        assert_eq!(
            (outcome.status, outcome.exception.as_deref()),
            (status, told),
            "{outcome:?}"
        );
        let now = stage.simulator.login_figures().refreshes;
        assert_eq!(now - renewed, u64::from(tries - 1), "{status}");
    }
    // One refusal alone is bridged.
    let fault = Fault::Answer {
        status: 401,
        code: None,
        message: None,
    };
    stage
        .simulator
        .trouble(Trouble::once(Place::Signaling, fault))
        .expect("ordered");
    let outcome = gateway
        .say_for_customer(&id, ringing())
        .await
        .expect("said");
    assert_eq!(outcome.status, 202);
    // Rules of the service itself.
    let unknown = gateway.say_for_customer("nobody", ringing()).await;
    assert_eq!(
        unknown.expect("said").exception.as_deref(),
        Some("ResourceNotFoundException")
    );
    let early = Operation::CallAccepted { sdp: None };
    let outcome = gateway.say_for_customer(&id, early).await.expect("said");
    assert_eq!(
        (outcome.status, outcome.exception.as_deref()),
        (400, Some("InvalidInputException"))
    );
    let stranger = gateway
        .say("amzn1.ask.account.STRANGER", &id, ringing())
        .await;
    let stranger = stranger.expect("said");
    assert_eq!(stranger.exception.as_deref(), Some("AccessDeniedException"));
    assert!(stranger.message.expect("words").contains("linked again"));
    // Alexa does not answer at all: nobody knows whether it was taken.
    stage
        .simulator
        .trouble(Trouble::once(Place::Signaling, Fault::StartedThenClose))
        .expect("ordered");
    let bye = ended(ResultCode::DeviceUnavailable);
    assert_eq!(gateway.say_for_customer(&id, bye).await, Err(502));
    let over = is(&stage, &id, State::Ended).await;
    assert_eq!(
        over.result.expect("a result").code,
        ResultCode::DeviceUnavailable
    );
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_deferred_response_is_of_a_form_that_alexa_reads() {
    let (stage, gateway) = stage(Script::Answers { early: false }).await;
    for form in ["empty", "directive", "deferred"] {
        stage.settings.set("deferred_response", form);
        let id = begin(&stage);
        gateway.wait_for(&id, Op::CallAcceptedAck).await;
        let view = is(&stage, &id, State::Accepted).await;
        assert_eq!(
            view.taken_from("alexa")[0],
            "InitiateOutboundCall",
            "{form}"
        );
        stage.simulator.end_session(&id).expect("it ends");
        gateway.wait_for(&id, Op::CallEnded).await;
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trace_joins_both_directions_without_keys() {
    let (stage, gateway) = stage(Script::Answers { early: false }).await;
    // The records go to the stage's sidecar: the gateway only takes messages.
    let id = begin(&stage);
    gateway.wait_for(&id, Op::CallAcceptedAck).await;
    stage.simulator.end_session(&id).expect("it ends");
    gateway.wait_for(&id, Op::CallEnded).await;
    let records = stage.simulator.trace(&id);
    let text = serde_json::to_string(&records).expect("JSON");
    for name in ["InitiateOutboundCall", "/v1/communications/signaling"] {
        assert!(text.contains(name), "{name} in {text}");
    }
    for secret in ["thegatewayspassword", "simulatedpassword", "Atza|"] {
        assert!(!text.contains(secret), "{secret}");
    }
    let traced: Vec<Value> = serde_json::from_str(&text).expect("records");
    assert_eq!(traced.len(), 6, "four from Alexa, two to it: {text}");
    all_acknowledged(&stage).await;
    stage.end().await;
}
