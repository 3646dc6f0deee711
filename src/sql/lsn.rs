//! How PostgreSQL writes positions in its WAL.

/// Reads a WAL position as PostgreSQL prints it (`16/B374D848`: two hex numbers, the upper and lower 32
/// bits) as a byte position. `None` where it is none.
#[must_use]
pub fn parse_lsn(text: &str) -> Option<u64> {
    let (upper, lower) = text.split_once('/')?;
    let half = |digits: &str| {
        let plain =
            (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
        plain
            .then(|| u64::from_str_radix(digits, 16).ok())
            .flatten()
    };
    Some(half(upper)? << 32 | half(lower)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn positions_are_read_as_postgresql_prints_them() {
        assert_eq!(parse_lsn("0/0"), Some(0));
        assert_eq!(parse_lsn("16/B374D848"), Some(0x16_B374_D848));
        assert_eq!(parse_lsn("FFFFFFFF/FFFFFFFF"), Some(u64::MAX));
        for wrong in [
            "",
            "/",
            "1/",
            "/1",
            "1",
            "g/0",
            "+1/0",
            "1/-1",
            "123456789/0",
            "0/123456789",
            " 1/2",
            "1/2/3",
        ] {
            assert_eq!(parse_lsn(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn a_printed_position_is_read_back(lsn: u64) {
            prop_assert_eq!(parse_lsn(&format!("{:X}/{:X}", lsn >> 32, lsn & 0xffff_ffff)), Some(lsn));
        }
    }
}
