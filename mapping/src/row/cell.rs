//! The layout of rows as lines of text, which the daemon's text format and the programs of
//! pinned links share.

use super::schema::Schema;

/// The most bytes that a value is padded to.
pub const WIDEST: usize = 64;

/// The place of a column's values in a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cell {
    /// Minimum width in bytes.
    pub width: usize,
    /// Whether values are aligned to the right.
    pub right: bool,
    /// Whether it ends the line.
    pub is_last: bool,
}

impl Cell {
    /// The byte after a value.
    #[inline]
    pub const fn end(self) -> u8 {
        if self.is_last { b'\n' } else { b' ' }
    }
}

impl Schema {
    /// The cells of a line, in the order of the columns. A line does not end in blanks, so a
    /// last cell that is aligned to the left has no width.
    pub fn cells(&self) -> impl Iterator<Item = Cell> {
        let columns = self.columns.iter().enumerate();
        columns.map(|(index, column)| {
            let is_last = index + 1 == self.columns.len();
            let (width, right) = column.kind.shape();
            let width = width.max(column.name.len()).min(WIDEST);
            Cell {
                width: if is_last && !right { 0 } else { width },
                right,
                is_last,
            }
        })
    }
}
