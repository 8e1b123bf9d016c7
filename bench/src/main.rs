//! `skillcall-bench`: measures the figures of `bench/README.md` and writes them there. Started by `bench/run`.

#[cfg(feature = "component")]
mod component;
mod machine;
mod report;
mod sidecar;
mod transcoding;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// As `skillcall` serves the component, and as the sidecar runs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the component and the sidecar, prints the figures, and writes them into bench/README.md.
#[derive(Parser)]
#[command(max_term_width = 100)]
struct Arguments {
    /// What is measured; everything by default.
    #[arg(value_enum)]
    parts: Vec<Part>,

    /// Shorter and coarser, and nothing is written into the README: to see a change's effect.
    #[arg(long)]
    quick: bool,

    /// Seconds for which a rate of calls that was found is held; 90 by default.
    #[arg(long)]
    hold: Option<u64>,

    /// Answers calls at this address by crates/sip alone until it is killed: one of the servers that `answered` measures.
    #[arg(long, hide = true)]
    answer: Option<std::net::SocketAddr>,

    /// Relays until stdin ends, in this way: one of the processes that `ports` measures.
    #[arg(long, hide = true, value_enum, requires = "between")]
    relay: Option<sidecar::Way>,

    /// Where what is relayed goes: the device's address, and the phone's.
    #[arg(long, hide = true, num_args = 2)]
    between: Vec<std::net::SocketAddr>,

    /// Serves a component by this host.toml until it is killed: one of the servers that `serving` measures.
    #[cfg(feature = "component")]
    #[arg(long, hide = true)]
    serve: Option<std::path::PathBuf>,
}

/// What can be measured by itself.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Size, instantiations, and where the time of a signed request goes.
    #[cfg(feature = "component")]
    Component,
    /// What the check of a caller's number costs.
    #[cfg(feature = "component")]
    Numbers,
    /// Signed requests a second, beside Amazon's SDK.
    #[cfg(feature = "component")]
    Serving,
    /// The parts of the sidecar.
    Sidecar,
    /// Calls set up and ended a second.
    Calls,
    /// The same without handler and media, beside SIPp, Kamailio and Asterisk.
    Answered,
    /// Calls by TLS a second, beside SIPp and Kamailio.
    Tls,
    /// Memory of calls that have ended, beside Kamailio.
    Remembered,
    /// Calls put through a second, beside Kamailio and Asterisk.
    B2bua,
    /// Bridged calls before the first late packet.
    Bridged,
    /// The same with SRTP on the devices' legs.
    Srtp,
    /// The same by programs that only relay, each by another way of asking the kernel.
    Ports,
    /// Calls that hear a prompt before the first late tick.
    Prompts,
    /// Stereo recordings before the first late tick.
    Recordings,
    /// Participants of conferences before the first late tick.
    Conference,
    /// From the handler's reply to the first packet.
    FirstPacket,
    /// Memory of a call.
    Memory,
    /// More calls than the limit.
    Overload,
    /// More calls than a quarter of a core can take.
    Quarter,
    /// A device's call by CallSignaling: INVITE, first voice, delay.
    Gateway,
    /// Opus and G.711, beside libopus alone.
    Transcoding,
}

/// How long and how fine is measured.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// Coarse.
    quick: bool,
    /// One step of a search.
    step: Duration,
    /// The last run, at what the search found.
    hold: Duration,
    /// Bisections after the first step that failed.
    bisections: u32,
}

impl Pace {
    fn new(quick: bool) -> Self {
        if quick {
            Self {
                quick,
                step: Duration::from_secs(3),
                hold: Duration::from_secs(3),
                bisections: 0,
            }
        } else {
            Self {
                quick,
                step: Duration::from_secs(5),
                // Longer than the 32 s for which transactions are remembered (RFC 3261, timers J and L).
                hold: Duration::from_secs(90),
                bisections: 2,
            }
        }
    }
}

/// A part: it gives its figures as Markdown.
type Measure = fn(Pace) -> anyhow::Result<String>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    #[cfg(feature = "component")]
    if let Some(file) = &arguments.serve {
        return component::serving::serve(file);
    }
    if let Some(address) = arguments.answer {
        return sidecar::answer_alone(address);
    }
    if let (Some(way), &[device, phone]) = (arguments.relay, arguments.between.as_slice()) {
        return sidecar::relay(way, [device, phone]);
    }
    let wanted = |part: Part, whole: Part| {
        arguments.parts.is_empty()
            || arguments.parts.contains(&part)
            || arguments.parts.contains(&whole)
    };
    let mut pace = Pace::new(arguments.quick);
    if let Some(seconds) = arguments.hold {
        pace.hold = Duration::from_secs(seconds.max(1));
    }
    let machine = machine::Machine::look();
    println!("{machine}");
    let parts: &[(Part, Part, &str, Measure)] = &[
        #[cfg(feature = "component")]
        (
            Part::Component,
            Part::Component,
            "component",
            component::measure,
        ),
        #[cfg(feature = "component")]
        (
            Part::Numbers,
            Part::Component,
            "numbers",
            component::numbers::measure,
        ),
        #[cfg(feature = "component")]
        (
            Part::Serving,
            Part::Component,
            "serving",
            component::serving::measure,
        ),
        (Part::Calls, Part::Sidecar, "calls", sidecar::calls),
        (Part::Answered, Part::Sidecar, "answered", sidecar::answered),
        (Part::B2bua, Part::Sidecar, "b2bua", sidecar::b2bua),
        (Part::Tls, Part::Sidecar, "tls", sidecar::tls),
        (
            Part::Remembered,
            Part::Sidecar,
            "remembered",
            sidecar::remembered,
        ),
        (Part::Bridged, Part::Sidecar, "bridged", sidecar::bridged),
        (Part::Srtp, Part::Sidecar, "srtp", sidecar::srtp),
        (Part::Ports, Part::Sidecar, "ports", sidecar::ports),
        (Part::Prompts, Part::Sidecar, "prompts", sidecar::prompts),
        (
            Part::Recordings,
            Part::Sidecar,
            "recordings",
            sidecar::recordings,
        ),
        (
            Part::Conference,
            Part::Sidecar,
            "conference",
            sidecar::conference,
        ),
        (
            Part::FirstPacket,
            Part::Sidecar,
            "first packet",
            sidecar::first_packet,
        ),
        (Part::Memory, Part::Sidecar, "memory", sidecar::memory),
        (Part::Overload, Part::Sidecar, "overload", sidecar::overload),
        (Part::Quarter, Part::Sidecar, "quarter", sidecar::quarter),
        (Part::Gateway, Part::Sidecar, "gateway", sidecar::gateway),
        (
            Part::Transcoding,
            Part::Sidecar,
            "transcoding",
            transcoding::measure,
        ),
    ];
    for &(part, whole, name, measure) in parts {
        if !wanted(part, whole) {
            continue;
        }
        eprintln!("\nbench: {name}");
        let figures = measure(pace)?;
        println!("\n{figures}");
        if !arguments.quick {
            report::write(name, &format!("{figures}\n*{machine}*\n"))?;
        }
    }
    Ok(())
}
