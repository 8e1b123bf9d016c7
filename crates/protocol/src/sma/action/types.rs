//! What several actions share: the leg, digits, objects in a bucket (facts F5, F6).

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::sma::fields::{FieldError, Fields};
use crate::sma::ids::{CallId, ParticipantTag};

/// Which leg an action is for (facts F5): `CallId` wins over `ParticipantTag`; neither means the leg that triggered
/// the event. Empty strings count as absent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LegSelector {
    /// The leg by its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_id: Option<CallId>,
    /// The leg by its role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub participant_tag: Option<ParticipantTag>,
}

impl LegSelector {
    /// The leg with this role.
    pub fn tag(tag: ParticipantTag) -> Self {
        Self {
            call_id: None,
            participant_tag: Some(tag),
        }
    }

    /// The leg with this id.
    pub fn call(id: CallId) -> Self {
        Self {
            call_id: Some(id),
            participant_tag: None,
        }
    }

    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, FieldError> {
        let participant_tag = match fields.text("ParticipantTag", "LEG-A or LEG-B")? {
            None => None,
            Some(tag) => match ParticipantTag::from(tag.as_str()) {
                ParticipantTag::Other(_) => {
                    return Err(fields.invalid("ParticipantTag", "LEG-A or LEG-B"));
                }
                known => Some(known),
            },
        };
        Ok(Self {
            call_id: fields.text("CallId", "the id of a leg")?.map(CallId::new),
            participant_tag,
        })
    }
}

/// One DTMF digit: 0 to 9, `*`, `#`, A to D (facts I2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digit(char);

impl Digit {
    /// The digit of a character; letters in either case.
    pub fn new(digit: char) -> Option<Self> {
        match digit {
            '0'..='9' | '*' | '#' | 'A'..='D' => Some(Self(digit)),
            'a'..='d' => Some(Self(digit.to_ascii_uppercase())),
            _ => None,
        }
    }

    /// The digit as a character.
    pub fn as_char(self) -> char {
        self.0
    }

    /// Whether it is on an ordinary telephone's keypad, which is what actions may name as terminators.
    pub fn is_on_keypad(self) -> bool {
        !self.0.is_ascii_alphabetic()
    }
}

impl fmt::Display for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Serialize for Digit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A list of terminator digits, 0-9 `#` `*`, each a string on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct DigitSet(Vec<Digit>);

impl DigitSet {
    /// The set of these digits.
    pub fn new(digits: impl IntoIterator<Item = Digit>) -> Self {
        Self(digits.into_iter().collect())
    }

    /// The set of the digits in a text; characters that are no digits are passed over.
    pub fn of(text: &str) -> Self {
        Self::new(text.chars().filter_map(Digit::new))
    }

    /// Whether the digit is in the set.
    pub fn contains(&self, digit: Digit) -> bool {
        self.0.contains(&digit)
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The digits in order.
    pub fn iter(&self) -> impl Iterator<Item = Digit> {
        self.0.iter().copied()
    }

    pub(super) fn read(fields: &Fields<'_>, key: &str) -> Result<Option<Self>, FieldError> {
        let expected = "a list of digits from 0-9, * and #, each a string";
        let Some(list) = fields.list(key) else {
            return Ok(None);
        };
        let mut digits = Vec::new();
        for value in list {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => return Err(fields.invalid(key, expected)),
            };
            for character in text.chars() {
                match Digit::new(character).filter(|digit| digit.is_on_keypad()) {
                    Some(digit) => digits.push(digit),
                    None => {
                        return Err(fields.invalid(key, format!("{expected}; {text:?} is none")));
                    }
                }
            }
        }
        Ok(Some(Self(digits)))
    }
}

/// An object in a bucket: `{Type:"S3", BucketName, Key}` (facts F6).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct S3Object {
    /// The bucket: no slash, not "." or "..".
    pub bucket_name: String,
    /// The key: no leading slash, no empty, "." or ".." part, so that it cannot leave a folder that stands for the bucket.
    pub key: String,
}

impl S3Object {
    /// The object with this key in this bucket.
    pub fn new(bucket_name: impl Into<String>, key: impl Into<String>) -> Self {
        Self {
            bucket_name: bucket_name.into(),
            key: key.into(),
        }
    }

    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, FieldError> {
        read_s3_type(fields)?;
        let bucket_name = read_bucket(fields)?;
        let key = fields.required_text("Key", "the key of an object in the bucket")?;
        if !is_safe_path(&key) || key.len() > 1024 {
            return Err(fields.invalid(
                "Key",
                "a key of up to 1024 bytes without empty, \".\" and \"..\" parts",
            ));
        }
        Ok(Self { bucket_name, key })
    }
}

impl Serialize for S3Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut object = serializer.serialize_struct("S3Object", 3)?;
        object.serialize_field("Type", "S3")?;
        object.serialize_field("BucketName", &self.bucket_name)?;
        object.serialize_field("Key", &self.key)?;
        object.end()
    }
}

/// `Type` of a place for files: "S3", which may be left out.
pub(super) fn read_s3_type(fields: &Fields<'_>) -> Result<(), FieldError> {
    match fields.text("Type", "\"S3\"")? {
        None => Ok(()),
        Some(kind) if kind.eq_ignore_ascii_case("S3") => Ok(()),
        Some(_) => Err(fields.invalid("Type", "\"S3\"")),
    }
}

pub(super) fn read_bucket(fields: &Fields<'_>) -> Result<String, FieldError> {
    let bucket = fields.required_text("BucketName", "the name of a bucket")?;
    if !is_bucket(&bucket) {
        return Err(fields.invalid(
            "BucketName",
            "a bucket's name of up to 255 letters, digits, dots, hyphens and underscores",
        ));
    }
    Ok(bucket)
}

pub(super) fn is_bucket(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b))
        && name != "."
        && name != ".."
}

/// Whether a key stays below the folder of its bucket on every file system.
pub(super) fn is_safe_path(path: &str) -> bool {
    !path
        .chars()
        .any(|c| c.is_control() || c == '\\' || c == ':')
        && path
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..")
}
