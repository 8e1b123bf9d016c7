//! Calls that hear a prompt, calls that are recorded in stereo beside it, and calls that meet in conferences, before the
//! first late tick. Every caller sends RTP all the while.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::cores;
use super::parties::Parties;
use super::process::{PROMPT, Setup, Sidecar};
use super::rtp::{Load, Side};
use super::usage::micros_each;
use crate::Pace;
use crate::report::{Table, count};

/// Calls that are tried in their order, up to the first late tick.
const CALLS: [usize; 12] = [
    100, 250, 500, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 10_000,
];
/// Times a step may fail before it counts: other programs take the machine's cores, too.
const ATTEMPTS: u32 = 3;
/// Participants of one conference.
const SEATS: usize = 100;
/// Not counted at the beginning of each run.
const WARM_UP: Duration = Duration::from_millis(500);

/// Plays a file for as long as a call lasts.
fn play() -> Value {
    json!({"Type": "PlayAudio", "Parameters": {"Repeat": 1_000_000,
        "AudioSource": {"Type": "S3", "BucketName": "prompts", "Key": PROMPT}}})
}

/// Prompt playback.
pub(crate) fn prompts(pace: Pace) -> anyhow::Result<String> {
    let alike = |_: &Sidecar, _| Ok(());
    measure(pace, "calls that hear a prompt", &json!([play()]), alike)
}

/// Stereo recordings of calls that hear a prompt.
pub(crate) fn recordings(pace: Pace) -> anyhow::Result<String> {
    let record = json!({"Type": "StartCallRecording", "Parameters": {"CallId": "", "Track": "BOTH",
        "Destination": {"Type": "S3", "Location": "recordings/bench"}}});
    measure(
        pace,
        "stereo recordings of calls that hear a prompt",
        &json!([record, play()]),
        |_, _| Ok(()),
    )
}

/// Participants of conferences, each of which is mixed what all others say.
pub(crate) fn conference(pace: Pace) -> anyhow::Result<String> {
    let mut meeting = String::new();
    let mut seated = 0;
    let what = format!("participants, {SEATS} in each conference, all of whom speak,");
    measure(pace, &what, &json!([]), |sidecar, calls| {
        while seated < calls {
            if seated % SEATS == 0 {
                let asked = json!({"ExternalMeetingId": format!("bench{seated}"), "MediaRegion": "us-east-1"});
                let made = sidecar.post("/meetings", &asked)?;
                let id = made["Meeting"]["MeetingId"].as_str();
                meeting = id.context("no MeetingId")?.to_owned();
            }
            let asked = json!({"ExternalUserId": format!("caller{seated}")});
            let made = sidecar.post(&format!("/meetings/{meeting}/attendees"), &asked)?;
            let token = &made["Attendee"]["JoinToken"];
            sidecar.answer_next(&json!([{"Type": "JoinChimeMeeting",
                "Parameters": {"JoinToken": token, "MeetingId": meeting}}]));
            seated += 1;
        }
        Ok(())
    })
}

/// One run.
struct Step {
    calls: usize,
    came: u64,
    expected: u64,
    late_ticks: u64,
    cpu: Duration,
    wall: Duration,
}

impl Step {
    /// One packet of a thousand may be on its way when the run begins or ends.
    fn is_clean(&self) -> bool {
        self.late_ticks == 0 && self.came + self.expected / 1000 >= self.expected
    }
}

/// `prepare` is called before as many calls are made.
fn measure(
    pace: Pace,
    what: &str,
    actions: &Value,
    mut prepare: impl FnMut(&Sidecar, usize) -> anyhow::Result<()>,
) -> anyhow::Result<String> {
    cores::leave_the_sidecars()?;
    let (device, nobody) = (Side::bind()?, Side::bind()?);
    let mut parties = Parties::new(device.address, nobody.address)?.unbridged();
    let sidecar = Sidecar::start(&Setup::new(actions.clone()))?;
    let mut table = Table::new(&[
        "calls",
        "packets a second, out",
        "missing",
        "late ticks",
        "CPU of its core",
        "CPU µs a packet",
    ]);
    let (mut clean, mut end) = (0, String::new());
    for calls in CALLS {
        prepare(&sidecar, calls)?;
        parties.call_until(sidecar.sip, calls)?;
        let mut step = run(&sidecar, &parties, [&device, &nobody], pace)?;
        for _ in 1..ATTEMPTS {
            if step.is_clean() {
                break;
            }
            parties.pump()?;
            step = run(&sidecar, &parties, [&device, &nobody], pace)?;
        }
        parties.pump()?;
        table.row(&[
            count(step.calls as u64),
            count(step.came * 1000 / (step.wall.as_millis() as u64).max(1)),
            count(step.expected.saturating_sub(step.came)),
            count(step.late_ticks),
            format!(
                "{:.0} %",
                step.cpu.as_secs_f64() / step.wall.as_secs_f64() * 100.0
            ),
            format!("{:.1}", micros_each(step.cpu, step.came)),
        ]);
        if let Some(lost) = parties.lost().first() {
            end = format!("Then calls ended: {lost}.");
            break;
        }
        if !step.is_clean() {
            end = format!(
                "In none of {ATTEMPTS} runs of {} calls was every tick in time.",
                count(calls as u64)
            );
            break;
        }
        clean = calls;
    }
    Ok(format!(
        "**{}** {what} without a late tick. {end} Runs of {} s, PCMU, 20 ms a packet, every caller sends.\n\n{}",
        count(clean as u64),
        pace.step.as_secs(),
        table.into_text()
    ))
}

fn run(
    sidecar: &Sidecar,
    parties: &Parties,
    sides: [&Side; 2],
    pace: Pace,
) -> anyhow::Result<Step> {
    let (devices, _) = parties.legs();
    let mut load = Load::new([(sides[0], devices), (sides[1], &[])]);
    let mut before = (Duration::ZERO, 0, Instant::now());
    let heard = load.run(WARM_UP, pace.step, || {
        let ticks = sidecar.figures()?.get("lateTicks");
        before = (sidecar.usage()?.cpu, ticks, Instant::now());
        Ok(())
    })?;
    let wall = before.2.elapsed();
    let step = Step {
        calls: devices.len(),
        came: heard.others,
        expected: devices.len() as u64 * (wall.as_millis() as u64 / 20),
        late_ticks: sidecar.figures()?.get("lateTicks") - before.1,
        cpu: sidecar.usage()?.cpu.saturating_sub(before.0),
        wall,
    };
    eprintln!(
        "  {} calls: {} packets of {}, {} late ticks, CPU {:?} of {:?}, own lag {:?}",
        step.calls, step.came, step.expected, step.late_ticks, step.cpu, step.wall, heard.own_lag,
    );
    Ok(step)
}
