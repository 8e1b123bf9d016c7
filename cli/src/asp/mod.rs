//! `skillcall asp`: what Alexa Smart Properties must know before a device can call by CallSignaling (facts G8).
//!
//! | module | what |
//! |---|---|
//! | `file` | the TOML file: what shall be there |
//! | `service` | the services, with a token of Login with Amazon |
//! | `apply` | what is missing or different is made so; what is there stays |

mod apply;
mod file;
mod service;

use anyhow::Context as _;
use serde_json::json;

use crate::command::Asp;
use file::Wanted;
use service::Service;

pub(crate) async fn run(args: &Asp, json: bool) -> anyhow::Result<()> {
    match args {
        Asp::Apply(args) => {
            let wanted = Wanted::read(&args.file)?;
            let service = Service::connect(&wanted.login, &wanted.api).await?;
            let steps = apply::apply(&service, &wanted, args.dry_run).await?;
            if json {
                println!("{}", json!({"dryRun": args.dry_run, "steps": steps}));
                return Ok(());
            }
            for step in &steps {
                println!("{step}");
            }
        }
        Asp::List(args) => {
            let wanted = Wanted::read(&args.file)?;
            let service = Service::connect(&wanted.login, &wanted.api).await?;
            let found = apply::list(&service, &wanted).await?;
            let text = serde_json::to_string_pretty(&found).context("what was found")?;
            println!("{text}");
        }
    }
    Ok(())
}
