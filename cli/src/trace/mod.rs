//! `skillcall trace`: a call's ladder, by any of its ids.

pub(crate) mod gather;
pub(crate) mod ladder;
mod packets;
pub(crate) mod story;

use anyhow::bail;
use serde_json::json;
use skillcall_protocol::trace::{Trace, find};

use crate::command;
use crate::control::Control;
use crate::installation::{Installation, Running};
use crate::report;

/// The control APIs of what runs from an installation.
pub(crate) struct Controls {
    /// The sidecar's.
    pub(crate) sidecar: Control,
    /// The simulator's, unless it was left out.
    pub(crate) simulator: Option<Control>,
}

impl Controls {
    /// Of what runs now.
    pub(crate) fn of(installation: &Installation, running: &Running) -> anyhow::Result<Self> {
        let simulator = running
            .simulator
            .map(|address| {
                Control::new(
                    "simulator",
                    address,
                    &installation.path("secrets/simulator.token"),
                )
            })
            .transpose()?;
        let sidecar = Control::new(
            "sidecar",
            running.sidecar,
            &installation.path("secrets/sidecar.token"),
        )?;
        Ok(Self { sidecar, simulator })
    }

    /// The simulator's, which some commands need.
    pub(crate) fn simulator(&self) -> anyhow::Result<&Control> {
        match &self.simulator {
            Some(control) => Ok(control),
            None => {
                bail!("`skillcall up` runs without the simulator: start it without --no-simulator")
            }
        }
    }

    /// The trace of a call.
    pub(crate) async fn trace(&self, id: &str) -> (Trace, Vec<String>) {
        let gathered = gather::gather(id, &self.sidecar, self.simulator.as_ref()).await;
        (find(&gathered.records, id), gathered.unreachable)
    }
}

/// Runs the command.
pub(crate) async fn run(
    installation: &Installation,
    args: command::Trace,
    json: bool,
) -> anyhow::Result<()> {
    installation.must_exist()?;
    let running = installation.running()?;
    let controls = Controls::of(installation, &running)?;
    if let Some(file) = &args.pcap {
        let wanted = packets::Wanted {
            call: &args.id,
            next: args.next,
            rtp: args.rtp,
        };
        let bytes = packets::capture(&controls.sidecar, wanted, file).await?;
        if json {
            println!("{}", json!({"file": file, "bytes": bytes}));
        } else {
            println!("{} ({bytes} bytes)", file.display());
        }
        return Ok(());
    }
    let (trace, unreachable) = controls.trace(&args.id).await;
    if let Some(file) = &args.html {
        let page = report::page(
            &trace,
            &unreachable,
            &report::recordings(&trace, installation),
        );
        std::fs::write(file, page)
            .map_err(|error| anyhow::anyhow!("file {}: {error}", file.display()))?;
    }
    if json {
        let answer = json!({
            "ids": trace.ids, "records": trace.records, "missing": trace.missing, "unreachable": unreachable,
        });
        println!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(());
    }
    for reason in &unreachable {
        eprintln!("not asked: {reason}");
    }
    if trace.records.is_empty() {
        bail!(
            "no record has the id {:?}. Ids are those that `say` printed, or a TransactionId, CallId, csi, sessionId, requestId or trace id",
            args.id
        );
    }
    print!("{}", ladder::draw(&trace, args.bodies));
    Ok(())
}
