//! What a stranger did, and how grave it is.

use std::fmt;

use serde::Serialize;

/// What a stranger is marked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "offence", content = "detail")]
pub(crate) enum Offence {
    /// A request that would begin something: INVITE, REGISTER, OPTIONS and the like.
    Knocked,
    /// What came was no SIP.
    Malformed,
    /// It calls itself a scanner in User-Agent, as this text shows.
    Scanner(String),
    /// It gave wrong credentials.
    WrongCredentials,
}

impl Offence {
    /// Marks; `enough` of them are a ban.
    pub(super) fn marks(&self, enough: u32) -> u32 {
        match self {
            Self::Knocked => 1,
            Self::Malformed | Self::WrongCredentials => 2,
            Self::Scanner(_) => enough,
        }
    }
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Knocked => f.write_str("it keeps sending requests, and is no known source"),
            Self::Malformed => f.write_str("it keeps sending what is no SIP"),
            Self::Scanner(agent) => write!(f, "it is a scanner: User-Agent {agent:?}"),
            Self::WrongCredentials => f.write_str("it keeps giving wrong credentials"),
        }
    }
}

/// Longest User-Agent that is repeated.
const LONGEST_AGENT: usize = 64;

/// The User-Agent of a message, if it is one of the scanners'. Compared without regard to case, from its beginning.
pub(super) fn scanner(message: &[u8], scanners: &[String]) -> Option<Offence> {
    let agent = user_agent(message)?;
    let is_one = scanners.iter().any(|scanner| {
        agent
            .get(..scanner.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(scanner.as_bytes()))
    });
    is_one.then(|| {
        let shown = agent.get(..LONGEST_AGENT).unwrap_or(agent);
        Offence::Scanner(String::from_utf8_lossy(shown).into_owned())
    })
}

/// The value of the first User-Agent header within the first 4 KiB.
fn user_agent(message: &[u8]) -> Option<&[u8]> {
    const NAME: &[u8] = b"user-agent";
    let head = message.get(..message.len().min(4096))?;
    head.split(|byte| *byte == b'\n')
        .take_while(|line| !line.trim_ascii().is_empty())
        .find_map(|line| {
            let (name, value) = line.split_at_checked(NAME.len())?;
            let value = value.trim_ascii_start().strip_prefix(b":")?;
            name.eq_ignore_ascii_case(NAME).then(|| value.trim_ascii())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scanners_are_known_by_their_agent() {
        let scanners = ["friendly-scanner".to_owned(), "sipcli".to_owned()];
        let message = |agent: &str| {
            format!(
                "OPTIONS sip:1@x SIP/2.0\r\nVia: SIP/2.0/UDP x\r\n{agent}\r\n\r\nUser-Agent: sipcli\r\n"
            )
        };
        for (agent, is_one) in [
            ("User-Agent: friendly-scanner", true),
            ("user-agent :  SIPCLI/v1.8", true),
            ("User-Agent: a phone of friendly-scanner", false),
            ("User-Agent: ", false),
            ("X-User-Agent: sipcli", false),
            ("", false),
        ] {
            let found = scanner(message(agent).as_bytes(), &scanners);
            assert_eq!(found.is_some(), is_one, "{agent}");
        }
        let long = format!("User-Agent: sipcli{}", "x".repeat(500));
        let Some(Offence::Scanner(shown)) = scanner(message(&long).as_bytes(), &scanners) else {
            panic!("not found");
        };
        assert_eq!(shown.len(), LONGEST_AGENT);
    }
}
