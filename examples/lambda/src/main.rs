//! The skill as an AWS Lambda function: a custom runtime (`bootstrap`) around `crates/host`.
//!
//! Lambda's trigger for Alexa hands over requests that Amazon has authenticated, without a signature. The component checks the rest:
//! the skill's id, the time stamp, and whether the request came before. `host.toml` lies beside the program
//! (`LAMBDA_TASK_ROOT`), with the component that it names; `code_cache = "/tmp/code"` makes later starts on the same machine
//! quick, and settings may come from the function's environment (`SKILLCALL_…`).

mod runtime;
mod skill;

use anyhow::Context;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API")
        .context("AWS_LAMBDA_RUNTIME_API is not set: this program is started by AWS Lambda")?;
    let runtime = runtime::Runtime::new(&api);
    let root = std::env::var("LAMBDA_TASK_ROOT").unwrap_or_else(|_| ".".to_owned());
    let skill = match tokio::task::spawn_blocking(move || skill::load(root.as_ref())).await? {
        Ok(skill) => skill,
        Err(error) => {
            runtime.not_started(&format!("{error:#}")).await?;
            return Err(error);
        }
    };
    runtime.serve(&skill).await
}
