//! Which packets were received before (RFC 3711 §3.3.2).

/// A window of 128 indices below the highest.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    highest: Option<u64>,
    /// Bit n: the index `highest - n` was received.
    seen: u128,
}

impl Window {
    pub(super) const fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// Whether a packet with this index may be new.
    pub(super) fn may_be_new(&self, index: u64) -> bool {
        match self.highest {
            Some(highest) if index <= highest => {
                let behind = highest - index;
                behind < 128 && self.seen & (1 << behind) == 0
            }
            _ => true,
        }
    }

    /// Notes a packet whose tag was right.
    pub(super) fn note(&mut self, index: u64) {
        match self.highest {
            Some(highest) if index <= highest => {
                let behind = highest - index;
                if behind < 128 {
                    self.seen |= 1 << behind;
                }
            }
            before => {
                let by = before.map_or(128, |highest| index - highest);
                let shifted = u32::try_from(by)
                    .ok()
                    .and_then(|by| self.seen.checked_shl(by));
                self.seen = shifted.unwrap_or(0) | 1;
                self.highest = Some(index);
            }
        }
    }
}
