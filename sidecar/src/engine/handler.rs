//! Asking the handler: events in a row, one at a time, with time-outs and retries (facts F1, F3).

use std::collections::VecDeque;
use std::sync::Arc;

use skillcall_protocol::sma::event::CallDetails;
use skillcall_protocol::sma::{
    ActionData, ErrorType, Event, InvocationEventType, Participant, Reply, ReplyError, attributes,
};

use super::call::Call;
use super::command::{Command, LegId};
use super::config::EngineConfig;
use super::input::HandlerOutcome;
use super::timers::Timer;

/// Most events that wait for the handler. More digits and updates are then dropped: a handler that is so far behind
/// would run out of its 20 s anyway.
const MAX_WAITING: usize = 64;
/// How often an attempt may end in an error, the first one included: "retried once" (facts F3).
const MAX_ERRORS: u32 = 2;

/// What a reply may do (facts E3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReplyUse {
    /// Its actions replace what is left of the list.
    Actions,
    /// The same, and they interrupt (facts F8).
    Interrupt,
    /// Only its attributes count.
    Attributes,
}

/// An event that waits for its turn. Sequence and attributes are filled in when it is sent, the legs are as they were
/// when it happened.
#[derive(Debug)]
struct Waiting {
    kind: InvocationEventType,
    action_data: Option<ActionData>,
    error: Option<(ErrorType, String)>,
    participants: Vec<Participant>,
    usage: ReplyUse,
    trigger: LegId,
}

/// The event that the handler is being asked.
#[derive(Debug)]
struct Asking {
    event: Arc<Event>,
    attempt: u32,
    errors: u32,
    usage: ReplyUse,
    trigger: LegId,
}

/// The handler's side of a call.
#[derive(Debug, Default)]
pub(super) struct Handler {
    waiting: VecDeque<Waiting>,
    asking: Option<Asking>,
    sequence: u32,
    /// Attempts of events that another application was asked with the same number.
    attempts_before: u32,
}

impl Handler {
    /// Whether nothing waits and nothing is being asked.
    pub(super) fn is_idle(&self) -> bool {
        self.asking.is_none() && self.waiting.is_empty()
    }

    /// Events that were sent.
    pub(super) fn sequence(&self) -> u32 {
        self.sequence
    }

    /// The event that is being asked.
    pub(super) fn asking(&self) -> Option<&Event> {
        self.asking.as_ref().map(|asking| asking.event.as_ref())
    }
}

impl Call {
    /// Puts an event into the row.
    pub(super) fn report(
        &mut self,
        kind: InvocationEventType,
        data: Option<ActionData>,
        usage: ReplyUse,
        trigger: LegId,
    ) {
        self.report_with(kind, data, None, usage, trigger);
    }

    fn report_with(
        &mut self,
        kind: InvocationEventType,
        action_data: Option<ActionData>,
        error: Option<(ErrorType, String)>,
        usage: ReplyUse,
        trigger: LegId,
    ) {
        let may_be_lost = matches!(
            kind,
            InvocationEventType::DigitsReceived | InvocationEventType::CallUpdateRequested
        );
        if may_be_lost && self.handler.waiting.len() >= MAX_WAITING {
            self.problem(format!(
                "{kind} is dropped: the handler is {MAX_WAITING} events behind"
            ));
            return;
        }
        let participants = self.legs.participants();
        self.handler.waiting.push_back(Waiting {
            kind,
            action_data,
            error,
            participants,
            usage,
            trigger,
        });
    }

    /// Sends the next event, if the handler is free. Says whether it did.
    pub(super) fn ask_next(&mut self) -> bool {
        if self.handler.asking.is_some() {
            return false;
        }
        let Some(next) = self.handler.waiting.pop_front() else {
            return false;
        };
        if self.handler.sequence >= self.config.limits.invocations {
            self.problem(format!(
                "{} is not sent and the call ends: the handler was asked {} times, the most for a call",
                next.kind, self.handler.sequence
            ));
            self.end_all(480);
            self.handler.waiting.clear();
            return false;
        }
        self.handler.sequence += 1;
        let details = CallDetails {
            transaction_id: self.transaction_id.clone(),
            transaction_attributes: self.attributes.clone(),
            aws_account_id: self.config.aws_account_id.clone(),
            aws_region: self.config.aws_region.clone(),
            // A call that was made through the API came by no rule (facts E2).
            sip_rule_id: match self.created {
                Some(_) => None,
                None => self.config.sip_rule_id.clone(),
            },
            sip_media_application_id: self.config.sip_media_application_id.clone(),
            participants: next.participants,
        };
        let mut event = Event::new(self.handler.sequence, next.kind, details);
        event.action_data = next.action_data;
        if let Some((error_type, message)) = next.error {
            event.error_type = Some(error_type);
            event.error_message = Some(message);
        }
        self.handler.asking = Some(Asking {
            event: Arc::new(event),
            attempt: std::mem::take(&mut self.handler.attempts_before),
            errors: 0,
            usage: next.usage,
            trigger: next.trigger,
        });
        self.timers.set(
            Timer::Total,
            self.now.instant + self.config.limits.handler_total,
        );
        self.attempt();
        true
    }

    /// Sends the event that is being asked, once more.
    fn attempt(&mut self) {
        let Some(asking) = &mut self.handler.asking else {
            return;
        };
        asking.attempt = asking.attempt.saturating_add(1);
        let command = Command::Ask {
            sequence: asking.event.sequence,
            attempt: asking.attempt,
            event: Arc::clone(&asking.event),
        };
        self.timers.set(
            Timer::Attempt,
            self.now.instant + self.config.limits.handler_attempt,
        );
        self.push(command);
    }

    /// An attempt came to an end.
    pub(super) fn on_handler(&mut self, sequence: u32, attempt: u32, outcome: HandlerOutcome) {
        let is_current =
            |asking: &Asking| asking.event.sequence == sequence && asking.attempt == attempt;
        if !self.handler.asking.as_ref().is_some_and(is_current) {
            self.info(format!(
                "a late result of attempt {attempt} for event {sequence} is ignored"
            ));
            return;
        }
        let told = match outcome {
            HandlerOutcome::Replied(reply) => {
                if let Some(asking) = self.stop_asking() {
                    self.on_reply(&asking, reply);
                }
                return;
            }
            HandlerOutcome::Status { status, detail } if detail.is_empty() => {
                format!("HTTP status {status}")
            }
            HandlerOutcome::Status { status, detail } => format!("HTTP status {status}: {detail}"),
            HandlerOutcome::Unreachable { reason } => reason,
        };
        let Some(asking) = &mut self.handler.asking else {
            return;
        };
        asking.errors += 1;
        if asking.errors < MAX_ERRORS {
            self.problem(format!(
                "event {sequence}: attempt {attempt} failed ({told}); it is tried once more"
            ));
            self.attempt();
        } else {
            self.out_of_retries(&format!("attempt {attempt} failed too ({told})"));
        }
    }

    fn stop_asking(&mut self) -> Option<Asking> {
        self.timers.clear(Timer::Attempt);
        self.timers.clear(Timer::Total);
        self.handler.asking.take()
    }

    /// 5 s without a reply: the next attempt (facts F3).
    pub(super) fn on_attempt_timeout(&mut self) {
        let Some(asking) = &self.handler.asking else {
            return;
        };
        let (sequence, attempt) = (asking.event.sequence, asking.attempt);
        self.push(Command::AbandonAsk { sequence, attempt });
        let waited = self.config.limits.handler_attempt.as_secs_f64();
        self.problem(format!(
            "event {sequence}: no reply to attempt {attempt} within {waited} s; it is tried again"
        ));
        self.attempt();
    }

    /// 20 s without a reply: the call ends (facts F3).
    pub(super) fn on_total_timeout(&mut self) {
        let Some(asking) = &self.handler.asking else {
            return;
        };
        let (sequence, attempt) = (asking.event.sequence, asking.attempt);
        self.push(Command::AbandonAsk { sequence, attempt });
        let waited = self.config.limits.handler_total.as_secs_f64();
        self.out_of_retries(&format!(
            "no reply within {waited} s and {attempt} attempts"
        ));
    }

    fn out_of_retries(&mut self, told: &str) {
        let Some(asking) = self.stop_asking() else {
            return;
        };
        let (sequence, kind) = (asking.event.sequence, &asking.event.invocation_event_type);
        let creates = *kind == InvocationEventType::NewOutboundCall;
        let unused = asking.usage == ReplyUse::Attributes && !creates;
        if unused || !self.legs.any_alive() {
            self.problem(format!("event {sequence} ({kind}) is given up: {told}"));
            return;
        }
        if *kind == InvocationEventType::NewInboundCall
            && let Some(next) = self.targets.pop_front()
        {
            let told = format!(
                "event {sequence} ({kind}): {told}; the SIP rule's next application takes the call: {}",
                next.sip_media_application_id
            );
            self.problem(told);
            return self.begin_anew(next, asking.attempt);
        }
        self.problem(format!("event {sequence} ({kind}): {told}; the call ends"));
        self.handler
            .waiting
            .retain(|waiting| waiting.kind == InvocationEventType::Hangup);
        self.end_all(480);
    }

    /// Another application takes the call, and has heard nothing of it.
    fn begin_anew(&mut self, next: Arc<EngineConfig>, attempts: u32) {
        self.config = next;
        self.handler.waiting.clear();
        self.handler.sequence = 0;
        // A late result for the application before is told apart by its attempt.
        self.handler.attempts_before = attempts;
        self.push(Command::NextTarget);
        self.report(
            InvocationEventType::NewInboundCall,
            None,
            ReplyUse::Actions,
            LegId::A,
        );
    }

    fn on_reply(&mut self, asking: &Asking, reply: Result<Reply, ReplyError>) {
        self.use_reply(asking, reply);
        if asking.event.invocation_event_type == InvocationEventType::NewOutboundCall {
            self.call_created();
        }
    }

    fn use_reply(&mut self, asking: &Asking, reply: Result<Reply, ReplyError>) {
        match reply {
            Ok(reply) => self.apply(asking, reply),
            // Handlers answer nothing at all to a HANGUP that ends the call, and no rule says that they must.
            Err(error) if asking.usage == ReplyUse::Attributes || !self.legs.any_alive() => {
                self.info(format!(
                    "the reply to event {} is not used, and invalid: {error}",
                    asking.event.sequence
                ));
            }
            Err(error)
                if asking.event.invocation_event_type
                    == InvocationEventType::InvalidLambdaResponse =>
            {
                // A handler that cannot even answer this would be asked for ever.
                self.problem(format!(
                    "the reply to INVALID_LAMBDA_RESPONSE is invalid too: {error}; the call ends"
                ));
                self.end_all(480);
            }
            Err(error) => {
                self.problem(format!(
                    "the reply to event {} is invalid: {error}",
                    asking.event.sequence
                ));
                self.report_with(
                    InvocationEventType::InvalidLambdaResponse,
                    None,
                    Some((error.error_type(), error.to_string())),
                    ReplyUse::Actions,
                    asking.trigger,
                );
            }
        }
    }

    /// Does what a reply says (facts F1, F4).
    fn apply(&mut self, asking: &Asking, reply: Reply) {
        if reply.transaction_attributes != attributes::AttributeUpdate::Keep {
            let present = self.attributes.take().unwrap_or_default();
            let after = attributes::merge(present, &reply.transaction_attributes);
            self.attributes = (!after.is_empty()).then_some(after);
        }
        let actions = match reply.actions {
            Some(actions) if !actions.is_empty() => actions,
            // Absent and empty alike: what is left of the old list goes on (facts F1).
            _ => return,
        };
        if asking.usage == ReplyUse::Attributes || !self.legs.any_alive() {
            let kind = &asking.event.invocation_event_type;
            self.info(format!(
                "the {} actions in the reply to {kind} are not used",
                actions.len()
            ));
            return;
        }
        if !self.list.is_empty() {
            self.info(format!(
                "the new list replaces {} actions that had not begun",
                self.list.len()
            ));
        }
        self.list.replace(actions, asking.trigger);
        if asking.usage == ReplyUse::Interrupt {
            self.interrupt_running();
        }
    }
}
