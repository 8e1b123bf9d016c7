//! Signed requests a second over plain HTTP, on one core: the component behind `crates/host`, each artefact, beside a skill
//! by Amazon's SDK in the same run.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use serde_json::json;
use skillcall_host::{HostConfig, Server};
use skillcall_simulator::authority::{Authority, Chain};

use super::chains::ChainServer;
use super::installation::Installation;
use super::requests::{Signed, fresh};
use crate::Pace;
use crate::report::{Table, count};
use crate::sidecar::{cores, usage};

/// Connections that send one request after the other.
const CONNECTIONS: usize = 16;
/// Requests of a run.
const REQUESTS: usize = 8_000;
/// Runs of each server, which take turns.
const ROUNDS: usize = 5;

/// A server that is measured.
struct Contender {
    name: &'static str,
    /// Its program with its arguments; it prints its port.
    command: Vec<String>,
    runs: Vec<Run>,
}

/// One run.
#[derive(Clone, Copy)]
struct Run {
    /// Requests a second.
    rate: f64,
    /// Of the whole process, a request.
    cpu: Duration,
    /// Resident bytes at the end.
    resident: u64,
}

/// Measures, and gives the figures as Markdown.
pub(crate) fn measure(pace: Pace) -> anyhow::Result<String> {
    let (rounds, requests) = if pace.quick {
        (1, REQUESTS / 4)
    } else {
        (ROUNDS, REQUESTS)
    };
    cores::leave_the_sidecars()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(measured(rounds, requests))
}

async fn measured(rounds: usize, requests: usize) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::open(folder.path())?;
    let chain = authority.chain();
    let chains = ChainServer::start(chain.pem().to_owned()).await?;
    let trust = folder.path().join("trust.json");
    let trusted = json!({"root": authority.roots_pem(), "chains": {chain.url(): chain.pem()}});
    std::fs::write(&trust, trusted.to_string())?;

    let mut contenders = vec![Contender {
        name: "Node.js, `ask-sdk-core` and `ask-sdk-express-adapter`",
        command: vec![
            "node".to_owned(),
            "bench/peers/ask-sdk/server.js".to_owned(),
            text(&trust)?,
        ],
        runs: Vec::new(),
    }];
    let installation = Installation::complete(&authority, &chains)?;
    let artefacts = [
        ("`skillcall.wasm`", "SKILLCALL_COMPONENT"),
        ("`skillcall-relaxed.wasm`", "SKILLCALL_RELAXED_COMPONENT"),
    ];
    for (name, variable) in artefacts {
        let artefact = super::artefact(variable)?;
        let host = folder.path().join(format!("{variable}.toml"));
        std::fs::write(
            &host,
            installation.host_toml(&artefact.path, folder.path())?,
        )?;
        let program = text(&std::env::current_exe()?)?;
        contenders.push(Contender {
            name,
            command: vec![program, "--serve".to_owned(), text(&host)?],
            runs: Vec::new(),
        });
    }
    for round in 0..rounds {
        for contender in &mut contenders {
            let requests = signed(requests, &chain)?;
            let run = run(&contender.command, requests)
                .await
                .with_context(|| contender.name.to_owned())?;
            eprintln!(
                "  round {} of {rounds}: {}: {:.0} a second, {} µs",
                round + 1,
                contender.name,
                run.rate,
                run.cpu.as_micros()
            );
            contender.runs.push(run);
        }
    }
    Ok(told(&contenders, requests))
}

fn told(contenders: &[Contender], requests: usize) -> String {
    let mut table = Table::new(&[
        "server",
        "requests a second, median",
        "least and most",
        "CPU µs a request",
        "resident",
    ]);
    for contender in contenders {
        let mut rates: Vec<f64> = contender.runs.iter().map(|run| run.rate).collect();
        rates.sort_by(f64::total_cmp);
        let mut costs: Vec<Duration> = contender.runs.iter().map(|run| run.cpu).collect();
        costs.sort_unstable();
        let resident = contender.runs.iter().map(|run| run.resident).max();
        let rate = |rate: Option<&f64>| count(rate.copied().unwrap_or_default() as u64);
        table.row(&[
            contender.name.to_owned(),
            rate(rates.get(rates.len() / 2)),
            format!("{}–{}", rate(rates.first()), rate(rates.last())),
            costs
                .get(costs.len() / 2)
                .map_or(0, Duration::as_micros)
                .to_string(),
            format!("{} MB", resident.unwrap_or_default() / 1_000_000),
        ]);
    }
    format!(
        "{}\nEach server has one core for itself, the load another: {CONNECTIONS} connections, {} signed LaunchRequests a run, each with a \
         requestId of its own; the servers take turns. The chain is fetched and verified before.\n",
        table.into_text(),
        count(requests as u64),
    )
}

/// So many requests, signed on all cores.
fn signed(requests: usize, chain: &Chain) -> anyhow::Result<Vec<Signed>> {
    let threads = 2;
    std::thread::scope(|scope| {
        let signing: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(move || {
                    (0..requests / threads)
                        .map(|_| Signed::new(fresh(), chain))
                        .collect::<anyhow::Result<Vec<_>>>()
                })
            })
            .collect();
        let mut all = Vec::new();
        for part in signing {
            all.extend(part.join().expect("no panic while it signs")?);
        }
        Ok(all)
    })
}

async fn run(command: &[String], mut requests: Vec<Signed>) -> anyhow::Result<Run> {
    let (program, arguments) = command.split_first().context("a program")?;
    let mut process = Process(
        cores::on_the_sidecars(program)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{program} does not start"))?,
    );
    let output = process.0.stdout.take().context("its output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let port: u16 = line.trim().parse().context("its port")?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    // Not counted: the chain is fetched, and code is warmed.
    let rest = requests.split_off(requests.len() / 8);
    send_all(address, requests).await?;

    let pid = process.0.id();
    let sent = rest.len();
    let before = usage::Usage::of(pid)?;
    let began = Instant::now();
    send_all(address, rest).await?;
    let took = began.elapsed();
    let used = usage::Usage::of(pid)?.since(&before);
    Ok(Run {
        rate: sent as f64 / took.as_secs_f64(),
        cpu: used.cpu / sent as u32,
        resident: usage::resident(pid)?,
    })
}

async fn send_all(address: SocketAddr, mut requests: Vec<Signed>) -> anyhow::Result<()> {
    let each = requests.len().div_ceil(CONNECTIONS);
    let mut sending = Vec::new();
    while !requests.is_empty() {
        let part = requests.split_off(requests.len().saturating_sub(each));
        sending.push(tokio::spawn(send(address, part)));
    }
    for connection in sending {
        connection.await??;
    }
    Ok(())
}

/// One after the other over one connection.
async fn send(address: SocketAddr, requests: Vec<Signed>) -> anyhow::Result<()> {
    let stream = tokio::net::TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    for signed in requests {
        let mut request = Request::post("/alexa")
            .header("host", "skill.example")
            .header("content-type", "application/json; charset=utf-8");
        for header in &signed.headers {
            request = request.header(header.name.as_str(), header.value.as_slice());
        }
        let response = sender
            .send_request(request.body(Full::new(Bytes::from(signed.body)))?)
            .await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        let said = String::from_utf8_lossy(&body);
        ensure!(status == 200, "answered {status}: {said}");
        ensure!(said.contains("outputSpeech"), "no speech in {said}");
    }
    drop(sender);
    connection.await??;
    Ok(())
}

/// What `--serve FILE` does: one of the servers that are measured, until it is killed.
pub(crate) fn serve(file: &Path) -> anyhow::Result<()> {
    let config = HostConfig::read(file)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let server = Server::start(config).await?;
        println!("{}", server.address().port());
        std::future::pending::<()>().await;
        Ok(())
    })
}

fn text(path: &Path) -> anyhow::Result<String> {
    let text = path.to_str().context("a path that is no UTF-8")?;
    Ok(text.to_owned())
}

/// A process that ends with its run.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
