//! Identifiers that Alexa gives out, and those that skill calling adds.

use super::{IdProblem, id, printable, visible_ascii};

id!(plain
    /// `request.requestId` of a skill request (facts A1): opaque, 1 to 512 visible ASCII characters.
    RequestId, "1 to 512 visible ASCII characters", |text| visible_ascii(text, 512));

id!(plain
    /// The skill's id, `amzn1.ask.skill.` and what follows (facts A1): at most 256 letters, digits, `-`, `.` or `_`.
    SkillId, "`amzn1.ask.skill.` followed by the skill's UUID", skill_id);

id!(plain
    /// The skill's client id at Login with Amazon, which the device's INVITE carries as `X-Alexa-LWA-ClientId`
    /// (facts D6, E1): `amzn1.application-oa2-client.` and 32 hexadecimal digits.
    LwaClientId, "`amzn1.application-oa2-client.` followed by 32 hexadecimal digits", lwa_client_id);

id!(personal
    /// `context.System.device.deviceId`, and with it the originator's `endpointId` (facts A1, D1): 1 to 512 characters.
    DeviceId, "1 to 512 characters, none a control", |text| printable(text, 512));

id!(personal
    /// `user.userId` of a skill request (facts A1): 1 to 512 characters.
    UserId, "1 to 512 characters, none a control", |text| printable(text, 512));

id!(plain
    /// `clientContext.clientSessionId` of StartCommunicationSession, called `csi` in the User-to-User header
    /// (facts D1, E1): 1 to 100 characters (not bytes), none a control.
    ClientSessionId, "1 to 100 characters, none a control", |text| printable(text, 100));

id!(plain
    /// The `sessionId` that StartCommunicationSession answers with (facts D2): opaque, at most 256 characters (our
    /// choice, as no format is published).
    SessionId, "1 to 256 characters, none a control", |text| printable(text, 256));

id!(secret
    /// `context.System.apiAccessToken`: the bearer token of one request, valid for an hour (facts A7). Never printed.
    ApiAccessToken, "1 to 8192 visible ASCII characters", |text| visible_ascii(text, 8192));

id!(secret
    /// A token of account linking, or the older `consentToken` (facts A1, C2). Never printed.
    AccessToken, "1 to 8192 visible ASCII characters", |text| visible_ascii(text, 8192));

impl LwaClientId {
    /// What each LWA client id begins with.
    pub const PREFIX: &'static str = "amzn1.application-oa2-client.";
}

impl SkillId {
    /// What each skill id begins with.
    pub const PREFIX: &'static str = "amzn1.ask.skill.";
}

fn lwa_client_id(text: &str) -> Result<(), IdProblem> {
    visible_ascii(text, 64)?;
    let digits = text
        .strip_prefix(LwaClientId::PREFIX)
        .ok_or(IdProblem::Prefix(LwaClientId::PREFIX))?;
    if digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        Ok(())
    } else {
        Err(IdProblem::Form)
    }
}

fn skill_id(text: &str) -> Result<(), IdProblem> {
    visible_ascii(text, 256)?;
    let rest = text
        .strip_prefix(SkillId::PREFIX)
        .ok_or(IdProblem::Prefix(SkillId::PREFIX))?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    if !rest.is_empty() && rest.bytes().all(fits) {
        Ok(())
    } else {
        Err(IdProblem::Form)
    }
}
