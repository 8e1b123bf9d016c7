//! What a side is told of the other one's video.

use super::Format;

/// Who sends, seen from the side that says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flow {
    /// The sayer sends.
    pub sends: bool,
    /// The sayer receives.
    pub receives: bool,
}

impl Flow {
    /// Both.
    pub const BOTH: Self = Self {
        sends: true,
        receives: true,
    };
    /// Nobody sends.
    pub const NONE: Self = Self {
        sends: false,
        receives: false,
    };

    /// Whether somebody sends.
    pub const fn is_any(self) -> bool {
        self.sends || self.receives
    }

    /// What is known of a side's wish `self` after it has answered an offer of `offered` with `said`: where it could not say yes, it
    /// has said nothing.
    #[must_use]
    pub const fn learnt(self, offered: Self, said: Self) -> Self {
        Self {
            sends: if offered.receives {
                said.sends
            } else {
                self.sends
            },
            receives: if offered.sends {
                said.receives
            } else {
                self.receives
            },
        }
    }
}

/// What one side is offered, or answered, in the other one's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The other one's formats, best first, with its parameters.
    pub formats: Vec<Format>,
    /// Who sends, seen from the other one.
    pub flow: Flow,
    /// What the other one wants to receive at most, in kbit/s (`b=AS`, RFC 8866 §5.8).
    pub bandwidth: Option<u32>,
}

/// A format that both sides have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// Its place among ours.
    pub ours: usize,
    /// Its place among the peer's.
    pub theirs: usize,
    /// Ours, as the answer to theirs.
    pub answer: Format,
}

/// What of our offer an answer has taken, in our order: formats with their payload types on both sides. A number that stayed says which
/// format is meant (RFC 3264 §6.1), where it fits; else it is as [`meet`] has it.
pub fn answered(offered: &[(u8, Format)], answer: &[(u8, Format)]) -> Vec<Met> {
    let mut met: Vec<Met> = Vec::new();
    for (ours, (number, format)) in offered.iter().enumerate() {
        let same = |(found, theirs): &(u8, Format)| found == number && format.fits(theirs);
        met.extend(answer.iter().position(same).map(|theirs| Met {
            ours,
            theirs,
            answer: format.clone(),
        }));
    }
    let ours: Vec<Format> = offered.iter().map(|(_, format)| format.clone()).collect();
    meet_beside(&ours, answer.iter().map(|(_, format)| format), met)
}

/// Which of our formats are the peer's, in our order. Each is taken once, the same configuration before one that only fits.
pub fn meet<'a>(ours: &[Format], theirs: impl Iterator<Item = &'a Format> + Clone) -> Vec<Met> {
    meet_beside(ours, theirs, Vec::new())
}

fn meet_beside<'a>(
    ours: &[Format],
    theirs: impl Iterator<Item = &'a Format> + Clone,
    mut met: Vec<Met>,
) -> Vec<Met> {
    let alike: [fn(&Format, &Format) -> bool; 2] = [Format::is_same, Format::fits];
    for alike in alike {
        for (at, format) in ours.iter().enumerate() {
            if met.iter().any(|met| met.ours == at) {
                continue;
            }
            let found = theirs.clone().enumerate().find(|(place, theirs)| {
                met.iter().all(|met| met.theirs != *place) && alike(format, theirs)
            });
            met.extend(found.map(|(place, theirs)| Met {
                ours: at,
                theirs: place,
                answer: format.in_answer_to(theirs),
            }));
        }
    }
    met.sort_by_key(|met| met.ours);
    met
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formats(ids: &[(u8, &str)]) -> Vec<Format> {
        let parse = |(mode, id): &(u8, &str)| {
            Format::parse(&format!("packetization-mode={mode};profile-level-id={id}")).unwrap()
        };
        ids.iter().map(parse).collect()
    }

    #[test]
    fn formats_that_meet() {
        for (ours, offered, places) in [
            // Nothing in common.
            (&[(1, "42e01f")][..], &[(0, "42e01f")][..], &[][..]),
            (&[(1, "64001f")], &[(1, "42e01f")], &[]),
            (&[], &[(1, "42e01f")], &[]),
            (&[(1, "42e01f")], &[], &[]),
            // The same goes first, whatever comes first.
            (&[(1, "42e01f")], &[(1, "42001f"), (1, "42e01f")], &[1]),
            (&[(1, "42e01f")], &[(1, "42001f")], &[0]),
            // Our order; each is taken once.
            (
                &[(0, "42e01f"), (1, "42e01f")],
                &[(1, "42e01f"), (0, "42e01f")],
                &[1, 0],
            ),
            (&[(1, "42e01f"), (1, "42001f")], &[(1, "42e01f")], &[0]),
            (&[(1, "42001f"), (1, "42e01f")], &[(1, "42e01f")], &[0]),
        ] {
            let (ours, offered) = (formats(ours), formats(offered));
            let met = meet(&ours, offered.iter());
            let found: Vec<usize> = met.iter().map(|met| met.theirs).collect();
            assert_eq!(found, places, "{ours:?} {offered:?}");
        }
    }

    #[test]
    fn a_number_that_stayed_says_which_format_is_meant() {
        let numbered = |all: &[(u8, &str)]| -> Vec<(u8, Format)> {
            let parse = |(number, id): &(u8, &str)| {
                (
                    *number,
                    Format::parse(&format!("profile-level-id={id}")).unwrap(),
                )
            };
            all.iter().map(parse).collect()
        };
        let offered = numbered(&[(99, "42001f"), (96, "42e01f"), (97, "64001f")]);
        for (answer, pairs) in [
            // Many a phone answers Baseline for Constrained Baseline, or the other way round.
            (&[(99, "42e01f")][..], &[(0, 0)][..]),
            (&[(96, "42801f")], &[(1, 0)]),
            (&[(120, "42e01f")], &[(1, 0)]),
            (&[(97, "42e01f")], &[(1, 0)]),
            (&[(97, "64001f"), (96, "42e01f")], &[(1, 1), (2, 0)]),
            (&[(97, "4d001f")], &[]),
        ] {
            let answer = numbered(answer);
            let met = answered(&offered, &answer);
            let found: Vec<_> = met.iter().map(|met| (met.ours, met.theirs)).collect();
            assert_eq!(found, pairs, "{answer:?}");
        }
    }

    #[test]
    fn wishes_are_learnt_from_what_could_be_said() {
        let flow = |text: &str| Flow {
            sends: text.contains('s'),
            receives: text.contains('r'),
        };
        for (wish, offered, said, learnt) in [
            ("sr", "sr", "sr", "sr"),
            ("sr", "sr", "r", "r"),
            ("sr", "sr", "", ""),
            // Held: an answer of inactive says nothing.
            ("sr", "", "", "sr"),
            ("sr", "s", "r", "sr"),
            ("sr", "s", "", "s"),
            ("r", "r", "s", "sr"),
        ] {
            assert_eq!(
                flow(wish).learnt(flow(offered), flow(said)),
                flow(learnt),
                "{wish} {offered} {said}"
            );
        }
    }
}
