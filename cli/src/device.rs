//! `skillcall say`, `press` and `hang-up`: what the customer does with the simulated device.

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::command;
use crate::control::Control;
use crate::installation::Installation;
use crate::trace::Controls;

/// The simulator of what runs from an installation.
fn simulator(installation: &Installation) -> anyhow::Result<Control> {
    installation.must_exist()?;
    let running = installation.running()?;
    Ok(Controls::of(installation, &running)?.simulator()?.clone())
}

/// Makes the device hear an utterance; prints what Alexa said, and the ids.
pub(crate) async fn say(
    installation: &Installation,
    args: &command::Say,
    json: bool,
) -> anyhow::Result<()> {
    let said = utter(
        &simulator(installation)?,
        &args.utterance,
        args.device.as_deref(),
    )
    .await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&said)?);
        return Ok(());
    }
    println!("you      {}", args.utterance);
    let spoken: Vec<&str> = said["spoken"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    println!(
        "Alexa    {}",
        if spoken.is_empty() {
            "(says nothing)".to_owned()
        } else {
            spoken.join(" ")
        }
    );
    if let Some(card) = said["reply"]["card"].as_object() {
        println!("card     {}", Value::Object(card.clone()));
    }
    for (label, id) in [
        ("request", &said["requestId"]),
        ("call", &said["call"]["id"]),
        ("csi", &said["call"]["csi"]),
        ("session", &said["call"]["sessionId"]),
    ] {
        if let Some(id) = id.as_str() {
            println!("{label:<8} {id}");
        }
    }
    Ok(())
}

/// Says an utterance; the simulator's answer.
pub(crate) async fn utter(
    simulator: &Control,
    utterance: &str,
    device: Option<&str>,
) -> anyhow::Result<Value> {
    let mut body = json!({ "utterance": utterance });
    if let Some(device) = device {
        body["device"] = json!(device);
    }
    simulator.post("/sim/v1/say", &body).await
}

/// Presses digits in a call.
pub(crate) async fn press(
    installation: &Installation,
    args: &command::Press,
    json: bool,
) -> anyhow::Result<()> {
    if let Some(wrong) = args
        .digits
        .chars()
        .find(|c| !c.is_ascii_digit() && !"*#ABCDabcd".contains(*c))
    {
        bail!("{wrong:?} is no key: digits are 0-9, *, # and A-D");
    }
    let simulator = simulator(installation)?;
    let call = match &args.call {
        Some(call) => call.clone(),
        None => only_call(&simulator).await?,
    };
    let answer = simulator
        .post(
            &format!("/sim/v1/calls/{call}/digits"),
            &json!({ "digits": args.digits }),
        )
        .await?;
    done(&answer, &format!("pressed {}", args.digits), json);
    Ok(())
}

/// Hangs up.
pub(crate) async fn hang_up(
    installation: &Installation,
    args: &command::HangUp,
    json: bool,
) -> anyhow::Result<()> {
    let simulator = simulator(installation)?;
    let call = match &args.call {
        Some(call) => call.clone(),
        None => only_call(&simulator).await?,
    };
    let answer = simulator
        .post(&format!("/sim/v1/calls/{call}/hangup"), &json!({}))
        .await?;
    done(&answer, "hung up", json);
    Ok(())
}

fn done(answer: &Value, text: &str, json: bool) {
    if json {
        println!("{answer}");
    } else {
        println!("{text}");
    }
}

/// The id of the device's only call that runs.
async fn only_call(simulator: &Control) -> anyhow::Result<String> {
    let answer = simulator.get("/sim/v1/calls").await?;
    let calls = answer["calls"]
        .as_array()
        .context("the simulator's list of calls")?;
    let running: Vec<&str> = calls
        .iter()
        .filter(|call| call["side"] == "device" && call["ended"].is_null())
        .filter_map(|call| call["id"].as_str())
        .collect();
    match running.as_slice() {
        [call] => Ok((*call).to_owned()),
        [] => {
            bail!("the device has no call: start one with `skillcall say \"call the front desk\"`")
        }
        several => bail!(
            "the device has {} calls; name one with --call: {}",
            several.len(),
            several.join(", ")
        ),
    }
}
