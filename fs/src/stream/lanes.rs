//! The making of one file by several threads at once.
//!
//! A large pass comes in parts, which may be walked side by side and whose rows go
//! out in order. Each lane makes one part after the other. What the part at the
//! front makes goes to the window; what later ones make waits behind it, up to a
//! bound. A pass in one part has one lane, and nothing ever waits behind it.

use super::producer::{Made, Producer, Step};
use super::window::Window;
use crate::error::Failure;
use crate::quota::Charge;
use iterfs_bpf::Source;
use std::collections::{BTreeMap, VecDeque};

/// Bytes that may wait behind the part at the front.
const WAITING: usize = 2 * 1024 * 1024;

/// A lane with what it is at.
pub(super) struct Lane {
    part: usize,
    producer: Box<Producer>,
}

/// The lanes of one pass. Their threads take them out to work.
pub(super) struct Lanes {
    /// Lanes that rest: nobody reads, or enough is made.
    resting: Vec<Lane>,
    /// Parts that no lane has begun, and the number of the first.
    parts: VecDeque<Box<dyn Source>>,
    next: usize,
    /// The part whose rows go out now, and the number of all.
    front: usize,
    all: usize,
    /// What parts behind the front have made.
    behind: BTreeMap<usize, Behind>,
    waiting: usize,
    any_rows: bool,
    end: Option<Result<(), Failure>>,
}

/// What a part behind the front has made.
#[derive(Default)]
struct Behind {
    chunks: Vec<(Made, Option<Charge>)>,
    end: Option<Result<(), Failure>>,
}

impl Lanes {
    /// Lanes for a pass whose first part a producer has, and the others.
    pub(super) fn new(first: Producer, parts: Vec<Box<dyn Source>>, lanes: usize) -> Lanes {
        let all = 1 + parts.len();
        let mut parts = VecDeque::from(parts);
        let mut resting = Vec::new();
        while resting.len() + 1 < lanes
            && let Some(source) = parts.pop_front()
        {
            let producer = first.beside(source);
            resting.push(Lane {
                part: 1 + resting.len(),
                producer: Box::new(producer),
            });
        }
        let next = 1 + resting.len();
        resting.insert(
            0,
            Lane {
                part: 0,
                producer: Box::new(first),
            },
        );
        Lanes {
            resting,
            parts,
            next,
            front: 0,
            all,
            behind: BTreeMap::new(),
            waiting: 0,
            any_rows: false,
            end: None,
        }
    }

    /// How the pass ended, once it has.
    pub(super) fn end(&self) -> Option<&Result<(), Failure>> {
        self.end.as_ref()
    }

    /// Ends the pass: what rests is given up.
    pub(super) fn close(&mut self) -> Vec<Lane> {
        self.end = Some(Ok(()));
        self.parts.clear();
        self.behind.clear();
        std::mem::take(&mut self.resting)
    }

    /// The lanes that should go on, that of the front first. `front` says whether the
    /// reader wants more of it.
    pub(super) fn wanted(&mut self, front: bool) -> Vec<Lane> {
        if self.resting.is_empty() || self.end.is_some() {
            return Vec::new();
        }
        let (at_front, full) = (self.front, self.waiting >= WAITING);
        let goes_on = |lane: &mut Lane| front && (lane.part == at_front || !full);
        let mut wanted: Vec<_> = self.resting.extract_if(.., goes_on).collect();
        wanted.sort_by_key(|lane| lane.part);
        wanted
    }

    /// Lets a lane rest.
    pub(super) fn rest(&mut self, lane: Lane) {
        self.resting.push(lane);
    }

    /// Takes what a lane has made, and the lane back, with a new part if it has
    /// finished its own. Gives back what can be closed.
    pub(super) fn made(
        &mut self,
        mut lane: Lane,
        made: Made,
        step: Step,
        window: &mut Window,
    ) -> Option<Box<dyn Source>> {
        if self.end.is_some() {
            return Some(lane.producer.give_up());
        }
        let end = match step {
            Step::More => None,
            Step::End(end) => Some(end),
        };
        let is_over = end.is_some();
        if lane.part == self.front {
            self.hand_out(made, window);
            if let Some(end) = end {
                self.advance(end, window, &mut lane.producer);
            }
        } else {
            self.waiting += made.bytes.len();
            let charge = window.charge(made.bytes.len());
            let behind = self.behind.entry(lane.part).or_default();
            behind.chunks.push((made, charge));
            behind.end = end;
        }
        if !is_over {
            self.resting.push(lane);
            return None;
        }
        let Some(source) = self.parts.pop_front() else {
            return Some(lane.producer.give_up());
        };
        lane.part = self.next;
        self.next += 1;
        let finished = lane.producer.go_on_with(source);
        self.resting.push(lane);
        Some(finished)
    }

    /// Whether a lane's next chunk is for the window.
    pub(super) fn is_front(&self, lane: &Lane) -> bool {
        lane.part == self.front
    }

    fn hand_out(&mut self, mut made: Made, window: &mut Window) {
        if made.rows > 0 && !self.any_rows {
            self.any_rows = true;
            // A later part cannot know that it has the first row.
            if made.separated {
                made.bytes.remove(0);
            }
        }
        window.push(made.bytes);
    }

    /// Goes to the next part after the one at the front has ended so.
    fn advance(&mut self, end: Result<(), Failure>, window: &mut Window, producer: &mut Producer) {
        let mut end = end;
        while end.is_ok() {
            self.front += 1;
            if self.front == self.all {
                let mut bytes = Vec::new();
                producer.finish(self.any_rows, &mut bytes);
                window.push(bytes);
                break;
            }
            let Some(behind) = self.behind.remove(&self.front) else {
                return;
            };
            for (made, charge) in behind.chunks {
                self.waiting -= made.bytes.len();
                drop(charge);
                self.hand_out(made, window);
            }
            match behind.end {
                Some(ended) => end = ended,
                None => return,
            }
        }
        self.end = Some(end);
        // After a failure nobody gets to see it.
        self.behind.clear();
    }
}

impl Lane {
    /// Makes a chunk. Should a row ever make us panic, its readers get an error, not
    /// silence.
    pub(super) fn step(&mut self, chunk: Vec<u8>) -> (Made, Step) {
        self.producer.step(chunk)
    }
}
