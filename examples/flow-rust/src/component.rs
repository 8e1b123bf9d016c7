//! The export: what the house knows, as decisions.

#[allow(missing_docs, clippy::all, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/deps/skillcall-flow",
        world: "skillcall:flow/plug-in",
    });
}

use crate::extension;
use bindings::exports::skillcall::flow::custom_flow::{
    Action, CallAndBridge, Endpoint, Event, Guest, Hangup, Happening, Participant, ParticipantTag,
    Speak, Speech,
};

struct House;

bindings::export!(House with_types_in bindings);

impl Guest for House {
    fn decide(event: Event) -> Option<Vec<Action>> {
        let caller = leg_a(&event)?;
        let desk = extension(&caller.caller)?;
        match &event.what {
            Happening::NewInboundCall => Some(vec![
                say("Welcome back. One moment, please."),
                bridge(&caller.called, desk),
            ]),
            Happening::ActionFailed(_) => Some(vec![
                say("Nobody answers. Please call again later."),
                Action::Hangup(Hangup {
                    leg: None,
                    sip_response_code: None,
                }),
            ]),
            // The other leg has ended: so does this one. Nothing more is to be done about what succeeded.
            Happening::Hangup(end) if !matches!(end.tag, ParticipantTag::LegA) => {
                Some(vec![Action::Hangup(Hangup {
                    leg: None,
                    sip_response_code: None,
                })])
            }
            _ => Some(Vec::new()),
        }
    }
}

fn leg_a(event: &Event) -> Option<&Participant> {
    let legs = &event.call.participants;
    legs.iter()
        .find(|leg| matches!(leg.tag, ParticipantTag::LegA))
}

fn say(text: &str) -> Action {
    Action::Speak(Speak {
        leg: None,
        speech: Speech {
            text: text.to_owned(),
            engine: None,
            language_code: None,
            text_type: None,
            voice_id: None,
        },
    })
}

/// Our own number is shown: a skill's call may not show its caller's.
fn bridge(own: &str, desk: &str) -> Action {
    Action::CallAndBridge(CallAndBridge {
        timeout_seconds: Some(20),
        caller_id_number: own.to_owned(),
        endpoints: vec![Endpoint::Pstn(desk.to_owned())],
        ringback_tone: None,
        sip_headers: Vec::new(),
    })
}
