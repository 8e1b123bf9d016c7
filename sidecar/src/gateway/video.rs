//! Video that passes through: what each side is told of the other one's, and when it is to be told anew (docs/gateway.md).
//!
//! A side that has no video, or has refused it, is told nothing more until one of the two offers it again. What a side wants is what it
//! says where it could have said more; so a side that was held goes on as before.

use skillcall_video::{Flow, Terms};

use super::event::Side;

/// What is known of a side's video.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Can {
    /// It was not asked.
    Unasked,
    /// It speaks these formats; the flow is what it wants.
    Able(Terms),
    /// It has none, or refuses it.
    Unable,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Party {
    can: Can,
    /// What it was told last of the other side's.
    told: Option<Terms>,
    holds: bool,
}

impl Party {
    const NEW: Self = Self {
        can: Can::Unasked,
        told: None,
        holds: false,
    };
}

/// The video of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Video {
    on: bool,
    device: Party,
    phone: Party,
}

impl Video {
    /// A call of which nothing is known; `on`: H.264 passes.
    pub(crate) const fn new(on: bool) -> Self {
        Self {
            on,
            device: Party::NEW,
            phone: Party::NEW,
        }
    }

    const fn party(&self, side: Side) -> (&Party, &Party) {
        match side {
            Side::Alexa => (&self.device, &self.phone),
            Side::Phone => (&self.phone, &self.device),
        }
    }

    const fn party_mut(&mut self, side: Side) -> (&mut Party, &mut Party) {
        match side {
            Side::Alexa => (&mut self.device, &mut self.phone),
            Side::Phone => (&mut self.phone, &mut self.device),
        }
    }

    /// What a side is to be told now; none: nothing of video, and what it offers is rejected.
    pub(crate) fn terms_for(&self, side: Side) -> Option<Terms> {
        let (this, other) = self.party(side);
        match (&this.can, &other.can) {
            _ if !self.on => None,
            (_, Can::Able(terms)) => {
                let mut terms = terms.clone();
                if other.holds {
                    terms.flow = Flow::NONE;
                }
                Some(terms)
            }
            // It is taken, and stands still until the other side has said what it wants.
            (Can::Able(own), Can::Unasked) => Some(Terms {
                formats: own.formats.clone(),
                flow: Flow::NONE,
                bandwidth: None,
            }),
            _ => None,
        }
    }

    /// A side was told this in a description of ours.
    pub(crate) fn told(&mut self, side: Side, terms: Option<Terms>) {
        self.party_mut(side).0.told = terms;
    }

    /// An offer of a side's says this of its video; none: it has none.
    pub(crate) fn offers(&mut self, side: Side, said: Option<Terms>) {
        let (this, other) = self.party_mut(side);
        let is_new = !matches!(this.can, Can::Able(_));
        this.can = match said {
            Some(terms) => Can::Able(terms),
            None => Can::Unable,
        };
        // Who has refused before is asked again, once for each time that video begins.
        if is_new && matches!(this.can, Can::Able(_)) && other.can == Can::Unable {
            other.can = Can::Unasked;
            other.told = None;
        }
    }

    /// A side's answer to an offer of ours says this of its video; none: it refuses it, or was offered none.
    pub(crate) fn answers(&mut self, side: Side, said: Option<Terms>) {
        let (this, _) = self.party_mut(side);
        let Some(told) = &this.told else { return };
        let before = match &this.can {
            Can::Able(terms) => Some(terms.clone()),
            Can::Unasked | Can::Unable => None,
        };
        this.can = match (said, before) {
            (None, _) => Can::Unable,
            (Some(said), None) => Can::Able(Terms {
                flow: Flow::BOTH.learnt(told.flow, said.flow),
                ..said
            }),
            // What it can do beside what it has chosen now is known.
            (Some(said), Some(before)) => Can::Able(Terms {
                flow: before.flow.learnt(told.flow, said.flow),
                ..before
            }),
        };
    }

    /// A side holds the other one, or holds it no more.
    pub(crate) const fn holds(&mut self, side: Side, holds: bool) {
        self.party_mut(side).0.holds = holds;
    }

    /// A side has refused an offer of ours as a whole: it is not asked for video again.
    pub(crate) fn refuses(&mut self, side: Side) {
        let (this, _) = self.party_mut(side);
        if this.can == Can::Unasked && this.told.is_some() {
            this.can = Can::Unable;
        }
    }

    /// Another party is on a side: nothing is known of it.
    pub(crate) fn replaced(&mut self, side: Side) {
        *self.party_mut(side).0 = Party::NEW;
    }

    /// Whether a side has to be told by an offer of ours.
    pub(crate) fn is_due(&self, side: Side) -> bool {
        let (this, other) = self.party(side);
        let terms = self.terms_for(side);
        match &this.can {
            Can::Unable => false,
            Can::Unasked => {
                let asked = this.told.is_some();
                !asked && matches!(other.can, Can::Able(_)) && moves(&terms).is_some()
            }
            Can::Able(_) => !is_alike(moves(&terms), moves(&this.told)),
        }
    }
}

/// Terms under which something is sent.
fn moves(terms: &Option<Terms>) -> Option<&Terms> {
    terms.as_ref().filter(|terms| terms.flow.is_any())
}

fn is_alike(one: Option<&Terms>, other: Option<&Terms>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => {
            let mut formats = one.formats.iter().zip(&other.formats);
            one.flow == other.flow
                && one.formats.len() == other.formats.len()
                && formats.all(|(one, other)| one.is_same(other))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use skillcall_video::Format;

    use super::*;

    const A: &str = "packetization-mode=1;profile-level-id=42e01f";
    const B: &str = "packetization-mode=0;profile-level-id=42e01f";

    fn terms(formats: &[&str], flow: &str) -> Option<Terms> {
        Some(Terms {
            formats: formats
                .iter()
                .map(|it| Format::parse(it).unwrap())
                .collect(),
            flow: Flow {
                sends: flow.contains('s'),
                receives: flow.contains('r'),
            },
            bandwidth: None,
        })
    }

    /// Tells a side what it is to be told.
    fn tell(video: &mut Video, side: Side) -> Option<Terms> {
        let terms = video.terms_for(side);
        video.told(side, terms.clone());
        terms
    }

    fn nothing_is_due(video: &Video) {
        assert!(
            !video.is_due(Side::Alexa) && !video.is_due(Side::Phone),
            "{video:#?}"
        );
    }

    /// A device has called with both formats, and the phone has taken the first.
    fn up() -> Video {
        let mut video = Video::new(true);
        video.offers(Side::Alexa, terms(&[A, B], "sr"));
        assert_eq!(tell(&mut video, Side::Phone), terms(&[A, B], "sr"));
        video.answers(Side::Phone, terms(&[A], "sr"));
        assert_eq!(tell(&mut video, Side::Alexa), terms(&[A], "sr"));
        nothing_is_due(&video);
        video
    }

    #[test]
    fn where_it_is_off_nothing_is_said() {
        let mut video = Video::new(false);
        video.offers(Side::Alexa, terms(&[A], "sr"));
        assert_eq!(tell(&mut video, Side::Phone), None);
        video.answers(Side::Phone, None);
        assert_eq!(video.terms_for(Side::Alexa), None);
        video.offers(Side::Phone, terms(&[A], "sr"));
        nothing_is_due(&video);
    }

    #[test]
    fn who_has_no_video_leaves_the_other_side_without() {
        let mut video = Video::new(true);
        video.offers(Side::Alexa, None);
        assert_eq!(tell(&mut video, Side::Phone), None);
        video.answers(Side::Phone, None);
        nothing_is_due(&video);
        let mut video = Video::new(true);
        video.offers(Side::Alexa, terms(&[A], "sr"));
        tell(&mut video, Side::Phone);
        video.answers(Side::Phone, None);
        assert_eq!(tell(&mut video, Side::Alexa), None);
        nothing_is_due(&video);
        // The device says the same with each hold: nobody is asked again.
        video.offers(Side::Alexa, terms(&[A], "s"));
        nothing_is_due(&video);
        // It ends, and begins anew: the phone is asked once more, and the device's stands still until it has answered.
        video.offers(Side::Alexa, None);
        video.offers(Side::Alexa, terms(&[A], "sr"));
        assert_eq!(tell(&mut video, Side::Alexa), terms(&[A], ""));
        assert!(video.is_due(Side::Phone));
        tell(&mut video, Side::Phone);
        assert!(!video.is_due(Side::Phone), "it is being asked");
        video.refuses(Side::Phone);
        nothing_is_due(&video);
        assert_eq!(video.terms_for(Side::Alexa), None);
    }

    #[test]
    fn a_fork_without_video_stops_what_the_one_before_began() {
        let mut video = up();
        video.answers(Side::Phone, None);
        assert!(video.is_due(Side::Alexa));
        assert_eq!(tell(&mut video, Side::Alexa), None);
        nothing_is_due(&video);
    }

    #[test]
    fn a_hold_stops_it_and_its_end_begins_it_again() {
        for (who, other) in [(Side::Alexa, Side::Phone), (Side::Phone, Side::Alexa)] {
            let mut video = up();
            let begin = video.terms_for(other);
            // Whoever holds says so, and is answered.
            video.offers(who, terms(&[A, B], "s"));
            video.holds(who, true);
            tell(&mut video, who);
            assert!(!video.is_due(who), "{who:?}");
            assert!(video.is_due(other), "{who:?}");
            let told = tell(&mut video, other).unwrap();
            assert_eq!(told.flow, Flow::NONE);
            video.answers(other, terms(&[A], ""));
            nothing_is_due(&video);
            // What the held side answered was no wish of its own.
            let wish = terms(&[A, B], "sr");
            video.offers(
                who,
                if who == Side::Alexa {
                    wish
                } else {
                    begin.clone()
                },
            );
            video.holds(who, false);
            assert_eq!(tell(&mut video, who).unwrap().flow, Flow::BOTH);
            assert!(video.is_due(other), "{who:?}");
            assert_eq!(tell(&mut video, other), begin);
            video.answers(other, terms(&[A], "sr"));
            nothing_is_due(&video);
        }
    }

    #[test]
    fn a_camera_that_is_switched_off_is_told() {
        let mut video = up();
        video.offers(Side::Phone, terms(&[A], "r"));
        assert_eq!(tell(&mut video, Side::Phone), terms(&[A, B], "sr"));
        assert!(video.is_due(Side::Alexa));
        assert_eq!(tell(&mut video, Side::Alexa), terms(&[A], "r"));
        // The device could not say that it wants to receive.
        video.answers(Side::Alexa, terms(&[A], "s"));
        nothing_is_due(&video);
        assert_eq!(video.terms_for(Side::Phone), terms(&[A, B], "sr"));
    }

    #[test]
    fn a_phone_adds_and_removes_video() {
        let mut video = Video::new(true);
        // A phone without video has called; the device was offered none.
        video.offers(Side::Phone, None);
        assert_eq!(tell(&mut video, Side::Alexa), None);
        video.answers(Side::Alexa, None);
        nothing_is_due(&video);
        video.offers(Side::Phone, terms(&[A], "sr"));
        // It is taken, and stands still until the device has said what it wants.
        assert_eq!(tell(&mut video, Side::Phone), terms(&[A], ""));
        assert!(video.is_due(Side::Alexa));
        assert_eq!(tell(&mut video, Side::Alexa), terms(&[A], "sr"));
        let mut refused = video.clone();
        refused.answers(Side::Alexa, None);
        assert_eq!(refused.terms_for(Side::Phone), None);
        nothing_is_due(&refused);
        video.answers(Side::Alexa, terms(&[A], "sr"));
        assert!(video.is_due(Side::Phone));
        assert_eq!(tell(&mut video, Side::Phone), terms(&[A], "sr"));
        video.answers(Side::Phone, terms(&[A], "sr"));
        nothing_is_due(&video);
        video.offers(Side::Phone, None);
        tell(&mut video, Side::Phone);
        assert!(video.is_due(Side::Alexa));
        assert_eq!(tell(&mut video, Side::Alexa), None);
        nothing_is_due(&video);
    }

    #[test]
    fn another_phone_begins_anew() {
        let mut video = up();
        video.replaced(Side::Phone);
        // It was called with the device's terms.
        tell(&mut video, Side::Phone);
        video.answers(Side::Phone, None);
        assert!(video.is_due(Side::Alexa));
        tell(&mut video, Side::Alexa);
        nothing_is_due(&video);
    }
}
