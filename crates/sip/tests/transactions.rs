//! The transaction machines against RFC 3261 figures 5 to 8 and RFC 6026, in virtual time.

use std::time::Duration;

use skillcall_sip::message::StatusCode;
use skillcall_sip::transaction::{
    ClientInvite, ClientOther, Effects, Failure, Send, ServerInvite, ServerOther, Timer,
    TimerLanes, TimerValues,
};

const T: TimerValues = TimerValues {
    t1: Duration::from_millis(500),
    t2: Duration::from_secs(4),
    t4: Duration::from_secs(5),
};

#[derive(Debug, Clone, Copy)]
enum Input {
    /// A response came (client) or is sent by the user (server).
    Status(u16),
    /// The request came again (server).
    Again,
    Ack,
    TransportError,
}

/// What a machine does, in one line a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Did {
    Sent(Send),
    Delivered,
    Failed(Failure),
    Ended,
}

enum Machine {
    Ci(ClientInvite),
    Co(ClientOther),
    Si(ServerInvite),
    So(ServerOther),
}

/// Runs a machine through inputs at their ms, and lists what it did at which ms.
fn run(kind: &str, reliable: bool, inputs: &[(u64, Input)]) -> Vec<(u64, Did)> {
    let start = std::time::Instant::now();
    let mut timers: TimerLanes<Timer> = TimerLanes::default();
    let mut log = Vec::new();
    let mut note = |at: std::time::Instant, effects: Effects, timers: &mut TimerLanes<Timer>| {
        let ms = at.duration_since(start).as_millis() as u64;
        log.extend(effects.send.map(|send| (ms, Did::Sent(send))));
        log.extend(effects.deliver.then_some((ms, Did::Delivered)));
        log.extend(effects.failure.map(|failure| (ms, Did::Failed(failure))));
        log.extend(effects.ended.then_some((ms, Did::Ended)));
        for (timer, after) in effects.timers.into_iter().flatten() {
            timers.add(at, after, timer);
        }
    };
    let mut machine = match kind {
        "client INVITE" => {
            let (machine, effects) = ClientInvite::start(T, reliable);
            note(start, effects, &mut timers);
            Machine::Ci(machine)
        }
        "client other" => {
            let (machine, effects) = ClientOther::start(T, reliable);
            note(start, effects, &mut timers);
            Machine::Co(machine)
        }
        "server INVITE" => Machine::Si(ServerInvite::start(T, reliable)),
        _ => Machine::So(ServerOther::start(T, reliable)),
    };
    let mut inputs = inputs
        .iter()
        .map(|(ms, input)| (start + Duration::from_millis(*ms), *input))
        .peekable();
    loop {
        let timer = timers.next();
        let input = inputs.peek().map(|(at, _)| *at);
        let (at, effects) = match (timer, input) {
            (Some(timer), input) if input.is_none_or(|input| timer < input) => {
                let fired = timers.take(timer).unwrap();
                let effects = match &mut machine {
                    Machine::Ci(machine) => machine.on_timer(fired),
                    Machine::Co(machine) => machine.on_timer(fired),
                    Machine::Si(machine) => machine.on_timer(fired),
                    Machine::So(machine) => machine.on_timer(fired),
                };
                (timer, effects)
            }
            (_, Some(at)) => {
                let (_, input) = inputs.next().unwrap();
                let status = |code| StatusCode::new(code).unwrap();
                let effects = match (&mut machine, input) {
                    (Machine::Ci(machine), Input::Status(code)) => {
                        machine.on_response(status(code))
                    }
                    (Machine::Ci(machine), Input::TransportError) => machine.on_transport_error(),
                    (Machine::Co(machine), Input::Status(code)) => {
                        machine.on_response(status(code))
                    }
                    (Machine::Co(machine), Input::TransportError) => machine.on_transport_error(),
                    (Machine::Si(machine), Input::Status(code)) => machine.on_answer(status(code)),
                    (Machine::Si(machine), Input::Again) => machine.on_retransmission(),
                    (Machine::Si(machine), Input::Ack) => machine.on_ack(),
                    (Machine::So(machine), Input::Status(code)) => machine.on_answer(status(code)),
                    (Machine::So(machine), Input::Again) => machine.on_retransmission(),
                    (_, input) => panic!("{input:?} is no input of {kind}"),
                };
                (at, effects)
            }
            _ => return log,
        };
        note(at, effects, &mut timers);
    }
}

use Did::{Delivered, Ended, Failed, Sent};
use Input::{Ack, Again, Status, TransportError};

const REQUEST: Did = Sent(Send::Request);
const RESPONSE: Did = Sent(Send::Response);
const ACK: Did = Sent(Send::Ack);

fn check(kind: &str, reliable: bool, inputs: &[(u64, Input)], expected: &[(u64, Did)]) {
    assert_eq!(
        run(kind, reliable, inputs),
        expected,
        "{kind}, reliable {reliable}, {inputs:?}"
    );
}

#[test]
fn figure_5_client_invite() {
    let kind = "client INVITE";
    // Timers A and B: nobody answers.
    let mut tries: Vec<(u64, Did)> = [0, 500, 1500, 3500, 7500, 15500, 31500]
        .map(|ms| (ms, REQUEST))
        .to_vec();
    tries.extend([(32000, Failed(Failure::Timeout)), (32000, Ended)]);
    check(kind, false, &[], &tries);
    check(
        kind,
        true,
        &[],
        &[
            (0, REQUEST),
            (32000, Failed(Failure::Timeout)),
            (32000, Ended),
        ],
    );
    // A provisional response stops both.
    check(
        kind,
        false,
        &[(600, Status(180)), (700, Status(183))],
        &[
            (0, REQUEST),
            (500, REQUEST),
            (600, Delivered),
            (700, Delivered),
        ],
    );
    // A failure: ACK, again for each repetition, until timer D.
    check(
        kind,
        false,
        &[
            (100, Status(100)),
            (200, Status(486)),
            (700, Status(486)),
            (800, Status(180)),
        ],
        &[
            (0, REQUEST),
            (100, Delivered),
            (200, ACK),
            (200, Delivered),
            (700, ACK),
            (32200, Ended),
        ],
    );
    check(
        kind,
        true,
        &[(200, Status(486))],
        &[(0, REQUEST), (200, ACK), (200, Delivered), (200, Ended)],
    );
    // 2xx: Accepted until timer M; more of them go to the user (RFC 6026 §7.2).
    for reliable in [false, true] {
        check(
            kind,
            reliable,
            &[(100, Status(200)), (600, Status(200)), (700, Status(486))],
            &[
                (0, REQUEST),
                (100, Delivered),
                (600, Delivered),
                (32100, Ended),
            ],
        );
    }
    check(
        kind,
        false,
        &[(10, TransportError)],
        &[(0, REQUEST), (10, Failed(Failure::Transport)), (10, Ended)],
    );
}

#[test]
fn figure_6_client_other() {
    let kind = "client other";
    // Timer E doubles up to T2, timer F ends it.
    let mut tries: Vec<(u64, Did)> = [
        0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500,
    ]
    .map(|ms| (ms, REQUEST))
    .to_vec();
    tries.extend([(32000, Failed(Failure::Timeout)), (32000, Ended)]);
    check(kind, false, &[], &tries);
    check(
        kind,
        true,
        &[],
        &[
            (0, REQUEST),
            (32000, Failed(Failure::Timeout)),
            (32000, Ended),
        ],
    );
    // In Proceeding timer E runs at T2.
    check(
        kind,
        false,
        &[(100, Status(100)), (5000, Status(200)), (6000, Status(200))],
        &[
            (0, REQUEST),
            (100, Delivered),
            (500, REQUEST),
            (4500, REQUEST),
            (5000, Delivered),
            (10000, Ended),
        ],
    );
    check(
        kind,
        true,
        &[(100, Status(200))],
        &[(0, REQUEST), (100, Delivered), (100, Ended)],
    );
    check(
        kind,
        false,
        &[(10, TransportError)],
        &[(0, REQUEST), (10, Failed(Failure::Transport)), (10, Ended)],
    );
}

#[test]
fn figure_7_server_invite() {
    let kind = "server INVITE";
    // Proceeding: retransmissions get the last provisional response.
    check(
        kind,
        false,
        &[
            (0, Status(100)),
            (50, Again),
            (100, Status(180)),
            (150, Again),
        ],
        &[
            (0, RESPONSE),
            (50, RESPONSE),
            (100, RESPONSE),
            (150, RESPONSE),
        ],
    );
    // A failure is repeated by timer G until the ACK; then timer I.
    check(
        kind,
        false,
        &[
            (0, Status(486)),
            (600, Again),
            (1600, Ack),
            (1700, Ack),
            (1800, Again),
        ],
        &[
            (0, RESPONSE),
            (500, RESPONSE),
            (600, RESPONSE),
            (1500, RESPONSE),
            (6600, Ended),
        ],
    );
    let mut tries: Vec<(u64, Did)> = [
        0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500,
    ]
    .map(|ms| (ms, RESPONSE))
    .to_vec();
    tries.extend([(32000, Failed(Failure::Timeout)), (32000, Ended)]);
    check(kind, false, &[(0, Status(486))], &tries);
    check(
        kind,
        true,
        &[(0, Status(486)), (100, Ack)],
        &[(0, RESPONSE), (100, Ended)],
    );
    // 2xx: Accepted until timer L; INVITEs are absorbed, ACKs go to the user (RFC 6026 §7.1).
    for reliable in [false, true] {
        check(
            kind,
            reliable,
            &[
                (0, Status(200)),
                (400, Again),
                (500, Ack),
                (600, Status(200)),
            ],
            &[
                (0, RESPONSE),
                (500, Delivered),
                (600, RESPONSE),
                (32000, Ended),
            ],
        );
    }
}

#[test]
fn figure_8_server_other() {
    let kind = "server other";
    // Trying: retransmissions are dropped; Proceeding and Completed repeat the last response; timer J ends it.
    check(
        kind,
        false,
        &[
            (0, Again),
            (100, Status(100)),
            (200, Again),
            (300, Status(200)),
            (400, Again),
            (500, Status(500)),
        ],
        &[
            (100, RESPONSE),
            (200, RESPONSE),
            (300, RESPONSE),
            (400, RESPONSE),
            (32300, Ended),
        ],
    );
    check(
        kind,
        true,
        &[(0, Status(200))],
        &[(0, RESPONSE), (0, Ended)],
    );
}
