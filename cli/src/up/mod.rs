//! `skillcall up`: component, sidecar and simulator in one process.

mod plan;
mod spin;

use std::net::SocketAddr;

use anyhow::Context;
use serde_json::json;
use skillcall_host::{HostConfig, Server};
use skillcall_sidecar::Sidecar;
use skillcall_sidecar::config::SidecarConfig;
use skillcall_simulator::{Simulator, SimulatorConfig};

use crate::command::{Host, Up};
use crate::installation::{Installation, Running, RunningNote};

/// Everything that runs.
pub(crate) struct Everything {
    /// The simulator, unless it was left out.
    pub(crate) simulator: Option<Simulator>,
    /// The sidecar.
    pub(crate) sidecar: Sidecar,
    host: Hosted,
    plan: plan::Watch,
    /// Where everything listens.
    pub(crate) running: Running,
    _note: RunningNote,
}

/// Who hosts the component.
enum Hosted {
    Embedded(Server),
    Spin(spin::Spin),
}

/// What may differ between `up` and the demo.
pub(crate) struct Options {
    /// Who hosts the component.
    pub(crate) host: Host,
    /// What Spin's manifest is made from; none: the one built in.
    pub(crate) manifest: Option<std::path::PathBuf>,
    /// The simulator's configuration; none leaves it out.
    pub(crate) simulator: Option<SimulatorConfig>,
}

impl Everything {
    /// Starts what an installation describes: the simulator first, as the component trusts its
    /// authority; then the component, then the sidecar.
    pub(crate) async fn start(
        installation: &Installation,
        options: Options,
    ) -> anyhow::Result<Self> {
        installation.must_exist()?;
        let plan = plan::Watch::start(installation)?;
        let simulator = match options.simulator {
            Some(config) => Some(
                Simulator::start(config)
                    .await
                    .context("the simulator did not start")?,
            ),
            None => None,
        };
        let mut sidecar_config = SidecarConfig::load(&installation.sidecar())?;
        // The component's host and the simulator beside it do not hand over.
        sidecar_config.handover.socket = None;
        let sidecar = Sidecar::start(sidecar_config)
            .await
            .context("the sidecar did not start")?;
        let (host, component) = match options.host {
            Host::Embedded => {
                let config = HostConfig::read(installation.host())?;
                let server = Server::start(config)
                    .await
                    .context("the component's host did not start")?;
                let address = server.address();
                (Hosted::Embedded(server), address)
            }
            Host::Spin => {
                let spin = spin::Spin::start(installation, options.manifest.as_deref()).await?;
                let address = spin.address();
                (Hosted::Spin(spin), address)
            }
        };
        let running = Running {
            pid: std::process::id(),
            component,
            sidecar: sidecar.control(),
            sip: [("udp", sidecar.sip_udp()), ("tcp", sidecar.sip_tcp())]
                .iter()
                .filter_map(|(transport, address)| Some(format!("{transport}:{}", (*address)?)))
                .collect(),
            simulator: simulator.as_ref().map(Simulator::address),
        };
        let note = installation.note_running(&running)?;
        Ok(Self {
            simulator,
            sidecar,
            host,
            plan,
            running,
            _note: note,
        })
    }

    /// Stops: no new calls, running ones get their time, the component's last works end.
    pub(crate) async fn stop(self) {
        self.plan.stop();
        self.sidecar.shutdown().await;
        match self.host {
            Hosted::Embedded(server) => {
                server.shutdown().await;
            }
            Hosted::Spin(spin) => spin.stop().await,
        }
        if let Some(simulator) = self.simulator {
            simulator.shutdown().await;
        }
    }
}

/// Runs the command: starts, says where, and waits for Ctrl-C.
pub(crate) async fn run(installation: &Installation, args: &Up, json: bool) -> anyhow::Result<()> {
    installation.must_exist()?;
    let simulator = if args.no_simulator {
        None
    } else {
        Some(SimulatorConfig::read(&installation.simulator())?)
    };
    let options = Options {
        host: args.host,
        manifest: args.manifest.clone(),
        simulator,
    };
    let everything = Everything::start(installation, options).await?;
    say_where(&everything.running, json)?;
    let failed = tokio::select! {
        failed = everything.sidecar.failed() => Some(failed),
        ended = wait_for_the_end() => {
            ended?;
            None
        }
    };
    eprintln!("skillcall: stopping; running calls get their time (Ctrl-C again stops at once)");
    tokio::select! {
        () = everything.stop() => {}
        ended = wait_for_the_end() => ended?,
    }
    failed.map_or(Ok(()), |failed| Err(failed).context("the sidecar"))
}

fn say_where(running: &Running, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", json!(running));
        return Ok(());
    }
    let http = |address: &SocketAddr| format!("http://{address}");
    println!(
        "component   {}   POST /alexa, POST /media/events, GET /health",
        http(&running.component)
    );
    println!(
        "sidecar     {}   control API; SIP at {}",
        http(&running.sidecar),
        running.sip.join(", ")
    );
    match &running.simulator {
        Some(simulator) => {
            println!(
                "simulator   {}   Alexa and a device: skillcall say \"call the front desk\"",
                http(simulator)
            );
            println!(
                "browser     {}/echo   a page that is the device: skillcall browser",
                http(simulator)
            );
        }
        None => println!("simulator   left out"),
    }
    println!("Ctrl-C stops.");
    Ok(())
}

/// Ctrl-C, or the signal that service managers send.
async fn wait_for_the_end() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("signal handler")?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result.context("signal handler"),
        _ = terminate.recv() => Ok(()),
    }
}
