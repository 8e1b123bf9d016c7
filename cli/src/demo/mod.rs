//! `skillcall demo`: one whole call, start to end, by itself.

mod stage;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use skillcall_protocol::trace::{Kind, Level, Trace};
use skillcall_simulator::{Act, SimulatorConfig, Step, When};

use crate::command::{self, Host};
use crate::init::{self, addresses::Addresses};
use crate::installation::Installation;
use crate::trace::{Controls, ladder};
use crate::up::{Everything, Options};
use crate::{device, report};
use stage::{Stage, wait_for};

/// What the customer says.
const UTTERANCE: &str = "call the front desk";
/// Milliseconds that the two talk before the phone hangs up.
const TALK_MS: u32 = 5000;
/// How long each part of the call may take.
const PATIENCE: Duration = Duration::from_secs(45);

/// Runs the demo.
pub(crate) async fn run(args: &command::Demo, json: bool) -> anyhow::Result<()> {
    let stage = Stage::new(json);
    stage.say("making an installation with random secrets, on free ports");
    let installation = fresh(&args.into)?;

    stage.say("starting simulator, component and sidecar");
    let everything = Everything::start(&installation, options(&installation)?).await?;
    let controls = Controls::of(&installation, &everything.running)?;
    let played = play(&stage, &controls).await;
    stage.say("stopping");
    let ended = match played {
        Ok(request) => finish(&stage, &installation, &controls, &request).await,
        Err(error) => Err(error),
    };
    everything.stop().await;
    let outcome = ended?;
    if json {
        println!("{}", serde_json::to_string_pretty(&outcome)?);
    }
    Ok(())
}

/// A fresh installation; that of an earlier demo is removed, anything else is left alone.
fn fresh(folder: &Path) -> anyhow::Result<Installation> {
    let marker = folder.join("made-by-skillcall-demo");
    if folder.exists() {
        let empty = std::fs::read_dir(folder)
            .with_context(|| format!("folder {}", folder.display()))?
            .next()
            .is_none();
        if !empty && !marker.is_file() {
            bail!(
                "{} holds something that no demo made: name another folder with --into",
                folder.display()
            );
        }
        std::fs::remove_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
    std::fs::write(&marker, "The next demo removes this folder.\n")
        .with_context(|| format!("file {}", marker.display()))?;
    let installation = Installation::at(folder);
    init::init(&installation, Addresses::free()?)?;
    Ok(installation)
}

/// As in simulator.toml, but the phone hangs up after a while of talk.
fn options(installation: &Installation) -> anyhow::Result<Options> {
    let mut simulator = SimulatorConfig::read(&installation.simulator())?;
    let phone = simulator
        .phone
        .as_mut()
        .context("simulator.toml has no [phone]")?;
    phone.script = vec![Step {
        when: When::Heard {
            milliseconds: TALK_MS,
        },
        act: Act::HangUp,
    }];
    Ok(Options {
        host: Host::Embedded,
        manifest: None,
        simulator: Some(simulator),
    })
}

/// The call itself; its requestId.
async fn play(stage: &Stage, controls: &Controls) -> anyhow::Result<String> {
    let simulator = controls.simulator()?;
    stage.say(&format!("the customer says: {UTTERANCE}"));
    let said = device::utter(simulator, UTTERANCE, None).await?;
    let request = said["requestId"]
        .as_str()
        .context("no request was sent to the skill")?
        .to_owned();
    let spoken: Vec<&str> = said["spoken"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    stage.say(&format!("Alexa says: {}", spoken.join(" ")));
    let Some(call) = said["call"]["id"].as_str() else {
        bail!("the skill started no call: {said}");
    };

    let menu = || async {
        let answer = controls.sidecar.get("/v1/calls").await.ok()?;
        // Digits are heard only once the action that collects them runs (facts F6).
        let runs = |call: &Value| call["running"]["type"] == "SpeakAndGetDigits";
        answer["calls"].as_array()?.iter().any(runs).then_some(())
    };
    wait_for(PATIENCE, "the menu", menu).await?;
    stage.say("the sidecar reads the menu; the customer presses 1");
    simulator
        .post(
            &format!("/sim/v1/calls/{call}/digits"),
            &json!({ "digits": "1" }),
        )
        .await?;

    let talking = || {
        call_where(simulator, |c| {
            c["side"] == "phone" && c["state"] == "talking"
        })
    };
    wait_for(PATIENCE, "the desk's phone to answer", talking).await?;
    stage.say("the desk's phone has answered; both talk");
    let ended = || call_where(simulator, |c| c["id"] == call && !c["ended"].is_null());
    wait_for(PATIENCE, "the end of the call", ended).await?;
    stage.say("the phone has hung up, and with it the device");
    Ok(request)
}

/// A call of the simulator for which `test` holds.
async fn call_where(
    simulator: &crate::control::Control,
    test: impl Fn(&Value) -> bool,
) -> Option<Value> {
    let answer = simulator.get("/sim/v1/calls").await.ok()?;
    answer["calls"]
        .as_array()?
        .iter()
        .find(|call| test(call))
        .cloned()
}

/// Writes call.html and the recording, and draws the ladder.
async fn finish(
    stage: &Stage,
    installation: &Installation,
    controls: &Controls,
    request: &str,
) -> anyhow::Result<Value> {
    let whole = || async {
        let (trace, unreachable) = controls.trace(request).await;
        (unreachable.is_empty() && is_whole(&trace)).then_some(trace)
    };
    let trace = wait_for(PATIENCE, "the trace of every part", whole).await?;
    let recordings = report::recordings(&trace, installation);
    let page = installation.path("call.html");
    std::fs::write(&page, report::page(&trace, &[], &recordings))
        .with_context(|| format!("file {}", page.display()))?;
    let wav = installation.path("recording.wav");
    let recorded = recordings.first().context("the call was not recorded")?;
    let bytes = match &recorded.wav {
        Ok(bytes) => bytes,
        Err(error) => bail!("recording {}: {error}", recorded.name),
    };
    write_private(&wav, bytes).with_context(|| format!("file {}", wav.display()))?;
    stage.text(&ladder::draw(&trace, false));
    let errors: Vec<&str> = trace
        .records
        .iter()
        .filter_map(|record| match &record.kind {
            Kind::Note {
                level: Level::Error,
                text,
                ..
            } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    if !errors.is_empty() {
        bail!(
            "the call went through, but not without error: {}",
            errors.join("; ")
        );
    }
    stage.say(&format!("the whole call:  {}", page.display()));
    stage.say(&format!("the recording:   {}", wav.display()));
    Ok(json!({ "ids": trace.ids, "page": page, "recording": wav, "records": trace.records.len() }))
}

/// A file for its owner alone, as recordings are.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(bytes)
}

/// Whether every part has told its end of the story: nobody is missing, the recording is written,
/// and the legs' figures are there.
fn is_whole(trace: &Trace) -> bool {
    let count = |test: fn(&Kind) -> bool| {
        trace
            .records
            .iter()
            .filter(|record| test(&record.kind))
            .count()
    };
    trace.missing.is_empty()
        && count(|kind| matches!(kind, Kind::Recording { .. })) > 0
        && count(|kind| matches!(kind, Kind::Media(_))) >= 2
}
