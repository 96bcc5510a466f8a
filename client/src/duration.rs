//! Lengths of time as people type them: `90s`, `15m`, `2h`, `7d`.

use std::time::Duration;

/// A whole number of seconds, minutes, hours or days, and more than none; `None` for any other text.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return None,
    };
    let digits = text.strip_suffix(unit).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let count: u64 = digits.parse().ok()?;
    count.checked_mul(seconds).filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_a_unit() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86_400)] {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)));
        }
        for bad in
            ["", "m", "15", "0m", "-1m", "+1m", "1.5h", "99999999999999999999s", "999999999999999999d", "1é"]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
