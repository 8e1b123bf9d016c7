//! `skillcall init`: an installation that works, with random secrets.

pub(crate) mod addresses;
mod secret;

use std::path::PathBuf;

use anyhow::Context;
use serde::Serialize;

use crate::installation::{Installation, find_component};
use addresses::Addresses;

/// A file that `init` writes, with its place in the folder and its text.
struct Template {
    path: &'static str,
    text: &'static str,
}

/// The configuration files; `{name}` stands for an address or a path.
const TEMPLATES: [Template; 6] = [
    Template {
        path: "skillcall.toml",
        text: include_str!("../../../examples/skillcall.toml"),
    },
    Template {
        path: "sidecar.toml",
        text: include_str!("templates/sidecar.toml"),
    },
    Template {
        path: "host.toml",
        text: include_str!("templates/host.toml"),
    },
    Template {
        path: "simulator.toml",
        text: include_str!("templates/simulator.toml"),
    },
    Template {
        path: "skill.json",
        text: include_str!("../../../examples/skill.json"),
    },
    Template {
        path: "models/en-US.json",
        text: include_str!("../../../examples/models/en-US.json"),
    },
];

/// The voice that the simulated device plays, and that of the simulated phone.
const VOICES: [(&str, &[u8]); 2] = [
    (
        "voice/guest.wav",
        include_bytes!("../../../examples/voice/guest.wav"),
    ),
    (
        "voice/desk.wav",
        include_bytes!("../../../examples/voice/desk.wav"),
    ),
];

/// What `init` did.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Written {
    /// Files that were written.
    pub(crate) written: Vec<PathBuf>,
    /// Files that were there already and are as they were.
    pub(crate) kept: Vec<PathBuf>,
}

/// Writes an installation. What exists is kept.
pub(crate) fn init(installation: &Installation, addresses: Addresses) -> anyhow::Result<Written> {
    let component = find_component()?
        .canonicalize()
        .context("the component's path")?;
    std::fs::create_dir_all(installation.folder())
        .with_context(|| format!("folder {}", installation.folder().display()))?;
    for folder in [
        "models",
        "voice",
        "prompts",
        "recordings",
        "traces",
        "state",
        "simulator",
    ] {
        let path = installation.path(folder);
        std::fs::create_dir_all(&path).with_context(|| format!("folder {}", path.display()))?;
    }
    secret::folder(&installation.path("secrets"))?;

    let mut done = Written::default();
    for template in TEMPLATES {
        let text = fill(template.text, addresses, &component.display().to_string());
        write(installation, template.path, text.as_bytes(), &mut done)?;
    }
    for (path, bytes) in VOICES {
        write(installation, path, bytes, &mut done)?;
    }
    let secrets = [
        ("secrets/sidecar.key", format!("k1:{}", secret::key()?)),
        ("secrets/session.key", secret::key()?),
        ("secrets/lwa.secret", secret::token()?),
        ("secrets/token.key", format!("t1:{}", secret::key()?)),
        ("secrets/sidecar.token", secret::token()?),
        ("secrets/simulator.token", secret::token()?),
    ];
    for (path, text) in secrets {
        let file = installation.path(path);
        let list = if secret::write_new(&file, &format!("{text}\n"))? {
            &mut done.written
        } else {
            &mut done.kept
        };
        list.push(file);
    }
    Ok(done)
}

fn write(
    installation: &Installation,
    path: &str,
    bytes: &[u8],
    done: &mut Written,
) -> anyhow::Result<()> {
    let file = installation.path(path);
    if file.exists() {
        done.kept.push(file);
        return Ok(());
    }
    std::fs::write(&file, bytes).with_context(|| format!("file {}", file.display()))?;
    done.written.push(file);
    Ok(())
}

/// Puts addresses and paths into a template. Braces that are no placeholder stay.
fn fill(text: &str, addresses: Addresses, component_file: &str) -> String {
    let Addresses {
        component,
        sidecar,
        sip,
        rtp,
        simulator,
        phone,
    } = addresses;
    [
        ("{component}", component.to_string()),
        (
            "{component-file}",
            component_file.replace('\\', "\\\\").replace('"', "\\\""),
        ),
        ("{sidecar}", sidecar.to_string()),
        ("{sip}", sip.to_string()),
        ("{rtp}", format!("{}-{}", rtp.0, rtp.1)),
        ("{simulator}", simulator.to_string()),
        ("{phone}", phone.to_string()),
    ]
    .iter()
    .fold(text.to_owned(), |text, (name, value)| {
        text.replace(name, value)
    })
}

/// Says what was written and what to do next.
pub(crate) fn print(installation: &Installation, done: &Written, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(done)?);
        return Ok(());
    }
    for file in &done.written {
        println!("wrote  {}", file.display());
    }
    for file in &done.kept {
        println!("kept   {}", file.display());
    }
    let folder = installation.folder().display();
    println!(
        "\nNext: skillcall -C {folder} check\n      skillcall -C {folder} up\n      skillcall -C {folder} say \"call the front desk\""
    );
    Ok(())
}
