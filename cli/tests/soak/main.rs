//! Load with failures: simulated users speak to `skillcall up` while 5 % of the outbound calls fail, in every way of
//! facts C, D and H. No request is left unanswered, no call is started twice, no token is lost, the memory stays flat.
//!
//! `SKILLCALL_SOAK_SECONDS` says how long (10); from 60 on, times and memory are judged, too. `make soak` does that.

mod faults;
mod installation;
mod users;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::installation::Trial;
use crate::users::{Figures, User};

/// So many users at once.
const USERS: usize = 200;
/// How long a user is silent between two utterances, on average.
const PAUSE: Duration = Duration::from_secs(5);
/// Alexa waits so long (facts A4).
const ALEXA_LIMIT_MS: u64 = 8000;
/// From this length on, times and memory are judged.
const WHOLE: Duration = Duration::from_secs(60);
/// The simulator keeps records, calls and tokens up to its bounds, the allocator what it once had: what grows beyond this
/// within the second half of a run grows without bound.
const GROWTH_KIB: u64 = 24 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_users_while_one_call_in_twenty_fails() {
    let seconds = std::env::var("SKILLCALL_SOAK_SECONDS").map_or(10, |text| {
        text.parse().expect("SKILLCALL_SOAK_SECONDS is a number")
    });
    let length = Duration::from_secs(seconds);
    let mut trial = Trial::start(USERS, length >= WHOLE).await;
    let figures = Arc::new(Figures::default());
    trial.order(&faults::five_percent()).await;

    // All at once, before the memory is looked at: each of the host's places for an instance keeps what its first use has taken.
    let mut users = tokio::task::JoinSet::new();
    for number in 0..USERS {
        let user = User::new(number, trial.services(), Arc::clone(&figures));
        users.spawn(user.speak_once());
    }
    users.join_all().await;
    let end = Instant::now() + length;
    let mut users = tokio::task::JoinSet::new();
    for number in 0..USERS {
        let user = User::new(number, trial.services(), Arc::clone(&figures));
        users.spawn(user.speak_until(end, PAUSE));
    }
    let mut memory = Vec::new();
    let mut calls = BTreeMap::new();
    while !users.is_empty() {
        tokio::select! {
            Some(done) = users.join_next() => done.expect("a user does not panic"),
            () = tokio::time::sleep(Duration::from_secs(1)) => {
                memory.push(trial.memory_kib());
                note(&trial.calls().await, &mut calls);
            }
        }
    }
    trial.order(&[]).await;
    let over = Instant::now() + Duration::from_secs(90);
    loop {
        note(&trial.calls().await, &mut calls);
        if calls.values().all(|call| call["state"] == "ended") {
            break;
        }
        assert!(Instant::now() < over, "calls that never end");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    let last = users::message(&trial.services(), 0).await;
    let login = trial.login().await;
    let granted = figures.granted();
    let lost = trial.stop_and_count_lost(&granted).await;
    let report = Report::of(&figures, &calls, &memory, &login, length);
    println!("{report}");

    assert!(
        figures.unanswered().is_empty(),
        "{:?}",
        figures.unanswered()
    );
    assert_eq!(
        report.twice,
        Vec::<String>::new(),
        "calls that were started twice"
    );
    assert_eq!(last, 202, "the skill's own token serves still");
    assert!(
        !granted.is_empty() && lost.is_empty(),
        "tokens lost: {lost:?} of {}",
        granted.len()
    );
    assert!(report.placed > 0 && report.failed > 0, "both happen");
    if length >= WHOLE {
        assert!(
            report.slowest_ms < ALEXA_LIMIT_MS,
            "the slowest answer: {} ms",
            report.slowest_ms
        );
        assert!(
            report.grown_kib < GROWTH_KIB,
            "the memory grew by {} KiB in the second half: {memory:?}",
            report.grown_kib
        );
    }
}

/// Notes the device's calls as they are now; the simulator forgets old ones.
fn note(found: &Value, calls: &mut BTreeMap<String, Value>) {
    let found = found["calls"].as_array().into_iter().flatten();
    for call in found.filter(|call| call["side"] == "device") {
        if let Some(id) = call["id"].as_str() {
            calls.insert(id.to_owned(), call.clone());
        }
    }
}

/// What a run showed.
struct Report {
    seconds: u64,
    requests: usize,
    placed: usize,
    failed: usize,
    messages: (usize, usize),
    grants: (usize, usize),
    median_ms: u64,
    ninety_nine_ms: u64,
    slowest_ms: u64,
    invites: usize,
    undialled: usize,
    duplicates: usize,
    twice: Vec<String>,
    memory_kib: (u64, u64, u64),
    grown_kib: u64,
    login: Value,
}

impl Report {
    fn of(
        figures: &Figures,
        calls: &BTreeMap<String, Value>,
        memory: &[u64],
        login: &Value,
        length: Duration,
    ) -> Self {
        let times = figures.sorted_times();
        let at = |percent: usize| {
            let place = times.len().saturating_sub(1) * percent / 100;
            times.get(place).copied().unwrap_or_default()
        };
        // The sidecar takes one call for a clientSessionId and refuses every other with 482; the flow ends its call with 486.
        let mut taken: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        let (mut duplicates, mut undialled) = (0, 0);
        for call in calls.values() {
            if call["ended"]["by"] == "failed" && call["answeredAt"].is_null() {
                // No INVITE left the device: as many calls as its line takes were up, or it had no port.
                undialled += 1;
            } else if call["ended"]["status"] == 482 {
                duplicates += 1;
            } else if call["ended"]["status"] == 503 {
                // Overload: it was refused before it began.
            } else if let Some(csi) = call["csi"].as_str() {
                taken.entry(csi).or_default().push(call);
            }
        }
        let half = memory.get(memory.len() / 2).copied().unwrap_or_default();
        let last = memory.last().copied().unwrap_or_default();
        Self {
            seconds: length.as_secs(),
            requests: times.len(),
            placed: figures.placed(),
            failed: figures.not_placed(),
            messages: figures.messages(),
            grants: figures.grants(),
            median_ms: at(50),
            ninety_nine_ms: at(99),
            slowest_ms: at(100),
            invites: calls.len() - undialled,
            undialled,
            duplicates,
            twice: taken
                .into_values()
                .filter(|calls| calls.len() > 1)
                .map(|calls| format!("{calls:?}"))
                .collect(),
            memory_kib: (memory.first().copied().unwrap_or_default(), half, last),
            grown_kib: last.saturating_sub(half),
            login: login.clone(),
        }
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (first, half, last) = self.memory_kib;
        writeln!(
            f,
            "soak: {USERS} users for {} s: {} requests, all answered; median {} ms, 99 % within {} ms, the slowest {} ms",
            self.seconds, self.requests, self.median_ms, self.ninety_nine_ms, self.slowest_ms
        )?;
        writeln!(
            f,
            "soak: {} calls placed, {} told why not; {} not dialled, {} INVITEs, of which {} were second ones and were refused, {} calls twice",
            self.placed,
            self.failed,
            self.undialled,
            self.invites,
            self.duplicates,
            self.twice.len()
        )?;
        let ((sent, unsent), (granted, refused)) = (self.messages, self.grants);
        writeln!(
            f,
            "soak: {sent} messages sent, {unsent} refused; {granted} grants taken, {refused} failed; Login with Amazon: {}",
            self.login
        )?;
        write!(
            f,
            "soak: memory {} MiB at first, {} MiB at half, {} MiB at the end",
            first / 1024,
            half / 1024,
            last / 1024
        )
    }
}

/// A device's id.
fn device(number: usize) -> String {
    format!("amzn1.ask.device.SOAK{number}")
}

/// A customer's id.
fn customer(number: usize) -> String {
    format!("amzn1.ask.account.SOAK{number}")
}

/// The answer's JSON, whatever its status.
async fn json_of(request: reqwest::RequestBuilder) -> Value {
    match request.send().await {
        Ok(response) => response.json().await.unwrap_or(Value::Null),
        Err(error) => json!({"error": error.to_string()}),
    }
}
