//! H.264 through the gateway: a device by aiortc, a phone by FFmpeg, neither of which anybody here wrote. Each shows a colour, and says
//! which one it sees.

#[path = "../support/mod.rs"]
mod support;

mod call;
mod elsewhere;
mod pictures;
mod program;
mod sip_phone;

use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
const RED: [u8; 3] = [220, 30, 30];
const GREEN: [u8; 3] = [30, 200, 30];
const BLUE: [u8; 3] = [30, 30, 220];
const WHITE: [u8; 3] = [230, 230, 230];
/// Pictures from one key frame to the next, where they come only when they are asked for.
const NEVER: u32 = 100_000;
