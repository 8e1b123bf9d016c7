//! Taking leave of the calls that an earlier process has left.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::{Map, Value};
use skillcall_protocol::sma::event::ParticipantStatus;
use skillcall_protocol::sma::{ActionData, Event, InvocationEventType};

use super::{Journal, LeftCall};
use crate::applications::Applications;
use crate::engine::HandlerOutcome;
use crate::handler::{Answering, Handlers, Question};
use crate::trace::{CallIds, TraceSink};

/// Handlers that are told at a time.
const AT_A_TIME: usize = 64;
/// An attempt to tell one takes no longer (facts F3).
const ATTEMPT: Duration = Duration::from_secs(5);

/// Tells the handlers of calls that were left that each of their legs has ended.
pub(crate) async fn take_leave(
    left: Vec<LeftCall>,
    applications: Arc<Applications>,
    handlers: Arc<Handlers>,
    trace: TraceSink,
    journal: Journal,
) {
    let telling = left.into_iter().map(|call| {
        let (handlers, trace, journal) = (Arc::clone(&handlers), trace.clone(), journal.clone());
        let id = call.details.sip_media_application_id.clone();
        let application = applications.by_id(&id);
        async move {
            let transaction = call.details.transaction_id.to_string();
            match application {
                Some(application) => tell(call, &application.answering, &handlers, &trace).await,
                None => tracing::warn!(
                    transaction,
                    application = id,
                    "a call was left whose application is gone"
                ),
            }
            journal.ended(&transaction);
        }
    });
    futures_util::stream::iter(telling)
        .buffer_unordered(AT_A_TIME)
        .collect::<()>()
        .await;
}

/// HANGUP for each leg that had not ended, one after the other.
async fn tell(call: LeftCall, answering: &Arc<Answering>, handlers: &Handlers, trace: &TraceSink) {
    let ids = Arc::new(CallIds::new(
        call.details.transaction_id.to_string(),
        None,
        true,
    ));
    let told = "the sidecar was restarted: the call that it left is ended";
    trace.note(&ids, true, told);
    let mut details = call.details;
    for leg in &mut details.participants {
        if call.ended.iter().any(|ended| leg.call_id.as_str() == ended) {
            leg.status = Some(ParticipantStatus::Disconnected);
        }
    }
    let mut sequence = call.sequence;
    for place in 0..details.participants.len() {
        let Some(leg) = details.participants.get_mut(place) else {
            continue;
        };
        // As at the stop: an answered leg ends in an ordinary BYE, an unanswered one is not available.
        let code = match leg.status {
            Some(ParticipantStatus::Disconnected) => continue,
            Some(ParticipantStatus::Connected) => 0,
            None => 480,
        };
        leg.status = Some(ParticipantStatus::Disconnected);
        let parameters = Map::from_iter([
            ("SipResponseCode".to_owned(), Value::from(code)),
            ("CallId".to_owned(), Value::from(leg.call_id.as_str())),
            (
                "ParticipantTag".to_owned(),
                Value::from(leg.participant_tag.as_str()),
            ),
        ]);
        sequence = sequence.saturating_add(1);
        let mut event = Event::new(sequence, InvocationEventType::Hangup, details.clone());
        event.action_data = Some(ActionData::new("Hangup", parameters));
        let event = Arc::new(event);
        for attempt in 1..=2 {
            let question = Question {
                answering: Arc::clone(answering),
                event: Arc::clone(&event),
                attempt,
                ids: Arc::clone(&ids),
                target: Arc::new(AtomicUsize::new(0)),
            };
            let asked = tokio::time::timeout(ATTEMPT, handlers.ask(question)).await;
            if matches!(asked, Ok(HandlerOutcome::Replied(_))) {
                break;
            }
        }
    }
}
