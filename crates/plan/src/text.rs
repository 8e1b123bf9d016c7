//! What the skill says when the plan does not say otherwise.

macro_rules! texts {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, en: $en:literal, de: $de:literal;)*) => {
        /// A text that the skill says. The order is part of the compiled form: new ones go to the end.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum TextKey {
            $($(#[$doc])* $variant,)*
        }

        impl TextKey {
            /// All texts, in the order in which the compiled plan holds them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in the plan's `[locale.….texts]`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The text called `name`.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }

            /// The built-in text in the language of `locale`; none when there is none in it.
            #[must_use]
            pub fn built_in(self, locale: &str) -> Option<&'static str> {
                match (crate::name::language(locale), self) {
                    $(("en", Self::$variant) => Some($en), ("de", Self::$variant) => Some($de),)*
                    _ => None,
                }
            }
        }
    };
}

texts! {
    /// The skill was opened without a wish; the session stays open.
    Welcome = "welcome",
        en: "Whom would you like to call?",
        de: "Wen möchten Sie anrufen?";
    /// AMAZON.HelpIntent; the session stays open.
    Help = "help",
        en: "Say whom you would like to call, for example: call the front desk.",
        de: "Sagen Sie, wen Sie anrufen möchten, zum Beispiel: Ruf die Rezeption an.";
    /// AMAZON.StopIntent, AMAZON.CancelIntent.
    Goodbye = "goodbye",
        en: "Goodbye.",
        de: "Auf Wiederhören.";
    /// Announces the call, which Amazon requires (facts A3).
    Calling = "calling",
        en: "Calling {destination.name}.",
        de: "Ich rufe {destination.name} an.";
    /// The name is in no destination; the session stays open.
    UnknownDestination = "unknown-destination",
        en: "I can not call that. Whom would you like to call?",
        de: "Das kann ich nicht anrufen. Wen möchten Sie anrufen?";
    /// No name was said; the session stays open.
    WhichDestination = "which-destination",
        en: "Whom would you like to call?",
        de: "Wen möchten Sie anrufen?";
    /// The profile API answered 403 (facts C1); a consent card goes with it.
    NumberPermission = "number-permission",
        en: "To place the call I need your permission to read your phone number. I have sent a card to your Alexa app.",
        de: "Für den Anruf brauche ich Ihre Erlaubnis, Ihre Telefonnummer zu lesen. Ich habe eine Karte an Ihre Alexa-App geschickt.";
    /// The profile API answered 204: there is no number (facts C1).
    NumberMissing = "number-missing",
        en: "There is no phone number in your Alexa profile. Please add one in the Alexa app, then try again.",
        de: "In Ihrem Alexa-Profil steht keine Telefonnummer. Bitte tragen Sie in der Alexa-App eine ein und versuchen Sie es noch einmal.";
    /// The profile API failed in another way (facts C1).
    NumberUnavailable = "number-unavailable",
        en: "I could not read your phone number just now. Please try again in a moment.",
        de: "Ich konnte Ihre Telefonnummer gerade nicht lesen. Bitte versuchen Sie es gleich noch einmal.";
    /// StartCommunicationSession answered 400 (facts D2).
    CallRefused = "call-refused",
        en: "The call was refused, because something in it was not right. Please tell the people who run this skill.",
        de: "Der Anruf wurde abgelehnt, weil etwas daran nicht stimmte. Bitte sagen Sie es denen, die diesen Skill betreiben.";
    /// StartCommunicationSession or the profile API answered 401 (facts C1, D2).
    AskAgain = "ask-again",
        en: "Your request has expired. Please ask me once more.",
        de: "Ihre Anfrage ist abgelaufen. Bitte sagen Sie es noch einmal.";
    /// StartCommunicationSession answered 403 (facts D2).
    CallingNotAllowed = "calling-not-allowed",
        en: "Calling is not allowed for this skill. Please enable its calling permission in the Alexa app.",
        de: "Dieser Skill darf nicht anrufen. Bitte erlauben Sie ihm Anrufe in der Alexa-App.";
    /// StartCommunicationSession answered 404: the region has no skill calling (facts 0.3, D2).
    CallingNotHere = "calling-not-here",
        en: "Calling by this skill is not available in your region.",
        de: "Anrufe durch diesen Skill gibt es in Ihrer Region nicht.";
    /// StartCommunicationSession or the profile API answered 429 (facts C1, D2).
    Busy = "busy",
        en: "Too many calls are being placed just now. Please try again in a moment.",
        de: "Gerade werden zu viele Anrufe gestartet. Bitte versuchen Sie es gleich noch einmal.";
    /// StartCommunicationSession answered 500, or nothing (facts D2).
    CallFailed = "call-failed",
        en: "The call could not be started just now. Please try again in a moment.",
        de: "Der Anruf konnte gerade nicht gestartet werden. Bitte versuchen Sie es gleich noch einmal.";
    /// Said in the call when an action failed and the flow names no step for it.
    FlowFailed = "flow-failed",
        en: "I am sorry, something went wrong. Goodbye.",
        de: "Leider ist etwas schiefgegangen. Auf Wiederhören.";
    /// Said while the skill still works, when Alexa's APIs take longer than two seconds (facts A5).
    OneMoment = "one-moment",
        en: "One moment, please.",
        de: "Einen Moment, bitte.";
    /// No account is linked, or its token is refused (facts C2); a card goes with it.
    LinkAccount = "link-account",
        en: "To place the call, please link your account first. I have sent a card to your Alexa app.",
        de: "Bitte verknüpfen Sie für den Anruf zuerst Ihr Konto. Ich habe eine Karte an Ihre Alexa-App geschickt.";
    /// The profile's or the account's number is no phone number (facts C1).
    NumberMalformed = "number-malformed",
        en: "The phone number in your profile can not be right. Please correct it, then try again.",
        de: "Die Telefonnummer in Ihrem Profil kann nicht stimmen. Bitte berichtigen Sie sie und versuchen Sie es noch einmal.";
    /// The plan knows no number for this device or unit.
    NumberUnknownHere = "number-unknown-here",
        en: "This device is not set up for calls. Please tell the people who run this skill.",
        de: "Dieses Gerät ist nicht für Anrufe eingerichtet. Bitte sagen Sie es denen, die diesen Skill betreiben.";
    /// The number was to come from the recognised speaker's profile, and nobody was recognised.
    NotRecognised = "not-recognised",
        en: "I did not recognise your voice, so I do not know your phone number.",
        de: "Ich habe Ihre Stimme nicht erkannt, darum kenne ich Ihre Telefonnummer nicht.";
    /// The name is that of several destinations; the session stays open.
    WhichOf = "which-of",
        en: "Do you mean {choices}?",
        de: "Meinen Sie {choices}?";
    /// What stands between the last two of `{choices}`.
    Or = "or",
        en: "or",
        de: "oder";
    /// Asks before the call, where the plan says so; the session stays open.
    Confirm = "confirm",
        en: "Shall I call {destination.name}?",
        de: "Soll ich {destination.name} anrufen?";
    /// The customer said no to `confirm`.
    NotCalled = "not-called",
        en: "All right, I do not call.",
        de: "Gut, ich rufe nicht an.";
    /// The plan's rules do not allow the call.
    NotAllowed = "not-allowed",
        en: "{destination.name} can not be called from here.",
        de: "{destination.name} kann von hier aus nicht angerufen werden.";
    /// The destination is closed, and there is none in its place.
    Closed = "closed",
        en: "{destination.name} can not be reached at this time.",
        de: "{destination.name} ist zurzeit nicht erreichbar.";
    /// The destination is closed; the announcement of the one in its place follows.
    ClosedInstead = "closed-instead",
        en: "{destination.name} can not be reached at this time.",
        de: "{destination.name} ist zurzeit nicht erreichbar.";
    /// The customer has placed as many calls as the plan allows in an hour.
    TooManyCalls = "too-many-calls",
        en: "You have placed many calls within the last hour. Please try again later.",
        de: "Sie haben in der letzten Stunde viele Anrufe gemacht. Bitte versuchen Sie es später noch einmal.";
    /// Said after `closed` when the destination opens within a week, in languages whose times are known (English, German).
    Opens = "opens",
        en: "It opens {destination.opens}.",
        de: "Geöffnet wird {destination.opens}.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_there_in_both_languages_and_has_only_known_variables() {
        for key in TextKey::ALL {
            assert_eq!(TextKey::named(key.name()), Some(*key));
            for locale in ["en-US", "en-GB", "de-DE"] {
                let text = key.built_in(locale).unwrap();
                crate::template::parse(text).unwrap();
                assert!(!text.is_empty() && text.chars().count() < 8000, "facts A4");
            }
            assert_eq!(key.built_in("fr-FR"), None);
        }
    }
}
