//! The call's decisions: an event of the SIP media application in, the plan's next actions out (facts E3, F1, F2).

mod course;
mod hand_over;
mod position;
mod render;

use skillcall_plan::{DecodeError, Plan};
use skillcall_protocol::ids::ClientSessionId;
use skillcall_protocol::sma::{
    AttributeUpdate, Event, InvocationEventType, Participant, ParticipantTag, Reply,
};
use skillcall_protocol::user_to_user;

pub use hand_over::HandOver;
pub use position::Position;

use course::Course;

/// SIP 480, Temporarily Unavailable (RFC 3261 §21.4.18): how a call is turned away (facts F6, Hangup).
const UNAVAILABLE: u16 = 480;

/// What is known of a session when its call comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSession {
    /// The destination's id in the plan.
    pub destination: String,
    /// The locale in which the customer spoke.
    pub locale: String,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The reply to the event.
    pub reply: Reply,
    /// Why, for the trace and the log.
    pub note: String,
    /// The session, once it is known.
    pub csi: Option<ClientSessionId>,
    /// The handler that decides in place of the plan; the reply above says nothing then.
    pub hand_over: Option<HandOver>,
}

/// Why there is no decision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlowError {
    /// The plan cannot serve the event.
    #[error("the call plan: {0}")]
    Plan(String),
    /// The event contradicts the facts.
    #[error("the event: {0}")]
    Event(String),
}

impl From<DecodeError> for FlowError {
    fn from(error: DecodeError) -> Self {
        Self::Plan(error.to_string())
    }
}

/// The `clientSessionId` that a call carries: of the flow's position, else of the first leg's User-to-User header (facts E1).
#[must_use]
pub fn csi_of(event: &Event) -> Option<ClientSessionId> {
    if let Some(position) = Position::read(event.call_details.transaction_attributes.as_ref()) {
        return ClientSessionId::parse(position.csi).ok();
    }
    let header = leg_a(event)?.sip_headers.as_ref()?.get("User-to-User")?;
    user_to_user::decode_csi([header])
}

/// Decides what the call does next. `session` is what is known of the call's `clientSessionId`, and is only asked for
/// when a call comes in: later the position carries it. `now_s` is the time in Unix seconds, for opening hours.
///
/// # Errors
/// When the plan is damaged, or the event lacks what the facts promise.
pub fn decide(
    plan: &Plan<'_>,
    event: &Event,
    now_s: i64,
    session: impl FnOnce(&ClientSessionId) -> Option<KnownSession>,
) -> Result<Decision, FlowError> {
    let decision = match &event.invocation_event_type {
        InvocationEventType::NewInboundCall => incoming(plan, event, now_s, session),
        InvocationEventType::CallAnswered => answered(plan, event, now_s),
        // Facts E3: a reply to these is not used, and attributes that are not named stay.
        InvocationEventType::NewOutboundCall
        | InvocationEventType::Ringing
        | InvocationEventType::ActionInterrupted
        | InvocationEventType::InvalidLambdaResponse
        | InvocationEventType::Other(_) => handed_over(plan, event, now_s),
        InvocationEventType::ActionSuccessful
        | InvocationEventType::ActionFailed
        | InvocationEventType::DigitsReceived
        | InvocationEventType::CallUpdateRequested
        | InvocationEventType::Hangup => running(plan, event, now_s),
    }?;
    Ok(Decision {
        csi: csi_of(event),
        ..decision
    })
}

fn leg_a(event: &Event) -> Option<&Participant> {
    event.call_details.participant(&ParticipantTag::LegA)
}

fn first_leg(event: &Event) -> Result<&Participant, FlowError> {
    leg_a(event).ok_or_else(|| FlowError::Event("it has no participant LEG-A".to_owned()))
}

fn nothing(note: impl Into<String>) -> Decision {
    Decision {
        reply: Reply::default(),
        note: note.into(),
        csi: None,
        hand_over: None,
    }
}

fn turned_away(note: impl Into<String>) -> Result<Decision, FlowError> {
    let actions = vec![render::hangup(0, &ParticipantTag::LegA, UNAVAILABLE)?];
    let reply = Reply {
        actions: Some(actions),
        transaction_attributes: AttributeUpdate::Keep,
    };
    Ok(Decision {
        reply,
        note: note.into(),
        csi: None,
        hand_over: None,
    })
}

fn incoming(
    plan: &Plan<'_>,
    event: &Event,
    now_s: i64,
    session: impl FnOnce(&ClientSessionId) -> Option<KnownSession>,
) -> Result<Decision, FlowError> {
    let leg = first_leg(event)?;
    let client = leg
        .sip_headers
        .as_ref()
        .and_then(|headers| headers.get("X-Alexa-LWA-ClientId"));
    if let (Some(client), Some(own)) = (client, plan.lwa_client_id)
        && !client.trim().eq_ignore_ascii_case(own)
    {
        return turned_away(
            "the call comes from another skill: its X-Alexa-LWA-ClientId is not the plan's lwa-client-id",
        );
    }
    let Some(flow) = plan.flow(&leg.to)? else {
        return turned_away("no flow of the plan answers the number that was called");
    };
    let csi = csi_of(event);
    let known = csi.as_ref().and_then(session);
    let note = match (&csi, &known) {
        (Some(_), Some(_)) => "a call of a session that the skill began",
        (Some(_), None) => "a call whose csi is not known: it is served without session",
        (None, _) => "a call without csi: it is served without session",
    };
    let position = Position {
        flow: flow.number.to_owned(),
        csi: csi.map(|csi| csi.as_str().to_owned()).unwrap_or_default(),
        locale: known
            .as_ref()
            .map_or(plan.default_locale, |known| plan.locale_for(&known.locale))
            .to_owned(),
        destination: known.map(|known| known.destination).unwrap_or_default(),
        ..Position::default()
    };
    Course {
        plan,
        event,
        flow: &flow,
        position,
        now_s,
    }
    .start(note)
}

fn answered(plan: &Plan<'_>, event: &Event, now_s: i64) -> Result<Decision, FlowError> {
    let leg = first_leg(event)?;
    // Of a call that we made, the skill's own number is the calling one.
    let Some(flow) = plan.flow(&leg.from)? else {
        return Ok(nothing("no flow of the plan makes calls from this number"));
    };
    let position = Position {
        flow: flow.number.to_owned(),
        locale: plan.default_locale.to_owned(),
        ..Position::default()
    };
    Course {
        plan,
        event,
        flow: &flow,
        position,
        now_s,
    }
    .start("an outgoing call was answered")
}

fn running(plan: &Plan<'_>, event: &Event, now_s: i64) -> Result<Decision, FlowError> {
    let Some(position) = Position::read(event.call_details.transaction_attributes.as_ref()) else {
        return Ok(nothing("the call has no position in a flow"));
    };
    let Some(flow) = plan.flow(&position.flow)? else {
        return Ok(nothing(format!(
            "the plan has no flow for {} any more",
            position.flow
        )));
    };
    let course = Course {
        plan,
        event,
        flow: &flow,
        position,
        now_s,
    };
    if let Some(handler) = course.step().and_then(|step| step.hand_over) {
        return Ok(course.handed_to(&handler, "the call is its handler's"));
    }
    match event.invocation_event_type {
        InvocationEventType::ActionSuccessful => course.succeeded(),
        InvocationEventType::ActionFailed => course.failed(),
        InvocationEventType::DigitsReceived => course.digits_received(),
        InvocationEventType::CallUpdateRequested => course.update_requested(),
        _ => course.hung_up(),
    }
}

/// Events that the plan has nothing to decide about; a handler wants them all the same.
fn handed_over(plan: &Plan<'_>, event: &Event, now_s: i64) -> Result<Decision, FlowError> {
    let position = Position::read(event.call_details.transaction_attributes.as_ref());
    let handler = match &position {
        Some(position) => plan.flow(&position.flow)?.is_some_and(|flow| {
            flow.step_named(&position.step)
                .is_some_and(|step| step.hand_over.is_some())
        }),
        None => false,
    };
    if handler {
        running(plan, event, now_s)
    } else {
        Ok(nothing("nothing to decide"))
    }
}

#[cfg(test)]
mod tests;
