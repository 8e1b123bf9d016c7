//! `skillcall-sidecar`: the SIP media application as a program of its own.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use skillcall_sidecar::{Severity, Sidecar, SidecarConfig};
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the log shows: of the libraries that speak with TURN servers only errors, as the gateway tells of these servers itself.
const LOG: &str = "info,turn_client_proto=error,stun_proto=error";

/// The SIP media application: takes calls by SIP and RTP and does what a handler's actions say.
///
/// Calls come in on the listeners of [sip]; each event of a call is posted as JSON to the handler of its
/// [[application]], which replies with actions (Speak, PlayAudio, CallAndBridge, …). Any HTTP URL can be
/// the handler: the skillcall component, a Lambda function under its runtime emulator, a script.
///
/// Ctrl-C or SIGTERM ends it: new calls get 503, running ones some time, then a BYE. A second Ctrl-C ends
/// it at once.
///
/// With [handover] socket, one that starts takes the place of the one that runs: no call is lost, and the older one
/// ends by itself with its last call.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    /// The configuration file. Its paths are relative to its folder.
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "sidecar.toml",
        env = "SKILLCALL_SIDECAR_CONFIG"
    )]
    config: PathBuf,

    /// Say what is wrong in the configuration and the set-up, with file, line, column and remedy, and exit:
    /// 0 when it would start, 1 when not.
    #[arg(long)]
    check: bool,

    /// Which log lines are shown: error, warn, info, debug, trace, or by module as
    /// `info,skillcall_sidecar::front=debug`.
    #[arg(
        long,
        value_name = "FILTER",
        default_value = LOG,
        env = "SKILLCALL_LOG"
    )]
    log: String,

    /// Log, and the findings of --check, as JSON lines.
    #[arg(long)]
    json: bool,

    /// Make the signalling thread panic once everything runs.
    #[cfg(feature = "injected-panics")]
    #[arg(long, hide = true)]
    panic: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_new(&arguments.log).context("--log")?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if arguments.json {
        log.json().init()
    } else {
        log.init()
    }
    // A panic stands in the log as everything else does.
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        tracing::error!(thread = thread.name(), "{panic}");
    }));
    let config = SidecarConfig::load(&arguments.config)?;
    if arguments.check {
        return Ok(check(&config, arguments.json));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // The media threads have the cores; this side is cold.
        .worker_threads(2)
        .enable_all()
        .build()
        .context("tokio runtime")?;
    runtime.block_on(async {
        let sidecar = Sidecar::start(config).await?;
        #[cfg(feature = "injected-panics")]
        if arguments.panic {
            sidecar.make_front_panic();
        }
        run(sidecar, &arguments.config).await
    })?;
    Ok(ExitCode::SUCCESS)
}

fn check(config: &SidecarConfig, json: bool) -> ExitCode {
    let findings = skillcall_sidecar::check(config);
    for finding in &findings {
        if json {
            println!("{}", serde_json::to_string(finding).unwrap_or_default());
        } else {
            println!("{finding}");
        }
    }
    if findings
        .iter()
        .any(|finding| finding.severity == Severity::Error)
    {
        ExitCode::FAILURE
    } else {
        if !json {
            println!("{}: it would start", config.origin.file.display());
        }
        ExitCode::SUCCESS
    }
}

async fn run(sidecar: Sidecar, file: &std::path::Path) -> anyhow::Result<()> {
    for warning in sidecar.warnings() {
        tracing::warn!("{warning}");
    }
    let failed = tokio::select! {
        failed = sidecar.failed() => Some(failed),
        signal = end_signal() => {
            signal?;
            None
        }
        () = sidecar.is_over() => None,
        never = reloads(&sidecar, file) => return never,
    };
    tracing::info!("ending: no new calls here; Ctrl-C again ends at once");
    tokio::select! {
        () = sidecar.shutdown() => {}
        signal = end_signal() => signal?,
    }
    failed.map_or(Ok(()), |failed| Err(failed.into()))
}

/// SIGHUP: trunks and certificates are read anew.
async fn reloads(sidecar: &Sidecar, file: &std::path::Path) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hang_up = signal(SignalKind::hangup()).context("SIGHUP")?;
    loop {
        hang_up.recv().await;
        let done = match SidecarConfig::load(file) {
            Ok(config) => sidecar.reload(config).await.map_err(anyhow::Error::from),
            Err(error) => Err(error.into()),
        };
        match done {
            Ok(_) => tracing::info!("the configuration is read anew"),
            Err(error) => tracing::error!("nothing is taken up: {error:#}"),
        }
    }
}

async fn end_signal() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("Ctrl-C")?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
