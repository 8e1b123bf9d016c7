//! Entries that outlive the process: the table in memory, and a redb file behind it.
//!
//! Reading and deciding happen in memory under a short lock, so no asynchronous thread ever waits for
//! the disk. One thread writes what changed, all that has gathered in one transaction, and each
//! transaction is synced (`Durability::Immediate`):
//! - a **claim** is answered true only after it is on the disk, because exactly-once hangs on it;
//! - **set** and **delete** are answered at once and are on the disk within [`SYNC`], or with the next
//!   claim: what they hold (keys, sessions, stored answers) can be fetched or made again.
//!
//! Dropping the store writes what is left.

use super::table::{Bounds, Changes, Table};
use super::{Clock, Key, Pending, State, StateError, SystemClock, Value};
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};
use std::collections::HashMap;
use std::fs::OpenOptions;
use std::future::ready;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// The longest time that a set or a deletion is in memory only.
pub const SYNC: Duration = Duration::from_millis(100);
/// How long the writer waits before it tries a failed transaction again.
const RETRY: Duration = Duration::from_secs(1);

/// Key to expiry (milliseconds since 1970, `u64::MAX`: stays) and value.
const ENTRIES: TableDefinition<'_, &str, (u64, &[u8])> = TableDefinition::new("state-v1");

/// Why the state file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or the file cannot be made or opened.
    #[error("the state file {path} cannot be opened: {source}; check the folder and its permissions", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another process has it open.
    #[error("the state file {path} is in use by another process: stop that one, or give this one a file of its own", path = path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file is no state file, or is damaged.
    #[error("the state file {path} cannot be read: {reason}; move it away to begin with an empty one", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the store says.
        reason: String,
    },
}

/// A store in a file.
pub struct DurableState {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

struct Shared {
    inner: Mutex<Inner>,
    wake: Condvar,
    clock: Box<dyn Clock>,
}

struct Inner {
    table: Table,
    /// Changed since the last transaction.
    dirty: HashMap<Key, ()>,
    /// Claims that wait for the disk.
    waiting: Vec<oneshot::Sender<Result<(), StateError>>>,
    /// Why the last transaction failed; nothing is taken in until one succeeds.
    failed: Option<String>,
    stop: bool,
}

impl DurableState {
    /// Opens `path`, or makes it (mode 0600) with its folder.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(path: &Path, bounds: Bounds) -> Result<Self, OpenError> {
        Self::open_with_clock(path, bounds, SystemClock)
    }

    /// The same, with entries that expire by `clock`.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_with_clock(
        path: &Path,
        bounds: Bounds,
        clock: impl Clock,
    ) -> Result<Self, OpenError> {
        let database = open_database(path)?;
        let (table, dirty) =
            load(&database, bounds, clock.now_ms()).map_err(|error| OpenError::Damaged {
                path: path.to_owned(),
                reason: error.to_string(),
            })?;
        let shared = Arc::new(Shared {
            inner: Mutex::new(Inner {
                table,
                dirty,
                waiting: Vec::new(),
                failed: None,
                stop: false,
            }),
            wake: Condvar::new(),
            clock: Box::new(clock),
        });
        let for_writer = Arc::clone(&shared);
        let writer = std::thread::Builder::new()
            .name("skillcall-state".into())
            .spawn(move || for_writer.write_until_stopped(&database))
            .map_err(|source| OpenError::File {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self {
            shared,
            writer: Some(writer),
        })
    }

    /// How many entries are held, expired ones that were not yet swept included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.inner().table.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Drop for DurableState {
    fn drop(&mut self) {
        self.shared.inner().stop = true;
        self.shared.wake.notify_all();
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the state writer died; the last changes may be lost");
        }
    }
}

impl Shared {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // No operation leaves the table half changed.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(
        &self,
        with: impl FnOnce(&mut Table, u64, &mut Changes) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        let now = self.clock.now_ms();
        let mut inner = self.inner();
        if let Some(reason) = &inner.failed {
            return Err(StateError::Unavailable(reason.clone()));
        }
        let mut changes = Changes::new();
        let result = with(&mut inner.table, now, &mut changes);
        inner.dirty.extend(changes.into_iter().map(|key| (key, ())));
        drop(inner);
        self.wake.notify_all();
        result
    }

    fn write_until_stopped(&self, database: &Database) {
        loop {
            let Some((batch, waiting)) = self.next_batch() else {
                return;
            };
            let written = write(database, &batch);
            let mut inner = self.inner();
            match written {
                Ok(()) => {
                    if inner.failed.take().is_some() {
                        tracing::info!("the state file can be written again");
                    }
                    drop(inner);
                    answer(waiting, &Ok(()));
                }
                Err(error) => {
                    let reason = format!("the state file cannot be written: {error}");
                    tracing::error!("{reason}");
                    // What is dirty is read from the table again, so a later change is not undone.
                    inner
                        .dirty
                        .extend(batch.into_iter().map(|(key, _)| (key, ())));
                    inner.failed = Some(reason.clone());
                    let stop = inner.stop;
                    drop(inner);
                    answer(waiting, &Err(StateError::Unavailable(reason)));
                    if stop {
                        return;
                    }
                    self.wait_before_retry();
                }
            }
        }
    }

    /// What is to be written next; none when the store is dropped and all is written.
    #[expect(clippy::type_complexity, reason = "a pair that lives for two lines")]
    fn next_batch(
        &self,
    ) -> Option<(
        Vec<(Key, Option<(u64, Value)>)>,
        Vec<oneshot::Sender<Result<(), StateError>>>,
    )> {
        let mut inner = self.inner();
        while inner.dirty.is_empty() && inner.waiting.is_empty() && !inner.stop {
            inner = self
                .wake
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if inner.waiting.is_empty() && !inner.stop {
            let gathering = |inner: &mut Inner| inner.waiting.is_empty() && !inner.stop;
            inner = self
                .wake
                .wait_timeout_while(inner, SYNC, gathering)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        if inner.stop && inner.dirty.is_empty() && inner.waiting.is_empty() {
            return None;
        }
        let dirty = std::mem::take(&mut inner.dirty);
        let batch = dirty
            .into_keys()
            .map(|key| {
                let entry = inner.table.kept(key.as_str());
                let row = entry.map(|e| (e.expires_ms.unwrap_or(u64::MAX), e.value.clone()));
                (key, row)
            })
            .collect();
        let waiting = std::mem::take(&mut inner.waiting);
        Some((batch, waiting))
    }

    fn wait_before_retry(&self) {
        let inner = self.inner();
        let _elapsed = self
            .wake
            .wait_timeout_while(inner, RETRY, |inner| !inner.stop)
            .unwrap_or_else(PoisonError::into_inner);
    }
}

fn answer(waiting: Vec<oneshot::Sender<Result<(), StateError>>>, with: &Result<(), StateError>) {
    for claim in waiting {
        // Who claimed may have given up.
        let _gone = claim.send(with.clone());
    }
}

fn write(database: &Database, batch: &[(Key, Option<(u64, Value)>)]) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    {
        let mut entries = transaction.open_table(ENTRIES)?;
        for (key, row) in batch {
            match row {
                Some((expires, value)) => {
                    entries.insert(key.as_str(), (*expires, value.as_slice()))?;
                }
                None => {
                    entries.remove(key.as_str())?;
                }
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

fn load(
    database: &Database,
    bounds: Bounds,
    now_ms: u64,
) -> Result<(Table, HashMap<Key, ()>), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(ENTRIES)?;
    transaction.commit()?;
    let mut table = Table::new(bounds);
    let entries = database.begin_read()?.open_table(ENTRIES)?;
    for row in entries.iter()? {
        let (key, row) = row?;
        let (expires, value) = row.value();
        // Another version's limits may have been wider.
        let (Ok(key), Ok(value)) = (Key::new(key.value()), Value::new(value.to_vec())) else {
            continue;
        };
        table.load(key, value, (expires != u64::MAX).then_some(expires));
    }
    let mut expired = Changes::new();
    table.sweep(now_ms, usize::MAX, &mut expired);
    Ok((table, expired.into_iter().map(|key| (key, ())).collect()))
}

fn open_database(path: &Path) -> Result<Database, OpenError> {
    let failed = |source| OpenError::File {
        path: path.to_owned(),
        source,
    };
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    // Sessions and stored answers are nobody else's business.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(failed)?;
    Database::builder()
        .create_file(file)
        .map_err(|error| match error {
            redb::DatabaseError::DatabaseAlreadyOpen => OpenError::InUse {
                path: path.to_owned(),
            },
            other => OpenError::Damaged {
                path: path.to_owned(),
                reason: other.to_string(),
            },
        })
}

impl State for DurableState {
    fn get<'a>(&'a self, key: &'a Key) -> Pending<'a, Option<Value>> {
        let now = self.shared.clock.now_ms();
        let inner = self.shared.inner();
        let value = inner.table.get(key.as_str(), now).map(|e| e.value.clone());
        Box::pin(ready(Ok(value)))
    }

    fn set(&self, key: Key, value: Value, ttl: Option<Duration>) -> Pending<'_, ()> {
        let done = self
            .shared
            .change(|table, now, changes| table.set(key, value, ttl, now, changes));
        Box::pin(ready(done.map(|_| ())))
    }

    fn delete(&self, key: Key) -> Pending<'_, ()> {
        let done = self.shared.change(|table, _, changes| {
            table.delete(&key, changes);
            Ok(())
        });
        Box::pin(ready(done))
    }

    fn claim(&self, key: Key, value: Value, ttl: Duration) -> Pending<'_, bool> {
        let (written, on_disk) = oneshot::channel();
        let claimed = {
            let mut inner = self.shared.inner();
            match &inner.failed {
                Some(reason) => Err(StateError::Unavailable(reason.clone())),
                None => {
                    let now = self.shared.clock.now_ms();
                    let mut changes = Changes::new();
                    let won = inner
                        .table
                        .claim(key.clone(), value, ttl, now, &mut changes);
                    inner.dirty.extend(changes.into_iter().map(|key| (key, ())));
                    if let Ok(Some(_)) = won {
                        inner.waiting.push(written);
                    }
                    won
                }
            }
        };
        self.shared.wake.notify_all();
        Box::pin(async move {
            let Some(version) = claimed? else {
                return Ok(false);
            };
            let outcome = on_disk.await.unwrap_or_else(|_| {
                Err(StateError::Unavailable(
                    "the state writer has stopped".into(),
                ))
            });
            if let Err(error) = outcome {
                // Nobody holds a claim whose holder was told that it failed.
                let mut inner = self.shared.inner();
                let mut changes = Changes::new();
                inner.table.delete_version(&key, version, &mut changes);
                inner.dirty.extend(changes.into_iter().map(|key| (key, ())));
                return Err(error);
            }
            Ok(true)
        })
    }
}
