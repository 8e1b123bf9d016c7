//! The order in which targets and SRV records are tried: by priority, then drawn by weight (RFC 2782).

/// The places of `items` in the order to try them. Each item says its priority (the lowest first) and its weight: the
/// chance to come first among those of its priority, in proportion. `draw` gives a number from 0 up to and including
/// its argument, by chance.
pub(crate) fn by_priority(items: &[(u16, u16)], mut draw: impl FnMut(u32) -> u32) -> Vec<usize> {
    let mut waiting: Vec<usize> = (0..items.len()).collect();
    let of = |place: usize| items.get(place).copied().unwrap_or((u16::MAX, 0));
    // Those without weight stand first, so that a draw of 0 can find them (RFC 2782, "Weight").
    waiting.sort_by_key(|place| (of(*place).0, of(*place).1 != 0));
    let mut ordered = Vec::with_capacity(waiting.len());
    while let Some(&first) = waiting.first() {
        let priority = of(first).0;
        let peers = waiting.iter().take_while(|p| of(**p).0 == priority);
        let sum: u32 = peers.clone().map(|p| u32::from(of(*p).1)).sum();
        let drawn = draw(sum);
        let mut running = 0;
        let chosen = peers
            .enumerate()
            .find(|(_, place)| {
                running += u32::from(of(**place).1);
                running >= drawn
            })
            .map_or(0, |(at, _)| at);
        ordered.push(waiting.remove(chosen));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_come_first_and_weights_share() {
        let items = [(20, 1), (10, 0), (10, 30), (10, 10)];
        assert_eq!(by_priority(&items, |_| 0), [1, 2, 3, 0]);
        assert_eq!(by_priority(&items, |most| most), [3, 2, 1, 0]);
        assert_eq!(by_priority(&items, |most| most.min(30)), [2, 3, 1, 0]);
        assert!(by_priority(&[], |_| 0).is_empty());
        // Each of the sums that can be drawn once: 30 of 40 lead to the heavier one.
        let pair = [(1, 30), (1, 10)];
        let first = (1..=40)
            .filter(|drawn| by_priority(&pair, |most| most.min(*drawn)).first() == Some(&0))
            .count();
        assert_eq!(first, 30);
    }
}
