//! The bytes around and between the rows of a file.

/// Everything in a file that is not a row.
///
/// Several threads encode one file side by side, and none of them knows whether the rows
/// before its own have turned out to be any. So a format states its framing as data, and
/// whoever puts the encoded rows in order applies it. The default is no framing at all.
#[derive(Debug, Default)]
pub struct Framing {
    /// Opens the file, whether it has rows or not.
    pub(super) head: Vec<u8>,
    /// Precedes the first row.
    pub(super) first: &'static [u8],
    /// Precedes every other row.
    pub(super) separator: &'static [u8],
    /// Closes a file that has rows.
    pub(super) tail: &'static [u8],
    /// Closes a file that has none.
    pub(super) empty_tail: &'static [u8],
}

impl Framing {
    /// The framing of a format whose rows are lines below a header.
    pub(super) fn with_header(header: Vec<u8>) -> Framing {
        Framing {
            head: header,
            ..Framing::default()
        }
    }

    /// The bytes that close a file.
    pub fn tail(&self, any_rows: bool) -> &'static [u8] {
        match any_rows {
            true => self.tail,
            false => self.empty_tail,
        }
    }

    /// Corrects rows that were encoded to follow others and turn out to be the first of
    /// their file.
    pub fn make_first(&self, rows: &mut Vec<u8>) {
        if self.first != self.separator {
            rows.splice(..self.separator.len(), self.first.iter().copied());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_turn_out_to_be_the_first_lose_their_separator() {
        let array = Framing {
            first: b"\n",
            separator: b",\n",
            ..Framing::default()
        };
        let mut rows = b",\n{},\n{}".to_vec();
        array.make_first(&mut rows);
        assert_eq!(rows, b"\n{},\n{}");

        let mut lines = b"{}\n{}\n".to_vec();
        Framing::default().make_first(&mut lines);
        assert_eq!(lines, b"{}\n{}\n");
    }
}
