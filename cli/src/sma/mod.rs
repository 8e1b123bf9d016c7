//! `skillcall sma test`: scenarios against handlers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::Url;
use serde_json::json;
use skillcall_sidecar::runner::{HandlerFile, RunningHandler};
use skillcall_sidecar::scenario::{self, HttpHandler, Outcome, Scenario};

use crate::command::SmaTest;

/// Handlers that were started, by their files: several scenarios may have the same one.
#[derive(Default)]
struct Handlers {
    running: HashMap<PathBuf, RunningHandler>,
}

impl Handlers {
    /// The URL of a handler that is named by a URL or a file.
    async fn url(&mut self, name: &str, folder: &Path, args: &SmaTest) -> anyhow::Result<Url> {
        if !HandlerFile::is_one(name) || name.contains("://") {
            return Url::parse(name).with_context(|| {
                format!("handler {name:?}: expected a URL, or a file that ends in .js, .mjs, .cjs or .py")
            });
        }
        let file = folder.join(name);
        let file = file
            .canonicalize()
            .with_context(|| format!("handler {}", file.display()))?;
        if let Some(running) = self.running.get(&file) {
            return Ok(running.url().clone());
        }
        let mut handler = HandlerFile::new(&file);
        handler.export.clone_from(&args.export);
        handler.timeout = Duration::from_secs_f64(args.timeout_seconds);
        let running = handler.start().await?;
        let url = running.url().clone();
        self.running.insert(file, running);
        Ok(url)
    }
}

pub(crate) async fn test(args: &SmaTest, json: bool, verbose: bool) -> anyhow::Result<ExitCode> {
    let keys = match &args.keys_file {
        Some(file) => Some(
            std::fs::read_to_string(file)
                .with_context(|| format!("--keys-file {}", file.display()))?,
        ),
        None => None,
    };
    let mut handlers = Handlers::default();
    let mut outcomes = Vec::new();
    for file in scenario_files(&args.files)? {
        let mut outcome = match one(&file, args, keys.as_deref(), &mut handlers).await {
            Ok(outcome) => outcome,
            Err(error) => {
                let name = file.file_stem().unwrap_or_default();
                let name = name.to_string_lossy().into_owned();
                Outcome::not_run(file, name, format!("{error:#}"))
            }
        };
        outcome.verbose = verbose;
        if !json {
            print!("{outcome}");
        }
        outcomes.push(outcome);
    }
    for running in handlers.running.into_values() {
        running.stop().await;
    }
    if let Some(file) = &args.junit {
        std::fs::write(file, scenario::junit(&outcomes))
            .with_context(|| format!("--junit {}", file.display()))?;
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.passed).count();
    if json {
        let report =
            json!({ "passed": outcomes.len() - failed, "failed": failed, "scenarios": outcomes });
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{} passed, {failed} failed", outcomes.len() - failed);
    }
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn one(
    file: &Path,
    args: &SmaTest,
    keys: Option<&str>,
    handlers: &mut Handlers,
) -> anyhow::Result<Outcome> {
    let scenario = Scenario::read(file)?;
    // What the command names is relative to where it is typed, what the scenario names to its own folder.
    let (name, folder) = match (&args.handler, &scenario.handler) {
        (Some(name), _) => (name.clone(), PathBuf::from(".")),
        (None, Some(name)) => (name.clone(), scenario.folder().to_owned()),
        (None, None) => anyhow::bail!(
            "no handler: write `handler = \"URL or file\"` into the scenario, or give --handler"
        ),
    };
    let url = handlers.url(&name, &folder, args).await?;
    let mut handler = HttpHandler::new(url, keys)?;
    Ok(scenario::run(&scenario, &mut handler).await)
}

/// The files that are named, and the `.toml` files of the folders that are.
fn scenario_files(named: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut found = Vec::new();
        let entries = std::fs::read_dir(path).with_context(|| path.display().to_string())?;
        for entry in entries {
            let file = entry?.path();
            if file.extension().is_some_and(|ending| ending == "toml") {
                found.push(file);
            }
        }
        anyhow::ensure!(
            !found.is_empty(),
            "{}: no .toml files in it",
            path.display()
        );
        found.sort();
        files.extend(found);
    }
    Ok(files)
}
