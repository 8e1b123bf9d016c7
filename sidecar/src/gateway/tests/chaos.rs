//! Many faults at once: every call ends, and nothing is left.

use proptest::prelude::*;

use super::super::session::Caller;
use super::world::{Fault, Plot, World};

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        4 => Just(Fault::None),
        1 => Just(Fault::Lost),
        1 => Just(Fault::ReplyLost),
        1 => Just(Fault::Twice),
        1 => Just(Fault::Late),
        1 => Just(Fault::Overtaken),
    ]
}

fn harmless() -> impl Strategy<Value = Fault> {
    prop_oneof![Just(Fault::None), Just(Fault::Twice), Just(Fault::Late)]
}

fn plot() -> impl Strategy<Value = Plot> {
    (any::<[bool; 4]>()).prop_map(|[alexa, early_media, holds, phone_holds]| Plot {
        caller: if alexa { Caller::Alexa } else { Caller::Phone },
        early_media,
        holds,
        phone_holds,
    })
}

proptest! {
    /// [`World::play`] asserts that the session ends, that the phone is gone, and that no timer is left.
    #[test]
    fn whatever_happens_it_ends(plot in plot(), faults in prop::collection::vec(fault(), 0..40)) {
        let mut faults = faults.into_iter();
        let story = World::play(plot, |_| faults.next().unwrap_or(Fault::None));
        prop_assert!(story.seconds <= 120, "{story:?}");
    }

    /// Repetitions and delays below the timers never cost a call.
    #[test]
    fn repetitions_and_delays_cost_nothing(plot in plot(), faults in prop::collection::vec(harmless(), 0..40)) {
        let mut faults = faults.into_iter();
        let story = World::play(plot, |_| faults.next().unwrap_or(Fault::None));
        prop_assert!(story.talked, "{story:?}");
    }
}
