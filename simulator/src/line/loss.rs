//! A network that loses packets.

/// Loses a share of packets, evenly spread, so that each call is like the other.
#[derive(Debug)]
pub(super) struct Loss {
    share: f64,
    due: f64,
}

impl Loss {
    /// A share of 0 to 0.5.
    pub(super) fn new(share: f64) -> Self {
        // A call may not come to nothing by its network alone; what is no number loses nothing.
        let share = if share > 0.0 { share.min(0.5) } else { 0.0 };
        Self { share, due: 0.0 }
    }

    /// Whether the packet that is sent now is lost.
    pub(super) fn strikes(&mut self) -> bool {
        self.due += self.share;
        let strikes = self.due >= 1.0;
        if strikes {
            self.due -= 1.0;
        }
        strikes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(share: f64) -> usize {
        let mut loss = Loss::new(share);
        (0..1000).filter(|_| loss.strikes()).count()
    }

    #[test]
    fn the_share_of_packets_is_lost_evenly_and_never_more_than_half() {
        assert_eq!(struck(0.0), 0);
        assert!(struck(0.05).abs_diff(50) <= 1, "{}", struck(0.05));
        assert_eq!(struck(2.0), 500);
        assert_eq!(struck(-1.0), 0);
        assert_eq!(struck(f64::NAN), 0);
        let mut loss = Loss::new(0.25);
        let struck: Vec<bool> = (0..8).map(|_| loss.strikes()).collect();
        assert_eq!(
            struck,
            [false, false, false, true, false, false, false, true]
        );
    }
}
