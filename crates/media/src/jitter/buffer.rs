//! The buffer itself.

use std::collections::VecDeque;

use super::{Inserted, JitterConfig, JitterCounters, Played};
use crate::{
    FRAME_SAMPLES, Frame, SAMPLES_PER_MS,
    codec::Codec,
    rtp::{Sequence, Timestamp},
};

const FRAME: i32 = FRAME_SAMPLES as i32;
/// Longest payload that is kept: 200 ms, the largest packet time in use being 60 ms.
const MAX_PAYLOAD: usize = 1_600;
/// A packet this far from the playout point belongs to another time line.
const JUMP: i32 = 8_000;
/// Frames after which unused slack is given up: 4 s.
const OBSERVED_FRAMES: u32 = 200;
/// Frames that a rise of the delay waits for a gap in the audio, before a frame is repeated inside the audio.
const SHIFT_PATIENCE: u32 = 25;
/// Unused slack that is worth a cut inside the audio: 60 ms. Less is only given up in a pause.
const WORTH_A_CUT: i32 = 3 * FRAME;
/// Late packets no further apart than 100 ms are one event: a hiccup of a machine or a router.
const ONE_EVENT_FRAMES: u32 = 5;
/// So many late packets in a row are no hiccup, but a longer path.
const LONGER_PATH: u32 = 8;
/// Frames from the beginning in which each late packet raises the delay: 1 s, as nothing is known of the path yet.
const BEGINNING_FRAMES: u32 = 50;
/// Frames without any packet after which nothing is made up any more: 60 ms, where concealment has faded out.
const CONCEALED_FRAMES: u32 = 3;

#[derive(Clone, Debug)]
struct Held {
    sequence: Sequence,
    timestamp: Timestamp,
    codec: Codec,
    marker: bool,
    payload: Vec<u8>,
}

impl Held {
    fn end(&self) -> Timestamp {
        self.timestamp.plus(self.payload.len() as u32)
    }
}

/// The buffer of one source.
#[derive(Clone, Debug)]
pub struct JitterBuffer {
    config: JitterConfig,
    /// In the order of their timestamps.
    held: VecDeque<Held>,
    /// Payload buffers to use again: steady traffic allocates nothing.
    free: Vec<Vec<u8>>,
    /// Timestamp of the next sample to play; `None` before the first packet.
    point: Option<Timestamp>,
    last_played: Option<Sequence>,
    /// Where the packet `last_played` ends.
    played_until: Option<Timestamp>,
    stray: Option<Timestamp>,
    /// Frames played since audio was last there.
    idle_frames: u32,
    /// Slack that packets are given when the time line is laid anew, in samples: what has been learned.
    target: i32,
    since_late: u32,
    late_run: u32,
    /// Frames that are still of the beginning.
    beginning: u32,
    /// Samples by which the point shall go back (raises the delay).
    wanted_back: i32,
    waited: u32,
    least_slack: i32,
    observed: u32,
    /// Slack above the minimum that no packet needed in the last whole observation, less what was given up since.
    spare: i32,
    counters: JitterCounters,
}

impl JitterBuffer {
    /// An empty buffer. Bounds out of order are put in order.
    pub fn new(config: JitterConfig) -> Self {
        let max_ms = config
            .max_ms
            .clamp(FRAME_SAMPLES as u32 / SAMPLES_PER_MS, 800);
        let min_ms = config.min_ms.min(max_ms);
        let config = JitterConfig {
            min_ms,
            max_ms,
            initial_ms: config.initial_ms.clamp(min_ms, max_ms),
            capacity: config.capacity.clamp(4, 256),
        };
        Self {
            config,
            held: VecDeque::new(),
            free: Vec::new(),
            point: None,
            last_played: None,
            played_until: None,
            stray: None,
            idle_frames: 0,
            target: (config.initial_ms * SAMPLES_PER_MS) as i32,
            since_late: u32::MAX,
            late_run: 0,
            beginning: BEGINNING_FRAMES,
            wanted_back: 0,
            waited: 0,
            least_slack: i32::MAX,
            observed: 0,
            spare: 0,
            counters: JitterCounters::default(),
        }
    }

    /// Takes a packet's payload of G.711 codes.
    pub fn insert(
        &mut self,
        sequence: Sequence,
        timestamp: Timestamp,
        marker: bool,
        codec: Codec,
        payload: &[u8],
    ) -> Inserted {
        if payload.is_empty() || payload.len() > MAX_PAYLOAD {
            return Inserted::Unusable;
        }
        let len = payload.len() as i32;
        let point = match self.point {
            None => self.start_at(timestamp),
            Some(point)
                if timestamp
                    .since(point)
                    .checked_abs()
                    .is_none_or(|distance| distance > JUMP) =>
            {
                // A marker, or a second packet that follows the first, shows that the sender means it.
                let follows = self
                    .stray
                    .is_some_and(|stray| (1..=JUMP).contains(&timestamp.since(stray)));
                if !marker && !follows && self.idle_frames <= CONCEALED_FRAMES {
                    self.stray = Some(timestamp);
                    return Inserted::Stray;
                }
                self.counters.resynchronised += 1;
                self.empty();
                self.start_at(timestamp)
            }
            // After a silence, the time line may be laid anew without anybody hearing it.
            Some(point)
                if self.held.is_empty()
                    && self.idle_frames > CONCEALED_FRAMES
                    && self.is_new(sequence) =>
            {
                let near = self.target - FRAME..=self.target + FRAME;
                if near.contains(&timestamp.since(point)) {
                    point
                } else {
                    self.start_at(timestamp)
                }
            }
            Some(point) => point,
        };
        self.stray = None;
        let slack = timestamp.since(point);
        self.least_slack = self.least_slack.min(slack);
        if slack < 0 {
            self.note_late(-slack);
        }
        if slack + len <= 0 || self.was_passed(sequence, timestamp.plus(len as u32)) {
            self.counters.late += 1;
            return Inserted::Late;
        }
        let at = self
            .held
            .iter()
            .rposition(|held| timestamp.since(held.timestamp) >= 0)
            .map_or(0, |before| before + 1);
        if at
            .checked_sub(1)
            .and_then(|before| self.held.get(before))
            .is_some_and(|held| held.timestamp == timestamp)
        {
            self.counters.duplicates += 1;
            return Inserted::Duplicate;
        }
        let mut buffer = self.free.pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(payload);
        self.held.insert(
            at,
            Held {
                sequence,
                timestamp,
                codec,
                marker,
                payload: buffer,
            },
        );
        if self.held.len() > self.config.capacity {
            self.counters.discarded += 1;
            self.drop_first();
        }
        Inserted::Kept
    }

    /// Plays the next 20 ms into `frame`.
    pub fn play(&mut self, frame: &mut Frame) -> Played {
        *frame = crate::SILENT_FRAME;
        let Some(point) = self.point else {
            return Played::Silence;
        };
        let point = self.bound_delay(point);
        let filled = self.fill(point, frame);
        let played = if filled * 2 >= FRAME_SAMPLES {
            self.idle_frames = 0;
            Played::Audio
        } else {
            self.idle_frames = self.idle_frames.saturating_add(1);
            let next_is_spurt = self.held.front().is_some_and(|held| {
                held.marker
                    || self
                        .last_played
                        .is_some_and(|last| held.sequence == last.plus(1))
            });
            if filled == 0
                && (next_is_spurt
                    || self.last_played.is_none()
                    || self.idle_frames > CONCEALED_FRAMES)
            {
                Played::Silence
            } else {
                Played::Missing
            }
        };
        self.advance(point, played);
        played
    }

    /// Fills `frame` with what comes next, if all of it is there already: what leads out of a frame that was [`Played::Missing`].
    pub fn peek(&self, frame: &mut Frame) -> bool {
        self.point
            .is_some_and(|point| self.fill(point, frame) == FRAME_SAMPLES)
    }

    /// Fills `frame` with what is held of the 20 ms from `point` on. How many samples these are.
    fn fill(&self, point: Timestamp, frame: &mut Frame) -> usize {
        let mut filled = 0;
        for held in &self.held {
            let offset = held.timestamp.since(point);
            if offset >= FRAME {
                break;
            }
            let skipped = usize::try_from(-offset).unwrap_or(0);
            let start = usize::try_from(offset).unwrap_or(0);
            let (Some(codes), Some(samples)) =
                (held.payload.get(skipped..), frame.get_mut(start..))
            else {
                continue;
            };
            filled += held.codec.decode(codes, samples);
        }
        filled
    }

    /// Forgets everything held and the time line, and keeps the counters: another source follows.
    pub fn restart(&mut self) {
        self.empty();
        self.point = None;
        self.target = (self.config.initial_ms * SAMPLES_PER_MS) as i32;
        self.since_late = u32::MAX;
        self.beginning = BEGINNING_FRAMES;
    }

    /// Packets held.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Audio between the playout point and the end of the newest packet, in milliseconds.
    pub fn delay_ms(&self) -> u32 {
        self.delay_samples().max(0) as u32 / SAMPLES_PER_MS
    }

    /// Counters since the start.
    pub fn counters(&self) -> JitterCounters {
        self.counters
    }

    fn max_samples(&self) -> i32 {
        (self.config.max_ms * SAMPLES_PER_MS) as i32
    }

    fn delay_samples(&self) -> i32 {
        match (self.point, self.held.back()) {
            (Some(point), Some(newest)) => newest.end().since(point),
            _ => 0,
        }
    }

    /// Whether a packet is newer than all that was played: an old one must not turn the time line back.
    fn is_new(&self, sequence: Sequence) -> bool {
        self.last_played.is_none_or(|last| sequence.since(last) > 0)
    }

    /// Whether a packet that ends at `end` is older than what was played. A time line that is laid anew begins before
    /// its first packet, where an old one would find room. It takes both to be old: senders begin their numbers or
    /// their timestamps anew without a word.
    fn was_passed(&self, sequence: Sequence, end: Timestamp) -> bool {
        !self.is_new(sequence) && self.played_until.is_some_and(|until| end.since(until) <= 0)
    }

    fn note_late(&mut self, by: i32) {
        self.late_run = if self.since_late <= ONE_EVENT_FRAMES {
            self.late_run.saturating_add(1)
        } else {
            1
        };
        let again = (ONE_EVENT_FRAMES + 1..=OBSERVED_FRAMES).contains(&self.since_late);
        self.since_late = 0;
        if again || self.late_run >= LONGER_PATH || self.beginning > 0 {
            let room = (self.max_samples() - self.delay_samples()).max(0);
            self.wanted_back = self.wanted_back.max(by.min(room));
        }
    }

    fn start_at(&mut self, timestamp: Timestamp) -> Timestamp {
        let point = timestamp.minus(self.target.unsigned_abs());
        self.point = Some(point);
        self.wanted_back = 0;
        self.spare = 0;
        self.observe_anew();
        point
    }

    fn empty(&mut self) {
        while self.drop_first() {}
        self.last_played = None;
        self.played_until = None;
        self.stray = None;
    }

    fn drop_first(&mut self) -> bool {
        let Some(first) = self.held.pop_front() else {
            return false;
        };
        self.last_played = Some(first.sequence);
        self.played_until = Some(first.end());
        if self.free.len() < self.config.capacity {
            self.free.push(first.payload);
        }
        true
    }

    /// Brings the point forward when more waits than the bound allows: the listener's clock had stood still.
    fn bound_delay(&mut self, mut point: Timestamp) -> Timestamp {
        let longest = self.held.back().map_or(0, |held| held.payload.len() as i32);
        let over = self.delay_samples() - self.max_samples() - longest;
        if over > 0 {
            let frames = over as u32 / FRAME_SAMPLES as u32 + 1;
            self.counters.skipped += u64::from(frames);
            point = point.plus(frames * FRAME_SAMPLES as u32);
            self.point = Some(point);
            while self
                .held
                .front()
                .is_some_and(|held| held.end().since(point) <= 0)
            {
                self.counters.discarded += 1;
                self.drop_first();
            }
        }
        point
    }

    fn advance(&mut self, point: Timestamp, played: Played) {
        let gap = played != Played::Audio;
        self.since_late = self.since_late.saturating_add(1);
        self.beginning = self.beginning.saturating_sub(1);
        self.observed += 1;
        let min = (self.config.min_ms * SAMPLES_PER_MS) as i32;
        if self.wanted_back > 0 {
            self.waited += 1;
            if gap || self.waited > SHIFT_PATIENCE {
                // The point stands still for a frame; what is made up, silent or repeated lasts the longer.
                self.wanted_back -= FRAME;
                self.target = (self.target + FRAME).min(self.max_samples());
                self.counters.stretched += 1;
                self.spare = 0;
                self.observe_anew();
                return;
            }
        } else {
            let spare = self.least_slack.saturating_sub(min);
            if self.observed >= OBSERVED_FRAMES {
                self.spare = if self.least_slack == i32::MAX {
                    0
                } else {
                    spare
                };
                self.observe_anew();
            }
            self.spare = self.spare.min(spare);
            if self.spare >= WORTH_A_CUT || (self.spare >= FRAME && played == Played::Silence) {
                self.target = (self.target - FRAME).max(min);
                self.counters.skipped += 1;
                self.spare -= FRAME;
                self.least_slack = i32::MAX;
                self.point = Some(point.plus(2 * FRAME_SAMPLES as u32));
                self.drop_played();
                return;
            }
        }
        self.point = Some(point.plus(FRAME_SAMPLES as u32));
        self.drop_played();
    }

    fn observe_anew(&mut self) {
        self.waited = 0;
        self.least_slack = i32::MAX;
        self.observed = 0;
    }

    fn drop_played(&mut self) {
        while let (Some(point), Some(first)) = (self.point, self.held.front())
            && first.end().since(point) <= 0
        {
            self.drop_first();
        }
    }
}
