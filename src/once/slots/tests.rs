//! Claims, ends, and what happens when the slots are full.

use super::*;
use crate::testing::Memory;

const SMALL: Table = Table {
    name: "small",
    slots: 4,
};

fn mine(claim: Claim) -> Entry {
    match claim {
        Claim::Mine(entry) => entry,
        Claim::Taken(entry) => panic!("taken: {entry:?}"),
    }
}

#[test]
fn an_id_is_claimed_once_until_it_ends() {
    let host = Memory::new();
    let entry = mine(SMALL.claim(&host, "a", b"1", 60).unwrap());
    assert!(
        matches!(SMALL.claim(&host, "a", b"2", 60).unwrap(), Claim::Taken(taken) if taken.value == b"1")
    );
    SMALL.replace(&host, &entry, b"3", 60).unwrap();
    assert_eq!(SMALL.find(&host, "a").unwrap().unwrap().value, b"3");
    host.pass_seconds(61);
    assert_eq!(SMALL.find(&host, "a").unwrap(), None);
    mine(SMALL.claim(&host, "a", b"4", 60).unwrap());
}

#[test]
fn what_was_released_is_free() {
    let host = Memory::new();
    let entry = mine(SMALL.claim(&host, "a", b"1", 60).unwrap());
    SMALL.release(&host, &entry).unwrap();
    mine(SMALL.claim(&host, "a", b"2", 60).unwrap());
}

#[test]
fn the_store_never_grows_beyond_its_slots_and_the_newest_id_is_there() {
    let host = Memory::new();
    for n in 0..200u32 {
        let id = format!("id {n}");
        mine(SMALL.claim(&host, &id, &n.to_be_bytes(), 60).unwrap());
        assert_eq!(
            SMALL.find(&host, &id).unwrap().unwrap().value,
            n.to_be_bytes()
        );
        assert!(host.state.lock().unwrap().len() <= 4);
    }
}

#[test]
fn of_full_slots_the_one_that_ends_first_gives_way() {
    let host = Memory::new();
    let one = Table {
        name: "one",
        slots: 1,
    };
    mine(one.claim(&host, "old", b"", 10).unwrap());
    mine(one.claim(&host, "new", b"", 60).unwrap());
    assert_eq!(one.find(&host, "old").unwrap(), None);
    assert!(one.find(&host, "new").unwrap().is_some());
}

#[test]
fn of_two_claims_of_one_id_in_two_slots_the_earlier_one_holds() {
    let host = Memory::new();
    let table = Table {
        name: "wide",
        slots: 16_384,
    };
    let first = mine(table.claim(&host, "a", b"first", 60).unwrap());
    let slots = table.candidates(&first.id);
    assert!(
        slots.iter().any(|slot| *slot != first.slot),
        "the test needs two candidates"
    );
    let other = *slots.iter().find(|slot| **slot != first.slot).unwrap();
    let late = Entry {
        slot: other,
        claimant: [9; 8],
        claimed_ms: first.claimed_ms + 1,
        value: b"late".to_vec(),
        ..first.clone()
    };
    host.state_set(&table.key(other), &late.bytes(), 60)
        .unwrap();
    assert!(
        matches!(table.settle(&host, late, &slots).unwrap(), Claim::Taken(entry) if entry.value == b"first")
    );
    assert!(matches!(
        table.settle(&host, first, &slots).unwrap(),
        Claim::Mine(_)
    ));
}

#[test]
fn entries_that_are_too_short_are_none() {
    let host = Memory::new();
    for slot in 0..4 {
        host.state_set(&SMALL.key(slot), b"short", 60).unwrap();
    }
    assert_eq!(SMALL.find(&host, "a").unwrap(), None);
    mine(SMALL.claim(&host, "a", b"1", 60).unwrap());
}
