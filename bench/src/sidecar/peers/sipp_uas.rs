//! SIPp as who is called: its own scenario `uas`, with 180 before 200.

use std::net::SocketAddr;
use std::process::Command;

use super::Forky;
use super::program::{Program, is_taken};
use crate::sidecar::called::Called;
use crate::sidecar::cores;
use crate::sidecar::process::{free_tcp, free_udp};

/// A running SIPp.
pub(in crate::sidecar) struct SippUas {
    program: Program,
    address: SocketAddr,
}

impl SippUas {
    /// On the core on which servers are measured.
    pub(in crate::sidecar) fn measured() -> anyhow::Result<Self> {
        Self::start(cores::on_the_sidecars("sipp"))
    }

    /// On the load's cores.
    pub(in crate::sidecar) fn beside() -> anyhow::Result<Self> {
        Self::start(Command::new("sipp"))
    }

    /// By TLS, on the core on which servers are measured.
    pub(in crate::sidecar) fn by_tls(forky: &Forky) -> anyhow::Result<Self> {
        let mut command = cores::on_the_sidecars("chroot");
        command.args(forky.arguments(forky.folder(), "sipp"));
        command.args(["-t", "l1"]).args(forky.certificate_of_sipp());
        let address = free_tcp()?;
        let mut program = Self::run(command, address)?;
        program.wait(|| std::net::TcpListener::bind(address).is_err())?;
        Ok(Self { program, address })
    }

    fn start(command: Command) -> anyhow::Result<Self> {
        let address = free_udp()?;
        let mut program = Self::run(command, address)?;
        program.wait(|| is_taken(address))?;
        Ok(Self { program, address })
    }

    fn run(mut command: Command, address: SocketAddr) -> anyhow::Result<Program> {
        let media = free_udp()?.port().to_string();
        command
            .args(["-sn", "uas", "-nostdin", "-i", "127.0.0.1"])
            .args(["-mi", "127.0.0.1", "-mp", &media])
            .args(["-p", &address.port().to_string()])
            .args(["-deadcall_wait", "0", "-buff_size", "4194304"]);
        Program::start("sipp", command)
    }
}

impl Called for SippUas {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn process(&self) -> u32 {
        self.program.pid()
    }
}
