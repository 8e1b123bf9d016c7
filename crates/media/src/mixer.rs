//! A conference: each hears the others, and not himself.
//!
//! The sum of all is kept up to date, so that a frame costs each seat the same however many there are. Every owner of a
//! seat puts what it hears and takes what it plays once in 20 ms.

use crate::active_speaker::ActiveSpeaker;
use crate::{FRAME_SAMPLES, Frame, SILENT_FRAME};

/// A place in a conference. Numbers are given again after their owner has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeatId(usize);

#[derive(Clone, Debug)]
struct Seat {
    /// What it added to the sum last.
    frame: Frame,
    muted: bool,
}

/// The conference.
#[derive(Clone, Debug)]
pub struct Mixer {
    seats: Vec<Option<Seat>>,
    total: [i32; FRAME_SAMPLES],
    speaker: ActiveSpeaker,
}

impl Default for Mixer {
    fn default() -> Self {
        Self {
            seats: Vec::new(),
            total: [0; FRAME_SAMPLES],
            speaker: ActiveSpeaker::default(),
        }
    }
}

impl Mixer {
    /// An empty conference.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a seat, muted or not.
    pub fn join(&mut self, muted: bool) -> SeatId {
        let seat = Some(Seat {
            frame: SILENT_FRAME,
            muted,
        });
        match self
            .seats
            .iter_mut()
            .enumerate()
            .find(|(_, seat)| seat.is_none())
        {
            Some((place, free)) => {
                *free = seat;
                SeatId(place)
            }
            None => {
                self.seats.push(seat);
                SeatId(self.seats.len() - 1)
            }
        }
    }

    /// Leaves; what was said last is not heard any more.
    pub fn leave(&mut self, seat: SeatId) {
        self.put(seat, &SILENT_FRAME);
        if let Some(place) = self.seats.get_mut(seat.0) {
            *place = None;
        }
        self.speaker.leave(seat.0);
    }

    /// Mutes or unmutes.
    pub fn mute(&mut self, seat: SeatId, muted: bool) {
        if muted {
            self.put(seat, &SILENT_FRAME);
        }
        if let Some(Some(place)) = self.seats.get_mut(seat.0) {
            place.muted = muted;
        }
    }

    /// What the seat says now, until it says something else.
    pub fn put(&mut self, seat: SeatId, frame: &Frame) {
        let Some(Some(place)) = self.seats.get_mut(seat.0) else {
            return;
        };
        let heard = (!place.muted).then_some(frame);
        self.speaker.put(seat.0, heard);
        let said = heard.unwrap_or(&SILENT_FRAME);
        for ((total, before), now) in self.total.iter_mut().zip(&mut place.frame).zip(said) {
            *total += i32::from(*now) - i32::from(*before);
            *before = *now;
        }
    }

    /// What the seat hears now: all but itself, held to the range of a sample.
    pub fn heard_by(&self, seat: SeatId) -> Frame {
        let own = self
            .seats
            .get(seat.0)
            .and_then(Option::as_ref)
            .map_or(&SILENT_FRAME, |seat| &seat.frame);
        let mut heard = SILENT_FRAME;
        for ((heard, total), own) in heard.iter_mut().zip(&self.total).zip(own) {
            let sum = (total - i32::from(*own)).clamp(i16::MIN.into(), i16::MAX.into());
            *heard = i16::try_from(sum).unwrap_or_default();
        }
        heard
    }

    /// Who speaks, or spoke last.
    pub fn active_speaker(&self) -> Option<SeatId> {
        self.speaker.active().map(SeatId)
    }

    /// How many seats are taken.
    pub fn len(&self) -> usize {
        self.seats.iter().flatten().count()
    }

    /// Whether nobody is there.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Random;
    use crate::tone::{power_at, sine};

    #[test]
    fn each_hears_the_others_and_not_himself() {
        let voices = [400.0, 600.0, 900.0];
        let mut mixer = Mixer::new();
        let seats: Vec<SeatId> = voices.iter().map(|_| mixer.join(false)).collect();
        let speech: Vec<Vec<i16>> = voices.iter().map(|hz| sine(*hz, -20.0, 1600)).collect();
        let mut heard = vec![Vec::new(); 3];
        for part in 0..10 {
            for (seat, said) in seats.iter().zip(&speech) {
                let frame = said[part * 160..][..160].try_into().unwrap();
                mixer.put(*seat, &frame);
            }
            for (seat, heard) in seats.iter().zip(&mut heard) {
                heard.extend(mixer.heard_by(*seat));
            }
        }
        for (me, heard) in heard.iter().enumerate() {
            for (other, hz) in voices.iter().enumerate() {
                let share = power_at(heard, *hz);
                assert!(
                    if me == other {
                        share < 0.01
                    } else {
                        share > 0.45
                    },
                    "{me} hears {share} of {other}"
                );
            }
        }
        mixer.mute(seats[0], true);
        mixer.put(seats[0], &[9; 160]);
        mixer.leave(seats[1]);
        assert_eq!(mixer.heard_by(seats[2]), SILENT_FRAME);
        assert_eq!(mixer.join(false), seats[1], "the seat is free");
    }

    #[test]
    fn the_sum_stays_that_of_the_frames() {
        let mut mixer = Mixer::new();
        let mut random = Random::new(5);
        let seats: Vec<SeatId> = (0..100).map(|_| mixer.join(false)).collect();
        let mut said = vec![SILENT_FRAME; 100];
        for _ in 0..2000 {
            let at = (random.next() % 100) as usize;
            let value = random.next() as i16;
            match random.next() % 10 {
                0 => {
                    mixer.mute(seats[at], true);
                    said[at] = SILENT_FRAME;
                    mixer.mute(seats[at], false);
                }
                _ => {
                    said[at] = [value; 160];
                    mixer.put(seats[at], &said[at]);
                }
            }
        }
        for seat in [0, 17, 99] {
            let sum: i32 = (0..100)
                .filter(|other| *other != seat)
                .map(|other| i32::from(said[other][0]))
                .sum();
            let expected = sum.clamp(i16::MIN.into(), i16::MAX.into());
            assert_eq!(i32::from(mixer.heard_by(seats[seat])[0]), expected);
        }
    }
}
