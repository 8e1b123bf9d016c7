//! A bucket that lies elsewhere: an object store that speaks S3, or a web server.
//!
//! What is read is waited for, on threads that may wait. A recording is written to a folder of this machine first, the spool,
//! so that it survives whatever happens to the network or to this process; complete, it is stored and leaves the spool.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use object_store::aws::AmazonS3Builder;
use object_store::http::HttpBuilder;
use object_store::path::Path as Location;
use object_store::{
    Attribute, Attributes, ClientOptions, ObjectStore, ObjectStoreExt as _, PutMode,
    PutMultipartOptions, PutOptions, RetryConfig, WriteMultipart,
};
use tokio::io::AsyncReadExt as _;

use super::{BucketError, Key, MAX_AUDIO_BYTES, Stamp};

/// A caller waits for a prompt: a store that needs longer is no use.
const TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// So often, and within this time, a request is made again that failed.
const RETRIES: usize = 3;
const RETRY_FOR: Duration = Duration::from_secs(20);
/// Files up to this size are stored by one request; larger ones in parts of it.
const PART: u64 = 8 * 1024 * 1024;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What an object is stored with: names and values.
pub(crate) type Metadata = BTreeMap<String, String>;

/// How a bucket elsewhere is reached.
#[derive(Debug, Clone, Default)]
pub(crate) struct RemoteSetting {
    /// `s3://BUCKET/PREFIX` or `https://HOST/PATH`.
    pub(crate) url: String,
    pub(crate) endpoint: Option<String>,
    pub(crate) region: Option<String>,
    /// Access key id and secret.
    pub(crate) keys: Option<(String, String)>,
    pub(crate) spool: PathBuf,
    pub(crate) fresh: Duration,
}

/// A bucket elsewhere.
pub(crate) struct Remote {
    store: Arc<dyn ObjectStore>,
    prefix: Location,
    writable: bool,
    pub(super) spool: PathBuf,
    pub(super) fresh: Duration,
    network: Network,
}

/// The thread on which requests run.
#[derive(Clone)]
pub(super) struct Network(tokio::sync::mpsc::UnboundedSender<Task>);

impl Network {
    /// Starts the thread; it ends with the last handle.
    pub(super) fn start() -> std::io::Result<Self> {
        // There is one already, where the sidecar has made a client before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (tasks, mut queue) = tokio::sync::mpsc::unbounded_channel::<Task>();
        std::thread::Builder::new()
            .name("object-store".into())
            .spawn(move || {
                runtime.block_on(async {
                    while let Some(task) = queue.recv().await {
                        tokio::spawn(task);
                    }
                });
            })?;
        Ok(Self(tasks))
    }

    /// Begins a task. Dropped when the thread is gone.
    fn begin(&self, task: impl Future<Output = ()> + Send + 'static) {
        let _ = self.0.send(Box::pin(task));
    }

    /// Waits for a task; none when its thread is gone.
    fn wait<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (result, receiver) = std::sync::mpsc::channel();
        self.begin(async move {
            let _ = result.send(task.await);
        });
        receiver.recv().ok()
    }
}

impl Remote {
    /// A bucket by its setting.
    ///
    /// # Errors
    /// What is wrong in the setting, and what would be right.
    pub(super) fn new(setting: RemoteSetting, network: Network) -> Result<Self, String> {
        let options = ClientOptions::new()
            .with_timeout(TIMEOUT)
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_allow_http(true);
        let retry = RetryConfig {
            max_retries: RETRIES,
            retry_timeout: RETRY_FOR,
            ..RetryConfig::default()
        };
        let (store, prefix, writable): (Arc<dyn ObjectStore>, _, _) = match kind(&setting.url)? {
            Kind::S3 { bucket, prefix } => {
                let mut builder = AmazonS3Builder::from_env()
                    .with_bucket_name(bucket)
                    .with_client_options(options)
                    .with_retry(retry);
                if let Some(endpoint) = &setting.endpoint {
                    builder = builder.with_endpoint(endpoint);
                }
                if let Some(region) = &setting.region {
                    builder = builder.with_region(region);
                }
                if let Some((id, secret)) = &setting.keys {
                    builder = builder
                        .with_access_key_id(id)
                        .with_secret_access_key(secret);
                }
                let store = builder.build().map_err(|error| error.to_string())?;
                (Arc::new(store), prefix, true)
            }
            Kind::Web => {
                let builder = HttpBuilder::new()
                    .with_url(&setting.url)
                    .with_client_options(options)
                    .with_retry(retry);
                let store = builder.build().map_err(|error| error.to_string())?;
                (Arc::new(store), Location::default(), false)
            }
        };
        Ok(Self {
            store,
            prefix,
            writable,
            spool: setting.spool,
            fresh: setting.fresh,
            network,
        })
    }

    fn location(&self, key: &Key) -> Location {
        key.names()
            .fold(self.prefix.clone(), |path, name| path.join(name))
    }

    /// Whether recordings may go there.
    pub(super) fn is_writable(&self) -> bool {
        self.writable
    }

    /// The folder below which a new file is to lie until it is stored.
    pub(super) fn spool_of(&self, key: &Key) -> Result<PathBuf, BucketError> {
        if self.writable {
            Ok(self.spool.clone())
        } else {
            Err(BucketError::ReadOnly(key.to_string()))
        }
    }

    /// Reads an object whole. Waits for the network.
    pub(super) fn read(&self, key: &Key) -> Result<Vec<u8>, BucketError> {
        let (store, location, name) =
            (Arc::clone(&self.store), self.location(key), key.to_string());
        let result = self.network.wait(async move {
            let object = store
                .get(&location)
                .await
                .map_err(|error| elsewhere(&name, &error))?;
            if object.meta.size > MAX_AUDIO_BYTES {
                return Err(BucketError::TooLarge {
                    key: name,
                    bytes: object.meta.size,
                });
            }
            let bytes = object
                .bytes()
                .await
                .map_err(|error| elsewhere(&name, &error))?;
            Ok(bytes.to_vec())
        });
        result.unwrap_or_else(|| Err(stopped(key)))
    }

    /// Asks when an object was changed. Waits for the network.
    pub(super) fn stamp(&self, key: &Key) -> Result<Stamp, BucketError> {
        let (store, location, name) =
            (Arc::clone(&self.store), self.location(key), key.to_string());
        let result = self.network.wait(async move {
            let meta = store
                .head(&location)
                .await
                .map_err(|error| elsewhere(&name, &error))?;
            Ok(Stamp {
                modified: SystemTime::from(meta.last_modified),
                length: meta.size,
                tag: meta.e_tag,
            })
        });
        result.unwrap_or_else(|| Err(stopped(key)))
    }

    /// Begins to store a complete file of the spool; `done` is told, and the file leaves the spool when that has worked.
    pub(super) fn store(
        &self,
        key: &Key,
        file: PathBuf,
        metadata: Metadata,
        done: impl FnOnce(Result<(), BucketError>) + Send + 'static,
    ) {
        let (store, location, name) =
            (Arc::clone(&self.store), self.location(key), key.to_string());
        self.network.begin(async move {
            done(
                match put(store.as_ref(), &location, &file, metadata).await {
                    Ok(()) => {
                        super::spool::forget(&file);
                        Ok(())
                    }
                    Err(error) => Err(match error {
                        PutError::Store(error) => elsewhere(&name, &error),
                        PutError::File(error) => BucketError::Io { key: name, error },
                    }),
                },
            );
        });
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.store, self.prefix)
    }
}

enum Kind {
    S3 { bucket: String, prefix: Location },
    Web,
}

fn kind(url: &str) -> Result<Kind, String> {
    const EXPECTED: &str = "expected s3://BUCKET, s3://BUCKET/PREFIX, or https://HOST/PATH";
    let parsed = url::Url::parse(url).map_err(|error| format!("{url}: {error}; {EXPECTED}"))?;
    match (parsed.scheme(), parsed.host_str()) {
        ("s3", Some(bucket)) => Ok(Kind::S3 {
            bucket: bucket.to_owned(),
            prefix: Location::from_url_path(parsed.path())
                .map_err(|error| format!("{url}: {error}; {EXPECTED}"))?,
        }),
        ("http" | "https", Some(_)) => Ok(Kind::Web),
        _ => Err(format!("{url} is no bucket; {EXPECTED}")),
    }
}

/// What is wrong with the URL of a bucket elsewhere, and whether recordings may go there.
pub(crate) fn check_url(url: &str) -> Result<bool, String> {
    kind(url).map(|kind| matches!(kind, Kind::S3 { .. }))
}

fn stopped(key: &Key) -> BucketError {
    BucketError::Elsewhere {
        key: key.to_string(),
        error: "the sidecar stops".to_owned(),
        missing: false,
    }
}

fn elsewhere(key: &str, error: &object_store::Error) -> BucketError {
    BucketError::Elsewhere {
        key: key.to_owned(),
        error: error.to_string(),
        missing: matches!(error, object_store::Error::NotFound { .. }),
    }
}

enum PutError {
    Store(object_store::Error),
    File(std::io::Error),
}

impl From<object_store::Error> for PutError {
    fn from(error: object_store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<std::io::Error> for PutError {
    fn from(error: std::io::Error) -> Self {
        Self::File(error)
    }
}

/// Stores a file; an object that is there already is not overwritten.
async fn put(
    store: &dyn ObjectStore,
    location: &Location,
    file: &Path,
    metadata: Metadata,
) -> Result<(), PutError> {
    let attributes: Attributes = [(Attribute::ContentType, "audio/wav".to_owned())]
        .into_iter()
        .chain(
            metadata
                .into_iter()
                .map(|(name, value)| (Attribute::Metadata(name.into()), value)),
        )
        .collect();
    let mut file = tokio::fs::File::open(file).await?;
    if file.metadata().await?.len() <= PART {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).await?;
        let options = PutOptions {
            mode: PutMode::Create,
            attributes,
            ..PutOptions::default()
        };
        store.put_opts(location, bytes.into(), options).await?;
        return Ok(());
    }
    match store.head(location).await {
        Err(object_store::Error::NotFound { .. }) => {}
        Ok(_) => {
            return Err(PutError::Store(object_store::Error::AlreadyExists {
                path: location.to_string(),
                source: "a recording is never overwritten".into(),
            }));
        }
        Err(error) => return Err(error.into()),
    }
    let options = PutMultipartOptions {
        attributes,
        ..PutMultipartOptions::default()
    };
    let upload = store.put_multipart_opts(location, options).await?;
    let part = usize::try_from(PART).unwrap_or(usize::MAX);
    let mut parts = WriteMultipart::new_with_chunk_size(upload, part);
    let mut bytes = vec![0; 64 * 1024];
    loop {
        // Two parts on their way are memory enough.
        parts.wait_for_capacity(2).await?;
        match file.read(&mut bytes).await? {
            0 => break,
            read => parts.write(bytes.get(..read).unwrap_or_default()),
        }
    }
    parts.finish().await?;
    Ok(())
}
