//! Whole calls, in each of which one message of CallSignaling's is lost, repeated, late or overtaken: for each message of
//! each sequence, and each of the four. Whatever happens, both sides hear each other after the beginning, after each hold
//! and after a change of the device's network, and nothing is left. What becomes of a call when what began or answered it
//! is lost for good stands in `src/gateway/tests/outcomes.txt`; here the component says such a message again, as it does
//! while nobody has taken it.

use crate::support;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use skillcall_media::tone;
use skillcall_sip::sdp;
use skillcall_webrtc::Direction;
use support::device::Device;
use support::room::G711;
use support::skill::{ACCOUNT, LATE, OVERTAKEN, Skill, Way, message};
use support::{Behaviour, Bench, Handler, LIMIT, Phone};

const DEVICE: f64 = 700.0;
const PHONE: f64 = 1100.0;
/// Calls at a time.
const SEATS: usize = 8;

/// Who says a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Says {
    Alexa,
    Gateway,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Lost,
    /// Of Alexa's: it comes twice, and once more under another requestId. To Alexa: it gets there, its answer does not.
    Twice,
    Late,
    Overtaken,
}

const FAULTS: [Fault; 4] = [Fault::Lost, Fault::Twice, Fault::Late, Fault::Overtaken];

/// A message of a sequence: who says it, its name, and which of that name, from 0.
type Arrow = (Says, &'static str, usize);

/// The device calls, holds, resumes and changes its network; the phone hangs up.
const OUTGOING: [Arrow; 15] = [
    (Says::Alexa, "InitiateOutboundCall", 0),
    (Says::Gateway, "CallRinging", 0),
    (Says::Alexa, "CallRingingAck", 0),
    (Says::Gateway, "CallAccepted", 0),
    (Says::Alexa, "CallAcceptedAck", 0),
    (Says::Alexa, "CallUpdate", 0),
    (Says::Gateway, "CallUpdateResponse", 0),
    (Says::Alexa, "CallUpdateAck", 0),
    (Says::Alexa, "CallUpdate", 1),
    (Says::Gateway, "CallUpdateResponse", 1),
    (Says::Alexa, "CallUpdateAck", 1),
    (Says::Alexa, "CallUpdate", 2),
    (Says::Gateway, "CallUpdateResponse", 2),
    (Says::Alexa, "CallUpdateAck", 2),
    (Says::Gateway, "CallEnded", 0),
];

/// The phone calls, hears the device before its answer, holds and resumes; the device hangs up.
const INCOMING: [Arrow; 14] = [
    (Says::Gateway, "InitiateInboundCall", 0),
    (Says::Alexa, "CallRinging", 0),
    (Says::Gateway, "CallRingingAck", 0),
    (Says::Alexa, "CallInProgress", 0),
    (Says::Gateway, "CallInProgressAck", 0),
    (Says::Alexa, "CallAccepted", 0),
    (Says::Gateway, "CallAcceptedAck", 0),
    (Says::Gateway, "CallUpdate", 0),
    (Says::Alexa, "CallUpdateResponse", 0),
    (Says::Gateway, "CallUpdateAck", 0),
    (Says::Gateway, "CallUpdate", 1),
    (Says::Alexa, "CallUpdateResponse", 1),
    (Says::Gateway, "CallUpdateAck", 1),
    (Says::Alexa, "CallEnded", 0),
];

/// One call with one fault.
#[derive(Debug, Clone, Copy)]
struct Case {
    outgoing: bool,
    arrow: Arrow,
    fault: Fault,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = if self.outgoing {
            "outgoing"
        } else {
            "incoming"
        };
        let (says, name, nth) = self.arrow;
        write!(f, "{way}, {says:?}'s {name} {nth} {:?}", self.fault)
    }
}

/// A call's messages, and the one that something happens to.
#[derive(Default)]
struct Seat {
    harm: Option<(Arrow, Fault)>,
    said: HashMap<(Says, String), usize>,
}

/// The network of all calls: which session has which seat, and what happens to its messages.
#[derive(Default)]
struct Wire {
    seats: Mutex<[Seat; SEATS]>,
    sessions: Mutex<HashMap<String, usize>>,
    /// What Alexa has of each session.
    taken: Mutex<HashMap<String, Vec<Value>>>,
}

impl Wire {
    fn begin(&self, seat: usize, case: &Case) {
        self.seats.lock().unwrap()[seat] = Seat {
            harm: Some((case.arrow, case.fault)),
            ..Seat::default()
        };
    }

    fn knows(&self, session: &str, seat: usize) {
        let mut sessions = self.sessions.lock().unwrap();
        sessions.insert(session.to_owned(), seat);
    }

    /// What happens to the next message of this name; once.
    fn fault(&self, seat: usize, says: Says, name: &str) -> Option<Fault> {
        let mut seats = self.seats.lock().unwrap();
        let Seat { harm, said } = &mut seats[seat];
        let said = said.entry((says, name.to_owned())).or_default();
        let nth = *said;
        *said += 1;
        let (_, fault) = harm.filter(|(arrow, _)| *arrow == (says, static_name(name), nth))?;
        *harm = None;
        Some(fault)
    }

    /// Whether what was to happen has happened.
    fn is_over(&self, seat: usize) -> bool {
        self.seats.lock().unwrap()[seat].harm.is_none()
    }

    /// A message on its way to Alexa.
    fn to_alexa(&self, message: &Value) -> Way {
        let session = message["sessionId"].as_str().unwrap();
        let name = name_of(message);
        if name == "InitiateInboundCall" {
            // `room03` is the device of the fourth seat.
            let room = message["participants"][1]["id"]["value"].as_str().unwrap();
            self.knows(session, room[4..].parse().unwrap());
        }
        let Some(seat) = self.sessions.lock().unwrap().get(session).copied() else {
            return Way::Through;
        };
        match self.fault(seat, Says::Gateway, name) {
            None => Way::Through,
            Some(Fault::Lost) => Way::Lost,
            Some(Fault::Twice) => Way::AnswerLost,
            Some(Fault::Late) => Way::Late,
            Some(Fault::Overtaken) => Way::Overtaken,
        }
    }

    /// Alexa takes each message once, but acknowledgements.
    fn answer(&self, message: &Value) -> (u16, Option<&'static str>) {
        let session = message["sessionId"].as_str().unwrap();
        let mut taken = self.taken.lock().unwrap();
        let taken = taken.entry(session.to_owned()).or_default();
        if !name_of(message).ends_with("Ack") && taken.contains(message) {
            return (400, Some("InvalidCallStateException"));
        }
        taken.push(message.clone());
        (202, None)
    }
}

fn name_of(message: &Value) -> &str {
    message["type"]
        .as_str()
        .unwrap()
        .rsplit('.')
        .next()
        .unwrap()
}

fn static_name(name: &str) -> &'static str {
    let all = OUTGOING.iter().chain(&INCOMING);
    all.map(|(_, known, _)| *known)
        .find(|known| *known == name)
        .unwrap_or_default()
}

fn sdp_of(message: &Value) -> &str {
    message["sdpDetails"]["value"].as_str().unwrap()
}

fn details(kind: &str, sdp: &str) -> Value {
    json!({"sdpDetails": {"type": kind, "value": sdp}})
}

type Outcome = Result<(), String>;

/// What all calls share.
struct Table {
    wire: Arc<Wire>,
    skill: Skill,
    control: String,
    sip: SocketAddr,
    phones: Vec<Phone>,
}

/// A call in its seat.
struct Call<'a> {
    table: &'a Arc<Table>,
    runtime: tokio::runtime::Handle,
    seat: usize,
    session: String,
    phone: &'a Phone,
}

impl Call<'_> {
    /// Alexa says something, and its way is as the case has it.
    fn says(&self, name: &str, members: Value) {
        let text = message(&self.session, name, members);
        let request = format!("amzn1.echo-api.request.{:016x}", rand::random::<u64>());
        let (table, runtime) = (Arc::clone(self.table), self.runtime.clone());
        let fault = table.wire.fault(self.seat, Says::Alexa, name);
        let acknowledges =
            name.ends_with("Ack") || matches!(name, "CallRinging" | "CallInProgress");
        if fault == Some(Fault::Lost) && acknowledges {
            return;
        }
        let (seat, said) = (self.seat, self.all_said());
        let deliver = async move {
            match fault {
                // The component says it again: nobody has taken it.
                Some(Fault::Lost | Fault::Late) => tokio::time::sleep(LATE).await,
                Some(Fault::Overtaken) => {
                    let until = Instant::now() + OVERTAKEN;
                    while table.said(seat) == said && Instant::now() < until {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                    // The one behind it gets there first.
                    tokio::time::sleep(LATE / 3).await;
                }
                Some(Fault::Twice) | None => {}
            }
            let (skill, to) = (&table.skill, &table.control);
            let status = skill.forward(to, &request, text.clone()).await;
            assert_eq!(status, 202);
            if fault == Some(Fault::Twice) {
                assert_eq!(skill.forward(to, &request, text.clone()).await, 202);
                let other = format!("{request}-other");
                assert_eq!(skill.forward(to, &other, text).await, 202);
            }
        };
        match fault {
            None | Some(Fault::Twice) => runtime.block_on(deliver),
            // What comes after it does not wait for it.
            Some(_) => drop(runtime.spawn(deliver)),
        }
    }

    fn all_said(&self) -> usize {
        self.table.said(self.seat)
    }

    fn waits(&self, name: &str, n: usize) -> Result<Value, String> {
        let of = |message: &Value| message["sessionId"] == self.session.as_str();
        self.table.skill.wait_in(of, name, n)
    }

    /// The first of this kind: a call has one of each, and what comes twice counts once.
    fn waits_for(&self, name: &str, kind: &str) -> Result<Value, String> {
        let of = |message: &Value| {
            message["sessionId"] == self.session.as_str() && message["renegotiationType"] == kind
        };
        let found = self.table.skill.wait_in(of, name, 1);
        found.map_err(|why| format!("{kind}: {why}"))
    }

    /// The phone has seen what fits.
    fn phone_has(&self, what: &str, fits: impl Fn(&support::phone::State) -> bool) -> Outcome {
        until(&format!("the phone: {what}"), || self.phone.seen(&fits))
    }

    /// Both hear each other, from now on.
    fn both_hear(&self, device: &Device, when: &str) -> Outcome {
        device.forget_heard();
        self.phone.forget_heard();
        until(&format!("the device hears the phone {when}"), || {
            is_tone(&device.heard(), PHONE)
        })?;
        until(&format!("the phone hears the device {when}"), || {
            self.phone.seen(|state| is_tone(&state.heard, DEVICE))
        })
    }

    /// The device offers anew, which is answered.
    fn updates(&self, device: &Device, kind: &str, offer: &str) -> Outcome {
        let mut update = details("OFFER", offer);
        update["renegotiationType"] = kind.into();
        self.says("CallUpdate", update);
        let response = self.waits_for("CallUpdateResponse", kind)?;
        device.take_answer(sdp_of(&response));
        self.says("CallUpdateAck", json!({}));
        Ok(())
    }

    /// The phone's hold, or its end, is told and answered.
    fn is_updated(&self, device: &Device, n: usize, kind: &str) -> Outcome {
        let update = self.waits_for("CallUpdate", kind)?;
        let mut answer = details("ANSWER", &device.answer_again(sdp_of(&update)));
        answer["renegotiationType"] = kind.into();
        self.says("CallUpdateResponse", answer);
        self.waits("CallUpdateAck", n)?;
        Ok(())
    }

    fn outgoing(&self) -> Outcome {
        let (device, offer) = Device::offering(DEVICE, &G711);
        let mut begin = details("OFFER", &offer);
        begin["participants"] = json!([
            {"id": {"type": "COMMUNICATION_PROFILE_ID", "value": "amzn1.alexa.communications.profile.did.X"},
             "isOriginator": true},
            {"id": {"type": "RAW_ADDRESS", "value": format!("desk{:02}", self.seat)}, "isOriginator": false},
        ]);
        self.says("InitiateOutboundCall", begin);
        self.waits("CallRinging", 1)?;
        self.says("CallRingingAck", json!({}));
        let accepted = self.waits("CallAccepted", 1)?;
        device.take_answer(sdp_of(&accepted));
        self.says("CallAcceptedAck", json!({}));
        self.both_hear(&device, "after the answer")?;
        let held = device.offer_again(Direction::SendOnly);
        self.updates(&device, "CALL_HOLD", &held)?;
        self.phone_has("the hold", |state| {
            state
                .offers
                .iter()
                .any(|offer| offer.contains("a=sendonly"))
        })?;
        let resumed = device.offer_again(Direction::SendRecv);
        self.updates(&device, "CALL_RESUME", &resumed)?;
        self.both_hear(&device, "after the hold")?;
        let moved = device.moves();
        self.updates(&device, "CALL_UPDATE", &moved)?;
        self.both_hear(&device, "after a change of the network")?;
        self.phone.hang_up();
        let end = self.waits("CallEnded", 1)?;
        if end["callResult"]["code"] != "SUCCESS" {
            return Err(format!("it ended as {end}"));
        }
        self.phone_has("its own end", |state| state.ended)
    }

    fn incoming(&mut self) -> Outcome {
        let room = format!("room{:02}", self.seat);
        let (sessions, seat) = (&self.table.wire.sessions, self.seat);
        let earlier: Vec<String> = sessions
            .lock()
            .unwrap()
            .iter()
            .filter(|(_, of)| **of == seat)
            .map(|(session, _)| session.clone())
            .collect();
        self.phone.call(self.table.sip, &format!("1{seat:02}"), &[]);
        let ours = |message: &Value| {
            message["participants"][1]["id"]["value"] == room.as_str()
                && !earlier
                    .iter()
                    .any(|old| message["sessionId"] == old.as_str())
        };
        let call = self.table.skill.wait_in(ours, "InitiateInboundCall", 1)?;
        self.session = call["sessionId"].as_str().unwrap().to_owned();
        let (device, answer) = Device::answering(DEVICE, sdp_of(&call));
        self.says("CallRinging", json!({}));
        self.says("CallInProgress", details("ANSWER", &answer));
        self.says("CallAccepted", details("ANSWER", &answer));
        self.waits("CallAcceptedAck", 1)?;
        self.phone_has("the answer", |state| state.answered)?;
        self.both_hear(&device, "after the answer")?;
        for (n, direction, kind) in [
            (1, sdp::Direction::SendOnly, "CALL_HOLD"),
            (2, sdp::Direction::SendRecv, "CALL_RESUME"),
        ] {
            self.phone.direct(direction);
            self.phone_has("the answer to its change", |state| state.answers.len() == n)?;
            self.is_updated(&device, n, kind)?;
        }
        self.both_hear(&device, "after the hold")?;
        self.says("CallEnded", json!({"callResult": {"code": "SUCCESS"}}));
        self.phone_has("BYE", |state| state.ended)
    }
}

impl Table {
    /// How much Alexa has said in a seat.
    fn said(&self, seat: usize) -> usize {
        let seats = self.wire.seats.lock().unwrap();
        let said = seats[seat].said.iter();
        said.filter(|((says, _), _)| *says == Says::Alexa)
            .map(|(_, count)| count)
            .sum()
    }

    fn play(
        self: &Arc<Self>,
        runtime: &tokio::runtime::Handle,
        seat: usize,
        number: usize,
        case: &Case,
    ) -> Outcome {
        self.wire.begin(seat, case);
        let session = format!("s-{number}");
        self.wire.knows(&session, seat);
        let phone = &self.phones[seat];
        phone.forget();
        let mut call = Call {
            table: self,
            runtime: runtime.clone(),
            seat,
            session,
            phone,
        };
        if case.outgoing {
            call.outgoing()?;
        } else {
            call.incoming()?;
        }
        let met = self.wire.is_over(seat);
        met.then_some(())
            .ok_or("its message was never said".to_owned())
    }
}

fn is_tone(heard: &[i16], frequency: f64) -> bool {
    heard.len() >= 1600 && tone::power_at(&heard[heard.len() - 1600..], frequency) > 0.8
}

fn until(what: &str, fits: impl Fn() -> bool) -> Outcome {
    let until = Instant::now() + LIMIT;
    while !fits() {
        if Instant::now() > until {
            return Err(what.to_owned());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

async fn table() -> (Bench, Arc<Table>) {
    let wire = Arc::new(Wire::default());
    let (network, alexa) = (Arc::clone(&wire), Arc::clone(&wire));
    let skill = Skill::over(
        move |message| network.to_alexa(message),
        move |message, _| alexa.answer(message),
    )
    .await;
    let phones: Vec<Phone> = (0..SEATS)
        .map(|_| Phone::start(PHONE, Behaviour::Answer))
        .collect();
    let mut places = String::new();
    for (seat, phone) in phones.iter().enumerate() {
        let at = phone.address;
        places += &format!(
            "[[gateway.route]]\naddress = \"desk{seat:02}\"\nuri = \"sip:desk{seat:02}@{at}\"\n\
             [[gateway.room]]\nnumber = \"1{seat:02}\"\nparticipant = \"room{seat:02}\"\naccount = \"{ACCOUNT}\"\n"
        );
    }
    let settings = skill.settings(&format!("ack-seconds = 6\n{places}"));
    let bench = Bench::with(Handler::absent(), None, &settings, |_| {}).await;
    let table = Table {
        wire,
        skill,
        control: bench.sidecar.control().to_string(),
        sip: bench.sidecar.sip_udp().unwrap(),
        phones,
    };
    (bench, Arc::new(table))
}

/// Plays all faults of a sequence, some calls at a time; what went wrong.
async fn plays(outgoing: bool, arrows: &[Arrow]) {
    let (bench, table) = table().await;
    let cases = arrows.iter().flat_map(|arrow| {
        FAULTS.map(|fault| Case {
            outgoing,
            arrow: *arrow,
            fault,
        })
    });
    let queue: Arc<Mutex<VecDeque<(usize, Case)>>> =
        Arc::new(Mutex::new(cases.enumerate().collect()));
    let count = queue.lock().unwrap().len() as u64;
    let wrong: Arc<Mutex<Vec<String>>> = Arc::default();
    let runtime = tokio::runtime::Handle::current();
    let seats: Vec<_> = (0..SEATS)
        .map(|seat| {
            let (table, queue, wrong) =
                (Arc::clone(&table), Arc::clone(&queue), Arc::clone(&wrong));
            let runtime = runtime.clone();
            tokio::task::spawn_blocking(move || {
                loop {
                    let next = queue.lock().unwrap().pop_front();
                    let Some((number, case)) = next else { return };
                    if let Err(why) = table.play(&runtime, seat, number, &case) {
                        wrong.lock().unwrap().push(format!("{case}: {why}"));
                        // The seat is not what the next call expects.
                        return;
                    }
                }
            })
        })
        .collect();
    for seat in seats {
        seat.await.expect("a call that does not panic");
    }
    let wrong = wrong.lock().unwrap().join("\n");
    assert!(wrong.is_empty(), "{wrong}");
    assert!(queue.lock().unwrap().is_empty());
    bench.nothing_is_left().await;
    assert_eq!(bench.sidecar.figures().gateway_calls, count);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_s_call_outlives_every_fault() {
    plays(true, &OUTGOING).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_s_call_outlives_every_fault() {
    plays(false, &INCOMING).await;
}
