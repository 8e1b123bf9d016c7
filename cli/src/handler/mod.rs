//! `skillcall handler run`: a handler that is one file.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use skillcall_sidecar::runner::HandlerFile;

use crate::command::HandlerRun;

pub(crate) async fn run(args: &HandlerRun, json: bool) -> anyhow::Result<ExitCode> {
    let handler = HandlerFile {
        file: args.file.clone(),
        export: args.handler.clone(),
        name: args.name.clone(),
        listen: args.listen(),
        timeout: Duration::from_secs_f64(args.timeout_seconds),
        concurrency: args.concurrency,
        environment: Vec::new(),
    };
    let mut running = handler.start().await?;
    if json {
        println!("{}", json!({ "url": running.url().as_str() }));
    } else {
        println!("{} answers at {}", args.file.display(), running.url());
        println!(
            "in sidecar.toml: handler = \"{}\" and require-signed-replies = false",
            running.url()
        );
    }
    tokio::select! {
        ended = running.ended() => anyhow::bail!("the interpreter ended ({})", ended?),
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    running.stop().await;
    Ok(ExitCode::SUCCESS)
}
