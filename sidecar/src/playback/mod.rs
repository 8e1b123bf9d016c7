//! Prompts from files, ringing tones, and samples of any rate made fit for the line.

mod decode;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use skillcall_media::SAMPLE_RATE;
use skillcall_media::prompt::EncodedPrompt;
use skillcall_media::resample::ResampleError;
use skillcall_media::tone;
use skillcall_protocol::sma::ErrorType;
use skillcall_protocol::sma::action::S3Object;

use crate::bucket::{BucketError, Buckets, Stamp};
use crate::engine::Failure;

/// Prompts of files kept in memory, in milliseconds of audio: 30 minutes, about 58 MB.
const CACHE_MS: u64 = 30 * 60 * 1000;
/// Files that are fetched and decoded at the same time, at most.
const AT_ONCE: usize = 16;

/// Converts samples to the line's rate.
///
/// # Errors
/// A rate that cannot be converted.
pub(crate) fn to_8_khz(rate: u32, samples: &[i16]) -> Result<Vec<i16>, ResampleError> {
    skillcall_media::resample::resample(samples, rate, SAMPLE_RATE)
}

/// The ringing tone of North America: 440 and 480 Hz, 2 s on, 4 s off.
pub(crate) fn ringing_tone() -> Arc<EncodedPrompt> {
    static TONE: OnceLock<Arc<EncodedPrompt>> = OnceLock::new();
    Arc::clone(TONE.get_or_init(|| {
        let second = SAMPLE_RATE as usize;
        let mut samples = tone::tones(&[440.0, 480.0], -19.0, 2 * second);
        samples.resize(6 * second, 0);
        EncodedPrompt::from_pcm(&samples)
    }))
}

/// The audio of a file that is named in the settings.
///
/// # Errors
/// It cannot be read, or is no audio that can be played.
pub(crate) fn prompt_of_file(path: &Path) -> std::io::Result<Arc<EncodedPrompt>> {
    let named = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    let bytes =
        std::fs::read(path).map_err(|error| std::io::Error::new(error.kind(), named(&error)))?;
    let samples = decode::decode(bytes).map_err(|error| std::io::Error::other(named(&error)))?;
    Ok(EncodedPrompt::from_pcm(&samples))
}

/// Prompts of the buckets' files; a file that changed is read again.
#[derive(Debug)]
pub(crate) struct FilePrompts {
    buckets: Arc<Buckets>,
    cache: Mutex<Cache>,
    /// Of a burst of calls for the same prompt the first one decodes it. A file's name says which lock it has, so that a slow
    /// store holds few others up.
    decoding: [Mutex<()>; AT_ONCE],
}

#[derive(Debug, Default)]
struct Cache {
    /// By bucket, then by key.
    prompts: HashMap<String, HashMap<String, Cached>>,
    milliseconds: u64,
}

#[derive(Debug)]
struct Cached {
    stamp: Stamp,
    looked: Instant,
    prompt: Arc<EncodedPrompt>,
}

impl Cache {
    fn get_mut(&mut self, bucket: &str, key: &str) -> Option<&mut Cached> {
        self.prompts.get_mut(bucket)?.get_mut(key)
    }
}

impl FilePrompts {
    pub(crate) fn new(buckets: Arc<Buckets>) -> Self {
        Self {
            buckets,
            cache: Mutex::default(),
            decoding: Default::default(),
        }
    }

    /// The prompt of a file that was looked at a moment ago. Never waits.
    pub(crate) fn fresh(&self, object: &S3Object) -> Option<Arc<EncodedPrompt>> {
        let cache = self.cache.try_lock().ok()?;
        let cached = cache.prompts.get(&object.bucket_name)?.get(&object.key)?;
        let fresh = self.buckets.fresh(&object.bucket_name);
        (cached.looked.elapsed() < fresh).then(|| Arc::clone(&cached.prompt))
    }

    /// The prompt of a file. Reads the disk, or waits for the network: not for a media thread.
    ///
    /// # Errors
    /// InvalidAudioSource, with what is wrong in the file or on the way to it.
    pub(crate) fn load(&self, object: &S3Object) -> Result<Arc<EncodedPrompt>, Failure> {
        let (bucket, key) = (object.bucket_name.as_str(), object.key.as_str());
        let invalid = |what: String| Failure::new(ErrorType::InvalidAudioSource, what);
        let bucket_error = |error: BucketError| invalid(error.to_string());
        if let Some(prompt) = self.fresh(object) {
            return Ok(prompt);
        }
        let _decoding = self
            .decoding
            .get(place(object))
            .map(|lock| lock.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(prompt) = self.fresh(object) {
            return Ok(prompt);
        }
        let stamp = self.buckets.stamp(bucket, key);
        let looked = Instant::now();
        if let Some(cached) = self.lock().get_mut(bucket, key) {
            // What was played a minute ago is better than nothing while its store is out of reach.
            let usable = match &stamp {
                Ok(stamp) => cached.stamp == *stamp,
                Err(error) => error.is_passing(),
            };
            if usable {
                cached.looked = looked;
                return Ok(Arc::clone(&cached.prompt));
            }
        }
        let stamp = stamp.map_err(bucket_error)?;
        let bytes = self.buckets.read(bucket, key).map_err(bucket_error)?;
        let samples =
            decode::decode(bytes).map_err(|error| invalid(format!("{bucket}/{key}: {error}")))?;
        let prompt = EncodedPrompt::from_pcm(&samples);
        if prompt.is_empty() {
            return Err(invalid(format!("{bucket}/{key} holds no audio")));
        }
        let mut cache = self.lock();
        if cache.milliseconds + prompt.duration_ms() > CACHE_MS {
            cache.prompts.clear();
            cache.milliseconds = 0;
        }
        cache.milliseconds += prompt.duration_ms();
        let cached = Cached {
            stamp,
            looked,
            prompt: Arc::clone(&prompt),
        };
        let replaced = cache
            .prompts
            .entry(bucket.to_owned())
            .or_default()
            .insert(key.to_owned(), cached);
        if let Some(replaced) = replaced {
            cache.milliseconds -= replaced.prompt.duration_ms();
        }
        Ok(prompt)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(object: &S3Object) -> usize {
    let mut hasher = DefaultHasher::new();
    (&object.bucket_name, &object.key).hash(&mut hasher);
    usize::try_from(hasher.finish() % AT_ONCE as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use skillcall_media::wav;

    #[test]
    fn files_become_prompts_once() {
        let folder = tempfile::tempdir().unwrap();
        let samples = tone::sine(1000.0, -10.0, 8000);
        std::fs::write(
            folder.path().join("a.wav"),
            wav::to_bytes(&samples, 1).unwrap(),
        )
        .unwrap();
        std::fs::write(folder.path().join("b.wav"), b"no wav").unwrap();
        let buckets = Arc::new(Buckets::new([("prompts".into(), folder.path().into())]));
        let prompts = FilePrompts::new(buckets);
        let first = prompts.load(&S3Object::new("prompts", "a.wav")).unwrap();
        assert_eq!(first.duration_ms(), 1000);
        let fresh = prompts.fresh(&S3Object::new("prompts", "a.wav")).unwrap();
        assert!(Arc::ptr_eq(&first, &fresh));
        assert!(prompts.fresh(&S3Object::new("prompts", "c.wav")).is_none());
        assert!(Arc::ptr_eq(
            &first,
            &prompts.load(&S3Object::new("prompts", "a.wav")).unwrap()
        ));
        for (bucket, key) in [
            ("prompts", "b.wav"),
            ("prompts", "c.wav"),
            ("other", "a.wav"),
            ("prompts", "../a.wav"),
        ] {
            let failure = prompts.load(&S3Object::new(bucket, key)).unwrap_err();
            assert_eq!(
                failure.error_type,
                ErrorType::InvalidAudioSource,
                "{bucket}/{key}"
            );
        }
    }
}
