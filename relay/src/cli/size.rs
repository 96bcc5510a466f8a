//! Sizes, as the operator types and reads them: a whole number and a unit.

use std::{fmt, str::FromStr};

/// So many bytes. Shown with the largest unit of which it is a whole number of tenths, rounded down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = || "a size such as 500MiB, 20GiB or 1TiB is expected".to_owned();
        if text == "0" {
            return Ok(Self(0));
        }
        let unit = UNITS.iter().find_map(|(unit, bits)| Some((text.strip_suffix(unit)?, *bits)));
        let (number, bits) = unit.ok_or_else(expected)?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse::<u64>().ok().filter(|_| is_number);
        number.and_then(|number| number.checked_mul(1 << bits)).map(Self).ok_or_else(expected)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((unit, bits)) = UNITS.into_iter().find(|(_, bits)| self.0 >> bits > 0) else {
            return write!(f, "{} B", self.0);
        };
        let whole = self.0 >> bits;
        let rest = self.0 - (whole << bits);
        match (u128::from(rest) * 10) >> bits {
            0 => write!(f, "{whole} {unit}"),
            tenths => write!(f, "{whole}.{tenths} {unit}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_whole_number_and_a_unit() {
        for (text, bytes) in [("0", 0), ("64KiB", 1 << 16), ("20GiB", 20 << 30), ("3TiB", 3 << 40)] {
            assert_eq!(text.parse(), Ok(Size(bytes)));
        }
        for bad in ["", "20", "GiB", "-1GiB", "+1GiB", "1.5GiB", "1GB", "1 GiB", "1gib", "16777216TiB"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_size_is_shown_shortly_and_never_larger_than_it_is() {
        let shown = |bytes: u64| Size(bytes).to_string();
        assert_eq!(shown(0), "0 B");
        assert_eq!(shown(1_023), "1023 B");
        assert_eq!(shown(1 << 16), "64 KiB");
        assert_eq!(shown(20 << 30), "20 GiB");
        assert_eq!(shown((20 << 30) - 1), "19.9 GiB");
        assert_eq!(shown(3 << 29), "1.5 GiB");
        assert_eq!(shown(u64::MAX), "16777215.9 TiB");
    }
}
