//! The partitions of a pass, which its workers take turns to read.

use super::partition::Partition;
use iterfs_mapping::contract::Source;
use std::collections::VecDeque;

/// The partitions that are not over, in order. Those that are being read are taken out.
pub(super) struct Partitions {
    slots: VecDeque<Slot>,
    /// The number of the next partition to be added.
    next: usize,
}

struct Slot {
    number: usize,
    partition: Option<Partition>,
}

impl Partitions {
    pub(super) fn new(sources: impl Iterator<Item = Box<dyn Source>>) -> Partitions {
        let mut partitions = Partitions {
            slots: VecDeque::new(),
            next: 0,
        };
        partitions.add(sources);
        partitions
    }

    /// Adds partitions behind all others.
    pub(super) fn add(&mut self, sources: impl Iterator<Item = Box<dyn Source>>) {
        for source in sources {
            self.slots.push_back(Slot {
                number: self.next,
                partition: Some(Partition::new(self.next, source)),
            });
            self.next += 1;
        }
    }

    /// Takes out the first partition that nobody reads, or with `front_only` that at the
    /// front, if nobody reads it.
    pub(super) fn take(&mut self, front_only: bool) -> Option<Partition> {
        let among = if front_only { 1 } else { self.slots.len() };
        let mut slots = self.slots.iter_mut().take(among);
        slots.find_map(|slot| slot.partition.take())
    }

    /// Puts a partition back. Returns it if it is over or the pass was closed.
    pub(super) fn put_back(&mut self, partition: Partition, is_over: bool) -> Option<Partition> {
        let number = partition.number();
        let Ok(at) = self.slots.binary_search_by_key(&number, |slot| slot.number) else {
            return Some(partition);
        };
        if is_over {
            self.slots.remove(at);
            return Some(partition);
        }
        self.slots[at].partition = Some(partition);
        None
    }

    /// Ends the pass. Returns the partitions that nobody reads; the others cannot be put
    /// back.
    pub(super) fn close(&mut self) -> Vec<Partition> {
        let slots = self.slots.drain(..);
        slots.filter_map(|slot| slot.partition).collect()
    }
}
