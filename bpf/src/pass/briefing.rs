//! The settings and the question that are stored for a program before it runs.

use crate::load::question::Encoded;
use crate::pass::readers::{CgroupRange, Settings};
use crate::pass::thread_map::ThreadMap;
use iterfs_mapping::error::Result;
use std::sync::Arc;
use zerocopy::IntoBytes;

/// The settings of the reader, and its question, with the maps in which the program looks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Briefing {
    /// For a program that looks up its reader.
    pub(crate) reader: Option<(Arc<ThreadMap>, Settings)>,
    /// For a program that answers questions.
    pub(crate) question: Option<(Arc<ThreadMap>, Arc<Encoded>)>,
}

impl Briefing {
    /// Stores it for this thread, which reads next.
    pub(crate) fn give(&self) -> Result<()> {
        if let Some((map, settings)) = &self.reader {
            let counts = settings.range != CgroupRange::default();
            map.set_for_this_thread(settings.as_bytes(), counts)?;
        }
        if let Some((map, question)) = &self.question {
            map.set_for_this_thread(question.as_bytes(), false)?;
        }
        Ok(())
    }
}
