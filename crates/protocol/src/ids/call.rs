//! Identifiers of a call at the SIP media application.

use super::{id, visible_ascii};

id!(plain
    /// `CallDetails.TransactionId`: one whole call with all its legs (facts E2). A UUID at Amazon; any 1 to 256 visible
    /// ASCII characters are taken, as handlers only hand it back.
    TransactionId, "1 to 256 visible ASCII characters", |text| visible_ascii(text, 256));

id!(plain
    /// `Participants[].CallId`: one leg of a call (facts E2). A UUID at Amazon; any 1 to 256 visible ASCII characters
    /// are taken.
    CallId, "1 to 256 visible ASCII characters", |text| visible_ascii(text, 256));
