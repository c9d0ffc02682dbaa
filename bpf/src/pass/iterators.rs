//! Traits that make iterators while a pass is read.
//!
//! A pass only reads iterators. Whatever it has to link, load or enter on the way goes through
//! these traits, which shows the parts of a pass that need privileges.

use crate::load::question::Encoded;
use crate::pass::iterator::Iterator;
use crate::pass::readers::Settings;
use crate::pass::summary_pool::Borrowed;
use crate::program::Program;
use crate::program::attachment::Attachment;
use iterfs_mapping::Narrowing;
use iterfs_mapping::error::Result;
use iterfs_mapping::row::Schema;
use std::sync::Arc;

/// Makes the iterators of a pass that needs several.
pub(crate) trait Iterators: Send {
    /// An iterator over a part of the pass's target, for the pass's reader. It may link the
    /// program to that part.
    ///
    /// # Errors
    /// Those of linking the program and of making the iterator.
    fn narrowed(&self, to: Narrowing) -> Result<Iterator>;
}

/// Makes the walks of a summary.
pub(crate) trait CountingWalks: Send {
    /// The shape of the rows.
    fn schema(&self) -> &Arc<Schema>;

    /// The number of groups for which the first walk has room.
    fn room(&self) -> u32;

    /// The number of groups to try after `room` was too small.
    ///
    /// # Errors
    /// [`iterfs_mapping::Error::TooManyGroups`].
    fn more_than(&self, room: u32) -> Result<u32>;

    /// A walk with room for this many groups, and the program that counts in it. Loads a
    /// program if none is idle, and enters the net namespace of the walk.
    ///
    /// # Errors
    /// Those of loading the program and of making the iterator.
    fn begin(&self, room: u32) -> Result<(Iterator, Borrowed)>;
}

/// The iterators of a program for one reader.
pub(crate) struct OfProgram {
    program: Arc<Program>,
    settings: Settings,
    question: Option<Arc<Encoded>>,
}

impl OfProgram {
    /// `question` is for a program that answers questions.
    pub(crate) fn new(
        program: &Arc<Program>,
        settings: Settings,
        question: Option<Arc<Encoded>>,
    ) -> OfProgram {
        OfProgram {
            program: Arc::clone(program),
            settings,
            question,
        }
    }
}

impl Iterators for OfProgram {
    fn narrowed(&self, to: Narrowing) -> Result<Iterator> {
        let fd = self.program.iterator(&Attachment::to(to)?)?;
        let briefing = self.program.briefing(self.settings, self.question.as_ref());
        Ok(Iterator::new(fd, briefing))
    }
}
