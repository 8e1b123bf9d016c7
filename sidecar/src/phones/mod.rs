//! Phones that register with the sidecar: who they are, where they are, what they may call.
//!
//! | file | what |
//! |---|---|
//! | `mod` | the registrar as all threads share it |
//! | `accounts` | the phones that the configuration names |
//! | `file` | registrations over a restart |
//!
//! REGISTERs are rare beside calls, so one lock holds bindings and nonces; it is never held while anything is waited for.

mod accounts;
mod file;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use skillcall_sip::auth::{Authenticator, Hash, Refused, Role, Verdict};
use skillcall_sip::endpoint::{Flow, OwnReply};
use skillcall_sip::message::{ExtraHeader, Request, StatusCode, Uri, escaped_user};
use skillcall_sip::registration::{Binding, Registrar, RegistrarConfig};

pub(crate) use accounts::{Account, Accounts};
use file::BindingFile;

use crate::config::{DigestAlgorithm, SidecarConfig};

/// The host that all addresses of record are kept under.
const DOMAIN: &str = "phones";
/// Nonces that are remembered as used.
const NONCES: usize = 100_000;
/// Seconds within which a peer on a connection has to be heard, as it is told (RFC 5626 §5.4, RFC 6223 §4.3).
pub(crate) const FLOW_TIMER: u32 = 120;

/// The registrar, as all threads share it.
#[derive(Debug)]
pub(crate) struct Phones {
    accounts: RwLock<Arc<Accounts>>,
    desk: Mutex<Desk>,
    file: Mutex<Kept>,
    domains: Vec<String>,
}

/// Where registrations are kept.
#[derive(Debug)]
struct Kept {
    file: BindingFile,
    /// Another process has taken over, and writes there.
    is_others: bool,
}

#[derive(Debug)]
struct Desk {
    registrar: Registrar,
    authenticator: Authenticator,
    /// There is something to write.
    changed: bool,
}

/// What came of a REGISTER.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What to answer.
    pub(crate) reply: OwnReply,
    /// The sender gave credentials, and they were wrong.
    pub(crate) suspect: bool,
    /// The sender is a phone whose registration holds so long from now on; `None`: it was not let in, or has left.
    pub(crate) registered: Option<Duration>,
}

/// Who sends a request that begins a call.
#[derive(Debug)]
pub(crate) enum Caller {
    /// This phone: its credentials are right.
    Phone(Arc<Account>),
    /// It has to prove who it is: 401 with these headers.
    Asked {
        /// The challenge.
        headers: Vec<ExtraHeader>,
        /// It gave credentials, and they were wrong.
        suspect: bool,
    },
}

impl Phones {
    /// The registrar of a configuration, with the registrations that its file has.
    ///
    /// # Errors
    /// The file is there and cannot be used.
    pub(crate) fn open(config: &SidecarConfig) -> std::io::Result<Self> {
        let settings = &config.phones;
        let now = Instant::now();
        let hashes: Vec<Hash> = settings
            .algorithms
            .iter()
            .copied()
            .map(DigestAlgorithm::into)
            .collect();
        let lifetime = Duration::from_secs(settings.nonce_seconds.into());
        let authenticator =
            Authenticator::new(Role::Server, settings.realm.clone(), rand::random(), now)
                .algorithms(hashes)
                .qualities(settings.qualities.iter().map(|quality| (*quality).into()))
                .lifetime(now, lifetime, NONCES);
        let registrar = Registrar::new(RegistrarConfig {
            domains: Vec::new(),
            one_domain: Some(DOMAIN.to_owned()),
            replace_oldest: true,
            min_expires: settings.min_expires,
            default_expires: settings.default_expires,
            max_expires: settings.max_expires,
            bindings_per_address: usize::from(u16::MAX),
            bindings: settings.bindings as usize,
            service_route: Vec::new(),
        });
        let path: PathBuf = config.resolve(&settings.file);
        let accounts = Accounts::read(config);
        let phones = Self {
            file: Mutex::new(Kept {
                file: BindingFile::new(path),
                is_others: false,
            }),
            domains: settings
                .domains
                .iter()
                .map(|domain| domain.to_ascii_lowercase())
                .collect(),
            desk: Mutex::new(Desk {
                registrar,
                authenticator,
                changed: false,
            }),
            accounts: RwLock::new(Arc::new(accounts)),
        };
        if phones.are_there() {
            let kept = phones.file().file.read()?;
            phones.desk().registrar.restore(unix_now(), kept);
        }
        Ok(phones)
    }

    /// Other phones from now on. Registrations of those that are gone end by themselves; nobody calls them any more.
    pub(crate) fn reload(&self, config: &SidecarConfig) {
        let accounts = Arc::new(Accounts::read(config));
        *self
            .accounts
            .write()
            .unwrap_or_else(PoisonError::into_inner) = accounts;
    }

    /// The phones of now.
    pub(crate) fn accounts(&self) -> Arc<Accounts> {
        Arc::clone(&self.accounts.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether there is any phone.
    pub(crate) fn are_there(&self) -> bool {
        !self.accounts().is_empty()
    }

    /// Whether a REGISTER from an address that nobody knows is answered by a challenge: over a connection, whose address
    /// is proven, or from a phone's network.
    pub(crate) fn may_knock(&self, from: IpAddr, by_connection: bool) -> bool {
        self.accounts().may_knock(from, by_connection)
    }

    /// Carries out a REGISTER, or asks who sends it.
    pub(crate) fn register(&self, now: Instant, request: &Request, flow: &Flow) -> Outcome {
        let accounts = self.accounts();
        let mut desk = self.desk();
        let account = match desk.proven(now, &accounts, request, flow) {
            Ok(account) => account,
            Err((headers, suspect)) => {
                return Outcome {
                    reply: OwnReply::from(StatusCode::UNAUTHORIZED).with(headers),
                    suspect,
                    registered: None,
                };
            }
        };
        let refused = |status| Outcome {
            reply: OwnReply::from(status),
            suspect: false,
            registered: None,
        };
        let to = request.headers().to();
        let to = to.as_ref().ok().and_then(|to| to.uri().ok());
        let Some(to) = to else {
            return refused(StatusCode::BAD_REQUEST);
        };
        // Nobody registers for somebody else (RFC 3261 §10.3 point 3).
        if to.user().as_deref() != Some(account.config.user.as_str()) {
            return refused(StatusCode::FORBIDDEN);
        }
        let host = to.host().map(|host| host.to_string().to_ascii_lowercase());
        if !self.domains.is_empty() && !host.is_some_and(|host| self.domains.contains(&host)) {
            return refused(StatusCode::NOT_FOUND);
        }
        let unix = unix_now();
        let most = usize::from(account.config.contacts.max(1));
        let mut registered = desk.registrar.register_within(unix, request, flow, most);
        desk.changed |= !registered.changes.is_empty();
        let lasts = desk
            .bindings(&account.config.user, unix)
            .iter()
            .filter(|binding| binding.source == flow.remote)
            .map(|binding| Duration::from_secs(binding.left(unix)))
            .max();
        let outbound = registered
            .reply
            .headers
            .iter()
            .any(|header| header.value() == b"outbound");
        if outbound && flow.transport.is_reliable() {
            let timer = ExtraHeader::new("Flow-Timer", FLOW_TIMER.to_string());
            registered.reply.headers.extend(timer);
        }
        Outcome {
            reply: registered.reply,
            suspect: false,
            registered: lasts,
        }
    }

    /// Who sends a request, which its credentials have to say.
    pub(crate) fn caller(&self, now: Instant, request: &Request, flow: &Flow) -> Caller {
        let accounts = self.accounts();
        match self.desk().proven(now, &accounts, request, flow) {
            Ok(account) => Caller::Phone(account),
            Err((headers, suspect)) => Caller::Asked { headers, suspect },
        }
    }

    /// Where a phone is reached now, the preferred place first; none where it is not registered, or no phone any more.
    pub(crate) fn places(&self, user: &str) -> Vec<Binding> {
        if self.accounts().named(user).is_none() {
            return Vec::new();
        }
        self.desk().bindings(user, unix_now())
    }

    /// From where phones are registered now, and how much longer.
    pub(crate) fn sources(&self) -> Vec<(SocketAddr, Duration)> {
        let unix = unix_now();
        let desk = self.desk();
        let bindings = desk.registrar.bindings();
        bindings
            .map(|(_, binding)| (binding.source, Duration::from_secs(binding.left(unix))))
            .filter(|(_, left)| !left.is_zero())
            .collect()
    }

    /// All that is registered, by user.
    pub(crate) fn all(&self) -> Vec<(String, Binding)> {
        let desk = self.desk();
        let bindings = desk.registrar.bindings();
        bindings
            .map(|(address, binding)| {
                let user = address.rsplit_once('@').map_or(address, |(user, _)| user);
                (user.to_owned(), binding.clone())
            })
            .collect()
    }

    /// How many registrations there are.
    pub(crate) fn count(&self) -> usize {
        self.desk().registrar.len()
    }

    /// Forgets what has ended, and gives what is to be written; none: nothing has changed.
    pub(crate) fn due(&self) -> Option<Vec<(String, Binding)>> {
        let mut desk = self.desk();
        let expired = desk.registrar.expire(unix_now());
        let changed = std::mem::take(&mut desk.changed) || !expired.is_empty();
        changed.then(|| {
            let bindings = desk.registrar.bindings();
            bindings
                .map(|(address, binding)| (address.to_owned(), binding.clone()))
                .collect()
        })
    }

    /// Writes all registrations down, and nothing more from then on: another process has the file.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn hand_over(&self) -> std::io::Result<()> {
        let mut file = self.file();
        file.is_others = true;
        if !self.are_there() {
            return Ok(());
        }
        let bindings: Vec<(String, Binding)> = {
            let desk = self.desk();
            let bindings = desk.registrar.bindings();
            bindings
                .map(|(address, binding)| (address.to_owned(), binding.clone()))
                .collect()
        };
        file.file.write(&bindings)
    }

    /// The process that had the file is gone: what it wrote holds.
    ///
    /// # Errors
    /// The file cannot be used.
    pub(crate) fn take_back(&self) -> std::io::Result<()> {
        let mut file = self.file();
        if file.is_others && self.are_there() {
            let kept = file.file.read()?;
            self.desk().registrar.replace(unix_now(), kept);
        }
        file.is_others = false;
        Ok(())
    }

    fn file(&self) -> MutexGuard<'_, Kept> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes registrations: they are on the disk when this returns. A failure is logged, and tried again later.
    pub(crate) fn write(&self, bindings: &[(String, Binding)]) {
        let file = self.file();
        if file.is_others {
            return;
        }
        let (written, path) = (file.file.write(bindings), file.file.path().to_owned());
        drop(file);
        if let Err(error) = written {
            tracing::error!(%error, file = %path.display(), "registrations are not kept");
            self.desk().changed = true;
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    /// The phone that sends a request, or a challenge, and whether it gave wrong credentials.
    fn proven(
        &mut self,
        now: Instant,
        accounts: &Accounts,
        request: &Request,
        flow: &Flow,
    ) -> Result<Arc<Account>, (Vec<ExtraHeader>, bool)> {
        let from = flow.remote.ip();
        let secret = |user: &str, hash: Hash| accounts.secret(user, hash, from);
        let verdict = self.authenticator.judge(now, from, request, secret);
        let why = match verdict {
            Verdict::User(user) => match accounts.named(&user) {
                Some(account) => return Ok(Arc::clone(account)),
                None => Refused::Wrong,
            },
            Verdict::Refused(why) => why,
        };
        let challenge = self.authenticator.challenge(now, from, why);
        Err((challenge, why == Refused::Wrong))
    }

    fn bindings(&self, user: &str, unix: u64) -> Vec<Binding> {
        let address = format!("sip:{}@{DOMAIN}", escaped_user(user));
        let Ok(address) = Uri::parse(&address) else {
            return Vec::new();
        };
        let found = self.registrar.lookup(unix, &address.as_ref());
        found.into_iter().cloned().collect()
    }
}

/// The user that a request says it is from.
pub(crate) fn from_user(request: &Request) -> Option<String> {
    let from = request.headers().from().ok()?;
    let uri = from.uri().ok()?;
    uri.user().map(|user| user.into_owned())
}

fn unix_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests;
