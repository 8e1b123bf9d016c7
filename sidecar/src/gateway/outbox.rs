//! What is said to Alexa: in order, each message until Alexa has it.
//!
//! Messages that begin, continue or end the call go one after the other, and each waits a moment for the acknowledgement
//! of the one before. Acknowledgements and answers to Alexa's offers pass all of them: Alexa waits for those.

use std::time::{Duration, Instant};

use skillcall_protocol::signaling::{Operation, OperationName};

use super::exceptions::{Judgement, Outcome, is_acknowledgement, judge};
use super::timers::Times;

/// An acknowledgement is tried as often as this; nothing depends on it for long.
const ACK_ATTEMPTS: u32 = 4;

/// A message on its way.
#[derive(Debug)]
struct Letter {
    number: u64,
    operation: Operation,
    /// It passes the others.
    prompt: bool,
    attempts: u32,
    /// An attempt was left without an answer: Alexa may have the message.
    unsure: bool,
    /// It is not tried again.
    last: bool,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It has not been sent yet, or waits for its next attempt.
    Waits(Option<Instant>),
    /// An attempt runs.
    Flies,
}

/// A message to be posted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Post {
    /// To be named with the outcome.
    pub(crate) number: u64,
    /// What is said.
    pub(crate) operation: Operation,
}

/// What an outcome means for the session.
#[derive(Debug, PartialEq)]
pub(super) enum Delivered {
    /// Nothing, or nothing yet.
    Pending,
    /// Alexa has the message.
    Done(OperationName),
    /// Alexa had the message before: an attempt that was left without an answer did get there.
    Known(OperationName),
    /// It was tried often enough.
    GivenUp(OperationName, String),
    /// Alexa's call is in another state.
    Crossed(OperationName, String),
    /// Alexa's leg is gone.
    Gone(
        OperationName,
        skillcall_protocol::signaling::ResultCode,
        String,
    ),
}

/// Messages on their way to Alexa.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    letters: Vec<Letter>,
    last: u64,
    awaits: Option<Awaited>,
}

/// What the messages after one in order wait for.
#[derive(Debug, Clone, Copy)]
struct Awaited {
    acknowledgement: OperationName,
    of: u64,
    until: Instant,
}

impl Outbox {
    /// Says something once more that Alexa may have heard.
    pub(super) fn repeat(&mut self, operation: Operation) {
        self.say(operation);
        if let Some(letter) = self.letters.last_mut() {
            letter.unsure = true;
        }
    }

    /// Says something, in order.
    pub(super) fn say(&mut self, operation: Operation) {
        let prompt =
            is_acknowledgement(&operation) || operation.name() == OperationName::CallUpdateResponse;
        self.last += 1;
        self.letters.push(Letter {
            number: self.last,
            operation,
            prompt,
            attempts: 0,
            unsure: false,
            last: false,
            state: State::Waits(None),
        });
    }

    /// Nothing is said any more.
    pub(super) fn clear(&mut self) {
        self.letters.clear();
        self.awaits = None;
    }

    /// What was not sent yet, or waits for another attempt, is not said any more: the call ends. What is being sent ends
    /// by itself.
    pub(super) fn drop_waiting(&mut self) {
        self.letters.retain(|letter| letter.state == State::Flies);
        for letter in &mut self.letters {
            letter.last = true;
        }
        self.awaits = None;
    }

    /// An acknowledgement has come.
    pub(super) fn acknowledged(&mut self, name: OperationName) {
        if self
            .awaits
            .is_some_and(|awaited| awaited.acknowledgement == name)
        {
            self.awaits = None;
        }
    }

    /// Whether nothing is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    /// Whether such a message is on its way.
    pub(super) fn holds(&self, name: OperationName) -> bool {
        self.letters
            .iter()
            .any(|letter| letter.operation.name() == name)
    }

    /// When something is due.
    pub(super) fn next(&self) -> Option<Instant> {
        let retries = self.letters.iter().filter_map(|letter| match letter.state {
            State::Waits(until) => until,
            State::Flies => None,
        });
        let waits = self.letters.iter().any(|letter| !letter.prompt);
        let patience = self.awaits.filter(|_| waits).map(|awaited| awaited.until);
        retries.chain(patience).min()
    }

    /// The next message that is to be posted now.
    pub(super) fn poll(&mut self, now: Instant, times: &Times) -> Option<Post> {
        if self.awaits.is_some_and(|awaited| awaited.until <= now) {
            self.awaits = None;
        }
        let held = self.awaits.map(|awaited| awaited.of);
        let mut in_order = true;
        let letter = self.letters.iter_mut().find(|letter| {
            let held = held.is_some_and(|of| letter.number > of);
            // The first of those in order holds up the others.
            let may = letter.prompt || (std::mem::take(&mut in_order) && !held);
            may && match letter.state {
                State::Waits(until) => until.is_none_or(|until| until <= now),
                State::Flies => false,
            }
        })?;
        letter.state = State::Flies;
        letter.attempts += 1;
        let post = Post {
            number: letter.number,
            operation: letter.operation.clone(),
        };
        if let Some(acknowledgement) = post.operation.name().acknowledgement()
            && !letter.prompt
        {
            // It may come before Alexa's answer to this.
            self.awaits = Some(Awaited {
                acknowledgement,
                of: letter.number,
                until: now + times.ack_patience,
            });
        }
        Some(post)
    }

    /// An attempt has ended.
    pub(super) fn posted(
        &mut self,
        number: u64,
        outcome: &Outcome,
        now: Instant,
        times: &Times,
    ) -> Delivered {
        let Some(place) = self
            .letters
            .iter()
            .position(|letter| letter.number == number)
        else {
            return Delivered::Pending;
        };
        let Some(letter) = self.letters.get_mut(place) else {
            return Delivered::Pending;
        };
        let name = letter.operation.name();
        let judgement = judge(&letter.operation, letter.unsure, outcome);
        let why = in_words(name, outcome);
        if judgement == Judgement::Again {
            letter.unsure |= matches!(outcome, Outcome::Unreachable { .. });
            if letter.last || (letter.prompt && letter.attempts >= ACK_ATTEMPTS) {
                self.letters.remove(place);
                return Delivered::GivenUp(name, why);
            }
            let doubled = times.retry * 2u32.saturating_pow(letter.attempts.min(16) - 1);
            let pause: Duration = doubled.min(times.retry_most);
            letter.state = State::Waits(Some(now + pause));
            return Delivered::Pending;
        }
        self.letters.remove(place);
        match judgement {
            Judgement::Done => match outcome {
                Outcome::Answered(answer) if !answer.is_success() => Delivered::Known(name),
                _ => Delivered::Done(name),
            },
            Judgement::Crossed => Delivered::Crossed(name, why),
            Judgement::Gone(code) => Delivered::Gone(name, code, why),
            Judgement::Again => Delivered::Pending,
        }
    }
}

fn in_words(name: OperationName, outcome: &Outcome) -> String {
    match outcome {
        Outcome::Answered(answer) => {
            let exception = answer.exception.as_deref().unwrap_or("no exception's name");
            let message = answer.message.as_deref().unwrap_or_default();
            format!(
                "{name}: Alexa answered {} ({exception}) {message}",
                answer.status
            )
        }
        Outcome::Unreachable { reason } => format!("{name}: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skillcall_protocol::signaling::{self, SdpDetails};

    fn names(outbox: &mut Outbox, now: Instant, times: &Times) -> Vec<(u64, OperationName)> {
        std::iter::from_fn(|| outbox.poll(now, times))
            .map(|post| (post.number, post.operation.name()))
            .collect()
    }

    #[test]
    fn each_waits_for_the_acknowledgement_of_the_one_before() {
        let (mut outbox, now, times) = (Outbox::default(), Instant::now(), Times::default());
        outbox.say(Operation::CallRinging);
        outbox.say(Operation::CallInProgress {
            sdp: SdpDetails::answer("v=0"),
        });
        outbox.say(Operation::CallAccepted { sdp: None });
        outbox.say(Operation::CallUpdateAck);
        let first = names(&mut outbox, now, &times);
        assert_eq!(
            first,
            [
                (1, OperationName::CallRinging),
                (4, OperationName::CallUpdateAck)
            ]
        );
        let taken = Outcome::Answered(signaling::Outcome::taken(202));
        let done = outbox.posted(1, &taken, now, &times);
        assert_eq!(done, Delivered::Done(OperationName::CallRinging));
        assert_eq!(names(&mut outbox, now, &times), []);
        outbox.acknowledged(OperationName::CallRingingAck);
        assert_eq!(
            names(&mut outbox, now, &times),
            [(2, OperationName::CallInProgress)]
        );
        outbox.posted(2, &taken, now, &times);
        // Its acknowledgement does not come.
        let later = now + times.ack_patience;
        assert_eq!(outbox.next(), Some(later));
        assert_eq!(
            names(&mut outbox, later, &times),
            [(3, OperationName::CallAccepted)]
        );
    }

    #[test]
    fn pauses_grow_and_a_repetition_may_meet_its_own_effect() {
        let (mut outbox, mut now, times) = (Outbox::default(), Instant::now(), Times::default());
        outbox.say(Operation::CallRinging);
        for pause in [500, 1000, 2000, 4000, 8000, 8000] {
            let post = outbox.poll(now, &times).unwrap();
            let lost = Outcome::Unreachable {
                reason: "time-out".to_owned(),
            };
            assert_eq!(
                outbox.posted(post.number, &lost, now, &times),
                Delivered::Pending
            );
            assert_eq!(outbox.poll(now, &times), None);
            assert_eq!(
                outbox.letters.first().map(|letter| letter.state).unwrap(),
                State::Waits(Some(now + Duration::from_millis(pause)))
            );
            now += Duration::from_millis(pause);
        }
        let post = outbox.poll(now, &times).unwrap();
        let conflict = Outcome::Answered(signaling::Outcome::taken(409));
        let done = outbox.posted(post.number, &conflict, now, &times);
        assert_eq!(done, Delivered::Known(OperationName::CallRinging));
        assert!(outbox.is_empty());
    }
}
