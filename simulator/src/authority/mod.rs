//! The simulator's own certificate authority, in Amazon's place (facts B).
//!
//! Amazon signs the requests to a skill with a key whose certificate chain lies at a public URL. The simulator does the
//! same with a root, an intermediate and a leaf of its own, made once per installation and kept in one folder. A skill
//! that shall accept them gets [`Authority::roots_pem`] as its roots; every other rule stays in force.

mod certificate;
mod keys;
mod signer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use self::certificate::{LeafOrder, Tier};
pub(crate) use self::keys::{SecretKey, make_all};
pub use self::signer::SignatureHeaders;

/// The name that the leaf certificate must carry in its subjectAltName (facts B).
pub const SIGNER_NAME: &str = "echo-api.amazon.com";
/// The place of Amazon's chains: scheme, host and the beginning of the path (facts B).
pub const CHAIN_URL_PREFIX: &str = "https://s3.amazonaws.com/echo.api/";

/// How long a leaf is valid. Short, so that renewal is ordinary and not a rare event.
const LEAF_LIFE: Duration = Duration::from_secs(30 * 86_400);
/// A leaf with less than this left is replaced at start.
const LEAF_RENEWAL: Duration = Duration::from_secs(86_400);
/// Chains made on demand that are kept at once; a test asks for a handful.
const MAX_EXTRA_CHAINS: usize = 64;

/// What can be wrong with a certificate authority's folder.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file or folder of the authority could not be read or written.
    #[error("certificate authority: {path}: {source}", path = path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A key or record in the folder does not read as what its name says.
    #[error("certificate authority: {path} is no {expected}; remove the folder to make a new authority", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the file should hold.
        expected: &'static str,
    },
    /// A key could not be made or used.
    #[error("certificate authority: RSA: {0}")]
    Rsa(String),
    /// A certificate could not be made.
    #[error("certificate authority: certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// Too many chains were asked for.
    #[error("certificate authority: more than {MAX_EXTRA_CHAINS} chains were asked for")]
    TooManyChains,
}

/// What shall be wrong with a chain (each is one rule of facts B).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChainFault {
    /// The leaf's subjectAltName names another host.
    WrongName,
    /// Root and intermediate have the right names but are signed by a key that nobody trusts.
    ForeignRoot,
    /// The leaf's notAfter has passed.
    Expired,
    /// The leaf's notBefore is to come.
    NotYetValid,
    /// The intermediate is left out.
    Incomplete,
}

/// One certificate chain with the key of its leaf.
#[derive(Debug)]
pub struct Chain {
    number: u32,
    pem: String,
    key: Arc<SecretKey>,
}

impl Chain {
    /// The number in the chain's file name.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Leaf first, then the intermediate and the root, as PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The URL that goes into `SignatureCertChainUrl`.
    pub fn url(&self) -> String {
        format!("{CHAIN_URL_PREFIX}echo-api-cert-{}.pem", self.number)
    }

    /// Signs a request body with the leaf's key: the headers that Alexa sends (facts B).
    pub fn sign(&self, body: &[u8]) -> Result<SignatureHeaders, AuthorityError> {
        signer::sign(&self.key, self.url(), body)
    }
}

#[derive(Serialize, Deserialize)]
struct LeafRecord {
    number: u32,
    not_after: u64,
}

#[derive(Debug, Default)]
struct Extra {
    by_fault: BTreeMap<ChainFault, Arc<Chain>>,
    by_number: BTreeMap<u32, Arc<Chain>>,
}

/// The authority of one installation: its keys, its current chain, and the faulty ones made on demand.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    root: Tier,
    intermediate: Tier,
    leaf_key: Arc<SecretKey>,
    token_key: Arc<SecretKey>,
    current: Arc<Chain>,
    extra: Mutex<Extra>,
}

impl Authority {
    /// Opens the authority in `folder`, or makes it there: takes a few seconds the first time, because RSA keys are made.
    ///
    /// Keys are written with mode 0600 into a folder of mode 0700, beside a `.gitignore` that ignores all of it.
    pub fn open(folder: &Path) -> Result<Self, AuthorityError> {
        keys::prepare_folder(folder)?;
        let [root_key, intermediate_key, leaf_key, token_key] = make_all(
            folder,
            ["root.key", "intermediate.key", "leaf.key", "tokens.key"],
        )?;
        let root = Tier::root(root_key)?;
        let intermediate = Tier::intermediate(intermediate_key, &root)?;
        let root_path = folder.join("roots.pem");
        // The certificate is stored and not remade: a skill may have been given its bytes as trust anchor.
        let root = root.with_stored_pem(&root_path)?;
        let intermediate = intermediate.with_stored_pem(&folder.join("intermediate.pem"))?;
        let leaf_key = Arc::new(leaf_key);
        let current = Arc::new(current_leaf(folder, &root, &intermediate, &leaf_key)?);
        Ok(Self {
            folder: folder.to_owned(),
            root,
            intermediate,
            leaf_key,
            token_key: Arc::new(token_key),
            current,
            extra: Mutex::new(Extra::default()),
        })
    }

    /// The root certificate as PEM: what a skill under test is given as `alexa_roots`.
    pub fn roots_pem(&self) -> &str {
        self.root.pem()
    }

    /// Where [`roots_pem`](Self::roots_pem) lies as a file.
    pub fn roots_path(&self) -> PathBuf {
        self.folder.join("roots.pem")
    }

    /// The chain with which requests are signed.
    pub fn chain(&self) -> Arc<Chain> {
        Arc::clone(&self.current)
    }

    /// The chain that is served as `echo-api-cert-<number>.pem`.
    pub fn chain_at(&self, number: u32) -> Option<Arc<Chain>> {
        if number == self.current.number {
            return Some(self.chain());
        }
        self.extra
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .by_number
            .get(&number)
            .cloned()
    }

    /// A chain with the given fault; made once and kept. [`ChainFault::ForeignRoot`] makes a key, which takes seconds.
    pub fn faulty_chain(&self, fault: ChainFault) -> Result<Arc<Chain>, AuthorityError> {
        let mut extra = self.extra.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(chain) = extra.by_fault.get(&fault) {
            return Ok(Arc::clone(chain));
        }
        let number = self.next_number(&extra)?;
        let pem = self.faulty_pem(fault)?;
        let chain = Arc::new(Chain {
            number,
            pem,
            key: Arc::clone(&self.leaf_key),
        });
        extra.by_number.insert(number, Arc::clone(&chain));
        extra.by_fault.insert(fault, Arc::clone(&chain));
        Ok(chain)
    }

    /// A faultless chain whose leaf ends `life` from now: to see that a cached key is forgotten in time.
    pub fn short_lived_chain(&self, life: Duration) -> Result<Arc<Chain>, AuthorityError> {
        let mut extra = self.extra.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.next_number(&extra)?;
        let now = SystemTime::now();
        let order = LeafOrder {
            name: SIGNER_NAME,
            not_before: now - Duration::from_secs(3600),
            not_after: now + life,
        };
        let leaf = self.intermediate.issue_leaf(&self.leaf_key, &order)?;
        let pem = [leaf.as_str(), self.intermediate.pem(), self.root.pem()].concat();
        let chain = Arc::new(Chain {
            number,
            pem,
            key: Arc::clone(&self.leaf_key),
        });
        extra.by_number.insert(number, Arc::clone(&chain));
        Ok(chain)
    }

    pub(crate) fn token_key(&self) -> Arc<SecretKey> {
        Arc::clone(&self.token_key)
    }

    fn next_number(&self, extra: &Extra) -> Result<u32, AuthorityError> {
        if extra.by_number.len() >= MAX_EXTRA_CHAINS {
            return Err(AuthorityError::TooManyChains);
        }
        Ok(extra
            .by_number
            .keys()
            .next_back()
            .map_or(self.current.number, |last| *last)
            .saturating_add(1))
    }

    fn faulty_pem(&self, fault: ChainFault) -> Result<String, AuthorityError> {
        let now = SystemTime::now();
        let day = Duration::from_secs(86_400);
        let valid = LeafOrder {
            name: SIGNER_NAME,
            not_before: now - day,
            not_after: now + LEAF_LIFE,
        };
        let order = match fault {
            ChainFault::WrongName => LeafOrder {
                name: "echo-api.example.com",
                ..valid
            },
            ChainFault::Expired => LeafOrder {
                not_before: now - 40 * day,
                not_after: now - day,
                ..valid
            },
            ChainFault::NotYetValid => LeafOrder {
                not_before: now + day,
                not_after: now + 40 * day,
                ..valid
            },
            ChainFault::ForeignRoot | ChainFault::Incomplete => valid,
        };
        if fault == ChainFault::ForeignRoot {
            let [key] = make_all(&self.folder, ["foreign.key"])?;
            let root = Tier::root(key.clone())?;
            let intermediate = Tier::intermediate(key, &root)?;
            let leaf = intermediate.issue_leaf(&self.leaf_key, &order)?;
            return Ok([leaf.as_str(), intermediate.pem(), root.pem()].concat());
        }
        let leaf = self.intermediate.issue_leaf(&self.leaf_key, &order)?;
        Ok(if fault == ChainFault::Incomplete {
            leaf
        } else {
            [leaf.as_str(), self.intermediate.pem(), self.root.pem()].concat()
        })
    }
}

fn current_leaf(
    folder: &Path,
    root: &Tier,
    intermediate: &Tier,
    key: &Arc<SecretKey>,
) -> Result<Chain, AuthorityError> {
    let record_path = folder.join("leaf.json");
    let pem_path = folder.join("leaf.pem");
    let now = SystemTime::now();
    let stored: Option<LeafRecord> = match keys::read_if_there(&record_path)? {
        None => None,
        Some(text) => {
            Some(
                serde_json::from_str(&text).map_err(|_| AuthorityError::Unreadable {
                    path: record_path.clone(),
                    expected: "record of the leaf certificate",
                })?,
            )
        }
    };
    if let Some(record) = &stored
        && UNIX_EPOCH + Duration::from_secs(record.not_after) > now + LEAF_RENEWAL
        && let Some(pem) = keys::read_if_there(&pem_path)?
    {
        return Ok(Chain {
            number: record.number,
            pem,
            key: Arc::clone(key),
        });
    }
    let not_after = now + LEAF_LIFE;
    // One hour back, so that a peer whose clock lags a little does not see a certificate from the future.
    let order = LeafOrder {
        name: SIGNER_NAME,
        not_before: now - Duration::from_secs(3600),
        not_after,
    };
    let leaf = intermediate.issue_leaf(key, &order)?;
    let pem = [leaf.as_str(), intermediate.pem(), root.pem()].concat();
    // A renewed leaf gets a new URL, as Amazon's do: chains are cached by URL.
    let number = stored.map_or(1, |record| record.number.saturating_add(1));
    let record = LeafRecord {
        number,
        not_after: not_after
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs(),
    };
    keys::write_file(&pem_path, pem.as_bytes(), false)?;
    let text =
        serde_json::to_string(&record).map_err(|error| AuthorityError::Rsa(error.to_string()))?;
    keys::write_file(&record_path, text.as_bytes(), false)?;
    Ok(Chain {
        number,
        pem,
        key: Arc::clone(key),
    })
}
