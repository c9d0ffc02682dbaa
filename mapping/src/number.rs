//! Numbers in names. Each number has one spelling, so that each object has one path.

/// Parses a positive decimal number in its canonical form: no sign, no leading zero.
pub fn parse_id(name: &str) -> Option<u32> {
    let canonical = !name.starts_with('0') && name.bytes().all(|byte| byte.is_ascii_digit());
    canonical.then(|| name.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::parse_id;
    use proptest::prelude::*;

    #[test]
    fn only_the_canonical_form_is_parsed() {
        assert_eq!(parse_id("1"), Some(1));
        assert_eq!(parse_id("4194304"), Some(4_194_304));
        for bad in [
            "",
            "0",
            "01",
            "+1",
            "-1",
            " 1",
            "1 ",
            "1e3",
            "0x1",
            "4294967296",
            "١",
        ] {
            assert_eq!(parse_id(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn a_parsed_number_prints_as_it_was_written(name in "\\PC*") {
            if let Some(id) = parse_id(&name) {
                prop_assert_eq!(id.to_string(), name);
            }
        }
    }
}
