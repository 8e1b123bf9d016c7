//! The key of a file in a bucket.

/// A key that names a path below its bucket: plain names separated by `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(String);

/// What is wrong in a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing stands there.
    #[error("is empty")]
    Empty,
    /// Longer than S3 takes.
    #[error("is longer than 1024 bytes")]
    TooLong,
    /// It begins with `/`.
    #[error("begins with `/`; a key is relative to its bucket")]
    Absolute,
    /// One of its names is `..`, `.` or empty.
    #[error("holds `..`, `.` or an empty name")]
    NotPlain,
    /// It holds a control character or a backslash.
    #[error("holds a control character or a backslash")]
    Character,
}

impl Key {
    /// Checks a key.
    ///
    /// # Errors
    /// [`KeyError`] for anything that is no plain relative path.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        if text.len() > 1024 {
            return Err(KeyError::TooLong);
        }
        if text.starts_with('/') {
            return Err(KeyError::Absolute);
        }
        if text.chars().any(|c| c.is_control() || c == '\\') {
            return Err(KeyError::Character);
        }
        if text.split('/').any(|name| matches!(name, "" | "." | "..")) {
            return Err(KeyError::NotPlain);
        }
        Ok(Self(text.to_owned()))
    }

    /// The key as a relative path.
    pub fn as_path(&self) -> &std::path::Path {
        std::path::Path::new(&self.0)
    }

    /// Its names, from the outside in.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        for key in [
            "a",
            "a/b.wav",
            "a b/c",
            "2026/11/21/x_y-z.wav",
            "...",
            "ä.wav",
        ] {
            assert!(Key::parse(key).is_ok(), "{key}");
        }
        let cases = [
            ("", KeyError::Empty),
            ("/a", KeyError::Absolute),
            ("a//b", KeyError::NotPlain),
            ("a/", KeyError::NotPlain),
            ("..", KeyError::NotPlain),
            ("a/../b", KeyError::NotPlain),
            ("./a", KeyError::NotPlain),
            ("a\\..\\b", KeyError::Character),
            ("a\0b", KeyError::Character),
        ];
        for (key, error) in cases {
            assert_eq!(Key::parse(key), Err(error), "{key:?}");
        }
        assert_eq!(Key::parse(&"a".repeat(1025)), Err(KeyError::TooLong));
    }
}
