//! What a person may type, and the help that they read.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Let an Alexa skill place, take and steer real phone calls on your own machines.
///
/// A first call, without Amazon: `skillcall demo`. An installation to change:
/// `skillcall init hotel && cd hotel && skillcall up`, then in a second terminal
/// `skillcall say "call the front desk"`.
#[derive(Debug, Parser)]
#[command(
    name = "skillcall",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// The installation's folder: where skillcall.toml, sidecar.toml, host.toml and simulator.toml lie
    #[arg(
        long,
        short = 'C',
        global = true,
        value_name = "FOLDER",
        default_value = ".",
        env = "SKILLCALL_FOLDER"
    )]
    pub(crate) folder: PathBuf,
    /// Print what machines read (one JSON document) in place of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// More of the log on standard error: -v info, -vv debug (RUST_LOG is obeyed too)
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a configuration that works, with random secrets
    ///
    /// Writes the call plan, the configuration of sidecar, host and simulator, an interaction model,
    /// a skill manifest, and secrets in files that only you can read (mode 0600). Files that exist
    /// are left as they are; nothing is overwritten.
    Init(Init),
    /// Start component, sidecar and simulator, and stay until Ctrl-C
    ///
    /// Everything runs in this one process and listens on 127.0.0.1, unless the configuration says
    /// otherwise. Ctrl-C lets running calls end, then stops.
    Up(Up),
    /// Make the simulated device hear an utterance
    ///
    /// What the customer says is matched against the skill's interaction model, becomes a signed
    /// request to the skill, and the answer is printed. If the skill starts a call, its ids are
    /// printed too: `skillcall trace ID` shows the call by any of them.
    Say(Say),
    /// Press keys on the simulated device during a call
    Press(Press),
    /// Hang up the simulated device
    HangUp(HangUp),
    /// Print the link to a page that is the simulated device: call and be called in a browser
    ///
    /// The page calls the front desk, or any address that sidecar.toml leads somewhere, by WebRTC and
    /// Alexa.Comms.CallSignaling, with your microphone; phones that call the device ring there. The
    /// link carries the token of the simulator's control API: give it to nobody.
    Browser,
    /// Print the ladder of a call, by any of its ids
    ///
    /// The id may be a TransactionId, a CallId, a clientSessionId, a sessionId, a requestId or a W3C
    /// trace id. The sidecar's records (which hold the component's) and the simulator's are merged;
    /// a part that cannot be asked, or has no record, is named.
    Trace(Trace),
    /// Say what is wrong in the configuration or the set-up: file, line, column and remedy
    ///
    /// Reads every file of the installation, looks for what the machine lacks, and prints one finding
    /// after the other. Exit code 1 if one of them keeps a call from working.
    Check(Check),
    /// Run one whole call from utterance to hang-up, with nothing to configure
    ///
    /// Makes an installation in a folder of its own, starts everything on free ports, says "call the
    /// front desk", presses 1, talks to the desk's phone, and hangs up. Leaves call.html (the ladder,
    /// the recording's waveform, figures of each leg) and the recording.
    Demo(Demo),
    /// Test a SIP media application's handler without calls
    #[command(subcommand)]
    Sma(Sma),
    /// Tell Alexa Smart Properties who can be called by CallSignaling: provider, skill, users, address books
    #[command(subcommand)]
    Asp(Asp),
    /// Run a SIP media application's handler that is one file
    #[command(subcommand)]
    Handler(Handler),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Asp {
    /// Create what is missing and change what differs; run again it does nothing, and nothing is ever removed
    Apply(AspApply),
    /// Print what is there of what the file names
    List(AspList),
}

#[derive(Debug, Args)]
pub(crate) struct AspApply {
    /// What shall be there (docs/asp.md)
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Say what would be done, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AspList {
    /// What shall be there (docs/asp.md)
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Sma {
    /// Run scenarios (TOML) against a handler: what the caller does, and what must come of it
    ///
    /// The action engine is the sidecar's own, driven by a virtual clock: spoken text is matched as
    /// text, nobody waits for a prompt to end, and no telephone or audio device is needed. Only the
    /// handler is real: a URL, or a Node.js or Python file that is started for the run. Exit code 1
    /// if a scenario fails.
    Test(SmaTest),
}

#[derive(Debug, Args)]
pub(crate) struct SmaTest {
    /// Scenarios, or folders of them
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// The handler, in place of those that the scenarios name: a URL, or a .js, .mjs, .cjs or .py file
    #[arg(long, value_name = "URL|FILE")]
    pub(crate) handler: Option<String>,
    /// The function that a handler's file exports (default: handler, in Python lambda_handler)
    #[arg(long, value_name = "NAME")]
    pub(crate) export: Option<String>,
    /// How long one invocation of a handler's file may take (Lambda's default)
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = seconds)]
    pub(crate) timeout_seconds: f64,
    /// Sign the events with these keys, as the sidecar does (`ID:BASE64`)
    #[arg(long, value_name = "FILE")]
    pub(crate) keys_file: Option<PathBuf>,
    /// Write JUnit XML to this file, too
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Handler {
    /// Run a .js, .mjs, .cjs or .py file behind AWS Lambda's invocation path, until Ctrl-C
    ///
    /// Speaks POST /2015-03-31/functions/NAME/invocations with Lambda's context object, time-out and
    /// error headers; asynchronous and callback handlers alike. Needs Node.js or Python on this
    /// machine (SKILLCALL_NODE, SKILLCALL_PYTHON name others). What the handler prints goes to
    /// standard error.
    Run(HandlerRun),
}

#[derive(Debug, Args)]
pub(crate) struct HandlerRun {
    /// The handler's file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The function that it exports (default: handler, in Python lambda_handler)
    #[arg(long, value_name = "NAME")]
    pub(crate) handler: Option<String>,
    /// The function's name in the path and in the context (default: the file's)
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The port; 0 takes a free one
    #[arg(long, default_value = "9000")]
    pub(crate) port: u16,
    /// The address; 127.0.0.1 is this machine only
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    address: IpAddr,
    /// How long one invocation may take (Lambda's default)
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = seconds)]
    pub(crate) timeout_seconds: f64,
    /// Events that it is given at a time (Lambda: one for each environment)
    #[arg(long, value_name = "NUMBER", default_value = "1")]
    pub(crate) concurrency: u16,
}

impl HandlerRun {
    /// Where it listens.
    pub(crate) fn listen(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.001..=900.0).contains(&seconds) => Ok(seconds),
        _ => Err("expected seconds from 0.001 to 900".to_owned()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The folder to write to; made if it is missing. The same as --folder
    #[arg(value_name = "FOLDER")]
    pub(crate) into: Option<PathBuf>,
}

/// Who hosts the component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Host {
    /// The host built into this program (wasmtime)
    Embedded,
    /// An installed Spin (`spin up` with state/spin.toml, written anew with this installation's origins)
    Spin,
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Who hosts the component
    #[arg(long, value_enum, default_value = "embedded")]
    pub(crate) host: Host,
    /// Leave the simulator out: real Alexa requests only
    #[arg(long)]
    pub(crate) no_simulator: bool,
    /// The manifest that state/spin.toml is made from (default: the one built in, with skillcall-spin.wasm)
    ///
    /// Only for `--host spin`. Its `allowed_outbound_hosts` become the origins of `api_hosts`,
    /// `chain_origin` and `sidecar_url`; all else stays.
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Say {
    /// What the customer says, such as "call the front desk"
    #[arg(value_name = "UTTERANCE")]
    pub(crate) utterance: String,
    /// Which simulated device hears it (default: the first of simulator.toml)
    #[arg(long, value_name = "DEVICE-ID")]
    pub(crate) device: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Press {
    /// Digits 0-9, *, #, A-D
    #[arg(value_name = "DIGITS")]
    pub(crate) digits: String,
    /// The call (default: the device's only running call)
    #[arg(long, value_name = "ID")]
    pub(crate) call: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct HangUp {
    /// The call (default: the device's only running call)
    #[arg(long, value_name = "ID")]
    pub(crate) call: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Trace {
    /// Any id of the call
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Write the page with ladder, waveform and figures to this file too
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Print what each message carried (redacted)
    #[arg(long)]
    pub(crate) bodies: bool,
    /// Capture the SIP packets of the running call ID until it is over (or Ctrl-C), unredacted, into this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["html", "bodies"])]
    pub(crate) pcap: Option<PathBuf>,
    /// ID is a number: capture the next call from or to it
    #[arg(long, requires = "pcap")]
    pub(crate) next: bool,
    /// With the RTP packets
    #[arg(long, requires = "pcap")]
    pub(crate) rtp: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Compile the call plan into this file, ready for the component's setting `plan`
    #[arg(long, value_name = "FILE")]
    pub(crate) compile: Option<PathBuf>,
    /// Write the compiled plan as base64 text, as Spin's variable `plan` wants it
    #[arg(long, requires = "compile")]
    pub(crate) base64: bool,
    /// Print the JSON Schema of a configuration file, for editors, and stop
    #[arg(long, value_enum, value_name = "WHICH", conflicts_with = "compile")]
    pub(crate) schema: Option<Schema>,
}

/// Which file's schema is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Schema {
    /// skillcall.toml, the call plan
    Plan,
    /// sidecar.toml
    Sidecar,
    /// One trace record (a line of the JSON lines files)
    Trace,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Where the demo's installation, call.html and recording go
    #[arg(long, value_name = "FOLDER", default_value = "skillcall-data/demo")]
    pub(crate) into: PathBuf,
}
