//! A pass that counts: it walks without output, then hands out the groups.

use crate::host::net_entry::aside;
use crate::pass::group_map::Cursor;
use crate::pass::iterator::Iterator;
use crate::pass::iterators::CountingWalks;
use crate::pass::readers::Settings;
use crate::pass::summary_pool::{Borrowed, SummaryPool};
use crate::program::attachment::Attachment;
use iterfs_mapping::contract::{Pass, Progress, Source};
use iterfs_mapping::error::{Error, Result};
use iterfs_mapping::row::Schema;
use std::io;
use std::mem;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// The most groups that are kept for sorting; if there are more, they are handed out in the
/// order of the map.
const SORTED: usize = 64 * 1024;

/// The walks of a summary for one reader.
pub(crate) struct Walks {
    pub(crate) pool: Arc<SummaryPool>,
    pub(crate) settings: Settings,
    /// The net namespace in which to make the iterator; none for the daemon's own.
    pub(crate) net_namespace: Option<OwnedFd>,
}

impl CountingWalks for Walks {
    fn schema(&self) -> &Arc<Schema> {
        self.pool.schema()
    }

    fn room(&self) -> u32 {
        self.pool.room()
    }

    fn more_than(&self, room: u32) -> Result<u32> {
        self.pool.more_than(room)
    }

    fn begin(&self, room: u32) -> Result<(Iterator, Borrowed)> {
        let counter = self.pool.borrow(room)?;
        let program = &counter.program;
        let make = || program.iterator(&Attachment::EVERYTHING);
        let fd = match &self.net_namespace {
            Some(namespace) => aside(namespace.as_fd(), make)?,
            None => make()?,
        };
        let iterator = Iterator::new(fd, program.briefing(self.settings, None));
        Ok((iterator, counter))
    }
}

/// A pass over a table whose program counts groups.
pub(crate) struct Summary {
    walks: Box<dyn CountingWalks>,
    stage: Stage,
    /// Rows to hand out, and the number of bytes already handed out.
    rows: Vec<u8>,
    handed: usize,
}

/// The stage of a pass.
enum Stage {
    /// The pass has not begun; it starts with room for this many groups. It begins at the first
    /// read, so that an open without a read takes no program.
    Begin(u32),
    /// The program counts.
    Walk(Iterator, Borrowed),
    /// The groups are being taken out of the map.
    Take(Borrowed, Cursor),
    /// All groups were taken.
    Over,
}

impl Summary {
    /// The pass of these walks.
    pub(crate) fn pass(walks: Box<dyn CountingWalks>) -> Pass {
        Pass {
            schema: Some(Arc::clone(walks.schema())),
            source: Box::new(Summary {
                stage: Stage::Begin(walks.room()),
                walks,
                rows: Vec::new(),
                handed: 0,
            }),
            rest: Vec::new(),
            waits_for_processes: false,
            asked: None,
        }
    }

    /// The next stage after a group was lost: start again, with a larger map.
    fn again(&self, room: u32, errno: u8) -> Result<Stage> {
        match i32::from(errno) {
            libc::E2BIG => Ok(Stage::Begin(self.walks.more_than(room)?)),
            errno => Err(Error::Pass(io::Error::from_raw_os_error(errno))),
        }
    }

    /// Takes groups out of the map. Sorts them if they are all there are.
    fn take(&mut self, counter: Borrowed, mut cursor: Cursor) -> Result<Stage> {
        let first = cursor.is_start();
        let schema = self.walks.schema();
        self.handed = 0;
        self.rows.clear();
        while self.rows.len() < SORTED * schema.fixed_size {
            if !counter.groups.take(&mut cursor, &mut self.rows)? {
                if first {
                    self.rows = sorted(schema, &self.rows);
                }
                return Ok(Stage::Over);
            }
        }
        Ok(Stage::Take(counter, cursor))
    }
}

impl Source for Summary {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Progress> {
        loop {
            let rows = &self.rows[self.handed..];
            if !rows.is_empty() {
                let size = rows.len().min(buffer.len());
                buffer[..size].copy_from_slice(&rows[..size]);
                self.handed += size;
                return Ok(Progress::Bytes(size));
            }
            match mem::replace(&mut self.stage, Stage::Over) {
                Stage::Begin(room) => {
                    let (iterator, counter) = self.walks.begin(room)?;
                    self.stage = Stage::Walk(iterator, counter);
                }
                Stage::Walk(mut iterator, counter) => {
                    // A counting program writes only the errno for which a group was lost.
                    let mut lost = [0];
                    self.stage = match iterator.read(&mut lost)? {
                        Progress::End => Stage::Take(counter, Cursor::default()),
                        Progress::Nothing => Stage::Walk(iterator, counter),
                        Progress::Bytes(_) => self.again(counter.groups.room(), lost[0])?,
                    };
                    if !matches!(self.stage, Stage::Take(..)) {
                        return Ok(Progress::Nothing);
                    }
                }
                Stage::Take(counter, cursor) => self.stage = self.take(counter, cursor)?,
                Stage::Over => {
                    self.handed = 0;
                    self.rows = Vec::new();
                    return Ok(Progress::End);
                }
            }
        }
    }
}

/// The rows, sorted by their first column.
fn sorted(schema: &Schema, rows: &[u8]) -> Vec<u8> {
    let Some(first) = schema.columns.first() else {
        return rows.to_vec();
    };
    let mut order: Vec<&[u8]> = rows.chunks_exact(schema.fixed_size).collect();
    order.sort_unstable_by(|a, b| first.order(a).cmp(&first.order(b)));
    order.concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::loader::SharedMaps;
    use crate::load::objects;
    use iterfs_mapping::row::Records;
    use iterfs_mapping::row::Value;
    use std::process::{Child, Command, Stdio};

    /// Processes to count; dropping them ends them.
    struct Sleepers(Vec<Child>);

    impl Sleepers {
        fn start(many: usize) -> Sleepers {
            let sleep = || {
                Command::new("sleep")
                    .arg("1000")
                    .stdin(Stdio::null())
                    .spawn()
            };
            Sleepers((0..many).map(|_| sleep().unwrap()).collect())
        }
    }

    impl Drop for Sleepers {
        fn drop(&mut self) {
            for child in &mut self.0 {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }

    /// The programs of a summary by process, with this much room.
    fn counters(first: u32, most: u32) -> Arc<SummaryPool> {
        let name = "fds_by_process";
        let elf = objects::find(name).unwrap();
        let readers = SharedMaps::default();
        let counters = SummaryPool::of(name, elf, Some(first), readers).unwrap();
        Arc::new(counters.up_to(most))
    }

    /// The walks over everything.
    fn whole(pool: &Arc<SummaryPool>) -> Box<Walks> {
        Box::new(Walks {
            pool: Arc::clone(pool),
            settings: Settings::default(),
            net_namespace: None,
        })
    }

    /// The values of the first column of a pass.
    fn pids(pass: &mut Pass) -> Result<Vec<u32>> {
        let mut bytes = Vec::new();
        let mut buffer = [0; 1000];
        loop {
            match pass.source.read(&mut buffer)? {
                Progress::Bytes(size) => bytes.extend_from_slice(&buffer[..size]),
                Progress::Nothing => {}
                Progress::End => break,
            }
        }
        let schema = pass.schema.as_ref().unwrap();
        let records = Records::new(schema, &bytes);
        let pids = records.map(|record| match schema.columns[0].value(record) {
            Value::Unsigned(pid) => pid as u32,
            other => panic!("{other:?}"),
        });
        Ok(pids.collect())
    }

    #[test]
    fn a_map_too_small_grows_and_no_group_is_lost() {
        let sleepers = Sleepers::start(100);
        let counters = counters(2, 1 << 20);
        for _ in 0..2 {
            let found = pids(&mut Summary::pass(whole(&counters))).unwrap();
            assert!(found.is_sorted());
            for child in &sleepers.0 {
                assert!(found.contains(&child.id()), "{}", child.id());
            }
        }
        assert_eq!(counters.idle(), 1, "a larger map is not kept");
    }

    #[test]
    fn too_many_groups_are_an_error() {
        let _sleepers = Sleepers::start(100);
        let counters = counters(2, 50);
        let refused = pids(&mut Summary::pass(whole(&counters)));
        assert!(
            matches!(refused, Err(Error::TooManyGroups(50))),
            "{refused:?}"
        );
        assert_eq!(counters.idle(), 1, "the first is there for others");
    }

    /// The first progress of a source after all steps without output.
    fn past_nothing(source: &mut dyn Source) -> Progress {
        loop {
            match source.read(&mut [0]).unwrap() {
                Progress::Nothing => {}
                progress => return progress,
            }
        }
    }

    #[test]
    fn a_pass_given_up_leaves_nothing_to_the_next() {
        let counters = counters(1 << 14, 1 << 14);
        let walk = Settings {
            process: std::process::id(),
            ..Settings::default()
        };
        let mine = || {
            Box::new(Walks {
                settings: walk,
                ..*whole(&counters)
            })
        };
        let mut given_up = Summary::pass(whole(&counters));
        // The same state as after one step of a walk that takes several.
        let (mut iterator, counter) = whole(&counters).begin(counters.room()).unwrap();
        assert_eq!(past_nothing(&mut iterator), Progress::End);
        drop((iterator, counter));
        assert_eq!(past_nothing(&mut *given_up.source), Progress::Bytes(1));
        drop(given_up);
        let found = pids(&mut Summary::pass(mine())).unwrap();
        assert_eq!(found, [std::process::id()]);
    }

    #[test]
    fn as_many_passes_as_there_are_and_few_programs_after() {
        let counters = counters(1 << 14, 1 << 14);
        let busy: Vec<_> = (0..10)
            .map(|_| counters.borrow(counters.room()).unwrap())
            .collect();
        assert_eq!(counters.idle(), 0);
        drop(busy);
        assert_eq!(counters.idle(), 4);
    }
}
