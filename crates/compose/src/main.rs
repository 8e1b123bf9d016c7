//! `skillcall-compose`: what the build does with components after cargo made them.

use anyhow::Context;
use clap::{Parser, Subcommand};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Composes the skill with a host's adapter, and looks into components.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Plugs what each part exports into what the skill imports, in turn, and writes one component.
    Compose {
        /// The skill, as skillcall-core.wasm.
        skill: PathBuf,
        /// The parts: a plug-in that decides calls, or an adapter, as skillcall_adapter_spin.wasm.
        #[arg(required = true)]
        parts: Vec<PathBuf>,
        /// Where the composed component goes.
        #[arg(short, long)]
        output: PathBuf,
    },
    /// Prints the component's size and imports; fails when one is not allowed.
    Imports {
        /// The component.
        file: PathBuf,
        /// What an import may begin with, as "wasi:"; may be repeated. Without it everything is allowed.
        #[arg(long, value_name = "PREFIX")]
        allow: Vec<String>,
    },
    /// Prints the component's world as WIT.
    World {
        /// The component.
        file: PathBuf,
    },
}

fn main() -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match Arguments::parse().command {
        Command::Compose {
            skill,
            parts,
            output,
        } => {
            let mut composed = read(&skill)?;
            for part in parts {
                composed = skillcall_compose::compose(&composed, &read(&part)?)
                    .with_context(|| part.display().to_string())?;
            }
            replace(&output, &composed)
                .with_context(|| format!("{} cannot be written", output.display()))?;
        }
        Command::Imports { file, allow } => {
            let component = read(&file)?;
            let imports = if allow.is_empty() {
                skillcall_compose::imports(&component)?
            } else {
                skillcall_compose::check_imports(&component, &allow)
                    .with_context(|| file.display().to_string())?
            };
            writeln!(out, "{}: {} bytes", file.display(), component.len())?;
            for import in imports {
                writeln!(out, "  {import}")?;
            }
        }
        Command::World { file } => {
            write!(out, "{}", skillcall_compose::world(&read(&file)?)?)?;
        }
    }
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
}

// By way of a second file, so that nobody who reads at this moment sees half of it.
fn replace(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    std::fs::write(&part, bytes)?;
    std::fs::rename(&part, file)
}
