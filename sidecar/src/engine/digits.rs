//! What counts as an answer in digits (facts F5, F6). No time and no media: those are the callers' matter.

use regex_lite::{Regex, RegexBuilder};
use skillcall_protocol::sma::ErrorType;
use skillcall_protocol::sma::action::{Digit, DigitRules};

use super::input::Failure;

/// Largest compiled expression, in bytes.
const REGEX_SIZE: usize = 64 * 1024;

/// Compiles InputDigitsRegex, which is searched for (facts F5).
///
/// # Errors
/// InvalidActionParameter when it is no regular expression, or one of those with look-around or back-references, which
/// cannot be searched for in linear time.
pub(super) fn compile(regex: &str) -> Result<Regex, Failure> {
    RegexBuilder::new(regex).size_limit(REGEX_SIZE).build().map_err(|error| {
        let told = format!(
            "InputDigitsRegex is {regex:?}, which cannot be used ({error}); expected an expression such as ^\\d{{2}}#$ without look-around and back-references"
        );
        Failure::new(ErrorType::InvalidActionParameter, told)
    })
}

/// What a digit led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Collected {
    /// More may come.
    More,
    /// The input is complete: a terminator, or as many digits as there may be.
    Complete {
        /// Whether it was a terminator.
        terminated: bool,
    },
}

/// Collects the digits of one attempt.
#[derive(Debug)]
pub(super) struct Collector {
    rules: DigitRules,
    regex: Option<Regex>,
    digits: String,
}

impl Collector {
    pub(super) fn new(rules: DigitRules) -> Result<Self, Failure> {
        let regex = rules
            .input_digits_regex
            .as_deref()
            .map(compile)
            .transpose()?;
        Ok(Self {
            rules,
            regex,
            digits: String::new(),
        })
    }

    pub(super) fn rules(&self) -> &DigitRules {
        &self.rules
    }

    /// Takes a digit. A terminator is not kept (facts F6).
    pub(super) fn take(&mut self, digit: Digit) -> Collected {
        if self.rules.is_terminator(digit) {
            return Collected::Complete { terminated: true };
        }
        self.digits.push(digit.as_char());
        if self.digits.len() >= self.rules.max() {
            Collected::Complete { terminated: false }
        } else {
            Collected::More
        }
    }

    /// Ends the attempt: the digits, or why they are no answer. Nothing at all is an answer only when a terminator
    /// says so; else MinNumberOfDigits' default of 0 would make every silence a success (our choice).
    pub(super) fn finish(&mut self, terminated: bool) -> Result<String, String> {
        let digits = std::mem::take(&mut self.digits);
        let count = digits.len();
        if count == 0 && !terminated {
            return Err("no digit came".to_owned());
        }
        if count < self.rules.min() {
            return Err(format!(
                "{count} digits came, expected at least {}",
                self.rules.min()
            ));
        }
        match &self.regex {
            Some(regex) if !regex.is_match(&digits) => Err(format!(
                "the {count} digits that came do not match {:?}",
                regex.as_str()
            )),
            _ => Ok(digits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skillcall_protocol::sma::action::DigitSet;

    fn typed(rules: DigitRules, typed: &str) -> Result<String, String> {
        let mut collector = Collector::new(rules).unwrap();
        for character in typed.chars() {
            if let Collected::Complete { terminated } =
                collector.take(Digit::new(character).unwrap())
            {
                return collector.finish(terminated);
            }
        }
        collector.finish(false)
    }

    #[test]
    fn answers_are_told_from_others() {
        let rules = |regex: Option<&str>, min, max| DigitRules {
            input_digits_regex: regex.map(str::to_owned),
            min_number_of_digits: min,
            max_number_of_digits: max,
            ..DigitRules::default()
        };
        assert_eq!(typed(rules(None, None, None), "12#34"), Ok("12".to_owned()));
        assert_eq!(
            typed(rules(None, None, Some(3)), "12345"),
            Ok("123".to_owned())
        );
        assert_eq!(
            typed(rules(None, None, None), "#"),
            Ok(String::new()),
            "an empty answer, if it is given"
        );
        assert!(
            typed(rules(None, None, None), "").is_err(),
            "silence is no answer"
        );
        assert!(typed(rules(None, Some(4), Some(4)), "123#").is_err());
        assert_eq!(
            typed(rules(Some("[1-2]"), None, Some(1)), "2"),
            Ok("2".to_owned())
        );
        assert!(typed(rules(Some("[1-2]"), None, Some(1)), "3").is_err());
        assert_eq!(
            typed(rules(Some("[0-9]"), Some(6), Some(6)), "123456"),
            Ok("123456".to_owned()),
            "searched, not matched"
        );
        assert_eq!(
            typed(rules(Some(r"^\d{2}$"), None, Some(2)), "11"),
            Ok("11".to_owned())
        );
        let star = DigitRules {
            terminator_digits: Some(DigitSet::of("*")),
            ..DigitRules::default()
        };
        assert_eq!(typed(star, "1#2*"), Ok("1#2".to_owned()));
    }

    #[test]
    fn expressions_that_cannot_be_searched_for_are_refused() {
        let nested = format!("{}1{}", "(".repeat(400), ")".repeat(400));
        for bad in ["(", "(?=1)", r"(1)\1", "((1{1000}){1000}){1000}", &nested] {
            let failure = compile(bad).unwrap_err();
            assert_eq!(failure.error_type, ErrorType::InvalidActionParameter);
            assert!(
                failure.message.starts_with("InputDigitsRegex is"),
                "{}",
                failure.message
            );
        }
    }
}
