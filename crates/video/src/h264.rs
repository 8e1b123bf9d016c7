//! Formats of H.264 in session descriptions (RFC 6184 §8).

/// The most bytes of a format's parameters that are passed on: parameter sets are some dozens.
const MAX_PARAMETERS: usize = 1_024;
/// What is counted on where no `profile-level-id` is said: Constrained Baseline at level 1. RFC 6184 §8.1 has Baseline, whose extras no
/// encoder of today uses; Chromium reads it so too.
const UNSAID: [u8; 3] = [0x42, 0xe0, 0x0a];

/// Which tools of H.264 a stream may use (RFC 6184 §8.1, table 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// What Alexa's devices speak (facts G1), and all browsers (RFC 7742 §6.2).
    ConstrainedBaseline,
    /// With redundant slices and free order of macroblocks, which nobody sends.
    Baseline,
    /// Main.
    Main,
    /// Extended.
    Extended,
    /// High.
    High,
    /// High without interlacing and B slices.
    ConstrainedHigh,
    /// Any other: `profile_idc` and `profile-iop`.
    Other(u8, u8),
}

impl Profile {
    /// By the first two bytes of `profile-level-id`.
    pub const fn new(idc: u8, iop: u8) -> Self {
        match (idc, iop) {
            (0x42, iop) if iop & 0x4f == 0x40 => Self::ConstrainedBaseline,
            (0x4d, iop) if iop & 0x8f == 0x80 => Self::ConstrainedBaseline,
            (0x58, iop) if iop & 0xcf == 0xc0 => Self::ConstrainedBaseline,
            (0x42, iop) if iop & 0x4f == 0 => Self::Baseline,
            (0x58, iop) if iop & 0xcf == 0x80 => Self::Baseline,
            (0x4d, iop) if iop & 0xaf == 0 => Self::Main,
            (0x58, iop) if iop & 0xcf == 0 => Self::Extended,
            (0x64, 0) => Self::High,
            (0x64, 0x0c) => Self::ConstrainedHigh,
            _ => Self::Other(idc, iop),
        }
    }

    /// Whether a stream of the one is taken by who names the other: they are the same, or both Baseline, constrained or not.
    const fn is_akin(self, other: Self) -> bool {
        use Profile::{Baseline, ConstrainedBaseline};
        matches!(
            (self, other),
            (
                ConstrainedBaseline | Baseline,
                ConstrainedBaseline | Baseline
            )
        )
    }
}

/// One format of H.264: what `a=fmtp` says behind the payload type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    mode: u8,
    id: [u8; 3],
    asymmetric: bool,
    /// As they are written: `name=value`, without what decides here.
    others: Vec<(String, String)>,
    /// Whether the three bytes and the mode were said.
    said: (bool, bool),
}

impl Format {
    /// Whether the value of an `a=rtpmap` behind the payload type is H.264's.
    pub fn is_named(encoding: &str) -> bool {
        encoding
            .trim()
            .split_once('/')
            .is_some_and(|(name, clock)| name.eq_ignore_ascii_case("H264") && clock == "90000")
    }

    /// The value of `a=rtpmap` behind the payload type.
    pub const ENCODING: &'static str = "H264/90000";

    /// Reads the value of `a=fmtp` behind the payload type; empty: there is none. `None`: it is not what is passed on: interleaved
    /// (mode 2), or not to be read.
    pub fn parse(parameters: &str) -> Option<Self> {
        let mut format = Self {
            mode: 0,
            id: UNSAID,
            asymmetric: false,
            others: Vec::new(),
            said: (false, false),
        };
        if parameters.len() > MAX_PARAMETERS {
            return None;
        }
        for part in parameters.split(';').map(str::trim) {
            let Some((name, value)) = part.split_once('=') else {
                continue;
            };
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
            match name.as_str() {
                "packetization-mode" => {
                    format.mode = value.parse().ok().filter(|mode| *mode < 2)?;
                    format.said.1 = true;
                }
                "profile-level-id" => {
                    format.id = bytes(value)?;
                    format.said.0 = true;
                }
                "level-asymmetry-allowed" => format.asymmetric = value == "1",
                _ if is_token(&name) && is_harmless(value) => {
                    format.others.push((name, value.to_owned()));
                }
                _ => {}
            }
        }
        Some(format)
    }

    /// 0: one unit a packet; 1: also parts and bundles of units (RFC 6184 §5.2).
    pub const fn mode(&self) -> u8 {
        self.mode
    }

    /// The profile.
    pub const fn profile(&self) -> Profile {
        Profile::new(self.id[0], self.id[1])
    }

    /// Whether both are one configuration: the same mode and profile (RFC 6184 §8.2.2). Levels may differ.
    pub fn is_same(&self, other: &Self) -> bool {
        self.mode == other.mode && self.profile() == other.profile()
    }

    /// Whether packets of the one may be passed to who speaks the other: one configuration, or Baseline in both of its forms.
    pub fn fits(&self, other: &Self) -> bool {
        self.mode == other.mode
            && (self.profile() == other.profile() || self.profile().is_akin(other.profile()))
    }

    /// Ten times the level, and level 1b between 1 and 1.1 (RFC 6184 §8.1).
    const fn level(&self) -> u16 {
        let [idc, iop, level] = self.id;
        let is_1b =
            (matches!(idc, 0x42 | 0x4d | 0x58) && level == 11 && iop & 0x10 != 0) || level == 9;
        if is_1b { 105 } else { 10 * level as u16 }
    }

    /// This format as the answer to `offered`: its level is no higher than the offer's, unless both may differ (RFC 6184 §8.2.2).
    #[must_use]
    pub fn in_answer_to(&self, offered: &Self) -> Self {
        let mut answer = self.clone();
        if !(self.asymmetric && offered.asymmetric) && self.level() > offered.level() {
            answer.id[2] = offered.id[2];
            answer.id[1] = self.id[1] & !0x10 | offered.id[1] & 0x10;
        }
        answer
    }

    /// The value of `a=fmtp` behind the payload type; empty: there is nothing to say.
    pub fn parameters(&self) -> String {
        let mut parts = Vec::new();
        if self.asymmetric {
            parts.push("level-asymmetry-allowed=1".to_owned());
        }
        if self.said.1 {
            parts.push(format!("packetization-mode={}", self.mode));
        }
        if self.said.0 {
            let [idc, iop, level] = self.id;
            parts.push(format!("profile-level-id={idc:02x}{iop:02x}{level:02x}"));
        }
        let others = self.others.iter();
        parts.extend(others.map(|(name, value)| format!("{name}={value}")));
        parts.join(";")
    }
}

/// Three bytes in six digits.
fn bytes(value: &str) -> Option<[u8; 3]> {
    if value.len() != 6 || !value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let number = u32::from_str_radix(value, 16).ok()?;
    let [_, idc, iop, level] = number.to_be_bytes();
    Some([idc, iop, level])
}

fn is_token(name: &str) -> bool {
    (1..=48).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// What may stand in a description of ours.
fn is_harmless(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(parameters: &str) -> Format {
        Format::parse(parameters).unwrap()
    }

    fn id(text: &str) -> Profile {
        format(&format!("profile-level-id={text}")).profile()
    }

    #[test]
    fn profiles_by_table_5() {
        use Profile::*;
        for (text, profile) in [
            ("42e01f", ConstrainedBaseline),
            ("42C00D", ConstrainedBaseline),
            ("42401e", ConstrainedBaseline),
            ("4d801f", ConstrainedBaseline),
            ("58c01f", ConstrainedBaseline),
            ("42001f", Baseline),
            ("42801f", Baseline),
            ("58801f", Baseline),
            ("4d001f", Main),
            ("4d401f", Main),
            ("58001f", Extended),
            ("64001f", High),
            ("640c1f", ConstrainedHigh),
            ("6e001f", Other(0x6e, 0)),
            ("f4001f", Other(0xf4, 0)),
            ("42011f", Other(0x42, 1)),
        ] {
            assert_eq!(id(text), profile, "{text}");
        }
    }

    #[test]
    fn which_formats_are_the_same() {
        for (one, other, same, fits) in [
            ("", "", true, true),
            (
                "",
                "packetization-mode=0;profile-level-id=42e01f",
                true,
                true,
            ),
            (
                "",
                "packetization-mode=1;profile-level-id=42e01f",
                false,
                false,
            ),
            (
                "profile-level-id=42e01f",
                "profile-level-id=42c01e",
                true,
                true,
            ),
            (
                "profile-level-id=42e01f",
                "profile-level-id=4d801f",
                true,
                true,
            ),
            // Constrained or not: taken, as what only Baseline has is not sent.
            (
                "profile-level-id=42e01f",
                "profile-level-id=42801f",
                false,
                true,
            ),
            (
                "profile-level-id=42e01f",
                "profile-level-id=4d001f",
                false,
                false,
            ),
            (
                "profile-level-id=42e01f",
                "profile-level-id=64001f",
                false,
                false,
            ),
            (
                "profile-level-id=64001f",
                "profile-level-id=640c1f",
                false,
                false,
            ),
            (
                "profile-level-id=6e001f",
                "profile-level-id=6e0028",
                true,
                true,
            ),
            (
                "packetization-mode=1;profile-level-id=42e01f",
                "profile-level-id=42e034;packetization-mode=1;level-asymmetry-allowed=1",
                true,
                true,
            ),
        ] {
            let (one, other) = (format(one), format(other));
            assert_eq!(one.is_same(&other), same, "{one:?} {other:?}");
            assert_eq!(other.is_same(&one), same, "{one:?} {other:?}");
            assert_eq!(one.fits(&other), fits, "{one:?} {other:?}");
            assert_eq!(other.fits(&one), fits, "{one:?} {other:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_no_format() {
        for wrong in [
            "packetization-mode=2",
            "packetization-mode=x",
            "profile-level-id=42e01",
            "profile-level-id=42e0zz",
            "profile-level-id=+2e01f",
            &"a=b;".repeat(300),
        ] {
            assert_eq!(Format::parse(wrong), None, "{wrong}");
        }
        assert!(Format::is_named("h264/90000") && !Format::is_named("H264/8000"));
        assert!(!Format::is_named("H265/90000") && !Format::is_named("H264"));
    }

    #[test]
    fn parameters_are_passed_on_and_nothing_else() {
        let written = format(
            "Profile-Level-Id=42E01F; packetization-mode=1 ;max-br=3000;sprop-parameter-sets=Z0IACpZTBYmI,aMljiA==;\
             apt;bad name=1;level-asymmetry-allowed=1;x=a b",
        )
        .parameters();
        assert_eq!(
            written,
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f;max-br=3000;\
             sprop-parameter-sets=Z0IACpZTBYmI,aMljiA=="
        );
        assert_eq!(format("").parameters(), "");
    }

    #[test]
    fn levels_in_answers() {
        let answered =
            |answer: &str, offer: &str| format(answer).in_answer_to(&format(offer)).parameters();
        // No higher than the offer's.
        assert_eq!(
            answered("profile-level-id=42e034", "profile-level-id=42e01f"),
            "profile-level-id=42e01f"
        );
        assert_eq!(
            answered("profile-level-id=42e00d", "profile-level-id=42e01f"),
            "profile-level-id=42e00d"
        );
        // Both allow that they differ.
        let high = "level-asymmetry-allowed=1;profile-level-id=42e034";
        let low = "level-asymmetry-allowed=1;profile-level-id=42e01f";
        assert_eq!(answered(high, low), high);
        assert_eq!(
            answered(high, "profile-level-id=42e01f"),
            "level-asymmetry-allowed=1;profile-level-id=42e01f"
        );
        // Level 1b is between 1 and 1.1.
        assert_eq!(
            answered("profile-level-id=42e00b", "profile-level-id=42f00b"),
            "profile-level-id=42f00b"
        );
        assert_eq!(
            answered("profile-level-id=42f00b", "profile-level-id=42e00a"),
            "profile-level-id=42e00a"
        );
    }
}
