//! RSA keys in files of mode 0600.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, LineEnding};
use rsa::signature::{RandomizedSigner as _, SignatureEncoding as _};
use sha1::Sha1;
use sha2::Sha256;

use super::AuthorityError;

/// Bits of every key: the size of Amazon's signing certificates.
const BITS: usize = 2048;

/// A private RSA key; its `Debug` form shows nothing of it.
#[derive(Clone)]
pub(crate) struct SecretKey {
    key: RsaPrivateKey,
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey")
    }
}

impl SecretKey {
    fn make() -> Result<Self, AuthorityError> {
        let key = RsaPrivateKey::new(&mut rand::rng(), BITS)
            .map_err(|error| AuthorityError::Rsa(error.to_string()))?;
        Ok(Self { key })
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256: `Signature-256` and RS256 (RFC 8017 §8.2).
    pub(crate) fn sign_sha256(&self, message: &[u8]) -> Result<Vec<u8>, AuthorityError> {
        SigningKey::<Sha256>::new(self.key.clone())
            .try_sign_with_rng(&mut rand::rng(), message)
            .map(|signature| signature.to_vec())
            .map_err(|error| AuthorityError::Rsa(error.to_string()))
    }

    /// RSASSA-PKCS1-v1_5 with SHA-1: the legacy `Signature` header.
    pub(super) fn sign_sha1(&self, message: &[u8]) -> Result<Vec<u8>, AuthorityError> {
        SigningKey::<Sha1>::new(self.key.clone())
            .try_sign_with_rng(&mut rand::rng(), message)
            .map(|signature| signature.to_vec())
            .map_err(|error| AuthorityError::Rsa(error.to_string()))
    }

    pub(super) fn pkcs8_pem(&self) -> Result<String, AuthorityError> {
        self.key
            .to_pkcs8_pem(LineEnding::LF)
            .map(|pem| pem.to_string())
            .map_err(|error| AuthorityError::Rsa(error.to_string()))
    }
}

/// Reads the keys with these file names from the folder; those that are not there are made, all at once.
pub(crate) fn make_all<const N: usize>(
    folder: &Path,
    names: [&str; N],
) -> Result<[SecretKey; N], AuthorityError> {
    let made: Vec<Result<SecretKey, AuthorityError>> = std::thread::scope(|scope| {
        let running: Vec<_> = names
            .iter()
            .map(|name| scope.spawn(move || read_or_make(&folder.join(name))))
            .collect();
        running
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| Err(AuthorityError::Rsa("key making stopped".to_owned())))
            })
            .collect()
    });
    let keys: Vec<SecretKey> = made.into_iter().collect::<Result<_, _>>()?;
    keys.try_into()
        .map_err(|_| AuthorityError::Rsa("fewer keys than names".to_owned()))
}

fn read_or_make(path: &Path) -> Result<SecretKey, AuthorityError> {
    if let Some(pem) = read_if_there(path)? {
        let key = RsaPrivateKey::from_pkcs8_pem(&pem).map_err(|_| AuthorityError::Unreadable {
            path: path.to_owned(),
            expected: "PKCS#8 RSA private key in PEM",
        })?;
        return Ok(SecretKey { key });
    }
    let key = SecretKey::make()?;
    write_file(path, key.pkcs8_pem()?.as_bytes(), true)?;
    Ok(key)
}

pub(super) fn prepare_folder(folder: &Path) -> Result<(), AuthorityError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| file_error(folder, source))?;
    let ignore = folder.join(".gitignore");
    if !ignore.exists() {
        write_file(&ignore, b"*\n", false)?;
    }
    Ok(())
}

pub(super) fn read_if_there(path: &Path) -> Result<Option<String>, AuthorityError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(file_error(path, source)),
    }
}

/// Writes a whole file at once: under another name first, so that a reader never sees half of it.
pub(super) fn write_file(path: &Path, bytes: &[u8], secret: bool) -> Result<(), AuthorityError> {
    let draft = path.with_extension("new");
    // A draft left by a stopped process may have any mode; it is made anew.
    if let Err(source) = fs::remove_file(&draft)
        && source.kind() != ErrorKind::NotFound
    {
        return Err(file_error(&draft, source));
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(if secret { 0o600 } else { 0o644 })
        .open(&draft)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&draft, path))
        .map_err(|source| file_error(path, source))
}

fn file_error(path: &Path, source: std::io::Error) -> AuthorityError {
    AuthorityError::File {
        path: path.to_owned(),
        source,
    }
}
