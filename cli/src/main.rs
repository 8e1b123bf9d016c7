//! `skillcall`: the one command a person types.

mod asp;
mod browser;
mod check;
mod command;
mod control;
mod demo;
mod device;
mod handler;
mod init;
mod installation;
mod report;
mod sma;
mod trace;
mod up;

use std::process::ExitCode;

use clap::Parser as _;
use serde_json::json;

use command::{Cli, Command, Common, Handler, Sma};
use init::addresses::Addresses;
use installation::Installation;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    log(&cli);
    // reqwest is built without a cryptography provider of its own; a second call finds it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("skillcall: the runtime did not start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let json = cli.common.json;
    match runtime.block_on(run(cli)) {
        Ok(code) => code,
        Err(error) => {
            if json {
                println!("{}", json!({ "error": format!("{error:#}") }));
            } else {
                eprintln!("skillcall: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let Common {
        folder,
        json,
        verbose,
    } = cli.common;
    let installation = Installation::at(&folder);
    match cli.command {
        Command::Init(args) => {
            let installation = args
                .into
                .map_or(installation, |into| Installation::at(&folder.join(into)));
            let written = init::init(&installation, Addresses::default())?;
            init::print(&installation, &written, json)?;
        }
        Command::Up(args) => up::run(&installation, &args, json).await?,
        Command::Say(args) => device::say(&installation, &args, json).await?,
        Command::Press(args) => device::press(&installation, &args, json).await?,
        Command::HangUp(args) => device::hang_up(&installation, &args, json).await?,
        Command::Browser => browser::run(&installation, json)?,
        Command::Trace(args) => trace::run(&installation, args, json).await?,
        Command::Check(args) => return check::run(&installation, &args, json),
        Command::Demo(args) => demo::run(&args, json).await?,
        Command::Asp(args) => asp::run(&args, json).await?,
        Command::Sma(Sma::Test(args)) => return sma::test(&args, json, verbose > 0).await,
        Command::Handler(Handler::Run(args)) => return handler::run(&args, json).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// The log goes to standard error: warnings, or more with `-v`; `RUST_LOG` is obeyed.
fn log(cli: &Cli) {
    let level = match cli.common.verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}
