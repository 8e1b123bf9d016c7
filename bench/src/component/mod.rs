//! The component's figures: the release artefact under wasmtime, by `crates/host`, one request after the other on one
//! thread, without sockets.

mod chains;
mod installation;
pub(crate) mod numbers;
mod requests;
pub(crate) mod serving;
mod steps;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use skillcall_host::outbound::OutboundConfig;
use skillcall_host::settings::Settings;
use skillcall_host::state::{Bounds, MemoryState};
use skillcall_host::{EngineConfig, Skill};
use skillcall_simulator::authority::Authority;

use self::chains::ChainServer;
use self::installation::Installation;
use self::steps::{Kind, Times};
use crate::Pace;
use crate::report::{Table, count};

/// Requests of each kind that one installation answers.
const REQUESTS: usize = 500;
/// Installations, each with a fresh state: the table of answers is never as full as it is under attack.
const ROUNDS: usize = 8;

/// Measures, and gives the figures as Markdown.
pub(crate) fn measure(pace: Pace) -> anyhow::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let rounds = if pace.quick { 2 } else { ROUNDS };
    runtime.block_on(measured(rounds))
}

async fn measured(rounds: usize) -> anyhow::Result<String> {
    let (component, spin) = (
        artefact("SKILLCALL_COMPONENT")?,
        artefact("SKILLCALL_SPIN_COMPONENT")?,
    );
    let folder = tempfile::tempdir()?;
    let authority = Authority::open(folder.path())?;
    let chain = authority.chain();
    let chains = ChainServer::start(chain.pem().to_owned()).await?;
    let complete = Arc::new(Installation::complete(&authority, &chains)?);

    let began = Instant::now();
    let skill = Skill::load(
        Path::new(&component.path).to_owned(),
        EngineConfig::default(),
        Arc::new(MemoryState::new(Bounds::default())),
        Arc::new(Installation::default()),
        &OutboundConfig::default(),
    )?;
    let load = began.elapsed();

    let mut times = Times::default();
    let mut bodies = 0;
    for round in 0..rounds {
        let with = |settings: Arc<dyn Settings>| -> anyhow::Result<Skill> {
            let state = Arc::new(MemoryState::new(Bounds::default()));
            Ok(skill.with(state, settings, &OutboundConfig::default())?)
        };
        let (empty, installed) = (
            with(Arc::new(Installation::default()))?,
            with(complete.clone())?,
        );
        // Not counted: it fetches the chain, and both see their first request.
        let warm_up = requests::Batch::new(1, &chain)?;
        steps::run(&empty, &installed, &warm_up, &mut Times::default()).await?;
        let fetched = chains.fetched();
        ensure!(
            fetched == round + 1,
            "the chain was fetched {fetched} times by {} installations",
            round + 1
        );
        let batch = requests::Batch::new(REQUESTS, &chain)?;
        bodies = batch.body_len();
        steps::run(&empty, &installed, &batch, &mut times).await?;
        eprintln!("  round {} of {rounds}: {}", round + 1, times.in_words());
    }
    let fetched = chains.fetched();
    let signed = (REQUESTS + 1) * 2 * rounds;

    let mut text = String::new();
    let mut artefacts = Table::new(&["artefact", "bytes"]);
    for artefact in [&component, &spin] {
        artefacts.row(&[format!("`{}`", artefact.name), count(artefact.bytes)]);
    }
    text.push_str(&artefacts.into_text());
    text.push_str(&format!(
        "\nCompiled by Cranelift in {:.1} s when the host starts. The chain was fetched {} for {} signed requests to {} installations: once \
         for each.\n\n",
        load.as_secs_f64(),
        times_of(fetched),
        count(signed as u64),
        rounds,
    ));
    text.push_str(&split(&times, bodies));
    Ok(text)
}

/// Where the time of a signed request goes.
fn split(times: &Times, bodies: usize) -> String {
    let at = |kind| times.median(kind);
    let steps = [
        (
            "instantiate, and a call in and out",
            at(Kind::Nothing),
            "an installation without settings refuses with 503",
        ),
        (
            "settings and plan",
            at(Kind::Unread) - at(Kind::Nothing),
            "`handle-trusted` of an empty body (400), less the above",
        ),
        (
            "parse",
            at(Kind::Stale) - at(Kind::Unread),
            "`handle-trusted` of a request that is read and found too old (400), less the above",
        ),
        (
            "decide, once, answer",
            at(Kind::Trusted) - at(Kind::Stale),
            "`handle-trusted` of a fresh request (200), less the above",
        ),
        (
            "verify, with the key in the cache",
            at(Kind::Signed) - at(Kind::Trusted),
            "`handle` of a signed request (200), less `handle-trusted` of the same kind",
        ),
    ];
    let mut table = Table::new(&["step", "µs", "how"]);
    for (step, micros, how) in steps {
        table.row(&[step.to_owned(), format!("{micros:.0}"), how.to_owned()]);
    }
    let whole = at(Kind::Signed);
    table.row(&[
        "**a signed request**".to_owned(),
        format!("**{whole:.0}**"),
        format!(
            "`handle`; 99 % within {:.0} µs",
            times.percentile(Kind::Signed, 99)
        ),
    ]);
    let http = at(Kind::Http);
    table.row(&[
        "a signed request by `wasi:http`".to_owned(),
        format!("{http:.0}"),
        "`POST /alexa` to `incoming-handler`, without a socket".to_owned(),
    ]);
    let a_second = |micros: f64| count((1e6 / micros.max(0.001)) as u64);
    format!(
        "**{}** instantiations a second, **{}** signed requests a second, each on one core.\n\nMedians of {} requests of each kind, the \
         kinds taking turns, each with a requestId of its own; the body has {} bytes. What goes on the installation's log (that a \
         simulator is trusted, why a request is refused) is in these times.\n\n{}",
        a_second(at(Kind::Nothing)),
        a_second(whole),
        count(times.len() as u64),
        count(bodies as u64),
        table.into_text()
    )
}

/// A file that `make artefacts` made.
struct Artefact {
    name: String,
    path: String,
    bytes: u64,
}

fn artefact(variable: &str) -> anyhow::Result<Artefact> {
    let path = std::env::var(variable)
        .with_context(|| format!("{variable} names no file: start this by bench/run"))?;
    let bytes = std::fs::metadata(&path)
        .with_context(|| path.clone())?
        .len();
    let name = Path::new(&path)
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    Ok(Artefact { name, path, bytes })
}

fn times_of(number: usize) -> String {
    match number {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        _ => format!("{number} times"),
    }
}
