//! Tests of the promises about sizes against a model of the kernel: many callers send
//! requests about one table, which are answered and taken up in any order.

use super::*;
use proptest::prelude::*;
use std::sync::Arc;

/// The inode as fs/fuse keeps it.
#[derive(Debug, Default)]
struct Inode {
    /// Whether the kernel holds it.
    is_held: bool,
    size: u64,
    /// `attr_version`, of the inode and of the connection.
    changed: u64,
    connection: u64,
    /// Whether the attributes are valid, apart from the size.
    are_valid: bool,
    is_size_valid: bool,
}

impl Inode {
    /// Models fuse_change_attributes(), or a new inode.
    fn take_up(&mut self, sent: u64, size: Size) {
        if self.is_held && self.changed > sent {
            return;
        }
        self.is_held = true;
        self.set(size);
    }

    fn set(&mut self, size: Size) {
        self.connection += 1;
        self.changed = self.connection;
        self.size = match size {
            Size::Zero => 0,
            Size::Exactly(size) => size,
            Size::End => END,
        };
        self.are_valid = size == Size::Zero;
        self.is_size_valid = true;
    }

    /// Whether the kernel answers stat(2) without a request.
    fn is_cached(&self) -> bool {
        self.is_held && self.are_valid && self.is_size_valid
    }
}

/// Models fuse_notify_store(), step by step.
#[derive(Clone, Debug, Default)]
struct Model(Arc<Mutex<Inode>>);

impl Kernel for Model {
    fn outdate(&self, _: u64) {
        let mut inode = self.0.lock();
        if inode.is_held {
            inode.connection += 1;
            inode.changed = inode.connection;
            inode.is_size_valid = false;
        }
    }

    fn raise(&self, _: u64) -> bool {
        let mut inode = self.0.lock();
        assert!(inode.is_held, "it is being opened");
        inode.connection += 1;
        inode.changed = inode.connection;
        inode.size = END;
        // In the kernel, this happens a moment later.
        assert!(!inode.is_cached(), "the end can be seen");
        inode.is_size_valid = false;
        true
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    SendName,
    SendAttributes,
    /// The daemon answers a request.
    Answer(usize),
    /// The kernel takes up a reply.
    TakeUp(usize),
    /// A caller opens the table in one step, apart from the requests of others.
    Open,
    Close,
    Truncate,
    /// The kernel evicts the inode, if nobody uses it.
    Evict,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::SendName),
        2 => Just(Step::SendAttributes),
        4 => (0..8_usize).prop_map(Step::Answer),
        4 => (0..8_usize).prop_map(Step::TakeUp),
        2 => Just(Step::Open),
        2 => Just(Step::Close),
        1 => Just(Step::Truncate),
        1 => Just(Step::Evict),
    ]
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    at: u64,
    asks_name: bool,
    answer: Option<Size>,
}

const INODE: u64 = 7;

fn play(steps: Vec<Step>, is_kept: bool) -> std::result::Result<(), TestCaseError> {
    let model = Model::default();
    let sizes = Sizes::default();
    sizes.begin(model.clone());
    let mut requests: Vec<Sent> = Vec::new();
    let mut open = 0;
    for step in steps {
        match step {
            Step::SendName => requests.push(Sent {
                at: model.0.lock().connection,
                asks_name: true,
                answer: None,
            }),
            Step::SendAttributes => {
                let inode = model.0.lock();
                if inode.is_held {
                    requests.push(Sent {
                        at: inode.connection,
                        asks_name: false,
                        answer: None,
                    });
                }
            }
            Step::Answer(index) => {
                if let Some(request) = requests.get_mut(index)
                    && request.answer.is_none()
                {
                    request.answer = Some(match request.asks_name {
                        true => sizes.at_name(INODE, is_kept),
                        false => {
                            sizes.before_attributes(INODE, is_kept);
                            Size::Zero
                        }
                    });
                }
            }
            Step::TakeUp(index) => {
                let answered = requests.get(index).and_then(|request| request.answer);
                if let Some(size) = answered {
                    let request = requests.remove(index);
                    model.0.lock().take_up(request.at, size);
                }
            }
            Step::Open => {
                if model.0.lock().is_held {
                    open += 1;
                    if is_kept {
                        sizes.before_opened(INODE);
                    }
                }
            }
            Step::Close => {
                if open > 0 {
                    open -= 1;
                    if is_kept {
                        sizes.closed(INODE);
                    }
                }
            }
            Step::Truncate => {
                let mut inode = model.0.lock();
                if inode.is_held {
                    let size = sizes.after_change(INODE, is_kept);
                    inode.set(size);
                }
            }
            Step::Evict => {
                let in_use = open > 0 || requests.iter().any(|request| !request.asks_name);
                if !in_use {
                    let mut inode = model.0.lock();
                    inode.is_held = false;
                    inode.size = 0;
                    sizes.forgotten(INODE);
                }
            }
        }
        let inode = model.0.lock();
        if open > 0 {
            prop_assert_eq!(inode.size, END, "an open table looks empty");
        }
        if inode.is_cached() {
            prop_assert_eq!(inode.size, 0, "stat shows the end");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_order_shows_the_end_or_makes_an_open_table_empty(
        steps in prop::collection::vec(step(), 0..60),
        is_kept: bool,
    ) {
        play(steps, is_kept)?;
    }
}

/// Counts the notifications to the kernel.
#[derive(Clone, Debug, Default)]
struct Counting(Arc<Mutex<(u32, u32)>>);

impl Kernel for Counting {
    fn outdate(&self, _: u64) {
        self.0.lock().0 += 1;
    }

    fn raise(&self, _: u64) -> bool {
        self.0.lock().1 += 1;
        true
    }
}

#[test]
fn most_opens_tell_the_kernel_nothing() {
    let (told, sizes) = (Counting::default(), Sizes::default());
    sizes.begin(told.clone());
    for _ in 0..100 {
        sizes.before_opened(INODE);
        sizes.closed(INODE);
    }
    assert_eq!(*told.0.lock(), (1, 1));
}

#[test]
fn without_the_kernels_help_sizes_stay_0() {
    let sizes = Sizes::<Counting>::default();
    sizes.before_opened(INODE);
    sizes.before_attributes(INODE, true);
    for is_kept in [false, true] {
        assert_eq!(sizes.at_name(INODE, is_kept), Size::Zero);
        assert_eq!(sizes.after_change(INODE, is_kept), Size::Zero);
    }
    assert!(!sizes.are_raised());
}

#[test]
fn a_table_that_nobody_has_open_may_be_0_again() {
    let (told, sizes) = (Counting::default(), Sizes::default());
    sizes.begin(told.clone());
    sizes.before_opened(INODE);
    sizes.before_attributes(INODE, true);
    assert_eq!(*told.0.lock(), (2, 1));
    assert_eq!(sizes.at_name(INODE, true), Size::End);
    sizes.closed(INODE);
    sizes.before_attributes(INODE, true);
    assert_eq!(*told.0.lock(), (2, 1));
    assert_eq!(sizes.at_name(INODE, true), Size::Zero);
    assert!(sizes.kept.lock().is_empty());
}

#[test]
fn the_end_leaves_fionread_at_0() {
    assert_eq!(END as u32, 0);
}
