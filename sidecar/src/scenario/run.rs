//! One step after the other.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use skillcall_protocol::sma::{InvocationEventType, ParticipantTag};

use super::ask::Ask;
use super::expected::{describe, is_on, line, order_of};
use super::file::Scenario;
use super::log::{Happened, event_name};
use super::report::{Failed, Outcome};
use super::stage::{Coming, Stage};
use super::step::{Does, Expected, Step, What};
use crate::engine::{HandlerOutcome, Input, Limits};

/// A comma among the keys that are pressed.
const COMMA: Duration = Duration::from_millis(500);
/// When all steps are done the parties hang up, and the call has so long to end.
const TO_END: Duration = Duration::from_secs(120);

/// Runs a scenario against a handler.
pub async fn run(scenario: &Scenario, handler: &mut dyn Ask) -> Outcome {
    let began = Instant::now();
    let folder = scenario.folder().to_owned();
    let mut runner = Runner {
        stage: Stage::new(&scenario.setting, &folder),
        handler,
        seen: HashMap::new(),
        expected_events: HashSet::new(),
        last_event: None,
    };
    let failure = runner.all(scenario).await.err();
    let stage = runner.stage;
    Outcome::new(
        scenario,
        failure,
        &stage.log,
        stage.elapsed(),
        began.elapsed(),
    )
}

/// What is expected in an order of its own.
type Order = (&'static str, ParticipantTag);

pub(super) struct Runner<'a> {
    pub(super) stage: Stage<'a>,
    handler: &'a mut dyn Ask,
    /// How far the log was looked through for each kind of thing.
    seen: HashMap<Order, usize>,
    /// The places of the events that steps expected.
    expected_events: HashSet<usize>,
    /// The `Sequence` of the last of them, and its name.
    pub(super) last_event: Option<(u32, String)>,
}

impl Runner<'_> {
    async fn all(&mut self, scenario: &Scenario) -> Result<(), Failed> {
        for step in &scenario.steps {
            let failed = self.step(step).await;
            failed.map_err(|(expected, came)| Failed {
                line: Some(step.line),
                expected,
                came,
            })?;
        }
        self.finish(scenario)
            .await
            .map_err(|(expected, came)| Failed {
                line: None,
                expected,
                came,
            })
    }

    async fn step(&mut self, step: &Step) -> Result<(), (String, String)> {
        self.settle().await;
        let tag = step.leg.as_str();
        let leg = || {
            self.stage
                .leg(&step.leg)
                .ok_or_else(|| format!("there is no {tag}"))
        };
        match &step.does {
            Does::Expect(expected) => return self.expect(step, expected).await,
            Does::Say(words) => {
                let told = |came| (format!("{tag} says {words:?}"), came);
                let leg = leg().map_err(told)?;
                let length = self.stage.say(leg, words).map_err(told)?;
                self.pass(length).await;
            }
            Does::Dial(keys, every) => {
                let told = |came| (format!("{tag} presses keys"), came);
                for key in keys {
                    let Some(digit) = key else {
                        self.pass(COMMA).await;
                        continue;
                    };
                    let leg = self.stage.leg(&step.leg);
                    let leg = leg.ok_or_else(|| told(format!("there is no {tag}")))?;
                    self.stage.press(leg, *digit).map_err(told)?;
                    self.pass(*every).await;
                }
            }
            Does::Wait(time) => self.pass(*time).await,
            Does::HangUp => {
                let told = |came| (format!("{tag} hangs up"), came);
                let leg = leg().map_err(told)?;
                self.stage.hang_up(leg).map_err(told)?;
            }
            Does::Update(arguments) => {
                if self.stage.call.is_over() {
                    let told = "the call is over".to_owned();
                    return Err(("an update of the call".to_owned(), told));
                }
                self.stage.update(arguments.clone());
            }
            Does::HearNothing(time) => {
                let place = self.stage.log.entries.len();
                self.pass(*time).await;
                let heard = self.stage.log.since(place).find(|(_, entry)| {
                    is_on(entry, &step.leg) && matches!(entry.what, Happened::Hears { .. })
                });
                if let Some((_, entry)) = heard {
                    let seconds = time.as_secs_f64();
                    let expected = format!("{tag} hears nothing for {seconds} s");
                    return Err((expected, line(entry)));
                }
            }
        }
        self.settle().await;
        Ok(())
    }

    /// Lets the virtual time pass.
    async fn pass(&mut self, time: Duration) {
        let until = self.stage.now.instant + time;
        self.until(until, |_| false).await;
    }

    /// Lets time pass until something is so, at most until then. Says whether it is.
    async fn until(&mut self, until: Instant, is_so: impl Fn(&Self) -> bool) -> bool {
        loop {
            self.settle().await;
            if is_so(self) {
                return true;
            }
            if !self.stage.advance(until) {
                return false;
            }
        }
    }

    /// Asks the handler what is to be asked. The virtual clock stands still meanwhile, unless the scenario says how long
    /// the handler takes, or an attempt is not answered in its 5 s: then the engine's own time-outs come.
    async fn settle(&mut self) {
        let limit = Limits::default().handler_attempt;
        while let Some(asked) = self.stage.asked.take() {
            let asking = self.handler.ask(&asked.event);
            let Ok(exchange) = tokio::time::timeout(limit, asking).await else {
                let told = format!("no reply within {} s", limit.as_secs());
                self.stage.note(None, Happened::HandlerFailed { told });
                continue;
            };
            let (sequence, reply) = (asked.sequence, exchange.reply);
            let told = match &exchange.outcome {
                HandlerOutcome::Replied(Ok(_)) => Happened::Reply { sequence, reply },
                HandlerOutcome::Replied(Err(error)) => Happened::HandlerFailed {
                    told: error.to_string(),
                },
                HandlerOutcome::Status { status, detail } => Happened::HandlerFailed {
                    told: format!("HTTP status {status}: {detail}"),
                },
                HandlerOutcome::Unreachable { reason } => Happened::HandlerFailed {
                    told: reason.clone(),
                },
            };
            let takes = self.stage.setting.handler_takes.0;
            let (attempt, outcome) = (asked.attempt, exchange.outcome);
            self.stage.note(None, told);
            if takes.is_zero() {
                self.stage.give(Input::Handler {
                    sequence,
                    attempt,
                    outcome,
                });
            } else {
                let coming = Coming::Outcome(sequence, attempt, outcome);
                self.stage.later(takes, coming);
            }
        }
    }

    async fn expect(&mut self, step: &Step, expected: &Expected) -> Result<(), (String, String)> {
        let began = self.stage.now.instant;
        let earliest = self.stage.elapsed() + expected.not_before;
        let order = (order_of(&expected.what), step.leg.clone());
        let from = self.seen.get(&order).copied().unwrap_or(0);
        let text = describe(step, expected);
        if let What::Reply { actions, details } = &expected.what {
            return self
                .reply(actions, details.as_ref())
                .map_err(|came| (text, came));
        }
        let until = began + expected.within;
        let what = &expected.what;
        let place = |runner: &Self| {
            runner
                .stage
                .log
                .since(from)
                .find(|(place, entry)| runner.is(what, &step.leg, *place, entry))
                .map(|(place, _)| place)
        };
        let came = self.until(until, |runner| place(runner).is_some()).await;
        let Some(place) = place(self).filter(|_| came) else {
            return Err((text, self.instead(what, &step.leg, from)));
        };
        let Some(entry) = self.stage.log.entries.get(place).cloned() else {
            return Ok(());
        };
        if self.stage.elapsed() < earliest && entry.at < earliest {
            return Err((text, format!("it came sooner:\n{}", line(&entry))));
        }
        self.seen.insert(order, place + 1);
        if let Happened::Event { event, .. } = &entry.what {
            self.expected_events.insert(place);
            self.last_event = Some((event.sequence, event_name(event)));
        }
        Ok(())
    }

    /// The parties hang up, and the whole is looked at.
    async fn finish(&mut self, scenario: &Scenario) -> Result<(), (String, String)> {
        for tag in [ParticipantTag::LegA, ParticipantTag::LegB] {
            self.settle().await;
            if let Some(leg) = self.stage.leg(&tag).filter(|_| !self.stage.call.is_over()) {
                // One that has ended already, or was never answered, has nothing to hang up.
                let _ = self.stage.hang_up(leg);
            }
        }
        let until = self.stage.now.instant + TO_END;
        let over = |runner: &Self| runner.stage.call.is_over() && runner.stage.asked.is_none();
        if !self.until(until, over).await {
            let expected = "that the call ends when the parties have hung up".to_owned();
            return Err((expected, format!("it goes on for {} s", TO_END.as_secs())));
        }
        let setting = &scenario.setting;
        let events: Vec<(usize, String, InvocationEventType)> = self
            .stage
            .log
            .since(0)
            .filter_map(|(place, entry)| match &entry.what {
                Happened::Event {
                    event, attempt: 1, ..
                } => Some((
                    place,
                    event_name(event),
                    event.invocation_event_type.clone(),
                )),
                _ => None,
            })
            .collect();
        for never in &setting.never {
            if let Some((_, name, _)) = events.iter().find(|(_, name, _)| names(never, name)) {
                return Err((format!("that {never} never comes"), name.clone()));
            }
        }
        if let Some(expected) = &setting.events {
            let same = expected.len() == events.len()
                && expected
                    .iter()
                    .zip(&events)
                    .all(|(expected, (_, name, _))| names(expected, name));
            if !same {
                let came: Vec<&str> = events.iter().map(|(_, name, _)| name.as_str()).collect();
                return Err((expected.join(", "), came.join(", ")));
            }
        }
        if setting.failures_may_come {
            return Ok(());
        }
        let failed = self.stage.log.since(0).find(|(place, entry)| {
            let failed = match &entry.what {
                Happened::HandlerFailed { .. } => true,
                Happened::Event { event, .. } => matches!(
                    event.invocation_event_type,
                    InvocationEventType::ActionFailed | InvocationEventType::InvalidLambdaResponse
                ),
                _ => false,
            };
            let listed = setting.events.is_some() && matches!(entry.what, Happened::Event { .. });
            failed && !listed && !self.expected_events.contains(place)
        });
        match failed {
            Some((_, entry)) => Err((
                "no failure but those that a step expects (failures-may-come = true allows them)"
                    .to_owned(),
                line(entry),
            )),
            None => Ok(()),
        }
    }
}

/// Whether an event is the one that is named, with or without its action.
fn names(expected: &str, event: &str) -> bool {
    let expected = expected.split_whitespace().collect::<Vec<_>>().join(" ");
    event == expected || event.split(' ').next() == Some(&expected)
}
