//! The keys of SRTP that a handshake gives (RFC 5764 §4.2, RFC 7714 §12).

use skillcall_media::srtp::{Inbound, Outbound, SrtpError, Suite};

use super::Role;

/// The master key and salt of one direction.
#[derive(Clone)]
pub struct MasterKey {
    key: Vec<u8>,
    salt: Vec<u8>,
}

/// The keys of both directions.
#[derive(Clone)]
pub struct Keys {
    suite: Suite,
    client: MasterKey,
    server: MasterKey,
}

impl Keys {
    /// Cuts exported keying material: the client's key, the server's key, the client's salt, the server's salt (RFC 5764
    /// §4.2). `None` when it has another length than the suite wants.
    pub fn from_exported(suite: Suite, material: &[u8]) -> Option<Self> {
        let (client_key, rest) = material.split_at_checked(suite.key_len())?;
        let (server_key, rest) = rest.split_at_checked(suite.key_len())?;
        let (client_salt, server_salt) = rest.split_at_checked(suite.salt_len())?;
        let master = |key: &[u8], salt: &[u8]| MasterKey {
            key: key.to_vec(),
            salt: salt.to_vec(),
        };
        (server_salt.len() == suite.salt_len()).then(|| Self {
            suite,
            client: master(client_key, client_salt),
            server: master(server_key, server_salt),
        })
    }

    /// The transform.
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// Our two directions.
    pub(crate) fn streams(&self, role: Role) -> Result<(Outbound, Inbound), SrtpError> {
        let (ours, theirs) = match role {
            Role::Client => (&self.client, &self.server),
            Role::Server => (&self.server, &self.client),
        };
        Ok((
            Outbound::new(self.suite, &ours.key, &ours.salt)?,
            Inbound::new(self.suite, &theirs.key, &theirs.salt)?,
        ))
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(hidden)")
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({:?}, hidden)", self.suite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn material_is_cut_as_the_rfc_has_it() {
        let material: Vec<u8> = (0..60).collect();
        let keys = Keys::from_exported(Suite::AesCm128Sha1_80, &material).unwrap();
        assert_eq!(keys.client.key, (0..16).collect::<Vec<u8>>());
        assert_eq!(keys.server.key, (16..32).collect::<Vec<u8>>());
        assert_eq!(keys.client.salt, (32..46).collect::<Vec<u8>>());
        assert_eq!(keys.server.salt, (46..60).collect::<Vec<u8>>());
        assert!(Keys::from_exported(Suite::AesCm128Sha1_80, &material[1..]).is_none());
        assert!(Keys::from_exported(Suite::AeadAes128Gcm, &material).is_none());
        assert!(Keys::from_exported(Suite::AeadAes128Gcm, &material[..56]).is_some());
    }
}
