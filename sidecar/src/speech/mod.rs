//! Text to speech: an engine behind a trait, a cache of encoded prompts, and a bounded queue.
//!
//! A text is rendered once; every call that says it again shares the encoded prompt. What
//! cannot be rendered is told: silence is never passed off as speech.

mod cache;
mod espeak;
pub(crate) mod ssml;
mod voices;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use skillcall_media::prompt::EncodedPrompt;
use skillcall_protocol::sma::ErrorType;
use tokio::sync::{OnceCell, Semaphore};

use crate::config::{SpeechConfig, SpeechEngineName};
use cache::PromptCache;
pub use espeak::EspeakNg;
pub use voices::Voices;

/// A text, and how it is to be said.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SpeechRequest {
    /// Plain text or SSML.
    pub text: String,
    /// Whether the text is SSML.
    pub ssml: bool,
    /// Amazon's name of the voice, such as `Joanna`.
    pub voice: String,
    /// A language tag such as `de-DE`, when the action gave one.
    pub language: Option<String>,
}

/// Samples as an engine gives them: mono, 16 bit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Samples a second.
    pub rate: u32,
    /// The samples.
    pub samples: Vec<i16>,
}

/// Turns text into samples.
pub trait SpeechEngine: Send + Sync + 'static {
    /// Renders one text. The future is dropped when it takes too long, which ends the work.
    fn render<'a>(
        &'a self,
        request: &'a SpeechRequest,
    ) -> BoxFuture<'a, Result<Rendered, SpeechError>>;
}

/// A text that was not rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpeechError {
    /// No engine is configured.
    #[error("no speech engine is configured")]
    NoEngine,
    /// The engine's program is missing.
    #[error("the speech engine `{command}` cannot be run: {reason}")]
    Missing {
        /// The program.
        command: String,
        /// What the system said.
        reason: String,
    },
    /// It ran, and failed.
    #[error("the speech engine failed: {0}")]
    Failed(String),
    /// It took too long.
    #[error("the speech engine took more than {0:?}")]
    TimedOut(Duration),
    /// Too many texts wait.
    #[error("{0} texts wait for the speech engine already")]
    Throttled(usize),
    /// It gave no audio for this text.
    #[error("the text gives no speech")]
    Nothing,
}

impl SpeechError {
    /// The error type of the action (facts F6, F7).
    pub fn error_type(&self) -> ErrorType {
        match self {
            Self::Throttled(_) => ErrorType::ActionExecutionThrottled,
            Self::Nothing => ErrorType::InvalidActionParameter,
            _ => ErrorType::SystemException,
        }
    }

    /// What an operator can do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NoEngine => "[speech] engine = \"espeak-ng\"",
            Self::Missing { .. } => {
                "apt-get install espeak-ng, or name the program: [speech] command = \"/path/to/espeak-ng\""
            }
            Self::Failed(_) | Self::Nothing => {
                "run the same text by hand: espeak-ng --stdout 'text' > out.wav"
            }
            Self::TimedOut(_) => "raise [speech] timeout-seconds, or shorten the text",
            Self::Throttled(_) => "raise [speech] parallel or queue",
        }
    }
}

/// Whether the configured engine works: it is run once. An engine that was switched off passes.
///
/// # Errors
/// Why it does not.
pub fn probe(config: &SpeechConfig) -> Result<(), SpeechError> {
    match config.engine {
        SpeechEngineName::None => Ok(()),
        SpeechEngineName::EspeakNg => espeak::probe(&config.command),
    }
}

/// Renders texts, for all calls.
pub struct SpeechService {
    engine: Option<Box<dyn SpeechEngine>>,
    running: Semaphore,
    waiting: AtomicUsize,
    queue: usize,
    timeout: Duration,
    cache: Mutex<PromptCache>,
    under_way: Mutex<HashMap<SpeechRequest, Arc<OnceCell<Arc<EncodedPrompt>>>>>,
}

/// Figures of the service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SpeechFigures {
    /// Texts that wait or are being rendered.
    pub waiting: usize,
    /// Prompts in the cache.
    pub cached: usize,
    /// Their size in bytes.
    pub cached_bytes: u64,
}

impl SpeechService {
    /// The service for a configuration.
    pub fn new(config: &SpeechConfig) -> Self {
        let engine: Option<Box<dyn SpeechEngine>> = match config.engine {
            SpeechEngineName::None => None,
            SpeechEngineName::EspeakNg => Some(Box::new(EspeakNg::new(
                config.command.clone(),
                Voices::with(&config.voices),
            ))),
        };
        Self::with_engine(engine, config)
    }

    /// The service with another engine.
    pub fn with_engine(engine: Option<Box<dyn SpeechEngine>>, config: &SpeechConfig) -> Self {
        Self {
            engine,
            running: Semaphore::new(usize::from(config.parallel.max(1))),
            waiting: AtomicUsize::new(0),
            queue: usize::from(config.queue),
            timeout: Duration::from_secs(config.timeout_seconds.into()),
            cache: Mutex::new(PromptCache::new(config.cache_bytes)),
            under_way: Mutex::default(),
        }
    }

    /// The prompt for a text: from the cache, from a rendering that is under way, or rendered now.
    ///
    /// # Errors
    /// [`SpeechError`].
    pub async fn prompt(&self, request: SpeechRequest) -> Result<Arc<EncodedPrompt>, SpeechError> {
        if let Some(prompt) = self.lock_cache().get(&request) {
            return Ok(prompt);
        }
        let engine = self.engine.as_deref().ok_or(SpeechError::NoEngine)?;
        let _place = Place::take(&self.waiting, self.queue)?;
        let cell = {
            let mut under_way = self
                .under_way
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            Arc::clone(under_way.entry(request.clone()).or_default())
        };
        let result = cell
            .get_or_try_init(|| async {
                let rendering = async {
                    let _permit = self
                        .running
                        .acquire()
                        .await
                        .map_err(|_| SpeechError::NoEngine)?;
                    engine.render(&request).await
                };
                let rendered = tokio::time::timeout(self.timeout, rendering)
                    .await
                    .map_err(|_| SpeechError::TimedOut(self.timeout))??;
                encode(&rendered)
            })
            .await
            .cloned();
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&request);
        let prompt = result?;
        self.lock_cache().insert(request, Arc::clone(&prompt));
        Ok(prompt)
    }

    /// Figures for the control API.
    pub fn figures(&self) -> SpeechFigures {
        let cache = self.lock_cache();
        SpeechFigures {
            waiting: self.waiting.load(Ordering::Relaxed),
            cached: cache.len(),
            cached_bytes: cache.bytes(),
        }
    }

    fn lock_cache(&self) -> std::sync::MutexGuard<'_, PromptCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn encode(rendered: &Rendered) -> Result<Arc<EncodedPrompt>, SpeechError> {
    if rendered.samples.is_empty() {
        return Err(SpeechError::Nothing);
    }
    let samples = crate::playback::to_8_khz(rendered.rate, &rendered.samples)
        .map_err(|error| SpeechError::Failed(error.to_string()))?;
    Ok(EncodedPrompt::from_pcm(&samples))
}

/// A place in the queue, given back when dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize, queue: usize) -> Result<Self, SpeechError> {
        waiting
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| {
                (now < queue).then_some(now + 1)
            })
            .map(|_| Self(waiting))
            .map_err(SpeechError::Throttled)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests;
