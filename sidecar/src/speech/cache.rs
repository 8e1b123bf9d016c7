//! Prompts by text and voice, bounded by their size; the one not used for longest goes first.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use skillcall_media::prompt::EncodedPrompt;

use super::SpeechRequest;

/// Bytes of memory for a millisecond of a prompt: PCM and two codecs.
const BYTES_PER_MS: u64 = 32;

pub(super) struct PromptCache {
    prompts: HashMap<SpeechRequest, (u64, Arc<EncodedPrompt>)>,
    by_use: BTreeMap<u64, SpeechRequest>,
    uses: u64,
    bytes: u64,
    limit: u64,
}

impl PromptCache {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            prompts: HashMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
            bytes: 0,
            limit,
        }
    }

    pub(super) fn get(&mut self, request: &SpeechRequest) -> Option<Arc<EncodedPrompt>> {
        let (used, prompt) = self.prompts.get_mut(request)?;
        self.by_use.remove(used);
        self.uses += 1;
        *used = self.uses;
        self.by_use.insert(self.uses, request.clone());
        Some(Arc::clone(prompt))
    }

    pub(super) fn insert(&mut self, request: SpeechRequest, prompt: Arc<EncodedPrompt>) {
        let size = size(&prompt);
        if size > self.limit || self.prompts.contains_key(&request) {
            return;
        }
        while self.bytes + size > self.limit
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            if let Some((_, gone)) = self.prompts.remove(&oldest) {
                self.bytes -= self::size(&gone);
            }
        }
        self.uses += 1;
        self.bytes += size;
        self.by_use.insert(self.uses, request.clone());
        self.prompts.insert(request, (self.uses, prompt));
    }

    pub(super) fn len(&self) -> usize {
        self.prompts.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

fn size(prompt: &EncodedPrompt) -> u64 {
    prompt.duration_ms() * BYTES_PER_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> SpeechRequest {
        SpeechRequest {
            text: text.into(),
            ssml: false,
            voice: "Joanna".into(),
            language: None,
        }
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let prompt = || EncodedPrompt::from_pcm(&[0; 8000]);
        let mut cache = PromptCache::new(2 * 32_000);
        cache.insert(request("a"), prompt());
        cache.insert(request("b"), prompt());
        assert!(cache.get(&request("a")).is_some());
        cache.insert(request("c"), prompt());
        assert!(cache.get(&request("b")).is_none());
        assert!(cache.get(&request("a")).is_some());
        assert!(cache.get(&request("c")).is_some());
        assert_eq!((cache.len(), cache.bytes()), (2, 64_000));
        cache.insert(request("long"), EncodedPrompt::from_pcm(&[0; 80_000]));
        assert_eq!(cache.len(), 2);
    }
}
