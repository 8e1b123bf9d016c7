//! `[buckets]`: where the files lie that actions name.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::SidecarConfig;
use super::secrets::password;
use crate::bucket::{BucketSetting, Buckets, RemoteSetting};

/// Where a bucket's files lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum BucketConfig {
    /// A folder of this machine.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    Folder(PathBuf),
    /// A store elsewhere.
    Remote(RemoteBucket),
}

/// An object store that speaks S3, or a web server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RemoteBucket {
    /// `s3://BUCKET` or `s3://BUCKET/PREFIX`; or `https://HOST/PATH` (also `http`), whose files are read and never written.
    pub url: String,
    /// Of `s3`: the store's address when it is not Amazon's, such as `https://minio.example.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Of `s3`: its region; default: what `AWS_REGION` says, else `us-east-1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Of `s3`: a file that only its owner can read, with `ID:SECRET`; default: what `AWS_ACCESS_KEY_ID` and
    /// `AWS_SECRET_ACCESS_KEY` say, or the machine's role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub keys_file: Option<PathBuf>,
    /// Of `s3`: the folder in which recordings lie until they are stored, this sidecar's alone; default `spool/NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub spool: Option<PathBuf>,
    /// So long a file is played without a question whether it has changed, in seconds; default 60.
    #[serde(default = "fresh_seconds")]
    pub fresh_seconds: u32,
}

fn fresh_seconds() -> u32 {
    60
}

/// A bucket that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bucket `{name}`: {problem}")]
pub struct BucketProblem {
    /// The bucket.
    pub name: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl SidecarConfig {
    /// The buckets, as they are read from.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub fn buckets(&self) -> Result<Buckets, BucketProblem> {
        self.all_buckets(false)
    }

    /// The buckets of the one process that also writes to them.
    pub(crate) fn own_buckets(&self) -> Result<Buckets, BucketProblem> {
        self.all_buckets(true)
    }

    fn all_buckets(&self, spools: bool) -> Result<Buckets, BucketProblem> {
        let settings: Vec<_> = self
            .buckets
            .iter()
            .map(|(name, bucket)| Ok((name.clone(), self.bucket_setting(name, bucket)?)))
            .collect::<Result<_, BucketProblem>>()?;
        Buckets::of(settings, spools).map_err(|(name, problem)| BucketProblem { name, problem })
    }

    /// A bucket's setting, its keys read.
    pub(super) fn bucket_setting(
        &self,
        name: &str,
        bucket: &BucketConfig,
    ) -> Result<BucketSetting, BucketProblem> {
        let remote = match bucket {
            BucketConfig::Folder(folder) => return Ok(BucketSetting::Folder(self.resolve(folder))),
            BucketConfig::Remote(remote) => remote,
        };
        let problem = |problem: String| BucketProblem {
            name: name.to_owned(),
            problem,
        };
        let keys = match &remote.keys_file {
            None => None,
            Some(file) => {
                let text = password(self, file).map_err(|error| problem(error.to_string()))?;
                let (id, secret) = text
                    .split_once(':')
                    .ok_or_else(|| problem(format!("{} holds no ID:SECRET", file.display())))?;
                Some((id.trim().to_owned(), secret.trim().to_owned()))
            }
        };
        let spool = match &remote.spool {
            Some(spool) => self.resolve(spool),
            None => self.resolve(Path::new("spool")).join(name),
        };
        Ok(BucketSetting::Remote(RemoteSetting {
            url: remote.url.clone(),
            endpoint: remote.endpoint.clone(),
            region: remote.region.clone(),
            keys,
            spool,
            fresh: Duration::from_secs(u64::from(remote.fresh_seconds)),
        }))
    }
}

impl<'de> Deserialize<'de> for BucketConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = BucketConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a folder, or a table such as { url = \"s3://BUCKET\" }")
            }

            fn visit_str<E>(self, folder: &str) -> Result<BucketConfig, E> {
                Ok(BucketConfig::Folder(folder.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<BucketConfig, A::Error> {
                RemoteBucket::deserialize(MapAccessDeserializer::new(map)).map(BucketConfig::Remote)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl From<PathBuf> for BucketConfig {
    fn from(folder: PathBuf) -> Self {
        Self::Folder(folder)
    }
}
