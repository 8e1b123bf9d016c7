//! `skillcall-simulator`: the Alexa service, devices and a phone as a program of their own.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use skillcall_simulator::{Simulator, SimulatorConfig};
use tracing_subscriber::EnvFilter;

/// Simulates Alexa, an Echo device and a SIP phone for one skill, on this machine alone.
///
/// The simulator turns what is said to the device into signed requests to your skill, serves the APIs that the skill
/// calls (customer profile, StartCommunicationSession, progressive responses) and refuses what Amazon would refuse. When
/// the skill starts a call, the device sends a SIP INVITE to your SIP media application, speaks and listens.
///
/// The first start makes a certificate authority in the folder that the settings name; give its roots.pem to the skill
/// under test as `alexa_roots`. Keys stay in that folder, readable by you only.
///
/// Control it over HTTP with the token from `alexa.token-file`:
///
///   curl -H "Authorization: Bearer $(cat secrets/simulator.token)" -H "Content-Type: application/json" \
///        -d '{"utterance": "call the front desk"}' http://127.0.0.1:7090/sim/v1/say
///
///   GET  /sim/v1/calls, /sim/v1/calls/ID      what became of the calls
///   POST /sim/v1/calls/ID/digits {"digits"}   press digits
///   POST /sim/v1/calls/ID/hangup              hang up
///   GET  /sim/v1/traces/ID                    the trace of a call, by any of its ids
///   PUT  /sim/v1/trouble                      ask for errors, delays and silence
#[derive(Parser)]
#[command(version, verbatim_doc_comment)]
struct Options {
    /// The settings; paths in them are relative to the file's folder.
    #[arg(
        long,
        short,
        default_value = "simulator.toml",
        env = "SKILLCALL_SIMULATOR_CONFIG"
    )]
    config: PathBuf,

    /// Check the settings and the model, say what is wrong, and end.
    #[arg(long)]
    check: bool,

    /// Say what was started as one line of JSON.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")),
        )
        .with_writer(std::io::stderr)
        .init();
    let options = Options::parse();
    let config = SimulatorConfig::read(&options.config)?;
    if options.check {
        skillcall_simulator::model::Model::read(&config.skill.model)?;
        println!("{} is good.", options.config.display());
        return Ok(());
    }
    let simulator = Simulator::start(config)
        .await
        .context("the simulator does not start")?;
    announce(&simulator, options.json);
    tokio::signal::ctrl_c()
        .await
        .context("Ctrl-C cannot be waited for")?;
    simulator.shutdown().await;
    Ok(())
}

fn announce(simulator: &Simulator, json: bool) {
    let phone = simulator.phone_address().map(|address| address.to_string());
    if json {
        let line = serde_json::json!({
            "alexa": simulator.api_endpoint(),
            "control": format!("http://{}", simulator.address()),
            "device": simulator.device_address().to_string(),
            "phone": phone,
            "roots": simulator.roots_path(),
        });
        println!("{line}");
        return;
    }
    println!("Alexa and control API  http://{}", simulator.address());
    println!("device                 sip:{}", simulator.device_address());
    if let Some(phone) = phone {
        println!("phone                  sip:{phone}");
    }
    println!(
        "roots (TEST TRUST)     {}",
        simulator.roots_path().display()
    );
    println!("Ctrl-C stops.");
}
