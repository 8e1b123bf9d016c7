//! The STUN and TURN servers of `[gateway]`, with their addresses and our passwords.

use std::net::SocketAddr;
use std::time::Duration;

use skillcall_webrtc::{Servers, TurnServer};

use crate::config::{SecretError, SidecarConfig, TurnPlace};

/// How long the look-up of a name may hold up the start.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks the servers up. One whose name cannot be resolved is left out, and the log says so: calls of devices that reach us without
/// it go on.
///
/// # Errors
/// A password cannot be read.
pub(super) async fn servers(config: &SidecarConfig) -> Result<Servers, SecretError> {
    let mut servers = Servers::default();
    if !config.gateway.is_on() {
        return Ok(servers);
    }
    for server in &config.gateway.stun {
        servers.stun.extend(address(server, config).await);
    }
    for turn in &config.gateway.turn {
        let password = turn.password(config)?;
        let Some(place) = TurnPlace::parse(&turn.server) else {
            // The configuration was refused for it.
            continue;
        };
        if let Some(address) = address(&place.server, config).await {
            servers.turn.push(TurnServer {
                address,
                transport: place.transport,
                username: turn.username.clone(),
                password,
            });
        }
    }
    Ok(servers)
}

/// The first address that is of the media sockets' family.
async fn address(server: &str, config: &SidecarConfig) -> Option<SocketAddr> {
    let is_v4 = config.rtp.address.is_ipv4();
    let lookup = tokio::net::lookup_host(server);
    let Ok(found) = tokio::time::timeout(PATIENCE, lookup).await else {
        tracing::error!(
            server,
            "[gateway]: nobody has told the address of the server's name; it is not asked"
        );
        return None;
    };
    let address = match found {
        Ok(mut addresses) => addresses.find(|address| address.is_ipv4() == is_v4),
        Err(error) => {
            tracing::error!(server, %error, "[gateway]: the server's name is not resolved; it is not asked");
            return None;
        }
    };
    if address.is_none() {
        tracing::error!(
            server,
            "[gateway]: the server has no address of the family of [rtp] address; it is not asked"
        );
    }
    address
}
