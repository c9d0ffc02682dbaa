//! The parts of a pass, which several lanes read in turn.

use super::batch::Part;
use iterfs_bpf::Source;
use std::collections::VecDeque;

/// The parts that are not over, in order; those that are being read are out.
pub(super) struct Parts {
    slots: VecDeque<Slot>,
}

struct Slot {
    number: usize,
    part: Option<Part>,
}

impl Parts {
    pub(super) fn new(sources: impl Iterator<Item = Box<dyn Source>>) -> Parts {
        let slots = sources.enumerate().map(|(number, source)| Slot {
            number,
            part: Some(Part::new(number, source)),
        });
        Parts {
            slots: slots.collect(),
        }
    }

    /// Takes one out to be read: the first that is here, or the very first alone.
    pub(super) fn take(&mut self, first_alone: bool) -> Option<Part> {
        let among = if first_alone { 1 } else { self.slots.len() };
        let mut slots = self.slots.iter_mut().take(among);
        slots.find_map(|slot| slot.part.take())
    }

    /// Takes one back, or gives it back if it is over or nobody wants it any more.
    pub(super) fn put_back(&mut self, part: Part, is_over: bool) -> Option<Part> {
        let number = part.place.part;
        let Ok(at) = self.slots.binary_search_by_key(&number, |slot| slot.number) else {
            return Some(part);
        };
        if is_over {
            self.slots.remove(at);
            return Some(part);
        }
        self.slots[at].part = Some(part);
        None
    }

    /// Gives up those that are here; those that are out will not be taken back.
    pub(super) fn close(&mut self) -> Vec<Part> {
        self.slots.drain(..).filter_map(|slot| slot.part).collect()
    }
}
